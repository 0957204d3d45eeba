// A server beside the app, for the flows that no page can follow. It follows each with `tokenkeep/confidential`, and answers what came of
// it and which requests that took. Never a token: only what kind it is, and how long.

import { randomUUID } from 'node:crypto';

import { SignJWT, importJWK } from 'jose';

import { accountWithSub, demoUsers } from './accounts.js';

const CLIENT = 'tokenkeep-server';
const SECRET = 'tokenkeep-server-secret';

/** Whoever does not come back in time from signing in has to begin again, and so has whoever does not fetch what came of it. */
const PATIENCE = 600_000;

/** The npm package of this repository. */
const load = () => import('../../pkg/confidential.js');

class Refused extends Error {
  constructor(status, error, message) {
    super(message);
    Object.assign(this, { status, error });
  }
}

/** Whether a path is of the backend. */
export const isOfBackend = (path) => path.startsWith('/flows/');

/** Answers requests to the API's origin whose path [`isOfBackend`]. */
export function createBackend(config, loaded = load) {
  const { issuer, resource, appOrigins, apiOrigin = new URL(resource).origin } = config;
  const [user] = demoUsers;
  const scopes = 'orders:read';
  const signIns = new Map();
  const outcomes = new Map();
  let before = Promise.resolve();

  const flows = {
    'client-credentials': (client) => client.clientCredentials({ scopes, resource }),
    password: (client) => client.password(user.login, user.password, { scopes: `openid profile ${scopes}`, resource }),
    'token-exchange': (client, subjectToken) => client.exchange({ subjectToken, scopes, resource }),
    'jwt-bearer': async (client) => client.jwtBearer(await assertion(), { scopes, resource }),
  };

  return async (request, response) => {
    const url = new URL(request.url, apiOrigin);
    const { origin } = request.headers;
    const name = url.pathname.slice('/flows/'.length);
    const send = (status, body) => response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
    try {
      // The browser itself goes there, so there is no origin to be compared.
      if (request.method === 'GET' && name === 'code/begin') return await begin(url, response);
      if (request.method === 'GET' && name === 'code/callback') return await callback(request, url, response);

      if (!appOrigins.includes(origin)) throw new Refused(403, 'forbidden', 'this is for the app only');
      response.setHeader('Access-Control-Allow-Methods', 'GET, POST');
      if (request.method === 'OPTIONS') return response.writeHead(204).end();
      if (request.method === 'GET' && name === 'code/outcome') {
        const outcome = outcomes.get(url.searchParams.get('run'));
        if (!outcome) throw new Refused(404, 'not_found', 'nothing came of that yet');
        return send(200, outcome);
      }
      if (!Object.hasOwn(flows, name)) throw new Refused(404, 'not_found', 'there is no such flow');
      if (request.method !== 'POST') throw new Refused(405, 'method_not_allowed', 'POST it');
      const [, token] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization) ?? [];
      if (name === 'token-exchange' && !token) throw new Refused(401, 'unauthorized', 'sign in first: it is your token that is exchanged');
      return send(200, await run((client) => flows[name](client, token)));
    } catch (error) {
      if (!(error instanceof Refused)) console.error(`${request.method} ${url.pathname}: ${error.stack}`);
      const { status = 500, error: code = 'server_error', message } = error;
      return send(status, { error: code, message: status === 500 ? 'the server failed' : message });
    }
  };

  /** Leaves for the provider. What the response will be compared with is bound to this browser by a cookie. */
  async function begin({ searchParams }, response) {
    const [from, id] = [searchParams.get('from'), searchParams.get('run')];
    if (!appOrigins.includes(from) || !/^[\w-]{16,64}$/.test(id ?? '')) throw new Refused(400, 'invalid_request', 'begin in the app');
    const steps = [];
    const begun = inTurn(steps, async (client) => [client, undefined, await client.authorize()]);
    // Whoever came from the app goes back there with what went wrong.
    const [client, outcome, way] = await begun.catch(({ error, message }) => [undefined, { failed: { code: error ?? 'server_error', message } }]);
    if (!way) return back(response, from, id, { ...outcome, steps });
    steps.push({ what: 'left' });
    const cookie = randomUUID();
    remember(signIns, cookie, { client, from, id, pending: way.pending, steps });
    response.setHeader('Set-Cookie', `tokenkeep_flow=${cookie}; HttpOnly; SameSite=Lax; Path=/flows; Max-Age=${PATIENCE / 1000}`);
    return response.writeHead(303, { Location: way.url }).end();
  }

  async function callback(request, url, response) {
    const [, cookie] = /(?:^|; )tokenkeep_flow=([\w-]+)/.exec(request.headers.cookie) ?? [];
    const signIn = signIns.get(cookie);
    signIns.delete(cookie);
    response.setHeader('Set-Cookie', 'tokenkeep_flow=; HttpOnly; SameSite=Lax; Path=/flows; Max-Age=0');
    if (!signIn) throw new Refused(400, 'invalid_request', 'nobody in this browser began that');
    const { client, from, id, pending, steps } = signIn;
    steps.push({ what: 'came_back', error: url.searchParams.get('error') ?? undefined });
    return back(response, from, id, await run(() => client.redeem(url, pending), steps));
  }

  function back(response, from, id, outcome) {
    remember(outcomes, id, outcome);
    return response.writeHead(303, { Location: `${from}/flows` }).end();
  }

  /** Follows a flow, and calls the API with what came of it. */
  async function run(flow, steps = []) {
    const [, outcome] = await inTurn(steps, async (client) => {
      const tokens = await flow(client);
      const answer = await fetch(`${apiOrigin}/me`, { headers: { Authorization: `Bearer ${tokens.accessToken}` } });
      return [client, told(tokens, answer.ok ? await answer.json() : {})];
    });
    return { ...outcome, steps };
  }

  /** Runs are one after the other: whatever is fetched meanwhile is of this one. */
  function inTurn(steps, work) {
    const turn = before.then(async () => {
      const real = globalThis.fetch;
      globalThis.fetch = (what, init) => noted(steps, real, what, init);
      try {
        return await work(await open());
      } catch (error) {
        if (error instanceof Refused || error.name !== 'AuthError') throw error;
        const { code, message } = error;
        return [undefined, { failed: { code: error.error ?? code, message } }];
      } finally {
        globalThis.fetch = real;
      }
    });
    before = turn.catch(() => {});
    return turn;
  }

  /** A client of its own for every run, so that all it asks is seen. */
  async function open() {
    let confidential;
    try {
      confidential = await loaded();
      return await confidential.open({
        issuer, resource, clientId: CLIENT, clientSecret: SECRET,
        redirectUri: `${apiOrigin}/flows/code/callback`,
        scopes: `openid profile email ${scopes}`,
      });
    } catch (error) {
      if (error.code !== 'ERR_MODULE_NOT_FOUND' && error.code !== 'wasm_unavailable') throw error;
      throw new Refused(503, 'no_confidential', 'tokenkeep/confidential is not built: run `cargo xtask npm`, and start the demo again');
    }
  }

  async function noted(steps, real, what, init) {
    const url = new URL(what.url ?? what);
    const to = { [issuer]: 'provider', [apiOrigin]: 'api' }[url.origin];
    // A server in life has its key.
    if (!to || url.pathname === '/demo/keys') return real(what, init);
    const step = { what: 'request', to, method: init?.method ?? what.method ?? 'GET', path: url.pathname };
    steps.push(step);
    const response = await real(what, init);
    step.status = response.status;
    return response;
  }

  /** As somebody says it whom the provider trusts: here the server itself, which has a key for that. */
  async function assertion() {
    const { keys: [key] } = await (await fetch(`${issuer}/demo/keys`)).json();
    return new SignJWT()
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .setIssuer(CLIENT).setSubject('user-1001').setAudience(issuer)
      .setJti(randomUUID()).setIssuedAt().setExpirationTime('1m')
      .sign(await importJWK(key));
  }
}

/** What there is to say of tokens, and of who the API takes their holder for. */
function told({ accessToken, refreshToken, idToken, claims, scopes }, { sub, client_id, act }) {
  const tokens = Object.entries({ 'access token': accessToken, 'refresh token': refreshToken, 'ID token': idToken }).filter(([, token]) => token);
  return {
    who: claims?.name ?? accountWithSub(sub)?.claims.name ?? (sub === client_id ? 'nobody: the server itself' : sub),
    client: client_id,
    acting: act?.sub,
    scopes,
    tokens: tokens.map(([name, token]) => ({ name, kind: token.split('.').length === 3 ? 'JWT' : 'opaque', length: token.length })),
  };
}

function remember(map, key, value) {
  map.set(key, value);
  setTimeout(() => map.delete(key), PATIENCE).unref();
}
