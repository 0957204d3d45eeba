//! The secret side: tokens live here and never leave.
//!
//! A keep runs in a page, or in a worker for several of them; a page knows only a [`Handle`]. What goes out are sessions (who, until when),
//! responses of APIs, events and errors. None of them holds a token. Tokens go from the keep of one tab to that of another, sealed; a
//! keep in a worker gives them to nobody.

#[cfg(feature = "check-session")]
mod check_session;
mod config;
#[cfg(feature = "device")]
pub(crate) mod device;
mod event;
mod fetch;
pub(crate) mod flight;
mod frame;
mod handle;
#[cfg(feature = "implicit")]
mod identity;
mod journal;
mod keys;
mod limits;
mod mark;
mod pending;
#[cfg(feature = "popup")]
pub(crate) mod popup;
pub mod ports;
mod proof;
mod renew;
pub(crate) mod signal;
#[cfg(feature = "step-up")]
mod step_up;
mod tabs;
mod tokens;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use base64ct::{Base64UrlUnpadded, Encoding};
#[cfg(feature = "check-session")]
pub use check_session::OpFrame;
pub use config::{Config, MAX_LEEWAY, Settings};
pub use event::Event;
pub use fetch::Destination;
use flight::Flight;
pub use frame::{AFTER_LOAD as FRAME_AFTER_LOAD, DEADLINE as FRAME_DEADLINE};
pub use handle::{Handle, Leaving, Taken};
#[cfg(feature = "implicit")]
pub(crate) use identity::IdentityKeep;
use journal::SignOutOf;
pub use journal::{LEASE, PATIENCE as JOURNAL_PATIENCE};
pub use keys::{LIFE as KEYS_LIFE, REREAD_AFTER as KEYS_REREAD_AFTER};
#[cfg(target_family = "wasm")]
pub(crate) use mark::PREFIX as NOTES;
pub use mark::{CLOSED_FOR as FRAME_CLOSED_FOR, GRACE as SIGN_OUT_GRACE, REDIRECT_AFTER};
pub use pending::MAX_PENDING;
use ports::{Http, HttpFailure, Lock, Ports};
pub use renew::{REACH, TURN};
use signal::{InTab, Signal, unless};
#[cfg(feature = "step-up")]
pub use step_up::PATIENCE as STEP_UP_PATIENCE;
pub use tabs::{GIFT_PATIENCE, LOGOUT_PATIENCE, OFFER_PATIENCE};
use tokens::{AccessToken, Line, Tokens};

#[cfg(feature = "step-up")]
use crate::protocol::StepUp;
use crate::{
    protocol::{
        self, Accepted, Access, AuthorizationCode, AuthorizationRequest, Cache, Callback, Challenge, Claims, Discovery, EndSession,
        Entropy, Error, Expected, FrontChannelLogout, Granted, Interrupted, Issuer, Json, Jwks, Metadata, Misbehaved, Misconfigured,
        Moment, PendingLogin, Prompt, Registration, Request, Response, Scope, Secret, SignIn, Signed, SignedResponse, Source, StateDigest,
        UnixTime, Unverified, authorize::authorize, id_token::Beside, logout, url::names_client_metadata, user_info,
    },
    session::{BREATH, Ended, Input, Life, Presence, Rung},
};

/// How long provider metadata is kept.
pub const METADATA_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long signing out waits for the provider to revoke a token.
pub const REVOCATION_PATIENCE: Duration = Duration::from_secs(3);

/// How long after a sign-out another one does not leave for the provider again.
const LEAVE_ONCE: Duration = Duration::from_secs(10);

/// The pauses before a question that changes nothing is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// A reading of the metadata, done or under way, and when it began.
type Reading = (UnixTime, Flight<Result<Rc<Metadata>, Error>>);

/// What a keep tells its page without being asked.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Nobody is signed in any more.
    Ended(Ended),
    /// Something happened.
    Event(Event),
    /// The page is asked to leave for the provider, to renew the session without asking the user.
    Redirect,
    /// Somebody is signed in, or still is.
    Session(Session),
    /// Nobody was found to be signed in.
    Settled,
}

/// Holds the tokens of one client at one provider.
pub struct Keep {
    settings: Settings,
    ports: Ports,
    report: Rc<dyn Fn(News)>,
    // What stands for issuer and client in the names of locks, channels and records.
    name: String,
    mark_key: String,
    metadata: RefCell<Option<Reading>>,
    keys: keys::KeyCache,
    tokens: RefCell<Option<Tokens>>,
    // Counts ends, so that what was on its way before one does not arrive after it.
    generation: Cell<u64>,
    ending: Signal,
    signing_in: Cell<bool>,
    // Renewal.
    life: Cell<Life>,
    changed: Signal,
    timer: Cell<u64>,
    turn: RefCell<Option<Box<dyn Lock>>>,
    in_tab: InTab,
    obtaining: RefCell<Vec<Obtaining>>,
    trouble: RefCell<Option<Error>>,
    redirecting: Cell<bool>,
    /// How many refresh tokens this tab presented, or may have.
    presentations: Cell<u64>,
    proofs: proof::Proofs,
    #[cfg(feature = "check-session")]
    monitor: check_session::Monitor,
    #[cfg(feature = "device")]
    device: device::Device,
    // Sign-ins in windows of their own. They are here and nowhere else.
    #[cfg(feature = "popup")]
    popups: RefCell<Vec<PendingLogin>>,
    #[cfg(feature = "step-up")]
    step_ups: step_up::StepUps,
    // The other tabs.
    tabs: tabs::Tabs,
    // Another user signed in elsewhere: this page is not theirs.
    estranged: Cell<bool>,
}

/// A token that is being obtained for an access, or, since then, was not to be had.
type Obtaining = (Access, Flight<Result<(), Error>>, Option<Moment>);

/// Who is signed in, and until when. Holds no token.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Who says so.
    pub issuer: Issuer,
    /// Who it is, verified. `None` if the app only wants OAuth ([`Config::oauth_only`]).
    pub claims: Option<Claims>,
    /// What the access token may do, as the provider granted it.
    pub scope: Scope,
    /// What it may do in detail, as far as the provider says ([`SignIn::authorization_details`]).
    pub authorization_details: Vec<Json>,
    /// Until when the access token lives, if the provider said so. On this device's clock.
    pub expires: Option<UnixTime>,
    /// What the access token came by; `None` if the user signed in for it.
    pub renewed_by: Option<Rung>,
}

impl Session {
    /// `sub`: who it is, unique and never reassigned within the issuer.
    pub fn subject(&self) -> Option<&str> {
        self.claims.as_ref().map(Claims::subject)
    }
}

/// What came for a code, verified.
struct Redeemed {
    granted: Granted,
    claims: Option<Claims>,
    id_token: Option<Secret<String>>,
    nonce: Option<Secret<String>>,
    since: Moment,
    #[cfg(feature = "check-session")]
    session_state: Option<String>,
}

impl Keep {
    /// A keep with nothing in it. It listens to the keeps of other tabs.
    pub fn new(settings: Settings, ports: Ports, report: Rc<dyn Fn(News)>) -> Rc<Keep> {
        let keep = Keep::alone(settings, ports, report);
        keep.listen();
        keep
    }

    /// The same, which listens to nobody, and never has a session.
    fn alone(settings: Settings, ports: Ports, report: Rc<dyn Fn(News)>) -> Rc<Keep> {
        let client_id = &settings.registration.client_id;
        let (name, mark_key) = (mark::name(&settings.issuer, client_id), mark::Mark::key(&settings.issuer, client_id));
        let life = Life::within(settings.limits);
        Rc::new(Keep {
            settings,
            ports,
            report,
            name,
            mark_key,
            metadata: RefCell::default(),
            keys: keys::KeyCache::default(),
            tokens: RefCell::default(),
            generation: Cell::default(),
            ending: Signal::default(),
            signing_in: Cell::default(),
            life: Cell::new(life),
            changed: Signal::default(),
            timer: Cell::default(),
            turn: RefCell::default(),
            in_tab: InTab::default(),
            obtaining: RefCell::default(),
            trouble: RefCell::default(),
            redirecting: Cell::default(),
            presentations: Cell::default(),
            proofs: proof::Proofs::default(),
            #[cfg(feature = "check-session")]
            monitor: check_session::Monitor::default(),
            #[cfg(feature = "device")]
            device: device::Device::default(),
            #[cfg(feature = "popup")]
            popups: RefCell::default(),
            #[cfg(feature = "step-up")]
            step_ups: step_up::StepUps::default(),
            tabs: tabs::Tabs::default(),
            estranged: Cell::default(),
        })
    }

    fn tell(&self, event: Event) {
        (self.report)(News::Event(event));
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.ports.tasks.spawn(Box::pin(work));
    }

    fn entropy(&self) -> Result<Entropy, Error> {
        let mut random = [0; Entropy::LENGTH];
        self.ports.crypto.random(&mut random)?;
        Ok(Entropy::new(random))
    }

    /// 128 random bits, as text.
    fn random_name(&self) -> Result<String, Error> {
        let mut random = [0; 16];
        self.ports.crypto.random(&mut random)?;
        Ok(Base64UrlUnpadded::encode_string(&random))
    }

    /// Begins a sign-in: remembers what must survive the redirect, and says where to send the user.
    async fn begin(self: Rc<Self>, sign_in: SignIn, return_to: String) -> Result<Secret<String>, Error> {
        let is_silent = sign_in.prompt == [Prompt::None];
        let registration = self.settings.registration.clone();
        // A key that does not come back binds a code to nobody.
        let (url, _, login) = self.authorized(registration, sign_in, return_to, self.ports.survives_navigation, None).await?;
        pending::remember(&*self.ports.store, &login, self.ports.clock.now())?;
        if is_silent {
            self.note(|mark| mark.silent_state = Some(login.state().as_str().to_owned()));
        }
        Ok(url)
    }

    /// Where to send the user, with which `state`, and what to remember of it. A hint says about whom the provider is asked.
    async fn authorized(
        self: &Rc<Self>,
        registration: Registration,
        sign_in: SignIn,
        return_to: String,
        bind: bool,
        hint: Option<Secret<String>>,
    ) -> Result<(Secret<String>, Secret<String>, PendingLogin), Error> {
        sign_in.check()?;
        if !self.ports.crypto.is_available() {
            return Err(Misconfigured::InsecureContext.into());
        }
        let metadata = self.metadata().await?;
        let is_silent = sign_in.prompt == [Prompt::None];
        if !is_silent && !metadata.reads_client_metadata && names_client_metadata(&self.settings.registration.client_id).is_some() {
            self.tell(Event::ClientMetadataUnsupported);
        }
        let entropy = self.entropy()?;
        let dpop_jkt = if bind { self.thumbprint().await? } else { None };
        let (request, login) = authorize(&metadata, &registration, &sign_in, &entropy, return_to, self.ports.clock.now(), dpop_jkt)?;
        #[cfg(feature = "check-session")]
        let request = match &hint {
            Some(hint) => request.about(hint),
            None => request,
        };
        #[cfg(not(feature = "check-session"))]
        let _ = hint;
        let [state, _] = &request.secrets;
        let state = Secret::copied(state.expose());
        Ok((self.url_of(request, &metadata).await?, state, login))
    }

    /// Where to send the user with a request. It is pushed first if the provider or the app wants that, and then there is no other way.
    async fn url_of(self: &Rc<Self>, request: AuthorizationRequest, metadata: &Metadata) -> Result<Secret<String>, Error> {
        if !metadata.requires_pushed_requests && !self.settings.pushed_authorization_requests {
            return Ok(request.url(metadata));
        }
        let mut pushed = request.push(metadata).ok_or(Misconfigured::PushedRequestUnsupported)?;
        let answer = self.send(Source::PushedRequest, &mut pushed.request, None, &*self.ports.http).await?;
        pushed.finish(metadata, &answer.map_err(|failure| failure.of(Source::PushedRequest))?)
    }

    /// Whether a login asked nobody, and somebody has signed out since it began.
    fn is_unwanted(&self, state: &StateDigest, begun: UnixTime) -> bool {
        let mark = self.mark();
        mark.silent_state.as_deref() == Some(state.as_str()) && mark.signed_out.is_some_and(|at| at >= begun)
    }

    /// Takes the pending login that a response claims to answer, at once, and compares them. Awaits nothing.
    fn take(&self, callback: Callback) -> Result<Accepted, pending::NotTaken> {
        let (now, client_id) = (self.ports.clock.now(), &self.settings.registration.client_id);
        let login = pending::take(&*self.ports.store, &callback, &self.settings.issuer, client_id, now)?;
        let return_to = Some(login.return_to().to_owned());
        if self.is_unwanted(login.state(), login.begun) {
            return Err(pending::NotTaken::Refused { error: Interrupted::SignInNeeded.into(), return_to });
        }
        login.accept(callback, now).map_err(|error| pending::NotTaken::Refused { error, return_to })
    }

    /// Redeems a code and verifies the ID token. A code is sent once, whatever becomes of it.
    fn redeem(self: Rc<Self>, accepted: Accepted) -> impl Future<Output = Result<Session, Error>> {
        // Read before the future runs for the first time: who signs out from here on means this sign-in too.
        let generation = self.generation.get();
        self.signing_in.set(true);
        let (state, begun, mark) = (accepted.login().state().clone(), accepted.login().begun, self.mark());
        let signed_out = mark.signed_out;
        // Nobody was asked: the user signed in before, if anybody knows when.
        let silent = mark.silent_state.as_deref() == Some(state.as_str());
        async move {
            // In another tab too. A limit that passed meanwhile is that of the session before.
            let is_unwanted = || {
                let now = self.mark();
                (now.signed_out.is_some() && now.limit.is_none() && now.signed_out != signed_out) || self.is_unwanted(&state, begun)
            };
            let outcome = self.redeemed(accepted, generation).await;
            let tokens = match outcome {
                Ok(_) if is_unwanted() => Ok(None),
                // Whoever signs in is who counts, whatever was before: a sign-out that is still under way is not of this session.
                Ok(redeemed) => {
                    self.forget_sign_out();
                    Ok(self.begin_line(redeemed, None, None).await)
                }
                Err(error) => Err(error),
            };
            self.signing_in.set(false);
            self.unless_ended_since(generation)?;
            let tokens = tokens?.filter(|_| !is_unwanted()).ok_or(Interrupted::SignInNeeded)?;
            let session = tokens.session.clone();
            // What the provider would not do in a frame before, it may do for who has just signed in.
            let mark = self.mark();
            if mark.frame_closed.is_some() && mark.silent_state.as_deref() != Some(state.as_str()) {
                self.note(|mark| mark.frame_closed = None);
            }
            self.welcome(tokens, silent);
            // A limit may have passed since anybody was asked.
            if silent && self.tokens.borrow().is_none() { Err(Interrupted::SignInNeeded.into()) } else { Ok(session) }
        }
    }

    /// The user signed in, with these tokens, perhaps without having been asked.
    fn welcome(self: &Rc<Self>, tokens: Tokens, silent: bool) {
        let session = tokens.session.clone();
        // What was on its way for somebody else is not answered to who signs in now.
        if self.session_now().is_some_and(|before| before.subject() != session.subject()) {
            self.end(Ended::UserChanged);
        }
        #[cfg(feature = "check-session")]
        self.monitor.begin_anew();
        if !silent {
            self.arrived();
        }
        self.install(tokens, None);
        if let Some(changed) = renew::compare(&self.settings.registration.scope, &session.scope) {
            self.tell(changed);
        }
    }

    async fn redeemed(self: &Rc<Self>, accepted: Accepted, generation: u64) -> Result<Redeemed, Error> {
        let metadata = self.metadata().await?;
        self.unless_ended_since(generation)?;
        let code = self.proven(accepted, &metadata).await?;
        self.unless_ended_since(generation)?;
        if code.login.dpop_jkt.is_some() && code.login.dpop_jkt != self.thumbprint().await? {
            return Err(Misbehaved::DpopKeyLost.into());
        }
        #[cfg(feature = "check-session")]
        let session_state = code.session_state.clone();
        let mut exchange = code.exchange(&metadata, self.settings.token_type)?;
        let since = self.ports.clock.moment();
        let answer = self.send(Source::Token, &mut exchange.request, None, &*self.ports.http).await?;
        let response = answer.map_err(|failure| failure.of(Source::Token))?;
        let (mut granted, protocol::Redeemed { login, subject }) = exchange.finish(&response)?;
        self.tell(Event::CodeRedeemed);

        let id_token = granted.id_token.take();
        let claims = match self.settings.discovery {
            Discovery::OAuth => None,
            Discovery::OpenId => {
                let id_token = id_token.as_ref().ok_or(Misbehaved::IdTokenMissing)?;
                let claims = self.verified(id_token, Some(&login), Beside::AccessToken(&granted.access_token), &metadata).await?;
                // OpenID Connect Core §3.3.3.6: "the iss and sub Claim Values MUST be identical in both ID Tokens".
                if subject.is_some_and(|subject| subject != claims.subject()) {
                    return Err(Misbehaved::UserChanged.into());
                }
                Some(claims)
            }
        };
        Ok(Redeemed {
            granted,
            claims,
            id_token: id_token.filter(|_| self.settings.discovery == Discovery::OpenId),
            nonce: Some(login.nonce),
            since,
            #[cfg(feature = "check-session")]
            session_state,
        })
    }

    /// Verifies what is signed of a response, before its code is sent anywhere.
    async fn proven(&self, mut accepted: Accepted, metadata: &Metadata) -> Result<AuthorizationCode, Error> {
        loop {
            accepted = match accepted {
                Accepted::Code(code) => return Ok(code),
                Accepted::Hybrid(response) => {
                    let AuthorizationCode { code, state, login, .. } = &response.code;
                    let claims = self.verified(&response.id_token, Some(login), Beside::Code { code, state }, metadata).await?;
                    return Ok(response.verified(&claims));
                }
                #[cfg(feature = "implicit")]
                Accepted::IdToken(_) => return Err(Misbehaved::CodeMissing.into()),
                Accepted::Signed(response) => self.unsigned(response, metadata).await?,
            };
        }
    }

    /// Verifies the signature of a response.
    async fn unsigned(&self, response: SignedResponse, metadata: &Metadata) -> Result<Accepted, Error> {
        let unverified = Unverified::read(response.response.expose(), &metadata.response_algorithms)?;
        let signed = self.signature_of(unverified, metadata).await?;
        response.verified(signed, self.settings.clock_leeway, self.settings.clock_skew.correct(self.ports.clock.now()))
    }

    /// Verifies an ID token that answers a login, or nobody's in particular.
    async fn verified(
        &self,
        id_token: &Secret<String>,
        login: Option<&PendingLogin>,
        beside: Beside<'_>,
        metadata: &Metadata,
    ) -> Result<Claims, Error> {
        let signed = self.signature_of(Unverified::read(id_token.expose(), &metadata.id_token_algorithms)?, metadata).await?;
        let algorithm = signed.algorithm;
        let expected = Expected {
            issuer: metadata.issuer.as_str(),
            client_id: &self.settings.registration.client_id,
            trusted_audiences: &self.settings.trusted_audiences,
            nonce: login.map(|login| &login.nonce),
            max_age: login.and_then(|login| login.max_age),
            acr: login.map_or(&[], |login| &login.acr),
            beside,
            leeway: self.settings.clock_leeway,
        };
        let claims = signed.verify(&expected, self.settings.clock_skew.correct(self.ports.clock.now()))?;
        self.tell(Event::IdTokenVerified { algorithm });
        Ok(claims)
    }

    fn unless_ended_since(&self, generation: u64) -> Result<(), Interrupted> {
        if self.generation.get() == generation { Ok(()) } else { Err(Interrupted::SignInNeeded) }
    }

    /// Answers when what is here has ended.
    async fn ended_since(&self, generation: u64) {
        while self.generation.get() == generation {
            self.ending.changed_since(self.ending.changes()).await;
        }
    }

    /// Begins a line of refresh tokens with what came for a code. `None` if it was to replace a line that is not in use any more.
    async fn begin_line(&self, redeemed: Redeemed, before: Option<String>, by: Option<Rung>) -> Option<Tokens> {
        #[cfg(feature = "check-session")]
        let session_state = redeemed.session_state;
        let Redeemed { mut granted, claims, id_token, nonce, since, .. } = redeemed;
        let name = self.random_name().ok()?;
        // Without a channel nobody else gets it, and without a journal nobody may.
        let noted = self.tabs.are_heard()
            && match journal::begin(&self.ports, &self.name, &name, before).await {
                Ok(false) => return None,
                Ok(true) => true,
                Err(_) => false,
            };
        // Without the key nobody has any use for it. That somebody is signed in is noted all the same: others may sign out.
        let shared = noted && !self.is_bound();
        let line = Line { name, refresh_token: granted.refresh_token.take(), number: 1, renewals: 0, spent: false, noted, shared };
        let token = AccessToken::new(self.settings.access.clone(), granted, since);
        let session = self.session(claims, &token, by);
        Some(Tokens {
            line,
            access: vec![token],
            id_token,
            nonce,
            #[cfg(feature = "check-session")]
            session_state,
            session,
            presence: Presence::default(),
        })
    }

    fn session(&self, claims: Option<Claims>, token: &AccessToken, renewed_by: Option<Rung>) -> Session {
        Session {
            issuer: self.settings.issuer.clone(),
            claims,
            scope: token.scope.clone(),
            authorization_details: token.details.clone(),
            expires: token.expires(),
            renewed_by,
        }
    }

    fn session_now(&self) -> Option<Session> {
        self.tokens.borrow().as_ref().map(|tokens| tokens.session.clone())
    }

    /// Looks whether somebody was signed in here before the page was loaded, and still is. Answers when that is known.
    async fn restore(self: Rc<Self>) -> Option<Session> {
        if self.tokens.borrow().is_none() && self.life.get().is_out() && self.mark().line.is_some() {
            self.feed(Input::Opened(self.rungs()));
        }
        self.renewal().await;
        self.session_now()
    }

    /// Answers when no renewal is under way.
    async fn renewal(&self) {
        while self.life.get().is_renewing() {
            self.changed.changed_since(self.changed.changes()).await;
        }
    }

    /// Renews the token for what the user agreed to, now.
    async fn renew(self: Rc<Self>) -> Result<Session, Error> {
        let (generation, before) = (self.generation.get(), self.token_age(&self.settings.access));
        // One that was issued just now is as good as a new one. Looked at first: what is young now need not be so afterwards.
        let young = before.is_some_and(|since| self.ports.clock.moment().since(since) < BREATH);
        self.feed(Input::Needed);
        self.renewal().await;
        self.unless_ended_since(generation)?;
        let session = self.session_now().ok_or(Interrupted::SignInNeeded)?;
        if young || self.token_age(&self.settings.access) != before { Ok(session) } else { Err(self.trouble()) }
    }

    /// Why there is no new token.
    fn trouble(&self) -> Error {
        self.trouble.borrow().clone().unwrap_or(Interrupted::SignInNeeded.into())
    }

    /// Sends an API request with an access token, if it goes where that may go.
    async fn fetch(self: Rc<Self>, request: Request, http: Rc<dyn Http>) -> Result<Response, Error> {
        let (url, access) = fetch::check(&request, &self.settings.api)?;
        let response = self.call(Source::Api, request, access, &*http).await?;
        let url = [url.origin(), url.path()].concat();
        self.tell(Event::ApiAnswered { url, status: response.status });
        Ok(response)
    }

    /// The access token that a request to this URL would have, if the app may see it.
    async fn access_token(self: Rc<Self>, url: String) -> Result<Secret<String>, Error> {
        // One that is bound to our key is of use to nobody else.
        if !self.settings.expose_access_token || self.is_bound() {
            return Err(Misconfigured::TokenIsKept.into());
        }
        let (_, access) = fetch::check(&Request::get(url), &self.settings.api)?;
        let generation = self.generation.get();
        unless(self.ended_since(generation), self.good_token(access)).await.ok_or(Interrupted::SignInNeeded)??;
        self.unless_ended_since(generation)?;
        let tokens = self.tokens.borrow();
        let token = tokens.as_ref().and_then(|tokens| tokens.find(access)).ok_or(Interrupted::SignInNeeded)?;
        Ok(Secret::copied(token.token.expose()))
    }

    /// Asks the provider about the user who is signed in.
    async fn user_info(self: Rc<Self>) -> Result<Claims, Error> {
        let metadata = self.metadata().await?;
        let session = self.session_now().ok_or(Interrupted::SignInNeeded)?;
        let (Some(subject), Some(endpoint)) = (session.subject(), &metadata.userinfo_endpoint) else {
            return Err(Misconfigured::UserInfoUnavailable.into());
        };
        let format = self.settings.user_info;
        let response = self.call(Source::UserInfo, user_info::request(endpoint, format), &self.settings.access, &*self.ports.http).await?;
        match user_info::Answer::read(&response, format)? {
            user_info::Answer::Plain(object) => user_info::about(object, subject),
            user_info::Answer::Signed(unverified) => {
                let signed = self.signature_of(unverified, &metadata).await?;
                user_info::signed(signed, metadata.issuer.as_str(), &self.settings.registration.client_id, subject)
            }
        }
    }

    /// Sends a request with an access token, and once more with a new one if that was refused, or when the user has authenticated as the API
    /// wants it. It is aborted when the session ends.
    async fn call(self: &Rc<Self>, from: Source, mut request: Request, access: &Access, http: &dyn Http) -> Result<Response, Error> {
        let generation = self.generation.get();
        let mut replay = request.replay;
        #[cfg(feature = "step-up")]
        let mut stepped_up = false;
        loop {
            self.good_token(access).await?;
            // Who is signed in by now may be another user.
            self.unless_ended_since(generation)?;
            // A copy: what is proved is what is sent, whatever takes the token's place meanwhile.
            let (used, token) = {
                let tokens = self.tokens.borrow();
                let token = tokens.as_ref().and_then(|tokens| tokens.find(access)).ok_or(Interrupted::SignInNeeded)?;
                (token.since, Secret::copied(token.token.expose()))
            };
            let token_type = self.settings.token_type;
            #[cfg(feature = "step-up")]
            let how = self.how();
            request.authorize(token_type, &token);
            // A page that looked for its session found it meanwhile: that is no end.
            let answer = unless(self.ended_since(generation), self.send(from, &mut request, Some(&token), http)).await;
            let response = answer.ok_or(Interrupted::SignInNeeded)??.map_err(|failure| failure.of(from))?;
            let challenge = response.challenge_to(token_type);
            #[cfg(feature = "step-up")]
            if self.settings.step_up
                && from == Source::Api
                && request.replay
                && response.status == 401
                && let Some(step_up) = challenge.as_ref().and_then(StepUp::of)
            {
                // Whatever it wants now: nobody is asked again and again for one call.
                if stepped_up {
                    return Err(Misbehaved::StepUpLoop.into());
                }
                stepped_up = self.stepped_up(step_up, how, generation, http).await?;
                if !stepped_up {
                    return Ok(response);
                }
                continue;
            }
            // No other token would do for these.
            let otherwise =
                matches!(challenge, Some(Challenge::InsufficientScope { .. } | Challenge::InsufficientUserAuthentication { .. }));
            let refused = response.status == 401 && !otherwise;
            if !refused || !replay || !self.replace(access, used).await {
                // Whether it wants a nonce is not to be seen. The app's developer can find out.
                if refused && self.is_bound() && response.header("www-authenticate").is_none() {
                    self.tell(Event::Failed(Misbehaved::DpopNonceUnreadable { from }.into()));
                }
                return Ok(response);
            }
            self.unless_ended_since(generation)?;
            replay = false;
        }
    }

    /// Sees to it that there is a token that is good, and waits for it if need be.
    async fn good_token(self: &Rc<Self>, access: &Access) -> Result<(), Error> {
        let is_good = || {
            let (tokens, now) = (self.tokens.borrow(), self.ports.clock.moment());
            tokens.as_ref().and_then(|tokens| tokens.find(access)).is_some_and(|token| token.is_good(now))
        };
        // First: this may be what is done first after the device has slept.
        self.heed();
        if is_good() {
            return Ok(());
        }
        if *access == self.settings.access || self.tokens.borrow().is_none() {
            let before = self.token_age(access);
            self.feed(Input::Needed);
            self.renewal().await;
            // What was just issued is good for whoever waited for it, however short it lives.
            if is_good() || (self.token_age(access).is_some() && self.token_age(access) != before) {
                return Ok(());
            }
            if *access == self.settings.access || self.tokens.borrow().is_none() {
                return Err(if self.tokens.borrow().is_some() { self.trouble() } else { Interrupted::SignInNeeded.into() });
            }
        }
        self.obtain(access).await
    }

    /// Replaces a token that was refused. False when there is no other.
    async fn replace(self: &Rc<Self>, access: &Access, used: Moment) -> bool {
        if self.token_age(access) == Some(used) {
            if *access == self.settings.access {
                self.feed(Input::Needed);
                self.renewal().await;
            } else if self.ports.clock.moment().since(used) >= BREATH {
                let _ = self.obtain(access).await;
            }
        }
        self.token_age(access).is_some_and(|now| now != used)
    }

    /// Ends the session, at once. Nothing that is still on its way brings it back.
    fn end(self: &Rc<Self>, reason: Ended) {
        if matches!(reason, Ended::SignedOut | Ended::SignedOutAtProvider) {
            let now = self.ports.clock.now();
            self.note(|mark| {
                mark.line = None;
                mark.signed_out = Some(now);
                mark.limit = None;
            });
            self.forget_presence();
            #[cfg(feature = "device")]
            self.give_up_device();
        }
        if self.life.get().is_out() {
            self.generation.set(self.generation.get().wrapping_add(1));
            self.ending.raise();
        } else {
            self.feed(Input::Ended(reason));
        }
    }

    fn drop_tokens(&self, reason: Ended) {
        self.generation.set(self.generation.get().wrapping_add(1));
        let line = self.tokens.take().map(|tokens| tokens.line.name);
        self.obtaining.take();
        self.redirecting.set(false);
        #[cfg(feature = "check-session")]
        self.monitor.begin_anew();
        #[cfg(feature = "step-up")]
        self.forget_step_ups();
        match reason {
            Ended::Expired | Ended::Rejected => {
                self.note(|mark| mark.line = mark.line.take().filter(|marked| Some(marked) != line.as_ref()))
            }
            // It was noted before, or the note is somebody else's by now.
            Ended::Idle
            | Ended::SessionLimit
            | Ended::SignedOut
            | Ended::SignedOutAtProvider
            | Ended::SignedOutElsewhere
            | Ended::UserChanged => {}
        }
        self.ending.raise();
        self.tell(Event::Ended(reason));
        (self.report)(News::Ended(reason));
    }

    /// Signs out: here at once, then in the other tabs, then the refresh token is revoked, then the provider is left for.
    fn sign_out(self: &Rc<Self>, at_provider: bool) -> impl Future<Output = Result<Option<Leaving>, Error>> + use<> {
        let line = self
            .tokens
            .borrow_mut()
            .as_mut()
            .map(|tokens| (tokens.line.name.clone(), tokens.line.noted, tokens.line.refresh_token.take(), tokens.id_token.take()));
        // Who is signed in only in other tabs is signed out there.
        let line = line.or_else(|| self.mark().line.map(|name| (name, true, None, None)));
        let just_now = |mark: &mark::Mark| mark.signed_out.is_some_and(|at| self.ports.clock.now().distance(at) < LEAVE_ONCE);
        let done_elsewhere = line.is_none() && just_now(&self.mark());
        self.end(Ended::SignedOut);
        // Before anything is awaited: the page may be left at any time.
        if let Some((name, ..)) = &line {
            self.announce_sign_out(name);
        }
        let keep = self.clone();
        async move {
            let mut id_token = None;
            let mut told = false;
            if let Some((name, noted, refresh_token, hint)) = line {
                id_token = hint;
                let first = !noted || keep.sign_out_line(&name).await;
                keep.announce_sign_out(&name);
                if !first {
                    return Ok(None);
                }
                if let Some(refresh_token) = refresh_token {
                    told = keep.revoked(&refresh_token).await;
                }
            }
            if !at_provider || done_elsewhere { Ok(None) } else { keep.leaving(id_token, told).await.map(Some) }
        }
    }

    /// Writes down that the user signed out of a line. False when that was written before, or somebody has signed in since.
    async fn sign_out_line(&self, name: &str) -> bool {
        match journal::sign_out(&self.ports, &self.name, name).await {
            Ok(SignOutOf::This) | Err(_) => true,
            // Nobody has signed in: another tab went on with the session in another line.
            Ok(SignOutOf::Other(line)) if self.mark().signed_out.is_some() => {
                let first = matches!(journal::sign_out(&self.ports, &self.name, &line).await, Ok(SignOutOf::This) | Err(_));
                self.announce_sign_out(&line);
                first
            }
            Ok(SignOutOf::Nothing | SignOutOf::Other(_)) => false,
        }
    }

    /// Makes a refresh token worthless. False when the provider has no endpoint for that.
    async fn revoke(self: &Rc<Self>, refresh_token: &Secret<String>) -> Result<bool, Error> {
        let metadata = self.metadata().await?;
        let Some(request) = logout::revocation(&metadata, &self.settings.registration.client_id, refresh_token) else { return Ok(false) };
        let response = self.ask(Source::Revocation, &request).await?;
        if response.is_success() { Ok(true) } else { Err(response.refused(Source::Revocation)) }
    }

    /// How to leave for the provider, to sign out there.
    async fn leaving(self: &Rc<Self>, id_token: Option<Secret<String>>, reached: bool) -> Result<Leaving, Error> {
        let metadata = self.metadata().await?;
        let state = self.random_name()?;
        let end_session = EndSession {
            client_id: &self.settings.registration.client_id,
            post_logout_redirect_uri: &self.settings.post_logout_redirect_uri,
            state: &state,
        };
        let endpoint = metadata.end_session_endpoint.as_ref().ok_or(Misconfigured::EndSessionUnavailable)?;
        // Nobody is sent to a page that does not load.
        if !reached {
            self.reach(endpoint, Source::EndSession).await?;
        }
        self.note(|mark| mark.sign_out_state = Some(StateDigest::of(&state).as_str().to_owned()));
        Ok(match id_token.filter(|_| self.settings.id_token_hint) {
            None => Leaving::To(Secret::new(end_session.url(endpoint))),
            Some(hint) => {
                let mut fields = Vec::from(end_session.fields().map(|(name, value)| (name, Secret::copied(value))));
                fields.push(("id_token_hint", hint));
                Leaving::With { url: endpoint.as_str().to_owned(), fields }
            }
        })
    }

    /// Whether an address is where a sign-out that began here comes back to. It is so once.
    fn returned(&self, address: &str) -> bool {
        let Some(state) = logout::returned_state(address, &self.settings.post_logout_redirect_uri) else { return false };
        let returned = self.mark().sign_out_state.as_deref() == Some(state.as_str());
        if returned {
            self.note(|mark| mark.sign_out_state = None);
        }
        returned
    }

    /// Whether the user signed out a moment ago: then nobody is signed in again without asking for it.
    fn signed_out_just_now(&self) -> bool {
        self.mark().signed_out.is_some_and(|at| self.ports.clock.now().distance(at) < SIGN_OUT_GRACE)
    }

    /// Ends the session that the provider names, in whatever tab it is.
    async fn front_channel_logout(self: Rc<Self>, said: FrontChannelLogout) -> bool {
        let here = {
            let required = self.settings.front_channel_logout_session_required;
            let claims = self.session_now().and_then(|session| session.claims);
            claims.is_some_and(|claims| said.means(&claims, required))
        };
        if here {
            self.signed_out_at_provider().await;
            return true;
        }
        self.tell_logout(said).await
    }

    /// Ends the session here, and then in the other tabs.
    async fn signed_out_at_provider(self: &Rc<Self>) {
        let line = self.tokens.borrow().as_ref().map(|tokens| (tokens.line.name.clone(), tokens.line.shared));
        self.end(Ended::SignedOutAtProvider);
        if let Some((name, shared)) = line {
            if self.is_bound() {
                self.sign_out_line(&name).await;
            } else if shared {
                let _ = journal::sign_out(&self.ports, &self.name, &name).await;
            }
            self.announce_sign_out(&name);
        }
    }

    /// Has the signature of a token checked, with keys that are read again if none of them fits.
    async fn signature_of(&self, unverified: Unverified, metadata: &Metadata) -> Result<Signed, Error> {
        let mut keys = match self.keys.current(self.ports.clock.now()) {
            Some(keys) => keys,
            None => self.read_keys(metadata, Cache::Default).await?,
        };
        if unverified.checks(&keys).is_empty() && self.keys.may_reread(self.ports.clock.now()) {
            keys = self.read_keys(metadata, Cache::Reload).await.inspect_err(|_| self.keys.not_reread())?;
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
        self.tell(Event::KeysRead);
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
        if self.is_bound() && !metadata.takes_proofs {
            return Err(Misconfigured::DpopUnsupported.into());
        }
        self.tell(Event::MetadataRead);
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
