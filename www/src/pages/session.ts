import { type Child, h } from "../dom.js";
import { page } from "../router.js";

const PAGES = [
  ["/popup", "In a window", "Sign in without leaving the page."],
  ["/step-up", "Step-up", "An API wants more than a password for one call. It waits, and the rest goes on."],
  ["/idle", "Idle", "A session that nobody uses ends by itself, in all tabs."],
  ["/monitor", "Session at the provider", "Who signs out there is signed out here."],
  ["/initiate", "Opened from elsewhere", "A portal, or the provider’s own page, begins the sign-in."],
  ["/doctor", "Doctor", "What is wrong between app and provider, and what to do about it."],
] as const;

/** What happens around a session: a page for each. */
export function session(): Child {
  return page(
    "Session",
    h("p", { class: "lead" }, "What apps need around a sign-in, each off until it is used. Each page says when to take it, and draws what happened."),
    h(
      "ul",
      { class: "flows" },
      PAGES.map(([path, title, what]) => h("li", { class: "flow card" }, h("h2", {}, h("a", { href: path }, title)), h("p", {}, what))),
    ),
  );
}
