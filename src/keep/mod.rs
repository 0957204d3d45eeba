//! The secret side: tokens live here and never leave.
//!
//! A keep runs in the page for now; the page knows only a [`Handle`]. What goes out are sessions (who, until when), responses
//! of APIs, events and errors. None of them holds a token.

mod config;
mod event;
mod fetch;
pub(crate) mod flight;
mod handle;
mod keys;
mod pending;
pub mod ports;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

pub use config::{Config, MAX_LEEWAY, Settings};
pub use event::Event;
pub use fetch::Destination;
use flight::Flight;
pub use handle::{Handle, Taken};
pub use keys::{LIFE as KEYS_LIFE, REREAD_AFTER as KEYS_REREAD_AFTER};
pub use pending::MAX_PENDING;
use ports::{HttpFailure, Ports};

use crate::protocol::{
    AuthorizationCode, Cache, Callback, Claims, Discovery, EndSession, Entropy, Error, Expected, Granted, Interrupted, Issuer, Jwks,
    Metadata, Misbehaved, Misconfigured, Request, Response, Scope, Secret, SignIn, Signed, Source, UnixTime, Unverified,
    authorize::authorize, user_info,
};

/// How long provider metadata is kept.
pub const METADATA_LIFE: Duration = Duration::from_secs(60 * 60);

/// The pauses before a question that changes nothing is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// A reading of the metadata, done or under way, and when it began.
type Reading = (UnixTime, Flight<Result<Rc<Metadata>, Error>>);

/// Holds the tokens of one client at one provider.
pub struct Keep {
    settings: Settings,
    ports: Ports,
    report: Rc<dyn Fn(Event)>,
    metadata: RefCell<Option<Reading>>,
    keys: keys::KeyCache,
    tokens: RefCell<Option<Tokens>>,
    // Counts sign-outs, so that what was on its way before one does not arrive after it.
    generation: Cell<u64>,
}

/// The tokens of a session.
struct Tokens {
    access_token: Secret<String>,
    expires: Option<UnixTime>,
    session: Session,
}

/// Who is signed in, and until when. Holds no token.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Who says so.
    pub issuer: Issuer,
    /// Who it is, verified. `None` if the app only wants OAuth ([`Config::oauth_only`]).
    pub claims: Option<Claims>,
    /// What the access token may do, as the provider granted it.
    pub scope: Scope,
    /// Until when the access token lives, if the provider said so. On this device's clock.
    pub expires: Option<UnixTime>,
}

impl Session {
    /// `sub`: who it is, unique and never reassigned within the issuer.
    pub fn subject(&self) -> Option<&str> {
        self.claims.as_ref().map(Claims::subject)
    }
}

impl Keep {
    /// A keep with nothing in it.
    pub fn new(settings: Settings, ports: Ports, report: Rc<dyn Fn(Event)>) -> Rc<Keep> {
        Rc::new(Keep {
            settings,
            ports,
            report,
            metadata: RefCell::default(),
            keys: keys::KeyCache::default(),
            tokens: RefCell::default(),
            generation: Cell::default(),
        })
    }

    /// Begins a sign-in: remembers what must survive the redirect, and says where to send the user.
    async fn begin(self: Rc<Self>, sign_in: SignIn, return_to: String) -> Result<Secret<String>, Error> {
        sign_in.check()?;
        if !self.ports.crypto.is_available() {
            return Err(Misconfigured::InsecureContext.into());
        }
        let metadata = self.metadata().await?;
        let mut random = [0; Entropy::LENGTH];
        self.ports.crypto.random(&mut random)?;
        let entropy = Entropy::new(random);
        let now = self.ports.clock.now();
        let (url, login) = authorize(&metadata, &self.settings.registration, &sign_in, &entropy, return_to, now)?;
        pending::remember(&*self.ports.store, &login, now)?;
        Ok(url)
    }

    /// Takes the pending login that a response claims to answer, at once, and compares them. Awaits nothing.
    fn take(&self, callback: &Callback) -> Result<AuthorizationCode, pending::NotTaken> {
        let (now, client_id) = (self.ports.clock.now(), &self.settings.registration.client_id);
        let login = pending::take(&*self.ports.store, callback, &self.settings.issuer, client_id, now)?;
        let return_to = Some(login.return_to().to_owned());
        login.accept(callback, now).map_err(|error| pending::NotTaken::Refused { error, return_to })
    }

    /// Redeems a code and verifies the ID token. A code is sent once, whatever becomes of it.
    fn redeem(self: Rc<Self>, code: AuthorizationCode) -> impl Future<Output = Result<Session, Error>> {
        // Read before the future runs for the first time: who signs out from here on means this sign-in too.
        let generation = self.generation.get();
        async move {
            let outcome = self.redeemed(code, generation).await;
            self.unless_ended_since(generation)?;
            let (granted, claims) = outcome?;
            Ok(self.store(granted, claims))
        }
    }

    async fn redeemed(self: &Rc<Self>, code: AuthorizationCode, generation: u64) -> Result<(Granted, Option<Claims>), Error> {
        let metadata = self.metadata().await?;
        self.unless_ended_since(generation)?;
        let exchange = code.exchange(&metadata)?;
        let response = self.ask(Source::Token, &exchange.request).await?;
        let (mut granted, login) = exchange.finish(&response, self.ports.clock.now())?;
        (self.report)(Event::CodeRedeemed);

        let claims = match self.settings.discovery {
            Discovery::OAuth => None,
            Discovery::OpenId => {
                let id_token = granted.id_token.take().ok_or(Misbehaved::IdTokenMissing)?;
                let signed = self.signature_of(Unverified::read(id_token.expose(), &metadata.id_token_algorithms)?, &metadata).await?;
                let algorithm = signed.algorithm;
                let expected = Expected {
                    issuer: metadata.issuer.as_str(),
                    client_id: &self.settings.registration.client_id,
                    trusted_audiences: &self.settings.trusted_audiences,
                    nonce: &login.nonce,
                    max_age: login.max_age,
                    acr: &login.acr,
                    access_token: &granted.access_token,
                    leeway: self.settings.clock_leeway,
                };
                let claims = signed.verify(&expected, self.settings.clock_skew.correct(self.ports.clock.now()))?;
                (self.report)(Event::IdTokenVerified { algorithm });
                Some(claims)
            }
        };
        Ok((granted, claims))
    }

    fn unless_ended_since(&self, generation: u64) -> Result<(), Interrupted> {
        if self.generation.get() == generation { Ok(()) } else { Err(Interrupted::SignInNeeded) }
    }

    /// From here on somebody is signed in. What was before is gone.
    fn store(&self, granted: Granted, claims: Option<Claims>) -> Session {
        let Granted { access_token, expires, scope, .. } = granted;
        let session = Session { issuer: self.settings.issuer.clone(), claims, scope, expires };
        *self.tokens.borrow_mut() = Some(Tokens { access_token, expires, session: session.clone() });
        session
    }

    /// Sends an API request with the access token, if it goes where tokens may go.
    async fn fetch(self: Rc<Self>, request: Request) -> Result<Response, Error> {
        let url = fetch::check(&request, &self.settings.api)?;
        let request = self.with_token(|token| request.bearer(token))?;
        let response = self.ask(Source::Api, &request).await?;
        let url = [url.origin(), url.path()].concat();
        (self.report)(Event::ApiAnswered { url, status: response.status });
        Ok(response)
    }

    /// Asks the provider about the user who is signed in.
    async fn user_info(self: Rc<Self>) -> Result<Claims, Error> {
        let metadata = self.metadata().await?;
        let session = self.tokens.borrow().as_ref().map(|tokens| tokens.session.clone()).ok_or(Interrupted::SignInNeeded)?;
        let (Some(subject), Some(endpoint)) = (session.subject(), &metadata.userinfo_endpoint) else {
            return Err(Misconfigured::UserInfoUnavailable.into());
        };
        let format = self.settings.user_info;
        let request = self.with_token(|token| user_info::request(endpoint, format, token))?;
        let response = self.ask(Source::UserInfo, &request).await?;
        match user_info::Answer::read(&response, format)? {
            user_info::Answer::Plain(object) => user_info::about(object, subject),
            user_info::Answer::Signed(unverified) => {
                let signed = self.signature_of(unverified, &metadata).await?;
                user_info::signed(signed, metadata.issuer.as_str(), &self.settings.registration.client_id, subject)
            }
        }
    }

    /// Drops the tokens. Nothing that is still on its way brings them back.
    fn end(&self) {
        self.generation.set(self.generation.get().wrapping_add(1));
        if self.tokens.borrow_mut().take().is_some() {
            (self.report)(Event::SignedOut);
        }
    }

    /// Where to send the user to sign out at the provider.
    async fn end_session_url(self: Rc<Self>) -> Result<String, Error> {
        let metadata = self.metadata().await?;
        let end_session = EndSession {
            client_id: &self.settings.registration.client_id,
            post_logout_redirect_uri: Some(&self.settings.post_logout_redirect_uri),
        };
        Ok(end_session.url(&metadata).ok_or(Misconfigured::EndSessionUnavailable)?)
    }

    fn with_token<T>(&self, use_it: impl FnOnce(&Secret<String>) -> T) -> Result<T, Error> {
        let tokens = self.tokens.borrow();
        let now = self.ports.clock.now();
        match tokens.as_ref().filter(|tokens| tokens.expires.is_none_or(|expires| now < expires)) {
            Some(tokens) => Ok(use_it(&tokens.access_token)),
            None => Err(Interrupted::SignInNeeded.into()),
        }
    }

    /// Has the signature of a token checked, with keys that are read again if none of them fits.
    async fn signature_of(&self, unverified: Unverified, metadata: &Metadata) -> Result<Signed, Error> {
        let mut keys = match self.keys.current(self.ports.clock.now()) {
            Some(keys) => keys,
            None => self.read_keys(metadata, Cache::Default).await?,
        };
        if unverified.checks(&keys).is_empty() && self.keys.may_reread(self.ports.clock.now()) {
            keys = self.read_keys(metadata, Cache::Reload).await?;
        }
        let mut outcomes = Vec::new();
        for check in unverified.checks(&keys) {
            outcomes.push(self.ports.crypto.verify(&check).await?);
        }
        Ok(unverified.signed_by(&outcomes)?)
    }

    async fn read_keys(&self, metadata: &Metadata, cache: Cache) -> Result<Rc<Jwks>, Error> {
        let jwks_uri = metadata.jwks_uri.as_ref().ok_or(Misbehaved::BadEndpoint { member: "jwks_uri" })?;
        let response = self.ask_patiently(Source::Keys, &Jwks::request(jwks_uri, cache)).await?;
        let keys = Rc::new(Jwks::read(&response)?);
        self.keys.store(&keys, self.ports.clock.now());
        (self.report)(Event::KeysRead);
        Ok(keys)
    }

    /// The provider's metadata: read once, however many ask. An error is not kept.
    async fn metadata(self: &Rc<Self>) -> Result<Rc<Metadata>, Error> {
        let now = self.ports.clock.now();
        // Read "later" than now, by a clock that was set back since, is of no known age.
        let known = self.metadata.borrow().as_ref().filter(|(at, _)| now.distance(*at) < METADATA_LIFE).map(|(_, flight)| flight.clone());
        let flight = known.unwrap_or_else(|| {
            let keep = self.clone();
            let flight = Flight::new(async move { keep.read_metadata().await });
            *self.metadata.borrow_mut() = Some((now, flight.clone()));
            flight
        });
        let outcome = flight.clone().await;
        if outcome.is_err() {
            // Unless somebody has begun another reading by now.
            self.metadata.borrow_mut().take_if(|(_, now)| now.is(&flight));
        }
        outcome
    }

    async fn read_metadata(&self) -> Result<Rc<Metadata>, Error> {
        let (issuer, discovery) = (&self.settings.issuer, self.settings.discovery);
        let response = self.ask_patiently(Source::Metadata, &Metadata::request(issuer, discovery)).await?;
        let metadata = Metadata::read(issuer, discovery, &response)?;
        (self.report)(Event::MetadataRead);
        Ok(Rc::new(metadata))
    }

    /// Sends a request once.
    async fn ask(&self, from: Source, request: &Request) -> Result<Response, Error> {
        self.ports.http.send(request).await.map_err(|failure| failure.of(from))
    }

    /// Sends a request that changes nothing, and again after a pause when the server seems only indisposed.
    async fn ask_patiently(&self, from: Source, request: &Request) -> Result<Response, Error> {
        let indisposed = |outcome: &Result<Response, HttpFailure>| match outcome {
            Ok(response) => response.is_unavailable(),
            Err(failure) => *failure == HttpFailure::Unreachable,
        };
        let mut outcome = self.ports.http.send(request).await;
        for pause in PAUSES {
            if !indisposed(&outcome) {
                break;
            }
            self.ports.clock.sleep(pause).await;
            outcome = self.ports.http.send(request).await;
        }
        outcome.map_err(|failure| failure.of(from))
    }
}
