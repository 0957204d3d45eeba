use leptos::prelude::*;
use tokenkeep::leptos::{SignedIn, SignedOut};
use tokenkeep::protocol::Interrupted;
use tokenkeep::{Error, Response};

use super::Page;
use crate::api::Api;
use crate::header::SignInButton;
use crate::pretty::pretty;
use crate::problem::Problem;

/// What came of a call.
#[derive(Clone)]
struct Call {
    request: String,
    outcome: Result<Response, Error>,
}

#[component]
pub fn ApiPage(api: Api) -> impl IntoView {
    let call = Action::new_local(move |path: &&'static str| {
        let path = *path;
        let token = if api.has_token() { "with a token" } else { "without a token" };
        let request = format!("GET {}, {token}", api.url(path));
        async move { Call { request, outcome: api.get(path).await } }
    });
    let is_calling = call.pending();
    let button = move |path: &'static str| {
        view! { <button type="button" class="main" on:click=move |_| { call.dispatch(path); }>"Call "{path}</button> }
    };
    view! {
        <Page title="API">
            <p class="lead">
                <SignedIn>"You are signed in: the calls carry your access token."</SignedIn>
                <SignedOut>"You are signed out: the calls carry no token, and the API refuses them. See how."</SignedOut>
            </p>
            <p class="buttons">{button("/me")} {button("/orders")}</p>
            <section aria-label="Answer" aria-busy=move || is_calling.get().to_string()>
                <p role="status" id="status" class="status">
                    {move || if is_calling.get() { Some("Calling…".to_owned()) } else { call.value().get().map(|call| line(&call)) }}
                </p>
                {move || call.value().get().map(|call| answer(call.outcome))}
            </section>
        </Page>
    }
}

/// `GET http://localhost:9500/me, with a token: 200 OK`
fn line(Call { request, outcome }: &Call) -> String {
    match outcome {
        Ok(response) => format!("{request}: {}", status(response.status)),
        Err(_) => format!("{request}: no answer"),
    }
}

fn answer(outcome: Result<Response, Error>) -> AnyView {
    match outcome {
        Ok(response) => {
            let body = response.json().map_or_else(|_| response.text().unwrap_or("(not text)").to_owned(), |json| pretty(&json));
            let challenge = response.header("www-authenticate").map(str::to_owned);
            view! {
                {challenge.map(|challenge| view! {
                    <h2>"WWW-Authenticate"</h2>
                    <pre id="challenge" tabindex="0">{challenge}</pre>
                })}
                <h2>"Body"</h2>
                <pre id="body" tabindex="0">{body}</pre>
            }
            .into_any()
        }
        Err(error) => {
            let over = error == Interrupted::SignInNeeded.into();
            let title = if over { "Your session is over" } else { "The call failed" };
            view! { <Problem title error>{over.then(|| view! { <SignInButton /> })}</Problem> }.into_any()
        }
    }
}

fn status(code: u16) -> String {
    let reason = match code {
        200 => " OK",
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        500 => " Internal Server Error",
        503 => " Service Unavailable",
        _ => "",
    };
    format!("{code}{reason}")
}
