#!/usr/bin/env node
// `npx tokenkeep diagnose ISSUER --client-id … --redirect-uri …`: the doctor for a terminal and for CI.

import { parseArgs } from "node:util";

import { diagnose } from "../diagnose/node.js";

const USAGE = `Usage: tokenkeep diagnose ISSUER --client-id ID --redirect-uri URL [options]

Looks at an OpenID provider and at an app as a page of that app would, and says what is wrong and how to fix it. It signs nobody in.

  --client-id ID        what the provider calls the app
  --redirect-uri URL    where a sign-in comes back to
  --origin URL          the app's origin, if it is not that of the redirect URI
  --api URL             an API that the app calls; may be repeated
  --scopes "A B"        what the app asks for; "openid profile" if left out
  --resource URI        which API the token is for (RFC 8707); may be repeated
  --keep KEEP           where the tokens may be: shared, worker or page; may be repeated
  --worker URL          the keep's script
  --dpop                tokens are bound to a key
  --par                 requests are pushed
  --oauth-only          no ID token
  --no-frame            sessions are not renewed in a hidden frame
  --json                prints the findings as JSON
  --help                prints this

Exit code: 0 without errors (there may be warnings), 1 with one, 2 when it was called wrongly.`;

const text = { type: "string" };
const texts = { type: "string", multiple: true };
const flag = { type: "boolean" };

function read() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      api: texts,
      "client-id": text,
      dpop: flag,
      help: flag,
      json: flag,
      keep: texts,
      "no-frame": flag,
      "oauth-only": flag,
      origin: text,
      par: flag,
      "redirect-uri": text,
      resource: texts,
      scopes: text,
      worker: text,
    },
  });
  const [command, issuer, ...more] = positionals;
  if (values.help) {
    return { help: true };
  }
  if (command !== "diagnose" || issuer === undefined || more.length > 0) {
    throw new Error(command === undefined || command === "diagnose" ? "one ISSUER is needed" : `there is no command ${command}`);
  }
  const missing = ["client-id", "redirect-uri"].filter((name) => values[name] === undefined);
  if (missing.length > 0) {
    throw new Error(`--${missing.join(" and --")} must be there`);
  }
  const unknown = (values.keep ?? []).find((keep) => !["page", "shared", "worker"].includes(keep));
  if (unknown !== undefined) {
    throw new Error(`--keep is shared, worker or page, not ${unknown}`);
  }
  const { api, dpop, keep, origin, resource, scopes, worker, json } = values;
  const more_ = { oauthOnly: values["oauth-only"], pushedAuthorizationRequests: values.par, renewByFrame: !values["no-frame"] };
  return { json, options: { issuer, clientId: values["client-id"], redirectUri: values["redirect-uri"], api, dpop, keep, origin, resource, scopes, worker, ...more_ } };
}

function report(findings, issuer) {
  const told = findings.map(({ code, severity, where, cause, fix }) => [`${severity}: ${code}`, where && `  at:  ${where}`, `  why: ${cause}`, `  fix: ${fix}`].filter(Boolean).join("\n"));
  const count = (severity) => findings.filter((finding) => finding.severity === severity).length;
  const number = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  return [...told, `${issuer}: ${number(count("error"), "error")}, ${number(count("warning"), "warning")}, ${number(count("info"), "note")}`].join("\n\n");
}

let asked;
try {
  asked = read();
} catch (error) {
  console.error(`tokenkeep: ${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
if (asked?.help) {
  console.log(USAGE);
} else if (asked !== undefined) {
  const findings = await diagnose(asked.options);
  console.log(asked.json ? JSON.stringify(findings, undefined, 2) : report(findings, asked.options.issuer));
  process.exitCode = findings.some(({ severity }) => severity === "error") ? 1 : 0;
}
