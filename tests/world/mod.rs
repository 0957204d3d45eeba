//! A provider, an API, tabs, a clock and a network, all in memory. Time moves by `later`, chance comes from a seed.
//!
//! What a hostile world does is one verb: `answer` and `change` replace or edit what an endpoint answers, `claims`, `header` and
//! `sign_with` change the ID token, `callback` changes the response in the address.

mod crypto;
mod provider;
mod refusal;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

pub use crypto::{Key, b64, verify};
pub use provider::{Endpoint, Parameters, Provider, json_response};
pub use refusal::{refusal, refusal_as};
use tokenkeep::{
    Client, Config, Error, Event, Finished, Session, SignIn, State, Subscription,
    keep::ports::{Answer, Clock, Crypto, Http, HttpFailure, NoCrypto, Ports, Store, StoreFailure},
    page::ports::Navigation,
    protocol::{Cache, Request, Response, SignatureCheck, UnixTime},
};

pub const ORIGIN: &str = "https://app.example";
pub const ISSUER: &str = "https://as.example";
pub const CLIENT: &str = "my-app";
pub const API: &str = "https://api.example/v1/";
/// When every world begins: 2026-11-21T08:00:00Z.
pub const START: u64 = 1_795_248_000;

/// Everything outside the library.
#[derive(Clone)]
pub struct World(Rc<Outside>);

pub struct Outside {
    pub provider: Provider,
    pub time: Rc<Time>,
    pub network: Rc<Network>,
    pub disk: Rc<Disk>,
    pub chance: Rc<Chance>,
}

impl std::ops::Deref for World {
    type Target = Outside;
    fn deref(&self) -> &Outside {
        &self.0
    }
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl World {
    pub fn new() -> World {
        World::seeded(1)
    }

    /// A world whose randomness and interleavings come from a seed.
    pub fn seeded(seed: u64) -> World {
        let time = Rc::new(Time { now: Cell::new(START * 1000), ahead: Cell::default(), slept: RefCell::default() });
        let chance = Rc::new(Chance { state: Cell::new(seed), broken: Cell::default(), absent: Cell::default() });
        let provider = Provider::new(time.clone());
        let network = Rc::new(Network {
            provider: provider.clone(),
            log: RefCell::default(),
            answers: RefCell::default(),
            latency: Cell::default(),
            chance: chance.clone(),
        });
        World(Rc::new(Outside { provider, time, network, disk: Rc::default(), chance }))
    }

    /// The configuration that tests begin with.
    pub fn config() -> Config {
        Config::new(ISSUER, CLIENT).scopes("openid profile orders:read").api(API)
    }

    /// A new tab with nothing but the app's start page in it.
    pub fn tab(&self) -> Tab {
        self.tab_with(&World::config()).expect("the usual configuration works")
    }

    /// A new tab with another configuration.
    pub fn tab_with(&self, config: &Config) -> Result<Tab, Error> {
        self.tab_at(config, &format!("{ORIGIN}/"))
    }

    /// A new tab that opens this address.
    pub fn tab_at(&self, config: &Config, address: &str) -> Result<Tab, Error> {
        let bar = Rc::new(Bar { address: RefCell::new(address.to_owned()), ..Bar::default() });
        let events: Rc<RefCell<Vec<Event>>> = Rc::default();
        let client = Client::open(config, self.ports(), bar.clone())?;
        let sink = events.clone();
        let listening = Rc::new(client.on_event(move |event| sink.borrow_mut().push(event.clone())));
        Ok(Tab { world: self.clone(), config: config.clone(), client, bar, events, _listening: listening })
    }

    pub fn ports(&self) -> Ports {
        Ports { clock: self.time.clone(), crypto: self.chance.clone(), http: self.network.clone(), store: self.disk.clone() }
    }

    /// Time passes, for the device and for the provider.
    pub fn later(&self, span: Duration) {
        self.time.now.set(self.time.now.get() + u64::try_from(span.as_millis()).unwrap());
    }

    /// The requests that were sent, in order.
    pub fn requests(&self) -> Vec<Sent> {
        self.network.log.borrow().clone()
    }

    /// How many requests went to an endpoint.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.requests().iter().filter(|sent| sent.to == Some(endpoint)).count()
    }

    /// The answers that arrived, in order.
    pub fn answers(&self) -> Vec<(Option<Endpoint>, Response)> {
        self.network.answers.borrow().clone()
    }

    /// Everything that nobody but client and provider may see: codes, states, nonces, verifiers and tokens that were on the wire.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.provider.secrets();
        for sent in self.requests() {
            secrets.extend(["code", "code_verifier"].iter().filter_map(|name| sent.field(name)));
            secrets.extend(sent.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned));
        }
        for (from, answer) in self.answers() {
            if from == Some(Endpoint::Token)
                && let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body)
            {
                let tokens = ["access_token", "refresh_token", "id_token"].iter().filter_map(|name| body[*name].as_str());
                // Of an ID token also its parts: neither claims nor signature may go about alone.
                secrets.extend(tokens.clone().map(str::to_owned));
                secrets.extend(tokens.flat_map(|token| token.split('.').skip(1)).map(str::to_owned));
            }
        }
        secrets.retain(|secret| secret.len() >= 8);
        secrets.sort();
        secrets.dedup();
        secrets
    }

    /// Everything that outlives the page, as it is now. Compare it to show that nothing changed.
    pub fn stored(&self) -> BTreeMap<String, String> {
        self.disk.records.borrow().clone()
    }
}

/// One tab: an address bar, and the page in it.
#[derive(Clone)]
pub struct Tab {
    pub world: World,
    pub config: Config,
    pub client: Client,
    pub bar: Rc<Bar>,
    pub events: Rc<RefCell<Vec<Event>>>,
    _listening: Rc<Subscription>,
}

impl Tab {
    /// The whole way: leave, sign in at the provider, come back, finish.
    pub fn sign_in(&mut self) -> Result<Session, Error> {
        self.sign_in_as(SignIn::default())
    }

    pub fn sign_in_as(&mut self, sign_in: SignIn) -> Result<Session, Error> {
        let url = self.leave(sign_in)?;
        let callback = self.world.provider.authorize(&url);
        match self.arrive(&callback)? {
            Finished::SignedIn { session, .. } => Ok(session),
            Finished::Nothing => panic!("no response was seen in {callback}"),
        }
    }

    /// Leaves for the provider: the authorization URL.
    pub fn leave(&self, sign_in: SignIn) -> Result<String, Error> {
        run(self.client.sign_in(sign_in))?;
        Ok(self.bar.went.borrow().last().cloned().expect("the browser left"))
    }

    /// The browser loads this address in this tab: a new page, with nothing in memory. It finishes the sign-in, if there is one.
    pub fn arrive(&mut self, address: &str) -> Result<Finished, Error> {
        self.load(address);
        run(self.client.finish_sign_in())
    }

    /// The browser loads this address in this tab: a new page, with nothing in memory.
    pub fn load(&mut self, address: &str) {
        *self = self.world.tab_at(&self.config, address).expect("it was opened with this configuration before");
    }

    /// The same page sees another address, and finishes what it finds there.
    pub fn see(&self, address: &str) -> Result<Finished, Error> {
        *self.bar.address.borrow_mut() = address.to_owned();
        run(self.client.finish_sign_in())
    }

    pub fn fetch(&self, url: &str) -> Result<Response, Error> {
        run(self.client.fetch(Request::get(url)))
    }

    pub fn state(&self) -> State {
        self.client.state()
    }

    pub fn address(&self) -> String {
        self.bar.address.borrow().clone()
    }

    /// All that this tab shows to a user, to the app and to whoever reads its log: events, state, address bar, storage.
    pub fn visible(&self) -> String {
        let mut seen = format!("{:?} {} {:?}", self.state(), self.address(), self.bar.replaced.borrow());
        for event in self.events.borrow().iter() {
            seen += &format!(" {event:?} {event}");
            if let Event::Failed(error) = event {
                seen += &format!(" {error:?} {error} {}", error.code());
            }
        }
        format!("{seen} {:?}", self.world.stored())
    }

    pub fn session(&self) -> Option<Session> {
        if let State::SignedIn(session) = self.state() { Some(session) } else { None }
    }
}

/// Runs a future to its end. Nothing here waits for the outside, so polling again is all it takes.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return outcome;
        }
    }
    panic!("the future never ends");
}

pub struct Time {
    pub now: Cell<u64>,
    /// By how many milliseconds the device's clock is ahead of the provider's, which is right.
    pub ahead: Cell<i64>,
    pub slept: RefCell<Vec<Duration>>,
}

impl Clock for Time {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.now.get().saturating_add_signed(self.ahead.get()))
    }

    fn sleep(&self, span: Duration) -> Answer<'_, ()> {
        self.slept.borrow_mut().push(span);
        self.now.set(self.now.get() + u64::try_from(span.as_millis()).unwrap());
        Box::pin(async {})
    }
}

/// The device's cryptography: randomness from a seed, real verification.
pub struct Chance {
    state: Cell<u64>,
    /// The generator fails.
    pub broken: Cell<bool>,
    /// There is no WebCrypto at all.
    pub absent: Cell<bool>,
}

impl Chance {
    pub fn next(&self) -> u64 {
        // SplitMix64.
        self.state.set(self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.state.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Crypto for Chance {
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto> {
        if self.broken.get() {
            return Err(NoCrypto);
        }
        bytes.fill_with(|| self.next() as u8);
        Ok(())
    }

    fn verify<'a>(&'a self, check: &'a SignatureCheck<'a>) -> Answer<'a, Result<bool, NoCrypto>> {
        Box::pin(async move { Ok(crypto::verify(check)) })
    }

    fn is_available(&self) -> bool {
        !self.absent.get()
    }
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub to: Option<Endpoint>,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub cache: Cache,
}

impl Sent {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of a form field in the body.
    pub fn field(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.body.as_bytes()).find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
    }
}

pub struct Network {
    provider: Provider,
    log: RefCell<Vec<Sent>>,
    answers: RefCell<Vec<(Option<Endpoint>, Response)>>,
    /// The most times that an answer lets others go first; how often is up to the seed.
    pub latency: Cell<u64>,
    chance: Rc<Chance>,
}

impl Http for Network {
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>> {
        let sent = Sent {
            to: self.provider.endpoint(&request.url),
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect(),
            body: request.body.as_ref().map(|body| String::from_utf8_lossy(body.expose()).into_owned()).unwrap_or_default(),
            cache: request.cache,
        };
        self.log.borrow_mut().push(sent.clone());
        let turns = if self.latency.get() == 0 { 0 } else { self.chance.next() % (self.latency.get() + 1) };
        Box::pin(async move {
            for _ in 0..turns {
                yield_once().await;
            }
            let response = self.provider.answer_to(&sent)?;
            self.answers.borrow_mut().push((sent.to, response.clone()));
            // What the browser's adapter does: redirects are errors, and reading stops at the limit.
            match response.status {
                301..=303 | 307 | 308 => Err(HttpFailure::Unreachable),
                _ if response.body.len() > request.limit => Err(HttpFailure::TooLarge),
                _ => Ok(response),
            }
        })
    }
}

/// Lets another future go first.
pub async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// localStorage, seen by all tabs.
#[derive(Default)]
pub struct Disk {
    pub records: RefCell<BTreeMap<String, String>>,
    pub blocked: Cell<bool>,
    pub full: Cell<bool>,
}

impl Store for Disk {
    fn read(&self, key: &str) -> Result<Option<String>, StoreFailure> {
        if self.blocked.get() { Err(StoreFailure::Blocked) } else { Ok(self.records.borrow().get(key).cloned()) }
    }

    fn write(&self, key: &str, text: &str) -> Result<(), StoreFailure> {
        match (self.blocked.get(), self.full.get()) {
            (true, _) => Err(StoreFailure::Blocked),
            (_, true) => Err(StoreFailure::Full),
            _ => {
                self.records.borrow_mut().insert(key.to_owned(), text.to_owned());
                Ok(())
            }
        }
    }

    fn remove(&self, key: &str) {
        if !self.blocked.get() {
            self.records.borrow_mut().remove(key);
        }
    }

    fn keys(&self) -> Vec<String> {
        if self.blocked.get() { Vec::new() } else { self.records.borrow().keys().cloned().collect() }
    }
}

/// An address bar.
#[derive(Default)]
pub struct Bar {
    pub address: RefCell<String>,
    /// Addresses that the page put there itself, without loading them.
    pub replaced: RefCell<Vec<String>>,
    /// Where the browser was sent.
    pub went: RefCell<Vec<String>>,
    pub framed: Cell<bool>,
    returned: RefCell<Option<Rc<dyn Fn()>>>,
}

impl Bar {
    /// The user pressed Back, and the page comes out of the back/forward cache as it was.
    pub fn come_back(&self) {
        if let Some(returned) = &*self.returned.borrow() {
            returned();
        }
    }
}

impl Navigation for Bar {
    fn origin(&self) -> String {
        ORIGIN.to_owned()
    }

    fn address(&self) -> String {
        self.address.borrow().clone()
    }

    fn replace(&self, address: &str) {
        self.replaced.borrow_mut().push(address.to_owned());
        *self.address.borrow_mut() = address.to_owned();
    }

    fn go(&self, url: &str) {
        self.went.borrow_mut().push(url.to_owned());
    }

    fn resolve(&self, url: &str) -> Option<String> {
        let base = url::Url::parse(&self.address.borrow()).ok()?;
        base.join(url).ok().map(String::from)
    }

    fn is_framed_by_another_origin(&self) -> bool {
        self.framed.get()
    }

    fn on_return(&self, callback: Rc<dyn Fn()>) {
        *self.returned.borrow_mut() = Some(callback);
    }
}
