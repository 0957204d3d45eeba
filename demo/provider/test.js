// The provider and the API from outside, as a browser with an app meets them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import {
  SignJWT,
  calculateJwkThumbprint,
  createLocalJWKSet,
  createRemoteJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
} from 'jose';

import { createApi } from './api.js';
import { createBackend } from './backend.js';

const APP = 'http://127.0.0.1:8080';
const APPS = `${APP} or http://localhost:8080`;
const STRANGER = 'http://127.0.0.1:6666';
const CLIENT = 'tokenkeep-demo';
const SCOPE = 'openid profile email offline_access orders:read';
const SERVER_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const BASIC = { Authorization: `Basic ${Buffer.from('tokenkeep-server:tokenkeep-server-secret').toString('base64')}` };

let server;
let issuer;
let api;
let resource;

before(async () => {
  const [providerPort, apiPort] = await freePorts(2);
  server = run({ TOKENKEEP_PROVIDER_PORT: providerPort, TOKENKEEP_API_PORT: apiPort });
  await server.printed('tokenkeep demo: ');
  issuer = `http://localhost:${providerPort}`;
  api = `http://localhost:${apiPort}`;
  resource = `${api}/`;
});

after(() => server.end());

test('starting prints one line, and both answer at /health', async () => {
  assert.equal(server.stdout, `tokenkeep demo: provider ${issuer}, API ${api}, app ${APPS}\n`);
  for (const origin of [issuer, api]) {
    const response = await fetch(`${origin}/health`);
    assert.deepEqual([response.status, await response.text()], [200, 'ok']);
  }
});

test('discovery says what is on, and may be cached', async () => {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`, { headers: { Origin: STRANGER } });
  assert.equal(response.headers.get('cache-control'), 'public, max-age=300');
  assert.equal(response.headers.get('access-control-allow-origin'), STRANGER);
  const metadata = await response.json();
  assert.equal(metadata.issuer, issuer);
  assert.equal(metadata.authorization_response_iss_parameter_supported, true);
  assert.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
  assert.deepEqual(metadata.response_types_supported, ['code', 'code id_token', 'id_token']);
  for (const mode of ['query', 'fragment', 'form_post', 'jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt']) {
    assert.ok(metadata.response_modes_supported.includes(mode), mode);
  }
  assert.deepEqual(metadata.authorization_details_types_supported, ['orders']);
  assert.deepEqual(metadata.acr_values_supported, ['urn:tokenkeep:mfa', 'urn:tokenkeep:pwd']);
  assert.deepEqual(metadata.prompt_values_supported, ['none', 'login', 'consent', 'create']);
  assert.deepEqual(metadata.token_endpoint_auth_methods_supported, ['none', ...SERVER_METHODS]);
  for (const grant of ['client_credentials', 'refresh_token', 'password', DEVICE_CODE, TOKEN_EXCHANGE, JWT_BEARER]) {
    assert.ok(metadata.grant_types_supported.includes(grant), grant);
  }
  assert.equal(metadata.require_pushed_authorization_requests, undefined);
  assert.ok(metadata.dpop_signing_alg_values_supported.includes('ES256'));
  assert.equal(metadata.introspection_endpoint, undefined);
  const endpoints = ['token', 'userinfo', 'revocation', 'end_session', 'device_authorization', 'pushed_authorization_request'];
  for (const name of endpoints) assert.ok(metadata[`${name}_endpoint`], name);
});

test('a login ends in verified tokens that the API takes', async () => {
  const browser = new Browser();
  const { tokens, nonce } = await login(browser, { resource });
  assert.deepEqual(tokens.scope, 'orders:read');
  assert.equal(tokens.expires_in, 300);
  assert.ok(tokens.refresh_token);

  const { payload } = await jwtVerify(tokens.id_token, createRemoteJWKSet(new URL(`${issuer}/jwks`)), {
    issuer,
    audience: CLIENT,
    algorithms: ['RS256'],
  });
  assert.equal(payload.nonce, nonce);
  assert.ok(payload.sid);
  assert.equal(payload.name, 'Alice Archer');
  assert.equal(payload.email, 'alice@example.com');
  assert.equal(payload.preferred_username, 'alice');

  const me = await (await bearer('/me', tokens.access_token)).json();
  assert.equal(me.sub, payload.sub);
  assert.equal(me.scope, 'orders:read');
  assert.equal(me.client_id, CLIENT);
  assert.ok(me.expires_at > Date.now() / 1000);

  const orders = await bearer('/orders', tokens.access_token);
  assert.equal(orders.status, 200);
  assert.equal(orders.headers.get('access-control-allow-origin'), APP);
  assert.equal((await orders.json()).orders.length, 3);
});

test('a token is bound to the key whose proof came with the code', async () => {
  const device = await Device.make();
  const { callback, verifier } = await authorize(new Browser(), { resource, dpop_jkt: device.thumbprint });
  const redeeming = { grant_type: 'authorization_code', code: callback.get('code'), code_verifier: verifier, redirect_uri: `${APP}/callback` };

  const asked = await device.post('/token', redeeming);
  assert.deepEqual([asked.status, (await asked.json()).error], [400, 'use_dpop_nonce']);
  assert.equal(asked.headers.get('access-control-allow-origin'), APP);
  assert.match(asked.headers.get('access-control-expose-headers'), /DPoP-Nonce/);
  const tokens = await (await device.post('/token', redeeming)).json();
  assert.equal(tokens.token_type, 'DPoP');
  assert.deepEqual(claimsOf(tokens.access_token).cnf, { jkt: device.thumbprint });

  // So is the refresh token, and what comes for it.
  const refreshing = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
  const thief = await Device.make();
  await thief.post('/token', refreshing);
  assert.equal((await (await thief.post('/token', refreshing)).json()).error, 'invalid_grant');
  assert.equal((await refreshed(tokens)).error, 'invalid_grant', 'without a proof');
  const renewed = await (await device.post('/token', refreshing)).json();
  assert.deepEqual([renewed.token_type, claimsOf(renewed.access_token).cnf], ['DPoP', { jkt: device.thumbprint }]);

  const revoked = await post('/token/revocation', { token: renewed.refresh_token }, { Origin: APP });
  assert.equal(revoked.status, 200, 'which needs no proof');
});

test('a code that is bound to a key is of no use to another', async () => {
  const [device, thief] = [await Device.make(), await Device.make()];
  const { callback, verifier } = await authorize(new Browser(), { resource, dpop_jkt: device.thumbprint });
  const redeeming = { grant_type: 'authorization_code', code: callback.get('code'), code_verifier: verifier, redirect_uri: `${APP}/callback` };
  await thief.post('/token', redeeming);
  assert.equal((await (await thief.post('/token', redeeming)).json()).error, 'invalid_grant');
});

test('the API takes a bound token with a proof for this very request, once', async () => {
  const device = await Device.make();
  const tokens = await device.login({ resource });
  const token = tokens.access_token;
  const call = (proof, scheme = 'DPoP') =>
    fetch(`${api}/me?a=1`, { headers: { Authorization: `${scheme} ${token}`, Origin: APP, ...(proof && { DPoP: proof }) } });
  const challenged = async (response) => {
    const challenge = response.headers.get('www-authenticate');
    return [response.status, challenge.split(' ')[0], /error="(.*?)"/.exec(challenge)?.[1]];
  };
  const wrong = [401, 'DPoP', 'invalid_dpop_proof'];
  const right = (changes) => device.proof('GET', `${api}/me`, { token, ...changes });

  const asked = await call(await right());
  assert.deepEqual(await challenged(asked), [401, 'DPoP', 'use_dpop_nonce']);
  assert.match(asked.headers.get('access-control-expose-headers'), /WWW-Authenticate, DPoP-Nonce/);
  const nonce = asked.headers.get('dpop-nonce');
  assert.notEqual(nonce, device.nonce, 'not the one of the provider');
  assert.deepEqual(await challenged(await call(await right({ nonce: device.nonce }))), [401, 'DPoP', 'use_dpop_nonce']);

  const proof = await right({ nonce });
  const taken = await call(proof);
  assert.deepEqual([taken.status, (await taken.json()).client_id, taken.headers.get('dpop-nonce')], [200, CLIENT, nonce]);
  assert.deepEqual(await challenged(await call(proof)), wrong, 'twice');

  const now = Math.floor(Date.now() / 1000);
  for (const [what, other] of Object.entries({
    'no proof': undefined,
    garbage: 'garbage',
    'two proofs': `${await right({ nonce })}, ${await right({ nonce })}`,
    method: await device.proof('POST', `${api}/me`, { token, nonce }),
    path: await device.proof('GET', `${api}/orders`, { token, nonce }),
    host: await device.proof('GET', `${issuer}/me`, { token, nonce }),
    'no URL': await device.proof('GET', 7, { token, nonce }),
    token: await device.proof('GET', `${api}/me`, { token: 'another', nonce }),
    'no token': await device.proof('GET', `${api}/me`, { nonce }),
    old: await right({ nonce, iat: now - 100 }),
    'of tomorrow': await right({ nonce, iat: now + 100 }),
    'without a time': await right({ nonce, iat: 'now' }),
    'without a name': await right({ nonce, jti: undefined }),
    type: await device.proof('GET', `${api}/me`, { token, nonce }, { typ: 'JWT' }),
    key: await device.proof('GET', `${api}/me`, { token, nonce }, { jwk: (await Device.make()).jwk }),
  })) {
    assert.deepEqual(await challenged(await call(other)), wrong, what);
  }
  const thief = await Device.make();
  assert.deepEqual(
    await challenged(await call(await thief.proof('GET', `${api}/me`, { token, nonce }))),
    [401, 'DPoP', 'invalid_token'],
    'another key',
  );
  assert.deepEqual(await challenged(await call(undefined, 'Bearer')), [401, 'Bearer', 'invalid_token'], 'as a bearer token');
  const plain = (await login(new Browser(), { resource })).tokens.access_token;
  const bound = await fetch(`${api}/me`, {
    headers: { Authorization: `DPoP ${plain}`, DPoP: await device.proof('GET', `${api}/me`, { token: plain, nonce }) },
  });
  assert.deepEqual(await challenged(bound), [401, 'DPoP', 'invalid_token'], 'a bearer token with a proof');
  assert.equal((await call(await right({ nonce, htu: `${api}/me?a=1` }))).status, 200, 'a query does not matter');
});

test('userinfo takes a bound token with a proof', async () => {
  const device = await Device.make();
  const { access_token: token } = await device.login();
  const ask = async (nonce) =>
    fetch(`${issuer}/userinfo`, {
      headers: { Authorization: `DPoP ${token}`, Origin: APP, DPoP: await device.proof('GET', `${issuer}/userinfo`, { token, nonce }) },
    });
  const asked = await ask();
  assert.deepEqual([asked.status, /error="(.*?)"/.exec(asked.headers.get('www-authenticate'))[1]], [401, 'use_dpop_nonce']);
  assert.match(asked.headers.get('access-control-expose-headers'), /WWW-Authenticate/);
  const answered = await ask(asked.headers.get('dpop-nonce'));
  assert.deepEqual([answered.status, (await answered.json()).email], [200, 'alice@example.com']);
});

test('nonces may be turned off', async () => {
  const [providerPort, apiPort] = await freePorts(2);
  const other = run({ TOKENKEEP_PROVIDER_PORT: providerPort, TOKENKEEP_API_PORT: apiPort, TOKENKEEP_NO_DPOP_NONCES: '1' });
  const before = [issuer, api, resource];
  try {
    await other.printed('tokenkeep demo: ');
    [issuer, api, resource] = [`http://localhost:${providerPort}`, `http://localhost:${apiPort}`, `http://localhost:${apiPort}/`];
    const device = await Device.make();
    const { callback, verifier } = await authorize(new Browser(), { resource });
    const fields = { grant_type: 'authorization_code', code: callback.get('code'), code_verifier: verifier, redirect_uri: `${APP}/callback` };
    const { access_token: token } = await (await device.post('/token', fields)).json();
    const proof = await device.proof('GET', `${api}/me`, { token });
    const response = await fetch(`${api}/me`, { headers: { Authorization: `DPoP ${token}`, DPoP: proof } });
    assert.deepEqual([response.status, response.headers.get('dpop-nonce')], [200, null]);
  } finally {
    [issuer, api, resource] = before;
    await other.end();
  }
});

test('a second login of a signed-in user needs no click', async () => {
  const browser = new Browser();
  await login(browser, { resource });
  const { callback } = await authorize(browser, { resource });
  assert.ok(callback.get('code'));
  assert.ok((await authorize(browser, { resource, prompt: 'none' })).callback.get('code'));
});

test('without a resource the token is for userinfo, with one it is not', async () => {
  const browser = new Browser();
  const plain = await login(browser);
  const userinfo = await fetch(`${issuer}/userinfo`, {
    headers: { Authorization: `Bearer ${plain.tokens.access_token}`, Origin: APP },
  });
  assert.equal(userinfo.status, 200);
  assert.equal(userinfo.headers.get('access-control-allow-origin'), APP);
  assert.equal((await userinfo.json()).email, 'alice@example.com');

  const { tokens } = await login(browser, { resource });
  const refused = await fetch(`${issuer}/userinfo`, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  assert.equal(refused.status, 401);
});

test('a resource that is not the API is refused', async () => {
  const { callback } = await authorize(new Browser(), { resource: 'http://localhost:1/' });
  assert.equal(callback.get('error'), 'invalid_target');
});

test('without orders:read there are no orders', async () => {
  const { tokens } = await login(new Browser(), { resource, scope: 'openid profile' });
  assert.equal(tokens.refresh_token, undefined);
  assert.equal((await bearer('/me', tokens.access_token)).status, 200);
  const response = await bearer('/orders', tokens.access_token);
  assert.equal(response.status, 403);
  assert.match(response.headers.get('www-authenticate'), /error="insufficient_scope".*scope="orders:read"/);
  assert.equal((await response.json()).error, 'insufficient_scope');
});

test('the API challenges without an error code when there is no token', async () => {
  const response = await fetch(`${api}/me`);
  assert.equal(response.status, 401);
  assert.equal(
    response.headers.get('www-authenticate'),
    'Bearer realm="tokenkeep demo API", DPoP realm="tokenkeep demo API", algs="ES256"',
  );
  assert.equal(response.headers.get('cache-control'), 'no-store');
});

test('the API refuses garbage', async () => {
  const response = await bearer('/me', 'garbage');
  assert.equal(response.status, 401);
  assert.equal(
    response.headers.get('www-authenticate'),
    'Bearer realm="tokenkeep demo API", error="invalid_token", error_description="the access token is not one of this provider"',
  );
});

test('the API refuses tokens that are expired, for others, of others, bound or of another kind', async (t) => {
  const [port] = await freePorts(1);
  const ours = await generateKeyPair('ES256');
  const theirs = await generateKeyPair('ES256');
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(ours.publicKey)), alg: 'ES256' }] });
  const local = createApi({ issuer, resource, appOrigins: [APP] }, keys).listen(port, '127.0.0.1');
  t.after(() => local.close().closeAllConnections());
  await once(local, 'listening');

  const now = Math.floor(Date.now() / 1000);
  const good = { iss: issuer, aud: resource, sub: 'user-1001', client_id: CLIENT, jti: '1', iat: now, exp: now + 60 };
  const answer = async (claims, { key = ours.privateKey, typ = 'at+jwt' } = {}) => {
    const token = await new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: 'ES256', typ }).sign(key);
    const response = await fetch(`http://127.0.0.1:${port}/me`, { headers: { Authorization: `Bearer ${token}` } });
    const challenge = response.headers.get('www-authenticate');
    return challenge ? [response.status, /error="(.*?)"/.exec(challenge)[1], /description="(.*?)"/.exec(challenge)[1]] : response.status;
  };
  const refused = (why) => [401, 'invalid_token', `the access token ${why}`];

  assert.deepEqual(await answer({}), 200);
  assert.deepEqual(await answer({ exp: now - 1 }), refused('expired'));
  assert.deepEqual(await answer({ aud: 'http://localhost:1/' }), refused('has the wrong aud'));
  assert.deepEqual(await answer({ iss: 'http://localhost:1' }), refused('has the wrong iss'));
  assert.deepEqual(await answer({ cnf: { jkt: 'x' } }), refused('has the wrong cnf'));
  assert.deepEqual(await answer({}, { typ: 'JWT' }), refused('has the wrong typ'));
  assert.deepEqual(await answer({}, { key: theirs.privateKey }), refused('is not one of this provider'));
});

test('the API tells no other origin anything, and knows its paths and methods', async () => {
  const preflight = (origin) => fetch(`${api}/me`, {
    method: 'OPTIONS',
    headers: { Origin: origin, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'authorization' },
  });
  const allowed = await preflight(APP);
  assert.deepEqual(corsOf(allowed), {
    'access-control-allow-headers': 'Authorization, Content-Type, DPoP',
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-origin': APP,
    'access-control-expose-headers': 'WWW-Authenticate, DPoP-Nonce',
    'access-control-max-age': '600',
  });
  assert.equal(allowed.status, 204);
  assert.equal(allowed.headers.get('vary'), 'Origin');
  assert.deepEqual(corsOf(await preflight(STRANGER)), {});

  assert.equal((await fetch(`${api}/nothing`)).status, 404);
  assert.equal((await fetch(`${api}/toString`)).status, 404);
  assert.equal((await fetch(`${api}//`)).status, 404);
  assert.equal((await fetch(`${api}/me`, { method: 'POST' })).status, 405);
});

test('the provider tells no other origin anything', async () => {
  const { tokens } = await login(new Browser());
  const preflight = { method: 'OPTIONS', headers: { Origin: STRANGER, 'Access-Control-Request-Method': 'POST' } };
  for (const path of ['/token', '/userinfo', '/token/revocation', '/device/auth', '/request']) {
    assert.deepEqual(corsOf(await fetch(issuer + path, preflight)), {}, path);
    const ours = await fetch(issuer + path, { ...preflight, headers: { ...preflight.headers, Origin: APP } });
    assert.equal(corsOf(ours)['access-control-allow-origin'], APP, path);
  }
  const headers = { Origin: STRANGER };
  const asked = await post('/token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }, headers);
  assert.deepEqual([asked.status, corsOf(asked)], [400, {}]);
  assert.deepEqual(corsOf(await post('/token/revocation', { token: 'x' }, headers)), {});
  assert.deepEqual(
    corsOf(await fetch(`${issuer}/userinfo`, { headers: { ...headers, Authorization: `Bearer ${tokens.access_token}` } })),
    {},
  );
});

test('a wrong password shows the page again', async () => {
  const browser = new Browser();
  let page = await browser.open(authorizationUrl({ login_hint: '<alice>' }).url);
  assert.match(page.body, /value="&#60;alice&#62;"/);
  page = await browser.submit(page, { login: 'alice', password: 'bob-password' });
  assert.match(page.body, /role="alert">Wrong user name or password\./);
  assert.match(page.body, /value="alice"/);
  page = await browser.submit(page, { login: 'alice', password: 'alice-password' });
  assert.match(page.body, /Allow tokenkeep demo\?/);
});

test('a denial reaches the app with state and iss', async () => {
  for (const steps of [['login', 'deny'], ['deny']]) {
    const { callback, state } = await authorize(new Browser(), {}, steps);
    assert.equal(callback.get('error'), 'access_denied');
    assert.equal(callback.get('state'), state);
    assert.equal(callback.get('iss'), issuer);
  }
});

test('PKCE is required, and S256', async () => {
  for (const change of [{ code_challenge: undefined }, { code_challenge_method: 'plain' }]) {
    const { callback } = await authorize(new Browser(), change);
    assert.equal(callback.get('error'), 'invalid_request');
    assert.equal(callback.get('iss'), issuer);
  }
  const { callback } = await authorize(new Browser());
  const answer = await redeem(callback.get('code'), randomBytes(32).toString('base64url'));
  assert.equal((await answer.json()).error, 'invalid_grant');
});

test('an unknown redirect_uri gets a page, not a redirect', async () => {
  const page = await new Browser().open(authorizationUrl({ redirect_uri: `${STRANGER}/callback` }).url);
  assert.equal(page.status, 400);
  assert.match(page.body, /invalid_redirect_uri/);
  assert.match(page.csp, /^default-src 'none'; style-src 'nonce-[^']+'; base-uri 'none'; frame-ancestors 'none'$/);
});

test('prompt and max_age are followed', async () => {
  const browser = new Browser();
  const stranger = await authorize(browser, { prompt: 'none' });
  assert.equal(stranger.callback.get('error'), 'login_required');

  await login(browser);
  for (const question of [{ prompt: 'login' }, { max_age: '0' }]) {
    const page = await browser.open(authorizationUrl(question).url);
    assert.match(page.body, /<h1>Sign in<\/h1>/);
    assert.match(page.body, /value="alice"/);
  }
  const page = await browser.open(authorizationUrl({ prompt: 'consent' }).url);
  assert.match(page.body, /Keep you signed in/);

  const { tokens } = await login(browser, { max_age: '3600' });
  assert.ok(claimsOf(tokens.id_token).auth_time <= Date.now() / 1000);
});

test('a transfer takes a second step, and one that was not long ago', async () => {
  const [providerPort, apiPort] = await freePorts(2);
  const other = run({ TOKENKEEP_PROVIDER_PORT: providerPort, TOKENKEEP_API_PORT: apiPort, TOKENKEEP_STEP_UP_MAX_AGE: 2 });
  await other.printed('tokenkeep demo: ');
  const before = [issuer, api, resource];
  [issuer, api, resource] = [`http://localhost:${providerPort}`, `http://localhost:${apiPort}`, `http://localhost:${apiPort}/`];
  try {
    const browser = new Browser();
    const transfer = async ({ tokens }, body = { order: '2026-0117', to: 'bob' }, method = 'POST') => {
      const headers = { Authorization: `Bearer ${tokens.access_token}`, Origin: APP };
      const answer = await fetch(`${api}/orders/transfer`, { method, headers, body: method === 'POST' ? JSON.stringify(body) : undefined });
      return [answer.status, answer.headers.get('www-authenticate'), await answer.json()];
    };
    const first = await login(browser, { resource });
    assert.equal(claimsOf(first.tokens.id_token).acr, 'urn:tokenkeep:pwd');
    const [status, field] = await transfer(first);
    assert.equal(status, 401);
    assert.match(field, /^Bearer .*error="insufficient_user_authentication".*, acr_values="urn:tokenkeep:mfa", max_age="2"$/);
    // Nothing else does, and only for a POST.
    assert.equal((await transfer(await login(browser, { resource, max_age: '0' })))[0], 401);
    assert.equal((await transfer(first, undefined, 'GET'))[0], 405);

    // Who is signed in is asked for the code alone.
    const mfa = { resource, acr_values: 'urn:tokenkeep:mfa' };
    const page = await browser.open(authorizationUrl(mfa).url);
    assert.match(page.body, /<h1>One more step<\/h1>/);
    assert.match((await browser.submit(page, { code: '1' })).body, /That is not the code/);
    const stepped = await login(browser, mfa);
    const { acr, auth_time } = claimsOf(stepped.tokens.id_token);
    assert.equal(acr, 'urn:tokenkeep:mfa');
    assert.deepEqual(await transfer(stepped), [200, null, { transferred: '2026-0117', to: 'bob', acr, auth_time }]);
    const tooLong = { order: '2026-0117', to: 'b'.repeat(9000) };
    for (const body of [null, [], 'x', { order: '2026-0139', to: 'bob' }, { order: '2026-0117' }, tooLong]) {
      assert.equal((await transfer(stepped, body))[0], 400, JSON.stringify(body));
    }
    // A renewal says no more than the sign-in did.
    const deadline = (auth_time + 3) * 1000;
    while (Date.now() < deadline) await pause(deadline - Date.now());
    const renewed = { tokens: await refreshed(stepped.tokens) };
    assert.equal(claimsOf(renewed.tokens.access_token).auth_time, auth_time);
    assert.equal((await transfer(renewed))[0], 401);

    // Who signs in is asked for both, and who does not want to is not signed in.
    const fresh = await login(new Browser(), mfa);
    assert.equal((await transfer(fresh))[0], 200);
    const { callback } = await authorize(new Browser(), mfa, ['login', 'no code', 'allow']);
    assert.equal(callback.get('error'), 'access_denied');
    const silent = await authorize(new Browser(), { ...mfa, prompt: 'none' });
    assert.equal(silent.callback.get('error'), 'login_required');
    const impossible = await authorize(browser, { resource, acr_values: 'urn:gold' });
    assert.equal(impossible.callback.get('error'), 'unmet_authentication_requirements');
  } finally {
    [issuer, api, resource] = before;
    await other.end();
  }
});

test('another user can sign in over the first', async () => {
  const browser = new Browser();
  await login(browser);
  const { tokens } = await login(browser, { prompt: 'login' }, 'bob');
  assert.equal(claimsOf(tokens.id_token).name, 'Bob Baker');
});

test('a refresh rotates, keeps the user and the session, and takes the resource again', async () => {
  const { tokens, nonce } = await login(new Browser(), { resource });
  const [renewed, again] = [await refreshed(tokens, { resource }), await refreshed(tokens)];
  assert.notEqual(renewed.refresh_token, tokens.refresh_token);
  assert.deepEqual([renewed.scope, renewed.expires_in], ['orders:read', 300]);
  const [first, second] = [tokens, renewed].map(({ id_token }) => claimsOf(id_token));
  for (const claim of ['sub', 'aud', 'iss', 'sid']) assert.equal(second[claim], first[claim], claim);
  assert.equal(second.nonce, nonce);
  assert.equal((await bearer('/orders', renewed.access_token)).status, 200);
  // Presented twice.
  assert.equal(again.error, 'invalid_grant');

  const other = await login(new Browser(), { resource });
  assert.equal((await refreshed(other.tokens, { resource: 'http://localhost:1/' })).error, 'invalid_target');
});

test('lifetimes may be a few seconds, and go on from one refresh to the next', async () => {
  const [providerPort, apiPort] = await freePorts(2);
  const short = run({
    TOKENKEEP_PROVIDER_PORT: providerPort,
    TOKENKEEP_API_PORT: apiPort,
    TOKENKEEP_ACCESS_TOKEN_TTL: 2,
    TOKENKEEP_REFRESH_TOKEN_TTL: 6,
  });
  const before = [issuer, api, resource];
  try {
    await short.printed('tokenkeep demo: ');
    [issuer, api, resource] = [`http://localhost:${providerPort}`, `http://localhost:${apiPort}`, `http://localhost:${apiPort}/`];
    let { tokens } = await login(new Browser(), { resource });
    const end = Date.now() + 6000;
    for (let count = 0; count < 2; count += 1) {
      assert.equal(tokens.expires_in, 2);
      assert.equal((await bearer('/me', tokens.access_token)).status, 200);
      await pause(2100);
      assert.equal((await bearer('/me', tokens.access_token)).status, 401);
      tokens = await refreshed(tokens);
    }
    await pause(end + 1000 - Date.now());
    assert.equal((await refreshed(tokens)).error, 'invalid_grant', 'a rotated token outlives the first of its line');
  } finally {
    [issuer, api, resource] = before;
    await short.end();
  }
});

test('a refresh token that is presented again ends the whole grant', async () => {
  const browser = new Browser();
  const { tokens } = await login(browser, { resource });
  const sibling = (await login(browser, { resource })).tokens;
  const stranger = (await login(new Browser(), { resource })).tokens;
  const renewed = await refreshed(tokens);
  assert.equal((await refreshed(tokens)).error, 'invalid_grant');
  assert.equal((await refreshed(renewed)).error, 'invalid_grant', 'what came for it');
  assert.equal((await refreshed(sibling)).error, 'invalid_grant', 'what another sign-in of the same browser got');
  assert.ok((await refreshed(stranger)).access_token, 'what another browser got');
  // The API asks nobody.
  assert.equal((await bearer('/me', renewed.access_token)).status, 200);
  // The user is still signed in at the provider, and is asked again what the app may do.
  assert.equal((await authorize(browser, { resource, prompt: 'none' })).callback.get('error'), 'consent_required');
});

test('a revoked refresh token ends the grant, and an unknown one is no error', async () => {
  const browser = new Browser();
  const { tokens } = await login(browser);
  const revoke = (token) => post('/token/revocation', { token, token_type_hint: 'refresh_token' }, { Origin: APP });
  for (const token of [tokens.refresh_token, tokens.refresh_token, 'unknown']) {
    const revoked = await revoke(token);
    assert.deepEqual([revoked.status, revoked.headers.get('access-control-allow-origin')], [200, APP]);
  }
  assert.equal((await refreshed(tokens)).error, 'invalid_grant');
  assert.equal((await authorize(browser, { prompt: 'none' })).callback.get('error'), 'consent_required');
});

test('prompt=none answers by redirect alone, so that it works in a frame', async () => {
  const browser = new Browser();
  const stranger = authorizationUrl({ resource, prompt: 'none' });
  const { tokens } = await login(browser, { resource });
  for (const [who, expected] of [[new Browser(), 'error'], [browser, 'code']]) {
    const { url, state } = who === browser ? authorizationUrl({ resource, prompt: 'none' }) : stranger;
    const { response } = await who.step(url);
    const location = new URL(response.headers.get('location'));
    assert.equal(response.status, 303);
    assert.equal(location.origin + location.pathname, `${APP}/callback`);
    assert.ok(location.searchParams.has(expected));
    assert.deepEqual([location.searchParams.get('state'), location.searchParams.get('iss')], [state, issuer]);
    assert.equal(response.headers.get('x-frame-options'), null);
    assert.equal(response.headers.get('content-security-policy'), null);
  }
  // It leaves what is there alone.
  assert.ok((await refreshed(tokens)).access_token);
});

test('whoever only looks whether anybody is there gets an answer without anything in it', async () => {
  for (const path of ['/auth', '/session/end', '/token', '/token/revocation']) {
    const response = await fetch(issuer + path, { method: 'HEAD', headers: { Origin: APP } });
    assert.deepEqual([response.status, response.headers.getSetCookie()], [204, []], path);
  }
  const metadata = await fetch(`${issuer}/.well-known/openid-configuration`, { method: 'HEAD' });
  assert.equal(metadata.status, 200);
});

test('a sign-out asked for by the app sends itself and comes back with state', async () => {
  const browser = new Browser();
  const { tokens } = await login(browser);
  const query = new URLSearchParams({ client_id: CLIENT, post_logout_redirect_uri: `${APP}/`, state: 'back' });
  const page = await browser.open(`${issuer}/session/end?${query}`);
  const [, nonce] = /<script nonce="([^"]+)">document.getElementById\('sign-out'\).click\(\);<\/script>/.exec(page.body);
  assert.ok(page.csp.includes(`script-src 'nonce-${nonce}'`));
  const end = await browser.submit(page, { xsrf: /name="xsrf" value="([^"]+)"/.exec(page.body)[1], logout: 'yes' });
  assert.equal(end.url, `${APP}/?state=back`);
  assert.equal((await authorize(browser, { prompt: 'none' })).callback.get('error'), 'login_required');
  // A refresh token outlives that: an app revokes it first.
  assert.ok((await refreshed(tokens)).access_token);
  // Whoever is signed out already comes back, too.
  const again = await browser.open(`${issuer}/session/end?${query}`);
  const fields = [...again.body.matchAll(/name="(\w+)" value="([^"]+)"/g)].map(([, name, value]) => [name, value]);
  assert.equal((await browser.submit(again, fields)).url, `${APP}/?state=back`);
});

test('a sign-out that nobody can be named for asks first', async () => {
  const browser = new Browser();
  await login(browser);
  const page = await browser.open(`${issuer}/session/end`);
  assert.match(page.body, /Sign out\?/);
  assert.doesNotMatch(page.body, /<script/);
});

test('the page of a finished sign-in says so', async () => {
  const page = await new Browser().open(`${issuer}/interaction/gone`);
  assert.deepEqual([page.status, /This page has expired/.test(page.body)], [400, true]);
});

test('a taken port ends the start, and the message names its variable', async () => {
  const [free] = await freePorts(1);
  for (const [ports, message] of [
    [[new URL(issuer).port, free], `port ${new URL(issuer).port} is taken: free it, or set TOKENKEEP_PROVIDER_PORT to another one`],
    [[free, new URL(api).port], `port ${new URL(api).port} is taken: free it, or set TOKENKEEP_API_PORT to another one`],
  ]) {
    const second = run({ TOKENKEEP_PROVIDER_PORT: ports[0], TOKENKEEP_API_PORT: ports[1] });
    assert.equal(await second.exit, 1);
    assert.ok(second.stderr.includes(`tokenkeep demo: ${message}\n`), second.stderr);
    assert.equal(second.stdout, '');
  }
});

test('an unusable environment ends the start, and the message names the variable', async () => {
  for (const [name, value] of [
    ['TOKENKEEP_PROVIDER_PORT', '70000'],
    ['TOKENKEEP_ACCESS_TOKEN_TTL', 'soon'],
    ['TOKENKEEP_APP_ORIGINS', 'http://127.0.0.1:8080/app'],
    ['TOKENKEEP_ISSUER', 'localhost'],
    ['TOKENKEEP_API_ORIGIN', 'http://localhost:9500/'],
  ]) {
    const refused = run({ [name]: value });
    assert.equal(await refused.exit, 1);
    assert.match(refused.stderr, new RegExp(`tokenkeep demo: ${name} must .*${JSON.stringify(value)}\n`));
  }
});

test('the server ends with the process that it is tied to, and at SIGTERM', async () => {
  const tied = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  for (const [endWith, end] of [
    [tied.pid, () => tied.kill()],
    [process.pid, (other) => other.child.kill('SIGTERM')],
  ]) {
    const [providerPort, apiPort] = await freePorts(2);
    const other = run({
      TOKENKEEP_PROVIDER_PORT: providerPort,
      TOKENKEEP_API_PORT: apiPort,
      TOKENKEEP_END_WITH: endWith,
    });
    await other.printed('tokenkeep demo: ');
    end(other);
    assert.equal(await other.exit, 0);
  }
});

test('start.js starts the server once, and says so once', async () => {
  const [providerPort, apiPort] = await freePorts(2);
  const ports = { TOKENKEEP_PROVIDER_PORT: providerPort, TOKENKEEP_API_PORT: apiPort };
  const started = `tokenkeep demo: provider http://localhost:${providerPort}, API http://localhost:${apiPort}, app ${APPS}\n`;
  for (const [additions, stdout] of [[{ TOKENKEEP_NO_PROVIDER: '1' }, ''], [{}, started], [{}, '']]) {
    const hook = run({ ...ports, ...additions }, 'start.js');
    assert.equal(await hook.exit, 0, hook.stderr);
    assert.deepEqual([hook.stdout, hook.stderr], [stdout, '']);
  }

  const [otherPort] = await freePorts(1);
  const blocked = run({ ...ports, TOKENKEEP_API_PORT: otherPort }, 'start.js');
  assert.equal(await blocked.exit, 1);
  assert.match(blocked.stderr, new RegExp(`port ${providerPort} is taken by something else.* TOKENKEEP_PROVIDER_PORT`));
});

test('an ID token comes with the code, or alone, in the fragment or by a form', async () => {
  for (const response_type of ['code id_token', 'id_token']) {
    for (const response_mode of [undefined, 'fragment', 'form_post']) {
      const { callback, state, nonce, verifier } = await authorize(new Browser(), {
        response_type,
        response_mode,
        ...(response_type === 'id_token' && { scope: 'openid', code_challenge: undefined, code_challenge_method: undefined }),
      });
      const what = `${response_type} by ${response_mode}: ${callback}`;
      assert.equal(callback.get('state'), state, what);
      const claims = await verified(callback.get('id_token'));
      assert.equal(claims.nonce, nonce, what);
      assert.equal(callback.has('code'), response_type.includes('code'), what);
      if (!callback.has('code')) continue;
      const hash = createHash('sha256').update(callback.get('code')).digest().subarray(0, 16).toString('base64url');
      assert.equal(claims.c_hash, hash, what);
      assert.equal((await redeem(callback.get('code'), verifier)).status, 200, what);
    }
  }
  const { callback } = await authorize(new Browser(), { response_type: 'code id_token', response_mode: 'query' });
  assert.equal(callback.get('error'), 'invalid_request', 'never in the query');
});

test('a client that only wants to know who it is gets an ID token and no code', async () => {
  const alone = { client_id: 'tokenkeep-id', scope: 'openid', response_mode: 'form_post', resource: undefined };
  const unproven = { code_challenge: undefined, code_challenge_method: undefined };
  const { callback, nonce } = await authorize(new Browser(), { ...alone, ...unproven, response_type: 'id_token' });
  assert.equal((await verified(callback.get('id_token'), 'tokenkeep-id')).nonce, nonce);
  const refused = await authorize(new Browser(), { ...alone, response_type: 'code' });
  assert.match(refused.callback.get('error_description'), /response_type is not allowed/);
});

test('a form brings a code too, and an error', async () => {
  const browser = new Browser();
  const { callback, state } = await authorize(browser, { response_mode: 'form_post' });
  assert.deepEqual([...callback.keys()].sort(), ['code', 'iss', 'session_state', 'state']);
  assert.deepEqual([callback.get('state'), callback.get('iss')], [state, issuer]);
  const refused = await authorize(new Browser(), { response_mode: 'form_post', prompt: 'none' });
  assert.deepEqual([refused.callback.get('error'), refused.callback.get('state')], ['login_required', refused.state]);
});

test('an answer may be a signed one', async () => {
  const browser = new Browser();
  for (const response_mode of ['jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt']) {
    const { callback, state, verifier } = await authorize(browser, { response_mode });
    assert.deepEqual([...callback.keys()], ['response'], response_mode);
    const claims = await verified(callback.get('response'));
    assert.equal(claims.state, state, response_mode);
    assert.equal((await redeem(claims.code, verifier)).status, 200, response_mode);
  }
});

test('a request may be pushed, by one client must be, and is good once', async () => {
  for (const client_id of [CLIENT, 'tokenkeep-par']) {
    const { url, ...request } = authorizationUrl({ client_id, resource });
    const pushed = await post('/request', Object.fromEntries(new URL(url).searchParams), { Origin: APP });
    assert.deepEqual([pushed.status, pushed.headers.get('access-control-allow-origin')], [201, APP]);
    const { request_uri, expires_in } = await pushed.json();
    assert.equal(expires_in, 60);
    const short = `${issuer}/auth?${new URLSearchParams({ client_id, request_uri })}`;
    const { callback } = await answer(new Browser(), { ...request, url: short });
    assert.equal(callback.get('state'), request.state);
    const fields = { client_id, grant_type: 'authorization_code', code: callback.get('code'), code_verifier: request.verifier };
    const tokens = await (await post('/token', { ...fields, redirect_uri: `${APP}/callback` })).json();
    assert.ok(tokens.refresh_token, 'offline_access was pushed too');
    assert.equal((await bearer('/orders', tokens.access_token)).status, 200);
    assert.match((await new Browser().open(short)).body, /invalid_request_uri/);
  }
  const { callback } = await authorize(new Browser(), { client_id: 'tokenkeep-par' });
  assert.equal(callback.get('error'), 'invalid_request');
  const wrong = await post('/request', Object.fromEntries(new URL(authorizationUrl({ redirect_uri: STRANGER }).url).searchParams));
  assert.deepEqual([wrong.status, (await wrong.json()).error], [400, 'invalid_request']);
});

test('a pushed request may be bound to a key', async () => {
  const device = await Device.make();
  const { url, ...request } = authorizationUrl({ resource });
  await device.post('/request', Object.fromEntries(new URL(url).searchParams));
  const { request_uri } = await (await device.post('/request', Object.fromEntries(new URL(url).searchParams))).json();
  const short = `${issuer}/auth?${new URLSearchParams({ client_id: CLIENT, request_uri })}`;
  const { callback } = await answer(new Browser(), { ...request, url: short });
  const unbound = await redeem(callback.get('code'), request.verifier);
  assert.equal((await unbound.json()).error, 'invalid_grant');
});

test('authorization details are shown, granted and enforced, for one type', async () => {
  const ask = (detail) => ({ resource, scope: 'openid', authorization_details: JSON.stringify([detail]) });
  const one = { type: 'orders', actions: ['read'], identifier: '2026-0164' };
  const browser = new Browser();
  let page = await browser.open(authorizationUrl(ask(one)).url);
  page = await browser.submit(page, { login: 'alice', password: 'alice-password' });
  assert.match(page.body, /<li>read order <code>2026-0164<\/code><\/li>/);

  const { tokens } = await login(new Browser(), ask(one));
  assert.deepEqual(tokens.authorization_details, [one]);
  const { orders } = await (await bearer('/orders', tokens.access_token)).json();
  assert.deepEqual(orders.map(({ id }) => id), ['2026-0164']);

  for (const wrong of [{ ...one, type: 'payments' }, { ...one, actions: ['write'] }, { ...one, more: 1 }]) {
    const { callback } = await authorize(new Browser(), ask(wrong));
    assert.equal(callback.get('error'), 'invalid_authorization_details', JSON.stringify(wrong));
  }

  const { callback, verifier } = await authorize(new Browser(), ask(one));
  const fields = { grant_type: 'authorization_code', code: callback.get('code'), code_verifier: verifier, redirect_uri: `${APP}/callback` };
  const more = await post('/token', { ...fields, resource, authorization_details: JSON.stringify([{ ...one, identifier: '2026-0117' }]) });
  assert.equal((await more.json()).error, 'invalid_authorization_details', 'more than was granted');
});

test('who asks for an account gets a page for it, and is signed in', async () => {
  const browser = new Browser();
  let page = await browser.open(authorizationUrl({ prompt: 'create' }).url);
  assert.match(page.body, /<h1>Create an account<\/h1>/);
  page = await browser.submit(page, { name: 'Carol', login: 'alice', password: 'x' });
  assert.match(page.body, /role="alert">That user name is taken/);
  page = await browser.submit(page, { name: 'Carol', login: 'carol', password: 'carol-password' });
  page = await browser.submit(page, { decision: 'allow' });
  assert.ok(new URL(page.url).searchParams.get('code'));
  const { tokens } = await login(new Browser(), {}, 'carol');
  assert.equal(claimsOf(tokens.id_token).name, 'Carol');
});

test('a television is signed in by its code', async () => {
  const tv = { client_id: 'tokenkeep-tv' };
  const asked = await post('/device/auth', { ...tv, scope: SCOPE, resource }, { Origin: APP });
  assert.deepEqual([asked.status, asked.headers.get('access-control-allow-origin')], [200, APP]);
  const { device_code, user_code, verification_uri, verification_uri_complete, interval, expires_in } = await asked.json();
  assert.deepEqual([interval, expires_in, verification_uri], [5, 600, `${issuer}/device`]);
  assert.match(user_code, /^[A-Z]{4}-[A-Z]{4}$/);
  const poll = async () => (await post('/token', { ...tv, grant_type: DEVICE_CODE, device_code }, { Origin: APP })).json();
  assert.equal((await poll()).error, 'authorization_pending');
  assert.equal((await poll()).error, 'slow_down', 'at once');

  const browser = new Browser();
  let page = await browser.open(verification_uri);
  assert.match(page.body, /<label for="user-code">Code<\/label>/);
  assert.match(page.csp, /^default-src 'none'/);
  const xsrf = () => /name="xsrf" value="(\w+)"/.exec(page.body)[1];
  page = await browser.submit(page, { xsrf: xsrf(), user_code: 'BBBB-BBBB' });
  assert.match(page.body, /role="alert">That code is wrong/);
  page = await browser.submit(page, { xsrf: xsrf(), user_code });
  assert.match(page.body, new RegExp(`<h1>Connect tokenkeep television\\?</h1>[^]*>${user_code}<`));
  page = await browser.submit(page, { xsrf: xsrf(), user_code, confirm: 'yes' });
  page = await browser.submit(page, { login: 'alice', password: 'alice-password' });
  page = await browser.submit(page, { decision: 'allow' });
  assert.match(page.body, /<h1>Connected<\/h1>/);

  const tokens = await poll();
  assert.equal((await bearer('/orders', tokens.access_token)).status, 200);
  assert.equal(claimsOf(tokens.id_token).aud, 'tokenkeep-tv');
  const renewed = await (await post('/token', { ...tv, grant_type: 'refresh_token', refresh_token: tokens.refresh_token })).json();
  assert.ok(renewed.access_token);
  assert.equal((await poll()).error, 'invalid_grant', 'the code was used');

  // The other link has the code in it; and the answer may be no.
  const other = await (await post('/device/auth', { ...tv, scope: 'openid' })).json();
  assert.notEqual(other.user_code, user_code);
  assert.equal(verification_uri_complete, `${issuer}/device?user_code=${user_code}`);
  page = await browser.open(other.verification_uri_complete);
  page = await browser.submit(page, { xsrf: xsrf(), user_code: other.user_code });
  page = await browser.submit(page, { xsrf: xsrf(), user_code: other.user_code, abort: 'yes' });
  assert.match(page.body, /role="alert">You said no/);
  const denied = await post('/token', { ...tv, grant_type: DEVICE_CODE, device_code: other.device_code });
  assert.equal((await denied.json()).error, 'access_denied');

  const stranger = await post('/device/auth', { scope: 'openid' });
  assert.deepEqual([stranger.status, (await stranger.json()).error], [400, 'invalid_request'], 'not every client may');
});

test('a server gets tokens of its own, by each way to prove who it is', async () => {
  const ask = (fields, headers) => post('/token', { grant_type: 'client_credentials', resource, scope: 'orders:read', ...fields }, headers);
  const by = await servers();
  for (const method of SERVER_METHODS) {
    const response = await ask(await by[method].fields(), by[method].headers);
    const tokens = await response.json();
    assert.equal(response.status, 200, `${method}: ${JSON.stringify(tokens)}`);
    assert.deepEqual([tokens.scope, tokens.refresh_token], ['orders:read', undefined]);
    assert.equal(claimsOf(tokens.access_token).sub, by[method].client_id);
    assert.equal((await bearer('/orders', tokens.access_token)).status, 200);
  }

  const publicly = await ask({});
  assert.deepEqual([publicly.status, (await publicly.json()).error], [400, 'invalid_request'], 'a public client');
  const refused = async (...request) => {
    const response = await ask(...request);
    return [response.status, (await response.json()).error];
  };
  const wrong = { Authorization: `Basic ${Buffer.from('tokenkeep-server:wrong').toString('base64')}` };
  const invalid = [401, 'invalid_client'];
  assert.deepEqual(await refused({ client_id: undefined }, wrong), invalid, 'wrong secret');
  assert.deepEqual(await refused({ client_id: 'tokenkeep-server' }), invalid, 'no secret');
  const inForm = { client_id: 'tokenkeep-server', client_secret: 'tokenkeep-server-secret' };
  assert.deepEqual(await refused(inForm), [200, undefined], 'oidc-provider does not tell the two ways of a secret apart');
  assert.deepEqual(await refused({ client_id: 'tokenkeep-server-key', client_secret: 'x' }), invalid, 'a secret instead of a key');
  const fields = await by.private_key_jwt.fields();
  assert.deepEqual(await refused(fields), [200, undefined]);
  assert.deepEqual(await refused(fields), invalid, 'the same assertion again');
  assert.deepEqual(await refused(await by.private_key_jwt.fields({ aud: STRANGER })), invalid, 'for another provider');
});

test('a server can have users too', async () => {
  const { callback, verifier } = await authorize(new Browser(), { client_id: 'tokenkeep-server', resource });
  const fields = { grant_type: 'authorization_code', code: callback.get('code'), code_verifier: verifier, redirect_uri: `${APP}/callback` };
  assert.equal((await (await post('/token', { ...fields, client_id: 'tokenkeep-server' })).json()).error, 'invalid_client');
  const tokens = await (await post('/token', { ...fields, client_id: 'tokenkeep-server' }, BASIC)).json();
  assert.equal(claimsOf(tokens.id_token).aud, 'tokenkeep-server');
  assert.ok(tokens.refresh_token);
});

test('the key of the servers can be had here, by nobody from elsewhere', async () => {
  const response = await fetch(`${issuer}/demo/keys`, { headers: { Origin: STRANGER } });
  assert.deepEqual([response.headers.get('cache-control'), corsOf(response)], ['no-store', {}]);
  assert.ok((await response.json()).keys[0].d);
  const published = await (await fetch(`${issuer}/jwks`)).json();
  assert.ok(published.keys.every(({ d }) => d === undefined));
});

test('an access token can be exchanged for one that may less', async () => {
  const { tokens } = await login(new Browser(), { resource, scope: 'openid orders:read' });
  const exchange = async (fields, headers = { Origin: APP }) => {
    const all = { grant_type: TOKEN_EXCHANGE, subject_token: tokens.access_token, subject_token_type: ACCESS_TOKEN, ...fields };
    const response = await post('/token', all, headers);
    return { status: response.status, cors: response.headers.get('access-control-allow-origin'), ...(await response.json()) };
  };
  const own = await exchange({});
  assert.deepEqual([own.status, own.cors], [200, APP]);
  assert.deepEqual([own.issued_token_type, own.token_type, own.scope], [ACCESS_TOKEN, 'Bearer', 'orders:read']);
  const [before, after] = [tokens.access_token, own.access_token].map(claimsOf);
  assert.deepEqual([after.sub, after.aud, after.client_id, after.act], [before.sub, resource, CLIENT, undefined]);
  assert.ok(after.exp <= before.exp, 'it does not live longer');
  assert.equal((await bearer('/orders', own.access_token)).status, 200);

  // An API hands on what the app sent it, in its own name.
  const server = { client_id: 'tokenkeep-server' };
  const handed = await exchange({ ...server, audience: resource }, BASIC);
  assert.deepEqual(claimsOf(handed.access_token).act, { sub: 'tokenkeep-server' });
  const actor = await (await post('/token', { ...server, grant_type: 'client_credentials', resource }, BASIC)).json();
  const acted = await exchange({ ...server, actor_token: actor.access_token, actor_token_type: ACCESS_TOKEN }, BASIC);
  assert.deepEqual(claimsOf(acted.access_token).act, { sub: 'tokenkeep-server' });

  const opaque = (await login(new Browser(), { scope: 'openid profile email' })).tokens.access_token;
  const less = await exchange({ subject_token: opaque, scope: 'openid email' });
  assert.equal(less.scope, 'openid email');
  const userinfo = await fetch(`${issuer}/userinfo`, { headers: { Authorization: `Bearer ${less.access_token}` } });
  assert.deepEqual(Object.keys(await userinfo.json()).sort(), ['email', 'email_verified', 'sub']);

  const foreign = await new SignJWT({ ...before, exp: before.exp })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
    .sign((await generateKeyPair('ES256')).privateKey);
  const servers = await exchange({ subject_token: acted.access_token });
  for (const [what, error, fields, headers] of [
    ['a foreign token', 'invalid_request', { subject_token: foreign }],
    ['garbage', 'invalid_request', { subject_token: 'garbage' }],
    ['an ID token', 'invalid_request', { subject_token: tokens.id_token }],
    ['nothing', 'invalid_request', { subject_token: undefined }],
    ['the token of no user', 'invalid_request', { ...server, subject_token: actor.access_token }, BASIC],
    ['more', 'invalid_scope', { scope: 'orders:read orders:write' }],
    ['another target', 'invalid_target', { resource: STRANGER }],
    ['another audience', 'invalid_target', { audience: STRANGER }],
    ['another type', 'invalid_request', { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }],
    ['another type of answer', 'invalid_request', { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['half an actor', 'invalid_request', { actor_token: actor.access_token }],
    ['the actor of another', 'invalid_request', { actor_token: actor.access_token, actor_token_type: ACCESS_TOKEN }],
  ]) {
    assert.equal((await exchange(fields, headers)).error, error, what);
  }
  assert.equal(servers.error, 'invalid_request', 'a public client brings the token of another');

  await post('/token/revocation', { token: less.access_token });
  assert.equal((await exchange({ subject_token: less.access_token })).error, 'invalid_request', 'a revoked one');
});

test('a bound token is exchanged only for who has its key', async () => {
  const device = await Device.make();
  const { access_token } = await device.login({ resource });
  const fields = { grant_type: TOKEN_EXCHANGE, subject_token: access_token, subject_token_type: ACCESS_TOKEN };
  const exchanged = await (await device.post('/token', fields)).json();
  assert.deepEqual([exchanged.token_type, claimsOf(exchanged.access_token).cnf], ['DPoP', { jkt: device.thumbprint }]);
  const thief = await Device.make();
  await thief.post('/token', fields);
  assert.equal((await (await thief.post('/token', fields)).json()).error, 'invalid_request');
  assert.equal((await (await post('/token', fields)).json()).error, 'invalid_request', 'without a proof');
});

test('an assertion that a server signed stands for the user it names, once', async () => {
  const { tokenkeepServer, sign } = await servers();
  const now = Math.floor(Date.now() / 1000);
  const good = () => ({ iss: 'tokenkeep-server', sub: 'user-1001', aud: issuer, jti: randomUUID(), iat: now, exp: now + 60 });
  const ask = async (assertion) => {
    const fields = { ...tokenkeepServer, grant_type: JWT_BEARER, assertion, resource, scope: 'orders:read' };
    const response = await post('/token', fields, BASIC);
    return { status: response.status, ...(await response.json()) };
  };
  const assertion = await sign(good());
  const tokens = await ask(assertion);
  assert.deepEqual([tokens.status, tokens.scope, tokens.refresh_token], [200, 'orders:read', undefined]);
  assert.equal((await (await bearer('/orders', tokens.access_token)).json()).orders.length, 3);
  assert.equal((await ask(assertion)).error, 'invalid_grant', 'again');
  for (const [what, claims] of Object.entries({
    aud: { aud: STRANGER },
    iss: { iss: 'tokenkeep-server-post' },
    'a user who is not': { sub: 'user-1' },
    expired: { exp: now - 1 },
    'for ever': { exp: now + 86400 },
    'without an end': { exp: undefined },
    'without a name': { jti: undefined },
    'without a user': { sub: undefined },
  })) {
    assert.equal((await ask(await sign({ ...good(), ...claims }))).error, 'invalid_grant', what);
  }
  const stranger = (await generateKeyPair('ES256')).privateKey;
  assert.equal((await ask(await sign(good(), stranger))).error, 'invalid_grant', 'another key');
  assert.equal((await ask('garbage')).error, 'invalid_grant');
  assert.equal((await ask(undefined)).error, 'invalid_request');
  const publicly = await post('/token', { grant_type: JWT_BEARER, assertion: await sign(good()) });
  assert.equal((await publicly.json()).error, 'invalid_request', 'a public client');
});

test('one server may take passwords', async () => {
  const ask = async (fields, headers = BASIC) => {
    const who = { client_id: 'tokenkeep-server', username: 'alice', password: 'alice-password' };
    return (await post('/token', { ...who, grant_type: 'password', resource, scope: SCOPE, ...fields }, headers)).json();
  };
  const tokens = await ask({});
  assert.equal((await bearer('/orders', tokens.access_token)).status, 200);
  assert.equal((await verified(tokens.id_token, 'tokenkeep-server')).email, 'alice@example.com');
  const refresh = { client_id: 'tokenkeep-server', grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
  const renewed = await (await post('/token', refresh, BASIC)).json();
  assert.equal((await bearer('/orders', renewed.access_token)).status, 200);

  assert.equal((await ask({ password: 'wrong' })).error, 'invalid_grant');
  assert.equal((await ask({ username: undefined })).error, 'invalid_request');
  assert.equal((await ask({ client_id: CLIENT }, {})).error, 'invalid_request', 'a public client');
  const another = { client_id: 'tokenkeep-server-post', client_secret: 'tokenkeep-server-post-secret' };
  assert.equal((await ask(another, {})).error, 'invalid_request', 'another server');
});

test('pushed requests can be demanded of all, and devices told to ask oftener', async () => {
  const [providerPort, apiPort] = await freePorts(2);
  const other = run({
    TOKENKEEP_PROVIDER_PORT: providerPort,
    TOKENKEEP_API_PORT: apiPort,
    TOKENKEEP_REQUIRE_PAR: '1',
    TOKENKEEP_DEVICE_INTERVAL: '1',
    TOKENKEEP_DEVICE_CODE_TTL: '90',
  });
  const before = issuer;
  try {
    await other.printed('tokenkeep demo: ');
    issuer = `http://localhost:${providerPort}`;
    const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
    assert.equal(metadata.require_pushed_authorization_requests, true);
    assert.equal((await authorize(new Browser())).callback.get('error'), 'invalid_request');
    const { interval, expires_in } = await (await post('/device/auth', { client_id: 'tokenkeep-tv' })).json();
    assert.deepEqual([interval, expires_in], [1, 90]);
  } finally {
    issuer = before;
    await other.end();
  }
});

test('the backend for the flows of servers answers the app only, and says what it lacks', async () => {
  const run = (url, headers, method = 'POST') => fetch(url, { method, headers });
  for (const headers of [{}, { Origin: STRANGER }]) {
    const response = await run(`${api}/flows/password`, headers);
    assert.deepEqual([response.status, response.headers.get('access-control-allow-origin')], [403, null]);
  }
  assert.equal((await run(`${api}/flows/token-exchange`, { Origin: APP })).status, 401);
  assert.equal((await run(`${api}/flows/constructor`, { Origin: APP })).status, 404);
  assert.equal((await run(`${api}/flows/code/begin?run=0123456789abcdef&from=${STRANGER}`, {}, 'GET')).status, 400);
  assert.equal((await run(`${api}/flows/code/callback?code=c&state=s`, {}, 'GET')).status, 400);

  const missing = () => Promise.reject(Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' }));
  const backend = createBackend({ issuer, resource, appOrigins: [APP] }, missing);
  const local = createApi({ issuer, resource, appOrigins: [APP] }, undefined, undefined, backend).listen(0, '127.0.0.1');
  await once(local, 'listening');
  try {
    const response = await run(`http://127.0.0.1:${local.address().port}/flows/password`, { Origin: APP });
    assert.equal(response.status, 503);
    assert.match((await response.json()).message, /cargo xtask npm/);
  } finally {
    local.close();
  }
});

/** As much of a browser as signing in needs: cookies, redirects, forms. Stops where a redirect leads out to the app. */
class Browser {
  #cookies = new Map();

  async open(url, init = {}) {
    for (;;) {
      if (new URL(url).origin === APP) return { url, posted: init.body };
      const { response, body } = await this.step(url, init);
      const location = response.headers.get('location');
      if (!location) return { url, body, status: response.status, csp: response.headers.get('content-security-policy') };
      url = new URL(location, url).href;
      init = {};
    }
  }

  /** One request to the provider, and no further. */
  async step(url, init = {}) {
    const { origin, pathname } = new URL(url);
    assert.equal(origin, issuer);
    const cookies = [...this.#cookies].filter(([, { path }]) => pathname.startsWith(path));
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { Accept: 'text/html', Cookie: cookies.map(([name, { value }]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
    return { response, body: await response.text() };
  }

  /** Sends the first form of a page with these fields. */
  submit(page, fields) {
    const action = /<form[^>]* action="([^"]+)"/.exec(page.body)?.[1] ?? page.url;
    return this.open(new URL(action, page.url).href, { method: 'POST', body: new URLSearchParams(fields) });
  }

  #keep(cookie) {
    const [pair, ...attributes] = cookie.split('; ');
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    const value = pair.slice(at + 1);
    // A script reads this one: that of the frame that is asked whether the session is as it was.
    const isRead = name === 'tokenkeep_session_state';
    assert.ok(attributes.includes('httponly') !== isRead && attributes.includes('samesite=lax'), cookie);
    const path = attributes.find((text) => text.startsWith('path='))?.slice(5) ?? '/';
    if (value) this.#cookies.set(name, { value, path });
    else this.#cookies.delete(name);
  }
}

/** Who has a key, and makes proofs with it. */
class Device {
  /** The latest one of the provider. */
  nonce;

  static async make() {
    const device = new Device();
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    device.key = privateKey;
    device.jwk = await exportJWK(publicKey);
    device.thumbprint = await calculateJwkThumbprint(device.jwk);
    return device;
  }

  proof(htm, htu, { token, ...claims } = {}, header = {}) {
    const iat = Math.floor(Date.now() / 1000);
    const ath = token && createHash('sha256').update(token).digest('base64url');
    return new SignJWT({ jti: randomUUID(), htm, htu, iat, ath, ...claims })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk, ...header })
      .sign(this.key);
  }

  /** Sends a form to the provider, with a proof that has the nonce that was last heard. */
  async post(path, fields) {
    const response = await post(path, fields, { Origin: APP, DPoP: await this.proof('POST', issuer + path, { nonce: this.nonce }) });
    this.nonce = response.headers.get('dpop-nonce') ?? this.nonce;
    return response;
  }

  async login(changes) {
    const { callback, verifier } = await authorize(new Browser(), changes);
    const fields = { grant_type: 'authorization_code', code: callback.get('code'), code_verifier: verifier, redirect_uri: `${APP}/callback` };
    await this.post('/token', fields);
    const response = await this.post('/token', fields);
    assert.equal(response.status, 200);
    return response.json();
  }
}

function authorizationUrl(changes = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const [state, nonce] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
  const parameters = {
    client_id: CLIENT,
    response_type: 'code',
    redirect_uri: `${APP}/callback`,
    scope: SCOPE,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...changes,
  };
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined));
  return { url: `${issuer}/auth?${query}`, verifier, state, nonce };
}

/** Sends the user to the provider, answers its questions as `steps` say, and returns what the app is called back with. */
async function authorize(browser, changes = {}, steps = ['login', 'allow'], user = 'alice') {
  return answer(browser, authorizationUrl(changes), steps, user);
}

async function answer(browser, request, steps = ['login', 'allow'], user = 'alice') {
  let page = await browser.open(request.url);
  const answers = [...steps];
  while (page.body) {
    if (/<form method="post" action=/.test(page.body)) {
      // oidc-provider ends the session of one user before it begins that of another.
      const fields = [...page.body.matchAll(/name="(\w+)" value="([^"]+)"/g)].map(([, name, value]) => [name, value]);
      page = await browser.submit(page, fields);
    } else if (/name="code"/.test(page.body)) {
      page = await browser.submit(page, answers.includes('no code') ? { decision: 'deny' } : { code: '246810' });
    } else if (/name="password"/.test(page.body)) {
      const answer = answers.shift();
      page = await browser.submit(page, answer === 'deny' ? { decision: 'deny' } : { login: user, password: `${user}-password` });
    } else {
      assert.match(page.body, /value="allow"/);
      page = await browser.submit(page, { decision: answers.pop() });
    }
  }
  const { hash, searchParams } = new URL(page.url);
  return { ...request, callback: page.posted ?? (hash ? new URLSearchParams(hash.slice(1)) : searchParams) };
}

async function login(browser, changes, user) {
  const request = await authorize(browser, changes, undefined, user);
  assert.equal(request.callback.get('state'), request.state);
  assert.equal(request.callback.get('iss'), issuer);
  const response = await redeem(request.callback.get('code'), request.verifier);
  const tokens = await response.json();
  assert.equal(response.status, 200, JSON.stringify(tokens));
  return { ...request, tokens };
}

const redeem = (code, code_verifier) =>
  post('/token', { grant_type: 'authorization_code', code, code_verifier, redirect_uri: `${APP}/callback` });

const refreshed = async ({ refresh_token }, more) =>
  (await post('/token', { grant_type: 'refresh_token', refresh_token, ...more })).json();

const post = (path, fields, headers) =>
  fetch(issuer + path, { method: 'POST', headers, body: formOf({ client_id: CLIENT, ...fields }) });

/** Fields that are undefined are left out. */
const formOf = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== undefined));

const bearer = (path, token) => fetch(api + path, { headers: { Authorization: `Bearer ${token}`, Origin: APP } });

/** What a token of the provider says, if it is one and is for the client. */
async function verified(token, audience = CLIENT) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  return (await jwtVerify(token, keys, { issuer, audience, algorithms: ['RS256'] })).payload;
}

/** What each server sends to prove who it is, and how they sign. */
async function servers() {
  const [jwk] = (await (await fetch(`${issuer}/demo/keys`)).json()).keys;
  const key = await importJWK(jwk, 'ES256');
  const sign = (claims, by = key) => new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: jwk.kid }).sign(by);
  const client_id = 'tokenkeep-server-key';
  const fields = async (changes) => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const client_assertion = await sign({ iss: client_id, sub: client_id, aud: issuer, jti: randomUUID(), exp, ...changes });
    return { client_id, client_assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' };
  };
  const [basic, inForm] = [
    { client_id: 'tokenkeep-server' },
    { client_id: 'tokenkeep-server-post', client_secret: 'tokenkeep-server-post-secret' },
  ];
  return {
    tokenkeepServer: basic,
    sign,
    client_secret_basic: { ...basic, fields: () => basic, headers: BASIC },
    client_secret_post: { ...inForm, fields: () => inForm },
    private_key_jwt: { client_id, fields },
  };
}

const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));

const corsOf = ({ headers }) => Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));

/** Starts a script with these additions to the environment. */
function run(additions, script = 'server.js') {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TOKENKEEP_')));
  const child = spawn(process.execPath, [script], { cwd: import.meta.dirname, env: { ...env, ...additions } });
  const running = { child, stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      running[name] += text;
    });
  }
  running.exit = once(child, 'close').then(([code]) => code);
  running.end = () => child.kill() && running.exit;
  running.printed = async (text) => {
    while (!running.stdout.includes(text)) {
      const code = await Promise.race([once(child.stdout, 'data').then(() => undefined), running.exit]);
      assert.equal(code, undefined, running.stderr);
    }
  };
  return running;
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

test('the page of the apps starts each of them, and says who sends', async () => {
  const page = await (await fetch(`${issuer}/`)).text();
  const asked = new URLSearchParams({ iss: issuer, login_hint: 'alice', target_link_uri: `${APP}/profile` }).toString();
  assert.ok(page.includes(`href="${APP}/initiate?${asked.replaceAll('&', '&#38;')}"`), page);
});

test('a response says what the provider remembers of the session, for the origin that asked', async () => {
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  assert.equal(metadata.check_session_iframe, `${issuer}/session/check`);
  const frame = await fetch(metadata.check_session_iframe);
  assert.match(frame.headers.get('content-security-policy'), new RegExp(`frame-ancestors ${APP} http://localhost:8080$`));

  const browser = new Browser();
  const states = [];
  for (const steps of [undefined, []]) {
    const { callback } = await authorize(browser, {}, steps);
    states.push(callback.get('session_state'));
  }
  assert.match(states[0], /^[\w-]{43}\.[\w-]{16}$/);
  assert.notEqual(states[0], states[1], 'salted anew');
});
