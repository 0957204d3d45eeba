/**
 * An `Auth` for an application's own tests: its session is scripted, nothing is sent, and time moves when the test says so.
 * Loads no wasm and needs no page.
 *
 * ```ts
 * import { mock } from "tokenkeep/mock";
 *
 * const auth = mock({
 *   session: { subject: "alice", claims: { name: "Alice" } },
 *   fetch: (request) => Response.json({ asked: request.url }),
 * });
 *
 * await auth.fetch("https://api.example.com/me");
 * auth.advance(300); // five minutes later: the token was renewed
 * auth.set({ status: "signed_out", reason: "signed_out_elsewhere" });
 * console.log(auth.calls); // [{ method: "fetch", args: ["https://api.example.com/me"] }]
 * ```
 */

import type {
  Api,
  AuthError,
  AuthErrorCode,
  AuthErrorKind,
  AuthorizationDetail,
  Claims,
  Ended,
  Event,
  Finished,
  Rung,
  SignInOptions,
  SignOutOptions,
} from "./index.js";
import type { Auth } from "./session.js";

/**
 * Opens a mock.
 *
 * @typeParam C claims that your provider puts into ID tokens, beside the standard ones.
 * @throws {AuthError} `option_unknown`.
 */
export function mock<C extends object = {}>(options?: MockOptions<C>): MockAuth<C>;

/** What stands in for provider and API. */
export interface MockOptions<C extends object = {}> {
  /** Who is signed in at first. Default: nobody. */
  session?: MockSession<C>;
  /** What time it is at first, in milliseconds since 1970. Default: the time on the clock. It moves by `advance` alone. */
  now?: number;
  /** How long an access token lives. Default 300. */
  lifetimeSeconds?: number;
  /** Which URLs get a token. Default: all. */
  api?: string | Api | ReadonlyArray<string | Api>;
  /** Answers the requests of `auth.fetch`. They carry a token that is worth nothing. `Response.error()` is no answer. */
  fetch?: (request: Request) => Response | Promise<Response>;
  /** Answers `auth.userInfo`. Default: with the session's claims. */
  userInfo?: () => Readonly<Claims & C> | Promise<Readonly<Claims & C>>;
  /**
   * Says what leads to a new token, when one is due or `auth.renew` asks for it. Default: `refresh_token`. What it throws says why there is
   * none: all is tried again after what is retryable, `invalid_grant` ends the session, and after anything else it ends with its token.
   */
  renew?: () => Exclude<Rung, "redirect">;
  /** Says who comes back from the provider, or throws why nobody can leave for it. Default: nobody comes back. */
  signIn?: (options?: SignInOptions) => MockSession<C> | void | Promise<MockSession<C> | void>;
  /** Says what was in the address. Default: nothing. */
  finishSignIn?: () => Finished | Promise<Finished>;
  /** Throws why the provider cannot be asked to sign out. */
  signOut?: (options?: SignOutOptions) => void | Promise<void>;
  /** Whether the address names the session. Default: it does not. */
  frontChannelLogout?: () => boolean | Promise<boolean>;
  /** What the address asks for that somebody sent the user to. Default: nothing. */
  initiatedSignIn?: (url?: string | URL) => SignInOptions | undefined | Promise<SignInOptions | undefined>;
}

/** A session as a test writes it down: all of a session's properties, or less. */
export type MockSession<C extends object = {}> =
  | MockSignedIn<C>
  | { readonly status: "unknown" }
  | {
      readonly status: "signed_out";
      /** Why, if somebody was signed in. Default `signed_out`. */
      readonly reason?: Ended;
    }
  | { readonly status: "failed"; readonly error: AuthError };

/** Who is signed in. */
export type MockSignedIn<C extends object = {}> = {
  readonly status?: "signed_in";
  /** Default `https://login.example`. */
  readonly issuer?: string;
  /** Default: the claim `sub`, or `user`. */
  readonly subject?: string | undefined;
  /** Default `openid` and `profile`. */
  readonly scopes?: readonly string[];
  /** Default: none. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** Default: as long as `lifetimeSeconds` says. With `undefined` the token has no end. */
  readonly expiresAt?: number | undefined;
  readonly renewedBy?: Rung | undefined;
} & ({} extends C ? { readonly claims?: Readonly<Claims & C> } : { readonly claims: Readonly<Claims & C> });

/** An `Auth`, and what a test does to it. */
export interface MockAuth<C extends object = {}> extends Auth<C> {
  /** What was called with what, in order. Set `length` to 0 to begin anew. */
  readonly calls: Call[];

  /** What time it is for the session, in milliseconds since 1970. */
  readonly now: number;

  /** Lets time pass. When this returns, what became due has happened: renewals, attempts at them, the session's end. */
  advance(seconds: number): void;

  /** Changes who is signed in, and says so as the provider's or another tab's doing: `signed_in`, `ended` and `failed` are emitted. */
  set(session: MockSession<C>): void;

  /** Tells listeners that something happened. The session stays as it is; `stepUp` is what `step_up_needed` says, until `step_up_settled`. */
  emit(event: MockEvent): void;
}

/** An event whose text may be left out. */
export type MockEvent = Event extends infer E ? (E extends Event ? Omit<E, "text"> & { readonly text?: string } : never) : never;

type Method =
  | "signIn" | "finishSignIn" | "fetch" | "accessToken" | "userInfo" | "renew" | "declineStepUp" | "signOut" | "frontChannelLogout"
  | "initiatedSignIn" | "stayActive" | "close";

/** A call of a method, with its arguments. */
export type Call = { [M in Method]: { readonly method: M; readonly args: Parameters<Auth[M]> } }[Method];

/** An error as the library makes it: for `throw`, for `failed`, and for events. */
export function authError(fields: AuthErrorFields): AuthError;

export type AuthErrorFields =
  | {
      code: "provider";
      /** The provider's error code. */
      error: string;
      errorDescription?: string;
      errorUri?: string;
      message?: string;
    }
  | {
      code: Exclude<AuthErrorCode, "provider">;
      kind: Exclude<AuthErrorKind, "provider">;
      status?: number;
      option?: string;
      message?: string;
    };
