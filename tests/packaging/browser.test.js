// What index.d.ts promises, in a browser. With the keep in a SharedWorker, or where KEEP says.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { open, startApp } from "./lib/app.js";
import { answerProvider } from "./lib/demo.js";
import { GUARD } from "./lib/guard.js";
import { serveHttp2 } from "./lib/http2.js";
import { PACKAGE } from "./lib/site.js";

const { site, demo, visit, signedIn } = await startApp("--ignore-certificate-errors");

/** The app's own API, where every answer is at hand, and tokens that are good for the provider's UserInfo endpoint. */
const keep = process.env.KEEP ?? "shared";
const options = {
  keep: [keep],
  issuer: demo.issuer,
  clientId: "tokenkeep-demo",
  api: `${site.origin}/api/`,
  scopes: "openid profile email offline_access",
};
const guardScript = await readFile(GUARD, "utf8");
const uploads = [];
const secureApi = await serveHttp2(async (request, response) => {
  const body = await read(request);
  if (request.method === "POST") {
    uploads.push({ body, token: request.headers.authorization });
  }
  const refused = request.url === "/refuses" && request.method === "POST";
  response.writeHead(refused ? 401 : 200, {
    "Access-Control-Allow-Origin": site.origin,
    "Access-Control-Allow-Headers": "authorization",
    "Access-Control-Expose-Headers": "www-authenticate",
    ...(refused && { "WWW-Authenticate": 'Bearer error="invalid_token"' }),
  });
  response.end(body);
});
options.api = [options.api, `${secureApi}/`];
const signedOut = await visit();
const page = await signedIn(options);

// Options

test("options that cannot work are refused by name", async () => {
  const told = await signedOut.evaluate(async () => {
    const good = { issuer: "https://login.example.com", clientId: "my-app" };
    const cases = {
      "no options": [undefined],
      null: [null],
      "a text": ["https://login.example.com"],
      "no issuer": [{ clientId: "my-app" }],
      "no clientId": [{ issuer: "https://login.example.com" }],
      "snake case": [{ ...good, redirect_path: "/back" }],
      "snake case of what is needed": [{ issuer: good.issuer, client_id: "my-app" }],
      "another case": [{ ...good, clientID: "my-app" }],
      misspelt: [{ ...good, scope: "openid" }],
      "a secret": [{ ...good, clientSecret: "s3cret" }],
      "a leeway that is too long": [{ ...good, clockLeewaySeconds: 301 }],
      "a redirect to another origin": [{ ...good, redirectUri: "https://elsewhere.example/callback" }],
      "no issuer, but an inherited one": [Object.create({ issuer: good.issuer }, { clientId: { value: "my-app", enumerable: true } })],
      "an API with a typo": [{ ...good, api: [{ url: "https://api.example.com/", scope: "read" }] }],
      "an API with a function": [{ ...good, api: [() => {}] }],
    };
    const told = {};
    for (const [name, [options]] of Object.entries(cases)) {
      const error = await tokenkeep.open(options).then(
        () => undefined,
        (error) => error,
      );
      told[name] = [error?.code, error?.kind, error?.option];
    }
    return told;
  });
  assert.deepEqual(told, {
    "no options": ["option_missing", "misconfigured", "issuer"],
    null: ["option_missing", "misconfigured", "issuer"],
    "a text": ["option_unknown", "misconfigured", "0"],
    "no issuer": ["option_missing", "misconfigured", "issuer"],
    "no clientId": ["option_missing", "misconfigured", "clientId"],
    "snake case": ["option_unknown", "misconfigured", "redirect_path"],
    "snake case of what is needed": ["option_unknown", "misconfigured", "client_id"],
    "another case": ["option_unknown", "misconfigured", "clientID"],
    misspelt: ["option_unknown", "misconfigured", "scope"],
    "a secret": ["client_secret", "misconfigured", undefined],
    "a leeway that is too long": ["leeway_too_long", "misconfigured", undefined],
    "a redirect to another origin": ["redirect_uri_malformed", "misconfigured", undefined],
    "no issuer, but an inherited one": ["option_missing", "misconfigured", "issuer"],
    "an API with a typo": ["option_type", "misconfigured", "api"],
    "an API with a function": ["option_type", "misconfigured", "api"],
  });
});

test("what another entry does is refused by name, and that is said", async () => {
  const told = await signedOut.evaluate(async () => {
    const good = { issuer: "https://login.example.com", clientId: "my-app" };
    const limits = { idleLimitSeconds: 900, idleWarningSeconds: 30, sessionLimitSeconds: 3600 };
    const others = { stepUp: true, popupRedirectPath: "/popup.html", popupRedirectUri: `${location.origin}/popup.html` };
    const told = [];
    for (const [option, value] of Object.entries({ ...limits, ...others })) {
      const error = await tokenkeep.open({ ...good, [option]: value }).catch((error) => error);
      told.push([error.code, error.option === option, error.message.includes("of another entry")]);
    }
    return told;
  });
  assert.deepEqual(told, Array(6).fill(["option_unknown", true, true]));
});

test("every option of a wrong type is refused by name", async () => {
  const told = await signedOut.evaluate(async () => {
    const good = { issuer: "https://login.example.com", clientId: "my-app" };
    const texts = ["issuer", "clientId", "audience", "redirectPath", "redirectUri", "postLogoutRedirectPath", "postLogoutRedirectUri"];
    const lists = ["api", "scopes", "resource", "trustedAudiences"];
    const flags = [
      "oauthOnly",
      "renewByFrame",
      "renewByRedirect",
      "dpop",
      "idTokenHint",
      "dangerousFrontChannelLogoutWithoutSession",
      "finishSignIn",
    ];
    const wrong = [
      ...texts.flatMap((name) => [5, true, null, ["a"], {}, () => "a", Symbol("a"), 5n].map((value) => [name, value])),
      ...lists.flatMap((name) => [5, true, null, [5], [null], {}, () => "a", Symbol("a"), 5n].map((value) => [name, value])),
      ...flags.flatMap((name) => [1, "true", null, {}, () => true, Symbol("a"), 1n].map((value) => [name, value])),
      ...["query ", "web_message", null, 1, () => {}].map((value) => ["responseMode", value]),
      ...["jwt", null, 1, true].map((value) => ["userInfo", value]),
      ...["30", null, NaN, -1, 30n, {}].map((value) => ["clockLeewaySeconds", value]),
      ...[5, true, null, () => {}, Symbol("a")].map((value) => ["wasm", value]),
    ];
    const unexpected = [];
    for (const [name, value] of wrong) {
      const error = await tokenkeep.open({ ...good, [name]: value }).then(
        () => undefined,
        (error) => error,
      );
      if (error?.code !== "option_type" || error.option !== name) {
        unexpected.push(`${name}: ${String(value)}: ${error}`);
      }
    }
    return { number: wrong.length, unexpected };
  });
  assert.deepEqual(told, { number: 161, unexpected: [] });
});

test("what is inherited or undefined is no option", async () => {
  const told = await signedOut.evaluate(async (options) => {
    Object.prototype.renewByFrame = "polluted";
    Object.prototype.scope = "polluted";
    try {
      const auth = await tokenkeep.open({ ...options, audience: undefined, wasm: undefined, finishSignIn: undefined });
      auth.close();
      return auth.session.status;
    } finally {
      delete Object.prototype.renewByFrame;
      delete Object.prototype.scope;
    }
  }, options);
  assert.equal(told, "signed_out");
});

test("an error is an AuthError, and says which option in the names of this package", async () => {
  const told = await signedOut.evaluate(async () => {
    const error = await tokenkeep
      .open({ issuer: "https://login.example.com", clientId: "a", postLogoutRedirectUri: 5 })
      .catch((error) => error);
    return [error instanceof tokenkeep.AuthError, error instanceof Error, error.name, `${error}`, error.retryable, Object.keys(error)];
  });
  assert.deepEqual(told.slice(0, 3), [true, true, "AuthError"]);
  assert.match(told[3], /^AuthError: .*postLogoutRedirectUri/);
  assert.equal(told[4], false);
  assert.deepEqual(told[5], ["code", "kind", "retryable", "error", "errorDescription", "errorUri", "status", "option"]);
});

test("options of signIn are refused in the same way", async () => {
  await open(signedOut, options);
  const told = await signedOut.evaluate(async () => {
    const cases = [
      { return_to: "/" },
      { returnto: "/" },
      { prompt: "consnt" },
      { maxAgeSeconds: "5" },
      { extra: { a: 1 } },
      { extra: { nonce: "mine" } },
    ];
    const told = [];
    for (const options of cases) {
      const error = await auth.signIn(options).catch((error) => error);
      told.push([error.code, error.option]);
    }
    return told;
  });
  assert.deepEqual(told, [
    ["option_unknown", "return_to"],
    ["option_unknown", "returnto"],
    ["option_type", "prompt"],
    ["option_type", "maxAgeSeconds"],
    ["option_type", "extra"],
    ["parameter_reserved", undefined],
  ]);
  assert.equal(await signedOut.evaluate(() => auth.session.status), "failed");
});

test("options of signOut, too, and then nobody is signed out", async () => {
  const told = await page.evaluate(async () => {
    const told = [];
    for (const options of [{ locally: true }, { local: 1 }, { local: null }, new MouseEvent("click")]) {
      const { code, option } = await auth.signOut(options).catch((error) => error);
      told.push([code, option]);
    }
    return [told, auth.session.status];
  });
  const refused = [["option_unknown", "locally"], ["option_type", "local"], ["option_type", "local"], ["option_unknown", "isTrusted"]];
  assert.deepEqual(told, [refused, "signed_in"]);
});

// Signing in

test("somebody signs in, and their session says who", async () => {
  const { session, address } = await page.evaluate(() => ({ session: auth.session, address: location.href }));
  assert.equal(address, `${site.origin}/`);
  const { status, issuer, subject, claims, scopes, renewedBy } = session;
  assert.deepEqual(
    { status, issuer, subject, renewedBy },
    { status: "signed_in", issuer: demo.issuer, subject: "user-1001", renewedBy: undefined },
  );
  assert.equal(claims.name, "Alice Archer");
  assert.deepEqual(scopes, ["openid", "profile", "email", "offline_access"]);
  assert.ok(Math.abs(session.expiresAt - Date.now() - 300_000) < 60_000);
});

test("nothing that a page can look at holds a token", async () => {
  const [, token] = /^Bearer (\S+)$/.exec((await called("/api/me"))[0].authorization);
  const seen = await page.evaluate(async () => {
    await auth.renew();
    return JSON.stringify([
      auth,
      auth.session,
      Object.entries(localStorage),
      Object.entries(sessionStorage),
      document.cookie,
      location.href,
    ]);
  });
  assert.ok(token.length > 20 && !seen.includes(token));
});

test("userInfo asks the provider", async () => {
  assert.equal((await page.evaluate(() => auth.userInfo())).email, "alice@example.com");
});

test("who says no at the provider is not signed in", async () => {
  const page = await visit("/basket?open=1#total");
  await open(page, options);
  await page.evaluate(() => void auth.signIn());
  await page.click("button[value=deny]");
  await page.waitForURL(`${site.origin}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, options), "failed");
  const told = await page.evaluate(() => ({ ...auth.session.error, address: location.pathname + location.search }));
  const { code, kind, error, errorDescription, address } = told;
  assert.deepEqual([code, kind, error, errorDescription], ["provider", "provider", "access_denied", "the user said no"]);
  assert.equal(address, "/callback");
  await page.context().close();
});

test("with finishSignIn: false the app says when, and the response leaves the address at once", async () => {
  const page = await visit("/deep?tab=2#part");
  await open(page, options);
  await page.evaluate(() => void auth.signIn({ returnTo: new URL("/elsewhere?a=1#b", location.href) }));
  await answerProvider(page);
  await page.waitForURL(`${site.origin}/callback?*`);
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  assert.equal(await open(page, { ...options, finishSignIn: false }), "unknown");
  const told = await page.evaluate(async () => {
    const work = auth.finishSignIn();
    return { at: location.pathname + location.search, finished: await work, again: await auth.finishSignIn(), then: location.pathname };
  });
  const finished = { outcome: "signed_in", returnTo: "/elsewhere?a=1#b" };
  assert.deepEqual(told, { at: "/callback", finished, again: finished, then: "/callback" });
  await page.context().close();
});

for (const [name, guard] of [
  ["", ""],
  [" with the guard", `<script>${guardScript}</script>`],
]) {
  test(`a response for somebody else stays in the address${name}`, async () => {
    const [path, own] = ["/connected?code=c0de&state=5tate", site.answers["*"]];
    site.answers["/connected"] = own.replace("<title>", `${guard}<title>`);
    const page = await visit(path);
    assert.equal(await open(page, options), "signed_out");
    assert.equal(page.url(), site.origin + path);
    await page.context().close();
  });
}

test("a response that nobody asked for is refused, and leaves the address", async () => {
  const page = await visit("/callback?code=c0de&state=5tate&mine=1");
  assert.equal(await open(page, options), "failed");
  assert.deepEqual(await page.evaluate(() => [auth.session.error.code, location.search]), ["state_unknown", "?mine=1"]);
  await page.context().close();
});

// Calling

const requests = [];
Object.assign(site.answers, {
  "/api/me": async (request, response) => {
    const body = await read(request);
    requests.push({ method: request.method, ...request.headers, body });
    response.writeHead(200, { "Content-Type": "text/plain" }).end(`${request.method} ${request.headers["x-own"] ?? ""} ${body}`);
  },
  "/api/moved": (_, response) => response.writeHead(302, { Location: "/api/me" }).end(),
  "/other": (request, response) => {
    requests.push({ method: request.method, ...request.headers });
    response.end();
  },
});

async function read(request) {
  const pieces = [];
  for await (const piece of request) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("latin1");
}

/** What came to the API by a call of `auth.fetch`. */
async function called(path, init) {
  requests.length = 0;
  await page.evaluate(([path, init]) => auth.fetch(path, init).then((answer) => answer.text()), [path, init]);
  return [...requests];
}

test("fetch takes what fetch takes: a path, a URL, a Request, and what is to be different", async () => {
  const told = await page.evaluate(async () => {
    const text = async (...what) => (await auth.fetch(...what)).text();
    const request = new Request("/api/me", { method: "PUT", headers: { "X-Own": "yes" }, body: "old" });
    return [
      await text("/api/me"),
      await text(new URL("/api/me?a#b", location.href)),
      await text(request.clone()),
      await text(request, { method: "PATCH", body: "new" }),
      await text("/api/me", { method: "DELETE", headers: [["X-Own", "deleted"]] }),
    ];
  });
  assert.deepEqual(told, ["GET  ", "GET  ", "PUT yes old", "PATCH yes new", "DELETE deleted "]);
});

test("it sends the token and no cookies", async () => {
  await page.evaluate(() => void (document.cookie = "mine=1; path=/"));
  const [request] = await called("/api/me", { credentials: "omit" });
  assert.match(request.authorization, /^Bearer \S{20,}$/);
  assert.equal(request.cookie, undefined);
});

test("it gives the browser's own answer", async () => {
  const told = await page.evaluate(async () => {
    const answer = await auth.fetch("/api/me");
    return [
      answer instanceof Response,
      answer.status,
      answer.ok,
      answer.url,
      answer.headers.get("content-type"),
      (await answer.blob()).size,
    ];
  });
  assert.deepEqual(told, [true, 200, true, `${site.origin}/api/me`, "text/plain", 5]);
});

test("nothing else gets the token", async () => {
  requests.length = 0;
  const told = await page.evaluate(async (elsewhere) => {
    const told = [];
    for (const [url, init] of [
      ["/other"],
      [`${elsewhere}/api/me`],
      ["/api/../other"],
      ["/api/%2e%2e/other"],
      ["/api/me", { headers: { Authorization: "Bearer mine" } }],
    ]) {
      told.push(
        await auth.fetch(url, init).then(
          () => "sent",
          (error) => error.code,
        ),
      );
    }
    return told;
  }, site.elsewhere);
  assert.deepEqual(told, [...Array(4).fill("destination_not_allowed"), "authorization_set"]);
  assert.deepEqual(requests, []);
});

test("without a session nothing is sent", async () => {
  requests.length = 0;
  await open(signedOut, options);
  assert.equal(await signedOut.evaluate(() => auth.fetch("/api/me").catch((error) => error.code)), "sign_in_needed");
  assert.deepEqual(requests, []);
});

test("a redirect is not followed", async () => {
  requests.length = 0;
  const told = await page.evaluate(async () => {
    const manual = await auth.fetch("/api/moved", { redirect: "manual" });
    return [
      await auth.fetch("/api/moved").catch((error) => error.code),
      await auth.fetch("/api/moved", { redirect: "error" }).catch((error) => error.code),
      [manual.type, manual.status],
    ];
  });
  assert.deepEqual(told, ["unreachable", "unreachable", ["opaqueredirect", 0]]);
  assert.deepEqual(requests, []);
});

test("bodies of every kind arrive", async () => {
  const told = await page.evaluate(async () => {
    const form = new FormData();
    form.append("file", new Blob(["conte\u00e4nt"], { type: "text/x-own" }), "name.txt");
    const text = async (body) => (await auth.fetch("/api/me", { method: "POST", body })).text();
    return [
      await text(new Blob(["a blob"])),
      await text(new URLSearchParams({ a: "b c" })),
      await text(new Uint8Array([65, 66]).buffer),
      (await text(form)).replace(/-+WebKitFormBoundary\w+/g, "--"),
    ];
  });
  assert.deepEqual(told.slice(0, 3), ["POST  a blob", "POST  a=b+c", "POST  AB"]);
  assert.match(
    told[3],
    /^POST  --\r\nContent-Disposition: form-data; name="file"; filename="name.txt"\r\nContent-Type: text\/x-own\r\n\r\nconteÃ¤nt/,
  );
});

/** A token that came just now is not renewed, whatever an API says of it. */
function untilTokenMayBeRenewed() {
  return page.waitForFunction(() => Date.now() - (auth.session.expiresAt - 300_000) > 2500);
}

test("what an API refuses is sent once more with a new token, body and all", async () => {
  const seen = [];
  let refused;
  site.answers["/api/strict"] = async (request, response) => {
    const [body, token] = [await read(request), request.headers.authorization];
    refused ??= token;
    seen.push([token === refused ? "old" : "new", body.replace(/-+WebKitFormBoundary\w+/g, "--")]);
    response.writeHead(token === refused ? 401 : 200, { "WWW-Authenticate": 'Bearer error="invalid_token"' }).end();
  };
  await untilTokenMayBeRenewed();
  const status = await page.evaluate(async () => {
    const form = new FormData();
    form.append("file", new Blob(["content"]), "name.txt");
    return (await auth.fetch("/api/strict", { method: "POST", body: form })).status;
  });
  assert.equal(status, 200);
  const [first, second, ...more] = seen;
  assert.deepEqual(more, []);
  assert.deepEqual([first[0], second[0]], ["old", "new"]);
  assert.match(second[1], /content/);
  assert.equal(first[1], second[1]);
});

test("a refusal for another reason is the answer", async () => {
  let times = 0;
  site.answers["/api/no"] = (_, response) => response.writeHead(401, { "WWW-Authenticate": `Bearer error="no", realm="${++times}"` }).end();
  assert.equal(await page.evaluate(async () => (await auth.fetch("/api/no")).status), 401);
  assert.equal(times, 1);
});

/** Sends a body piece by piece. */
function upload(url) {
  return page.evaluate(async (url) => {
    const body = new ReadableStream({
      start(sink) {
        for (const piece of ["one ", "two ", "three"]) sink.enqueue(new TextEncoder().encode(piece));
        sink.close();
      },
    });
    try {
      const answer = await auth.fetch(url, { method: "POST", body, duplex: "half" });
      return [answer.status, await answer.text()];
    } catch (error) {
      return error.code;
    }
  }, url);
}

test("a stream is sent as it comes, by HTTP/2, and refused by Chromium over HTTP/1.1", async () => {
  requests.length = 0;
  assert.deepEqual(await upload(`${secureApi}/takes`), [200, "one two three"]);
  assert.equal(await upload("/api/me"), "unreachable");
  assert.deepEqual(requests, []);
});

test("a stream is sent once, even if its token is refused", async () => {
  uploads.length = 0;
  await untilTokenMayBeRenewed();
  assert.deepEqual(await upload(`${secureApi}/refuses`), [401, "one two three"]);
  assert.equal(uploads.length, 1);
  // What is no stream is sent again.
  uploads.length = 0;
  await untilTokenMayBeRenewed();
  assert.equal(
    await page.evaluate(async (url) => (await auth.fetch(url, { method: "POST", body: "text" })).status, `${secureApi}/refuses`),
    401,
  );
  assert.deepEqual(
    uploads.map(({ body }) => body),
    ["text", "text"],
  );
});

test("an answer comes while it is still being sent", async () => {
  let finish;
  site.answers["/api/slow"] = (_, response) => {
    response.write("first ");
    finish = () => response.end("last");
  };
  site.answers["/finish"] = (_, response) => {
    finish();
    response.end();
  };
  const told = await page.evaluate(async () => {
    const reader = (await auth.fetch("/api/slow")).body.pipeThrough(new TextDecoderStream()).getReader();
    const first = (await reader.read()).value;
    await fetch("/finish");
    return [first, (await reader.read()).value, (await reader.read()).done];
  });
  assert.deepEqual(told, ["first ", "last", true]);
});

// Giving up

test("what was given up before is not sent, and rejects with the reason", async () => {
  requests.length = 0;
  const told = await page.evaluate(async () => {
    const reason = new Error("enough");
    const because = async (signal) => auth.fetch("/api/me", { signal }).catch((error) => error);
    const plain = await because(AbortSignal.abort());
    return [
      (await because(AbortSignal.abort(reason))) === reason,
      await because(AbortSignal.abort("a text")),
      [plain instanceof DOMException, plain.name],
      (await auth.fetch(new Request("/api/me", { signal: AbortSignal.abort(reason) })).catch((error) => error)) === reason,
    ];
  });
  assert.deepEqual(told, [true, "a text", [true, "AbortError"], true]);
  assert.deepEqual(requests, []);
});

test("what is given up while nothing has come yet ends at once, at the server too", async () => {
  let gone;
  const sent = new Promise((resolve) => {
    site.answers["/api/never"] = (request) => {
      gone = new Promise((resolve) => request.on("close", resolve));
      resolve();
    };
  });
  const [told] = await Promise.all([
    page.evaluate(async () => {
      const abort = (window.abort = new AbortController());
      const error = await auth.fetch("/api/never", { signal: abort.signal }).catch((error) => error);
      return [error === window.reason];
    }),
    sent.then(() => page.evaluate(() => abort.abort((window.reason = new Error("enough"))))),
  ]);
  assert.deepEqual(told, [true]);
  await gone;
});

test("a time limit is a TimeoutError", async () => {
  site.answers["/api/never"] = () => {};
  assert.equal(
    await page.evaluate(() => auth.fetch("/api/never", { signal: AbortSignal.timeout(50) }).catch((error) => error.name)),
    "TimeoutError",
  );
});

test("what is given up while its body comes ends there", async () => {
  const gone = new Promise((resolve) => {
    site.answers["/api/endless"] = (request, response) => {
      response.write("first");
      request.on("close", resolve);
    };
  });
  const told = await page.evaluate(async () => {
    const abort = new AbortController();
    const reader = (await auth.fetch("/api/endless", { signal: abort.signal })).body.getReader();
    const { value } = await reader.read();
    abort.abort();
    return [new TextDecoder().decode(value), await reader.read().catch((error) => error.name)];
  });
  assert.deepEqual(told, ["first", "AbortError"]);
  await gone;
});

// Listening

test("the session is one object until it changes, and nobody can change it", async () => {
  const told = await page.evaluate(async () => {
    const { session, getSnapshot, subscribe } = auth;
    const changes = [];
    const stop = subscribe(() => changes.push(auth.session));
    await auth.fetch("/api/me");
    const same = auth.session === session && getSnapshot() === session && changes.length === 0;
    while (changes.length === 0) {
      await auth.renew();
      await new Promise(requestAnimationFrame);
    }
    stop();
    const frozen = [session, session.claims, session.scopes].every(Object.isFrozen);
    return { same, frozen, changed: changes.at(-1) === auth.session && auth.session !== session, by: auth.session.renewedBy };
  });
  assert.deepEqual(told, { same: true, frozen: true, changed: true, by: "refresh_token" });
});

test("a listener that throws is reported, and keeps nothing from the others", async () => {
  const told = await page.evaluate(async () => {
    const [heard, reported] = [[], []];
    addEventListener(
      "error",
      (event) => {
        event.preventDefault();
        reported.push(event.error.message);
      },
      { once: true },
    );
    const stops = [
      auth.on("api_answered", () => {
        throw new Error("mine");
      }),
      auth.on("api_answered", ({ type, status, url }) => heard.push([type, status, new URL(url).pathname])),
      auth.on("*", ({ type }) => heard.push(type)),
      auth.on("renewed", ({ type }) => heard.push(type)),
    ];
    const { status } = await auth.fetch("/api/me");
    stops.forEach((stop) => stop());
    await auth.fetch("/api/me");
    return { status, heard, reported };
  });
  assert.deepEqual(told, { status: 200, heard: [["api_answered", 200, "/api/me"], "api_answered"], reported: ["mine"] });
});

test("each listening is ended by itself, also by a listener", async () => {
  const told = await page.evaluate(async () => {
    const heard = [];
    const twice = () => heard.push("twice");
    const [one, other] = [auth.on("api_answered", twice), auth.on("api_answered", twice)];
    const once = auth.on("api_answered", () => {
      heard.push("once");
      once();
    });
    const last = auth.on("api_answered", () => heard.push("last"));
    one();
    one();
    await auth.fetch("/api/me");
    other();
    await auth.fetch("/api/me");
    last();
    return heard;
  });
  assert.deepEqual(told, ["twice", "once", "last", "last"]);
});

// Closing

test("what is closed forgets everything, and says that it is closed", async () => {
  const page = await signedIn(options);
  const told = await page.evaluate(async () => {
    const changes = [];
    auth.subscribe(() => changes.push(auth.session.status));
    const pending = auth.fetch("/api/me").then(
      () => "answered",
      (error) => error.code,
    );
    auth.close();
    auth.close();
    const codes = [];
    for (const work of ["signIn", "finishSignIn", "fetch", "userInfo", "renew", "signOut", "frontChannelLogout"]) {
      codes.push(await auth[work]("/api/me").catch((error) => error.code));
    }
    return { changes, codes, pending: await pending, left: Object.keys(localStorage), signedOutJustNow: auth.signedOutJustNow };
  });
  assert.deepEqual(told.changes, ["signed_out"]);
  assert.deepEqual(told.codes, Array(7).fill("closed"));
  // Other pages of a keep may be signed in still.
  assert.equal(told.left.length, keep === "page" ? 0 : 1);
  assert.equal(told.signedOutJustNow, false);
  assert.equal(told.pending, "sign_in_needed");
  // And another one may be opened.
  assert.match(await open(page, options), /^signed_/);
  await page.context().close();
});

test("`using` closes it", async () => {
  // A text: this Node does not know the word yet.
  const told = await signedOut.evaluate(`(async () => {
    let kept;
    {
      using auth = await tokenkeep.open(${JSON.stringify(options)});
      kept = auth;
    }
    return kept.renew().catch((error) => error.code);
  })()`);
  assert.equal(told, "closed");
});

test("opening and closing 200 times does not make memory grow", async () => {
  const page = await visit();
  const session = await page.context().newCDPSession(page);
  const cycles = (number) =>
    page.evaluate(
      async ([number, options]) => {
        for (let cycle = 0; cycle < number; cycle += 1) {
          const auth = await tokenkeep.open(options);
          auth.subscribe(() => {});
          auth.on("*", () => {});
          auth.close();
        }
      },
      [number, options],
    );
  const measure = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    const { nodes, jsEventListeners } = await session.send("Memory.getDOMCounters");
    return { usedSize, nodes, jsEventListeners, wasm: await page.evaluate(() => wasmMemory.buffer.byteLength) };
  };
  await page.addInitScript(() => {
    for (const name of ["instantiate", "instantiateStreaming"]) {
      const instantiate = WebAssembly[name];
      WebAssembly[name] = async (...given) => {
        const made = await instantiate.apply(WebAssembly, given);
        window.wasmMemory = (made.instance ?? made).exports.memory;
        return made;
      };
    }
  });
  await page.reload();
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  if (keep !== "page") {
    // The wasm is elsewhere.
    await page.evaluate(() => (window.wasmMemory = { buffer: new ArrayBuffer() }));
  }
  await cycles(200);
  const before = await measure();
  await cycles(200);
  const after = await measure();
  assert.equal(after.wasm, before.wasm);
  assert.ok(after.jsEventListeners <= before.jsEventListeners, `${after.jsEventListeners} listeners`);
  assert.ok(after.nodes <= before.nodes + 5, `${after.nodes} nodes`);
  // The browser's own warming up is less than this: it was 37 bytes for each of 1,800 times.
  const grown = after.usedSize - before.usedSize;
  assert.ok(grown < 200 * 200, `${grown} bytes more after 200 times`);
  await page.context().close();
});

// The wasm

const WASM = "/tokenkeep/wasm/tokenkeep_bg.wasm";

for (const [name, make] of [
  ["a URL as text", (url) => url],
  ["a URL", (url) => new URL(url, location.href)],
  ["bytes", async (url) => (await fetch(url)).arrayBuffer()],
  ["a view of bytes", async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer())],
  ["a response", (url) => fetch(url)],
  ["the promise of a response", (url) => ({ promise: fetch(url) })],
  ["a module", (url) => WebAssembly.compileStreaming(fetch(url))],
]) {
  test(`the wasm may be given as ${name}`, async () => {
    const page = await visit();
    // Not where it would be looked for.
    await page.route(`**${WASM}`, (route) => route.abort());
    site.answers["/moved.wasm"] = async (_, response) =>
      response.writeHead(200, { "Content-Type": "application/wasm" }).end(await readFile(join(PACKAGE, "wasm/tokenkeep_bg.wasm")));
    const status = await page.evaluate(
      async ([make, options]) => {
        const made = await new Function(`return ${make}`)()("/moved.wasm");
        // A module does not go to a SharedWorker.
        const keep = made instanceof WebAssembly.Module && options.keep[0] === "shared" ? "shared" : options.keep;
        return (await tokenkeep.open({ ...options, keep, wasm: made.promise ?? made })).session.status;
      },
      [make.toString(), options],
    );
    assert.equal(status, "signed_out");
    await page.context().close();
  });
}

test("wasm that is not there is told, and may be there later", async () => {
  const page = await visit();
  assert.equal((await open(page, { ...options, wasm: [] })).code, "wasm_unavailable");
  site.answers[WASM] = (_, response) => response.writeHead(404).end("not here");
  const { code, kind } = await open(page, options);
  assert.deepEqual([code, kind], ["wasm_unavailable", "misconfigured"]);
  assert.equal((await open(page, { ...options, wasm: "/nowhere.wasm" })).code, "wasm_unavailable");
  delete site.answers[WASM];
  if (keep === "page") {
    await page.context().setOffline(true);
    const offline = await open(page, options);
    assert.deepEqual([offline.code, offline.kind, offline.retryable], ["wasm_unavailable", "interrupted", true]);
    await page.context().setOffline(false);
  }
  assert.equal(await open(page, options), "signed_out");
  await page.context().close();
});
