//! The Leptos face on a server: it compiles there, renders that nothing is known, and touches no browser.

use leptos::prelude::*;
use tokenkeep::{Config, leptos::*};

/// An app with every component of tokenkeep.
#[component]
pub fn App() -> impl IntoView {
    let auth = provide_auth(Config::new("https://login.example.com", "my-app"));
    view! {
        <main>
            <SignedIn fallback=|| "nobody">"somebody: " {move || auth.name()}</SignedIn>
            <SignedOut>"signed out"</SignedOut>
            <RequireSignIn waiting=|| "one moment">"for members"</RequireSignIn>
            <FrontChannelLogout />
            {renewal(auth)}
        </main>
    }
}

fn renewal(auth: Auth) -> impl IntoView {
    let remaining = auth.remaining();
    move || remaining.get().map(|remaining| format!("{remaining:?} left, by {:?}, {}", auth.renewed_by(), auth.sign_in_needed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenkeep::{
        Error, Request, SignIn, SignOut, State,
        protocol::{Interrupted, Misconfigured},
    };

    fn on_a_server<T>(test: impl FnOnce() -> T) -> T {
        let _ = any_spawner::Executor::init_futures_executor();
        Owner::new().with(test)
    }

    // env-ssr
    #[test]
    fn a_server_renders_that_nothing_is_known() {
        let html = on_a_server(|| view! { <App /> }.to_html());
        assert!(html.contains("one moment"), "{html}");
        for text in ["nobody", "somebody", "signed out", "for members", "left"] {
            assert!(!html.contains(text), "{html}");
        }
    }

    // env-ssr
    #[test]
    fn a_server_signs_nobody_in_and_calls_nothing() {
        on_a_server(|| {
            let auth = provide_auth(Config::new("https://login.example.com", "my-app"));
            auth.sign_in();
            auth.sign_in_with(SignIn::default());
            auth.renew();
            auth.sign_out_from(SignOut::Local);
            assert_eq!((auth.state(), auth.session(), auth.is_leaving()), (State::Unknown, None, false));
            assert_eq!((auth.remaining().get(), auth.renewed_by(), auth.sign_in_needed()), (None, None, false));
            assert!(auth.client().is_none());
            let answer = run(auth.fetch(Request::get("https://api.example.com/")));
            assert_eq!(answer.err(), Some(Interrupted::SignInNeeded.into()));
        });
    }

    #[test]
    fn a_component_without_provide_auth_says_so() {
        on_a_server(|| {
            let error: Error = Misconfigured::AuthNotProvided.into();
            assert_eq!(use_auth().error(), Some(error));
        });
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            if let std::task::Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
                return outcome;
            }
        }
    }
}
