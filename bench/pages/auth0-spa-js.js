import { createAuth0Client } from "@auth0/auth0-spa-js";

import { bearer, show } from "./page.js";

show(async () => {
  const { issuer, client, redirectUri, scope, resource } = CONFIG;
  const auth0 = await createAuth0Client({
    domain: issuer.replace(/\/$/, ""),
    clientId: client,
    authorizationParams: { redirect_uri: redirectUri, scope, resource },
  });
  if (new URLSearchParams(location.search).has("state")) {
    await auth0.handleRedirectCallback();
    history.replaceState({}, "", location.pathname);
  }
  return {
    signedIn: await auth0.isAuthenticated(),
    signIn: () => auth0.loginWithRedirect(),
    call: async (url) => bearer(url, await auth0.getTokenSilently()),
  };
});
