/**
 * Sign-in on another device (RFC 8628), for a screen without a keyboard: a television, a kiosk.
 *
 * ```ts
 * import { open } from "tokenkeep/device";
 *
 * const auth = await open({
 *   issuer: "https://login.example.com",
 *   clientId: "my-tv",
 *   scopes: "openid profile offline_access",
 *   api: "https://api.example.com/",
 *   dangerousDeviceAuthorization: true,
 * });
 *
 * const signIn = await auth.signInByDevice();
 * document.querySelector("#code")!.textContent = `${signIn.verificationUri}: ${signIn.userCode}`;
 * document.querySelector<HTMLImageElement>("#qr")!.src = `data:image/svg+xml,${encodeURIComponent(signIn.qrSvg ?? "")}`;
 * await signIn.finished;
 * ```
 */

import type { Auth as SessionAuth, Options as SessionOptions } from "./session.js";

export { AuthError } from "./index.js";
export type * from "./session.js";

/**
 * `open` of `tokenkeep/session`, with wasm of its own that has `signInByDevice`, and with its keep in the page: such a screen shows one page. So
 * after a reload the user signs in again.
 *
 * @throws {AuthError} `misconfigured` when the options cannot work: which one, and what to do.
 */
export function open<C extends object = {}>(options: Options): Promise<Auth<C>>;

/** What an app configures. */
export interface Options extends Omit<SessionOptions, "keep" | "lingerSeconds" | "pending" | "worker"> {
  /**
   * Users may sign in on another device: then whoever gets somebody to enter a code is signed in as them. Nothing ties the one who agrees to the
   * screen that shows the code, so a code can be sent by mail, and a user who believes it hands over their account (RFC 8628 §5.4, RFC 10027). Only
   * for a screen where nobody can type: a page must redirect where it can (RFC 10017 §7.3). Register a client for it of its own. Sessions are
   * renewed by the refresh token only. Default `false`: `signInByDevice` rejects.
   */
  dangerousDeviceAuthorization?: boolean;
  /** Where the tokens are: nowhere else than in the page. */
  keep?: "page" | readonly ["page"];
}

/** What an app holds. */
export interface Auth<C extends object = {}> extends SessionAuth<C> {
  /**
   * Begins a sign-in on another device. Called again while one is under way it gives the same code.
   * @throws {AuthError} `device_not_allowed` without `dangerousDeviceAuthorization`; `device_unavailable` when the provider does not offer it.
   * @throws {DOMException} `AbortError`, or the signal's reason, when it is aborted.
   */
  signInByDevice(options?: SignInByDeviceOptions): Promise<DeviceSignIn>;
}

export interface SignInByDeviceOptions {
  /** Gives it up: nobody is waited for, and the provider is not asked any more. */
  signal?: AbortSignal;
}

/** A sign-in on another device that is under way. */
export interface DeviceSignIn {
  /** What the user enters on the other device: letters, digits, spaces, `-`, `.` and `_`. */
  readonly userCode: string;
  /** Where they enter it. */
  readonly verificationUri: string;
  /** The same with the code in it, if the provider has such a page. */
  readonly verificationUriComplete?: string;
  /** Until when the code is good, in milliseconds since 1970. */
  readonly expiresAt: number;
  /**
   * A QR code of `verificationUriComplete`, or else of `verificationUri`, as the text of an SVG image with a title, for an `img` with a `data:` URL or
   * to be parsed. Show the user code beside it. Not there when the URL is longer than 1000 bytes.
   */
  readonly qrSvg?: string;
  /**
   * Resolves when somebody has signed in: `auth.session` says who. A rejection that nobody handles is no error of the page.
   * @throws {AuthError} `device_code_expired` when nobody entered the code in time: begin again. `provider` with `error` `access_denied` when the
   * user said no. `cancelled` when somebody else gave it up.
   * @throws {DOMException} `AbortError`, or the signal's reason, when it is aborted.
   */
  readonly finished: Promise<void>;
}
