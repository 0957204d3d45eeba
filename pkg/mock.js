import { callers } from "./calls.js";
import { AuthError } from "./error.js";

const OPTIONS = [
  "api",
  "fetch",
  "accessToken",
  "finishSignIn",
  "frontChannelLogout",
  "initiatedSignIn",
  "lifetimeSeconds",
  "now",
  "renew",
  "session",
  "signIn",
  "signOut",
  "userInfo",
];

export function authError({ code, kind = "provider", message, error, errorDescription, errorUri, status, option }) {
  return new AuthError({
    code,
    kind,
    retryable: kind === "interrupted" && code !== "sign_in_needed",
    message: message ?? (error === undefined ? code : `the provider answered ${error}`),
    error,
    errorDescription,
    errorUri,
    status,
    option,
  });
}

export function mock(options = {}) {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) throw misconfigured("option_unknown", `there is no option of this name (option: ${unknown})`, unknown);
  const script = { ...options };
  const lifetime = (script.lifetimeSeconds ?? 300) * 1000;

  let now = script.now ?? Date.now();
  let session = read(script.session ?? { status: "signed_out" });
  // What is due next, and when: the renewal of the token, another attempt, or the end of a token that cannot be renewed.
  let next = fromNow(session);
  let interruptions = 0;
  let finished;
  let closed = false;
  // The session ends soon, as was told.
  let warned = false;
  let leftAt = -Infinity;
  let signedOutAt = -Infinity;
  let stepUp;
  const calls = [];
  const listeners = new Set();
  const watchers = new Set();
  const pending = new Set();

  const auth = {
    get session() {
      return session;
    },

    async signIn(...args) {
      note("signIn", args);
      if (now >= leftAt && now - leftAt < 5000) return;
      if (session.status === "failed") become({ status: "signed_out" });
      const left = leftAt;
      leftAt = now;
      try {
        const came = await script.signIn?.(...args);
        tell({ type: "redirecting", text: "leaving for the provider" });
        if (!came) return;
        leftAt = -Infinity;
        auth.set(came);
      } catch (error) {
        leftAt = left;
        if (error instanceof AuthError) fail(error);
        throw error;
      }
    },

    async finishSignIn(...args) {
      note("finishSignIn", args);
      finished ??= finish();
      return finished;
    },

    async fetch(...args) {
      note("fetch", args);
      const [input, init] = args;
      const signal = init?.signal ?? input?.signal;
      signal?.throwIfAborted();
      const request = requestOf(input, init);
      checkDestination(request);
      const again = init?.body instanceof ReadableStream ? undefined : request.clone();
      let response = await call(request, signal);
      // The API refused the token.
      if (response.status === 401 && again && !/insufficient_(scope|user_authentication)/.test(response.headers.get("www-authenticate")) && !renewal()) {
        response = await call(again, signal);
      }
      const { origin, pathname } = new URL(request.url);
      const url = origin + pathname;
      tell({ type: "api_answered", url, status: response.status, text: `${url} answered ${response.status}` });
      return response;
    },

    async accessToken(...args) {
      note("accessToken", args);
      signedIn();
      if (!script.accessToken) throw misconfigured("token_is_kept", "the access token stays in the keep: give mock() an accessToken");
      return script.accessToken(...args);
    },

    async userInfo(...args) {
      note("userInfo", args);
      const { subject, claims } = signedIn();
      if (subject === undefined) throw misconfigured("user_info_unavailable", "there is no user info");
      return script.userInfo ? await unlessEnded(script.userInfo()) : claims;
    },

    async renew(...args) {
      note("renew", args);
      signedIn();
      const error = renewal();
      if (error) throw error;
    },

    stayActive(...args) {
      note("stayActive", args);
      if (warned) tell({ type: "active", text: "the user is active again" });
    },

    async signOut(...args) {
      note("signOut", args);
      auth.set({ status: "signed_out" });
      signedOutAt = now;
      try {
        await script.signOut?.(...args);
      } catch (error) {
        if (error instanceof AuthError) tell({ type: "failed", error, text: error.message });
        throw error;
      }
    },

    get stepUp() {
      return stepUp;
    },

    declineStepUp(...args) {
      note("declineStepUp", args);
      if (stepUp !== undefined) auth.emit({ type: "step_up_settled" });
    },

    get keep() {
      return "page";
    },

    get signedOutJustNow() {
      return now - signedOutAt < 60_000;
    },

    async frontChannelLogout(...args) {
      note("frontChannelLogout", args);
      const ends = (await script.frontChannelLogout?.()) ?? false;
      if (ends) auth.set({ status: "signed_out", reason: "signed_out_at_provider" });
      return ends;
    },

    async initiatedSignIn(...args) {
      note("initiatedSignIn", args);
      return script.initiatedSignIn?.(...args);
    },

    on(type, listener) {
      return add(listeners, (event) => {
        if (type === "*" || type === event.type) listener(event);
      });
    },

    subscribe: (listener) => add(watchers, () => listener()),
    getSnapshot: () => session,

    close(...args) {
      if (closed) return;
      note("close", args);
      auth.set({ status: "signed_out" });
      signedOutAt = -Infinity;
      closed = true;
    },

    calls,

    get now() {
      return now;
    },

    advance(seconds) {
      if (!(seconds >= 0)) throw new RangeError("advance takes seconds: time does not go back");
      const until = now + seconds * 1000;
      while (next && next.at <= until) {
        now = Math.max(now, next.at);
        const { step } = next;
        next = undefined;
        step();
      }
      now = until;
    },

    set(scripted) {
      const given = read(scripted);
      if (given.status === "signed_in") {
        signedOutAt = -Infinity;
        const another = session.status === "signed_in" && session.subject !== given.subject;
        if (another) end("user_changed");
        const begins = session.status !== "signed_in";
        become(given);
        if (begins) tell({ type: "signed_in", text: "signed in" });
      } else if (given.status === "failed") {
        if (session.status === "signed_in") end("signed_out");
        fail(given.error);
      } else if (session.status === "signed_in") {
        end(scripted.reason ?? "signed_out");
        become(given);
      } else {
        become(given);
      }
    },

    emit(event) {
      tell({ text: event.type.replaceAll("_", " "), ...event });
    },

    [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
      auth.close();
    },
  };
  callers.set(auth);
  return auth;

  function note(method, args) {
    calls.push({ method, args });
    if (closed) throw misconfigured("closed", "this was closed: open another one");
  }

  function tell(event) {
    warned = event.type === "idle_soon" || (warned && !["active", "ended"].includes(event.type));
    Object.freeze(event);
    if (event.type.startsWith("step_up_")) {
      stepUp = event.signIn;
      for (const watcher of [...watchers]) watcher();
    }
    for (const listener of [...listeners]) listener(event);
  }

  function become(given) {
    next = fromNow(given);
    interruptions = 0;
    if (same(given, session)) return;
    session = given;
    for (const watcher of [...watchers]) watcher();
  }

  function end(reason) {
    finished = undefined;
    next = undefined;
    if (["idle", "session_limit", "signed_out", "signed_out_at_provider"].includes(reason)) signedOutAt = now;
    for (const stop of [...pending]) stop();
    if (stepUp !== undefined) auth.emit({ type: "step_up_settled" });
    tell({ type: "ended", reason, text: `the session is over, the tokens are gone: ${reason.replaceAll("_", " ")}` });
    become(Object.freeze({ status: "signed_out" }));
  }

  function fail(error) {
    tell({ type: "failed", error, text: error.message });
    if (session.status !== "signed_in") become(Object.freeze({ status: "failed", error }));
  }

  function signedIn() {
    if (session.status !== "signed_in") throw signInNeeded();
    return session;
  }

  async function finish() {
    const answer = await script.finishSignIn?.();
    if (session.status === "unknown") become(Object.freeze({ status: "signed_out" }));
    return answer ?? { outcome: session.status === "signed_in" ? "restored" : "nothing" };
  }

  // Renewal

  function fromNow({ status, expiresAt }) {
    if (status !== "signed_in" || expiresAt === undefined) return undefined;
    const lives = expiresAt - now;
    return { at: now + Math.max(lives - Math.min(lives / 5, 60_000), 3000), step: renewal };
  }

  /** Renews the token, and answers with the error if that did not work. */
  function renewal() {
    const { expiresAt } = session;
    let by;
    try {
      by = script.renew?.() ?? "refresh_token";
    } catch (error) {
      if (!(error instanceof AuthError)) throw error;
      return notRenewed(error);
    }
    tell({ type: "renewed", by, text: `renewed by ${by.replaceAll("_", " ")}` });
    become(Object.freeze({ ...session, expiresAt: expiresAt === undefined ? undefined : now + lifetime, renewedBy: by }));
    return undefined;
  }

  function notRenewed(error) {
    if (error.error === "invalid_grant") {
      end("rejected");
      return signInNeeded();
    }
    const { retryable } = error;
    const pauseSeconds = retryable ? Math.min(2 ** interruptions, 300) : undefined;
    const why = error.code === "sign_in_needed" ? undefined : error;
    tell({ type: "renewal_failed", by: "refresh_token", error: why, pauseSeconds, text: `not renewed: ${error.message}` });
    if (retryable) {
      interruptions += 1;
      next = { at: now + pauseSeconds * 1000, step: renewal };
    } else {
      tell({ type: "sign_in_needed", text: "the user must sign in again: nothing else leads to a new token" });
      const { expiresAt } = session;
      if (expiresAt <= now) end("expired");
      else if (expiresAt !== undefined) next = { at: expiresAt, step: () => end("expired") };
    }
    return error;
  }

  // Calling an API

  function checkDestination(request) {
    if (script.api === undefined) return;
    const url = new URL(request.url);
    const covers = (entry) => {
      const { origin, pathname } = new URL(entry.url ?? entry);
      const rest = url.pathname.startsWith(pathname) ? url.pathname.slice(pathname.length) : undefined;
      return origin === url.origin && rest !== undefined && (rest === "" || pathname.endsWith("/") || rest.startsWith("/"));
    };
    if (![script.api].flat().some(covers)) {
      throw misconfigured("destination_not_allowed", "this URL is under none of the entries of `api`, so it gets no token");
    }
  }

  async function call(request, signal) {
    if (signedIn().expiresAt <= now) {
      const error = renewal();
      if (error) throw error;
    }
    request.headers.set("authorization", "Bearer mock");
    if (!script.fetch) throw new Error(`nothing answers ${request.method} ${request.url}: give mock() a fetch`);
    // One that is made for a page cannot be given to a Request everywhere.
    if (signal) Object.defineProperty(request, "signal", { value: signal });
    const response = await unlessEnded(Promise.resolve(request).then(script.fetch), signal);
    if (!response?.headers) throw new TypeError("the fetch of mock() must answer with a Response");
    const redirects = [301, 302, 303, 307, 308].includes(response.status);
    if (response.type === "error" || (redirects && request.redirect !== "manual")) {
      throw authError({ code: "unreachable", kind: "interrupted", message: "no answer" });
    }
    if (!redirects) return response;
    return Object.defineProperties(Response.error(), { type: { value: "opaqueredirect" } });
  }

  /** Waits for it, but not longer than the session lasts. */
  function unlessEnded(work, signal) {
    let stop, abort;
    const ended = new Promise((_, reject) => {
      stop = () => reject(signInNeeded());
      abort = () => reject(signal.reason);
      pending.add(stop);
      signal?.addEventListener("abort", abort);
    });
    return Promise.race([work, ended]).finally(() => {
      pending.delete(stop);
      signal?.removeEventListener("abort", abort);
    });
  }

  function read(scripted) {
    const { status = "signed_in", error } = scripted;
    if (status === "failed") return Object.freeze({ status, error });
    if (status !== "signed_in") return Object.freeze({ status });
    const { issuer = "https://login.example", claims, scopes = ["openid", "profile"], authorizationDetails = [], renewedBy } = scripted;
    const subject = "subject" in scripted ? scripted.subject : (claims?.sub ?? "user");
    const expiresAt = "expiresAt" in scripted ? scripted.expiresAt : now + lifetime;
    const known = subject === undefined ? {} : { sub: subject, ...claims };
    return frozen({ status, issuer, subject, claims: known, scopes, authorizationDetails, expiresAt, renewedBy });
  }
}

function add(set, listener) {
  set.add(listener);
  return () => void set.delete(listener);
}

function requestOf(input, init) {
  const { signal: _, ...rest } = init ?? {};
  const base = globalThis.location?.href ?? "http://localhost/";
  const request = new Request(input instanceof Request ? input : new URL(input, base), rest);
  if (request.headers.has("authorization") || request.headers.has("dpop")) {
    throw misconfigured("authorization_set", "a request must not bring its own `Authorization` or `DPoP` header");
  }
  return request;
}

function misconfigured(code, message, option) {
  return authError({ code, kind: "misconfigured", message, option });
}

function signInNeeded() {
  return authError({ code: "sign_in_needed", kind: "interrupted", message: "nobody is signed in: call `signIn` first" });
}

function same(one, other) {
  return one.error === other.error && JSON.stringify(one) === JSON.stringify(other);
}

function frozen(value) {
  if (typeof value !== "object" || value === null) return value;
  const copy = Array.isArray(value) ? value.map(frozen) : Object.fromEntries(Object.entries(value).map(([name, of]) => [name, frozen(of)]));
  return Object.freeze(copy);
}
