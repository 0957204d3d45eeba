//! A provider, an API, tabs, a clock and a network, all in memory. Time moves by `later`, chance comes from a seed.
//!
//! What a hostile world does is one verb: `answer` and `change` replace or edit what an endpoint answers, `claims`, `header` and
//! `sign_with` change the ID token, `callback` changes the response in the address.

mod crypto;
mod device;
mod dpop;
mod provider;
mod refusal;
mod servers;
mod tabs;
mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
    task::{Poll, Waker},
    time::Duration,
};

pub use crypto::{DeviceKey, Key, b64, verify};
pub use device::{Device, Process, Sleep, TabClock, TabTasks, Time, run, yield_once};
pub use dpop::Proof;
pub use provider::{Endpoint, Parameters, Provider, json_response, put};
pub use refusal::{refusal, refusal_as};
#[cfg(feature = "confidential")]
pub use servers::Credential;
pub use tabs::{BrowserFrames, BrowserLocks, Channels, Database, TabChannel, TabFrames, TabLocks};
use tokenkeep::{
    Client, Config, Error, Event, Finished, Session, SignIn, State, Subscription,
    keep::ports::{Answer, Crypto, FrameEvent, Http, HttpFailure, NoCrypto, Ports, ProofKey, Store, StoreFailure, Strongbox},
    page::ports::{FramedBy, Navigation, Wake},
    protocol::{Cache, Request, Response, Secret, SignatureCheck, UnixTime},
};
pub use worker::Worker;

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
    pub device: Rc<Device>,
    pub network: Rc<Network>,
    pub disk: Rc<Disk>,
    pub chance: Rc<Chance>,
    pub channels: Rc<Channels>,
    pub no_channels: Rc<Cell<bool>>,
    pub locks: Rc<BrowserLocks>,
    pub journal: Rc<Database>,
    pub frames: Rc<BrowserFrames>,
    /// Keeps are still there when their page has left and come back.
    pub keeps_survive: Cell<bool>,
    /// Sign-ins that wait for their response, as a worker stores them that ends with its pages.
    pub logins: RefCell<BTreeMap<String, String>>,
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
        let time = Time::starting_at(START * 1000);
        let chance = Rc::new(Chance { state: Cell::new(seed), ..Chance::default() });
        let provider = Provider::new(time.clone());
        let network = Rc::new(Network {
            provider: provider.clone(),
            log: RefCell::default(),
            answers: RefCell::default(),
            latency: Cell::default(),
            chance: chance.clone(),
            time: time.clone(),
            reached: RefCell::default(),
            weather: RefCell::default(),
            watch: RefCell::default(),
            apart: RefCell::default(),
        });
        let frames = Rc::new(BrowserFrames::default());
        *frames.time.borrow_mut() = Some(time.clone());
        let journal = Rc::new(Database::default());
        *journal.time.borrow_mut() = Some(time.clone());
        World(Rc::new(Outside {
            provider,
            device: Device::new(time.clone(), chance.clone()),
            time,
            network,
            disk: Rc::default(),
            chance,
            channels: Rc::default(),
            no_channels: Rc::default(),
            locks: Rc::default(),
            journal,
            frames,
            keeps_survive: Cell::default(),
            logins: RefCell::default(),
        }))
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
        let process = self.device.process();
        let client = Client::open(config, self.ports_of(&process), bar.clone())?;
        let sink = events.clone();
        let listening = Rc::new(client.on_event(move |event| sink.borrow_mut().push(event.clone())));
        let life = Rc::new(TabLife(process.clone()));
        Ok(Tab { world: self.clone(), config: config.clone(), client, bar, events, process, _listening: listening, _life: life })
    }

    pub fn ports(&self) -> Ports {
        self.ports_of(&self.device.process())
    }

    /// The ports of one tab.
    pub fn ports_of(&self, process: &Rc<Process>) -> Ports {
        let device = Rc::downgrade(&self.device);
        Ports {
            channel: Rc::new(TabChannel {
                channels: self.channels.clone(),
                device: device.clone(),
                process: process.clone(),
                absent: self.no_channels.clone(),
            }),
            clock: Rc::new(TabClock { time: self.time.clone(), process: process.clone() }),
            crypto: self.chance.clone(),
            frames: Rc::new(TabFrames(self.frames.clone())),
            http: Rc::new(TabHttp { network: self.network.clone(), process: process.clone() }),
            journal: self.journal.clone(),
            locks: Rc::new(TabLocks { locks: self.locks.clone(), process: process.clone(), time: self.time.clone() }),
            store: self.disk.clone(),
            survives_navigation: self.keeps_survive.get(),
            tasks: Rc::new(TabTasks { device, process: process.clone() }),
        }
    }

    /// Time passes, for the device and for the provider, and whatever is due meanwhile is done in its time.
    pub fn later(&self, span: Duration) {
        let end = self.time.now.get() + u64::try_from(span.as_millis()).unwrap();
        self.device.settle();
        while let Some(millis) = self.time.next_timer().filter(|millis| self.time.now.get() + millis <= end) {
            self.time.pass(millis);
            self.time.ring();
            self.device.settle();
        }
        self.time.pass(end.saturating_sub(self.time.now.get()));
    }

    /// The device sleeps: time passes, but no timer of it does.
    pub fn sleep(&self, span: Duration) {
        self.time.sleep_device(span);
    }

    /// Everything goes on until it waits for time to pass.
    pub fn settle(&self) {
        self.device.settle();
    }

    /// The provider is same-site: in a hidden frame it sees its session, and answers at once.
    pub fn frames_work(&self) {
        let provider = self.provider.clone();
        self.frame(move |url| {
            let text = Some(provider.authorize_silently(url));
            vec![FrameEvent::Message { origin: ORIGIN.to_owned(), from_frame: true, text }]
        });
    }

    /// What happens in a hidden frame that is opened at a URL.
    pub fn frame(&self, scene: impl FnMut(&str) -> Vec<FrameEvent> + 'static) {
        *self.frames.scene.borrow_mut() = Some(Box::new(scene));
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
            secrets.extend(sent.token().map(|(_, token)| token.to_owned()));
            // Proofs too, and their parts.
            secrets.extend(sent.header("dpop").into_iter().flat_map(|proof| proof.split('.')).map(str::to_owned));
            secrets.extend(sent.proof().and_then(|proof| proof.claim("jti").map(str::to_owned)));
        }
        for (from, answer) in self.answers() {
            if matches!(from, Some(Endpoint::DeviceAuthorization | Endpoint::Token))
                && let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body)
            {
                let tokens = ["access_token", "refresh_token", "id_token", "device_code"].iter().filter_map(|name| body[*name].as_str());
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
    pub process: Rc<Process>,
    _listening: Rc<Subscription>,
    _life: Rc<TabLife>,
}

/// When the last handle of a tab is gone, so is what ran in it.
struct TabLife(Rc<Process>);

impl Drop for TabLife {
    fn drop(&mut self) {
        self.0.dead.set(true);
    }
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
            other => panic!("no response was seen in {callback}: {other:?}"),
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

    /// Everything in all tabs goes on until it waits for time to pass, and then this is what this one shows.
    pub fn state(&self) -> State {
        self.world.settle();
        self.client.state()
    }

    /// Whether this event was told.
    pub fn was_told(&self, event: &Event) -> bool {
        self.events.borrow().contains(event)
    }

    /// Everything that was told since this was last asked.
    pub fn news(&self) -> Vec<Event> {
        self.world.settle();
        self.events.take()
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

/// The device's cryptography: randomness from a seed, real verification, and strongboxes that are numbers.
#[derive(Default)]
pub struct Chance {
    /// What was sealed, for which key.
    sealed: Rc<RefCell<BTreeMap<String, (String, String)>>>,
    /// Signatures that were verified before: a simulation verifies the same one in many tabs.
    verified: RefCell<BTreeMap<Vec<u8>, bool>>,
    state: Cell<u64>,
    /// The generator fails.
    pub broken: Cell<bool>,
    /// There is no WebCrypto at all.
    pub absent: Cell<bool>,
    /// No key for proofs can be made.
    pub no_keys: Cell<bool>,
    /// How many keys for proofs were made.
    pub keys: Cell<u64>,
    /// How often a key that is made from now on lets others go first when it signs.
    pub slow: Cell<u64>,
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
        Box::pin(async move {
            let what = [check.signed, b".", check.signature, format!("{:?}", check.key).as_bytes()].concat();
            if let Some(known) = self.verified.borrow().get(&what) {
                return Ok(*known);
            }
            let valid = crypto::verify(check);
            self.verified.borrow_mut().insert(what, valid);
            Ok(valid)
        })
    }

    fn strongbox(&self) -> Answer<'_, Result<Box<dyn Strongbox>, NoCrypto>> {
        let strongbox = Numbered { sealed: self.sealed.clone(), public_key: format!("public-{:x}", self.next()) };
        Box::pin(async move { if self.absent.get() { Err(NoCrypto) } else { Ok(Box::new(strongbox) as Box<dyn Strongbox>) } })
    }

    fn seal<'a>(&'a self, text: &'a Secret<String>, public_key: &'a str) -> Answer<'a, Result<String, NoCrypto>> {
        let sealed = format!("sealed-{:x}", self.next());
        Box::pin(async move {
            if !public_key.starts_with("public-") {
                return Err(NoCrypto);
            }
            self.sealed.borrow_mut().insert(sealed.clone(), (public_key.to_owned(), text.expose().clone()));
            Ok(sealed)
        })
    }

    fn proof_key(&self) -> Answer<'_, Result<Box<dyn ProofKey>, NoCrypto>> {
        let mut secret = [0; 32];
        let random = self.random(&mut secret);
        Box::pin(async move {
            random?;
            // Who asks at the same time asks before it is made.
            yield_once().await;
            if self.absent.get() || self.no_keys.get() {
                return Err(NoCrypto);
            }
            self.keys.set(self.keys.get() + 1);
            Ok(Box::new(DeviceKey::new(secret, self.slow.get()).ok_or(NoCrypto)?) as Box<dyn ProofKey>)
        })
    }

    fn is_available(&self) -> bool {
        !self.absent.get()
    }
}

/// A strongbox: what is sealed for it lies elsewhere, under a number.
struct Numbered {
    sealed: Rc<RefCell<BTreeMap<String, (String, String)>>>,
    public_key: String,
}

impl Strongbox for Numbered {
    fn public_key(&self) -> &str {
        &self.public_key
    }

    fn open<'a>(&'a self, sealed: &'a str) -> Answer<'a, Result<Secret<String>, NoCrypto>> {
        Box::pin(async move {
            let sealed = self.sealed.borrow().get(sealed).cloned();
            sealed.filter(|(key, _)| *key == self.public_key).map(|(_, text)| Secret::new(text)).ok_or(NoCrypto)
        })
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
    time: Rc<Time>,
    /// Whom somebody tried to reach.
    pub reached: RefCell<Vec<String>>,
    weather: RefCell<Option<Forecast>>,
    watch: RefCell<Option<Watch>>,
    apart: RefCell<Option<(Weak<Device>, Rc<Process>)>>,
}

/// Who sees every request of a tab when it is sent, and again with what comes of it.
pub type Watch = Rc<dyn Fn(&Rc<Process>, u64, &Sent, Option<&Result<Response, HttpFailure>>)>;

/// What the network does to each request.
type Forecast = Box<dyn FnMut(&Sent) -> Weather>;

/// What the network does to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// How long it is on its way, in milliseconds, and its answer again.
    pub delay: u64,
    /// It does not arrive.
    pub lost: Option<HttpFailure>,
    /// It arrives, but its answer does not.
    pub answer_lost: bool,
    /// A gateway answers in its place, with this status and `Retry-After`. 200 is a portal's page. The request does not arrive, unless
    /// `answer_lost` says so.
    pub gateway: Option<(u16, Option<u64>)>,
}

impl Weather {
    fn answer_of_gateway(&self) -> Option<Response> {
        let (status, retry_after) = self.gateway?;
        let mut headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        headers.extend(retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_string())));
        Some(Response { status, headers, body: b"<!doctype html><title>Welcome</title>".to_vec() })
    }
}

impl Network {
    /// What the network does to each request.
    pub fn weather(&self, weather: impl FnMut(&Sent) -> Weather + 'static) {
        *self.weather.borrow_mut() = Some(Box::new(weather));
    }

    /// The network does not do anything any more.
    pub fn calm(&self) {
        self.weather.borrow_mut().take();
    }

    /// No request arrives.
    pub fn fails_with(&self, failure: HttpFailure) {
        self.weather(move |_| Weather { lost: Some(failure), ..Weather::default() });
    }

    fn weather_for(&self, sent: &Sent) -> Weather {
        let weather = self.weather.borrow_mut().take();
        let Some(mut weather) = weather else { return Weather::default() };
        let today = weather(sent);
        self.weather.borrow_mut().get_or_insert(weather);
        today
    }

    async fn pass(&self, millis: u64) {
        if millis > 0 {
            Sleep::new(self.time.clone(), Duration::from_millis(millis)).await;
        }
    }
}

impl Network {
    /// Shows every request to somebody.
    pub fn watch(&self, watch: Watch) {
        *self.watch.borrow_mut() = Some(watch);
    }

    /// Requests go their way even if the tab stands still, and perhaps if it is gone.
    pub fn goes_its_own_way(&self, device: &Rc<Device>) {
        *self.apart.borrow_mut() = Some((Rc::downgrade(device), device.process()));
    }

    /// Nobody watches, and what was seen is forgotten.
    pub fn forget(&self) {
        self.calm();
        self.watch.borrow_mut().take();
        self.log.borrow_mut().clear();
        self.answers.borrow_mut().clear();
        self.reached.borrow_mut().clear();
    }

    fn tell(&self, process: &Rc<Process>, number: u64, sent: &Sent, answer: Option<&Result<Response, HttpFailure>>) {
        let watch = self.watch.borrow().clone();
        if let Some(watch) = watch {
            watch(process, number, sent, answer);
        }
    }

    /// What becomes of a request. It is given up on its way if nobody waits for its answer any more.
    async fn carry(&self, sent: Sent, turns: u64, given_up: impl Fn() -> bool) -> Option<Result<Response, HttpFailure>> {
        for _ in 0..turns {
            yield_once().await;
        }
        let weather = self.weather_for(&sent);
        self.pass(weather.delay).await;
        if let Some(failure) = weather.lost {
            return Some(Err(failure));
        }
        if given_up() {
            return None;
        }
        let gateway = weather.answer_of_gateway();
        let response = match gateway.clone().filter(|_| !weather.answer_lost) {
            Some(response) => response,
            None => match self.provider.answer_to(&sent) {
                Ok(response) => response,
                Err(failure) => return Some(Err(failure)),
            },
        };
        self.pass(weather.delay).await;
        if weather.answer_lost {
            return Some(gateway.ok_or(HttpFailure::Unreachable));
        }
        self.answers.borrow_mut().push((sent.to, response.clone()));
        Some(Ok(response))
    }
}

/// The network as one tab has it.
struct TabHttp {
    network: Rc<Network>,
    process: Rc<Process>,
}

/// Where an answer is awaited.
#[derive(Default)]
struct Arrival {
    answer: RefCell<Option<Result<Response, HttpFailure>>>,
    waker: RefCell<Option<Waker>>,
}

impl Http for TabHttp {
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>> {
        let network = &self.network;
        let sent = Sent {
            to: network.provider.endpoint(&request.url),
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect(),
            body: request.body.as_ref().map(|body| String::from_utf8_lossy(body.expose()).into_owned()).unwrap_or_default(),
            cache: request.cache,
        };
        network.log.borrow_mut().push(sent.clone());
        let number = network.log.borrow().len() as u64;
        network.tell(&self.process, number, &sent, None);
        let turns = if network.latency.get() == 0 { 0 } else { network.chance.next() % (network.latency.get() + 1) };
        let apart = network.apart.borrow().clone().and_then(|(device, process)| Some((device.upgrade()?, process)));
        Box::pin(async move {
            let answer = match apart {
                None => network.carry(sent.clone(), turns, || false).await.unwrap_or(Err(HttpFailure::Unreachable)),
                Some((device, on_its_way)) => {
                    let arrival = Rc::new(Arrival::default());
                    let (far, network, sent) = (Rc::downgrade(&arrival), network.clone(), sent.clone());
                    // Who closes a page may do so before or after its request has left.
                    let aborted = network.chance.next() % 2 == 0;
                    device.spawn(
                        &on_its_way,
                        Box::pin(async move {
                            let awaited = far.clone();
                            let answer = network.carry(sent, turns, move || aborted && awaited.strong_count() == 0).await;
                            if let (Some(arrival), Some(answer)) = (far.upgrade(), answer) {
                                *arrival.answer.borrow_mut() = Some(answer);
                                if let Some(waker) = arrival.waker.take() {
                                    waker.wake();
                                }
                            }
                        }),
                    );
                    std::future::poll_fn(|context| match arrival.answer.take() {
                        Some(answer) => Poll::Ready(answer),
                        None => {
                            *arrival.waker.borrow_mut() = Some(context.waker().clone());
                            Poll::Pending
                        }
                    })
                    .await
                }
            };
            self.network.tell(&self.process, number, &sent, Some(&answer));
            // What the browser's adapter does: redirects are errors, and reading stops at the limit.
            let response = answer?;
            match response.status {
                301..=303 | 307 | 308 => Err(HttpFailure::Unreachable),
                _ if response.body.len() > request.limit => Err(HttpFailure::TooLarge),
                _ => Ok(response),
            }
        })
    }

    fn reach<'a>(&'a self, url: &'a str, _: Duration) -> Answer<'a, Result<(), HttpFailure>> {
        let network = &self.network;
        network.reached.borrow_mut().push(url.to_owned());
        let sent = Sent {
            to: None,
            method: "HEAD".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: String::new(),
            cache: Cache::NoStore,
        };
        Box::pin(async move {
            let weather = network.weather_for(&sent);
            network.pass(weather.delay).await;
            match weather.lost {
                Some(failure) => Err(failure),
                None if weather.answer_lost && weather.gateway.is_none() => Err(HttpFailure::Unreachable),
                None => Ok(()),
            }
        })
    }
}

/// localStorage, seen by all tabs.
#[derive(Default)]
pub struct Disk {
    pub records: RefCell<BTreeMap<String, String>>,
    pub blocked: Cell<bool>,
    pub full: Cell<bool>,
    /// Who is told of what a tab with a keep of its own changes.
    pub told: RefCell<Option<Told>>,
}

/// Gets a key under which there is another text now, or none.
pub type Told = Rc<dyn Fn(&str)>;

impl Disk {
    /// Puts a text under a key, or removes it. False when that is what was there.
    pub fn put(&self, key: &str, text: Option<String>) -> bool {
        let mut records = self.records.borrow_mut();
        let before = match text.clone() {
            Some(text) => records.insert(key.to_owned(), text),
            None => records.remove(key),
        };
        before != text
    }

    fn change(&self, key: &str, text: Option<&str>) {
        if self.put(key, text.map(str::to_owned))
            && let Some(told) = self.told.borrow().clone()
        {
            told(key);
        }
    }
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
                self.change(key, Some(text));
                Ok(())
            }
        }
    }

    fn remove(&self, key: &str) {
        if !self.blocked.get() {
            self.change(key, None);
        }
    }

    fn keys(&self) -> Vec<String> {
        if self.blocked.get() { Vec::new() } else { self.records.borrow().keys().cloned().collect() }
    }
}

/// Names and values of a form.
type Fields = Vec<(String, String)>;
type OnWake = Rc<dyn Fn(Wake)>;
type OnActivity = Rc<dyn Fn(UnixTime)>;

/// An address bar.
#[derive(Default)]
pub struct Bar {
    pub address: RefCell<String>,
    /// Addresses that the page put there itself, without loading them.
    pub replaced: RefCell<Vec<String>>,
    /// Where the browser was sent.
    pub went: RefCell<Vec<String>>,
    pub framed: Cell<FramedBy>,
    /// What the page told the page around it.
    pub told: RefCell<Vec<String>>,
    /// Forms that were sent: where to, and with what.
    pub submitted: RefCell<Vec<(String, Fields)>>,
    pub woken: RefCell<Option<OnWake>>,
    /// Who is told that the user does something, if anybody wants to know.
    pub acted: RefCell<Option<OnActivity>>,
}

impl Bar {
    /// The user pressed Back, and the page comes out of the back/forward cache as it was.
    pub fn come_back(&self) {
        self.wake(Wake::Returned);
    }

    /// The user does something. False if nobody wants to know.
    pub fn act(&self, at: UnixTime) -> bool {
        let acted = self.acted.borrow().clone();
        acted.map(|acted| acted(at)).is_some()
    }

    pub fn wake(&self, wake: Wake) {
        let woken = self.woken.borrow().clone();
        if let Some(woken) = woken {
            woken(wake);
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

    fn submit(&self, url: &str, form: &[(&str, &str)]) {
        let fields = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.submitted.borrow_mut().push((url.to_owned(), fields));
    }

    fn framed_by(&self) -> FramedBy {
        self.framed.get()
    }

    fn tell_parent(&self, text: &str) {
        self.told.borrow_mut().push(text.to_owned());
    }

    fn on_wake(&self, callback: Rc<dyn Fn(Wake)>) {
        *self.woken.borrow_mut() = Some(callback);
    }

    #[cfg(feature = "limits")]
    fn on_activity(&self, _: Duration, callback: Rc<dyn Fn(UnixTime)>) {
        *self.acted.borrow_mut() = Some(callback);
    }
}
