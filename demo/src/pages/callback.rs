use leptos::prelude::*;
use tokenkeep::leptos::SignInCallback;

use super::Page;

/// Where the provider sends the user back to. What failed stands above the page, with a button to try again.
#[component]
pub fn Callback() -> impl IntoView {
    view! {
        <Page title="Sign-in">
            <SignInCallback
                waiting=|| view! { <p class="lead" role="status">"Signing you in…"</p> }
                failed=leptos::prelude::Callback::new(|_| view! { <p class="lead">"Nobody is signed in."</p> }.into_any())
            />
        </Page>
    }
}
