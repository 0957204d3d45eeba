// What an app imports. The work is done in wasm; this gives it JavaScript's own manners. Nothing runs at import.

import { AuthError } from "./error.js";
import { takeResponse } from "./response.js";
import load, * as binding from "./wasm/tokenkeep.js";

export { AuthError };

// Where `takeResponse` leaves what it took.
const RESPONSE = Symbol.for("tokenkeep.response");

export async function open(options) {
  if (typeof window === "undefined" || typeof document === "undefined") {
    return new Auth();
  }
  const before = takeResponse();
  const { wasm, finishSignIn, ...config } = own(options);
  expect("finishSignIn", finishSignIn, "boolean");
  expect("wasm", wasm, "string", "object");
  try {
    await load(wasm === undefined ? undefined : { module_or_path: await wasm });
  } catch (cause) {
    const message = `the wasm was not loaded, see "Bundlers" in the README: ${cause}`;
    const retryable = !navigator.onLine;
    throw new AuthError({ code: "wasm_unavailable", kind: retryable ? "interrupted" : "misconfigured", retryable, message }, { cause });
  }
  const auth = new Auth(json(config), before);
  if (finishSignIn !== false) {
    await auth.finishSignIn().then(goBack, () => {}); // what failed is in the session
  }
  return auth;
}

class Auth {
  #handle;
  #session = Object.freeze({ status: "unknown" });
  #missing = { code: "no_window", kind: "misconfigured", message: "there is no page here: this works in a browser window only" };
  #listeners = new Set();
  #events = new Set();

  constructor(config, before) {
    if (config !== undefined) {
      this.#handle = caught(() => binding.open(config, before, (told) => this.#hear(JSON.parse(told))));
    }
  }

  get session() {
    return this.#session;
  }

  get signedOutJustNow() {
    return this.#handle?.signed_out_just_now() ?? false;
  }

  getSnapshot = () => this.#session;

  subscribe = (listener) => add(this.#listeners, () => listener());

  on(type, listener) {
    return add(this.#events, (event) => {
      if (type === "*" || type === event.type) {
        listener(event);
      }
    });
  }

  async signIn(options = {}) {
    await this.#call((handle) => handle.sign_in(json(own(options))));
  }

  // Not async: the response leaves the address before this returns.
  finishSignIn() {
    return this.#call((handle) => {
      const finished = handle.finish_sign_in();
      const before = window[RESPONSE];
      delete window[RESPONSE];
      if (handle.response_is_left() && before !== undefined && new URL(before).pathname === location.pathname) {
        // It is for somebody else, who looks for it in the address.
        history.replaceState(history.state, "", before);
      }
      return finished;
    }).then(parsed);
  }

  async fetch(input, init) {
    this.#opened();
    const request = new Request(input, init);
    const { signal } = request;
    signal.throwIfAborted();
    const once = init?.body instanceof ReadableStream;
    return unlessAborted(signal, this.#call((handle) => handle.fetch(request, once)));
  }

  async userInfo() {
    return parsed(await this.#call((handle) => handle.user_info()));
  }

  async renew() {
    await this.#call((handle) => handle.renew());
  }

  // Not async: the tokens are gone before this returns.
  signOut(options = {}) {
    return this.#call((handle) => {
      const { local = false, ...others } = own(options);
      expect("local", local, "boolean");
      Object.keys(others).forEach(unknown);
      return handle.sign_out(local);
    }).then(() => {});
  }

  async frontChannelLogout() {
    return this.#call((handle) => handle.front_channel_logout());
  }

  close() {
    const handle = this.#handle;
    if (handle !== undefined) {
      this.#handle = undefined;
      this.#missing = { code: "closed", kind: "misconfigured", message: "this was closed: open another one" };
      handle.close();
      // Not while it may still be telling something.
      queueMicrotask(() => handle.free());
    }
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    this.close();
  }

  // What is thrown at once is a rejection, too.
  #call(work) {
    try {
      return work(this.#opened()).catch(refuse);
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  #opened() {
    if (this.#handle === undefined) {
      throw new AuthError(this.#missing);
    }
    return this.#handle;
  }

  #hear(told) {
    if (told.error !== undefined) {
      told.error = new AuthError(spoken(told.error));
    }
    const what = frozen(told);
    if (what.type === undefined) {
      this.#session = what;
    }
    for (const listener of [...(what.type === undefined ? this.#listeners : this.#events)]) {
      try {
        listener(what);
      } catch (thrown) {
        reportError(thrown);
      }
    }
  }
}

// An event listener may be there twice, and each is ended by itself.
function add(listeners, listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function goBack({ returnTo }) {
  if (returnTo !== undefined) {
    history.replaceState(history.state, "", returnTo);
    // A router that is there already learns of it.
    dispatchEvent(new PopStateEvent("popstate", { state: history.state }));
  }
}

function unlessAborted(signal, work) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** The object's own options. What is inherited, or undefined, is none. */
function own(options) {
  const set = Object.entries(Object(options)).filter(([, value]) => value !== undefined);
  return Object.assign(Object.create(null), Object.fromEntries(set));
}

/** Refuses an option of another type than these. */
function expect(option, value, ...types) {
  if (value !== undefined && (value === null || !types.includes(typeof value))) {
    const message = `an option is of the wrong type (option: ${option})`;
    throw new AuthError({ code: "option_type", kind: "misconfigured", message, option });
  }
}

function unknown(option) {
  const message = `there is no option of this name (option: ${option})`;
  throw new AuthError({ code: "option_unknown", kind: "misconfigured", message, option });
}

/** Options as the wasm reads them. It says which one is wrong. */
function json(options) {
  const named = Object.entries(options).map(([name, value]) => {
    if (!/^[a-z][a-zA-Z]*$/.test(name)) {
      unknown(name);
    }
    return [name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`), value];
  });
  // What JSON has no word for is of the wrong type wherever it stands.
  return JSON.stringify(Object.fromEntries(named), (_, value) => (["bigint", "function", "symbol"].includes(typeof value) ? null : value));
}

function parsed(text) {
  return frozen(JSON.parse(text));
}

function frozen(value) {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

/** An error with the names that options and methods have here. */
function spoken(error) {
  const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  const message = error.message.replace(/`[a-z_]+`|\(option: \w+\)/g, camel);
  return { ...error, message, ...(error.option === undefined ? {} : { option: camel(error.option) }) };
}

function refuse(thrown) {
  throw typeof thrown === "string" ? new AuthError(spoken(JSON.parse(thrown))) : thrown;
}

function caught(work) {
  try {
    return work();
  } catch (thrown) {
    return refuse(thrown);
  }
}
