// The top of every page: where one can go, and who one is.

import type { Auth, Session } from "tokenkeep/session";

import type { App } from "./app.js";
import { button, h } from "./dom.js";
import { signIn } from "./problem.js";
import { leftInShort } from "./renewal.js";
import { path } from "./router.js";
import { follow, part, text } from "./source.js";

export function header({ auth, left }: App): HTMLElement {
  return h(
    "header",
    { class: "top" },
    h("a", { class: "brand", href: "/" }, h("span", { class: "keep", "aria-hidden": "true" }), "tokenkeep"),
    h("nav", { "aria-label": "Pages" }, link("/", "Home"), link("/profile", "Profile"), link("/api", "API"), link("/orders", "Orders"), link("/session", "Session")),
    h(
      "div",
      { class: "account" },
      part(auth, phase, (now) => {
        if (now === "in") {
          const me = h("span", { class: "me" }, h("span", { class: "name", id: "name" }, text(auth, name)), leftInShort(left));
          return [me, signOutButton(auth)];
        }
        return now === "out" ? signInButton(auth) : undefined;
      }),
    ),
  );
}

/** Whether somebody is signed in, as far as a page looks different for it. */
export function phase({ status }: Session): "in" | "out" | "unknown" {
  if (status === "unknown") return "unknown";
  return status === "signed_in" ? "in" : "out";
}

/** A name for who is signed in. */
export function name(session: Session): string {
  if (session.status !== "signed_in") return "";
  const { claims, subject } = session;
  return claims.name || claims.preferred_username || claims.email || subject || "";
}

export function signInButton(auth: Auth): HTMLElement {
  return button("Sign in", () => signIn(auth), { class: "main" });
}

/** Ends the session here and at the provider, by leaving for it. Here it ends whatever the provider says. */
export function signOutButton(auth: Auth): HTMLElement {
  return button("Sign out", () => void auth.signOut().catch(() => {}));
}

/** Ends this app's session, in all tabs, and leaves the provider's alone. */
export function onlyHereButton(auth: Auth): HTMLElement {
  return button("Only here", () => void auth.signOut({ local: true }).catch(() => {}));
}

function link(to: string, text: string): HTMLElement {
  return follow(h("a", { href: to }, text), path, (element, now) => {
    if (now === to) element.setAttribute("aria-current", "page");
    else element.removeAttribute("aria-current");
  });
}
