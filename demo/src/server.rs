//! The flows that no page can follow: the backend beside the API follows them, and says what came of it and which requests that took.

use leptos::prelude::*;
use tokenkeep::protocol::{Json, Number};
use tokenkeep::{Error, Request, Response};

use crate::api::Api;
use crate::flow::About;
use crate::picture::{By, Lane, Step};
use crate::storage;

/// Where the name of the last run is for which the browser went away.
const KEY: &str = "tokenkeep-demo.server-run";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFlow {
    Assertion,
    ClientCredentials,
    Code,
    Exchange,
    Password,
}

/// What the backend says.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub facts: Vec<(&'static str, String)>,
    pub failed: Option<Failed>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    pub code: String,
    pub message: String,
}

impl ServerFlow {
    /// In the order of the page.
    pub const ALL: [ServerFlow; 5] =
        [ServerFlow::Code, ServerFlow::ClientCredentials, ServerFlow::Exchange, ServerFlow::Assertion, ServerFlow::Password];

    pub fn name(self) -> &'static str {
        match self {
            ServerFlow::Assertion => "jwt-bearer",
            ServerFlow::ClientCredentials => "client-credentials",
            ServerFlow::Code => "server-code",
            ServerFlow::Exchange => "token-exchange",
            ServerFlow::Password => "password",
        }
    }

    pub fn about(self) -> About {
        match self {
            ServerFlow::Assertion => About {
                title: "JWT bearer",
                spec: "RFC 7523",
                url: "https://www.rfc-editor.org/rfc/rfc7523",
                good_for: "a server to which somebody whom the provider trusts has said, signed, on whose behalf it works.",
                not_for: "signing users in: nobody is asked.",
            },
            ServerFlow::ClientCredentials => About {
                title: "Client credentials",
                spec: "RFC 6749 §4.4",
                url: "https://www.rfc-editor.org/rfc/rfc6749#section-4.4",
                good_for: "a server that works for itself: a nightly job, one service that calls another.",
                not_for: "a page, which has no secret; and what a user should have allowed.",
            },
            ServerFlow::Code => About {
                title: "Code with client authentication",
                spec: "RFC 6749 §4.1",
                url: "https://www.rfc-editor.org/rfc/rfc6749#section-4.1",
                good_for: "a website with a server of its own: tokens stay there, and the browser has a cookie.",
                not_for: "an app that has only a static host.",
            },
            ServerFlow::Exchange => About {
                title: "Token exchange",
                spec: "RFC 8693",
                url: "https://www.rfc-editor.org/rfc/rfc8693",
                good_for: "a server that was called with a user’s token, and calls the next one on that user’s behalf.",
                not_for: "handing the same token on: each server gets one of its own.",
            },
            ServerFlow::Password => About {
                title: "Password",
                spec: "RFC 6749 §4.3",
                url: "https://www.rfc-editor.org/rfc/rfc6749#section-4.3",
                good_for: "an old system, until it has something better. Here the server knows Alice’s password.",
                not_for: "anything new: RFC 9700 says it “MUST NOT be used”. The server sees the password.",
            },
        }
    }

    /// What goes to the token endpoint with the server's secret.
    fn presents(self) -> &'static str {
        match self {
            ServerFlow::Assertion => "assertion",
            ServerFlow::ClientCredentials => "secret",
            ServerFlow::Code => "code, secret",
            ServerFlow::Exchange => "your token",
            ServerFlow::Password => "password",
        }
    }

    /// Lets the backend follow the flow.
    pub async fn run(self, api: Api) -> Result<Answer, Error> {
        let request = Request::new("POST", api.url(&["/flows/", self.name()].concat()));
        api.send(request, self == ServerFlow::Exchange).await.map(|response| self.read(&response))
    }

    /// Leaves for the backend, which leaves for the provider. Both come back.
    pub fn leave(api: Api) {
        let Ok(crypto) = window().crypto() else { return };
        let run = crypto.random_uuid();
        storage::write(KEY, &run);
        let from = window().location().origin().unwrap_or_default();
        let _ = window().location().assign(&api.url(&["/flows/code/begin?run=", &run, "&from=", &from].concat()));
    }

    /// What came of the last time that the browser went away.
    pub async fn came_back(api: Api) -> Option<Result<Answer, Error>> {
        let run = storage::read(KEY)?;
        let outcome = api.send(Request::get(api.url(&["/flows/code/outcome?run=", &run].concat())), false).await;
        Some(outcome.map(|response| ServerFlow::Code.read(&response)))
    }

    fn read(self, response: &Response) -> Answer {
        let document = response.json().unwrap_or(Json::Null);
        if !response.is_success() {
            let code = text(&document, "error").unwrap_or_else(|| response.status.to_string());
            let message = text(&document, "message").unwrap_or_else(|| "the demo’s server gave no answer that can be read".to_owned());
            return Answer { facts: Vec::new(), failed: Some(Failed { code, message }), steps: Vec::new() };
        }
        let failed =
            document.get("failed").and_then(|failed| Some(Failed { code: text(failed, "code")?, message: text(failed, "message")? }));
        let list = |name| document.get(name).and_then(Json::as_array).unwrap_or_default();
        let scopes = list("scopes").iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" ");
        let mut facts = Vec::new();
        let named = [("On behalf of", "who"), ("Client", "client"), ("Acting", "acting")];
        facts.extend(named.into_iter().filter_map(|(label, name)| Some((label, text(&document, name)?))));
        if !scopes.is_empty() {
            facts.push(("Granted", scopes));
        }
        facts.extend(list("tokens").iter().filter_map(|token| {
            let length = token.get("length").and_then(Json::as_number).and_then(Number::floor)?;
            Some(("Got", format!("{}, {}, {length} characters", text(token, "name")?, text(token, "kind")?)))
        }));
        Answer { facts, steps: self.steps(list("steps"), failed.as_ref()), failed }
    }

    fn steps(self, noted: &[Json], failed: Option<&Failed>) -> Vec<Step> {
        use Lane::{Api, App, Provider, Server, You};
        let request = |from, to, says: &str| Step::new(from, to, says, By::Request);
        let mut steps = vec![match self {
            ServerFlow::Code => Step::new(You, Server, "click", By::Address),
            ServerFlow::Exchange => request(App, Server, "your token"),
            _ => request(App, Server, "click"),
        }];
        for step in noted {
            let field = |name| text(step, name).unwrap_or_default();
            let status = step.get("status").map_or_else(|| "no answer".to_owned(), Json::to_string);
            let error = field("error");
            match (field("what").as_str(), field("to").as_str(), field("path").as_str()) {
                ("left", ..) => steps.push(Step::new(Server, Provider, "challenge", By::Address)),
                ("came_back", ..) if error.is_empty() => {
                    steps.push(Step::new(You, Provider, "yes", By::Person));
                    steps.push(Step::new(Provider, Server, "code", By::Address));
                }
                ("came_back", ..) => {
                    steps.extend((error == "access_denied").then(|| Step::new(You, Provider, "no", By::Person)));
                    steps.push(Step::new(Provider, Server, "error", By::Address));
                }
                (_, "provider", path) if path.starts_with("/.well-known/") => steps.push(request(Provider, Server, "metadata")),
                (_, "provider", "/jwks") => steps.push(request(Provider, Server, "keys")),
                (_, "provider", "/token") => {
                    steps.push(request(Server, Provider, self.presents()));
                    steps.push(match status.as_str() {
                        "200" => request(Provider, Server, "token"),
                        status => Step::new(Provider, Server, status, By::Failure),
                    });
                }
                (_, "api", _) => steps.extend([request(Server, Api, "token"), request(Api, Server, &status)]),
                (.., path) => steps.push(request(Server, Provider, path)),
            }
        }
        match failed {
            Some(Failed { code, .. }) => steps.push(Step::new(Server, Server, code, By::Failure)),
            None if self == ServerFlow::Code => steps.push(Step::new(Server, You, "signed in", By::Address)),
            None => steps.push(request(Server, App, "done")),
        }
        steps
    }
}

fn text(json: &Json, name: &str) -> Option<String> {
    json.get(name).and_then(Json::as_str).map(str::to_owned)
}
