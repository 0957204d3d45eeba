/// <reference lib="esnext.disposable" />
/**
 * Sign-in for single-page apps: OAuth 2 and OpenID Connect in the browser, with tokens in memory only.
 *
 * ```ts
 * import { open } from "tokenkeep";
 *
 * const auth = await open({
 *   issuer: "https://login.example.com",
 *   clientId: "my-app",
 *   api: "https://api.example.com/",
 * });
 *
 * if (auth.session.status === "signed_in") {
 *   const answer = await auth.fetch("https://api.example.com/me");
 *   console.log(auth.session.claims.name, await answer.json());
 * } else {
 *   await auth.signIn(); // leaves for the provider, and comes back to this page
 * }
 * ```
 */

import type { AuthErrorCode } from "./errors.js";

export type { AuthErrorCode } from "./errors.js";

/**
 * Opens sign-in for this page: loads the wasm, finishes a sign-in if the address carries its response, and finds out whether
 * somebody is signed in already, in another tab or at the provider. The response leaves the address bar, and the user is back where they
 * were.
 *
 * A sign-in that failed does not reject: `auth.session` says so. Where there is no page (a server, a worker), `auth.session` stays
 * `unknown`, and everything that needs a page rejects with `no_window`.
 *
 * @typeParam C claims that your provider puts into ID tokens, beside the standard ones.
 * @throws {AuthError} `misconfigured` when the options cannot work: which one, and what to do.
 */
export function open<C extends object = {}>(options: Options): Promise<Auth<C>>;

/** What an app configures. Unknown options, and those of a wrong type, are refused by name. */
export interface Options {
  /** Who signs users in: an https URL (http only on this machine), exactly as the provider writes it. */
  issuer: string;
  /** What the provider calls this app: a public client with PKCE. */
  clientId: string;
  /**
   * Where the access token goes: scheme, host, port and path prefix, compared exactly. Nothing else ever gets it. An entry may ask for a
   * token of its own, for another audience or with fewer scopes; the longest prefix that fits a URL decides.
   */
  api?: string | Api | ReadonlyArray<string | Api>;
  /** What is asked for: words with a space between, or a list. Default `openid profile`. */
  scopes?: string | readonly string[];
  /** `audience`: which API the token is for, at providers that know this parameter (Auth0). */
  audience?: string;
  /** Which API the token is for (RFC 8707). */
  resource?: string | readonly string[];
  /** Where the user comes back to after signing in: a path below this origin. Default `/callback`. */
  redirectPath?: string;
  /** The same as a whole URL of this origin. */
  redirectUri?: string;
  /** Where the user comes back to after signing out at the provider: a path below this origin. Default `/`. */
  postLogoutRedirectPath?: string;
  /** The same as a whole URL of this origin. */
  postLogoutRedirectUri?: string;
  /**
   * How the response comes back; with `.jwt` it is signed (JARM), and verified before its code is sent. `form_post` needs a `receiver`.
   * Default `query`, with an ID token `fragment`.
   */
  responseMode?: "query" | "fragment" | "form_post" | "query.jwt" | "fragment.jwt" | "form_post.jwt";
  /** What receives the form with `form_post`: `receiver()` of `tokenkeep/form-post`. */
  receiver?: { ready(): Promise<void>; take(): Promise<string | undefined> };
  /**
   * A server receives the form with `form_post`, and hands it on in the address: `tokenkeep/form-post-shim`, or what does the same. Without it
   * and without a `receiver` that mode is refused. Default `false`.
   */
  formPostReceiver?: boolean;
  /**
   * What is in the response. With `code id_token` (OpenID Connect Core §3.3) the ID token beside the code is verified before the code is sent,
   * and must name the same user as the one that comes for it. Default `code`.
   */
  responseType?: "code" | "code id_token";
  /**
   * Whether authorization requests are pushed to the provider, which then gives the browser a name for them (RFC 9126). A provider that
   * requires it gets them so in any case. Default `false`.
   */
  pushedAuthorizationRequests?: boolean;
  /** Only OAuth: the app calls APIs for a user whom it does not identify. Default `false`. */
  oauthOnly?: boolean;
  /** Whether a session may be renewed in a hidden frame (`prompt=none`). Default `true`. */
  renewByFrame?: boolean;
  /** Whether a session may be renewed by leaving for the provider and coming back, when nothing else works. Default `false`. */
  renewByRedirect?: boolean;
  /**
   * Whether tokens are bound to a key of this client that cannot be exported (DPoP, RFC 9449): a stolen token is useless on another device.
   * The provider must issue DPoP tokens to this client. APIs must allow the request header `DPoP`, and expose `WWW-Authenticate` and
   * `DPoP-Nonce`. Without a SharedWorker each tab signs in for itself then. Default `false`.
   */
  dpop?: boolean;
  /** Whether the provider gets the ID token back at sign-out, in a form (`id_token_hint`). Default `false`. */
  idTokenHint?: boolean;
  /** Whom else an ID token may be for, beside this client. */
  trustedAudiences?: string | readonly string[];
  /** How the provider answers at its UserInfo endpoint. Default `json`. */
  userInfo?: "json" | "signed";
  /** How much the clocks of device and provider may differ, in seconds: at most 300. Default 30. */
  clockLeewaySeconds?: number;
  /**
   * By how many seconds this device's clock is known to be fast; negative where it is slow. Default 0.
   */
  clockSkewSeconds?: number;
  /**
   * The app may see access tokens (`accessToken`): then so may whatever script gets into the page, and take them away. For an API that `fetch`
   * cannot call, such as a WebSocket's. Tokens that are bound to a key (`dpop`) are not shown in any case. Default `false`.
   */
  dangerousExposeAccessToken?: boolean;
  /**
   * A front-channel logout without `iss` and `sid` is believed: whoever frames the app's logout page signs its users out. Only for a
   * provider that sends neither.
   */
  dangerousFrontChannelLogoutWithoutSession?: boolean;
  /**
   * Whether `open` looks at the address by itself. With `false`, call `finishSignIn`: for an app that has a page for it, or that wants to hear
   * of every event from the first one. Default `true`.
   */
  finishSignIn?: boolean;
  /**
   * Where the tokens are. `shared`: in a SharedWorker, which all tabs with the same options use, and which is there after a reload; `worker`: in
   * a worker of this page; `page`: in the page's own memory. Where one does not start, the next one of these is taken, unless a list
   * says which are allowed, the best first. Default `shared`.
   */
  keep?: Keep | readonly Keep[];
  /** How long a SharedWorker keeps the tokens after the last page has gone, in seconds: enough for a reload. Default 60. */
  lingerSeconds?: number;
  /**
   * Where a sign-in waits for its response while its keep is in a worker: `memory`, so that nothing of it is stored; or `durable`, in IndexedDB,
   * for an engine that ends the worker when the page leaves. A sign-in that got lost begins once more by itself, without typing for who is
   * signed in at the provider. Default: `memory` where the engine can keep the worker, else `durable`.
   */
  pending?: "memory" | "durable";
  /** The wasm, where the bundler does not find it: its URL, its bytes, or a response that brings it. A worker takes no module. */
  wasm?: string | URL | BufferSource | Response | WebAssembly.Module | Promise<Response>;
  /** The script of the worker, where the bundler does not find it: the URL of `tokenkeep/keep.js`, of this very origin. */
  worker?: string | URL;
}

/** Where a keep is. */
export type Keep = "shared" | "worker" | "page";

/** An API that gets an access token of its own. */
export interface Api {
  /** Scheme, host, port and path prefix. */
  url: string;
  /** Which API the token is for (RFC 8707). */
  resource?: string | readonly string[];
  /** Which of the scopes that the user agreed to. */
  scopes?: string | readonly string[];
  /**
   * Whether its token comes by token exchange (RFC 8693), for the access token that the user signed in for: at a provider that lets public clients
   * exchange theirs. Default `false`: it comes with the refresh token.
   */
  exchange?: boolean;
  /** `audience`: the names of what the token is for. Only with `exchange`. */
  audience?: string | readonly string[];
}

/** Whether somebody is signed in. A new frozen object whenever that changes, and the same one until then. */
export type Session<C extends object = {}> = Unknown | SignedOut | SignedIn<C> | Failed;

/** Not known yet: a sign-in is being finished, or this is a server. */
export interface Unknown {
  readonly status: "unknown";
}

/** Nobody is signed in. */
export interface SignedOut {
  readonly status: "signed_out";
}

/** Somebody is signed in. Holds no token. */
export interface SignedIn<C extends object = {}> {
  readonly status: "signed_in";
  /** Who says so. */
  readonly issuer: string;
  /** `sub`: who it is, unique and never reassigned within the issuer. `undefined` with `oauthOnly`. */
  readonly subject: string | undefined;
  /** What the ID token says, its signature verified. Empty with `oauthOnly`. */
  readonly claims: Readonly<Claims & C>;
  /** What the access token may do, as the provider granted it. */
  readonly scopes: readonly string[];
  /** What it may do in detail, as far as the provider says (RFC 9396): perhaps less than was asked for. */
  readonly authorizationDetails: readonly AuthorizationDetail[];
  /** Until when the access token lives, in milliseconds since 1970, if the provider said so. */
  readonly expiresAt: number | undefined;
  /** What the access token came by; `undefined` if the user signed in for it. */
  readonly renewedBy: Rung | undefined;
}

/** Nobody is signed in, because signing in failed. */
export interface Failed {
  readonly status: "failed";
  readonly error: AuthError;
}

/** The standard claims of OpenID Connect Core §5.1, and whatever else the provider puts there. */
export interface Claims {
  readonly sub?: string;
  readonly name?: string;
  readonly given_name?: string;
  readonly family_name?: string;
  readonly middle_name?: string;
  readonly nickname?: string;
  readonly preferred_username?: string;
  readonly profile?: string;
  readonly picture?: string;
  readonly website?: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly gender?: string;
  readonly birthdate?: string;
  readonly zoneinfo?: string;
  readonly locale?: string;
  readonly phone_number?: string;
  readonly phone_number_verified?: boolean;
  readonly updated_at?: number;
  readonly auth_time?: number;
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly [claim: string]: unknown;
}

/** A way to a new token. */
export type Rung = "refresh_token" | "tab" | "frame" | "redirect";

/** Why a session ended. */
export type Ended =
  | "expired"
  /** The user was active in no tab for `idleLimitSeconds`. */
  | "idle"
  | "rejected"
  /** The user signed in `sessionLimitSeconds` ago. */
  | "session_limit"
  | "signed_out"
  | "signed_out_at_provider"
  | "signed_out_elsewhere"
  | "user_changed";

/**
 * Why `tokenkeep/check-session` does not watch the session at the provider: its frame says `changed` again and again although nothing has, as
 * when the browser keeps its storage from it; it answered `error`; the page's Content-Security-Policy forbids the frame; it does not answer; the
 * provider sent no `session_state` that can be used; the provider has no `check_session_iframe`.
 */
export type MonitorStopped = "always_changed" | "error" | "frame_blocked" | "no_answer" | "no_session_state" | "not_offered";

/** What an app holds: who is signed in, and never a token. */
export interface Auth<C extends object = {}> extends Disposable {
  /** Whether somebody is signed in. */
  readonly session: Session<C>;

  /** Where the tokens are. `undefined` where there is no page. */
  readonly keep: Keep | undefined;

  /**
   * Leaves for the provider. Resolves when the navigation has begun; any number of calls begin one.
   * @throws {AuthError} when the sign-in cannot begin. Nothing was remembered then.
   */
  signIn(options?: SignInOptions): Promise<void>;

  /**
   * Finishes a sign-in if the address carries its response. `open` does it by itself, unless it was told not to. When this returns, before
   * anything is awaited, the response has left the address bar. Called again it gives the same answer.
   * @throws {AuthError} when the response is not acceptable. Who was signed in before still is.
   */
  finishSignIn(): Promise<Finished>;

  /**
   * Calls an API as `fetch` does: with the token if it is one of `api`, and not at all otherwise. When the API refuses the token, it is
   * renewed and the request sent once more, unless its body is a `ReadableStream`. Redirects are not followed: with `redirect: "manual"`
   * they are an opaque answer, else an error.
   * @throws {AuthError} when nobody is signed in, the destination is not listed, or no answer came.
   * @throws {DOMException} `AbortError`, or the signal's reason, when it is aborted.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

  /**
   * What a call waits for, with the option `stepUp` of `tokenkeep/session`: the question to put to the user. `signIn(auth.stepUp)` is their yes, in this page or in
   * another one that has the same keep; what waits in a page that leaves is lost with it. `undefined` when no call waits.
   */
  readonly stepUp: StepUp | undefined;

  /** The user's no: calls that wait for `stepUp` get the 401 that asked for it. Another one may follow, for other calls. */
  declineStepUp(): void;

  /**
   * The access token that a request to this URL would have, for an app that must see it. It is renewed first if need be.
   * @throws {AuthError} `token_is_kept` without `dangerousExposeAccessToken`; when nobody is signed in, or the URL is not listed.
   */
  accessToken(url: string | URL): Promise<string>;

  /**
   * Asks the provider for claims about the user who is signed in.
   * @throws {AuthError} when nobody is signed in, no answer came, or it is about somebody else.
   */
  userInfo(): Promise<Readonly<Claims & C>>;

  /**
   * Renews the access token now, unless it is younger than two seconds. It is done by itself in time: this is for who knows that something
   * changed at the provider.
   * @throws {AuthError} when no way led to a new token. The session goes on with the one that is there.
   */
  renew(): Promise<void>;

  /**
   * The user is active, as the app knows: by a button that says "stay signed in", or by a film that is being watched. It is so in all tabs.
   * For `idleLimitSeconds` of `tokenkeep/session`; a session that has ended stays ended.
   */
  stayActive(): void;

  /**
   * Signs out. When this returns, before anything is awaited, the tokens are gone here; then the other tabs are told, the refresh token is
   * revoked, and, unless told to stay, the browser leaves for the provider.
   * @throws {AuthError} when the provider cannot be asked. The user is signed out here all the same.
   */
  signOut(options?: SignOutOptions): Promise<void>;

  /** Whether the user signed out in this browser within the last minute: not the time to send anybody to sign in by itself. */
  readonly signedOutJustNow: boolean;

  /**
   * Stands at the app's front-channel logout URI, which the provider loads in a frame: ends the session that the address names. `false`
   * when no tab had it.
   */
  frontChannelLogout(): Promise<boolean>;

  /** Calls back when something of this type happens, or anything for `"*"`. Returns what ends that. */
  on<T extends Event["type"]>(type: T, listener: (event: Extract<Event, { type: T }>) => void): () => void;
  on(type: "*", listener: (event: Event) => void): () => void;

  /** Calls back when `session` or `stepUp` changes. Returns what ends that. Made for `useSyncExternalStore`, as `getSnapshot` is. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The same as `session`. */
  readonly getSnapshot: () => Session<C>;

  /**
   * Forgets who is signed in: this is of no use any more. With `keep: "page"` the tokens are dropped, and all that was stored for this client is
   * removed; a SharedWorker goes on for other pages, and else drops them after `lingerSeconds`. `using` does it.
   */
  close(): void;
}

/** How a user signs in. */
export interface SignInOptions {
  /** Where in the app the user wants to be afterwards. Default: here. */
  returnTo?: string | URL;
  /** What the provider shall show. */
  prompt?: "none" | Prompt | readonly Prompt[];
  /** How long ago the user may have authenticated, in seconds. */
  maxAgeSeconds?: number;
  /** Whom the provider shall suggest. */
  loginHint?: string;
  /** Languages for the provider's pages, best first (BCP 47). */
  uiLocales?: string | readonly string[];
  /** Ways of authenticating, best first: one of these is wished for. */
  preferredAcr?: string | readonly string[];
  /** Ways of authenticating: one of these is required, and verified in the ID token. */
  requiredAcr?: string | readonly string[];
  /** What is asked for in detail (RFC 9396). The session says what was granted. */
  authorizationDetails?: readonly AuthorizationDetail[];
  /** Other parameters for the provider. None that this library sets. */
  extra?: Readonly<Record<string, string>>;
}

/** What an API wants of the user before it does what it was asked (RFC 9470): options for `signIn`. */
export interface StepUp {
  readonly requiredAcr?: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** One thing that may be done (RFC 9396 §2): what else is in it, its type says. */
export interface AuthorizationDetail {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** What the provider shall do with the user (OpenID Connect Core §3.1.2.1). */
export type Prompt = "login" | "consent" | "create" | "select_account";

export interface SignOutOptions {
  /** Only this app, in all tabs: the user stays signed in at the provider. Default `false`. */
  local?: boolean;
}

/** What came of looking at the address. */
export type Finished =
  /** There was no response of ours in it, and nobody is signed in. */
  | { readonly outcome: "nothing" }
  /** There was none, but somebody was signed in before the page was loaded, and still is. */
  | { readonly outcome: "restored" }
  /** Somebody signed in, and wanted to be there: path, query and hash. */
  | { readonly outcome: "signed_in"; readonly returnTo: string }
  /** The provider was asked without showing anything, and says that it must. */
  | { readonly outcome: "sign_in_needed"; readonly returnTo: string };

/** Something that happened. No event holds a secret. */
export type Event =
  /** What `idle_soon` said is taken back: the user was active, in whatever tab. */
  | { readonly type: "active"; readonly text: string }
  | { readonly type: "api_answered"; readonly url: string; readonly status: number; readonly text: string }
  | { readonly type: "callback_received"; readonly text: string }
  | { readonly type: "client_metadata_unsupported"; readonly text: string }
  | { readonly type: "code_redeemed"; readonly text: string }
  | { readonly type: "ended"; readonly reason: Ended; readonly text: string }
  | { readonly type: "failed"; readonly error: AuthError; readonly text: string }
  | { readonly type: "id_token_verified"; readonly algorithm: string; readonly text: string }
  /** The session ends then, in milliseconds since 1970, unless the user is active. */
  | { readonly type: "idle_soon"; readonly endsAt: number; readonly text: string }
  | { readonly type: "keys_read"; readonly text: string }
  | { readonly type: "metadata_read"; readonly text: string }
  | { readonly type: "redirecting"; readonly text: string }
  | { readonly type: "renewed"; readonly by: Rung; readonly text: string }
  | {
      readonly type: "renewal_failed";
      readonly by: Rung;
      readonly error: AuthError | undefined;
      /** After how many seconds all is tried again. */
      readonly pauseSeconds: number | undefined;
      readonly text: string;
    }
  | { readonly type: "revoked"; readonly error: AuthError | undefined; readonly text: string }
  | { readonly type: "scope_changed"; readonly missing: readonly string[]; readonly added: readonly string[]; readonly text: string }
  | { readonly type: "session_changed"; readonly text: string }
  | { readonly type: "session_monitor_stopped"; readonly reason: MonitorStopped; readonly text: string }
  | { readonly type: "sign_in_needed"; readonly text: string }
  | { readonly type: "signed_in"; readonly text: string }
  | { readonly type: "signed_out_at_provider"; readonly text: string }
  | {
      /** A call waits until the user has authenticated like that, in another way or again: ask them, and sign in with this or decline. */
      readonly type: "step_up_needed";
      readonly signIn: StepUp;
      readonly text: string;
    }
  /** No call waits any more for what was told last. */
  | { readonly type: "step_up_settled"; readonly text: string };

/** Why something did not work. It never holds a token, a code or another secret. */
export class AuthError extends Error {
  private constructor();
  override readonly name: "AuthError";
  /** What a program compares. `provider` for every answer of the provider that says `error`: see there. */
  readonly code: AuthErrorCode;
  /** Who must act. */
  readonly kind: AuthErrorKind;
  /** Whether it is safe to try again. */
  readonly retryable: boolean;
  /** The provider's error code (RFC 6749 §5.2), such as `access_denied`. */
  readonly error: string | undefined;
  /** What the provider says about it to a developer. Not to be shown as HTML. */
  readonly errorDescription: string | undefined;
  /** The provider's page about it. */
  readonly errorUri: string | undefined;
  /** The status code of the answer, where that is what was wrong. */
  readonly status: number | undefined;
  /** The option that cannot work, where that is what was wrong. */
  readonly option: string | undefined;
}

/**
 * Who must act: nobody, who tries again (`interrupted`); who runs provider or API, if it is no attack (`misbehaved`); the developer of the
 * app (`misconfigured`); the user, or who runs the provider (`provider`).
 */
export type AuthErrorKind = "interrupted" | "misbehaved" | "misconfigured" | "provider";
