// What an app may write.

import { AuthError, open } from "tokenkeep";
import { open as openIdToken, receiver } from "tokenkeep/form-post";
import type {
  Auth, AuthErrorCode, AuthErrorKind, Claims, Ended, Event, Finished, Options, Rung, Session, SignInOptions, StepUp,
} from "tokenkeep";

import { is } from "./same.js";

interface Staff {
  readonly roles: readonly string[];
  readonly "https://example.com/tenant": { readonly id: number };
}

export async function everyOption(): Promise<Auth> {
  const options: Required<Options> = {
    issuer: "https://login.example.com",
    clientId: "my-app",
    api: ["https://api.example.com/", { url: "https://other.example.com/", resource: ["urn:a"], scopes: "read" }, { url: "urn:b", exchange: true, audience: ["ledger"] }] as const,
    scopes: ["openid", "profile"],
    audience: "https://api.example.com/",
    resource: "urn:example:api",
    redirectPath: "/callback",
    redirectUri: "https://app.example.com/callback",
    postLogoutRedirectPath: "/",
    postLogoutRedirectUri: "https://app.example.com/",
    responseMode: "fragment",
    receiver: receiver({ script: "/form-post-worker.js" }),
    formPostReceiver: true,
    responseType: "code",
    pushedAuthorizationRequests: true,
    oauthOnly: false,
    renewByFrame: true,
    renewByRedirect: false,
    dpop: true,
    idTokenHint: false,
    trustedAudiences: [],
    userInfo: "signed",
    clockLeewaySeconds: 30,
    clockSkewSeconds: -90,
    dangerousExposeAccessToken: false,
    dangerousFrontChannelLogoutWithoutSession: false,
    finishSignIn: true,
    keep: ["shared", "page"] as const,
    lingerSeconds: 60,
    pending: "memory",
    wasm: fetch("/tokenkeep.wasm"),
    worker: new URL("https://app.example.com/keep.js"),
  };
  return open(options);
}

export async function everyWasm(options: Options): Promise<void> {
  const bytes = new ArrayBuffer(0);
  for (const wasm of ["/tokenkeep.wasm", new URL("https://app.example.com/"), bytes, new Uint8Array(bytes), new Response()]) {
    using _auth = await open({ ...options, wasm });
  }
  await open({ ...options, wasm: await WebAssembly.compile(bytes) });
}

export async function everyMethod(auth: Auth<Staff>): Promise<void> {
  is<void>()(await auth.signIn());
  await auth.signIn({ returnTo: new URL("https://app.example.com/"), prompt: ["login", "consent"], maxAgeSeconds: 0 });
  await auth.signIn({ prompt: "none", loginHint: "alice", uiLocales: ["de", "en"], extra: { kc_idp_hint: "github" } });
  await auth.signIn({ preferredAcr: "1", requiredAcr: ["2"], returnTo: "/orders" });

  is<Response>()(await auth.fetch("https://api.example.com/me"));
  await auth.fetch(new Request("https://api.example.com/me"), { signal: AbortSignal.timeout(1000) });
  await auth.fetch(new URL("https://api.example.com/me"), { method: "POST", body: new FormData() });
  const asFetch: typeof fetch = (input, init) => auth.fetch(input, init);
  await asFetch("https://api.example.com/me");

  is<readonly string[]>()((await auth.userInfo()).roles);
  is<string | undefined>()((await auth.userInfo()).email);
  is<void>()(await auth.renew());
  is<void>()(auth.stayActive());
  is<void>()(await auth.signOut());
  await auth.signOut({ local: true });
  is<boolean>()(auth.signedOutJustNow);
  is<StepUp | undefined>()(auth.stepUp);
  await auth.signIn(auth.stepUp);
  is<void>()(auth.declineStepUp());
  is<boolean>()(await auth.frontChannelLogout());
  is<Session<Staff>>()(auth.getSnapshot());
  is<void>()(auth.subscribe(() => {})());
  auth.close();
}

export function everySession(session: Session<Staff>): string {
  is<"unknown" | "signed_out" | "signed_in" | "failed">()(session.status);
  switch (session.status) {
    case "unknown":
      return "…";
    case "signed_out":
      return "nobody";
    case "failed":
      is<AuthError>()(session.error);
      return session.error.message;
    case "signed_in":
      is<string>()(session.issuer);
      is<string | undefined>()(session.subject);
      is<readonly string[]>()(session.scopes);
      is<number | undefined>()(session.expiresAt);
      is<Rung | undefined>()(session.renewedBy);
      is<readonly string[]>()(session.claims.roles);
      is<string | undefined>()(session.claims.roles[0]);
      is<number>()(session.claims["https://example.com/tenant"].id);
      is<string | undefined>()(session.claims.name);
      is<boolean | undefined>()(session.claims.email_verified);
      is<readonly string[] | undefined>()(session.claims.amr);
      is<unknown>()(session.claims["something else"]);
      return session.claims.name ?? "somebody";
  }
  is<never>()(session);
}

export async function typedClaims(options: Options): Promise<Auth> {
  const staff = await open<Staff>(options);
  is<Auth<Staff>>()(staff);
  is<Auth>()(await open(options));
  // Who knows more claims may be given to who knows fewer.
  return staff;
}

export function everyFinish(finished: Finished): string {
  switch (finished.outcome) {
    case "nothing":
    case "restored":
      return "/";
    case "signed_in":
    case "sign_in_needed":
      return finished.returnTo;
  }
}

export function everyEvent(auth: Auth): ReadonlyArray<() => void> {
  return [
    auth.on("api_answered", (event) => {
      is<string>()(event.url);
      is<number>()(event.status);
    }),
    auth.on("ended", ({ reason }) => is<Ended>()(reason)),
    auth.on("failed", ({ error }) => is<AuthError>()(error)),
    auth.on("idle_soon", ({ endsAt }) => is<number>()(endsAt)),
    auth.on("id_token_verified", ({ algorithm }) => is<string>()(algorithm)),
    auth.on("renewed", ({ by }) => is<Rung>()(by)),
    auth.on("renewal_failed", (event) => {
      is<Rung>()(event.by);
      is<AuthError | undefined>()(event.error);
      is<number | undefined>()(event.pauseSeconds);
    }),
    auth.on("revoked", ({ error }) => is<AuthError | undefined>()(error)),
    auth.on("scope_changed", (event) => {
      is<readonly string[]>()(event.missing);
      is<readonly string[]>()(event.added);
    }),
    auth.on("step_up_needed", ({ signIn }) => {
      is<readonly string[] | undefined>()(signIn.requiredAcr);
      is<number | undefined>()(signIn.maxAgeSeconds);
    }),
    auth.on("step_up_settled", ({ text }) => is<string>()(text)),
    auth.on("*", (event) => {
      is<Event>()(event);
      is<string>()(event.text);
      if (event.type === "renewed") is<Rung>()(event.by);
    }),
  ];
}

export function everyError(error: unknown): string {
  if (!(error instanceof AuthError)) throw error;
  is<"AuthError">()(error.name);
  is<AuthErrorCode>()(error.code);
  is<AuthErrorKind>()(error.kind);
  is<boolean>()(error.retryable);
  for (const text of [error.error, error.errorDescription, error.errorUri, error.option]) is<string | undefined>()(text);
  is<number | undefined>()(error.status);
  switch (error.code) {
    case "provider":
      return error.error ?? "";
    case "offline":
    case "sign_in_needed":
    case "destination_not_allowed":
    case "no_window":
    case "option_unknown":
      return error.code;
    default:
      return error.message;
  }
}

export async function disposed(options: Options): Promise<Claims | undefined> {
  using auth = await open(options);
  return auth.session.status === "signed_in" ? auth.session.claims : undefined;
}

export const readonlyLists: SignInOptions = { prompt: ["login"] as const, preferredAcr: ["1"] as const, extra: Object.freeze({ a: "b" }) };

export async function whoItIs(): Promise<string | undefined> {
  const { claims, error, returnTo, signIn } = await openIdToken({ issuer: "https://login.example.com", clientId: "my-app", script: "/sw.js" });
  is<AuthError | undefined>()(error);
  is<string | undefined>()(returnTo);
  await signIn({ prompt: "login" });
  return claims?.sub;
}

export async function inDetail(auth: Auth): Promise<readonly unknown[]> {
  await auth.signIn({ authorizationDetails: [{ type: "payment", amount: "1.00" }] });
  return auth.session.status === "signed_in" ? auth.session.authorizationDetails.map(({ type, amount }) => [type, amount]) : [];
}
