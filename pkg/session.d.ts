/**
 * What is around a session: step-up (RFC 9470), idle and session limits, sign-in in a window of its own (`tokenkeep/popup`), a sign-in that
 * somebody else begins, and watching the session at the provider (`tokenkeep/check-session`).
 *
 * ```ts
 * import { open } from "tokenkeep/session";
 *
 * const auth = await open({
 *   issuer: "https://login.example.com",
 *   clientId: "my-app",
 *   api: "https://api.example.com/",
 *   idleLimitSeconds: 15 * 60,
 *   stepUp: true,
 * });
 *
 * auth.on("idle_soon", ({ endsAt }) => console.log(`the session ends at ${new Date(endsAt)}`));
 * ```
 */

import type { Auth as DefaultAuth, Options as DefaultOptions, SignInOptions } from "./index.js";

export { AuthError } from "./index.js";
export type * from "./index.js";

/**
 * `open` of the default entry, with wasm and a worker of its own that do more: what imports only `tokenkeep` loads nothing of it.
 *
 * @throws {AuthError} `misconfigured` when the options cannot work: which one, and what to do.
 */
export function open<C extends object = {}>(options: Options): Promise<Auth<C>>;

/** What an app configures. */
export interface Options extends DefaultOptions {
  /** Where the window of `signInWithPopup` (`tokenkeep/popup`) comes back to: a path below this origin. Default `/popup.html`. */
  popupRedirectPath?: string;
  /** The same as a whole URL of this origin. */
  popupRedirectUri?: string;
  /**
   * Whether a call waits when its API wants the user to authenticate in another way, or more lately (RFC 9470): see `stepUp` and the event
   * `step_up_needed`. It is sent once more when the same user has done that, waits for ten minutes at most, and else gets the 401. A body that
   * is a `ReadableStream` does not wait. APIs must expose `WWW-Authenticate`. Default `false`.
   */
  stepUp?: boolean;
  /**
   * After how many seconds without activity the session ends, in all tabs (`ended` with the reason `idle`). Activity is what the user does
   * with a key, a pointer or a finger in any tab of the app, and `stayActive`; neither a call nor a renewal is. Time in which the device sleeps
   * counts. The session at the provider goes on. Default: none.
   */
  idleLimitSeconds?: number;
  /** How many seconds before that `idle_soon` is told; 0 is no warning. Default 60. */
  idleWarningSeconds?: number;
  /** How many seconds after the sign-in to this app the session ends, whatever the user does, without a warning. Default: never. */
  sessionLimitSeconds?: number;
}

declare const ofThisEntry: unique symbol;

/** What an app holds: what the default entry has, and what `tokenkeep/popup` and `tokenkeep/check-session` take. */
export interface Auth<C extends object = {}> extends DefaultAuth<C> {
  /**
   * Reads the address of the app's `initiate_login_uri`, to which a portal or the provider sends users who shall sign in (OpenID Connect
   * Core §4): what to call `signIn` with, or `undefined` when nobody asks for a sign-in there. It only reads. The user goes on to
   * `target_link_uri` if that is a place of this app, else to its root. An app with several providers asks each of its `auth`.
   *
   * Whoever makes a link can start a sign-in with it: so take the parameters out of the address first, and do nothing by itself when somebody
   * is signed in.
   * @throws {AuthError} `issuer_mismatch` when it names another provider, where nothing is asked then; others when it is doubled, malformed
   * or longer than 8 KiB.
   */
  initiatedSignIn(url?: string | URL): Promise<SignInOptions | undefined>;

  /** For the compiler alone, which tells the entries apart by it. */
  readonly [ofThisEntry]: true;
}
