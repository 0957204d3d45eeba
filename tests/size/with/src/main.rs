//! The app of `tests/size/base` with tokenkeep signing in: what `cargo xtask size` compares.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;
use tokenkeep::{Config, Request, leptos::*};

#[component]
fn App() -> impl IntoView {
    let auth = provide_auth(Config::new("https://login.example.com", "my-app").api("https://api.example.com/"));
    let answer = RwSignal::new(String::new());
    let call = move |_| {
        spawn_local(async move {
            answer.set(match auth.fetch(Request::get("https://api.example.com/me")).await {
                Ok(response) => response.text().unwrap_or_default().to_owned(),
                Err(error) => error.to_string(),
            });
        });
    };
    view! {
        <SignedIn fallback=move || view! { <button on:click=move |_| auth.sign_in()>"Sign in"</button> }>
            "Hello, " {move || auth.name()} <button on:click=call>"Call"</button> {answer}
            <button on:click=move |_| auth.sign_out()>"Sign out"</button>
        </SignedIn>
        <Router>
            <Routes fallback=|| "Not found">
                <Route path=path!("/") view=|| "Home" />
                <Route path=path!("/about") view=|| view! { <RequireSignIn>"About"</RequireSignIn> } />
                <Route path=path!("/callback") view=|| view! { <SignInCallback /> } />
            </Routes>
        </Router>
    }
}

fn main() {
    mount_to_body(App);
}
