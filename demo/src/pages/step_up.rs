use leptos::{prelude::*, task::spawn_local};
use tokenkeep::leptos::{SignedIn, SignedOut, use_auth};
use tokenkeep::protocol::{Json, UnixTime};
use tokenkeep::{Error, Request, SignIn, StepUp as Wanted};

use super::Page;
use crate::api::Api;
use crate::header::SignInButton;
use crate::log::{Entry, Log};
use crate::picture::{By, Lane, Picture, Step};
use crate::{storage, time};

const KEY: &str = "tokenkeep-demo.step-up";

/// A call that may have to wait, and what came of it.
#[derive(Clone, PartialEq)]
struct Transfer {
    order: String,
    outcome: Option<Result<u16, String>>,
}

/// Calls that take more than a password: they wait, the user is asked, and the rest goes on.
#[component]
pub fn StepUp(api: Api, log: Log) -> impl IntoView {
    let auth = use_auth();
    let transfers = RwSignal::new(Vec::<Transfer>::new());
    let me = RwSignal::new(None::<String>);
    let stuck = RwSignal::new(None::<String>);
    // It survives the way to the provider.
    let since = RwSignal::new(storage::read(KEY).and_then(|text| text.parse().ok()).map(UnixTime::from_millis));
    let begin = move |_| {
        spawn_local(async move {
            stuck.set(None);
            let orders = match two_orders(api).await {
                Ok(orders) if !orders.is_empty() => orders,
                Ok(_) => return stuck.set(Some("You have no orders. Alice and Bob have some.".to_owned())),
                Err(error) => return stuck.set(Some(error.code().to_owned())),
            };
            let now = time::now();
            storage::write(KEY, &now.as_millis().to_string());
            since.set(Some(now));
            transfers.set(orders.iter().map(|order| Transfer { order: order.clone(), outcome: None }).collect());
            for order in orders {
                spawn_local(async move {
                    let outcome = transfer(api, &order).await;
                    let _ = transfers.try_update(|transfers| {
                        transfers.iter_mut().filter(|transfer| transfer.order == order).for_each(|transfer| {
                            transfer.outcome = Some(outcome.clone());
                        });
                    });
                });
            }
        });
    };
    let call = move |_| {
        spawn_local(async move {
            let answer = api.get("/me").await;
            let _ = me.try_set(Some(answer.map_or_else(|error| error.code().to_owned(), |answer| answer.status.to_string())));
        });
    };
    let steps = Memo::new(move |_| since.get().map(|since| steps(&log.since(since))).unwrap_or_default());
    let acr = move || auth.session().and_then(|session| session.claims?.text("acr").map(str::to_owned));
    view! {
        <Page title="Step-up">
            <p class="lead">
                "Some calls take more than a password. The API says so ("
                <a href="https://www.rfc-editor.org/rfc/rfc9470" rel="external noreferrer">"RFC 9470"</a>"), the calls wait, and you are asked. Nobody is sent anywhere unasked, and other calls go on."
            </p>
            <dl class="fit">
                <dt>"For"</dt>
                <dd>"what cannot be undone: a payment, another address, a new key. The API decides, and the provider vouches."</dd>
                <dt>"Not for"</dt>
                <dd>"a second step for everything: ask for it when signing in. Nor for an API that only looks at scopes."</dd>
            </dl>
            <SignedOut>
                <p class="lead">"You are signed out. Sign in to have something to transfer."</p>
                <SignInButton />
            </SignedOut>
            <SignedIn>
                <p class="buttons">
                    <button type="button" class="main" on:click=begin>"Transfer two orders"</button>
                    <button type="button" on:click=call>"Call /me"</button>
                </p>
                {move || auth.step_up().map(|wanted| view! { <Question wanted /> })}
                {move || stuck.get().map(|why| view! { <p class="problem" role="alert">{why}</p> })}
                <ul id="transfers" aria-live="polite">{move || transfers.get().into_iter().map(row).collect_view()}</ul>
                <p class="quiet" id="me" role="status">{move || me.get().map(|status| ["/me answered ", &status].concat())}</p>
                <p class="quiet">"Signed in by "<code id="acr">{move || acr().unwrap_or_else(|| "?".to_owned())}</code></p>
            </SignedIn>
            {move || (!steps.read().is_empty()).then(|| view! {
                <Picture id="picture-step-up".to_owned() title="What happened: step-up".to_owned() steps=steps.get() />
            })}
        </Page>
    }
}

/// What the API wants, put to the user.
#[component]
fn Question(wanted: Wanted) -> impl IntoView {
    let auth = use_auth();
    let sign_in = SignIn::from(&wanted).return_to("/step-up");
    let by = wanted.acr_values().iter().map(|acr| view! { <code>{acr.clone()}</code>" " }).collect_view();
    let lately = wanted.max_age().map(|max_age| format!("within the last {} seconds", max_age.as_secs()));
    view! {
        <section class="note" id="question" aria-label="The API wants more">
            <p><strong>"The API wants to be surer that it is you. "</strong>"Calls wait for it."</p>
            <p class="quiet">"You should have signed in by "{by}{lately}"."</p>
            <p class="buttons">
                <button type="button" class="main" on:click=move |_| auth.sign_in_with(sign_in.clone())>"Go there"</button>
                <button type="button" on:click=move |_| auth.decline_step_up()>"Not now"</button>
            </p>
            <p class="quiet">
                "“Go there” takes this page along, and the calls that wait in it: begin them again when you are back. From "
                <a href="/step-up" target="_blank" rel="noopener external">"a second tab"</a>", or a popup, they go on by themselves."
            </p>
        </section>
    }
}

fn row(Transfer { order, outcome }: Transfer) -> impl IntoView + use<> {
    let (state, text) = match outcome {
        None => ("waiting".to_owned(), "on its way".to_owned()),
        Some(Ok(200)) => ("200".to_owned(), "transferred".to_owned()),
        Some(Ok(status)) => (status.to_string(), format!("the API answered {status}")),
        Some(Err(code)) => (code.clone(), code),
    };
    view! { <li data-state=state><code>{order}</code>": "{text}</li> }
}

async fn two_orders(api: Api) -> Result<Vec<String>, Error> {
    let document = api.get("/orders").await?.json().unwrap_or(Json::Null);
    let orders = document.get("orders").and_then(Json::as_array).unwrap_or_default();
    Ok(orders.iter().filter_map(|order| order.get("id")?.as_str().map(str::to_owned)).take(2).collect())
}

async fn transfer(api: Api, order: &str) -> Result<u16, String> {
    let body = Json::Object(vec![("order".to_owned(), order.into()), ("to".to_owned(), "a friend".into())]).to_string();
    let request = Request::new("POST", api.url("/orders/transfer")).header("content-type", "application/json").body(body);
    api.send(request, true).await.map(|response| response.status).map_err(|error| error.code().to_owned())
}

/// What happened since two transfers began.
fn steps(entries: &[Entry]) -> Vec<Step> {
    use Lane::{Api, App, Provider, You};
    let request = |from, to, says: &str| Step::new(from, to, says, By::Request);
    let address = |from, to, says: &str| Step::new(from, to, says, By::Address);
    let person = |from, to, says: &str| Step::new(from, to, says, By::Person);
    let mut steps = vec![person(You, App, "click"), request(App, Api, "transfer"), request(App, Api, "transfer")];
    let (mut wanted, mut agreed) = (false, false);
    for Entry { event, text, .. } in entries {
        let status = text.split(' ').next().unwrap_or_default();
        match event.as_str() {
            "StepUpNeeded" => {
                wanted = true;
                steps.extend([request(Api, App, "401: second step"), person(App, You, "go there?")]);
            }
            "ApiAnswered" if text.ends_with("/me") => steps.extend([request(App, Api, "token"), request(Api, App, status)]),
            "ApiAnswered" if text.ends_with("/orders/transfer") => {
                if agreed {
                    steps.push(request(App, Api, "new token"));
                }
                if agreed || !wanted {
                    steps.push(request(Api, App, status));
                }
            }
            "Redirecting" => steps.push(address(App, Provider, "acr_values")),
            "CodeRedeemed" if wanted => {
                agreed = true;
                steps.extend([
                    person(You, Provider, "second step"),
                    address(Provider, App, "code"),
                    request(App, Provider, "code, verifier"),
                    request(Provider, App, "tokens"),
                ]);
            }
            "IdTokenVerified" if agreed => steps.push(request(App, App, "acr is right")),
            "StepUpSettled" if !agreed => steps.push(person(You, App, "not now")),
            "Failed" | "Ended" => steps.push(Step::new(App, App, text, By::Failure)),
            _ => {}
        }
    }
    steps
}
