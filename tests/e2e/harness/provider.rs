//! The real provider and its API, each behind a server that writes down what it is asked.
//!
//! The app knows only those in front, so that the count and the content of every request are known in any engine.

use std::{collections::HashMap, path::PathBuf, process::Command};

use tempfile::TempDir;
use tokio::sync::{Mutex, watch};

use super::{
    Setting,
    http::{Log, Request, Response, Server},
    process::{Process, free_port},
};

/// Somebody with an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) login: &'static str,
    pub(crate) password: &'static str,
    pub(crate) name: &'static str,
}

pub(crate) const ALICE: User = User { login: "alice", password: "alice-password", name: "Alice Archer" };
pub(crate) const BOB: User = User { login: "bob", password: "bob-password", name: "Bob Baker" };

pub(crate) const AUTHORIZE: &str = "/auth";
pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(crate) const KEYS: &str = "/jwks";
pub(crate) const REVOCATION: &str = "/token/revocation";
pub(crate) const TOKEN: &str = "/token";

/// What becomes of the answers to requests that were let through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answers {
    Come,
    /// The next so many do not come: whoever asked does not know what became of the request.
    GetLost(usize),
    /// They come later, when they may.
    Wait,
}

/// What becomes of an answer of provider or API before it reaches the browser.
pub(crate) type Break = fn(&Request, &mut Response);

/// As it is.
pub(crate) const WHOLE: Break = |_, _| {};

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) api: String,
    /// What the API calls itself in a token.
    pub(crate) resource: String,
    pub(crate) log: Log,
    pub(crate) api_log: Log,
    app_origin: String,
    setting: Setting,
    ports: Ports,
    answers: watch::Sender<HashMap<&'static str, Answers>>,
    broken: watch::Sender<Break>,
    running: Mutex<Option<Running>>,
    folder: TempDir,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    issuer: u16,
    api: u16,
    behind_issuer: u16,
    behind_api: u16,
}

#[derive(Debug)]
struct Running {
    node: Process,
    servers: Vec<Server>,
}

impl Provider {
    pub(crate) async fn start(app_origin: &str, setting: Setting) -> Self {
        let host = if setting.provider_is_same_site { "127.0.0.1" } else { "localhost" };
        let ports = Ports { issuer: free_port(), api: free_port(), behind_issuer: free_port(), behind_api: free_port() };
        let provider = Self {
            issuer: format!("http://{host}:{}", ports.issuer),
            api: format!("http://localhost:{}/", ports.api),
            resource: format!("http://localhost:{}/", ports.behind_api),
            log: Log::default(),
            api_log: Log::default(),
            app_origin: app_origin.to_owned(),
            setting,
            ports,
            answers: watch::Sender::default(),
            broken: watch::Sender::new(WHOLE),
            running: Mutex::default(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        provider.start_again().await;
        provider
    }

    /// Nobody answers any more, and whoever was signed in is forgotten.
    pub(crate) async fn stop(&self) {
        self.disconnect().await;
        self.running.lock().await.take();
    }

    pub(crate) async fn start_again(&self) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../demo/provider/server.js");
        let mut command = Command::new("node");
        command.arg(script).env("TOKENKEEP_ISSUER", &self.issuer).env("TOKENKEEP_APP_ORIGINS", &self.app_origin);
        command.env("TOKENKEEP_PROVIDER_PORT", self.ports.behind_issuer.to_string());
        command.env("TOKENKEEP_API_PORT", self.ports.behind_api.to_string());
        command.env("TOKENKEEP_API_ORIGIN", self.api.trim_end_matches('/'));
        if let Some(lifetime) = self.setting.lifetime {
            command.env("TOKENKEEP_ACCESS_TOKEN_TTL", lifetime.to_string());
        }
        if self.setting.provider_is_cut_off {
            command.env("TOKENKEEP_COOP", "1");
        }
        // Should the tests be killed, it ends too.
        command.env("TOKENKEEP_END_WITH", std::process::id().to_string());
        let mut node = Process::start(&mut command, self.folder.path(), "provider");
        node.is_ready(async || self.answers().await).await;
        *self.running.lock().await = Some(Running { node, servers: self.forward().await });
    }

    /// Connections are refused, but nobody is forgotten.
    pub(crate) async fn disconnect(&self) {
        if let Some(running) = self.running.lock().await.as_mut() {
            for server in running.servers.drain(..) {
                server.stop().await;
            }
        }
    }

    pub(crate) async fn connect(&self) {
        let mut running = self.running.lock().await;
        let running = running.as_mut().expect("a provider that was not stopped");
        assert!(running.servers.is_empty(), "it is connected");
        running.servers = self.forward().await;
    }

    /// From now on, and for requests that wait already. Whether a request is allowed (CORS), and whether anybody is
    /// there at all (HEAD), is always answered.
    pub(crate) fn let_answers(&self, path: &'static str, answers: Answers) {
        self.answers.send_modify(|all| {
            all.insert(path, answers);
        });
    }

    /// From now on.
    pub(crate) fn breaks(&self, how: Break) {
        self.broken.send_replace(how);
    }

    async fn forward(&self) -> Vec<Server> {
        let Ports { issuer, api, behind_issuer, behind_api } = self.ports;
        let third_parties = self.setting.cookies_for_third_parties;
        let issuer = forward(issuer, behind_issuer, &self.log, &self.answers, &self.broken, third_parties).await;
        vec![issuer, forward(api, behind_api, &self.api_log, &self.answers, &self.broken, false).await]
    }

    async fn answers(&self) -> bool {
        for port in [self.ports.behind_issuer, self.ports.behind_api] {
            if !Request::get("/health", port).send_to(port).await.is_ok_and(|response| response.status == 200) {
                return false;
            }
        }
        true
    }

    /// What the program printed.
    pub(crate) async fn output(&self) -> String {
        self.running.lock().await.as_ref().map(|running| running.node.output()).unwrap_or_default()
    }
}

async fn forward(
    port: u16,
    to: u16,
    log: &Log,
    answers: &watch::Sender<HashMap<&'static str, Answers>>,
    broken: &watch::Sender<Break>,
    cookies_for_third_parties: bool,
) -> Server {
    let (answers, broken) = (answers.clone(), broken.clone());
    Server::start(port, log.clone(), move |request| {
        let answers = answers.clone();
        let breaks = *broken.borrow();
        async move {
            let mut response = request.send_to(to).await.ok()?;
            breaks(&request, &mut response);
            if cookies_for_third_parties {
                response.headers = response.headers.into_iter().flat_map(for_third_parties).collect();
            }
            if matches!(request.method.as_str(), "HEAD" | "OPTIONS") {
                return Some(response);
            }
            let path = request.path();
            answers.subscribe().wait_for(|all| all.get(path) != Some(&Answers::Wait)).await.ok()?;
            response.is_lost = answers.send_if_modified(|all| match all.get_mut(path) {
                Some(Answers::GetLost(next)) if *next > 0 => {
                    *next -= 1;
                    true
                }
                _ => false,
            });
            Some(response)
        }
    })
    .await
}

/// A cookie that goes with requests from pages of other sites too. WebKit takes no secure one without TLS; the others do from this
/// machine, and take no other one that is for third parties.
fn for_third_parties((name, value): (String, String)) -> Vec<(String, String)> {
    if name != "set-cookie" {
        return vec![(name, value)];
    }
    let kept = value.split(';').filter(|part| !part.trim().to_ascii_lowercase().starts_with("samesite")).collect::<Vec<_>>().join(";");
    let with = |more: &str| (name.clone(), format!("{kept}; SameSite=None{more}"));
    vec![with(""), with("; Secure")]
}
