// What was posted to the redirect URI: who receives it, and how the page gets it, once.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import vm from "node:vm";

import { receiveFormPost } from "../../pkg/shims/form-post.mjs";
import { openChromium } from "./lib/chromium.js";
import { answerProvider, startDemo } from "./lib/demo.js";
import { PACKAGE, serve } from "./lib/site.js";

const WORKER = await readFile(join(PACKAGE, "form-post-worker.js"), "utf8");
const PAGE = `<!doctype html><title>app</title><link rel="icon" href="data:,"><script type="module">
  import * as formPost from "/tokenkeep/form-post.js";
  window.formPost = formPost;
</script>`;
const FIELDS = [
  ["code", "c0de/+=&"],
  ["state", "5tate é"],
  ["state", "again"],
];
const TEXT = "code=c0de%2F%2B%3D%26&state=5tate+%C3%A9&state=again";
const NAMELESS = "00000000-0000-4000-8000-000000000000";

const browser = await openChromium();
const provider = await serve({ answers: { "*": '<!doctype html><link rel="icon" href="data:,"><title>provider</title>' } });

/** An app on a static host: what reached it, and how its worker is. A POST gets what `onPost` says. */
async function app({ worker = WORKER, onPost = 405, answers = {} } = {}) {
  const seen = [];
  const page = (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const headers = { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" };
    request.resume();
    response.writeHead(request.method === "POST" ? onPost : 200, headers).end(PAGE);
  };
  const script = (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/javascript", "Cache-Control": "no-store" }).end(site.worker);
  };
  const site = await serve({
    answers: { "/form-post-worker.js": script, "*": page, ...answers },
    files: { "/tokenkeep/": PACKAGE },
  });
  return Object.assign(site, { worker, seen, context: await browser.newContext() });
}

async function visit(site, path = "/") {
  const page = await site.context.newPage();
  await page.goto(site.origin + path);
  return loaded(page);
}

async function loaded(page) {
  await page.waitForFunction(() => window.formPost !== undefined);
  return page;
}

const ready = (page, redirectUri = "/callback", script = "/form-post-worker.js") =>
  page.evaluate(([redirectUri, script]) => formPost.ready(redirectUri, script === null ? undefined : { script }), [redirectUri, script]);

/** What `ready` says that is wrong. */
const refused = (page, ...args) => ready(page, ...args).then(() => assert.fail("it got ready"), (error) => error.message);

/** Goes to the provider, and comes back from another site by a form. */
async function answer(page, site, { path = "/callback", fields = FIELDS, enctype = "application/x-www-form-urlencoded" } = {}) {
  await page.goto(`${provider.elsewhere}/`);
  const back = page.waitForNavigation();
  await page.evaluate(
    ([action, fields, enctype]) => {
      const form = Object.assign(document.createElement("form"), { method: "post", action, enctype });
      for (const [name, value] of fields) {
        form.append(Object.assign(document.createElement("textarea"), { name, value }));
      }
      document.body.append(form);
      form.submit();
    },
    [site.origin + path, fields, enctype],
  );
  return back;
}

const take = (page) => page.evaluate(() => formPost.takePosted());

/** A page that came back, and has not looked yet. */
async function cameBack(site, options) {
  const page = await visit(site);
  await ready(page);
  await answer(page, site, options);
  return loaded(page);
}

test("on the first visit the fields reach the page as they were, once, and no server", async () => {
  const site = await app();
  const page = await visit(site);
  assert.equal(await page.evaluate(() => navigator.serviceWorker.controller), null);
  await ready(page);
  await answer(page, site);
  await loaded(page);
  assert.match(page.url(), /\/callback#tokenkeep_posted=[\da-f-]{36}$/);

  const [text, address, again] = await page.evaluate(async () => {
    const taking = formPost.takePosted();
    const address = location.href;
    return [await taking, address, await formPost.takePosted()];
  });
  assert.deepEqual([text, address, again], [TEXT, `${site.origin}/callback`, undefined]);
  assert.deepEqual(site.seen, ["GET /", "GET /callback"]);
});

test("a provider's own form brings its answer, and its error", async () => {
  const site = await app();
  const { issuer } = await startDemo(site.elsewhere);
  const page = await site.context.newPage();
  await page.goto(`${site.elsewhere}/`);
  await loaded(page);
  await ready(page);
  const ask = (changes) => {
    const query = new URLSearchParams({
      client_id: "tokenkeep-demo",
      response_type: "code id_token",
      response_mode: "form_post",
      redirect_uri: `${site.elsewhere}/callback`,
      scope: "openid",
      state: "5tate",
      nonce: "n0nce",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
      code_challenge_method: "S256",
      ...changes,
    });
    return page.goto(`${issuer}/auth?${query}`);
  };
  const taken = async () => {
    await page.waitForURL(/tokenkeep_posted/);
    return new URLSearchParams(await take(await loaded(page)));
  };
  await ask({ prompt: "none" });
  const error = await taken();
  assert.deepEqual([error.get("error"), error.get("state"), error.get("iss")], ["login_required", "5tate", issuer]);
  await ask();
  await answerProvider(page);
  const fields = await taken();
  assert.deepEqual([...fields.keys()].sort(), ["code", "id_token", "session_state", "state"]);
  assert.equal(fields.get("state"), "5tate");
  assert.deepEqual(site.seen.filter((request) => request.startsWith("POST")), []);
});

test("who has the name has nothing after the first, and another name is nobody's", async () => {
  const site = await app();
  const page = await cameBack(site);
  const name = page.url().split("=")[1];
  const ask = async (name) => {
    await page.evaluate((name) => history.replaceState(null, "", `#tokenkeep_posted=${name}`), name);
    return take(page);
  };
  assert.equal(await ask(NAMELESS), undefined);
  assert.equal(await ask(name), TEXT);
  assert.equal(await ask(name), undefined);
  assert.equal(await ask(""), undefined);
  assert.equal(page.url(), `${site.origin}/callback`);
});

test("a reload, and the way back and forth, post nothing again and give nothing", async () => {
  const site = await app();
  const page = await cameBack(site);
  assert.equal(await take(page), TEXT);
  await page.reload();
  assert.equal(await take(await loaded(page)), undefined);
  await page.goBack();
  assert.equal(new URL(page.url()).origin, provider.elsewhere);
  await page.goForward();
  assert.equal(await take(await loaded(page)), undefined);
  assert.equal(page.url(), `${site.origin}/callback`);
  assert.deepEqual(site.seen.filter((request) => request.startsWith("POST")), []);
});

test("a reload before the page has looked loses nothing", async () => {
  const site = await app();
  const page = await cameBack(site);
  await page.reload();
  assert.equal(await take(await loaded(page)), TEXT);
});

/** What Shift and the reload button do: the page is loaded past the service worker. */
async function reloadHard(page) {
  const session = await page.context().newCDPSession(page);
  const again = page.waitForNavigation();
  await session.send("Page.reload", { ignoreCache: true });
  await again;
  await loaded(page);
  assert.equal(await page.evaluate(() => navigator.serviceWorker.controller), null);
}

test("a page that was reloaded past the service worker still comes back through it, and can ask it", async () => {
  const site = await app();
  const page = await visit(site, "/callback");
  await ready(page);
  await page.reload();
  await loaded(page);
  assert.notEqual(await page.evaluate(() => navigator.serviceWorker.controller), null);
  await reloadHard(page);
  await ready(page);
  await answer(page, site);
  await loaded(page);
  await reloadHard(page);
  assert.equal(await take(page), TEXT);
  assert.deepEqual(site.seen.filter((request) => request.startsWith("POST")), []);
});

/** Looks for a new script, and waits until it is installed. */
const update = (page) =>
  page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration("/callback");
    await registration.update();
    const coming = registration.installing;
    if (coming) await new Promise((resolve) => coming.addEventListener("statechange", resolve, { once: true }));
  });

const states = (page) =>
  page.evaluate(async () => {
    const { active, waiting } = await navigator.serviceWorker.getRegistration("/callback");
    return [active?.state, waiting?.state];
  });

test("an update of the script changes nothing for who is on the way, and takes over later", async () => {
  const site = await app();
  const [page, other] = [await cameBack(site), await visit(site, "/callback")];
  site.worker = `${WORKER}\n// changed`;
  await update(other);
  assert.deepEqual(await states(other), ["activated", "installed"]);
  await ready(other);
  assert.equal(await take(page), TEXT);
  await answer(page, site);
  assert.equal(await take(await loaded(page)), TEXT);

  // Without a page in its scope, the new one is in charge.
  await other.goto(`${site.origin}/`);
  await loaded(other);
  await page.close();
  await other.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration("/callback");
    const { waiting } = registration;
    if (waiting) await new Promise((resolve) => waiting.addEventListener("statechange", resolve, { once: true }));
  });
  assert.equal((await states(other))[1], undefined);
  await answer(other, site);
  assert.equal(await take(await loaded(other)), TEXT);
});

test("an update that does not wait, in an app's own worker, waits for who is on the way", async () => {
  const site = await app();
  const page = await cameBack(site);
  site.worker = `self.addEventListener("install", () => self.skipWaiting());${WORKER}`;
  await update(page);
  assert.deepEqual(await states(page), ["activated", "installed"]);
  assert.equal(await take(page), TEXT);
  await page.evaluate(async () => {
    while ((await navigator.serviceWorker.getRegistration("/callback")).waiting);
  });
  await answer(page, site);
  assert.equal(await take(await loaded(page)), TEXT);
});

test("two tabs that come back at once each get their own", async () => {
  const site = await app();
  const pages = [await visit(site), await visit(site)];
  for (const [index, page] of pages.entries()) {
    await ready(page);
    await answer(page, site, { fields: [["code", `${index}`]] });
  }
  for (const index of [1, 0]) assert.equal(await take(await loaded(pages[index])), `code=${index}`);
});

test("nothing of it is stored, and no entry of the history has it", async () => {
  const site = await app();
  const page = await cameBack(site, { fields: [["code", "s3cret"]] });
  const name = page.url().split("=")[1];
  assert.equal(await take(page), "code=s3cret");
  const found = await page.evaluate(async () => ({
    caches: await caches.keys(),
    databases: await indexedDB.databases(),
    storage: [{ ...localStorage }, { ...sessionStorage }],
    cookie: document.cookie,
    state: history.state,
    entries: navigation.entries().map(({ url }) => url),
    referrer: document.referrer,
    loads: performance.getEntries().map(({ name }) => name.replace(/tokenkeep_posted=.*/, "spent")),
  }));
  assert.deepEqual(found.entries.at(-1), `${site.origin}/callback`);
  assert.deepEqual([found.caches, found.databases, found.storage], [[], [], [{}, {}]]);
  for (const secret of ["s3cret", name]) assert.ok(!JSON.stringify(found).includes(secret), secret);
});

test("a POST without fields is told from none", async () => {
  const site = await app();
  const page = await cameBack(site, { fields: [] });
  assert.equal(await take(page), "");
});

test("the query of the redirect URI stays", async () => {
  const site = await app();
  const page = await visit(site);
  await ready(page, `${site.origin}/callback?from=x&y`);
  await answer(page, site, { path: "/callback?from=x&y" });
  assert.equal(await take(await loaded(page)), TEXT);
  assert.equal(page.url(), `${site.origin}/callback?from=x&y`);
});

test("what is no such form, or too large, is refused in words and kept nowhere", async () => {
  const site = await app();
  const page = await visit(site);
  await ready(page);
  for (const [status, options] of [
    [415, { enctype: "multipart/form-data" }],
    [415, { enctype: "text/plain" }],
    [413, { fields: [["code", "x".repeat(64 * 1024)]] }],
  ]) {
    const response = await answer(page, site, options);
    assert.deepEqual([response.status(), response.fromServiceWorker()], [status, true]);
    assert.match(await page.textContent("body"), /^This (address|form) /);
    assert.equal(page.url(), `${site.origin}/callback`);
  }
  const most = [["code", "x".repeat(64 * 1024 - "code=".length)]];
  await answer(page, site, { fields: most });
  assert.equal((await take(await loaded(page))).length, 64 * 1024);
  assert.deepEqual(site.seen, ["GET /", "GET /callback"]);
});

test("everything else passes by: GET, other paths, and requests of the page", async () => {
  const site = await app({ onPost: 200 });
  const page = await visit(site);
  await ready(page);
  await page.goto(`${site.origin}/callback?code=c0de&state=5tate`);
  await loaded(page);
  assert.notEqual(await page.evaluate(() => navigator.serviceWorker.controller), null);
  await page.evaluate(() => fetch("/callback", { method: "POST", body: new URLSearchParams({ code: "c0de" }) }));
  for (const path of ["/callback/more", "/callbacks", "/"]) {
    await answer(page, site, { path });
    await loaded(page);
  }
  assert.deepEqual(site.seen, [
    "GET /", "GET /callback?code=c0de&state=5tate", "POST /callback", "POST /callback/more", "POST /callbacks", "POST /",
  ]);
});

test("a page of another origin cannot reach the worker", async () => {
  const site = await app();
  const page = await cameBack(site);
  const stranger = await site.context.newPage();
  await stranger.goto(`${provider.elsewhere}/`);
  const error = await stranger.evaluate((url) => navigator.serviceWorker.getRegistration(url).catch(({ name }) => name), page.url());
  assert.equal(error, "SecurityError");
  const [none, name] = [await stranger.evaluate(() => navigator.serviceWorker.getRegistrations()), page.url().split("#")[1]];
  assert.deepEqual(none, []);
  // The same page, but in a frame there: another partition.
  const frame = await stranger.evaluateHandle((src) => {
    const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { src }));
    return new Promise((resolve) => frame.addEventListener("load", () => resolve(frame)));
  }, `${site.origin}/callback#${name}`);
  const inside = await frame.contentFrame();
  assert.equal(await take(await loaded(inside)), undefined);
  assert.equal(await take(page), TEXT);
});

test("when the browser ended the worker in between, there is nothing, and no error", async () => {
  const site = await app();
  const page = await cameBack(site);
  const session = await site.context.newCDPSession(page);
  const ended = new Promise((resolve) => {
    session.on("ServiceWorker.workerVersionUpdated", ({ versions }) => {
      if (versions.some(({ runningStatus }) => runningStatus === "stopped")) resolve();
    });
  });
  await session.send("ServiceWorker.enable");
  await session.send("ServiceWorker.stopAllWorkers");
  await ended;
  assert.equal(await take(page), undefined);
  await answer(page, site);
  assert.equal(await take(await loaded(page)), TEXT, "it starts again by itself");
});

test("it is ready when it is installed, and not before", async () => {
  let letGo;
  const held = new Promise((resolve) => (letGo = resolve));
  const site = await app({
    worker: `self.addEventListener("install", (event) => event.waitUntil(fetch("/held.js")));${WORKER}`,
    answers: {
      "/held.js": async (_request, response) => {
        await held;
        response.end();
      },
    },
  });
  const page = await visit(site);
  await page.evaluate(() => {
    window.isReady = false;
    window.readying = formPost.ready("/callback", { script: "/form-post-worker.js" }).then(() => (window.isReady = true));
  });
  // It answers already, and would not receive.
  const answered = await page.evaluate(async () => {
    let installing;
    while (!installing) installing = (await navigator.serviceWorker.getRegistration("/callback"))?.installing;
    const { port1, port2 } = new MessageChannel();
    installing.postMessage(["tokenkeep.form_post"], [port2]);
    return new Promise((resolve) => (port1.onmessage = ({ data }) => resolve([data, installing.state, isReady])));
  });
  assert.deepEqual(answered, ["/callback", "installing", false]);
  letGo();
  await page.evaluate(() => readying);
  await answer(page, site);
  assert.equal(await take(await loaded(page)), TEXT);
});

test("what keeps it from getting ready is said", async () => {
  const site = await app({
    answers: {
      "/other.js": "",
      "/broken.js": 'self.addEventListener("install", (event) => event.waitUntil(Promise.reject(new Error())));',
      "/sub/form-post-worker.js": WORKER,
    },
  });
  const page = await visit(site);
  assert.match(await refused(page, "/callback", "/nothing.js"), /the service worker for \/callback was refused: /);
  assert.match(await refused(page, "/callback", "/sub/form-post-worker.js"), /was refused: .* max scope/);
  assert.match(await refused(page, "/broken", "/broken.js"), /the service worker could not be installed/);
  assert.match(await refused(page, "/callback", null), /there is no service worker for \/callback/);
  assert.match(await refused(page, `${provider.origin}/callback`), /the redirect URI is of another origin than this page/);
  // Which is known when it does not answer: time goes faster for this.
  await page.evaluate(() => {
    const later = setTimeout;
    window.setTimeout = (then, after) => later(then, after / 50);
  });
  assert.match(await refused(page, "/other", "/other.js"), /does not receive what is posted to \/other/);
  await page.addInitScript(() => delete Navigator.prototype.serviceWorker);
  await page.reload();
  await loaded(page);
  assert.match(await refused(page), /there are no service workers here/);
  await page.evaluate(() => history.replaceState(null, "", "#tokenkeep_posted=x"));
  assert.equal(await take(page), undefined);
});

for (const [how, type, own] of [
  ["classic", undefined, 'self.tokenkeepRedirectPath = "/callback"; importScripts("/tokenkeep/form-post-worker.js");'],
  ["module", "module", 'import "/tokenkeep/form-post-worker.js"; self.tokenkeepRedirectPath = "/callback";'],
]) {
  test(`a ${how} service worker of the app can have it in it`, async () => {
    const site = await app({ worker: own });
    const page = await visit(site);
    await page.evaluate((options) => navigator.serviceWorker.register("/form-post-worker.js", options), type && { type });
    await ready(page, "/callback", null);
    await answer(page, site);
    assert.equal(await take(await loaded(page)), TEXT);
    assert.match(await refused(page, "/other", null), /does not receive what is posted to \/other/);
  });
}

test("with Trusted Types it starts by a policy of its own", async () => {
  const site = await app();
  site.answers["/strict"] = (_request, response) => {
    const policy = "require-trusted-types-for 'script'; trusted-types tokenkeep-form-post";
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy }).end(PAGE);
  };
  const page = await visit(site, "/strict");
  await ready(page);
  await answer(page, site);
  assert.equal(await take(await loaded(page)), TEXT);
});

for (const onPost of [405, 200]) {
  test(`without a receiver, on a static host that answers ${onPost}, the page finds nothing`, async () => {
    const site = await app({ onPost });
    const page = await visit(site);
    await answer(page, site);
    assert.equal(await take(await loaded(page)), undefined);
    assert.deepEqual([page.url(), site.seen.at(-1)], [`${site.origin}/callback`, "POST /callback"]);
  });
}

/** The worker's script without a browser, so that time can move: who posts gets the name, and whether the worker may end. */
function worker() {
  const listeners = {};
  const self = {
    registration: { scope: "http://app/callback" },
    addEventListener: (type, listener) => (listeners[type] = listener),
  };
  vm.runInNewContext(WORKER, { self, URL, Response, crypto, setTimeout: (...args) => setTimeout(...args), clearTimeout });
  const post = async (text) => {
    const held = { ends: false };
    let answered;
    const request = new Request("http://app/callback", { method: "POST", body: new URLSearchParams(text) });
    listeners.fetch({
      // Only browsers make those that navigate.
      request: { method: "POST", mode: "navigate", url: request.url, headers: request.headers, blob: () => request.blob() },
      respondWith: (response) => (answered = response),
      waitUntil: (promise) => promise.then(() => (held.ends = true)),
    });
    return { held, name: (await answered).headers.get("Location").split("=")[1] };
  };
  const ask = (...message) => {
    let answer;
    listeners.message({ data: ["tokenkeep.form_post", ...message], ports: [{ postMessage: (data) => (answer = data) }] });
    return answer;
  };
  return { post, ask };
}

test("it is kept for a minute, and so long the worker may not end", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { post, ask } = worker();
  const [first, second, third] = [await post("code=1"), await post("code=2"), await post("code=3")];
  t.mock.timers.tick(59_999);
  await null;
  assert.deepEqual([first.held.ends, ask(first.name)], [false, "code=1"]);
  await null;
  assert.deepEqual([first.held.ends, second.held.ends, ask(first.name)], [true, false, undefined]);
  t.mock.timers.tick(1);
  await null;
  assert.deepEqual([second.held.ends, third.held.ends, ask(second.name), ask(third.name)], [true, true, undefined, undefined]);
});

test("who posts without end fills no memory", async () => {
  const { post, ask } = worker();
  const posts = [];
  for (let index = 0; index < 20; index += 1) posts.push(await post(`code=${index}`));
  await null;
  assert.deepEqual(posts.map(({ held }) => held.ends), posts.map((_, index) => index < 4));
  assert.deepEqual(posts.map(({ name }) => ask(name)), posts.map((_, index) => (index < 4 ? undefined : `code=${index}`)));
});

/** An app whose server receives what no service worker does. */
async function appWithServer() {
  const site = await app();
  const page = site.answers["*"];
  site.answers["/callback"] = (request, response) => {
    site.seen.push(`${request.method} /callback by ${request.headers.referer}`);
    return receiveFormPost(request, response, () => page(request, response));
  };
  return site;
}

test("a server hands what was posted to the page in the same window, and remembers nothing", async () => {
  const site = await appWithServer();
  for (const [path, address] of [
    ["/callback", /\/callback\?#tokenkeep_form=code%3D/],
    ["/callback?from=x", /\/callback\?from=x&#tokenkeep_form=code%3D/],
  ]) {
    const page = await visit(site);
    await answer(page, site, { path });
    await page.waitForURL(address);
    await loaded(page);
    const [text, href, again] = await page.evaluate(async () => {
      const taking = formPost.takePosted();
      return [await taking, location.href, await formPost.takePosted()];
    });
    assert.deepEqual([text, href, again], [TEXT, site.origin + path, undefined]);
    assert.deepEqual(await page.evaluate(() => navigation.entries().map(({ url }) => url)), [site.origin + path]);
    await page.reload();
    assert.equal(await take(await loaded(page)), undefined);
    await page.goBack();
    assert.equal(new URL(page.url()).origin, provider.elsewhere);
  }
  const posts = site.seen.filter((request) => request.startsWith("POST"));
  assert.deepEqual([posts.length, site.seen.filter((request) => request.includes("c0de"))], [2, []]);
  assert.ok(site.seen.includes("GET /callback by undefined"), "no referrer");
});

test("what was posted is text to the server's page, whatever it is", async () => {
  const site = await appWithServer();
  const page = await visit(site);
  await page.exposeFunction("attacked", () => assert.fail("a script ran"));
  const hostile = '"><script>attacked()</script><img src=x onerror=attacked()>&lt;&#34;<!--\'%00 é#?&=+\r\n';
  const raw = (body) => fetch(`${site.origin}/callback`, { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body });
  const html = await (await raw(hostile)).text();
  assert.equal(html.match(/<script/g).length, 1);
  const parsed = await page.evaluate((html) => new DOMParser().parseFromString(html, "text/html").querySelector("meta").content, html);
  assert.equal(parsed, hostile.replace("\r\n", "\n"));

  await answer(page, site, { fields: [["code", hostile]] });
  await page.waitForURL(/tokenkeep_form/);
  const text = await take(await loaded(page));
  assert.equal(new URLSearchParams(text).get("code"), hostile);

  await page.goto(`${site.origin}/callback#tokenkeep_form=%E0%A4`);
  assert.equal(await take(await loaded(page)), undefined, "a broken address");
  assert.equal(page.url(), `${site.origin}/callback`);
});

test("a server refuses what is no POST of such a form, or too large", async () => {
  const bare = await serve({ answers: { "/callback": (request, response) => receiveFormPost(request, response) } });
  const ask = async (options) => {
    const response = await fetch(`${bare.origin}/callback`, { method: "POST", ...options });
    await response.text();
    return response;
  };
  const got = await ask({ method: "GET" });
  assert.deepEqual([got.status, got.headers.get("allow")], [405, "POST"]);
  assert.equal((await ask({ body: "code=1" })).status, 415);
  assert.equal((await ask({ body: "code=1", headers: { "Content-Type": "application/x-www-form-urlencoded-not" } })).status, 415);
  const form = (length) => ({ body: "x".repeat(length), headers: { "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8" } });
  assert.equal((await ask(form(64 * 1024 + 1))).status, 413);
  const taken = await ask(form(64 * 1024));
  assert.deepEqual(
    ["cache-control", "referrer-policy", "x-content-type-options"].map((name) => taken.headers.get(name)),
    ["no-store", "no-referrer", "nosniff"],
  );
  assert.match(taken.headers.get("content-security-policy"), /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; base-uri 'none'$/);
});

test("who goes away in the middle of it is no trouble for the server", async () => {
  let tell;
  const done = new Promise((resolve, reject) => (tell = { resolve, reject }));
  const bare = await serve({
    answers: {
      "/callback": (request, response) => {
        receiveFormPost(request, response).then(tell.resolve, tell.reject);
        request.once("data", () => socket.destroy());
      },
    },
  });
  const socket = connect(bare.port, "127.0.0.1");
  socket.write("POST /callback HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ncode=1");
  assert.equal(await done, undefined);
});

test("the server that is written down for axum has the same script and its digest", async () => {
  const text = await readFile(join(PACKAGE, "shims/form-post.md"), "utf8");
  const bare = await serve({ answers: { "/callback": (request, response) => receiveFormPost(request, response) } });
  const response = await fetch(`${bare.origin}/callback`, { method: "POST", body: new URLSearchParams() });
  const [, script] = /<script>(.*)<\/script>/s.exec(await response.text());
  assert.ok(text.includes(`r##"${script}"##`));
  assert.ok(text.includes(`"${response.headers.get("content-security-policy")}"`));
});
