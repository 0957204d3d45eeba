//! The demo of tokenkeep: a single-page app that signs its user in, shows who that is, and calls an API for them.
//!
//! Read `App` first: all that an app needs is there. The pages are in `pages`.

// Nothing of an app is reachable from outside, and a component is `pub` in any case: the macro makes it so.
#![allow(unreachable_pub)]

mod api;
mod config;
mod flow;
mod header;
mod log;
mod pages;
mod picture;
mod pretty;
mod problem;
mod renewal;
mod run;
mod server;
mod storage;
mod television;
mod time;
mod who;

use leptos::{prelude::*, task::spawn_local};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;
use tokenkeep::{Worker, browser::take_posted, leptos::provide_auth_observed};

use api::Api;
use config::{Held, Settings, WrongConfig};
use header::Header;
use log::{EventLog, Log};
use pages::{
    ApiPage, AroundTheSession, Callback, Doctor, Flows, Home, Idle, IdleSoon, Initiate, Monitor, NotFound, Orders, Popup, Profile,
    ProviderSignOut, StepUp, Visited,
};
use problem::SignInProblem;
use renewal::{Countdown, SignInAgain};
use run::Runs;
use who::Who;

fn main() {
    mount_to_body(Demo);
}

/// Reads the configuration. Only then there is an app: a sign-in that is in the address needs it.
#[component]
fn Demo() -> impl IntoView {
    let held = StoredValue::new(Some(Held::take()));
    let posted = StoredValue::new(None);
    let loaded = RwSignal::new(None);
    spawn_local(async move {
        posted.set_value(take_posted().await);
        loaded.set(Some(config::load().await));
    });
    move || match loaded.get() {
        None => view! { <p class="splash" role="status">"Loading…"</p> }.into_any(),
        Some(Ok(settings)) => {
            if let Some(held) = held.try_update_value(Option::take).flatten() {
                held.put_back();
            }
            let who = Who::new(settings.issuer.clone());
            if let Some(posted) = posted.try_update_value(Option::take).flatten().and_then(|posted| who.came_back(posted)) {
                posted.hand_on();
            }
            view! { <App settings who /> }.into_any()
        }
        Some(Err(problem)) => view! { <WrongConfig problem /> }.into_any(),
    }
}

#[component]
fn App(settings: Settings, who: Who) -> impl IntoView {
    let Settings { config, flow, issuer, api } = settings;
    let log = Log::restore();
    let examined = config.clone();
    // Above the router: the answer to a sign-in leaves the address bar before the router reads it.
    let kept = config.keep_in(Worker::at("/keep_loader.js").or_page());
    let auth = provide_auth_observed(kept, move |event| log.note(event));
    let api = Api::new(api, auth, log);
    let runs = Runs::restore(flow, auth, log);
    provide_context(Visited::default());
    // One for all that show it.
    provide_context(Countdown(auth.remaining()));

    let provider = StoredValue::new(issuer.clone());
    view! {
        <Router>
            <a class="skip" href="#main" rel="external">"Skip to content"</a>
            <Header />
            <div class="columns">
                <main id="main" tabindex="-1">
                    <SignInProblem issuer=issuer.clone() told=Signal::derive(move || runs.tells()) />
                    <SignInAgain />
                    <IdleSoon />
                    <Routes fallback=NotFound>
                        <Route path=path!("/") view=Home />
                        <Route path=path!("/profile") view=Profile />
                        <Route path=path!("/api") view=move || view! { <ApiPage api /> } />
                        <Route path=path!("/orders") view=move || view! { <Orders api /> } />
                        <Route path=path!("/flows") view=move || view! { <Flows runs api who issuer=provider.get_value() /> } />
                        <Route path=path!("/session") view=AroundTheSession />
                        <Route path=path!("/doctor") view=move || view! { <Doctor config=examined.clone() /> } />
                        <Route path=path!("/popup") view=Popup />
                        <Route path=path!("/initiate") view=move || view! { <Initiate runs log issuer=provider.get_value() /> } />
                        <Route path=path!("/monitor") view=move || view! { <Monitor runs log issuer=provider.get_value() /> } />
                        <Route path=path!("/step-up") view=move || view! { <StepUp api log /> } />
                        <Route path=path!("/idle") view=move || view! { <Idle log /> } />
                        <Route path=path!("/callback") view=move || view! { <Callback runs /> } />
                        <Route path=path!("/front-channel-logout") view=ProviderSignOut />
                    </Routes>
                </main>
                <EventLog log />
            </div>
            <footer>"Talks to the provider "<code>{issuer}</code>", as "<a href="/config.json" rel="external">"/config.json"</a>" says."</footer>
        </Router>
    }
}
