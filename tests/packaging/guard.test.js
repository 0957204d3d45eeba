// The guard: what it is, and what it does to a page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { openChromium } from "./lib/chromium.js";
import { GUARD, hashOf, makeGuard } from "./lib/guard.js";
import { PACKAGE, serve } from "./lib/site.js";

const guard = await readFile(GUARD, "utf8");

const LOOK = "seen.push([location.href, window[Symbol.for('tokenkeep.response')] ?? null])";
const browser = await openChromium();
const site = await serve({
  answers: {
    "/look.js": LOOK,
    "/around": "<!doctype html><title>around</title>",
    "*": `<!doctype html><meta charset="utf-8">
      <script>
        var seen = [], replaced = 0;
        history.replaceState = (...args) => {
          replaced += 1;
          History.prototype.replaceState.apply(history, args);
        };
      </script>
      <script>${guard}</script>
      <script>${LOOK}</script>
      <script src="/look.js"></script>
      <script type="module">${LOOK}; parent !== window && parent.postMessage("loaded", "*");</script>`,
  },
});

test("it is takeResponse, and nothing else", async () => {
  assert.equal(guard, await makeGuard(), "`npm run guard` writes it anew");
});

test("it is smaller than 1 kB, and may be inlined", () => {
  assert.ok(Buffer.byteLength(guard) < 1000, `${Buffer.byteLength(guard)} bytes`);
  assert.doesNotMatch(guard, /<\/script|<!--|[^\x20-\x7e]/i);
});

test("the README has its size and its digest, and no other", async () => {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  assert.match(readme, new RegExp(`\\b${Buffer.byteLength(guard)}\\s+bytes`));
  assert.deepEqual([...new Set(readme.match(/sha256-[\w+/=]+/g))], [hashOf(guard)]);
});

/** What the scripts of a page saw, how often the address was replaced, and what remained. */
async function visit(path) {
  const page = await browser.newPage();
  await page.goto(site.origin + path);
  const seen = await page.evaluate(() => ({ seen, replaced, entries: history.length, state: history.state }));
  await page.close();
  return { ...seen, seen: seen.seen.map(([href, taken]) => [href.slice(site.origin.length), taken?.slice(site.origin.length) ?? null]) };
}

for (const [name, before, after] of [
  ["a response in the query", "/callback?code=c0de&state=5tate&iss=https%3A%2F%2Fa.example&session_state=s", "/callback"],
  ["a response in the fragment", "/callback#state=5tate&code=c0de", "/callback"],
  ["an error", "/callback?error=access_denied&error_description=no&error_uri=u&state=5tate", "/callback"],
  ["a signed response", "/callback?response=eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "/callback"],
  ["a signed response in the fragment", "/callback#response=eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "/callback"],
  ["tokens that nobody asked for", "/callback#access_token=t&token_type=Bearer&expires_in=9&id_token=i&state=5tate", "/callback"],
  [
    "a response beside the app's own parameters",
    "/callback?tab=2&code=c0de&q=a%20b+c&state=5tate&codec=x#part=3&b",
    "/callback?tab=2&q=a%20b+c&codec=x#part=3&b",
  ],
  ["a response at a path with two slashes", "//callback?code=c0de&state=5tate", "//callback"],
]) {
  test(`${name} leaves the address before any other script runs`, async () => {
    const { seen, entries, replaced } = await visit(before);
    assert.deepEqual(seen, Array(3).fill([after, before]));
    // Nothing of it is in the history.
    assert.deepEqual([entries, replaced], [2, 1]);
  });
}

for (const address of ["/", "/orders?code=SPRING", "/orders?state=open&page=2#code=7", "/map#state=open&zoom=3", "/x?estate=1&decode=2", "/poll?response=yes.no.maybe"]) {
  test(`without a response ${address} stays as it is`, async () => {
    const { seen, replaced } = await visit(address);
    assert.deepEqual(seen, Array(3).fill([address, null]));
    assert.equal(replaced, 0);
  });
}

/** Opens a frame, and gives what it posted to the page around it, until that has heard of the last script in it or of its end. */
async function frame(around, inside, attributes) {
  const page = await browser.newPage();
  await page.goto(`${around}/around`);
  const posted = await page.evaluate(
    async ([src, attributes]) => {
      const posted = [];
      const post = window.postMessage;
      window.postMessage = (...args) => {
        posted.push(args);
        post.apply(window, args);
      };
      const heard = new Promise((resolve) => {
        addEventListener("message", ({ data, origin }) => resolve({ data, origin }));
      });
      const frame = document.createElement("iframe");
      Object.assign(frame, { src, ...attributes });
      document.body.append(frame);
      const first = await heard;
      const inside = frame.contentDocument && frame.contentWindow;
      while (inside && inside.document.readyState !== "complete") {
        await new Promise(requestAnimationFrame);
      }
      return { posted, first, seen: inside?.seen };
    },
    [inside, attributes],
  );
  await page.close();
  return posted;
}

const RESPONSE = "/callback?code=c0de&state=5tate";

test("in a hidden frame the address goes to the page around it, for its own origin only, and nothing more runs", async () => {
  const address = site.origin + RESPONSE;
  const { posted, first, seen } = await frame(site.origin, address, { hidden: true });
  assert.deepEqual(posted, [[address, site.origin]]);
  assert.deepEqual(first, { data: address, origin: site.origin });
  assert.deepEqual(seen, []);
});

test("in a frame that is shown a response is the frame's own", async () => {
  const { posted, first, seen } = await frame(site.origin, site.origin + RESPONSE, { hidden: false });
  assert.deepEqual(posted, [["loaded", "*"]]);
  assert.equal(first.data, "loaded");
  assert.deepEqual(seen, Array(3).fill([`${site.origin}/callback`, site.origin + RESPONSE]));
});

test("in a frame of another origin nothing is posted", async () => {
  // What the frame posts first is what its last script says.
  const { first } = await frame(site.elsewhere, site.origin + RESPONSE, { hidden: true });
  assert.deepEqual(first, { data: "loaded", origin: site.origin });
});
