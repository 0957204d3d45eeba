use leptos::prelude::*;

use super::Page;

#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <Page title="Not found">
            <p class="lead">"There is no page at this address. "<a href="/">"Go home"</a>"."</p>
        </Page>
    }
}
