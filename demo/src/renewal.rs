//! How the session lasts: until when its token is good, what it came by, and what a user can do about it.

use std::time::Duration;

use leptos::prelude::*;
use tokenkeep::leptos::use_auth;

/// How long the access token still lives, if that is known.
#[derive(Clone, Copy)]
pub struct Countdown(pub Signal<Option<Duration>>);

impl Countdown {
    /// What stands before the text. Tracks.
    fn label(self) -> &'static str {
        match self.0.get() {
            None => "",
            Some(Duration::ZERO) => "has ended: ",
            Some(_) => "ends in ",
        }
    }

    /// `4:12`. Tracks.
    fn text(self) -> String {
        match self.0.get().map(|left| left.as_secs()) {
            None => "does not say when it ends".to_owned(),
            Some(seconds) => format!("{}:{:02}", seconds / 60, seconds % 60),
        }
    }
}

fn countdown() -> Countdown {
    use_context().unwrap_or_else(|| Countdown(Signal::stored(None)))
}

/// For who is signed in.
#[component]
pub fn RenewalCard() -> impl IntoView {
    let (auth, countdown) = (use_auth(), countdown());
    let origin = move || auth.renewed_by().map_or_else(|| "signed in".to_owned(), |by| format!("renewed by {by}"));
    view! {
        <section class="card" id="renewal" aria-labelledby="renewal-title">
            <h2 id="renewal-title">"Access token"</h2>
            <p class="left">{move || countdown.label()}<strong role="timer" id="remaining">{move || countdown.text()}</strong></p>
            <p class="quiet" id="renewed-by" role="status">{origin}</p>
            <button type="button" on:click=move |_| auth.renew()>"Renew now"</button>
        </section>
    }
}

/// The countdown in a few words, for the top of every page.
#[component]
pub fn Left() -> impl IntoView {
    let countdown = countdown();
    view! {
        <small class="left" title="The access token" hidden=move || countdown.0.get().is_none()>
            <span>{move || countdown.label()}</span>
            {move || countdown.text()}
        </small>
    }
}

/// Says in time that the session will be over.
#[component]
pub fn SignInAgain() -> impl IntoView {
    let auth = use_auth();
    move || {
        auth.sign_in_needed().then(|| {
            view! {
                <div class="note" role="alert" id="sign-in-needed">
                    <p><strong>"Your session is about to end"</strong></p>
                    <p>"Nothing leads to a new access token but that you sign in again. Until this one ends, everything works."</p>
                    <button type="button" on:click=move |_| auth.sign_in()>"Sign in again"</button>
                </div>
            }
        })
    }
}
