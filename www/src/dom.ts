// Elements without a framework. Text is always text: nothing here reads HTML.

/** What an element can have in it. `undefined` is nothing. */
export type Child = Node | string | undefined | readonly Child[];

/** An element with these attributes, and these children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...nodes(children));
  return element;
}

export function button(text: string, onClick: () => void, attributes: Readonly<Record<string, string>> = {}): HTMLButtonElement {
  const element = h("button", { type: "button", ...attributes }, text);
  element.addEventListener("click", onClick);
  return element;
}

export function nodes(child: Child): (Node | string)[] {
  if (child === undefined) return [];
  return typeof child === "string" || child instanceof Node ? [child] : child.flatMap(nodes);
}
