// The recipes of src/manual/howto.md, run as they are written: in a browser, at the demo's provider.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { transform } from "esbuild";

import { DEMO_CODE } from "../../demo/provider/steps.js";
import { openChromium } from "./lib/chromium.js";
import { answerProvider, startDemo } from "./lib/demo.js";
import { PACKAGE, serve } from "./lib/site.js";

const MANUAL = await readFile(join(PACKAGE, "../src/manual/howto.md"), "utf8");
const { exports } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
const scripts = Object.entries(exports).filter(([, file]) => file.default?.endsWith("js"));
const imports = scripts.map(([name, file]) => [join("tokenkeep", name), join("/tokenkeep", file.default)]);
const IMPORT_MAP = JSON.stringify({ imports: Object.fromEntries(imports) });
const PAGE = `<!doctype html><title>app</title><link rel="icon" href="data:,"><script type="importmap">${IMPORT_MAP}</script>`;

/** The snippets in TypeScript, by the title that they stand under. */
const recipes = new Map(
  MANUAL.split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf("\n")), [...section.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code)]),
);

const site = await serve({ answers: { "*": PAGE }, files: { "/tokenkeep/": PACKAGE } });
for (const name of ["popup.html", "popup-callback.js"]) {
  site.answers[`/${name}`] = await readFile(join(PACKAGE, name), "utf8");
}
const demo = await startDemo(site.origin, site.elsewhere);
const browser = await openChromium();
const ran = new Set();

/** Serves a snippet with the demo's addresses in the place of those that stand for anybody's. */
async function serveRecipe(title, number = 0, { api = demo.api, instead = [] } = {}) {
  const snippet = recipes.get(title)?.[number];
  assert.ok(snippet, `there is no such recipe: ${title}`);
  ran.add(`${title} ${number}`);
  const addresses = [
    ["https://login.example.com", demo.issuer],
    ["https://api.example.com/", api],
    ['clientId: "my-app"', `clientId: "${demo.options.clientId}", resource: "${demo.api}"`],
  ];
  const here = [...addresses, ...instead].reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), snippet);
  const { code } = await transform(here, { loader: "ts", target: "es2022" });
  site.answers["/recipe.js"] = (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/javascript", "Cache-Control": "no-store" }).end(code);
  };
}

const load = (page) => page.evaluate(async () => void (window.recipe = await import("/recipe.js")));

async function visit(path = "/") {
  const page = await (await browser.newContext()).newPage();
  await page.goto(site.origin + path);
  await load(page);
  return page;
}

/** Answers the provider, and loads the app that the browser comes back to. */
async function comeBack(page) {
  await answerProvider(page);
  await page.waitForURL((url) => url.pathname === "/callback");
  await load(page);
}

async function signIn(page) {
  await page.evaluate(() => void recipe.auth.signIn());
  await comeBack(page);
  assert.equal(await status(page), "signed_in");
}

const status = (page) => page.evaluate(() => recipe.auth.session.status);

const become = (page, what) => page.waitForFunction(what);

test("Stay signed in after a reload, and in every tab", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  assert.equal(await page.evaluate(() => recipe.greeting()), "Sign in");
  await signIn(page);
  assert.equal(await page.evaluate(() => recipe.greeting()), "Hello, Alice Archer");
  await page.reload();
  await load(page);
  const tab = await page.context().newPage();
  await tab.goto(site.origin);
  await load(tab);
  for (const one of [page, tab]) {
    assert.equal(await one.evaluate(() => recipe.greeting()), "Hello, Alice Archer");
  }
  await tab.evaluate(() => recipe.auth.signOut({ local: true }));
  await become(page, () => recipe.greeting() === "Sign in");
  await page.context().close();
});

test("Renew where third-party cookies are blocked", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  await signIn(page);
  // A token that came just now is not renewed.
  await page.evaluate(async () => {
    while (recipe.told.length === 0) {
      await recipe.auth.renew();
      await new Promise(requestAnimationFrame);
    }
  });
  assert.deepEqual(await page.evaluate(() => recipe.told), ["renewed by refresh_token"]);
  await page.context().close();
});

test("Come back to where the user was, once", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  await page.evaluate(() => void recipe.openOrder("7"));
  await comeBack(page);
  assert.equal(page.url(), `${site.origin}/orders/7?tab=items#total`);
  assert.equal(await status(page), "signed_in");

  await page.evaluate(() => history.replaceState(null, "", "/magic?code=abc&state=def"));
  await page.reload();
  await load(page);
  assert.equal(page.url(), `${site.origin}/magic?code=abc&state=def`, "that is the app's own");
  await page.context().close();

  await serveRecipe(t.name, 1);
  const other = await visit();
  assert.deepEqual(await other.evaluate(() => recipe.finished.map(({ outcome }) => outcome)), ["nothing", "nothing"]);
  await other.evaluate(() => void recipe.auth.signIn());
  await comeBack(other);
  assert.deepEqual(await other.evaluate(() => recipe.finished.map(({ outcome }) => outcome)), ["signed_in", "signed_in"]);
  await other.context().close();
});

test("Call several APIs, each with a token of its own", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  await signIn(page);
  assert.equal(await page.evaluate(() => recipe.orders()), 200);
  assert.equal(await page.evaluate(() => recipe.elsewhere().catch(({ code }) => code)), "destination_not_allowed");
  await page.context().close();
});

test("Say what went wrong, and to whom", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  assert.equal(await page.evaluate(() => recipe.tryIt()), "Please sign in.");
  await signIn(page);
  assert.equal(await page.evaluate(() => recipe.tryIt()), "fine");
  await page.context().close();

  // Nobody is there.
  await serveRecipe(t.name, 0, { api: "http://localhost:1/" });
  const other = await visit();
  await signIn(other);
  assert.equal(await other.evaluate(() => recipe.tryIt()), "No connection. Try again in a moment.");
  await other.context().close();
});

test("Sign in again without losing the page", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  await page.evaluate(() => {
    const button = document.body.appendChild(document.createElement("button"));
    button.onclick = () => recipe.signInAgain(new AbortController().signal).then((status) => (document.title = status));
    button.textContent = "Sign in";
  });
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.click("button")]);
  await answerProvider(popup);
  await become(page, () => document.title === "signed_in");
  assert.equal(page.url(), `${site.origin}/`);
  await page.context().close();
});

test("Sign out everywhere, and by itself", async (t) => {
  // A quarter of an hour is four seconds here.
  await serveRecipe(t.name, 0, { instead: [["15 * 60", "4"], ["idleWarningSeconds: 60", "idleWarningSeconds: 3"]] });
  const page = await visit();
  await signIn(page);
  await become(page, () => recipe.warning?.startsWith("Signed out in"));
  await page.evaluate(() => recipe.stay());
  await become(page, () => recipe.warning === undefined);
  await become(page, () => recipe.warning === "Signed out: idle");
  assert.equal(await status(page), "signed_out");
  await page.context().close();

  await serveRecipe(t.name);
  const other = await visit();
  await signIn(other);
  await other.evaluate(() => recipe.leave());
  assert.deepEqual([await status(other), await other.evaluate(() => recipe.warning)], ["signed_out", "Signed out: signed_out"]);
  await other.context().close();
});

test("Ask for more for one call", async (t) => {
  await serveRecipe(t.name, 0, { instead: [["stepUp: true", 'stepUp: true, scopes: "openid orders:read"']] });
  const page = await visit();
  await signIn(page);
  const transfer = (page) =>
    page.evaluate((url) => {
      const body = JSON.stringify({ order: "2026-0117", to: "a friend" });
      window.answered = recipe.auth.fetch(url, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    }, `${demo.api}orders/transfer`);
  await transfer(page);
  await become(page, () => recipe.wanted?.includes("requiredAcr"));
  await page.evaluate(() => recipe.decline());
  assert.equal(await page.evaluate(() => answered.then(({ status }) => status)), 401);

  await transfer(page);
  await become(page, () => recipe.auth.stepUp !== undefined);
  await page.evaluate(() => void recipe.agree());
  await page.waitForURL((url) => url.origin === demo.issuer);
  await page.fill("#code", DEMO_CODE);
  await page.click("button.main");
  await page.waitForURL((url) => url.pathname === "/callback");
  await load(page);
  assert.equal(await status(page), "signed_in");
  assert.ok(await page.evaluate(() => recipe.auth.session.claims.acr));
  await page.context().close();
});

test("Find out why it does not work", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  assert.deepEqual(await page.evaluate(() => recipe.doctor()), []);
  await page.context().close();

  await serveRecipe(t.name, 0, { instead: [[`"${demo.issuer}"`, `"${demo.issuer}/wrong"`]] });
  const other = await visit();
  const findings = await other.evaluate(() => recipe.doctor());
  assert.ok(findings.length > 0 && findings.every((finding) => /^[a-z_]+: .+\. .+/.test(finding)), findings.join());
  await other.context().close();
});

test("Test an app without a provider", async (t) => {
  await serveRecipe(t.name);
  const page = await visit();
  assert.deepEqual(await page.evaluate(() => recipe.scenario()), ["/me", "signed_out"]);
  await page.context().close();
});

test("every recipe was run", () => {
  const all = [...recipes].flatMap(([title, snippets]) => snippets.map((_, number) => `${title} ${number}`));
  assert.ok(recipes.size >= 10);
  assert.deepEqual(all.filter((recipe) => !ran.has(recipe)), []);
});
