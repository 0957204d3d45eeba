use leptos::prelude::*;
use tokenkeep::KeptIn;
use tokenkeep::leptos::{SignedIn, SignedOut, use_auth};

use super::Page;
use crate::header::{OnlyHereButton, SignInButton, SignOutButton};
use crate::renewal::RenewalCard;

#[component]
pub fn Home() -> impl IntoView {
    let auth = use_auth();
    view! {
        <Page title="Sign-in, step by step">
            <p class="lead">
                "This single-page app signs you in at an OpenID provider and calls an API for you, with tokenkeep and Leptos, in Rust. "
                "Tokens stay in the memory of the app: never in storage, in the address bar, or in the list of what happened."
            </p>
            <div class="card who">
                <SignedIn>
                    <div>
                        <p>"You are signed in as "<strong>{move || auth.name()}</strong>"."</p>
                        <p class="quiet">"“Sign out” means the provider too. “Only here” means this app, in all its tabs."</p>
                    </div>
                    <div class="buttons"><SignOutButton /><OnlyHereButton /></div>
                </SignedIn>
                <SignedOut>
                    <p>"Nobody is signed in."</p>
                    <SignInButton />
                </SignedOut>
            </div>
            <SignedIn>
                <RenewalCard />
                <TryIt />
            </SignedIn>
            <h2>"What happens when you sign in"</h2>
            <ol class="steps">
                <li>
                    <h3>"Leave"</h3>
                    <p>
                        "The app reads what the provider says about itself, makes a fresh secret for this one sign-in, and sends you there. "
                        "Your password is never typed here."
                    </p>
                </li>
                <li>
                    <h3>"Come back"</h3>
                    <p>
                        "The provider’s answer is taken out of the address bar at once. If it belongs to the sign-in that you began, its "
                        "code is exchanged for tokens, once."
                    </p>
                </li>
                <li>
                    <h3>"Verify"</h3>
                    <p>
                        "The ID token says who you are. It is believed when its signature, issuer, audience, nonce and times are right: see "
                        <a href="/profile">"your profile"</a>"."
                    </p>
                </li>
                <li>
                    <h3>"Call"</h3>
                    <p>
                        "The access token goes to the API that is configured, and nowhere else. "<a href="/api">"Call it"</a>
                        ", with and without being signed in, or open "<a href="/orders">"your orders"</a>"."
                    </p>
                </li>
            </ol>
        </Page>
    }
}

#[component]
fn TryIt() -> impl IntoView {
    // Known by now: somebody is signed in.
    let is_shared = use_auth().client().and_then(|client| client.kept_in()) == Some(KeptIn::SharedWorker);
    let [tabs, renewal, reload] = if is_shared {
        [
            ": it is signed in at once. One worker has the tokens, for all tabs, and nobody is asked.",
            "Wait until the access token is renewed, or renew it now: it is done once, for all tabs.",
            "Reload the only tab. In Chromium the worker is still there, and nobody is asked. Elsewhere nothing is left, so the provider is \
             asked in a hidden frame; if your browser hides you from it there, you are signed out, and one click signs you in again.",
        ]
    } else {
        [
            ": it is signed in at once. This tab hands its tokens over, sealed, and nobody else is asked.",
            "Wait until the access token is renewed, or renew it now: one tab does it, and the others have the new one at once.",
            "Reload the only tab: nothing is stored, so the provider is asked in a hidden frame. If your browser hides you from it \
             there, you are signed out, and one click signs you in again.",
        ]
    };
    view! {
        <h2>"Try it"</h2>
        <ul class="tries">
            <li>
                <a href="/" target="_blank" rel="noopener">"Open a second tab"</a>
                {tabs}
            </li>
            <li>"Sign out in one of them, and look at the other."</li>
            <li>{renewal}</li>
            <li>{reload}</li>
        </ul>
    }
}
