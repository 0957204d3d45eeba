use leptos::prelude::*;
use tokenkeep::leptos::FrontChannelLogout;

use super::Page;

/// What a provider loads in a hidden frame to sign the user out of this app.
#[component]
pub fn ProviderSignOut() -> impl IntoView {
    view! {
        <Page title="Sign-out">
            <FrontChannelLogout>
                <p class="lead">"A provider that signs you out loads this page, to sign you out here too."</p>
            </FrontChannelLogout>
        </Page>
    }
}
