// What takes the room in the wasm, by the names of its functions.

import { readFileSync } from "node:fs";

const CUSTOM = 0;
const CODE = 10;
const DATA = 11;
const FUNCTION_NAMES = 1;

/** By area, the largest first: its bytes before compression. */
export function areas(path) {
  const module = readFileSync(path);
  const { bodies, names, data, rest } = read(module);
  const { length: imported } = WebAssembly.Module.imports(new WebAssembly.Module(module)).filter(({ kind }) => kind === "function");
  const sums = new Map([["texts and constants", data.length], ["types, imports, exports, tables", rest.length]]);
  for (const [index, { length }] of bodies.entries()) {
    const name = area(names.get(imported + index) ?? "");
    sums.set(name, (sums.get(name) ?? 0) + length);
  }
  return [...sums].map(([name, raw]) => ({ name, raw })).sort((one, other) => other.raw - one.raw);
}

/** The module of tokenkeep that a function is of, or is made for; else the crate. */
function area(name) {
  const plain = name.replaceAll(/\[[0-9a-f]+\]/g, "");
  const own = /\btokenkeep::(\w+(?:::[a-z]\w*)?)/.exec(plain);
  if (own) {
    return own[1];
  }
  if (/\btokenkeep_npm\b|^handle_|externref shim/.test(plain)) {
    return "the binding";
  }
  const crate = /\b(alloc|core|std|[a-z]\w*)::/.exec(plain)?.[1];
  return { alloc: "Rust's standard library", core: "Rust's standard library", std: "Rust's standard library" }[crate] ?? crate ?? "others";
}

/** A module's functions, their names, and the rest (https://webassembly.github.io/spec/core/binary/modules.html). */
function read(module) {
  const [bodies, names, data, rest] = [[], new Map(), [], []];
  for (const [id, section] of sections(module.subarray(8))) {
    const reader = new Reader(section);
    if (id === CODE) {
      reader.each(() => bodies.push(reader.take(reader.number())));
    } else if (id === DATA) {
      data.push(section);
    } else if (id !== CUSTOM) {
      rest.push(section);
    } else if (reader.text() === "name") {
      for (const [kind, part] of sections(reader.left())) {
        const entries = new Reader(part);
        if (kind === FUNCTION_NAMES) {
          entries.each(() => names.set(entries.number(), entries.text()));
        }
      }
    }
  }
  return { bodies, names, data: Buffer.concat(data), rest: Buffer.concat(rest) };
}

function* sections(bytes) {
  const reader = new Reader(bytes);
  while (reader.left().length > 0) {
    yield [reader.number(), reader.take(reader.number())];
  }
}

class Reader {
  #bytes;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  left() {
    return this.#bytes;
  }

  take(length) {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  /** Unsigned LEB128. */
  number() {
    let [value, shift, byte] = [0, 1, 0x80];
    while (byte >= 0x80) {
      [byte] = this.take(1);
      value += (byte & 0x7f) * shift;
      shift *= 128;
    }
    return value;
  }

  text() {
    return this.take(this.number()).toString("utf8");
  }

  each(read) {
    for (let count = this.number(); count > 0; count -= 1) {
      read();
    }
  }
}
