// Chromium, by its own protocol (https://chromedevtools.github.io/devtools-protocol/), and nothing more of it switched on than is
// measured: what watches every request of a page, as drivers for tests do, would be measured along.

import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
];
const PATIENCE = 60_000;

export class Chromium {
  #process;
  #profile = mkdtempSync(join(tmpdir(), "tokenkeep-bench-"));
  #answers = new Map();
  #sessions = new Map();
  #asked = 0;
  #gone = false;
  #heard = "";

  constructor() {
    const arguments_ = [...FLAGS, `--user-data-dir=${this.#profile}`, "about:blank"];
    this.#process = spawn(CHROMIUM, arguments_, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process.once("exit", () => this.#lose());
    this.#process.stdio[3].on("error", () => this.#lose());
    this.#process.stdio[4].setEncoding("utf8").on("data", (text) => this.#hear(text));
  }

  async send(method, params = {}, sessionId = undefined) {
    if (this.#gone) {
      throw new Error(`${CHROMIUM} has ended`);
    }
    const id = (this.#asked += 1);
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { error, result } = await new Promise((resolve) => this.#answers.set(id, resolve));
    if (error) {
      throw new Error(`${method}: ${error.message}`);
    }
    return result;
  }

  /** A page of a visitor who was never here. */
  async visitor() {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId, browserContextId);
    this.#sessions.set(sessionId, page);
    await page.send("Page.enable");
    await page.send("Runtime.enable");
    return page;
  }

  async end() {
    if (!this.#gone) {
      const ended = once(this.#process, "exit");
      await this.send("Browser.close");
      await ended;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #lose() {
    this.#gone = true;
    for (const answer of this.#answers.values()) {
      answer({ error: { message: `${CHROMIUM} has ended` } });
    }
  }

  #hear(text) {
    const messages = (this.#heard + text).split("\0");
    this.#heard = messages.pop();
    for (const { id, sessionId, method, params, ...answer } of messages.map((message) => JSON.parse(message))) {
      if (id !== undefined) {
        this.#answers.get(id)(answer);
        this.#answers.delete(id);
      } else {
        this.#sessions.get(sessionId)?.emit(method, params);
      }
    }
  }
}

class Page extends EventEmitter {
  #chromium;
  #sessionId;
  #targetId;
  #browserContextId;

  constructor(chromium, sessionId, targetId, browserContextId) {
    super();
    this.#chromium = chromium;
    this.#sessionId = sessionId;
    this.#targetId = targetId;
    this.#browserContextId = browserContextId;
  }

  send(method, params) {
    return this.#chromium.send(method, params, this.#sessionId);
  }

  /** Waits for an event, from before `work` begins. A script that throws in the page ends the waiting. */
  async when(method, work, wanted = () => true) {
    const over = new AbortController();
    const { signal } = over;
    const waiting = new Promise((resolve, reject) => {
      const listen = (name, listener) => {
        this.on(name, listener);
        signal.addEventListener("abort", () => this.off(name, listener));
      };
      listen(method, (params) => wanted(params) && resolve(params));
      listen("Runtime.exceptionThrown", ({ exceptionDetails: { text, exception } }) => reject(new Error(exception?.description ?? text)));
      const timer = setTimeout(() => reject(new Error(`no ${method} in ${PATIENCE / 1000} s`)), PATIENCE);
      signal.addEventListener("abort", () => clearTimeout(timer));
    });
    try {
      return (await Promise.all([waiting, work()]))[0];
    } finally {
      over.abort();
    }
  }

  goto(url) {
    return this.when("Page.loadEventFired", () => this.send("Page.navigate", { url }));
  }

  async evaluate(expression) {
    const asked = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", asked);
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  show() {
    return this.#chromium.send("Target.activateTarget", { targetId: this.#targetId });
  }

  close() {
    return this.#chromium.send("Target.disposeBrowserContext", { browserContextId: this.#browserContextId });
  }
}
