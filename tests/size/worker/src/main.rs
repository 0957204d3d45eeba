//! The app of `tests/size/with` with the keep in a worker, and nothing to fall back to: no keep is in its own wasm.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;
use tokenkeep::{Config, Worker, leptos::*};

#[component]
fn App() -> impl IntoView {
    let config = Config::new("https://login.example.com", "my-app").api("https://api.example.com/");
    let auth = provide_auth(config.keep_in(Worker::at("/keep_loader.js")));
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
