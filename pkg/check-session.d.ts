/**
 * Notices that the user signed out at the provider, or that somebody else signed in there, while the app is open (OpenID Connect Session
 * Management 1.0): the provider's frame is asked every few seconds.
 *
 * ```ts
 * import { open } from "tokenkeep/session";
 * import { monitorSession } from "tokenkeep/check-session";
 *
 * const auth = await open({ issuer: "https://login.example.com", clientId: "my-app", api: "https://api.example.com/" });
 * auth.on("session_monitor_stopped", ({ reason }) => console.warn(`the session at the provider is not watched: ${reason}`));
 * const stop = monitorSession(auth);
 * ```
 */

import type { Auth } from "./session.js";

/**
 * Watches the session at the provider, as long as somebody is signed in and the page is seen: its `check_session_iframe` is asked every four
 * seconds. When it says `changed`, the provider is asked once in a hidden frame (`prompt=none`, with the ID token as `id_token_hint` in that
 * frame's URL), however many tabs share the keep. The same user: the session goes on with new tokens. Nobody, or somebody else: it ends
 * (`signed_out_at_provider`, `user_changed`).
 *
 * It works only where the browser gives the provider's frame its cookies: where provider and app are one site, or third-party cookies are
 * allowed. Where it cannot work it stops and says why, by the event `session_monitor_stopped`, and the session goes on.
 *
 * Returns what ends the watching. Does nothing where there is no page, and for what `tokenkeep/mock` makes.
 *
 * @param auth what `open` of `tokenkeep/session` gives, or of `tokenkeep/device`.
 * @throws {AuthError} `session_entry_missing` for another `auth`.
 */
export function monitorSession<C extends object = {}>(auth: Auth<C>): () => void;
