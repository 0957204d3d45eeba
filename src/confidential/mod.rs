//! OAuth for confidential clients: servers, in Rust and in Node, that can keep a secret
//! ([RFC 6749 §2.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.1)). The same protocol core, and every check of it; PKCE all the same.
//!
//! ```
//! use tokenkeep::{
//!     Error, Request, Response,
//!     confidential::{Authentication, Client, Config, ports::{Crypto, Http, HttpFailure, NoCrypto}},
//!     protocol::{Secret, SignatureCheck, grant::Target},
//! };
//!
//! // A provider in a few lines. `examples/reqwest` has a network.
//! struct Network;
//! impl Http for Network {
//!     async fn send(&self, request: &Request) -> Result<Response, HttpFailure> {
//!         let body = if request.method == "GET" {
//!             r#"{"issuer": "https://as.example", "authorization_endpoint": "https://as.example/auth",
//!                 "token_endpoint": "https://as.example/token", "jwks_uri": "https://as.example/keys"}"#
//!         } else {
//!             r#"{"access_token": "xyz", "token_type": "Bearer", "expires_in": 300}"#
//!         };
//!         Ok(Response { status: 200, headers: vec![("content-type".into(), "application/json".into())], body: body.into() })
//!     }
//! }
//!
//! // With the feature `ring` there is `confidential::Ring`.
//! struct NoSignatures;
//! impl Crypto for NoSignatures {
//!     fn random(&self, _: &mut [u8]) -> Result<(), NoCrypto> {
//!         Err(NoCrypto)
//!     }
//!     async fn verify(&self, _: &SignatureCheck<'_>) -> Result<bool, NoCrypto> {
//!         Err(NoCrypto)
//!     }
//! }
//!
//! # async fn server() -> Result<(), Error> {
//! let secret = Authentication::ClientSecretBasic(Secret::copied("the client's secret"));
//! let client = Client::open(Config::new("https://as.example", "my-server", secret), Network, NoSignatures)?;
//! let token = client.client_credentials(&Target::default().scope("orders:read")).await?;
//! assert_eq!(token.token.expose(), "xyz");
//! # Ok(())
//! # }
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # assert_eq!(std::pin::pin!(server()).poll(&mut context), std::task::Poll::Ready(Ok(())));
//! ```
//!
//! Unlike a [`keep`](crate::keep), this one hands out tokens: a server keeps them in a store of its own, and no page ever sees one. All
//! that is here is the client's own token of [`Client::client_credentials`], and the provider's metadata and keys.
//!
//! Nothing is sent twice: an error that [may be tried again](Error::is_retryable) says so, and the server decides.

mod config;
pub mod ports;
#[cfg(all(feature = "ring", not(target_family = "wasm")))]
mod ring;
mod shared;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64ct::{Base64UrlUnpadded, Encoding};
use config::Settings;
pub use config::{Authentication, Config};
use ports::{Clock, Crypto, Http};
#[cfg(all(feature = "ring", not(target_family = "wasm")))]
pub use ring::Ring;
use shared::Shared;

use crate::{
    keep::{KEYS_LIFE, KEYS_REREAD_AFTER, METADATA_LIFE},
    protocol::{
        Accepted, Access, Cache, Callback, Claims, Discovery, Entropy, Error, Expected, Granted, HttpUrl, Jwks, Lifetime, Metadata,
        Misbehaved, Misconfigured, Moment, PendingLogin, Presented, Redeemed, Refresh, Request, Response, Scope, Secret, SignIn, Signed,
        Source, TokenType, UnixTime, Unverified,
        authorize::authorize,
        client_authentication::{self, Assertion, AssertionAudience, ClientAuthentication},
        grant::{Exchanged, GrantRequest, OtherToken, Target, TokenExchange, TokenKind},
        id_token::{Beside, Renewed},
        logout,
    },
};

/// How long before its end a token of the client's own is not given out any more: a request with it takes time to arrive.
pub const MARGIN: Duration = Duration::from_secs(30);

/// How long a token of the client's own is used whose provider does not say how long it lives.
pub const UNKNOWN_LIFE: Duration = Duration::from_secs(60);

/// So many tokens of the client's own are kept, each for another [`Target`].
pub const MAX_TARGETS: usize = 100;

/// A confidential client of one provider. One for the whole server: share it in an `Arc`.
pub struct Client<H, C> {
    settings: Settings,
    http: H,
    crypto: C,
    clock: Box<dyn Clock + Send + Sync>,
    metadata: Shared<(UnixTime, Arc<Metadata>)>,
    keys: Shared<(UnixTime, Arc<Jwks>)>,
    /// When the keys were last read again because one was unknown.
    reread: Mutex<Option<UnixTime>>,
    own: Mutex<Vec<(Target, Own)>>,
}

/// A token of the client's own, for one target.
type Own = Arc<Shared<Arc<AccessToken>>>;

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Authorization {
    /// Where to send the user's browser. It carries `state` and `nonce`: nothing to log.
    pub url: Secret<String>,
    /// What the response will be compared with, and the verifier: for the server's own session of this very browser, and nobody else's
    /// eyes.
    pub pending: Secret<String>,
}

/// A sign-in that was finished.
#[derive(Debug)]
pub struct SignedIn {
    /// What the provider gave.
    pub tokens: Tokens,
    /// Where the user wanted to be: a path of the app's own.
    pub return_to: String,
}

/// What the provider gave, for the server's store. `Debug` shows no token.
#[derive(Debug)]
pub struct Tokens {
    /// The access token, for an `Authorization` header with `Bearer`.
    pub access_token: Secret<String>,
    /// The refresh token to be presented next.
    pub refresh_token: Option<Secret<String>>,
    /// The ID token as it came: verified, and of use for `id_token_hint` only.
    pub id_token: Option<Secret<String>>,
    /// What the ID token says, verified.
    pub claims: Option<Claims>,
    /// What was granted: what was asked for, unless the provider said otherwise.
    pub scope: Scope,
    /// Until when the access token lives, if the provider said so. On this server's clock.
    pub expires: Option<UnixTime>,
}

/// An access token of the client's own.
#[derive(Debug)]
pub struct AccessToken {
    /// The token, for an `Authorization` header with `Bearer`.
    pub token: Secret<String>,
    /// What was granted: what was asked for, unless the provider said otherwise.
    pub scope: Scope,
    /// Until when it lives, if the provider said so. On this server's clock.
    pub expires: Option<UnixTime>,
    since: Moment,
    good_for: Duration,
}

/// What came of a token exchange.
#[derive(Debug)]
pub enum Exchange {
    /// An access token, and what kind of token it is besides.
    Access(Tokens, TokenKind),
    /// Something that is no access token.
    NotAccess {
        /// The token, and what it is.
        token: OtherToken,
        /// Until when it lives, if the provider said so. On this server's clock.
        expires: Option<UnixTime>,
    },
}

impl<H, C> fmt::Debug for Client<H, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("issuer", &self.settings.issuer).field("client_id", &self.settings.client_id).finish_non_exhaustive()
    }
}

impl<H: Http, C: Crypto> Client<H, C> {
    /// Opens a client, with the clocks of the operating system. Nothing is sent.
    ///
    /// # Errors
    /// When the configuration cannot work.
    #[cfg(not(target_family = "wasm"))]
    pub fn open(config: Config, http: H, crypto: C) -> Result<Client<H, C>, Misconfigured> {
        Client::open_at(config, http, crypto, ports::SystemClock::default())
    }

    /// Opens a client, with other clocks. Nothing is sent.
    ///
    /// # Errors
    /// When the configuration cannot work, or this is a browser's page.
    pub fn open_at(config: Config, http: H, crypto: C, clock: impl Clock + Send + Sync + 'static) -> Result<Client<H, C>, Misconfigured> {
        #[cfg(target_family = "wasm")]
        if crate::browser::is_window() {
            return Err(Misconfigured::ConfidentialInBrowser);
        }
        Ok(Client {
            settings: config.check()?,
            http,
            crypto,
            clock: Box::new(clock),
            metadata: Shared::default(),
            keys: Shared::default(),
            reread: Mutex::default(),
            own: Mutex::default(),
        })
    }

    /// Begins a sign-in. [`Authorization::pending`] is used once: the server takes it out of its session before it calls
    /// [`Client::redeem`], whatever comes of that, or a response could be played twice.
    ///
    /// # Errors
    /// When there is no `redirect_uri`, the options contradict each other, or the provider's metadata are not to be had.
    pub async fn authorize(&self, sign_in: SignIn) -> Result<Authorization, Error> {
        sign_in.check()?;
        let registration = self.settings.registration.as_ref().ok_or(Misconfigured::OptionMissing { option: "redirect_uri" })?;
        let metadata = self.metadata().await?;
        let mut random = [0; Entropy::LENGTH];
        self.crypto.random(&mut random)?;
        let entropy = Entropy::new(random);
        let return_to = place(sign_in.return_to.as_deref().unwrap_or_default(), &registration.redirect_uri);
        let (request, login) = authorize(&metadata, registration, &sign_in, &entropy, return_to, self.clock.moment().wall, None)?;
        let url = if metadata.requires_pushed_requests {
            let mut pushed = request.push(&metadata).ok_or(Misconfigured::PushedRequestUnsupported)?;
            let answer = self.send(Source::PushedRequest, &mut pushed.request, &metadata).await?;
            pushed.finish(&metadata, &answer.response).map_err(|error| self.hiding(error, &answer))?
        } else {
            request.url(&metadata)
        };
        Ok(Authorization { url, pending: login.to_record() })
    }

    /// Finishes a sign-in: compares the response with what was asked for, redeems the code, and verifies the ID token. `callback` is the
    /// URL that the browser came back to: all of it, or from the path on.
    ///
    /// # Errors
    /// When the response is no answer to this sign-in, says that it failed, or what comes for its code is not acceptable. The sign-in is
    /// over in every case: a code is sent once.
    pub async fn redeem(&self, callback: &str, pending: &Secret<String>) -> Result<SignedIn, Error> {
        let settings = &self.settings;
        let login = PendingLogin::from_record(pending.expose()).filter(|login| login.is_for(&settings.issuer, &settings.client_id));
        let login = login.ok_or(Misbehaved::StateUnknown)?;
        let redirect_uri = HttpUrl::parse(&login.redirect_uri).map_err(|_| Misbehaved::StateUnknown)?;
        let whole = Secret::new(if callback.starts_with('/') { [redirect_uri.origin(), callback].concat() } else { callback.to_owned() });
        let here = || whole.expose().split(['?', '#']).next().unwrap_or_default();
        let callback =
            Callback::read(whole.expose(), redirect_uri.as_str()).ok_or_else(|| match Callback::read(whole.expose(), here()) {
                // A response, but at another place: behind a proxy, say, that changes what the server sees.
                Some(_) => Misbehaved::RedirectUriMismatch,
                None => Misbehaved::CodeMissing,
            })?;
        // Nothing else is asked for.
        let Accepted::Code(code) = login.accept(callback, self.clock.moment().wall)? else {
            return Err(Misbehaved::ResponseModeMismatch.into());
        };
        let return_to = code.login.return_to().to_owned();

        let metadata = self.metadata().await?;
        let mut exchange = code.exchange(&metadata, TokenType::Bearer)?;
        let since = self.clock.moment();
        let answer = self.send(Source::Token, &mut exchange.request, &metadata).await?;
        let (mut granted, Redeemed { login, .. }) = exchange.finish(&answer.response).map_err(|error| self.hiding(error, &answer))?;
        let id_token = granted.id_token.take().filter(|_| settings.discovery == Discovery::OpenId);
        let claims = match (&id_token, settings.discovery) {
            (_, Discovery::OAuth) => None,
            (None, Discovery::OpenId) => return Err(Misbehaved::IdTokenMissing.into()),
            (Some(id_token), Discovery::OpenId) => {
                let expected = Expected {
                    issuer: metadata.issuer.as_str(),
                    client_id: &settings.client_id,
                    trusted_audiences: &settings.trusted_audiences,
                    nonce: Some(&login.nonce),
                    max_age: login.max_age,
                    acr: &login.acr,
                    beside: Beside::AccessToken(&granted.access_token),
                    leeway: settings.clock_leeway,
                };
                let signed = self.signature_of(id_token, &metadata).await?;
                Some(signed.verify(&expected, settings.clock_skew.correct(self.clock.moment().wall))?)
            }
        };
        Ok(SignedIn { tokens: Tokens::new(granted, id_token, claims, since), return_to })
    }

    /// Presents a refresh token. `subject` is who is signed in, if that is known: an answer about another user is refused then. An answer
    /// without a new refresh token has the one that was presented: it is good for the next time.
    ///
    /// Several requests of one session at a time must not present the same token: providers that rotate take that for theft. That is for
    /// the server to see to, which may be many processes.
    ///
    /// # Errors
    /// [`Error::Provider`] with `invalid_grant`: the token is worth nothing any more, the user signs in again. Whatever else the provider
    /// says, the token is as good as before. After [`Interrupted`](Error::Interrupted) it may have been used up all the same.
    pub async fn refresh(&self, refresh_token: &Secret<String>, access: &Access, subject: Option<&str>) -> Result<Tokens, Error> {
        let metadata = self.metadata().await?;
        let (client_id, granted) = (&self.settings.client_id, &self.settings.scope);
        let mut refresh = Refresh::new(&metadata, client_id, refresh_token, TokenType::Bearer, access, granted);
        let since = self.clock.moment();
        let answer = self.send(Source::Token, &mut refresh.request, &metadata).await?;
        let mut granted = match refresh.finish(&answer.response) {
            Presented::Granted(granted) => granted,
            Presented::Refused { error, .. } | Presented::Rejected(error) | Presented::Unknown(error) => {
                return Err(self.hiding(error, &answer));
            }
        };
        granted.refresh_token.get_or_insert_with(|| Secret::copied(refresh_token.expose()));
        self.tokens(granted, subject, &metadata, since).await
    }

    /// An access token of the client's own, for what it is asked for
    /// ([RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)). The same one until shortly before its
    /// end ([`MARGIN`]), and one request for all who ask at a time. An error goes to all of them, and is not kept.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is no token response.
    pub async fn client_credentials(&self, target: &Target) -> Result<Arc<AccessToken>, Error> {
        self.client_credentials_but(target, None).await
    }

    /// The same, but not this one: an API answered it with 401. Any number who were refused the same token get one new one.
    ///
    /// # Errors
    /// As above.
    pub async fn client_credentials_but(&self, target: &Target, refused: Option<&Secret<String>>) -> Result<Arc<AccessToken>, Error> {
        let is_good = |token: &Arc<AccessToken>| {
            refused.is_none_or(|refused| refused.expose() != token.token.expose())
                && self.clock.moment().since(token.since) < token.good_for
        };
        let obtain = async {
            let metadata = self.metadata().await?;
            let mut grant = GrantRequest::client_credentials(&metadata, target)?;
            let since = self.clock.moment();
            let answer = self.send(Source::Token, &mut grant.request, &metadata).await?;
            let granted = grant.finish(&answer.response).map_err(|error| self.hiding(error, &answer))?;
            Ok(Arc::new(AccessToken::new(granted, since)))
        };
        self.own(target).get(is_good, obtain).await
    }

    /// Forbidden by [RFC 9700 §2.4](https://www.rfc-editor.org/rfc/rfc9700#section-2.4), which says that this grant "MUST NOT be used": the
    /// user's name and password, given to this server and sent to the provider. It can neither ask for a second factor nor show
    /// who else gets the password. For systems that have nothing else, until they do.
    ///
    /// # Errors
    /// When the provider refuses, or what it answers is not acceptable.
    #[cfg(feature = "legacy")]
    pub async fn password(&self, username: &str, password: &Secret<String>, target: &Target) -> Result<Tokens, Error> {
        let metadata = self.metadata().await?;
        self.granted(GrantRequest::password(&metadata, username, password, target)?, &metadata).await
    }

    /// Redeems an assertion that somebody whom the provider trusts has made
    /// ([RFC 7523 §2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)).
    ///
    /// # Errors
    /// When the provider refuses, or what it answers is not acceptable.
    pub async fn jwt_bearer(&self, assertion: &Secret<String>, target: &Target) -> Result<Tokens, Error> {
        let metadata = self.metadata().await?;
        self.granted(GrantRequest::jwt_bearer(&metadata, assertion, target)?, &metadata).await
    }

    /// Gets a token for another one ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)).
    ///
    /// # Errors
    /// When the provider refuses, or what it answers is no answer to a token exchange.
    pub async fn exchange(&self, exchange: &TokenExchange<'_>) -> Result<Exchange, Error> {
        let metadata = self.metadata().await?;
        let mut request = exchange.request(&metadata)?;
        let since = self.clock.moment();
        let answer = self.send(Source::Token, request.request(), &metadata).await?;
        match request.finish(&answer.response).map_err(|error| self.hiding(error, &answer))? {
            Exchanged::NotAccess(token) => {
                let expires = token.lifetime.map(|lifetime| since.wall + lifetime);
                Ok(Exchange::NotAccess { token, expires })
            }
            // What else came is of nobody whom this client knows.
            Exchanged::Access { mut granted, kind } => {
                granted.id_token = None;
                Ok(Exchange::Access(Tokens::new(granted, None, None, since), kind))
            }
        }
    }

    /// Makes a token worthless, whichever it is ([RFC 7009 §2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)). One that the
    /// provider does not know is worthless already.
    ///
    /// # Errors
    /// When the provider has no endpoint for that, refuses, or does not answer.
    pub async fn revoke(&self, token: &Secret<String>) -> Result<(), Error> {
        let metadata = self.metadata().await?;
        let request = logout::revocation(&metadata, &self.settings.client_id, token);
        let mut request = request.ok_or(Misconfigured::RevocationUnavailable)?;
        let answer = self.send(Source::Revocation, &mut request, &metadata).await?;
        logout::revoked(&answer.response, token).map_err(|error| self.hiding(error, &answer))
    }

    /// The provider's metadata: read once, however many ask, and again after an hour.
    ///
    /// # Errors
    /// When they are not to be had, or not acceptable.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        let now = self.clock.moment().wall;
        let read = async {
            let (issuer, discovery) = (&self.settings.issuer, self.settings.discovery);
            let response = self.ask(Source::Metadata, &Metadata::request(issuer, discovery)).await?;
            Ok((now, Arc::new(Metadata::read(issuer, discovery, &response)?)))
        };
        let (_, metadata) = self.metadata.get(|(at, _)| now.distance(*at) < METADATA_LIFE, read).await?;
        Ok(metadata)
    }

    async fn granted(&self, mut grant: GrantRequest, metadata: &Metadata) -> Result<Tokens, Error> {
        let since = self.clock.moment();
        let answer = self.send(Source::Token, &mut grant.request, metadata).await?;
        let granted = grant.finish(&answer.response).map_err(|error| self.hiding(error, &answer))?;
        self.tokens(granted, None, metadata, since).await
    }

    /// Verifies the ID token that came without a sign-in, if one did.
    async fn tokens(&self, mut granted: Granted, subject: Option<&str>, metadata: &Metadata, since: Moment) -> Result<Tokens, Error> {
        let id_token = granted.id_token.take().filter(|_| self.settings.discovery == Discovery::OpenId);
        let claims = match &id_token {
            None => None,
            Some(id_token) => {
                let expected = Renewed {
                    issuer: metadata.issuer.as_str(),
                    client_id: &self.settings.client_id,
                    trusted_audiences: &self.settings.trusted_audiences,
                    subject,
                    nonce: None,
                };
                Some(self.signature_of(id_token, metadata).await?.renewed(&expected)?)
            }
        };
        Ok(Tokens::new(granted, id_token, claims, since))
    }

    async fn signature_of(&self, id_token: &Secret<String>, metadata: &Metadata) -> Result<Signed, Error> {
        let unverified = Unverified::read(id_token.expose(), &metadata.id_token_algorithms)?;
        let now = self.clock.moment().wall;
        let is_young = |(at, _): &(UnixTime, Arc<Jwks>)| now.distance(*at) < KEYS_LIFE;
        let (_, mut keys) = self.keys.get(is_young, self.read_keys(metadata, Cache::Default)).await?;
        if unverified.checks(&keys).is_empty() {
            let known = keys.clone();
            let read = async {
                if !self.may_reread(now) {
                    return Ok((now, known.clone()));
                }
                self.read_keys(metadata, Cache::Reload).await.inspect_err(|_| *self.reread() = None)
            };
            (_, keys) = self.keys.get(|(_, keys)| !Arc::ptr_eq(keys, &known), read).await?;
        }
        let mut outcomes = Vec::new();
        for check in unverified.checks(&keys) {
            outcomes.push(self.crypto.verify(&check).await?);
        }
        Ok(unverified.signed_by(&outcomes)?)
    }

    async fn read_keys(&self, metadata: &Metadata, cache: Cache) -> Result<(UnixTime, Arc<Jwks>), Error> {
        let jwks_uri = metadata.jwks_uri.as_ref().ok_or(Misbehaved::BadEndpoint { member: "jwks_uri" })?;
        let response = self.ask(Source::Keys, &Jwks::request(jwks_uri, cache)).await?;
        Ok((self.clock.moment().wall, Arc::new(Jwks::read(&response)?)))
    }

    /// Sends a request that holds no secret.
    async fn ask(&self, from: Source, request: &Request) -> Result<Response, Error> {
        self.http.send(request).await.map_err(|failure| failure.of(from))
    }

    /// Sends a request once, with the client's authentication.
    async fn send(&self, from: Source, request: &mut Request, metadata: &Metadata) -> Result<Answer, Error> {
        let client_id = &self.settings.client_id;
        let mut sent = None;
        match &self.settings.authentication {
            Authentication::ClientSecretBasic(secret) => ClientAuthentication::ClientSecretBasic(secret).put_into(request, client_id),
            Authentication::ClientSecretPost(secret) => ClientAuthentication::ClientSecretPost(secret).put_into(request, client_id),
            Authentication::PrivateKeyJwt { algorithm, kid, audience } => {
                let mut jti = [0; 16];
                self.crypto.random(&mut jti)?;
                let assertion = Assertion {
                    algorithm: *algorithm,
                    kid: kid.as_deref(),
                    client_id,
                    audience: match audience {
                        AssertionAudience::Issuer => metadata.issuer.as_str(),
                        AssertionAudience::TokenEndpoint => metadata.token_endpoint.as_str(),
                    },
                    typed: *audience == AssertionAudience::Issuer,
                    jti: &Base64UrlUnpadded::encode_string(&jti),
                    issued: self.settings.clock_skew.correct(self.clock.moment().wall),
                };
                let input = assertion.signing_input();
                let signature = self.crypto.sign(*algorithm, &input).await.map_err(|_| Misconfigured::ClientKeyUnusable)?;
                let assertion = client_authentication::signed(&input, &signature);
                ClientAuthentication::PrivateKeyJwt(&assertion).put_into(request, client_id);
                sent = Some(assertion);
            }
        }
        Ok(Answer { response: self.ask(from, request).await?, assertion: sent })
    }

    /// An error without a text that repeats what the client authenticated with.
    fn hiding(&self, error: Error, answer: &Answer) -> Error {
        let secret = match &self.settings.authentication {
            Authentication::ClientSecretBasic(secret) | Authentication::ClientSecretPost(secret) => Some(secret),
            Authentication::PrivateKeyJwt { .. } => answer.assertion.as_ref(),
        };
        error.hiding(&secret.into_iter().collect::<Vec<_>>())
    }
}

impl<H, C> Client<H, C> {
    /// The place of the token for this target: the latest used is the last to go.
    fn own(&self, target: &Target) -> Own {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match own.iter().position(|(known, _)| known == target) {
            Some(index) => own.remove(index).1,
            None => Own::default(),
        };
        if own.len() >= MAX_TARGETS {
            own.remove(0);
        }
        own.push((target.clone(), place.clone()));
        place
    }

    fn reread(&self) -> std::sync::MutexGuard<'_, Option<UnixTime>> {
        self.reread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is time to read again for an unknown key. Saying yes starts the next minute.
    fn may_reread(&self, now: UnixTime) -> bool {
        let mut reread = self.reread();
        let allowed = reread.is_none_or(|at| now.since(at) >= KEYS_REREAD_AFTER || at > now);
        if allowed {
            *reread = Some(now);
        }
        allowed
    }
}

/// An answer to a request of the client.
struct Answer {
    response: Response,
    /// What the client authenticated with.
    assertion: Option<Secret<String>>,
}

impl Tokens {
    fn new(granted: Granted, id_token: Option<Secret<String>>, claims: Option<Claims>, since: Moment) -> Tokens {
        Tokens {
            access_token: granted.access_token,
            refresh_token: granted.refresh_token,
            id_token,
            claims,
            scope: granted.scope,
            expires: granted.lifetime.map(|lifetime| since.wall + lifetime),
        }
    }
}

impl AccessToken {
    fn new(granted: Granted, since: Moment) -> AccessToken {
        let life = granted.lifetime.map(Lifetime::duration);
        // Of a short life only a tenth is given away.
        let good_for =
            life.map_or(UNKNOWN_LIFE, |life| life.saturating_sub(life.checked_div(10).map_or(MARGIN, |tenth| MARGIN.min(tenth))));
        AccessToken { token: granted.access_token, scope: granted.scope, expires: life.map(|life| since.wall + life), since, good_for }
    }
}

/// A place in the app: path, query and hash. What is elsewhere becomes the root: it may have come from a query that anybody can write.
fn place(wanted: &str, redirect_uri: &HttpUrl) -> String {
    let path = wanted.strip_prefix(redirect_uri.origin()).unwrap_or(wanted);
    // Two slashes, or a slash of either kind beside one, would be another origin to a browser; it takes out tabs and line ends first.
    let local = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.contains(char::is_control);
    if local { path.to_owned() } else { "/".to_owned() }
}
