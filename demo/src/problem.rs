//! What went wrong, for whoever looks at the page.

use leptos::prelude::*;
use tokenkeep::Error;
use tokenkeep::leptos::use_auth;
use tokenkeep::protocol::Interrupted::{TimedOut, Unreachable};

/// The provider that comes with the demo.
const OUR_PROVIDER: &str = "http://localhost:9400";

/// Why nobody is signed in, if that is because something failed. `told` is whether the page says it.
#[component]
pub fn SignInProblem(issuer: String, #[prop(into)] told: Signal<bool>) -> impl IntoView {
    let auth = use_auth();
    move || {
        auth.error().filter(|_| !told.get()).map(|error| {
            let may_be_down = issuer == OUR_PROVIDER && matches!(error, Error::Interrupted(TimedOut { .. } | Unreachable { .. }));
            view! {
                <Problem title="Signing in failed" error>
                    {may_be_down.then(|| view! {
                        <p>
                            "The demo’s own provider may not be running. "<code>"trunk serve"</code>" starts it, and so does "
                            <code>"npm start --prefix demo/provider"</code>"."
                        </p>
                    })}
                    <p><button type="button" on:click=move |_| auth.sign_in()>"Try again"</button></p>
                </Problem>
            }
        })
    }
}

/// An error: what it means and its code.
#[component]
pub fn Problem(title: &'static str, error: Error, children: Children) -> impl IntoView {
    view! {
        <div class="problem" role="alert" id="problem" data-code=error.code().to_owned()>
            <p><strong>{title}</strong></p>
            <p>{sentence(&error.to_string())}</p>
            <p class="quiet">"Code: "<code>{error.code().to_owned()}</code></p>
            {children()}
        </div>
    }
}

/// A message of the library is part of a sentence, with code between back ticks. Here is the whole.
pub fn sentence(message: &str) -> impl IntoView + use<> {
    let mut chars = message.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with('.') { "" } else { "." };
    let part = |(index, part): (usize, &str)| match index % 2 {
        0 => part.to_owned().into_any(),
        _ => view! { <code>{part.to_owned()}</code> }.into_any(),
    };
    [&first, chars.as_str(), end].concat().split('`').enumerate().map(part).collect_view()
}
