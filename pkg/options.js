// Options as JavaScript has them, and as the wasm reads them.

import { AuthError } from "./error.js";

/** The object's own options. What is inherited, or undefined, is none. */
export function own(options) {
  const set = Object.entries(Object(options)).filter(([, value]) => value !== undefined);
  return Object.assign(Object.create(null), Object.fromEntries(set));
}

/** Refuses an option of another type than these. */
export function expect(option, value, ...types) {
  if (value !== undefined && (value === null || !types.includes(typeof value))) {
    const message = `an option is of the wrong type (option: ${option})`;
    throw new AuthError({ code: "option_type", kind: "misconfigured", message, option });
  }
}

export function unknown(option) {
  const message = `there is no option of this name (option: ${option})`;
  throw new AuthError({ code: "option_unknown", kind: "misconfigured", message, option });
}

/** Options as the wasm reads them. It says which one is wrong. */
export function json(options) {
  // In one order: it names the keep.
  const named = Object.entries(options).sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, value]) => {
    if (!/^[a-z][a-zA-Z]*$/.test(name)) {
      unknown(name);
    }
    return [name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`), value];
  });
  // What JSON has no word for is of the wrong type wherever it stands.
  return JSON.stringify(Object.fromEntries(named), (_, value) => (["bigint", "function", "symbol"].includes(typeof value) ? null : value));
}

export function parsed(text) {
  return frozen(JSON.parse(text));
}

export function frozen(value) {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

/** An error with the names that options and methods have here. */
export function spoken(error) {
  const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  // Of the names in a message, those of ways to authenticate are the specification's own.
  const ours = /`(?!client_secret_|private_key_jwt)[a-z_]+`|\(option: \w+\)/g;
  const message = error.message.replace(ours, camel);
  return { ...error, message, ...(error.option === undefined ? {} : { option: camel(error.option) }) };
}

/** What the wasm threw: text is an error of its own. */
export const errorOf = (thrown) => (typeof thrown === "string" ? new AuthError(spoken(JSON.parse(thrown))) : thrown);
