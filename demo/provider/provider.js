// The OpenID provider: oidc-provider, with every flow that an app may want to try.

import { randomBytes } from 'node:crypto';

import { calculateJwkThumbprint, createLocalJWKSet, decodeJwt, exportJWK, generateKeyPair } from 'jose';
import { Provider, errors, interactionPolicy } from 'oidc-provider';

import { accountWithSub } from './accounts.js';
import { CHECK_SESSION, checkSession } from './check-session.js';
import { createClients, publicHalf } from './clients.js';
import { devicePace } from './devices.js';
import { extraTokenClaims, registerGrants } from './grants.js';
import { interactions } from './interaction.js';
import * as pages from './pages.js';
import { ACR_VALUES, secondStep } from './steps.js';
import { Store } from './store.js';

const READABLE_BY_ALL = new Set([
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/jwks',
]);

// What an app asks with HEAD, only to see whether anybody answers. oidc-provider would say 404 or show a page.
const ENDPOINTS = new Set(['/auth', '/device/auth', '/request', '/session/end', '/token', '/token/revocation']);

export async function createProvider(config, isAlive = () => true) {
  const { issuer, resource, appOrigins, coop, lifetimes, dpopNonces, requirePar, deviceInterval } = config;
  const home = `${appOrigins[0]}/`;
  const keys = await Promise.all(['RS256', 'ES256'].map(signingKey));
  const { clients, key: serverKey } = await createClients(config);

  const provider = new Provider(issuer, {
    adapter: Store,
    jwks: { keys },
    cookies: {
      keys: [randomBytes(32).toString('base64url')],
      // Cookies know no ports: other programs on localhost see these names too.
      names: {
        session: 'tokenkeep_session',
        interaction: 'tokenkeep_interaction',
        resume: 'tokenkeep_resume',
      },
    },

    clients,
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientBasedCORS: (_ctx, origin) => appOrigins.includes(origin),
    responseTypes: ['code', 'code id_token', 'id_token'],
    // A parameter that oidc-provider knows may be named here too: then it asks what to make of it.
    extraParams: { scope: keepOfflineAccess },
    discovery: {
      check_session_iframe: `${issuer}${CHECK_SESSION}`,
      prompt_values_supported: ['none', 'login', 'consent', 'create'],
    },
    extraTokenClaims,
    routes: { userinfo: '/userinfo' },

    acrValues: ACR_VALUES,
    claims: {
      openid: ['sub', 'acr', 'auth_time'],
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
      ClientCredentials: lifetimes.accessToken,
      DeviceCode: lifetimes.deviceCode,
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
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: showUserCodePage,
        userCodeConfirmSource: (ctx, form, client, _device, code) =>
          pages.show(ctx, pages.userCodeConfirmation({ form, client, code })),
        successSource: (ctx) => pages.show(ctx, pages.deviceConnected({ client: ctx.oidc.client })),
      },
      // For apps that bind their tokens to a key. Those that send no proof get bearer tokens, as ever.
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => dpopNonces },
      jwtResponseModes: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: requirePar },
      richAuthorizationRequests: {
        enabled: true,
        types: { orders: { validate: validateOrders } },
        // What the user has allowed is what was asked for: the consent page shows all of it, every time.
        authorizationDetailsForGrantSource: ({ oidc: { params } }) => details(params),
        authorizationDetailsForAccessToken: ({ oidc: { params } }, _token, source) => narrowed(source?.rar, details(params)),
      },
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

  // ID tokens from the authorization endpoint may go to apps on this machine, which have no https.
  const { invalidate } = provider.Client.Schema.prototype;
  provider.Client.Schema.prototype.invalidate = function (message, code) {
    if (!['implicit-force-https', 'implicit-forbid-localhost'].includes(code)) invalidate.call(this, message, code);
  };

  registerGrants(provider, config, createLocalJWKSet({ keys: keys.map(publicHalf) }));

  // Addresses in answers are made from the issuer, whatever name or proxy the request came by.
  const { host, protocol } = new URL(issuer);
  provider.proxy = true;
  provider.use((ctx, next) => {
    Object.assign(ctx.req.headers, { host, 'x-forwarded-host': host, 'x-forwarded-proto': protocol.slice(0, -1) });
    return next();
  });

  if (coop) {
    // As many providers do: whoever opened such a page as a window sees no more of it.
    provider.use((ctx, next) => {
      ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
      return next();
    });
  }

  provider.use(async (ctx, next) => {
    if (ctx.path !== '/health') return next();
    [ctx.status, ctx.body] = isAlive() ? [200, 'ok'] : [503, 'ending'];
  });

  // The key of the servers, for whoever plays one. Only on this machine, and no page of another origin can read it.
  provider.use(async (ctx, next) => {
    if (ctx.path !== '/demo/keys' || !['localhost', '127.0.0.1'].includes(new URL(issuer).hostname)) return next();
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { keys: [serverKey] };
  });

  provider.use(checkSession(provider, config));

  // Where a user begins who has not opened an app: a link starts it, and says which provider sends them.
  provider.use(async (ctx, next) => {
    if (ctx.path !== '/') return next();
    pages.show(ctx, pages.apps({ issuer, appOrigins }));
  });

  provider.use(devicePace(deviceInterval, lifetimes.deviceCode));

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
function keepOfflineAccess({ oidc, query }) {
  const { body, client, entities, params, requestParamScopes, route } = oidc;
  const pushed = entities.PushedAuthorizationRequest;
  const asked = route === 'pushed_authorization_request' ? body.scope : pushed ? decodeJwt(pushed.request).scope : query.scope;
  if (
    ['authorization', 'pushed_authorization_request'].includes(route)
    && params.response_type.includes('code')
    && client.grantTypeAllowed('refresh_token')
    && asked?.split(' ').includes('offline_access')
    && !requestParamScopes.has('offline_access')
  ) {
    params.scope = [...requestParamScopes, 'offline_access'].join(' ');
  }
}

function policy() {
  const prompts = interactionPolicy.base();
  prompts.add(new interactionPolicy.Prompt({ name: 'create', requestable: true }), 0);
  prompts.add(secondStep(), prompts.findIndex(({ name }) => name === 'login') + 1);
  return prompts;
}

function showUserCodePage(ctx, _form, _out, error) {
  const problem = error && (error.name === 'AbortedError'
    ? 'You said no. The device is not connected.'
    : error.userCode || error.name === 'NoCodeError'
      ? 'That code is wrong, or was used before, or is too old.'
      : 'That did not work.');
  const { secret } = ctx.oidc.session.state;
  pages.show(ctx, pages.userCode({ action: ctx.oidc.urlFor('code_verification'), secret, code: error?.userCode, problem }));
}

/** The one type of authorization details that there is: to read all orders, or the one that is named. */
function validateOrders(_ctx, detail) {
  const { type, actions, identifier, ...rest } = detail;
  if (!Array.isArray(actions) || actions.length !== 1 || actions[0] !== 'read' || Object.keys(rest).length) {
    throw new errors.InvalidAuthorizationDetails('details of the type orders have actions, which is ["read"], and may have an identifier');
  }
}

const details = ({ authorization_details }) => (authorization_details === undefined ? undefined : JSON.parse(authorization_details));

/** What was granted, or as much of it as is asked for at the token endpoint (RFC 9396 §6.1). */
function narrowed(granted, asked) {
  if (asked === undefined || granted === undefined) return asked ?? granted;
  const within = (detail) => granted.some(({ identifier }) => identifier === undefined || identifier === detail.identifier);
  if (!asked.every(within)) throw new errors.InvalidAuthorizationDetails('more than was granted');
  return asked;
}
