//! Sign-in for [Leptos](https://leptos.dev): the state of a [`Client`] as signals, and five components.
//!
//! ```
//! use leptos::prelude::*;
//! use leptos_router::{components::{Route, Router, Routes}, path};
//! use tokenkeep::{Config, leptos::*};
//!
//! #[component]
//! fn App() -> impl IntoView {
//!     let auth = provide_auth(Config::new("https://login.example.com", "my-app"));
//!     view! {
//!         <SignedIn>"Hello, " {move || auth.name()} <button on:click=move |_| auth.sign_out()>"Sign out"</button></SignedIn>
//!         <SignedOut><button on:click=move |_| auth.sign_in()>"Sign in"</button></SignedOut>
//!         <Router>
//!             <Routes fallback=|| "Not found">
//!                 <Route path=path!("/") view=|| "Home" />
//!                 <Route path=path!("/callback") view=|| view! { <SignInCallback /> } />
//!                 <Route path=path!("/front-channel-logout") view=|| view! { <FrontChannelLogout /> } />
//!                 <Route path=path!("/orders") view=|| view! { <RequireSignIn>"Your orders"</RequireSignIn> } />
//!             </Routes>
//!         </Router>
//!     }
//! }
//! ```
//!
//! The session lasts by itself: its access token is renewed in time, and all tabs share it. An app that wants to show that has
//! [`Auth::remaining`], [`Auth::renewed_by`] and [`Auth::sign_in_needed`].
//!
//! On a server everything compiles and renders [`State::Unknown`]: no token and nobody's name gets into the HTML.

mod components;

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

pub use components::{FrontChannelLogout, RequireSignIn, SignInCallback, SignedIn, SignedOut};

use crate::{
    keep::{Config, Event, Session},
    page::{Client, SignOut, State, Subscription},
    protocol::{Claims, Error, Interrupted, Misconfigured, Request, Response, SignIn, UnixTime},
    session::Rung,
};

/// What a component holds: signals, and what a user may do. Copies are the same.
#[derive(Clone, Copy)]
pub struct Auth {
    state: RwSignal<State>,
    leaving: RwSignal<bool>,
    #[cfg(feature = "limits")]
    idle_ends: RwSignal<Option<UnixTime>>,
    sign_in_needed: RwSignal<bool>,
    #[cfg(feature = "step-up")]
    step_up: RwSignal<Option<crate::protocol::StepUp>>,
    connection: StoredValue<Option<Connection>, LocalStorage>,
}

struct Connection {
    client: Client,
    _events: Subscription,
    _leavings: Subscription,
    _states: Subscription,
}

/// Opens a client for this page, finishes a sign-in that is in the address, and provides both to all components below.
///
/// Call it above the `Router`: the response of a sign-in leaves the address bar before the router reads it. A configuration that
/// cannot work becomes [`State::Failed`].
pub fn provide_auth(config: impl Open) -> Auth {
    provide_auth_observed(config, |_| ())
}

/// Does what [`provide_auth`] does, and calls back for all that happens from the very start.
///
/// [`Auth::on_event`] can be called only after it, which is too late for [`Event::CallbackReceived`].
pub fn provide_auth_observed(config: impl Open, observe: impl Fn(&Event) + 'static) -> Auth {
    let auth = Auth::new();
    match config.open() {
        None => {}
        Some(Ok(client)) => auth.connect(client, observe),
        Some(Err(error)) => {
            observe(&Event::Failed(error.clone()));
            auth.state.set(State::Failed(error));
        }
    }
    provide_context(auth);
    auth
}

/// Provides a client that was opened before, to all components below.
pub fn provide_client(client: Client) -> Auth {
    let auth = Auth::new();
    auth.connect(client, |_| ());
    provide_context(auth);
    auth
}

/// What [`provide_auth`] provided above. Without it, it is in the state [`State::Failed`] and says so.
pub fn use_auth() -> Auth {
    use_context().unwrap_or_else(|| {
        let auth = Auth::new();
        auth.state.set(State::Failed(Misconfigured::AuthNotProvided.into()));
        auth
    })
}

impl Auth {
    fn new() -> Auth {
        Auth {
            state: RwSignal::new(State::Unknown),
            leaving: RwSignal::new(false),
            #[cfg(feature = "limits")]
            idle_ends: RwSignal::new(None),
            sign_in_needed: RwSignal::new(false),
            #[cfg(feature = "step-up")]
            step_up: RwSignal::new(None),
            connection: StoredValue::new_local(None),
        }
    }

    fn connect(self, client: Client, observe: impl Fn(&Event) + 'static) {
        let sign_in_needed = self.sign_in_needed;
        let events = client.on_event(move |event| {
            let needed = matches!(event, Event::SignInNeeded);
            if needed || matches!(event, Event::Ended(_) | Event::Renewed { .. } | Event::SignedIn) {
                let _ = sign_in_needed.try_set(needed);
            }
            match event {
                #[cfg(feature = "step-up")]
                Event::StepUpNeeded(wanted) => drop(self.step_up.try_set(Some(wanted.clone()))),
                #[cfg(feature = "step-up")]
                Event::StepUpSettled => drop(self.step_up.try_set(None)),
                #[cfg(feature = "limits")]
                Event::IdleSoon { ends } => drop(self.idle_ends.try_set(Some(*ends))),
                #[cfg(feature = "limits")]
                Event::Active | Event::Ended(_) => drop(self.idle_ends.try_set(None)),
                _ => {}
            }
            observe(event);
        });
        let state = self.state;
        let states = client.on_state(move |now| {
            let _ = state.try_set(now.clone());
        });
        let leaving = self.leaving;
        let leavings = client.on_leaving(move |now| {
            let _ = leaving.try_set(*now);
        });
        // Before the first await: the address is clean when this returns.
        let finishing = client.finish_sign_in();
        self.connection.set_value(Some(Connection { client, _events: events, _leavings: leavings, _states: states }));
        spawn_local(async move {
            // What comes of it is in the state by now.
            let _ = finishing.await;
        });
    }

    /// Whether somebody is signed in. Tracks.
    pub fn state(self) -> State {
        self.state.get()
    }

    /// Who is signed in. Tracks.
    pub fn session(self) -> Option<Session> {
        self.state.with(|state| if let State::SignedIn(session) = state { Some(session.clone()) } else { None })
    }

    /// A name for who is signed in, to be shown. Tracks.
    pub fn name(self) -> Option<String> {
        self.session().and_then(|session| session.claims.map(|claims| claims.display_name().to_owned()))
    }

    /// How long the access token still lives, counted down once a second; `None` while nobody is signed in, and if the provider does
    /// not say. It is counted as long as the component lives that asks for it.
    pub fn remaining(self) -> Signal<Option<Duration>> {
        let second = RwSignal::new(());
        let expires = Memo::new(move |_| self.session().and_then(|session| session.expires));
        Effect::new(move |_| {
            if expires.get().is_some()
                && let Ok(timer) = set_interval_with_handle(move || second.notify(), Duration::from_secs(1))
            {
                on_cleanup(move || timer.clear());
            }
        });
        Signal::derive(move || {
            second.track();
            Some(expires.get()?.since(now()?))
        })
    }

    /// What the access token came by; `None` if the user signed in for it. Tracks.
    pub fn renewed_by(self) -> Option<Rung> {
        self.session().and_then(|session| session.renewed_by)
    }

    /// Whether nothing leads to a new access token but that the user signs in again: the time to offer it, before the one that is
    /// there ends. Tracks.
    pub fn sign_in_needed(self) -> bool {
        self.sign_in_needed.get()
    }

    /// What a call waits for that its API wants of the user, with [`Config::step_up`]: the question to put to them. Tracks.
    ///
    /// ```
    /// use leptos::prelude::*;
    /// use tokenkeep::{SignIn, leptos::use_auth};
    ///
    /// #[component]
    /// fn StepUp() -> impl IntoView {
    ///     let auth = use_auth();
    ///     move || auth.step_up().map(|step_up| view! {
    ///         <p>"This needs another proof of who you are."</p>
    ///         <button on:click=move |_| auth.sign_in_with(SignIn::from(&step_up))>"Go on"</button>
    ///         <button on:click=move |_| auth.decline_step_up()>"Not now"</button>
    ///     })
    /// }
    /// ```
    #[cfg(feature = "step-up")]
    pub fn step_up(self) -> Option<crate::protocol::StepUp> {
        self.step_up.get()
    }

    /// The user does not want to: see [`Client::decline_step_up`].
    #[cfg(feature = "step-up")]
    pub fn decline_step_up(self) {
        if let Some(client) = self.client() {
            client.decline_step_up();
        }
    }

    /// When the session ends unless the user is active, as soon as that is near ([`Config::idle_limit`]): the time for a countdown, and for
    /// a button that calls [`Auth::stay_active`]. `None` at any other time. Tracks.
    #[cfg(feature = "limits")]
    pub fn idle_ends(self) -> Option<UnixTime> {
        self.idle_ends.get()
    }

    /// The user is active: see [`Client::stay_active`].
    #[cfg(feature = "limits")]
    pub fn stay_active(self) {
        if let Some(client) = self.client() {
            client.stay_active();
        }
    }

    /// Whether the browser is about to leave for the provider: the time for a button to be disabled. Tracks.
    pub fn is_leaving(self) -> bool {
        self.leaving.get()
    }

    /// What went wrong, if nobody is signed in for that reason. Tracks.
    pub fn error(self) -> Option<Error> {
        self.state.with(|state| if let State::Failed(error) = state { Some(error.clone()) } else { None })
    }

    /// Leaves for the provider, and comes back here. What goes wrong becomes [`State::Failed`].
    pub fn sign_in(self) {
        self.sign_in_with(SignIn::default());
    }

    /// Leaves for the provider, asking for something particular.
    pub fn sign_in_with(self, sign_in: SignIn) {
        if let Some(client) = self.client() {
            let leaving = client.sign_in(sign_in);
            spawn_local(async move {
                // A failure is in the state by now.
                let _ = leaving.await;
            });
        }
    }

    /// Signs in in a window of its own: see `Client::sign_in_with_popup`. Call it in the click itself.
    #[cfg(feature = "popup")]
    pub fn sign_in_with_popup(self) {
        self.sign_in_with_popup_with(SignIn::default());
    }

    /// Signs in in a window of its own, asking for something particular.
    #[cfg(feature = "popup")]
    pub fn sign_in_with_popup_with(self, sign_in: SignIn) {
        #[cfg(target_family = "wasm")]
        if let Some(client) = self.client() {
            let signing_in = client.sign_in_with_popup(sign_in);
            spawn_local(async move {
                // Who signed in, or what failed, is in the state by now.
                let _ = signing_in.await;
            });
        }
        #[cfg(not(target_family = "wasm"))]
        let _ = sign_in;
    }

    /// Renews the access token now, by whatever way works. It is done by itself in time. A failure is an event, and the session goes on
    /// with the token that is there.
    pub fn renew(self) {
        if let Some(client) = self.client() {
            let renewing = client.renew();
            spawn_local(async move {
                let _ = renewing.await;
            });
        }
    }

    /// Signs out: here at once, then at the provider, by leaving for it.
    pub fn sign_out(self) {
        self.sign_out_from(SignOut::Provider);
    }

    /// Signs out, as far as said.
    pub fn sign_out_from(self, reach: SignOut) {
        if let Some(client) = self.client() {
            let leaving = client.sign_out(reach);
            spawn_local(async move {
                // Here the user is signed out in any case.
                let _ = leaving.await;
            });
        }
    }

    /// Calls an API: see [`Client::fetch`].
    ///
    /// # Errors
    /// When nobody is signed in, the destination is not listed, or no answer came.
    pub fn fetch(self, request: Request) -> impl Future<Output = Result<Response, Error>> + use<> {
        let fetching = self.client().map(|client| client.fetch(request));
        async move {
            match fetching {
                Some(fetching) => fetching.await,
                None => Err(Interrupted::SignInNeeded.into()),
            }
        }
    }

    /// Asks the provider for claims about the user who is signed in: see [`Client::user_info`].
    ///
    /// # Errors
    /// When nobody is signed in, no answer came, or the answer is about somebody else.
    pub fn user_info(self) -> impl Future<Output = Result<Claims, Error>> + use<> {
        let asking = self.client().map(|client| client.user_info());
        async move {
            match asking {
                Some(asking) => asking.await,
                None => Err(Interrupted::SignInNeeded.into()),
            }
        }
    }

    /// Calls back when something happens, as long as the component lives that asks for it.
    pub fn on_event(self, callback: impl Fn(&Event) + 'static) {
        let listening = self.client().map(|client| client.on_event(callback));
        // Owned by the component, and dropped with it.
        StoredValue::new_local(listening);
    }

    /// The client itself; `None` on a server, or when the configuration cannot work.
    pub fn client(self) -> Option<Client> {
        self.connection.try_with_value(|connection| connection.as_ref().map(|connection| connection.client.clone())).flatten()
    }
}

#[cfg(target_family = "wasm")]
fn now() -> Option<UnixTime> {
    use crate::keep::ports::Clock;

    Some(crate::browser::BrowserClock.now())
}

/// A server counts nothing down.
#[cfg(not(target_family = "wasm"))]
fn now() -> Option<UnixTime> {
    None
}

/// What [`provide_auth`] opens: a [`Config`], whose keep is in the page, or [`Config::keep_in`] a worker.
pub trait Open {
    /// A client; `None` on a server, which signs nobody in.
    fn open(&self) -> Option<Result<Client, Error>>;
}

impl Open for Config {
    fn open(&self) -> Option<Result<Client, Error>> {
        #[cfg(target_family = "wasm")]
        return Some(crate::browser::open(self));
        #[cfg(not(target_family = "wasm"))]
        None
    }
}

#[cfg(feature = "worker")]
impl Open for crate::page::Kept {
    fn open(&self) -> Option<Result<Client, Error>> {
        #[cfg(target_family = "wasm")]
        return Some(Ok(crate::page::Kept::open(self)));
        #[cfg(not(target_family = "wasm"))]
        None
    }
}
