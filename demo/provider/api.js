// The protected API: reads the token, and the proof if it is bound to a key, and answers or challenges as RFC 6750 and RFC 9449 say.

import { createServer } from 'node:http';

import { errors, jwtVerify } from 'jose';

import { accountWithSub } from './accounts.js';
import { isOfBackend } from './backend.js';
import { ProofReader, ProofRefused } from './proofs.js';

const ROUTES = {
  '/me': { respond: ({ sub, scope, client_id, exp, act }) => ({ sub, scope, client_id, expires_at: exp, act }) },
  '/orders': { scope: 'orders:read', respond: (claims) => ({ orders: ordersFor(claims) }) },
};

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
  const { issuer, resource, appOrigins, apiOrigin = new URL(resource).origin, dpopNonces } = config;
  const proofs = new ProofReader(dpopNonces);
  return createServer(async (request, response) => {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    allowOrigin(request, response);

    const [path] = request.url.split('?');
    if (path === '/health') return isAlive() ? send(response, 200, 'ok') : send(response, 503, 'ending');

    if (backend && isOfBackend(path)) return backend(request, response);

    const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
    if (!route) return send(response, 404, { error: 'not_found' });
    if (request.method === 'OPTIONS') return send(response, 204);
    if (request.method !== 'GET') {
      response.setHeader('Allow', 'GET, OPTIONS');
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
      return send(response, 200, route.respond(claims));
    } catch (error) {
      if (error instanceof ProofRefused) return refuse(401, { error: error.error, error_description: error.message });
      const error_description = reason(error);
      if (error_description) return refuse(401, { error: 'invalid_token', error_description });
      console.error(`GET ${path}: ${error.stack}`);
      return send(response, 500, { error: 'server_error' });
    }
  });

  function allowOrigin({ headers: { origin } }, response) {
    response.setHeader('Vary', 'Origin');
    if (!appOrigins.includes(origin)) return;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Allow-Methods', 'GET');
    response.setHeader('Access-Control-Allow-Headers', 'Authorization, DPoP');
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
