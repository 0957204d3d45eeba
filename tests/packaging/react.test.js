import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { brotliCompressSync } from "node:zlib";

import { Window } from "happy-dom";

const window = new Window();
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
Object.defineProperty(globalThis, "navigator", { value: window.navigator });

const { createElement: h, act, StrictMode, useEffect } = await import("react");
const { createRoot, hydrateRoot } = await import("react-dom/client");
const { renderToString } = await import("react-dom/server");
const { AuthError } = await import("tokenkeep");
const { authError, mock } = await import("tokenkeep/mock");
const { AuthProvider, SignedIn, SignedOut, useAuth, useSession, useStepUp } = await import("tokenkeep/react");

const roots = [];
afterEach(() => act(() => roots.splice(0).forEach((root) => root.unmount())));

async function mount(element) {
  const container = document.createElement("div");
  const root = createRoot(container);
  roots.push(root);
  await act(() => root.render(h(StrictMode, null, element)));
  return { container, root, shows: () => container.textContent };
}

const within = (auth, ...children) => h(AuthProvider, { auth }, ...children);

function Status() {
  return useSession().status;
}

/** Counts who listens to it. */
function counted(auth) {
  const counts = { now: 0, ever: 0 };
  const { subscribe } = auth;
  const counting = (listener) => {
    counts.now += 1;
    counts.ever += 1;
    const stop = subscribe(listener);
    return () => {
      counts.now -= 1;
      stop();
    };
  };
  return [Object.assign(Object.create(auth), { subscribe: counting }), counts];
}

function gate() {
  let open, fail;
  const promise = new Promise((resolve, reject) => ([open, fail] = [resolve, reject]));
  return { promise, open, fail };
}

test("a component shows who is signed in, and follows", async () => {
  const auth = mock({ session: { claims: { name: "Alice" } } });
  const view = await mount(
    within(
      auth,
      h(SignedIn, { fallback: "nobody" }, ({ claims }) => claims.name),
      h(SignedOut, null, " is out"),
    ),
  );
  assert.equal(view.shows(), "Alice");
  await act(() => auth.set({ claims: { name: "Bob" } }));
  assert.equal(view.shows(), "Bob");
  await act(() => auth.signOut());
  assert.equal(view.shows(), "nobody is out");
});

test("as long as it is not known, nothing is shown", async () => {
  const auth = mock({ session: { status: "unknown" } });
  const view = await mount(within(auth, h(SignedIn, { fallback: "nobody" }, "somebody"), h(SignedOut, null, "nobody")));
  assert.equal(view.shows(), "");
});

test("who failed to sign in is signed out, and a function is told why", async () => {
  const error = authError({ code: "provider", error: "access_denied" });
  const auth = mock({ session: { status: "failed", error } });
  const why = (session) => (session.status === "failed" ? session.error.error : "no failure");
  const view = await mount(within(auth, h(SignedIn, null, "somebody"), h(SignedOut, null, why)));
  assert.equal(view.shows(), "access_denied");
  await act(() => auth.set({ status: "signed_out" }));
  assert.equal(view.shows(), "no failure");
});

test("children may be anything that React shows", async () => {
  const view = await mount(within(mock({ session: {} }), h(SignedIn, null, h("b", null, "some"), "body", 1), h(SignedIn)));
  assert.equal(view.container.innerHTML, "<b>some</b>body1");
});

test("a promise is unknown until it is there", async () => {
  const { promise, open } = gate();
  const view = await mount(within(promise, h(Status)));
  assert.equal(view.shows(), "unknown");
  const auth = mock({ session: {} });
  await act(() => open(auth));
  assert.equal(view.shows(), "signed_in");
  await act(() => auth.signOut());
  assert.equal(view.shows(), "signed_out");
});

test("an Auth in hand is known from the first", async () => {
  const seen = [];
  function Seen() {
    seen.push(useSession().status);
  }
  await mount(within(mock({ session: {} }), h(Seen)));
  assert.deepEqual([...new Set(seen)], ["signed_in"]);
});

test("a promise that fails is a sign-in that failed", async () => {
  const error = authError({ code: "option_missing", kind: "misconfigured", option: "issuer" });
  const { promise, fail } = gate();
  let auth;
  function Shown() {
    auth = useAuth();
    return auth.session.status === "failed" ? auth.session.error.option : auth.session.status;
  }
  const view = await mount(within(promise, h(Shown)));
  await act(() => fail(error));
  assert.equal(view.shows(), "issuer");
  await assert.rejects(auth.signIn(), (thrown) => thrown === error);
});

test("methods wait for the promise, with their arguments", async () => {
  const { promise, open } = gate();
  const answers = [];
  function Caller() {
    const { fetch } = useAuth();
    useEffect(() => {
      fetch("https://api.example/", { method: "PUT" }).then((answer) => answers.push(answer.status));
    }, [fetch]);
  }
  await mount(within(promise, h(Caller)));
  const auth = mock({ session: {}, fetch: () => new Response(null, { status: 204 }) });
  await act(() => open(auth));
  // Twice, because StrictMode runs an effect twice; not a third time, because the method is still the same one.
  assert.deepEqual(answers, [204, 204]);
  assert.deepEqual(auth.calls[0], { method: "fetch", args: ["https://api.example/", { method: "PUT" }] });
  assert.equal(auth.calls.length, 2);
});

test("StrictMode's second mounting opens nothing and leaves no listener behind", async () => {
  const [auth, counts] = counted(mock({ session: {} }));
  let opened = 0;
  const promise = { then: (...args) => ((opened += 1), Promise.resolve(auth).then(...args)) };
  const view = await mount(within(promise, h(Status), h(SignedIn, null, " yes")));
  assert.equal(view.shows(), "signed_in yes");
  assert.deepEqual([opened, counts.now], [1, 2]);
  await act(() => view.root.render(h(StrictMode, null, within(promise, h(Status)))));
  assert.deepEqual([opened, counts.now], [1, 1]);
  await act(() => roots.splice(0).forEach((root) => root.unmount()));
  assert.deepEqual([counts.now, auth.calls], [0, []]);
});

test("a component that is gone before the promise is there does not listen", async () => {
  const { promise, open } = gate();
  await mount(within(promise, h(Status)));
  await act(() => roots.splice(0).forEach((root) => root.unmount()));
  const [auth, counts] = counted(mock());
  await act(() => open(auth));
  assert.equal(counts.ever, 0);
});

test("a provider that is mounted again knows at once", async () => {
  const promise = Promise.resolve(mock({ session: {} }));
  await mount(within(promise, h(Status)));
  const seen = [];
  function Seen() {
    seen.push(useSession().status);
  }
  await mount(within(promise, h(Seen)));
  assert.deepEqual([...new Set(seen)], ["signed_in"]);
});

test("what useAuth gives is the same until the session changes, and its methods for ever", async () => {
  const auth = mock({ session: { subject: "alice" } });
  const seen = [];
  function Seen() {
    seen.push(useAuth());
  }
  const view = await mount(within(auth, h(Seen)));
  await act(() => view.root.render(h(StrictMode, null, within(auth, h(Seen)))));
  const { length } = seen;
  await act(() => auth.set({ subject: "bob" }));
  const [before, after] = [seen[length - 1], seen.at(-1)];
  assert.equal(before, seen[length - 2]);
  assert.notEqual(before, after);
  assert.deepEqual([before.session.subject, after.session.subject], ["alice", "bob"]);
  for (const name of ["signIn", "finishSignIn", "fetch", "userInfo", "renew", "signOut", "frontChannelLogout", "on"]) {
    assert.equal(typeof before[name], "function");
    assert.equal(before[name], after[name], name);
  }
});

test("another auth takes the place of the first", async () => {
  const [first, second] = [mock({ session: {} }), mock()];
  const view = await mount(within(first, h(Status)));
  await act(() => view.root.render(h(StrictMode, null, within(second, h(Status)))));
  assert.equal(view.shows(), "signed_out");
  await act(() => first.set({ status: "unknown" }));
  assert.equal(view.shows(), "signed_out");
  await act(() => second.set({}));
  assert.equal(view.shows(), "signed_in");
});

test("signOut has signed out when it returns, and signedOutJustNow says so by the clock", async () => {
  const auth = mock({ session: {} });
  let held;
  function Holder() {
    held = useAuth();
  }
  await mount(within(Promise.resolve(auth), h(Holder)));
  assert.equal(held.signedOutJustNow, false);
  await act(() => {
    void held.signOut({ local: true });
    assert.equal(auth.session.status, "signed_out");
  });
  assert.equal(held.signedOutJustNow, true);
  auth.advance(60);
  assert.equal(held.signedOutJustNow, false);
});

test("events are heard from the promise's beginning to the listener's end", async () => {
  const { promise, open } = gate();
  const said = [];
  function Listener() {
    const { on } = useAuth();
    useEffect(() => on("renewed", ({ by }) => said.push(by)), [on]);
  }
  await mount(within(promise, h(Listener)));
  const auth = mock({ session: {} });
  await act(() => open(auth));
  await act(() => auth.advance(240));
  assert.deepEqual(said, ["refresh_token"]);
  await act(() => roots.splice(0).forEach((root) => root.unmount()));
  auth.advance(240);
  assert.equal(said.length, 1);
});

test("a component shows what a step-up asks for, and follows", async () => {
  const { promise, open } = gate();
  const Asked = () => useStepUp()?.requiredAcr.join() ?? "nothing";
  const view = await mount(within(promise, h(Asked)));
  assert.equal(view.shows(), "nothing");
  const auth = mock({ session: {} });
  auth.emit({ type: "step_up_needed", signIn: { requiredAcr: ["mfa"] } });
  // What was open before it was there.
  await act(() => open(auth));
  assert.equal(view.shows(), "mfa");
  await act(() => auth.declineStepUp());
  assert.equal(view.shows(), "nothing");
  await act(() => auth.emit({ type: "step_up_needed", signIn: { requiredAcr: ["phr"] } }));
  assert.equal(view.shows(), "phr");
});

test("a server shows nobody's name, and the page takes its HTML over without a complaint", async (t) => {
  const auth = mock({ session: { claims: { name: "Alice" } } });
  const app = within(auth, h(Status), h(SignedIn, null, ({ claims }) => h("b", null, claims.name)));
  const html = renderToString(app);
  assert.equal(html, "unknown");
  const complaints = t.mock.method(console, "error", () => {});
  const container = document.createElement("div");
  container.innerHTML = html;
  await act(() => roots.push(hydrateRoot(container, app, { onRecoverableError: (error) => assert.fail(error) })));
  assert.equal(container.innerHTML, "signed_in<b>Alice</b>");
  assert.equal(complaints.mock.callCount(), 0);
});

test("without a provider the hooks say what is missing", () => {
  for (const part of [Status, () => useAuth(), SignedIn, SignedOut]) {
    assert.throws(() => renderToString(h(part)), (error) => error instanceof AuthError && error.code === "auth_not_provided");
  }
});

test("it is a kilobyte, or little more", () => {
  const bytes = brotliCompressSync(readFileSync(new URL("../../pkg/react.js", import.meta.url))).length;
  assert.ok(bytes < 1100, `${bytes} bytes, brotli`);
});
