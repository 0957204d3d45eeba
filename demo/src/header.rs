//! The top of every page: where one can go, and who one is.

use leptos::prelude::*;
use leptos_router::components::A;
use tokenkeep::SignOut;
use tokenkeep::leptos::{SignedIn, SignedOut, use_auth};

use crate::renewal::Left;

#[component]
pub fn Header() -> impl IntoView {
    let auth = use_auth();
    view! {
        <header class="top">
            <a class="brand" href="/"><span class="keep" aria-hidden="true"></span>"tokenkeep"</a>
            <nav aria-label="Pages">
                <A href="/" exact=true>"Home"</A>
                <A href="/profile">"Profile"</A>
                <A href="/api">"API"</A>
                <A href="/orders">"Orders"</A>
                <A href="/flows">"Flows"</A>
                <A href="/session">"Session"</A>
            </nav>
            <div class="account">
                <SignedIn>
                    <span class="me"><span class="name" id="name">{move || auth.name()}</span><Left /></span>
                    <SignOutButton />
                </SignedIn>
                <SignedOut>
                    <SignInButton />
                </SignedOut>
            </div>
        </header>
    }
}

#[component]
pub fn SignInButton() -> impl IntoView {
    let auth = use_auth();
    view! { <button type="button" class="main" on:click=move |_| auth.sign_in()>"Sign in"</button> }
}

#[component]
pub fn SignOutButton() -> impl IntoView {
    let auth = use_auth();
    view! { <button type="button" on:click=move |_| auth.sign_out()>"Sign out"</button> }
}

/// Ends this app's session, in all tabs, and leaves the provider's alone.
#[component]
pub fn OnlyHereButton() -> impl IntoView {
    let auth = use_auth();
    view! { <button type="button" on:click=move |_| auth.sign_out_from(SignOut::Local)>"Only here"</button> }
}
