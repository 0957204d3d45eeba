//! What happened: the events of tokenkeep with their times. Never a secret, because events hold none.
//!
//! The list survives the way to the provider and back: see `storage`.

use leptos::prelude::*;
use tokenkeep::protocol::{Json, Number, UnixTime};
use tokenkeep::{Ended, Event, Rung};

use crate::{storage, time};

const KEY: &str = "tokenkeep-demo.events";

/// What is older than so many events is forgotten.
const MOST: usize = 50;

#[derive(Clone, Copy)]
pub struct Log(RwSignal<Vec<Entry>>);

#[derive(Clone, PartialEq)]
pub struct Entry {
    pub at: UnixTime,
    /// The event's name.
    pub event: String,
    pub text: String,
}

impl Log {
    pub fn restore() -> Log {
        Log(RwSignal::new(stored().unwrap_or_default()))
    }

    pub fn note(self, event: &Event) {
        let (event, text) = describe(event);
        let entry = Entry { at: time::now(), event: event.to_owned(), text };
        self.0.update(|entries| {
            entries.push(entry);
            entries.drain(..entries.len().saturating_sub(MOST));
            store(entries);
        });
    }

    /// What happened from then on. Tracks.
    pub fn since(self, at: UnixTime) -> Vec<Entry> {
        self.0.with(|entries| entries.iter().filter(|entry| entry.at >= at).cloned().collect())
    }

    fn clear(self) {
        self.0.set(Vec::new());
        store(&[]);
    }
}

#[component]
pub fn EventLog(log: Log) -> impl IntoView {
    let is_empty = move || log.0.with(Vec::is_empty);
    view! {
        <aside class="log" aria-labelledby="what-happened">
            <div class="log-head">
                <h2 id="what-happened">"What happened"</h2>
                <button type="button" class="small" disabled=is_empty on:click=move |_| log.clear()>"Clear"</button>
            </div>
            <p class="quiet" hidden=move || !is_empty()>"Nothing yet. Sign in, and each step is listed here."</p>
            <div class="log-body" role="group" aria-labelledby="what-happened" tabindex=move || if is_empty() { "-1" } else { "0" }>
                <ol aria-label="What happened" id="events">
                    {move || log.0.get().into_iter().map(line).collect_view()}
                </ol>
            </div>
        </aside>
    }
}

fn line(Entry { at, event, text }: Entry) -> impl IntoView {
    let title = title(&event);
    view! {
        <li data-event=event>
            <strong>{title}</strong>
            <time datetime=time::for_machines(at)>{time::to_the_millisecond(at)}</time>
            <span>{text}</span>
        </li>
    }
}

/// What is kept of an event: its name, and what there is to say about it.
fn describe(event: &Event) -> (&'static str, String) {
    let said = |name, text: &str| (name, text.to_owned());
    match event {
        Event::Active => said("Active", "You are there: the session goes on."),
        Event::ApiAnswered { url, status } => ("ApiAnswered", format!("{status} from {url}")),
        Event::CallbackReceived => said("CallbackReceived", "Back from the provider. Its answer left the address bar."),
        Event::CodeRedeemed => said("CodeRedeemed", "Exchanged for tokens, which stay in memory."),
        Event::Ended(why) => ("Ended", [ended(*why), " The tokens are gone."].concat()),
        Event::Failed(error) => said("Failed", error.code()),
        Event::IdTokenVerified { algorithm } => {
            ("IdTokenVerified", format!("{} signature, issuer, audience, nonce and time are right.", algorithm.name()))
        }
        Event::IdleSoon { .. } => said("IdleSoon", "The session ends soon unless you do something."),
        Event::KeysRead => said("KeysRead", "The provider’s public keys were read."),
        Event::MetadataRead => said("MetadataRead", "The provider’s metadata was read."),
        Event::Redirecting => said("Redirecting", "Leaving for the provider."),
        Event::Renewed { by } => said("Renewed", renewed(*by)),
        Event::RenewalFailed { by, error, pause } => {
            let why = error.as_ref().map_or("not possible", |error| error.code());
            let next = pause.map_or_else(String::new, |pause| format!(" Next try in {} s.", pause.as_secs().max(1)));
            ("RenewalFailed", format!("By {by}: {why}.{next}"))
        }
        Event::Revoked(Ok(())) => said("Revoked", "The provider takes the refresh token no more."),
        Event::Revoked(Err(error)) => said("RevocationFailed", error.code()),
        Event::ScopeChanged { missing, added } => ("ScopeChanged", scope_changed(missing, added)),
        Event::SessionChanged => said("SessionChanged", "The provider’s frame says so. It is asked who is signed in."),
        Event::SessionMonitorStopped { reason } => ("SessionMonitorStopped", format!("The provider’s session: {reason}.")),
        Event::SignInNeeded => said("SignInNeeded", "Nothing else leads to a new token."),
        Event::StepUpNeeded(_) => said("StepUpNeeded", "A call waits: its API wants to be surer that it is you."),
        Event::StepUpSettled => said("StepUpSettled", "No call waits any more."),
        Event::SignedIn => said("SignedIn", "The app knows who you are."),
        Event::SignedOutAtProvider => said("SignedOutAtProvider", "Back from the provider, where you are signed out too."),
        other => ("Other", other.to_string()),
    }
}

fn ended(why: Ended) -> &'static str {
    match why {
        Ended::Expired => "The last token ended, and nothing led to a new one.",
        Ended::Idle => "You did nothing in any tab for too long.",
        Ended::Rejected => "The provider refused the refresh token.",
        Ended::SessionLimit => "You signed in too long ago.",
        Ended::SignedOut => "You signed out here.",
        Ended::SignedOutAtProvider => "You signed out at the provider.",
        Ended::SignedOutElsewhere => "You signed out in another tab.",
        Ended::UserChanged => "Another user signed in.",
    }
}

pub fn renewed(by: Rung) -> &'static str {
    match by {
        Rung::RefreshToken => "By the refresh token.",
        Rung::Tab => "By another tab, which handed its tokens over, sealed.",
        Rung::Frame => "By the provider, asked in a hidden frame.",
        Rung::Redirect => "By the provider, asked on the way there and back.",
    }
}

fn scope_changed(missing: &[String], added: &[String]) -> String {
    let part = |what: &str, words: &[String]| (!words.is_empty()).then(|| format!("{what} {}.", words.join(" ")));
    [part("The access token is not for", missing), part("It is also for", added)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn title(event: &str) -> &'static str {
    match event {
        "Active" => "Active again",
        "ApiAnswered" => "API call",
        "CallbackReceived" => "Callback",
        "CodeRedeemed" => "Code redeemed",
        "Ended" => "Session over",
        "Failed" => "Failed",
        "IdTokenVerified" => "ID token verified",
        "IdleSoon" => "Idle",
        "KeysRead" => "Keys",
        "MetadataRead" => "Discovery",
        "Redirecting" => "Redirect",
        "Renewed" => "Renewed",
        "RenewalFailed" => "Not renewed",
        "RevocationFailed" => "Not revoked",
        "Revoked" => "Revoked",
        "ScopeChanged" => "Scope",
        "SessionChanged" => "Session at provider",
        "SessionMonitorStopped" => "Not watched",
        "SignInNeeded" => "Sign-in needed",
        "StepUpNeeded" => "Step-up needed",
        "StepUpSettled" => "Step-up settled",
        "SignedIn" => "Signed in",
        "SignedOutAtProvider" => "Signed out at provider",
        _ => "Event",
    }
}

/// Without storage the list lasts as long as the page.
fn store(entries: &[Entry]) {
    let entry = |entry: &Entry| {
        Json::Object(vec![
            ("at".to_owned(), Json::Number(Number::from(entry.at.as_millis()))),
            ("event".to_owned(), Json::from(entry.event.as_str())),
            ("text".to_owned(), Json::from(entry.text.as_str())),
        ])
    };
    storage::write(KEY, &Json::Array(entries.iter().map(entry).collect()).to_string());
}

fn stored() -> Option<Vec<Entry>> {
    let text = storage::read(KEY)?;
    let entry = |entry: &Json| {
        Some(Entry {
            at: UnixTime::from_millis(entry.get("at")?.as_number()?.floor()?),
            event: entry.get("event")?.as_str()?.to_owned(),
            text: entry.get("text")?.as_str()?.to_owned(),
        })
    };
    Json::parse(&text).ok()?.as_array()?.iter().map(entry).collect()
}
