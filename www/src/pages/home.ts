import type { App } from "../app.js";
import { type Child, h } from "../dom.js";
import { name, onlyHereButton, phase, signInButton, signOutButton } from "../header.js";
import { renewalCard } from "../renewal.js";
import { page } from "../router.js";
import { part, text } from "../source.js";

export function home({ auth, left }: App): Child {
  return page(
    "Sign-in, step by step",
    h(
      "p",
      { class: "lead" },
      "This single-page app signs you in at an OpenID provider and calls an API for you, with tokenkeep, in TypeScript. ",
      "Tokens stay in a worker: never in this page, in storage, in the address bar, or in the list of what happened.",
    ),
    h(
      "div",
      { class: "card who" },
      part(auth, phase, (now) => {
        if (now === "in") {
          return [
            h(
              "div",
              {},
              h("p", {}, "You are signed in as ", h("strong", {}, text(auth, name)), "."),
              h("p", { class: "quiet" }, "“Sign out” means the provider too. “Only here” means this app, in all its tabs."),
            ),
            h("div", { class: "buttons" }, signOutButton(auth), onlyHereButton(auth)),
          ];
        }
        return now === "out" ? [h("p", {}, "Nobody is signed in."), signInButton(auth)] : undefined;
      }),
    ),
    part(auth, phase, (now) => (now === "in" ? [renewalCard(auth, left), tryIt()] : undefined)),
    h("h2", {}, "What happens when you sign in"),
    h(
      "ol",
      { class: "steps" },
      step(
        "Leave",
        "The app reads what the provider says about itself, makes a fresh secret for this one sign-in, and sends you there. ",
        "Your password is never typed here.",
      ),
      step(
        "Come back",
        "The provider’s answer is taken out of the address bar at once. If it belongs to the sign-in that you began, its ",
        "code is exchanged for tokens, once.",
      ),
      step(
        "Verify",
        "The ID token says who you are. It is believed when its signature, issuer, audience, nonce and times are right: see ",
        h("a", { href: "/profile" }, "your profile"),
        ".",
      ),
      step(
        "Call",
        "The access token goes to the API that is configured, and nowhere else. ",
        h("a", { href: "/api" }, "Call it"),
        ", with and without being signed in, or open ",
        h("a", { href: "/orders" }, "your orders"),
        ".",
      ),
    ),
  );
}

function step(title: string, ...text: Child[]): HTMLElement {
  return h("li", {}, h("h3", {}, title), h("p", {}, text));
}

function tryIt(): Child {
  return [
    h("h2", {}, "Try it"),
    h(
      "ul",
      { class: "tries" },
      h(
        "li",
        {},
        h("a", { href: "/", target: "_blank", rel: "noopener" }, "Open a second tab"),
        ": it is signed in at once. One worker has the tokens, for all tabs, and nobody is asked.",
      ),
      h("li", {}, "Sign out in one of them, and look at the other."),
      h("li", {}, "Wait until the access token is renewed, or renew it now: it is done once, for all tabs."),
      h(
        "li",
        {},
        "Reload the only tab. In Chromium the worker is still there, and nobody is asked. Elsewhere nothing is left, so the provider is ",
        "asked in a hidden frame; if your browser hides you from it there, you are signed out, and one click signs you in again.",
      ),
    ),
  ];
}
