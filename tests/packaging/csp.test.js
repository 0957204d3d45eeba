// An app whose Content Security Policies are the README's, with the demo's addresses: one for all responses, one for the worker's script.

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { openChromium } from "./lib/chromium.js";
import { answerProvider, startDemo } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";
import { PACKAGE, serve } from "./lib/site.js";

const SCRIPT = "/tokenkeep/wasm/keep.js";
const WASM = "/tokenkeep/wasm/tokenkeep_bg.wasm";

const guard = await readFile(GUARD, "utf8");
const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
const written = [...readme.matchAll(/^```http\nContent-Security-Policy:\n([^`]+)\n```$/gm)].map(([, policy]) => policy);

const site = await serve({
  answers: {
    "*": `<!doctype html><title>app</title><script>${guard}</script><script type="module" src="/app.js"></script>`,
    "/app.js": 'import * as tokenkeep from "/tokenkeep/index.js"; window.tokenkeep = tokenkeep;',
    "/rogue.js": 'const run = (port) => port.postMessage("ran"); onconnect = ({ ports }) => run(ports[0]); onmessage = () => run(self);',
    "/copy.js": 'export * from "/copy/index.js";',
  },
  files: { "/tokenkeep/": PACKAGE, "/copy/": PACKAGE },
});
const demo = await startDemo(site.origin);
const browser = await openChromium();

const [policy, ofWorker] = written.map((policy) =>
  policy
    .replaceAll("https://login.example.com", demo.issuer)
    .replaceAll("https://api.example.com", demo.api.slice(0, -1))
    .replaceAll("https://app.example.com/keep.js", `${site.origin}${SCRIPT}`)
    .replaceAll(/\s+/g, " "),
);

/** What else a page of this app may call, but no policy names. */
const [elsewhere, arrived] = [`${site.elsewhere}/elsewhere/`, []];
site.answers["/elsewhere/"] = (request, response) => {
  arrived.push(request.method);
  const cors = { "Access-Control-Allow-Origin": site.origin, "Access-Control-Allow-Headers": "authorization" };
  response.writeHead(200, cors).end("from elsewhere");
};

const options = { ...demo.options, api: [demo.api, elsewhere] };
const { resource, ...withoutRefreshToken } = { ...options, scopes: "openid profile" };

const inWorker = { ...options, keep: ["shared"] };
const inPage = { ...options, keep: ["page"] };

/** What the policies of workers have stopped. No page is told, but browsers report it. */
const reports = new EventEmitter();
let reported = [];
site.answers["/report"] = async (request, response) => {
  let text = "";
  for await (const part of request) {
    text += part;
  }
  const { "effective-directive": directive, "blocked-uri": what } = JSON.parse(text)["csp-report"];
  reported.push(`${directive} ${what}`);
  response.writeHead(204).end();
  reports.emit("report");
};

/** A new visitor's page under these policies, and what its policy and its frames' have stopped. */
async function visit(policy, worker = ofWorker) {
  site.headers = { "Content-Security-Policy": policy };
  site.headersOf = { [SCRIPT]: worker && { "Content-Security-Policy": [worker].flat().map((policy) => `${policy}; report-uri /report`) } };
  reported = [];
  const context = await browser.newContext();
  const page = await context.newPage();
  const stopped = [];
  await page.exposeBinding("stopped", (_, directive, what) => stopped.push(`${directive} ${what}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => stopped(event.effectiveDirective, event.blockedURI));
  });
  await page.goto(site.origin);
  return { page, stopped };
}

async function open(page, options) {
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  return page.evaluate(async (options) => {
    try {
      window.auth = await tokenkeep.open(options);
      return auth.session.status;
    } catch (error) {
      window.refused = error.message;
      return error.code;
    }
  }, options);
}

/** Signs in, with the keep where it may be at best. */
async function signIn(page, options) {
  assert.equal(await open(page, options), "signed_out");
  assert.equal(await page.evaluate(() => auth.keep), options.keep?.[0] ?? "shared");
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  // The response has gone before anything else is there.
  await page.waitForURL(`${site.origin}/callback`);
  assert.equal(await open(page, options), "signed_in");
}

/** Renews until a renewal was done or failed, and says how. What came just now is not renewed. */
function renew(page) {
  return page.evaluate(async () => {
    const before = auth.session;
    try {
      while (auth.session === before) {
        await auth.renew();
        await new Promise(requestAnimationFrame);
      }
      return auth.session.renewedBy;
    } catch (error) {
      return error.code;
    }
  });
}

/** What an API answers, or why it does not. */
function call(page, url) {
  return page.evaluate((url) => auth.fetch(url).then(({ status }) => status, ({ code }) => code), url);
}

async function signOut(page, options) {
  const back = page.waitForEvent(
    "framenavigated",
    (frame) => frame === page.mainFrame() && frame.url().startsWith(`${site.origin}/?state=`),
  );
  await page.evaluate(() => void auth.signOut());
  await back;
  assert.equal(await open(page, options), "signed_out");
}

/** What was stopped so far. The last is what is stopped now, which shows that nothing else is on its way. */
async function whatWasStopped(page, stopped) {
  const last = page.waitForEvent("console", (message) => message.text() === "last");
  await page.evaluate(() => {
    addEventListener("securitypolicyviolation", (event) => event.effectiveDirective === "img-src" && console.log("last"));
    new Image().src = "/last.png";
  });
  await last;
  assert.equal(stopped.pop(), `img-src ${site.origin}/last.png`);
  return stopped;
}

/** What its worker's policy has stopped, in a page that is signed in. Here, the last is a call that the options allow. */
async function whatTheWorkerTried(page) {
  assert.equal(await call(page, elsewhere), "unreachable");
  await untilReported(`connect-src ${elsewhere}`);
  return reported.slice(0, -1);
}

async function untilReported(what) {
  while (reported.at(-1) !== what) {
    await once(reports, "report");
  }
}

test("both policies are in the README", () => {
  assert.equal(written.length, 2);
});

for (const keep of ["shared", "worker"]) {
  test(`with a refresh token, and the keep in a ${keep} worker: signs in, calls, renews, reloads and signs out`, async () => {
    const there = { ...options, keep: [keep] };
    const { page, stopped } = await visit(policy);
    await signIn(page, there);
    assert.equal(await call(page, `${demo.api}me`), 200);
    assert.equal(await renew(page), "refresh_token");
    await page.reload();
    assert.equal(await open(page, there), "signed_in");
    assert.equal(await call(page, `${demo.api}me`), 200);
    assert.deepEqual(await whatTheWorkerTried(page), []);
    await signOut(page, there);
    assert.deepEqual(await whatWasStopped(page, stopped), []);
    await page.context().close();
  });
}

test("with the keep in the page: the same", async () => {
  const { page, stopped } = await visit(policy);
  await signIn(page, inPage);
  assert.equal(await call(page, `${demo.api}me`), 200);
  assert.equal(await renew(page), "refresh_token");
  await signOut(page, inPage);
  assert.deepEqual(await whatWasStopped(page, stopped), []);
  await page.context().close();
});

test("without a refresh token: renews in a hidden frame", async () => {
  const { page, stopped } = await visit(policy);
  await signIn(page, withoutRefreshToken);
  assert.equal(await renew(page), "frame");
  assert.deepEqual(await whatTheWorkerTried(page), []);
  await signOut(page, withoutRefreshToken);
  assert.deepEqual(await whatWasStopped(page, stopped), []);
  await page.context().close();
});

test("with idTokenHint: leaves for the provider by a form", async () => {
  const hinting = { ...options, idTokenHint: true };
  const { page, stopped } = await visit(policy);
  await signIn(page, hinting);
  // The demo's provider takes no form, but it is asked.
  const answered = page.waitForResponse((response) => response.url() === `${demo.issuer}/session/end`);
  await page.evaluate(() => void auth.signOut());
  const request = (await answered).request();
  assert.equal(request.method(), "POST");
  assert.match(request.postData(), /(^|&)id_token_hint=/);
  // Chromium does not always close what is just being loaded.
  await page.waitForURL(request.url());
  assert.deepEqual(stopped, []);
  await page.context().close();
});

test("the worker's script may come with both policies", async () => {
  const { page, stopped } = await visit(policy, [policy, ofWorker]);
  await signIn(page, inWorker);
  assert.equal(await call(page, `${demo.api}me`), 200);
  assert.equal(await renew(page), "refresh_token");
  // Each of them reports it.
  assert.equal(await call(page, elsewhere), "unreachable");
  await untilReported(`connect-src ${elsewhere}`);
  assert.deepEqual([...new Set(reported)], [`connect-src ${elsewhere}`]);
  assert.deepEqual(await whatWasStopped(page, stopped), []);
  await page.context().close();
});

// env-csp
test("with keep: [shared, worker] the page's policy names neither wasm nor provider nor API for requests", async () => {
  const strict = policy.replace(" 'wasm-unsafe-eval'", "").replace(/ connect-src [^;]+;/, "");
  for (const keep of ["shared", "worker"]) {
    const there = { ...options, keep: [keep] };
    const { page, stopped } = await visit(strict);
    await signIn(page, there);
    assert.equal(await call(page, `${demo.api}me`), 200);
    assert.equal(await renew(page), "refresh_token");
    await signOut(page, there);
    assert.deepEqual(await whatWasStopped(page, stopped), []);
    await page.context().close();
  }
});

// env-csp
// Every part is needed: without one, this is stopped, and `open` says so.
for (const [name, part, instead, what, outcome] of [
  ["'wasm-unsafe-eval'", " 'wasm-unsafe-eval'", "", "script-src wasm-eval", "wasm_unavailable"],
  ["the guard's digest", / 'sha256-[^']+'/, "", "script-src-elem inline", "signed_out"],
  ["the app itself in connect-src", "connect-src 'self'", "connect-src", `connect-src ${site.origin}${WASM}`, "wasm_unavailable"],
]) {
  test(`without ${name}`, async () => {
    const { page, stopped } = await visit(policy.replace(part, instead));
    assert.equal(await open(page, inPage), outcome);
    assert.deepEqual(await whatWasStopped(page, stopped), [what]);
    await page.context().close();
  });
}

for (const [name, part, instead, what] of [
  ["'wasm-unsafe-eval'", " 'wasm-unsafe-eval'", "", "script-src wasm-eval"],
  ["the app itself in connect-src", "connect-src 'self'", "connect-src", `connect-src ${site.origin}${WASM}`],
]) {
  test(`without ${name} in the worker's policy`, async () => {
    const { page } = await visit(policy, ofWorker.replace(part, instead));
    assert.equal(await open(page, inWorker), "wasm_unavailable");
    await untilReported(what);
    assert.deepEqual(reported, [what]);
    await page.context().close();
  });
}

test("with a worker-src that does not name the script, the keep is in the page, or nowhere", async () => {
  for (const source of ["'none'", `${site.origin}/rogue.js`, `${site.origin}/tokenkeep/wasm`]) {
    const { page, stopped } = await visit(policy.replace(/worker-src [^;]+/, `worker-src ${source}`));
    assert.equal(await open(page, options), "signed_out");
    assert.equal(await page.evaluate(() => auth.keep), "page");
    assert.equal(await open(page, { ...options, keep: ["shared", "worker"] }), "keep_unavailable");
    assert.match(await page.evaluate("refused"), /worker-src/);
    assert.deepEqual([...new Set(stopped)], [`worker-src ${site.origin}${SCRIPT}`]);
    await page.context().close();
  }
});

test("worker-src may name the script's path at whatever origin", async () => {
  const { page, stopped } = await visit(policy.replace(/worker-src [^;]+/, `worker-src http://*:*${SCRIPT}`));
  await signIn(page, inWorker);
  assert.deepEqual(await whatWasStopped(page, stopped), []);
  assert.equal(await page.evaluate(() => auth.keep), "shared");
  await page.context().close();
});

test("without the provider in connect-src", async () => {
  const { page, stopped } = await visit(policy.replace(`connect-src 'self' ${demo.issuer}`, "connect-src 'self'"));
  await open(page, inPage);
  assert.equal(await page.evaluate(() => auth.signIn().catch((error) => error.code)), "unreachable");
  const seen = await whatWasStopped(page, stopped);
  assert.deepEqual([...new Set(seen)], [`connect-src ${demo.issuer}/.well-known/openid-configuration`]);
  await page.context().close();
});

test("without the provider in the worker's connect-src", async () => {
  const { page } = await visit(policy, ofWorker.replace(`connect-src 'self' ${demo.issuer}`, "connect-src 'self'"));
  await open(page, inWorker);
  assert.equal(await page.evaluate(() => auth.signIn().catch((error) => error.code)), "unreachable");
  const what = `connect-src ${demo.issuer}/.well-known/openid-configuration`;
  await untilReported(what);
  assert.deepEqual([...new Set(reported)], [what]);
  await page.context().close();
});

test("without the API in the worker's connect-src", async () => {
  const { page } = await visit(policy, ofWorker.replace(` ${demo.api.slice(0, -1)}`, ""));
  await signIn(page, inWorker);
  assert.equal(await call(page, `${demo.api}me`), "unreachable");
  assert.deepEqual(await whatTheWorkerTried(page), [`connect-src ${demo.api}me`]);
  await page.context().close();
});

test("without the provider in frame-src", async () => {
  const { page, stopped } = await visit(policy.replace(`frame-src 'self' ${demo.issuer}`, "frame-src 'self'"));
  await signIn(page, withoutRefreshToken);
  assert.equal(await renew(page), "frame_blocked");
  const [seen, ...more] = await whatWasStopped(page, stopped);
  assert.match(seen, new RegExp(`^frame-src ${demo.issuer}`));
  assert.deepEqual(more, []);
  await page.context().close();
});

test("with frame-ancestors 'none'", async () => {
  const { page } = await visit(policy.replace("frame-ancestors 'self'", "frame-ancestors 'none'"));
  await signIn(page, withoutRefreshToken);
  const outcome = await renew(page);
  assert.match(outcome, /^frame_/);
  await page.context().close();
});

// What the walls are for.

test("a keep that a page opens for another API does not reach it: the worker's policy stands before it", async () => {
  for (const [worker, outcome, requests] of [[[], 200, ["OPTIONS", "GET"]], [ofWorker, "unreachable", []]]) {
    const { page } = await visit(policy, worker);
    await signIn(page, inWorker);
    arrived.length = 0;
    assert.equal(await call(page, elsewhere), outcome);
    assert.deepEqual(arrived, requests);
    // The keep goes on.
    assert.equal(await call(page, `${demo.api}me`), 200);
    await page.context().close();
  }
});

test("nor does it reach another provider", async () => {
  const { page } = await visit(policy);
  assert.equal(await open(page, { ...inWorker, issuer: `${site.elsewhere}/elsewhere` }), "signed_out");
  assert.equal(await page.evaluate(() => auth.signIn().catch((error) => error.code)), "unreachable");
  await page.context().close();
});

test("no hostile script starts a worker of its own, also in a frame of a page that is not there", async () => {
  const places = [undefined, "/missing.html", "/nowhere.js", "/rogue.js", SCRIPT, "about:blank"];
  const kinds = ["SharedWorker", "Worker", "ServiceWorker", "blob"];
  const { page } = await visit(policy);
  for (const place of places) {
    for (const kind of kinds) {
      assert.equal(await attempt(page, kind, place), "refused", `${kind} in ${place ?? "the page"}`);
    }
  }
  assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
  await page.context().close();
});

test("without the policy on any one of those responses, one starts there", async () => {
  for (const place of ["/missing.html", "/nowhere.js", "/rogue.js", SCRIPT]) {
    const { page } = await visit(policy);
    site.headersOf[place] = {};
    assert.equal(await attempt(page, "SharedWorker", place), "ran", place);
    assert.equal(await attempt(page, "ServiceWorker", place), "ran", place);
    await page.context().close();
  }
});

test("with worker-src 'self' every script of this origin is a worker", async () => {
  const { page } = await visit(policy.replace(/worker-src [^;]+/, "worker-src 'self'"));
  const outcomes = [];
  for (const kind of ["SharedWorker", "Worker", "ServiceWorker", "blob"]) {
    outcomes.push(await attempt(page, kind));
  }
  assert.deepEqual(outcomes, ["ran", "ran", "ran", "refused"]);
  await page.context().close();
});

test("the keep's script as a service worker keeps nothing, and is in nobody's way", async () => {
  const { page } = await visit(policy);
  const answer = await page.evaluate(async (script) => {
    const trusted = trustedTypes.createPolicy("tokenkeep", { createScriptURL: (url) => url });
    const { installing } = await navigator.serviceWorker.register(trusted.createScriptURL(script), { type: "module" });
    await new Promise((resolve) => (installing.onstatechange = () => installing.state === "activated" && resolve()));
    const { port1, port2 } = new MessageChannel();
    installing.postMessage(undefined, [port2]);
    port1.postMessage(["open", { config: "{}", linger: 0, wasm: "/x.wasm", durable: false, framedBy: "nobody", notes: [] }]);
    return new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data[0])));
  }, SCRIPT);
  assert.equal(answer, "failed");
  await page.reload();
  await signIn(page, inWorker);
  assert.equal(await call(page, `${demo.api}me`), 200);
  await page.context().close();
});

test("whoever has the name of the policy first has the keep in the page at best, and none where that is refused", async () => {
  const { page } = await visit(policy);
  await page.evaluate(() => void trustedTypes.createPolicy("tokenkeep", { createScriptURL: () => "/rogue.js" }));
  assert.equal(await open(page, inWorker), "keep_unavailable");
  assert.equal(await open(page, options), "signed_out");
  assert.equal(await page.evaluate(() => auth.keep), "page");
  await page.context().close();
});

test("two copies of tokenkeep in one page need 'allow-duplicates'", async () => {
  for (const [duplicates, outcome] of [["", "keep_unavailable"], [" 'allow-duplicates'", "signed_out"]]) {
    const { page } = await visit(`${policy}${duplicates}`.replace(SCRIPT, `${SCRIPT} ${site.origin}/copy/wasm/keep.js`));
    assert.equal(await open(page, inWorker), "signed_out");
    await page.evaluate(() => import("/copy.js").then((copy) => (window.tokenkeep = copy)));
    assert.equal(await open(page, inWorker), outcome);
    await page.context().close();
  }
});

/** Tries to start a worker of this kind as a hostile script in a page does, or in a frame of it, and says whether it runs. */
function attempt(page, kind, place) {
  return page.evaluate(
    async ([kind, place]) => {
      let realm = window;
      if (place !== undefined) {
        const frame = document.createElement("iframe");
        const loaded = new Promise((resolve) => (frame.onload = resolve));
        frame.src = place;
        document.documentElement.append(frame);
        await loaded;
        realm = frame.contentWindow;
      }
      const { Blob, SharedWorker, URL, Worker, navigator, trustedTypes } = realm;
      try {
        // The name of the policy is no secret.
        realm.policy ??= trustedTypes.createPolicy("tokenkeep", { createScriptURL: (url) => url });
        const url = kind === "blob" ? URL.createObjectURL(new Blob(["onmessage = () => postMessage('ran')"])) : "/rogue.js";
        const script = realm.policy.createScriptURL(url);
        if (kind === "ServiceWorker") {
          await navigator.serviceWorker.register(script);
          return "ran";
        }
        const worker = kind === "SharedWorker" ? new SharedWorker(script) : new Worker(script);
        const port = worker.port ?? worker;
        return await new Promise((resolve, reject) => {
          port.onmessage = ({ data }) => resolve(data);
          worker.onerror = reject;
          port.postMessage("run");
        });
      } catch {
        return "refused";
      }
    },
    [kind, place],
  );
}
