// What can be wrong between an app and its provider. Everything here looks through a probe, which is the browser's or Node's, and nothing
// here signs anybody in: what is sent is made up, and no secret is.

import { allows, hasWord, namesWorkers, policiesOf, sourcesOf, workersIn } from "./policy.js";

const SEVERITIES = ["error", "warning", "info"];
const WELL_KNOWN = { openid: ".well-known/openid-configuration", oauth: ".well-known/oauth-authorization-server" };
// What the keep verifies.
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];
const FORM = { "content-type": "application/x-www-form-urlencoded" };
// No code, no token, no verifier: whoever reads a log knows where it is from.
const MADE_UP = "tokenkeep-diagnose-made-this-up-and-it-opens-nothing";

/**
 * A probe is what looks. It has
 * - `where`: `browser` or `node`; `origin`: the app's, where it is known;
 * - `send(url, { method, headers, body })`: as a page of the app sends it. Gives `{ status, text, header(name), hidden(name), date }`, or
 *   `blocked` beside that or instead: `cors`, `csp`, `network`, `preflight` or `redirect`, with `why`. `hidden` is whether a header came that
 *   the page cannot see, if that can be known;
 * - `app(url)`: a response of the app's own origin, `{ status, html, type, policies, header(name), date }`, or nothing;
 * - `authorize(url)`: the answer of the authorization endpoint, not followed; only in Node;
 * - `surroundings()`: what of the browser is missing;
 * - `subtle`, `random(bytes)`, `now()`.
 */
export async function check(given, probe) {
  const app = understood(given, probe);
  const found = [...configured(app)];
  if (found.every(({ code }) => !["client_id_malformed", "issuer_malformed"].includes(code))) {
    const [provider, pages] = await Promise.all([providerOf(app, probe, found), pagesOf(app, probe, found)]);
    const ways = [surroundings(app, probe), clock(app, probe, provider, pages), policies(app, probe, provider, pages)];
    if (provider.document !== undefined) {
      ways.push(features(app, provider), keys(app, probe, provider), token(app, probe, provider), others(app, probe, provider));
      ways.push(authorization(app, probe, provider), cookies(app, provider), described(app, probe, provider));
    }
    ways.push(...app.apis.map((url) => api(app, probe, url)));
    found.push(...(await Promise.all(ways.map(all))).flat());
  }
  return told(found);
}

/** Each finding once, the worst first. What another one explains is left out. */
function told(found) {
  const codes = new Set(found.map(({ code }) => code));
  const explained = ({ code }) => code === "client_refused" && codes.has("client_unknown");
  const key = ({ code, where, cause }) => JSON.stringify([code, where, cause]);
  const once = [...new Map(found.filter((finding) => !explained(finding)).map((finding) => [key(finding), finding])).values()];
  return once.sort((one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity));
}

async function all(findings) {
  const list = [];
  for await (const finding of findings) {
    list.push(finding);
  }
  return list;
}

const finding = (severity) => (code, where, cause, fix) => {
  const [why, how] = [cause, fix].map(shown);
  return Object.freeze({ code, severity, cause: why, fix: how, ...(where === undefined ? {} : { where: shown(`${where}`) }) });
};

/** What servers say is in these texts too: nothing of it moves a terminal's cursor. */
function shown(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, " ").slice(0, 1000);
}

const [error, warning, info] = SEVERITIES.map(finding);

// The options

/** The options of `open`, in either way of writing their names. What is not for this is ignored. */
function understood(given, probe) {
  const named = Object.entries(given ?? {}).map(([name, value]) => [name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), value]);
  const options = Object.fromEntries(named.filter(([, value]) => value !== undefined && value !== null));
  const origin = probe.origin ?? originOf(options.origin) ?? originOf(options.redirectUri);
  const { keep = "shared", scopes = "openid profile" } = options;
  const keeps = ["shared", "worker", "page"];
  const redirectUri = options.redirectUri === undefined ? urlOf(options.redirectPath ?? "/callback", origin) : `${options.redirectUri}`;
  return {
    apis: [options.api ?? []].flat().map((api) => api?.url ?? api).filter((url) => urlOf(url) !== undefined),
    clientId: `${options.clientId ?? ""}`,
    clockLeeway: options.clockLeewaySeconds ?? 30,
    clockSkew: options.clockSkewSeconds ?? 0,
    dpop: options.dpop === true,
    idTokenHint: options.idTokenHint === true,
    issuer: `${options.issuer ?? ""}`,
    keeps: typeof keep === "string" ? keeps.slice(Math.max(0, keeps.indexOf(keep))) : [keep].flat(),
    oauthOnly: options.oauthOnly === true,
    origin,
    popup: options.popupRedirectPath !== undefined || options.popupRedirectUri !== undefined,
    pushed: options.pushedAuthorizationRequests === true,
    redirectUri,
    renewByFrame: options.renewByFrame !== false,
    resource: [options.resource ?? []].flat(),
    audience: options.audience,
    responseMode: options.responseMode,
    responseType: options.responseType ?? "code",
    scopes: [scopes].flat().join(" ").split(" ").filter(Boolean),
    worker: options.worker === undefined ? undefined : urlOf(options.worker, origin),
  };
}

function urlOf(text, base) {
  try {
    return new URL(text, base).href;
  } catch {
    return undefined;
  }
}

function originOf(text) {
  const url = urlOf(text);
  return url === undefined ? undefined : new URL(url).origin;
}

const isOnThisMachine = ({ hostname }) => /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
const isSecure = (url) => url.protocol === "https:" || (url.protocol === "http:" && isOnThisMachine(url));

/** What can be seen without asking anybody. */
function* configured({ issuer, clientId, origin, redirectUri }) {
  const url = urlOf(issuer);
  if (url === undefined || !/^https?:$/.test(new URL(url).protocol) || /[?#]/.test(issuer) || new URL(url).username !== "") {
    yield error("issuer_malformed", undefined, `\`issuer\` is ${JSON.stringify(issuer)}, which is no https URL without query and fragment.`, "Set it to the issuer that the provider writes in its metadata.");
  }
  if (!/^[ -~]+$/.test(clientId)) {
    yield error("client_id_malformed", undefined, "`clientId` is missing, or is not visible ASCII characters.", "Set it to what the provider calls this app.");
  } else if (/^https:/i.test(clientId) && !isMetadataUrl(clientId)) {
    yield error("client_id_malformed", undefined, "`clientId` is a URL, and one with a fragment, dot segments, a user name or no path names no client.", "Set it to the whole https URL of the client's metadata document.");
  }
  if (urlOf(redirectUri) === undefined || redirectUri.includes("#")) {
    yield error("redirect_uri_malformed", undefined, `The redirect URI ${redirectUri === undefined ? "is not known" : "is no absolute URL without a fragment"}.`, "Set `redirectUri` to a whole URL, or `redirectPath` and the app's origin.");
  } else {
    if (origin !== undefined && originOf(redirectUri) !== origin) {
      yield error("redirect_uri_origin", redirectUri, `The redirect URI is not of the app's own origin, ${origin}: a sign-in that began there cannot be finished.`, `Use ${urlOf(new URL(redirectUri).pathname, origin)}, and register that at the provider; or open the app at ${originOf(redirectUri)}.`);
    }
    if (!isSecure(new URL(redirectUri))) {
      yield error("redirect_uri_http", redirectUri, "The redirect URI is http, and not on this machine: a code could be read on its way, and the page has no WebCrypto.", "Serve the app over https, and register that redirect URI.");
    }
  }
}

/** Client ID Metadata Document §3. */
function isMetadataUrl(text) {
  const [, authority, path] = /^https:\/\/([^/?#]*)(\/[^?#]*)(?:\?[^#]*)?$/i.exec(text) ?? [];
  const isDot = (segment) => [".", ".."].includes(segment.toLowerCase().replaceAll("%2e", "."));
  return path !== undefined && authority !== "" && !authority.includes("@") && !path.split("/").some(isDot);
}

// The provider's metadata

const metadataUrl = (issuer, kind) => {
  const url = new URL(issuer);
  const path = url.pathname.replace(/\/$/, "");
  return kind === "openid" ? `${url.origin}${path}/${WELL_KNOWN.openid}` : `${url.origin}/${WELL_KNOWN.oauth}${path}`;
};

function objectIn(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What the provider says of itself, if not at the configured place then where it does. */
async function providerOf(app, probe, found) {
  const kind = app.oauthOnly ? "oauth" : "openid";
  const where = metadataUrl(app.issuer, kind);
  const answer = await probe.send(where, { headers: { accept: "application/json" } });
  const document = answer.status === 200 ? objectIn(answer.text) : undefined;
  const here = { kind, where, answer, document };
  if (answer.blocked === "csp") {
    return { ...here, stopped: [where] };
  }
  const unreadable = (answer) => ["cors", "preflight"].includes(answer.blocked);
  if (document?.issuer === app.issuer) {
    found.push(...(unreadable(answer) ? [cors("discovery", where, answer, app, error)] : []));
    return here;
  }
  const right = await search(app, probe, kind, document);
  if (right !== undefined) {
    // A page does not see that a place is empty which it may not read. Who speaks of ID tokens elsewhere has metadata there, too.
    const hidden = unreadable(answer) && answer.text === undefined && "id_token_signing_alg_values_supported" in right.document;
    const isThere = kind === "openid" && right.document.issuer === app.issuer && hidden;
    found.push(isThere ? cors("discovery", where, answer, app, error) : misnamed(app, right, where));
    found.push(...(unreadable(right.answer) ? [cors("discovery", right.where, right.answer, app, error)] : []));
    return { ...here, ...right, kind };
  }
  if (document !== undefined) {
    found.push(error("issuer_mismatch", where, `The metadata says that the issuer is ${JSON.stringify(document.issuer)}, and \`issuer\` is ${JSON.stringify(app.issuer)}. They must be the same, and no metadata was found that is true to its own name.`, "Configure the provider's public URL at the provider, so that its metadata is of the issuer whose URL leads to it; then set `issuer` to that."));
  } else if (answer.blocked === "redirect") {
    found.push(error("metadata_redirects", where, `The provider's metadata redirects${answer.to ? ` to ${answer.to}` : ""}, and tokenkeep does not follow.`, "Set `issuer` to what the metadata there says that it is."));
  } else if (answer.blocked === "network") {
    found.push(error("provider_unreachable", where, `Nobody answers${answer.why ? ` (${answer.why})` : ""}.`, "Look whether the provider runs, whether its name is right, and whether it can be reached from here."));
  } else if (answer.text === undefined) {
    found.push(cors("discovery", where, { ...answer, why: answer.why ?? "or there is no metadata at this address, which a browser does not tell apart" }, app, error));
  } else if (answer.status === 200) {
    found.push(error("metadata_unreadable", where, "What is there is no JSON object: mostly a web page, which a server shows for whatever it does not have.", "Set `issuer` to the provider's, not to its page for signing in: the provider's documentation calls it issuer, authority or discovery URL."));
  } else {
    found.push(error("metadata_missing", where, `The provider answers ${answer.status} where its metadata must be.`, "Set `issuer` to what the provider calls its issuer, authority or discovery URL, with the whole path: a realm, a tenant, an authorization server."));
  }
  return here;
}

/** Where there is metadata that is true to its own name. */
async function search({ issuer }, probe, kind, document) {
  const read = async (candidate, kind) => {
    const where = metadataUrl(candidate, kind);
    const answer = await probe.send(where, { headers: { accept: "application/json" } });
    return { kind, where, answer, document: answer.status === 200 ? objectIn(answer.text) : undefined };
  };
  const isTrue = ({ document, where, kind }) => urlOf(document?.issuer) !== undefined && metadataUrl(document.issuer, kind) === where;
  // Mostly it says its name, and is there.
  const there = urlOf(document?.issuer) === undefined ? undefined : await read(document.issuer, kind);
  if (there !== undefined && isTrue(there)) {
    return there;
  }
  const tried = candidates(issuer).map(async (candidate) => {
    const found = await read(candidate, kind);
    return isTrue(found) || urlOf(found.document?.issuer) === undefined ? found : read(found.document.issuer, kind);
  });
  const other = read(issuer, kind === "openid" ? "oauth" : "openid");
  return (await Promise.all([...tried, other])).find(isTrue);
}

/** What was meant, perhaps, in the order of likelihood. */
function candidates(issuer) {
  const { origin, pathname, protocol, host, hostname } = new URL(issuer);
  const stripped = pathname.replace(/\/\.well-known\/.*$/, "").replace(/\/+$/, "");
  const segments = stripped.split("/").filter(Boolean);
  const at = (path) => origin + path;
  const list = [at(stripped), at(`${stripped}/`)];
  const otherHost = { localhost: "127.0.0.1", "127.0.0.1": "localhost" }[hostname] ?? (hostname.startsWith("www.") ? hostname.slice(4) : `www.${hostname}`);
  list.push(`${protocol === "https:" ? "http:" : "https:"}//${host}${stripped}`, `${protocol}//${host.replace(hostname, otherHost)}${stripped}`);
  if (!segments.includes("realms")) {
    const last = segments.at(-1);
    const before = segments.slice(0, -1).map((segment) => `/${segment}`).join("");
    list.push(...(last === undefined ? ["/realms/master", "/auth/realms/master"] : [`${before}/realms/${last}`, `/auth/realms/${last}`]).map(at));
  } else {
    list.push(at(segments[0] === "auth" ? stripped.replace(/^\/auth/, "") : `/auth${stripped}`));
  }
  list.push(...["/oauth2/default", "/v2.0", "/oidc"].map((path) => at(stripped + path)));
  list.push(...segments.map((_, kept) => at(segments.slice(0, kept).map((segment) => `/${segment}`).join(""))).reverse());
  return [...new Set(list)].filter((candidate) => candidate !== issuer).slice(0, 16);
}

/** How the configured issuer differs from the right one. */
function misnamed({ issuer, oauthOnly }, { document, kind, where }, asked) {
  const right = document.issuer;
  if (right === issuer) {
    const fix = kind === "oauth" ? "Set `oauthOnly: true` if the app needs no ID token; else turn OpenID Connect on at the provider." : "Remove `oauthOnly`.";
    return error("discovery_kind", asked, `There is no metadata there, but at ${where}: the provider speaks ${oauthOnly ? "OpenID Connect" : "only OAuth"}.`, fix);
  }
  const [given, real] = [new URL(issuer), new URL(right)];
  const bare = ({ pathname }) => pathname.replace(/\/$/, "");
  const [code, what] = [
    ["issuer_scheme", "the scheme is another one", given.protocol !== real.protocol && given.host === real.host],
    ["issuer_host", "the host is another one", given.host !== real.host],
    ["issuer_trailing_slash", `the slash at the end ${issuer.endsWith("/") ? "is too much" : "is missing"}`, bare(given) === bare(real)],
    ["issuer_path", "the path is another one", true],
  ].find(([, , is]) => is);
  const realm = /\/realms\/master$/.test(right) ? " This is a Keycloak: instead of master, write your own realm." : "";
  return error(code, asked, `\`issuer\` is ${JSON.stringify(issuer)}, and the provider calls itself ${JSON.stringify(right)}: ${what}. It is compared character by character.`, `Set \`issuer\` to ${JSON.stringify(right)}: its metadata is at ${where}.${realm}`);
}

// CORS

const WHAT = {
  api: "The API",
  discovery: "The provider's metadata",
  jwks: "The provider's keys",
  par: "The endpoint for pushed authorization requests",
  revocation: "The revocation endpoint",
  token: "The token endpoint",
  userinfo: "The UserInfo endpoint",
};

/** A page of the app cannot read this answer. */
function cors(name, where, { blocked, why }, { origin }, severity) {
  const what = blocked === "preflight" ? "answers, but its preflight (OPTIONS) refuses the request" : "answers, but does not let this origin read the answer";
  const fix = name === "api"
    ? `Let the API answer with \`Access-Control-Allow-Origin: ${origin}\`, and its preflight with 204 and \`Access-Control-Allow-Headers: authorization, dpop\`, on errors such as 401 too.`
    : `Add ${origin} to the origins that the provider allows: it is called web origins, trusted origins, allowed CORS origins or the like, for this client or for all. A registered redirect URI does it at some providers.`;
  return severity(`${name}_cors`, where, `${WHAT[name]} ${what} (CORS)${why ? `: ${why}` : ""}.`, fix);
}

/** What stood between the app and this endpoint, if anything did. What a policy stopped is told with the policy. */
function* obstacle(name, where, answer, app, severity = error) {
  if (["cors", "preflight"].includes(answer.blocked)) {
    yield cors(name, where, answer, app, severity);
  } else if (answer.blocked === "redirect") {
    yield severity("endpoint_redirects", where, `${WHAT[name]} redirects${answer.to ? ` to ${answer.to}` : ""}, and tokenkeep does not follow.`, "Let it answer where the metadata says that it is.");
  } else if (answer.blocked === "network") {
    yield severity("endpoint_unreachable", where, `${WHAT[name]} is not reached${answer.why ? ` (${answer.why})` : ""}.`, "Look whether it runs, and whether its address is right for who is outside.");
  } else if (name !== "api" && !answer.blocked && (answer.status >= 500 || [404, 405, 410].includes(answer.status))) {
    yield severity("endpoint_unreachable", where, `${WHAT[name]} answers ${answer.status}.`, "Look whether the address in the metadata leads to it, through proxies too.");
  }
}

/** Headers that were sent, and that a page cannot see. */
function hiddenHeaders(answer, names) {
  return names.filter((name) => answer.header(name) === undefined && answer.hidden(name) !== false);
}

function unexposed(where, names, severity, what) {
  const list = names.map((name) => `\`${name}\``).join(", ");
  return severity("headers_not_exposed", where, `The app cannot read ${list} here: ${what}.`, `Send ${list}, and \`Access-Control-Expose-Headers: ${names.join(", ")}\` with every answer.`);
}

// The endpoints

async function* keys(app, probe, { document, kind }) {
  const where = urlOf(document.jwks_uri);
  if (where === undefined || kind === "oauth") {
    return;
  }
  const answer = await probe.send(where, { headers: { accept: "application/json" } });
  yield* obstacle("jwks", where, answer, app);
  if (answer.status === 200 && answer.text !== undefined) {
    const keys = objectIn(answer.text)?.keys;
    const signing = (Array.isArray(keys) ? keys : []).filter((key) => ["RSA", "EC", "OKP"].includes(key?.kty) && [undefined, "sig"].includes(key.use));
    if (signing.length === 0) {
      yield error("jwks_unusable", where, "There is no key there that could verify an ID token.", "Let the provider publish its signing key (RSA, EC or Ed25519) as a JWK set.");
    }
  }
}

async function* token(app, probe, { document }) {
  const where = urlOf(document.token_endpoint);
  if (where === undefined) {
    return;
  }
  const headers = { ...FORM, ...(app.dpop ? { DPoP: await proof(probe, "POST", where) } : {}) };
  const form = { grant_type: "authorization_code", client_id: app.clientId, code: MADE_UP, redirect_uri: app.redirectUri, code_verifier: MADE_UP };
  const answer = await probe.send(where, { method: "POST", headers, body: `${new URLSearchParams(form)}` });
  yield* obstacle("token", where, answer, app);
  const said = answer.text === undefined ? undefined : objectIn(answer.text)?.error;
  if (["invalid_client", "unauthorized_client"].includes(said)) {
    yield error("client_refused", where, `The provider refuses this client without a secret (${said}): it is not known there, or is a confidential one.`, "Look whether `clientId` is right, and register it as a public client: single-page app, token endpoint authentication none, PKCE.");
  } else if (said === "unsupported_grant_type") {
    yield error("grant_refused", where, "The token endpoint takes no authorization codes (unsupported_grant_type).", "Turn the authorization code grant on for this client.");
  } else if (app.dpop && said === "invalid_dpop_proof") {
    yield warning("dpop_proof_refused", where, "The token endpoint refuses a DPoP proof that was made just now.", "Look at the clocks, and whether the provider takes ES256 for proofs.");
  }
  if (app.dpop && answer.text !== undefined && hiddenHeaders(answer, ["DPoP-Nonce"]).length > 0 && (said === "use_dpop_nonce" || answer.hidden("DPoP-Nonce"))) {
    yield unexposed(where, ["DPoP-Nonce"], error, "the provider wants a nonce in each proof, and the app does not learn it");
  }
  if (answer.text !== undefined && (answer.hidden("Retry-After") || ([429, 503].includes(answer.status) && !answer.header("Retry-After")))) {
    yield unexposed(where, ["Retry-After"], info, "the app asks again in its own time");
  }
}

async function* others(app, probe, { document }) {
  const headers = { Authorization: `Bearer ${MADE_UP}` };
  const userInfo = urlOf(document.userinfo_endpoint);
  if (userInfo !== undefined) {
    const answer = await probe.send(userInfo, { headers });
    yield* obstacle("userinfo", userInfo, answer, app, warning);
  }
  const form = (fields) => ({ method: "POST", headers: FORM, body: `${new URLSearchParams(fields)}` });
  const revocation = urlOf(document.revocation_endpoint);
  if (revocation !== undefined) {
    const answer = await probe.send(revocation, form({ token: MADE_UP, client_id: app.clientId }));
    yield* obstacle("revocation", revocation, answer, app, warning);
  }
  const pushed = urlOf(document.pushed_authorization_request_endpoint);
  if (pushed !== undefined && isPushed(app, document)) {
    const answer = await probe.send(pushed, form({ client_id: app.clientId }));
    yield* obstacle("par", pushed, answer, app);
  }
}

const isPushed = ({ pushed }, document) => pushed || document.require_pushed_authorization_requests === true;

async function* api(app, probe, where) {
  const headers = { Authorization: `${app.dpop ? "DPoP" : "Bearer"} ${MADE_UP}`, ...(app.dpop ? { DPoP: await proof(probe, "GET", where) } : {}) };
  const answer = await probe.send(where, { headers });
  if (answer.missing) {
    yield info("api_not_checked", where, `There is nothing at this address (${answer.missing}), so it cannot be told what the API allows.`, "Name an address that there is, to have the API checked.");
    return;
  }
  yield* obstacle("api", where, answer, app);
  if (answer.status === 401 && answer.text !== undefined && !answer.blocked) {
    const hidden = hiddenHeaders(answer, ["WWW-Authenticate"]);
    const isSent = answer.hidden("WWW-Authenticate") === undefined ? "it does not come, or is not exposed" : "it comes, and is not exposed";
    if (hidden.length > 0) {
      yield unexposed(where, hidden, app.dpop ? error : warning, `${isSent}, so that a refused token is not told from any other 401, and is not renewed`);
    } else if (answer.header("WWW-Authenticate") === undefined) {
      yield warning("challenge_missing", where, "The API answers 401 without `WWW-Authenticate`, so that a refused token is not told from any other 401, and is not renewed.", "Send `WWW-Authenticate: Bearer error=\"invalid_token\"` with the answer to a token that is not good (RFC 6750 §3), and expose it.");
    }
    const wantsNonce = /use_dpop_nonce/.test(answer.header("WWW-Authenticate") ?? "");
    if (app.dpop && hiddenHeaders(answer, ["DPoP-Nonce"]).length > 0 && (wantsNonce || answer.hidden("DPoP-Nonce"))) {
      yield unexposed(where, ["DPoP-Nonce"], error, "the API wants a nonce in each proof, and the app does not learn it");
    }
  }
}

/** A DPoP proof by a key that is thrown away (RFC 9449 §4.2). */
async function proof({ subtle, random, now }, method, url) {
  const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const text = (value) => base64(new TextEncoder().encode(JSON.stringify(value)));
  const { publicKey, privateKey } = await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const { kty, crv, x, y } = await subtle.exportKey("jwk", publicKey);
  const [target] = url.split(/[?#]/);
  const signed = `${text({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } })}.${text({ jti: base64(random(16)), htm: method, htu: target, iat: Math.floor(now() / 1000) })}`;
  const signature = await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, new TextEncoder().encode(signed));
  return `${signed}.${base64(signature)}`;
}

// What the provider can do

function* features(app, { document, where, kind }) {
  const lists = (member) => (Array.isArray(document[member]) ? document[member] : undefined);
  const lacks = (member, value) => lists(member) !== undefined && !lists(member).includes(value);
  const required = ["authorization_endpoint", "token_endpoint", ...(kind === "oauth" ? [] : ["jwks_uri"])];
  const missing = required.filter((member) => urlOf(document[member]) === undefined);
  if (missing.length > 0) {
    yield error("metadata_incomplete", where, `The metadata has no ${missing.join(", no ")}.`, "Let the provider publish it: without it there is no sign-in.");
  }
  const endpoints = [...required, "userinfo_endpoint", "revocation_endpoint", "end_session_endpoint", "pushed_authorization_request_endpoint"];
  for (const member of endpoints.filter((member) => urlOf(document[member]) !== undefined && !isSecure(new URL(document[member])))) {
    yield error("endpoint_insecure", document[member], `\`${member}\` in the metadata is not https.`, "Tell the provider its public URL: behind a proxy that ends TLS it must trust `X-Forwarded-Proto`, or be given that URL.");
  }
  if (lacks("code_challenge_methods_supported", "S256")) {
    yield error("pkce_unsupported", where, "The provider does not offer PKCE with S256, and no page may sign in without it.", "Turn PKCE with S256 on at the provider.");
  } else if (lists("code_challenge_methods_supported") === undefined) {
    yield info("pkce_unannounced", where, "The provider does not say whether it takes PKCE (`code_challenge_methods_supported`). tokenkeep sends it in any case.", "Look into the provider's documentation whether it checks the verifier, and demand PKCE for this client there.");
  }
  if (lacks("response_types_supported", app.responseType)) {
    yield error("response_type_unsupported", where, `The provider does not offer the response type \`${app.responseType}\`.`, "Turn the authorization code flow on at the provider, or choose one of its response types.");
  }
  if (app.responseMode !== undefined && lacks("response_modes_supported", app.responseMode)) {
    yield error("response_mode_unsupported", where, `The provider does not offer the response mode \`${app.responseMode}\`.`, "Leave `responseMode` out, or turn it on at the provider.");
  }
  if (kind !== "oauth" && lists("id_token_signing_alg_values_supported")?.some((name) => ALGORITHMS.includes(name)) === false) {
    yield error("id_token_algorithms", where, `The provider signs ID tokens with ${lists("id_token_signing_alg_values_supported").join(", ")} only, which tokenkeep does not accept.`, "Choose RS256 or ES256 for this client's ID tokens.");
  }
  yield* refresh(app, lacks, lists, where);
  if (document.revocation_endpoint === undefined) {
    yield info("revocation_missing", where, "The provider has no revocation endpoint: after signing out here, a refresh token stays good until it expires.", "Turn token revocation (RFC 7009) on at the provider, or give refresh tokens a short life.");
  }
  if (document.end_session_endpoint === undefined && kind !== "oauth") {
    yield info("end_session_missing", where, "The provider has no end-session endpoint: `signOut` ends the app's session, and the user stays signed in at the provider.", "Turn RP-initiated logout on at the provider, or send users to its own page for signing out.");
  }
  if (document.authorization_response_iss_parameter_supported !== true) {
    yield info("iss_unsupported", where, "The provider does not say its issuer in its responses (RFC 9207), by which mix-up attacks are noticed.", "An app with one provider needs nothing. With several, give each a redirect URI of its own, or turn it on at the provider.");
  }
  if (lacks("prompt_values_supported", "none") && app.renewByFrame) {
    yield warning("prompt_none_unsupported", where, "The provider does not offer `prompt=none`, so that a session cannot be renewed in a hidden frame.", "Ask for a refresh token, and set `renewByFrame: false`.");
  }
  if (app.dpop && lacks("dpop_signing_alg_values_supported", "ES256")) {
    yield error("dpop_unsupported", where, "The provider takes no DPoP proofs that are signed with ES256.", "Turn that on at the provider, or leave `dpop` out.");
  } else if (app.dpop && lists("dpop_signing_alg_values_supported") === undefined) {
    yield warning("dpop_unannounced", where, "The provider does not say that it takes DPoP proofs (`dpop_signing_alg_values_supported`). Tokens that are not bound are refused.", "Turn DPoP on at the provider for this client, or leave `dpop` out.");
  }
  if (isPushed(app, document) && document.pushed_authorization_request_endpoint === undefined) {
    yield error("par_missing", where, "The provider has no endpoint for pushed authorization requests.", "Leave `pushedAuthorizationRequests` out, or turn it on at the provider (RFC 9126).");
  }
  if (/^https:/i.test(app.clientId) && document.client_id_metadata_document_supported !== true) {
    yield warning("cimd_unsupported", where, "`clientId` is a URL, and the provider does not say that it reads a client's metadata there (`client_id_metadata_document_supported`).", "Register the app at the provider and use the identifier that it gives; or ignore this if that URL is registered there.");
  }
}

function* refresh({ scopes }, lacks, lists, where) {
  const asks = scopes.includes("offline_access");
  if (lacks("grant_types_supported", "refresh_token")) {
    yield warning("refresh_unsupported", where, "The provider does not offer refresh tokens, so that a session is renewed in a hidden frame or by a redirect only.", "Turn refresh tokens with rotation on at the provider, for this client.");
  } else if (asks && lacks("scopes_supported", "offline_access")) {
    yield warning("offline_access_unsupported", where, "The app asks for `offline_access`, and the provider does not list that scope: some refuse the sign-in then, others ignore it.", "Leave `offline_access` out, and turn refresh tokens on in the provider's own way.");
  } else if (!asks && lists("scopes_supported")?.includes("offline_access")) {
    yield info("offline_access_not_requested", where, "The provider gives refresh tokens for the scope `offline_access`, and the app does not ask for it.", "Add `offline_access` to `scopes` if a session shall last where the hidden frame does not work.");
  }
}

/** The client's own metadata document (Client ID Metadata Document §4). */
async function* described({ clientId, redirectUri }, probe, { document }) {
  if (!/^https:/i.test(clientId) || document.client_id_metadata_document_supported !== true) {
    return;
  }
  const answer = await probe.send(clientId, { headers: { accept: "application/json" } });
  // Only the provider has to read it.
  if (answer.text === undefined) {
    return;
  }
  const client = answer.status === 200 ? objectIn(answer.text) : undefined;
  const fix = "Serve a JSON object there with `client_id`, which is this very URL, `redirect_uris`, and `\"token_endpoint_auth_method\": \"none\"`.";
  if (client?.client_id !== clientId) {
    yield error("client_metadata_document", clientId, client === undefined ? "There is no JSON object at this URL, which is the client's identifier." : "The document at this URL has another `client_id`.", fix);
  } else if (![client.redirect_uris].flat().includes(redirectUri)) {
    yield error("redirect_uri_not_registered", clientId, `The client's metadata document does not list the redirect URI ${redirectUri}.`, "Add it to `redirect_uris` there.");
  }
}

// The authorization endpoint

/** The request that a sign-in would begin with, without showing anything: it is never followed. */
async function* authorization(app, probe, { document, where: metadata }) {
  const endpoint = urlOf(document.authorization_endpoint);
  if (probe.authorize === undefined || endpoint === undefined || urlOf(app.redirectUri) === undefined) {
    return;
  }
  const { responseMode, scopes, responseType: response_type, clientId: client_id, redirectUri: redirect_uri } = app;
  const [state, nonce, code_challenge] = Array.from({ length: 3 }, () => [...probe.random(32)].map((byte) => "abcdefghijklmnopqrstuvwxyz234567"[byte % 32]).join("").padEnd(43, "A"));
  const request = new URLSearchParams({ response_type, client_id, redirect_uri, scope: scopes.join(" "), state, nonce, code_challenge, code_challenge_method: "S256", prompt: "none" });
  app.resource.forEach((resource) => request.append("resource", resource));
  app.audience === undefined || request.set("audience", app.audience);
  responseMode === undefined || request.set("response_mode", responseMode);
  const url = new URL(endpoint);
  const push = isPushed(app, document) ? urlOf(document.pushed_authorization_request_endpoint) : undefined;
  if (isPushed(app, document) && push === undefined) {
    return;
  }
  if (push !== undefined) {
    const answer = await probe.send(push, { method: "POST", headers: FORM, body: `${request}` });
    const said = objectIn(answer.text ?? "");
    if (said?.request_uri === undefined) {
      yield* refused(app, `${said?.error ?? ""} ${said?.error_description ?? ""}`, answer.status, endpoint);
      return;
    }
    url.searchParams.set("client_id", client_id);
    url.searchParams.set("request_uri", said.request_uri);
  } else {
    request.forEach((value, name) => url.searchParams.append(name, value));
  }
  const answer = await probe.authorize(url.href);
  if (answer === undefined) {
    yield error("endpoint_unreachable", endpoint, "The authorization endpoint is not reached.", "Look whether it runs, and whether the address in the metadata is right for who is outside.");
    return;
  }
  const to = answer.status >= 300 && answer.status < 400 ? urlOf(answer.location, endpoint) : undefined;
  if (to !== undefined && to.split(/[?#]/)[0] === redirect_uri.split(/[?#]/)[0]) {
    yield* responded(app, document, new URL(to), endpoint, metadata);
  } else if (to !== undefined && !/error/i.test(to)) {
    yield warning("prompt_none_unsupported", endpoint, "The provider redirects to a page of its own although `prompt=none` forbids that, so that a session cannot be renewed in a hidden frame, and this cannot tell whether the redirect URI is registered.", "Ask for a refresh token, set `renewByFrame: false`, and sign in by hand to see whether the redirect URI is registered.");
  } else {
    yield* refused(app, to ?? answer.text, answer.status, endpoint);
    if (answer.status < 400 && to === undefined && app.renewByFrame && refusesFrames(answer, app.origin)) {
      yield warning("frame_refused", endpoint, "The provider answers `prompt=none` with a page that may not be framed (`X-Frame-Options` or `frame-ancestors`), so that a session cannot be renewed in a hidden frame.", `Let the provider be framed by ${app.origin}, or ask for a refresh token and set \`renewByFrame: false\`.`);
    }
  }
}

function refusesFrames(answer, origin) {
  const policies = policiesOf({ policies: answer.policies }).filter((policy) => sourcesOf(policy, "frame-ancestors") !== undefined);
  const isDenied = /deny|sameorigin/i.test(answer.header("X-Frame-Options") ?? "");
  return policies.length > 0 ? origin !== undefined && !allows(policies, "frame-ancestors", origin, "https://none.invalid") : isDenied;
}

/** It came to the redirect URI, so that is registered. Nobody is signed in here, so it is an error: which one tells more. */
function* responded(app, document, to, endpoint, metadata) {
  const fields = new URLSearchParams([...to.searchParams, ...new URLSearchParams(to.hash.slice(1))]);
  const said = fields.get("error");
  const detail = fields.get("error_description") ? `: ${fields.get("error_description")}` : "";
  if (said === "invalid_scope") {
    yield error("scope_refused", endpoint, `The provider refuses the scopes ${app.scopes.join(" ")}${detail}.`, "Leave out what it does not know, or register the scopes for this client.");
  } else if (said === "unauthorized_client" || said === "unsupported_response_type") {
    yield error("authorization_refused", endpoint, `The provider refuses the authorization request (${said})${detail}.`, "Turn the authorization code flow on for this client.");
  } else if (["invalid_request", "invalid_target", "access_denied", "server_error", "request_not_supported"].includes(said)) {
    yield error("authorization_refused", endpoint, `The provider refuses the authorization request (${said})${detail}.`, "Look what it says, and into its log.");
  }
  const isSigned = fields.has("response");
  if (document.authorization_response_iss_parameter_supported === true && !isSigned && !fields.has("iss")) {
    yield error("iss_missing", metadata, "The metadata promises `iss` in every response (RFC 9207), and there is none: tokenkeep refuses that.", "Let the provider keep its promise, in responses with an error too, or take it back.");
  }
}

/** The words of a page, or of a URL. */
function wordsOf(text) {
  // More is no message.
  const start = text.slice(0, 20000).replaceAll("+", " ").replace(/(?:%[0-9a-f]{2})+/gi, (escaped) => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return " ";
    }
  });
  return start.replace(/<(style|script)\b.*?<\/\1>/gis, " ").replace(/<[^>]*>/g, " ");
}

/** It did not come to the redirect URI. Why, only a text for people says, if anything does. */
function* refused({ redirectUri, clientId }, text, status, endpoint) {
  const said = wordsOf(text ?? "");
  if (/redirect[_ -]?(uri|url)|reply[_ ](url|address)|callback[_ ]url/i.test(said)) {
    yield error("redirect_uri_not_registered", endpoint, `The provider does not know the redirect URI ${redirectUri} for this client.`, `Register exactly this redirect URI at the provider, for a single-page app: ${redirectUri}`);
  } else if (/invalid[_ ]client|unknown[_ ]client|unauthorized[_ ]client|(client|application)\b.{0,60}\b(not (be )?found|unknown|invalid|does not exist|not registered)|(unknown|invalid) (client|application)/is.test(said)) {
    yield error("client_unknown", endpoint, `The provider does not know the client ${clientId}.`, "Look whether `clientId` is right, and of this very issuer: realm, tenant or environment.");
  } else if (status >= 400) {
    yield error("authorization_refused", endpoint, `The provider answers an authorization request with ${status} and a page of its own: mostly the redirect URI is not registered, or the client is not known.`, `Register ${redirectUri} for the client ${clientId}, and open this endpoint by signing in to see what the page says.`);
  } else {
    yield info("authorization_unclear", endpoint, "The provider answers with a page of its own, so that it cannot be told whether the redirect URI is registered.", `Sign in by hand once. The redirect URI to register is ${redirectUri}`);
  }
}

// Cookies, clock, browser

/** Whether the provider's cookies go with a hidden frame of the app. */
function* cookies({ origin, renewByFrame, scopes }, { document }) {
  const endpoint = urlOf(document.authorization_endpoint);
  if (!renewByFrame || origin === undefined || endpoint === undefined || siteOf(origin) === siteOf(endpoint)) {
    return;
  }
  const severity = scopes.includes("offline_access") ? info : warning;
  const also = scopes.includes("offline_access") ? " The refresh token that the app asks for does it instead." : " Then a session ends with its access token, or with a reload.";
  yield severity("third_party_cookies", endpoint, `App and provider are of two sites (${siteOf(origin)} and ${siteOf(endpoint)}), so that the provider's cookies are third-party cookies, and a session is not renewed in a hidden frame where browsers block them.${also}`, "Give the provider a name under the app's own domain, such as login.example.com, or ask for a refresh token (`offline_access`, or a switch at the provider).");
}

/** Scheme and registrable domain, as well as that can be told without a list of all suffixes. */
function siteOf(text) {
  const { protocol, hostname } = new URL(text);
  const labels = hostname.split(".");
  const isName = !/^[\d.]+$|^\[/.test(hostname) && labels.length > 2;
  // Such as co.uk and com.au, and hosts whose names are everybody's.
  const isShared = /\.(?:(?:ac|co|com|edu|gov|net|org)\.[a-z]{2}|github\.io|gitlab\.io|pages\.dev|workers\.dev|web\.app|firebaseapp\.com|netlify\.app|vercel\.app|herokuapp\.com|azurewebsites\.net|onrender\.com|fly\.dev)$/.test(`.${hostname}`);
  return `${protocol}//${isName ? labels.slice(isShared ? -3 : -2).join(".") : hostname}`;
}

function* clock(app, probe, { answer, where }, pages) {
  const [source, date] = answer.date !== undefined ? [where, answer.date] : [pages.start?.url, pages.start?.date];
  if (answer.date === undefined && answer.text !== undefined) {
    yield info("date_not_exposed", where, `The app cannot read \`Date\` here${date === undefined ? ", so that its clock was not compared" : ", so that its clock was compared with that of the app's own server"}.`, "Send `Access-Control-Expose-Headers: Date` with the metadata, if clocks shall be compared.");
  }
  const difference = date === undefined ? 0 : (probe.now() - date) / 1000 - app.clockSkew;
  if (Math.abs(difference) > app.clockLeeway + 1) {
    const way = difference > 0 ? "ahead of" : "behind";
    yield warning("clock_skew", source, `This device's clock is ${Math.round(Math.abs(difference))} seconds ${way} the server's: ID tokens are refused when they differ by more than ${app.clockLeeway}.`, "Set the clock of this device, or of the server, by NTP.");
  }
}

async function* surroundings({ keeps, origin }, probe) {
  const missing = (await probe.surroundings?.()) ?? {};
  if (missing.crypto) {
    yield error("insecure_context", origin, "This page has no WebCrypto.", "Serve it over https, or from localhost.");
  }
  if (missing.storage) {
    yield warning("storage_blocked", origin, `The browser blocks storage for this site (${missing.storage}): a sign-in cannot be finished after the redirect, unless its keep lives on in a SharedWorker.`, "Let the user allow cookies and site data for this site; do not open the app in a frame of another site.");
  }
  if (missing.sharedWorker && keeps[0] === "shared") {
    yield info("shared_worker_missing", origin, "This browser starts no SharedWorker here, so that the tokens are kept elsewhere.", "Nothing, unless `keep` allows `shared` only.");
  }
}

// The app's own responses

/** The page that the app starts with, that of the redirect URI, one that is not there, and the worker's script. */
async function pagesOf(app, probe, found) {
  const { origin, redirectUri } = app;
  if (origin === undefined) {
    return {};
  }
  const read = async (url) => {
    const page = await probe.app(url);
    return page && { url, ...page, all: policiesOf(page) };
  };
  const isOwn = originOf(redirectUri) === origin;
  const nowhere = `${origin}/tokenkeep-diagnose-${[...probe.random(4)].join("")}.html`;
  const [start, callback, missing] = await Promise.all([read(`${origin}/`), isOwn ? read(redirectUri) : undefined, read(nowhere)]);
  if (start === undefined) {
    found.push((probe.where === "node" ? warning : info)("app_unreachable", `${origin}/`, "The app's own pages cannot be read from here, so that its headers were not looked at.", probe.where === "node" ? "Start the app, or name the origin where it runs." : "Look at them from outside: `npx tokenkeep diagnose`."));
    return {};
  }
  if (callback !== undefined && callback.status >= 400) {
    found.push(error("redirect_uri_not_served", redirectUri, `The app's server answers ${callback.status} at the redirect URI.`, "Let it answer with the app's page there, as for every deep link of a single-page app."));
  }
  const [named] = workersIn(start.all, origin);
  const script = app.worker ?? named;
  const hasWorker = app.keeps.some((keep) => keep !== "page");
  const worker = hasWorker && script !== undefined && originOf(script) === origin ? await read(script) : undefined;
  return { start, callback, missing, worker, script };
}

async function* policies(app, probe, provider, pages) {
  const { start, callback, missing, worker, script } = pages;
  const inPage = app.keeps.includes("page");
  const { origin } = app;
  if (provider.stopped !== undefined) {
    const way = "Ask from outside: `npx tokenkeep diagnose`.";
    yield inPage
      ? error("csp_connect_src", start?.url ?? `${origin}/`, `The Content-Security-Policy of this page (\`connect-src\`) allows no request to ${originOf(provider.where)}, so that nothing more could be looked at.`, `Add ${originOf(provider.where)} to \`connect-src\`.`)
      : info("provider_not_checked", provider.where, "The policy of this page allows no request to the provider. That is right where only a worker makes them, but nothing could be looked at.", way);
  }
  if (start === undefined) {
    return;
  }
  if (/^same-origin$/i.test(start.header("Cross-Origin-Opener-Policy")?.trim() ?? "")) {
    yield (app.popup ? warning : info)("coop_popup", start.url, "`Cross-Origin-Opener-Policy: same-origin` cuts the app off from its popups: a sign-in in a popup works, but it is not noticed when the user closes it.", "Send `Cross-Origin-Opener-Policy: same-origin-allow-popups` if you use popups.");
  }
  const hasWorker = app.keeps.some((keep) => keep !== "page");
  if (start.all.length === 0) {
    yield warning("csp_missing", start.url, "The app comes without a Content-Security-Policy: nothing limits what an injected script can load, start and send.", "Send the policy of the README with every response of this origin, error pages too.");
  }
  const targets = [...requested(app, provider), ...app.apis];
  const blocked = (policies, self) => [...new Set([...targets, ...self].filter((url) => !allows(policies, "connect-src", url, origin)).map(originOf))];
  const connect = (page, list) => error("csp_connect_src", page.url, `The Content-Security-Policy of this response (\`connect-src\`) does not allow ${list.join(", ")}.`, `Add ${list.join(" ")} to \`connect-src\` there.`);
  if (inPage && start.all.length > 0) {
    const list = blocked(start.all, [`${origin}/`]);
    // What was stopped already is told.
    const more = provider.stopped === undefined ? list : list.filter((one) => one !== originOf(provider.where));
    if (more.length > 0) {
      yield connect(start, more);
    }
    if (!hasWord(start.all, "script-src", "'wasm-unsafe-eval'", "'unsafe-eval'")) {
      yield error("csp_wasm", start.url, "The Content-Security-Policy of the app (`script-src`) does not allow WebAssembly.", "Add `'wasm-unsafe-eval'` to `script-src`. It allows no `eval`.");
    }
  }
  yield* framing(app, provider, start, callback);
  const endpoint = urlOf(provider.document?.end_session_endpoint);
  if (app.idTokenHint && endpoint !== undefined && !allows(start.all, "form-action", endpoint, origin)) {
    yield error("csp_form_action", start.url, `The Content-Security-Policy of the app (\`form-action\`) does not allow ${originOf(endpoint)}, where a sign-out with \`idTokenHint\` sends a form.`, `Add ${originOf(endpoint)} to \`form-action\`.`);
  }
  if (!hasWorker || start.all.length === 0) {
    return;
  }
  const severity = inPage ? warning : error;
  const instead = inPage ? "so that the tokens are in the page" : "so that nothing starts";
  if (script !== undefined && !allows(start.all, "worker-src", script, origin)) {
    yield severity("csp_worker_src", start.url, `The Content-Security-Policy of the app (\`worker-src\`) does not allow ${script}, ${instead}.`, `Set \`worker-src\` to ${script}`);
  } else if (!namesWorkers(start.all)) {
    yield warning("csp_worker_src_wide", start.url, "The Content-Security-Policy of the app (`worker-src`) lets every script of this origin be a worker: an injected script can start one of its own, and a service worker that sees the tokens.", "Set `worker-src` to the whole URL of the keep's script, and to nothing else.");
  } else if (missing !== undefined && !namesWorkers(missing.all)) {
    yield warning("csp_error_page", missing.url, "A response for what is not there comes without the `worker-src` of the app: an injected script can start a worker from it, in a frame.", "Send the policy with every response of this origin, error pages too.");
  }
  const types = start.all.filter(({ directives }) => directives.get("require-trusted-types-for")?.includes("'script'"));
  const names = start.all.map(({ directives }) => directives.get("trusted-types")).filter((names) => names !== undefined);
  if (types.length > 0 && !names.every((names) => names.includes("tokenkeep") || names.includes("*"))) {
    yield severity("csp_trusted_types", start.url, `The Content-Security-Policy of the app does not allow the Trusted Types policy \`tokenkeep\`, by which the keep's worker is started, ${instead}.`, "Add `tokenkeep` to `trusted-types`.");
  }
  if (worker === undefined) {
    return;
  }
  if (worker.status >= 400 || !/javascript/i.test(worker.type ?? "")) {
    yield severity("worker_script_missing", script, `There is no JavaScript at the address of the keep's script (${worker.status}, ${worker.type ?? "no type"}), ${instead}.`, "Serve the file there, as `text/javascript`.");
  } else if (worker.all.length === 0) {
    yield warning("csp_worker_missing", script, "The script of the keep's worker comes without a Content-Security-Policy, and a worker goes by that of its own response: nothing limits where it can send tokens.", "Send the second policy of the README with this response: its `connect-src` names the provider and the APIs.");
  } else {
    const list = blocked(worker.all, []);
    if (list.length > 0) {
      yield connect(worker, list);
    }
    if (!hasWord(worker.all, "script-src", "'wasm-unsafe-eval'", "'unsafe-eval'")) {
      yield error("csp_wasm", script, "The Content-Security-Policy of the worker's own response (`script-src`) does not allow WebAssembly.", "Add `'wasm-unsafe-eval'` to `script-src` there.");
    }
  }
}

/** What the keep sends requests to. */
function requested(app, { document, where }) {
  const pushed = isPushed(app, document ?? {}) ? ["pushed_authorization_request_endpoint"] : [];
  const members = ["token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint", ...pushed];
  return [where, ...members.map((member) => urlOf(document?.[member])).filter((url) => url !== undefined)];
}

function* framing(app, { document }, start, callback) {
  if (!app.renewByFrame) {
    return;
  }
  const endpoint = urlOf(document?.authorization_endpoint);
  const wanted = [endpoint, app.redirectUri].filter((url) => urlOf(url) !== undefined);
  const list = [...new Set(wanted.filter((url) => !allows(start.all, "frame-src", url, app.origin)).map(originOf))];
  if (list.length > 0) {
    yield warning("csp_frame_src", start.url, `The Content-Security-Policy of the app (\`frame-src\`) does not allow ${list.join(", ")}: the hidden frame that renews a session begins at the provider and ends at the redirect URI.`, `Add ${list.join(" ")} to \`frame-src\`, or set \`renewByFrame: false\`.`);
  }
  const ancestors = (callback?.all ?? []).filter((policy) => sourcesOf(policy, "frame-ancestors") !== undefined);
  const isDenied = ancestors.length === 0 && /deny/i.test(callback?.header("X-Frame-Options") ?? "");
  if (isDenied || !allows(ancestors, "frame-ancestors", app.origin, app.origin)) {
    yield warning("csp_frame_ancestors", callback.url, "The app's page at the redirect URI may not be framed, not even by the app (`frame-ancestors` or `X-Frame-Options`): the hidden frame that renews a session ends there.", "Send `frame-ancestors 'self'` with it, or set `renewByFrame: false`.");
  }
}
