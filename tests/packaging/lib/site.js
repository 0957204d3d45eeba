import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

export const PACKAGE = fileURLToPath(new URL("../../../pkg", import.meta.url));

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/**
 * A web server on a port of its own, until the tests of the file are over. `answers` has texts of pages by path, or functions that answer;
 * `files` has folders by the first part of the path; `headers` come with all of them and with what is not there, and `headersOf` a path
 * instead of those. What is neither and looks like a page is `answers["*"]`, as single-page apps want it.
 */
export async function serve({ answers = {}, files = {}, headers = {}, headersOf = {} } = {}) {
  const site = { answers, files, headers, headersOf };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    const answer = site.answers[pathname] ?? (extname(pathname) === "" ? site.answers["*"] : undefined);
    if (typeof answer === "function") {
      await answer(request, response);
      return;
    }
    const path = answer === undefined ? fileFor(site.files, pathname) : undefined;
    const body = answer ?? (await readFile(path).catch(() => undefined));
    const type = TYPES[extname(path ?? pathname)] ?? TYPES[".html"];
    const headers = { "Cache-Control": "no-store", "Content-Type": type, ...(site.headersOf[pathname] ?? site.headers) };
    response.writeHead(body === undefined ? 404 : 200, headers).end(body ?? "There is nothing here.");
  });
  const port = await listen(server);
  // Two names for one machine make two sites.
  return Object.assign(site, { port, origin: `http://localhost:${port}`, elsewhere: `http://127.0.0.1:${port}` });
}

/** Lets a server listen at a port of its own, until the tests of the file are over. */
export async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  return server.address().port;
}

function fileFor(files, pathname) {
  const prefix = Object.keys(files).find((prefix) => pathname.startsWith(prefix));
  const root = resolve(files[prefix] ?? "");
  const rest = pathname.slice(prefix?.length);
  const path = join(root, extname(rest) === "" ? "index.html" : rest);
  return prefix !== undefined && path.startsWith(root + sep) ? path : "";
}
