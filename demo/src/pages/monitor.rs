use leptos::prelude::*;
use tokenkeep::Subscription;
use tokenkeep::leptos::{SignedIn, SignedOut};
use tokenkeep::protocol::UnixTime;

use super::Page;
use crate::log::Log;
use crate::picture::{By, Lane, Picture, Step};
use crate::run::Runs;
use crate::time;

/// The session at the provider, watched.
#[component]
pub fn Monitor(runs: Runs, log: Log, issuer: String) -> impl IntoView {
    let auth = runs.auth;
    let watching = StoredValue::new_local(None::<Subscription>);
    let since = RwSignal::new(None::<UnixTime>);
    let watch = move |_| {
        since.set(Some(time::now()));
        watching.set_value(auth.client().map(|client| client.monitor_session()));
    };
    let stop = move |_| {
        since.set(None);
        watching.set_value(None);
    };
    on_cleanup(move || drop(watching.try_update_value(Option::take)));
    let steps = Memo::new(move |_| since.get().map(|since| steps(log, since)));
    let says = move || {
        let last = steps.get().and_then(|steps| steps.last().map(|step| step.says.clone()));
        match last.as_deref() {
            None => "Not watched.",
            Some("not watched") => "It cannot be watched here. The session goes on; the list says why.",
            Some("signed out") => "The session is over: the provider says so.",
            Some("new tokens") => "Something changed there, and you are still signed in.",
            Some(_) => "Watched: every four seconds, while you look at this page.",
        }
    };
    view! {
        <Page title="Session at the provider">
            <p class="lead">
                "Signed out at the provider, in another tab or by another app, is signed out here: a frame of the provider is asked every few seconds "
                "whether the session there changed, and only then the provider itself, without showing anything."
            </p>
            <dl class="fit">
                <dt>"For"</dt>
                <dd>"an app at the same site as its provider, whose users share a computer."</dd>
                <dt>"Not for"</dt>
                <dd>
                    "a provider at another site, where most browsers keep cookies from its frame: it stops then, and says so. "
                    "A short-lived token, or a provider that tells the app’s server, works everywhere."
                </dd>
            </dl>
            <SignedIn>
                <p class="buttons">
                    {move || match since.get() {
                        None => view! { <button type="button" class="main" on:click=watch>"Watch"</button> }.into_any(),
                        Some(_) => view! { <button type="button" on:click=stop>"Watch no more"</button> }.into_any(),
                    }}
                </p>
            </SignedIn>
            <SignedOut><p class="quiet">"Sign in first."</p></SignedOut>
            <p role="status" id="watching">{says}</p>
            <p>
                <a id="at-provider" href=[&issuer, "/session/end"].concat() target="_blank" rel="noopener noreferrer">"Sign out at the provider"</a>
                ", in another tab."
            </p>
            {move || steps.get().map(|steps| view! {
                <Picture id="picture-monitor".to_owned() title="What happened: the session at the provider".to_owned() steps />
            })}
        </Page>
    }
}

/// Tracks.
fn steps(log: Log, since: UnixTime) -> Vec<Step> {
    use Lane::{App, Provider, You};
    let request = |from, to, says: &str| Step::new(from, to, says, By::Request);
    let mut steps = vec![request(App, Provider, "unchanged?")];
    for entry in log.since(since) {
        let asked = steps.iter().any(|step| step.says == "prompt=none");
        match entry.event.as_str() {
            "SessionChanged" => steps.extend([request(Provider, App, "changed"), request(App, Provider, "prompt=none")]),
            "Renewed" if asked => steps.push(request(Provider, App, "new tokens")),
            "Ended" if asked => steps.extend([request(Provider, App, "nobody"), Step::new(App, You, "signed out", By::Person)]),
            "SessionMonitorStopped" => steps.push(Step::new(App, App, "not watched", By::Failure)),
            _ => {}
        }
    }
    steps
}
