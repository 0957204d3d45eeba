// Values that change, and parts of the page that follow them. `auth` is such a source, too: its value is the session.

import { type Child, nodes } from "./dom.js";

export interface Source<T> {
  getSnapshot(): T;
  /** Calls back when the value changes. Returns what ends that. */
  subscribe(listener: () => void): () => void;
}

/** A value of our own. */
export class Cell<T> implements Source<T> {
  #value: T;
  #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  getSnapshot(): T {
    return this.#value;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }
}

/** Applies the value to a node: now, and whenever it changes. A node that is not on the page by then is forgotten. */
export function follow<T, N extends Node>(node: N, source: Source<T>, apply: (node: N, value: T) => void): N {
  const stop = source.subscribe(() => {
    if (node.isConnected) apply(node, source.getSnapshot());
    else stop();
  });
  apply(node, source.getSnapshot());
  return node;
}

/** Text that follows a source. */
export function text<T>(source: Source<T>, read: (value: T) => string): Text {
  return follow(document.createTextNode(""), source, (node, value) => {
    node.data = read(value);
  });
}

/** A part of the page: what `show` makes of what `select` reads, made anew when that has become something else. */
export function part<T, S>(source: Source<T>, select: (value: T) => S, show: (selected: S) => Child): DocumentFragment {
  const [fragment, start, end] = [document.createDocumentFragment(), document.createComment(""), document.createComment("")];
  fragment.append(start, end);
  let shown: { selected: S } | undefined;
  follow(end, source, (_, value) => {
    const selected = select(value);
    if (shown && Object.is(shown.selected, selected)) return;
    shown = { selected };
    const between = document.createRange();
    between.setStartAfter(start);
    between.setEndBefore(end);
    between.deleteContents();
    end.before(...nodes(show(selected)));
  });
  return fragment;
}
