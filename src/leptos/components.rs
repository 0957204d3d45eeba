//! The components.

// The macro repeats `pub` on items of its own, which are not exported.
#![allow(unreachable_pub)]

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{Auth, use_auth};
use crate::{
    page::{Finished, State},
    protocol::{Error, Misbehaved},
};

/// Shows its children while somebody is signed in.
#[component]
pub fn SignedIn(
    /// Shown while nobody is. As long as that is not known, neither is shown.
    #[prop(optional, into)]
    fallback: ViewFn,
    /// Shown while somebody is.
    children: ChildrenFn,
) -> impl IntoView {
    part(use_auth(), move |phase| match phase {
        Phase::In => Some(children()),
        Phase::Failed | Phase::Out => Some(fallback.run()),
        Phase::Unknown => None,
    })
}

/// Shows its children while nobody is signed in, also because signing in failed.
#[component]
pub fn SignedOut(
    /// Shown while nobody is.
    children: ChildrenFn,
) -> impl IntoView {
    part(use_auth(), move |phase| matches!(phase, Phase::Failed | Phase::Out).then(|| children()))
}

/// Stands at the redirect URI: waits for the sign-in to be finished, and takes the user to where they wanted to be.
#[component]
pub fn SignInCallback(
    /// Shown meanwhile.
    #[prop(optional, into)]
    waiting: ViewFn,
    /// Shown when signing in failed: by default the reason, and a button to try again.
    #[prop(optional)]
    failed: Option<Callback<Error, AnyView>>,
) -> impl IntoView {
    let auth = use_auth();
    if let Some(client) = auth.client() {
        let navigate = use_navigate();
        // The same answer as the first time it was asked: one response is handled once.
        let finishing = client.finish_sign_in();
        spawn_local(async move {
            let place = match finishing.await {
                Ok(Finished::SignedIn { return_to, .. } | Finished::SignInNeeded { return_to }) => return_to,
                // Nobody comes here on purpose: an old address, or a response that was handled before.
                Ok(Finished::Nothing | Finished::Restored { .. }) | Err(Error::Misbehaved(Misbehaved::AlreadyUsed)) => "/".to_owned(),
                Err(_) => return,
            };
            navigate(&place, NavigateOptions { replace: true, ..NavigateOptions::default() });
        });
    }
    part(auth, move |_| {
        Some(match auth.error() {
            Some(error) => failed.map_or_else(|| failure(auth, &error), |failed| failed.run(error.clone())),
            None => waiting.run(),
        })
    })
}

/// Stands at the app's front-channel logout URI, which the provider loads in a frame: ends the session that the address names, in
/// whatever tab it is. See [`Client::front_channel_logout`](crate::Client::front_channel_logout).
#[component]
pub fn FrontChannelLogout(
    /// Shown to nobody, as a rule: the frame is hidden.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    if let Some(client) = use_auth().client() {
        let ending = client.front_channel_logout();
        spawn_local(async move {
            // Whether there was such a session is nothing to show.
            ending.await;
        });
    }
    children.map(|children| children())
}

/// Shows its children to who is signed in, and sends everybody else to sign in and back to this very place.
///
/// Nobody is sent twice: who signed out while looking or a moment ago, who came back without signing in, and whose sign-in failed, is
/// asked instead.
#[component]
pub fn RequireSignIn(
    /// Shown meanwhile.
    #[prop(optional, into)]
    waiting: ViewFn,
    /// Shown to who is not sent: by default the reason, and a button.
    #[prop(optional)]
    failed: Option<Callback<Option<Error>, AnyView>>,
    /// Shown to who is signed in.
    children: ChildrenFn,
) -> impl IntoView {
    let auth = use_auth();
    // Whoever signed out a moment ago, was shown the children, or was sent away once, is not sent away.
    let settled = StoredValue::new(auth.client().is_some_and(|client| client.signed_out_just_now()));
    part(auth, move |phase| {
        // Read in any case, so that this runs again when it changes.
        let leaving = auth.is_leaving();
        Some(match phase {
            Phase::In => {
                settled.set_value(true);
                children()
            }
            Phase::Unknown => waiting.run(),
            Phase::Out if !settled.get_value() => {
                settled.set_value(true);
                auth.sign_in();
                waiting.run()
            }
            Phase::Out if leaving => waiting.run(),
            Phase::Failed | Phase::Out => match (failed, auth.error()) {
                (Some(failed), error) => failed.run(error),
                (None, Some(error)) => failure(auth, &error),
                (None, None) => again(auth, "You are not signed in.".to_owned(), "Sign in"),
            },
        })
    })
}

/// The state without its contents: what decides which part is shown. Who is signed in may change without showing it anew.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Failed,
    In,
    Out,
    Unknown,
}

/// What is shown in each phase. One piece of code for all components: each copy of it is a kilobyte.
fn part(auth: Auth, show: impl Fn(Phase) -> Option<AnyView> + Send + Sync + 'static) -> impl IntoView {
    let show: Arc<dyn Fn(Phase) -> Option<AnyView> + Send + Sync> = Arc::new(show);
    let phase = Memo::new(move |_| {
        auth.state.with(|state| match state {
            State::Failed(_) => Phase::Failed,
            State::SignedIn(_) => Phase::In,
            State::SignedOut => Phase::Out,
            State::Unknown => Phase::Unknown,
        })
    });
    move || show(phase.get())
}

fn failure(auth: Auth, error: &Error) -> AnyView {
    again(auth, format!("Signing in failed: {error}."), "Try again")
}

fn again(auth: Auth, text: String, button: &'static str) -> AnyView {
    view! {
        <p role="alert">{text}</p>
        <button type="button" on:click=move |_| auth.sign_in()>{button}</button>
    }
    .into_any()
}
