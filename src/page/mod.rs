//! The visible side: what an app holds. It knows who is signed in, and never a token.

#[cfg(feature = "device")]
mod device;
mod listeners;
#[cfg(feature = "popup")]
mod popup;
pub mod ports;
mod redirect;
mod wire;
#[cfg(feature = "worker")]
#[cfg_attr(not(target_family = "wasm"), allow(dead_code))]
pub mod worker;

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

#[cfg(feature = "popup")]
pub use crate::keep::popup::PopupSignIn;
#[cfg(feature = "device")]
pub use device::DeviceSignIn;
use listeners::Listeners;
pub use listeners::Subscription;
use ports::{FramedBy, Navigation, Wake};
#[cfg(all(feature = "worker", target_family = "wasm"))]
pub(crate) use redirect::place;
#[cfg(feature = "worker")]
pub use worker::{Kept, Worker};

#[cfg(feature = "step-up")]
use crate::protocol::StepUp;
#[cfg(feature = "check-session")]
use crate::{keep::OpFrame, protocol::check_session::Said};
use crate::{
    keep::{
        self, Config, Event, Handle, Keep, Leaving, News, Session,
        flight::Flight,
        ports::{Answer, Clock, Http, Ports, Tasks},
    },
    protocol::{
        Callback, Claims, Error, FrontChannelLogout, HttpUrl, Initiated, Interrupted, Issuer, Misbehaved, Misconfigured, Prompt, Request,
        Response, Secret, SignIn, Source, UnixTime,
    },
    session::Ended,
};

/// The time in which a navigation that was asked for counts as under way.
const LEAVING: Duration = Duration::from_secs(5);

/// Whether somebody is signed in.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// Not known yet: a sign-in is being finished, or this is a server.
    #[default]
    Unknown,
    /// Nobody is.
    SignedOut,
    /// Somebody is.
    SignedIn(Session),
    /// Nobody is, because signing in failed.
    Failed(Error),
}

/// How far a sign-out reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignOut {
    /// Only this app, in all tabs: the user stays signed in at the provider.
    Local,
    /// The provider too: the browser leaves for it, and comes back.
    #[default]
    Provider,
}

/// Where tokens are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptIn {
    /// In the page's own memory.
    Page,
    /// In a `SharedWorker`, which serves all tabs of this browser and may outlive a reload.
    SharedWorker,
    /// In a `Worker` of this page.
    Worker,
}

/// What came of looking at the address.
#[derive(Clone, Debug, PartialEq)]
pub enum Finished {
    /// There was no response in the address, or it was none of ours, and nobody is signed in.
    Nothing,
    /// There was no response in the address, but somebody was signed in before the page was loaded, and still is.
    Restored {
        /// Who.
        session: Session,
    },
    /// Somebody signed in.
    SignedIn {
        /// Who.
        session: Session,
        /// Where in the app the user wanted to be: path, query and hash.
        return_to: String,
    },
    /// The provider was asked without showing anything to the user (`prompt=none`), and says that it must.
    SignInNeeded {
        /// Where in the app the user was: path, query and hash.
        return_to: String,
    },
}

/// A keep and the pages that it serves: one, or all of this browser when the keep is in a SharedWorker. Clones are the same keep.
#[derive(Clone)]
pub struct Pages(Rc<Serving>);

struct Serving {
    keep: Handle,
    tasks: Rc<dyn Tasks>,
    issuer: Issuer,
    redirect_uri: HttpUrl,
    clock: Rc<dyn Clock>,
    pages: RefCell<Vec<Weak<Inner>>>,
}

/// Signs users in and calls APIs for them: what one page holds. Clones are the same client.
#[derive(Clone)]
pub struct Client(Rc<Linked>);

/// Without workers there is one kind of link, and what an app does not use of it, it does not carry.
#[cfg(not(feature = "worker"))]
type Linked = Inner;
#[cfg(feature = "worker")]
type Linked = dyn Link;

/// What a page has to its keep. An app that uses one kind of it does not carry the other.
pub(crate) trait Link {
    fn told(&self) -> &Told;
    fn kept_in(&self) -> Option<KeptIn>;
    fn sign_in(self: Rc<Self>, sign_in: SignIn) -> Answer<'static, Result<(), Error>>;
    #[cfg(feature = "device")]
    fn sign_in_by_device(self: Rc<Self>) -> Answer<'static, Result<DeviceSignIn, Error>>;
    #[cfg(feature = "popup")]
    fn begin_popup(self: Rc<Self>, sign_in: SignIn) -> Answer<'static, Result<PopupSignIn, Error>>;
    #[cfg(feature = "popup")]
    fn finish_popup(self: Rc<Self>, state: &str, address: &str) -> Answer<'static, Result<Option<Session>, Error>>;
    #[cfg(feature = "popup")]
    fn end_popup(self: Rc<Self>, state: &str, why: Interrupted) -> Answer<'static, Result<(), Error>>;
    #[cfg(feature = "check-session")]
    fn check_session(self: Rc<Self>, said: Said, about: String) -> Answer<'static, Result<Option<OpFrame>, Error>>;
    fn finish_sign_in(self: Rc<Self>) -> Answer<'static, Result<Finished, Error>>;
    fn fetch(self: Rc<Self>, http: Option<Rc<dyn Http>>, request: Request) -> Answer<'static, Result<Response, Error>>;
    fn access_token(self: Rc<Self>, url: &str) -> Answer<'static, Result<Secret<String>, Error>>;
    fn user_info(self: Rc<Self>) -> Answer<'static, Result<Claims, Error>>;
    fn renew(self: Rc<Self>) -> Answer<'static, Result<Session, Error>>;
    #[cfg(feature = "step-up")]
    fn step_up(&self) -> Option<StepUp>;
    #[cfg(feature = "step-up")]
    fn decline_step_up(&self);
    fn sign_out(self: Rc<Self>, reach: SignOut) -> Answer<'static, Result<(), Error>>;
    fn signed_out_just_now(&self) -> bool;
    fn front_channel_logout(self: Rc<Self>) -> Answer<'static, bool>;
    fn issuer(&self) -> Option<Issuer>;
    #[cfg(feature = "limits")]
    fn stay_active(&self);
    fn place(&self, url: &str) -> String;
    fn close(&self);
}

/// What an app is told.
#[derive(Default)]
pub(crate) struct Told {
    state: RefCell<State>,
    states: Listeners<State>,
    pub(crate) events: Listeners<Event>,
    pub(crate) leavings: Listeners<bool>,
}

impl Told {
    pub(crate) fn set(&self, state: State) {
        let changed = *self.state.borrow() != state;
        if changed {
            *self.state.borrow_mut() = state.clone();
            self.states.tell(&state);
        }
    }
}

/// A page whose keep is where it is itself.
struct Inner {
    serving: Rc<Serving>,
    navigation: Rc<dyn Navigation>,
    // Another user signed in, in another page: this one is not theirs.
    estranged: Cell<bool>,
    told: Told,
    arriving: RefCell<Option<Flight<Result<Finished, Error>>>>,
    departing: RefCell<Option<Flight<Result<(), Error>>>>,
    left: Cell<Option<UnixTime>>,
    // Where the user wanted to be when a sign-in failed, for the next one from the same page.
    wanted: RefCell<Option<String>>,
}

impl Pages {
    /// Opens a keep for the pages of an origin. Sends nothing.
    ///
    /// # Errors
    /// When the configuration cannot work: which option, and what to do.
    pub fn open(config: &Config, ports: Ports, origin: &str) -> Result<Pages, Error> {
        let settings = config.check(origin)?;
        Ok(Pages(Rc::new_cyclic(|serving: &Weak<Serving>| {
            let pages = serving.clone();
            let report = Rc::new(move |news: News| {
                if let Some(serving) = pages.upgrade() {
                    serving.hear(&news);
                }
            });
            Serving {
                tasks: ports.tasks.clone(),
                issuer: settings.issuer.clone(),
                redirect_uri: settings.registration.redirect_uri.clone(),
                clock: ports.clock.clone(),
                keep: Handle::Here(Keep::new(settings, ports, report)),
                pages: RefCell::default(),
            }
        })))
    }

    /// One more page, for as long as its client is held.
    pub fn join(&self, navigation: Rc<dyn Navigation>) -> Client {
        Client(self.joined(navigation))
    }

    fn joined(&self, navigation: Rc<dyn Navigation>) -> Rc<Inner> {
        let inner = Rc::new_cyclic(|inner: &Weak<Inner>| {
            let page = inner.clone();
            navigation.on_wake(Rc::new(move |wake| {
                if let Some(page) = page.upgrade() {
                    page.wake(wake);
                }
            }));
            #[cfg(feature = "limits")]
            if let Some(rhythm) = self.0.keep.rhythm() {
                let page = inner.clone();
                let active = move |at| {
                    if let Some(page) = page.upgrade() {
                        page.active(at);
                    }
                };
                navigation.on_activity(rhythm, Rc::new(active));
            }
            Inner {
                serving: self.0.clone(),
                // A page of another origin around this one is not shown who is signed in.
                estranged: Cell::new(navigation.framed_by() == FramedBy::AnotherOrigin),
                navigation,
                told: Told::default(),
                arriving: RefCell::default(),
                departing: RefCell::default(),
                left: Cell::default(),
                wanted: RefCell::default(),
            }
        });
        self.0.pages.borrow_mut().push(Rc::downgrade(&inner));
        inner
    }

    /// Drops the tokens, as if they had expired: no page has been here for a while. Sign-ins that wait for their response go on.
    pub fn forget(&self) {
        self.0.keep.forget();
    }
}

impl Serving {
    /// The pages that are there, in the order in which they came.
    fn pages(&self) -> Vec<Rc<Inner>> {
        let mut pages = self.pages.borrow_mut();
        pages.retain(|page| page.strong_count() > 0);
        pages.iter().filter_map(Weak::upgrade).collect()
    }

    fn hear(&self, news: &News) {
        let pages = self.pages();
        if pages.is_empty() && *news == News::Redirect {
            // Who waits for that would wait for ever.
            self.keep.redirect_failed(Misconfigured::NoWindow.into());
        }
        // One page leaves, and the latest is the one that the user looks at.
        let from = if *news == News::Redirect { pages.len().saturating_sub(1) } else { 0 };
        pages.iter().skip(from).for_each(|page| page.hear(news));
    }
}

impl Client {
    /// Opens a client with a keep of its own. Sends nothing, and does not look at the address yet: [`Client::finish_sign_in`] does.
    ///
    /// # Errors
    /// When the configuration cannot work: which option, and what to do.
    pub fn open(config: &Config, ports: Ports, navigation: Rc<dyn Navigation>) -> Result<Client, Error> {
        let inner = Pages::open(config, ports, &navigation.origin())?.joined(navigation);
        // Nor is anything handed over to it, whatever other tabs say.
        if inner.estranged.get() {
            inner.serving.keep.stay_out();
        }
        Ok(Client(inner))
    }

    /// A page of a keep that is elsewhere.
    #[cfg(all(feature = "worker", target_family = "wasm"))]
    pub(crate) fn linked(link: Rc<dyn Link>) -> Client {
        Client(link)
    }

    #[cfg(all(feature = "worker", target_family = "wasm"))]
    pub(crate) fn link(&self) -> Rc<dyn Link> {
        self.0.clone()
    }

    /// Where the tokens are; `None` until a worker has started, or has not.
    pub fn kept_in(&self) -> Option<KeptIn> {
        self.0.kept_in()
    }

    /// Whether somebody is signed in.
    pub fn state(&self) -> State {
        self.0.told().state.borrow().clone()
    }

    /// Calls back when the state changes.
    pub fn on_state(&self, callback: impl Fn(&State) + 'static) -> Subscription {
        self.0.told().states.add(Rc::new(callback))
    }

    /// Calls back when something happens.
    pub fn on_event(&self, callback: impl Fn(&Event) + 'static) -> Subscription {
        self.0.told().events.add(Rc::new(callback))
    }

    /// Calls back with true when the browser is about to leave for the provider, and with false when it stays after all: because
    /// that failed, or because the user came back.
    pub fn on_leaving(&self, callback: impl Fn(&bool) + 'static) -> Subscription {
        self.0.told().leavings.add(Rc::new(callback))
    }

    /// Leaves for the provider. Answers when the navigation has begun; any number of calls begin one.
    ///
    /// # Errors
    /// When the sign-in cannot begin. Nothing was remembered then.
    pub fn sign_in(&self, sign_in: SignIn) -> impl Future<Output = Result<(), Error>> + use<> {
        self.0.clone().sign_in(sign_in)
    }

    /// Finishes a sign-in if the address carries its response, and says who is signed in. Without a response it looks whether
    /// somebody was signed in before the page was loaded: in another tab, or at the provider.
    ///
    /// **When this returns, before anything is awaited, the response has left the address bar and the pending login is used up.**
    /// Called again it gives the same answer: one response is handled once.
    ///
    /// # Errors
    /// When the response is not acceptable. Who was signed in before still is.
    pub fn finish_sign_in(&self) -> impl Future<Output = Result<Finished, Error>> + use<> {
        self.0.clone().finish_sign_in()
    }

    /// Reads the address of the app's `initiate_login_uri`, to which a portal or the provider sends users who shall sign in
    /// ([OpenID Connect Core §4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)): what to call
    /// [`Client::sign_in`] with, or `None` when nobody asks for a sign-in there. It only reads.
    ///
    /// The user goes on to `target_link_uri` if that is a place of this app, else to its root. Whoever makes a link can start a sign-in
    /// with it, as which user they hint at: that is what the link is for, and no more than that is done. The provider still asks who
    /// the user is, or knows it. So never sign in by itself who is signed in already, and take the parameters out of the address first,
    /// or the way back leads to the provider again.
    ///
    /// ```no_run
    /// # async fn page(client: tokenkeep::Client, address: &str) -> Result<(), tokenkeep::Error> {
    /// if let Some(sign_in) = client.initiated_sign_in(address)? {
    ///     client.sign_in(sign_in).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Misbehaved::IssuerMismatch`] when it names another provider: nothing is asked there. An app with several providers asks each of
    /// its clients. Others when the request is doubled, cannot be decoded or is longer than 8 KiB.
    pub fn initiated_sign_in(&self, address: &str) -> Result<Option<SignIn>, Error> {
        let issuer = self.0.issuer().ok_or(Misconfigured::IssuerMalformed)?;
        let Some(Initiated { login_hint, target_link_uri }) = Initiated::read(address, &issuer)? else { return Ok(None) };
        let path = |place: &str| place.split(['?', '#']).next().map(str::to_owned);
        let target = self.0.place(&target_link_uri.unwrap_or_else(|| "/".to_owned()));
        // Back here it would begin again, and so on.
        let again = path(&target) == path(&self.0.place(address));
        let sign_in = SignIn::default().return_to(if again { "/".to_owned() } else { target });
        Ok(Some(match login_hint {
            Some(hint) => sign_in.login_hint(hint),
            None => sign_in,
        }))
    }

    /// Calls an API: with the token if it is one of [`Config::api`], and not at all otherwise. Redirects are not followed.
    ///
    /// A response that says no is a response: [`Response::challenge`] tells why a 401 is one.
    ///
    /// # Errors
    /// When nobody is signed in, the destination is not listed, or no answer came.
    pub fn fetch(&self, request: Request) -> impl Future<Output = Result<Response, Error>> + use<> {
        self.fetch_by(None, request)
    }

    /// The same by another network than the client's own: for whoever wants more of a request or an answer than a [`Request`] and a
    /// [`Response`] hold. That network sees the token.
    ///
    /// # Errors
    /// As [`Client::fetch`].
    pub fn fetch_by(&self, http: Option<Rc<dyn Http>>, request: Request) -> impl Future<Output = Result<Response, Error>> + use<> {
        self.0.clone().fetch(http, request)
    }

    /// The access token that a request to this URL would have, for an app that must see it
    /// ([`Config::dangerous_expose_access_token`]). It is renewed first if need be.
    ///
    /// # Errors
    /// [`Misconfigured::TokenIsKept`] unless the configuration says that the app may see it; when nobody is signed in, or the URL is not
    /// listed.
    pub fn access_token(&self, url: &str) -> impl Future<Output = Result<Secret<String>, Error>> + use<> {
        self.0.clone().access_token(url)
    }

    /// Asks the provider for claims about the user who is signed in.
    ///
    /// # Errors
    /// When nobody is signed in, no answer came, or the answer is about somebody else.
    pub fn user_info(&self) -> impl Future<Output = Result<Claims, Error>> + use<> {
        self.0.clone().user_info()
    }

    /// Watches whether the user is still signed in at the provider, as long as somebody is signed in here and the page is seen
    /// ([OpenID Connect Session Management](https://openid.net/specs/openid-connect-session-1_0.html)): the provider's
    /// `check_session_iframe` is asked every four seconds. When it says `changed`, the provider is asked once in a hidden frame
    /// (`prompt=none`, with the ID token as `id_token_hint` in that frame's URL), however many pages share the keep. The same user: the
    /// session goes on with new tokens. Nobody, or somebody else: it ends ([`Ended::SignedOutAtProvider`], [`Ended::UserChanged`]).
    ///
    /// It works only where the browser gives the provider's frame its cookies: where provider and app are one site, or third-party cookies
    /// are allowed. Where it cannot work it stops and says why ([`Event::SessionMonitorStopped`]), and the session goes on. On a server
    /// it does nothing.
    ///
    /// ```no_run
    /// # fn app(client: &tokenkeep::Client) {
    /// let monitoring = client.monitor_session(); // until it is dropped
    /// # }
    /// ```
    #[cfg(feature = "check-session")]
    pub fn monitor_session(&self) -> Subscription {
        #[cfg(target_family = "wasm")]
        return crate::browser::monitor(self);
        #[cfg(not(target_family = "wasm"))]
        Subscription::ending(|| {})
    }

    /// What a script that asks the provider's frame says to the keep, and what it shall post next; `None` when there is nothing to watch.
    /// [`Client::monitor_session`] does all of it.
    ///
    /// # Errors
    /// When the provider's metadata cannot be read: nothing is known then.
    #[cfg(feature = "check-session")]
    pub fn check_session(&self, said: &str, about: &str) -> impl Future<Output = Result<Option<OpFrame>, Error>> + use<> {
        // What is no word of that script means nothing.
        let work = Said::from_name(said).map(|said| self.0.clone().check_session(said, about.to_owned()));
        async move {
            match work {
                Some(work) => work.await,
                None => Ok(None),
            }
        }
    }

    /// Renews the access token now, by whatever way works. It is done by itself in time: this is for who knows that something
    /// changed at the provider.
    ///
    /// # Errors
    /// When nobody is signed in, or no way led to a new token. The session goes on with the one that is there.
    pub fn renew(&self) -> impl Future<Output = Result<Session, Error>> + use<> {
        self.0.clone().renew()
    }

    /// What a call waits for that its API wants of the user ([`Config::step_up`]): the question to put to them.
    ///
    /// Who agrees signs in with it ([`SignIn::from`]), in this page or in another that has the same keep. What waits in a page that leaves for
    /// the provider is lost with it, and calls again when it is back.
    ///
    /// ```
    /// # async fn ask(client: tokenkeep::Client, agrees: bool) -> Result<(), tokenkeep::Error> {
    /// use tokenkeep::SignIn;
    ///
    /// match client.step_up() {
    ///     Some(step_up) if agrees => client.sign_in(SignIn::from(&step_up).return_to("/transfer")).await?,
    ///     _ => client.decline_step_up(),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "step-up")]
    pub fn step_up(&self) -> Option<StepUp> {
        self.0.step_up()
    }

    /// The user does not want to: calls that wait for [`Client::step_up`] get the answer that asked for it. Another one may follow, for other
    /// calls.
    #[cfg(feature = "step-up")]
    pub fn decline_step_up(&self) {
        self.0.decline_step_up();
    }

    /// Signs out. When this returns, before anything is awaited, the tokens are gone here. Then the other tabs are told, the refresh
    /// token is revoked ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)), and, as far as said, the browser leaves for the provider.
    ///
    /// # Errors
    /// When the provider cannot be asked. The user is signed out here all the same, and nothing is tried again later.
    pub fn sign_out(&self, reach: SignOut) -> impl Future<Output = Result<(), Error>> + use<> {
        self.0.clone().sign_out(reach)
    }

    /// Whether the user signed out in this browser within the last minute ([`keep::SIGN_OUT_GRACE`]): not the time to send anybody to
    /// sign in who did not ask for it.
    pub fn signed_out_just_now(&self) -> bool {
        self.0.signed_out_just_now()
    }

    /// Stands at the app's front-channel logout URI, which the provider loads in a frame
    /// ([OpenID Connect Front-Channel Logout §2](https://openid.net/specs/openid-connect-frontchannel-1_0.html#RPLogout)): ends the
    /// session that `iss` and `sid` in the address name, in whatever tab of this browser it is.
    ///
    /// False when no tab had such a session, or none could be reached: a browser that gives a framed page a storage of its own keeps it
    /// from the app's tabs too.
    pub fn front_channel_logout(&self) -> impl Future<Output = bool> + use<> {
        self.0.clone().front_channel_logout()
    }

    /// The user is active, as the app knows: by a button that says "stay signed in", or by a film that is being watched
    /// ([`Config::idle_limit`]). It is so in all tabs. What a key, a pointer or a finger does need not be said. A session that has ended
    /// stays ended.
    #[cfg(feature = "limits")]
    pub fn stay_active(&self) {
        self.0.stay_active();
    }

    /// Where a URL of the app lies: path, query and hash. What is elsewhere becomes the root.
    pub fn place(&self, url: &str) -> String {
        self.0.place(url)
    }

    /// Drops the tokens and removes all that was stored for this client.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Link for Inner {
    fn told(&self) -> &Told {
        &self.told
    }

    fn kept_in(&self) -> Option<KeptIn> {
        Some(KeptIn::Page)
    }

    fn sign_in(self: Rc<Self>, sign_in: SignIn) -> Answer<'static, Result<(), Error>> {
        // One that nobody awaits any more was given up, and its options with it.
        let known = self.departing.borrow().as_ref().filter(|flight| flight.is_awaited()).cloned();
        let flight = known.unwrap_or_else(|| {
            let inner = self.clone();
            let flight = Flight::new(async move { inner.depart(sign_in).await });
            *self.departing.borrow_mut() = Some(flight.clone());
            flight
        });
        Box::pin(async move {
            let outcome = flight.clone().await;
            // The next call begins anew; but only if no other has begun by now.
            self.departing.borrow_mut().take_if(|now| now.is(&flight));
            outcome
        })
    }

    #[cfg(feature = "device")]
    fn sign_in_by_device(self: Rc<Self>) -> Answer<'static, Result<DeviceSignIn, Error>> {
        Box::pin(device::begin(self))
    }

    #[cfg(feature = "popup")]
    fn begin_popup(self: Rc<Self>, sign_in: SignIn) -> Answer<'static, Result<PopupSignIn, Error>> {
        Box::pin(popup::begin(self, sign_in))
    }

    #[cfg(feature = "popup")]
    fn finish_popup(self: Rc<Self>, state: &str, address: &str) -> Answer<'static, Result<Option<Session>, Error>> {
        popup::finish(self, state, address)
    }

    #[cfg(feature = "popup")]
    fn end_popup(self: Rc<Self>, state: &str, why: Interrupted) -> Answer<'static, Result<(), Error>> {
        let error = popup::end(&self, state, why);
        Box::pin(async { Err(error) })
    }

    #[cfg(feature = "check-session")]
    fn check_session(self: Rc<Self>, said: Said, about: String) -> Answer<'static, Result<Option<OpFrame>, Error>> {
        Box::pin(async move { if self.estranged.get() { Ok(None) } else { self.serving.keep.check_session(said, about).await } })
    }

    fn finish_sign_in(self: Rc<Self>) -> Answer<'static, Result<Finished, Error>> {
        self.arrive();
        let known = self.arriving.borrow().clone();
        Box::pin(async move {
            match known {
                Some(flight) => flight.await,
                None => {
                    let session = if self.estranged.get() { None } else { self.serving.keep.restore().await };
                    // Another page of this keep may have been there before.
                    if let Some(session) = &session {
                        self.shown(session);
                    }
                    self.settle();
                    Ok(session.map_or(Finished::Nothing, |session| Finished::Restored { session }))
                }
            }
        })
    }

    fn fetch(self: Rc<Self>, http: Option<Rc<dyn Http>>, mut request: Request) -> Answer<'static, Result<Response, Error>> {
        let resolved = self.resolved(&request.url);
        Box::pin(async move {
            request.url = resolved?;
            self.theirs()?.fetch(request, http).await
        })
    }

    fn access_token(self: Rc<Self>, url: &str) -> Answer<'static, Result<Secret<String>, Error>> {
        let resolved = self.resolved(url);
        Box::pin(async move { self.theirs()?.access_token(resolved?).await })
    }

    fn user_info(self: Rc<Self>) -> Answer<'static, Result<Claims, Error>> {
        Box::pin(async move { self.theirs()?.user_info().await })
    }

    fn renew(self: Rc<Self>) -> Answer<'static, Result<Session, Error>> {
        Box::pin(async move { self.theirs()?.renew().await })
    }

    #[cfg(feature = "step-up")]
    fn step_up(&self) -> Option<StepUp> {
        self.theirs().ok()?.step_up()
    }

    #[cfg(feature = "step-up")]
    fn decline_step_up(&self) {
        if let Ok(keep) = self.theirs() {
            keep.decline_step_up();
        }
    }

    fn sign_out(self: Rc<Self>, reach: SignOut) -> Answer<'static, Result<(), Error>> {
        let work = self.serving.keep.sign_out(reach == SignOut::Provider);
        self.forget();
        Box::pin(async move {
            match work.await {
                Ok(leaving) => {
                    match leaving {
                        None => {}
                        Some(Leaving::To(url)) => self.navigation.go(url.expose()),
                        Some(Leaving::With { url, fields }) => {
                            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.expose().as_str())).collect();
                            self.navigation.submit(&url, &fields);
                        }
                    }
                    Ok(())
                }
                Err(error) => {
                    self.told.events.tell(&Event::Failed(error.clone()));
                    Err(error)
                }
            }
        })
    }

    fn signed_out_just_now(&self) -> bool {
        self.serving.keep.signed_out_just_now()
    }

    fn front_channel_logout(self: Rc<Self>) -> Answer<'static, bool> {
        Box::pin(self.serving.keep.front_channel_logout(FrontChannelLogout::read(&self.navigation.address())))
    }

    fn issuer(&self) -> Option<Issuer> {
        Some(self.serving.issuer.clone())
    }

    #[cfg(feature = "limits")]
    fn stay_active(&self) {
        self.active(self.serving.clock.now());
    }

    fn place(&self, url: &str) -> String {
        redirect::place(&*self.navigation, url, &self.serving.redirect_uri)
    }

    fn close(&self) {
        self.serving.keep.close();
        self.forget();
    }
}

impl Inner {
    /// The keep, for a page whose user is theirs who signed in there.
    fn theirs(&self) -> Result<&Handle, Interrupted> {
        if self.estranged.get() { Err(Interrupted::SignInNeeded) } else { Ok(&self.serving.keep) }
    }

    #[cfg(feature = "limits")]
    fn active(&self, at: UnixTime) {
        if let Ok(keep) = self.theirs() {
            keep.active(at);
        }
    }

    fn hear(self: &Rc<Self>, news: &News) {
        match news {
            News::Ended(reason) => {
                if *reason == Ended::UserChanged && self.is_signed_in() {
                    self.estranged.set(true);
                }
                self.forget();
            }
            // It is not news where nobody was signed in.
            News::Event(Event::Ended(_)) if !self.is_signed_in() => {}
            #[cfg(feature = "limits")]
            News::Event(Event::Active | Event::IdleSoon { .. }) if !self.is_signed_in() => {}
            // What a call of another user waits for.
            #[cfg(feature = "step-up")]
            News::Event(Event::StepUpNeeded(_) | Event::StepUpSettled) if self.estranged.get() => {}
            News::Event(event) => self.told.events.tell(event),
            News::Redirect => {
                let inner = self.clone();
                self.serving.tasks.spawn(Box::pin(async move {
                    let silent = SignIn::default().prompt([Prompt::None]);
                    let error = match inner.clone().way_out(silent).await {
                        Err(error) => error,
                        // Somebody signed out meanwhile.
                        Ok(_) if !inner.serving.keep.is_redirecting() => Interrupted::SignInNeeded.into(),
                        Ok(url) => {
                            inner.leave(&url);
                            inner.serving.clock.sleep(LEAVING).await;
                            // The page is still there: the user may have wanted to stay.
                            Interrupted::TimedOut { from: Source::Authorization }.into()
                        }
                    };
                    inner.serving.keep.redirect_failed(error);
                }));
            }
            News::Session(session) => self.shown(session),
            News::Settled => self.settle(),
        }
    }

    /// What the browser makes of a URL: that is compared, and sent.
    fn resolved(&self, url: &str) -> Result<String, Misconfigured> {
        let resolved = self.navigation.resolve(url).ok_or(Misconfigured::RequestMalformed)?;
        Ok(resolved.split('#').next().unwrap_or_default().to_owned())
    }

    fn is_signed_in(&self) -> bool {
        matches!(*self.told.state.borrow(), State::SignedIn(_))
    }

    /// Somebody is signed in, perhaps in another page.
    fn shown(&self, session: &Session) {
        if !self.estranged.get() {
            let new = !self.is_signed_in();
            self.set(State::SignedIn(session.clone()));
            if new {
                self.told.events.tell(&Event::SignedIn);
                self.say_idle_ends();
            }
        }
    }

    /// The user was warned before this page was there to hear it.
    fn say_idle_ends(&self) {
        #[cfg(feature = "limits")]
        if let Some(ends) = self.serving.keep.idle_ends() {
            self.told.events.tell(&Event::IdleSoon { ends });
        }
    }

    fn wake(&self, wake: Wake) {
        if wake == Wake::Returned {
            self.left.set(None);
            self.told.leavings.tell(&false);
        }
        self.serving.keep.wake(wake == Wake::Returned);
        // It heard nothing meanwhile.
        #[cfg(feature = "limits")]
        if wake == Wake::Returned && self.is_signed_in() && self.serving.keep.rhythm().is_some() {
            match self.serving.keep.idle_ends() {
                Some(_) => self.say_idle_ends(),
                None => self.told.events.tell(&Event::Active),
            }
        }
    }

    async fn depart(self: Rc<Self>, sign_in: SignIn) -> Result<(), Error> {
        let now = self.serving.clock.now();
        if self.left.get().is_some_and(|left| now.since(left) < LEAVING && left <= now) {
            return Ok(());
        }
        if matches!(*self.told.state.borrow(), State::Failed(_)) {
            self.set(State::SignedOut);
        }
        self.told.leavings.tell(&true);
        let outcome = self.clone().way_out(sign_in).await;
        match &outcome {
            Ok(url) => self.leave(url),
            Err(error) => {
                self.told.leavings.tell(&false);
                self.fail(error);
            }
        }
        outcome.map(drop)
    }

    /// Where to leave for.
    async fn way_out(self: Rc<Self>, sign_in: SignIn) -> Result<Secret<String>, Error> {
        if self.navigation.framed_by() == FramedBy::AnotherOrigin {
            return Err(Misconfigured::Framed.into());
        }
        let here = self.navigation.address();
        let before = || self.wanted.borrow().clone().filter(|_| redirect::is_redirect_uri(&here, &self.serving.redirect_uri));
        let wanted = sign_in.return_to.clone().or_else(before).unwrap_or(here.clone());
        let return_to = redirect::place(&*self.navigation, &wanted, &self.serving.redirect_uri);
        self.serving.keep.begin(sign_in, return_to).await
    }

    fn leave(&self, url: &Secret<String>) {
        self.told.events.tell(&Event::Redirecting);
        self.left.set(Some(self.serving.clock.now()));
        self.navigation.go(url.expose());
    }

    /// Looks at the address, once. Awaits nothing.
    fn arrive(self: &Rc<Self>) {
        let address = self.navigation.address();
        if self.serving.keep.returned(&address) {
            self.navigation.replace(&redirect::without_state(&address));
            self.told.events.tell(&Event::SignedOutAtProvider);
            return;
        }
        let Some(callback) = Callback::read(&address, self.serving.redirect_uri.as_str()) else { return };
        let taken = match self.navigation.framed_by() {
            // Nobody signs in inside somebody else's page.
            FramedBy::AnotherOrigin => keep::Taken::Refused { error: Misconfigured::Framed.into(), return_to: None },
            FramedBy::Nobody | FramedBy::ThisOrigin => self.serving.keep.finish(callback),
        };
        match taken {
            keep::Taken::NotOurs => return,
            // Perhaps the page around this one asked for it, in this very frame.
            keep::Taken::Refused { error: Error::Misbehaved(Misbehaved::StateUnknown), .. }
                if self.navigation.framed_by() == FramedBy::ThisOrigin =>
            {
                self.navigation.tell_parent(&address);
                *self.arriving.borrow_mut() = Some(Flight::new(std::future::pending()));
                return;
            }
            _ => {}
        }
        redirect::scrub(&*self.navigation);
        self.told.events.tell(&Event::CallbackReceived);
        let inner = self.clone();
        let flight = async move {
            let (outcome, return_to) = match taken {
                keep::Taken::Ours { work, return_to } => (work.await, Some(return_to)),
                keep::Taken::Refused { error, return_to } => (Err(error), return_to),
                keep::Taken::NotOurs => return Ok(Finished::Nothing),
            };
            inner.arrived(outcome, return_to)
        };
        *self.arriving.borrow_mut() = Some(Flight::new(flight));
    }

    fn arrived(&self, outcome: Result<Session, Error>, return_to: Option<String>) -> Result<Finished, Error> {
        // The place came back from the browser's storage: it is looked at again.
        let return_to = return_to.map(|place| redirect::place(&*self.navigation, &place, &self.serving.redirect_uri));
        // Who was signed in before, in another page, still is.
        if outcome.is_err()
            && let Some(session) = self.serving.keep.session()
        {
            self.shown(&session);
        }
        match outcome {
            Ok(session) => {
                self.estranged.set(false);
                self.set(State::SignedIn(session.clone()));
                self.told.events.tell(&Event::SignedIn);
                self.say_idle_ends();
                // In the other pages, too.
                self.serving.hear(&News::Session(session.clone()));
                Ok(Finished::SignedIn { session, return_to: return_to.unwrap_or_default() })
            }
            // Nobody was asked anything, and nothing failed.
            Err(error) if error.asks_user() => {
                self.settle();
                Ok(Finished::SignInNeeded { return_to: return_to.unwrap_or_default() })
            }
            Err(error) => {
                *self.wanted.borrow_mut() = return_to;
                match &error {
                    // A response that was handled before, here or in another tab, is nobody's failure.
                    Error::Misbehaved(Misbehaved::AlreadyUsed) => self.settle(),
                    // Neither is one that a sign-out overtook.
                    Error::Interrupted(Interrupted::SignInNeeded) => self.settle(),
                    _ => self.fail(&error),
                }
                Err(error)
            }
        }
    }

    /// Signing in failed. Who was signed in before still is.
    fn fail(&self, error: &Error) {
        self.told.events.tell(&Event::Failed(error.clone()));
        if !self.is_signed_in() {
            self.set(State::Failed(error.clone()));
        }
    }

    /// The keep is empty: nobody is signed in, and no answer from before says otherwise.
    fn forget(&self) {
        self.arriving.borrow_mut().take();
        self.set(State::SignedOut);
    }

    /// Nothing is under way: who is not known to be signed in is not.
    fn settle(&self) {
        if *self.told.state.borrow() == State::Unknown {
            self.set(State::SignedOut);
        }
    }

    fn set(&self, state: State) {
        self.told.set(state);
    }
}
