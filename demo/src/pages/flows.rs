use leptos::{html::Li, prelude::*, task::spawn_local};
use tokenkeep::Error;
use tokenkeep::leptos::{SignedIn, SignedOut};

use super::Page;
use crate::api::Api;
use crate::flow::{About, Flow};
use crate::picture::Picture;
use crate::problem::{Problem, sentence};
use crate::run::{Outcome, Run, Runs};
use crate::server::{Answer, Failed, ServerFlow};
use crate::television::{self, Shown, Television};
use crate::who::{self, Who};

/// Every flow, with a button, and a picture of how it went.
#[component]
pub fn Flows(runs: Runs, api: Api, who: Who, issuer: String) -> impl IntoView {
    let back_from = runs.arrived();
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
            <ul class="flows">
                {Flow::ALL.map(|flow| view! { <InApp flow runs api is_next=back_from == Some(flow) /> }).collect_view()}
            </ul>
            <h2>"Who it is, and nothing else"</h2>
            <ul class="flows"><WhoCard who /></ul>
            <h2>"On a screen without a keyboard"</h2>
            <ul class="flows"><TelevisionCard issuer /></ul>
            <h2>"On a server"</h2>
            <p class="lead">
                "No page can keep a secret, so a small server beside the API follows these, with "<code>"tokenkeep/confidential"</code>
                ". It says what came of it; the tokens stay there."
            </p>
            <ul class="flows">{ServerFlow::ALL.map(|flow| view! { <OnServer flow api /> }).collect_view()}</ul>
            <h2>"Not here"</h2>
            <p class="lead">
                "The implicit flow, where an access token comes in the address: RFC 9700 and RFC 10017 advise against it, and tokenkeep has no way "
                "to ask for it."
            </p>
        </Page>
    }
}

/// What there is to say about a flow, its button, and what came of it.
#[component]
pub fn FlowCard(
    name: &'static str,
    about: About,
    button: AnyView,
    /// It is what the user came for.
    #[prop(optional)]
    is_next: bool,
    children: Children,
) -> impl IntoView {
    let About { title, spec, url, good_for, not_for } = about;
    let title_id = ["flow-", name, "-title"].concat();
    let card = NodeRef::<Li>::new();
    Effect::new(move |_| {
        if let Some(card) = card.get().filter(|_| is_next) {
            // Once all of the page is there.
            request_animation_frame(move || card.scroll_into_view());
        }
    });
    view! {
        <li class="flow card" node_ref=card id=["flow-", name].concat() aria-labelledby=title_id.clone()>
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
fn InApp(flow: Flow, runs: Runs, api: Api, is_next: bool) -> impl IntoView {
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
        <FlowCard name=flow.name() about=flow.about() button is_next>
            {move || runs.unreceived.get().filter(|_| flow == Flow::Form).map(cannot)}
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
                Outcome::UnderWay if run.flow == Flow::Refresh && runs.young.get() => view! {
                    <p class="quiet" role="status">"The token is so new that it is as good as a new one. Try again in a moment."</p>
                }
                .into_any(),
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

/// Why a form that the provider sends would be lost.
fn cannot(why: String) -> impl IntoView {
    view! {
        <div class="problem" role="alert">
            <p><strong>"This browser cannot receive a form"</strong></p>
            <p>"You did not leave, because the answer would have been lost."</p>
            <p class="quiet">{sentence(&why)}</p>
        </div>
    }
}

#[component]
fn OnServer(flow: ServerFlow, api: Api) -> impl IntoView {
    let label = ["Run: ", flow.about().title].concat();
    let answer = RwSignal::new(None::<Result<Answer, Error>>);
    let busy = RwSignal::new(false);
    if flow == ServerFlow::Code {
        spawn_local(async move {
            let _ = answer.try_set(ServerFlow::came_back(api).await);
        });
    }
    let run = move |_| {
        if flow == ServerFlow::Code {
            return ServerFlow::leave(api);
        }
        busy.set(true);
        spawn_local(async move {
            let outcome = flow.run(api).await;
            let _ = answer.try_set(Some(outcome));
            let _ = busy.try_set(false);
        });
    };
    let run_button = move || {
        view! { <button type="button" class="main" aria-label=label.clone() disabled=move || busy.get() on:click=run>"Run"</button> }
    };
    let button = match flow {
        // It is the user's token that is exchanged.
        ServerFlow::Exchange => view! {
            <SignedIn>{run_button.clone()}</SignedIn>
            <SignedOut><p class="quiet">"Sign in first."</p></SignedOut>
        }
        .into_any(),
        _ => run_button().into_any(),
    };
    view! {
        <FlowCard name=flow.name() about=flow.about() button>
            {move || answer.get().map(|answer| view! { <div class="result">{answered(flow, answer)}</div> })}
        </FlowCard>
    }
}

fn answered(flow: ServerFlow, answer: Result<Answer, Error>) -> AnyView {
    let Answer { facts, failed, steps } = match answer {
        Ok(answer) => answer,
        Err(error) => return view! { <Problem title="The demo’s server gave no answer" error>""</Problem> }.into_any(),
    };
    let facts = facts.into_iter().map(|(name, value)| view! { <dt>{name}</dt><dd>{value}</dd> }).collect_view();
    let title = ["What happened: ", flow.about().title].concat();
    let outcome = match failed {
        None => view! { <dl class="outcome" role="status">{facts}</dl> }.into_any(),
        Some(Failed { code, message }) => view! {
            <div class="problem" role="alert" data-code=code.clone()>
                <p><strong>"It did not work"</strong></p>
                <p>{sentence(&message)}</p>
                <p class="quiet">"Code: "<code>{code.clone()}</code></p>
            </div>
        }
        .into_any(),
    };
    let picture = (!steps.is_empty()).then(|| view! { <Picture id=["picture-", flow.name()].concat() title steps /> });
    view! {
        {outcome}
        {picture}
    }
    .into_any()
}

/// A television, as far as a page can be one.
#[component]
fn TelevisionCard(issuer: String) -> impl IntoView {
    let television = Television::new(issuer);
    let is_off = Memo::new(move |_| television.shown.with(|shown| matches!(shown, Shown::Off)));
    let button = view! {
        <button type="button" class=move || is_off.get().then_some("main") on:click=move |_| {
            if is_off.get_untracked() { television.switch_on() } else { television.switch_off() }
        }>
            {move || if is_off.get() { "Switch on" } else { "Switch off" }}
        </button>
    };
    let screen = move || {
        match television.shown.get() {
        Shown::Off => ().into_any(),
        Shown::Starting => view! { <p role="status">"Asking for a code…"</p> }.into_any(),
        Shown::Code { user_code, link, qr } => view! {
            <div class="tv-code">
                <div>
                    <p>"On another device, scan this, or "<a href=link target="_blank" rel="noopener noreferrer">"open the provider in another tab"</a></p>
                    <p>"It should show this code:"</p>
                    <p class="user-code" id="user-code">{user_code}</p>
                </div>
                {qr.map(|qr| view! { <div class="qr" inner_html=qr></div> })}
            </div>
        }
        .into_any(),
        Shown::SignedIn { name, scope } => view! {
            <p role="status">"Good evening, "<strong id="viewer">{name}</strong>"."</p>
            <p class="quiet">"Granted: "<code>{scope}</code></p>
        }
        .into_any(),
        Shown::Failed(error) => view! { <Problem title="Nobody is signed in here" error>""</Problem> }.into_any(),
    }
    };
    view! {
        <FlowCard name="television" about=television::ABOUT button=button.into_any()>
            {move || (!is_off.get()).then(|| view! {
                <div class="result">
                    <div class="tv">{screen}</div>
                    {move || view! { <Picture id="picture-television".to_owned() title="What happened: another device".to_owned() steps=television.steps.get() /> }}
                </div>
            })}
        </FlowCard>
    }
}

/// An app that wants to know who it is, and no more.
#[component]
fn WhoCard(who: Who) -> impl IntoView {
    let label = ["Run: ", who::ABOUT.title].concat();
    let button = view! { <button type="button" class="main" aria-label=label on:click=move |_| who.ask()>"Run"</button> };
    let came_back = who.shown.with_untracked(|shown| !matches!(shown, who::Shown::Nothing));
    let said = move || match who.shown.get() {
        who::Shown::Nothing => ().into_any(),
        who::Shown::Leaving => view! { <p class="quiet" role="status">"Leaving for the provider…"</p> }.into_any(),
        who::Shown::Looking => view! { <p class="quiet" role="status">"Verifying the ID token…"</p> }.into_any(),
        who::Shown::Known { name, subject } => view! {
            <dl class="outcome" role="status">
                <dt>"It is"</dt>
                <dd class="strong">{name}</dd>
                <dt>"Subject"</dt>
                <dd><code>{subject}</code></dd>
            </dl>
            <p class="quiet">"That is all: nobody is signed in by it, and a reload forgets it."</p>
        }
        .into_any(),
        who::Shown::Cannot(why) => cannot(why).into_any(),
        who::Shown::Failed(error) => view! { <Problem title="Nobody is known" error>""</Problem> }.into_any(),
    };
    let picture = move || {
        let steps = who.steps.get();
        (steps.len() > 1)
            .then(|| view! { <Picture id="picture-id-token".to_owned() title="What happened: ID token alone".to_owned() steps /> })
    };
    view! {
        <FlowCard name="id-token" about=who::ABOUT button=button.into_any() is_next=came_back>
            {move || (!who.shown.with(|shown| matches!(shown, who::Shown::Nothing))).then(|| view! {
                <div class="result">
                    {said}
                    {picture}
                </div>
            })}
        </FlowCard>
    }
}
