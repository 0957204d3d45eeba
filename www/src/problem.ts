// What went wrong, for whoever looks at the page.

import { type Auth, AuthError } from "tokenkeep/session";

import { type Child, button, h } from "./dom.js";
import { part } from "./source.js";

/** The provider that comes with the demo. */
const OUR_PROVIDER = "http://localhost:9400";

/** A code, which a program can compare, and what it means. */
export interface Trouble {
  code: string;
  message: string;
}

/** Whatever was thrown. What the provider says of itself is more precise than our code for it. */
export function troubleOf(thrown: unknown): Trouble {
  if (thrown instanceof AuthError) return { code: thrown.error ?? thrown.code, message: thrown.message };
  return thrown instanceof Error ? { code: thrown.name, message: thrown.message } : { code: "unknown", message: String(thrown) };
}

/** Trouble, and what can be done about it. */
export function problem(title: string, trouble: Trouble, ...children: Child[]): HTMLElement {
  return h(
    "div",
    { class: "problem", role: "alert", id: "problem", "data-code": trouble.code },
    h("p", {}, h("strong", {}, title)),
    h("p", {}, sentence(trouble.message)),
    h("p", { class: "quiet" }, "Code: ", h("code", {}, trouble.code)),
    children,
  );
}

/** Why nobody is signed in, if that is because something failed. */
export function signInProblem(auth: Auth, issuer: string): Node {
  return part(
    auth,
    (session) => (session.status === "failed" ? session.error : undefined),
    (error) => {
      if (!error) return undefined;
      const mayBeDown = issuer === OUR_PROVIDER && (error.code === "timed_out" || error.code === "unreachable");
      return problem(
        "Signing in failed",
        troubleOf(error),
        mayBeDown ? ourProviderMayBeDown() : undefined,
        h("p", {}, button("Try again", () => signIn(auth))),
      );
    },
  );
}

/** Leaves for the provider. What goes wrong is in `auth.session`, and so on the page. */
export function signIn(auth: Auth): void {
  auth.signIn().catch(() => {});
}

/** A message of the library is part of a sentence, with code between back ticks. Here is the whole. */
export function sentence(message: string): Child[] {
  const whole = message.charAt(0).toUpperCase() + message.slice(1) + (message.endsWith(".") ? "" : ".");
  return whole.split("`").map((piece, index) => (index % 2 === 0 ? piece : h("code", {}, piece)));
}

function ourProviderMayBeDown(): HTMLElement {
  return h(
    "p",
    {},
    "The demo’s own provider may not be running. ",
    h("code", {}, "npm run dev"),
    " starts it, and so does ",
    h("code", {}, "npm start --prefix demo/provider"),
    ".",
  );
}
