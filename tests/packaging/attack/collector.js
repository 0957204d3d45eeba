// The attacker's server: it tries what scripts have found, and sees who calls it. Beside it an API of the app's that reads paths as
// generously as servers do.

import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";

import { listen } from "../lib/site.js";

/** A machine of the attacker's: it has no browser of the user's, and a key of its own. */
export class Collector {
  #provider;
  #tried = new Map();
  #key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
  /** What came with a token in it. */
  received = [];
  /** What it was asked for. */
  asked = [];

  static async start(provider) {
    const collector = new Collector();
    collector.#provider = provider;
    collector.origin = await serve("127.0.0.1", (request, response) => {
      const { authorization, dpop } = request.headers;
      request.url === "/favicon.ico" || collector.asked.push(request.url);
      if (authorization !== undefined) {
        collector.received.push({ authorization, dpop });
      }
      response.end("thanks");
    });
    return collector;
  }

  /** Whether a token, alone or with what was found beside it, gets something from the provider or the API. Each is tried once. */
  async isUsable(secret, kind, { keys = [], held = [], redirectUri, verifiers = [] }) {
    const known = `${secret} ${keys.length} ${held.length} ${verifiers.length}`;
    if (!this.#tried.has(known)) {
      this.#tried.set(known, this.#try(secret, kind, [this.#key, ...keys], held, redirectUri, verifiers));
    }
    return this.#tried.get(known);
  }

  async #try(secret, kind, keys, held, redirectUri, verifiers) {
    switch (kind) {
      case "access_token":
        return this.#opensApi(secret, keys, held);
      case "refresh_token":
        return this.#redeems({ grant_type: "refresh_token", refresh_token: secret }, keys);
      case "code":
        for (const code_verifier of verifiers) {
          if (await this.#redeems({ grant_type: "authorization_code", code: secret, code_verifier, redirect_uri: redirectUri }, keys)) {
            return true;
          }
        }
        return false;
      default:
        return false;
    }
  }

  /** As a bearer token, with proofs by each key, and with proofs that were made for somebody else. */
  async #opensApi(token, keys, held) {
    const url = `${this.#provider.api}me`;
    const call = (headers) => fetch(url, { headers });
    if ((await call({ Authorization: `Bearer ${token}` })).ok) {
      return true;
    }
    for (const dpop of held) {
      if ((await call({ Authorization: `DPoP ${token}`, DPoP: dpop })).ok) {
        return true;
      }
    }
    for (const key of keys) {
      const ath = createHash("sha256").update(token).digest("base64url");
      const proved = (nonce) => call({ Authorization: `DPoP ${token}`, DPoP: proof(key, { htm: "GET", htu: url, ath, nonce }) });
      if ((await withNonce(proved)).ok) {
        return true;
      }
    }
    return false;
  }

  /** Whether the token endpoint answers with a token that opens the API. */
  async #redeems(fields, keys) {
    const url = `${this.#provider.issuer}/token`;
    const body = () => new URLSearchParams({ client_id: this.#provider.clientId, ...fields });
    const without = await fetch(url, { method: "POST", body: body() });
    if (without.ok) {
      return this.#opensApi((await without.json()).access_token, [], []);
    }
    for (const key of keys) {
      const answer = await withNonce((nonce) =>
        fetch(url, { method: "POST", body: body(), headers: { DPoP: proof(key, { htm: "POST", htu: url, nonce }) } }),
      );
      if (answer.ok) {
        return this.#opensApi((await answer.json()).access_token, [key], []);
      }
    }
    return false;
  }
}

/** Sends once more with the nonce that the server asks for. */
async function withNonce(send) {
  const answer = await send();
  const nonce = answer.headers.get("DPoP-Nonce");
  return answer.ok || nonce === null ? answer : send(nonce);
}

function proof({ kty, crv, x, y, d }, claims) {
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } };
  const payload = { jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims };
  const text = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const key = createPrivateKey({ key: { kty, crv, x, y, d }, format: "jwk" });
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/**
 * An API of the app's own, of which `/v1/` is in the list: it says what it was sent, and redirects to where it is told. `strayed` has the
 * requests with a token that came by another name, or went elsewhere as this server may read the path; `redirected` where it was asked to.
 */
export async function startShelf() {
  const [strayed, redirected] = [[], []];
  const origin = await serve("localhost", (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://shelf");
    const { authorization, host } = request.headers;
    if (authorization !== undefined && (`http://${host}` !== origin || !read(request.url).startsWith("/v1/"))) {
      strayed.push({ authorization, url: request.url });
    }
    if (pathname === "/v1/redirect") {
      redirected.push(origin + request.url);
      response.writeHead(Number(searchParams.get("status")), { Location: searchParams.get("to") });
    }
    response.end(JSON.stringify(request.headers));
  });
  return { origin, api: `${origin}/v1/`, strayed, redirected };
}

/** A path as servers have been seen to read it: decoded twice, without parameters of segments, with every kind of slash. */
function read(path) {
  const decoded = [1, 2].reduce((text) => text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))), path);
  const segments = decoded.split("?")[0].split(/[/\\]/).map((segment) => segment.split(";")[0]);
  const rest = [];
  segments.slice(1).forEach((segment) => (segment === ".." ? rest.pop() : segment === "." || rest.push(segment)));
  return `/${rest.join("/")}`;
}

async function serve(host, answer) {
  const server = createServer((request, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "Authorization, DPoP");
    response.setHeader("Access-Control-Expose-Headers", "*");
    request.method === "OPTIONS" ? response.writeHead(204).end() : answer(request, response);
  });
  return `http://${host}:${await listen(server)}`;
}
