use leptos::prelude::*;
use tokenkeep::leptos::{SignedIn, SignedOut, use_auth};

use super::Page;
use crate::header::{SignInButton, SignOutButton};

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
                    <p>"You are signed in as "<strong>{move || auth.name()}</strong>"."</p>
                    <SignOutButton />
                </SignedIn>
                <SignedOut>
                    <p>"Nobody is signed in."</p>
                    <SignInButton />
                </SignedOut>
            </div>
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
