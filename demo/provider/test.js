// The provider and the API from outside, as a browser with an app meets them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { SignJWT, calculateJwkThumbprint, createLocalJWKSet, createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';

import { createApi } from './api.js';

const APP = 'http://127.0.0.1:8080';
const APPS = `${APP} or http://localhost:8080`;
const STRANGER = 'http://127.0.0.1:6666';
const CLIENT = 'tokenkeep-demo';
const SCOPE = 'openid profile email offline_access orders:read';

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
  assert.deepEqual(metadata.response_types_supported, ['code']);
  assert.ok(metadata.dpop_signing_alg_values_supported.includes('ES256'));
  assert.equal(metadata.introspection_endpoint, undefined);
  for (const name of ['token', 'userinfo', 'revocation', 'end_session']) assert.ok(metadata[`${name}_endpoint`], name);
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
    'access-control-allow-headers': 'Authorization, DPoP',
    'access-control-allow-methods': 'GET',
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
  for (const path of ['/token', '/userinfo', '/token/revocation']) {
    assert.deepEqual(corsOf(await fetch(issuer + path, preflight)), {}, path);
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
    TOKENKEEP_ACCESS_TOKEN_TTL: 1,
    TOKENKEEP_REFRESH_TOKEN_TTL: 3,
  });
  const before = [issuer, api, resource];
  try {
    await short.printed('tokenkeep demo: ');
    [issuer, api, resource] = [`http://localhost:${providerPort}`, `http://localhost:${apiPort}`, `http://localhost:${apiPort}/`];
    let { tokens } = await login(new Browser(), { resource });
    const end = Date.now() + 3000;
    for (let count = 0; count < 2; count += 1) {
      assert.equal(tokens.expires_in, 1);
      assert.equal((await bearer('/me', tokens.access_token)).status, 200);
      await pause(1100);
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

/** As much of a browser as signing in needs: cookies, redirects, forms. Stops where a redirect leads out to the app. */
class Browser {
  #cookies = new Map();

  async open(url, init = {}) {
    for (;;) {
      if (new URL(url).origin === APP) return { url };
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
    assert.ok(attributes.includes('httponly') && attributes.includes('samesite=lax'), cookie);
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
  const request = authorizationUrl(changes);
  let page = await browser.open(request.url);
  const answers = [...steps];
  while (page.body) {
    if (/<form method="post" action=/.test(page.body)) {
      // oidc-provider ends the session of one user before it begins that of another.
      const fields = [...page.body.matchAll(/name="(\w+)" value="([^"]+)"/g)].map(([, name, value]) => [name, value]);
      page = await browser.submit(page, fields);
    } else if (/name="password"/.test(page.body)) {
      const answer = answers.shift();
      page = await browser.submit(page, answer === 'deny' ? { decision: 'deny' } : { login: user, password: `${user}-password` });
    } else {
      assert.match(page.body, /value="allow"/);
      page = await browser.submit(page, { decision: answers.pop() });
    }
  }
  return { ...request, callback: new URL(page.url).searchParams };
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
  fetch(issuer + path, { method: 'POST', headers, body: new URLSearchParams({ client_id: CLIENT, ...fields }) });

const bearer = (path, token) => fetch(api + path, { headers: { Authorization: `Bearer ${token}`, Origin: APP } });

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
