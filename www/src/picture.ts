// A sequence as a picture: a lane for each who takes part, and an arrow for each step.
//
// Places are in percent of the width and rows in pixels, so that text is as large on a telephone as elsewhere.

import { h } from "./dom.js";
import type { Entry, Log } from "./log.js";
import { follow } from "./source.js";
import { read, write } from "./storage.js";

const LANES = ["You", "App", "Provider", "API"] as const;

/** Who takes part, in the order of the lanes. */
export type Lane = (typeof LANES)[number];

/** One arrow, and how the step is made. From a lane to itself it is something that happens there. */
export interface Step {
  readonly from: Lane;
  readonly to: Lane;
  readonly says: string;
  readonly by: By;
}

/** The browser goes there, it failed, a person does or sees it, or it is a request or the answer to one. */
export type By = "address" | "failure" | "person" | "request";

const step = (by: By) => (from: Lane, to: Lane, says: string): Step => ({ from, to, says, by });

export const address = step("address");
export const person = step("person");
export const request = step("request");
export const failure = (says: string): Step => step("failure")("App", "App", says);

/** Where the first arrow is, and how far it is to the next one. */
const FIRST = 66;
const ROW = 36;

/** What happened since the user began, drawn anew as it goes on. It outlives a way to the provider and back. */
export class Run {
  readonly element = h("div");
  #key: string;
  #draw: () => void;
  #began: number | undefined;

  /** `name` is unique in the app; `title` says whose picture it is. What an event stands for here may be more than elsewhere. */
  constructor(log: Log, name: string, title: string, here: Readonly<Record<string, readonly Step[]>> = {}, first = [person("You", "App", "click")]) {
    this.#key = `tokenkeep-demo.run.${name}`;
    this.#began = Number(read(this.#key)) || undefined;
    this.#draw = () => {
      const since = this.#began;
      const entries = since === undefined ? [] : log.entries.getSnapshot().filter(({ at }) => at >= since);
      const steps = entries.flatMap((entry) => here[entry.event] ?? stepsOf(entry));
      this.element.className = steps.length === 0 ? "" : "result";
      this.element.replaceChildren(...(steps.length === 0 ? [] : [picture(`picture-${name}`, title, [...first, ...steps])]));
    };
    follow(this.element, log.entries, this.#draw);
  }

  begin(): void {
    this.#began = Date.now();
    write(this.#key, String(this.#began));
    this.#draw();
  }
}

/** An event of the library stands for what must have been for it to happen: nobody redeems a code that the provider did not give. */
function stepsOf({ event, text }: Entry): readonly Step[] {
  switch (event) {
    case "MetadataRead":
      return [request("Provider", "App", "metadata")];
    case "KeysRead":
      return [request("Provider", "App", "keys")];
    case "Redirecting":
      return [address("App", "Provider", "challenge")];
    case "CallbackReceived":
      return [address("Provider", "App", "answer")];
    case "CodeRedeemed":
      return [request("App", "Provider", "code, verifier"), request("Provider", "App", "tokens")];
    case "IdTokenVerified":
      return [request("App", "App", "ID token is right")];
    case "SignedIn":
      return [person("App", "You", "signed in")];
    case "Renewed":
      return [request("Provider", "App", "new tokens"), person("App", "You", "renewed")];
    case "Ended":
      return [person("App", "You", "signed out")];
    case "Revoked":
      return [request("App", "Provider", "revoke refresh token")];
    case "IdleSoon":
      return [person("App", "You", "countdown")];
    case "Active":
      return [person("You", "App", "activity")];
    case "SessionChanged":
      return [request("Provider", "App", "changed"), request("App", "Provider", "prompt=none")];
    case "SessionMonitorStopped":
      return [failure("not watched")];
    case "StepUpNeeded":
      return [request("API", "App", "401: second step"), person("App", "You", "go there?")];
    case "ApiAnswered":
      return [request("App", "API", "token"), request("API", "App", text.split(" ")[0] ?? "")];
    case "Failed":
    case "RenewalFailed":
      return [failure(text)];
    default:
      return [];
  }
}

/** `id` is unique in the page. */
export function picture(id: string, title: string, steps: readonly Step[]): HTMLElement {
  const lanes = LANES.filter((lane) => steps.some(({ from, to }) => from === lane || to === lane));
  const middle = (lane: Lane) => ((lanes.indexOf(lane) + 0.5) * 100) / lanes.length;
  const height = String(FIRST + ROW * steps.length - 8);
  const wide = 84 / lanes.length;
  const heads = lanes.flatMap((lane) => {
    const x = percent(middle(lane));
    return [
      svg("line", { class: "life", x1: x, y1: "32", x2: x, y2: height }),
      svg("rect", { class: "head", x: percent(middle(lane) - wide / 2), y: "1", width: percent(wide), height: "31", rx: "5" }),
      svg("text", { class: "who", x, y: "22" }, lane),
    ];
  });
  const arrows = steps.map((step, row) => arrow(step, middle(step.from), middle(step.to), FIRST + ROW * row));
  const words = `${steps.map(inWords).join(". ")}.`;
  const labels = [svg("title", { id: `${id}-title` }, title), svg("desc", { id: `${id}-words` }, words)];
  const attributes = { role: "img", "aria-labelledby": `${id}-title ${id}-words`, width: "100%", height };
  const isThere = (by: By) => steps.some((step) => step.by === by);
  const legend = h(
    "p",
    { class: "legend", "aria-hidden": "true" },
    h("span", { class: "address" }, "your browser goes there"),
    h("span", { class: "request" }, "a request, which no address shows"),
  );
  return h(
    "figure",
    { class: "picture" },
    svg("svg", attributes, ...labels, ...heads, ...arrows),
    isThere("address") && isThere("request") ? legend : undefined,
  );
}

function arrow({ from, to, says, by }: Step, start: number, end: number, y: number): SVGElement {
  if (from === to) {
    // It stands on its lane, in the way of no arrow.
    const here = { x: percent(start), y: String(y - 8), overflow: "visible" };
    return svg("g", { class: `step ${by}` }, svg("svg", here, svg("circle", { r: "4" }), svg("text", { class: "note", y: "-9" }, says)));
  }
  const tip = end > start ? "M0 0l-9 -4.5v9z" : "M0 0l9 -4.5v9z";
  const at = (x: number) => ({ x: percent(x), y: String(y), overflow: "visible" });
  return svg(
    "g",
    { class: `step ${by}` },
    svg("line", { x1: percent(start), y1: String(y), x2: percent(end), y2: String(y) }),
    svg("svg", at(end), svg("path", { d: tip })),
    svg("svg", at((start + end) / 2), svg("text", { y: "-7" }, says)),
  );
}

function inWords({ from, to, says }: Step): string {
  return from === to ? `${from}: ${says}` : `${from} to ${to}: ${says}`;
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}

function svg(tag: string, attributes: Readonly<Record<string, string>>, ...children: (Node | string)[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
