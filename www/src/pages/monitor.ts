import { monitorSession } from "tokenkeep/check-session";

import type { App } from "../app.js";
import { type Child, button, h } from "../dom.js";
import { Run, person, request } from "../picture.js";
import { page, path } from "../router.js";
import { Cell, part } from "../source.js";

type Watched = "no" | "yes" | "changed" | "still" | "over" | "stopped";

const SAYS: Readonly<Record<Watched, string>> = {
  no: "Not watched.",
  yes: "Watched: every four seconds, while you look at this page.",
  changed: "Something changed there. The provider is asked who is signed in.",
  still: "Something changed there, and you are still signed in.",
  over: "The session is over: the provider says so.",
  stopped: "It cannot be watched here. The session goes on; the list says why.",
};

const watched = new Cell<Watched>("no");
let end: (() => void) | undefined;

/** The session at the provider, watched until the page is left. */
export function monitor({ auth, issuer, log }: App): Child {
  const run = new Run(log, "monitor", "What happened: the session at the provider", {}, [
    person("You", "App", "click"),
    request("App", "Provider", "unchanged?"),
  ]);
  end?.();
  const watch = () => {
    const stops = [
      auth.on("session_changed", () => watched.set("changed")),
      auth.on("renewed", () => watched.getSnapshot() === "changed" && watched.set("still")),
      auth.on("ended", () => watched.set(watched.getSnapshot() === "changed" ? "over" : "no")),
      auth.on("session_monitor_stopped", () => watched.set("stopped")),
      path.subscribe(() => end?.()),
      monitorSession(auth),
    ];
    watched.set("yes");
    run.begin();
    end = () => {
      stops.forEach((stop) => stop());
      watched.set("no");
      end = undefined;
    };
  };
  return page(
    "Session at the provider",
    h(
      "p",
      { class: "lead" },
      "Signed out at the provider, in another tab or by another app, is signed out here: a frame of the provider is asked every few seconds " +
        "whether the session there changed, and only then the provider itself, without showing anything.",
    ),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "For"),
      h("dd", {}, "an app at the same site as its provider, whose users share a computer."),
      h("dt", {}, "Not for"),
      h(
        "dd",
        {},
        "a provider at another site, where most browsers keep cookies from its frame: it stops then, and says so. A short-lived token, or a " +
          "provider that tells the app’s server, works everywhere.",
      ),
    ),
    part(
      auth,
      ({ status }) => status === "signed_in",
      (signedIn) =>
        signedIn
          ? part(
              watched,
              (state) => state === "no",
              (no) => h("p", { class: "buttons" }, no ? button("Watch", watch, { class: "main" }) : button("Watch no more", () => end?.())),
            )
          : h("p", { class: "quiet" }, "Sign in first."),
    ),
    part(
      watched,
      (state) => state,
      (state) => h("p", { role: "status", id: "watching" }, SAYS[state]),
    ),
    h(
      "p",
      {},
      h(
        "a",
        { id: "at-provider", href: `${issuer}/session/end`, target: "_blank", rel: "noopener noreferrer" },
        "Sign out at the provider",
      ),
      ", in another tab.",
    ),
    run.element,
  );
}
