// The service worker that receives an authorization response that comes by POST (OAuth 2.0 Form Post Response Mode), for an app that has no
// server of its own. Copy it beside your page, or into your own service worker; `form-post.js` is the page's end.
//
// It keeps what was posted in memory for a minute at most, gives it to a page of the app once, and judges nothing: whoever can make the
// browser send a form can post here, so it is `state` that counts, as everywhere.

{
  const WHAT = "tokenkeep.form_post";
  const LIMIT = 64 * 1024;
  const MINUTE = 60_000;

  /** More than one is there only when several tabs come back at once, or somebody plays. */
  const MOST = 16;

  /** What was posted, by a name that nobody can guess: the text, and how to let go of it. */
  const posted = new Map();

  /** A worker of the app's own has a wider scope: it says in `self.tokenkeepRedirectPath` where the answers come. */
  const path = () => self.tokenkeepRedirectPath ?? new URL(self.registration.scope).pathname;

  self.addEventListener("fetch", (event) => {
    const { method, mode, url } = event.request;
    if (method === "POST" && mode === "navigate" && new URL(url).pathname === path()) {
      event.respondWith(receive(event));
    }
  });

  self.addEventListener("message", ({ data, ports: [port] }) => {
    if (Array.isArray(data) && data[0] === WHAT && port !== undefined) {
      port.postMessage(data.length === 1 ? path() : take(data[1]));
    }
  });

  async function receive(event) {
    const { headers, url } = event.request;
    if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(headers.get("Content-Type") ?? "")) {
      return refusal(415, "This address takes forms that are application/x-www-form-urlencoded.");
    }
    const body = await event.request.blob();
    if (body.size > LIMIT) {
      return refusal(413, "This form is too large.");
    }
    const name = keep(event, await body.text());
    const { origin, pathname, search } = new URL(url);
    // A GET, so that a reload and the way back send nothing again. The name is good for one look, within this browser.
    const Location = `${origin}${pathname}${search}#tokenkeep_posted=${name}`;
    return new Response(null, { status: 303, headers: { Location, "Cache-Control": "no-store" } });
  }

  function keep(event, text) {
    const name = crypto.randomUUID();
    // While the event lasts, the browser does not end the worker, and with it its memory.
    event.waitUntil(
      new Promise((resolve) => {
        const end = setTimeout(() => take(name), MINUTE);
        const letGo = () => {
          clearTimeout(end);
          resolve();
        };
        posted.set(name, { text, letGo });
      }),
    );
    if (posted.size > MOST) {
      take(posted.keys().next().value);
    }
    return name;
  }

  function take(name) {
    const found = posted.get(name);
    posted.delete(name);
    found?.letGo();
    return found?.text;
  }

  function refusal(status, text) {
    return new Response(text, { status, headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" } });
  }
}
