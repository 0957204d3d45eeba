// The page's end of what receives an authorization response that comes by POST: `form-post-worker.js`, or a server with `shims/form-post.mjs`.
// Described in form-post.d.ts.

import { AuthError } from "./error.js";
import { expect, frozen, json, own, parsed, spoken } from "./options.js";

export { AuthError };

const WHAT = "tokenkeep.form_post";

/** How long the service worker may take to answer, in milliseconds. */
const PATIENCE = 10_000;

let policy;

export async function ready(redirectUri, { script } = {}) {
  const workers = globalThis.navigator?.serviceWorker;
  if (workers === undefined) {
    throw new Error("there are no service workers here: they are for pages by https or from localhost, and some private windows have none");
  }
  const { origin, pathname } = new URL(redirectUri, location.href);
  if (origin !== location.origin) {
    throw new Error(`the redirect URI is of another origin than this page: ${origin}`);
  }
  const registration = await registered(workers, script, pathname);
  if ((await ask(await installed(registration), [WHAT])) !== pathname) {
    throw new Error(`the service worker for ${registration.scope} does not receive what is posted to ${pathname}`);
  }
}

export async function takePosted() {
  const { name, form, page } = fromAddress();
  if (form !== undefined || name === undefined) {
    return form;
  }
  // In frames of other sites there are none that could be asked for, which is told in several ways.
  const registration = await globalThis.navigator?.serviceWorker?.getRegistration(page).catch(() => undefined);
  return registration?.active ? ask(registration.active, [WHAT, name]) : undefined;
}

export function receiver({ redirectUri = "/callback", script } = {}) {
  return { ready: () => ready(redirectUri, { script }), take: takePosted };
}

export async function open(options) {
  if (typeof window === "undefined" || typeof document === "undefined") {
    throw new AuthError({ code: "no_window", kind: "misconfigured", message: "there is no page here: this works in a browser window only" });
  }
  const posted = takePosted();
  const { wasm, script, ...config } = own(options);
  expect("wasm", wasm, "string", "object");
  expect("script", script, "string", "object");
  const redirectUri = new URL(config.redirectUri ?? config.redirectPath ?? "/callback", location.origin);
  const [form, binding] = await Promise.all([posted, loaded(wasm)]);
  const signIn = spokenIf(() => new binding.IdTokenSignIn(json(config), location.origin));
  const found = form !== undefined && signIn.finish(`${redirectUri}#tokenkeep_form=${encodeURIComponent(form)}`);
  const outcome = found ? await found.then(recognized, refused) : {};
  return frozen({ ...outcome, signIn: (options) => leave(signIn, redirectUri, script, options) });
}

async function leave(signIn, redirectUri, script, options = {}) {
  const { returnTo = location.href, ...asked } = own(options);
  await ready(redirectUri, { script });
  location.assign(await spokenIf(() => signIn.begin(json(asked), place(returnTo))));
}

async function loaded(wasm) {
  try {
    const [binding, source] = await Promise.all([
      import("./wasm/form_post.js"),
      wasm ?? fetch(new URL("./wasm/form_post_bg.wasm", import.meta.url)),
    ]);
    await binding.default({ module_or_path: source });
    return binding;
  } catch (cause) {
    const message = `the wasm was not loaded, see "Bundlers" in the README: ${cause}`;
    throw new AuthError({ code: "wasm_unavailable", kind: "misconfigured", message }, { cause });
  }
}

function recognized(text) {
  const { claims, returnTo } = parsed(text);
  // It was stored meanwhile.
  return { claims, returnTo: place(returnTo) };
}

function refused(thrown) {
  return { error: typeof thrown === "string" ? new AuthError(spoken(JSON.parse(thrown))) : thrown };
}

/** Path, query and hash of an address of this origin; else the root. */
function place(address) {
  const { origin, pathname, search, hash } = URL.canParse(address, location.href) ? new URL(address, location.href) : location;
  return origin === location.origin && !pathname.startsWith("//") ? pathname + search + hash : "/";
}

/** What is thrown, at once or later, is an error with the names that options have here. */
function spokenIf(work) {
  const rethrow = (thrown) => {
    throw refused(thrown).error;
  };
  try {
    const done = work();
    return done instanceof Promise ? done.catch(rethrow) : done;
  } catch (thrown) {
    return rethrow(thrown);
  }
}

async function registered(workers, script, scope) {
  try {
    const registration = await (script === undefined ? workers.getRegistration(scope) : workers.register(trusted(script), { scope }));
    if (registration !== undefined) {
      return registration;
    }
  } catch (cause) {
    throw new Error(`the service worker for ${scope} was refused: ${cause.message}`, { cause });
  }
  throw new Error(`there is no service worker for ${scope}`);
}

/** The worker, when nothing that is posted passes it by: one that is activating holds it until it is done, one that is installing does not. */
function installed({ active, waiting, installing }) {
  const worker = active ?? waiting ?? installing;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "redundant") {
        reject(new Error("the service worker could not be installed"));
      } else if (worker.state.startsWith("activat")) {
        resolve(worker);
      }
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

/** Where Trusted Types are enforced, the script is let in by a policy: name it `tokenkeep-form-post` in the page's `trusted-types`. */
function trusted(script) {
  policy ??= globalThis.trustedTypes?.createPolicy("tokenkeep-form-post", { createScriptURL: (url) => url });
  return policy?.createScriptURL(script) ?? script;
}

function ask(worker, message) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(resolve, PATIENCE);
    worker.postMessage(message, [port2]);
  }).finally(() => port1.close());
}

/** What the receiver left in the address, which is as it should be afterwards. */
function fromAddress() {
  // A guard may have taken it out of the address before.
  const key = Symbol.for("tokenkeep.response");
  const address = globalThis[key] ?? globalThis.location?.href;
  const { origin, pathname, search, hash } = address === undefined ? { hash: "" } : new URL(address);
  const [, what, value] = /^#tokenkeep_(posted|form)=(.*)$/s.exec(hash) ?? [];
  if (what === undefined) {
    return {};
  }
  const page = origin + pathname + (what === "form" ? search.replace(/&$/, "") : search);
  history.replaceState(history.state, "", page);
  delete globalThis[key];
  return what === "posted" ? { name: value, page } : { form: decoded(value), page };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
