// The package as it is published: what is in it, and how it does in projects that are new to it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

import { publint } from "publint";
import { createServer } from "vite";

import { openChromium } from "./lib/chromium.js";
import { answerProvider, startDemo } from "./lib/demo.js";
import { freePorts } from "./lib/ports.js";
import { PACKAGE, serve } from "./lib/site.js";

const EXPECTED = [
  "CHANGELOG.md",
  "LICENSE-APACHE",
  "LICENSE-MIT",
  "README.md",
  "auth.js",
  "bin/tokenkeep.js",
  "calls.js",
  "check-session.d.ts",
  "check-session.js",
  "confidential.d.ts",
  "confidential.js",
  "device.d.ts",
  "device.js",
  "diagnose.d.ts",
  "diagnose.js",
  "diagnose/browser.js",
  "diagnose/checks.js",
  "diagnose/node.js",
  "diagnose/policy.js",
  "error.js",
  "errors.d.ts",
  "form-post-worker.js",
  "form-post.d.ts",
  "form-post.js",
  "guard.js",
  "index.d.ts",
  "index.js",
  "keep.js",
  "mock.d.ts",
  "mock.js",
  "op-iframe.js",
  "options.js",
  "package.json",
  "popup-callback.js",
  "popup-window.js",
  "popup.d.ts",
  "popup.html",
  "popup.js",
  "posted.js",
  "react.d.ts",
  "react.js",
  "remote.js",
  "response.js",
  "session.d.ts",
  "session.js",
  "shims/form-post.d.mts",
  "shims/form-post.md",
  "shims/form-post.mjs",
  "wasm/confidential.js",
  "wasm/confidential_bg.wasm",
  "wasm/device.js",
  "wasm/device_bg.wasm",
  "wasm/form_post.js",
  "wasm/form_post_bg.wasm",
  "wasm/keep.js",
  "wasm/session-keep.js",
  "wasm/session.js",
  "wasm/session_bg.wasm",
  "wasm/tokenkeep.js",
  "wasm/tokenkeep_bg.wasm",
  "wire.js",
  "worker.js",
];

const run = promisify(execFile);
const program = (name) => join(import.meta.dirname, "node_modules/.bin", name);

const folder = await mkdtemp(join(tmpdir(), "tokenkeep-"));
after(() => rm(folder, { recursive: true }));
const [packed] = JSON.parse((await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: PACKAGE })).stdout);
const tarball = join(folder, packed.filename);

const site = await serve();
const [port] = await freePorts(1);
const inDevelopment = `http://localhost:${port}`;
const demo = await startDemo(site.origin, inDevelopment);
const config = JSON.stringify(demo.options);
const browser = await openChromium();

test("the tarball has what it should have, and nothing else", () => {
  assert.deepEqual(packed.files.map((file) => file.path).sort(), EXPECTED);
});

test("publint has nothing to say", async () => {
  const { buffer } = new Uint8Array(await readFile(tarball));
  const { messages } = await publint({ pack: { tarball: buffer }, strict: true });
  assert.deepEqual(messages, []);
});

test("its types are found, in every way of looking for them", async () => {
  // Neither is for import by TypeScript.
  const wasm = ["confidential.wasm", "device.wasm", "form-post.wasm", "session.wasm", "tokenkeep.wasm"];
  const others = ["--exclude-entrypoints", "form-post-worker.js", "guard.js", "keep.js", "popup-callback.js", "popup.html", "session-keep.js", ...wasm];
  await run(program("attw"), [tarball, "--profile", "esm-only", ...others]);
});

/** A project of projects/, with the package installed from the tarball. */
async function project(name) {
  const root = join(folder, name);
  await cp(join(import.meta.dirname, "projects", name), root, { recursive: true });
  await run("npm", ["install", tarball, "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: root });
  return root;
}

test("imported by Node it does nothing, and where there is no page it says so", async () => {
  const root = await project("node");
  const { stdout } = await run(process.execPath, ["app.js"], { cwd: root });
  assert.deepEqual(JSON.parse(stdout), { session: { status: "unknown" }, told: Array(8).fill("no_window") });
});

test("importing it touches nothing", async () => {
  // Whatever a module could do at import is missed, or seen.
  const script = `
    for (const name of ["fetch", "setTimeout", "setInterval", "queueMicrotask", "addEventListener"]) globalThis[name] = undefined;
    for (const name of Reflect.ownKeys(WebAssembly)) Object.defineProperty(WebAssembly, name, { value: undefined });
    const before = Reflect.ownKeys(globalThis);
    for (const name of ["tokenkeep", "tokenkeep/mock"]) await import(name);
    console.log(JSON.stringify(Reflect.ownKeys(globalThis).filter((name) => !before.includes(name))));
  `;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], { cwd: join(folder, "node") });
  assert.deepEqual(JSON.parse(stdout), []);
});

/** Signs in and out by the buttons of a project's page. Its worker was found, unless it is said to be in the page. */
async function use(origin, keep = "shared") {
  const context = await browser.newContext();
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
  const shows = (id, text) => page.waitForFunction(([id, text]) => document.getElementById(id)?.textContent === text, [id, text]);
  await page.goto(`${origin}/?tab=2#part`);
  await shows("session", "signed_out");
  await page.click("#sign-in");
  await answerProvider(page);
  await shows("session", `signed in as Alice Archer, kept in ${keep}`);
  assert.equal(page.url(), `${origin}/?tab=2#part`);
  await page.click("#call");
  await shows("answer", "200 user-1001");
  await page.click("#sign-out");
  await page.waitForURL(`${origin}/`);
  await shows("session", "signed_out");
  assert.deepEqual(errors, []);
  await context.close();
}

/** Uses what was built as a web server shows it: some files, and the page for all else. */
async function useBuilt(root) {
  site.files = { "/": root };
  Object.assign(site.answers, { "*": await readFile(join(root, "index.html"), "utf8"), "/config.json": config });
  await use(site.origin);
}

test("without a bundler", async () => {
  await useBuilt(await project("plain"));
});

test("with Vite: in development, and built", async () => {
  const root = await project("vite");
  await mkdir(join(root, "public"));
  await writeFile(join(root, "public/config.json"), config);
  const vite = await createServer({ root, server: { host: "127.0.0.1", port, strictPort: true }, logLevel: "warn" });
  try {
    await vite.listen();
    await use(inDevelopment);
  } finally {
    await vite.close();
  }
  await run(program("vite"), ["build"], { cwd: root });
  await useBuilt(join(root, "dist"));
});

test("with webpack 5", async () => {
  const root = await project("webpack");
  await run(program("webpack"), ["--mode", "production", "--entry", "./app.js"], { cwd: root });
  await useBuilt(root);
});

test("with Rollup", async () => {
  const root = await project("rollup");
  const plugins = ["node-resolve", "@web/rollup-plugin-import-meta-assets"].flatMap((name) => ["--plugin", name]);
  await run(program("rollup"), ["app.js", "--dir", "dist", "--format", "es", "--silent", ...plugins], { cwd: root });
  await useBuilt(root);
});

test("with Parcel", async () => {
  const root = await project("parcel");
  await run(program("parcel"), ["build", "index.html", "--no-cache", "--log-level", "warn"], { cwd: root });
  await useBuilt(join(root, "dist"));
});

test("with esbuild, which is told of the wasm and the worker", async () => {
  const root = await project("esbuild");
  await run(program("esbuild"), ["app.js", "tokenkeep/keep.js", "--bundle", "--format=esm", "--loader:.wasm=file", "--entry-names=[name]", "--outdir=dist"], { cwd: root });
  await useBuilt(root);
});

test("what the READMEs and the recipes show compiles", async () => {
  const root = join(folder, "readme");
  await mkdir(join(root, "node_modules/@types"), { recursive: true });
  await run("npm", ["install", tarball, "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock", "--no-save"], { cwd: root });
  for (const name of ["@types/react", "@types/react-dom", "csstype", "react", "react-dom"]) {
    await symlink(join(import.meta.dirname, "node_modules", name), join(root, "node_modules", name));
  }
  const readmes = [join(root, "node_modules/tokenkeep/README.md"), join(PACKAGE, "../README.md"), join(PACKAGE, "../src/manual/howto.md")];
  const texts = await Promise.all(readmes.map((path) => readFile(path, "utf8")));
  const [ofPackage, ofProject, recipes] = texts.map((text) => [...text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)]);
  assert.ok(ofPackage.length > 8 && ofProject.length > 0, `${ofPackage.length} and ${ofProject.length} blocks`);
  const blocks = [...ofPackage, ...ofProject, ...recipes];
  for (const [number, [, language, block]] of blocks.entries()) {
    // Shorter ones go on where the first one ended.
    const before = [
      /\bopen\(/.test(block) && !/import {[^}]*\bopen\b/.test(block) ? 'import { open } from "tokenkeep";' : "",
      /\bauth\b/.test(block) && !/const auth\b/.test(block) ? 'declare const auth: import("tokenkeep").Auth;' : "",
    ];
    await writeFile(join(root, `block-${number + 1}.${language}`), `${before.join("\n")}\n${block}\nexport {};\n`);
  }
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2022",
    module: "esnext",
    moduleResolution: "bundler",
    jsx: "react-jsx",
    lib: ["es2022", "dom", "dom.iterable", "esnext.disposable"],
    types: [],
  };
  await writeFile(join(root, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  await run(program("tsc"), [], { cwd: root }).catch(({ stdout }) => assert.fail(stdout));
});
