use std::time::Duration;

use leptos::prelude::*;
use tokenkeep::Config;
use tokenkeep::leptos::{SignedIn, SignedOut, use_auth};

use super::Page;
use crate::header::SignInButton;
use crate::log::{Entry, Log};
use crate::picture::{By, Lane, Picture, Step};
use crate::{storage, time};

const KEY: &str = "tokenkeep-demo.idle-limit";

/// How many seconds a user may be idle in this tab: `?limit=20` says it, and `?limit=0` takes it back.
pub fn limit() -> Option<u32> {
    let location = window().location();
    if location.pathname().is_ok_and(|path| path == "/idle")
        && let Some(asked) = location.search().ok().as_deref().and_then(|query| query.strip_prefix("?limit="))
    {
        storage::write(KEY, asked);
    }
    storage::read(KEY)?.parse().ok().filter(|limit| (2..=86_400).contains(limit))
}

/// The configuration that follows from it.
pub fn configure(config: Config) -> Config {
    let Some(limit) = limit() else { return config };
    let limit = Duration::from_secs(limit.into());
    let warning = Duration::from_secs(limit.as_secs() / 2);
    config.idle_limit(limit).idle_warning(warning).session_limit(limit.saturating_mul(10))
}

/// The countdown, on every page.
#[component]
pub fn IdleSoon() -> impl IntoView {
    let auth = use_auth();
    let second = RwSignal::new(());
    Effect::new(move |_| {
        if auth.idle_ends().is_some()
            && let Ok(timer) = set_interval_with_handle(move || second.notify(), Duration::from_secs(1))
        {
            on_cleanup(move || timer.clear());
        }
    });
    let left = move || {
        second.track();
        auth.idle_ends().map_or(0, |ends| ends.since(time::now()).as_millis().div_ceil(1000))
    };
    view! {
        <Show when=move || auth.idle_ends().is_some()>
            <div class="note" role="alert" id="idle-soon">
                <p><strong>"Are you still there?"</strong></p>
                <p>"You are signed out in "<span role="timer" id="idle-left">{left}</span>" seconds."</p>
                <button type="button" on:click=move |_| auth.stay_active()>"Stay signed in"</button>
            </div>
        </Show>
    }
}

/// What becomes of a session when nobody is there.
#[component]
pub fn Idle(log: Log) -> impl IntoView {
    let limit = limit();
    let none = || "no limit".to_owned();
    let idle = limit.map_or_else(none, |limit| format!("{limit} seconds, {} of them with a countdown", limit / 2));
    let session = limit.map_or_else(none, |limit| format!("{} seconds, whatever you do", limit.saturating_mul(10)));
    let links = match limit {
        None => view! { <a href="/idle?limit=20" rel="external">"Try it with 20 seconds"</a> }.into_any(),
        Some(limit) => view! {
            <a href=format!("/idle?limit={limit}") target="_blank">"Open another tab"</a>
            " "
            <a href="/idle?limit=0" rel="external">"No limit any more"</a>
        }
        .into_any(),
    };
    let since = time::now();
    let steps = Memo::new(move |_| steps(&log.since(since)));
    view! {
        <Page title="Idle">
            <p class="lead">
                "A session that nobody uses ends by itself, in all tabs: for screens that are left alone in public. It is not for who reads along "
                "while you work, and no defence against theft: what a token may do for how long is for the provider to say."
            </p>
            <dl class="facts" id="limits">
                <dt>"Without activity"</dt>
                <dd>{idle}</dd>
                <dt>"From the sign-in"</dt>
                <dd>{session}</dd>
            </dl>
            <p class="buttons">{links}</p>
            <SignedIn>
                <p>"Now do nothing, in any tab. A key, a pointer or a finger in one of them keeps all of them signed in."</p>
            </SignedIn>
            <SignedOut>
                <p>"Sign in first. With another limit this is another keep, which knows nobody."</p>
                <SignInButton />
            </SignedOut>
            {move || (!steps.read().is_empty()).then(|| view! {
                <Picture id="picture-idle".to_owned() title="What happened".to_owned() steps=steps.get() />
            })}
        </Page>
    }
}

fn steps(entries: &[Entry]) -> Vec<Step> {
    use Lane::{App, Provider, You};
    let person = |from, to, says: &str| Step::new(from, to, says, By::Person);
    let mut steps = Vec::new();
    for Entry { event, text, .. } in entries {
        match event.as_str() {
            "Active" => steps.push(person(You, App, "activity")),
            "Ended" => steps.push(person(App, You, "signed out")),
            "IdleSoon" => steps.push(person(App, You, "countdown")),
            "Revoked" => steps.push(Step::new(App, Provider, "revoke refresh token", By::Request)),
            "RevocationFailed" => steps.push(Step::new(App, App, text, By::Failure)),
            _ => {}
        }
    }
    steps
}
