import { type Child, h } from "../dom.js";
import { page } from "../router.js";

export function notFound(): Child {
  return page("Not found", h("p", { class: "lead" }, "There is no page at this address. ", h("a", { href: "/" }, "Go home"), "."));
}
