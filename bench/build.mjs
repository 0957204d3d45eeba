// The pages, bundled and compressed as a good server sends them.

import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

import { build, transform } from "esbuild";

const HERE = import.meta.dirname;
const PACKAGE = join(HERE, "../pkg");
const WASM = join(PACKAGE, "wasm/tokenkeep_bg.wasm");

// Nobody asks for another.
const ICON = '<link rel="icon" href="data:,">';

/** The tokenkeep page again, with a line in its HTML that makes the browser ask for the wasm while it still reads the JavaScript. */
export const PRELOADED = "tokenkeep, preloaded";

/** The same with the tokens in a SharedWorker, which is the default. */
export const SHARED = "tokenkeep, in a worker";

export const LIBRARIES = ["tokenkeep", "oidc-client-ts", "auth0-spa-js", "oidc-spa"];
export const PAGES = ["empty", ...LIBRARIES, PRELOADED, SHARED];

export const address = (page) => `/${page.replaceAll(/\W+/g, "-")}/`;

export function brotli(bytes) {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
}

/** All that the app's server serves: by path, its headers and its compressed body. */
export async function pages({ issuer, client, resource, app }) {
  const files = new Map();
  for (const page of PAGES) {
    const at = address(page);
    const redirectUri = app + at;
    const { outputFiles, metafile } = await build({
      absWorkingDir: HERE,
      alias: { tokenkeep: join(PACKAGE, "index.js") },
      bundle: true,
      chunkNames: "[hash]",
      define: { CONFIG: JSON.stringify({ issuer, client, redirectUri, scope: "openid profile email orders:read", resource, keep: page === SHARED ? "shared" : "page" }) },
      entryPoints: { app: `pages/${page.split(",")[0]}.js` },
      format: "esm",
      logLevel: "error",
      metafile: true,
      minify: true,
      outdir: "out",
      splitting: true,
      target: "es2022",
      write: false,
    });
    for (const { path, contents } of outputFiles) {
      files.set(at + basename(path), file("text/javascript", contents));
    }
    if (page.startsWith("tokenkeep")) {
      files.set(`${at}wasm/tokenkeep_bg.wasm`, file("application/wasm", readFileSync(WASM)));
      const { code } = await transform(readFileSync(join(PACKAGE, "wasm/keep.js"), "utf8"), { format: "esm", minify: true });
      files.set(`${at}keep.js`, file("text/javascript", Buffer.from(code)));
    }
    files.set(at, { ...file("text/html; charset=utf-8", Buffer.from(html(page, chunks(metafile)))), "Cache-Control": "no-cache" });
    files.set(`${at}before`, file("text/html; charset=utf-8", Buffer.from(`<!doctype html><title>before</title>${ICON}`)));
  }
  return files;
}

function file(type, contents) {
  return { "Content-Type": type, "Content-Encoding": "br", "Cache-Control": "max-age=3600", body: brotli(contents).toString("base64") };
}

/** What a bundle's entry imports, directly or not, and not later. As bundlers with an HTML page of their own do, the page names them. */
function chunks({ outputs }) {
  const found = new Set();
  const follow = (path) => {
    for (const { path: imported, kind } of outputs[path].imports) {
      if (kind === "import-statement" && !found.has(imported)) {
        found.add(imported);
        follow(imported);
      }
    }
  };
  follow(Object.keys(outputs).find((path) => outputs[path].entryPoint));
  return [...found].map((path) => basename(path));
}

function html(page, chunks) {
  const wasm = page === PRELOADED ? '<link rel="preload" href="wasm/tokenkeep_bg.wasm" as="fetch" type="application/wasm" crossorigin>' : "";
  const modules = chunks.map((chunk) => `<link rel="modulepreload" href="${chunk}">`).join("");
  const script = '<script type="module" src="app.js"></script>';
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${page}</title>${ICON}${wasm}${modules}${script}</html>`;
}

/** What each part of tokenkeep weighs, by itself. */
export async function parts() {
  const weighed = [];
  const scripts = {
    glue: ["wasm/tokenkeep.js"],
    "keep.js, with the glue, for a worker": ["wasm/keep.js"],
    "index.js and what it imports": ["index.js", "auth.js", "error.js", "options.js", "remote.js", "response.js", "wire.js"],
  };
  const wasm = readFileSync(WASM);
  weighed.push({ name: "wasm", raw: wasm.length, brotli: brotli(wasm).length });
  for (const [name, sources] of Object.entries(scripts)) {
    const minified = sources.map((source) => transform(readFileSync(join(PACKAGE, source), "utf8"), { format: "esm", minify: true }));
    const code = Buffer.from((await Promise.all(minified)).map(({ code }) => code).join(""));
    weighed.push({ name, raw: code.length, brotli: brotli(code).length });
  }
  return weighed;
}
