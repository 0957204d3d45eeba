// Limits: what the user does in one tab counts in all, and nobody there is the end in all. With the keep in a worker and in the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, startAppWith } from "./lib/app.js";

const { site, demo, visit, signedIn } = await startAppWith("session.js");

const told = (page, type) => page.waitForFunction((type) => told.includes(type), type);
const forget = (page) => page.evaluate(() => void (told.length = 0));

/** Notes what the page is told. */
function listen(page) {
  return page.evaluate(() => {
    window.told = [];
    auth.on("*", ({ type, reason }) => told.push(reason ?? type));
  });
}

/** The user moves the pointer, to another place each time. */
let place = 0;
async function move(page) {
  await page.mouse.move(10 + (place++ % 50), 10);
  await page.mouse.move(100 + (place++ % 50), 100);
}

for (const keep of ["shared", "page"]) {
  const limits = { idleLimitSeconds: 9, idleWarningSeconds: 6, sessionLimitSeconds: 3600 };
  const options = { ...demo.options, keep: [keep], ...limits };

  test(`keep ${keep}: who is active in one tab keeps both, and nobody there ends both`, async () => {
    const page = await signedIn(options);
    const other = await visit("/", { context: page.context() });
    assert.equal(await open(other, options), "signed_in");
    await Promise.all([page, other].map(listen));
    // Longer than the limit in all.
    const press = (page) => page.keyboard.press("a");
    const say = (page) => page.evaluate(() => auth.stayActive());
    for (const [active, by] of [[page, move], [other, move], [page, press], [other, say]]) {
      await Promise.all([page, other].map((page) => told(page, "idle_soon")));
      await active.bringToFront();
      await by(active);
      await Promise.all([page, other].map((page) => told(page, "active")));
      await Promise.all([page, other].map(forget));
    }
    const requests = [];
    page.context().on("request", (request) => requests.push(request.url()));
    await Promise.all([page, other].map((page) => told(page, "idle")));
    for (const tab of [page, other]) {
      assert.deepEqual(await tab.evaluate(() => [auth.session.status, told.filter((what) => what === "idle").length]), ["signed_out", 1]);
      assert.equal(await tab.evaluate((url) => auth.fetch(url).catch(({ code }) => code), `${demo.api}me`), "sign_in_needed");
      assert.equal(await tab.evaluate(() => auth.signedOutJustNow), true);
    }
    await Promise.race([page, other].map((page) => told(page, "revoked")));
    // Nor is anybody signed in again by a page that is loaded.
    const third = await visit("/", { context: page.context() });
    assert.equal(await open(third, options), "signed_out");
    assert.deepEqual(requests.filter((url) => url.includes("prompt=none")), []);
    const stored = await third.evaluate(() => JSON.stringify({ ...localStorage }));
    assert.doesNotMatch(stored, /\.active/);
    await page.context().close();
  });

  test(`keep ${keep}: an option that cannot work is refused by its name here`, async () => {
    const page = await visit();
    const tooLong = { ...options, idleWarningSeconds: 9 };
    assert.equal((await open(page, tooLong)).code, "idle_warning_too_long");
    const message = await page.evaluate((options) => tokenkeep.open(options).catch(({ message }) => message), tooLong);
    assert.match(message, /`idleWarning` must be shorter than `idleLimit`/);
    assert.equal((await open(page, { ...options, sessionLimitSeconds: 0 })).code, "limit_zero");
    await page.context().close();
  });

  test(`keep ${keep}: nobody listens to keys and pointers without a limit`, async () => {
    for (const [given, expected] of [
      [{ ...demo.options, keep: [keep], sessionLimitSeconds: 60 }, []],
      [options, ["keydown", "pointerdown", "pointermove", "touchmove", "wheel"]],
    ]) {
      const page = await visit();
      await page.evaluate(() => {
        window.listened = [];
        const { addEventListener } = EventTarget.prototype;
        EventTarget.prototype.addEventListener = function (type, heard, options) {
          if (/^(key|mouse|pointer|scroll|touch|wheel)/.test(type)) {
            listened.push(options?.passive === true ? type : `${type} is not passive`);
          }
          return addEventListener.call(this, type, heard, options);
        };
      });
      assert.equal(await open(page, given), "signed_out");
      assert.deepEqual(await page.evaluate(() => listened), expected);
      await page.context().close();
    }
  });
}

test("after a sleep beyond the limit the first thing that is done finds no token", async () => {
  const options = { ...demo.options, keep: ["page"], idleLimitSeconds: 900 };
  for (const first of ["fetch", "renew"]) {
    const page = await signedIn(options);
    const before = await page.evaluate(async (url) => (await auth.fetch(url)).status, `${demo.api}me`);
    assert.equal(before, 200);
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    // No timer of the page goes off for it.
    await page.evaluate(() => {
      const { now } = Date;
      Date.now = () => now() + 901_000;
    });
    const [code, status] = await page.evaluate(
      ([first, url]) => auth[first](url).then(() => "done", ({ code }) => code).then((code) => [code, auth.session.status]),
      [first, `${demo.api}me`],
    );
    assert.deepEqual([code, status], ["sign_in_needed", "signed_out"]);
    assert.deepEqual(requests.filter((url) => url.startsWith(demo.api) || url.endsWith("/token")), []);
    await page.context().close();
  }
});

test("a page that is loaded after the limit asks nobody, and one before it does", async () => {
  const options = { ...demo.options, keep: ["page"], idleLimitSeconds: 900 };
  for (const [later, asks] of [[600, true], [901, false]]) {
    const page = await signedIn(options);
    await page.goto(`${site.origin}/`);
    await page.waitForFunction(() => window.tokenkeep !== undefined);
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.evaluate((later) => {
      const { now } = Date;
      Date.now = () => now() + later * 1000;
    }, later);
    await open(page, options);
    assert.equal(requests.some((url) => url.includes("prompt=none")), asks, requests.join(" "));
    assert.equal(await page.evaluate(() => auth.signedOutJustNow), !asks);
    await page.context().close();
  }
});

test("a pointer that lies still is nobody, and what a script does is", async () => {
  const options = { ...demo.options, keep: ["page"], idleLimitSeconds: 900 };
  const page = await signedIn(options);
  const noted = () => page.evaluate(() => Object.entries(localStorage).find(([key]) => key.endsWith(".active"))?.[1]);
  const lies = () =>
    page.evaluate(() => {
      const { now } = Date;
      Date.now = () => now() + 60_000;
      dispatchEvent(new PointerEvent("pointermove", { screenX: 5, screenY: 5 }));
    });
  await lies();
  const before = await noted();
  await lies();
  assert.equal(await noted(), before);
  await page.evaluate(() => dispatchEvent(new PointerEvent("pointermove", { screenX: 6, screenY: 5 })));
  assert.notEqual(await noted(), before);
  await page.context().close();
});
