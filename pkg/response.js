/**
 * Takes a sign-in response out of the address bar, before anything else may read it there, and gives the address as it was. `guard.js`
 * is this function, to be inlined first in the page.
 *
 * Inside a hidden frame of the app's own the response is for the page around it, and nothing more is loaded here.
 */
export function takeResponse() {
  const key = Symbol.for("tokenkeep.response");
  const response = /^(access_token|code|error(_description|_uri)?|expires_in|id_token|iss|response|session_state|state|token_type|tokenkeep_form)=/;
  const rest = (part) => part.slice(1).split("&").filter((field) => !response.test(field)).join("&");
  // JARM §2.3.1: beside a signed response there is no `state`, which is inside. A JWT begins with a brace.
  const carries = (part) =>
    /^#tokenkeep_form=|[?#&]response=e[wy][\w-]*\.[\w-]+\./.test(part) ||
    (/[?#&]state=/.test(part) && /[?#&](access_token|code|error|id_token|response)=/.test(part));
  const { href, search, hash, pathname, origin } = location;
  if (carries(search) || carries(hash)) {
    // Null where the page around this one is of another origin.
    if (frameElement?.hidden) {
      parent.postMessage(href, origin);
      stop();
    }
    const [query, fragment] = [rest(search), rest(hash)];
    history.replaceState(history.state, "", origin + pathname + (query && `?${query}`) + (fragment && `#${fragment}`));
    Object.defineProperty(window, key, { value: href, configurable: true });
  }
  return window[key];
}

/** The response for the client that looks at it now: the address as it was, and how to put that back if it is for somebody else. */
export function handOver() {
  const address = takeResponse();
  delete window[Symbol.for("tokenkeep.response")];
  const putBack = () => {
    if (address !== undefined && new URL(address).pathname === location.pathname) {
      history.replaceState(history.state, "", address);
    }
  };
  return { address, putBack };
}

/** Makes a response of a form that was posted to this address, which a page cannot see. */
export function receive(form) {
  if (form !== undefined) {
    const value = `${location.href.split("#", 1)}#tokenkeep_form=${encodeURIComponent(form)}`;
    Object.defineProperty(window, Symbol.for("tokenkeep.response"), { value, configurable: true });
  }
}
