//! The world of one test: the app, the provider with its API, and a browser, all its own.

mod app;
mod browser;
mod engine;
pub(crate) mod http;
mod process;
pub(crate) mod provider;

use std::panic::{self, AssertUnwindSafe};

use futures_util::FutureExt;

pub(crate) use app::App;
pub(crate) use browser::Browser;
pub(crate) use engine::{Cookies, Engine};
use http::Response;
use provider::{AUTHORIZE, Provider, TOKEN, User};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) browser: Browser,
    pub(crate) provider: Provider,
    tolerated: std::sync::Mutex<Vec<&'static str>>,
}

/// Plays a test in a world of its own. When it fails, what was to be seen is printed.
pub(crate) async fn play(test: impl AsyncFn(&World)) {
    play_in(Setting::default(), test).await;
}

/// The same in a browser that treats cookies in this way.
pub(crate) async fn play_with(cookies: Cookies, test: impl AsyncFn(&World)) {
    play_in(Setting { cookies, ..Setting::default() }, test).await;
}

/// What is different from the usual.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setting {
    pub(crate) cookies: Cookies,
    /// How long access tokens live, in seconds.
    pub(crate) lifetime: Option<u32>,
    /// The provider's pages have a `Cross-Origin-Opener-Policy` that cuts them off from whoever opened them.
    pub(crate) provider_is_cut_off: bool,
    /// The provider is at the app's own host, and so its cookies are first-party.
    pub(crate) provider_is_same_site: bool,
    /// The provider's cookies are meant for pages of other sites too.
    pub(crate) cookies_for_third_parties: bool,
}

/// The same in a setting. A browser that crashed has shown nothing: then it is played once more.
pub(crate) async fn play_in(setting: Setting, test: impl AsyncFn(&World)) {
    for may_crash in [true, false] {
        let world = World::new(setting).await;
        let mut outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
        if outcome.is_ok() {
            outcome = AssertUnwindSafe(world.is_quiet()).catch_unwind().await;
        }
        let crashed = outcome.is_err() && world.browser.is_dead().await;
        if outcome.is_err() {
            world.describe().await;
        }
        world.browser.end().await;
        match outcome {
            Ok(()) => return,
            Err(_) if crashed && may_crash => println!("--- the browser crashed: once more"),
            Err(panic) => panic::resume_unwind(panic),
        }
    }
}

impl World {
    async fn new(setting: Setting) -> Self {
        let app = App::start().await;
        let (provider, browser) = tokio::join!(Provider::start(&app.origin, setting), Browser::start(&app.origin, setting.cookies));
        app.serve_config(Response::new(200, "application/json", App::config(&provider).to_string()));
        // The console says it, too, when there is no worker.
        let tolerated = if app.has_worker() { Vec::new() } else { vec!["keep_loader.js", "Failed to fetch a worker script"] };
        Self { app, browser, provider, tolerated: tolerated.into() }
    }

    /// Whether the tokens are in a worker that is still there after a reload.
    pub(crate) fn outlives_reloads(&self) -> bool {
        self.app.has_worker() && self.browser.engine == Engine::Chromium
    }

    pub(crate) async fn open(&self, place: &str) {
        self.browser.open(&self.app.url(place)).await;
    }

    /// Opens the app and signs in.
    pub(crate) async fn sign_in(&self, user: User) {
        self.open("/").await;
        self.browser.click("Sign in").await;
        self.browser.sign_in_at_provider(user).await;
        self.browser.is_signed_in_as(user).await;
    }

    /// How many codes were sent to the token endpoint.
    pub(crate) fn exchanges(&self) -> usize {
        self.provider.log.count("POST", TOKEN)
    }

    /// How often a browser was sent to sign in.
    pub(crate) fn authorizations(&self) -> usize {
        self.provider.log.count("GET", AUTHORIZE)
    }

    /// The callbacks that the browser was sent to.
    pub(crate) fn callbacks(&self) -> Vec<String> {
        self.app.log.of("GET", "/callback").into_iter().map(|exchange| self.app.url(&exchange.request.target)).collect()
    }

    /// The addresses that back and forward lead to in this tab, and this one. Only at the end of a test: in WebKit one has to walk
    /// there, and so that no page does anything on the way, there is nobody left to ask.
    pub(crate) async fn history(&self) -> Vec<String> {
        if let Some(history) = self.browser.history().await {
            return history;
        }
        self.app.stop().await;
        self.provider.stop().await;
        self.browser.walk_back().await
    }

    /// This test means the console to say that, or a page to be kept from it.
    pub(crate) fn tolerate(&self, text: &'static str) {
        self.tolerated.lock().unwrap().push(text);
    }

    /// No page did what its policy forbids, and no error went to the console.
    async fn is_quiet(&self) {
        let tolerated = self.tolerated.lock().unwrap().clone();
        let is_meant = |text: &String| tolerated.iter().any(|tolerated| text.contains(tolerated));
        let violations: Vec<_> = self.app.violations().into_iter().filter(|violation| !is_meant(violation)).collect();
        assert_eq!(violations, Vec::<String>::new(), "the Content-Security-Policy forbids that");
        let errors = self.browser.console().await.into_iter().filter(|message| message.is_error).map(|message| message.text);
        let errors: Vec<_> = errors.filter(|message| !is_meant(message)).collect();
        assert_eq!(errors, Vec::<String>::new(), "the console shows errors");
    }

    async fn describe(&self) {
        println!("--- the page at {}\n{}", self.browser.address().await, self.browser.text().await);
        println!("--- happened: {}", self.browser.events().await.join(", "));
        for message in self.browser.console().await {
            println!("--- console: {}{}", if message.is_error { "ERROR " } else { "" }, message.text);
        }
        for (who, log) in [("app", &self.app.log), ("provider", &self.provider.log), ("API", &self.provider.api_log)] {
            for exchange in log.all() {
                let status = exchange.response.map_or("-".to_owned(), |response| response.status.to_string());
                println!("--- {who}: {} {} {status}", exchange.request.method, exchange.request.target);
            }
        }
        println!("--- the provider's output\n{}", self.provider.output().await);
        println!("--- a picture: {}", self.browser.picture().await.display());
    }
}
