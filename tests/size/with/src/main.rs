//! The app of `tests/size/base` with tokenkeep signing in, in the ten lines of the README: what `cargo xtask size` compares.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;
use tokenkeep::{Config, leptos::*};

#[component]
fn App() -> impl IntoView {
    let auth = provide_auth(Config::new("https://login.example.com", "my-app").api("https://api.example.com/"));
    view! {
        <SignedIn fallback=move || view! { <button on:click=move |_| auth.sign_in()>"Sign in"</button> }>
            "Hello, " {move || auth.name()}
            <button on:click=move |_| auth.sign_out()>"Sign out"</button>
        </SignedIn>
        <Router>
            <Routes fallback=|| "Not found">
                <Route path=path!("/") view=|| "Home" />
                <Route path=path!("/about") view=|| "About" />
                <Route path=path!("/callback") view=|| view! { <SignInCallback /> } />
            </Routes>
        </Router>
    }
}

fn main() {
    mount_to_body(App);
}
