// What an entry's `open` gives. The work is done in wasm; this gives it JavaScript's own manners.

import { AuthError } from "./error.js";
import { errorOf, expect, frozen, json, own, parsed, spoken, unknown } from "./options.js";
import { NotStarted, connect } from "./remote.js";
import { handOver, receive, takeResponse } from "./response.js";

/** `open` of an entry with wasm of its own, whose keep may be in these places, the best first. */
export const opener = (KEEPS, entry) => async (options) => {
  if (typeof window === "undefined" || typeof document === "undefined") {
    return new Auth(entry);
  }
  const { receiver, wasm, worker, keep = KEEPS[0], lingerSeconds = 60, pending, finishSignIn, ...config } = own(options);
  expect("receiver", receiver, "object");
  // It cleans the address before this waits.
  const form = receiver?.take();
  if (receiver !== undefined) {
    config.formPostReceiver = true;
    receive(await form);
  }
  const before = takeResponse();
  expect("finishSignIn", finishSignIn, "boolean");
  expect("wasm", wasm, "string", "object");
  expect("worker", worker, "string", "object");
  expect("lingerSeconds", lingerSeconds, "number");
  if (pending !== undefined && !["durable", "memory"].includes(pending)) {
    expect("pending", null);
  }
  const keeps = typeof keep === "string" ? KEEPS.slice(KEEPS.indexOf(keep)) : keep;
  if (!Array.isArray(keeps) || keeps.length === 0 || ![keep].flat().every((keep) => KEEPS.includes(keep))) {
    expect("keep", keeps, "a keep");
  }
  return Auth.begin(keeps, finishSignIn, { ...entry, receiver, config: json(config), before, wasm, worker, linger: lingerSeconds * 1000, pending });
};

class Auth {
  #handle;
  #session = Object.freeze({ status: "unknown" });
  #missing = { code: "no_window", kind: "misconfigured", message: "there is no page here: this works in a browser window only" };
  #keep;
  #listeners = new Set();
  #events = new Set();
  #stepUp;

  #receiver;

  constructor({ extend, receiver }) {
    this.#receiver = receiver;
    extend?.(this, (work) => this.#call(work));
  }

  /** Opens it in the first of these places where that works. */
  static async begin([keep, ...others], finishSignIn, options) {
    const auth = new Auth(options);
    const tell = (told) => auth.#hear(JSON.parse(told));
    try {
      auth.#handle = await (keep === "page" ? here(options, tell) : elsewhere(keep, options, tell));
    } catch (why) {
      return why instanceof NotStarted && others.length > 0 ? Auth.begin(others, finishSignIn, options) : refuse(why);
    }
    auth.#keep = keep;
    if (finishSignIn !== false) {
      // What failed is in the session.
      await auth.finishSignIn().then(goBack).catch(() => {});
    }
    return auth;
  }

  get keep() {
    return this.#keep;
  }

  get session() {
    return this.#session;
  }

  get stepUp() {
    return this.#stepUp;
  }

  // Where nothing waits and nothing ends for it, there is nothing to do.
  declineStepUp() {
    this.#opened().decline_step_up?.();
  }

  get signedOutJustNow() {
    return this.#handle?.signed_out_just_now() ?? false;
  }

  getSnapshot = () => this.#session;

  subscribe = (listener) => add(this.#listeners, () => listener());

  on(type, listener) {
    if (["*", "api_answered"].includes(type)) {
      this.#handle?.listen?.();
    }
    return add(this.#events, (event) => {
      if (type === "*" || type === event.type) {
        listener(event);
      }
    });
  }

  async signIn(options = {}) {
    await this.#receiver?.ready().catch((cause) => {
      const message = `nothing receives what the provider posts: ${cause.message}`;
      throw new AuthError({ code: "form_post_receiver_missing", kind: "misconfigured", message }, { cause });
    });
    await this.#call((handle) => handle.sign_in(json(own(options))));
  }

  // Not async: the response leaves the address before this returns.
  finishSignIn() {
    return this.#call((handle) => {
      const finished = handle.finish_sign_in();
      if (this.#keep === "page") {
        const { putBack } = handOver();
        handle.response_is_left() && putBack();
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

  accessToken(url) {
    return this.#call((handle) => handle.access_token(`${url}`));
  }

  async userInfo() {
    return parsed(await this.#call((handle) => handle.user_info()));
  }

  async renew() {
    await this.#call((handle) => handle.renew());
  }

  stayActive() {
    this.#handle?.stay_active?.();
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
    } else if (what.type.startsWith("step_up_")) {
      // A page that comes late, or comes back, is told how things are.
      if (JSON.stringify(what.signIn) === JSON.stringify(this.#stepUp)) {
        return;
      }
      this.#stepUp = what.signIn;
    }
    const changed = what.type === undefined || what.type.startsWith("step_up_");
    for (const listener of [...(changed ? this.#listeners : []), ...(what.type === undefined ? [] : this.#events)]) {
      try {
        listener(what);
      } catch (thrown) {
        reportError(thrown);
      }
    }
  }
}

/** Opens a keep in this page. */
async function here({ config, before, wasm, load, located }, tell) {
  try {
    const [binding, source] = await Promise.all([load(), wasm ?? fetch(located())]);
    await binding.default({ module_or_path: source });
    return binding.open(config, before, tell);
  } catch (cause) {
    if (typeof cause === "string") {
      throw cause;
    }
    throw unavailable("wasm_unavailable", `the wasm was not loaded, see "Bundlers" in the README: ${cause}`, cause);
  }
}

/** Opens a keep in a worker, or finds it there. */
async function elsewhere(kind, { config, linger, pending, wasm, worker, located, script: own }, tell) {
  const script = worker ?? own();
  const given = await (wasm ?? located());
  const source = given instanceof Response ? await given.arrayBuffer() : given;
  const isAddress = typeof source === "string" || source instanceof URL;
  const address = () => new URL(source, document.baseURI).href;
  return connect(kind, { config, linger, pending, script, wasm: isAddress ? address() : source, tell, listens: false });
}

function unavailable(code, message, cause) {
  const retryable = !navigator.onLine;
  return new AuthError({ code, kind: retryable ? "interrupted" : "misconfigured", retryable, message }, { cause });
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

function refuse(thrown) {
  if (thrown instanceof NotStarted) {
    const message = `the keep did not start, see "Where the keep is" in the README: ${thrown.message}: ${thrown.cause}`;
    throw unavailable("keep_unavailable", message, thrown);
  }
  throw errorOf(thrown);
}
