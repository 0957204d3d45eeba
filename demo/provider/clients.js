// The apps that the provider knows: in the browser, on a television, and on servers.

import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';

import { JWT_BEARER, PASSWORD, TOKEN_EXCHANGE } from './grants.js';

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';

/** The clients, and the private half of the key that the servers have, which is new at every start. */
export async function createClients({ appOrigins, apiOrigin }) {
  const key = await serverKey();
  const jwks = { keys: [publicHalf(key)] };
  // The second is where the window of a sign-in by popup comes back to.
  const redirect_uris = appOrigins.flatMap((origin) => [`${origin}/callback`, `${origin}/popup.html`]);
  const inBrowser = {
    token_endpoint_auth_method: 'none',
    redirect_uris,
    post_logout_redirect_uris: appOrigins.map((origin) => `${origin}/`),
    authorization_details_types: ['orders'],
  };
  const onServer = {
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', TOKEN_EXCHANGE, JWT_BEARER],
    // Its own, and that of a test that plays a server.
    redirect_uris: [`${apiOrigin}/flows/code/callback`, ...redirect_uris],
    authorization_details_types: ['orders'],
    jwks,
  };
  return {
    key,
    clients: [
      {
        client_id: 'tokenkeep-demo',
        client_name: 'tokenkeep demo',
        grant_types: ['authorization_code', 'refresh_token', 'implicit', TOKEN_EXCHANGE],
        response_types: ['code', 'code id_token', 'id_token'],
        ...inBrowser,
      },
      {
        client_id: 'tokenkeep-id',
        client_name: 'tokenkeep demo (who it is, and nothing else)',
        grant_types: ['implicit'],
        response_types: ['id_token'],
        ...inBrowser,
      },
      {
        client_id: 'tokenkeep-par',
        client_name: 'tokenkeep demo (pushed requests)',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        require_pushed_authorization_requests: true,
        ...inBrowser,
      },
      {
        client_id: 'tokenkeep-tv',
        client_name: 'tokenkeep television',
        token_endpoint_auth_method: 'none',
        grant_types: [DEVICE, 'refresh_token'],
        response_types: [],
        redirect_uris: [],
      },
      {
        ...onServer,
        client_id: 'tokenkeep-server',
        client_name: 'tokenkeep server',
        client_secret: 'tokenkeep-server-secret',
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: [...onServer.grant_types, PASSWORD],
      },
      {
        ...onServer,
        client_id: 'tokenkeep-server-post',
        client_name: 'tokenkeep server (secret in the form)',
        client_secret: 'tokenkeep-server-post-secret',
        token_endpoint_auth_method: 'client_secret_post',
      },
      {
        ...onServer,
        client_id: 'tokenkeep-server-key',
        client_name: 'tokenkeep server (with a key)',
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
      },
    ],
  };
}

async function serverKey() {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, alg: 'ES256', use: 'sig', kid: await calculateJwkThumbprint(jwk) };
}

export function publicHalf({ kty, crv, x, y, n, e, alg, use, kid }) {
  return Object.fromEntries(Object.entries({ kty, crv, x, y, n, e, alg, use, kid }).filter(([, value]) => value));
}
