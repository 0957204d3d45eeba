// What an authorization response that comes by POST is good for. Described in form-post.d.ts.

import { AuthError } from "./error.js";
import { errorOf, expect, frozen, json, own, parsed } from "./options.js";
import { ready, takePosted } from "./posted.js";

export { AuthError, ready, takePosted };

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
  return { error: errorOf(thrown) };
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
