// A provider, an API and the headers of an app, all of which can be broken in one way each. Whole, there is nothing to say about them.

import { createServer } from "node:http";

import { listen, serve } from "./site.js";

const APP = 'import { diagnose } from "/tokenkeep/diagnose.js"; window.diagnose = diagnose;';
const PAGE = '<!doctype html><title>app</title><link rel="icon" href="data:,"><script type="module" src="/app.js"></script>';

/** Starts all three. `mend` makes them whole, and gives what is to be broken. */
export async function startBroken(files) {
  let world;
  const provider = createServer((request, response) => answer(world, request, response));
  const issuer = `http://localhost:${await listen(provider)}`;
  const apiServer = createServer((request, response) => answerApi(world, request, response));
  const api = `http://localhost:${await listen(apiServer)}/`;
  const site = await serve({ files });
  const { origin } = site;
  const asked = [];

  function mend() {
    const connect = `connect-src 'self' ${issuer} ${issuer.replace("localhost", "127.0.0.1")} ${api.slice(0, -1)}`;
    const policy = {
      "default-src": "'none'",
      "script-src": "'self' 'wasm-unsafe-eval'",
      "connect-src": connect.slice(12),
      "frame-src": `'self' ${issuer}`,
      "worker-src": `${origin}/keep.js`,
      "frame-ancestors": "'self'",
      "form-action": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "tokenkeep",
    };
    const ofWorker = { "default-src": "'none'", "script-src": "'wasm-unsafe-eval'", "connect-src": connect.slice(12) };
    asked.length = 0;
    world = {
      issuer,
      api,
      origin,
      site,
      asked,
      policy,
      ofWorker,
      /** Headers of pages, beside the policy; instead of it too. */
      headers: {},
      errorPage: undefined,
      prefix: "",
      metadata: metadata(issuer),
      answers: {},
      /** By endpoint: headers that are there instead, or not there if undefined. */
      cors: {},
      preflight: {},
      clock: 0,
      redirectUris: [`${origin}/callback`, `${site.elsewhere}/callback`],
      allowed: [origin, site.elsewhere],
      challenge: 'Bearer error="invalid_token"',
      options: { issuer, clientId: "app", api, scopes: "openid offline_access" },
    };
    site.answers = {
      "*": PAGE,
      "/app.js": APP,
      "/keep.js": (_, response) => {
        response.writeHead(200, { "Content-Type": "text/javascript", ...written(world.ofWorker) }).end("");
      },
    };
    site.headersOf = {};
    return world;
  }

  /** Puts the app's headers where its server sends them. */
  function dress() {
    const headers = { ...written(world.policy), ...world.headers };
    site.headers = world.errorPage ?? headers;
    site.answers["*"] = (request, response) => {
      const status = world.gone?.includes(request.url) ? 404 : 200;
      response.writeHead(status, { "Content-Type": "text/html", ...headers }).end(PAGE);
    };
  }

  mend();
  return { mend, dress, site, issuer, api };
}

function written(policy) {
  return policy && { "Content-Security-Policy": Object.entries(policy).map((directive) => directive.join(" ")).join("; ") };
}

function metadata(issuer) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`,
    revocation_endpoint: `${issuer}/revocation`,
    end_session_endpoint: `${issuer}/end`,
    pushed_authorization_request_endpoint: `${issuer}/par`,
    authorization_response_iss_parameter_supported: true,
    code_challenge_methods_supported: ["S256"],
    dpop_signing_alg_values_supported: ["ES256"],
    grant_types_supported: ["authorization_code", "refresh_token"],
    id_token_signing_alg_values_supported: ["RS256"],
    response_types_supported: ["code"],
    response_modes_supported: ["query", "fragment"],
    scopes_supported: ["openid", "profile", "offline_access"],
  };
}

/** Headers by which this origin may read, unless they were broken. */
function corsOf(world, name, { headers: { origin } }, preflight) {
  const usual = world.allowed.includes(origin) ? { "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Date, WWW-Authenticate, DPoP-Nonce" } : {};
  const allowed = preflight ? { "Access-Control-Allow-Headers": "authorization, dpop", ...world.preflight[name] } : {};
  const all = Object.entries({ ...usual, ...allowed, ...world.cors[name] });
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

async function textOf(request) {
  let text = "";
  for await (const part of request) text += part;
  return text;
}

async function answer(world, request, response) {
  const { pathname, searchParams } = new URL(request.url, world.issuer);
  const form = new URLSearchParams(await textOf(request));
  world.asked.push(`${request.method} ${request.url} ${form}`);
  const name = { "/jwks": "jwks", "/token": "token", "/userinfo": "userinfo", "/revocation": "revocation", "/par": "par", "/auth": "auth" }[pathname] ?? "discovery";
  const headers = { Date: new Date(Date.now() + world.clock).toUTCString(), ...(name === "auth" ? {} : corsOf(world, name, request, request.method === "OPTIONS")) };
  const send = (status, body = "", more = {}) => {
    const type = typeof body === "string" ? "text/html" : "application/json";
    response.writeHead(status, { "Content-Type": type, ...headers, ...more }).end(typeof body === "string" ? body : JSON.stringify(body));
  };
  if (request.method === "OPTIONS") return send(204);
  const { status, body, more } = (world.answers[name] ?? usual[name])({ world, pathname, query: searchParams, form, request });
  return send(status, body, more);
}

const usual = {
  discovery: ({ world, pathname }) => {
    return pathname === `${world.prefix}/.well-known/openid-configuration` ? { status: 200, body: world.metadata } : { status: 404, body: "nothing" };
  },
  jwks: () => ({ status: 200, body: { keys: [{ kty: "RSA", n: "AQ", e: "AQAB", use: "sig" }] } }),
  token: ({ form }) => {
    return form.get("client_id") === "app" ? { status: 400, body: { error: "invalid_grant" } } : { status: 401, body: { error: "invalid_client" } };
  },
  userinfo: () => ({ status: 401, body: "", more: { "WWW-Authenticate": 'Bearer error="invalid_token"' } }),
  revocation: () => ({ status: 200 }),
  par: ({ form }) => {
    return form.get("redirect_uri") ? { status: 201, body: { request_uri: `urn:${form}`, expires_in: 60 } } : { status: 400, body: { error: "invalid_request" } };
  },
  auth: ({ world, query }) => {
    const asked = query.get("request_uri") ? new URLSearchParams(query.get("request_uri").slice(4)) : query;
    if (asked.get("client_id") !== "app") return { status: 400, body: "<p>invalid_client: client not found" };
    if (!world.redirectUris.includes(asked.get("redirect_uri"))) return { status: 400, body: "<p>redirect_uri did not match" };
    const to = { error: world.says ?? "login_required", state: asked.get("state"), ...(world.silent ? {} : { iss: world.metadata.issuer }) };
    return { status: 303, more: { Location: `${asked.get("redirect_uri")}?${new URLSearchParams(to)}` } };
  },
};

function answerApi(world, request, response) {
  const cors = corsOf(world, "api", request, request.method === "OPTIONS");
  world.asked.push(`${request.method} api ${request.headers.authorization ?? ""}`);
  const [status, more] = request.method === "OPTIONS" ? [204, {}] : [401, world.challenge ? { "WWW-Authenticate": world.challenge } : {}];
  response.writeHead(status, { ...cors, ...more }).end();
}
