import { UserManager } from "oidc-client-ts";

import { bearer, show } from "./page.js";

show(async () => {
  const { issuer, client, redirectUri, scope, resource } = CONFIG;
  const users = new UserManager({ authority: issuer, client_id: client, redirect_uri: redirectUri, scope, resource });
  if (new URLSearchParams(location.search).has("state")) {
    await users.signinCallback();
    history.replaceState({}, "", location.pathname);
  }
  const token = async () => (await users.getUser())?.access_token;
  return {
    signedIn: (await users.getUser()) !== null,
    signIn: () => users.signinRedirect(),
    call: async (url) => bearer(url, await token()),
    token,
  };
});
