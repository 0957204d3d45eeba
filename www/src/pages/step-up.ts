import type { StepUp } from "tokenkeep/session";

import type { App } from "../app.js";
import { type Child, button, h } from "../dom.js";
import { phase, signInButton } from "../header.js";
import { Run, address, person, request } from "../picture.js";
import { troubleOf } from "../problem.js";
import { page } from "../router.js";
import { Cell, part, text } from "../source.js";

/** A call that may have to wait, and what came of it. */
interface Transfer {
  readonly order: string;
  readonly outcome: string | undefined;
}

/** Calls that take more than a password: they wait, the user is asked, and the rest goes on. */
export function stepUp(app: App): Child {
  const { auth, api, log } = app;
  const run = new Run(log, "step-up", "What happened: a second step", {
    Redirecting: [address("App", "Provider", "acr_values")],
    CallbackReceived: [person("You", "Provider", "second step"), address("Provider", "App", "code")],
    IdTokenVerified: [request("App", "App", "acr is right")],
  });
  const transfers = new Cell<readonly Transfer[]>([]);
  const said = new Cell("");

  async function begin(): Promise<void> {
    run.begin();
    const answer = await api.get("/orders");
    const { orders = [] } = (await answer.json()) as { orders?: readonly { id: string }[] };
    const two = orders.slice(0, 2).map(({ id }) => id);
    if (two.length === 0) said.set("You have no orders. Alice and Bob have some.");
    transfers.set(two.map((order) => ({ order, outcome: undefined })));
    await Promise.all(two.map(transfer));
  }

  async function transfer(order: string): Promise<void> {
    const outcome = await auth
      .fetch(api.url("/orders/transfer"), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ order, to: "a friend" }),
      })
      .then(
        ({ status }) => `${status}`,
        (error: unknown) => troubleOf(error).code,
      );
    transfers.set(transfers.getSnapshot().map((known) => (known.order === order ? { order, outcome } : known)));
  }

  async function call(): Promise<void> {
    said.set(await api.get("/me").then(({ status }) => `/me answered ${status}`, (error: unknown) => troubleOf(error).code));
  }

  function question(step: StepUp): HTMLElement {
    const acr = step.requiredAcr?.flatMap((value) => [h("code", {}, value), " "]) ?? [];
    const lately = step.maxAgeSeconds === undefined ? "" : `within the last ${step.maxAgeSeconds} seconds`;
    return h(
      "section",
      { class: "note", id: "question", "aria-label": "The API wants more" },
      h("p", {}, h("strong", {}, "The API wants to be surer that it is you. "), "Calls wait for it."),
      h("p", { class: "quiet" }, "You should have signed in by ", acr, lately, "."),
      h(
        "p",
        { class: "buttons" },
        button("Go there", () => void auth.signIn({ ...step, returnTo: "/step-up" }).catch(() => {}), { class: "main" }),
        " ",
        button("Not now", () => auth.declineStepUp()),
      ),
      h(
        "p",
        { class: "quiet" },
        "“Go there” takes this page along, and the calls that wait in it: begin them again when you are back. From ",
        h("a", { href: "/step-up", target: "_blank", rel: "noopener external" }, "a second tab"),
        ", or a popup, they go on by themselves.",
      ),
    );
  }

  const ignored = (error: unknown) => said.set(troubleOf(error).code);
  return page(
    "Step-up",
    h(
      "p",
      { class: "lead" },
      "Some calls take more than a password. The API says so (",
      h("a", { href: "https://www.rfc-editor.org/rfc/rfc9470", rel: "external noreferrer" }, "RFC 9470"),
      "), the calls wait, and you are asked. Nobody is sent anywhere unasked, and other calls go on.",
    ),
    h(
      "dl",
      { class: "fit" },
      h("dt", {}, "For"),
      h("dd", {}, "what cannot be undone: a payment, another address, a new key. The API decides, and the provider vouches."),
      h("dt", {}, "Not for"),
      h("dd", {}, "a second step for everything: ask for it when signing in. Nor for an API that only looks at scopes."),
    ),
    part(auth, phase, (now) => {
      if (now === "unknown") return undefined;
      if (now === "out") return [h("p", { class: "lead" }, "You are signed out. Sign in to have something to transfer."), signInButton(auth)];
      return [
        h(
          "p",
          { class: "buttons" },
          button("Transfer two orders", () => void begin().catch(ignored), { class: "main" }),
          " ",
          button("Call /me", () => void call()),
        ),
        part(
          auth,
          () => auth.stepUp,
          (step) => (step ? question(step) : undefined),
        ),
        h(
          "ul",
          { id: "transfers", "aria-live": "polite" },
          part(
            transfers,
            (all) => all,
            (all) => all.map(row),
          ),
        ),
        h("p", { class: "quiet", id: "me", role: "status" }, text(said, (what) => what)),
        h(
          "p",
          { class: "quiet" },
          "Signed in by ",
          h(
            "code",
            { id: "acr" },
            text(auth, (session) => (session.status === "signed_in" ? (session.claims.acr ?? "?") : "")),
          ),
        ),
        run.element,
      ];
    }),
  );
}

function row({ order, outcome }: Transfer): HTMLElement {
  const says = outcome === undefined ? "on its way" : outcome === "200" ? "transferred" : outcome;
  return h("li", { "data-state": outcome ?? "waiting" }, h("code", {}, order), `: ${says}`);
}
