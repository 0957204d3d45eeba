// Receives an authorization response that comes by POST on a Node server, and hands it to the app's page in the same window. For what a
// service worker does not see: the first visit, and browsers that have none. Described in form-post.d.mts.

import { createHash } from "node:crypto";

const LIMIT = 64 * 1024;

// A fragment is sent to no server, and `replace` leaves no entry in the history. The `?` or `&` makes it another address, which is loaded.
const SCRIPT = `const { pathname, search } = location;
location.replace(pathname + (search ? search + "&" : "?") + "#tokenkeep_form=" + encodeURIComponent(document.querySelector("meta").content));`;
const HASH = createHash("sha256").update(SCRIPT).digest("base64");

export async function receiveFormPost(request, response, next) {
  const answer = (status, text, headers) =>
    response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", ...headers }).end(text);
  if (request.method !== "POST") {
    return next ? next() : answer(405, "POST only", { Allow: "POST" });
  }
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers["content-type"] ?? "")) {
    return answer(415, "application/x-www-form-urlencoded only");
  }
  const chunks = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > LIMIT) {
        return answer(413, "too large", { Connection: "close" });
      }
      chunks.push(chunk);
    }
  } catch {
    // Whoever sent it has gone, and nobody is there for an answer.
    return undefined;
  }
  const text = Buffer.concat(chunks).toString().replace(/[&<>"]/g, (character) => `&#${character.charCodeAt()};`);
  return answer(200, `<!doctype html><meta content="${text}"><title>Signing in</title><script>${SCRIPT}</script>`, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": `default-src 'none'; script-src 'sha256-${HASH}'; base-uri 'none'`,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  });
}
