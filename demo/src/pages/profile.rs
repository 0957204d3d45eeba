use leptos::prelude::*;
use tokenkeep::Session;
use tokenkeep::leptos::{SignedIn, SignedOut, use_auth};
use tokenkeep::protocol::Json;

use super::Page;
use crate::header::SignInButton;
use crate::time;

/// Claims that are about the token and not about the user.
const ABOUT_THE_TOKEN: [&str; 12] = ["acr", "amr", "at_hash", "aud", "auth_time", "azp", "c_hash", "exp", "iat", "iss", "nonce", "sid"];

#[component]
pub fn Profile() -> impl IntoView {
    let auth = use_auth();
    view! {
        <Page title="Profile">
            <SignedIn>{move || auth.session().map(|session| view! { <Facts session /> })}</SignedIn>
            <SignedOut>
                <p class="lead">"You are signed out. Sign in to see who the provider says you are."</p>
                <SignInButton />
            </SignedOut>
        </Page>
    }
}

#[component]
fn Facts(session: Session) -> impl IntoView {
    let claims = session.claims.iter().flat_map(|claims| claims.iter()).filter(|(name, _)| !ABOUT_THE_TOKEN.contains(name));
    let claims = claims.map(|(name, value)| fact(name, text(value))).collect_view();
    let scope = session.scope.iter().map(|word| view! { <code>{word.to_owned()}</code>" " }).collect_view();
    let expires = session.expires.map(|at| view! { <time datetime=time::for_machines(at)>{time::to_the_second(at)}</time> });
    view! {
        <p class="lead">"What the provider says about you, in an ID token."</p>
        <p class="verified"><strong>"Verified"</strong>": signature, issuer, audience, nonce, time"</p>
        <h2>"You"</h2>
        <dl class="facts" id="claims">{claims}</dl>
        <h2>"This session"</h2>
        <dl class="facts" id="session">
            <dt>"Issuer"</dt>
            <dd>{session.issuer.as_str().to_owned()}</dd>
            <dt>"Scope"</dt>
            <dd class="words">{scope}</dd>
            <dt>"Access token expires"</dt>
            <dd>{expires.map_or_else(|| "the provider does not say".into_any(), IntoAny::into_any)}</dd>
        </dl>
    }
}

fn fact(name: &str, value: String) -> impl IntoView + use<> {
    view! {
        <dt><code>{name.to_owned()}</code></dt>
        <dd data-claim=name.to_owned()>{value}</dd>
    }
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
