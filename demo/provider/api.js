// The protected API: reads the token, and the proof if it is bound to a key, and answers or challenges as RFC 6750, RFC 9449 and
// RFC 9470 say.

import { createServer } from 'node:http';

import { errors, jwtVerify } from 'jose';

import { accountWithSub } from './accounts.js';
import { isOfBackend } from './backend.js';
import { ProofReader, ProofRefused } from './proofs.js';
import { SECOND_STEP } from './steps.js';

const ROUTES = {
  '/me': { respond: ({ sub, scope, client_id, exp, act }) => ({ sub, scope, client_id, expires_at: exp, act }) },
  '/orders': { scope: 'orders:read', respond: (claims) => ({ orders: ordersFor(claims) }) },
  // What is done here is not undone: it takes a second step, and one that was not long ago.
  '/orders/transfer': { method: 'POST', scope: 'orders:read', acr: SECOND_STEP, respond: transferred },
};

const MAX_BODY_BYTES = 8192;

function transferred(claims, { order, to }) {
  const known = ordersFor(claims).some(({ id }) => id === order);
  return known && typeof to === 'string' && to ? { transferred: order, to, acr: claims.acr, auth_time: claims.auth_time } : undefined;
}

/** What of the user's orders the token is good for: all, or those that its authorization details name (RFC 9396 §9.1). */
function ordersFor({ sub, scope, authorization_details = [] }) {
  const orders = accountWithSub(sub)?.orders ?? [];
  if (scopesOf(scope).includes('orders:read')) return orders;
  return orders.filter(({ id }) => authorization_details.some(({ identifier = id }) => identifier === id));
}

const scopesOf = (scope) => String(scope ?? '').split(' ');

/**
 * `keys` finds the provider's key for a token: a key set of jose. When no longer `isAlive`, /health says so. The `backend`, if there is
 * one, answers what is its own.
 */
export function createApi(config, keys, isAlive = () => true, backend = undefined) {
  const { issuer, resource, appOrigins, apiOrigin = new URL(resource).origin, dpopNonces, stepUpMaxAge = 300 } = config;
  const proofs = new ProofReader(dpopNonces);
  return createServer(async (request, response) => {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    allowOrigin(request, response);

    const [path] = request.url.split('?');
    if (path === '/health') return isAlive() ? send(response, 200, 'ok') : send(response, 503, 'ending');

    if (backend && isOfBackend(path)) return backend(request, response);

    // Whatever there is or is not, a page may learn of it.
    if (request.method === 'OPTIONS') return send(response, 204);
    const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
    if (!route) return send(response, 404, { error: 'not_found' });
    const { method: allowed = 'GET' } = route;
    if (request.method !== allowed) {
      response.setHeader('Allow', `${allowed}, OPTIONS`);
      return send(response, 405, { error: 'method_not_allowed' });
    }

    const [, scheme, token] = /^(Bearer|DPoP) +(\S+) *$/i.exec(request.headers.authorization) ?? [];
    if (!token) return challenge(response, 401);
    const bound = scheme.toLowerCase() === 'dpop';
    const refuse = (status, parameters) => challenge(response, status, parameters, bound ? 'DPoP' : 'Bearer');
    if (bound && proofs.noncesRequired) response.setHeader('DPoP-Nonce', proofs.nonce());

    try {
      const claims = await verify(token);
      const [proof, { method }] = [request.headers.dpop, request];
      const key = bound ? await proofs.read(proof, { method, url: apiOrigin + path, token }) : undefined;
      // RFC 9449 §7.1: a token that is bound to a key is not a bearer token, and a proof binds no bearer token.
      if (bound ? claims.cnf?.jkt !== key : claims.cnf) {
        throw new errors.JWTClaimValidationFailed('bound', claims, 'cnf', 'bound');
      }
      if (route.scope && !scopesOf(claims.scope).includes(route.scope) && !claims.authorization_details) {
        return refuse(403, {
          error: 'insufficient_scope',
          error_description: `the token lacks the scope ${route.scope}`,
          scope: route.scope,
        });
      }
      if (route.acr && (claims.acr !== route.acr || !(Date.now() / 1000 - claims.auth_time <= stepUpMaxAge))) {
        return refuse(401, {
          error: 'insufficient_user_authentication',
          error_description: 'a second step is needed, and not long ago',
          acr_values: route.acr,
          max_age: stepUpMaxAge,
        });
      }
      const answer = route.respond(claims, allowed === 'POST' ? await readJson(request) : undefined);
      return answer ? send(response, 200, answer) : send(response, 400, { error: 'invalid_request' });
    } catch (error) {
      if (error instanceof ProofRefused) return refuse(401, { error: error.error, error_description: error.message });
      const error_description = reason(error);
      if (error_description) return refuse(401, { error: 'invalid_token', error_description });
      console.error(`${request.method} ${path}: ${error.stack}`);
      return send(response, 500, { error: 'server_error' });
    }
  });

  function allowOrigin({ headers: { origin } }, response) {
    response.setHeader('Vary', 'Origin');
    if (!appOrigins.includes(origin)) return;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Allow-Methods', 'GET, POST');
    response.setHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type, DPoP');
    response.setHeader('Access-Control-Expose-Headers', 'WWW-Authenticate, DPoP-Nonce');
    response.setHeader('Access-Control-Max-Age', '600');
  }

  async function verify(token) {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: resource,
      algorithms: ['ES256'],
      typ: 'at+jwt',
      requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
    });
    return payload;
  }
}

/** What is no JSON object, or too long, is an empty one. */
async function readJson(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    if (text.length + chunk.length > MAX_BODY_BYTES) return {};
    text += chunk;
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** What to tell the caller about a refused token, or nothing if it is not the token's fault. */
function reason(error) {
  if (error instanceof errors.JWTExpired) return 'the access token expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `the access token has the wrong ${error.claim}`;
  if (error instanceof errors.JWKSTimeout || error.code === 'ERR_JOSE_GENERIC') return undefined;
  if (error instanceof errors.JOSEError) return 'the access token is not one of this provider';
  return undefined;
}

/** Without a scheme any will do. */
function challenge(response, status, parameters = {}, scheme = undefined) {
  const challenges = ['Bearer', 'DPoP'].filter((name) => name === (scheme ?? name)).map((name) => {
    const all = { realm: 'tokenkeep demo API', ...(name === 'DPoP' && { algs: 'ES256' }), ...parameters };
    return `${name} ${Object.entries(all).map(([name, value]) => `${name}="${value}"`).join(', ')}`;
  });
  response.setHeader('WWW-Authenticate', challenges.join(', '));
  const { error = 'unauthorized', error_description = 'an access token is needed' } = parameters;
  return send(response, status, { error, error_description });
}

function send(response, status, body) {
  if (body === undefined) return response.writeHead(status).end();
  const [type, text] = typeof body === 'string' ? ['text/plain', body] : ['application/json', JSON.stringify(body)];
  return response.writeHead(status, { 'Content-Type': `${type}; charset=utf-8` }).end(text);
}
