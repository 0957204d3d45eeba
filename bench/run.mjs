// tokenkeep beside its peers, in Chromium: writes RESULTS.md. `--rounds N` is for a quick look, and prints it instead.

import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { areas } from "./areas.mjs";
import { LIBRARIES, PAGES, SHARED, address, pages } from "./build.mjs";
import { Chromium } from "./chromium.mjs";
import { ANSWERS, report } from "./report.mjs";
import { Visit } from "./visit.mjs";

const HERE = import.meta.dirname;
const ROUNDS = 7;
const RATE_MILLISECONDS = 1000;
/** How often in a round everybody has a turn of latencies. */
const TURNS = 10;

const { values: asked } = parseArgs({ options: { named: { type: "string" }, rounds: { type: "string" } } });
const rounds = Number(asked.rounds ?? ROUNDS);
// First, so that a wrong path is told before anything is measured.
const wasm = asked.named === undefined ? [] : areas(asked.named);
const load = [busy()];

const servers = fork(join(HERE, "servers.mjs"), { stdio: ["ignore", "ignore", "inherit", "ipc"] });
const [site] = await once(servers, "message");
const files = await pages(site);
servers.send({ redirectUris: PAGES.map((page) => site.app + address(page)), served: [...files] });
await once(servers, "message");

const chromium = new Chromium();
try {
  const { product } = await chromium.send("Browser.getVersion");
  const nothing = () => ({ opened: [], signedIn: [], memory: [], reloaded: [], rate: [], latencies: ANSWERS.map(() => []) });
  const seen = new Map(PAGES.map((page) => [page, nothing()]));
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}: opening and signing in`);
    // Each round in another order: nobody is always the first.
    for (const page of [...PAGES.slice(round % PAGES.length), ...PAGES.slice(0, round % PAGES.length)]) {
      await visit(page, seen.get(page));
    }
  }
  const visits = await callers();
  await rates(visits, seen);
  await latencies(visits, seen);
  load.push(busy());
  const text = await report({ seen, files, site, product, rounds, load, wasm });
  if (asked.rounds === undefined) {
    writeFileSync(join(HERE, "RESULTS.md"), text);
  } else {
    console.log(text);
  }
} finally {
  await chromium.end();
  servers.disconnect();
}

async function visit(page, { opened, signedIn, memory, reloaded }) {
  const visit = await Visit.begin(chromium, site.app + address(page));
  opened.push(expect(page, false, await visit.open()));
  if (page !== "empty") {
    signedIn.push(expect(page, true, await visit.signIn()));
    await call(visit, page, `${site.resource}me`);
  }
  memory.push(await visit.memory());
  await visit.unwatched();
  await atProvider();
  reloaded.push({ ...(await visit.reload()), asked: await atProvider() });
  await visit.end();
}

/** What the provider was asked for since this was called before. */
async function atProvider() {
  servers.send("asked");
  return (await once(servers, "message"))[0];
}

/** One page of everybody, which has signed in and called once. */
async function callers() {
  const visits = new Map();
  for (const page of ["empty", ...LIBRARIES, SHARED]) {
    const visit = await Visit.begin(chromium, site.app + address(page));
    await visit.open();
    visits.set(page, visit);
    if (page !== "empty") {
      await visit.signIn();
    }
  }
  await visits.get("empty").useToken(await visits.get("oidc-client-ts").token());
  for (const [page, visit] of visits) {
    await call(visit, page, `${site.resource}call`);
    await visit.unwatched();
  }
  return visits;
}

/** Everybody's calls, in turns. */
async function rates(visits, seen) {
  const url = `${site.resource}call`;
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}: calling`);
    for (const [page, visit] of visits) {
      seen.get(page).rate.push(await visit.rate(url, RATE_MILLISECONDS));
    }
  }
}

/** The time of each call, in turns of a few: by hand, and with the tokens in either place. The others' pages call by hand, too. */
async function latencies(visits, seen) {
  const pages = ["empty", "tokenkeep", SHARED];
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}: the time of each call`);
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const [index, { bytes, calls, warmUp }] of ANSWERS.entries()) {
        for (const page of [...pages.slice(turn % pages.length), ...pages.slice(0, turn % pages.length)]) {
          const answer = await visits.get(page).latencies(`${site.resource}bytes/${bytes}`, warmUp + calls);
          if (answer.bytes !== bytes) {
            throw new Error(`${page}: the API answered ${answer.bytes} bytes`);
          }
          seen.get(page).latencies[index].push(...answer.each.slice(warmUp));
        }
      }
    }
  }
}

async function call(visit, page, url) {
  const status = await visit.call(url);
  if (status !== 200) {
    throw new Error(`${page}: the API answered ${status}`);
  }
}

function expect(page, signedIn, answer) {
  if (answer.signedIn !== signedIn) {
    throw new Error(`${page}: expected to be ${signedIn ? "signed in" : "signed out"}`);
  }
  return answer;
}

function busy() {
  return loadavg()[0].toFixed(1);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}
