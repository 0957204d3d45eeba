import { createOidc, oidcEarlyInit } from "oidc-spa/core";

import { bearer, show } from "./page.js";

const { issuer, client, redirectUri, scope, resource } = CONFIG;

oidcEarlyInit({ BASE_URL: new URL(redirectUri).pathname });

show(async () => {
  const oidc = await createOidc({ issuerUri: issuer, clientId: client, scopes: scope.split(" "), extraQueryParams: { resource } });
  if (oidc.initializationError) {
    throw oidc.initializationError;
  }
  return {
    signedIn: oidc.isUserLoggedIn,
    signIn: () => oidc.login(),
    call: async (url) => bearer(url, (await oidc.getTokens()).accessToken),
  };
});
