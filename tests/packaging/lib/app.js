// An app without a bundler, at the demo's provider: its pages have `tokenkeep` and do nothing by themselves.

import { openChromium } from "./chromium.js";
import { answerProvider, startDemo } from "./demo.js";
import { PACKAGE, serve } from "./site.js";

const pageOf = (entry) => `<!doctype html><title>app</title><link rel="icon" href="data:,"><script type="module">
  import * as tokenkeep from "/tokenkeep/${entry}";
  window.tokenkeep = tokenkeep;
</script>`;

/** Serves the app, starts the provider, opens the browser. */
export function startApp(...browserArguments) {
  return startAppWith("index.js", ...browserArguments);
}

/** The same with another entry of the package. */
export async function startAppWith(entry, ...browserArguments) {
  const site = await serve({ answers: { "*": pageOf(entry) }, files: { "/tokenkeep/": PACKAGE } });
  const demo = await startDemo(site.origin, site.elsewhere);
  const browser = await openChromium(...browserArguments);

  /** A page of a browser that knows nobody. */
  async function visit(path = "/", { context } = {}) {
    context ??= await browser.newContext();
    const page = await context.newPage();
    await page.goto(site.origin + path);
    return loaded(page);
  }

  /** A page with an `auth` that signed in. */
  async function signedIn(options = demo.options) {
    const page = await visit();
    await open(page, options);
    await page.evaluate(() => void auth.signIn());
    await answerProvider(page);
    await page.waitForURL(`${site.origin}/callback?*`);
    await loaded(page);
    await open(page, options);
    return page;
  }

  return { site, demo, browser, visit, signedIn };
}

async function loaded(page) {
  await page.waitForFunction(() => window.tokenkeep !== undefined);
  return page;
}

/** Opens an `auth` in a page, or says why that did not work. */
export function open(page, options) {
  return page.evaluate(async (options) => {
    try {
      window.auth = await tokenkeep.open(options);
      return auth.session.status;
    } catch (error) {
      return { ...error };
    }
  }, options);
}
