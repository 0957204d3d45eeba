//! A device with several tabs, a provider and a user, who do whatever a seed says, in virtual time. What must hold is checked all along.
//!
//! The seed decides on the traits of the world (rotation, frames, locks, channels, lifetimes) and on every step: what the user does,
//! what the network does to each request, when tabs are frozen, thawed, closed or crash, what the clocks do. `TOKENKEEP_SEEDS` and
//! `TOKENKEEP_FROM` say which seeds are run, and `TOKENKEEP_TRACE` how
//! many of the last steps of the first one that fails are told.
//!
//! # Where the keep is
//!
//! In each page; or in one worker for all pages, which may die, and forgets when no page has been there for a while; or both in one
//! browser, where the worker did not start for some of the pages. These two have nothing in common but notes: a sign-out in one is known
//! in the other as long as the note of it stands, in a worker as soon as a page of it runs, elsewhere when the tab is woken or renews.
//! Tokens may be bound to a key: then servers want nonces, which change. What must hold besides:
//!
//! - All pages of a keep show one session, but for those that were another user's.
//! - In a worker the refresh tokens of one grant are in use at a time.
//! - What a keep dropped, or what died with it, is not used again.
//! - What is bound to a key has a proof wherever it is sent, and no two proofs have one name.
//!
//! # Limits
//!
//! In some worlds a session has an end whatever its tokens say: when the user was active in no tab for too long, or signed in too long
//! ago. What must hold there:
//!
//! - (k) No token is sent to an API after that, and no page that runs shows a session for longer than its longest timer.
//! - (k) No session ends for it before that; idleness may come by as much earlier as activity is noted more rarely than it happens.
//! - (k) Nobody is signed in again after it without having signed in.
//! - Each time that the clock is set may make a limit longer by that limit, or end it at once.
//!
//! # Why a session may be lost
//!
//! A page may say that its session has ended only for one of these causes ([`Truth::check_end`]):
//!
//! - `SignedOut`: the user signed out in this page.
//! - `SignedOutElsewhere`: the user signed out in another one.
//! - `Rejected`: the provider ended the grant, or revoked it when the user signed out.
//! - `UserChanged`: another user signed in, here or at the provider.
//! - `Expired`: every rung was closed by what the world did.
//!   - The refresh token: there is none; or the answer to one of the grant was lost, or never came to its tab; or a tab was
//!     gone when it had said that it would present it; or another grant took the place of this one; or the tab that has the
//!     latest one is gone, stands still or cannot be heard; or the journal was in trouble; or a clock was set, by which tabs
//!     measure how long another one has been at it.
//!   - The frame: frames do not work here; or the session at the provider was over; or a frame was opened in bad weather, or its answer was
//!     older than it looked because a clock was set.
//!   - The redirect: it is not opted into, or it came to nothing a moment ago.
//!   - Where a worker keeps for pages, also the frame and the redirect that were asked of a page that stood still or was gone, or of none.
//!     A session that it was made to forget had no page.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::Duration,
};

use tokenkeep::{
    Client, Config, Error, Event, SignIn, SignOut, State, Subscription,
    keep::ports::{FrameEvent, HttpFailure},
    page::ports::Wake,
    protocol::{Misbehaved, Request, Response},
    session::Ended,
};

use crate::{
    test,
    world::{API, Bar, BrowserFrames, Disk, Endpoint, ISSUER, ORIGIN, Process, Provider, Sent, Tab, Time, Weather, Worker, World},
};

/// How long it may take until all tabs that run know that the user signed out, in milliseconds.
const SETTLING: u64 = 10_000;

/// How late it may be noticed that a limit has passed, in milliseconds: a timer may have to go off first.
const LATE: u64 = 61_000;

/// How long a keep in a worker outlives its last page.
const LINGER: Duration = Duration::from_secs(60);

/// Workers are called by numbers that no page has.
const WORKERS: u64 = 1_000_000;

fn wants_nonce(response: &Response) -> bool {
    let says = |text: &str| text.contains("use_dpop_nonce");
    matches!(response.status, 400 | 401)
        && (says(&String::from_utf8_lossy(&response.body)) || response.headers.iter().any(|(_, value)| says(value)))
}

/// A generator of its own, so that what the library draws changes nothing of what the world does.
#[derive(Default)]
struct Dice(Cell<u64>);

impl Dice {
    fn next(&self) -> u64 {
        // SplitMix64.
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// What happens in a hidden frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum FrameKind {
    /// The provider sees its session.
    SameSite,
    /// The provider sees no cookie.
    CrossSite,
    /// There are none.
    None,
}

/// Where tokens are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Keeps {
    /// In each page.
    Own,
    /// In one worker for all pages.
    Shared,
    /// In one worker, and in pages in which that did not start.
    Both,
}

/// What a world is like.
#[derive(Clone, Debug)]
struct Traits {
    keeps: Keeps,
    /// The worker is still there when its last page has gone.
    outlives: bool,
    /// Tokens are bound to keys, and servers want nonces.
    dpop: bool,
    tabs: usize,
    steps: u64,
    lifetime: u64,
    rotates: bool,
    refresh_tokens: bool,
    frames: FrameKind,
    by_redirect: bool,
    locks: bool,
    channels: bool,
    /// The journal may get into trouble.
    journal_fails: bool,
    /// How many of a hundred requests something happens to.
    storm: u64,
    /// How long a request may take, in milliseconds, one way.
    latency: u64,
    /// Clocks are set.
    jumps: bool,
    /// A sign-out at the provider ends what was granted.
    logout_revokes: bool,
    /// After how many seconds without activity a session ends, and how long before that the user is warned.
    idle: Option<(u64, u64)>,
    /// How many seconds after the sign-in it ends.
    session: Option<u64>,
}

impl Traits {
    fn of(dice: &Dice, limits: &Dice) -> Traits {
        let limited = limits.percent(40) && cfg!(feature = "limits");
        let idle = limits.pick(&[(12, 4), (60, 10), (300, 60), (900, 60), (900, 0), (3600, 600)]);
        let session = limits.pick(&[20, 300, 3600, 14_400]);
        let keeps = dice.pick(&[Keeps::Own, Keeps::Own, Keeps::Own, Keeps::Shared, Keeps::Shared, Keeps::Both]);
        let dpop = dice.percent(12);
        Traits {
            keeps,
            outlives: dice.percent(60),
            dpop,
            tabs: 1 + dice.below(if dice.percent(25) { 8 } else { 3 }) as usize,
            steps: 10 + dice.below(30),
            lifetime: dice.pick(&[5, 7, 10, 30, 60, 300, 300, 600, 3600, 7200, 36_000]),
            rotates: dice.percent(85),
            refresh_tokens: dice.percent(90),
            frames: dice.pick(&[FrameKind::SameSite, FrameKind::CrossSite, FrameKind::None]),
            by_redirect: dice.percent(20),
            locks: dice.percent(85),
            channels: dice.percent(85),
            journal_fails: dice.percent(15),
            storm: dice.pick(&[0, 0, 3, 10, 30]),
            latency: dice.pick(&[0, 50, 300, 3000]),
            jumps: dice.percent(25),
            logout_revokes: dice.percent(50),
            idle: (limited && limits.percent(80)).then_some(idle),
            session: (limited && limits.percent(50)).then_some(session),
        }
    }
}

/// What became of a refresh token that was presented.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Presented {
    /// Nobody knows.
    Unknown,
    /// It is to be presented again, with a nonce.
    Again,
    /// It may be presented again.
    Free,
    /// It must not be.
    Gone,
}

/// What is known of a page.
struct Page {
    client: Client,
    process: Rc<Process>,
    /// Which keep it has. It is another page's too, if that is in a worker.
    keep: u64,
    shared: bool,
    /// It has found out who is signed in.
    arrived: bool,
    /// Another user signed in, in another page of its keep.
    estranged: bool,
    /// It was told that somebody signed in, and not yet that the session is over.
    told: bool,
    /// When it last began to run, on the steady clock.
    running_since: u64,
    /// When it was last woken.
    woken: Option<u64>,
    /// Whose grant it shows, and who that is.
    shows: Option<(u64, String)>,
    shows_since: u64,
    /// The user signed out here.
    signed_out: bool,
}

/// A sign-out: when, and which grants there were.
#[derive(Clone, Copy)]
struct Out {
    at: u64,
    grants: u64,
    keep: u64,
}

/// What really happened, as nobody inside knows it.
struct Truth {
    dice: Dice,
    traits: Traits,
    time: Rc<Time>,
    provider: Provider,
    disk: Rc<Disk>,
    pages: RefCell<BTreeMap<u64, Page>>,
    failures: RefCell<Vec<String>>,
    trace: Option<RefCell<Vec<String>>>,
    // Keeps.
    workers: RefCell<BTreeMap<u64, Rc<Process>>>,
    /// Of which keep a grant is.
    keeper: RefCell<HashMap<u64, u64>>,
    /// The tokens of these grants were dropped with all pages, or ended with their worker.
    dropped: RefCell<HashSet<u64>>,
    /// The keep that forgets at this moment.
    forgetting: Cell<Option<u64>>,
    forgotten: Cell<u64>,
    // Proofs.
    jtis: RefCell<HashSet<String>>,
    // The weather.
    offline: Cell<bool>,
    gone: Cell<bool>,
    calm: Cell<bool>,
    // What was presented, and by whom.
    presented: RefCell<HashMap<String, Presented>>,
    renewals: RefCell<HashMap<u64, (u64, u64)>>,
    last_presenter: RefCell<HashMap<u64, u64>>,
    unknown: RefCell<HashSet<u64>>,
    token_requests: Cell<u64>,
    requests: Cell<u64>,
    // Why a token may be renewed before it is due: somebody asked, or a clock was set.
    needed: Cell<u64>,
    // What happened to sessions.
    out: Cell<Option<Out>>,
    /// When a sign-out was noted, and what was noted before.
    noted: Cell<Option<u64>>,
    noted_before: RefCell<Vec<String>>,
    /// A page that stood still was asked to leave.
    asked_in_vain: Cell<bool>,
    frames: Rc<BrowserFrames>,
    signed_in: Cell<u64>,
    asked_codes: RefCell<HashMap<String, u64>>,
    users: RefCell<HashSet<String>>,
    ended: RefCell<HashSet<u64>>,
    provider_session_ended: Cell<bool>,
    frame_trouble: Cell<bool>,
    redirected: Cell<bool>,
    journal_trouble: Cell<Option<u64>>,
    clock_was_set: Cell<bool>,
    stood_still: Cell<bool>,
    claim_lost: Cell<bool>,
    // Limits, by the true time in milliseconds.
    there: Cell<u64>,
    came: Cell<u64>,
    limited: Cell<Option<u64>>,
    limited_grants: RefCell<HashSet<u64>>,
    /// Those that somebody signed in for, and nobody has shown yet.
    coming: RefCell<HashSet<u64>>,
    jumps: Cell<u64>,
    /// When the device last slept, or its clock was set, on the steady clock: what is due by then is not seen at that moment.
    woke: Cell<u64>,
    open_calls: RefCell<BTreeMap<u64, (u64, &'static str)>>,
    calls: Cell<u64>,
}

impl Truth {
    fn now(&self) -> u64 {
        self.time.steady.get()
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().push(format!("{:>9.3} {}", (self.now() - 5_000_000) as f64 / 1000.0, what()));
        }
    }

    fn fail(&self, what: String) {
        self.say(|| format!("FAILED {what}"));
        self.failures.borrow_mut().push(what);
    }

    fn page_of(&self, process: &Rc<Process>) -> Option<u64> {
        self.pages.borrow().iter().find(|(_, page)| Rc::ptr_eq(&page.process, process)).map(|(id, _)| *id)
    }

    /// The keep that runs in a process: that of a page, or a worker.
    fn keep_of(&self, process: &Rc<Process>) -> Option<u64> {
        let worker = self.workers.borrow().iter().find(|(_, worker)| Rc::ptr_eq(worker, process)).map(|(id, _)| *id);
        worker.or_else(|| self.page_of(process))
    }

    /// What is noted of sign-outs.
    fn notes(&self) -> Vec<String> {
        let at = |note: &String| note.split_once("signed_out\":")?.1.split([',', '}']).next().map(str::to_owned);
        self.disk.records.borrow().values().filter_map(at).collect()
    }

    fn is_shared(&self, keep: u64) -> bool {
        self.workers.borrow().contains_key(&keep)
    }

    /// Whether a keep has nothing but a note to learn of a sign-out in another one from. Where tokens are bound to the key of a tab, that
    /// of a tab that stood still is of no line that others know.
    fn is_apart(&self, keep: u64, out: Out) -> bool {
        let slept = || self.pages.borrow().get(&keep).is_some_and(|page| page.running_since > out.at);
        keep != out.keep && (self.is_shared(keep) || self.is_shared(out.keep) || (self.traits.dpop && slept()))
    }

    /// Whether a note says that somebody signed out. A tab with another keep that does not know of it yet may note otherwise.
    fn note_stands(&self) -> bool {
        self.traits.keeps != Keeps::Both || !self.notes().is_empty()
    }

    /// Since when a keep knows of a sign-out, or tabs see to it that it soon will.
    fn heard(&self, keep: u64, out: Out) -> Option<u64> {
        if !self.is_apart(keep, out) {
            return (keep == out.keep || self.tabs_agree()).then_some(out.at);
        }
        // The note says so until somebody signs in. A page reads it, or is told, whatever its keep.
        let noted = self.noted.get().filter(|_| self.is_out().is_some() && self.note_stands())?;
        if !self.is_shared(keep) {
            return Some(noted);
        }
        let pages = self.pages.borrow();
        let running = pages.values().filter(|page| page.keep == keep && !page.process.frozen.get());
        running.map(|page| page.running_since.max(noted)).min()
    }

    /// Whether a keep must know of a sign-out by now.
    fn has_heard(&self, keep: u64, out: Out) -> bool {
        self.heard(keep, out).is_some_and(|at| self.now() > at + SETTLING || (keep == out.keep && self.is_shared(keep)))
    }

    // Limits

    /// The limit that passed more than so long ago, and by how much at least.
    fn passed(&self, late: u64) -> Option<String> {
        let now = self.time.now.get();
        // A clock that is set may make each of them longer once.
        let over = |limit: Option<u64>, since: u64| {
            let passed = now.checked_sub(since + limit? * 1000 * (1 + self.jumps.get()) + late)?;
            Some(format!("{passed} ms after {} s", limit?))
        };
        let idle = over(self.traits.idle.map(|(idle, _)| idle), self.there.get()).map(|over| format!("idle {over}"));
        idle.or_else(|| over(self.traits.session, self.came.get()).map(|over| format!("signed in {over}")))
    }

    /// Whether a session may end for a limit.
    fn may_end(&self, reason: Ended) -> bool {
        let (now, jumped) = (self.time.now.get(), self.jumps.get() > 0);
        // Who hears of nothing but notes hears of none while its pages stand still, nor is anybody told by them.
        let unheard = self.traits.keeps == Keeps::Both && self.stood_still.get();
        let fine = |limit: u64, since: u64, early: u64| jumped || unheard || now + early >= since + limit * 1000;
        match (reason, self.traits.idle, self.traits.session) {
            (Ended::Idle, Some((idle, warning)), _) => {
                fine(idle, self.there.get(), (idle * 1000 / 12).min((idle - warning) * 500).min(5_000) + 1)
            }
            (Ended::SessionLimit, _, Some(session)) => fine(session, self.came.get(), 1),
            _ => false,
        }
    }

    fn ended_by_limit(&self, grant: u64) -> bool {
        self.limited_grants.borrow().contains(&grant)
    }

    /// Whether the user signed out and nobody has signed in since.
    fn is_out(&self) -> Option<Out> {
        self.out.get().filter(|out| out.at > self.signed_in.get())
    }

    /// Whether tabs can tell a session that was signed out of from the next one. Without journal or channel only the note says that
    /// somebody signed out, until somebody signs in.
    fn tabs_agree(&self) -> bool {
        self.traits.channels && self.journal_trouble.get().is_none()
    }

    /// The weather for a request.
    fn weather(&self, sent: &Sent) -> Weather {
        let dice = &self.dice;
        let slowest = if self.calm.get() { self.traits.latency.min(50) } else { self.traits.latency };
        let mut weather = Weather { delay: dice.below(slowest + 1), ..Weather::default() };
        if self.calm.get() {
            return weather;
        }
        let to_provider = sent.to != Some(Endpoint::Api);
        if self.offline.get() {
            weather = Weather { lost: Some(HttpFailure::Offline), ..Weather::default() };
        } else if self.gone.get() && to_provider {
            let failure = dice.pick(&[HttpFailure::Unreachable, HttpFailure::TimedOut]);
            weather.delay = if failure == HttpFailure::TimedOut { 4_000 } else { weather.delay };
            weather.lost = Some(failure);
        } else if dice.percent(self.traits.storm) {
            let retry_after = if dice.percent(50) { Some(dice.pick(&[0, 1, 5, 30, 120])) } else { None };
            match dice.below(8) {
                0 => weather.lost = Some(HttpFailure::Unreachable),
                1 => {
                    weather.delay = 4_000;
                    weather.lost = Some(HttpFailure::TimedOut);
                }
                2 => weather.answer_lost = true,
                3 => weather.gateway = Some((dice.pick(&[500, 503]), retry_after)),
                4 => weather.gateway = Some((429, retry_after)),
                5 => weather.gateway = Some((dice.pick(&[502, 504]), None)),
                6 => {
                    weather.gateway = Some((dice.pick(&[502, 504]), None));
                    weather.answer_lost = true;
                }
                _ => weather.gateway = Some((200, None)),
            }
        }
        if weather.lost.is_some() || weather.answer_lost || weather.gateway.is_some() {
            self.say(|| format!("       weather for {:?} {}: {weather:?}", sent.to, sent.method));
            // A code that a frame got, or what a frame needs, may have been lost with it.
            if to_provider {
                self.frame_trouble.set(true);
            }
        }
        weather
    }

    /// Sees every request, and what comes of it.
    fn watch(&self, process: &Rc<Process>, sent: &Sent, answer: Option<&Result<Response, HttpFailure>>) {
        if answer.is_none() {
            self.proved(sent);
        }
        let wants_nonce = matches!(answer, Some(Ok(response)) if wants_nonce(response));
        match (sent.to, answer) {
            (Some(Endpoint::Token), None) => {
                self.requests.set(self.requests.get() + 1);
                self.token_requests.set(self.token_requests.get() + 1);
                if let Some(token) = sent.field("refresh_token") {
                    self.presenting(process, &token);
                }
            }
            (Some(Endpoint::Token), Some(answer)) => match (sent.field("refresh_token"), sent.field("code")) {
                (Some(token), _) => self.presented(&token, answer),
                (_, Some(code)) => {
                    self.say(|| format!("       {:?} came for {code}", answer.as_ref().map(|answer| answer.status)));
                    let asked = self.asked_codes.borrow().get(&code).copied();
                    if let Some(grant) = answer.as_ref().ok().and_then(|answer| self.grant_of(answer))
                        && let Some(keep) = self.keep_of(process)
                    {
                        self.keeper.borrow_mut().insert(grant, keep);
                    }
                    if let (Some(_), Some(grant)) = (asked, answer.as_ref().ok().and_then(|answer| self.grant_of(answer))) {
                        self.coming.borrow_mut().insert(grant);
                    }
                    if let Some(asked) = asked.filter(|_| answer.as_ref().is_ok_and(|answer| answer.status == 200)) {
                        self.signed_in.set(self.now());
                        // Begun before the sign-out and finished after it, by who wanted both.
                        self.out.set(self.out.get().filter(|out| out.at <= asked));
                    }
                }
                _ => {}
            },
            (Some(Endpoint::Api), None) => {
                self.requests.set(self.requests.get() + 1);
                self.calling(process, sent);
            }
            (Some(Endpoint::Api), Some(Ok(response))) if response.status == 401 && !wants_nonce => self.needed.set(self.time.now.get()),
            (_, None) => self.requests.set(self.requests.get() + 1),
            _ => {}
        }
    }

    /// The grant of the access token in an answer.
    fn grant_of(&self, answer: &Response) -> Option<u64> {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        self.provider.lineage(body["access_token"].as_str()?).map(|(grant, _)| grant)
    }

    /// (j) A token that is bound to a key goes nowhere without a proof, and no proof is like another.
    fn proved(&self, sent: &Sent) {
        let bound = self.traits.dpop && matches!(sent.to, Some(Endpoint::Api | Endpoint::Token));
        if bound != sent.header("dpop").is_some() {
            self.fail(format!("(j) with a proof: {:?}, with a bound token: {bound}, to {:?}", sent.header("dpop"), sent.to));
        }
        if let Some((scheme, _)) = sent.token()
            && (scheme == "DPoP") != self.traits.dpop
        {
            self.fail(format!("(j) a token is sent as {scheme}"));
        }
        if bound {
            let jti = sent.proof_claim("jti").unwrap_or_default();
            if !self.jtis.borrow_mut().insert(jti.clone()) {
                self.fail(format!("(j) two proofs are called {jti}"));
            }
        }
    }

    /// (h) What was dropped is not used again.
    fn used(&self, grant: u64, what: &str) {
        if self.dropped.borrow().contains(&grant) {
            self.fail(format!("(h) grant {grant} is {what} after its keep forgot it, or ended"));
        }
    }

    /// (a) No refresh token is presented again after it was taken, or perhaps was.
    fn presenting(&self, process: &Rc<Process>, token: &str) {
        let page = self.page_of(process);
        let keep = self.keep_of(process);
        let before = self.presented.borrow_mut().insert(token.to_owned(), Presented::Unknown);
        self.say(|| format!("       page {page:?} presents {token}"));
        if matches!(before, Some(Presented::Unknown | Presented::Gone)) {
            self.fail(format!("(a) {token} is presented again, by page {page:?}: {before:?}"));
        }
        let Some((grant, _)) = self.provider.lineage(token) else { return };
        self.unknown.borrow_mut().insert(grant);
        self.used(grant, "renewed");
        // One family at a time. What was under way before is seen through.
        if let Some(keep) = keep.filter(|keep| self.is_shared(*keep) && before != Some(Presented::Again)) {
            let newer = self
                .pages
                .borrow()
                .values()
                .filter(|page| page.keep == keep)
                .filter_map(|page| page.shows.clone())
                .find(|(shown, _)| *shown > grant);
            if let Some((newer, _)) = newer {
                self.fail(format!("(a) a refresh token of grant {grant} is presented where grant {newer} is shown"));
            }
        }
        if let Some(page) = page {
            self.last_presenter.borrow_mut().insert(grant, page);
        }
        // (b) Not before it is due, unless there is a reason.
        let now = self.time.now.get();
        if let Some((last, _)) = self.renewals.borrow().get(&grant).copied() {
            let due = (self.traits.lifetime * 650).max(2_900);
            // Who was not told cannot know, if the provider's tokens do not say so either; nor who was told of a token that had ended
            // before it came.
            let alone = keep.is_some_and(|keep| self.is_shared(keep));
            let untold = !alone && !self.traits.rotates && (!self.traits.channels || self.stood_still.get() || self.clock_was_set.get());
            if now - last < due && self.needed.get() < last && !untold {
                self.fail(format!("(b) grant {grant} is renewed again after {} ms of {} s", now - last, self.traits.lifetime));
            }
        }
        if let (Some(out), Some(keep)) = (self.out.get(), keep)
            && grant <= out.grants
            && self.has_heard(keep, out)
        {
            self.fail(format!("(c) a refresh token of grant {grant} is presented after a sign-out"));
        }
        if before != Some(Presented::Again) {
            self.renewals.borrow_mut().entry(grant).or_default().1 = now;
        }
    }

    fn presented(&self, token: &str, answer: &Result<Response, HttpFailure>) {
        let lineage = self.provider.lineage(token);
        let grant = lineage.map_or(0, |(grant, _)| grant);
        let outcome = match answer {
            Ok(response) => match response.status {
                _ if wants_nonce(response) => Presented::Again,
                200 if response.headers.iter().any(|(_, value)| value == "text/html") => Presented::Free,
                200 => {
                    let mut renewals = self.renewals.borrow_mut();
                    let renewal = renewals.entry(grant).or_default();
                    renewal.0 = renewal.1;
                    if self.traits.rotates { Presented::Gone } else { Presented::Free }
                }
                400 => Presented::Gone,
                502 | 504 => Presented::Unknown,
                _ => Presented::Free,
            },
            Err(_) => Presented::Unknown,
        };
        if outcome != Presented::Unknown {
            self.unknown.borrow_mut().remove(&grant);
        }
        self.say(|| format!("       {:?} came for {token}: {outcome:?}", answer.as_ref().map(|answer| answer.status)));
        self.presented.borrow_mut().insert(token.to_owned(), outcome);
    }

    /// (c) and (f) The token that an API gets is of the user whom the page shows, who has not signed out.
    fn calling(&self, process: &Rc<Process>, sent: &Sent) {
        let Some(id) = self.page_of(process) else { return };
        let token = sent.token().map(|(_, token)| token.to_owned()).unwrap_or_default();
        let Some((grant, subject)) = self.provider.lineage(&token) else {
            return self.fail(format!("(f) page {id} sends a token that nobody issued: {token}"));
        };
        self.say(|| format!("       page {id} calls with {token} of grant {grant}"));
        self.used(grant, "used");
        let pages = self.pages.borrow();
        let Some(page) = pages.get(&id) else { return };
        match page.client.state() {
            State::SignedIn(session) if session.subject() == Some(&subject) => {}
            // Where others are signed in already.
            State::Unknown if page.shared => {}
            other => self.fail(format!("(f) page {id} sends a token of {subject}, and shows {other:?}")),
        }
        if let Some(passed) = self.passed(0) {
            self.fail(format!("(k) page {id} sends a token: {passed}"));
        }
        if page.signed_out {
            self.fail(format!("(c) page {id} sends a token after its user signed out"));
        }
        if let Some(out) = self.out.get()
            && grant <= out.grants
            && self.knows(page, out)
        {
            self.fail(format!("(c) page {id} sends a token of grant {grant} after a sign-out"));
        }
    }

    /// Whether a page must know of a sign-out.
    fn knows(&self, page: &Page, out: Out) -> bool {
        if page.shared || self.is_apart(page.keep, out) {
            // A tab with a keep of its own looks when it is woken.
            let woken = page.shared
                || self.noted.get().is_some_and(|at| page.woken.is_some_and(|woken| woken > at && self.now() > woken + SETTLING));
            return woken && self.has_heard(page.keep, out);
        }
        let since = page.woken.filter(|woken| *woken > out.at).unwrap_or(out.at).max(page.running_since).max(out.at);
        let told = page.woken.is_some_and(|woken| woken > out.at) || page.running_since <= out.at;
        // Where somebody has signed in since, only they can say so.
        let someone = self.pages.borrow().values().filter(|page| !page.process.frozen.get()).any(|page| {
            page.shows.as_ref().is_some_and(|(grant, _)| *grant > out.grants)
                && self.now() > page.shows_since.max(page.running_since) + SETTLING
        });
        self.tabs_agree() && told && self.now() > since + SETTLING && (self.is_out().is_some() || someone)
    }

    /// What a page shows now.
    fn shown(&self, id: u64, state: &State) {
        let shows = match state {
            State::SignedIn(session) => {
                let sid = session.claims.as_ref().and_then(|claims| claims.text("sid")).unwrap_or_default().to_owned();
                let grant = sid.strip_prefix("sid-").and_then(|grant| grant.parse().ok()).unwrap_or(0);
                Some((grant, session.subject().unwrap_or_default().to_owned()))
            }
            _ => None,
        };
        self.say(|| format!("       page {id} shows {}", shows.as_ref().map_or(format!("{state:?}"), |shows| format!("{shows:?}"))));
        let before = match self.pages.borrow_mut().get_mut(&id) {
            Some(page) => {
                if page.shows.is_some() != shows.is_some() {
                    page.shows_since = self.now();
                }
                std::mem::replace(&mut page.shows, shows.clone())
            }
            None => return,
        };
        let Some((grant, subject)) = shows else { return };
        self.used(grant, "shown");
        if self.coming.borrow_mut().remove(&grant) {
            let now = self.time.now.get();
            self.there.set(now);
            self.came.set(now);
            self.limited.set(None);
        }
        // (k) Nothing comes back.
        if before.is_none() && self.limited.get().is_some_and(|at| self.now() > at + SETTLING) && self.note_stands() {
            self.fail(format!("(k) grant {grant} comes in page {id} after a limit"));
        }
        // (f) A page is one user's.
        if let Some((_, other)) = before.as_ref().filter(|(_, other)| *other != subject) {
            self.fail(format!("(f) page {id} was {other}'s and is {subject}'s"));
        }
        // (c) Nothing comes back.
        let keep = self.pages.borrow().get(&id).map(|page| page.keep).unwrap_or_default();
        if before.is_none()
            && let Some(out) = self.is_out()
            && self.now() > out.at + SETTLING
            && self.note_stands()
            && self.has_heard(keep, out)
        {
            self.fail(format!("(c) grant {grant} comes back in page {id} after a sign-out"));
        }
        if let Some(page) = self.pages.borrow_mut().get_mut(&id)
            && before.is_none()
        {
            page.signed_out = false;
            page.estranged = false;
        }
    }

    /// What a page is told.
    fn told(&self, id: u64, event: &Event) {
        if let Event::Ended(reason) = event {
            self.check_end(id, *reason);
        } else {
            self.say(|| format!("       page {id}: {event:?}"));
        }
        // (d) Once, and in turns.
        let mut pages = self.pages.borrow_mut();
        let Some(page) = pages.get_mut(&id) else { return };
        let right = match event {
            Event::Ended(reason) => {
                page.estranged |= page.shared && *reason == Ended::UserChanged && page.shows.is_some();
                std::mem::replace(&mut page.told, false) || !page.shared
            }
            Event::Redirecting => {
                self.asked_in_vain.set(self.asked_in_vain.get() || page.process.frozen.get());
                true
            }
            // Whoever comes back from the provider has signed in, whoever was signed in by then.
            Event::SignedIn => !std::mem::replace(&mut page.told, true) || !page.shared || !page.arrived,
            _ => true,
        };
        drop(pages);
        if !right {
            self.fail(format!("(d) page {id} is told out of turn: {event:?}"));
        }
    }

    /// (d) Why a session ended.
    fn check_end(&self, id: u64, reason: Ended) {
        self.say(|| format!("       page {id} says: {reason:?}"));
        let pages = self.pages.borrow();
        let Some(page) = pages.get(&id) else { return };
        // Who was looking for a session had none.
        let Some((grant, subject)) = page.shows.clone() else { return };
        if page.shared && self.forgetting.get() == Some(page.keep) {
            return;
        }
        let fine = match reason {
            Ended::SignedOut if page.shared => self.out.get().is_some_and(|out| out.keep == page.keep && grant <= out.grants),
            Ended::SignedOut => page.signed_out,
            Ended::SignedOutElsewhere => self.out.get().is_some_and(|out| grant <= out.grants),
            Ended::SignedOutAtProvider => false,
            Ended::Idle | Ended::SessionLimit => {
                self.limited.set(self.limited.get().or(Some(self.now())));
                self.limited_grants.borrow_mut().insert(grant);
                self.may_end(reason)
            }
            Ended::Rejected if self.ended_by_limit(grant) => true,
            Ended::Rejected => self.ended.borrow().contains(&grant) || self.out.get().is_some_and(|out| grant <= out.grants),
            Ended::UserChanged => self.users.borrow().iter().any(|other| *other != subject),
            Ended::Expired if page.shared => self.refresh_closed_in_worker(grant) && self.frame_closed(grant) && self.redirect_closed(),
            Ended::Expired => self.refresh_closed(id, grant) && self.frame_closed(grant) && self.redirect_closed(),
        };
        if !fine {
            self.fail(format!("(d) page {id} lost grant {grant}: {reason:?}"));
        }
    }

    /// Nobody else has the tokens, and nobody stands still who does.
    fn refresh_closed_in_worker(&self, grant: u64) -> bool {
        !self.traits.refresh_tokens
            || self.unknown.borrow().contains(&grant)
            || self.clock_was_set.get()
            || self.ended.borrow().contains(&grant)
    }

    fn refresh_closed(&self, id: u64, grant: u64) -> bool {
        let elsewhere = self.last_presenter.borrow().get(&grant).is_some_and(|other| {
            let pages = self.pages.borrow();
            *other != id && (!self.traits.channels || !pages.contains_key(other) || self.stood_still.get())
        });
        !self.traits.refresh_tokens
            || self.unknown.borrow().contains(&grant)
            || self.provider.grants() > grant
            || self.journal_trouble.get().is_some()
            || self.clock_was_set.get()
            || self.ended.borrow().contains(&grant)
            || elsewhere
            || self.claim_lost.get()
            // Perhaps with a claim of the page that left.
            || (self.stood_still.get() && self.traits.by_redirect && self.redirect_closed())
    }

    fn frame_closed(&self, grant: u64) -> bool {
        self.traits.frames != FrameKind::SameSite
            || self.provider_session_ended.get()
            || self.frame_trouble.get()
            || self.clock_was_set.get()
            || self.journal_trouble.get().is_some()
            || self.out.get().is_some_and(|out| grant <= out.grants)
            || self.frames.lost.get() > 0
    }

    fn redirect_closed(&self) -> bool {
        // A page notes it before it leaves.
        let noted = || self.disk.records.borrow().values().any(|record| record.contains("redirected"));
        !self.traits.by_redirect || self.redirected.get() || self.asked_in_vain.get() || noted()
    }
}

/// A tab of the browser: the page in it, the one in its back/forward cache, and where it is going.
#[derive(Default)]
struct Slot {
    page: Option<Open>,
    cached: Option<Open>,
    /// Where it goes, and when it is there.
    journey: Option<(u64, String)>,
}

struct Open {
    id: u64,
    tab: Tab,
    /// Where its client runs: in the page, or in a worker.
    home: Rc<Process>,
    worker: Option<Worker>,
    went: usize,
    _listening: [Subscription; 2],
}

struct Simulation {
    world: World,
    truth: Rc<Truth>,
    config: Config,
    dice: Dice,
    limits: Dice,
    slots: Vec<Slot>,
    worker: Option<(u64, Worker)>,
    /// Where pages that are gone went before.
    ghosts: Vec<(Rc<Bar>, usize)>,
    next_page: u64,
    steps: u64,
    turns: u64,
}

/// What came for a call, and what the page showed then.
type Answered = (Result<Response, Error>, State);

/// How much was simulated.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    steps: u64,
    turns: u64,
    renewals: u64,
}

/// The same with the limits of a world.
#[cfg(feature = "limits")]
fn within(mut config: Config, traits: &Traits) -> Config {
    if let Some((idle, warning)) = traits.idle {
        config = config.idle_limit(Duration::from_secs(idle)).idle_warning(Duration::from_secs(warning));
    }
    if let Some(session) = traits.session {
        config = config.session_limit(Duration::from_secs(session));
    }
    config
}

impl Simulation {
    fn new(seed: u64, traced: bool) -> Simulation {
        let dice = Dice(Cell::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(7)));
        let world = World::seeded(dice.next());
        // Of their own: worlds without limits are what they would be anyway.
        let limits = Dice(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(11)));
        let traits = Traits::of(&dice, &limits);
        let truth = Rc::new(Truth {
            dice: Dice(Cell::new(dice.next())),
            traits: traits.clone(),
            time: world.time.clone(),
            provider: world.provider.clone(),
            disk: world.disk.clone(),
            pages: RefCell::default(),
            failures: RefCell::default(),
            trace: traced.then(RefCell::default),
            workers: RefCell::default(),
            keeper: RefCell::default(),
            dropped: RefCell::default(),
            forgetting: Cell::default(),
            forgotten: Cell::default(),
            jtis: RefCell::default(),
            offline: Cell::default(),
            gone: Cell::default(),
            calm: Cell::default(),
            presented: RefCell::default(),
            renewals: RefCell::default(),
            last_presenter: RefCell::default(),
            unknown: RefCell::default(),
            token_requests: Cell::default(),
            requests: Cell::default(),
            needed: Cell::default(),
            out: Cell::default(),
            noted: Cell::default(),
            noted_before: RefCell::default(),
            asked_in_vain: Cell::default(),
            frames: world.frames.clone(),
            signed_in: Cell::default(),
            asked_codes: RefCell::default(),
            users: RefCell::default(),
            ended: RefCell::default(),
            provider_session_ended: Cell::default(),
            frame_trouble: Cell::default(),
            redirected: Cell::default(),
            journal_trouble: Cell::default(),
            clock_was_set: Cell::default(),
            stood_still: Cell::default(),
            claim_lost: Cell::default(),
            there: Cell::default(),
            came: Cell::default(),
            limited: Cell::default(),
            limited_grants: RefCell::default(),
            coming: RefCell::default(),
            jumps: Cell::default(),
            woke: Cell::default(),
            open_calls: RefCell::default(),
            calls: Cell::default(),
        });
        truth.say(|| format!("{traits:?}"));
        world.device.shuffled.set(true);
        world.locks.absent.set(!traits.locks);
        world.no_channels.set(!traits.channels);
        world.provider.lifetime(traits.lifetime);
        world.provider.rotates(traits.rotates);
        if !traits.refresh_tokens {
            world.provider.token_response(|body| {
                body.as_object_mut().unwrap().remove("refresh_token");
            });
        }
        world.journal.latency.set(dice.pick(&[0, 5, 100]));
        world.network.goes_its_own_way(&world.device);
        let sky = Rc::downgrade(&truth);
        world.network.weather(move |sent| sky.upgrade().map(|truth| truth.weather(sent)).unwrap_or_default());
        let watcher = Rc::downgrade(&truth);
        world.network.watch(Rc::new(move |process, _, sent, answer| {
            if let Some(truth) = watcher.upgrade() {
                truth.watch(process, sent, answer);
            }
        }));
        world.frames.latency.set(traits.latency);
        if traits.frames != FrameKind::None {
            let stage = Rc::downgrade(&truth);
            world.frame(move |url| stage.upgrade().map(|truth| truth.in_frame(url)).unwrap_or_default());
        }
        let config = World::config().renew_by_redirect(traits.by_redirect).dpop(traits.dpop);
        #[cfg(feature = "limits")]
        let config = within(config, &traits);
        if traits.dpop {
            world.chance.slow.set(dice.pick(&[0, 3]));
            for (endpoint, origin) in [(Endpoint::Token, ISSUER), (Endpoint::Api, "https://api.example")] {
                let truth = Rc::downgrade(&truth);
                world.provider.answer(endpoint, move |_, mut right| {
                    // A server may say what it wants next before it refuses anything.
                    if let Some(truth) = truth.upgrade()
                        && truth.dice.percent(30)
                        && let Some(nonce) = truth.provider.nonce_at(origin)
                    {
                        right.headers.push(("dpop-nonce".to_owned(), nonce));
                    }
                    Ok(right)
                });
            }
        }
        let slots = (0..traits.tabs).map(|_| Slot::default()).collect();
        Simulation { world, truth, config, dice, limits, slots, worker: None, ghosts: Vec::new(), next_page: 0, steps: 0, turns: 0 }
    }

    fn traits(&self) -> &Traits {
        &self.truth.traits
    }

    // Pages

    fn open(&mut self, slot: usize, address: &str) {
        self.next_page += 1;
        let id = self.next_page;
        let shared = match self.traits().keeps {
            Keeps::Own => false,
            Keeps::Shared => true,
            Keeps::Both => slot.is_multiple_of(2),
        };
        let worker = if shared { Some(self.worker()) } else { None };
        let tab = match &worker {
            None => self.world.tab_at(&self.config, address).unwrap(),
            Some((_, worker)) => worker.page(address),
        };
        let keep = worker.as_ref().map_or(id, |(keep, _)| *keep);
        let worker = worker.map(|(_, worker)| worker);
        self.truth.say(|| format!("slot {slot}: page {id} is loaded: {address}"));
        self.truth.pages.borrow_mut().insert(
            id,
            Page {
                client: tab.client.clone(),
                process: tab.process.clone(),
                keep,
                shared,
                arrived: false,
                estranged: false,
                told: false,
                running_since: self.truth.now(),
                woken: None,
                shows: None,
                shows_since: 0,
                signed_out: false,
            },
        );
        let (states, events) = (Rc::downgrade(&self.truth), Rc::downgrade(&self.truth));
        let listening = [
            tab.client.on_state(move |state| {
                if let Some(truth) = states.upgrade() {
                    truth.shown(id, state);
                }
            }),
            tab.client.on_event(move |event| {
                if let Some(truth) = events.upgrade() {
                    truth.told(id, event);
                }
            }),
        ];
        let client = tab.client.clone();
        let home = worker.as_ref().map_or(tab.process.clone(), |worker| worker.process().clone());
        let open = Open { id, tab, home, worker, went: 0, _listening: listening };
        // What a page does when it is loaded, before anything is awaited.
        let (finish, truth) = (client.finish_sign_in(), Rc::downgrade(&self.truth));
        self.call(&open, "finish_sign_in", async move {
            let finished = finish.await;
            // The worker that knew of it has gone: once more.
            if finished == Err(Misbehaved::StateUnknown.into()) && shared {
                let _ = client.sign_in(SignIn::default()).await;
            }
            if let Some(truth) = truth.upgrade()
                && let Some(page) = truth.pages.borrow_mut().get_mut(&id)
            {
                page.arrived = true;
            }
        });
        self.slots[slot].page = Some(open);
    }

    /// Calls the client from the page, as its own work.
    fn call(&self, page: &Open, name: &'static str, work: impl Future<Output = ()> + 'static) {
        let number = self.truth.calls.get() + 1;
        self.truth.calls.set(number);
        self.truth.open_calls.borrow_mut().insert(number, (page.id, name));
        let truth = Rc::downgrade(&self.truth);
        let work = async move {
            work.await;
            if let Some(truth) = truth.upgrade() {
                truth.open_calls.borrow_mut().remove(&number);
            }
        };
        self.world.device.spawn(&page.home, Box::pin(work));
    }

    /// The worker that is there, or a new one.
    fn worker(&mut self) -> (u64, Worker) {
        if let Some((keep, worker)) = self.worker.as_ref().filter(|(_, worker)| worker.is_alive()) {
            return (*keep, worker.clone());
        }
        let keep = WORKERS + self.next_page;
        self.truth.say(|| format!("worker {keep} starts"));
        let worker = Worker::start(&self.world, &self.config, LINGER, self.traits().outlives);
        self.truth.workers.borrow_mut().insert(keep, worker.process().clone());
        let truth = Rc::downgrade(&self.truth);
        worker.on_forget(move |forget| {
            let Some(truth) = truth.upgrade() else { return forget() };
            truth.say(|| format!("worker {keep} forgets"));
            truth.forgetting.set(Some(keep));
            forget();
            truth.forgetting.set(None);
            truth.forgotten.set(truth.forgotten.get() + 1);
            truth.drop_all(keep);
        });
        self.worker = Some((keep, worker.clone()));
        (keep, worker)
    }

    /// The worker ends, and with it all that its pages had.
    fn kill(&mut self) {
        let Some((keep, worker)) = self.worker.take().filter(|(_, worker)| worker.is_alive()) else { return };
        self.truth.say(|| format!("worker {keep} ends"));
        worker.say_all();
        for index in 0..self.slots.len() {
            if self.slots[index].cached.as_ref().is_some_and(|page| page.worker.is_some())
                && let Some(page) = self.slots[index].cached.take()
            {
                self.bury(page);
            }
            if self.slots[index].page.as_ref().is_some_and(|page| page.worker.is_some())
                && let Some(page) = self.slots[index].page.take()
            {
                self.bury(page);
                // Where it was going, it goes.
                let there = self.truth.now() + self.dice.pick(&[0, 500, 100_000]);
                self.slots[index].journey.get_or_insert((there, format!("{ORIGIN}/")));
            }
        }
        worker.die();
        self.truth.drop_all(keep);
    }

    /// A worker that does not outlive its pages ends with the last one.
    fn end_worker(&mut self) {
        if !self.traits().outlives && self.worker.as_ref().is_some_and(|(_, worker)| worker.ports() == 0) {
            self.kill();
        }
    }

    fn bury(&mut self, page: Open) {
        // It may have written down that it will present a token, and be gone before it does.
        let rows = self.world.journal.records.borrow();
        let claimed = rows.values().filter_map(|row| row.split(' ').nth(1)?.parse::<usize>().ok()).max().unwrap_or(0);
        drop(rows);
        let grant = self.world.provider.grants();
        let of_grant = |token: &&String| self.truth.provider.lineage(token).is_some_and(|(of, _)| of == grant);
        let made = self.truth.presented.borrow().keys().filter(of_grant).count();
        if claimed > made || (claimed > 0 && !self.truth.traits.rotates) {
            self.truth.claim_lost.set(true);
        }
        self.truth.pages.borrow_mut().remove(&page.id);
        self.truth.open_calls.borrow_mut().retain(|_, (id, _)| *id != page.id);
        page.tab.process.dead.set(true);
        if let Some(worker) = &page.worker {
            worker.close(&page.tab);
            self.ghosts.push((page.tab.bar.clone(), page.tab.bar.went.borrow().len()));
        }
        drop(page);
        self.world.device.load();
        self.world.locks.bury();
    }

    fn freeze(&self, page: &Open, deaf: bool) {
        page.tab.process.frozen.set(true);
        page.tab.process.deaf.set(deaf);
        self.truth.stood_still.set(true);
    }

    fn thaw(&self, page: &Open) {
        if page.tab.process.frozen.replace(false) {
            page.tab.process.deaf.set(false);
            // What happens in a frame of it comes late.
            if page.worker.is_some() && self.world.frames.open.get() > 0 {
                self.world.frames.lost.set(self.world.frames.lost.get() + 1);
            }
            if let Some(page) = self.truth.pages.borrow_mut().get_mut(&page.id) {
                page.running_since = self.truth.now();
            }
        }
    }

    fn wake(&self, page: &Open, wake: Wake) {
        match &page.worker {
            Some(worker) => worker.woke(&page.tab, wake),
            None => page.tab.bar.wake(wake),
        }
        let id = page.id;
        self.truth.say(|| format!("page {id} is woken: {wake:?}"));
        if let Some(page) = self.truth.pages.borrow_mut().get_mut(&id) {
            page.woken = Some(self.truth.now());
        }
        // (c) Who signed out is out before anything is shown. Where another keep is, a message is on its way.
        if let Some(out) = self.truth.is_out()
            && (self.truth.pages.borrow().get(&id).is_some_and(|page| page.keep == out.keep)
                || (page.worker.is_none() && !self.truth.is_shared(out.keep)))
            && matches!(page.tab.client.state(), State::SignedIn(_))
        {
            self.truth.fail(format!("(c) page {id} is signed in after it was woken after a sign-out"));
        }
    }

    /// A page that runs.
    fn running(&self) -> Option<usize> {
        let all: Vec<usize> = (0..self.slots.len())
            .filter(|index| self.slots[*index].page.as_ref().is_some_and(|page| !page.tab.process.frozen.get()))
            .collect();
        if all.is_empty() { None } else { Some(self.dice.pick(&all)) }
    }

    // Journeys

    /// Sees which pages are leaving, and which journeys are over. True when a page was loaded.
    fn travel(&mut self) -> bool {
        let mut arrived = false;
        for index in 0..self.slots.len() {
            // What is told to a page in the back/forward cache ends it.
            if self.slots[index].cached.as_ref().is_some_and(|page| page.tab.bar.went.borrow().len() > page.went)
                && let Some(page) = self.slots[index].cached.take()
            {
                self.bury(page);
            }
            let leaving = self.slots[index].page.as_mut().filter(|page| !page.tab.process.frozen.get()).and_then(|page| {
                let went = page.tab.bar.went.borrow();
                (went.len() > page.went).then(|| {
                    page.went = went.len();
                    went.last().cloned()
                })
            });
            if let Some(Some(url)) = leaving {
                let there = self.truth.now() + self.dice.pick(&[0, 30, 500, 3_000]);
                self.truth.say(|| format!("slot {index} leaves for {}", &url[..url.len().min(60)]));
                self.slots[index].journey = Some((there, url));
            }
            let arrives = self.slots[index].journey.as_ref().is_some_and(|(there, _)| *there <= self.truth.now());
            if arrives && let Some((_, url)) = self.slots[index].journey.take() {
                self.arrive(index, &url);
                arrived = true;
            }
        }
        arrived
    }

    fn arrive(&mut self, index: usize, url: &str) {
        // The page that was left.
        if let Some(page) = self.slots[index].page.take() {
            if let Some(old) = self.slots[index].cached.take() {
                self.bury(old);
            }
            if self.dice.percent(if self.truth.calm.get() { 0 } else { 40 }) {
                self.freeze(&page, true);
                if let Some(worker) = &page.worker {
                    worker.away(&page.tab);
                }
                self.slots[index].cached = Some(page);
            } else {
                self.bury(page);
            }
            // The next page may be of another origin.
            if !url.starts_with(ORIGIN) {
                self.end_worker();
            }
        }
        let silent = url.contains("prompt=none");
        let unreachable = !self.truth.calm.get() && (self.truth.offline.get() || self.truth.gone.get());
        if silent {
            self.truth.redirected.set(true);
        }
        if url.starts_with(ORIGIN) {
            self.open(index, url);
        } else if unreachable || self.dice.percent(if silent || self.truth.calm.get() { 0 } else { 15 }) {
            // An error page, or a user who does not want to: back.
            self.back(index);
        } else if url.starts_with(&format!("{ISSUER}/authorize")) {
            let back = if silent {
                self.world.provider.authorize_silently(url)
            } else {
                let users = self.truth.users.borrow().clone();
                let another = self.dice.percent(if users.is_empty() { 0 } else { 20 });
                let user = if another { self.dice.pick(&["alice", "bob", "carol"]) } else { "alice" };
                if self.dice.percent(if self.truth.calm.get() { 0 } else { 5 }) {
                    let asked = url::Url::parse(url).unwrap().query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
                    let there = self.truth.now() + self.dice.pick(&[0, 30, 500]);
                    self.slots[index].journey = Some((there, format!("{ORIGIN}/callback?error=access_denied&state={asked}&iss={ISSUER}")));
                    return;
                }
                self.truth.users.borrow_mut().insert(user.to_owned());
                self.world.provider.user(user);
                self.truth.signed_in.set(self.truth.now());
                let back = self.world.provider.authorize(url);
                let code = url::Url::parse(&back).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
                self.truth.asked_codes.borrow_mut().insert(code, self.truth.now());
                back
            };
            let there = self.truth.now() + self.dice.pick(&[0, 30, 500, 10_000]);
            self.slots[index].journey = Some((there, back));
        } else {
            self.end_at_provider(self.traits().logout_revokes);
            let state = url::Url::parse(url).unwrap().query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
            self.open(index, &format!("{ORIGIN}/?state={state}"));
        }
    }

    /// The user presses Back.
    fn back(&mut self, index: usize) {
        match self.slots[index].cached.take() {
            Some(page) => {
                self.thaw(&page);
                self.truth.say(|| format!("slot {index}: page {} comes back", page.id));
                self.wake(&page, Wake::Returned);
                if let Some(other) = self.slots[index].page.replace(page) {
                    self.bury(other);
                }
                self.end_worker();
            }
            None if self.slots[index].page.is_none() => self.open(index, &format!("{ORIGIN}/")),
            None => {}
        }
    }

    fn end_at_provider(&self, everything: bool) {
        self.truth.provider_session_ended.set(true);
        if everything {
            for grant in 0..=self.world.provider.grants() {
                self.truth.ended.borrow_mut().insert(grant);
            }
            self.world.provider.end_session();
        } else {
            self.world.provider.forget_session();
        }
    }

    // Time

    /// Everything goes on until it waits for time to pass, or for a few turns.
    fn settle(&mut self, turns: u64) {
        let mut left = turns;
        loop {
            while left > 0 && self.world.device.turn() {
                left -= 1;
                self.turns += 1;
                if turns - left > 20_000 {
                    self.truth.fail("(e) the work never ends".to_owned());
                    return;
                }
            }
            if !self.travel() {
                break;
            }
        }
        self.check();
    }

    fn pass(&mut self, millis: u64) {
        let end = self.truth.now() + millis;
        loop {
            self.settle(u64::MAX);
            if self.truth.failed() {
                return;
            }
            let journey =
                self.slots.iter().filter_map(|slot| slot.journey.as_ref()).map(|(there, _)| there.saturating_sub(self.truth.now()));
            let next = self.world.time.next_timer().into_iter().chain(journey).min();
            match next.filter(|millis| self.truth.now() + millis <= end) {
                Some(millis) => {
                    self.world.time.pass(millis);
                    self.world.time.ring();
                }
                None => break,
            }
            self.steps += 1;
        }
        let left = end.saturating_sub(self.truth.now());
        self.world.time.pass(left);
        self.world.time.ring();
    }

    /// What must hold at any time.
    fn check(&self) {
        let truth = &self.truth;
        if let [token, ..] = &self.world.provider.reused()[..] {
            truth.fail(format!("(a) the provider saw {token} twice"));
        }
        // A page that is gone may be asked to leave as long as a call of it is under way, and nobody is if there is no page.
        let ghost = self.ghosts.iter().any(|(bar, went)| bar.went.borrow().len() > *went);
        if ghost || self.worker.as_ref().is_some_and(|(_, worker)| worker.pages() == 0) {
            truth.asked_in_vain.set(true);
        }
        if truth.noted.get().is_none() && truth.out.get().is_some() && truth.notes() != *truth.noted_before.borrow() {
            truth.noted.set(Some(truth.now()));
        }
        let mut late = Vec::new();
        for (id, page) in truth.pages.borrow().iter().filter(|(_, page)| !page.process.frozen.get()) {
            if let (Some((grant, _)), Some(out)) = (&page.shows, truth.out.get())
                && *grant <= out.grants
                && truth.knows(page, out)
            {
                late.push(format!("(c) page {id} still shows grant {grant} after a sign-out"));
            }
        }
        if let Some(passed) = truth.passed(LATE).filter(|_| truth.now() > truth.woke.get() + LATE) {
            let pages = truth.pages.borrow();
            let mut running = pages.iter().filter(|(_, page)| !page.process.frozen.get() && truth.now() > page.running_since + LATE);
            if let Some((id, _)) = running.find(|(_, page)| page.shows.is_some()) {
                late.push(format!("(k) page {id} shows a session: {passed}"));
            }
        }
        late.into_iter().for_each(|late| truth.fail(late));
        self.check_worker();
        let load = self.world.device.load();
        if load > 400 * (self.slots.len() + 1) {
            truth.fail(format!("(e) {load} pieces of work"));
        }
    }

    /// (i) All pages of a keep show one session, but for those that are another user's.
    fn check_worker(&self) {
        let Some((keep, _)) = &self.worker else { return };
        let pages = self.truth.pages.borrow();
        let ours: Vec<_> = pages.iter().filter(|(_, page)| page.keep == *keep).collect();
        let Some((first, session)) = ours.iter().find_map(|(id, page)| Some((**id, page.shows.clone()?))) else { return };
        for (id, page) in ours {
            let wrong = match &page.shows {
                Some(other) => *other != session,
                None => page.arrived && !page.estranged,
            };
            if wrong {
                self.truth.fail(format!("(i) page {first} shows {session:?}, and page {id} of the same keep {:?}", page.client.state()));
            }
        }
    }

    // What happens

    fn act(&mut self) {
        #[cfg(feature = "limits")]
        if self.traits().idle.is_some() && self.limits.percent(70) {
            self.be_active();
        }
        if self.traits().keeps != Keeps::Own && self.dice.percent(2) {
            return self.kill();
        }
        if self.traits().dpop && self.dice.percent(8) {
            let origin = self.dice.pick(&[ISSUER, "https://api.example"]);
            let nonce = format!("nonce-{}", self.dice.next());
            self.truth.say(|| format!("{origin} wants {nonce}"));
            return self.world.provider.next_nonce(origin, &nonce);
        }
        let what = self.dice.below(100);
        let slot = self.dice.below(self.slots.len() as u64) as usize;
        match what {
            0..15 => {
                let millis = self.dice.below(3_000);
                self.pass(millis);
            }
            15..35 => {
                let millis = self.dice.below(self.traits().lifetime * 1_500);
                self.pass(millis.min(600_000.max(self.traits().lifetime * 1_000 * 2)));
            }
            35..50 => {
                let calls = if self.dice.percent(20) { self.slots.len() } else { 1 };
                (0..calls).for_each(|_| self.fetch());
            }
            50..56 => {
                if let Some(index) = self.running()
                    && let Some(page) = &self.slots[index].page
                {
                    self.wake(page, self.dice.pick(&[Wake::Visible, Wake::Online]));
                }
            }
            56..60 => {
                // Frozen, or thawed.
                let Some(page) = &self.slots[slot].page else { return self.open(slot, &format!("{ORIGIN}/")) };
                let id = page.id;
                if page.tab.process.frozen.get() {
                    self.truth.say(|| format!("page {id} is thawed"));
                    self.thaw(page);
                    if self.dice.percent(70) {
                        self.wake(page, Wake::Visible);
                    }
                } else {
                    self.truth.say(|| format!("page {id} is frozen"));
                    self.freeze(page, false);
                }
            }
            60..63 => {
                // Gone.
                if let Some(page) = self.slots[slot].page.take() {
                    self.truth.say(|| format!("page {} is gone", page.id));
                    self.bury(page);
                    self.end_worker();
                }
            }
            63..67 => {
                if self.slots[slot].page.is_none() && self.slots[slot].journey.is_none() {
                    self.open(slot, &format!("{ORIGIN}/"));
                }
            }
            67..69 => {
                // Reloaded.
                if let Some(page) = self.slots[slot].page.take() {
                    self.bury(page);
                    self.end_worker();
                    self.open(slot, &format!("{ORIGIN}/"));
                }
            }
            69..71 => {
                // Left for another page of this origin, or back.
                if self.slots[slot].cached.is_some() {
                    self.back(slot);
                } else if self.slots[slot].page.is_some() {
                    self.slots[slot].journey = Some((self.truth.now(), format!("{ORIGIN}/other")));
                }
            }
            71..78 => self.sign_in(),
            78..81 => self.sign_out(),
            81..83 => match self.dice.below(4) {
                0 => {
                    self.truth.say(|| "the provider ends everything".to_owned());
                    self.end_at_provider(true);
                }
                1 => {
                    self.truth.say(|| "the provider forgets its session".to_owned());
                    self.end_at_provider(false);
                }
                _ => {
                    self.truth.say(|| "the provider revokes access tokens".to_owned());
                    self.truth.needed.set(self.world.time.now.get());
                    self.world.provider.revoke_access_tokens();
                }
            },
            83..87 => {
                let state = if self.traits().storm == 0 { 0 } else { self.dice.below(4) };
                self.truth.offline.set(state == 1);
                self.truth.gone.set(state == 2);
                self.truth.say(|| format!("weather {state}"));
                if state > 0 {
                    self.truth.frame_trouble.set(true);
                }
            }
            87..90 => {
                let seconds = self.dice.pick(&[10, 600, 7_200]);
                self.truth.say(|| format!("the device sleeps for {seconds} s"));
                self.world.sleep(Duration::from_secs(seconds));
                self.truth.woke.set(self.truth.now());
                // By the clock on the wall, what was asked for is older now.
                self.truth.clock_was_set.set(true);
                self.truth.needed.set(self.world.time.now.get());
            }
            90..92 if self.traits().jumps => {
                let seconds: i64 = self.dice.pick(&[-86_400, -3_600, -30, 30, 3_600, 86_400]);
                self.truth.say(|| format!("the clock is set by {seconds} s"));
                self.truth.jumps.set(self.truth.jumps.get() + 1);
                self.truth.woke.set(self.truth.now());
                let ahead = self.world.time.ahead.get() + seconds * 1000;
                // Nobody takes a proof of another day.
                self.world.time.ahead.set(if self.traits().dpop { ahead.clamp(-30_000, 30_000) } else { ahead });
                self.truth.clock_was_set.set(true);
                self.truth.needed.set(self.world.time.now.get());
            }
            92..95 if self.traits().journal_fails => {
                let state = self.dice.below(3);
                self.truth.say(|| format!("journal {state}"));
                self.world.journal.hangs.set(state == 1);
                self.world.journal.blocked.set(state == 2);
                self.truth.journal_trouble.set(Some(if state == 0 { self.truth.now() } else { u64::MAX }));
            }
            95..97 => {
                if let Some(index) = self.running()
                    && let Some(page) = &self.slots[index].page
                {
                    let renew = page.tab.client.renew();
                    self.truth.say(|| format!("page {} shall renew", page.id));
                    self.truth.needed.set(self.world.time.now.get());
                    self.call(page, "renew", async move {
                        let _ = renew.await;
                    });
                }
            }
            _ => self.fetch(),
        }
    }

    /// The user does something in a page that runs.
    #[cfg(feature = "limits")]
    fn be_active(&self) {
        let pages: Vec<&Open> = self.slots.iter().filter_map(|slot| slot.page.as_ref()).collect();
        let signed_in = |page: &&&Open| !page.tab.process.frozen.get() && matches!(page.tab.client.state(), State::SignedIn(_));
        let pages: Vec<&Open> = pages.iter().filter(signed_in).copied().collect();
        if pages.is_empty() {
            return;
        }
        let page = self.limits.pick(&pages);
        self.truth.say(|| format!("the user is active in page {}", page.id));
        if self.limits.percent(20) {
            page.tab.client.stay_active();
        } else if !page.tab.bar.act(self.world.time.wall()) {
            self.truth.fail(format!("(k) page {} does not want to know that the user is active", page.id));
        }
        // Who was idle for too long is out.
        if matches!(page.tab.client.state(), State::SignedIn(_)) {
            self.truth.there.set(self.world.time.now.get());
        }
    }

    /// Each request is known by the page that it is from, wherever the keep is.
    fn fetch_from(&self, page: &Open) -> impl Future<Output = Result<Response, Error>> + use<> {
        page.tab.client.fetch_by(Some(self.world.ports_of(&page.tab.process).http), Request::get(format!("{API}me")))
    }

    fn fetch(&self) {
        if let Some(index) = self.running()
            && let Some(page) = &self.slots[index].page
        {
            let fetch = self.fetch_from(page);
            self.call(page, "fetch", async move {
                let _ = fetch.await;
            });
        }
    }

    fn sign_in(&mut self) {
        let Some(index) = self.running() else { return };
        let Some(page) = &self.slots[index].page else { return };
        let signed_in = matches!(page.tab.client.state(), State::SignedIn(_));
        if signed_in && !self.dice.percent(10) {
            return;
        }
        self.truth.say(|| format!("page {} shall sign in", page.id));
        let sign_in = page.tab.client.sign_in(SignIn::default());
        self.call(page, "sign_in", async move {
            let _ = sign_in.await;
        });
    }

    fn sign_out(&mut self) {
        let Some(index) = self.running() else { return };
        let Some(page) = &self.slots[index].page else { return };
        if !matches!(page.tab.client.state(), State::SignedIn(_)) {
            return;
        }
        let reach = self.dice.pick(&[SignOut::Local, SignOut::Provider]);
        let id = page.id;
        self.truth.say(|| format!("page {id} signs out: {reach:?}"));
        if let Some(page) = self.truth.pages.borrow_mut().get_mut(&id) {
            page.signed_out = true;
        }
        let keep = self.truth.pages.borrow().get(&id).map(|page| page.keep).unwrap_or_default();
        self.truth.noted.set(None);
        self.truth.noted_before.replace(self.truth.notes());
        self.truth.out.set(Some(Out { at: self.truth.now(), grants: self.world.provider.grants(), keep }));
        let work = page.tab.client.sign_out(reach);
        // In all pages of its keep.
        let clients: Vec<_> = {
            let pages = self.truth.pages.borrow();
            pages.iter().filter(|(_, page)| page.keep == keep).map(|(id, page)| (*id, page.client.clone())).collect()
        };
        for (other, client) in clients {
            if matches!(client.state(), State::SignedIn(_)) {
                self.truth.fail(format!("(c) page {other} is signed in after page {id} signed out"));
            }
        }
        self.call(page, "sign_out", async move {
            let _ = work.await;
        });
    }

    /// The weather clears up, and everything comes to rest.
    fn come_to_rest(&mut self) {
        let truth = self.truth.clone();
        truth.say(|| "all is calm".to_owned());
        truth.calm.set(true);
        truth.offline.set(false);
        truth.gone.set(false);
        self.world.frames.latency.set(self.traits().latency.min(50));
        self.world.journal.hangs.set(false);
        self.world.journal.blocked.set(false);
        if truth.journal_trouble.get() == Some(u64::MAX) {
            truth.journal_trouble.set(Some(truth.now()));
        }
        for index in 0..self.slots.len() {
            if let Some(cached) = self.slots[index].cached.take() {
                self.bury(cached);
            }
            if let Some(page) = &self.slots[index].page
                && page.tab.process.frozen.get()
            {
                self.thaw(page);
            }
        }
        for pause in [3_000, 3_000, 70_000, 3_000] {
            for slot in &self.slots {
                if let Some(page) = &slot.page {
                    self.wake(page, Wake::Visible);
                }
            }
            self.pass(pause);
            if truth.failed() {
                return;
            }
        }
        let long = (self.traits().lifetime * 1_200).max(30_000);
        self.pass(long);
        if truth.failed() {
            return;
        }
        // (e) Whoever is signed in has a token that is good; all others know that they are not.
        for index in 0..self.slots.len() {
            let Some(page) = &self.slots[index].page else { continue };
            let (id, client) = (page.id, page.tab.client.clone());
            if let State::SignedIn(session) = client.state()
                && session.expires.is_some_and(|expires| expires < self.world.time.wall())
            {
                truth.fail(format!("(e) at the end page {id} shows a session whose token has ended"));
            }
            let answer: Rc<RefCell<Option<Answered>>> = Rc::default();
            let (sink, fetch) = (answer.clone(), self.fetch_from(page));
            self.call(page, "last fetch", async move {
                let outcome = fetch.await;
                *sink.borrow_mut() = Some((outcome, client.state()));
            });
            for _ in 0..40 {
                if answer.borrow().is_some() {
                    break;
                }
                self.pass(2_000);
            }
            if self.slots[index].page.as_ref().is_none_or(|page| page.id != id) {
                continue;
            }
            let fine = match &*answer.borrow() {
                Some((Ok(response), State::SignedIn(_))) => response.status == 200,
                Some((Err(_), State::SignedOut | State::Failed(_))) => true,
                _ => false,
            };
            if !fine {
                truth.fail(format!("(e) at the end page {id} gets {:?}", answer.borrow()));
            }
        }
        self.pass(20_000);
        let open: Vec<_> = truth.open_calls.borrow().values().copied().collect();
        if let [first, ..] = open[..] {
            truth.fail(format!("(e) calls that never end: {first:?} and {} more", open.len() - 1));
        }
        // A renewal may be under way at any one moment, but not at all of them.
        let mut quiet = false;
        for _ in 0..40 {
            quiet |= self.world.locks.held() == 0 && self.world.locks.waiting() == 0 && self.world.frames.open.get() == 0;
            self.pass(if quiet { 0 } else { 700 });
        }
        if !quiet {
            truth.fail("(e) somebody holds the lock all the time".to_owned());
        }
    }

    /// All pages go. What the worker kept for them is gone with them, and whoever comes then is not met with it.
    fn leave_for_good(&mut self) {
        let Some((keep, worker)) = self.worker.clone() else { return };
        self.truth.say(|| "all pages are closed".to_owned());
        let was_there = worker.pages() > 0;
        for index in 0..self.slots.len() {
            self.slots[index].journey.take();
            if let Some(page) = self.slots[index].page.take() {
                self.bury(page);
            }
        }
        self.end_worker();
        let forgotten = self.truth.forgotten.get();
        self.pass(LINGER.as_millis() as u64 + 1_000);
        if worker.is_alive() && was_there && self.truth.forgotten.get() == forgotten {
            self.truth.fail(format!("(h) worker {keep} does not forget"));
        }
        self.open(0, &format!("{ORIGIN}/"));
        self.pass(20_000);
    }

    fn run(mut self) -> (Figures, Vec<String>, Vec<String>) {
        self.open(0, &format!("{ORIGIN}/"));
        self.settle(u64::MAX);
        self.sign_in();
        self.pass(20_000);
        let began = self.world.time.now.get();
        for step in 0..self.traits().steps {
            if self.truth.failed() {
                break;
            }
            self.act();
            // What comes next may come in between.
            let turns = self.dice.pick(&[0, 1, 3, 10, u64::MAX, u64::MAX]);
            self.settle(turns);
            self.steps += 1;
            if self.turns > 6_000 || step > 1_000 {
                break;
            }
        }
        if !self.truth.failed() {
            self.come_to_rest();
        }
        if !self.truth.failed() {
            self.leave_for_good();
        }
        // (b), (e) No more was asked for than time and events account for.
        let seconds = (self.world.time.now.get() - began) / 1000;
        let period = (self.traits().lifetime * 65 / 100).max(3);
        let keeps = if self.traits().keeps == Keeps::Shared { 1 } else { self.next_page + 1 };
        let due = 30 + 8 * self.steps.min(self.traits().steps) + 2 * keeps * (seconds / period + 10);
        if self.truth.token_requests.get() > due {
            self.truth.fail(format!("(b) {} token requests in {seconds} s", self.truth.token_requests.get()));
        }
        let figures = Figures { steps: self.steps, turns: self.turns, renewals: self.truth.token_requests.get() };
        let trace = self.truth.trace.as_ref().map(|trace| trace.take()).unwrap_or_default();
        let failures = self.truth.failures.take();
        for slot in &mut self.slots {
            slot.page.take();
            slot.cached.take();
        }
        if let Some((_, worker)) = self.worker.take() {
            worker.die();
        }
        self.truth.pages.borrow_mut().clear();
        self.world.device.load();
        self.world.network.forget();
        (figures, failures, trace)
    }
}

impl Truth {
    /// All that a keep had is gone, for ever.
    fn drop_all(&self, keep: u64) {
        let grants: Vec<u64> = self.keeper.borrow().iter().filter(|(_, keeper)| **keeper == keep).map(|(grant, _)| *grant).collect();
        self.dropped.borrow_mut().extend(grants);
        let pages = self.pages.borrow();
        let left = pages.iter().find(|(_, page)| page.keep == keep && matches!(page.client.state(), State::SignedIn(_)));
        if let Some((id, _)) = left {
            self.fail(format!("(h) page {id} is signed in where nothing is left"));
        }
    }

    fn failed(&self) -> bool {
        !self.failures.borrow().is_empty()
    }

    fn in_frame(&self, url: &str) -> Vec<FrameEvent> {
        if !self.calm.get() && (self.offline.get() || self.gone.get()) {
            self.frame_trouble.set(true);
            return vec![FrameEvent::Loaded];
        }
        let text = match self.traits.frames {
            FrameKind::CrossSite => {
                let request = url::Url::parse(url).unwrap();
                let asked = |name: &str| request.query_pairs().find(|(ours, _)| ours == name).unwrap().1.into_owned();
                format!("{}?error=login_required&state={}&iss={ISSUER}", asked("redirect_uri"), asked("state"))
            }
            _ => self.provider.authorize_silently(url),
        };
        self.say(|| format!("       a frame comes back to {}", &text[..text.len().min(60)]));
        vec![FrameEvent::Message { origin: ORIGIN.to_owned(), from_frame: true, text: Some(text) }]
    }
}

/// Runs a seed: the first thing that did not hold, if any.
fn run(seed: u64) -> Result<Figures, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| Simulation::new(seed, false).run()));
    match outcome {
        Ok((figures, failures, _)) => failures.into_iter().next().map_or(Ok(figures), Err),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("(g) panic: {}", text.unwrap_or_default()))
        }
    }
}

/// The last steps of a seed that failed.
fn trace(seed: u64, steps: usize) -> String {
    match catch_unwind(AssertUnwindSafe(|| Simulation::new(seed, true).run())) {
        Ok((_, _, trace)) => trace[trace.len().saturating_sub(steps)..].join("\n"),
        Err(_) => "it panics".to_owned(),
    }
}

#[cfg(not(target_family = "wasm"))]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[cfg(target_family = "wasm")]
fn setting(_: &str) -> Option<u64> {
    None
}

/// Runs seeds, and says which failed and why.
fn seeds(from: u64, count: u64) -> (Figures, Vec<(u64, String)>) {
    let (mut all, mut failed) = (Figures::default(), Vec::new());
    for seed in from..from + count {
        match run(seed) {
            Ok(figures) => {
                all.steps += figures.steps;
                all.turns += figures.turns;
                all.renewals += figures.renewals;
            }
            Err(why) => failed.push((seed, why)),
        }
    }
    (all, failed)
}

#[test]
fn whatever_happens_a_session_is_kept_or_ended_and_nothing_in_between() {
    let (from, count) = (setting("TOKENKEEP_FROM").unwrap_or(0), setting("TOKENKEEP_SEEDS").unwrap_or(SEEDS));
    let (figures, failed) = in_parallel(from, count);
    let first = failed.iter().take(20).map(|(seed, why)| format!("seed {seed}: {why}")).collect::<Vec<_>>().join("\n");
    let last = failed.first().map(|(seed, _)| trace(*seed, setting("TOKENKEEP_TRACE").unwrap_or(60) as usize)).unwrap_or_default();
    println!(
        "simulated: {count} seeds from {from}, {} steps, {} turns, {} token requests, {} failed",
        figures.steps,
        figures.turns,
        figures.renewals,
        failed.len()
    );
    assert!(failed.is_empty(), "{} of {count} seeds failed\n{first}\n\nthe end of seed {:?}:\n{last}", failed.len(), failed.first());
}

#[cfg(target_family = "wasm")]
const SEEDS: u64 = 200;
#[cfg(not(target_family = "wasm"))]
const SEEDS: u64 = 10_000;

#[cfg(target_family = "wasm")]
fn in_parallel(from: u64, count: u64) -> (Figures, Vec<(u64, String)>) {
    seeds(from, count)
}

#[cfg(not(target_family = "wasm"))]
fn in_parallel(from: u64, count: u64) -> (Figures, Vec<(u64, String)>) {
    let workers = std::thread::available_parallelism().map_or(1, |workers| workers.get() as u64);
    let share = count.div_ceil(workers);
    let parts: Vec<_> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..workers)
            .map(|worker| (from + (worker * share).min(count), share.min(count - (worker * share).min(count))))
            .map(|(from, count)| scope.spawn(move || seeds(from, count)))
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let (mut all, mut failed) = (Figures::default(), Vec::new());
    for (figures, part) in parts {
        all.steps += figures.steps;
        all.turns += figures.turns;
        all.renewals += figures.renewals;
        failed.extend(part);
    }
    (all, failed)
}
