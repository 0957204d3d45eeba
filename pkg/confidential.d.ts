/**
 * OAuth for servers that can keep a secret: Node 20 and newer, and what else has `fetch` and WebCrypto. In a browser's page it refuses.
 *
 * ```ts
 * import { open } from "tokenkeep/confidential";
 *
 * const client = await open({
 *   issuer: "https://login.example.com",
 *   clientId: "my-server",
 *   clientSecret: "…", // from the server's environment
 *   redirectUri: "https://app.example.com/callback",
 * });
 *
 * const { url, pending } = await client.authorize(); // keep `pending` in this browser's session, send the browser to `url`
 * const { claims } = await client.redeem("/callback?code=…&state=…", pending); // take `pending` out of the session first
 * const { accessToken } = await client.clientCredentials({ scopes: "orders:read" }); // the server's own: kept until shortly before its end
 * ```
 */

import type { AuthError, Claims, SignInOptions } from "./index.js";

export { AuthError } from "./index.js";
export type { AuthErrorCode, AuthErrorKind, Claims, Prompt, SignInOptions } from "./index.js";

/**
 * Opens a client: loads the wasm, and sends nothing. One for the whole server.
 *
 * @typeParam C claims that your provider puts into ID tokens, beside the standard ones.
 * @throws {AuthError} `confidential_in_browser` in a page; `misconfigured` when the options cannot work: which one, and what to do.
 */
export function open<C extends object = {}>(options: ConfidentialOptions): Promise<Confidential<C>>;

/** What a server configures. Unknown options, and those of a wrong type, are refused by name. */
export type ConfidentialOptions = CommonOptions & (SecretOptions | KeyOptions);

/** The client shows who it is by a secret. */
export interface SecretOptions {
  clientSecret: string;
  /** How it is sent: in the header (the default), or in the form where the provider does not take it there. */
  authentication?: "client_secret_basic" | "client_secret_post";
  privateKey?: never;
  keyId?: never;
  assertionAudience?: never;
}

/** The client shows who it is by a key (OpenID Connect Core §9, RFC 7523): each request has an assertion of its own, good for a minute. */
export interface KeyOptions {
  /** The private key: a JWK, which for RSA names its `alg`, or a `CryptoKey` that signs. */
  privateKey: (JsonWebKey & { kid?: string }) | CryptoKey;
  /** Which key of the client it is (`kid`), unless the JWK says. */
  keyId?: string;
  authentication?: "private_key_jwt";
  /**
   * Whom assertions name: the provider's `issuer` (the default, RFC 7523bis), or its token endpoint for a provider from before that.
   * With the issuer an assertion says its type, too.
   */
  assertionAudience?: "issuer" | "token_endpoint";
  clientSecret?: never;
}

export interface CommonOptions {
  /** Who the provider is: an https URL (http only on this machine), exactly as the provider writes it. */
  issuer: string;
  /** What the provider calls this server. */
  clientId: string;
  /** Where users come back to after signing in, exactly as registered. Not needed where nobody signs in. */
  redirectUri?: string;
  /** What a sign-in asks for: words with a space between, or a list. Default `openid profile`. */
  scopes?: string | readonly string[];
  /** `audience`: which API the token of a sign-in is for, at providers that know this parameter (Auth0). */
  audience?: string;
  /** Which API the token of a sign-in is for (RFC 8707). */
  resource?: string | readonly string[];
  /** Only OAuth: nobody is identified. Default `false`. */
  oauthOnly?: boolean;
  /** Whom else an ID token may be for, beside this client. */
  trustedAudiences?: string | readonly string[];
  /** How much the clocks of server and provider may differ, in seconds: at most 300. Default 30. */
  clockLeewaySeconds?: number;
  /** By how many seconds this server's clock is known to be fast; negative where it is slow. Default 0. */
  clockSkewSeconds?: number;
  /**
   * The wasm, where it is not a file beside this one: for an edge worker, `import wasm from "tokenkeep/confidential.wasm"`. An
   * address is a whole one. The first wasm that is loaded is there for all.
   */
  wasm?: string | URL | BufferSource | Response | WebAssembly.Module | Promise<Response | BufferSource>;
}

/** What a token is asked for. */
export interface Target {
  /** Words with a space between, or a list. */
  scopes?: string | readonly string[];
  /** Which API it is for (RFC 8707). */
  resource?: string | readonly string[];
  /** The name of what it is for (RFC 8693 §2.1; at Auth0 for every grant). */
  audience?: string | readonly string[];
}

/** What the provider gave, for the server's store. No page gets any of it. */
export interface Tokens<C extends object = {}> {
  accessToken: string;
  /** The one to be presented next. */
  refreshToken?: string;
  /** As it came: for `id_token_hint` only. */
  idToken?: string;
  /** What the ID token says, its signature verified. */
  claims?: Claims & C;
  /** What the access token may do, as the provider granted it. */
  scopes: string[];
  /** Until when the access token lives, in milliseconds since 1970, if the provider said so. */
  expiresAt?: number;
}

/** What came of a sign-in. `claims` and `idToken` are there unless the client is `oauthOnly`. */
export interface SignedIn<C extends object = {}> extends Tokens<C> {
  /** Where the user wanted to be: a path of the app's own. */
  returnTo: string;
}

/** A token of the server's own. */
export interface OwnToken {
  accessToken: string;
  scopes: string[];
  expiresAt?: number;
}

/** A type of token (RFC 8693 §3): a name of the specification, or any URI. */
export type TokenType = "access_token" | "id_token" | "jwt" | "refresh_token" | "saml1" | "saml2" | (string & {});

/** A token for another one (RFC 8693). */
export interface ExchangeOptions extends Target {
  /** On whose behalf. */
  subjectToken: string;
  /** Default `access_token`. */
  subjectTokenType?: TokenType;
  /** Who acts. Without one, nobody can tell the result from the user's own. */
  actorToken?: string;
  /** Default `access_token`. */
  actorTokenType?: TokenType;
  /** What shall come for it. The provider decides, until said otherwise. */
  requestedTokenType?: TokenType;
}

/** What came of an exchange: an access token, or something that has no place in an `Authorization` header (`token_type` `N_A`). */
export type Exchanged =
  | (Omit<Tokens, "claims" | "idToken"> & { kind: "access_token"; issuedTokenType: string })
  | { kind: "other"; token: string; issuedTokenType: string; expiresAt?: number };

/** A confidential client. Nothing of it is sent twice: an error that is `retryable` says so, and the server decides. */
export interface Confidential<C extends object = {}> {
  /**
   * Begins a sign-in. `pending` holds the verifier and what the response will be compared with, for ten minutes: keep it in the server's
   * own session of this very browser (encrypted, if that is a cookie). It is good once, which is the server's to see to.
   * @throws {AuthError} when there is no `redirectUri`, the options contradict each other, or the provider's metadata are not to be had.
   */
  authorize(options?: SignInOptions): Promise<{ url: string; pending: string }>;

  /**
   * Finishes a sign-in: compares, redeems the code once, verifies the ID token. Take `pending` out of the session before, whatever comes
   * of it. The URL may begin with its path, as `request.url` does in Node.
   * @throws {AuthError} when the response is no answer to this sign-in, says that it failed, or what comes for its code is not acceptable.
   */
  redeem(callbackUrl: string | URL, pending: string): Promise<SignedIn<C>>;

  /**
   * Presents a refresh token. With `subject`, an answer about another user is refused. Requests of one session must not present the same
   * token at a time: providers that rotate take that for theft.
   * @throws {AuthError} with `error` `invalid_grant` the token is worth nothing any more. After `kind` `interrupted` it may be used up.
   */
  refresh(refreshToken: string, options?: Omit<Target, "audience"> & { subject?: string }): Promise<Tokens<C>>;

  /**
   * An access token of the server's own: the same until shortly before its end, and one request for all who ask at a time. An API
   * answered 401? Ask again with that token as `refused`: any number who do get one new one.
   * @throws {AuthError} when the provider refuses. That is not kept.
   */
  clientCredentials(options?: Target & { refused?: string }): Promise<OwnToken>;

  /**
   * Forbidden by RFC 9700 §2.4 ("MUST NOT be used"): the user's name and password, given to this server and sent to the provider.
   * @deprecated For systems that have nothing else, until they do.
   */
  password(username: string, password: string, options?: Target): Promise<Tokens<C>>;

  /** Gets a token for another one (RFC 8693). */
  exchange(options: ExchangeOptions): Promise<Exchanged>;

  /** Redeems an assertion that somebody whom the provider trusts has made (RFC 7523 §2.1). */
  jwtBearer(assertion: string, options?: Target): Promise<Tokens<C>>;

  /** Makes a token worthless (RFC 7009): a refresh token, or an access token. */
  revoke(token: string): Promise<void>;
}
