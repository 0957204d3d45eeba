// What was measured, as RESULTS.md.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

import { LIBRARIES, PAGES, PRELOADED, SHARED, address, parts } from "./build.mjs";
import { RATE, SLOWNESS, milliseconds } from "./visit.mjs";

const HERE = import.meta.dirname;
/** Areas of the wasm below this share of it are told together. */
const SMALL = 0.01;
/** The step of a page's clock, in milliseconds. */
const STEP = 0.1;

/** The answers whose calls are timed one by one: so many in a turn, after some that are not counted. */
export const ANSWERS = [
  { name: "1 kB", bytes: 1000, calls: 100, warmUp: 10 },
  { name: "10 MB", bytes: 10_000_000, calls: 5, warmUp: 1 },
];

export async function report({ seen, files, site, product, rounds, load, wasm }) {
  const [before, after] = load;
  return `# tokenkeep beside other libraries

\`cargo xtask bench\` wrote this. Every number is of one run, in which all libraries took turns.

${versions(product)}

Pages of a few lines sign in at the demo's provider and call its API, each with one library. Times are the median of ${rounds}, with the
lowest and the highest. **×** says how often the number of that line goes into tokenkeep's: above 1, tokenkeep has more.
Browser, provider and API shared ${cpus().length} cores (${cpus()[0].model}): load average ${before} before the run, ${after} at its end.

## Bytes of everything loaded to sign in

Minified by esbuild, compressed by brotli 11, as the browser got them.

${bytes(seen, files, site)}

tokenkeep's parts, each minified and compressed alone, so that the sum is not quite what a page loads:

${table(["", "minified", "brotli"], (await parts()).map(({ name, raw, brotli }) => [name, raw, brotli]))}
${wasm.length > 0 ? modules(wasm) : ""}
## Until the library is ready, and knows that nobody is signed in

First visit, nothing cached, ${SLOWNESS}. Main thread and all threads: processor time of the
page's process until then.

${opening(seen)}

## From the provider's answer to signed in

The provider has sent the browser back: from the request for the app's page until the library has the tokens. The same slowness; files
come from the browser's cache.

${signing(seen, site)}

## Reload of the only tab

Signed in, the page is loaded again, the browser as it is: from the beginning of that until the library says who is signed in. "Since
open" is the part of it after the library was asked. "Loads" is 2 where it went to the provider and came back. Requests are counted by the
provider, whoever sent them; what came from the browser's cache is none.

${reloading(seen)}

## Calls of an API in a second

One after the other with a token that is there, each answer read; the browser as it is. The API is on the same machine and answers
\`{}\`.

${calling(seen)}

## What a call costs

Milliseconds of one call until its answer is read, one call after the other; the browser as it is. Turns of ${calls()}
calls, ${warmUps()} before them not counted; at least ${fewest(seen)} of each. The API says how long its answers are
(\`Content-Length\`). With the other libraries it is the page that calls, by hand.

${costs(seen)}

## Memory after signing in and one call

JavaScript's heap after a garbage collection, and wasm memory at its full size, in kB.

${memory(seen)}

## What to know

- tokenkeep does more. Of these, only ${keyReaders(seen)} read the provider's keys and verified the ID token's signature: one
  request more. The others trust the connection to the token endpoint, as OpenID Connect allows.
- tokenkeep hands no token to the page: each call goes through wasm, which compares the destination and adds the token. The others give
  the page a token, and the page calls \`fetch\`. "By hand" is \`fetch\` with a token in a variable.
- "tokenkeep" is with the tokens in the page (\`keep: "page"\`), where all that it costs can be seen. By default they are in a SharedWorker, and that
  is "${SHARED}": the worker's requests, threads and memory are in no number of that line, and the emulation of slowness does not reach it: its times
  are too good. A reload and what a call costs are measured without that, and after a reload the provider counts its requests, too.
- At ${RATE} tokenkeep's wasm alone is ${downloading(files)} ms of download. The browser asks for it when the JavaScript is there,
  unless the page names it in its HTML: "${PRELOADED}" does, with one line. Nothing else differs.
- The slow processor is Chromium's emulation, which slows the main thread only. Wasm is compiled by other threads, at full speed here
  and not on a slow phone: there tokenkeep takes longer than it says here. "All threads" is with that work.
- The slow network is an emulation too: it delays each request, and knows no handshakes.
- The app is on another site than the provider, as most are, and a hidden frame there gets no cookies of the provider: nobody learns in
  one who is signed in. oidc-spa reads the provider's metadata before it is ready; tokenkeep and oidc-client-ts read them to sign in;
  auth0-spa-js reads none and knows Auth0's addresses, at which this provider answers, too, and its hidden frame as Auth0 does.
- Only oidc-client-ts stores tokens: in \`sessionStorage\` unless told otherwise, and it finds them there after a reload. tokenkeep's
  SharedWorker still has them. With the tokens in the page, tokenkeep asks in a hidden frame, and so does auth0-spa-js; oidc-spa takes the
  page to the provider and back. No library asked for a refresh token.
- The slowest of a hundred calls (p99) tells more of the machine than of a library: browser, provider and API wait for the same cores.
- Each library has its defaults, and what its documentation shows for a call. oidc-spa is called without its Vite plugin.
- esbuild splits what a library imports later (\`import()\`), and only what was loaded counts. Pages name what their script imports
  (\`modulepreload\`).
- The memory of compiled code, of either language, is in no number.
`;
}

function versions(product) {
  const version = (path) => JSON.parse(readFileSync(join(HERE, path, "package.json"), "utf8")).version;
  return table(
    ["", "version"],
    [
      ["tokenkeep", version("../pkg")],
      ...["oidc-client-ts", "@auth0/auth0-spa-js", "oidc-spa", "esbuild"].map((name) => [name, version(join("node_modules", name))]),
      ["Chromium", product.split("/")[1]],
      ["Node", process.versions.node],
    ],
  );
}

function bytes(seen, files, site) {
  const loaded = new Map(LIBRARIES.map((page) => [page, weigh(page, seen.get(page), files, site)]));
  const all = (page) => loaded.get(page).js + loaded.get(page).wasm;
  const rows = [...loaded].map(([page, { js, wasm }]) => [page, js, wasm, all(page), times("tokenkeep", page, all)]);
  return table(["", "JavaScript", "wasm", "all", "×"], rows);
}

function weigh(page, { opened, signedIn }, files, site) {
  const sizes = { js: 0, wasm: 0 };
  const requests = [...opened, ...signedIn].flatMap(({ requests }) => requests);
  const urls = new Map(requests.map((response) => [response.url, response]));
  for (const [url, { headers }] of urls) {
    const path = url.startsWith(site.app + address(page)) ? new URL(url).pathname : "";
    const kind = /\.(js|wasm)$/.exec(path)?.[1];
    if (kind) {
      if (headers["Content-Encoding"] !== "br") {
        throw new Error(`${url} came without brotli`);
      }
      sizes[kind] += Buffer.from(files.get(path).body, "base64").length;
    }
  }
  return sizes;
}

function modules(rows) {
  const all = rows.reduce((sum, { raw }) => sum + raw, 0);
  const [large, small] = [rows.filter(({ raw }) => raw >= SMALL * all), rows.filter(({ raw }) => raw < SMALL * all)];
  const rest = { name: `${small.length} smaller ones`, raw: small.reduce((sum, { raw }) => sum + raw, 0) };
  const line = ({ name, raw }) => [name, raw, `${((100 * raw) / all).toFixed(1)} %`];
  return `
What the wasm is made of, by the modules that its functions are of or were made for, before compression:

${table(["", "bytes", "share"], [...large, rest].map(line))}
`;
}

function opening(seen) {
  const ready = (page) => median(seen.get(page).opened.map(({ ready }) => ready));
  const rows = PAGES.map((page) => {
    const { opened } = seen.get(page);
    return [
      page === "empty" ? "empty page" : page,
      ...spread(opened.map(({ ready }) => ready)),
      page === "empty" ? "" : Math.round(ready(page) - ready("empty")),
      times("tokenkeep", page, ready),
      Math.round(median(opened.map(({ mainThread }) => mainThread))),
      Math.round(median(opened.map(({ allThreads }) => allThreads))),
      median(opened.map(({ requests }) => requests.length)),
    ];
  });
  return table(["", "ms", "lowest–highest", "more than empty", "×", "main thread ms", "all threads ms", "requests"], rows);
}

function signing(seen, site) {
  const pages = PAGES.filter((page) => page !== "empty");
  const since = (page) => median(seen.get(page).signedIn.map(({ sinceFetch }) => sinceFetch));
  const rows = pages.map((page) => {
    const { signedIn } = seen.get(page);
    return [page, ...spread(signedIn.map(({ sinceFetch }) => sinceFetch)), times("tokenkeep", page, since), asked(page, signedIn, site)];
  });
  return table(["", "ms", "lowest–highest", "×", "asks the provider for"], rows);
}

/** The paths at the provider that were asked after it sent the browser back. */
function asked(page, signedIn, { app, issuer }) {
  const { requests } = signedIn.at(-1);
  const back = requests.findLastIndex(({ url }) => url.startsWith(`${app + address(page)}?`));
  const sent = requests.slice(back).filter(({ url, fromDiskCache }) => url.startsWith(issuer) && !fromDiskCache);
  return sent.map(({ url, type }) => new URL(url).pathname.slice(1) + (type === "Preflight" ? " (preflight)" : "")).join(", ");
}

function downloading(files) {
  return Math.round(milliseconds(Buffer.from(files.get(`${address("tokenkeep")}wasm/tokenkeep_bg.wasm`).body, "base64").length));
}

function keyReaders(seen) {
  const read = ({ requests }) => requests.some(({ url }) => url.endsWith("/jwks"));
  const readers = LIBRARIES.filter((page) => seen.get(page).signedIn.every(read));
  return readers.length > 0 ? readers.join(" and ") : "none";
}

function reloading(seen) {
  const rows = ["empty", SHARED, "tokenkeep", ...LIBRARIES.slice(1)].map((page) => {
    const { reloaded } = seen.get(page);
    const all = (what) => [...new Set(reloaded.map(what))].join(" or ");
    return [
      { empty: "empty page", tokenkeep: "tokenkeep, in the page" }[page] ?? page,
      ...spread(reloaded.map(({ ready }) => ready)),
      ...(page === "empty" ? ["", "", "", "", ""] : [
        ...spread(reloaded.map(({ sinceOpen }) => sinceOpen)),
        all(({ signedIn }) => (signedIn ? "yes" : "no")),
        all(({ loads }) => loads),
        all(({ asked }) => asked.length),
      ]),
      all(({ asked }) => asked.join(", ")),
    ];
  });
  const head = ["", "ms", "lowest–highest", "since open", "lowest–highest", "signed in", "loads", "requests", "asks the provider for"];
  return table(head, rows);
}

function calling(seen) {
  const rate = (page) => median(seen.get(page).rate.map(({ perSecond }) => perSecond));
  const rows = ["empty", ...LIBRARIES, SHARED].map((page) => [
    page === "empty" ? "by hand" : page,
    ...spread(seen.get(page).rate.map(({ perSecond }) => perSecond)),
    times("tokenkeep", page, rate),
    (1000 / rate(page)).toFixed(2),
    median(seen.get(page).rate.map(({ mainThread }) => mainThread)).toFixed(2),
  ]);
  return table(["", "calls/s", "lowest–highest", "×", "ms per call", "of it main thread"], rows);
}

function costs(seen) {
  const rows = ANSWERS.flatMap(({ name }, index) => {
    const quantiles = (page) => [0.5, 0.99].map((share) => quantile(seen.get(page).latencies[index], share));
    const byHand = quantiles("empty");
    return Object.entries({ "by hand": "empty", "tokenkeep, in the page": "tokenkeep", [SHARED]: SHARED }).map(([label, page]) => {
      const [p50, p99] = quantiles(page);
      const more = page === "empty" ? ["", ""] : [p50 - byHand[0], p99 - byHand[1]].map((more) => more.toFixed(2));
      return [name, label, p50.toFixed(2), more[0], p99.toFixed(2), more[1]];
    });
  });
  return table(["answer", "", "p50", "more than by hand", "p99", "more than by hand"], rows);
}

const calls = () => ANSWERS.map(({ calls }) => calls).join(" and ");
const warmUps = () => ANSWERS.map(({ warmUp }) => warmUp).join(" and ");
const fewest = (seen) => Math.min(...seen.get("empty").latencies.map(({ length }) => length));

function memory(seen) {
  const kilo = (bytes) => Math.round(bytes / 1000);
  const of = (page, what) => median(seen.get(page).memory.map(what));
  const all = (page) => of(page, ({ heap, wasm }) => heap + wasm);
  const rows = ["empty", ...LIBRARIES].map((page) => [
    page === "empty" ? "empty page, nobody signed in" : page,
    kilo(of(page, ({ heap }) => heap)),
    kilo(of(page, ({ wasm }) => wasm)),
    kilo(all(page)),
    times("tokenkeep", page, all),
  ]);
  return table(["", "heap", "wasm memory", "all", "×"], rows);
}

function times(one, other, number) {
  return one === other ? "" : (number(one) / number(other)).toFixed(2);
}

function spread(numbers) {
  return [Math.round(median(numbers)), `${Math.round(Math.min(...numbers))}–${Math.round(Math.max(...numbers))}`];
}

function median(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** What this share of times stays below. Those that are equal lie somewhere in a step of the clock: evenly, as far as is known. */
function quantile(times, share) {
  const steps = times.map((time) => Math.round(time / STEP)).sort((one, other) => one - other);
  const index = Math.floor(share * steps.length);
  const [first, last] = [steps.indexOf(steps[index]), steps.lastIndexOf(steps[index])];
  return STEP * (steps[index] - 0.5 + (index - first + 0.5) / (last - first + 1));
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const aligned = head.map((_, index) => (rows.every((row) => /^[-\d.–% ]*$/.test(row[index])) ? "---:" : "---"));
  return [line(head), line(aligned), ...rows.map(line)].join("\n");
}
