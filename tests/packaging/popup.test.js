// Sign-in in a window of its own, at the demo's provider, with and without a Cross-Origin-Opener-Policy there.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";

import { chromium } from "playwright-core";

import { open, startAppWith } from "./lib/app.js";
import { startDemoWith } from "./lib/demo.js";
import { PACKAGE, serve } from "./lib/site.js";

const { site, demo, browser, visit } = await startAppWith("session.js");
const severing = await startDemoWith({ TOKENKEEP_COOP: "1" }, site.origin, site.elsewhere);
const [html, script] = await Promise.all(["popup.html", "popup-callback.js"].map((name) => readFile(join(PACKAGE, name), "utf8")));
const STRICT = { "Content-Security-Policy": "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'" };
Object.assign(site.answers, { "/popup.html": html, "/popup-callback.js": script });
Object.assign(site.headersOf, { "/popup.html": { ...STRICT, "Cache-Control": "no-store" } });

const DONE = "You can close this window.";

/** A page with an `auth`, and all that its browser asks for. */
async function opened(options = demo.options, { context, clock = false } = {}) {
  context ??= await browser.newContext();
  const page = await context.newPage();
  clock && (await page.clock.install());
  await page.goto(`${site.origin}/`);
  const sent = [];
  context.on("request", (request) => sent.push({ url: new URL(request.url()), body: new URLSearchParams(request.postData() ?? "") }));
  await ready(page, options);
  const redeemed = () => sent.filter(({ body }) => body.get("grant_type") === "authorization_code").length;
  return { page, sent, redeemed };
}

async function ready(page, options) {
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  await page.evaluate(async () => void Object.assign(window, await import("/tokenkeep/popup.js")));
  return open(page, options);
}

/**
 * Calls, as a click does. What comes of it is in `outcomes`, in the order of the calls. What a click allows may have been used up before, as
 * it is some time after a click.
 */
function call(page, options = {}, { late = false } = {}) {
  return page.evaluate(([options, late]) => {
    late && window.open("about:blank").close();
    const [outcomes, giveUp] = [(window.outcomes ??= []), new AbortController()];
    const index = outcomes.push(undefined) - 1;
    window.giveUp = giveUp;
    const said = ({ name, code, kind, retryable, error }) => ({ name, code, kind, retryable, ...(error && { error }) });
    signInWithPopup(auth, { signal: giveUp.signal, ...options }).then(
      (session) => (outcomes[index] = session === auth.session ? session.status : "another session"),
      (why) => (outcomes[index] = why === giveUp.signal.reason ? "given up" : said(why)),
    );
  }, [options, late]);
}

/** The same, and the window that it opens. */
async function popUp(page, options) {
  const [popup] = await Promise.all([page.waitForEvent("popup"), call(page, options)]);
  return popup;
}

const outcome = async (page, index = 0) => (await page.waitForFunction((index) => window.outcomes[index], index)).jsonValue();
const status = (page) => page.evaluate(() => auth.session.status);
const me = (page, { api } = demo) => page.evaluate((api) => auth.fetch(`${api}me`).then(({ status }) => status), api);
const refusal = (code, kind = "interrupted", retryable = true) => ({ name: "AuthError", code, kind, retryable });

/** Answers the provider's questions. The window may close before the last click has ended. */
async function answer(popup, login = "alice") {
  await popup.fill("#login", login);
  await popup.fill("#password", `${login}-password`);
  await popup.click("button.main", { noWaitAfter: true });
  // What was allowed before is not asked again.
  const closed = (why) => assert.match(String(why), /closed/);
  await popup.click("button[value=allow]", { noWaitAfter: true }).catch(closed);
}

const gone = async (popup) => popup.isClosed() || popup.waitForEvent("close");

/** The `state` that a window was sent to the provider with, when it is there. */
async function stateOf(popup, sent) {
  await popup.waitForSelector("#login");
  return sent.findLast(({ url }) => url.searchParams.has("state")).url.searchParams.get("state");
}

/** Keeps the next window from handing over its response, and gives that. */
function withheld() {
  return new Promise((resolve) => {
    site.answers["/popup.html"] = (request, response) => {
      site.answers["/popup.html"] = html;
      response.writeHead(200, { "Content-Type": "text/html" }).end("<title>withheld</title>");
      resolve(site.origin + request.url);
    };
  });
}

/** Another page of the app says something on the channel of a sign-in. */
async function say(context, state, messages) {
  const other = await context.newPage();
  await other.goto(`${site.origin}/popup-callback.js`);
  await other.evaluate(([state, messages]) => {
    window.channel = new BroadcastChannel(`tokenkeep.popup.${state}`);
    messages.forEach((message) => channel.postMessage(message));
  }, [state, messages]);
  return other;
}

for (const keep of ["page", "shared"]) {
  for (const [coop, provider] of [["no COOP", demo], ["COOP same-origin", severing]]) {
    test(`signs in, and the page stays as it is: keep: ${keep}, ${coop}`, async () => {
      const { page, redeemed } = await opened({ ...provider.options, keep });
      await page.evaluate(() => (window.draft = "not lost"));
      const before = await page.evaluate(() => [history.length, location.href]);
      const popup = await popUp(page);
      await answer(popup);
      assert.equal(await outcome(page), "signed_in");
      assert.equal(await me(page, provider), 200);
      assert.equal(await page.evaluate(() => draft), "not lost");
      assert.deepEqual(await page.evaluate(() => [history.length, location.href]), before);
      await gone(popup);
      if (keep === "page") {
        assert.equal(redeemed(), 1);
      }
      // Nothing waits anywhere, and nothing secret is noted.
      const stored = await page.evaluate(async () => [
        { ...localStorage },
        { ...sessionStorage },
        (await indexedDB.databases()).map(({ name }) => name),
      ]);
      assert.ok(!/verifier|nonce|tokenkeep\.login|code/.test(JSON.stringify(stored.slice(0, 2))), JSON.stringify(stored));
      await page.context().close();
    });

    // pop-close
    test(`a window that a user closes is told of where that can be seen: keep: ${keep}, ${coop}`, async () => {
      const { page } = await opened({ ...provider.options, keep }, { clock: true });
      const popup = await popUp(page);
      await popup.waitForSelector("#login");
      if (provider === severing) {
        // It looks closed, and is not.
        await page.evaluate(() => (window.last = window.open));
        await page.clock.runFor(30_000);
        assert.deepEqual(await page.evaluate(() => outcomes), [undefined]);
        await answer(popup);
        assert.equal(await outcome(page), "signed_in");
      } else {
        await page.clock.runFor(1_000);
        await popup.close();
        await page.clock.runFor(1_500);
        assert.deepEqual(await outcome(page), refusal("popup_closed"));
        assert.equal(await status(page), "signed_out");
        await signsIn(page);
      }
      await page.context().close();
    });
  }

  for (const [options, response] of [
    [{ responseMode: "fragment" }, /#(?=.*\bcode=).*\bstate=/],
    [{ responseMode: "query.jwt" }, /\?response=[\w-]+\.[\w-]+\.[\w-]+$/],
    [{ responseMode: "fragment.jwt" }, /#response=[\w-]+\.[\w-]+\.[\w-]+$/],
    [{ responseType: "code id_token" }, /#(?=.*\bcode=).*\bid_token=/],
    [{ pushedAuthorizationRequests: true }, /\?(?=.*\bcode=).*\bstate=/],
  ]) {
    test(`signs in with ${JSON.stringify(options)}, keep: ${keep}`, async () => {
      const { page } = await opened({ ...demo.options, ...options, keep });
      // In a fragment it is seen by the page alone.
      const handed = page.evaluate(() => {
        const { BroadcastChannel: Channel } = window;
        return new Promise((resolve) => {
          window.BroadcastChannel = class extends Channel {
            set onmessage(hear) {
              super.onmessage = (event) => (typeof event.data === "string" && resolve(event.data), hear(event));
            }
          };
        });
      });
      const popup = await popUp(page);
      await answer(popup);
      assert.match(await handed, response);
      assert.equal(await outcome(page), "signed_in");
      assert.equal(await me(page), 200);
      await page.context().close();
    });
  }

  // pop-block, pop-gesture
  test(`without a window it says so at once, keep: ${keep}`, async () => {
    const strict = await blocking();
    const { page, sent } = await opened({ ...demo.options, keep }, { context: await strict.newContext() });
    const before = sent.length;
    await call(page, {}, { late: true });
    assert.deepEqual(await outcome(page), refusal("popup_blocked"));
    assert.deepEqual(await page.evaluate(() => [auth.session.status, auth.session.error.code]), ["failed", "popup_blocked"]);
    assert.equal(sent.length, before);
    assert.ok(!/tokenkeep\.login/.test(await page.evaluate(() => JSON.stringify({ ...localStorage }))));
    // The next click has a window, or leaves.
    await signsIn(page, 1);
    await page.evaluate(() => auth.signOut({ local: true }));
    await call(page, { otherwise: "redirect" }, { late: true });
    await page.waitForURL((url) => url.origin === demo.issuer || url.pathname === "/callback");
    await page.context().close();
  });

  test(`who gives up is not waited for, keep: ${keep}`, async () => {
    const { page, sent, redeemed } = await opened({ ...demo.options, keep });
    await page.evaluate(() => {
      window.early = signInWithPopup(auth, { signal: AbortSignal.abort("no") }).catch((why) => why);
    });
    assert.equal(await page.evaluate(() => early), "no");
    assert.equal(page.context().pages().length, 1);

    const popup = await popUp(page);
    const state = await stateOf(popup, sent);
    await page.evaluate(() => giveUp.abort());
    assert.equal(await outcome(page), "given up");
    await gone(popup);
    assert.equal(await status(page), "signed_out");
    // The response would be none.
    const other = await say(page.context(), state, [`${site.origin}/popup.html?code=x&state=${state}&iss=${encodeURIComponent(demo.issuer)}`]);
    await other.close();
    assert.equal(redeemed(), 0);
    await signsIn(page, 1);
    await page.context().close();
  });

  // pop-never
  test(`a window that stays at the provider is not waited for longer than a sign-in is good, keep: ${keep}`, async () => {
    const { page, redeemed } = await opened({ ...severing.options, keep }, { clock: true });
    const popup = await popUp(page);
    await popup.waitForSelector("#login");
    await page.clock.runFor(599_000);
    assert.deepEqual(await page.evaluate(() => outcomes), [undefined]);
    await page.clock.runFor(2_000);
    assert.deepEqual(await outcome(page), refusal("timed_out"));
    assert.equal(await page.evaluate(() => auth.session.error.code), "timed_out");
    // Nobody is there any more when it comes back.
    await answer(popup);
    await popup.waitForSelector(`text=${DONE}`);
    assert.equal(redeemed(), 0);
    assert.equal(popup.url(), `${site.origin}/popup.html`);
    await page.context().close();
  });

  // pop-super
  test(`the later of two calls counts, keep: ${keep}`, async () => {
    const { page, redeemed } = await opened({ ...demo.options, keep });
    const first = await popUp(page);
    await first.waitForSelector("#login");
    const second = await popUp(page);
    assert.deepEqual(await outcome(page), refusal("popup_superseded"));
    await gone(first);
    assert.notEqual(await status(page), "failed");
    await answer(second);
    assert.equal(await outcome(page, 1), "signed_in");
    if (keep === "page") {
      assert.equal(redeemed(), 1);
    }
    await page.context().close();
  });

  // pop-nolistener
  test(`a window whose page was loaded anew says that it is done, keep: ${keep}`, async () => {
    const options = { ...demo.options, keep };
    const { page, redeemed } = await opened(options);
    const popup = await popUp(page);
    await popup.waitForSelector("#login");
    await page.reload();
    assert.equal(await ready(page, options), "signed_out");
    await answer(popup);
    await popup.waitForSelector(`text=${DONE}`);
    assert.equal(popup.url(), `${site.origin}/popup.html`);
    const all = await popup.evaluate(() => [document.documentElement.outerHTML, JSON.stringify([{ ...localStorage }, { ...sessionStorage }])]);
    assert.ok(!/code=|state=|verifier/.test(all.join()), all.join());
    assert.equal(await status(page), "signed_out");
    assert.equal(redeemed(), 0);
    await signsIn(page);
    await page.context().close();
  });

  // pop-chan
  test(`of five tabs the one that asked gets the answer, keep: ${keep}`, async () => {
    const options = { ...demo.options, keep };
    const { page, redeemed } = await opened(options);
    const context = page.context();
    const others = [];
    for (let count = 0; count < 4; count++) {
      others.push((await opened(options, { context })).page);
    }
    const heard = () => (window.heard = []) && addEventListener("message", ({ data }) => window.heard.push(data));
    await Promise.all(others.map((other) => other.evaluate(heard)));
    const popup = await popUp(page);
    await answer(popup);
    assert.equal(await outcome(page), "signed_in");
    for (const other of others) {
      assert.deepEqual(await other.evaluate(() => [window.outcomes, window.heard]), [undefined, []]);
    }
    if (keep === "page") {
      // Each page counts what all do.
      assert.equal(redeemed(), 1);
    }
    await context.close();
  });

  // pop-twice
  test(`what is delivered twice is taken once, keep: ${keep}`, async () => {
    const { page, redeemed } = await opened({ ...demo.options, keep });
    const response = withheld();
    const popup = await popUp(page);
    await answer(popup);
    const address = await response;
    const state = new URL(address).searchParams.get("state");
  await say(page.context(), state, [address, address, address]);
    assert.equal(await outcome(page), "signed_in");
  await say(page.context(), state, [address]);
    assert.equal(await me(page), 200);
    if (keep === "page") {
      assert.equal(redeemed(), 1);
    }
    await page.context().close();
  });

  // pop-source
  test(`messages that are no response change nothing, keep: ${keep}`, async () => {
    const { page, sent } = await opened({ ...demo.options, keep });
    const popup = await popUp(page);
    const state = await stateOf(popup, sent);
    const good = `?code=mine&state=${state}&iss=${encodeURIComponent(demo.issuer)}`;
    const messages = [
      undefined, null, true, 1, {}, [], { state }, "", "x", "code=mine", good,
      `${site.origin}/callback${good}`, `${site.elsewhere}/popup.html${good}`, `${demo.issuer}/popup.html${good}`,
      `${site.origin}/popup.html?code=mine&state=another`, `${site.origin}/popup.html?code=mine`, `${site.origin}/popup.html`,
      `${site.origin}/popup.html?state=${state}&state=${state}&code=mine`, `${site.origin}/popup.html?code=mine&state=${"x".repeat(70_000)}`,
    ];
    await say(page.context(), state, messages);
    // From the provider's origin, from another window of ours, and from the page itself.
    const posted = [`${site.origin}/popup.html${good}`, { state, code: "mine" }];
    await popup.evaluate((posted) => posted.forEach((message) => window.opener?.postMessage(message, "*")), posted);
    await page.evaluate((posted) => posted.forEach((message) => window.postMessage(message, "*")), posted);
    assert.deepEqual(await page.evaluate(() => outcomes), [undefined]);
    await answer(popup);
    assert.equal(await outcome(page), "signed_in");
    await page.context().close();
  });

  test(`a response that is refused ends that sign-in, and nobody else's session, keep: ${keep}`, async () => {
    const { page, sent, redeemed } = await opened({ ...demo.options, keep });
    await signsIn(page);
    const before = redeemed();
    // Who is signed in at the provider is asked again.
    const popup = await popUp(page, { prompt: "login" });
    const state = await stateOf(popup, sent);
    await say(page.context(), state, [`${site.origin}/popup.html?code=mine&state=${state}&iss=https%3A%2F%2Felsewhere.example`]);
    assert.deepEqual(await outcome(page, 1), refusal("issuer_mismatch", "misbehaved", false));
    await gone(popup);

    const denied = await popUp(page, { prompt: "login" });
    await denied.waitForSelector("#login");
    await denied.click("button[value=deny]", { noWaitAfter: true });
    assert.deepEqual(await outcome(page, 2), { ...refusal("provider", "provider", false), error: "access_denied" });
    assert.deepEqual([await status(page), redeemed()], ["signed_in", before]);
    assert.equal(await me(page), 200);
    await page.context().close();
  });
}

test("a window that is closed before it is sent anywhere was closed by the user", async () => {
  const { page } = await opened({ ...demo.options, keep: "page" }, { clock: true });
  await page.context().route("**/.well-known/**", () => {});
  const popup = await popUp(page);
  await popup.close();
  await page.clock.runFor(300);
  assert.deepEqual(await outcome(page), refusal("popup_closed"));
  await page.context().close();
});

test("a call while the response is being redeemed is the same sign-in", async () => {
  const { page, redeemed } = await opened({ ...demo.options, keep: "page" });
  let go;
  await page.context().route("**/token", async (route) => {
    await new Promise((resolve) => (go = resolve));
    await route.continue();
  });
  const popup = await popUp(page);
  const asked = page.context().waitForEvent("request", (request) => request.url().endsWith("/token") && request.method() === "POST");
  await answer(popup);
  await asked;
  await call(page);
  // It is too late for that, too.
  await page.evaluate(() => giveUp.abort());
  go();
  assert.deepEqual([await outcome(page), await outcome(page, 1)], ["signed_in", "signed_in"]);
  assert.equal(redeemed(), 1);
  assert.equal(page.context().pages().filter((page) => !page.isClosed()).length, 1);
  await page.context().close();
});

// pop-name
test("the window is a new one, whatever others are called", async () => {
  const { page } = await opened({ ...demo.options, keep: "page" });
  const names = ["", "popup", "tokenkeep", "_blank", "tokenkeep.popup"];
  await page.evaluate((names) => {
    window.theirs = names.map((name) => window.open("about:blank", name));
    const { open } = window;
    window.open = (...args) => (window.ours = open(...args));
  }, names);
  const popup = await popUp(page);
  await popup.waitForSelector("#login");
  assert.equal(await page.evaluate(() => theirs.includes(ours)), false);
  assert.equal(await popup.evaluate(() => window.name), "");
  await page.context().close();
});

// pop-star
test("the page that the window comes back to tells its opener nothing, and shows nothing", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  for (const origin of [site.origin, site.elsewhere]) {
    await page.goto(`${origin}/`);
    await page.evaluate(() => (window.heard = []) && addEventListener("message", ({ data }) => heard.push(data)));
    const response = `${site.origin}/popup.html?code=c0de&state=5tate&iss=x#id_token=t0ken`;
    const [popup] = await Promise.all([page.waitForEvent("popup"), page.evaluate((url) => void window.open(url), response)]);
    await popup.waitForSelector(`text=${DONE}`);
    assert.equal(popup.url(), `${site.origin}/popup.html`);
    assert.equal(await popup.evaluate(() => history.length), 1);
    assert.ok(!/c0de|5tate|t0ken/.test(await popup.content()));
    assert.deepEqual(await page.evaluate(() => heard), []);
    await popup.close();
  }
  await context.close();
});

test("that page is small, and sends its address to nobody", async () => {
  assert.ok(script.length < 1024 && html.length < 1024, `${script.length} and ${html.length} bytes`);
  assert.ok(!/opener|parent|innerHTML|eval/.test(script));
  const asked = [];
  const own = await serve({
    answers: { "/popup.html": html, "/popup-callback.js": (request, response) => {
      asked.push(request.headers.referer);
      response.writeHead(200, { "Content-Type": "text/javascript" }).end(script);
    } },
  });
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${own.origin}/popup.html?code=c0de&state=5tate`);
  await page.waitForSelector(`text=${DONE}`);
  assert.deepEqual(asked, [undefined]);
  await page.context().close();
});

test("options that cannot work are refused by name, before there is a window", async () => {
  const { page } = await opened({ ...demo.options, keep: "page" });
  const told = await page.evaluate(async (options) => {
    const refused = (work) => work.then(() => "no", ({ code, option }) => [code, option]);
    return [
      await refused(signInWithPopup({})),
      await refused((await import("/tokenkeep/index.js")).open(options).then(signInWithPopup)),
      await refused(signInWithPopup(auth, { otherwise: "popup" })),
      await refused(signInWithPopup(auth, { signal: {} })),
      await refused(signInWithPopup(auth, { login_hint: "alice" })),
    ];
  }, { ...demo.options, keep: "page" });
  const another = ["session_entry_missing", undefined];
  assert.deepEqual(told, [another, another, ["option_type", "otherwise"], ["option_type", "signal"], ["option_unknown", "login_hint"]]);
  assert.deepEqual((await open(page, { ...demo.options, popupRedirectUri: "https://elsewhere.example/popup.html" })).code, "redirect_uri_malformed");
  await page.context().close();
});

test("where there is no page it says so", async () => {
  const { open } = await import("tokenkeep/session");
  const { signInWithPopup } = await import("tokenkeep/popup");
  await assert.rejects(signInWithPopup(await open(demo.options)), { code: "no_window" });
});

/** Nothing is left of what went wrong before. */
async function signsIn(page, index) {
  index ??= await page.evaluate(() => window.outcomes?.length ?? 0);
  const popup = await popUp(page, { prompt: "login" });
  await answer(popup);
  assert.equal(await outcome(page, index), "signed_in");
  assert.equal(await me(page), 200);
}

let strict;
after(() => strict?.close());
/** A browser that opens windows in clicks only. */
async function blocking() {
  if (strict === undefined) {
    strict = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu"],
      ignoreDefaultArgs: ["--disable-popup-blocking"],
    });
  }
  return strict;
}
