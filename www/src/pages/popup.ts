import { signInWithPopup } from "tokenkeep/popup";

import type { App } from "../app.js";
import { type Child, button, h } from "../dom.js";
import { name } from "../header.js";
import { Run, address, person } from "../picture.js";
import { sentence, troubleOf } from "../problem.js";
import { page } from "../router.js";

/** What came of it: a code, and what it means. */
type Said = readonly [string, ...Child[]];

/** Sign-in in a window of its own, which a button opens and another one gives up. */
export function popup({ auth, log }: App): Child {
  const run = new Run(log, "popup", "What happened: a window", {
    // It left for the provider in another window, and came back there.
    CallbackReceived: [
      address("App", "Provider", "window: challenge"),
      person("You", "Provider", "yes, or no"),
      address("Provider", "App", "window: answer"),
    ],
  });
  const outcome = h("p", { role: "status", id: "popup-outcome", "data-code": "" });
  let [calls, cancel] = [0, new AbortController()];
  const cancelButton = button("Cancel", () => cancel.abort(), { disabled: "" });

  function say([code, ...text]: Said): void {
    outcome.setAttribute("data-code", code);
    outcome.replaceChildren(h("span", {}, ...text));
    cancelButton.disabled = code !== "waiting";
  }

  async function signIn(): Promise<void> {
    calls += 1;
    const mine = calls;
    cancel = new AbortController();
    const { signal } = cancel;
    // The window is open when this returns: before that nothing may be awaited.
    const signingIn = signInWithPopup(auth, { signal });
    run.begin();
    say(["waiting", "The window is open…"]);
    const said = await signingIn.then(
      (session): Said => ["signed_in", "Signed in: ", h("strong", {}, name(session))],
      (error: unknown): Said => {
        const { code, message } = troubleOf(error);
        return signal.aborted ? ["cancelled", "You gave it up."] : [code, sentence(message)];
      },
    );
    // A later call has another outcome.
    if (mine === calls) say(said);
  }

  return page(
    "In a window",
    h(
      "p",
      { class: "lead" },
      "The provider is asked in a window of its own, and this page stays as it is. It works whatever the provider’s ",
      h("code", {}, "Cross-Origin-Opener-Policy"),
      " says. Where you have the choice, leave by redirect: it works everywhere.",
    ),
    h(
      "p",
      {},
      h("label", { for: "draft" }, "What you write here is still there afterwards:"),
      h("br"),
      h("textarea", { id: "draft", rows: "2", cols: "40" }),
    ),
    h("p", { class: "buttons" }, button("Sign in in a window", () => void signIn(), { class: "main" }), " ", cancelButton),
    outcome,
    run.element,
    h(
      "dl",
      { class: "fit" },
      h("dt", {}, "For"),
      h("dd", {}, "a page that must not be left: a draft, a call, a map that took a while to load."),
      h("dt", {}, "Not for"),
      h(
        "dd",
        {},
        "telephones, where a window is a tab that gets lost, and apps that start by signing in: a browser opens windows in clicks only.",
      ),
    ),
  );
}
