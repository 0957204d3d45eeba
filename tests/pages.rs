//! One keep that serves all pages of a browser, as it does in a SharedWorker.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::future::{join, join3};
use tokenkeep::{
    Client, Config, Ended, Error, Event, Finished, Request, Response, Rung, SignIn, SignOut, State, Subscription,
    page::{Pages, ports::FramedBy},
    protocol::{Interrupted, Misbehaved},
};

use crate::{
    test,
    world::{API, Bar, Endpoint, ISSUER, ORIGIN, Tab, Weather, Worker, World, run},
};

/// The pages of a browser that has nothing but one keep.
struct Browser {
    world: World,
    pages: Pages,
}

struct Page {
    client: Client,
    bar: Rc<Bar>,
    events: Rc<RefCell<Vec<Event>>>,
    _listening: Subscription,
}

impl Browser {
    fn new(config: &Config) -> Browser {
        let world = World::new();
        world.no_channels.set(true);
        let pages = Pages::open(config, world.ports(), ORIGIN).unwrap();
        Browser { world, pages }
    }

    fn at(&self, address: &str, framed_by: FramedBy) -> Page {
        let bar = Rc::new(Bar { address: RefCell::new(address.to_owned()), ..Bar::default() });
        bar.framed.set(framed_by);
        let client = self.pages.join(bar.clone());
        let events: Rc<RefCell<Vec<Event>>> = Rc::default();
        let sink = events.clone();
        let listening = client.on_event(move |event| sink.borrow_mut().push(event.clone()));
        Page { client, bar, events, _listening: listening }
    }

    /// A page that was loaded, and looked at its address.
    fn open(&self) -> Page {
        let page = self.at(&format!("{ORIGIN}/"), FramedBy::Nobody);
        run(page.client.finish_sign_in()).unwrap();
        page
    }

    /// A page leaves for the provider, where this user signs in, and the page at the redirect URI takes its place.
    fn sign_in(&self, page: Page, user: &str) -> Page {
        let callback = self.leave(&page, user);
        drop(page);
        self.come_back(&callback)
    }

    fn leave(&self, page: &Page, user: &str) -> String {
        run(page.client.sign_in(SignIn::default())).unwrap();
        self.world.provider.user(user);
        let url = page.bar.went.borrow().last().cloned().unwrap();
        self.world.provider.authorize(&url)
    }

    fn come_back(&self, callback: &str) -> Page {
        let page = self.at(callback, FramedBy::Nobody);
        let finished = run(page.client.finish_sign_in());
        assert!(matches!(finished, Ok(Finished::SignedIn { .. })), "{finished:?}");
        page
    }
}

impl Page {
    fn user(&self) -> Option<String> {
        match self.client.state() {
            State::SignedIn(session) => session.subject().map(str::to_owned),
            _ => None,
        }
    }

    fn call(&self) -> Result<u16, Error> {
        run(self.client.fetch(Request::get(format!("{API}me")))).map(|response: Response| response.status)
    }

    fn ends(&self) -> Vec<Ended> {
        self.events.borrow().iter().filter_map(|event| if let Event::Ended(reason) = event { Some(*reason) } else { None }).collect()
    }
}

fn needed() -> Result<u16, Error> {
    Err(Interrupted::SignInNeeded.into())
}

#[test]
fn whoever_signs_in_in_one_page_is_signed_in_in_all() {
    let browser = Browser::new(&World::config());
    let first = browser.open();
    let second = browser.sign_in(browser.open(), "alice");
    for page in [&first, &second] {
        assert_eq!(page.user().as_deref(), Some("alice"));
        assert_eq!(page.events.borrow().iter().filter(|event| **event == Event::SignedIn).count(), 1);
        assert_eq!(page.call(), Ok(200));
    }
    // One that comes later asks nobody.
    let requests = browser.world.requests().len();
    let third = browser.at(&format!("{ORIGIN}/"), FramedBy::Nobody);
    assert_eq!(third.client.state(), State::Unknown);
    let finished = run(third.client.finish_sign_in());
    assert!(matches!(finished, Ok(Finished::Restored { .. })), "{finished:?}");
    assert_eq!(third.user().as_deref(), Some("alice"));
    assert_eq!(browser.world.requests().len(), requests);
}

#[test]
fn one_renewal_is_for_all_pages() {
    let browser = Browser::new(&World::config());
    let first = browser.sign_in(browser.open(), "alice");
    let second = browser.open();
    let before = browser.world.count(Endpoint::Token);
    browser.world.sleep(Duration::from_secs(400));
    let call = |page: &Page| page.client.fetch(Request::get(format!("{API}me")));
    let (one, other) = run(join(call(&first), call(&second)));
    assert_eq!((one.unwrap().status, other.unwrap().status), (200, 200));
    assert_eq!(browser.world.count(Endpoint::Token), before + 1);
    for page in [&first, &second] {
        assert!(page.events.borrow().iter().any(|event| matches!(event, Event::Renewed { .. })));
    }
}

#[test]
fn whoever_signs_out_in_one_page_is_signed_out_in_all() {
    let browser = Browser::new(&World::config());
    let first = browser.sign_in(browser.open(), "alice");
    let second = browser.open();
    run(first.client.sign_out(SignOut::Provider)).unwrap();
    for page in [&first, &second] {
        assert_eq!(page.client.state(), State::SignedOut);
        assert_eq!(page.ends(), [Ended::SignedOut]);
        assert_eq!(page.call(), needed());
    }
    // Only the page that was asked to leaves.
    assert_eq!((first.bar.went.borrow().len(), second.bar.went.borrow().len()), (1, 0));
}

// tab-otheruser
#[test]
fn another_user_in_one_page_is_not_met_in_the_others() {
    let browser = Browser::new(&World::config());
    let alices = browser.sign_in(browser.open(), "alice");
    let bobs = browser.sign_in(browser.open(), "bob");
    assert_eq!(bobs.user().as_deref(), Some("bob"));
    assert_eq!((bobs.ends(), bobs.call()), (vec![], Ok(200)));
    assert_eq!((alices.user(), alices.ends(), alices.call()), (None, vec![Ended::UserChanged], needed()));
    // Neither when the token is renewed.
    browser.world.later(Duration::from_secs(600));
    assert_eq!((alices.user(), alices.call(), bobs.call()), (None, needed(), Ok(200)));
    assert_eq!(run(alices.client.renew()), Err(Interrupted::SignInNeeded.into()));
    assert_eq!(run(alices.client.user_info()), Err(Interrupted::SignInNeeded.into()));
    // A page that is loaded anew is whose session it is.
    assert_eq!(browser.open().user().as_deref(), Some("bob"));
}

#[test]
fn a_call_that_is_under_way_is_not_answered_to_another_user() {
    let browser = Browser::new(&World::config());
    let alices = browser.sign_in(browser.open(), "alice");
    let callback = browser.leave(&browser.open(), "bob");
    browser.world.network.latency.set(1000);
    let (answer, bobs) = run(join(alices.client.fetch(Request::get(format!("{API}me"))), async {
        let page = browser.at(&callback, FramedBy::Nobody);
        page.client.finish_sign_in().await.unwrap();
        page
    }));
    let to_alice = browser.world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Api)).count();
    assert_eq!(to_alice, 1);
    assert!(answer.is_ok() || answer == Err(Interrupted::SignInNeeded.into()), "{answer:?}");
    assert_eq!((alices.user(), bobs.user().as_deref()), (None, Some("bob")));
}

#[test]
fn only_the_latest_page_is_asked_to_leave() {
    let browser = Browser::new(&World::config().renew_by_frame(false).renew_by_redirect(true).scopes("openid orders:read"));
    browser.world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    let first = browser.sign_in(browser.open(), "alice");
    let second = browser.open();
    browser.world.later(Duration::from_secs(400));
    assert_eq!((first.bar.went.borrow().len(), second.bar.went.borrow().len()), (0, 1));
}

#[test]
fn a_keep_that_forgets_still_finishes_what_was_begun() {
    let browser = Browser::new(&World::config());
    let page = browser.sign_in(browser.open(), "alice");
    let callback = browser.leave(&page, "alice");
    drop(page);
    browser.pages.forget();
    let after = browser.open();
    assert_eq!((after.user(), after.call()), (None, needed()));
    assert_eq!(browser.come_back(&callback).user().as_deref(), Some("alice"));
}

#[test]
fn a_page_in_somebody_elses_page_is_not_shown_who_is_signed_in() {
    let browser = Browser::new(&World::config());
    let framed = browser.at(&format!("{ORIGIN}/"), FramedBy::AnotherOrigin);
    assert_eq!(run(framed.client.finish_sign_in()), Ok(Finished::Nothing));
    let page = browser.sign_in(browser.open(), "alice");
    assert_eq!((framed.user(), framed.call()), (None, needed()));
    assert_eq!((page.user().as_deref(), page.call()), (Some("alice"), Ok(200)));
}

const LINGER: Duration = Duration::from_secs(60);

/// A page was asked to, and did not need anybody: by calling an API.
fn all_are_well(pages: &[Tab]) {
    for page in pages {
        assert_eq!(page.fetch(&format!("{API}me")).map(|response| response.status), Ok(200));
    }
}

// tab-1, tab-5
// What twenty pages cost in five lives of an access token: as much as one page does.
#[test]
fn twenty_pages_of_one_keep_are_one_page_to_the_provider() {
    let requests = |lifetime: u64, count: usize| {
        let world = World::new();
        world.provider.lifetime(lifetime);
        let worker = Worker::start(&world, &World::config(), LINGER, true);
        let mut pages = vec![worker.sign_in("alice")];
        pages.extend((1..count).map(|_| worker.open()));
        for _ in 0..50 {
            world.later(Duration::from_secs(lifetime / 10));
            all_are_well(&pages);
        }
        assert_eq!(world.provider.reused(), Vec::<String>::new());
        world.count(Endpoint::Token)
    };
    for count in [1, 20] {
        // A token for an hour is renewed a minute and a half before its end at the earliest, so five of them are five renewals, and the
        // code is one request more. Shorter ones are renewed after seven tenths of their life at the earliest, and eight at the latest.
        assert_eq!(requests(3600, count), 6, "{count} pages");
        assert!((7..=8).contains(&requests(300, count)), "{count} pages");
    }
}

// env-reinit
#[test]
fn twenty_pages_of_one_keep_are_one_set_of_timers() {
    let timers = |count: usize| {
        let world = World::new();
        let worker = Worker::start(&world, &World::config(), LINGER, true);
        let mut pages = vec![worker.sign_in("alice")];
        pages.extend((1..count).map(|_| worker.open()));
        world.settle();
        world.time.timers()
    };
    assert_eq!(timers(20), timers(1));
}

#[test]
fn a_keep_forgets_when_no_page_has_been_there_for_a_while_and_not_before() {
    let world = World::new();
    let worker = Worker::start(&world, &World::config(), LINGER, true);
    let first = worker.sign_in("alice");
    // A reload takes less.
    worker.close(&first);
    world.later(LINGER - Duration::from_secs(1));
    let sent = world.requests().len();
    let second = worker.open();
    assert_eq!((second.session().is_some(), world.requests().len()), (true, sent));
    // So does the back/forward cache, and a page that is in it hears of the end.
    worker.away(&second);
    world.later(LINGER + Duration::from_secs(1));
    assert_eq!(second.state(), State::SignedOut);
    assert!(second.was_told(&Event::Ended(Ended::Expired)));
    let third = worker.open();
    assert_eq!((third.state(), third.fetch(&format!("{API}me"))), (State::SignedOut, Err(Interrupted::SignInNeeded.into())));
    world.later(Duration::from_secs(600));
    assert_eq!(world.count(Endpoint::Token), 1, "nothing is renewed any more");
}

// tab-kill, tab-frozen
#[test]
fn whenever_a_page_dies_or_freezes_its_keep_goes_on_for_the_others() {
    for freezes in [false, true] {
        for millis in (0..400).step_by(20) {
            let world = World::new();
            let worker = Worker::start(&world, &World::config(), LINGER, true);
            let (first, second) = (worker.sign_in("alice"), worker.open());
            world.later(Duration::from_secs(200));
            world.network.weather(|_| Weather { delay: 100, ..Weather::default() });
            let renewal = first.client.renew();
            world.device.spawn(worker.process(), Box::pin(async move { drop(renewal.await) }));
            world.later(Duration::from_millis(millis));
            if freezes {
                first.process.frozen.set(true);
            } else {
                worker.close(&first);
                drop(first);
            }
            world.later(Duration::from_secs(5));
            assert_eq!(world.count(Endpoint::Token), 2, "{freezes} {millis}");
            all_are_well(&[second]);
        }
    }
}

// env-workerdie
#[test]
fn when_the_worker_dies_the_next_one_knows_nothing_and_a_page_finds_out_anew() {
    for frames in [false, true] {
        for millis in [0, 150, 1000] {
            let world = World::new();
            if frames {
                world.frames_work();
            }
            let worker = Worker::start(&world, &World::config(), LINGER, true);
            let page = worker.sign_in("alice");
            let old = world.provider.issued();
            world.network.weather(|_| Weather { delay: 100, ..Weather::default() });
            // In the middle of a call, or of a renewal.
            let (call, renewal) = (page.client.fetch(Request::get(format!("{API}me"))), page.client.renew());
            world.device.spawn(worker.process(), Box::pin(async move { drop(join(call, renewal).await) }));
            world.later(Duration::from_millis(millis));
            worker.die();
            let sent = world.requests().len();

            let next = Worker::start(&world, &World::config(), LINGER, true);
            let page = next.page(&format!("{ORIGIN}/"));
            let finished = run(page.client.finish_sign_in());
            assert_eq!(matches!(finished, Ok(Finished::Restored { .. })), frames, "{millis}");
            assert_eq!(page.fetch(&format!("{API}me")).is_ok(), frames);
            let again: Vec<_> =
                world.requests().split_off(sent).iter().filter_map(|sent| sent.token().map(|(_, token)| token.to_owned())).collect();
            assert!(again.iter().all(|token| !old.contains(token)), "what the first one had is gone: {again:?}");
            assert_eq!(world.provider.reused(), Vec::<String>::new());
        }
    }
}

// env-workerdie
// A sign-in that was under way then: where workers end with their pages it was stored, elsewhere it begins once more.
#[test]
fn a_sign_in_outlives_its_worker_where_that_is_usual() {
    for outlives in [false, true] {
        for dpop in [false, true] {
            let world = World::new();
            let config = World::config().dpop(dpop);
            let worker = Worker::start(&world, &config, LINGER, outlives);
            let page = worker.open();
            let callback = worker.leave(&page, "alice");
            worker.die();
            let next = Worker::start(&world, &config, LINGER, outlives);
            match next.come_back(&callback) {
                Ok(page) => all_are_well(&[page]),
                Err(error) => assert_eq!((outlives, error), (true, Misbehaved::StateUnknown.into())),
            }
            assert_eq!(world.count(Endpoint::Token), usize::from(!outlives));
            assert!(world.logins.borrow().values().all(|login| login.contains("used")), "{:?}", world.logins.borrow());
        }
    }
}

// dp-twokeys, dp-keylost
#[test]
fn all_pages_of_a_keep_have_one_key_and_a_reload_does_not_lose_it() {
    let world = World::new();
    let worker = Worker::start(&world, &World::config().dpop(true), LINGER, true);
    let first = worker.sign_in("alice");
    let second = worker.open();
    worker.close(&first);
    let third = worker.open();
    world.later(Duration::from_secs(300));
    all_are_well(&[second, third]);
    let proofs: Vec<_> = world.requests().iter().filter_map(|sent| sent.proof()).collect();
    assert!(proofs.iter().all(|proof| proof.thumbprint == proofs[0].thumbprint), "one key");
    assert_eq!((world.chance.keys.get(), proofs.len()), (1, 4), "a code, a renewal, two calls");
}

// tab-logout, lo-two
#[test]
fn a_sign_out_in_a_page_aborts_what_is_under_way_in_the_others() {
    let world = World::new();
    let worker = Worker::start(&world, &World::config(), LINGER, true);
    let (first, second) = (worker.sign_in("alice"), worker.open());
    world.network.weather(|_| Weather { delay: 100, ..Weather::default() });
    let call = second.client.fetch(Request::get(format!("{API}me")));
    let (answer, done, again) = run(join3(call, first.client.sign_out(SignOut::Provider), second.client.sign_out(SignOut::Provider)));
    assert_eq!((answer, done, again), (Err(Interrupted::SignInNeeded.into()), Ok(()), Ok(())));
    let left = |page: &Tab| page.bar.went.borrow().iter().filter(|url| url.contains("logout")).count();
    assert_eq!(left(&first) + left(&second), 1, "one leaves for the provider");
    assert_eq!((first.state(), second.state()), (State::SignedOut, State::SignedOut));
    assert_eq!(world.count(Endpoint::Revocation), 1);
}

// tab-schema
// Another release, or anybody else, writes what is no note.
#[test]
fn what_is_no_note_does_a_keep_in_a_worker_no_harm() {
    for note in ["", "{", "[]", r#"{"line":7,"signed_out":"yesterday"}"#, "tokenkeep"] {
        let world = World::new();
        let worker = Worker::start(&world, &World::config(), LINGER, true);
        let page = worker.sign_in("alice");
        world.settle();
        let key = world.disk.records.borrow().keys().find(|key| key.starts_with("tokenkeep.session.")).cloned().unwrap();
        tokenkeep::keep::ports::Store::write(&*world.disk, &key, note).unwrap();
        world.later(Duration::from_secs(300));
        all_are_well(&[page]);
    }
}

/// A keep that has only a redirect, for tokens that are nearly at their end.
fn by_redirect(world: &World) -> Worker {
    world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    Worker::start(world, &World::config().renew_by_frame(false).renew_by_redirect(true), LINGER, true)
}

// What came of the redirect of one session was told of the next one, and closed a way of its.
#[test]
fn what_becomes_of_a_redirect_is_not_of_the_session_after_it() {
    let world = World::new();
    let worker = by_redirect(&world);
    let first = worker.sign_in("alice");
    let callback = worker.leave(&first, "alice");
    let second = worker.open();
    world.later(Duration::from_secs(220));
    while second.bar.went.borrow().is_empty() {
        world.later(Duration::from_secs(1));
    }
    // The page stays where it is, and somebody signs in in the other one.
    let third = worker.come_back(&callback).unwrap();
    let told = third.events.borrow().len();
    world.later(Duration::from_secs(20));
    let since = third.events.borrow().split_at(told).1.to_vec();
    assert!(!since.iter().any(|event| matches!(event, Event::RenewalFailed { .. })), "{since:?}");
    all_are_well(&[first, second, third]);
}

#[test]
fn a_renewal_that_needs_a_page_waits_for_nobody_when_there_is_none() {
    let world = World::new();
    let worker = by_redirect(&world);
    let first = worker.sign_in("alice");
    world.later(Duration::from_secs(205));
    worker.close(&first);
    drop(first);
    world.later(Duration::from_secs(50));
    let second = worker.open();
    assert_ne!(second.state(), State::Unknown);
}

#[test]
fn a_sign_in_that_fails_in_one_page_hides_the_session_of_the_others_nowhere() {
    let world = World::new();
    let worker = Worker::start(&world, &World::config(), LINGER, true);
    let first = worker.sign_in("alice");
    let second = worker.open();
    second.leave(SignIn::default()).unwrap();
    let url = url::Url::parse(second.bar.went.borrow().last().unwrap()).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    worker.close(&second);
    let third = worker.page(&format!("{ORIGIN}/callback?error=access_denied&state={state}&iss={ISSUER}"));
    assert!(run(third.client.finish_sign_in()).is_err());
    // Who was signed in before still is.
    assert_eq!((third.session(), third.session().is_some()), (first.session(), true));
    all_are_well(&[first, third]);
}

#[test]
fn a_page_hears_the_end_of_what_it_was_shown_once() {
    let browser = Browser::new(&World::config());
    let alices = browser.sign_in(browser.open(), "alice");
    let bobs = browser.sign_in(browser.open(), "bob");
    // One that is being loaded was shown nothing yet.
    let loading = browser.at(&format!("{ORIGIN}/"), FramedBy::Nobody);
    run(bobs.client.sign_out(SignOut::Local)).unwrap();
    assert_eq!((bobs.ends(), alices.ends(), loading.ends()), (vec![Ended::SignedOut], vec![Ended::UserChanged], vec![]));
}

// tab-otheruser
// It was sent with the token of who had signed in meanwhile, and its answer thrown away.
#[test]
fn what_waits_for_a_token_is_not_done_in_another_users_name() {
    let world = World::new();
    let worker = Worker::start(&world, &World::config(), LINGER, true);
    let (alices, second) = (worker.sign_in("alice"), worker.open());
    let callback = worker.leave(&second, "bob");
    world.sleep(Duration::from_secs(400));
    world.network.weather(|sent| Weather { delay: if sent.field("refresh_token").is_some() { 1000 } else { 100 }, ..Weather::default() });
    let call = alices.client.fetch(Request::new("POST", format!("{API}orders")));
    let page = worker.page(&callback);
    let (answer, renewed, bob) = run(join3(call, alices.client.renew(), page.client.finish_sign_in()));
    assert!(matches!(bob, Ok(Finished::SignedIn { .. })));
    assert_eq!((answer, renewed.map(drop)), (Err(Interrupted::SignInNeeded.into()), Err(Interrupted::SignInNeeded.into())));
    assert_eq!(world.count(Endpoint::Api), 0);
}

// tab-otheruser
// A frame that was opened while nobody was signed in put its user in the place of who signed in meanwhile.
#[test]
fn a_frame_that_is_overtaken_by_a_sign_in_signs_in_nobody() {
    let world = World::new();
    world.frames_work();
    let before = Worker::start(&world, &World::config(), LINGER, true);
    let page = before.sign_in("alice");
    world.settle();
    before.die();
    drop(page);
    // Another worker, which looks whether somebody is signed in.
    let worker = Worker::start(&world, &World::config(), LINGER, true);
    world.frames.latency.set(1000);
    let first = worker.page(&format!("{ORIGIN}/"));
    let looking = first.client.finish_sign_in();
    world.device.spawn(worker.process(), Box::pin(async move { drop(looking.await) }));
    world.settle();
    assert_eq!(world.frames.open.get(), 1);
    let callback = worker.leave(&first, "alice");
    world.provider.user("bob");
    let second = worker.come_back(&callback).unwrap();
    world.later(Duration::from_secs(5));
    for page in [&first, &second] {
        assert_eq!(page.session().and_then(|session| session.subject().map(str::to_owned)).as_deref(), Some("alice"));
        assert!(!page.was_told(&Event::Renewed { by: Rung::Frame }));
    }
    all_are_well(&[first, second]);
}
