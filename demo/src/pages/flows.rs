use leptos::prelude::*;
use tokenkeep::leptos::{SignedIn, SignedOut};

use super::Page;
use crate::api::Api;
use crate::flow::{About, Flow};
use crate::picture::Picture;
use crate::problem::Problem;
use crate::run::{Outcome, Run, Runs};

/// Every flow, with a button, and a picture of how it went.
#[component]
pub fn Flows(runs: Runs, api: Api) -> impl IntoView {
    runs.arrived();
    view! {
        <Page title="Flows">
            <p class="lead">
                "Every way to a token, when to take it, and when not. Run one: the picture is drawn from what really happened."
            </p>
            {(runs.flow != Flow::Code).then(|| view! {
                <div class="note" id="chosen">
                    <p>"In this tab you sign in by “"{runs.flow.about().title}"” now."</p>
                    <button type="button" on:click=move |_| runs.usual()>"Back to code with PKCE"</button>
                </div>
            })}
            {move || runs.stuck.get().then(|| view! {
                <p class="problem" role="alert">
                    "This browser stores nothing for the app, so no other flow can be chosen. Allow storage for it, and try again."
                </p>
            })}
            <h2>"In the app"</h2>
            <ul class="flows">{Flow::ALL.map(|flow| view! { <InApp flow runs api /> }).collect_view()}</ul>
        </Page>
    }
}

/// What there is to say about a flow, its button, and what came of it.
#[component]
pub fn FlowCard(name: &'static str, about: About, button: AnyView, children: Children) -> impl IntoView {
    let About { title, spec, url, good_for, not_for } = about;
    let title_id = ["flow-", name, "-title"].concat();
    view! {
        <li class="flow card" id=["flow-", name].concat() aria-labelledby=title_id.clone()>
            <div class="flow-head">
                <div>
                    <h3 id=title_id.clone()>{title}</h3>
                    <a class="spec" href=url rel="external noreferrer">{spec}</a>
                </div>
                {button}
            </div>
            <dl class="fit">
                <dt>"For"</dt>
                <dd>{good_for}</dd>
                <dt>"Not for"</dt>
                <dd>{not_for}</dd>
            </dl>
            {children()}
        </li>
    }
}

#[component]
fn InApp(flow: Flow, runs: Runs, api: Api) -> impl IntoView {
    let run = Memo::new(move |_| runs.of(flow));
    let label = ["Run: ", flow.about().title].concat();
    let run_button =
        move || view! { <button type="button" class="main" aria-label=label.clone() on:click=move |_| runs.run(flow)>"Run"</button> };
    let button = match flow {
        // Nothing to go on with.
        Flow::Refresh => view! {
            <SignedIn>{run_button.clone()}</SignedIn>
            <SignedOut><p class="quiet">"Sign in first."</p></SignedOut>
        }
        .into_any(),
        _ => run_button().into_any(),
    };
    view! {
        <FlowCard name=flow.name() about=flow.about() button>
            {move || run.get().map(|run| view! { <Result run runs api /> })}
        </FlowCard>
    }
}

/// How it went.
#[component]
fn Result(run: Run, runs: Runs, api: Api) -> impl IntoView {
    let steps = Memo::new(move |_| runs.steps(run));
    let outcome = Memo::new(move |_| runs.outcome(run));
    let call = Action::new_local(move |_: &()| async move {
        let _ = api.get("/orders").await;
    });
    let title = ["What happened: ", run.flow.about().title].concat();
    view! {
        <div class="result">
            {move || match outcome.get() {
                Outcome::Done => view! {
                    <Granted runs />
                    <SignedIn>
                        <p class="buttons">
                            <button type="button" class="small" disabled=move || call.pending().get() on:click=move |_| { call.dispatch(()); }>
                                "Call the API"
                            </button>
                        </p>
                    </SignedIn>
                }
                .into_any(),
                Outcome::Failed => failed(run, runs),
                Outcome::UnderWay => view! { <p class="quiet" role="status">"Not at its end."</p> }.into_any(),
            }}
            {move || view! { <Picture id=["picture-", run.flow.name()].concat() title=title.clone() steps=steps.get() /> }}
        </div>
    }
}

/// Who signed in, and what for.
#[component]
fn Granted(runs: Runs) -> impl IntoView {
    move || match runs.auth.session() {
        Some(session) => {
            let scope = session.scope.iter().map(|word| view! { <code>{word.to_owned()}</code>" " }).collect_view();
            let details = session.authorization_details.iter().map(|detail| view! { <dd><code>{detail.to_string()}</code></dd> });
            let details = details.collect_view();
            let has_details = !session.authorization_details.is_empty();
            let by = session.renewed_by.map(|by| view! { <dt>"Renewed by"</dt><dd>{by.to_string()}</dd> });
            view! {
                <dl class="outcome" role="status">
                    <dt>"Signed in"</dt>
                    <dd class="strong">{runs.auth.name()}</dd>
                    <dt>"Granted"</dt>
                    <dd class="words">{scope}</dd>
                    {has_details.then(|| view! { <dt>"In detail"</dt>{details} })}
                    {by}
                </dl>
            }
            .into_any()
        }
        None => view! { <p class="quiet" role="status">"Signed out since."</p> }.into_any(),
    }
}

fn failed(run: Run, runs: Runs) -> AnyView {
    match runs.auth.error() {
        Some(error) => view! {
            <Problem title="Nobody is signed in" error>
                <p><button type="button" on:click=move |_| runs.run(run.flow)>"Try again"</button></p>
            </Problem>
        }
        .into_any(),
        // What failed since is over, or the session goes on without it.
        None => view! { <p class="quiet" role="status">"It failed. The list of what happened says why."</p> }.into_any(),
    }
}
