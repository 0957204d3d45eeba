import { AuthError } from "tokenkeep/session";

import type { App } from "../app.js";
import { type Child, button, h } from "../dom.js";
import { phase, signInButton } from "../header.js";
import { problem, troubleOf } from "../problem.js";
import { page } from "../router.js";
import { part } from "../source.js";

export function apiPage({ auth, api }: App): Child {
  const status = h("p", { role: "status", id: "status", class: "status" });
  const section = h("section", { "aria-label": "Answer", "aria-busy": "false" }, status);
  let calls = 0;

  async function call(path: string): Promise<void> {
    calls += 1;
    const mine = calls;
    const request = `GET ${api.url(path)}, ${api.hasToken ? "with a token" : "without a token"}`;
    section.setAttribute("aria-busy", "true");
    status.textContent = "Calling…";
    const [line, shown] = await api.get(path).then(
      async (response) => [`${request}: ${statusOf(response)}`, await bodyOf(response)] as const,
      (error: unknown) => [`${request}: no answer`, failure(error)] as const,
    );
    // Only the last of them counts.
    if (mine !== calls) return;
    section.setAttribute("aria-busy", "false");
    status.textContent = line;
    section.replaceChildren(status, ...shown);
  }

  function failure(error: unknown): Node[] {
    const isOver = error instanceof AuthError && error.code === "sign_in_needed";
    const title = isOver ? "Your session is over" : "The call failed";
    return [problem(title, troubleOf(error), isOver ? signInButton(auth) : undefined)];
  }

  return page(
    "API",
    h(
      "p",
      { class: "lead" },
      part(auth, phase, (now) => {
        if (now === "in") return "You are signed in: the calls carry your access token.";
        return now === "out" ? "You are signed out: the calls carry no token, and the API refuses them. See how." : undefined;
      }),
    ),
    h(
      "p",
      { class: "buttons" },
      ["/me", "/orders"].flatMap((path) => [button(`Call ${path}`, () => void call(path), { class: "main" }), " "]),
    ),
    section,
  );
}

async function bodyOf(response: Response): Promise<Node[]> {
  const challenge = response.headers.get("www-authenticate");
  const text = await response.text();
  return [
    ...(challenge === null ? [] : [h("h2", {}, "WWW-Authenticate"), h("pre", { id: "challenge", tabindex: "0" }, challenge)]),
    h("h2", {}, "Body"),
    h("pre", { id: "body", tabindex: "0" }, pretty(text)),
  ];
}

/** JSON for people: one member a line. */
function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function statusOf({ status, statusText }: Response): string {
  return statusText ? `${status} ${statusText}` : String(status);
}
