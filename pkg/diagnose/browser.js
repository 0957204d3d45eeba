// What a page can see. A browser does not say why a request failed, so each that fails is sent again in ways that tell.

import { check } from "./checks.js";

/** Diagnoses the app whose page this is. */
export async function diagnose(options) {
  const probe = browserProbe();
  return check(options, probe).finally(probe.close);
}

const TIME = 10000;
const SOON = 200;

export function browserProbe() {
  const stopped = new Stopped();
  return {
    where: "browser",
    origin: location.origin,
    subtle: globalThis.crypto?.subtle,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    now: Date.now,
    send: (url, request) => send(url, request, stopped),
    app,
    surroundings,
    close: () => stopped.close(),
  };
}

/** What the page's policy stopped. */
class Stopped {
  #urls = [];
  #waiting = new Set();

  constructor() {
    document.addEventListener("securitypolicyviolation", this);
  }

  handleEvent({ disposition, blockedURI }) {
    if (disposition !== "report" && blockedURI !== "") {
      this.#urls.push(blockedURI);
      this.#waiting.forEach((look) => look());
    }
  }

  /** Whether it stopped this request. The event comes soon after the failure, if one comes. */
  has(url) {
    const is = () => this.#urls.some((stopped) => url.startsWith(stopped));
    return new Promise((resolve) => {
      const look = () => {
        if (is() || timer === undefined) {
          clearTimeout(timer);
          this.#waiting.delete(look);
          resolve(is());
        }
      };
      let timer = setTimeout(() => {
        timer = undefined;
        look();
      }, SOON);
      this.#waiting.add(look);
      look();
    });
  }

  close() {
    document.removeEventListener("securitypolicyviolation", this);
  }
}

const init = (more) => ({ credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(TIME), ...more });

async function send(url, { method = "GET", headers = {}, body } = {}, stopped) {
  try {
    return await seen(await fetch(url, init({ method, headers, body, redirect: "manual" })));
  } catch {
    return { ...(await why(url, method, headers, body, stopped)), header: () => undefined, hidden: () => undefined };
  }
}

async function seen(response) {
  if (response.type === "opaqueredirect") {
    return { blocked: "redirect", header: () => undefined, hidden: () => undefined };
  }
  const header = (name) => response.headers.get(name) ?? undefined;
  const [date, age] = [Date.parse(header("Date") ?? ""), Number(header("Age")) || 0];
  return {
    status: response.status,
    text: await response.text(),
    date: Number.isNaN(date) ? undefined : date + age * 1000,
    header,
    // Not there or not shown: a page cannot tell.
    hidden: () => undefined,
  };
}

/** Who answered, and who does not let it be read. */
async function why(url, method, headers, body, stopped) {
  const opaque = await fetch(url, init({ mode: "no-cors" })).catch(() => undefined);
  if (opaque === undefined) {
    return { blocked: (await stopped.has(url)) ? "csp" : "network" };
  }
  const simple = Object.entries(headers).filter(([name]) => ["accept", "content-type"].includes(name.toLowerCase()));
  if (simple.length < Object.keys(headers).length) {
    const answer = await fetch(url, init({ method, headers: Object.fromEntries(simple), body, redirect: "manual" })).catch(() => undefined);
    if (answer !== undefined && answer.type !== "opaqueredirect") {
      return { blocked: "preflight", missing: answer.status === 404 ? "404" : undefined };
    }
  }
  return { blocked: "cors" };
}

/** A response of this very origin: all of its headers can be read, unless a policy forbids the request. */
async function app(url) {
  const response = await fetch(url, init({})).catch(() => undefined);
  if (response === undefined || response.type === "opaque") {
    return undefined;
  }
  const header = (name) => response.headers.get(name) ?? undefined;
  const [date, age] = [Date.parse(header("Date") ?? ""), Number(header("Age")) || 0];
  return {
    status: response.status,
    policies: [header("Content-Security-Policy") ?? ""],
    html: await response.text(),
    type: header("Content-Type"),
    date: Number.isNaN(date) ? undefined : date + age * 1000,
    header,
  };
}

async function surroundings() {
  return {
    crypto: globalThis.crypto?.subtle === undefined,
    storage: await blockedStorage(),
    sharedWorker: typeof SharedWorker === "undefined",
  };
}

/** Which storage is blocked, if one is. */
async function blockedStorage() {
  const name = "tokenkeep-diagnose";
  try {
    localStorage.setItem(name, name);
    localStorage.removeItem(name);
  } catch {
    return "localStorage";
  }
  try {
    await new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result.close());
      request.onerror = reject;
    });
    indexedDB.deleteDatabase(name);
  } catch {
    return "IndexedDB";
  }
  return undefined;
}
