import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";

import { AuthError } from "tokenkeep";
import { authError, mock } from "tokenkeep/mock";

const NOON = Date.UTC(2030, 0, 1, 12);
const offline = () => authError({ code: "offline", kind: "interrupted" });
const refused = () => authError({ code: "provider", error: "invalid_grant" });
const listed = (name) => (error) => error instanceof AuthError && error.code === name;

const networkFetch = globalThis.fetch;
afterEach(() => (globalThis.fetch = networkFetch));

/** What it says from now on: events, and "session" when that has changed. */
function heard(auth) {
  const said = [];
  auth.on("*", (event) => said.push(event.reason ?? event.by ?? event.type));
  auth.subscribe(() => said.push("session"));
  return said;
}

test("nobody is signed in unless it says so", () => {
  assert.deepEqual(mock().session, { status: "signed_out" });
});

test("a session has what was left out", () => {
  const { session } = mock({ now: NOON, session: { subject: "alice", claims: { name: "Alice" } } });
  assert.deepEqual(session, {
    status: "signed_in",
    issuer: "https://login.example",
    subject: "alice",
    claims: { sub: "alice", name: "Alice" },
    scopes: ["openid", "profile"],
    authorizationDetails: [],
    expiresAt: NOON + 300_000,
    renewedBy: undefined,
  });
});

test("without a subject nothing is claimed, as with oauthOnly", () => {
  const { session } = mock({ session: { subject: undefined, claims: { name: "Alice" } } });
  assert.deepEqual([session.subject, session.claims], [undefined, {}]);
});

test("a session is frozen all through, and the test's own objects are not", () => {
  const claims = { address: { locality: "Bern" } };
  const { session } = mock({ session: { claims } });
  for (const part of [session, session.claims, session.claims.address, session.scopes]) assert.ok(Object.isFrozen(part));
  assert.ok(!Object.isFrozen(claims) && !Object.isFrozen(claims.address));
});

test("a session is the same object until it changes", () => {
  const auth = mock({ now: NOON, session: { subject: "alice" } });
  const said = heard(auth);
  const before = auth.session;
  auth.set({ subject: "alice" });
  assert.equal(auth.session, before);
  assert.equal(auth.getSnapshot(), before);
  assert.deepEqual(said, []);
});

test("an unknown option is refused by name, and an inherited one is none", () => {
  assert.throws(() => mock({ sesion: {} }), { name: "AuthError", code: "option_unknown", kind: "misconfigured", option: "sesion" });
  assert.deepEqual(mock(Object.create({ sesion: {} })).session, { status: "signed_out" });
});

test("an error is the one that the package exports", () => {
  const error = authError({ code: "unexpected_status", kind: "misbehaved", status: 500 });
  assert.ok(error instanceof AuthError);
  assert.equal(String(error), "AuthError: unexpected_status");
  assert.deepEqual({ ...error }, {
    code: "unexpected_status",
    kind: "misbehaved",
    retryable: false,
    error: undefined,
    errorDescription: undefined,
    errorUri: undefined,
    status: 500,
    option: undefined,
  });
  assert.throws(() => (error.code = "offline"), TypeError);
  assert.throws(() => (error.name = "Error"), TypeError);
});

test("an error says by itself who must act and whether to try again", () => {
  const told = ({ kind, retryable, message }) => [kind, retryable, message];
  assert.deepEqual(told(offline()), ["interrupted", true, "offline"]);
  assert.deepEqual(told(authError({ code: "sign_in_needed", kind: "interrupted" })), ["interrupted", false, "sign_in_needed"]);
  assert.deepEqual(told(refused()), ["provider", false, "the provider answered invalid_grant"]);
});

// Calling an API

test("fetch answers what the test answers, to a request with a token", async () => {
  globalThis.fetch = () => assert.fail("the network was asked");
  const auth = mock({
    session: { subject: "alice" },
    fetch: async (request) => Response.json([request.method, request.url, request.headers.get("authorization"), await request.text()]),
  });
  const said = [];
  auth.on("api_answered", ({ url, status }) => said.push([url, status]));
  const answer = await auth.fetch("https://api.example/orders?open=1", { method: "POST", body: "tea" });
  assert.deepEqual(await answer.json(), ["POST", "https://api.example/orders?open=1", "Bearer mock", "tea"]);
  assert.deepEqual(said, [["https://api.example/orders", 200]]);
});

test("fetch takes a URL, a Request, and a place of the app", async () => {
  const auth = mock({ session: {}, fetch: ({ method, url }) => new Response(`${method} ${url}`) });
  const text = async (...args) => (await auth.fetch(...args)).text();
  assert.equal(await text(new URL("https://api.example/a")), "GET https://api.example/a");
  assert.equal(await text(new Request("https://api.example/b", { method: "PUT", body: "b" })), "PUT https://api.example/b");
  assert.equal(await text("/c"), "GET http://localhost/c");
});

test("fetch without a session is refused, and so is what is under none of the entries of api", async () => {
  const fetch = () => assert.fail("it was asked");
  await assert.rejects(mock({ fetch }).fetch("https://api.example/"), { code: "sign_in_needed", kind: "interrupted", retryable: false });
  const auth = mock({ fetch, session: {}, api: ["https://api.example/v1", { url: "https://other.example/" }] });
  const unlisted = ["https://api.example/v10", "https://api.example.evil/v1", "http://other.example/", "https://api.example/v1/../v2"];
  for (const url of unlisted) {
    await assert.rejects(auth.fetch(url), listed("destination_not_allowed"), url);
  }
  await assert.rejects(auth.fetch("https://api.example/v1", { headers: { Authorization: "Bearer mine" } }), listed("authorization_set"));
});

test("fetch reaches what is under an entry of api", async () => {
  const auth = mock({ session: {}, api: ["https://api.example/v1", { url: "https://other.example/" }], fetch: () => new Response("yes") });
  for (const url of ["https://api.example/v1", "https://api.example/v1/orders", "https://other.example/a", "https://api.example/v1?a=1"]) {
    assert.equal(await (await auth.fetch(url)).text(), "yes", url);
  }
});

test("a token that the API refuses is renewed, and the request sent once more", async () => {
  const bodies = [];
  const auth = mock({
    session: {},
    fetch: async (request) => {
      bodies.push(await request.text());
      return new Response(null, { status: 401 });
    },
  });
  const said = heard(auth);
  auth.advance(10);
  const answer = await auth.fetch("https://api.example/", { method: "POST", body: "tea" });
  assert.equal(answer.status, 401);
  assert.deepEqual(bodies, ["tea", "tea"]);
  assert.deepEqual(said, ["refresh_token", "session", "api_answered"]);
});

test("the request is not sent once more when that cannot help", async () => {
  const send = async (headers, init, renew) => {
    let count = 0;
    const fetch = () => {
      count += 1;
      return new Response(null, { status: 401, headers });
    };
    await mock({ session: {}, fetch, renew }).fetch("https://api.example/", init);
    return count;
  };
  const fail = () => {
    throw offline();
  };
  const body = new Blob(["tea"]).stream();
  assert.equal(await send({}, {}, () => "frame"), 2);
  assert.equal(await send({ "www-authenticate": 'Bearer error="insufficient_scope"' }), 1);
  assert.equal(await send({ "www-authenticate": 'Bearer error="insufficient_user_authentication", max_age=5' }), 1);
  assert.equal(await send({}, { method: "POST", body, duplex: "half" }), 1);
  assert.equal(await send({}, {}, fail), 1);
});

test("an expired token is renewed before the request is sent", async () => {
  let online = false;
  const auth = mock({
    session: {},
    fetch: () => new Response(),
    renew: () => {
      if (!online) throw offline();
      return "frame";
    },
  });
  auth.advance(301);
  await assert.rejects(auth.fetch("https://api.example/"), listed("offline"));
  online = true;
  await auth.fetch("https://api.example/");
  assert.equal(auth.session.renewedBy, "frame");
});

test("an aborted request rejects with the signal's reason, before and while it is under way", async () => {
  let asked;
  const begun = new Promise((resolve) => (asked = resolve));
  const auth = mock({ session: {}, fetch: (request) => new Promise(() => asked(request)) });
  await assert.rejects(auth.fetch("https://api.example/", { signal: AbortSignal.abort() }), { name: "AbortError" });
  const abort = new AbortController();
  const answer = auth.fetch("https://api.example/", { signal: abort.signal });
  assert.equal((await begun).signal, abort.signal);
  abort.abort("enough");
  await assert.rejects(answer, (reason) => reason === "enough");
  assert.deepEqual(getEventListeners(abort.signal, "abort"), []);
});

test("a signal of another realm does too", async () => {
  // As jsdom's, which a Request of Node may refuse.
  const signal = Object.assign(new EventTarget(), { aborted: false, reason: "enough", throwIfAborted() {} });
  const auth = mock({
    session: {},
    fetch: (request) => {
      request.signal.dispatchEvent(new Event("abort"));
      return new Promise(() => {});
    },
  });
  await assert.rejects(auth.fetch("https://api.example/", { signal }), (reason) => reason === "enough");
});

test("a request does not outlive the session", async () => {
  let asked;
  const begun = new Promise((resolve) => (asked = resolve));
  const auth = mock({ session: {}, fetch: () => new Promise(asked) });
  const answer = auth.fetch("https://api.example/");
  await begun;
  await Promise.all([assert.rejects(answer, listed("sign_in_needed")), auth.signOut()]);
});

test("redirects are not followed", async () => {
  const auth = mock({ session: {}, fetch: () => Response.redirect("https://elsewhere.example/") });
  await assert.rejects(auth.fetch("https://api.example/"), { code: "unreachable", retryable: true });
  const answer = await auth.fetch("https://api.example/", { redirect: "manual" });
  assert.deepEqual([answer.type, answer.status, answer.ok], ["opaqueredirect", 0, false]);
});

test("Response.error() is no answer, and a test's own mistake is seen as it is", async () => {
  const ask = (fetch) => mock({ session: {}, fetch }).fetch("https://api.example/");
  await assert.rejects(ask(() => Response.error()), listed("unreachable"));
  await assert.rejects(ask(() => assert.fail("mine")), { name: "AssertionError", message: "mine" });
  await assert.rejects(ask(() => ({})), TypeError);
  await assert.rejects(ask(undefined), { message: "nothing answers GET https://api.example/: give mock() a fetch" });
});

// Time

test("a token is renewed before it ends, again and again", () => {
  const auth = mock({ now: NOON, session: {} });
  const said = heard(auth);
  auth.advance(239);
  assert.deepEqual([said, auth.session.renewedBy], [[], undefined]);
  auth.advance(1);
  assert.deepEqual(said, ["refresh_token", "session"]);
  assert.deepEqual([auth.session.renewedBy, auth.session.expiresAt], ["refresh_token", NOON + 540_000]);
  auth.advance(3600);
  assert.deepEqual([said.length, auth.session.expiresAt, auth.now], [32, NOON + 4_140_000, NOON + 3_840_000]);
});

test("a short token is renewed when four fifths of its life are over", () => {
  const auth = mock({ now: NOON, lifetimeSeconds: 50, session: {} });
  auth.advance(40);
  assert.equal(auth.session.expiresAt, NOON + 90_000);
});

test("a long token is renewed a minute before it ends", () => {
  const auth = mock({ now: NOON, lifetimeSeconds: 3600, session: {} });
  auth.advance(3539);
  assert.equal(auth.session.renewedBy, undefined);
  auth.advance(1);
  assert.equal(auth.session.renewedBy, "refresh_token");
});

test("a token without an end is not renewed by itself", async () => {
  const auth = mock({ session: { expiresAt: undefined } });
  auth.advance(1e9);
  assert.equal(auth.session.renewedBy, undefined);
  await auth.renew();
  assert.deepEqual([auth.session.renewedBy, auth.session.expiresAt], ["refresh_token", undefined]);
});

test("time does not go back", () => {
  assert.throws(() => mock().advance(-1), RangeError);
  assert.throws(() => mock().advance(Number.NaN), RangeError);
});

test("what is interrupted is tried again after a pause that doubles, and the session stays", () => {
  let attempts = 0;
  const auth = mock({
    session: {},
    renew: () => {
      attempts += 1;
      if (attempts !== 12) throw offline();
      return "tab";
    },
  });
  const pauses = [];
  auth.on("renewal_failed", ({ pauseSeconds, error }) => pauses.push([pauseSeconds, error.code]));
  auth.advance(1400);
  assert.deepEqual(
    pauses,
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((pause) => [pause, "offline"]),
  );
  assert.equal(auth.session.renewedBy, "tab");
  pauses.length = 0;
  auth.advance(200);
  assert.deepEqual(pauses[0], [1, "offline"]);
});

test("a mistake in the test's own renew is seen as it is", () => {
  const auth = mock({ session: {}, renew: () => assert.fail("mine") });
  const said = heard(auth);
  assert.throws(() => auth.advance(240), { name: "AssertionError", message: "mine" });
  assert.deepEqual(said, []);
});

test("where nothing leads to a new token the session ends with its token", () => {
  const auth = mock({
    session: {},
    renew: () => {
      throw authError({ code: "sign_in_needed", kind: "interrupted" });
    },
  });
  const said = heard(auth);
  auth.advance(299);
  assert.deepEqual([said, auth.session.status], [["refresh_token", "sign_in_needed"], "signed_in"]);
  auth.advance(1);
  assert.deepEqual([said.slice(2), auth.session.status], [["expired", "session"], "signed_out"]);
  auth.advance(1000);
  assert.equal(said.length, 4);
});

test("a refresh token that the provider refuses ends the session", async () => {
  const auth = mock({
    session: {},
    renew: () => {
      throw refused();
    },
  });
  const said = heard(auth);
  await assert.rejects(auth.renew(), listed("sign_in_needed"));
  assert.deepEqual(said, ["rejected", "session"]);
});

test("renew rejects with the reason, and the session goes on", async () => {
  const error = offline();
  const auth = mock({
    session: {},
    renew: () => {
      throw error;
    },
  });
  const { session } = auth;
  await assert.rejects(auth.renew(), (thrown) => thrown === error);
  assert.equal(auth.session, session);
  await assert.rejects(mock().renew(), listed("sign_in_needed"));
});

// Signing in and out

test("signIn leaves once, and nobody comes back by itself", async () => {
  const auth = mock({ now: NOON });
  const said = heard(auth);
  await Promise.all([auth.signIn({ returnTo: "/orders" }), auth.signIn()]);
  assert.deepEqual([said, auth.session.status], [["redirecting"], "signed_out"]);
  assert.deepEqual(auth.calls, [
    { method: "signIn", args: [{ returnTo: "/orders" }] },
    { method: "signIn", args: [] },
  ]);
  auth.advance(5);
  await auth.signIn();
  assert.deepEqual(said, ["redirecting", "redirecting"]);
});

test("signIn brings back whom the test says, or fails as it says", async () => {
  const error = authError({ code: "storage_blocked", kind: "interrupted" });
  const auth = mock({
    signIn: ({ loginHint } = {}) => {
      if (!loginHint) throw error;
      return { subject: loginHint };
    },
  });
  const said = heard(auth);
  await assert.rejects(auth.signIn(), (thrown) => thrown === error);
  assert.deepEqual(auth.session, { status: "failed", error });
  await auth.signIn({ loginHint: "alice" });
  assert.equal(auth.session.subject, "alice");
  assert.deepEqual(said, ["failed", "session", "session", "redirecting", "session", "signed_in"]);
  await auth.signIn({ loginHint: "bob" });
  assert.equal(auth.session.subject, "bob");
});

test("finishSignIn settles what is unknown, and answers the same when called again", async () => {
  const auth = mock({ session: { status: "unknown" } });
  assert.deepEqual(await auth.finishSignIn(), { outcome: "nothing" });
  assert.deepEqual(auth.session, { status: "signed_out" });
  assert.deepEqual(await mock({ session: {} }).finishSignIn(), { outcome: "restored" });
  let asked = 0;
  const finished = mock({ finishSignIn: () => ({ outcome: "signed_in", returnTo: `/${(asked += 1)}` }) });
  const [once, again] = [await finished.finishSignIn(), await finished.finishSignIn()];
  assert.deepEqual([once, again, asked], [{ outcome: "signed_in", returnTo: "/1" }, once, 1]);
});

test("signOut has signed out when it returns", async () => {
  const auth = mock({ session: {} });
  const said = heard(auth);
  assert.equal(auth.signedOutJustNow, false);
  const done = auth.signOut({ local: true });
  assert.deepEqual([auth.session, said], [{ status: "signed_out" }, ["signed_out", "session"]]);
  await done;
  assert.equal(auth.signedOutJustNow, true);
  auth.advance(60);
  assert.equal(auth.signedOutJustNow, false);
});

test("signOut signs out even when the provider cannot be asked", async () => {
  const error = authError({ code: "end_session_unavailable", kind: "misconfigured" });
  const auth = mock({
    session: {},
    signOut: () => {
      throw error;
    },
  });
  await assert.rejects(auth.signOut(), (thrown) => thrown === error);
  assert.deepEqual(auth.session, { status: "signed_out" });
});

test("set says what happened", () => {
  const auth = mock();
  const said = heard(auth);
  const error = authError({ code: "provider", error: "access_denied" });
  const steps = [
    [{ status: "failed", error }, ["failed", "session"]],
    [{ subject: "alice" }, ["session", "signed_in"]],
    [{ subject: "alice", claims: { name: "Alice" } }, ["session"]],
    [{ subject: "bob" }, ["user_changed", "session", "session", "signed_in"]],
    [{ status: "signed_out", reason: "signed_out_elsewhere" }, ["signed_out_elsewhere", "session"]],
    [{ status: "signed_out" }, []],
    [{ status: "unknown" }, ["session"]],
  ];
  for (const [session, told] of steps) {
    auth.set(session);
    assert.deepEqual(said.splice(0), told);
  }
});

test("userInfo answers with the claims, or as the test says", async () => {
  const session = { subject: "alice", claims: { name: "Alice" } };
  assert.deepEqual(await mock({ session }).userInfo(), { sub: "alice", name: "Alice" });
  assert.deepEqual(await mock({ session, userInfo: () => ({ sub: "alice", email: "a@b.example" }) }).userInfo(), {
    sub: "alice",
    email: "a@b.example",
  });
  await assert.rejects(mock().userInfo(), listed("sign_in_needed"));
  await assert.rejects(mock({ session: { subject: undefined } }).userInfo(), listed("user_info_unavailable"));
});

test("a front-channel logout ends the session that it names", async () => {
  const other = mock({ session: {} });
  assert.deepEqual([await other.frontChannelLogout(), other.session.status], [false, "signed_in"]);
  const auth = mock({ session: {}, frontChannelLogout: () => true });
  const said = heard(auth);
  assert.equal(await auth.frontChannelLogout(), true);
  assert.deepEqual(said, ["signed_out_at_provider", "session"]);
});

// Listeners

test("emit tells those who listen for it, until they do not", () => {
  const auth = mock();
  const said = [];
  const stop = [auth.on("renewed", ({ by, text }) => said.push([by, text])), auth.on("*", ({ type }) => said.push(type))];
  auth.emit({ type: "renewed", by: "tab" });
  auth.emit({ type: "keys_read", text: "read" });
  assert.deepEqual(said, [["tab", "renewed"], "renewed", "keys_read"]);
  for (const each of stop) each();
  auth.emit({ type: "keys_read" });
  assert.equal(said.length, 3);
});

test("what a step-up asks for is there until it is declined, or the session ends", async () => {
  const auth = mock({ session: {} });
  const said = [];
  auth.on("*", ({ type }) => said.push(type));
  auth.declineStepUp();
  assert.deepEqual([auth.stepUp, said], [undefined, []]);
  const signIn = { requiredAcr: ["mfa"], maxAgeSeconds: 300 };
  auth.emit({ type: "step_up_needed", signIn });
  assert.equal(auth.stepUp, signIn);
  auth.declineStepUp();
  assert.equal(auth.stepUp, undefined);
  auth.emit({ type: "step_up_needed", signIn });
  await auth.signOut();
  assert.equal(auth.stepUp, undefined);
  assert.deepEqual(said, ["step_up_needed", "step_up_settled", "step_up_needed", "step_up_settled", "ended"]);
});

test("a listener that is there twice hears twice, and each ends by itself", () => {
  const auth = mock();
  let heard = 0;
  const listener = () => (heard += 1);
  const stop = auth.subscribe(listener);
  auth.subscribe(listener);
  auth.set({});
  assert.equal(heard, 2);
  stop();
  stop();
  auth.set({ status: "signed_out" });
  assert.equal(heard, 3);
});

test("close ends it: no session, no time, no calls", async () => {
  const auth = mock({ session: {} });
  {
    const { [Symbol.dispose]: dispose } = auth;
    dispose();
  }
  assert.deepEqual([auth.session, auth.signedOutJustNow], [{ status: "signed_out" }, false]);
  for (const call of ["signIn", "finishSignIn", "fetch", "userInfo", "renew", "signOut", "frontChannelLogout", "initiatedSignIn"]) {
    await assert.rejects(auth[call]("https://api.example/"), { code: "closed", kind: "misconfigured" }, call);
  }
  auth.close();
  assert.equal(auth.calls.filter(({ method }) => method === "close").length, 1);
});

test("methods work without their object", async () => {
  const { fetch, on, subscribe, getSnapshot, set } = mock({ session: {}, fetch: () => new Response("yes") });
  const said = [];
  on("signed_in", () => said.push("signed_in"));
  subscribe(() => said.push(getSnapshot().status));
  set({ status: "signed_out" });
  set({});
  assert.deepEqual(said, ["signed_out", "signed_in", "signed_in"]);
  assert.equal(await (await fetch("https://api.example/")).text(), "yes");
});

test("the mock has every member of an Auth, and loads no wasm", () => {
  const membersIn = (file) => {
    const contract = readFileSync(new URL(`../../pkg/${file}`, import.meta.url), "utf8");
    const [, body] = /export interface Auth<.*?\{\n(.*?)\n\}/s.exec(contract);
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:<]/gm)].map(([, name]) => name);
  };
  const members = ["index.d.ts", "session.d.ts"].flatMap(membersIn);
  assert.ok(members.includes("initiatedSignIn") && members.includes("signIn") && members.includes("getSnapshot") && members.includes("on"));
  const auth = mock();
  assert.deepEqual(members.filter((name) => !(name in auth)), []);
  const source = readFileSync(new URL("../../pkg/mock.js", import.meta.url), "utf8");
  assert.deepEqual([...source.matchAll(/\bfrom "(.*?)"|\bimport\(/g)].map(([, from]) => from), ["./calls.js", "./error.js"]);
});

test("a user who is idle is warned, stays, and is signed out, as a test says", () => {
  const auth = mock({ session: {} });
  const told = [];
  auth.on("*", ({ type, reason }) => told.push(reason ?? type));
  auth.stayActive();
  assert.deepEqual(told, [], "nobody was warned");
  auth.emit({ type: "idle_soon", endsAt: auth.now + 60_000 });
  auth.stayActive();
  auth.stayActive();
  auth.set({ status: "signed_out", reason: "idle" });
  assert.deepEqual(told, ["idle_soon", "active", "idle"]);
  assert.equal(auth.signedOutJustNow, true);
  assert.deepEqual(auth.calls.map(({ method }) => method), ["stayActive", "stayActive", "stayActive"]);
});
