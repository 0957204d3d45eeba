// What a Content Security Policy allows (Content Security Policy Level 3 §6), as far as signing in needs it.

// What stands in for a directive that is not there.
const FALLBACKS = {
  "connect-src": ["default-src"],
  "frame-src": ["child-src", "default-src"],
  "script-src": ["default-src"],
  "worker-src": ["child-src", "script-src", "default-src"],
};

/** The policies of a response: those in its headers, and those in its page. Each of them must allow a thing. */
export function policiesOf({ policies = [], html = "" }) {
  const inPage = [...html.matchAll(/<meta\b[^>]*>/gi)].map(([tag]) => tag).filter((tag) => /http-equiv\s*=\s*["']?content-security-policy["'\s>]/i.test(tag));
  const contents = inPage.map((tag) => /\bcontent\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(tag)).map((found) => found?.[1] ?? found?.[2] ?? "");
  // Several policies in one header have commas between.
  const read = (text, meta) => text.split(",").map((one) => ({ directives: directives(one), meta }));
  const all = [...policies.flatMap((text) => read(text, false)), ...contents.flatMap((text) => read(unescaped(text), true))];
  return all.filter((policy) => policy.directives.size > 0);
}

function unescaped(text) {
  return text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&#x27;", "'").replaceAll("&amp;", "&");
}

function directives(text) {
  const found = new Map();
  for (const directive of text.split(";")) {
    const [name, ...values] = directive.trim().split(/\s+/);
    // The first of one name counts.
    if (name !== "" && !found.has(name.toLowerCase())) {
      found.set(name.toLowerCase(), values);
    }
  }
  return found;
}

/** The sources of a directive, or of what stands in for it; `undefined` if nothing is said. */
export function sourcesOf({ directives, meta }, name) {
  if (meta && name === "frame-ancestors") {
    return undefined;
  }
  return [name, ...(FALLBACKS[name] ?? [])].map((one) => directives.get(one)).find((sources) => sources !== undefined);
}

/** Whether all these policies let a page of this origin reach this URL. */
export function allows(policies, name, url, origin) {
  return policies.every((policy) => sourcesOf(policy, name)?.some((source) => matches(source, new URL(url), new URL(origin))) ?? true);
}

/** Whether all these policies have one of these key words. */
export function hasWord(policies, name, ...words) {
  return policies.every((policy) => sourcesOf(policy, name)?.some((source) => words.includes(source.toLowerCase())) ?? true);
}

/** Whether one of these policies keeps scripts of the page's own origin from being workers, but for those that it names. */
export function namesWorkers(policies) {
  const isNarrow = (source) => /^'(?!self')/.test(source) || (source !== "*" && !/^[a-z][a-z0-9+.-]*:$/i.test(source) && pathOf(source).length > 1);
  return policies.some((policy) => sourcesOf(policy, "worker-src")?.every(isNarrow) ?? false);
}

/** The scripts that a policy names as workers, at this origin. */
export function workersIn(policies, origin) {
  const paths = policies.flatMap((policy) => policy.directives.get("worker-src") ?? []).map(pathOf);
  return [...new Set(paths)].filter((path) => /\.m?js$/.test(path)).map((path) => origin + path);
}

function pathOf(source) {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^/']+(\/.*)?$/i.exec(source)?.[1] ?? "";
}

function matches(source, url, self) {
  const word = source.toLowerCase();
  const isSame = (scheme) => url.protocol === scheme || isUpgrade(scheme, url.protocol);
  if (word === "*") {
    return ["http:", "https:", "ws:", "wss:", self.protocol].includes(url.protocol);
  }
  if (word === "'self'") {
    return url.hostname === self.hostname && (url.port === self.port || isUpgrade(self.protocol, url.protocol)) && isSame(self.protocol);
  }
  if (/^[a-z][a-z0-9+.-]*:$/.test(word)) {
    return isSame(word);
  }
  const [, scheme, host, port, path] = /^(?:([a-z][a-z0-9+.-]*:)\/\/)?(\[[^\]]+\]|[^/:']+)(?::(\d+|\*))?(\/[^?#]*)?$/i.exec(source) ?? [];
  if (host === undefined || !isSame((scheme ?? self.protocol).toLowerCase())) {
    return false;
  }
  const usual = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443" };
  const at = url.port || usual[url.protocol];
  const wanted = port ?? usual[(scheme ?? url.protocol).toLowerCase()];
  const samePort = wanted === "*" || wanted === at || (wanted === "80" && at === "443");
  const name = host.toLowerCase();
  const sameHost = name === "*" || (name.startsWith("*.") ? url.hostname.endsWith(name.slice(1)) : url.hostname === name);
  const samePath = path === undefined || path === "/" || (path.endsWith("/") ? url.pathname.startsWith(path) : url.pathname === path);
  return samePort && sameHost && samePath;
}

// http stands for https, too.
function isUpgrade(from, to) {
  return (from === "http:" && to === "https:") || (from === "ws:" && to === "wss:");
}
