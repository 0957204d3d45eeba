//! The visible side: what an app holds. It knows who is signed in, and never a token.

mod listeners;
pub mod ports;
mod redirect;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use listeners::Listeners;
pub use listeners::Subscription;
use ports::Navigation;

use crate::{
    keep::{
        self, Config, Event, Handle, Keep, Session,
        flight::Flight,
        ports::{Clock, Ports},
    },
    protocol::{Claims, Error, HttpUrl, Interrupted, Misbehaved, Misconfigured, Request, Response, SignIn, UnixTime, UrlFault},
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
    /// Only this app: the user stays signed in at the provider.
    Local,
    /// The provider too: the browser leaves for it, and comes back.
    #[default]
    Provider,
}

/// What came of looking at the address.
#[derive(Clone, Debug, PartialEq)]
pub enum Finished {
    /// There was no response in the address, or it was none of ours.
    Nothing,
    /// Somebody signed in.
    SignedIn {
        /// Who.
        session: Session,
        /// Where in the app the user wanted to be: path, query and hash.
        return_to: String,
    },
}

/// Signs users in and calls APIs for them. Clones are the same client.
#[derive(Clone)]
pub struct Client(Rc<Inner>);

struct Inner {
    keep: Handle,
    redirect_uri: HttpUrl,
    clock: Rc<dyn Clock>,
    navigation: Rc<dyn Navigation>,
    state: RefCell<State>,
    states: Listeners<State>,
    events: Listeners<Event>,
    arriving: RefCell<Option<Flight<Result<Finished, Error>>>>,
    departing: RefCell<Option<Flight<Result<(), Error>>>>,
    left: Rc<Cell<Option<UnixTime>>>,
    leavings: Listeners<bool>,
    // Where the user wanted to be when a sign-in failed, for the next one from the same page.
    wanted: RefCell<Option<String>>,
}

impl Client {
    /// Opens a client. Sends nothing, and does not look at the address yet: [`Client::finish_sign_in`] does.
    ///
    /// # Errors
    /// When the configuration cannot work: which option, and what to do.
    pub fn open(config: &Config, ports: Ports, navigation: Rc<dyn Navigation>) -> Result<Client, Error> {
        let settings = config.check(&navigation.origin())?;
        let redirect_uri = settings.registration.redirect_uri.clone();
        let events = Listeners::default();
        let clock = ports.clock.clone();
        let report = {
            let events = events.clone();
            Rc::new(move |event: Event| events.tell(&event))
        };
        let left: Rc<Cell<Option<UnixTime>>> = Rc::default();
        let leavings = Listeners::default();
        let returned = (left.clone(), leavings.clone());
        navigation.on_return(Rc::new(move || {
            returned.0.set(None);
            returned.1.tell(&false);
        }));
        Ok(Client(Rc::new(Inner {
            keep: Handle::Here(Keep::new(settings, ports, report)),
            redirect_uri,
            clock,
            navigation,
            state: RefCell::default(),
            states: Listeners::default(),
            events,
            arriving: RefCell::default(),
            departing: RefCell::default(),
            left,
            leavings,
            wanted: RefCell::default(),
        })))
    }

    /// Whether somebody is signed in.
    pub fn state(&self) -> State {
        self.0.state.borrow().clone()
    }

    /// Calls back when the state changes.
    pub fn on_state(&self, callback: impl Fn(&State) + 'static) -> Subscription {
        self.0.states.add(Rc::new(callback))
    }

    /// Calls back when something happens.
    pub fn on_event(&self, callback: impl Fn(&Event) + 'static) -> Subscription {
        self.0.events.add(Rc::new(callback))
    }

    /// Calls back with true when the browser is about to leave for the provider, and with false when it stays after all: because
    /// that failed, or because the user came back.
    pub fn on_leaving(&self, callback: impl Fn(&bool) + 'static) -> Subscription {
        self.0.leavings.add(Rc::new(callback))
    }

    /// Leaves for the provider. Answers when the navigation has begun; any number of calls begin one.
    ///
    /// # Errors
    /// When the sign-in cannot begin. Nothing was remembered then.
    pub fn sign_in(&self, sign_in: SignIn) -> impl Future<Output = Result<(), Error>> + use<> {
        // One that nobody awaits any more was given up, and its options with it.
        let known = self.0.departing.borrow().as_ref().filter(|flight| flight.is_awaited()).cloned();
        let flight = known.unwrap_or_else(|| {
            let inner = self.0.clone();
            let flight = Flight::new(async move { inner.depart(sign_in).await });
            *self.0.departing.borrow_mut() = Some(flight.clone());
            flight
        });
        let inner = self.0.clone();
        async move {
            let outcome = flight.clone().await;
            // The next call begins anew; but only if no other has begun by now.
            inner.departing.borrow_mut().take_if(|now| now.is(&flight));
            outcome
        }
    }

    /// Finishes a sign-in if the address carries its response, and says who is signed in.
    ///
    /// **When this returns, before anything is awaited, the response has left the address bar and the pending login is used up.**
    /// Called again it gives the same answer: one response is handled once.
    ///
    /// # Errors
    /// When the response is not acceptable. Who was signed in before still is.
    pub fn finish_sign_in(&self) -> impl Future<Output = Result<Finished, Error>> + use<> {
        self.0.arrive();
        let known = self.0.arriving.borrow().clone();
        let inner = self.0.clone();
        async move {
            match known {
                Some(flight) => flight.await,
                None => {
                    inner.settle();
                    Ok(Finished::Nothing)
                }
            }
        }
    }

    /// Calls an API: with the token if it is one of [`Config::api`], and not at all otherwise. Redirects are not followed.
    ///
    /// A response that says no is a response: [`Response::challenge`] tells why a 401 is one.
    ///
    /// # Errors
    /// When nobody is signed in, the destination is not listed, or no answer came.
    pub fn fetch(&self, mut request: Request) -> impl Future<Output = Result<Response, Error>> + use<> {
        // What the browser makes of the URL is what is compared and what is sent.
        let resolved = self.0.navigation.resolve(&request.url).ok_or(UrlFault::Malformed);
        let resolved = resolved.map(|url| url.split('#').next().unwrap_or_default().to_owned());
        let inner = self.0.clone();
        async move {
            request.url = resolved.map_err(|_| Misconfigured::RequestMalformed)?;
            inner.keep.fetch(request).await
        }
    }

    /// Asks the provider for claims about the user who is signed in.
    ///
    /// # Errors
    /// When nobody is signed in, no answer came, or the answer is about somebody else.
    pub fn user_info(&self) -> impl Future<Output = Result<Claims, Error>> + use<> {
        self.0.keep.user_info()
    }

    /// Signs out: here at once, then at the provider, by leaving for it.
    ///
    /// # Errors
    /// When the provider cannot be asked. The user is signed out here all the same.
    pub fn sign_out(&self, reach: SignOut) -> impl Future<Output = Result<(), Error>> + use<> {
        self.0.keep.end();
        self.0.forget();
        let inner = self.0.clone();
        async move {
            if reach == SignOut::Local {
                return Ok(());
            }
            match inner.keep.end_session_url().await {
                Ok(url) => {
                    inner.navigation.go(&url);
                    Ok(())
                }
                Err(error) => {
                    inner.events.tell(&Event::Failed(error.clone()));
                    Err(error)
                }
            }
        }
    }

    /// Where a URL of the app lies: path, query and hash. What is elsewhere becomes the root.
    pub fn place(&self, url: &str) -> String {
        redirect::place(&*self.0.navigation, url, &self.0.redirect_uri)
    }

    /// Drops the tokens and removes all that was stored for this client.
    pub fn close(&self) {
        self.0.keep.close();
        self.0.forget();
    }
}

impl Inner {
    async fn depart(self: Rc<Self>, sign_in: SignIn) -> Result<(), Error> {
        let now = self.clock.now();
        if self.left.get().is_some_and(|left| now.since(left) < LEAVING && left <= now) {
            return Ok(());
        }
        if matches!(*self.state.borrow(), State::Failed(_)) {
            self.set(State::SignedOut);
        }
        self.leavings.tell(&true);
        let outcome = self.clone().leave(sign_in).await;
        if let Err(error) = &outcome {
            self.leavings.tell(&false);
            self.fail(error);
        }
        outcome
    }

    async fn leave(self: Rc<Self>, sign_in: SignIn) -> Result<(), Error> {
        if self.navigation.is_framed_by_another_origin() {
            return Err(Misconfigured::Framed.into());
        }
        let here = self.navigation.address();
        let before = || self.wanted.borrow().clone().filter(|_| redirect::is_redirect_uri(&here, &self.redirect_uri));
        let wanted = sign_in.return_to.clone().or_else(before).unwrap_or(here.clone());
        let return_to = redirect::place(&*self.navigation, &wanted, &self.redirect_uri);
        let url = self.keep.begin(sign_in, return_to).await?;
        self.events.tell(&Event::Redirecting);
        self.left.set(Some(self.clock.now()));
        self.navigation.go(url.expose());
        Ok(())
    }

    /// Looks at the address, once. Awaits nothing.
    fn arrive(self: &Rc<Self>) {
        let Some(callback) = redirect::receive(&*self.navigation, &self.redirect_uri) else { return };
        let taken = self.keep.finish(&callback);
        if matches!(taken, keep::Taken::NotOurs) {
            return;
        }
        redirect::scrub(&*self.navigation);
        self.events.tell(&Event::CallbackReceived);
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
        let return_to = return_to.map(|place| redirect::place(&*self.navigation, &place, &self.redirect_uri));
        match outcome {
            Ok(session) => {
                self.set(State::SignedIn(session.clone()));
                self.events.tell(&Event::SignedIn);
                Ok(Finished::SignedIn { session, return_to: return_to.unwrap_or_default() })
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
        self.events.tell(&Event::Failed(error.clone()));
        if !matches!(*self.state.borrow(), State::SignedIn(_)) {
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
        if *self.state.borrow() == State::Unknown {
            self.set(State::SignedOut);
        }
    }

    fn set(&self, state: State) {
        let changed = *self.state.borrow() != state;
        if changed {
            *self.state.borrow_mut() = state.clone();
            self.states.tell(&state);
        }
    }
}
