// The grants that oidc-provider leaves to its users: token exchange, JWT bearer, and the password.

import { createLocalJWKSet, errors as joseErrors, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';
// What oidc-provider's own grants are made of. Its version is pinned.
import { applyDpopBinding } from 'oidc-provider/lib/helpers/grant_common.js';
import { buildTokenResponse, resolveRequestedResources, validateDpop } from 'oidc-provider/lib/helpers/grants.js';

import { accountWithPassword, accountWithSub } from './accounts.js';
import { authenticationClaims } from './steps.js';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
export const PASSWORD = 'password';

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** How long the assertion of a server may be good for, in seconds. */
const LONGEST_ASSERTION = 300;

/** Who acts for the user with a token that was exchanged (RFC 8693 §4.1). */
const actors = new WeakMap();

/** For the configuration of oidc-provider. */
export function extraTokenClaims(ctx, token) {
  return { ...authenticationClaims(ctx.oidc.entities), ...(actors.has(token) && { act: actors.get(token) }) };
}

/** `keys` finds the provider's key for a token of its own: a key set of jose. */
export function registerGrants(provider, { issuer, resource, lifetimes }, keys) {
  provider.registerGrantType(
    TOKEN_EXCHANGE,
    exchange,
    [
      'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type', 'audience', 'resource', 'scope',
    ],
    ['audience', 'resource'],
  );
  provider.registerGrantType(JWT_BEARER, jwtBearer, ['assertion', 'resource', 'scope'], ['resource']);
  provider.registerGrantType(PASSWORD, password, ['username', 'password', 'resource', 'scope'], ['resource']);

  // RFC 8693 §2.
  async function exchange(ctx) {
    const { client, params } = ctx.oidc;
    need(params, 'subject_token', 'subject_token_type');
    if ((params.actor_token === undefined) !== (params.actor_token_type === undefined)) {
      throw new errors.InvalidRequest('actor_token and actor_token_type come together or not at all');
    }
    for (const name of ['subject_token_type', 'actor_token_type', 'requested_token_type']) {
      if (![undefined, ACCESS_TOKEN].includes(params[name])) throw new errors.InvalidRequest(`${name} must be ${ACCESS_TOKEN}`);
    }
    const wanted = [params.resource, params.audience].flat().filter((target) => target !== undefined);
    if (wanted.some((target) => target !== resource)) throw new errors.InvalidTarget();

    const proof = await validateDpop(provider, ctx);
    const subject = await tokenOfOurs(params.subject_token, 'subject_token', proof);
    const own = subject.clientId === client.clientId;
    if (!own && client.clientAuthMethod === 'none') {
      throw new errors.InvalidRequest('a public client may exchange its own tokens only');
    }
    if (!accountWithSub(subject.sub)) throw new errors.InvalidRequest('the subject_token is of no user');
    let act = subject.act;
    if (params.actor_token !== undefined) {
      const actor = await tokenOfOurs(params.actor_token, 'actor_token', proof);
      if (actor.clientId !== client.clientId) throw new errors.InvalidRequest('the actor_token is of another client');
      act = { sub: actor.sub, ...(act && { act }) };
    } else if (!own) {
      act = { sub: client.clientId, ...(act && { act }) };
    }

    const scopes = params.scope === undefined ? subject.scopes : params.scope.split(' ');
    if (scopes.some((scope) => !subject.scopes.includes(scope))) throw new errors.InvalidScope('more than the subject_token has');
    params.resource = wanted.length || subject.aud ? resource : undefined;
    await issue(ctx, { sub: subject.sub, scopes, act, endsBefore: subject.exp, issuedTokenType: ACCESS_TOKEN });
  }

  // RFC 7523 §2.1 and §3.
  async function jwtBearer(ctx) {
    const { client, params } = ctx.oidc;
    need(params, 'assertion');
    const { sub, exp, jti } = await assertionOf(client, params.assertion);
    if (exp - now() > LONGEST_ASSERTION) throw new errors.InvalidGrant('the assertion is good for too long');
    if (!accountWithSub(sub)) throw new errors.InvalidGrant('the assertion is about nobody');
    if (!(await provider.ReplayDetection.unique(client.clientId, jti, exp))) {
      throw new errors.InvalidGrant('the assertion was used before');
    }
    await issue(ctx, { sub, scopes: params.scope?.split(' ') ?? [] });
  }

  async function assertionOf(client, assertion) {
    try {
      const { payload } = await jwtVerify(assertion, createLocalJWKSet(client.jwks), {
        issuer: client.clientId,
        audience: [issuer, `${issuer}/token`],
        algorithms: ['ES256'],
        requiredClaims: ['sub', 'exp', 'jti'],
      });
      return payload;
    } catch (error) {
      if (error instanceof joseErrors.JOSEError) throw new errors.InvalidGrant(`the assertion is not good: ${error.message}`);
      throw error;
    }
  }

  // RFC 6749 §4.3.
  async function password(ctx) {
    const { params } = ctx.oidc;
    need(params, 'username', 'password');
    const account = accountWithPassword(params.username, params.password);
    if (!account) throw new errors.InvalidGrant('wrong user name or password');
    await issue(ctx, { sub: account.claims.sub, scopes: params.scope?.split(' ') ?? [], signedIn: true });
  }

  /** What is in an access token of this provider that is good now, and that whoever sent the proof may use. */
  async function tokenOfOurs(token, name, proof) {
    const found = (await opaque(token)) ?? (await signed(token));
    if (!found) throw new errors.InvalidRequest(`the ${name} is no access token of this provider, or no longer good`);
    if (found.jkt && found.jkt !== proof?.thumbprint) throw new errors.InvalidRequest(`the ${name} is bound to another key`);
    return { ...found, scopes: found.scope?.split(' ') ?? [] };
  }

  async function opaque(token) {
    const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
    if (!found?.isValid) return undefined;
    if (found.grantId && !(await provider.Grant.find(found.grantId))) return undefined;
    const { accountId, clientId, scope, exp, jkt, extra } = found;
    return { sub: accountId ?? clientId, clientId, scope, exp, jkt, act: extra?.act };
  }

  async function signed(token) {
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience: resource, algorithms: ['ES256'], typ: 'at+jwt' });
      const { sub, client_id, aud, scope, exp, cnf, act } = payload;
      return { sub, clientId: client_id, aud, scope, exp, jkt: cnf?.jkt, act };
    } catch (error) {
      if (error instanceof joseErrors.JOSEError) return undefined;
      throw error;
    }
  }

  /** Answers with an access token for the user, and what else was asked for if the user `signedIn` here. */
  async function issue(ctx, { sub, scopes, act, endsBefore = Infinity, issuedTokenType, signedIn = false }) {
    const { client, params } = ctx.oidc;
    const proof = await validateDpop(provider, ctx);
    const [server] = await resolveRequestedResources(provider, ctx);
    const knownToUs = signedIn ? ['openid', 'profile', 'email', 'offline_access'] : ['openid', 'profile', 'email'];
    const ours = scopes.filter((scope) => knownToUs.includes(scope));
    const granted = server ? scopes.filter((scope) => server.scopes.has(scope)) : ours;

    const grant = new provider.Grant({ accountId: sub, clientId: client.clientId });
    if (ours.length) grant.addOIDCScope(ours);
    if (server && granted.length) grant.addResourceScope(resource, granted);
    const common = { accountId: sub, client, grantId: await grant.save(), gty: params.grant_type };

    const token = new provider.AccessToken({
      ...common,
      scope: granted.join(' ') || undefined,
      expiresIn: Math.max(1, Math.min(lifetimes.accessToken, endsBefore - now())),
    });
    if (server) token.resourceServer = server;
    if (act) actors.set(token, act);
    await applyDpopBinding(provider, ctx, proof, token);
    ctx.oidc.entity('AccessToken', token);
    const answer = {
      accessToken: await token.save(),
      expiresIn: token.expiration,
      issuedTokenType,
      scope: token.scope,
      tokenType: token.tokenType,
    };

    if (ours.includes('offline_access')) {
      const refreshToken = new provider.RefreshToken({
        ...common,
        authTime: now(),
        resource: server && resource,
        rotations: 0,
        scope: [...new Set([...ours, ...granted])].join(' '),
      });
      answer.refreshToken = await refreshToken.save();
    }
    if (signedIn && ours.includes('openid')) {
      const idToken = new provider.IdToken({ ...accountWithSub(sub).claims, auth_time: now() }, { ctx });
      Object.assign(idToken, { scope: ours.join(' '), mask: {}, rejected: [] });
      answer.idToken = await idToken.issue({ use: 'idtoken' });
    }
    ctx.body = buildTokenResponse(provider, answer);
  }
}

function need(params, ...names) {
  const missing = names.filter((name) => !params[name]);
  if (missing.length) throw new errors.InvalidRequest(`missing required parameter(s) ${missing.join(', ')}`);
}

const now = () => Math.floor(Date.now() / 1000);
