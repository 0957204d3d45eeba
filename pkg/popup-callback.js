// The page that the window of a sign-in comes back to: it hands the response to the page that waits for it, and knows no more of it.
(() => {
  const { href, search, hash, pathname } = location;
  history.replaceState(null, "", pathname);
  const response = new URLSearchParams(`${search}&${hash.slice(1)}`);
  let state = response.get("state");
  try {
    // A signed response says it inside.
    state ??= JSON.parse(atob(response.get("response").split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).state;
  } catch {}
  // Nobody else can name it.
  const channel = new BroadcastChannel(`tokenkeep.popup.${state}`);
  channel.onmessage = () => close();
  channel.postMessage(href);
  setTimeout(() => (document.body.hidden = false), 1000);
})();
