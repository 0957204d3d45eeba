/**
 * The page's end of receiving an authorization response that the provider sends by POST (`response_mode=form_post`,
 * [OAuth 2.0 Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html)).
 *
 * A page cannot read what was posted to its address, so somebody receives it there: the service worker `form-post-worker.js`, or, for a first
 * visit and where there are no service workers, a server with `tokenkeep/form-post-shim`. Both hand the text to the page once.
 *
 * ```ts
 * import { ready, takePosted } from "tokenkeep/form-post";
 *
 * // At the redirect URI, before a router changes the address:
 * const fields = await takePosted();
 * if (fields !== undefined) console.log([...new URLSearchParams(fields).keys()]); // code, iss, state
 *
 * // Before leaving for the provider:
 * await ready("/callback", { script: "/form-post-worker.js" });
 * ```
 *
 * Whoever can make the browser send a form can post to the redirect URI, as on any server. Nothing in the text is checked here: `state` and
 * `iss` must be.
 */

/** How to {@link ready | get ready}. */
export interface ReadyOptions {
  /**
   * The address of `form-post-worker.js`, on this origin: at the top, or in a folder around the redirect URI, for a service worker receives
   * nothing outside its folder. Leave it out if the app has registered a worker of its own that includes it:
   *
   * ```js
   * self.tokenkeepRedirectPath = "/callback";
   * importScripts("/form-post-worker.js"); // or, in a module: import "tokenkeep/form-post-worker.js";
   * ```
   */
  script?: string | URL;
}

/**
 * Registers the service worker for the path of the redirect URI alone, and waits until whatever is posted there reaches it. Until then a POST
 * would go to the server: so wait for this before the page leaves for the provider.
 *
 * Where Trusted Types are enforced, name the policy `tokenkeep-form-post` in the page's `trusted-types`.
 *
 * @param redirectUri of this origin; relative to the page, or absolute.
 * @throws {Error} which says what is wrong: there are no service workers, the script cannot be had or is not for this path, or what is
 * registered there receives nothing. Then ask the provider for another response mode.
 */
export function ready(redirectUri: string | URL, options?: ReadyOptions): Promise<void>;

/**
 * The fields that were posted to this page's address, as they were: `application/x-www-form-urlencoded`, repeated ones too. They can be had
 * once. The name by which they are asked for is out of the address before this function returns its promise.
 *
 * An empty text if the POST had no fields (WebKit loses those that the provider redirects with 307).
 *
 * `undefined` if nothing was posted, if it was taken already, if more than a minute has passed, or if the browser ended the service worker in
 * between. Also if the POST went to a static server that answered with this page: then there is nothing to read at the redirect URI, so start
 * the sign-in again, in another response mode.
 */
export function takePosted(): Promise<string | undefined>;
