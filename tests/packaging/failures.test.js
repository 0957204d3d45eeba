// What goes wrong around a keep in a worker: each is a clear error, or the keep is elsewhere. What comes after it works again.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
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

// env-workerfail
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

// env-workerfail
test("a worker of another origin: the keep is in the page", async () => {
  const page = await visitor();
  assert.equal(await open(page, { ...options, keep: "shared", worker: `${site.elsewhere}${SCRIPT}` }), "signed_out");
  assert.equal(await keepOf(page), "page");
  await page.context().close();
});

// env-workerfail
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

// env-workerdie
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

// env-workerdie
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

// env-workerdie
test("a worker that crashes while an answer comes: what is there is read, and then that it broke off", ATTENTIVE, async () => {
  const page = await visitor();
  await open(page, options);
  await signIn(page, options);
  site.answers["/api/begins"] = (_, response) => response.writeHead(200, { "Content-Type": "text/plain" }).write("begins");
  const read = page.evaluate(async () => {
    const reader = (await auth.fetch("/api/begins")).body.getReader();
    window.begun = new TextDecoder().decode((await reader.read()).value);
    return reader.read().catch(({ name }) => name);
  });
  await page.waitForFunction(() => window.begun === "begins");
  await crash(page);
  assert.equal(await read, "TypeError");
  await page.context().close();
});

// env-workerdie
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

// env-workerdie
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

// env-workerdie
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

// env-workerdie
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

// tab-schema
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

// tab-schema
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

// tab-schema
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

// env-proto2
for (const [keep, sees] of [["shared", "no token"], ["worker", "no token"], ["page", "the token"]]) {
  test(`functions that a script replaces later, keep: "${keep}": they see ${sees}`, async () => {
    // A token without a resource is good for user info.
    const there = { ...withoutFrame, resource: undefined, scopes: "openid profile", keep: [keep] };
    const page = await visitor();
    await open(page, there);
    await signIn(page, there);
    let token;
    const arrive = (request, response) => {
      token = request.headers.authorization.replace("Bearer ", "");
      response.writeHead(200, { "Content-Type": "text/plain" }).end("arrived");
    };
    site.answers["/api/arrive"] = arrive;
    const seen = await page.evaluate(async () => {
      const seen = [];
      const { parse } = JSON;
      const { push } = Array.prototype;
      const { fetch } = window;
      JSON.parse = (...given) => {
        seen[seen.length] = `${given[0]}`;
        return parse(...given);
      };
      Array.prototype.push = function (...given) {
        seen[seen.length] = `${given}`;
        return push.apply(this, given);
      };
      window.fetch = (what, init) => {
        seen[seen.length] = [...new Headers(init?.headers ?? what.headers).values()].join();
        return fetch(what, init);
      };
      await (await auth.fetch("/api/arrive")).text();
      await auth.userInfo();
      return seen.join("\n");
    });
    assert.notEqual(seen, "");
    assert.equal(seen.includes(token), sees === "the token");
    if (keep === "shared") {
      // The page harms itself and nobody else.
      const before = token;
      const other = await visit("/other", { context: page.context() });
      await open(other, there);
      const own = await page.evaluate(async () => {
        const broken = () => {
          throw new Error("broken");
        };
        const [{ parse }, { push }] = [JSON, Array.prototype];
        JSON.parse = Array.prototype.push = window.fetch = broken;
        const calls = await Promise.allSettled([auth.userInfo(), auth.fetch("/api/arrive")]);
        // Who asks what came of it needs them.
        [JSON.parse, Array.prototype.push] = [parse, push];
        return calls.map(({ status }) => status);
      });
      assert.deepEqual(own, ["rejected", "fulfilled"]);
      assert.equal(await call(other, "/api/arrive"), 200);
      assert.equal(token, before);
      assert.equal(await other.evaluate(() => auth.userInfo().then(({ sub }) => sub)), "user-1001");
    }
    await page.context().close();
  });
}

// env-part
test("framed by another site nobody signs in, and nothing hangs", ATTENTIVE, async () => {
  site.answers["/embedding"] = `<!doctype html><title>another site</title><iframe src="${site.origin}/embedded"></iframe>`;
  const page = await visitor();
  await open(page, options);
  await signIn(page, options);
  const around = await page.context().newPage();
  await around.goto(`${site.elsewhere}/embedding`);
  const frame = around.frame({ url: `${site.origin}/embedded` });
  await loaded(frame);
  // Not every browser has a SharedWorker there.
  for (const keep of ["shared", "worker", "page"]) {
    const there = { ...options, keep };
    // Who is signed in elsewhere is not shown, and not asked for.
    assert.equal(await open(frame, there), "signed_out", keep);
    assert.equal(await frame.evaluate(() => auth.signIn().catch(({ code }) => code)), "framed", keep);
    assert.equal(await call(frame, "/api/at-once"), "sign_in_needed", keep);
    assert.equal(await frame.evaluate(() => auth.renew().catch(({ code }) => code)), "sign_in_needed", keep);
    assert.equal(frame.url(), `${site.origin}/embedded`, keep);
    await frame.evaluate(() => auth.signOut({ local: true }));
  }
  await reload(page);
  assert.equal(await open(page, options), "signed_in");
  await isThere(page);
  await page.context().close();
});

// env-idbhang
test("a database that does not answer keeps nobody from signing in, and is left alone then", ATTENTIVE, async () => {
  const page = await visitor();
  // Whoever wants it now waits until a deletion is done, which waits for whoever has it.
  await page.evaluate(() => {
    window.having = indexedDB.open("tokenkeep.logins", 1);
    having.onupgradeneeded = () => having.result.createObjectStore("logins");
    return new Promise((resolve) => {
      having.onsuccess = () => {
        window.deleting = indexedDB.deleteDatabase("tokenkeep.logins");
        deleting.onblocked = resolve;
      };
    });
  });
  const durable = { ...options, pending: "durable" };
  const other = await visit("/deep?link=1", { context: page.context() });
  assert.equal(await open(other, durable), "signed_out");
  assert.equal(await keepOf(other), "shared");
  await signIn(other, durable);
  assert.equal(other.url(), `${site.origin}/deep?link=1`);
  await isThere(other);
  // The worker that came too late does not hold it now.
  await page.evaluate(() => {
    const deleted = new Promise((resolve) => (deleting.onsuccess = resolve));
    having.result.close();
    return deleted;
  });
  await page.evaluate(() => {
    const deleting = indexedDB.deleteDatabase("tokenkeep.logins");
    return new Promise((resolve, reject) => Object.assign(deleting, { onsuccess: resolve, onblocked: reject, onerror: reject }));
  });
  await reload(other);
  assert.equal(await open(other, durable), "signed_in");
  await signIn(other, durable, "");
  await page.context().close();
});

// env-sw
test("a service worker that keeps every answer: codes are redeemed, and keys are read again in their time", ATTENTIVE, async () => {
  const sso = { issuer: `${site.elsewhere}/sso`, clientId: "app", scopes: "openid", api, keep: ["shared"], renewByFrame: false };
  const asked = { metadata: 0, keys: 0, token: 0 };
  let ahead = 0;
  let key;
  const rotate = (kid) => (key = { kid, ...generateKeyPairSync("ec", { namedCurve: "P-256" }) });
  rotate("key-1");
  const json = (response, value) => {
    const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*" };
    response.writeHead(200, headers).end(JSON.stringify(value));
  };
  site.answers["/sso/.well-known/openid-configuration"] = (_, response) => {
    asked.metadata += 1;
    const at = (name) => `${sso.issuer}/${name}`;
    json(response, {
      issuer: sso.issuer,
      authorization_endpoint: at("authorize"),
      token_endpoint: at("token"),
      jwks_uri: at("keys"),
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
    });
  };
  site.answers["/sso/authorize"] = (request, response) => {
    const query = new URL(request.url, site.origin).searchParams;
    const answer = new URLSearchParams({ code: query.get("nonce"), state: query.get("state"), iss: sso.issuer });
    response.writeHead(303, { Location: `${query.get("redirect_uri")}?${answer}` }).end();
  };
  site.answers["/sso/keys"] = (_, response) => {
    asked.keys += 1;
    json(response, { keys: [{ ...key.publicKey.export({ format: "jwk" }), kid: key.kid, alg: "ES256", use: "sig" }] });
  };
  site.answers["/sso/token"] = async (request, response) => {
    asked.token += 1;
    let body = "";
    for await (const piece of request) {
      body += piece;
    }
    const iat = Math.floor((Date.now() + ahead) / 1000);
    const claims = { iss: sso.issuer, aud: sso.clientId, sub: "alice", nonce: new URLSearchParams(body).get("code"), iat, exp: iat + 300 };
    const text = [{ alg: "ES256", kid: key.kid }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const signature = sign("sha256", text, { key: key.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url");
    json(response, { access_token: `token-${asked.token}`, token_type: "Bearer", expires_in: 3600, id_token: `${text}.${signature}` });
  };
  site.answers["/caching.js"] = `
    addEventListener("activate", (event) => event.waitUntil(clients.claim()));
    addEventListener("fetch", (event) => event.respondWith((async () => {
      const cache = await caches.open("all");
      const kept = await cache.match(event.request);
      const answer = kept ?? await fetch(event.request);
      if (kept === undefined) await cache.put(event.request, answer.clone()).catch(() => {});
      return answer;
    })()));`;
  site.headersOf["/caching.js"] = { "Content-Type": "text/javascript" };
  // The keep's clock is put forward by hand.
  const whole = await readFile(join(PACKAGE, "wasm/keep.js"), "utf8");
  site.answers[SCRIPT] = `{
    const { now } = Date;
    let ahead = 0;
    Date.now = () => now() + ahead;
    new BroadcastChannel("clock").onmessage = ({ data, target }) => target.postMessage(ahead = data);
  }\n${whole}`;
  site.headersOf[SCRIPT] = { "Content-Type": "text/javascript" };
  const page = await visitor();
  const later = async (seconds) => {
    ahead += seconds * 1000;
    await page.evaluate((ahead) => {
      const channel = new BroadcastChannel("clock");
      channel.postMessage(ahead);
      return new Promise((resolve) => (channel.onmessage = resolve)).finally(() => channel.close());
    }, ahead);
  };
  const forget = () => page.evaluate(() => caches.delete("all"));
  await page.evaluate(async () => {
    const taken = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve));
    await navigator.serviceWorker.register("/caching.js");
    await taken;
  });
  await open(page, sso);
  await signIn(page, sso, "");
  assert.deepEqual(asked, { metadata: 1, keys: 1, token: 1 });
  assert.deepEqual(await page.evaluate(async () => {
    const paths = (await (await caches.open("all")).keys()).map(({ url }) => new URL(url).pathname);
    return paths.filter((path) => path.startsWith("/sso/")).sort();
  }), ["/sso/.well-known/openid-configuration", "/sso/keys"]);
  // What the keep knows it does not ask for, and what it has known for long it does.
  await forget();
  await signIn(page, sso, "");
  assert.deepEqual(asked, { metadata: 1, keys: 1, token: 2 });
  await later(601);
  await signIn(page, sso, "");
  assert.deepEqual(asked, { metadata: 1, keys: 2, token: 3 });
  // A key that the service worker does not let through: the code is redeemed all the same, and who was signed in still is.
  rotate("key-2");
  await page.evaluate(() => void auth.signIn());
  await page.waitForURL(`${site.origin}/callback*`);
  await loaded(page);
  assert.equal(await open(page, sso), "signed_in");
  assert.deepEqual(asked, { metadata: 1, keys: 2, token: 4 });
  const token = () => page.evaluate(async () => (await auth.fetch("/api/at-once", { method: "POST" })).text());
  assert.equal(await token(), "Bearer token-3");
  await page.goto(`${site.origin}/`);
  await loaded(page);
  assert.equal(await open(page, sso), "signed_in");
  // As soon as it lets go, and the minute between two readings is over.
  await forget();
  await later(61);
  await signIn(page, sso, "");
  assert.deepEqual(asked, { metadata: 1, keys: 3, token: 5 });
  assert.equal(await token(), "Bearer token-5");
  // The metadata of an hour ago.
  await later(3600);
  await signIn(page, sso, "");
  assert.deepEqual(asked, { metadata: 2, keys: 3, token: 6 });
  delete site.answers[SCRIPT];
  await page.context().close();
});
