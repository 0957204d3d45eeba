// The OpenID provider: oidc-provider, configured for one public client in the browser.

import { randomBytes } from 'node:crypto';

import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { Provider, errors, interactionPolicy } from 'oidc-provider';

import { accountWithSub } from './accounts.js';
import { interactions } from './interaction.js';
import * as pages from './pages.js';
import { Store } from './store.js';

const READABLE_BY_ALL = new Set([
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/jwks',
]);

// What an app asks with HEAD, only to see whether anybody answers. oidc-provider would say 404 or show a page.
const ENDPOINTS = new Set(['/auth', '/session/end', '/token', '/token/revocation']);

export async function createProvider(config, isAlive = () => true) {
  const { issuer, resource, appOrigins, lifetimes, dpopNonces } = config;
  const home = `${appOrigins[0]}/`;

  const provider = new Provider(issuer, {
    adapter: Store,
    jwks: { keys: await Promise.all(['RS256', 'ES256'].map(signingKey)) },
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      // Cookies know no ports: other programs on localhost see these names too.
      names: {
        session: 'tokenkeep_session',
        interaction: 'tokenkeep_interaction',
        resume: 'tokenkeep_resume',
      },
    },

    clients: [
      {
        client_id: 'tokenkeep-demo',
        client_name: 'tokenkeep demo',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: appOrigins.map((origin) => `${origin}/callback`),
        post_logout_redirect_uris: appOrigins.map((origin) => `${origin}/`),
      },
    ],
    clientAuthMethods: ['none'],
    clientBasedCORS: (_ctx, origin) => appOrigins.includes(origin),
    responseTypes: ['code'],
    routes: { userinfo: '/userinfo' },

    claims: {
      profile: ['name', 'given_name', 'family_name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    // The ID token says who the user is, so that the app need not ask userinfo.
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => {
      const account = accountWithSub(sub);
      return account && { accountId: sub, claims: () => account.claims };
    },

    // Lifetimes here are as short as the environment says, so expired is expired.
    clockTolerance: 0,
    ttl: {
      AccessToken: lifetimes.accessToken,
      AuthorizationCode: 60,
      Grant: Math.max(lifetimes.refreshToken, lifetimes.session),
      IdToken: lifetimes.idToken,
      Interaction: 3600,
      // A rotated refresh token ends when the first of its line would have.
      RefreshToken: (ctx) =>
        Math.max(1, ctx?.oidc.entities.RotatedRefreshToken?.remainingTTL ?? lifetimes.refreshToken),
      Session: lifetimes.session,
    },
    rotateRefreshToken: true,

    interactions: { policy: policy() },
    renderError: (ctx, { error, error_description }) =>
      pages.show(ctx, pages.problem({ error, error_description, home })),
    features: {
      devInteractions: { enabled: false },
      // For apps that bind their tokens to a key. Those that send no proof get bearer tokens, as ever.
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => dpopNonces },
      resourceIndicators: {
        getResourceServerInfo(_ctx, indicator) {
          if (indicator !== resource) throw new errors.InvalidTarget();
          return {
            scope: 'orders:read',
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: lifetimes.accessToken,
            jwt: { sign: { alg: 'ES256' } },
          };
        },
        // An app that named the API when it sent the user here need not name it again at the token endpoint.
        useGrantedResource: () => true,
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      rpInitiatedLogout: {
        logoutSource: (ctx, form) => pages.show(ctx, pages.signOut({ form, client: ctx.oidc.client })),
        postLogoutSuccessSource: (ctx) => pages.show(ctx, pages.signedOut({ home })),
      },
    },
  });

  // ID tokens name the session (`sid`), for apps that have a front-channel logout page. oidc-provider does it only for
  // clients with a back channel.
  provider.Client.prototype.includeSid = () => true;

  // Addresses in answers are made from the issuer, whatever name or proxy the request came by.
  const { host, protocol } = new URL(issuer);
  provider.proxy = true;
  provider.use((ctx, next) => {
    Object.assign(ctx.req.headers, { host, 'x-forwarded-host': host, 'x-forwarded-proto': protocol.slice(0, -1) });
    return next();
  });

  provider.use(async (ctx, next) => {
    if (ctx.path !== '/health') return next();
    [ctx.status, ctx.body] = isAlive() ? [200, 'ok'] : [503, 'ending'];
  });

  provider.use(async (ctx, next) => {
    if (ctx.method !== 'HEAD' || !ENDPOINTS.has(ctx.path)) return next();
    ctx.status = 204;
  });

  provider.use(async (ctx, next) => {
    await next();
    if (READABLE_BY_ALL.has(ctx.path)) {
      if (ctx.status === 200) ctx.set('Cache-Control', 'public, max-age=300');
    } else if (!appOrigins.includes(ctx.get('Origin'))) {
      // oidc-provider answers every preflight, and every error before it knows the client, with the asker's origin.
      for (const name of Object.keys(ctx.response.headers)) {
        if (name.startsWith('access-control-')) ctx.remove(name);
      }
    }
  });

  provider.use(interactions(provider, home));

  provider.on('server_error', (ctx, error) => console.error(`${ctx.method} ${ctx.path}: ${error.stack}`));

  return provider;
}

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) };
}

// OpenID Connect Core §11 ignores offline_access without prompt=consent "unless other conditions for processing the
// request permitting offline access to the requested resources are in place". Here they are: the consent page names
// it, and the grant remembers the answer. So what oidc-provider took out of the scope is put back, before it looks
// for scopes that the user has not been asked about.
function policy() {
  const prompts = interactionPolicy.base();
  prompts.get('login').checks.add(
    new interactionPolicy.Check('offline_access', 'offline_access is asked for like any scope', (ctx) => {
      const { client, params, requestParamScopes, route } = ctx.oidc;
      if (
        route === 'authorization'
        && client.grantTypeAllowed('refresh_token')
        && ctx.query.scope?.split(' ').includes('offline_access')
        && !requestParamScopes.has('offline_access')
      ) {
        params.scope = [...requestParamScopes, 'offline_access'].join(' ');
      }
      return interactionPolicy.Check.NO_NEED_TO_PROMPT;
    }),
  );
  return prompts;
}
