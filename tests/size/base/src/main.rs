//! A Leptos app with a router and nothing else: what `cargo xtask size` compares with.

use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

#[component]
fn App() -> impl IntoView {
    view! {
        <Router>
            <Routes fallback=|| "Not found">
                <Route path=path!("/") view=|| "Home" />
                <Route path=path!("/about") view=|| "About" />
            </Routes>
        </Router>
    }
}

fn main() {
    mount_to_body(App);
}
