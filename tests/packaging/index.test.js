// The package where there is no page: on a server, in a worker.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tokenkeep from "tokenkeep";

const OPTIONS = { issuer: "https://login.example.com", clientId: "my-app", api: "https://api.example.com/" };

test("it has two exports", () => {
  assert.deepEqual(Object.keys(tokenkeep).sort(), ["AuthError", "open"]);
});

test("the session is unknown, and stays one frozen object", async () => {
  const auth = await tokenkeep.open(OPTIONS);
  const { session, getSnapshot } = auth;
  assert.deepEqual(session, { status: "unknown" });
  assert.ok(Object.isFrozen(session));
  assert.equal(auth.session, session);
  assert.equal(getSnapshot(), session);
  assert.equal((await tokenkeep.open()).session.status, "unknown");
});

test("listening is possible, and nothing is heard", async () => {
  const auth = await tokenkeep.open(OPTIONS);
  const { subscribe } = auth;
  const listener = () => assert.fail("there is nothing to hear");
  for (const stop of [subscribe(listener), auth.on("*", listener), auth.on("signed_in", listener)]) {
    assert.equal(stop(), undefined);
    assert.equal(stop(), undefined);
  }
});

test("what needs a page rejects, and says that there is none", async () => {
  const auth = await tokenkeep.open(OPTIONS);
  assert.equal(auth.signedOutJustNow, false);
  assert.equal(auth.stayActive(), undefined);
  const work = {
    signIn: () => auth.signIn({ prompt: "login" }),
    finishSignIn: () => auth.finishSignIn(),
    fetch: () => auth.fetch("https://api.example.com/me"),
    fetchOfPath: () => auth.fetch("/me"),
    userInfo: () => auth.userInfo(),
    renew: () => auth.renew(),
    signOut: () => auth.signOut({ local: true }),
    frontChannelLogout: () => auth.frontChannelLogout(),
  };
  for (const [name, call] of Object.entries(work)) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof tokenkeep.AuthError && error instanceof Error, name);
      assert.deepEqual([error.name, error.code, error.kind, error.retryable], ["AuthError", "no_window", "misconfigured", false], name);
      return true;
    });
  }
});

test("closing is possible, more than once", async () => {
  const auth = await tokenkeep.open(OPTIONS);
  auth.close();
  auth.close();
  auth[Symbol.dispose]();
  assert.equal(auth.session.status, "unknown");
});
