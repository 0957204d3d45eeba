// The doctor, at a provider and an app that are broken in one way each: it names that, and nothing else. In a page of that app in Chromium,
// and as whoever installed the package runs it: `npx tokenkeep diagnose`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

import { diagnose } from "tokenkeep/diagnose";

import { startBroken } from "./lib/broken.js";
import { openChromium } from "./lib/chromium.js";
import { startDemo } from "./lib/demo.js";
import { freePorts } from "./lib/ports.js";
import { PACKAGE, serve } from "./lib/site.js";

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), "tokenkeep-"));
after(() => rm(folder, { recursive: true }));
const [packed] = JSON.parse((await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: PACKAGE })).stdout);
await writeFile(join(folder, "package.json"), '{ "private": true }');
await run("npm", ["install", join(folder, packed.filename), "--offline", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: folder });

const { mend, dress, site } = await startBroken({ "/tokenkeep/": PACKAGE });
const [closed] = await freePorts(1);
const browser = await openChromium();

/** The command that was installed, what it says and its exit code. */
async function type(...typed) {
  const { stdout, stderr, code = 0 } = await run(join(folder, "node_modules/.bin/tokenkeep"), typed).catch((error) => error);
  return { stdout, stderr, code };
}

const FLAGS = { dpop: "--dpop", pushedAuthorizationRequests: "--par", oauthOnly: "--oauth-only" };

function typed({ issuer, clientId, redirectUri = `${site.origin}/callback`, api = [], resource = [], scopes, keep = [], renewByFrame, ...more }) {
  const many = [["--api", api], ["--resource", resource], ["--keep", keep]].flatMap(([name, values]) => [values].flat().flatMap((value) => [name, value]));
  const flags = Object.keys(more).map((name) => FLAGS[name] ?? assert.fail(`the command has no ${name}`));
  const frame = renewByFrame === false ? ["--no-frame"] : [];
  return ["diagnose", issuer, "--client-id", clientId, "--redirect-uri", redirectUri, ...(scopes ? ["--scopes", scopes] : []), ...many, ...flags, ...frame];
}

async function inNode(options) {
  const { stdout, stderr, code } = await type(...typed(options), "--json");
  assert.equal(stderr, "");
  const findings = JSON.parse(stdout);
  assert.equal(code, findings.some(({ severity }) => severity === "error") ? 1 : 0);
  return findings;
}

async function inPage(options, { origin = site.origin, prepare = () => {} } = {}) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(prepare);
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => window.diagnose !== undefined);
  const findings = await page.evaluate((options) => diagnose(options), options);
  await context.close();
  return findings;
}

const codes = (findings) => findings.map(({ code }) => code).sort();

// Each is a way to break it, and what is to be said then: by both, unless they see different things.
const CASES = {
  "nothing": [() => {}, []],
  "an issuer with a slash too many": [(world) => (world.options.issuer += "/"), ["issuer_trailing_slash"]],
  "an issuer without its realm": [
    (world) => {
      world.prefix = "/realms/tenant";
      world.metadata.issuer = `${world.issuer}/realms/tenant`;
      world.options.issuer = `${world.issuer}/tenant`;
    },
    ["issuer_path"],
  ],
  "an issuer that is the discovery URL": [(world) => (world.options.issuer += "/.well-known/openid-configuration"), ["issuer_path"]],
  "an issuer by another name of its host": [(world) => (world.options.issuer = world.issuer.replace("localhost", "127.0.0.1")), ["issuer_host"]],
  "an issuer with https for http": [
    (world) => {
      world.options.issuer = world.issuer.replace("http", "https");
      for (const policy of [world.policy, world.ofWorker]) policy["connect-src"] += ` ${world.options.issuer}`;
    },
    ["issuer_scheme"],
  ],
  "a provider without OpenID Connect": [
    (world) => {
      const here = "/.well-known/oauth-authorization-server";
      world.answers.discovery = ({ pathname }) => (pathname === here ? { status: 200, body: world.metadata } : { status: 404 });
    },
    ["discovery_kind"],
  ],
  "metadata of somebody else": [(world) => (world.metadata.issuer = "https://other.invalid"), ["issuer_mismatch"]],
  "no metadata": [(world) => (world.prefix = "/a/b/c/d/e"), ["metadata_missing"]],
  "a page instead of metadata": [(world) => (world.answers.discovery = () => ({ status: 200, body: "<!doctype html>" })), ["metadata_unreadable"]],
  "nobody at the issuer": [
    (world) => {
      world.options.issuer = `http://localhost:${closed}`;
      for (const policy of [world.policy, world.ofWorker]) policy["connect-src"] += ` ${world.options.issuer}`;
    },
    ["provider_unreachable"],
  ],
  "an issuer that is no URL": [(world) => (world.options.issuer = "login.example.com"), ["issuer_malformed"]],
  "metadata that no page may read": [(world) => (world.cors.discovery = { "Access-Control-Allow-Origin": undefined }), ["discovery_cors"]],
  "metadata at both places, of which a page may read that of OAuth": [
    (world) => {
      world.cors.discovery = { "Access-Control-Allow-Origin": undefined };
      const readable = { "Access-Control-Allow-Origin": "*" };
      const more = (pathname) => (pathname.endsWith("/oauth-authorization-server") ? readable : {});
      world.answers.discovery = ({ pathname }) => ({ status: 200, body: world.metadata, more: more(pathname) });
    },
    ["discovery_cors"],
  ],
  "metadata that another origin may read": [
    (world) => (world.cors.discovery = { "Access-Control-Allow-Origin": "https://other.example" }),
    ["discovery_cors"],
  ],
  "keys that no page may read": [(world) => (world.cors.jwks = { "Access-Control-Allow-Origin": undefined }), ["jwks_cors"]],
  "a token endpoint that no page may read": [(world) => (world.cors.token = { "Access-Control-Allow-Origin": undefined }), ["token_cors"]],
  "a token endpoint whose preflight forbids DPoP": [
    (world) => {
      world.options.dpop = true;
      world.preflight.token = { "Access-Control-Allow-Headers": "authorization" };
    },
    ["token_cors"],
  ],
  "UserInfo whose preflight forbids a token": [
    (world) => (world.preflight.userinfo = { "Access-Control-Allow-Headers": undefined }),
    ["userinfo_cors"],
  ],
  "a revocation endpoint that no page may read": [
    (world) => (world.cors.revocation = { "Access-Control-Allow-Origin": undefined }),
    ["revocation_cors"],
  ],
  "pushed requests that no page may send": [
    (world) => {
      world.options.pushedAuthorizationRequests = true;
      world.cors.par = { "Access-Control-Allow-Origin": undefined };
    },
    ["par_cors"],
  ],
  "an API that no page may read": [(world) => (world.cors.api = { "Access-Control-Allow-Origin": undefined }), ["api_cors"]],
  "an API whose preflight forbids a token": [(world) => (world.preflight.api = { "Access-Control-Allow-Headers": undefined }), ["api_cors"]],
  "an API that hides its challenge": [(world) => (world.cors.api = { "Access-Control-Expose-Headers": undefined }), ["headers_not_exposed"]],
  "an API without a challenge": [(world) => (world.challenge = undefined), ["challenge_missing"], { page: ["headers_not_exposed"] }],
  "a provider that hides its nonce": [
    (world) => {
      world.options.dpop = true;
      world.cors.token = { "Access-Control-Expose-Headers": "Date" };
      world.answers.token = () => ({ status: 400, body: { error: "use_dpop_nonce" }, more: { "DPoP-Nonce": "n" } });
    },
    ["headers_not_exposed"],
  ],
  "a token endpoint that is not there": [(world) => (world.answers.token = () => ({ status: 404 })), ["endpoint_unreachable"]],
  "a token endpoint that moved": [
    (world) => (world.answers.token = () => ({ status: 307, more: { Location: "/other" } })),
    ["endpoint_redirects"],
  ],
  "a token endpoint that takes no codes": [
    (world) => (world.answers.token = () => ({ status: 400, body: { error: "unsupported_grant_type" } })),
    ["grant_refused"],
  ],
  "a token endpoint that takes no proof": [
    (world) => {
      world.options.dpop = true;
      world.answers.token = () => ({ status: 400, body: { error: "invalid_dpop_proof" } });
    },
    ["dpop_proof_refused"],
  ],
  "metadata that is elsewhere now": [
    (world) => (world.answers.discovery = () => ({ status: 302, more: { Location: `${world.issuer}/elsewhere` } })),
    ["metadata_redirects"],
  ],
  "a client with a secret": [
    (world) => (world.answers.token = () => ({ status: 401, body: { error: "invalid_client" } })),
    ["client_refused"],
  ],
  "a client that is not known": [(world) => (world.options.clientId = "nobody"), ["client_unknown"], { page: ["client_refused"] }],
  "a redirect URI that is not registered": [(world) => (world.redirectUris = []), ["redirect_uri_not_registered"], { page: [] }],
  "the same with pushed requests": [
    (world) => {
      world.redirectUris = [];
      world.metadata.require_pushed_authorization_requests = true;
    },
    ["redirect_uri_not_registered"],
    { page: [] },
  ],
  "a redirect URI that is not served": [(world) => (world.gone = ["/callback"]), ["redirect_uri_not_served"]],
  "a scope that is refused": [(world) => (world.says = "invalid_scope"), ["scope_refused"], { page: [] }],
  "a provider that shows a page for prompt=none": [
    (world) => (world.answers.auth = () => ({ status: 302, more: { Location: "/login" } })),
    ["prompt_none_unsupported"],
    { page: [] },
  ],
  "a page for prompt=none that may not be framed": [
    (world) => (world.answers.auth = () => ({ status: 200, body: "<p>Sign in", more: { "X-Frame-Options": "DENY" } })),
    ["authorization_unclear", "frame_refused"],
    { page: [] },
  ],
  "a response without the iss that was promised": [(world) => (world.silent = true), ["iss_missing"], { page: [] }],
  "no PKCE": [(world) => (world.metadata.code_challenge_methods_supported = ["plain"]), ["pkce_unsupported"]],
  "no word about PKCE": [(world) => delete world.metadata.code_challenge_methods_supported, ["pkce_unannounced"]],
  "no refresh tokens": [(world) => (world.metadata.grant_types_supported = ["authorization_code"]), ["refresh_unsupported"]],
  "no offline_access there": [(world) => (world.metadata.scopes_supported = ["openid"]), ["offline_access_unsupported"]],
  "no offline_access here": [(world) => (world.options.scopes = "openid"), ["offline_access_not_requested"]],
  "no revocation": [(world) => delete world.metadata.revocation_endpoint, ["revocation_missing"]],
  "no end of the session": [(world) => delete world.metadata.end_session_endpoint, ["end_session_missing"]],
  "no iss in responses": [(world) => delete world.metadata.authorization_response_iss_parameter_supported, ["iss_unsupported"]],
  "no DPoP with ES256": [
    (world) => {
      world.options.dpop = true;
      world.metadata.dpop_signing_alg_values_supported = ["RS256"];
    },
    ["dpop_unsupported"],
  ],
  "no word about DPoP": [
    (world) => {
      world.options.dpop = true;
      delete world.metadata.dpop_signing_alg_values_supported;
    },
    ["dpop_unannounced"],
  ],
  "no endpoint for pushed requests": [
    (world) => {
      world.options.pushedAuthorizationRequests = true;
      delete world.metadata.pushed_authorization_request_endpoint;
    },
    ["par_missing"],
  ],
  "no code": [(world) => (world.metadata.response_types_supported = ["id_token"]), ["response_type_unsupported"]],
  "ID tokens by a shared secret": [(world) => (world.metadata.id_token_signing_alg_values_supported = ["HS256"]), ["id_token_algorithms"]],
  "no token endpoint": [(world) => delete world.metadata.token_endpoint, ["metadata_incomplete"]],
  "no keys": [(world) => (world.answers.jwks = () => ({ status: 200, body: { keys: [] } })), ["jwks_unusable"]],
  "an end of the session without https": [
    (world) => (world.metadata.end_session_endpoint = "http://login.example.com/end"),
    ["endpoint_insecure"],
  ],
  "a client that is a URL, for a provider that reads none": [
    (world) => {
      world.options.clientId = "https://app.example.com/client.json";
    },
    ["cimd_unsupported", "client_unknown"],
    { page: ["cimd_unsupported", "client_refused"] },
  ],
  "a client that is a URL with a fragment": [
    (world) => (world.options.clientId = "https://app.example.com/client.json#one"),
    ["client_id_malformed"],
  ],
  "a clock that is fast": [(world) => (world.clock = -3600_000), ["clock_skew"]],
  "no policy": [
    (world) => {
      world.policy = undefined;
    },
    ["csp_missing"],
  ],
  "a policy that forbids the API": [
    (world) => (world.policy["connect-src"] = world.policy["connect-src"].replace(world.api.slice(0, -1), "")),
    ["csp_connect_src"],
  ],
  "a policy that forbids wasm": [(world) => (world.policy["script-src"] = "'self'"), ["csp_wasm"]],
  "a policy that forbids the frame": [(world) => (world.policy["frame-src"] = "'self'"), ["csp_frame_src"]],
  "a policy that forbids to be framed": [(world) => (world.policy["frame-ancestors"] = "'none'"), ["csp_frame_ancestors"]],
  "X-Frame-Options that forbids it": [
    (world) => {
      delete world.policy["frame-ancestors"];
      world.headers["X-Frame-Options"] = "DENY";
    },
    ["csp_frame_ancestors"],
  ],
  "a policy that lets every script be a worker": [(world) => (world.policy["worker-src"] = "'self'"), ["csp_worker_src_wide"]],
  "an error page without the policy": [(world) => (world.errorPage = {}), ["csp_error_page"]],
  "a worker without a policy": [(world) => (world.ofWorker = undefined), ["csp_worker_missing"]],
  "a worker whose policy forbids the provider": [
    (world) => (world.ofWorker["connect-src"] = world.api.slice(0, -1)),
    ["csp_connect_src"],
  ],
  "a worker whose policy forbids wasm": [(world) => (world.ofWorker["script-src"] = "'self'"), ["csp_wasm"]],
  "a worker that is not there": [(world) => (world.site.answers["/keep.js"] = undefined), ["worker_script_missing"]],
  "a policy without the name of the policy for scripts": [(world) => (world.policy["trusted-types"] = "'none'"), ["csp_trusted_types"]],
  "a page that is cut off from popups": [(world) => (world.headers["Cross-Origin-Opener-Policy"] = "same-origin"), ["coop_popup"]],
};

for (const [what, [break_, expected, { node = expected, page = expected } = {}]] of Object.entries(CASES)) {
  test(`${what}: that is said, and nothing else`, async () => {
    const world = mend();
    break_(world);
    dress();
    const found = await inNode(world.options);
    assert.deepEqual(codes(found), node, JSON.stringify(found, undefined, 2));
    const seen = await inPage(world.options);
    assert.deepEqual(codes(seen), page, JSON.stringify(seen, undefined, 2));
    for (const { cause, fix, where } of [...found, ...seen]) {
      assert.ok(cause.endsWith(".") && fix.length > 10 && (where === undefined || URL.canParse(where)), `${cause} ${fix} ${where}`);
    }
  });
}

test("a page whose policy forbids the provider says so, or points to the command where only a worker asks", async () => {
  const world = mend();
  world.policy["connect-src"] = "'self'";
  dress();
  assert.deepEqual(codes(await inPage({ ...world.options, api: [] })), ["csp_connect_src"]);
  const inWorker = { ...world.options, api: [], keep: ["shared", "worker"] };
  assert.deepEqual(codes(await inPage(inWorker)), ["provider_not_checked"]);
  assert.deepEqual(codes(await inNode(inWorker)), []);
});

test("with the keep in the page only, nothing is said about workers", async () => {
  const world = mend();
  Object.assign(world.policy, { "worker-src": "'none'", "trusted-types": "'none'" });
  world.ofWorker = undefined;
  dress();
  const options = { ...world.options, keep: "page" };
  assert.deepEqual([codes(await inNode(options)), codes(await inPage(options))], [[], []]);
});

test("an app of another site than the provider is told of cookies, and how bad that is", async () => {
  const world = mend();
  world.policy["worker-src"] = `${site.elsewhere}/keep.js`;
  dress();
  const redirectUri = `${site.elsewhere}/callback`;
  for (const [scopes, severity] of [["openid offline_access", "info"], ["openid", "warning"]]) {
    const options = { ...world.options, scopes, redirectUri };
    for (const found of [await inNode(options), await inPage(options, { origin: site.elsewhere })]) {
      assert.equal(found.find(({ code }) => code === "third_party_cookies")?.severity, severity);
      assert.deepEqual(codes(found).filter((code) => code !== "offline_access_not_requested"), ["third_party_cookies"]);
    }
  }
  assert.deepEqual(codes(await inNode({ ...world.options, redirectUri, renewByFrame: false })), []);
});

test("what only a page can be asked about is named there", async () => {
  const world = mend();
  world.policy["form-action"] = "'self'";
  world.metadata.response_modes_supported = ["query", "fragment"];
  dress();
  const seen = async (options, prepare) => codes(await inPage({ ...world.options, ...options }, { prepare }));
  assert.deepEqual(await seen({ idTokenHint: true }), ["csp_form_action"]);
  assert.deepEqual(await seen({ responseMode: "query.jwt" }), ["response_mode_unsupported"]);
  assert.deepEqual(await seen({}, () => delete window.SharedWorker), ["shared_worker_missing"]);
  const insecure = () => Object.defineProperty(Crypto.prototype, "subtle", { get: () => undefined });
  assert.deepEqual(await seen({}, insecure), ["insecure_context"]);
});

test("a redirect URI of another origin, or that is http, is named", async () => {
  const world = mend();
  dress();
  const { options } = world;
  assert.ok(codes(await inPage({ ...options, redirectUri: "https://app.example.com/callback" })).includes("redirect_uri_origin"));
  const found = await type(...typed({ ...options, redirectUri: "http://app.example.com/callback" }), "--origin", site.origin, "--json");
  assert.deepEqual(codes(JSON.parse(found.stdout)).filter((code) => !code.startsWith("csp_frame")), [
    "redirect_uri_http",
    "redirect_uri_not_registered",
    "redirect_uri_origin",
  ]);
});

test("storage that is blocked, and an app that is not served, are named", async () => {
  const world = mend();
  dress();
  const prepare = () => Object.defineProperty(window, "localStorage", { get: () => { throw new DOMException("no", "SecurityError"); } });
  assert.deepEqual(codes(await inPage(world.options, { prepare })), ["storage_blocked"]);
  world.redirectUris.push(`http://localhost:${closed}/callback`);
  world.allowed.push(`http://localhost:${closed}`);
  assert.deepEqual(codes(await inNode({ ...world.options, redirectUri: `http://localhost:${closed}/callback` })), ["app_unreachable"]);
});

test("a client whose metadata document is at its URL has it read", async () => {
  const world = mend();
  dress();
  world.metadata.client_id_metadata_document_supported = true;
  // No https here, so that the document is not there: then nothing is said about it. The provider of this test knows no such client.
  const found = await inNode({ ...world.options, clientId: `https://localhost:${closed}/client.json` });
  assert.deepEqual(codes(found), ["client_unknown"]);
});

test("nobody is signed in and no secret is sent: what is made up says so, and no redirect is followed", async () => {
  const world = mend();
  dress();
  const before = [...world.asked];
  await inNode({ ...world.options, dpop: true, pushedAuthorizationRequests: true });
  assert.deepEqual(before, []);
  assert.ok(world.asked.length > 8, world.asked.join("\n"));
  const sent = world.asked.join("\n");
  for (const [, value] of sent.matchAll(/(?:[?& ](?:code|token|code_verifier)=|(?:Bearer|DPoP) )([^&\s]+)/g)) {
    assert.equal(value, "tokenkeep-diagnose-made-this-up-and-it-opens-nothing");
  }
  assert.equal(world.asked.filter((line) => line.startsWith("GET /auth")).length, 1);
  assert.match(sent, /prompt=none/);
});

test("a provider that answers with nonsense is named, and no script and no terminal is led astray", async () => {
  for (const metadata of [[], null, 7, { issuer: 7 }, { issuer: {} }, { issuer: "javascript:alert(1)" }, { issuer: "\u001b[2Jhttps://x" }]) {
    const world = mend();
    world.metadata = metadata;
    dress();
    const { stdout, code } = await type(...typed(world.options));
    assert.equal(code, 1);
    assert.ok(!stdout.includes("\u001b") && /issuer_mismatch|metadata_unreadable/.test(stdout), stdout);
  }
  for (const page of ["<p>%ff%E0%A4 redirect_uri", `redirect_uri ${"<style".repeat(100_000)}`, `redirect_uri${"<".repeat(500_000)}`]) {
    const world = mend();
    world.answers.auth = () => ({ status: 400, body: page });
    dress();
    assert.deepEqual(codes(await inNode(world.options)), ["redirect_uri_not_registered"]);
  }
  for (const member of Object.keys(mend().metadata)) {
    for (const value of [7, {}, [7], "javascript:alert(1)", "https://login.example.com:99999/"]) {
      const world = mend();
      world.metadata[member] = value;
      dress();
      // In this very process: it is many.
      await diagnose({ ...world.options, api: [], redirectUri: `${site.origin}/callback` });
    }
  }
});

test("the command says how it is used, and what is wrong in words", async () => {
  const world = mend();
  dress();
  for (const [wrong, why] of [
    [[], /one ISSUER is needed/],
    [["diagnose"], /one ISSUER is needed/],
    [["cure", world.issuer], /there is no command cure/],
    [["diagnose", world.issuer], /--client-id and --redirect-uri/],
    [["diagnose", world.issuer, "--colour"], /--colour/],
    [[...typed(world.options), "--keep", "cellar"], /not cellar/],
  ]) {
    const { code, stdout, stderr } = await type(...wrong);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, why);
    assert.match(stderr, /^Usage: tokenkeep diagnose ISSUER/m);
  }
  const help = await type("--help");
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  const whole = await type(...typed(world.options));
  assert.deepEqual([whole.code, whole.stdout], [0, `${world.issuer}: 0 errors, 0 warnings, 0 notes\n`]);
  const { code, stdout } = await type(...typed({ ...world.options, issuer: `${world.issuer}/` }));
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`^error: issuer_trailing_slash\n  at:  .+\n  why: .+\n  fix: Set .issuer. to "${world.issuer}"`));
});

test("npx runs it, as whoever installed the package types it", async () => {
  const world = mend();
  dress();
  const { stdout } = await run("npx", ["--no-install", "tokenkeep", ...typed(world.options), "--json"], { cwd: folder });
  assert.deepEqual(JSON.parse(stdout), []);
});

test("the demo's provider has nothing wrong, and what may be better is known", async () => {
  const app = await serve({ answers: { "*": "<!doctype html><title>app</title>", "/app.js": "" }, files: { "/tokenkeep/": PACKAGE } });
  app.answers["*"] = '<!doctype html><title>app</title><script type="module">import { diagnose } from "/tokenkeep/diagnose.js"; window.diagnose = diagnose;</script>';
  const { options } = await startDemo(app.origin);
  assert.deepEqual(codes(await inNode({ ...options, redirectUri: `${app.origin}/callback` })), ["csp_missing"]);
  assert.deepEqual(codes(await inPage(options, { origin: app.origin })), ["csp_missing", "date_not_exposed"]);
});

test("every code is in the types and in the README", async () => {
  const [types, readme, checks] = await Promise.all(
    ["diagnose.d.ts", "README.md", "diagnose/checks.js"].map((name) => readFile(join(PACKAGE, name), "utf8")),
  );
  const typedCodes = [...types.matchAll(/^ {2}\| "([a-z_]+)"/gm)].map(([, code]) => code);
  const section = readme.slice(readme.indexOf("## The doctor"), readme.indexOf("\n## ", readme.indexOf("## The doctor") + 5));
  assert.deepEqual(typedCodes, [...typedCodes].sort());
  assert.deepEqual(typedCodes.filter((code) => !section.includes(`\`${code}\``)), []);
  for (const code of typedCodes) {
    assert.ok(checks.includes(`"${code}"`) || /_cors$/.test(code), code);
  }
});
