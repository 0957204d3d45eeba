// Which page is shown: the one whose path is in the address bar.

import { type Child, h } from "./dom.js";
import { Cell } from "./source.js";

/** The path that is shown. */
export const path = new Cell(location.pathname);

/** Goes to a place in the app: path, query and hash. */
export function go(place: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", place);
  else history.replaceState(null, "", place);
  arrive();
}

/** Lets links within the app be followed without loading a page, and back and forward likewise. */
export function start(): void {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isOrdinary = event.button === 0 && !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
    if (!link || !isOrdinary || event.defaultPrevented) return;
    if (link.origin !== location.origin || link.target || link.relList.contains("external")) return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
    if (!link.hash) scrollTo(0, 0);
  });
  addEventListener("popstate", arrive);
}

/** A page with its title. */
export function page(title: string, ...children: Child[]): Child {
  document.title = `${title} · tokenkeep demo`;
  return [h("h1", { tabindex: "-1" }, title), children];
}

/** Whoever comes from another page and cannot see it is told by the focus. */
function arrive(): void {
  if (path.getSnapshot() === location.pathname) return;
  path.set(location.pathname);
  document.querySelector("h1")?.focus();
}
