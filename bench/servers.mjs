// The demo's provider and API, and the pages. A process of their own, so that they do not wait for the runner. Ends with it.

import { once } from "node:events";
import { createServer } from "node:http";

import { createApi } from "../demo/provider/api.js";
import { createProvider } from "../demo/provider/provider.js";

const HOUR = 3600;

const servers = await Promise.all([0, 1, 2].map(listen));
const [providerPort, apiPort, appPort] = servers.map((server) => server.address().port);
const config = {
  // With the slash at the end that auth0-spa-js expects. Another site than the app's, as providers mostly are.
  issuer: `http://localhost:${providerPort}/`,
  resource: `http://localhost:${apiPort}/`,
  appOrigins: [`http://127.0.0.1:${appPort}`],
  // Nothing is renewed while the bench runs.
  lifetimes: { accessToken: HOUR, idToken: HOUR, refreshToken: HOUR, session: HOUR, deviceCode: HOUR },
};
const files = new Map();
/** What the provider was asked for since somebody wanted to know. */
const asked = [];

process.on("disconnect", () => process.exit());
process.on("message", (message) => (message === "asked" ? process.send(asked.splice(0)) : serve(message)));
process.send({ issuer: config.issuer, client: "tokenkeep-demo", resource: config.resource, app: config.appOrigins[0] });

async function serve({ redirectUris, served }) {
  for (const [path, { body, ...headers }] of served) {
    files.set(path, { body: Buffer.from(body, "base64"), headers });
  }
  const [provider, api, app] = servers;
  provider.on("request", await answerAsProvider(redirectUris));
  api.on("request", answerAsApi());
  app.on("request", answerAsApp);
  process.send("ready");
}

async function listen() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function answerAsProvider(redirectUris) {
  const provider = await createProvider(config);
  const client = await provider.Client.find("tokenkeep-demo");
  client.redirectUris.push(...redirectUris);
  provider.registerResponseMode("web_message", answerInFrame);
  const answer = provider.callback();
  return (request, response) => {
    asked.push(request.url.split("?")[0].slice(1) + (request.method === "OPTIONS" ? " (preflight)" : ""));
    // auth0-spa-js reads no metadata: it knows where Auth0 has these.
    request.url = request.url.replace(/^\/authorize\b/, "/auth").replace(/^\/oauth\/token$/, "/token");
    answer(request, response);
  };
}

/** As Auth0 answers the hidden frame of auth0-spa-js. */
function answerInFrame(context, redirectUri, response) {
  const message = JSON.stringify({ type: "authorization_response", response }).replaceAll("<", "\\u003c");
  context.type = "html";
  context.body = `<!doctype html><script>parent.postMessage(${message}, "${new URL(redirectUri).origin}")</script>`;
}

/** The demo's API, and `/call` and `/bytes/N`, which look at a token's signature once: what is measured there is the caller. */
function answerAsApi() {
  const key = async ({ kid }) => {
    const { keys } = await (await fetch(`${config.issuer}jwks`)).json();
    return keys.find((key) => key.kid === kid);
  };
  const api = createApi(config, key);
  const good = new Set();
  const bodies = new Map();
  return (request, response) => {
    const { authorization, origin } = request.headers;
    const bytes = /^\/bytes\/(\d+)$/.exec(request.url)?.[1];
    const isCall = bytes !== undefined || request.url === "/call";
    if (isCall && good.has(authorization)) {
      const headers = { "Access-Control-Allow-Origin": origin, "Cache-Control": "no-store", "Content-Type": "application/json" };
      if (bytes === undefined) {
        response.writeHead(200, headers).end("{}");
      } else {
        bodies.set(bytes, bodies.get(bytes) ?? Buffer.alloc(Number(bytes), " "));
        response.writeHead(200, { ...headers, "Content-Length": bytes }).end(bodies.get(bytes));
      }
      return;
    }
    if (isCall) {
      request.url = "/me";
      response.on("finish", () => authorization && response.statusCode === 200 && good.add(authorization));
    }
    api.emit("request", request, response);
  };
}

function answerAsApp(request, response) {
  const [path] = request.url.split("?");
  const file = files.get(path);
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { ...file.headers, "Content-Length": file.body.length });
  response.end(file.body);
}
