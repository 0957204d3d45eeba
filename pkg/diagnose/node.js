// What Node sees: every header, what it says to whom, and what a page of the app would make of it.

import { randomBytes, webcrypto } from "node:crypto";
import * as http from "node:http";
import * as https from "node:https";

import { check } from "./checks.js";

/** Diagnoses an app from outside. `origin` is the app's; without it, that of the redirect URI. */
export const diagnose = (options) => check(options, nodeProbe(options));

const LIMIT = 1 << 20;
const TIME = 10000;

export function nodeProbe({ origin, redirectUri, redirect_uri } = {}) {
  const of = [origin, redirectUri, redirect_uri].find((url) => typeof url === "string" && URL.canParse(url));
  const app = of && new URL(of).origin;
  return {
    where: "node",
    origin: app,
    subtle: webcrypto.subtle,
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    now: Date.now,
    send: (url, request = {}) => asPage(url, request, app),
    app: read,
    authorize: async (url) => {
      const answer = await exchange(url, { headers: { accept: "text/html" } }).catch(() => undefined);
      return answer && { ...answer, location: answer.headers.location, header: (name) => answer.headers[name.toLowerCase()] };
    },
  };
}

/** One request, without cookies, and no redirect is followed. */
function exchange(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const { protocol } = new URL(url);
    const request = (protocol === "https:" ? https : http).request(url, { method, headers: { ...headers, "user-agent": "tokenkeep-diagnose" }, timeout: TIME });
    const overall = setTimeout(() => request.destroy(new Error("no answer in time")), 2 * TIME);
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("close", () => clearTimeout(overall));
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks = [];
      let size = 0;
      response.on("data", (chunk) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > LIMIT) {
          request.destroy(new Error("the answer is too large"));
        }
      });
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status, headers } = response;
        const policies = response.headersDistinct["content-security-policy"] ?? [];
        resolve({ status, headers, policies, text: Buffer.concat(chunks).toString() });
      });
    });
    request.end(body);
  });
}

function dateOf({ date, age }) {
  const then = Date.parse(date ?? "");
  return Number.isNaN(then) ? undefined : then + (Number(age) || 0) * 1000;
}

const list = (text = "") => text.split(",").map((one) => one.trim().toLowerCase()).filter(Boolean);

/** Why a page of this origin may not read this answer, if it may not. */
function unreadable(headers, origin) {
  const allowed = headers["access-control-allow-origin"];
  return allowed === "*" || allowed === origin ? undefined : `\`Access-Control-Allow-Origin\` ${allowed === undefined ? "is missing" : `is ${allowed}`}`;
}

/** What stands in the way of this request before it is sent, as a page would be told in the preflight. */
async function preflight(url, method, names, origin) {
  const asked = { origin, "access-control-request-method": method, "access-control-request-headers": names.join(",") };
  const { status, headers } = await exchange(url, { method: "OPTIONS", headers: asked });
  if (status < 200 || status > 299) {
    return { why: `OPTIONS is answered with ${status}`, missing: status === 404 ? "404" : undefined };
  }
  const allowed = list(headers["access-control-allow-headers"]);
  const refused = names.filter((name) => !allowed.includes(name) && (name === "authorization" || !allowed.includes("*")));
  const why = unreadable(headers, origin) ?? (refused.length > 0 ? `\`Access-Control-Allow-Headers\` does not name ${refused.join(", ")}` : undefined);
  return { why };
}

async function asPage(url, { method = "GET", headers = {}, body }, origin) {
  const own = origin === undefined ? {} : { origin };
  // These need no preflight.
  const names = Object.keys(headers).map((name) => name.toLowerCase()).filter((name) => !["accept", "content-type"].includes(name)).sort();
  let before;
  let answer;
  try {
    before = names.length > 0 && origin !== undefined && new URL(url).origin !== origin ? await preflight(url, method, names, origin) : {};
    answer = await exchange(url, { method, headers: { ...headers, ...own, ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }) }, body });
  } catch (cause) {
    return { blocked: "network", why: cause.code ?? cause.message, header: () => undefined, hidden: () => undefined };
  }
  const { status, text } = answer;
  const exposed = [...list(answer.headers["access-control-expose-headers"]), "cache-control", "content-type", "content-language", "content-length", "expires", "last-modified"];
  const isOwn = origin === undefined || new URL(url).origin === origin;
  const isShown = (name) => isOwn || exposed.includes(name) || exposed.includes("*");
  const seen = {
    status,
    text,
    date: dateOf(answer.headers),
    header: (name) => (isShown(name.toLowerCase()) ? answer.headers[name.toLowerCase()] : undefined),
    hidden: (name) => answer.headers[name.toLowerCase()] !== undefined && !isShown(name.toLowerCase()),
  };
  if (before.why !== undefined) {
    return { ...seen, blocked: "preflight", ...before, missing: before.missing && status === 404 ? "404" : undefined };
  }
  const why = isOwn ? undefined : unreadable(answer.headers, origin);
  if (status >= 300 && status < 400 && answer.headers.location !== undefined) {
    return { ...seen, blocked: "redirect", to: new URL(answer.headers.location, url).href };
  }
  return why === undefined ? seen : { ...seen, blocked: "cors", why };
}

/** A page of the app. Its own redirects are followed. */
async function read(url, hops = 3) {
  const answer = await exchange(url, { headers: { accept: "text/html,*/*" } }).catch(() => undefined);
  if (answer === undefined) {
    return undefined;
  }
  const { status, headers, policies, text } = answer;
  if (status >= 300 && status < 400 && headers.location !== undefined && hops > 0 && URL.canParse(headers.location, url)) {
    return read(new URL(headers.location, url).href, hops - 1);
  }
  return { status, policies, html: text, type: headers["content-type"], date: dateOf(headers), header: (name) => headers[name.toLowerCase()] };
}
