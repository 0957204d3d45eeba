// The page's end of what receives an authorization response that comes by POST: `form-post-worker.js`, or a server with `shims/form-post.mjs`.
// It imports nothing: the crate has it, too. Described in form-post.d.ts.

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
