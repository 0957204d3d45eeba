// What a server imports: a client that can keep a secret. The work is done in wasm, as for a page; no page has any of this. Nothing
// runs at import.

import { AuthError } from "./error.js";
import { errorOf, expect, json, own } from "./options.js";

export { AuthError };

export async function open(options) {
  if (typeof window !== "undefined" && typeof document !== "undefined") {
    const why = "a confidential client must not be in a browser's page, where everybody could read its secret";
    const message = `${why}: open it on a server, and \`tokenkeep\` in the page`;
    throw new AuthError({ code: "confidential_in_browser", kind: "misconfigured", message });
  }
  const { wasm, privateKey, keyId, ...config } = own(options);
  expect("privateKey", privateKey, "object");
  expect("keyId", keyId, "string");
  expect("wasm", wasm, "string", "object");
  const { open: opened } = await load(wasm);
  return call(async () => new Confidential(await opened(json(config), privateKey, keyId)));
}

class Confidential {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  authorize(options = {}) {
    return told(() => this.#handle.authorize(json(own(options))));
  }

  redeem(callbackUrl, pending) {
    return told(() => this.#handle.redeem(`${callbackUrl}`, text("pending", pending)));
  }

  refresh(refreshToken, options = {}) {
    return told(() => {
      const { subject, ...target } = own(options);
      expect("subject", subject, "string");
      return this.#handle.refresh(text("refreshToken", refreshToken), json(target), subject);
    });
  }

  clientCredentials(options = {}) {
    return told(() => {
      const { refused, ...target } = own(options);
      expect("refused", refused, "string");
      return this.#handle.client_credentials(json(target), refused);
    });
  }

  password(username, password, options = {}) {
    return told(() => this.#handle.password(text("username", username), text("password", password), json(own(options))));
  }

  exchange(options) {
    return told(() => {
      const { subjectToken, subjectTokenType = "access_token", actorToken, actorTokenType = "access_token", requestedTokenType, ...target } =
        own(options);
      for (const [name, value] of Object.entries({ actorToken, actorTokenType, requestedTokenType, subjectTokenType })) {
        expect(name, value, "string");
      }
      const [subject, actor, requested] = [subjectTokenType, actorTokenType, requestedTokenType].map(uri);
      return this.#handle.exchange(text("subjectToken", subjectToken), subject, actorToken, actor, requested, json(target));
    });
  }

  jwtBearer(assertion, options = {}) {
    return told(() => this.#handle.jwt_bearer(text("assertion", assertion), json(own(options))));
  }

  async revoke(token) {
    await call(() => this.#handle.revoke(text("token", token)));
  }
}

/** The wasm, once for all who open a client: two of them would not know each other's. */
let loading;

function load(wasm) {
  loading ??= loaded(wasm).catch((cause) => {
    loading = undefined;
    const message = `the wasm was not loaded, see "Confidential clients" in the README: ${cause}`;
    throw new AuthError({ code: "wasm_unavailable", kind: "misconfigured", message }, { cause });
  });
  return loading;
}

async function loaded(wasm) {
  const binding = await import("./wasm/confidential.js");
  const given = await (wasm ?? new URL("./wasm/confidential_bg.wasm", import.meta.url));
  await binding.default({ module_or_path: typeof given === "string" || given instanceof URL ? found(new URL(given)) : given });
  return binding;
}

async function found(place) {
  if (place.protocol !== "file:") {
    return fetch(place);
  }
  // Node fetches no files.
  const { readFile } = await import("node:fs/promises");
  return readFile(place);
}

/** What comes of work, read. What is thrown at once is a rejection, too. */
async function told(work) {
  return JSON.parse(await call(work));
}

async function call(work) {
  try {
    return await work();
  } catch (thrown) {
    throw errorOf(thrown);
  }
}

/** The URI of a type of token (RFC 8693 §3), by its name or as it is. */
function uri(type) {
  return type === undefined || type.includes(":") ? type : `urn:ietf:params:oauth:token-type:${type}`;
}

/** An argument that must be there, and a text. */
function text(option, value) {
  if (value === undefined) {
    const message = `an option that is required is not there (option: ${option})`;
    throw new AuthError({ code: "option_missing", kind: "misconfigured", message, option });
  }
  expect(option, value, "string");
  return value;
}
