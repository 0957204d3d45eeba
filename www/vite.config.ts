import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { type Plugin, defineConfig } from "vite";

const DEMO = join(import.meta.dirname, "../demo");

/** The first script of a page. Its text must be exactly what the policy has the digest of. */
const guard = readFileSync(createRequire(import.meta.url).resolve("tokenkeep/guard.js"), "utf8");

const config = JSON.parse(readFileSync(join(DEMO, "config.json"), "utf8")) as { issuer: string; api: string };
const [issuer, api] = [new URL(config.issuer).origin, new URL(config.api).origin];

/** What a server of this app sends with every response. Another provider in config.json must be named here too. */
const headers = {
  "Content-Security-Policy": [
    "default-src 'none'",
    `script-src 'self' 'sha256-${createHash("sha256").update(guard).digest("base64")}' 'wasm-unsafe-eval'`,
    "style-src 'self'",
    "img-src 'self'",
    // The provider and its API.
    `connect-src 'self' ${issuer} ${api}`,
    `form-action 'self' ${issuer}`,
    // The hidden frame that renews the session: it opens at the provider, whose answer leads back here.
    `frame-src 'self' ${issuer}`,
    // For that way back. A provider that loads the app's front-channel logout page must be named here too.
    "frame-ancestors 'self'",
    "base-uri 'none'",
    // Of this app's own scripts only the keep of the tokens is a worker.
    "worker-src 'self'",
    // Nothing here makes HTML or scripts from text; tokenkeep starts its worker.
    "require-trusted-types-for 'script'",
    "trusted-types tokenkeep",
  ].join("; "),
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

const server = { host: "127.0.0.1", port: 8080, strictPort: true, headers };

export default defineConfig({
  plugins: [guardFirst(), filesOfTheDemo(), headersForServers(), provider()],
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

/** The configuration and the picture are those of the other demo. */
function filesOfTheDemo(): Plugin {
  const types = { "config.json": "application/json", "keep.svg": "image/svg+xml" };
  const read = (name: string) => readFileSync(join(DEMO, name));
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

/** `_headers` beside the built files, which some hosts read. For the others it says what to send. */
function headersForServers(): Plugin {
  const lines = Object.entries(headers).map(([name, value]) => `  ${name}: ${value}\n`);
  return {
    name: "headers-for-servers",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "_headers", source: `/*\n${lines.join("")}` });
    },
  };
}

/** Starts the provider and the API unless they answer already; they end with Vite. */
function provider(): Plugin {
  const start = () => void execFileSync(process.execPath, [join(DEMO, "provider/start.js")], { stdio: "inherit" });
  return { name: "provider", configureServer: start, configurePreviewServer: start };
}
