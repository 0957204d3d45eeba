// What a provider may want beyond a code in a query, at the demo's provider: pushed requests, signed responses, ID tokens beside codes, details.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { receiveFormPost } from "../../pkg/shims/form-post.mjs";
import { open, startApp } from "./lib/app.js";
import { answerProvider } from "./lib/demo.js";
import { PACKAGE } from "./lib/site.js";

const { site, demo, visit } = await startApp();
const WORKER = await readFile(join(PACKAGE, "form-post-worker.js"), "utf8");

/** Signs in with these options in a new browser; the page, and where it was sent: each request of the browser's. */
async function signIn(options, asked = {}) {
  const page = await visit();
  const sent = [];
  page.context().on("request", (request) => sent.push({ url: new URL(request.url()), method: request.method(), body: request.postData() }));
  assert.equal(await open(page, options), "signed_out");
  await page.evaluate((asked) => void auth.signIn(asked), asked);
  await answerProvider(page);
  await page.waitForURL((url) => url.pathname === "/callback");
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  const came = page.url();
  assert.equal(await open(page, options), "signed_in");
  assert.equal(await page.evaluate((api) => auth.fetch(`${api}me`).then(({ status }) => status), demo.api), 200);
  assert.equal(await page.evaluate(() => location.href), `${site.origin}/`);
  const authorization = sent.find(({ url }) => url.origin === demo.issuer && url.pathname === "/auth").url.searchParams;
  return { page, sent, came, authorization };
}

for (const keep of ["shared", "page"]) {
  test(`a request that is pushed leaves two words in the address, keep: ${keep}`, async () => {
    const { page, sent, authorization } = await signIn({ ...demo.options, pushedAuthorizationRequests: true, keep });
    assert.deepEqual([...authorization.keys()], ["client_id", "request_uri"]);
    if (keep === "page") {
      const push = sent.find(({ url, method }) => url.pathname === "/request" && method === "POST");
      assert.equal(new URLSearchParams(push.body).get("code_challenge_method"), "S256");
    }
    await page.context().close();
  });

  for (const [options, response] of [
    [{ responseMode: "query.jwt" }, /\?response=[\w-]+\.[\w-]+\.[\w-]+$/],
    [{ responseMode: "fragment.jwt" }, /#response=[\w-]+\.[\w-]+\.[\w-]+$/],
    [{ responseType: "code id_token" }, /#(?=.*\bcode=).*\bid_token=/],
    [{ responseType: "code id_token", responseMode: "fragment.jwt", pushedAuthorizationRequests: true }, /#response=/],
  ]) {
    test(`signs in with ${JSON.stringify(options)}, keep: ${keep}`, async () => {
      const { page, came } = await signIn({ ...demo.options, ...options, keep });
      assert.match(came, response);
      await page.context().close();
    });
  }
}

test("a client whose requests must be pushed signs in where the app says so, and is refused elsewhere", async () => {
  const options = { ...demo.options, clientId: "tokenkeep-par", keep: "page" };
  const { page } = await signIn({ ...options, pushedAuthorizationRequests: true });
  await page.context().close();

  const refused = await visit();
  await open(refused, options);
  await refused.evaluate(() => void auth.signIn());
  await refused.waitForURL((url) => url.pathname === "/callback" || url.origin === demo.issuer);
  await refused.waitForFunction(() => window.tokenkeep !== undefined || document.body?.textContent.includes("request"));
  assert.ok(!new URL(refused.url()).searchParams.has("code"));
  await refused.context().close();
});

test("a signed response without its signature is refused, and no code goes anywhere", async () => {
  const page = await visit();
  const sent = [];
  page.context().on("request", (request) => sent.push(new URL(request.url()).pathname));
  const options = { ...demo.options, responseMode: "query.jwt", keep: "page" };
  await open(page, options);
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL((url) => url.pathname === "/callback");
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  // Whoever could write it could not sign it.
  const url = new URL(page.url());
  const [header, claims] = url.searchParams.get("response").split(".");
  const unsigned = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(header, "base64url")), alg: "none" })).toString("base64url");
  url.searchParams.set("response", `${unsigned}.${claims}.`);
  await page.evaluate((href) => history.replaceState(null, "", href), url.href);
  assert.equal(await open(page, options), "failed");
  assert.equal(await page.evaluate(() => auth.session.error.code), "algorithm_refused");
  assert.ok(!sent.includes("/token"));
  await page.context().close();
});

test("what was granted in detail is in the session", async () => {
  const details = [{ type: "orders", actions: ["read"] }];
  const { page } = await signIn({ ...demo.options, keep: "page" }, { authorizationDetails: details });
  const granted = await page.evaluate(() => auth.session.authorizationDetails);
  assert.deepEqual(granted.map(({ type, actions }) => ({ type, actions })), details);
  await page.context().close();
});

test("what cannot work is refused before anything is sent", async () => {
  const page = await visit();
  for (const [options, code] of [
    [{ responseMode: "form_post" }, "form_post_receiver_missing"],
    [{ responseType: "code id_token", responseMode: "query" }, "response_mode_malformed"],
    [{ responseType: "token" }, "option_type"],
    [{ clientSecret: "s" }, "client_secret"],
  ]) {
    assert.equal((await open(page, { ...demo.options, ...options, keep: "page" })).code, code, JSON.stringify(options));
  }
  await page.context().close();
});

/** Copies of the service worker's script are where apps put it: at the top. */
site.answers["/form-post-worker.js"] = (_request, response) => {
  response.writeHead(200, { "Content-Type": "text/javascript", "Cache-Control": "no-store" }).end(WORKER);
};

/** Signs in by a form that the service worker receives. `open` is what the page calls. */
async function byForm(open) {
  const page = await visit();
  const seen = [];
  page.context().on("request", (request) => seen.push({ method: request.method(), url: new URL(request.url()) }));
  assert.deepEqual(await page.evaluate(open), { status: "signed_out" });
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL((url) => url.pathname === "/callback");
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  const told = await page.evaluate(open);
  assert.ok(!/code|id_token|state/.test(page.url()), page.url());
  return { page, seen, told };
}

for (const [responseType, keep] of [["code", "shared"], ["code", "page"], ["code id_token", "page"]]) {
  test(`signs in by a form that a service worker receives: ${responseType}, keep: ${keep}`, async () => {
    const open = `async (options) => {
      const { receiver } = await import("/tokenkeep/form-post.js");
      window.auth = await tokenkeep.open({ ...options, responseType: "${responseType}", responseMode: "form_post", keep: "${keep}",
        receiver: receiver({ script: "/form-post-worker.js" }) });
      return { status: auth.session.status };
    }`;
    const { page, told } = await byForm(`(${open})(${JSON.stringify(demo.options)})`);
    assert.deepEqual(told, { status: "signed_in" });
    assert.equal(await page.evaluate((api) => auth.fetch(`${api}me`).then(({ status }) => status), demo.api), 200);
    // A reload sends nothing again.
    await page.reload();
    await page.waitForFunction(() => window.tokenkeep !== undefined);
    assert.equal(await page.evaluate(() => location.hash + location.search), "");
    await page.context().close();
  });
}

test("signs in by a form that a server receives", async () => {
  const page = await visit();
  const rest = site.answers["*"];
  site.answers["/callback"] = (request, response) =>
    receiveFormPost(request, response, () => response.writeHead(200, { "Content-Type": "text/html" }).end(rest));
  const options = { ...demo.options, responseMode: "form_post", formPostReceiver: true, keep: "page" };
  assert.equal(await open(page, options), "signed_out");
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL((url) => url.pathname === "/callback");
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, options), "signed_in");
  assert.equal(await page.evaluate(() => location.pathname + location.search + location.hash), "/");
  delete site.answers["/callback"];
  await page.context().close();
});

for (const keep of ["shared", "page"]) {
  test(`an API gets a token that was exchanged for the session's, keep: ${keep}`, async () => {
    const orders = { url: `${demo.api}orders`, exchange: true, audience: demo.api, scopes: "orders:read" };
    const { page, sent } = await signIn({ ...demo.options, api: [demo.api, orders], keep });
    const [mine, theirs] = await page.evaluate(
      (api) => Promise.all(["me", "orders"].map((path) => auth.fetch(api + path).then(({ status }) => status))),
      demo.api,
    );
    assert.deepEqual([mine, theirs], [200, 200]);
    const asked = sent.filter(({ url }) => url.pathname === "/token").map(({ body }) => new URLSearchParams(body));
    const exchanges = asked.filter((form) => form.get("grant_type") === "urn:ietf:params:oauth:grant-type:token-exchange");
    if (keep === "page") {
      assert.deepEqual(exchanges.map((form) => form.get("audience")), [demo.api]);
    }
    await page.context().close();
  });
}

test("finds out who the user is, and asks for no token", async () => {
  const open = `async ({ issuer, clientId }) => {
    const { open } = await import("/tokenkeep/form-post.js");
    window.auth = await open({ issuer, clientId, script: "/form-post-worker.js" });
    const { claims, error, returnTo } = auth;
    return claims ? { name: claims.name, returnTo } : error ? { ...error } : { status: "signed_out" };
  }`;
  const { page, seen, told } = await byForm(`(${open})(${JSON.stringify(demo.options)})`);
  assert.deepEqual(told, { name: "Alice Archer", returnTo: "/" });
  assert.ok(!seen.some(({ url }) => url.pathname === "/token"));
  const asked = seen.find(({ url }) => url.pathname === "/auth").url.searchParams;
  assert.deepEqual([asked.get("response_type"), asked.get("response_mode"), asked.get("code_challenge")], ["id_token", "form_post", null]);
  // It was said once, and is nowhere.
  await page.reload();
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.deepEqual(await page.evaluate(`(${open})(${JSON.stringify(demo.options)})`), { status: "signed_out" });
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.ok(!/nonce|verifier|alice/i.test(stored), stored);
  await page.context().close();
});

test("leaves for nobody when nothing receives the form", async () => {
  const page = await visit();
  const refused = await page.evaluate(async (options) => {
    const { receiver } = await import("/tokenkeep/form-post.js");
    const auth = await tokenkeep.open({ ...options, responseMode: "form_post", keep: "page", receiver: receiver({ script: "/nowhere/sw.js" }) });
    return auth.signIn().then(() => "left", ({ code, kind }) => ({ code, kind }));
  }, demo.options);
  assert.deepEqual(refused, { code: "form_post_receiver_missing", kind: "misconfigured" });
  assert.equal(new URL(page.url()).origin, site.origin);
  await page.context().close();
});
