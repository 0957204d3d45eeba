// What goes wrong around a keep in a worker: each is a clear error, or the keep is elsewhere. What comes after it works again.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { open, startApp } from "./lib/app.js";
import { answerProvider } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";
import { PACKAGE } from "./lib/site.js";

const { site, demo, browser, visit, signedIn } = await startApp();
const SCRIPT = "/tokenkeep/wasm/keep.js";
const WASM = "/tokenkeep/wasm/tokenkeep_bg.wasm";
const wasm = await readFile(join(PACKAGE, "wasm/tokenkeep_bg.wasm"));

/** An API of the app, which answers at once or never. */
const api = `${site.origin}/api/`;
site.answers["/api/at-once"] = (request, response) => {
  response.writeHead(200, { "Content-Type": "text/plain" }).end(request.headers.authorization);
};
let asked = () => {};
site.answers["/api/never"] = () => asked();

/** The package in another version, which speaks otherwise to its keep. */
const otherVersion = await mkdtemp(join(tmpdir(), "tokenkeep-"));
after(() => rm(otherVersion, { recursive: true }));
await cp(PACKAGE, otherVersion, { recursive: true });
for (const file of ["wire.js", "wasm/keep.js"]) {
  const text = await readFile(join(otherVersion, file), "utf8");
  const other = text.replace(/`tokenkeep (\d+) \$\{/, (_, version) => `\`tokenkeep ${Number(version) + 1} \${`);
  assert.notEqual(other, text);
  await writeFile(join(otherVersion, file), other);
}

const options = { ...demo.options, api: [demo.api, api], keep: ["shared"] };
const withoutFrame = { ...options, renewByFrame: false };

/**
 * A page of the app in a new browser. Its frames have the guard; `window.started` has the workers that were started, `window.openings` what
 * they were opened with.
 */
async function visitor(init) {
  const context = await browser.newContext();
  await context.addInitScript({ path: GUARD });
  await context.addInitScript(() => {
    window.started = [];
    window.openings = [];
    const { postMessage } = MessagePort.prototype;
    MessagePort.prototype.postMessage = function (message, ...rest) {
      if (message?.[0] === "open") {
        openings.push(message);
      }
      return postMessage.call(this, message, ...rest);
    };
    for (const kind of ["SharedWorker", "Worker"]) {
      const Real = window[kind];
      window[kind] = class extends Real {
        constructor(script, options) {
          super(script, options);
          started.push({ kind, script, options, worker: this });
        }
      };
    }
  });
  if (init !== undefined) {
    await context.addInitScript(init);
  }
  return visit("/", { context });
}

async function loaded(page) {
  await page.waitForFunction(() => window.tokenkeep !== undefined);
}

async function reload(page) {
  await page.reload();
  await loaded(page);
}

/** Signs in as this user, or as nobody new: the provider asks nothing then. */
async function signIn(page, options, login = "alice") {
  await page.evaluate(() => void auth.signIn());
  if (login !== "") {
    await answerProvider(page, login);
  }
  await page.waitForURL(`${site.origin}/callback*`);
  await loaded(page);
  assert.equal(await open(page, options), "signed_in");
}

const keepOf = (page) => page.evaluate(() => auth.keep);
const statusOf = (page) => page.evaluate(() => auth.session.status);

/** What an API answers, or the code of the error. */
const call = (page, url) => page.evaluate((url) => auth.fetch(url).then(({ status }) => status, ({ code }) => code), url);
const isThere = async (page) => assert.equal(await call(page, "/api/at-once"), 200);

/** What `open` throws, with its message. */
function refusal(page, options) {
  return page.evaluate((options) => tokenkeep.open(options).then(() => ({}), ({ code, kind, message }) => ({ code, kind, message })), options);
}

/** Ends the worker of the pages of a context, as a crash does. */
async function crash(page) {
  const devtools = await browser.newBrowserCDPSession();
  const { targetInfo } = await (await page.context().newCDPSession(page)).send("Target.getTargetInfo");
  const { targetInfos } = await devtools.send("Target.getTargets", { filter: [{ type: "shared_worker" }] });
  const there = targetInfos.filter(({ browserContextId }) => browserContextId === targetInfo.browserContextId);
  assert.equal(there.length, 1);
  await devtools.send("Target.closeTarget", { targetId: there[0].targetId });
  await devtools.detach();
}

/** For tests that wait for ever when a page is not told. */
const ATTENTIVE = { timeout: 40_000 };

/** What a page comes to, whose clock goes fast meanwhile. */
async function fast(page, work) {
  let isDone = false;
  const done = () => (isDone = true);
  work.then(done, done);
  while (!isDone) {
    await page.clock.runFor(1000);
  }
  return work;
}

// The worker does not start.

const answer = (status, type, text) => (_, response) => response.writeHead(status, { "Content-Type": type }).end(text);

for (const [name, script, shared = /keep\.js did not load/, dedicated = shared] of [
  ["is not there", answer(404, "text/plain", "not found")],
  ["is a page", answer(200, "text/html", "<!doctype html><title>app</title>")],
  ["is of another type", answer(200, "text/plain", "onconnect = () => {}")],
  ["does not come", (_, response) => response.destroy()],
  ["is no JavaScript", answer(200, "text/javascript", "<!doctype html>")],
  ["throws", answer(200, "text/javascript", "throw new Error('out of order')"), /in time/, /out of order/],
  ["rejects", answer(200, "text/javascript", "await Promise.reject(new Error('out of order'))"), /in time/, /out of order/],
  ["says nothing", answer(200, "text/javascript", ""), /in time/],
]) {
  test(`a worker whose script ${name}: the keep is in the page, or that is said`, async () => {
    site.answers[SCRIPT] = script;
    const page = await visitor();
    await page.clock.install();
    assert.equal(await fast(page, open(page, { ...options, keep: "shared" })), "signed_out");
    assert.equal(await keepOf(page), "page");
    for (const [keep, why] of [["shared", shared], ["worker", dedicated]]) {
      const { code, kind, message } = await fast(page, refusal(page, { ...options, keep: [keep] }));
      assert.deepEqual([code, kind], ["keep_unavailable", "misconfigured"]);
      assert.match(message, /see "Where the keep is" in the README/);
      assert.match(message, why);
    }
    await page.context().close();
    delete site.answers[SCRIPT];
    const later = await visitor();
    assert.equal(await open(later, options), "signed_out");
    assert.equal(await keepOf(later), "shared");
    await later.context().close();
  });
}

test("a worker of another origin: the keep is in the page", async () => {
  const page = await visitor();
  assert.equal(await open(page, { ...options, keep: "shared", worker: `${site.elsewhere}${SCRIPT}` }), "signed_out");
  assert.equal(await keepOf(page), "page");
  await page.context().close();
});

for (const [name, missing, keep] of [
  ["SharedWorker", ["SharedWorker"], "worker"],
  ["any worker", ["SharedWorker", "Worker"], "page"],
]) {
  test(`without ${name} the keep is in the ${keep}, and signs in there`, async () => {
    const page = await visitor(`for (const kind of ${JSON.stringify(missing)}) delete window[kind];`);
    const there = { ...options, keep: "shared" };
    assert.equal(await open(page, there), "signed_out");
    assert.equal(await keepOf(page), keep);
    await signIn(page, there);
    assert.equal(await keepOf(page), keep);
    await isThere(page);
    assert.equal((await refusal(page, options)).code, "keep_unavailable");
    await page.context().close();
  });
}

// The wasm does not start.

for (const [name, instead] of [
  ["is not there", answer(404, "text/plain", "not found")],
  ["is a page", answer(200, "text/html", "<!doctype html><title>app</title>")],
  ["does not come", (_, response) => response.destroy()],
  ["is cut off", answer(200, "application/wasm", wasm.subarray(0, 1000))],
]) {
  test(`wasm that ${name} is an error wherever the keep is, and can be had later`, async () => {
    site.answers[WASM] = instead;
    const page = await visitor();
    for (const keep of ["shared", "worker", "page"]) {
      const { code, kind, message } = await refusal(page, { ...options, keep: [keep] });
      assert.deepEqual([keep, code, kind], [keep, "wasm_unavailable", "misconfigured"]);
      assert.match(message, /see "Bundlers" in the README/);
    }
    delete site.answers[WASM];
    // The worker is there, and loads it now.
    assert.equal(await open(page, options), "signed_out");
    assert.equal(await keepOf(page), "shared");
    await page.context().close();
  });
}

test("wasm of another type is taken as it is", async () => {
  site.answers[WASM] = answer(200, "application/octet-stream", wasm);
  const page = await visitor();
  for (const keep of ["shared", "worker"]) {
    assert.equal(await open(page, { ...options, keep: [keep] }), "signed_out");
    assert.equal(await keepOf(page), keep);
  }
  delete site.answers[WASM];
  await page.context().close();
});

// The worker goes.

test("a worker that crashes in the middle of a request: who waits is told, and a reload signs in", ATTENTIVE, async () => {
  const page = await visitor();
  await open(page, options);
  await signIn(page, options);
  const other = await visit("/other", { context: page.context() });
  assert.equal(await open(other, options), "signed_in");
  const arrived = new Promise((resolve) => (asked = resolve));
  const called = call(page, "/api/never");
  await arrived;
  await crash(page);
  assert.equal(await called, "keep_gone");
  for (const left of [page, other]) {
    await left.waitForFunction(() => auth.session.status === "signed_out");
  }
  await reload(page);
  assert.equal(await open(page, options), "signed_in");
  assert.equal(await page.evaluate(() => auth.session.renewedBy), "frame");
  await isThere(page);
  // The other tab finds that keep.
  await reload(other);
  assert.equal(await open(other, options), "signed_in");
  await page.context().close();
});

test("a dedicated worker that is ended: the same", ATTENTIVE, async () => {
  const alone = { ...options, keep: ["worker"] };
  const page = await visitor();
  await open(page, alone);
  await signIn(page, alone);
  const arrived = new Promise((resolve) => (asked = resolve));
  const called = call(page, "/api/never");
  await arrived;
  await page.evaluate(() => started.at(-1).worker.terminate());
  assert.equal(await called, "keep_gone");
  assert.equal(await statusOf(page), "signed_out");
  await reload(page);
  assert.equal(await open(page, alone), "signed_in");
  await page.context().close();
});

test("after a crash every method says so at once, and the page may open another", ATTENTIVE, async () => {
  const page = await visitor();
  await open(page, options);
  await signIn(page, options);
  await crash(page);
  await page.waitForFunction(() => auth.session.status === "signed_out");
  const told = await page.evaluate(() => {
    const calls = [auth.fetch("/api/at-once"), auth.renew(), auth.userInfo(), auth.signIn(), auth.signOut()];
    return Promise.all(calls.map((call) => call.catch(({ code }) => code)));
  });
  assert.deepEqual(told, Array(5).fill("keep_gone"));
  // Nobody is surprised by closing it.
  await page.evaluate(() => auth.close());
  assert.equal(await open(page, options), "signed_in");
  await isThere(page);
  await page.context().close();
});

/** A provider of the app's own, that signs in whoever comes, and redeems no code until it is told to. */
const slow = { issuer: `${site.origin}/slow`, clientId: "app", keep: ["shared"], renewByFrame: false };
let metadata = (_, response) => {
  const endpoint = (name) => `${slow.issuer}/${name}`;
  const all = {
    issuer: slow.issuer,
    authorization_endpoint: endpoint("authorize"),
    token_endpoint: endpoint("token"),
    jwks_uri: endpoint("keys"),
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  };
  response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" }).end(JSON.stringify(all));
};
site.answers["/slow/.well-known/openid-configuration"] = (...args) => metadata(...args);
site.answers["/slow/authorize"] = (request, response) => {
  const query = new URL(request.url, site.origin).searchParams;
  const answer = new URLSearchParams({ code: "code", state: query.get("state"), iss: slow.issuer });
  response.writeHead(303, { Location: `${query.get("redirect_uri")}?${answer}` }).end();
};
site.answers["/slow/token"] = () => asked();

test("a worker that crashes while a sign-in begins", ATTENTIVE, async () => {
  const answered = metadata;
  const arrived = new Promise((resolve) => (metadata = resolve));
  const page = await visitor();
  await open(page, slow);
  const leaving = page.evaluate(() => auth.signIn().catch(({ code }) => code));
  await arrived;
  await crash(page);
  assert.equal(await leaving, "keep_gone");
  metadata = answered;
  await reload(page);
  assert.equal(await open(page, slow), "signed_out");
  await page.context().close();
});

test("a worker that crashes while the user is at the provider: the sign-in begins once more by itself", async () => {
  const page = await visitor();
  await page.goto(`${site.origin}/deep?link=1`);
  await loaded(page);
  await open(page, options);
  await page.evaluate(() => void auth.signIn());
  await page.waitForSelector("#login");
  await crash(page);
  await answerProvider(page);
  await page.waitForURL(`${site.origin}/callback*`);
  await loaded(page);
  await page.evaluate(() => (window.isFirst = true));
  void open(page, options).catch(() => {});
  await page.waitForFunction(() => window.isFirst === undefined && window.tokenkeep !== undefined);
  assert.equal(await open(page, options), "signed_in");
  assert.equal(page.url(), `${site.origin}/deep?link=1`);
  await isThere(page);
  await page.context().close();
});

test("a worker that crashes while a code is redeemed: nobody is signed in, and the code is not presented again", ATTENTIVE, async () => {
  let codes = 0;
  const page = await visitor();
  await open(page, slow);
  await page.evaluate(() => void auth.signIn());
  await page.waitForURL(`${site.origin}/callback*`);
  await loaded(page);
  const arrived = new Promise((resolve) => (asked = () => resolve((codes += 1))));
  const opening = open(page, slow);
  await arrived;
  await crash(page);
  assert.equal(await opening, "signed_out");
  assert.equal(new URL(page.url()).search, "");
  await reload(page);
  assert.equal(await open(page, slow), "signed_out");
  assert.equal(codes, 1);
  await page.context().close();
});

// Two keeps of one app.

for (const [name, change] of [
  ["two versions of the package", { files: otherVersion }],
  ["two lists of APIs", { options: { api: [demo.api, api, `${site.elsewhere}/`] } }],
]) {
  test(`pages with ${name} have keeps of their own`, async () => {
    const page = await visitor();
    await open(page, withoutFrame);
    await signIn(page, withoutFrame);
    const token = () => page.evaluate(async () => (await auth.fetch("/api/at-once")).text());
    const before = await token();
    // As it is when an app is deployed while it is open in a tab.
    site.files["/tokenkeep/"] = change.files ?? PACKAGE;
    const others = { ...withoutFrame, ...change.options };
    const other = await visit("/other", { context: page.context() });
    assert.equal(await open(other, others), "signed_out");
    assert.equal(await keepOf(other), "shared");
    await signIn(other, others, "");
    await isThere(other);
    // Nobody is disturbed by a sign-in.
    assert.equal(await token(), before);
    assert.equal(await statusOf(page), "signed_in");
    // A sign-out is for all.
    await page.evaluate(() => (window.reasons = []));
    await page.evaluate(() => void auth.on("ended", ({ reason }) => reasons.push(reason)));
    await other.evaluate(() => auth.signOut({ local: true }));
    await page.waitForFunction(() => auth.session.status === "signed_out");
    assert.deepEqual(await page.evaluate("reasons"), ["signed_out_elsewhere"]);
    assert.equal(await call(page, "/api/at-once"), "sign_in_needed");
    site.files["/tokenkeep/"] = PACKAGE;
    await page.context().close();
  });
}

test("a page of one version with the worker's script of another: that is said, and a reload mends it", async () => {
  const old = await visitor();
  site.files["/tokenkeep/"] = otherVersion;
  const { code, kind, message } = await refusal(old, options);
  assert.deepEqual([code, kind], ["keep_unavailable", "misconfigured"]);
  assert.match(message, /version/);
  await reload(old);
  assert.equal(await open(old, options), "signed_out");
  site.files["/tokenkeep/"] = PACKAGE;
  await old.context().close();
});

test("a private window knows nobody, and its own tabs are one session", async () => {
  const page = await visitor();
  await open(page, options);
  await signIn(page, options);
  const apart = await visitor();
  assert.equal(await open(apart, options), "signed_out");
  assert.deepEqual(await apart.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
  await signIn(apart, options, "bob");
  const tab = await visit("/other", { context: apart.context() });
  assert.equal(await open(tab, options), "signed_in");
  const who = (page) => {
    return page.evaluate(async (url) => [auth.keep, auth.session.subject, (await (await auth.fetch(url)).json()).sub], `${demo.api}me`);
  };
  assert.deepEqual([await who(page), await who(apart), await who(tab)], [
    ["shared", "user-1001", "user-1001"],
    ["shared", "user-1002", "user-1002"],
    ["shared", "user-1002", "user-1002"],
  ]);
  await page.context().close();
  await apart.context().close();
});

test("a tab that crashes is gone, too: the keep forgets", async () => {
  const quick = { ...withoutFrame, lingerSeconds: 0 };
  const page = await visitor();
  await open(page, quick);
  // Of another process, as Chromium has it after some time with many tabs, or the next time.
  const other = await visit("/other", { context: page.context() });
  await open(other, quick);
  await signIn(page, quick);
  const crashed = new Promise((resolve) => other.once("crash", resolve));
  void (await other.context().newCDPSession(other)).send("Page.crash").catch(() => {});
  await crashed;
  await isThere(page);
  await reload(page);
  assert.equal(await open(page, quick), "signed_out");
  await page.context().close();
});

// The page is unusual.

test("with storage that throws, the keep is shared all the same, and signs in", async () => {
  const page = await visitor(() => {
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
      const get = () => {
        throw new DOMException("blocked", "SecurityError");
      };
      Object.defineProperty(window, name, { get });
    }
  });
  assert.equal(await open(page, options), "signed_out");
  await signIn(page, options);
  assert.equal(await keepOf(page), "shared");
  await isThere(page);
  await reload(page);
  assert.equal(await open(page, options), "signed_in");
  await page.evaluate(() => auth.signOut({ local: true }));
  assert.equal(await call(page, "/api/at-once"), "sign_in_needed");
  await page.context().close();
});

test("messages that are none do not end the keep", ATTENTIVE, async () => {
  const page = await visitor();
  await open(page, options);
  await signIn(page, options);
  const opened = await page.evaluate(async () => {
    const [{ script, options }, opening] = [started.at(-1), openings.at(-1)];
    const odd = [undefined, null, 0, -1, NaN, 2 ** 53, "", "text", true, 10n, {}, [], [null], new Date(), new Map(), new Uint8Array(3)];
    const names = ["open", "call", "abort", "note", "frame", "woke", "here", "away", "close", "post", "constructor", "__proto__"];
    const methods = ["fetch", "finish_sign_in", "front_channel_logout", "renew", "sign_in", "user_info", "free", "constructor", ""];
    const messages = [
      ...odd,
      ...names.flatMap((name) => [[name], ...odd.map((what) => [name, what, what, what])]),
      ...methods.flatMap((method) => odd.flatMap((what) => [
        ["call", what, what, method, what, what],
        ["call", 1, location.href, method, what, what],
      ])),
    ];
    // Before the port is opened, after that, and when it is closed; whatever is read, an opening is answered after it.
    const ports = [[...messages, opening], [opening, ...messages, opening], [opening, ["close"], ...messages, opening]].map((messages) => {
      const { port } = new SharedWorker(script, options);
      const expected = messages.filter((message) => message === opening).length;
      return new Promise((resolve) => {
        let opened = 0;
        port.onmessage = ({ data: [what] }) => {
          opened += what === "opened" ? 1 : 0;
          if (opened === expected) {
            resolve(opened);
          }
        };
        messages.forEach((message) => port.postMessage(message));
      });
    });
    return Promise.all(ports);
  });
  assert.deepEqual(opened, [1, 2, 2]);
  await isThere(page);
  await reload(page);
  assert.equal(await open(page, options), "signed_in");
  await isThere(page);
  await page.context().close();
});
