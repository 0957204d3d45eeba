// What happened: the events of tokenkeep with their times. Never a secret, because events hold none.
//
// The list survives the way to the provider and back in `sessionStorage`.

import type { Ended, Event, Rung } from "tokenkeep/session";

import { button, h } from "./dom.js";
import { troubleOf } from "./problem.js";
import { nameOf } from "./renewal.js";
import { Cell, follow, part } from "./source.js";
import { read, write } from "./storage.js";
import { forMachines, toTheMillisecond } from "./time.js";

const KEY = "tokenkeep-demo.events";

/** What is older than so many events is forgotten. */
const MOST = 50;

export interface Entry {
  readonly at: number;
  readonly event: string;
  readonly text: string;
}

const TITLES: Readonly<Record<string, string>> = {
  Active: "Active again",
  ApiAnswered: "API call",
  CallbackReceived: "Callback",
  CodeRedeemed: "Code redeemed",
  Ended: "Session over",
  Failed: "Failed",
  IdTokenVerified: "ID token verified",
  IdleSoon: "Idle",
  KeysRead: "Keys",
  ClientMetadataUnsupported: "Client as a URL",
  MetadataRead: "Discovery",
  Redirecting: "Redirect",
  Renewed: "Renewed",
  RenewalFailed: "Not renewed",
  RevocationFailed: "Not revoked",
  Revoked: "Revoked",
  ScopeChanged: "Scope",
  SessionChanged: "Session at provider",
  SessionMonitorStopped: "Not watched",
  SignInNeeded: "Sign-in needed",
  StepUpNeeded: "Step-up needed",
  StepUpSettled: "Step-up settled",
  SignedIn: "Signed in",
  SignedOutAtProvider: "Signed out at provider",
};

export class Log {
  readonly entries = new Cell<readonly Entry[]>(restore());

  note(event: Event): void {
    this.add(...describe(event));
  }

  add(event: string, text: string): void {
    this.#set([...this.entries.getSnapshot(), { at: Date.now(), event, text }].slice(-MOST));
  }

  clear(): void {
    this.#set([]);
  }

  #set(entries: readonly Entry[]): void {
    this.entries.set(entries);
    store(entries);
  }
}

export function eventLog(log: Log): HTMLElement {
  const { entries } = log;
  const clearButton = button("Clear", () => log.clear(), { class: "small" });
  const nothing = h("p", { class: "quiet" }, "Nothing yet. Sign in, and each step is listed here.");
  const list = h(
    "ol",
    { "aria-label": "What happened", id: "events" },
    part(
      entries,
      (all) => all,
      (all) => all.map(line),
    ),
  );
  const body = h("div", { class: "log-body", role: "group", "aria-labelledby": "what-happened" }, list);
  const aside = h(
    "aside",
    { class: "log", "aria-labelledby": "what-happened" },
    h("div", { class: "log-head" }, h("h2", { id: "what-happened" }, "What happened"), clearButton),
    nothing,
    body,
  );
  return follow(aside, entries, (_, { length }) => {
    clearButton.disabled = length === 0;
    nothing.hidden = length > 0;
    body.tabIndex = length > 0 ? 0 : -1;
  });
}

function line({ at, event, text }: Entry): HTMLElement {
  return h(
    "li",
    { "data-event": event },
    h("strong", {}, TITLES[event] ?? "Event"),
    h("time", { datetime: forMachines(at) }, toTheMillisecond(at)),
    h("span", {}, text),
  );
}

/** What is kept of an event: its name, and what there is to say about it. */
function describe(event: Event): [string, string] {
  switch (event.type) {
    case "active":
      return ["Active", "You are there: the session goes on."];
    case "api_answered":
      return ["ApiAnswered", `${event.status} from ${event.url}`];
    case "callback_received":
      return ["CallbackReceived", "Back from the provider. Its answer left the address bar."];
    case "client_metadata_unsupported":
      return ["ClientMetadataUnsupported", "The provider does not say that it reads a client’s metadata at a URL."];
    case "code_redeemed":
      return ["CodeRedeemed", "Exchanged for tokens, which stay in memory."];
    case "ended":
      return ["Ended", `${ended(event.reason)} The tokens are gone.`];
    case "failed":
      return ["Failed", troubleOf(event.error).code];
    case "id_token_verified":
      return ["IdTokenVerified", `${event.algorithm} signature, issuer, audience, nonce and time are right.`];
    case "idle_soon":
      return ["IdleSoon", "The session ends soon unless you do something."];
    case "keys_read":
      return ["KeysRead", "The provider’s public keys were read."];
    case "metadata_read":
      return ["MetadataRead", "The provider’s metadata was read."];
    case "redirecting":
      return ["Redirecting", "Leaving for the provider."];
    case "renewed":
      return ["Renewed", renewed(event.by)];
    case "renewal_failed": {
      const why = event.error ? troubleOf(event.error).code : "not possible";
      const next = event.pauseSeconds === undefined ? "" : ` Next try in ${Math.max(1, event.pauseSeconds)} s.`;
      return ["RenewalFailed", `By ${nameOf(event.by)}: ${why}.${next}`];
    }
    case "revoked":
      return event.error
        ? ["RevocationFailed", troubleOf(event.error).code]
        : ["Revoked", "The provider takes the refresh token no more."];
    case "scope_changed":
      return ["ScopeChanged", scopeChanged(event.missing, event.added)];
    case "session_changed":
      return ["SessionChanged", "The provider’s frame says so. It is asked who is signed in."];
    case "session_monitor_stopped":
      return ["SessionMonitorStopped", `The provider’s session: ${event.reason.replaceAll("_", " ")}.`];
    case "sign_in_needed":
      return ["SignInNeeded", "Nothing else leads to a new token."];
    case "step_up_needed":
      return ["StepUpNeeded", "A call waits: its API wants to be surer that it is you."];
    case "step_up_settled":
      return ["StepUpSettled", "No call waits any more."];
    case "signed_in":
      return ["SignedIn", "The app knows who you are."];
    case "signed_out_at_provider":
      return ["SignedOutAtProvider", "Back from the provider, where you are signed out too."];
  }
}

function ended(reason: Ended): string {
  switch (reason) {
    case "expired":
      return "The last token ended, and nothing led to a new one.";
    case "idle":
      return "You did nothing in any tab for too long.";
    case "rejected":
      return "The provider refused the refresh token.";
    case "session_limit":
      return "You signed in too long ago.";
    case "signed_out":
      return "You signed out here.";
    case "signed_out_at_provider":
      return "You signed out at the provider.";
    case "signed_out_elsewhere":
      return "You signed out in another tab.";
    case "user_changed":
      return "Another user signed in.";
  }
}

function renewed(by: Rung): string {
  switch (by) {
    case "refresh_token":
      return "By the refresh token.";
    case "tab":
      return "By another tab, which handed its tokens over, sealed.";
    case "frame":
      return "By the provider, asked in a hidden frame.";
    case "redirect":
      return "By the provider, asked on the way there and back.";
  }
}

function scopeChanged(missing: readonly string[], added: readonly string[]): string {
  const parts = [];
  if (missing.length > 0) parts.push(`The access token is not for ${missing.join(" ")}.`);
  if (added.length > 0) parts.push(`It is also for ${added.join(" ")}.`);
  return parts.join(" ");
}

/** Where nothing is stored the list lasts as long as the page. */
function store(entries: readonly Entry[]): void {
  write(KEY, JSON.stringify(entries));
}

function restore(): readonly Entry[] {
  try {
    const entries: unknown = JSON.parse(read(KEY) ?? "[]");
    return Array.isArray(entries) && entries.every(isEntry) ? entries : [];
  } catch {
    return [];
  }
}

function isEntry(entry: unknown): entry is Entry {
  const { at, event, text } = (entry ?? {}) as Partial<Record<keyof Entry, unknown>>;
  return typeof at === "number" && typeof event === "string" && typeof text === "string";
}
