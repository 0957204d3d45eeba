// Tokens that are bound to a key, at the demo's provider and API: both verify every proof, and each wants its own nonce.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { open, startApp } from "./lib/app.js";
import { answerProvider } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";

const { site, demo, visit } = await startApp();
// What a page sends can be seen; what a worker sends, see keep.test.js.
const options = { ...demo.options, dpop: true, keep: "page" };
// In a hidden frame the page says what the provider answered.
site.answers["*"] = `<script>${await readFile(GUARD, "utf8")}</script>${site.answers["*"]}`;
const page = await visit();
const sent = [];
page.context().on("request", (request) => sent.push({ url: request.url(), status: request.response(), ...request.headers() }));

/** The requests since this was last asked that carried a proof: where to, how they were answered, and what the proof said. */
async function proved() {
  const proofs = sent.splice(0).filter(({ dpop }) => dpop);
  return Promise.all(
    proofs.map(async ({ url, status, dpop, authorization }) => {
      const [header, claims] = dpop.split(".").slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
      return { path: new URL(url).pathname, status: (await status).status(), header, claims, scheme: authorization?.split(" ")[0] };
    }),
  );
}

const summary = (proofs) => proofs.map(({ path, status, scheme }) => [path, status, scheme].filter(Boolean).join(" "));

test("signs in, with a nonce that the provider asks for", async () => {
  assert.equal(await open(page, options), "signed_out");
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL((url) => url.pathname === "/callback");
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, options), "signed_in");
  // The page was left, and the key that was there before with it.
  assert.ok(sent.some(({ url }) => url.includes("code_challenge=")) && !sent.some(({ url }) => url.includes("dpop_jkt")));
  const proofs = await proved();
  assert.deepEqual(summary(proofs), ["/token 400", "/token 200"]);
  assert.deepEqual(Object.keys(proofs[0].header.jwk).sort(), ["crv", "kty", "x", "y"]);
  assert.deepEqual(proofs.map(({ claims }) => typeof claims.nonce), ["undefined", "string"]);
});

test("calls an API, with a nonce that the API asks for", async () => {
  const told = await page.evaluate(async (api) => {
    const [me, orders] = [await auth.fetch(`${api}me?a=1#b`), await auth.fetch(new Request(`${api}orders`))];
    return [me.status, (await me.json()).sub, orders.status, (await orders.json()).orders.length];
  }, demo.api);
  assert.deepEqual(told, [200, "user-1001", 200, 3]);
  const proofs = await proved();
  assert.deepEqual(summary(proofs), ["/me 401 DPoP", "/me 200 DPoP", "/orders 200 DPoP"]);
  const [asked, again, next] = proofs.map(({ claims }) => claims);
  assert.deepEqual([asked.htm, asked.htu, asked.nonce], ["GET", `${demo.api}me`, undefined]);
  assert.equal(again.nonce, next.nonce);
  assert.equal(new Set(proofs.map(({ claims }) => claims.jti)).size, 3);
});

test("renews, and tells no other tab of its tokens", async () => {
  const other = await visit("/", { context: page.context() });
  await page.evaluate(async () => {
    const before = auth.session;
    while (auth.session === before) {
      await auth.renew();
      await new Promise(requestAnimationFrame);
    }
  });
  assert.equal(await page.evaluate(() => auth.session.renewedBy), "refresh_token");
  const proofs = await proved();
  assert.deepEqual(summary(proofs), ["/token 200"]);
  // The other one is signed in by the provider, in a frame, with a key of its own that its code was bound to.
  assert.equal(await open(other, options), "signed_in");
  assert.equal(await other.evaluate(() => auth.session.renewedBy), "frame");
  assert.ok(sent.some(({ url }) => url.includes("prompt=none") && url.includes("dpop_jkt=")));
  const theirs = await proved();
  assert.notDeepEqual(theirs[0].header.jwk, proofs[0].header.jwk);
  for (const tab of [page, other]) {
    assert.equal(await tab.evaluate(async (api) => (await auth.fetch(`${api}me`)).status, demo.api), 200);
  }
  // Signing out reaches both.
  await other.evaluate(() => auth.signOut({ local: true }));
  await page.waitForFunction(() => auth.session.status === "signed_out");
  await other.close();
});
