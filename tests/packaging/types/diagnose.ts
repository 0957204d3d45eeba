// An app, or a script of its build, that asks the doctor.

import { diagnose } from "tokenkeep/diagnose";
import type { DiagnoseOptions, Finding, FindingCode } from "tokenkeep/diagnose";
import type { Options } from "tokenkeep";

import { is } from "./same.js";

export async function ask(ofOpen: Options): Promise<FindingCode[]> {
  // Whatever `open` takes.
  is<Finding[]>()(await diagnose(ofOpen));
  const options: DiagnoseOptions = { issuer: "https://login.example.com", clientId: "my-app", origin: "https://app.example.com", dpop: true };
  const findings = await diagnose(options);
  for (const finding of findings) {
    is<"error" | "warning" | "info">()(finding.severity);
    is<string>()(finding.cause);
    is<string>()(finding.fix);
    is<string | undefined>()(finding.where);
    if (finding.code === "issuer_trailing_slash") console.log(finding.fix);
  }
  return findings.map(({ code }) => code);
}
