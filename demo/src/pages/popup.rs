//! Sign-in in a window of its own, which a button opens and another one gives up.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
};

use leptos::{prelude::*, task::spawn_local};
use tokenkeep::leptos::use_auth;
use tokenkeep::{Error, Event, Session};

use super::Page;
use super::flows::FlowCard;
use crate::flow::About;
use crate::picture::{By, Lane, Picture, Step};
use crate::problem::sentence;

const ABOUT: About = About {
    title: "A window",
    spec: "Cross-Origin-Opener-Policy",
    url: "https://html.spec.whatwg.org/multipage/browsers.html#cross-origin-opener-policies",
    good_for: "a page that must not be left: a draft, a call, a map that took a while to load.",
    not_for: "telephones, where a window is a tab that gets lost, and apps that start by signing in: a browser opens windows in clicks only.",
};

/// What came of it.
#[derive(Clone, PartialEq)]
enum Outcome {
    Nobody,
    Waiting,
    SignedIn(Option<String>),
    Failed(Error),
    Cancelled,
}

/// What gives a sign-in up: it is not awaited any more.
#[derive(Clone, Default)]
struct Cancel(Rc<RefCell<(bool, Option<Waker>)>>);

impl Cancel {
    fn cancel(&self) {
        let waker = {
            let mut now = self.0.borrow_mut();
            now.0 = true;
            now.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            let mut now = self.0.borrow_mut();
            if now.0 {
                return Poll::Ready(None);
            }
            now.1 = Some(context.waker().clone());
            drop(now);
            work.as_mut().poll(context).map(Some)
        })
        .await
    }
}

#[component]
pub fn Popup() -> impl IntoView {
    let auth = use_auth();
    let (outcome, steps) = (RwSignal::new(Outcome::Nobody), RwSignal::new(Vec::new()));
    let cancel = StoredValue::new_local(Cancel::default());
    let waits = move || outcome.get() == Outcome::Waiting;
    auth.on_event(move |event| {
        if outcome.try_get_untracked() == Some(Outcome::Waiting) {
            let _ = steps.try_update(|steps| note(steps, event));
        }
    });

    let open = move |_| {
        // The window is open when this returns: before that nothing may be awaited.
        let Some(signing_in) = opened(auth) else { return };
        let mine = Cancel::default();
        cancel.set_value(mine.clone());
        outcome.set(Outcome::Waiting);
        steps.set(vec![Step::new(Lane::You, Lane::App, "click", By::Person)]);
        spawn_local(async move {
            let ended = match mine.unless(signing_in).await {
                None => Outcome::Cancelled,
                Some(Ok(session)) => Outcome::SignedIn(session.claims.map(|claims| claims.display_name().to_owned())),
                Some(Err(error)) => {
                    let failed = Step::new(Lane::App, Lane::App, error.code(), By::Failure);
                    let _ = steps.try_update(|steps| steps.push(failed));
                    Outcome::Failed(error)
                }
            };
            let _ = outcome.try_set(ended);
        });
    };
    let give_up = move |_| cancel.with_value(Cancel::cancel);
    // Whoever leaves the page does not want it either.
    on_cleanup(move || {
        cancel.try_with_value(Cancel::cancel);
    });

    let button = view! {
        <p class="buttons">
            <button type="button" class="main" on:click=open>"Sign in in a window"</button>
            " "
            <button type="button" disabled=move || !waits() on:click=give_up>"Cancel"</button>
        </p>
    };
    view! {
        <Page title="In a window">
            <p class="lead">
                "The provider is asked in a window of its own, and this page stays as it is. It works whatever the provider’s "
                <code>"Cross-Origin-Opener-Policy"</code>" says. Where you have the choice, leave by redirect: it works everywhere."
            </p>
            <p>
                <label for="draft">"What you write here is still there afterwards:"</label><br />
                <textarea id="draft" rows="2" cols="40"></textarea>
            </p>
            <ul class="flows">
                <FlowCard name="popup" about=ABOUT button=button.into_any()>
                    {move || (outcome.get() != Outcome::Nobody).then(|| view! {
                        <div class="result">
                            {move || said(outcome.get())}
                            {move || view! { <Picture id="picture-popup".to_owned() title="What happened: a window".to_owned() steps=steps.get() /> }}
                        </div>
                    })}
                </FlowCard>
            </ul>
        </Page>
    }
}

#[cfg(target_family = "wasm")]
fn opened(auth: tokenkeep::leptos::Auth) -> Option<impl Future<Output = Result<Session, Error>>> {
    Some(auth.client()?.sign_in_with_popup(tokenkeep::SignIn::default()))
}

/// There is no window without a browser.
#[cfg(not(target_family = "wasm"))]
fn opened(_: tokenkeep::leptos::Auth) -> Option<std::future::Ready<Result<Session, Error>>> {
    None
}

fn said(outcome: Outcome) -> AnyView {
    let status = |code: String, text: AnyView| view! { <p role="status" id="popup-outcome" data-code=code>{text}</p> }.into_any();
    match outcome {
        Outcome::Nobody => ().into_any(),
        Outcome::Waiting => status("waiting".to_owned(), "The window is open…".into_any()),
        Outcome::SignedIn(name) => status("signed_in".to_owned(), view! { "Signed in: "<strong>{name}</strong> }.into_any()),
        Outcome::Cancelled => status("cancelled".to_owned(), "You gave it up.".into_any()),
        Outcome::Failed(error) => status(error.code().to_owned(), sentence(&error.to_string()).into_any()),
    }
}

/// What an event says of the run: a response stands for all that must have been for it to come.
fn note(steps: &mut Vec<Step>, event: &Event) {
    use Lane::{App, Provider, You};
    let request = |from, to, says: &str| Step::new(from, to, says, By::Request);
    let address = |from, to, says: &str| Step::new(from, to, says, By::Address);
    match event {
        Event::MetadataRead => steps.push(request(Provider, App, "metadata")),
        Event::KeysRead => steps.push(request(Provider, App, "keys")),
        Event::CallbackReceived => {
            let answered = Step::new(You, Provider, "yes, or no", By::Person);
            steps.extend([address(App, Provider, "window: challenge"), answered, address(Provider, App, "window: answer")]);
        }
        Event::CodeRedeemed => steps.extend([request(App, Provider, "code, verifier"), request(Provider, App, "tokens")]),
        Event::IdTokenVerified { .. } => steps.push(request(App, App, "ID token is right")),
        Event::SignedIn => steps.push(Step::new(App, You, "signed in", By::Person)),
        _ => {}
    }
}
