// How the session lasts: until when its token is good, what it came by, and what a user can do about it.

import type { Auth, Rung, Session } from "tokenkeep/session";

import { button, h } from "./dom.js";
import { signIn } from "./problem.js";
import { Cell, type Source, follow, part, text } from "./source.js";

/** How long the access token still lives, in milliseconds, if that is known. */
export type Countdown = Source<number | undefined>;

/** Counts once a second, as long as there is something to count. */
export function countdown(auth: Auth): Countdown {
  const left = new Cell<number | undefined>(undefined);
  let timer: number | undefined;
  const count = () => {
    const { session } = auth;
    const expiresAt = session.status === "signed_in" ? session.expiresAt : undefined;
    left.set(expiresAt === undefined ? undefined : Math.max(0, expiresAt - Date.now()));
  };
  const begin = () => {
    count();
    clearInterval(timer);
    if (left.getSnapshot() !== undefined) timer = window.setInterval(count, 1000);
  };
  auth.subscribe(begin);
  begin();
  return left;
}

/** For who is signed in. */
export function renewalCard(auth: Auth, left: Countdown): HTMLElement {
  return h(
    "section",
    { class: "card", id: "renewal", "aria-labelledby": "renewal-title" },
    h("h2", { id: "renewal-title" }, "Access token"),
    h("p", { class: "left" }, text(left, label), h("strong", { role: "timer", id: "remaining" }, text(left, clock))),
    h("p", { class: "quiet", id: "renewed-by", role: "status" }, text(auth, cameBy)),
    // What goes wrong is an event. The session goes on with the token that is there.
    button("Renew now", () => void auth.renew().catch(() => {})),
  );
}

/** The countdown in a few words, for the top of every page. */
export function leftInShort(left: Countdown): HTMLElement {
  const small = h("small", { class: "left", title: "The access token" }, h("span", {}, text(left, label)), text(left, clock));
  return follow(small, left, (element, known) => {
    element.hidden = known === undefined;
  });
}

/** Says in time that the session will be over. */
export function signInAgain(auth: Auth): Node {
  const needed = new Cell(false);
  auth.on("sign_in_needed", () => needed.set(true));
  for (const type of ["ended", "renewed", "signed_in"] as const) auth.on(type, () => needed.set(false));
  return part(
    needed,
    (is) => is,
    (is) =>
      is
        ? h(
            "div",
            { class: "note", role: "alert", id: "sign-in-needed" },
            h("p", {}, h("strong", {}, "Your session is about to end")),
            h("p", {}, "Nothing leads to a new access token but that you sign in again. Until this one ends, everything works."),
            button("Sign in again", () => signIn(auth)),
          )
        : undefined,
  );
}

export function nameOf(rung: Rung): string {
  return { refresh_token: "refresh token", tab: "another tab", frame: "hidden frame", redirect: "redirect" }[rung];
}

function cameBy(session: Session): string {
  const by = session.status === "signed_in" ? session.renewedBy : undefined;
  return by === undefined ? "signed in" : `renewed by ${nameOf(by)}`;
}

/** What stands before the clock. */
function label(left: number | undefined): string {
  if (left === undefined) return "";
  return left === 0 ? "has ended: " : "ends in ";
}

/** `4:12` */
function clock(left: number | undefined): string {
  if (left === undefined) return "does not say when it ends";
  const seconds = Math.floor(left / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
