// What a server may write.

import { AuthError, open } from "tokenkeep/confidential";
import type { AuthErrorCode, Claims, CommonOptions, Confidential, Exchanged } from "tokenkeep/confidential";
import type { KeyOptions, OwnToken, SecretOptions, SignedIn, Tokens } from "tokenkeep/confidential";

import { is } from "./same.js";

interface Staff {
  readonly roles: readonly string[];
}

export async function everyOption(key: CryptoKey): Promise<Confidential[]> {
  const common: Required<Omit<CommonOptions, "wasm">> = {
    issuer: "https://login.example.com",
    clientId: "my-server",
    redirectUri: "https://app.example.com/callback",
    scopes: ["openid", "profile"] as const,
    audience: "https://api.example.com/",
    resource: "urn:example:api",
    oauthOnly: false,
    trustedAudiences: [],
    clockLeewaySeconds: 30,
    clockSkewSeconds: -90,
  };
  const secret: SecretOptions = { clientSecret: "secret", authentication: "client_secret_post" };
  const jwk: KeyOptions = { privateKey: { kty: "EC", crv: "P-256", d: "…", kid: "one" } };
  const named: KeyOptions = { privateKey: key, keyId: "one", authentication: "private_key_jwt", assertionAudience: "token_endpoint" };
  const wasm = new Uint8Array();
  return [await open({ ...common, ...secret }), await open({ ...common, ...jwk }), await open({ ...common, ...named, wasm })];
}

export async function everyMethod(client: Confidential<Staff>): Promise<void> {
  const { url, pending } = await client.authorize({ returnTo: "/orders", prompt: "login" });
  is<string>()(url);
  const signedIn = await client.redeem(new URL("https://app.example.com/callback?code=…"), pending);
  is<SignedIn<Staff>>()(signedIn);
  is<(Claims & Staff) | undefined>()(signedIn.claims);
  is<string>()(signedIn.returnTo);
  is<Tokens<Staff>>()(await client.refresh(signedIn.refreshToken ?? "", { subject: "alice", scopes: "a", resource: ["urn:a"] }));
  is<OwnToken>()(await client.clientCredentials({ scopes: ["a"], audience: "b", refused: "c" }));
  is<Tokens<Staff>>()(await client.password("alice", "password", { scopes: "a" }));
  is<Tokens<Staff>>()(await client.jwtBearer("assertion", { scopes: "a" }));
  const types = { subjectTokenType: "urn:example:own", requestedTokenType: "saml2" };
  const exchanged = await client.exchange({ subjectToken: "a", actorToken: "b", ...types });
  is<Exchanged>()(exchanged);
  if (exchanged.kind === "access_token") {
    is<string>()(exchanged.accessToken);
  } else {
    is<string>()(exchanged.token);
  }
  await client.revoke("a").catch((error: unknown) => {
    if (error instanceof AuthError) is<AuthErrorCode>()(error.code);
  });
}
