// The page's end of a keep that is in a worker. It has the methods that the binding has for a keep in the page.
//
// Messages are lists: what, and what belongs to it. No token is in any of them; `keep.js` is the other end.

import { handOver } from "./response.js";
import { NOTE, hold, nameOf, whenFree } from "./wire.js";

const PATIENCE = 10_000;

/** Gecko keeps no page in its back/forward cache around which there are locks: there nobody notices that a worker has gone. */
const LOCKS = !("mozInnerScreenX" in globalThis);

/** The worker did not start: why, in `cause`. */
export class NotStarted extends Error {}

/**
 * Opens a keep in a worker of this kind, or finds the one that is there.
 * @throws {NotStarted} when there is no such worker. What the keep itself refuses is thrown as it is.
 */
export async function connect(kind, { config, script, wasm, linger, pending, tell, listens = true }) {
  const name = await nameOf(config, wasm, { linger, pending }).catch((cause) => {
    const message = `what was given as wasm is none: ${cause}`;
    throw JSON.stringify({ code: "wasm_unavailable", kind: "misconfigured", retryable: false, message });
  });
  const starting = new AbortController();
  let remote;
  try {
    await new Promise((resolve, reject) => {
      const fail = (cause) => reject(new NotStarted(`no ${kind} worker`, { cause }));
      if (kind === "shared" && wasm instanceof WebAssembly.Module) {
        fail(new Error("a WebAssembly.Module cannot be sent to it: give its URL or its bytes"));
        return;
      }
      const late = setTimeout(fail, PATIENCE, new Error("it did not start in time"));
      starting.signal.addEventListener("abort", () => clearTimeout(late));
      const { port, outlives } = start(kind, script, name, fail, starting.signal);
      remote = new Remote(port, tell, resolve, reject, JSON.parse(config));
      const options = { config, wasm, linger, pending, outlives, listens, locks: LOCKS, framedBy: framedBy(), notes: notes() };
      remote.send(["open", options]);
      // It may have begun with others.
      remote.note(options.notes);
      remote.here();
    }).catch((why) => {
      throw why instanceof NotStarted || typeof why === "string" ? why : new NotStarted(`no ${kind} worker`, { cause: why });
    });
    return remote;
  } catch (why) {
    remote?.free();
    throw why;
  } finally {
    starting.abort();
  }
}

/** Starts the worker, and gives the port to it. What cannot start throws, or fails later. */
function start(kind, script, name, fail, signal) {
  let outlives = false;
  const options = {
    type: "module",
    name,
    // It is still there when a page comes back. Only an engine that knows this asks for it.
    get extendedLifetime() {
      outlives = true;
      return true;
    },
  };
  const failed = (event) => {
    event.preventDefault();
    const message = `${script} did not load: is it there, JavaScript, of this origin, and in the page's worker-src?`;
    fail(event.error ?? new Error(event.message || message));
  };
  if (kind === "shared") {
    const worker = new SharedWorker(trusted(script), options);
    worker.addEventListener("error", failed, { signal });
    return { port: worker.port, outlives };
  }
  const worker = new Worker(trusted(script), options);
  worker.addEventListener("error", failed, { signal });
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(undefined, [port2]);
  return { port: port1, outlives: false };
}

class Remote {
  #port;
  #tell;
  #next = 0;
  #calls = new Map();
  #frames = new Map();
  #signedOutAt = -Infinity;
  #left = false;
  #gone = new AbortController();
  /** What all calls are rejected with, when nobody answers any more. */
  #ended;
  #lost = new AbortController();
  /** The lock that is free when the worker has gone. */
  #alive;
  #here;

  constructor(port, tell, opened, refused, config) {
    this.#port = port;
    this.#tell = tell;
    const { signal } = this.#gone;
    const on = (target, event, heard, options) => target.addEventListener(event, heard, { ...options, signal });
    const does = {
      opened: (state, signedOutJustNow, alive) => {
        this.#alive = alive;
        this.#watch();
        this.#signedOutAt = signedOutJustNow ? Date.now() : -Infinity;
        tell(state);
        opened();
      },
      failed: (...why) => refused(unfit(thrown(...why))),
      tell: (told) => {
        // In whatever page; and a limit is as if the user had signed out.
        if (/"reason":"(idle|session_limit|signed_out\w*)"/.test(told)) {
          this.#signedOutAt = Date.now();
        } else if (told.includes('"status":"signed_in"')) {
          this.#signedOutAt = -Infinity;
        }
        tell(told);
      },
      answer: (id, value, left) => {
        this.#left = left;
        this.#settle(id, (call) => call.resolve(value));
      },
      refused: (id, ...why) => this.#settle(id, (call) => call.reject(thrown(...why))),
      replace: (url) => history.replaceState(history.state, "", url),
      go: (url) => location.assign(url),
      submit: (url, fields) => submit(url, fields),
      tell_parent: (text) => parent.postMessage(text, location.origin),
      frame: (number, url) => this.#frame(number, url),
      note: noted,
    };
    on(port, "message", ({ data: [what, ...rest] }) => does[what](...rest));
    on(window, "online", () => this.send(["woke", "online"]));
    on(window, "pagehide", () => {
      this.send(["away"]);
      // A page in the back/forward cache neither has locks nor waits for them.
      this.#here.abort();
    });
    on(window, "pageshow", ({ persisted }) => {
      if (persisted) {
        this.send(["woke", "pageshow"]);
        this.note(notes());
        this.here();
        this.#watch();
      }
    });
    on(document, "visibilitychange", () => document.visibilityState === "visible" && this.send(["woke", "visible"]));
    // What it is about may be long past.
    watch(config, on, () => this.stay_active());
    on(window, "storage", ({ key }) => key?.startsWith(NOTE) && this.note([[key, localStorage.getItem(key) ?? undefined]]));
    port.start();
  }

  send(message, transfer = []) {
    this.#port.postMessage(message, transfer);
  }

  /** Tells what is noted. */
  note(notes) {
    notes.forEach((note) => this.send(["note", ...note]));
  }

  /** Shows by a lock that this page is there. */
  async here() {
    this.#here = new AbortController();
    if (LOCKS) {
      this.send(["here", await hold(this.#here.signal)]);
    }
  }

  sign_in(options) {
    began(`${JSON.parse(options).return_to ?? location.href}`);
    return this.#call("sign_in", [options]);
  }

  begin_popup(options) {
    return this.#call("begin_popup", [options]);
  }

  finish_popup(state, address) {
    return this.#call("finish_popup", [state, address]);
  }

  end_popup(state, why) {
    return this.#call("end_popup", [state, why]);
  }

  // The response leaves the address before this returns.
  finish_sign_in() {
    const { address, putBack } = handOver();
    const finished = this.#call("finish_sign_in", [], address);
    const done = () => this.#left && putBack();
    finished.then(done, done);
    return finished.catch((why) => this.#signInAgain(why));
  }

  /** Once more, if the worker that knew of it has gone: who is known to the provider is not asked again. */
  async #signInAgain(why) {
    const isLost = typeof why === "string" && JSON.parse(why).code === "state_unknown";
    const return_to = isLost ? began() : undefined;
    if (return_to === undefined) {
      throw why;
    }
    await this.sign_in(JSON.stringify({ return_to }));
    return '{"outcome":"nothing"}';
  }

  async fetch(request, once) {
    const { url, method, headers, mode, credentials, cache, redirect, integrity, keepalive, referrerPolicy, signal } = request;
    const init = { method, headers: [...headers], credentials, cache, redirect, integrity, keepalive, referrerPolicy };
    if (mode !== "navigate") {
      init.mode = mode;
    }
    const transfer = [];
    if (once && request.body) {
      Object.assign(init, { body: request.body, duplex: "half" });
      transfer.push(init.body);
    } else if (!["GET", "HEAD"].includes(method)) {
      const body = await request.blob();
      if (body.size > 0) {
        init.body = body;
      }
    }
    signal.throwIfAborted();
    const id = this.#next;
    const abort = () => this.send(["abort", id]);
    signal.addEventListener("abort", abort, { once: true });
    const call = this.#call("fetch", [{ url, ...init }, once], undefined, transfer);
    return respond(await call.finally(() => signal.removeEventListener("abort", abort)), signal, this.#lost.signal);
  }

  /** The keep tells from now on of every answer of an API, too. */
  listen() {
    this.send(["listen"]);
  }

  access_token(url) {
    return this.#call("access_token", [url]);
  }

  check_session(said, about) {
    return this.#call("check_session", [said, about]);
  }

  user_info() {
    return this.#call("user_info");
  }

  initiated_sign_in(url) {
    return this.#call("initiated_sign_in", [url]);
  }

  renew() {
    return this.#call("renew");
  }

  decline_step_up() {
    this.send(["decline_step_up"]);
  }

  sign_out(local) {
    const done = this.#call("sign_out", [local]);
    // The keep has nothing more for this page, whatever it is still doing.
    this.#tell('{"status":"signed_out"}');
    this.#signedOutAt = Date.now();
    return done;
  }

  front_channel_logout() {
    return this.#call("front_channel_logout");
  }

  stay_active() {
    this.send(["active", Date.now()]);
  }

  signed_out_just_now() {
    return Date.now() - this.#signedOutAt < 60_000;
  }

  /** The keep may serve other pages: it forgets when the last one has gone. */
  close() {
    this.send(["close"]);
    this.#end("sign_in_needed", "this was closed");
  }

  free() {
    this.#gone.abort();
    this.#here?.abort();
    this.#port.close();
    this.#frames.forEach((frame) => frame.remove());
  }

  #call(method, rest = [], address = location.href, transfer) {
    if (this.#ended !== undefined) {
      return Promise.reject(this.#ended);
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.send(["call", id, address, method, ...rest], transfer);
    });
  }

  #settle(id, how) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (call !== undefined) {
      how(call);
    }
  }

  #watch() {
    const gone = () => {
      this.#end("keep_gone", "the worker that kept the session has gone: reload the page");
      this.#lost.abort();
    };
    whenFree(this.#alive, gone, this.#here.signal);
  }

  /** Nothing comes any more: who waits is told, and who asks later, too. */
  #end(code, message) {
    this.#ended = JSON.stringify({ code, kind: "interrupted", retryable: false, message });
    this.#calls.forEach((call) => call.reject(this.#ended));
    this.#calls.clear();
    this.#tell('{"type":"step_up_settled","text":"no call waits any more for the user to authenticate"}');
    this.#tell('{"status":"signed_out"}');
  }

  /** Shows a hidden frame until it is to be removed, and tells what happens around it. */
  #frame(number, url) {
    this.#frames.get(number)?.remove();
    this.#frames.delete(number);
    if (url !== undefined) {
      this.#frames.set(number, hiddenFrame(url, (event) => this.send(["frame", number, event])));
    }
  }
}

/** Tells what the user does, as often as it matters to a keep with such a limit. The keep reckons alike. */
function watch({ idle_limit_seconds: limit, idle_warning_seconds: warning = 60 }, on, tell) {
  const rhythm = Math.min(5_000, limit * 83, (limit - warning) * 500);
  let [last, place] = [-Infinity];
  const heard = ({ type, screenX, screenY }) => {
    const now = Date.now();
    if (Math.abs(now - last) < rhythm) {
      return;
    }
    if (type === "pointermove") {
      // One that lies still moves, too, when what is below it does.
      const before = place;
      place = `${screenX} ${screenY}`;
      if (before === undefined || before === place) {
        return;
      }
    }
    last = now;
    tell();
  };
  if (limit !== undefined) {
    const how = { capture: true, passive: true };
    ["keydown", "pointerdown", "pointermove", "touchmove", "wheel"].forEach((event) => on(window, event, heard, how));
  }
}

/** Where the user was when a sign-in began, until that was asked for or said anew. A worker may be gone when it comes back. */
function began(place) {
  try {
    const before = sessionStorage.getItem("tokenkeep.began") ?? undefined;
    place === undefined ? sessionStorage.removeItem("tokenkeep.began") : sessionStorage.setItem("tokenkeep.began", place);
    return before;
  } catch {
    return undefined;
  }
}

/** A worker that is of another version, or another keep, is as good as none. */
function unfit(why) {
  const { code, message } = typeof why === "string" ? JSON.parse(why) : {};
  return code === "keep_unavailable" ? new NotStarted("a worker that does not fit", { cause: message }) : why;
}

/** What was thrown in the worker: an error's JSON, or something else by name. */
function thrown(json, message, name) {
  return json ?? (name === "AbortError" ? new DOMException(message, name) : new TypeError(message));
}

function respond({ status, statusText, headers, body, ...rest }, signal, lost) {
  const read = body instanceof MessagePort ? flowing(body, signal, lost) : body;
  const response = new Response(read, { status: status === 0 ? 200 : status, statusText, headers });
  return dressed(response, { ...rest, status, ok: response.ok && status !== 0 });
}

/** A body that comes by a port, as fast as it is read. Who aborts aborts the reading, too. */
function flowing(port, signal, lost) {
  let taken = 0;
  const over = new AbortController();
  const end = () => {
    over.abort();
    // No news is that nothing more is wanted.
    port.postMessage(undefined);
    port.close();
  };
  const start = (controller) => {
    const on = (target, event, heard) => target.addEventListener(event, heard, { signal: over.signal });
    const fail = (why) => {
      controller.error(why);
      end();
    };
    const broken = () => fail(new TypeError("the rest of the answer does not come any more"));
    on(port, "message", ({ data }) => {
      if (data === undefined) {
        controller.close();
        end();
      } else if (Array.isArray(data)) {
        fail(thrown(...data));
      } else {
        taken += data.length;
        controller.enqueue(data);
      }
    });
    on(port, "close", broken);
    on(lost, "abort", broken);
    // In the back/forward cache a page must not be told anything.
    on(window, "pagehide", broken);
    on(signal, "abort", () => fail(signal.reason));
    signal.aborted ? fail(signal.reason) : port.start();
  };
  const pull = () => {
    port.postMessage(taken);
    taken = 0;
  };
  return new ReadableStream({ start, pull, cancel: end }, { highWaterMark: 0 });
}

/** What a Response made by a script does not say. */
function dressed(response, members) {
  const clone = () => dressed(Response.prototype.clone.call(response), members);
  for (const [name, value] of Object.entries({ ...members, clone })) {
    Object.defineProperty(response, name, { value, configurable: true });
  }
  return response;
}

function hiddenFrame(url, tell) {
  const frame = document.createElement("iframe");
  const sandbox = "allow-scripts allow-same-origin";
  set(frame, { hidden: "", "aria-hidden": "true", tabindex: "-1", sandbox, referrerpolicy: "no-referrer", src: url });
  frame.style.setProperty("display", "none", "important");
  const gone = new AbortController();
  const on = (target, event, heard) => target.addEventListener(event, heard, { signal: gone.signal });
  on(frame, "load", () => tell({ type: "load" }));
  on(window, "message", ({ origin, source, data }) => {
    const fromFrame = source !== null && source === frame.contentWindow;
    tell({ type: "message", origin, fromFrame, data: typeof data === "string" ? data : undefined });
  });
  on(document, "securitypolicyviolation", ({ effectiveDirective, disposition, blockedURI }) => {
    const frames = ["frame-src", "child-src", "default-src"].includes(effectiveDirective) && disposition !== "report";
    // The browser tells no more of it than the origin, if there was a redirect.
    if (frames && URL.canParse(blockedURI) && new URL(blockedURI).origin === new URL(url).origin) {
      tell({ type: "blocked" });
    }
  });
  (document.body ?? document.documentElement).append(frame);
  return {
    remove() {
      gone.abort();
      frame.remove();
    },
  };
}

function submit(url, fields) {
  const form = document.createElement("form");
  set(form, { method: "post", action: url, target: "_self", "accept-charset": "utf-8", hidden: "" });
  for (let index = 0; index < fields.length; index += 2) {
    const input = document.createElement("input");
    set(input, { type: "hidden", name: fields[index], value: fields[index + 1] });
    form.append(input);
  }
  document.body.append(form);
  // Fields hide the form's own methods if they are called like them.
  HTMLFormElement.prototype.submit.call(form);
  form.remove();
}

function set(element, attributes) {
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
}

/** What outlives the keep, and is no secret: that somebody is signed in, and when they signed out. */
function notes() {
  try {
    return Object.entries({ ...localStorage }).filter(([key]) => key.startsWith(NOTE));
  } catch {
    return [];
  }
}

function noted(key, text, before) {
  try {
    const now = localStorage.getItem(key) ?? undefined;
    // A page that stood still finds something newer there.
    if (now === undefined || now === before) {
      text === undefined ? localStorage.removeItem(key) : localStorage.setItem(key, text);
    }
  } catch {
    // Without storage there is nothing to find later.
  }
}

function framedBy() {
  try {
    for (let window = self; window !== window.parent; window = window.parent) {
      // A window of another origin does not show its address.
      void window.parent.location.href;
    }
  } catch {
    return "another_origin";
  }
  return self === self.parent ? "nobody" : "this_origin";
}

let policy;
/** Where Trusted Types are enforced, workers start by a policy: name it `tokenkeep` in the page's `trusted-types`. */
function trusted(script) {
  policy ??= globalThis.trustedTypes?.createPolicy("tokenkeep", { createScriptURL: (url) => url });
  return policy?.createScriptURL(`${script}`) ?? script;
}
