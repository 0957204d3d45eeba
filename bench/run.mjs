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
import { report } from "./report.mjs";
import { Visit } from "./visit.mjs";

const HERE = import.meta.dirname;
const ROUNDS = 7;
const RATE_MILLISECONDS = 1000;

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
  const seen = new Map(PAGES.map((page) => [page, { opened: [], signedIn: [], memory: [], rate: [] }]));
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}: opening and signing in`);
    // Each round in another order: nobody is always the first.
    for (const page of [...PAGES.slice(round % PAGES.length), ...PAGES.slice(0, round % PAGES.length)]) {
      await visit(page, seen.get(page));
    }
  }
  await rates(seen);
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

async function visit(page, { opened, signedIn, memory }) {
  const visit = await Visit.begin(chromium, site.app + address(page));
  opened.push(expect(page, false, await visit.open()));
  if (page !== "empty") {
    signedIn.push(expect(page, true, await visit.signIn()));
    await call(visit, page, `${site.resource}me`);
  }
  memory.push(await visit.memory());
  await visit.end();
}

/** Everybody's calls, in turns, on one signed-in page each. */
async function rates(seen) {
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
  const url = `${site.resource}call`;
  for (const [page, visit] of visits) {
    await call(visit, page, url);
    await visit.unwatched();
  }
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}: calling`);
    for (const [page, visit] of visits) {
      seen.get(page).rate.push(await visit.rate(url, RATE_MILLISECONDS));
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
