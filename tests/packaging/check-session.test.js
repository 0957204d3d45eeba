// The session at the provider, watched by its frame, and a sign-in that the provider's page begins.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { open, startAppWith } from "./lib/app.js";
import { answerProvider } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";

const { site, demo, visit, ...app } = await startAppWith("session.js");
const FRAME = `${demo.issuer}/session/check`;
const own = { ...demo.options, scopes: "openid profile offline_access orders:read" };

/** A page with an `auth` that signed in, of an app that has the guard in its pages: in a hidden frame it hands the answer on. */
async function signedIn(options) {
  const page = await app.signedIn(options);
  await page.context().addInitScript({ path: GUARD });
  return page;
}

/** Watches in a page. What it tells is in `told`, what its frame is asked and answers in `said`. */
function watch(page) {
  return page.evaluate(async (origin) => {
    const { monitorSession } = await import("/tokenkeep/check-session.js");
    window.told = [];
    window.said = [];
    auth.on("*", ({ type, reason }) => told.push(reason === undefined ? type : `${type} ${reason}`));
    addEventListener("message", (event) => event.origin === origin && said.push(event.data));
    window.stop = monitorSession(auth);
  }, demo.issuer);
}

/** Every silent question that a page asks the provider in a frame. */
function questions(context) {
  const asked = [];
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin === demo.issuer && url.pathname === "/auth" && url.searchParams.get("prompt") === "none") {
      asked.push(url.searchParams);
    }
  });
  return asked;
}

const hears = (page, what, times = 1) =>
  page.waitForFunction(([what, times]) => said.filter((said) => said === what).length >= times, [what, times]);
const isTold = (page, what) => page.waitForFunction((what) => told.includes(what), what);
const status = (page) => page.evaluate(() => auth.session.status);

/** The provider's frame is this page instead. `posts` is called with what it is asked, and `post` posts an answer. */
function replaceFrame(context, posts) {
  const script = `const post = (answer) => parent.postMessage(answer, "*"); addEventListener("message", ({ data }) => (${posts})(data))`;
  return context.route(FRAME, (route) => route.fulfill({ contentType: "text/html", body: `<!doctype html><script>${script}</script>` }));
}

/** The user does something in another tab, at the provider. */
async function atProvider(page, url, login) {
  const tab = await page.context().newPage();
  await tab.goto(url);
  if (login === undefined) {
    await tab.click("#sign-out");
    await tab.waitForURL(`${demo.issuer}/session/end/success*`);
  } else {
    await tab.fill("#login", login);
    await tab.fill("#password", `${login}-password`);
    await tab.click("button.main");
    if (login !== "alice") {
      // Who has not been asked before.
      await tab.click("button[value=allow]");
    }
    await tab.waitForURL(`${site.origin}/callback*`);
  }
  await tab.close();
}

const challenge = randomBytes(32).toString("base64url");
const anotherUser = `${demo.issuer}/auth?${new URLSearchParams({
  response_type: "code",
  client_id: "tokenkeep-demo",
  redirect_uri: `${site.origin}/callback`,
  scope: "openid",
  prompt: "login",
  code_challenge: challenge,
  code_challenge_method: "S256",
})}`;

for (const keep of ["page", "shared"]) {
  const options = { ...own, keep: [keep] };

  test(`${keep}: who signs out at the provider in another tab is signed out here, in all tabs, by one question`, async () => {
    const page = await signedIn(options);
    const asked = questions(page.context());
    await watch(page);
    await hears(page, "unchanged", 2);
    const other = await visit("/other", { context: page.context() });
    assert.equal(await open(other, options), "signed_in");
    asked.length = 0;
    await watch(other);
    await hears(other, "unchanged");
    assert.deepEqual([asked.length, await page.evaluate(() => told), await other.evaluate(() => told)], [0, [], []]);

    await atProvider(page, `${demo.issuer}/session/end`);
    for (const tab of [page, other]) {
      await tab.waitForFunction(() => auth.session.status === "signed_out");
    }
    const told = (await Promise.all([page, other].map((tab) => tab.evaluate(() => told)))).flat();
    assert.ok(told.includes("session_changed") && told.includes("ended signed_out_at_provider"), told.join());
    assert.equal(asked.length, 1);
    assert.equal(asked[0].get("id_token_hint").split(".").length, 3);
    // Nothing is left of the watching.
    for (const tab of [page, other]) {
      await tab.waitForFunction(() => document.querySelector("iframe") === null);
    }
    await page.reload();
    await page.waitForFunction(() => window.tokenkeep !== undefined);
    assert.equal(await open(page, options), "signed_out");
    await page.context().close();
  });

  test(`${keep}: another user at the provider ends the session here`, async () => {
    const page = await signedIn(options);
    await watch(page);
    await hears(page, "unchanged");
    await atProvider(page, anotherUser, "bob");
    await page.waitForFunction(() => auth.session.status === "signed_out");
    const told = await page.evaluate(() => window.told);
    assert.ok(told.includes("session_changed") && told.some((what) => /^ended (signed_out_at_provider|user_changed)$/.test(what)), told.join());
    await page.context().close();
  });

  test(`${keep}: the same user, who signed in again, goes on`, async () => {
    const page = await signedIn(options);
    const asked = questions(page.context());
    await watch(page);
    await hears(page, "unchanged");
    // The provider tells sign-ins of one user apart by the second.
    await page.waitForFunction(() => Math.floor(Date.now() / 1000) > auth.session.claims.auth_time);
    await atProvider(page, anotherUser, "alice");
    await isTold(page, "renewed");
    await page.evaluate(() => (said.length = 0));
    await hears(page, "unchanged");
    assert.deepEqual([await status(page), asked.length], ["signed_in", 1]);
    const { ok } = await page.evaluate(async (url) => ({ ok: (await auth.fetch(url)).ok }), `${demo.api}me`);
    assert.ok(ok);
    await page.context().close();
  });

  // lo-cserror
  test(`${keep}: an error of the frame stops the watching, and the session goes on`, async () => {
    const page = await signedIn(options);
    const asked = questions(page.context());
    await replaceFrame(page.context(), `() => post("error")`);
    await watch(page);
    await isTold(page, "session_monitor_stopped error");
    await page.waitForFunction(() => document.querySelector("iframe") === null);
    assert.deepEqual([asked.length, await status(page), await page.evaluate(() => told)], [0, "signed_in", ["session_monitor_stopped error"]]);
    await page.context().close();
  });

  // lo-csspam
  test(`${keep}: a frame that always says changed is asked no more after three questions`, async () => {
    const page = await signedIn(options);
    const asked = questions(page.context());
    await replaceFrame(page.context(), `() => { for (let i = 0; i < 50; i++) post("changed") }`);
    await watch(page);
    await isTold(page, "session_monitor_stopped always_changed");
    assert.deepEqual([asked.length, await status(page)], [3, "signed_in"]);
    await page.waitForFunction(() => document.querySelector("iframe") === null);
    await page.context().close();
  });
}

// lo-csmsg
test("what is not exactly the frame's answer to a question is no answer", async () => {
  const page = await signedIn({ ...own, keep: ["page"] });
  const asked = questions(page.context());
  // Everything but an answer, and then the right one.
  const hostile = `["Changed", "changed ", " changed", "CHANGED", "changed\\n", "", ["changed"], { data: "changed" }, new String("changed"), 1, null, true]`;
  await replaceFrame(page.context(), `() => { ${hostile}.forEach((answer) => post(answer)); post("unchanged") }`);
  await page.evaluate(() => {
    // Other windows of this and of another origin, and nobody at all.
    window.pester = () => {
      postMessage("changed", "*");
      postMessage("error", "*");
      const { port1, port2 } = new MessageChannel();
      port1.postMessage("changed", [port2]);
      dispatchEvent(new MessageEvent("message", { data: "changed", origin: location.origin }));
      dispatchEvent(new MessageEvent("message", { data: "error", origin: "null" }));
    };
    window.pestering = setInterval(pester, 50);
  });
  const stranger = await page.evaluate((url) => {
    const frame = document.createElement("iframe");
    frame.srcdoc = `<script>setInterval(() => { parent.postMessage("changed", "*"); parent.postMessage("error", "*") }, 50)</script>`;
    document.body.append(frame);
    const same = document.createElement("iframe");
    same.src = url;
    document.body.append(same);
    return frame.srcdoc.length > 0;
  }, `${demo.issuer}/elsewhere`);
  assert.ok(stranger);
  await watch(page);
  await hears(page, "unchanged", 3);
  assert.deepEqual([asked.length, await status(page), await page.evaluate(() => told)], [0, "signed_in", []]);
  await page.context().close();
});

// lo-csmsg
test("another frame of the provider is not the one that is asked, and an answer without a question is none", async () => {
  const page = await signedIn({ ...own, keep: ["page"] });
  const asked = questions(page.context());
  await page.context().route(`${demo.issuer}/elsewhere`, (route) =>
    route.fulfill({ contentType: "text/html", body: `<script>setInterval(() => parent.postMessage("changed", "*"), 50)</script>` }),
  );
  await page.evaluate((url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
  }, `${demo.issuer}/elsewhere`);
  // It says `changed` a moment after each answer, when nobody asked.
  await replaceFrame(page.context(), `() => { post("unchanged"); setTimeout(post, 50, "changed"); setTimeout(post, 100, "error") }`);
  await watch(page);
  await hears(page, "error", 2);
  assert.deepEqual([asked.length, await status(page), await page.evaluate(() => told)], [0, "signed_in", []]);
  await page.context().close();
});

// lo-csmsg
test("a frame that went to another origin is asked nothing, and says nothing", async () => {
  const page = await signedIn({ ...own, keep: ["page"] });
  const asked = questions(page.context());
  const hostile = `<script>
    addEventListener("message", ({ data }) => parent.postMessage("heard " + data, "*"));
    setInterval(() => parent.postMessage("changed", "*"), 50);
  </script>`;
  await page.context().route("https://hostile.example/", (route) => route.fulfill({ contentType: "text/html", body: hostile }));
  await page.context().route(FRAME, (route) =>
    route.fulfill({ contentType: "text/html", body: `<script>location.replace("https://hostile.example/")</script>` }),
  );
  await page.evaluate(() => {
    window.overheard = [];
    addEventListener("message", ({ data }) => overheard.push(data));
  });
  await watch(page);
  await isTold(page, "session_monitor_stopped no_answer");
  const overheard = await page.evaluate(() => [...new Set(overheard)]);
  assert.deepEqual([overheard, asked.length, await status(page)], [["changed"], 0, "signed_in"]);
  await page.context().close();
});

test("a frame that never answers is given up", async () => {
  const page = await signedIn({ ...own, keep: ["page"] });
  await replaceFrame(page.context(), `() => {}`);
  await watch(page);
  await isTold(page, "session_monitor_stopped no_answer");
  await page.waitForFunction(() => document.querySelector("iframe") === null);
  assert.equal(await status(page), "signed_in");
  await page.context().close();
});

test("a frame that the page's own policy forbids is given up", async () => {
  const page = await signedIn({ ...own, keep: ["page"] });
  await page.evaluate(() => {
    const policy = document.createElement("meta");
    Object.assign(policy, { httpEquiv: "Content-Security-Policy", content: "frame-src 'none'" });
    document.head.append(policy);
  });
  await watch(page);
  await isTold(page, "session_monitor_stopped frame_blocked");
  assert.equal(await status(page), "signed_in");
  await page.context().close();
});

test("where the browser keeps the provider's cookies from its frame, nobody is signed out", async () => {
  // The app at 127.0.0.1 and the provider at localhost are two sites.
  const page = await visit("/");
  await page.goto(site.elsewhere);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  const options = { ...own, keep: ["page"] };
  await open(page, options);
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL(`${site.elsewhere}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, options), "signed_in");
  await page.context().addInitScript({ path: GUARD });
  const asked = questions(page.context());
  await watch(page);
  await isTold(page, "session_monitor_stopped always_changed");
  assert.deepEqual([await status(page), asked.length], ["signed_in", 1]);
  assert.ok(await page.evaluate(async (url) => (await auth.fetch(url)).ok, `${demo.api}me`));
  await page.context().close();
});

test("a page that is hidden asks nothing, and what was stopped neither", async () => {
  const page = await signedIn({ ...own, keep: ["page"] });
  await replaceFrame(page.context(), `() => post("unchanged")`);
  await watch(page);
  await hears(page, "unchanged");
  const asked = () => page.evaluate(() => said.length);
  await page.clock.install();
  const show = (state) =>
    page.evaluate((state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  await show("hidden");
  const before = await asked();
  await page.clock.runFor(60_000);
  assert.equal(await asked(), before);
  await show("visible");
  await hears(page, "unchanged", before + 1);
  await page.clock.runFor(4_000);
  await hears(page, "unchanged", before + 2);
  await page.evaluate(() => stop());
  assert.equal(await page.evaluate(() => document.querySelector("iframe")), null);
  await page.clock.runFor(60_000);
  assert.equal(await asked(), before + 2);
  await page.context().close();
});

test("without a page, or for a mock, there is nothing to watch", async () => {
  const { monitorSession } = await import("../../pkg/check-session.js");
  const { open } = await import("../../pkg/session.js");
  const { mock } = await import("../../pkg/mock.js");
  for (const auth of [await open(own), mock({ session: {} })]) {
    monitorSession(auth)();
  }
});

for (const keep of ["page", "shared"]) {
  test(`${keep}: the provider's page opens the app, which signs in who is hinted at`, async () => {
    const page = await visit("/");
    await page.goto(`${demo.issuer}/`);
    await page.click(`a[href^="${site.origin}/initiate"]`);
    await page.waitForFunction(() => window.tokenkeep !== undefined);
    const options = { ...own, keep: [keep] };
    assert.equal(await open(page, options), "signed_out");
    const asked = await page.evaluate(() => auth.initiatedSignIn());
    assert.deepEqual(asked, { loginHint: "alice", returnTo: "/profile" });
    assert.equal(await page.evaluate(() => auth.initiatedSignIn("/initiate")), undefined);
    const refused = await page.evaluate(() => auth.initiatedSignIn("https://app.example/?iss=https://evil.example").catch(({ code, kind }) => [code, kind]));
    assert.deepEqual(refused, ["issuer_mismatch", "misbehaved"]);
    await page.evaluate((options) => void auth.signIn(options), asked);
    await page.waitForSelector("#login");
    assert.equal(await page.inputValue("#login"), "alice");
    await answerProvider(page);
    await page.waitForURL(`${site.origin}/callback?*`);
    await page.waitForFunction(() => window.tokenkeep !== undefined);
    assert.equal(await open(page, options), "signed_in");
    assert.equal(page.url(), `${site.origin}/profile`);
    await page.context().close();
  });
}
