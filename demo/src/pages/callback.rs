use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};
use tokenkeep::leptos::SignInCallback;

use super::Page;
use crate::run::Runs;

/// Where the provider sends the user back to. What failed stands above the page, with a button to try again; what failed of a flow that was
/// tried, on the page of flows.
#[component]
pub fn Callback(runs: Runs) -> impl IntoView {
    let navigate = use_navigate();
    Effect::new(move |_| {
        if runs.auth.error().is_some() && runs.is_away() {
            navigate("/flows", NavigateOptions { replace: true, ..NavigateOptions::default() });
        }
    });
    view! {
        <Page title="Sign-in">
            <SignInCallback
                waiting=|| view! { <p class="lead" role="status">"Signing you in…"</p> }
                failed=leptos::prelude::Callback::new(|_| view! { <p class="lead">"Nobody is signed in."</p> }.into_any())
            />
        </Page>
    }
}
