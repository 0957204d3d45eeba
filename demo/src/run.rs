//! The last run of a flow in this tab, and what the list of events says of it.

use leptos::{prelude::*, task::spawn_local};
use tokenkeep::leptos::Auth;
use tokenkeep::protocol::{Json, Number, UnixTime};
use tokenkeep::{Rung, State};

use crate::flow::{Flow, receives_form};
use crate::log::{Entry, Log, renewed};
use crate::picture::{By, Lane, Step};
use crate::{storage, time};

const KEY: &str = "tokenkeep-demo.run";

#[derive(Clone, Copy, PartialEq)]
pub struct Run {
    pub flow: Flow,
    since: UnixTime,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// The app starts again first, with another configuration.
    Chosen,
    /// On the way to the provider, or there, or coming back.
    Away,
    Over,
}

impl Phase {
    const ALL: [Phase; 3] = [Phase::Chosen, Phase::Away, Phase::Over];

    fn name(self) -> &'static str {
        match self {
            Phase::Chosen => "chosen",
            Phase::Away => "away",
            Phase::Over => "over",
        }
    }
}

/// What came of a run, as far as it went.
#[derive(Clone, Copy, PartialEq)]
pub enum Outcome {
    Failed,
    Done,
    UnderWay,
}

/// What a page needs to run a flow, and to show how that went.
#[derive(Clone, Copy)]
pub struct Runs {
    /// What the client is configured for.
    pub flow: Flow,
    pub auth: Auth,
    last: RwSignal<Option<Run>>,
    log: Log,
    /// A renewal is done. If none happened, the token was so new that there was no need.
    pub young: RwSignal<bool>,
    /// Storage is blocked or full: no flow can be chosen.
    pub stuck: RwSignal<bool>,
    /// Why no form can be received here.
    pub unreceived: RwSignal<Option<String>>,
    /// Whether the page is shown that says how it went.
    pub shown: RwSignal<bool>,
}

impl Runs {
    /// Goes on with the run that another flow was chosen for.
    pub fn restore(flow: Flow, auth: Auth, log: Log) -> Runs {
        let last = RwSignal::new(stored().filter(|run| run.phase != Phase::Chosen || run.flow.configuration() == flow));
        let [young, stuck, shown] = [(); 3].map(|()| RwSignal::new(false));
        let runs = Runs { flow, auth, last, log, young, stuck, unreceived: RwSignal::new(None), shown };
        Effect::new(move |_| {
            // Who is signed in here is found out first.
            let known = auth.state() != State::Unknown;
            if let Some(run) = last.get_untracked().filter(|run| known && run.phase == Phase::Chosen) {
                runs.keep(Run { phase: Phase::Away, ..run });
                auth.sign_in_with(run.flow.sign_in());
            }
        });
        runs
    }

    pub fn run(self, flow: Flow) {
        if flow != Flow::Form {
            return self.begin(flow);
        }
        spawn_local(async move {
            let outcome = receives_form().await;
            let is_received = outcome.is_ok();
            let _ = self.unreceived.try_set(outcome.err());
            if is_received {
                self.begin(flow);
            }
        });
    }

    fn begin(self, flow: Flow) {
        let run = |phase| Run { flow, since: time::now(), phase };
        if flow == Flow::Refresh {
            self.keep(run(Phase::Over));
            self.young.set(false);
            if let Some(client) = self.auth.client() {
                let renewing = client.renew();
                spawn_local(async move {
                    let _ = self.young.try_set(renewing.await.is_ok());
                });
            }
        } else if flow.configuration() == self.flow {
            self.keep(run(Phase::Away));
            self.auth.sign_in_with(flow.sign_in());
        } else if flow.choose() && self.keep(run(Phase::Chosen)) {
            let _ = window().location().reload();
        } else {
            self.stuck.set(true);
        }
    }

    /// Back to the usual configuration.
    pub fn usual(self) {
        Flow::Code.choose();
        storage::remove(KEY);
        let _ = window().location().reload();
    }

    /// Whether the browser left for this run and did not come back to the page that shows how it went.
    pub fn is_away(self) -> bool {
        self.last.with_untracked(|last| last.is_some_and(|run| run.phase == Phase::Away))
    }

    /// The page that shows how it went is there. Which flow the browser was away for.
    pub fn arrived(self) -> Option<Flow> {
        let away = self.last.get_untracked().filter(|run| run.phase == Phase::Away);
        if let Some(run) = away {
            self.keep(Run { phase: Phase::Over, ..run });
        }
        self.shown.set(true);
        on_cleanup(move || self.shown.set(false));
        away.map(|run| run.flow)
    }

    /// Whether the page says itself that a sign-in failed.
    pub fn tells(self) -> bool {
        self.shown.get() && self.last.get().is_some_and(|run| self.outcome(run) == Outcome::Failed)
    }

    /// The last run, if it was of this flow. Tracks.
    pub fn of(self, flow: Flow) -> Option<Run> {
        self.last.get().filter(|run| run.flow == flow && run.phase != Phase::Chosen)
    }

    /// Tracks.
    pub fn outcome(self, run: Run) -> Outcome {
        let entries = self.log.since(run.since);
        let end = entries.iter().skip(start(&entries, run.flow)).find(|entry| ends(&entry.event));
        match end.map(|entry| entry.event.as_str()) {
            None => Outcome::UnderWay,
            Some("Failed" | "RenewalFailed") => Outcome::Failed,
            Some(_) => Outcome::Done,
        }
    }

    /// What happened. Tracks.
    pub fn steps(self, run: Run) -> Vec<Step> {
        steps(run.flow, &self.log.since(run.since))
    }

    fn keep(self, run: Run) -> bool {
        self.last.set(Some(run));
        let text = |text: &str| Json::String(text.to_owned());
        let run = vec![
            ("flow".to_owned(), text(run.flow.name())),
            ("since".to_owned(), Json::Number(Number::from(run.since.as_millis()))),
            ("phase".to_owned(), text(run.phase.name())),
        ];
        storage::write(KEY, &Json::Object(run).to_string())
    }
}

fn stored() -> Option<Run> {
    let run = Json::parse(&storage::read(KEY)?).ok()?;
    let phase = run.get("phase")?.as_str()?;
    Some(Run {
        flow: Flow::from_name(run.get("flow")?.as_str()?)?,
        since: UnixTime::from_millis(run.get("since")?.as_number()?.floor()?),
        phase: Phase::ALL.into_iter().find(|known| known.name() == phase)?,
    })
}

/// Where the run begins among what happened since it was wanted: before that, the app found out who is signed in.
fn start(entries: &[Entry], flow: Flow) -> usize {
    let leaving = entries.iter().position(|entry| entry.event == "Redirecting");
    leaving.filter(|_| flow != Flow::Refresh).unwrap_or_default()
}

fn ends(event: &str) -> bool {
    matches!(event, "Failed" | "Renewed" | "RenewalFailed" | "SignedIn")
}

/// An event of the library stands for what must have been for it to happen: nobody leaves for the provider in a pushed flow whose request
/// the provider did not take.
pub fn steps(flow: Flow, entries: &[Entry]) -> Vec<Step> {
    use Lane::{Api, App, Provider, You};
    let start = start(entries, flow);
    let (before, entries) = entries.split_at(start.min(entries.len()));
    let end = entries.iter().position(|entry| ends(&entry.event));
    let (entries, after) = entries.split_at(end.map_or(entries.len(), |end| end.saturating_add(1)));
    let has = |event: &str| entries.iter().any(|entry| entry.event == event);
    let said_no = entries.last().is_some_and(|last| last.event == "Failed" && last.text == "access_denied");

    let request = |from, to, says: &str| Step::new(from, to, says, By::Request);
    let address = |from, to, says: &str| Step::new(from, to, says, By::Address);
    let person = |from, to, says: &str| Step::new(from, to, says, By::Person);
    let mut steps = vec![person(You, App, "click")];
    if before.iter().any(|entry| entry.event == "MetadataRead") {
        steps.push(request(Provider, App, "metadata"));
    }
    for Entry { event, text, .. } in entries {
        match event.as_str() {
            "MetadataRead" => steps.push(request(Provider, App, "metadata")),
            "KeysRead" => steps.push(request(Provider, App, "keys")),
            "Redirecting" if flow == Flow::Pushed => {
                steps.extend([
                    request(App, Provider, "request"),
                    request(Provider, App, "request_uri"),
                    address(App, Provider, "request_uri"),
                ]);
            }
            "Redirecting" if flow == Flow::Details => steps.push(address(App, Provider, "details")),
            "Redirecting" => steps.push(address(App, Provider, "challenge")),
            "CallbackReceived" if said_no => {
                let error = if flow == Flow::Form { "error, in a form" } else { "error" };
                steps.extend([person(You, Provider, "no"), address(Provider, App, error)]);
            }
            // Nothing else gets a code out of a provider.
            "CallbackReceived" if has("CodeRedeemed") => {
                steps.push(person(You, Provider, "yes"));
                steps.push(address(
                    Provider,
                    App,
                    match flow {
                        Flow::Form => "code, in a form",
                        Flow::Hybrid => "code, ID token",
                        Flow::Signed => "signed code",
                        _ => "code",
                    },
                ));
            }
            "CallbackReceived" => steps.push(address(Provider, App, "answer")),
            "CodeRedeemed" => steps.extend([request(App, Provider, "code, verifier"), request(Provider, App, "tokens")]),
            "IdTokenVerified" => steps.push(request(App, App, "ID token is right")),
            "SignedIn" => steps.push(person(App, You, "signed in")),
            "Renewed" => {
                if text == renewed(Rung::RefreshToken) {
                    steps.extend([request(App, Provider, "refresh token"), request(Provider, App, "new tokens")]);
                } else if text != renewed(Rung::Tab) {
                    steps.extend([request(App, Provider, "hidden frame"), request(Provider, App, "code")]);
                }
                steps.push(person(App, You, "renewed"));
            }
            "Failed" | "RenewalFailed" => steps.push(Step::new(App, App, text, By::Failure)),
            _ => {}
        }
    }
    if let Some(answer) = after.iter().find(|entry| entry.event == "ApiAnswered" && !entry.text.contains("/flows/")) {
        let status = answer.text.split(' ').next().unwrap_or_default();
        steps.extend([request(App, Api, "token"), request(Api, App, status)]);
    }
    steps
}
