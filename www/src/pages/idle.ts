// What becomes of a session when nobody is there. A limit is chosen by the address, and stays chosen in this tab.

import type { Auth, Options } from "tokenkeep/session";

import type { App } from "../app.js";
import { button, type Child, h } from "../dom.js";
import { phase, signInButton } from "../header.js";
import { Run } from "../picture.js";
import { page } from "../router.js";
import { Cell, part, text } from "../source.js";
import { read, write } from "../storage.js";

const KEY = "tokenkeep-demo.idle-limit";

/** How many seconds a user may be idle in this tab: `?limit=20` says it, and `?limit=0` takes it back. */
const limit = chosen();

/** What follows from it for `open`. */
export function idleOptions(): Partial<Options> {
  if (limit === 0) return {};
  return { idleLimitSeconds: limit, idleWarningSeconds: Math.floor(limit / 2), sessionLimitSeconds: limit * 10 };
}

/** How many seconds are left, as soon as the end is near. It counts from the start of the app: a warning may come on any page. */
export const idleLeft = new Cell<number | undefined>(undefined);

export function watchIdle(auth: Auth): void {
  let timer: number | undefined;
  const stop = () => {
    clearInterval(timer);
    idleLeft.set(undefined);
  };
  auth.on("idle_soon", ({ endsAt }) => {
    stop();
    const count = () => idleLeft.set(Math.max(0, Math.ceil((endsAt - Date.now()) / 1000)));
    count();
    timer = window.setInterval(count, 1000);
  });
  auth.on("active", stop);
  auth.on("ended", stop);
}

/** The countdown, on every page. */
export function idleSoon(auth: Auth): Node {
  return part(
    idleLeft,
    (left) => left !== undefined,
    (is) =>
      is
        ? h(
            "div",
            { class: "note", role: "alert", id: "idle-soon" },
            h("p", {}, h("strong", {}, "Are you still there?")),
            h("p", {}, "You are signed out in ", h("span", { role: "timer", id: "idle-left" }, text(idleLeft, (left) => `${left ?? 0}`)), " seconds."),
            button("Stay signed in", () => auth.stayActive()),
          )
        : undefined,
  );
}

export function idle({ auth, log }: App): Child {
  const run = new Run(log, "idle", "What happened: nobody was there", {}, []);
  run.begin();
  return page(
    "Idle",
    h(
      "p",
      { class: "lead" },
      "A session that nobody uses ends by itself, in all tabs: for screens that are left alone in public. It is not for who reads along ",
      "while you work, and no defence against theft: what a token may do for how long is for the provider to say.",
    ),
    h(
      "dl",
      { class: "facts", id: "limits" },
      h("dt", {}, "Without activity"),
      h("dd", {}, limit === 0 ? "no limit" : `${limit} seconds, ${Math.floor(limit / 2)} of them with a countdown`),
      h("dt", {}, "From the sign-in"),
      h("dd", {}, limit === 0 ? "no limit" : `${limit * 10} seconds, whatever you do`),
    ),
    h(
      "p",
      { class: "buttons" },
      limit === 0
        ? h("a", { href: "/idle?limit=20", rel: "external" }, "Try it with 20 seconds")
        : [
            h("a", { href: `/idle?limit=${limit}`, target: "_blank" }, "Open another tab"),
            " ",
            h("a", { href: "/idle?limit=0", rel: "external" }, "No limit any more"),
          ],
    ),
    part(auth, phase, (now) => {
      if (now === "in") return h("p", {}, "Now do nothing, in any tab. A key, a pointer or a finger in one of them keeps all of them signed in.");
      return now === "out" ? [h("p", {}, "Sign in first. With another limit this is another keep, which knows nobody."), signInButton(auth)] : undefined;
    }),
    run.element,
  );
}

function chosen(): number {
  const asked = location.pathname === "/idle" ? new URLSearchParams(location.search).get("limit") : null;
  if (asked !== null) write(KEY, asked);
  const seconds = Number(read(KEY) ?? 0);
  return Number.isInteger(seconds) && seconds > 1 && seconds <= 86_400 ? seconds : 0;
}
