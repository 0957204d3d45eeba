// A server that keeps a secret, in Node, at the demo's provider; and that it refuses in a page.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { webcrypto } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { inspect, promisify } from "node:util";

import * as confidential from "tokenkeep/confidential";

import { openChromium } from "./lib/chromium.js";
import { answerProvider, startDemo } from "./lib/demo.js";
import { PACKAGE, listen, serve } from "./lib/site.js";

const { AuthError, open } = confidential;
const run = promisify(execFile);

const site = await serve({ answers: { "*": "<!doctype html><title>app</title>" }, files: { "/tokenkeep/": PACKAGE } });
const demo = await startDemo(site.origin);
const browser = await openChromium();
const [jwk] = (await (await fetch(`${demo.issuer}/demo/keys`)).json()).keys;

const common = { issuer: demo.issuer, redirectUri: `${site.origin}/callback`, resource: demo.api };
const SCOPES = "openid profile email offline_access orders:read";
const basic = { ...common, clientId: "tokenkeep-server", clientSecret: "tokenkeep-server-secret", scopes: SCOPES };
const cryptoKey = () => webcrypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);

const CLIENTS = {
  client_secret_basic: async () => basic,
  client_secret_post: async () => ({
    ...basic,
    clientId: "tokenkeep-server-post",
    clientSecret: "tokenkeep-server-post-secret",
    authentication: "client_secret_post",
  }),
  "private_key_jwt with a JWK": async () => ({ ...common, clientId: "tokenkeep-server-key", privateKey: jwk, scopes: SCOPES }),
  "private_key_jwt with a CryptoKey": async () => ({
    ...common,
    clientId: "tokenkeep-server-key",
    privateKey: await cryptoKey(),
    keyId: jwk.kid,
    authentication: "private_key_jwt",
    assertionAudience: "token_endpoint",
    scopes: SCOPES,
  }),
};

/** Where the browser of a user who signs in comes back to. */
async function signIn(url, login = "alice") {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  await answerProvider(page, login);
  await page.waitForURL(`${site.origin}/callback?*`);
  const callback = page.url();
  await page.context().close();
  return callback;
}

const me = (token) => fetch(`${demo.api}me`, { headers: { Authorization: `Bearer ${token}` } });

/** What a promise is rejected with. */
async function rejected(promise) {
  const error = await promise.then(
    (value) => assert.fail(`not rejected: ${inspect(value)}`),
    (error) => error,
  );
  assert.ok(error instanceof AuthError, inspect(error));
  return error;
}

test("it has two exports", () => {
  assert.deepEqual(Object.keys(confidential).sort(), ["AuthError", "open"]);
});

for (const [how, options] of Object.entries(CLIENTS)) {
  test(`a user signs in, the server calls, renews and revokes: ${how}`, async () => {
    const client = await open(await options());
    const { url, pending } = await client.authorize({ returnTo: "/orders?open=1", prompt: "login" });
    const callback = await signIn(url);
    const signedIn = await client.redeem(callback, pending);
    assert.deepEqual(
      [signedIn.claims.sub, signedIn.claims.name, signedIn.returnTo, signedIn.scopes, signedIn.claims.nonce],
      ["user-1001", "Alice Archer", "/orders?open=1", ["orders:read"], undefined],
    );
    assert.ok(signedIn.expiresAt > Date.now() && signedIn.idToken.split(".").length === 3);
    assert.equal((await me(signedIn.accessToken)).status, 200);

    const { refreshToken, accessToken, claims } = await client.refresh(signedIn.refreshToken, { subject: "user-1001" });
    assert.equal(claims.sub, "user-1001");
    assert.equal((await (await me(accessToken)).json()).sub, "user-1001");
    assert.notEqual(refreshToken, signedIn.refreshToken);

    assert.equal(await client.revoke(refreshToken), undefined);
    const { code, kind, error, retryable } = await rejected(client.refresh(refreshToken));
    assert.deepEqual([code, kind, error, retryable], ["provider", "provider", "invalid_grant", false]);
  });

  test(`the server has a token of its own, once for all who ask: ${how}`, async () => {
    const client = await open(await options());
    const target = { scopes: ["orders:read"], resource: demo.api };
    const tokens = await Promise.all(Array.from({ length: 5 }, () => client.clientCredentials(target)));
    const [{ accessToken, scopes, expiresAt }] = tokens;
    assert.equal(new Set(tokens.map((token) => token.accessToken)).size, 1);
    assert.deepEqual([scopes, expiresAt > Date.now()], [["orders:read"], true]);
    assert.equal((await me(accessToken)).status, 200);
    assert.equal((await client.clientCredentials(target)).accessToken, accessToken);
    const fresh = await Promise.all(Array.from({ length: 3 }, () => client.clientCredentials({ ...target, refused: accessToken })));
    assert.equal(new Set(fresh.map((token) => token.accessToken)).size, 1);
    assert.notEqual(fresh[0].accessToken, accessToken);
    assert.equal((await client.clientCredentials(target)).accessToken, fresh[0].accessToken);
  });
}

test("a response that is no answer to this sign-in is refused, and a code is good once", async () => {
  const client = await open(basic);
  const [one, other] = [await client.authorize(), await client.authorize()];
  const callback = await signIn(one.url);
  const { pathname, search } = new URL(callback);
  assert.equal((await rejected(client.redeem(callback, other.pending))).code, "state_unknown");
  assert.equal((await rejected(client.redeem(callback, "{}"))).code, "state_unknown");
  assert.equal((await rejected(client.redeem(`${site.origin}/callback`, one.pending))).code, "code_missing");
  assert.equal((await rejected(client.redeem(`${site.origin}/elsewhere${search}`, one.pending))).code, "redirect_uri_mismatch");
  const changed = callback.replace(encodeURIComponent(demo.issuer), encodeURIComponent("https://evil.example"));
  assert.equal((await rejected(client.redeem(changed, one.pending))).code, "issuer_mismatch");
  const mixed = await open({ ...basic, clientId: "tokenkeep-server-post" });
  assert.equal((await rejected(mixed.redeem(callback, one.pending))).code, "state_unknown");
  // As Node's request has it.
  assert.equal((await client.redeem(pathname + search, one.pending)).claims.sub, "user-1001");
  assert.equal((await rejected(client.redeem(callback, one.pending))).error, "invalid_grant");
});

test("a token is exchanged, an assertion redeemed, and a password, where nothing else is to be had", async () => {
  const client = await open(basic);
  const target = { scopes: "orders:read", resource: demo.api };
  const byPassword = await client.password("bob", "bob-password", target);
  assert.deepEqual((await (await me(byPassword.accessToken)).json()).sub, "user-1002");
  assert.equal((await rejected(client.password("bob", "wrong", target))).error, "invalid_grant");
  const withIdToken = await client.password("bob", "bob-password", { scopes: ["openid", "profile"] });
  assert.equal(withIdToken.claims.sub, "user-1002");

  const actor = await client.clientCredentials(target);
  const options = { subjectToken: byPassword.accessToken, actorToken: actor.accessToken, ...target };
  const exchanged = await client.exchange(options);
  assert.deepEqual([exchanged.kind, exchanged.issuedTokenType], ["access_token", "urn:ietf:params:oauth:token-type:access_token"]);
  assert.equal((await (await me(exchanged.accessToken)).json()).sub, "user-1002");
  assert.equal((await rejected(client.exchange({ ...options, subjectToken: "of nobody" }))).error, "invalid_request");
  assert.equal((await rejected(client.exchange({ ...options, audience: "elsewhere" }))).error, "invalid_target");

  const seconds = Math.floor(Date.now() / 1000);
  const times = { iat: seconds, exp: seconds + 60 };
  const claims = { iss: "tokenkeep-server", sub: "user-1001", aud: demo.issuer, ...times, jti: webcrypto.randomUUID() };
  const input = [{ alg: "ES256", kid: jwk.kid }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = await webcrypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, await cryptoKey(), Buffer.from(input));
  const assertion = `${input}.${Buffer.from(signature).toString("base64url")}`;
  const tokens = await client.jwtBearer(assertion, target);
  assert.equal((await (await me(tokens.accessToken)).json()).sub, "user-1001");
  assert.equal((await rejected(client.jwtBearer(assertion, target))).error, "invalid_grant");
});

test("who is not who it says is refused, and no error has a secret", async () => {
  const secret = "not-the-secret-of-this-server";
  const stranger = await open({ ...basic, clientSecret: secret });
  const { privateKey } = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const forger = await open({ ...common, clientId: "tokenkeep-server-key", privateKey, keyId: jwk.kid });
  for (const client of [stranger, forger]) {
    const error = await rejected(client.clientCredentials());
    assert.deepEqual([error.kind, error.error], ["provider", "invalid_client"]);
    assert.ok(!inspect([client, error], { depth: 9, showHidden: true }).includes(secret));
  }
});

test("keys that sign are taken in every form, and others are refused", async () => {
  const make = (algorithm) => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
  const pairs = {
    ES256: await make({ name: "ECDSA", namedCurve: "P-256" }),
    ES384: await make({ name: "ECDSA", namedCurve: "P-384" }),
    EdDSA: await make({ name: "Ed25519" }),
    PS256: await make({ name: "RSA-PSS", ...rsa }),
    RS256: await make({ name: "RSASSA-PKCS1-v1_5", ...rsa }),
  };
  const verifying = { ES256: { name: "ECDSA", hash: "SHA-256" }, ES384: { name: "ECDSA", hash: "SHA-384" } };
  const heard = [];
  const port = await provider(async (request, body) => {
    heard.push(new URLSearchParams(body));
    return [200, { access_token: "xyz", token_type: "Bearer" }];
  });
  const server = { issuer: `http://localhost:${port}`, clientId: "x" };
  for (const [alg, { privateKey, publicKey }] of Object.entries(pairs)) {
    for (const key of [privateKey, { ...(await webcrypto.subtle.exportKey("jwk", privateKey)), kid: "one" }]) {
      const client = await open({ ...server, privateKey: key });
      assert.equal((await client.clientCredentials()).accessToken, "xyz");
      const sent = heard.pop();
      assert.equal(sent.get("client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
      const [head, claims, signature] = sent.get("client_assertion").split(".");
      const read = (part) => JSON.parse(Buffer.from(part, "base64url"));
      const kid = key === privateKey ? {} : { kid: "one" };
      assert.deepEqual(read(head), { typ: "client-authentication+jwt", alg, ...kid });
      const { iss, sub, aud, iat, exp, jti } = read(claims);
      assert.deepEqual([iss, sub, aud, exp - iat, typeof jti], ["x", "x", server.issuer, 60, "string"]);
      const how = verifying[alg] ?? (alg === "PS256" ? { name: "RSA-PSS", saltLength: 32 } : publicKey.algorithm);
      assert.ok(await webcrypto.subtle.verify(how, publicKey, Buffer.from(signature, "base64url"), Buffer.from(`${head}.${claims}`)));
    }
  }
  const { d, ...halved } = jwk;
  const { alg, ...nameless } = await webcrypto.subtle.exportKey("jwk", pairs.RS256.privateKey);
  for (const privateKey of [pairs.ES256.publicKey, halved, nameless, {}, { ...jwk, alg: "none" }, { ...jwk, alg: "HS256" }]) {
    assert.equal((await rejected(open({ ...server, privateKey }))).code, "client_key_unusable");
  }
  assert.ok(d.length > 0 && alg === "RS256");
});

test("options that cannot work are named", async () => {
  const { clientSecret, ...nothing } = basic;
  for (const [options, code, option] of [
    [undefined, "option_missing", "issuer"],
    [{ ...basic, clientID: "x" }, "option_unknown", "clientID"],
    [{ ...basic, clientSecret: 5 }, "option_type", "clientSecret"],
    [{ ...basic, privateKey: "PEM" }, "option_type", "privateKey"],
    [{ ...basic, redirectUri: "/callback" }, "redirect_uri_malformed"],
    [nothing, "client_authentication_malformed"],
    [{ ...basic, privateKey: jwk }, "client_authentication_malformed"],
    [{ ...basic, authentication: "private_key_jwt" }, "client_authentication_malformed"],
    [{ ...basic, issuer: "http://login.example.com" }, "issuer_malformed"],
  ]) {
    const error = await rejected(open(options));
    assert.deepEqual([error.code, error.kind, error.option], [code, "misconfigured", option], inspect(options));
  }
  assert.match((await rejected(open(nothing))).message, /`clientSecret`.*`client_secret_basic`.*`privateKey`.*`private_key_jwt`/);
  const client = await open(basic);
  for (const [work, code, option] of [
    [() => client.authorize({ promt: "login" }), "option_unknown", "promt"],
    [() => client.clientCredentials({ scope: "a" }), "option_unknown", "scope"],
    [() => client.refresh("x", { audience: "a" }), "option_unknown", "audience"],
    [() => client.refresh(), "option_missing", "refreshToken"],
    [() => client.redeem("/callback?code=x", undefined), "option_missing", "pending"],
    [() => client.exchange({ subjectTokenType: "jwt" }), "option_missing", "subjectToken"],
    [() => client.exchange({ subjectToken: "x", subjectTokenType: "urn:a b" }), "token_type_malformed", undefined],
    [() => client.revoke(5), "option_type", "token"],
    [async () => (await open({ ...basic, redirectUri: undefined })).authorize(), "option_missing", "redirectUri"],
  ]) {
    const error = await rejected(work());
    assert.deepEqual([error.code, error.option], [code, option], error.message);
  }
  assert.ok(clientSecret.length > 0);
});

/** A provider that answers token requests so, on a port of its own. */
async function provider(answer) {
  const server = createServer(async (request, response) => {
    const issuer = `http://localhost:${server.address().port}`;
    let body = "";
    for await (const piece of request) {
      body += piece;
    }
    const metadata = { issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys` };
    const [status, said, headers] = request.method === "GET" ? [200, metadata] : await answer(request, body);
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(said));
  });
  return listen(server);
}

test("a redirect gets no secret, and neither does a second request", async () => {
  const paths = [];
  const port = await provider((request) => {
    paths.push(request.url);
    return [307, {}, { Location: "/elsewhere" }];
  });
  const client = await open({ ...basic, issuer: `http://localhost:${port}` });
  const { code, retryable } = await rejected(client.clientCredentials());
  assert.deepEqual([code, retryable, paths], ["unreachable", true, ["/token"]]);
});

test("an answer that is too large is not read to its end", async () => {
  const port = await provider(() => [200, { access_token: "x".repeat(300_000), token_type: "Bearer" }]);
  const client = await open({ ...basic, issuer: `http://localhost:${port}` });
  assert.equal((await rejected(client.clientCredentials())).code, "bad_response");
});

test("what is no access token is told apart", async () => {
  const saml = "urn:ietf:params:oauth:token-type:saml2";
  const answers = [
    { access_token: "xyz", token_type: "N_A", expires_in: 60, issued_token_type: saml },
    { access_token: "xyz", token_type: "N_A" },
  ];
  const port = await provider(() => [200, answers.shift()]);
  const client = await open({ ...basic, issuer: `http://localhost:${port}` });
  const exchanged = await client.exchange({ subjectToken: "abc", requestedTokenType: "saml2" });
  assert.deepEqual(Object.keys(exchanged).sort(), ["expiresAt", "issuedTokenType", "kind", "token"]);
  assert.deepEqual([exchanged.kind, exchanged.token, exchanged.issuedTokenType], ["other", "xyz", saml]);
  assert.equal((await rejected(client.exchange({ subjectToken: "abc" }))).code, "bad_response");
});

test("the wasm may be handed over in every way, and one that is none is told", async () => {
  const place = new URL("wasm/confidential_bg.wasm", pathToFileURL(`${PACKAGE}/`)).href;
  const read = `(await import("node:fs/promises")).readFile(new URL(${JSON.stringify(place)}))`;
  // Each in a process of its own: the first one is there for all.
  for (const [wasm, outcome] of [
    [JSON.stringify(place), "opened"],
    [`new URL(${JSON.stringify(place)})`, "opened"],
    [`await ${read}`, "opened"],
    [`WebAssembly.compile(await ${read})`, "opened"],
    [`new Uint8Array(8)`, "wasm_unavailable"],
    [`${JSON.stringify(place)} + "x"`, "wasm_unavailable"],
    [`"relative"`, "wasm_unavailable"],
  ]) {
    const program = `
      import { open } from "tokenkeep/confidential";
      const opening = open({ issuer: "https://login.example.com", clientId: "x", clientSecret: "y", wasm: ${wasm} });
      console.log(await opening.then(() => "opened", ({ code }) => code));`;
    const { stdout } = await run(process.execPath, ["--preserve-symlinks", "--input-type=module", "--eval", program], { cwd: import.meta.dirname });
    assert.equal(stdout.trim(), outcome, wasm);
  }
});

test("many who open at once have one wasm", async () => {
  const clients = await Promise.all(Array.from({ length: 4 }, () => open(basic)));
  const tokens = await Promise.all(clients.map((client) => client.clientCredentials({ scopes: "orders:read", resource: demo.api })));
  assert.equal(new Set(tokens.map((token) => token.accessToken)).size, 4);
});

test("in a page it refuses before any request, and so does what is below it", async () => {
  const page = await browser.newPage();
  await page.goto(site.origin);
  const requested = [];
  page.on("request", (request) => requested.push(new URL(request.url()).pathname));
  const told = await page.evaluate(async (options) => {
    const { open } = await import("/tokenkeep/confidential.js");
    return open(options).catch(({ name, code, kind, message }) => ({ name, code, kind, message }));
  }, basic);
  assert.deepEqual([told.name, told.code, told.kind], ["AuthError", "confidential_in_browser", "misconfigured"]);
  assert.deepEqual(requested.sort(), ["/tokenkeep/confidential.js", "/tokenkeep/error.js", "/tokenkeep/options.js"]);
  const below = await page.evaluate(async (options) => {
    const { default: load, open } = await import("/tokenkeep/wasm/confidential.js");
    await load();
    return open(options).catch((error) => JSON.parse(error).code);
  }, JSON.stringify({ issuer: demo.issuer, client_id: "x", client_secret: "y" }));
  assert.equal(below, "confidential_in_browser");
  assert.ok(requested.every((path) => path.startsWith("/tokenkeep/")), requested.join());
  await page.close();
});
