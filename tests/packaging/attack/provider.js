// The demo's provider and API in this process, so that a test knows what was issued without asking the browser.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after } from "node:test";

import { createApi } from "../../../demo/provider/api.js";
import { readConfig } from "../../../demo/provider/config.js";
import { createProvider } from "../../../demo/provider/provider.js";
import { freePorts } from "../lib/ports.js";

/** Starts both for apps at these origins. They end with the tests of the file. */
export async function startProvider(appOrigins) {
  const [providerPort, apiPort] = await freePorts(2);
  const config = readConfig({
    TOKENKEEP_PROVIDER_PORT: `${providerPort}`,
    TOKENKEEP_API_PORT: `${apiPort}`,
    TOKENKEEP_APP_ORIGINS: appOrigins.join(","),
  });
  const provider = await createProvider(config);
  const issued = new Issued(provider);
  const server = createServer(provider.callback());
  await listen(server, providerPort);
  const { keys } = await (await fetch(`http://127.0.0.1:${providerPort}/jwks`)).json();
  await listen(createApi(config, ({ kid }) => keys.find((key) => key.kid === kid)), apiPort);
  return { issuer: config.issuer, api: config.resource, clientId: "tokenkeep-demo", issued };
}

/** What the provider gave out: which text is a secret, and of what kind. */
class Issued {
  #kinds = new Map();
  #challenges = new Set();
  #spent = new Set();

  constructor(provider) {
    provider.on("authorization.success", ({ oidc: { params } }, { code }) => {
      this.#kinds.set(code, "code");
      this.#challenges.add(params.code_challenge);
    });
    provider.on("grant.success", ({ body, oidc: { params } }) => {
      this.#spent.add(params.code).add(params.refresh_token);
      for (const kind of ["access_token", "id_token", "refresh_token"]) {
        if (body[kind] !== undefined) {
          this.#kinds.set(body[kind], kind);
        }
      }
    });
  }

  /** A code or refresh token that was presented: who presents it again gets nothing, and ends the session for all. */
  isSpent(secret) {
    return this.#spent.has(secret);
  }

  /** The secrets in a text that was found somewhere. */
  within(text) {
    const verifiers = text.match(/[\w-]{43,128}/g)?.filter((word) => this.#challenges.has(challenge(word))) ?? [];
    const others = [...this.#kinds].filter(([secret]) => text.includes(secret));
    return [...others, ...verifiers.map((verifier) => [verifier, "code_verifier"])];
  }
}

function challenge(verifier) {
  return createHash("sha256").update(verifier).digest("base64url");
}

async function listen(server, port) {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
}
