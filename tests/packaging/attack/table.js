// What each attack gets from each keep, as measured: `attack.test.js` lets neither this differ nor the manual's tables, which are these.

/** The keeps that are attacked. The last has the README's policy on every response, with the keep's script alone in `worker-src`. */
export const KEEPS = {
  page: { keep: "page" },
  worker: { keep: "worker" },
  shared: { keep: "shared" },
  "shared, `dpop`": { keep: "shared", dpop: true },
  "shared, policy": { keep: "shared", policy: "script" },
};

const [dash, none, seen, usable] = ["—", "stopped", "seen", "usable"];
const all = (word) => Array(5).fill(word);
const inPage = (word) => [word, none, none, none, none];

/** By name: what the script does, and what it gets from each keep. */
/** By when the script comes, and by name: what it does, and what it gets. */
export const TABLES = {
  "A script that comes when the user is signed in": {
    storage: ["reads Web Storage, cookies, IndexedDB and Cache Storage", ...all(none)],
    walk: ["walks all objects from `window`, `auth` and the package's modules", ...all(seen)],
    events: ["reads events, errors, the console, response headers, performance entries", ...all(seen)],
    memory: ["reads all WebAssembly memory it can reach", ...inPage(usable)],
    "later network": ["patches `fetch`, `XMLHttpRequest`, `Headers`, `Request`, `Response`", ...inPage(usable)],
    "later language": ["patches `Promise`, `JSON`, `Reflect`, `String`, `TextEncoder`, `TextDecoder`", ...inPage(usable)],
    "later wasm": ["patches `WebAssembly`, and reads the memory it gets so", ...inPage(usable)],
    "later messages": ["patches workers, `MessagePort`, `BroadcastChannel`, `addEventListener`", ...all(none)],
    "later crypto": ["patches `crypto`", ...inPage(usable)],
    "later storage": ["patches `Storage` and IndexedDB", ...all(none)],
    tabs: ["asks for tokens as another tab of the app does", ...inPage(usable)],
    hosts: ["has the app call hosts, ports and schemes that look like the API's", ...all(none)],
    paths: ["has the app call paths outside of the API's", ...all(none)],
    "ambiguous paths": ["has the app call paths that some servers read as outside: `..;`, `%252e`", ...all(none)],
    redirects: ["has the API redirect the app to another origin or path", ...all(none)],
    echo: ["has the app call an API in the list that answers with what it was sent", usable, usable, usable, seen, usable],
    passing: ["registers a service worker that reads what passes", usable, usable, usable, seen, none],
    held: ["registers one that holds a request back, with its proof", usable, usable, usable, usable, none],
    "own login": ["signs in for itself in a hidden frame, with a verifier of its own", ...all(usable)],
    "own login, other site, frame": ["the same, where the provider is another site", ...all(none)],
    "own login, other site, window": ["the same, in a window that a click opens", ...all(usable)],
    use: ["calls the API with `auth.fetch`, and takes the answer away", ...all(usable)],
  },
  "A script that is first in the page": {
    "first network": ["patches `fetch`, `XMLHttpRequest`, `Headers`, `Request`, `Response`", ...inPage(usable)],
    "first language": ["patches `Promise`, `JSON`, `Reflect`, `String`, `TextEncoder`, `TextDecoder`", ...inPage(usable)],
    "first wasm": ["patches `WebAssembly`, and reads the memory it gets so", ...inPage(usable)],
    "first messages": ["patches workers, `MessagePort`, `BroadcastChannel`, `addEventListener`", none, seen, seen, seen, seen],
    "first crypto": ["patches `crypto`", ...inPage(usable)],
    "first storage": ["patches `Storage` and IndexedDB", ...inPage(seen)],
    port: ["speaks to the keep by itself: other destinations, unknown methods, messages that are none", dash, none, none, none, none],
    other: ["opens the keep's worker with more APIs, or with other wasm", dash, none, none, none, none],
    callback: ["takes code and verifier when the user comes back, before the app", usable, usable, seen, seen, seen],
    durable: ["the same, and has the keep store the verifier before, unless `pending` says `memory`", dash, dash, usable, usable, usable],
    away: ["takes `SharedWorker` and `Worker` away", ...all(usable)],
    "away, list": ['the same, and the app says `keep: ["shared"]` or `["worker"]`', dash, none, none, none, none],
    list: ["adds an API of its own to the list before the keep is opened", usable, usable, usable, seen, none],
    script: ["starts another script in place of the worker's", dash, usable, usable, usable, none],
    played: ["runs the keep's script in the page, and gives it to the app as the worker", dash, usable, usable, usable, usable],
    replaced: ["registers a service worker that puts a script before the package's", usable, usable, usable, usable, none],
  },
};

/** The rows of all tables. */
export const ROWS = Object.assign({}, ...Object.values(TABLES));
