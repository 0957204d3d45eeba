import { open } from "tokenkeep";

import { show } from "./page.js";

show(async () => {
  const { issuer, client, redirectUri, scope, resource, keep } = CONFIG;
  const auth = await open({ issuer, clientId: client, redirectUri, scopes: scope, resource, api: resource, keep: [keep], worker: new URL("keep.js", import.meta.url) });
  if (auth.session.status === "failed") {
    throw auth.session.error;
  }
  // This page is the redirect URI, and tokenkeep leaves nobody there.
  history.replaceState({}, "", redirectUri);
  return { signedIn: auth.session.status === "signed_in", signIn: () => auth.signIn(), call: (url) => auth.fetch(url) };
});
