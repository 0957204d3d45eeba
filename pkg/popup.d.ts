/**
 * Sign-in in a window of its own: what the page holds is still there afterwards.
 *
 * ```ts
 * import { open } from "tokenkeep/session";
 * import { signInWithPopup } from "tokenkeep/popup";
 *
 * const auth = await open({ issuer: "https://login.example.com", clientId: "my-app" });
 *
 * document.querySelector("#sign-in")!.addEventListener("click", async () => {
 *   const session = await signInWithPopup(auth, { otherwise: "redirect" });
 *   if (session.status === "signed_in") console.log(session.claims.name);
 * });
 * ```
 *
 * Two static files of this package, `tokenkeep/popup.html` and `tokenkeep/popup-callback.js`, stand side by side at `popupRedirectPath`
 * (default `/popup.html`), which is registered at the provider as one more redirect URI.
 */

import type { Session, SignInOptions } from "./index.js";
import type { Auth } from "./session.js";

/**
 * Signs in in a window of its own. **The window is opened before this returns:** call it in the click itself, before anything is awaited. It
 * works whatever `Cross-Origin-Opener-Policy` the provider has. The app's own, if it wants one, must be `same-origin-allow-popups`: with
 * `same-origin` nobody can tell that the user closed the window.
 *
 * A page has one such window: another call closes the one before. Who was signed in before still is, whatever goes wrong.
 *
 * @returns `auth.session`, with who signed in. With `otherwise: "redirect"`, as it is when the browser leaves.
 * @param auth what `open` of `tokenkeep/session` gives, or of `tokenkeep/device`.
 * @throws {AuthError} `session_entry_missing` for another `auth`; `popup_blocked` at once, when there is no window; `popup_closed` when the user closed it, as far as that can be told;
 * `popup_superseded` after another call; `timed_out` after ten minutes; and all that `signIn` and `finishSignIn` say.
 * @throws {DOMException} `AbortError`, or the signal's reason, when it is aborted.
 */
export function signInWithPopup<C extends object = {}>(auth: Auth<C>, options?: PopupOptions): Promise<Session<C>>;

/** What one sign-in asks for, beside what the app always asks for. `returnTo` is for `otherwise`: with a window nobody goes anywhere. */
export interface PopupOptions extends SignInOptions {
  /** Gives it up, and closes the window. When the provider has answered it is too late for that. */
  signal?: AbortSignal;
  /** What to do where the browser opens no window: leave for the provider (`signIn`). Without it that is an error. */
  otherwise?: "redirect";
}
