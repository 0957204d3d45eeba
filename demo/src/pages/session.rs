use leptos::prelude::*;
use leptos_router::components::A;

use super::Page;

const PAGES: [(&str, &str, &str); 6] = [
    ("/popup", "In a window", "Sign in without leaving the page."),
    ("/step-up", "Step-up", "An API wants more than a password for one call. It waits, and the rest goes on."),
    ("/idle", "Idle", "A session that nobody uses ends by itself, in all tabs."),
    ("/monitor", "Session at the provider", "Who signs out there is signed out here."),
    ("/initiate", "Opened from elsewhere", "A portal, or the provider’s own page, begins the sign-in."),
    ("/doctor", "Doctor", "What is wrong between app and provider, and what to do about it."),
];

/// What happens around a session: a page for each.
#[component]
pub fn AroundTheSession() -> impl IntoView {
    let pages = PAGES.map(|(path, title, what)| {
        view! {
            <li class="flow card">
                <h2><A href=path>{title}</A></h2>
                <p>{what}</p>
            </li>
        }
    });
    view! {
        <Page title="Session">
            <p class="lead">
                "What apps need around a sign-in, each off until it is used. Each page says when to take it, and draws what happened."
            </p>
            <ul class="flows">{pages.collect_view()}</ul>
        </Page>
    }
}
