// An API that wants a second step of the user (RFC 9470): what waits for it, who says yes or no, and what is sent once more. At the demo's
// provider and API.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, startAppWith } from "./lib/app.js";

const { site, demo, visit, signedIn } = await startAppWith("session.js");
const WANTED = { requiredAcr: ["urn:tokenkeep:mfa"], maxAgeSeconds: 300 };
const settings = (keep) => ({ ...demo.options, stepUp: true, keep: [keep] });

/** Two transfers that begin, and all that is told. What comes of them is in `outcomes`. */
async function begin(page, orders = ["2026-0117", "2026-0164"]) {
  await page.evaluate(
    ([api, orders]) => {
      window.told = [];
      window.outcomes = {};
      window.giveUp = new AbortController();
      auth.on("*", (event) => told.push(event));
      window.transfer = async (order, init) => {
        try {
          const body = JSON.stringify({ order, to: "bob" });
          const headers = { "Content-Type": "application/json" };
          const answer = await auth.fetch(`${api}orders/transfer`, { method: "POST", headers, body, ...init });
          outcomes[order] = [answer.status, await answer.json()];
        } catch (why) {
          outcomes[order] = why instanceof DOMException ? why.name : why.code;
        }
      };
      orders.forEach((order) => void transfer(order));
    },
    [demo.api, orders],
  );
  if (orders.length > 0) {
    await page.waitForFunction(() => auth.stepUp !== undefined);
  }
}

const asked = (page) => page.evaluate(() => told.filter(({ type }) => type === "step_up_needed").map(({ signIn }) => signIn));
const outcomes = (page) => page.evaluate(() => outcomes);
const me = (page) => page.evaluate(async (api) => (await auth.fetch(`${api}me`)).status, demo.api);

/** The user takes the second step in a page that was sent to the provider. */
async function takeStep(page, code = "246810") {
  await page.fill("#code", code);
  await page.click("button.main");
}

/** A page that is back from the provider, with an `auth`. */
async function back(page, options) {
  await page.waitForURL((url) => url.pathname === "/callback");
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  return open(page, options);
}

test("two calls wait, others go on, and a second tab takes the step for them", async () => {
  const options = settings("shared");
  const page = await signedIn(options);
  await begin(page);
  assert.deepEqual(await page.evaluate(() => auth.stepUp), WANTED);
  assert.equal(await me(page), 200);
  assert.deepEqual(await outcomes(page), {});

  // A tab that comes later is told what is open.
  const other = await visit("/other", { context: page.context() });
  assert.equal(await open(other, options), "signed_in");
  await other.waitForFunction(() => auth.stepUp !== undefined);
  assert.deepEqual(await other.evaluate(() => auth.stepUp), WANTED);
  await other.evaluate(() => void auth.signIn(auth.stepUp));
  await other.waitForURL((url) => url.origin === demo.issuer);
  await takeStep(other, "1");
  assert.match(await other.textContent("[role=alert]"), /not the code/);
  assert.deepEqual(await outcomes(page), {});
  await takeStep(other);
  assert.equal(await back(other, options), "signed_in");

  await page.waitForFunction(() => Object.keys(outcomes).length === 2);
  const done = await outcomes(page);
  for (const order of ["2026-0117", "2026-0164"]) {
    assert.equal(done[order][0], 200);
    assert.deepEqual([done[order][1].transferred, done[order][1].acr], [order, "urn:tokenkeep:mfa"]);
  }
  assert.deepEqual(await asked(page), [WANTED]);
  assert.deepEqual(await page.evaluate(() => [auth.stepUp, auth.session.claims.acr]), [undefined, "urn:tokenkeep:mfa"]);
  assert.equal(await page.evaluate(() => told.filter(({ type }) => type === "step_up_settled").length), 1);
  // The next one need not ask.
  await page.evaluate(() => transfer("2026-0171"));
  assert.equal((await outcomes(page))["2026-0171"][0], 200);
  await page.context().close();
});

test("a redirect takes the page and what waits in it, and the calls go through when it is back", async () => {
  const options = settings("page");
  const page = await signedIn(options);
  await begin(page);
  assert.equal(await me(page), 200);
  await page.evaluate(() => void auth.signIn({ ...auth.stepUp, returnTo: "/transfer" }));
  await page.waitForURL((url) => url.origin === demo.issuer);
  await takeStep(page);
  assert.equal(await back(page, options), "signed_in");
  assert.equal(new URL(page.url()).pathname, "/transfer");
  assert.deepEqual(await page.evaluate(() => [auth.stepUp, auth.session.claims.acr]), [undefined, "urn:tokenkeep:mfa"]);
  const answer = await page.evaluate(async (api) => {
    const body = JSON.stringify({ order: "2026-0117", to: "bob" });
    return (await auth.fetch(`${api}orders/transfer`, { method: "POST", body })).status;
  }, demo.api);
  assert.equal(answer, 200);
  await page.context().close();
});

for (const keep of ["shared", "worker", "page"]) {
  test(`who declines gets the answers that came, keep: ${keep}`, async () => {
    const page = await signedIn(settings(keep));
    await begin(page);
    await page.evaluate(() => auth.declineStepUp());
    await page.waitForFunction(() => Object.keys(outcomes).length === 2);
    for (const [status, body] of Object.values(await outcomes(page))) {
      assert.deepEqual([status, body.error], [401, "insufficient_user_authentication"]);
    }
    assert.equal(await page.evaluate(() => auth.stepUp), undefined);
    assert.deepEqual([await asked(page), await me(page)], [[WANTED], 200]);
    await page.context().close();
  });

  test(`a call that is aborted waits no more, and the last one takes the question along, keep: ${keep}`, async () => {
    const page = await signedIn(settings(keep));
    await begin(page, []);
    await page.evaluate(() => {
      void transfer("2026-0117", { signal: giveUp.signal });
      void transfer("2026-0164", { signal: giveUp.signal });
    });
    await page.waitForFunction(() => auth.stepUp !== undefined);
    await page.evaluate(() => giveUp.abort());
    await page.waitForFunction(() => auth.stepUp === undefined);
    assert.deepEqual(await outcomes(page), { "2026-0117": "AbortError", "2026-0164": "AbortError" });
    assert.equal(await me(page), 200);
    await page.context().close();
  });

  test(`without the option the 401 is the answer, keep: ${keep}`, async () => {
    const page = await signedIn({ ...settings(keep), stepUp: undefined });
    const status = await page.evaluate(async (api) => {
      window.told = [];
      auth.on("*", ({ type }) => told.push(type));
      const answer = await auth.fetch(`${api}orders/transfer`, { method: "POST", body: "{}" });
      return [answer.status, /max_age="300"/.test(answer.headers.get("www-authenticate")), auth.stepUp, told.includes("renewed")];
    }, demo.api);
    assert.deepEqual(status, [401, true, undefined, false]);
    await page.context().close();
  });
}

test("a page that is gone takes its calls along, and the question with them", async () => {
  const options = settings("shared");
  const page = await signedIn(options);
  const other = await visit("/other", { context: page.context() });
  assert.equal(await open(other, options), "signed_in");
  await begin(page);
  await other.waitForFunction(() => auth.stepUp !== undefined);
  await page.goto(`${site.origin}/elsewhere`);
  await other.waitForFunction(() => auth.stepUp === undefined);
  // Its own are not given up with those of others.
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, options), "signed_in");
  await begin(other, ["2026-0171"]);
  await page.waitForFunction(() => auth.stepUp !== undefined);
  await page.goto(`${site.origin}/elsewhere`);
  assert.deepEqual([await outcomes(other), await other.evaluate(() => auth.stepUp)], [{}, WANTED]);
  await page.context().close();
});

test("the end of a session is the end of what waits, in all pages", async () => {
  const options = settings("shared");
  const page = await signedIn(options);
  const other = await visit("/other", { context: page.context() });
  assert.equal(await open(other, options), "signed_in");
  await begin(page);
  await other.evaluate(() => auth.signOut({ local: true }));
  await page.waitForFunction(() => Object.keys(outcomes).length === 2);
  assert.deepEqual(Object.values(await outcomes(page)), ["sign_in_needed", "sign_in_needed"]);
  assert.equal(await page.evaluate(() => auth.stepUp), undefined);
  await page.context().close();
});

test("an API that is never content is an error", async () => {
  const options = { ...settings("shared"), api: `${site.origin}/api/` };
  let count = 0;
  site.answers["/api/never"] = (_request, response) => {
    count += 1;
    const field = 'Bearer error="insufficient_user_authentication", acr_values="urn:tokenkeep:mfa", max_age=abc';
    response.writeHead(401, { "WWW-Authenticate": field }).end();
  };
  const page = await signedIn(options);
  await page.evaluate(() => {
    window.outcomes = {};
    void auth.fetch("/api/never").catch(({ code }) => (outcomes.never = code));
  });
  await page.waitForFunction(() => auth.stepUp !== undefined);
  assert.deepEqual(await page.evaluate(() => auth.stepUp), { requiredAcr: ["urn:tokenkeep:mfa"] });
  const other = await visit("/other", { context: page.context() });
  await open(other, options);
  await other.waitForFunction(() => auth.stepUp !== undefined);
  await other.evaluate(() => void auth.signIn(auth.stepUp));
  await other.waitForURL((url) => url.origin === demo.issuer);
  await takeStep(other);
  await back(other, options);
  await page.waitForFunction(() => outcomes.never !== undefined);
  assert.deepEqual([await outcomes(page), count], [{ never: "step_up_loop" }, 2]);
  assert.equal(await page.evaluate(() => auth.fetch("/api/never").catch(({ code }) => code)), "step_up_loop");
  assert.equal(count, 3);
  await page.context().close();
});
