import { createContext, createElement, useContext, useMemo, useSyncExternalStore } from "react";

import { AuthError } from "./error.js";

const Context = createContext();
const METHODS = ["signIn", "finishSignIn", "fetch", "userInfo", "renew", "declineStepUp", "signOut", "frontChannelLogout"];
const UNKNOWN = { status: "unknown" };
// One for each `auth`, however often React mounts the provider.
const sources = new WeakMap();

export function AuthProvider({ auth, children }) {
  if (!sources.has(auth)) sources.set(auth, sourceOf(auth));
  return createElement(Context.Provider, { value: sources.get(auth) }, children);
}

export function useAuth() {
  const session = useSession();
  const { methods, justNow } = useSource();
  return useMemo(
    () => ({
      ...methods,
      session,
      get signedOutJustNow() {
        return justNow();
      },
    }),
    [methods, session],
  );
}

export function useSession() {
  const { subscribe, getSnapshot } = useSource();
  return useSyncExternalStore(subscribe, getSnapshot, () => UNKNOWN);
}

export function useStepUp() {
  const { subscribe, stepUp } = useSource();
  return useSyncExternalStore(subscribe, stepUp, () => {});
}

export function SignedIn({ fallback, children }) {
  const session = useSession();
  if (session.status === "signed_in") return show(children, session);
  return session.status === "unknown" ? null : fallback;
}

export function SignedOut({ children }) {
  const session = useSession();
  return session.status === "signed_out" || session.status === "failed" ? show(children, session) : null;
}

function show(children, session) {
  return typeof children === "function" ? children(session) : children;
}

function useSource() {
  const source = useContext(Context);
  if (source) return source;
  const message = "tokenkeep/react needs an <AuthProvider> above";
  throw new AuthError({ code: "auth_not_provided", kind: "misconfigured", retryable: false, message });
}

/** An Auth, or the promise of one: `unknown` until it is there. */
function sourceOf(auth) {
  let now = auth.then ? undefined : auth;
  let before = UNKNOWN;
  const ready = Promise.resolve(auth).then((auth) => (now = auth));
  ready.catch((error) => (before = { status: "failed", error }));
  // At once if it is there: a sign-out has dropped the tokens when it returns.
  const call = (name) => [name, (...args) => (now ? now[name](...args) : ready.then((auth) => auth[name](...args)))];
  const listen = (name, then) => (...args) => {
    if (now) return now[name](...args);
    let stop;
    const begin = () => {
      if (stop) return;
      stop = now?.[name](...args);
      then?.(...args);
    };
    ready.then(begin, begin);
    return () => {
      stop?.();
      stop = () => {};
    };
  };
  return {
    methods: { ...Object.fromEntries(METHODS.map(call)), on: listen("on"), stayActive: () => now?.stayActive() },
    stepUp: () => now?.stepUp,
    justNow: () => !!now && now.signedOutJustNow,
    subscribe: listen("subscribe", (listener) => listener()),
    getSnapshot: () => (now ? now.getSnapshot() : before),
  };
}
