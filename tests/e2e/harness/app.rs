//! The app: the built demo on a static server, as it is served in life.

use std::{
    env, fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    http::{Log, Request, Response, Server},
    provider::Provider,
};

/// Stands in the built page for a nonce that is new in every response.
const NONCE: &str = "{{__TRUNK NONCE__}}";

/// The worker of the Leptos demo, and the policy that its server should send with it.
const KEEP: &str = "/keep_loader.js";
const OF_KEEP: &str =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' http://localhost:9400 http://localhost:9500";

/// Where the browser says that a page did what its Content-Security-Policy forbids.
const REPORTS: &str = "/content-security-policy-report";

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) origin: String,
    pub(crate) log: Log,
    config: Arc<Mutex<Response>>,
    config_is_held: watch::Sender<bool>,
    server: tokio::sync::Mutex<Option<Server>>,
}

impl App {
    /// Serves at a free port. Until there is a [`serve_config`](Self::serve_config), config.json is empty.
    pub(crate) async fn start() -> Self {
        let files = Arc::new(Files::new());
        let config = Arc::new(Mutex::new(Response::default()));
        let log = Log::default();
        let served = config.clone();
        let (config_is_held, held) = watch::channel(false);
        let server = Server::start(0, log.clone(), move |request| {
            let (files, config, mut held) = (files.clone(), served.clone(), held.clone());
            async move {
                if request.path() == "/config.json" {
                    held.wait_for(|held| !held).await.ok()?;
                }
                Some(answer(&request, &files, &config.lock().unwrap()))
            }
        })
        .await;
        Self { origin: format!("http://127.0.0.1:{}", server.port), log, config, config_is_held, server: Some(server).into() }
    }

    /// Whether there is a worker for the keep. Without one it is in the page.
    pub(crate) fn has_worker(&self) -> bool {
        !keep_is_in_page()
    }

    pub(crate) fn url(&self, place: &str) -> String {
        format!("{}{place}", self.origin)
    }

    /// The config.json that leads to this provider.
    pub(crate) fn config(provider: &Provider) -> Value {
        json!({
            "issuer": provider.issuer,
            "client_id": "tokenkeep-demo",
            "scopes": ["openid", "profile", "email", "offline_access", "orders:read"],
            "resource": provider.resource,
            "api": provider.api,
        })
    }

    /// Nobody serves it any more.
    pub(crate) async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    pub(crate) fn serve_config(&self, config: Response) {
        *self.config.lock().unwrap() = config;
    }

    /// Lets config.json wait, or come.
    pub(crate) fn hold_config(&self, held: bool) {
        self.config_is_held.send_replace(held);
    }

    /// What a page did against its Content-Security-Policy.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.log.of("POST", REPORTS).iter().map(|report| String::from_utf8_lossy(&report.request.body).into_owned()).collect()
    }
}

fn answer(request: &Request, files: &Files, config: &Response) -> Response {
    match (request.method.as_str(), request.path()) {
        ("POST", REPORTS) => Response { status: 204, ..Response::default() },
        ("GET", "/config.json") => config.clone().with("cache-control", "no-cache"),
        ("GET", KEEP) if keep_is_in_page() => Response::new(404, "text/plain", "this app has no worker"),
        ("GET", path) => files.read(path, config, request.header("host").unwrap_or_default()),
        _ => Response::new(405, "text/plain", "only GET"),
    }
}

/// What `trunk build` made, and the headers that Trunk.toml gives to it; or what Vite made, which brings its headers along.
struct Files {
    folder: PathBuf,
    policy: String,
    /// The path of the worker's script, and the policy that comes with it.
    keep: (String, String),
    headers: Vec<(String, String)>,
}

/// TOKENKEEP_KEEP=page: the Leptos demo finds no worker.
fn keep_is_in_page() -> bool {
    env::var("TOKENKEEP_KEEP").is_ok_and(|keep| keep == "page")
}

fn dist() -> PathBuf {
    let folder = env::var_os("TOKENKEEP_DIST").map(PathBuf::from).filter(|folder| folder.join("index.html").is_file());
    folder.expect("TOKENKEEP_DIST: the absolute path of what `trunk build --release` made")
}

impl Files {
    fn new() -> Self {
        let folder = dist();
        if let Ok(text) = fs::read_to_string(folder.join("_headers")) {
            let mut blocks = text.split("\n\n").filter_map(|block| block.trim().split_once('\n')).map(|(path, lines)| {
                let all = lines.lines().filter_map(|line| line.trim().split_once(": "));
                let all = all.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
                let (policy, headers): (Vec<_>, Vec<_>) = all.partition(|(name, _)| name == "content-security-policy");
                (path.to_owned(), policy.into_iter().next().expect("a policy in _headers").1, headers)
            });
            let (_, policy, headers) = blocks.next().expect("what comes with everything");
            let (path, of_keep, _) = blocks.next().expect("what comes with the worker");
            return Self { folder, policy, keep: (path, of_keep), headers };
        }
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Trunk.toml")).expect("Trunk.toml");
        let serve = text.parse::<toml::Table>().expect("Trunk.toml").remove("serve").expect("[serve]");
        let text = |value: &toml::Value| value.as_str().expect("a text").to_owned();
        let directives: Vec<_> = serve["csp"].as_array().expect("csp").iter().map(text).collect();
        let headers = serve["headers"].as_table().expect("headers").iter();
        Self {
            folder,
            policy: directives.join("; "),
            keep: (KEEP.to_owned(), OF_KEEP.to_owned()),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect(),
        }
    }

    /// A file, or the page of the app for what is none: its router knows what to show.
    fn read(&self, path: &str, config: &Response, host: &str) -> Response {
        let file = path.trim_start_matches('/');
        let is_safe = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        let known = (is_safe && file.contains('.')).then(|| fs::read(self.folder.join(file)).ok()).flatten();
        let response = match known {
            Some(bytes) if file != "index.html" => {
                let response = Response::new(200, content_type(file), bytes).with("cache-control", "public, max-age=31536000, immutable");
                if path == self.keep.0 { response.with("content-security-policy", told(&self.keep.1, config, host)) } else { response }
            }
            _ => self.page(config, host),
        };
        self.headers.iter().fold(response, |response, (name, value)| response.with(name, value))
    }

    fn page(&self, config: &Response, host: &str) -> Response {
        let nonce = format!("{:016x}", RandomState::new().build_hasher().finish());
        let html = fs::read_to_string(self.folder.join("index.html")).expect("index.html");
        assert!(html.contains(NONCE) == self.policy.contains("{{NONCE}}"), "index.html has no {NONCE}: was it built with create_nonce?");
        let policy = self.policy.replace("{{NONCE}}", &nonce);
        let policy = told(&policy, config, host);
        Response::new(200, "text/html; charset=utf-8", html.replace(NONCE, &nonce))
            .with("cache-control", "no-cache")
            .with("content-security-policy", format!("{policy}; report-uri {REPORTS}"))
    }
}

/// A policy names the demo's usual ports, and these are others.
fn told(policy: &str, config: &Response, host: &str) -> String {
    let configured: Value = serde_json::from_slice(&config.body).unwrap_or_default();
    let origin = |member: &str| configured[member].as_str().map(|url| url.trim_end_matches('/').to_owned());
    let policy = policy.replace("http://127.0.0.1:8080", &format!("http://{host}"));
    match (origin("issuer"), origin("api")) {
        (Some(issuer), Some(api)) => policy.replace("http://localhost:9400", &issuer).replace("http://localhost:9500", &api),
        _ => policy,
    }
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
