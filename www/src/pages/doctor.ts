import type { Finding } from "tokenkeep/diagnose";

import type { App } from "../app.js";
import { type Child, button, h } from "../dom.js";
import { sentence } from "../problem.js";
import { page } from "../router.js";

/** What is wrong between this app and its provider, if anything is. */
export function doctor({ options }: App): Child {
  const status = h("p", { role: "status", id: "status", class: "strong" });
  const list = h("ul", { class: "findings", id: "findings" });
  const section = h("section", { "aria-label": "Findings" }, status, list);
  const again = button("Look again", () => void look());
  void look();
  return page(
    "Doctor",
    h(
      "p",
      { class: "lead" },
      "Looks at the provider and at this app as a page does, and says what is wrong and what to do. Nobody is signed in by it. ",
      "Ask it when signing in fails and the browser does not say why, or before you put an app online. It is not for your users: ",
      "they can change none of this.",
    ),
    section,
    h("p", {}, again),
    h(
      "p",
      { class: "quiet" },
      "A page cannot see everything: whether the redirect URI is registered, for one. From a terminal, and in CI, more is seen: ",
      h("code", {}, "npx tokenkeep diagnose"),
      ".",
    ),
  );

  async function look(): Promise<void> {
    again.disabled = true;
    section.setAttribute("aria-busy", "true");
    status.textContent = "Looking at provider and app…";
    // Only who comes here loads it.
    const { diagnose } = await import("tokenkeep/diagnose");
    const findings = await diagnose(options);
    list.replaceChildren(...findings.map(item));
    status.textContent = summary(findings);
    section.setAttribute("aria-busy", "false");
    again.disabled = false;
  }
}

function summary(findings: readonly Finding[]): string {
  const of = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity).length;
  const count = (number: number, one: string) => `${number} ${one}${number === 1 ? "" : "s"}`;
  const counts = [count(of("error"), "error"), count(of("warning"), "warning"), count(of("info"), "note")].join(", ");
  return `${of("error") > 0 ? "This does not work" : "This works"}: ${counts}.`;
}

const WORDS: Readonly<Record<Finding["severity"], string>> = { error: "Error", warning: "Warning", info: "Note" };

function item({ code, severity, cause, fix, where }: Finding): HTMLElement {
  return h(
    "li",
    { class: "card finding", "data-code": code, "data-severity": severity },
    h("p", { class: "finding-head" }, h("span", { class: "severity" }, WORDS[severity]), h("code", {}, code)),
    h("p", {}, sentence(cause)),
    h("p", {}, h("strong", {}, "What to do: "), sentence(fix)),
    where === undefined ? undefined : h("p", { class: "quiet" }, "At ", h("code", {}, where)),
  );
}
