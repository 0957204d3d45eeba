import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, posix } from "node:path";

import { type Plugin, type PreviewServer, type ViteDevServer, defineConfig, normalizePath } from "vite";

const DEMO = join(import.meta.dirname, "../demo");

const { resolve } = createRequire(import.meta.url);

/** The first script of a page. Its text must be exactly what the policy has the digest of. */
const guard = readFileSync(resolve("tokenkeep/guard.js"), "utf8");

/** The worker that keeps the tokens. The build gives it another name. */
const keep = normalizePath(resolve("tokenkeep/session-keep.js"));

const config = JSON.parse(readFileSync(join(DEMO, "config.json"), "utf8")) as { issuer: string; api: string };
const [issuer, api] = [new URL(config.issuer).origin, new URL(config.api).origin];

/** Headers by the path that they come with; `/*` is every other one. */
type Rules = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** What a server of this app sends, with what is not there too. Another provider in config.json must be named here too. */
function rules(worker: string): Rules {
  const others = { "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff" };
  const policy = (...directives: string[]) => ({ "Content-Security-Policy": directives.join("; "), ...others });
  // The app for its wasm, the provider and its API.
  const connect = `connect-src 'self' ${issuer} ${api}`;
  const everything = policy(
    "default-src 'none'",
    `script-src 'self' 'sha256-${createHash("sha256").update(guard).digest("base64")}' 'wasm-unsafe-eval'`,
    "style-src 'self'",
    "img-src 'self'",
    connect,
    `form-action 'self' ${issuer}`,
    // The hidden frame that renews the session: it opens at the provider, whose answer leads back here.
    `frame-src 'self' ${issuer}`,
    // For that way back. A provider that loads the app's front-channel logout page must be named here too.
    "frame-ancestors 'self'",
    "base-uri 'none'",
    // No other script is a worker. Whatever the origin is: workers are of the page's own, and http stands for https, too.
    `worker-src http://*:*${worker}`,
    // Nothing here makes HTML or scripts from text; tokenkeep starts its worker.
    "require-trusted-types-for 'script'",
    "trusted-types tokenkeep",
  );
  // A worker goes by the policy of its own script: the tokens go nowhere else.
  const ofWorker = policy(
    "default-src 'none'",
    "script-src 'wasm-unsafe-eval'",
    connect,
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  );
  return new Map([["/*", everything], [worker, ofWorker]]);
}

const server = { host: "127.0.0.1", port: 8080, strictPort: true };

export default defineConfig({
  plugins: [headers(), guardFirst(), filesOfTheDemo(), provider()],
  server: { ...server, fs: { allow: [".", "../pkg", "../demo/config.json"] } },
  preview: server,
  // The package is a link, and what it imports is here.
  resolve: { dedupe: ["react"] },
  build: {
    target: "es2022",
    // The style names the picture by its place on the server.
    rolldownOptions: { input: ["index.html", "react.html"], external: ["/keep.svg"] },
  },
});

function guardFirst(): Plugin {
  return {
    name: "guard-first",
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replace("<!-- tokenkeep/guard.js -->", () => `<script>${guard}</script>`),
    },
  };
}

/**
 * The configuration and the picture are those of the other demo. The page that the window of a sign-in comes back to, and its script, are
 * the package's: they keep their names.
 */
function filesOfTheDemo(): Plugin {
  const types = {
    "config.json": "application/json",
    "keep.svg": "image/svg+xml",
    "popup-callback.js": "text/javascript",
    "popup.html": "text/html; charset=utf-8",
  };
  const read = (name: string) => readFileSync(name.startsWith("popup") ? resolve(`tokenkeep/${name}`) : join(DEMO, name));
  return {
    name: "files-of-the-demo",
    configureServer({ middlewares }) {
      for (const [name, type] of Object.entries(types)) {
        middlewares.use(`/${name}`, (_request, response) => void response.setHeader("Content-Type", type).end(read(name)));
      }
    },
    generateBundle() {
      for (const fileName of Object.keys(types)) this.emitFile({ type: "asset", fileName, source: read(fileName) });
    },
  };
}

/**
 * Sends the headers, and writes them into `_headers` beside the built files, which some hosts and the preview read. For others it says what
 * to send.
 */
function headers(): Plugin {
  const send = ({ middlewares }: ViteDevServer | PreviewServer, rules: Rules) => {
    middlewares.use((request, response, next) => {
      const [path = ""] = (request.url ?? "").split("?");
      for (const [name, value] of Object.entries(rules.get(path) ?? rules.get("/*") ?? {})) response.setHeader(name, value);
      next();
    });
  };
  return {
    name: "headers",
    configureServer(server) {
      send(server, rules(encodeURI(posix.join("/@fs", keep))));
    },
    configurePreviewServer(server) {
      const { root, build } = server.config;
      send(server, readRules(readFileSync(join(root, build.outDir, "_headers"), "utf8")));
    },
    generateBundle(_options, bundle) {
      // The build gives it a name of its own.
      const built = Object.values(bundle).filter((file) => {
        return file.type === "asset" && file.originalFileNames.some((name) => normalizePath(join(import.meta.dirname, name)) === keep);
      });
      const [worker, ...more] = built;
      if (worker === undefined || more.length > 0) throw this.error("there is not one worker");
      this.emitFile({ type: "asset", fileName: "_headers", source: writtenRules(rules(`/${worker.fileName}`)) });
    },
  };
}

function writtenRules(rules: Rules): string {
  const blocks = Array.from(rules, ([path, headers]) => {
    return [path, ...Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`), ""].join("\n");
  });
  return blocks.join("\n");
}

function readRules(text: string): Rules {
  const blocks = text.split("\n\n").map((block) => {
    const [path = "", ...headers] = block.trim().split("\n");
    return [path, Object.fromEntries(headers.map((line) => line.trim().split(/: (.*)/)))] as const;
  });
  return new Map(blocks);
}

/** Starts the provider and the API unless they answer already; they end with Vite. */
function provider(): Plugin {
  const start = () => void execFileSync(process.execPath, [join(DEMO, "provider/start.js")], { stdio: "inherit" });
  return { name: "provider", configureServer: start, configurePreviewServer: start };
}
