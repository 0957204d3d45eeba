// The keep in a worker: tokens are here, and no page sees one. `remote.js` is the other end of each port; the keep itself is Rust, and
// `serve` is told how to make it.
//
// What a page may say: open, here, listen, call, abort, decline_step_up, note, frame, woke, active, away, close. What it is told: opened or
// failed, answers, states and events, what to do in its window, and what to note. Messages of another version have other names of workers,
// and never meet.

import { NOTE, hold, nameOf, whenFree } from "./wire.js";

const METHODS = [
  "access_token",
  "begin_popup",
  "check_session",
  "end_popup",
  "fetch",
  "finish_popup",
  "finish_sign_in",
  "front_channel_logout",
  "initiated_sign_in",
  "renew",
  "sign_in",
  "sign_out",
  "user_info",
];

const SMALL = 65_536;

/** What is told only to pages that listen to it: the rest is rare. */
const FREQUENT = '"type":"api_answered"';

/** How much of a body is on its way to a page, in bytes. */
const WINDOW = 2_097_152;

/** How long what is already on its way may take, in milliseconds. */
const SOON = 1;

/** How long a database may take, in milliseconds. */
const PATIENCE = 2_000;

let serve;
const served = new Promise((resolve) => (serve = resolve));
/** Pages wait until this is called with what makes the keep of a configuration. */
export { serve };

/** The same for a keep that is one function, of a method's name and its arguments. */
export function serveBy(call) {
  serve((...options) => call("", options));
}

/** An object whose methods are all one such function. */
export function object(call) {
  // Who awaits it asks whether it is a promise.
  return new Proxy({}, { get: (_, method) => (method === "then" ? undefined : (...rest) => call(method, rest)) });
}

let keeping;
let leaving;
let lingers = 0;
let isDurable = false;
let stored = Promise.resolve();
let hangs = false;
/** What was noted lately, here or before: pages hear of it from each other, however late. */
const noted = [];
/** What is noted now. */
const notes = new Map();
/** A lock that is free when this worker has gone. */
let alive;
/** The pages that are there, the latest last. */
const pages = new Set();
/** Which page has which hidden frame. */
const frames = new Map();

class Page {
  #port;
  #handle;
  #aborts = new Map();
  #away = new AbortController();
  #listens;
  #lock;

  constructor(port) {
    this.#port = port;
    port.addEventListener("message", ({ data }) => {
      const [what, ...rest] = Array.isArray(data) ? data : [];
      this[`on_${what}`]?.(...rest);
    });
    port.addEventListener("close", () => this.on_close());
    port.start();
  }

  post(message, transfer = []) {
    this.#port.postMessage(message, transfer);
  }

  on_open({ framedBy, locks, listens, ...options }) {
    if (this.#handle !== undefined) {
      return;
    }
    this.#here();
    this.#listens = listens;
    // What is told to a page in the back/forward cache ends it. It hears how things are when it comes back.
    const told = (told) => pages.has(this) && (this.#listens || !told.includes(FREQUENT)) && this.post(["tell", told]);
    this.#handle = opened(options).then((kept) => kept.join(framedBy, (message) => this.#ask(message), told));
    this.#handle.then(
      async (handle) => {
        const lock = locks && (await (alive ??= hold()));
        this.post(["opened", handle.state(), handle.signed_out_just_now(), lock]);
        this.#tellStepUp(handle);
      },
      (why) => this.post(["failed", ...spoken(why)]),
    );
  }

  async on_call(id, address, method, ...rest) {
    try {
      const handle = await this.#handle;
      if (!METHODS.includes(method) || typeof address !== "string") {
        throw new TypeError(`there is no ${method}`);
      }
      handle.at(address);
      const work = method === "fetch" ? this.#fetch(handle, id, ...rest) : handle[method](...rest);
      // Asked at once: meanwhile another question may say that the page is elsewhere, and the response would be put back.
      const left = method === "finish_sign_in" && handle.response_is_left();
      const answer = method === "fetch" ? await work : [await work, []];
      this.post(["answer", id, answer[0], left], answer[1]);
    } catch (why) {
      this.post(["refused", id, ...spoken(why)]);
    }
  }

  // Nobody leaves before what must outlive the worker is stored.
  async #ask(message) {
    if (message[0] === "go") {
      await stored;
    }
    this.post(message);
  }

  async #fetch(handle, id, { url, ...init }, once) {
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    try {
      const response = await handle.fetch(new Request(url, { ...init, signal: abort.signal }), once, this.#away.signal);
      const { status, statusText, headers, redirected, type, body } = response;
      const answer = { status, statusText, headers: [...headers], url: response.url, redirected, type, body };
      if (body !== null) {
        const isSmall = Number(headers.get("content-length") ?? Infinity) <= SMALL;
        answer.body = isSmall ? await response.arrayBuffer() : await sent(body.getReader());
      }
      return [answer, body === null ? [] : [answer.body]];
    } finally {
      this.#aborts.delete(id);
    }
  }

  on_listen() {
    this.#listens = true;
  }

  on_abort(id) {
    this.#aborts.get(id)?.abort();
  }

  /** What a call waits for, if this keep knows of that. */
  #tellStepUp(handle) {
    const told = handle.step_up?.();
    told !== undefined && this.post(["tell", told]);
  }

  async on_decline_step_up() {
    (await this.#handle)?.decline_step_up?.();
  }

  async on_note(key, text) {
    const kept = `${key}`.startsWith(NOTE) && ["string", "undefined"].includes(typeof text) && (await keeping?.catch(() => {}));
    if (kept && isNews(key, text)) {
      heard(kept, key, text);
      (await this.#handle)?.woke("visible");
    }
  }

  async on_frame(number, event) {
    (await keeping)?.frame(number, event);
  }

  /** It is there as long as it has this lock: a page that crashes does not say that it is away. */
  on_here(lock) {
    this.#lock = lock;
    whenFree(lock, () => this.#lock === lock && gone(this));
  }

  async on_woke(why) {
    this.#here();
    if (why === "pageshow") {
      // It let go of its lock when it left, whenever that is heard here.
      this.#lock = undefined;
    }
    const handle = await this.#handle;
    if (why === "pageshow" && handle !== undefined) {
      this.post(["tell", handle.state()]);
      this.#tellStepUp(handle);
    }
    handle?.woke(why);
  }

  async on_active(at) {
    (await this.#handle)?.active?.(at);
  }

  on_away() {
    gone(this);
  }

  async on_close() {
    const handle = this.#handle;
    this.#handle = undefined;
    gone(this);
    (await handle?.catch(() => {}))?.free();
  }

  /** Nobody is there for whom a call could wait. What is on its way goes on. */
  left() {
    this.#away.abort();
    this.#away = new AbortController();
  }

  // The latest page is the one that shows frames.
  #here() {
    clearTimeout(leaving);
    pages.delete(this);
    pages.add(this);
  }
}

/** The one keep. Whoever opens it with other options than those that named it is refused. */
function opened(options) {
  keeping ??= begin(options);
  keeping.catch(() => (keeping = undefined));
  return keeping;
}

async function begin({ config, wasm, linger, pending, outlives, notes: before }) {
  // Nobody opens another keep in this name.
  if (self.name !== (await nameOf(config, wasm, { linger, pending }))) {
    const message = "this worker has another configuration, or is of another version than the page";
    throw JSON.stringify({ code: "keep_unavailable", kind: "misconfigured", retryable: false, message });
  }
  const make = await served;
  const kept = await make(config, wasm, outlives, post);
  const durable = pending === undefined ? !outlives : pending === "durable";
  // What a page has noted is from before; later ones have it from here.
  const known = durable ? await logins("readonly", (store) => [store.getAllKeys(), store.getAll()]) : [];
  before.filter((note) => note[0].startsWith(NOTE) && isNews(...note)).forEach((note) => heard(kept, ...note));
  known[0]?.result.forEach((key, index) => kept.note(key, known[1].result[index]));
  isDurable = durable;
  lingers = linger;
  return kept;
}

const posts = {
  /** What must outlive this worker, if it does not live long itself. */
  login(key, text) {
    if (isDurable) {
      const change = (store) => (text === undefined ? store.delete(key) : store.put(text, key));
      stored = stored.then(() => logins("readwrite", change));
    }
  },

  /** What all pages shall note, in the place of what. */
  note(key, text) {
    isNews(key, text);
    const before = notes.get(key);
    notes.set(key, text);
    pages.forEach((page) => page.post(["note", key, text, before]));
  },

  /** What the latest page shall show, or whoever shows it shall remove. False when there is no page. */
  frame(number, url) {
    const page = url === undefined ? frames.get(number) : [...pages].at(-1);
    url === undefined ? frames.delete(number) : frames.set(number, page);
    page?.post(["frame", number, url]);
    return page !== undefined;
  },
};

function isNews(key, text) {
  const isNews = !noted.some((note) => note[0] === key && note[1] === text);
  if (isNews) {
    noted.push([key, text]);
    noted.splice(0, noted.length - 100);
  }
  return isNews;
}

function heard(kept, key, text) {
  notes.set(key, text);
  kept.note(key, text);
}

function post([what, ...rest]) {
  return posts[what](...rest);
}

/**
 * Sign-ins that wait for their response, for an engine that ends a worker with its page: a verifier and a nonce, until they are used. What
 * cannot be stored is in memory only; and so is all that comes after a database that did not answer, since nobody waits for it twice.
 */
async function logins(mode, ask) {
  let database, transaction, patience;
  const asking = async () => {
    const opening = indexedDB.open("tokenkeep.logins");
    opening.onupgradeneeded = () => opening.result.createObjectStore("logins");
    database = await new Promise((resolve, reject) => {
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    if (hangs) {
      // Too late: others may open it now.
      return [];
    }
    transaction = database.transaction("logins", mode);
    const asked = ask(transaction.objectStore("logins"));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return asked;
  };
  const late = new Promise((resolve) => {
    patience = setTimeout(() => {
      hangs = true;
      resolve([]);
      transaction?.abort();
    }, PATIENCE);
  });
  const asked = hangs ? [] : asking().catch(() => []).finally(() => database?.close());
  return Promise.race([asked, late]).finally(() => clearTimeout(patience));
}

/** Without pages the keep forgets its tokens after a while: a reload takes less. */
function gone(page) {
  page.left();
  if (pages.delete(page) && pages.size === 0) {
    leaving = setTimeout(async () => (await keeping)?.forget(), lingers);
  }
}

/** What was thrown, as it may be posted: an error of ours as JSON, or another one. */
function spoken(why) {
  return typeof why === "string" ? [why] : [undefined, `${why}`, why?.name];
}

/** A body whose length is unknown, or the port by which it comes. As a whole it costs less, if it is small and does not take long. */
async function sent(reader) {
  const pieces = [];
  let [size, next, piece] = [0, reader.read()];
  const soon = () => new Promise((resolve) => setTimeout(resolve, SOON));
  // What breaks off is an answer all the same.
  while (size <= SMALL && (piece = await Promise.race([next, soon()]).catch(() => {})) !== undefined) {
    if (piece.done) {
      return joined(pieces, size);
    }
    pieces.push(piece.value);
    size += piece.value.length;
    next = reader.read();
  }
  const { port1, port2 } = new MessageChannel();
  void flow(reader, [...pieces.map((value) => ({ value })), next], port1);
  return port2;
}

/** Sends a body by a port, piece by piece, as fast as it is read there. Whoever does not want the rest says so, or is gone. */
async function flow(reader, begun, port) {
  let [room, go, isOver] = [WINDOW, () => {}, false];
  const over = () => {
    [room, isOver] = [Infinity, true];
    void reader.cancel().catch(() => {});
    go();
  };
  port.onmessage = ({ data }) => {
    room += data ?? 0;
    data === undefined ? over() : go();
  };
  port.onclose = over;
  const post = (piece, transfer = []) => isOver || port.postMessage(piece, transfer);
  try {
    for (;;) {
      const { done, value } = await (begun.shift() ?? reader.read());
      if (done) {
        break;
      }
      room -= value.length;
      post(value, [value.buffer]);
      while (room <= 0) {
        await new Promise((resolve) => (go = resolve));
      }
    }
    post(undefined);
  } catch (why) {
    post(spoken(why));
  }
}

function joined(pieces, size) {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole.buffer;
}

self.addEventListener("connect", ({ ports: [port] }) => new Page(port));
self.addEventListener("message", ({ ports: [port] }) => port && new Page(port));
