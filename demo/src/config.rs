//! `/config.json`: which provider and which API the app talks to. The same build can be pointed at any.

use std::fmt;

use leptos::prelude::*;
use tokenkeep::protocol::{Cache, Callback, Json, Misconfigured, Unreadable};
use tokenkeep::{Config, Error, Request};

use crate::api::without_token;
use crate::flow::Flow;
use crate::pages;
use crate::problem::sentence;

const EXAMPLE: &str = include_str!("../config.json");

/// What the file says.
#[derive(Clone)]
pub struct Settings {
    pub config: Config,
    /// By which flow users sign in with it.
    pub flow: Flow,
    pub issuer: String,
    /// The API that the pages call: the first, if there are several.
    pub api: String,
}

pub async fn load() -> Result<Settings, Problem> {
    let request = Request::get("/config.json").cache(Cache::NoStore).limit(64 * 1024);
    let response = without_token(request).await.map_err(Problem::NoAnswer)?;
    match response.text() {
        _ if !response.is_success() => Err(Problem::Status(response.status)),
        // A server of a single-page app answers so for every file that it does not have.
        Some(text) if text.trim_start().starts_with('<') => Err(Problem::Missing),
        Some(text) => read(text),
        None => Err(Misconfigured::ConfigMalformed { why: Unreadable::NotJson }.into()),
    }
}

fn read(text: &str) -> Result<Settings, Problem> {
    let config = Config::from_json(text)?;
    config.check(&origin())?;
    // Where nothing says how a user signed in, no call waits for that.
    let waiting = config.clone().step_up(true);
    let config = if waiting.check(&origin()).is_ok() { waiting } else { config };
    let document = Json::parse(text).map_err(|why| Misconfigured::ConfigMalformed { why })?;
    let api = document.get("api").and_then(|api| api.as_str().or_else(|| api.as_array()?.first()?.as_str()));
    let issuer = document.get("issuer").and_then(Json::as_str).unwrap_or_default();
    let api = api.ok_or(Misconfigured::OptionMissing { option: "api" })?.to_owned();
    // A flow that this file rules out is as good as not chosen.
    let flow = Flow::chosen();
    let config = pages::idle::configure(config);
    let chosen = flow.configure(config.clone());
    let (flow, config) = if chosen.check(&origin()).is_ok() { (flow, chosen) } else { (Flow::Code, config) };
    Ok(Settings { config, flow, issuer: issuer.to_owned(), api })
}

pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// Why there is no app.
#[derive(Clone)]
pub enum Problem {
    Missing,
    NoAnswer(Error),
    Status(u16),
    Wrong(Misconfigured),
}

impl Problem {
    fn code(&self) -> &str {
        match self {
            Problem::Missing => "config_missing",
            Problem::NoAnswer(error) => error.code(),
            Problem::Status(_) => "config_status",
            Problem::Wrong(why) => why.code(),
        }
    }
}

impl From<Misconfigured> for Problem {
    fn from(why: Misconfigured) -> Problem {
        Problem::Wrong(why)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Missing => {
                f.write_str("there is no such file: the server answered with a web page, as it does for whatever it does not have")
            }
            Problem::NoAnswer(_) => f.write_str("the server gave no answer"),
            Problem::Status(status) => write!(f, "the server answered {status} instead of the file"),
            Problem::Wrong(why) => why.fmt(f),
        }
    }
}

/// Says what is wrong with the file, and what a right one looks like.
#[component]
pub fn WrongConfig(problem: Problem) -> impl IntoView {
    view! {
        <main id="main" class="alone">
            <h1>"The app has no configuration"</h1>
            <div class="problem" role="alert" id="problem" data-code=problem.code().to_owned()>
                <p><code>"/config.json"</code>" cannot be used. "{sentence(&problem.to_string())}</p>
                <p class="quiet">"Code: "<code>{problem.code().to_owned()}</code></p>
            </div>
            <h2>"How to fix it"</h2>
            <p>
                "Serve a file like this one as "<code>"/config.json"</code>", with the values of your provider. In this repository it is "
                <code>"demo/config.json"</code>", and Trunk copies it."
            </p>
            <pre tabindex="0">{EXAMPLE}</pre>
            <dl class="facts">
                <dt><code>"issuer"</code></dt>
                <dd>"The provider’s URL, exactly as the provider writes it."</dd>
                <dt><code>"client_id"</code></dt>
                <dd>"What the provider calls this app. It is registered there as a public client, with the redirect URI "<code>{[&origin(), "/callback"].concat()}</code>"."</dd>
                <dt><code>"api"</code></dt>
                <dd>"The API to call, or a list of them. Nothing else gets the access token."</dd>
                <dt><code>"scopes"</code></dt>
                <dd>"What to ask for: "<code>"openid profile"</code>" if you leave it out."</dd>
                <dt><code>"resource"</code></dt>
                <dd>"Which API the access token is for, if your provider wants to know."</dd>
            </dl>
            <button class="main" on:click=move |_| { let _ = window().location().reload(); }>"Try again"</button>
        </main>
    }
}

/// The address as the page was opened with it, if there is a response in it.
///
/// A code must leave the address bar before anything is awaited, and it takes a while until there is a client to hand it to.
pub struct Held(Option<String>);

impl Held {
    /// Cleans the address bar, and remembers what stood there.
    pub fn take() -> Held {
        let address = window().location().href().unwrap_or_default();
        let clean = Callback::scrub(&address);
        let held = (clean != address).then_some(address);
        if held.is_some() {
            show(&clean);
        }
        Held(held)
    }

    /// Puts it back, for a client that takes it out again at once.
    pub fn put_back(self) {
        if let Some(address) = self.0 {
            show(&address);
        }
    }
}

/// Shows this address instead, which is of this origin.
pub fn show(address: &str) {
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&history.state().unwrap_or_default(), "", Some(address));
    }
}
