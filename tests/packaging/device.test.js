// A television: it shows a code, somebody enters it on another device, and the television is signed in. At the demo's provider, which wants
// five seconds between two questions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openChromium } from "./lib/chromium.js";
import { answerProvider, startDemo, startDemoWith } from "./lib/demo.js";
import { PACKAGE, serve } from "./lib/site.js";

const PAGE = `<!doctype html><title>television</title><link rel="icon" href="data:,"><script type="module">
  import * as tokenkeep from "/tokenkeep/device.js";
  window.tokenkeep = tokenkeep;
</script>`;

// What the README says that it needs, without frames and workers: this entry opens none.
const policy = (issuer, api) =>
  `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline'; connect-src 'self' ${issuer} ${api}; img-src data:; ` +
  "base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const site = await serve({ answers: { "*": PAGE }, files: { "/tokenkeep/": PACKAGE } });
const demo = await startDemo(site.origin);
site.headers["Content-Security-Policy"] = policy(demo.issuer, new URL(demo.api).origin);
const browser = await openChromium();
const options = { ...demo.options, clientId: "tokenkeep-tv", dangerousDeviceAuthorization: true };

/** A page with an `auth`, and all that it sends. */
async function television(settings = options) {
  const page = await (await browser.newContext()).newPage();
  const sent = [];
  const said = [];
  page.on("request", (request) => sent.push({ url: new URL(request.url()), form: new URLSearchParams(request.postData() ?? "") }));
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(site.origin);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  await page.evaluate(async (settings) => (window.auth = await tokenkeep.open(settings)), settings);
  const polls = () => sent.filter(({ form }) => form.get("grant_type") === "urn:ietf:params:oauth:grant-type:device_code");
  return { page, sent, polls, said };
}

/** Begins, and says what is shown. What comes of it is in `outcome`: "signed in", or the error. */
const show = (page) =>
  page.evaluate(async () => {
    window.giveUp = new AbortController();
    const { finished, ...shown } = await auth.signInByDevice({ signal: giveUp.signal });
    window.outcome = undefined;
    finished.then(
      () => (outcome = "signed in"),
      (why) => (outcome = { name: why.name, code: why.code, error: why.error, retryable: why.retryable, reason: why === giveUp.signal.reason }),
    );
    return shown;
  });

const outcome = async (page) => (await page.waitForFunction(() => window.outcome)).jsonValue();

/** Somebody else's browser, at the address that they typed or scanned. */
async function telephone(address) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(address);
  return page;
}

test("whoever enters the code is signed in on the television", async () => {
  const { page, sent, polls, said } = await television();
  assert.equal(await page.evaluate(() => auth.keep), "page");
  const shown = await show(page);
  assert.equal(shown.verificationUri, `${demo.issuer}/device`);
  assert.equal(shown.verificationUriComplete, `${demo.issuer}/device?user_code=${shown.userCode}`);
  assert.ok(Math.abs(shown.expiresAt - Date.now() - 600_000) < 60_000);
  // As an image it may be shown under any policy, and runs nothing.
  const drawn = await page.evaluate(async (svg) => {
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
    await image.decode();
    return image.naturalWidth;
  }, shown.qrSvg);
  assert.ok(drawn > 0);

  const phone = await telephone(shown.verificationUri);
  await phone.fill("#user-code", shown.userCode);
  await phone.click("button.main");
  assert.equal(await phone.textContent(".code"), shown.userCode);
  await phone.click("button.main");
  await answerProvider(phone);
  await phone.waitForSelector("text=is signed in");
  assert.equal(await outcome(page), "signed in");

  const told = await page.evaluate(async (api) => {
    const [me, orders] = [await auth.fetch(`${api}me`), await auth.fetch(`${api}orders`)];
    return [auth.session.status, auth.session.claims.name, me.status, (await me.json()).sub, (await orders.json()).orders.length];
  }, demo.api);
  assert.deepEqual(told, ["signed_in", "Alice Archer", 200, "user-1001", 3]);
  assert.equal(new Set(polls().map(({ form }) => form.get("device_code"))).size, 1);

  // It goes on as any session: renewed by its refresh token, and signed out.
  await page.waitForFunction(async () => (await auth.renew(), auth.session.renewedBy === "refresh_token"));
  const count = polls().length;
  await page.evaluate(() => auth.signOut({ local: true }));
  assert.equal(await page.evaluate(() => auth.session.status), "signed_out");
  assert.ok(sent.some(({ url }) => url.pathname === "/token/revocation"));
  assert.equal(polls().length, count);
  assert.deepEqual(said, []);
});

test("an address with the code in it needs no typing, and a reload signs nobody in", async () => {
  const { page } = await television();
  const { verificationUriComplete, userCode } = await show(page);
  const phone = await telephone(verificationUriComplete);
  assert.equal(await phone.textContent(".code"), userCode);
  await phone.click("button.main");
  await answerProvider(phone, "bob");
  assert.equal(await outcome(page), "signed in");
  assert.equal(await page.evaluate(() => auth.session.claims.name), "Bob Baker");
  await page.reload();
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await page.evaluate(async (options) => (await tokenkeep.open(options)).session.status, options), "signed_out");
});

test("tokens are bound to a key of the television, when that is wanted", async () => {
  const { page, polls } = await television({ ...options, dpop: true });
  const phone = await telephone((await show(page)).verificationUriComplete);
  await phone.click("button.main");
  await answerProvider(phone);
  assert.equal(await outcome(page), "signed in");
  assert.equal(await page.evaluate(async (api) => (await auth.fetch(`${api}me`)).status, demo.api), 200);
  assert.ok(polls().length > 1);
});

test("a user who does not agree is told of, and another code may be shown", async () => {
  const { page } = await television();
  const { verificationUriComplete, userCode } = await show(page);
  const phone = await telephone(verificationUriComplete);
  await phone.click("button[name=abort]");
  const { reason, ...error } = await outcome(page);
  assert.deepEqual(error, { name: "AuthError", code: "provider", error: "access_denied", retryable: false });
  assert.deepEqual(await page.evaluate(() => [auth.session.status, auth.session.error.error]), ["failed", "access_denied"]);
  assert.notEqual((await show(page)).userCode, userCode);
  assert.equal(await page.evaluate(() => auth.session.status), "signed_out");
});

test("who gives up is not waited for, and who begins twice begins once", async () => {
  const { page, sent, polls } = await television();
  const first = await show(page);
  const joined = await page.evaluate(async () => (await auth.signInByDevice()).userCode);
  assert.equal(joined, first.userCode);
  const requests = () => sent.filter(({ url }) => url.pathname === "/device/auth").length;
  assert.equal(requests(), 1);

  // The one that joined goes on, until it is closed with the page's `auth`.
  await page.evaluate(() => giveUp.abort());
  assert.deepEqual(await outcome(page), { name: "AbortError", code: 20, error: undefined, retryable: undefined, reason: true });
  assert.equal(await page.evaluate(() => auth.session.status), "signed_out");
  await page.evaluate(() => auth.close());

  await page.evaluate(async (options) => (window.auth = await tokenkeep.open(options)), options);
  const second = await show(page);
  assert.notEqual(second.userCode, first.userCode);
  await page.evaluate(() => giveUp.abort());
  await outcome(page);
  const third = await show(page);
  assert.notEqual(third.userCode, second.userCode);
  // By the time that it is polled for twice, the others would have been.
  while (polls().length < 2) {
    await page.waitForRequest((request) => request.postData()?.includes("device_code") ?? false);
  }
  assert.equal(new Set(polls().map(({ form }) => form.get("device_code"))).size, 1);
  assert.equal(requests(), 3);

  const early = await page.evaluate(() => auth.signInByDevice({ signal: AbortSignal.abort("no") }).catch((why) => why));
  assert.equal(early, "no");
});

test("a code that nobody enters expires", async () => {
  const short = await startDemoWith({ TOKENKEEP_DEVICE_CODE_TTL: "7" }, site.origin);
  const headers = site.headers;
  site.headers = { "Content-Security-Policy": policy(short.issuer, new URL(short.api).origin) };
  const { page, polls } = await television({ ...short.options, clientId: "tokenkeep-tv", dangerousDeviceAuthorization: true });
  site.headers = headers;
  await show(page);
  const { reason, ...error } = await outcome(page);
  assert.deepEqual(error, { name: "AuthError", code: "device_code_expired", error: undefined, retryable: true });
  assert.equal(await page.evaluate(() => auth.session.status), "failed");
  assert.equal(polls().length, 1);
});

test("an ordinary page is told to redirect, and the default entry knows nothing of devices", async () => {
  const { dangerousDeviceAuthorization, ...ordinary } = options;
  const { page, sent } = await television(ordinary);
  const before = sent.length;
  const told = await page.evaluate(() => auth.signInByDevice().catch(({ code, kind, message }) => ({ code, kind, message })));
  assert.deepEqual([told.code, told.kind], ["device_not_allowed", "misconfigured"]);
  for (const pointer of ["RFC 10017 §7.3", "RFC 10027", "RFC 8628 §5.4", "signIn", "dangerousDeviceAuthorization"]) {
    assert.ok(told.message.includes(pointer), told.message);
  }
  assert.equal(sent.length, before);
  for (const keep of ["shared", "worker", ["page", "shared"], []]) {
    const refused = (settings) => tokenkeep.open(settings).catch(({ code, option }) => [code, option]);
    assert.deepEqual(await page.evaluate(refused, { ...options, keep }), ["option_type", "keep"], JSON.stringify(keep));
  }
  assert.equal(await page.evaluate(async (settings) => (await tokenkeep.open(settings)).keep, { ...options, keep: "page" }), "page");

  assert.equal(await page.evaluate(async (options) => {
    const { open } = await import("/tokenkeep/index.js");
    const auth = await open({ ...options, keep: "page" });
    return "signInByDevice" in auth;
  }, ordinary), false);
  const unknown = await page.evaluate(async (options) => {
    const { open } = await import("/tokenkeep/index.js");
    return open({ ...options, keep: "page" }).catch(({ code, option }) => [code, option]);
  }, options);
  assert.deepEqual(unknown, ["option_unknown", "dangerousDeviceAuthorization"]);
});

test("where there is no page it says so", async () => {
  const { open } = await import("tokenkeep/device");
  const auth = await open(options);
  assert.equal(auth.session.status, "unknown");
  await assert.rejects(auth.signInByDevice(), { code: "no_window" });
});
