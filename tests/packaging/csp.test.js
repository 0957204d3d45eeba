// A page whose Content Security Policy is the README's, with the demo's addresses.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { openChromium } from "./lib/chromium.js";
import { answerProvider, startDemo } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";
import { PACKAGE, serve } from "./lib/site.js";

const guard = await readFile(GUARD, "utf8");
const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
const [, written] = /^```http\nContent-Security-Policy:\n([^`]+)\n```$/m.exec(readme);

const site = await serve({
  answers: {
    "*": `<!doctype html><title>app</title><script>${guard}</script><script type="module" src="/app.js"></script>`,
    "/app.js": 'import * as tokenkeep from "/tokenkeep/index.js"; window.tokenkeep = tokenkeep;',
  },
  files: { "/tokenkeep/": PACKAGE },
});
const demo = await startDemo(site.origin);
const browser = await openChromium();

const policy = written
  .replaceAll("https://login.example.com", demo.issuer)
  .replaceAll("https://api.example.com", demo.api.slice(0, -1))
  .replaceAll(/\s+/g, " ");

const { resource, ...withoutRefreshToken } = { ...demo.options, scopes: "openid profile" };

/** What a worker's policy stops, no page is told. */
const inPage = { ...demo.options, keep: "page" };

/** A new visitor's page under a policy, and what its policy and its frames' have stopped. */
async function visit(policy) {
  site.headers = { "Content-Security-Policy": policy };
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
      return error.code;
    }
  }, options);
}

async function signIn(page, options) {
  assert.equal(await open(page, options), "signed_out");
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

test("with a refresh token: signs in, calls, renews and signs out", async () => {
  const { page, stopped } = await visit(policy);
  await signIn(page, demo.options);
  assert.equal(await renew(page), "refresh_token");
  assert.equal(await page.evaluate(async (url) => (await auth.fetch(url)).status, `${demo.api}me`), 200);
  await signOut(page, demo.options);
  assert.deepEqual(await whatWasStopped(page, stopped), []);
  await page.context().close();
});

test("without one: renews in a hidden frame", async () => {
  const { page, stopped } = await visit(policy);
  await signIn(page, withoutRefreshToken);
  assert.equal(await renew(page), "frame");
  await signOut(page, withoutRefreshToken);
  assert.deepEqual(await whatWasStopped(page, stopped), []);
  await page.context().close();
});

test("with idTokenHint: leaves for the provider by a form", async () => {
  const options = { ...demo.options, idTokenHint: true };
  const { page, stopped } = await visit(policy);
  await signIn(page, options);
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

// Every part is needed: without one, this is stopped, and `open` says so.
for (const [name, part, instead, what, outcome] of [
  ["'wasm-unsafe-eval'", " 'wasm-unsafe-eval'", "", "script-src wasm-eval", "wasm_unavailable"],
  ["the guard's digest", / 'sha256-[^']+'/, "", "script-src-elem inline", "signed_out"],
  [
    "the app itself in connect-src",
    "connect-src 'self'",
    "connect-src",
    `connect-src ${site.origin}/tokenkeep/wasm/tokenkeep_bg.wasm`,
    "wasm_unavailable",
  ],
]) {
  test(`without ${name}`, async () => {
    const { page, stopped } = await visit(policy.replace(part, instead));
    assert.equal(await open(page, inPage), outcome);
    assert.deepEqual(await whatWasStopped(page, stopped), [what]);
    await page.context().close();
  });
}

test("with worker-src 'none' the keep is in the page, or nowhere", async () => {
  const { page, stopped } = await visit(policy.replace("worker-src 'self'", "worker-src 'none'"));
  assert.equal(await open(page, demo.options), "signed_out");
  assert.equal(await page.evaluate(() => auth.keep), "page");
  assert.equal(await open(page, { ...demo.options, keep: ["shared", "worker"] }), "keep_unavailable");
  assert.deepEqual([...new Set(stopped)], [`worker-src ${site.origin}/tokenkeep/wasm/keep.js`]);
  await page.context().close();
});

for (const keep of ["worker", "page"]) {
  test(`with the keep in a ${keep}`, async () => {
    const options = { ...demo.options, keep: [keep] };
    const { page, stopped } = await visit(policy);
    await signIn(page, options);
    assert.equal(await page.evaluate(() => auth.keep), keep);
    assert.equal(await renew(page), "refresh_token");
    await signOut(page, options);
    assert.deepEqual(await whatWasStopped(page, stopped), []);
    await page.context().close();
  });
}

test("without the provider in connect-src", async () => {
  const { page, stopped } = await visit(policy.replace(`connect-src 'self' ${demo.issuer}`, "connect-src 'self'"));
  await open(page, inPage);
  assert.equal(await page.evaluate(() => auth.signIn().catch((error) => error.code)), "unreachable");
  const seen = await whatWasStopped(page, stopped);
  assert.deepEqual([...new Set(seen)], [`connect-src ${demo.issuer}/.well-known/openid-configuration`]);
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
