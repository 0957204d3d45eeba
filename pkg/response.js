/**
 * Takes a sign-in response out of the address bar, before anything else may read it there, and gives the address as it was. With `true`
 * it is forgotten afterwards. `guard.js` is this function, to be inlined first in the page.
 *
 * Inside a hidden frame of the app's own the response is for the page around it, and nothing more is loaded here.
 */
export function takeResponse(forget) {
  const key = Symbol.for("tokenkeep.response");
  const response = /^(code|error|error_description|error_uri|id_token|iss|response|session_state|state)=/;
  const rest = (part) => part.slice(1).split("&").filter((field) => !response.test(field)).join("&");
  const { href, search, hash, pathname, origin } = location;
  const fields = `&${search.slice(1)}&${hash.slice(1)}`;
  if (/&state=/.test(fields) && /&(code|error|response)=/.test(fields)) {
    try {
      if (parent !== window && parent.location.origin === origin) {
        parent.postMessage(href, origin);
        stop();
      }
    } catch {}
    const [query, fragment] = [rest(search), rest(hash)];
    history.replaceState(history.state, "", pathname + (query && `?${query}`) + (fragment && `#${fragment}`));
    Object.defineProperty(window, key, { value: href, configurable: true });
  }
  const before = window[key];
  if (forget) {
    delete window[key];
  }
  return before;
}
