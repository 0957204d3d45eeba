import type { App } from "../app.js";
import { type Child, h } from "../dom.js";
import { page } from "../router.js";

/** What a provider loads in a hidden frame to sign the user out of this app. */
export function frontChannelLogout({ auth }: App): Child {
  // Whether there was such a session is nothing to show.
  auth.frontChannelLogout().catch(() => {});
  return page("Sign-out", h("p", { class: "lead" }, "A provider that signs you out loads this page, to sign you out here too."));
}
