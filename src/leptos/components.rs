//! The components.

// The macro repeats `pub` on items of its own, which are not exported.
#![allow(unreachable_pub)]

use leptos::prelude::*;
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
    let phase = phase(use_auth());
    view! {
        {move || match phase.get() {
            Phase::In => children().into_any(),
            Phase::Out | Phase::Failed => fallback.run().into_any(),
            Phase::Unknown => ().into_any(),
        }}
    }
}

/// Shows its children while nobody is signed in, also because signing in failed.
#[component]
pub fn SignedOut(
    /// Shown while nobody is.
    children: ChildrenFn,
) -> impl IntoView {
    let phase = phase(use_auth());
    view! { {move || matches!(phase.get(), Phase::Out | Phase::Failed).then(|| children())} }
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
    let navigate = use_navigate();
    Effect::new(move |_| {
        let place = match auth.finished.get() {
            Some(Ok(Finished::SignedIn { return_to, .. })) => return_to,
            // Nobody comes here on purpose: an old address, or a response that was handled before.
            Some(Ok(Finished::Nothing) | Err(Error::Misbehaved(Misbehaved::AlreadyUsed))) => "/".to_owned(),
            Some(Err(_)) | None => return,
        };
        navigate(&place, NavigateOptions { replace: true, ..NavigateOptions::default() });
    });
    view! {
        {move || match auth.error() {
            Some(error) => failed.map_or_else(|| failure(auth, &error), |failed| failed.run(error.clone())),
            None => waiting.run().into_any(),
        }}
    }
}

/// Shows its children to who is signed in, and sends everybody else to sign in and back to this very place.
///
/// Nobody is sent twice: who signed out while looking, and whose sign-in failed, is asked instead.
#[component]
pub fn RequireSignIn(
    /// Shown meanwhile.
    #[prop(optional, into)]
    waiting: ViewFn,
    /// Shown to who signed out or could not sign in: by default the reason, and a button.
    #[prop(optional)]
    failed: Option<Callback<Option<Error>, AnyView>>,
    /// Shown to who is signed in.
    children: ChildrenFn,
) -> impl IntoView {
    let auth = use_auth();
    let phase = phase(auth);
    let asked = RwSignal::new(false);
    // Whoever was shown the children and no longer is, has signed out. Not a memo: it must look on while nobody asks it.
    let was_in = RwSignal::new(false);
    Effect::new(move |_| match phase.get() {
        Phase::In => was_in.set(true),
        Phase::Out if !was_in.get_untracked() && !asked.get_untracked() => {
            asked.set(true);
            auth.sign_in();
        }
        Phase::Failed | Phase::Out | Phase::Unknown => {}
    });
    view! {
        {move || match phase.get() {
            Phase::In => children().into_any(),
            Phase::Unknown => waiting.run().into_any(),
            Phase::Out if !was_in.get() => waiting.run().into_any(),
            Phase::Out | Phase::Failed => {
                let error = auth.error();
                match (failed, error) {
                    (Some(failed), error) => failed.run(error),
                    (None, Some(error)) => failure(auth, &error),
                    (None, None) => again(auth, "You are signed out.".to_owned(), "Sign in"),
                }
            }
        }}
    }
}

/// The state without its contents: what decides which part is shown. Who is signed in may change without showing it anew.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Failed,
    In,
    Out,
    Unknown,
}

fn phase(auth: Auth) -> Memo<Phase> {
    Memo::new(move |_| {
        auth.state.with(|state| match state {
            State::Failed(_) => Phase::Failed,
            State::SignedIn(_) => Phase::In,
            State::SignedOut => Phase::Out,
            State::Unknown => Phase::Unknown,
        })
    })
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
