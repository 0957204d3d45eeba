import type { SignedIn } from "tokenkeep/session";

import type { App } from "../app.js";
import { type Child, h } from "../dom.js";
import { signInButton } from "../header.js";
import { page } from "../router.js";
import { part } from "../source.js";
import { forMachines, toTheSecond } from "../time.js";

/** Claims that are about the token and not about the user. */
const ABOUT_THE_TOKEN = new Set(["acr", "amr", "at_hash", "aud", "auth_time", "azp", "c_hash", "exp", "iat", "iss", "nonce", "sid"]);

export function profile({ auth }: App): Child {
  return page(
    "Profile",
    part(
      auth,
      (session) => session,
      (session) => {
        if (session.status === "signed_in") return facts(session);
        if (session.status === "unknown") return undefined;
        return [
          h("p", { class: "lead" }, "You are signed out. Sign in to see who the provider says you are."),
          signInButton(auth),
        ];
      },
    ),
  );
}

function facts({ claims, expiresAt, issuer, scopes }: SignedIn): Child {
  const aboutTheUser = Object.entries(claims).filter(([name]) => !ABOUT_THE_TOKEN.has(name));
  const expires =
    expiresAt === undefined ? "the provider does not say" : h("time", { datetime: forMachines(expiresAt) }, toTheSecond(expiresAt));
  return [
    h("p", { class: "lead" }, "What the provider says about you, in an ID token."),
    h("p", { class: "verified" }, h("strong", {}, "Verified"), ": signature, issuer, audience, nonce, time"),
    h("h2", {}, "You"),
    h(
      "dl",
      { class: "facts", id: "claims" },
      aboutTheUser.map(([name, value]) => [h("dt", {}, h("code", {}, name)), h("dd", { "data-claim": name }, textOf(value))]),
    ),
    h("h2", {}, "This session"),
    h(
      "dl",
      { class: "facts", id: "session" },
      h("dt", {}, "Issuer"),
      h("dd", {}, issuer),
      h("dt", {}, "Scope"),
      h(
        "dd",
        { class: "words" },
        scopes.map((word) => [h("code", {}, word), " "]),
      ),
      h("dt", {}, "Access token expires"),
      h("dd", {}, expires),
    ),
  ];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
