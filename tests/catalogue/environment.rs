//! Storage, clock and the life of a page.

use std::time::Duration;

use serde_json::{Value, json};
use tokenkeep::{
    Config, Ended, Error, Event, Finished, Response, Rung, SignIn, SignOut, State,
    keep::{JOURNAL_PATIENCE, OFFER_PATIENCE, ports::HttpFailure},
    page::ports::{FramedBy, Wake},
    protocol::{Algorithm, Cache, ClockSkew, Interrupted, Misbehaved, Misconfigured, Source},
    session::LONGEST_TIMER,
};

use super::tabs::{all_are_well, ends, open, presented, step, used};

use crate::{
    test,
    world::{API, Endpoint, ISSUER, Key, ORIGIN, Tab, Weather, World, run},
};

fn only_key(world: &World) -> String {
    let keys: Vec<_> = world.stored().into_keys().collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0].clone()
}

/// A tab that left for the provider, and the address at which the browser comes back.
fn left(world: &World) -> (Tab, String) {
    let tab = world.tab();
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    (tab, callback)
}

// env-deny, env-quota
#[test]
fn nobody_leaves_who_could_not_finish() {
    for (blocked, expected) in [(true, Interrupted::StorageBlocked), (false, Interrupted::StorageFull)] {
        let world = World::new();
        world.disk.records.borrow_mut().insert("theirs".into(), "x".into());
        world.disk.blocked.set(blocked);
        world.disk.full.set(!blocked);
        let tab = world.tab();
        assert_eq!(tab.leave(SignIn::default()), Err(expected.into()));
        assert_eq!(tab.bar.went.borrow().len(), 0, "before navigating");
        assert_eq!(world.stored().into_keys().collect::<Vec<_>>(), ["theirs"], "nothing half-written");
        assert_eq!(*tab.events.borrow(), [Event::MetadataRead, Event::Failed(expected.into())]);

        // It is no lasting trouble.
        world.disk.blocked.set(false);
        world.disk.full.set(false);
        assert!(tab.leave(SignIn::default()).is_ok());
    }
}

// env-deny
#[test]
fn a_page_that_comes_back_to_blocked_storage_sends_nothing() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    world.disk.blocked.set(true);
    assert_eq!(tab.arrive(&callback), Err(Interrupted::StorageBlocked.into()));
    assert_eq!((tab.address(), world.count(Endpoint::Token)), (format!("{ORIGIN}/callback"), 0));
}

// env-quota
#[test]
fn a_full_store_does_not_spoil_the_way_back() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    world.disk.full.set(true);
    assert!(matches!(tab.arrive(&callback), Ok(Finished::SignedIn { .. })));
    // There was no room for the mark, so the same response is unknown instead of used.
    assert_eq!((world.stored().len(), tab.see(&callback)), (0, Err(Misbehaved::StateUnknown.into())));
    assert_eq!(world.count(Endpoint::Token), 1);
    assert!(tab.session().is_some());
}

// env-corrupt
#[test]
fn a_record_that_is_none_is_absent_and_removed() {
    let record: Value = {
        let world = World::new();
        left(&world);
        serde_json::from_str(&world.stored()[&only_key(&world)]).unwrap()
    };
    let text = record.to_string();
    let changed = |member: &str, value: Value| {
        let mut record = record.clone();
        record[member] = value;
        record.to_string()
    };
    for broken in [
        String::new(),
        text[..text.len() / 2].to_owned(),
        "null".into(),
        "5".into(),
        "[]".into(),
        "{}".into(),
        "\u{0}".into(),
        format!("{text}x"),
        "x".repeat(10_000_000),
        " ".repeat(100_000) + &text,
        changed("state", json!("another")),
        changed("state", json!(5)),
        changed("verifier", json!("short")),
        changed("verifier", json!("x".repeat(5000))),
        changed("nonce", json!(null)),
        changed("begun", json!("yesterday")),
        changed("begun", json!(-1)),
        changed("scope", json!("a\"b")),
        changed("resources", json!("https://evil.example")),
        changed("max_age", json!("60")),
        r#"{"used": "yesterday"}"#.into(),
    ] {
        let world = World::new();
        let (mut tab, callback) = left(&world);
        let key = only_key(&world);
        world.disk.records.borrow_mut().insert(key, broken.clone());
        let shown: String = broken.chars().take(200).collect();
        assert_eq!(tab.arrive(&callback), Err(Misbehaved::StateUnknown.into()), "{shown}");
        assert_eq!((world.stored().len(), world.count(Endpoint::Token)), (0, 0), "{shown}");
        assert_eq!(tab.address(), format!("{ORIGIN}/callback"), "{shown}");
        // And a new sign-in is as if it had never been.
        assert!(tab.sign_in().is_ok(), "{shown}");
    }
}

// env-corrupt
#[test]
fn a_record_sends_a_code_nowhere_else() {
    let evil = "https://evil.example/token";
    let state_unknown = Err(Misbehaved::StateUnknown.into());
    let redirect_uri = Err(Misbehaved::RedirectUriMismatch.into());
    for (member, value, expected) in [
        ("token_endpoint", json!(evil), state_unknown.clone()),
        ("token_endpoint", json!("https://as.example/token/"), state_unknown.clone()),
        ("redirect_uri", json!("https://evil.example/callback"), redirect_uri),
        // Another issuer or client makes it another client's: it is left to them.
        ("issuer", json!("https://evil.example"), Ok(Finished::Nothing)),
        ("client_id", json!("other-client"), Ok(Finished::Nothing)),
    ] {
        let world = World::new();
        let (mut tab, callback) = left(&world);
        let key = only_key(&world);
        let mut record: Value = serde_json::from_str(&world.stored()[&key]).unwrap();
        record[member] = value.clone();
        world.disk.records.borrow_mut().insert(key, record.to_string());
        assert_eq!(tab.arrive(&callback), expected, "{member}: {value}");
        let sent = world.requests();
        assert!(sent.iter().all(|sent| sent.to == Some(Endpoint::Metadata) && sent.url.starts_with(ISSUER)), "{sent:#?}");
        assert_eq!(tab.session(), None);
    }
}

// env-corrupt
#[test]
fn a_record_sends_the_user_nowhere_else() {
    for place in
        ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example", "https:evil", "", "/callback?code=x"]
    {
        let world = World::new();
        let (mut tab, callback) = left(&world);
        let key = only_key(&world);
        let mut record: Value = serde_json::from_str(&world.stored()[&key]).unwrap();
        record["return_to"] = json!(place);
        world.disk.records.borrow_mut().insert(key, record.to_string());
        let Ok(Finished::SignedIn { return_to, .. }) = tab.arrive(&callback) else { panic!("not signed in") };
        assert!(return_to.starts_with('/') && !return_to.starts_with("//"), "{place} became {return_to}");
        let there = url::Url::parse(ORIGIN).unwrap().join(&return_to).unwrap();
        assert_eq!((there.origin().ascii_serialization().as_str(), there.query()), (ORIGIN, None), "{place} became {return_to}");
    }
}

// env-rollback
// No token is ever stored, so an older snapshot brings back a pending login at most; its code was used, and the provider says so.
#[test]
fn an_older_snapshot_of_the_store_brings_nobody_back() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    let snapshot = world.stored();
    assert!(tab.arrive(&callback).is_ok());
    run(tab.client.sign_out(SignOut::Local)).unwrap();
    *world.disk.records.borrow_mut() = snapshot;
    assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
    assert_eq!(tab.state(), State::SignedOut);
    let error = tab.arrive(&callback).unwrap_err();
    assert_eq!(error.code(), "invalid_grant");
    assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::Failed(error), 0), "no redirect storm");
}

// env-evict
#[test]
fn a_store_that_was_emptied_is_a_clean_start() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    world.disk.records.borrow_mut().clear();
    assert_eq!(tab.arrive(&callback), Err(Misbehaved::StateUnknown.into()));
    assert_eq!((world.count(Endpoint::Token), tab.bar.went.borrow().len()), (0, 0));
    assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
    assert_eq!(tab.state(), State::SignedOut);
    tab.sign_in().unwrap();
    world.disk.records.borrow_mut().clear();
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200, "a session does not live in the store");
}

// env-bfback
#[test]
fn who_presses_back_can_sign_in_again() {
    let world = World::new();
    let tab = world.tab();
    tab.leave(SignIn::default()).unwrap();
    assert_eq!(run(tab.client.sign_in(SignIn::default())), Ok(()), "a second click while leaving");
    assert_eq!(tab.bar.went.borrow().len(), 1);
    // The page comes out of the back/forward cache, with all that it knew.
    tab.bar.come_back();
    let url = tab.leave(SignIn::default()).unwrap();
    assert_eq!((tab.bar.went.borrow().len(), world.stored().len()), (2, 2));
    assert!(matches!(tab.see(&world.provider.authorize(&url)), Ok(Finished::SignedIn { .. })));
}

// env-bfback
#[test]
fn a_navigation_that_came_to_nothing_blocks_nobody_for_long() {
    let world = World::new();
    let tab = world.tab();
    tab.leave(SignIn::default()).unwrap();
    world.later(Duration::from_secs(5));
    tab.leave(SignIn::default()).unwrap();
    assert_eq!(tab.bar.went.borrow().len(), 2);
}

// env-bfexp
// Where no way leads to another token the call says that a sign-in is needed; either way the stale one is not sent.
#[test]
fn a_page_that_comes_back_late_does_not_send_a_stale_token() {
    for renewable in [true, false] {
        let world = World::new();
        if !renewable {
            world.provider.token_response(|body| drop(body.as_object_mut().unwrap().remove("refresh_token")));
        }
        let tab = open(&world, 1).remove(0);
        let stale = world.provider.issued();
        // In the back/forward cache nothing of it goes on.
        tab.process.frozen.set(true);
        world.later(Duration::from_secs(3600));
        tab.process.frozen.set(false);
        tab.bar.come_back();
        let answer = tab.fetch(&format!("{API}me"));
        if renewable {
            assert_eq!(answer.map(|response| response.status), Ok(200));
            assert_eq!((presented(&world).len(), used(&world).len(), ends(&tab)), (1, 1, vec![]));
            assert!(!used(&world).contains(&stale[0]));
        } else {
            assert_eq!(answer, Err(Interrupted::SignInNeeded.into()));
            assert_eq!((world.count(Endpoint::Api), ends(&tab), tab.state()), (0, vec![Ended::Expired], State::SignedOut));
        }
    }
}

// env-fwd
#[test]
fn a_clock_that_jumps_ends_no_session() {
    for count in [1, 3] {
        let world = World::new();
        let tabs = open(&world, count);
        world.time.ahead.set(3_600_000);
        tabs.iter().for_each(|tab| tab.bar.wake(Wake::Visible));
        all_are_well(&world, &tabs, "an hour forward");
        world.later(Duration::from_secs(120));
        assert_eq!(presented(&world).len(), 1, "at most one renewal is early");
        world.time.ahead.set(0);
        tabs.iter().for_each(|tab| tab.bar.wake(Wake::Visible));
        all_are_well(&world, &tabs, "set right again");
        world.time.ahead.set(-3_600_000);
        tabs.iter().for_each(|tab| tab.bar.wake(Wake::Visible));
        all_are_well(&world, &tabs, "and back");
        assert_eq!(presented(&world).len(), 1);
        // What follows is as it always is: a renewal in 210 to 240 seconds.
        world.later(Duration::from_secs(1500));
        assert!((7..=9).contains(&presented(&world).len()), "{}", presented(&world).len());
        all_are_well(&world, &tabs, "later");
    }
}

// env-fwd
// Where nothing leads to another token, a clock that is an hour fast makes it look ended, and so it is.
#[test]
fn a_clock_that_jumps_sends_nobody_away() {
    let world = World::new();
    world.provider.token_response(|body| drop(body.as_object_mut().unwrap().remove("refresh_token")));
    let tab = open(&world, 1).remove(0);
    world.time.ahead.set(3_600_000);
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((ends(&tab), tab.bar.went.borrow().len(), world.count(Endpoint::Api)), (vec![Ended::Expired], 0, 0));
}

// env-fwd
#[test]
fn what_was_read_by_a_wrong_clock_is_read_again() {
    let world = World::new();
    let tab = world.tab();
    let sign_in = || {
        tab.bar.come_back();
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        tab.see(&callback)
    };
    world.time.ahead.set(24 * 3_600_000);
    let skew = ClockSkew::Ahead(Duration::from_secs(24 * 3600));
    assert_eq!(sign_in(), Err(Misbehaved::ClockSkew { skew }.into()));
    assert_eq!((world.count(Endpoint::Metadata), world.count(Endpoint::Keys)), (1, 1));
    world.time.ahead.set(0);
    assert!(matches!(sign_in(), Ok(Finished::SignedIn { .. })));
    // Else what was read in that future would be believed for a day longer than it should.
    assert_eq!((world.count(Endpoint::Metadata), world.count(Endpoint::Keys)), (2, 2));
}

// env-ssr, env-reinit
// What a server renders is `State::Unknown`, whoever asks; that a page takes over from it without a seam is for the tests of the
// Leptos components.
#[test]
fn opening_a_client_does_nothing() {
    let world = World::new();
    let (_, callback) = left(&world);
    let before = (world.requests().len(), world.stored());
    let tab = world.tab_at(&World::config(), &callback).unwrap();
    assert_eq!((tab.state(), tab.address()), (State::Unknown, callback));
    assert_eq!((world.requests().len(), world.stored()), before);
    assert_eq!((tab.bar.replaced.borrow().len(), tab.bar.went.borrow().len(), tab.events.borrow().len()), (0, 0, 0));
}

// env-reinit
#[test]
fn two_clients_in_one_page_are_one_sign_in() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    tab.load(&callback);
    let bar: std::rc::Rc<dyn tokenkeep::page::ports::Navigation> = tab.bar.clone();
    let again = tokenkeep::Client::open(&World::config(), world.ports(), bar).unwrap();
    let (one, two) = run(futures::future::join(tab.client.finish_sign_in(), again.finish_sign_in()));
    assert!(matches!(one, Ok(Finished::SignedIn { .. })), "{one:?}");
    assert_eq!((two, again.state()), (Ok(Finished::Nothing), State::SignedOut));
    assert_eq!(world.count(Endpoint::Token), 1);
    let told = tab.events.borrow().iter().filter(|event| **event == Event::SignedIn).count();
    assert_eq!(told, 1);
}

// env-clean
#[test]
fn closing_removes_all_that_was_stored_for_this_client() {
    let world = World::new();
    world.disk.records.borrow_mut().insert("theirs".into(), "x".into());
    let other = world.tab_with(&Config::new("https://as.example", "other-client").redirect_path("/other")).unwrap();
    other.leave(SignIn::default()).unwrap();
    let others = world.stored();
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    tab.leave(SignIn::default()).unwrap();
    assert_eq!(world.stored().len(), others.len() + 3, "a mark, a note and a pending login");
    assert_eq!((world.channels.listeners(), world.channels.names().len()), (2, 2));
    tab.client.close();
    assert_eq!((world.stored(), tab.state()), (others, State::SignedOut));
    assert_eq!((world.channels.listeners(), world.channels.names().len()), (1, 1));
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
}

// env-clean
#[test]
fn what_is_on_its_way_when_a_client_closes_does_not_arrive() {
    for seed in 0..50 {
        let world = World::seeded(seed);
        let (tab, callback) = left(&world);
        world.network.latency.set(7);
        *tab.bar.address.borrow_mut() = callback;
        let finishing = tab.client.finish_sign_in();
        let closing = async {
            for _ in 0..seed % 5 {
                crate::world::yield_once().await;
            }
            tab.client.close();
        };
        let _ = run(futures::future::join(finishing, closing));
        assert_eq!((tab.state(), world.stored().len()), (State::SignedOut, 0), "seed {seed}");
        assert_eq!(tab.fetch(&format!("{API}me")), Err(Error::from(Interrupted::SignInNeeded)), "seed {seed}");
    }
}

// env-clean
// Whatever it is doing when it is closed.
#[test]
fn closing_leaves_nothing_behind() {
    for (frames, resting) in [(false, false), (true, false), (true, true)] {
        for steps in 0..80 {
            let at = format!("after {steps} steps, frames {frames}, resting {resting}");
            let world = World::new();
            if frames {
                world.frames_work();
                world.frames.latency.set(30);
                world.provider.token_response(|body| drop(body.as_object_mut().unwrap().remove("refresh_token")));
            }
            let tab = open(&world, 1).remove(0);
            world.network.weather(|_| Weather { delay: 50, ..Weather::default() });
            if !resting {
                world.sleep(Duration::from_secs(290));
            }
            tab.bar.wake(Wake::Visible);
            (0..steps).for_each(|_| assert!(step(&world), "{at}"));
            tab.client.close();
            assert_eq!((tab.client.state(), world.stored().len(), world.channels.listeners()), (State::SignedOut, 0, 0), "{at}");
            world.later(Duration::from_secs(65));
            assert_eq!((world.locks.held(), world.locks.waiting(), world.frames.open.get()), (0, 0, 0), "{at}");
            assert_eq!((world.time.timers(), world.device.load()), (0, 0), "{at}");
            assert_eq!((tab.client.state(), world.stored().len(), ends(&tab)), (State::SignedOut, 0, vec![Ended::SignedOut]), "{at}");
        }
    }
}

// env-clean, env-reinit
#[test]
fn a_client_that_is_dropped_is_gone() {
    let world = World::new();
    let tabs = open(&world, 3);
    world.later(Duration::from_secs(100));
    drop(tabs);
    world.later(Duration::from_secs(65));
    assert_eq!((world.channels.listeners(), world.time.timers(), world.device.load()), (0, 0, 0));
    assert_eq!((world.locks.held(), world.locks.waiting()), (0, 0));
}

// env-reinit
// As a hot reload does: the second is opened while the first is there, and then the first is dropped.
#[test]
fn opening_twice_is_one_set_of_everything() {
    let world = World::new();
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    world.later(Duration::from_secs(70));
    let one = (world.channels.listeners(), world.time.timers(), world.device.load());
    for round in 0..20 {
        let again = world.tab_at(&World::config(), &format!("{ORIGIN}/")).unwrap();
        assert!(matches!(run(again.client.finish_sign_in()), Ok(Finished::Restored { .. })), "round {round}");
        // A page that looks away and back again and again does not pile anything up either.
        for _ in 0..10 {
            again.bar.wake(Wake::Visible);
        }
        tab = again;
        world.later(Duration::from_secs(70));
        let now = (world.channels.listeners(), world.time.timers(), world.device.load());
        assert_eq!(now, one, "round {round}");
    }
    assert_eq!(world.count(Endpoint::Token), presented(&world).len() + 1);
    all_are_well(&world, &[tab], "");
    // Twenty rounds of 70 seconds.
    assert!((5..=7).contains(&presented(&world).len()), "{}", presented(&world).len());
}

// env-sleep
#[test]
fn three_tabs_that_slept_for_a_night_are_one_renewal() {
    for seed in 0..20 {
        let at = format!("seed {seed}");
        let world = World::seeded(seed);
        let tabs = open(&world, 3);
        world.device.shuffled.set(true);
        world.sleep(Duration::from_secs(8 * 3600));
        // The network comes back a little later than the user.
        world.network.fails_with(HttpFailure::Unreachable);
        tabs.iter().for_each(|tab| tab.bar.wake(Wake::Visible));
        world.later(Duration::from_secs(3));
        assert_eq!(presented(&world).len(), 0, "{at}");
        world.network.calm();
        tabs.iter().for_each(|tab| tab.bar.wake(Wake::Online));
        world.later(Duration::from_secs(10));
        assert_eq!(presented(&world).len(), 1, "{at}");
        all_are_well(&world, &tabs, &at);
        assert_eq!(presented(&world).len(), 1, "{at}");
    }
}

// env-sleep
#[test]
fn three_tabs_whose_session_ended_at_night_are_told_once() {
    for frames in [true, false] {
        for seed in 0..20 {
            let at = format!("seed {seed}, frames work: {frames}");
            let world = World::seeded(seed);
            let tabs = open(&world, 3);
            if frames {
                world.frames_work();
            }
            world.device.shuffled.set(true);
            world.sleep(Duration::from_secs(8 * 3600));
            world.provider.end_session();
            let before = world.requests().len();
            for _ in 0..3 {
                tabs.iter().for_each(|tab| tab.bar.wake(Wake::Visible));
                world.later(Duration::from_secs(60));
            }
            assert_eq!(presented(&world).len(), 1, "{at}");
            let requests = world.requests().len() - before;
            assert!(requests <= 6, "{at}: {requests}");
            assert!(world.frames.opened.borrow().len() <= 1, "{at}");
            for tab in &tabs {
                assert_eq!(ends(tab), [Ended::Rejected], "{at}: {:?}", tab.events.borrow());
                assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::SignedOut, 0), "{at}");
                let signed_in = tab.events.borrow().iter().filter(|event| **event == Event::SignedIn).count();
                assert_eq!(signed_in, 1, "{at}: nobody is brought back by another tab that does not know yet");
            }
            // And then there is silence.
            let said = world.requests().len();
            world.later(Duration::from_secs(3600));
            tabs.iter().for_each(|tab| tab.bar.wake(Wake::Visible));
            world.later(Duration::from_secs(60));
            assert_eq!((world.requests().len(), world.time.timers()), (said, 0), "{at}");
        }
    }
}

// env-offline
#[test]
fn being_offline_is_waited_out() {
    for failure in [HttpFailure::Offline, HttpFailure::Unreachable, HttpFailure::TimedOut] {
        let at = format!("{failure:?}");
        let world = World::new();
        world.frames_work();
        let tabs = open(&world, 2);
        world.later(Duration::from_secs(100));
        world.network.fails_with(failure);
        let tries = world.network.reached.borrow().len();
        world.later(Duration::from_secs(2 * 3600));
        for tab in &tabs {
            assert_eq!(ends(tab), [], "{at}: {:?}", tab.events.borrow());
            assert!(tab.session().is_some(), "{at}");
            // The metadata is too old by now, and asked for first.
            assert_eq!(tab.fetch(&format!("{API}me")), Err(failure.of(Source::Metadata)), "{at}");
            assert!(tab.was_told(&Event::SignedIn) && !tab.was_told(&Event::SignInNeeded), "{at}");
        }
        let tries = world.network.reached.borrow().len() - tries;
        assert!((20..120).contains(&tries), "{at}: {tries} tries of two tabs in two hours");
        assert_eq!((presented(&world).len(), world.frames.opened.borrow().len()), (0, 0), "{at}: nothing was spent on it");
        // The next time that somebody looks, or the network says that it is back, is the end of waiting.
        world.later(Duration::from_secs(20));
        world.network.calm();
        tabs.iter().for_each(|tab| tab.bar.wake(if failure == HttpFailure::Offline { Wake::Online } else { Wake::Visible }));
        world.later(Duration::from_secs(3));
        assert_eq!(presented(&world).len(), 1, "{at}");
        all_are_well(&world, &tabs, &at);
    }
}

// env-portal
// Something between us and the provider answers in its place.
#[test]
fn a_portal_ends_no_session() {
    for status in [200, 400, 401, 403, 407, 451, 511] {
        let at = format!("status {status}");
        let world = World::new();
        let tabs = open(&world, 2);
        world.network.weather(move |sent| {
            let gateway = (sent.to == Some(Endpoint::Token)).then_some((status, None));
            Weather { gateway, ..Weather::default() }
        });
        world.later(Duration::from_secs(1800));
        for tab in &tabs {
            assert_eq!(ends(tab), [], "{at}: {:?}", tab.events.borrow());
            assert!(tab.session().is_some() && !tab.was_told(&Event::SignInNeeded), "{at}");
            assert!(tab.fetch(&format!("{API}me")).is_err(), "{at}");
        }
        let tries = world.count(Endpoint::Token);
        assert!(tries < 60, "{at}: {tries}");
        // Nobody took the token, and so it is still good.
        world.network.calm();
        tabs.iter().for_each(|tab| tab.bar.wake(Wake::Online));
        world.later(Duration::from_secs(10));
        for tab in &tabs {
            assert_eq!((ends(tab), tab.fetch(&format!("{API}me")).map(|answer| answer.status)), (vec![], Ok(200)), "{at}");
        }
        assert!(world.provider.reused().is_empty(), "{at}");
    }
}

// env-timer
#[test]
fn no_timer_is_longer_than_a_minute() {
    let lifetimes = [Some(json!(0)), Some(json!(1)), Some(json!(300)), Some(json!(2_147_484)), Some(json!(u64::MAX)), None];
    for lifetime in lifetimes {
        let at = format!("{lifetime:?}");
        let world = World::new();
        let mut lives = lifetime.clone();
        world.provider.token_response(move |body| match lives.take() {
            Some(lives) => body["expires_in"] = lives,
            None => drop(body.as_object_mut().unwrap().remove("expires_in")),
        });
        let tabs = open(&world, 2);
        world.later(Duration::from_secs(600));
        // And a provider that wants to be left alone for long.
        world.network.weather(|sent| {
            let gateway = (sent.to == Some(Endpoint::Token)).then_some((503, Some(u64::MAX)));
            Weather { gateway, ..Weather::default() }
        });
        world.provider.revoke_access_tokens();
        let _ = tabs[0].fetch(&format!("{API}me"));
        world.later(Duration::from_secs(2 * 3600));
        let longest = world.time.slept.borrow().iter().max().copied().unwrap();
        assert!(longest <= LONGEST_TIMER && LONGEST_TIMER <= Duration::from_secs(60), "{at}: {longest:?}");
        assert!(tabs.iter().all(|tab| ends(tab).is_empty()), "{at}");
    }
}

// env-idbhang
#[test]
fn a_database_that_does_not_answer_keeps_nobody_from_signing_in() {
    for seed in 0..5 {
        let world = World::seeded(seed);
        world.journal.hangs.set(true);
        let mut tabs = vec![world.tab(), world.tab()];
        for tab in &mut tabs {
            let began = world.time.now.get();
            assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
            let looked = world.time.now.get();
            tab.sign_in().unwrap();
            let took = |from, until| Duration::from_millis(until - from);
            assert!(took(began, looked) <= JOURNAL_PATIENCE * 2 + OFFER_PATIENCE, "{:?}", took(began, looked));
            let until = world.time.now.get();
            assert!(took(looked, until) <= JOURNAL_PATIENCE * 2, "{:?}", took(looked, until));
        }
        // Nobody can tell who presents what, so each keeps its own.
        assert!(!world.channels.log.borrow().iter().any(|said| said.contains(r#""session""#)));
        world.later(Duration::from_secs(900));
        assert_eq!(std::collections::BTreeSet::from_iter(used(&world)).len(), 0);
        all_are_well(&world, &tabs, "hangs");
        assert_eq!(std::collections::BTreeSet::from_iter(used(&world)).len(), 2);
        // Who signs in when it answers again shares what came of it.
        world.journal.hangs.set(false);
        tabs[0].sign_in().unwrap();
        world.later(Duration::from_secs(5));
        assert_eq!(tabs[1].session().unwrap().renewed_by, Some(Rung::Tab));
        world.later(Duration::from_secs(600));
        all_are_well(&world, &tabs, "answers");
        assert_eq!(world.journal.records.borrow().len(), 1);
    }
}

// env-idbhang
// What cannot be written down is not presented; the session waits for the database, or goes on by the frame.
#[test]
fn a_database_that_is_lost_later_spends_nothing() {
    type Break = fn(&World, bool);
    let breaks: [(&str, Break); 3] = [
        ("hangs", |world, broken| world.journal.hangs.set(broken)),
        ("blocked", |world, broken| world.journal.blocked.set(broken)),
        ("full", |world, broken| world.journal.full.set(broken)),
    ];
    for (what, set) in breaks {
        for frames in [false, true] {
            let at = format!("{what}, frames work: {frames}");
            let world = World::new();
            let tabs = open(&world, 3);
            if frames {
                world.frames_work();
            }
            set(&world, true);
            world.later(Duration::from_secs(280));
            assert_eq!(presented(&world).len(), 0, "{at}");
            if frames {
                world.later(Duration::from_secs(600));
                all_are_well(&world, &tabs, &at);
            } else {
                world.later(Duration::from_secs(600));
                assert_eq!(presented(&world).len(), 0, "{at}");
                for tab in &tabs {
                    let expected = if what == "full" { Interrupted::StorageFull } else { Interrupted::StorageBlocked };
                    assert_eq!(tab.fetch(&format!("{API}me")), Err(expected.into()), "{at}");
                    assert_eq!((ends(tab), tab.session().is_some()), (vec![], true), "{at}: {:?}", tab.events.borrow());
                }
            }
            set(&world, false);
            world.later(Duration::from_secs(600));
            all_are_well(&world, &tabs, &at);
        }
    }
}

// env-evict
#[test]
fn a_browser_that_forgot_everything_is_a_clean_start() {
    for frames in [false, true] {
        let world = World::new();
        let mut tabs = open(&world, 3);
        if frames {
            world.frames_work();
        }
        let forget = || {
            world.disk.records.borrow_mut().clear();
            world.journal.records.borrow_mut().clear();
        };
        forget();
        all_are_well(&world, &tabs, "a session does not live in the store");
        let requests = world.requests().len();
        world.later(Duration::from_secs(600));
        // Nobody knows what was presented, so nothing is.
        if frames {
            all_are_well(&world, &tabs, "what is gone is written again");
            assert!(!world.journal.records.borrow().is_empty());
            forget();
        } else {
            assert_eq!(presented(&world).len(), 0);
            assert!(tabs.iter().all(|tab| ends(tab) == [Ended::Expired]));
            assert_eq!(world.requests().len(), requests, "there is no loop");
        }
        drop(tabs.split_off(1));
        assert_eq!(tabs[0].arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing), "frames work: {frames}");
        assert_eq!((tabs[0].state(), tabs[0].bar.went.borrow().len()), (State::SignedOut, 0));
        tabs[0].sign_in().unwrap();
        world.later(Duration::from_secs(600));
        all_are_well(&world, &tabs, "signed in again");
    }
}

// env-rollback
// A journal that forgot what was presented lets it be presented again: the provider ends all, and each tab is told once.
#[test]
fn an_older_snapshot_of_the_journal_ends_the_session_once_at_most() {
    for frames in [false, true] {
        let world = World::new();
        let tabs = open(&world, 3);
        if frames {
            world.frames_work();
        }
        let snapshot = (world.stored(), world.journal.records.borrow().clone());
        world.later(Duration::from_secs(100));
        // One tab misses what the others did meanwhile.
        tabs[2].process.frozen.set(true);
        tabs[2].process.deaf.set(true);
        world.later(Duration::from_secs(500));
        (*world.disk.records.borrow_mut(), *world.journal.records.borrow_mut()) = snapshot.clone();
        tabs[2].process.deaf.set(false);
        tabs[2].process.frozen.set(false);
        tabs[2].bar.wake(Wake::Visible);
        world.later(Duration::from_secs(1800));
        assert_eq!(world.provider.reused().len(), 1, "it looked as if it had never been presented");
        for tab in &tabs {
            assert_eq!((ends(tab), tab.state()), (vec![Ended::Rejected], State::SignedOut), "{:?}", tab.events.borrow());
            assert_eq!(tab.bar.went.borrow().len(), 0);
        }

        // A browser that starts with an older profile has no token that it could present.
        drop(tabs);
        let presented_before = presented(&world).len();
        (*world.disk.records.borrow_mut(), *world.journal.records.borrow_mut()) = snapshot;
        let mut tab = world.tab();
        let finished = tab.arrive(&format!("{ORIGIN}/"));
        match frames {
            true => assert!(matches!(finished, Ok(Finished::Restored { .. })), "{finished:?}"),
            false => assert_eq!((finished, tab.state(), tab.bar.went.borrow().len()), (Ok(Finished::Nothing), State::SignedOut, 0)),
        }
        assert_eq!(presented(&world).len(), presented_before);
    }
}

// env-part
// A frame of another site: nobody signs in there, and nobody is shown there who did so elsewhere.
#[test]
fn a_page_that_another_site_frames_signs_nobody_in() {
    let world = World::new();
    let tab = open(&world, 1).remove(0);
    let bar = std::rc::Rc::new(crate::world::Bar::default());
    *bar.address.borrow_mut() = format!("{ORIGIN}/");
    bar.framed.set(FramedBy::AnotherOrigin);
    let framed = tokenkeep::Client::open(&World::config(), world.ports(), bar.clone()).unwrap();
    assert_eq!(run(framed.finish_sign_in()), Ok(Finished::Nothing));
    assert_eq!(run(framed.sign_in(SignIn::default())), Err(Misconfigured::Framed.into()));
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    *bar.address.borrow_mut() = callback.clone();
    assert_eq!(run(framed.finish_sign_in()), Err(Misconfigured::Framed.into()));
    world.later(Duration::from_secs(600));
    assert!(!matches!(framed.state(), State::SignedIn(_)), "{:?}", framed.state());
    assert_eq!(run(framed.fetch(tokenkeep::Request::get(format!("{API}me")))), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((bar.went.borrow().len(), world.count(Endpoint::Api)), (0, 0));
    // The response is still good where it belongs.
    assert!(matches!(tab.see(&callback), Ok(Finished::SignedIn { .. })));
}

// env-sw
// A service worker that keeps every answer to a GET for ever. What it cannot keep is a POST.
#[test]
fn a_cache_that_never_forgets_spoils_no_session() {
    let world = World::new();
    for endpoint in [Endpoint::Metadata, Endpoint::Keys] {
        let mut kept: Option<Response> = None;
        world.provider.answer(endpoint, move |_, right| Ok(kept.get_or_insert(right).clone()));
    }
    let tabs = open(&world, 2);
    // The provider moves on: the keys that the page is shown are a week old.
    world.provider.sign_with(Key::new(Algorithm::Es256, "key-2"));
    world.later(Duration::from_secs(2 * 3600));
    all_are_well(&world, &tabs, "an access token needs no key");
    let token_requests: Vec<_> = world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::Token)).collect();
    assert!(token_requests.iter().all(|sent| sent.method == "POST" && sent.cache == Cache::NoStore));
    // Whoever signs in meets the new key: it is looked for once past the HTTP cache, and then that is all that can be done.
    let mut other = world.tab();
    let rereads = || world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Keys) && sent.cache == Cache::Reload).count();
    assert_eq!(other.sign_in(), Err(Misbehaved::KeyUnknown.into()));
    assert_eq!(rereads(), 1);
    all_are_well(&world, &tabs, "who was signed in still is");
    world.provider.recover(Endpoint::Keys);
    assert!(other.sign_in().is_ok(), "as soon as the worker lets go");
}

// env-prec
#[test]
fn a_coarse_and_jittery_clock_is_good_enough() {
    for jitter in [[0, -900, 400], [-1000, 1000, 0], [500, 499, 498], [-29_000, -29_500, -28_000]] {
        let world = World::new();
        let tab = world.tab();
        world.time.ahead.set(jitter[0]);
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        world.time.ahead.set(jitter[1]);
        assert!(matches!(tab.see(&callback), Ok(Finished::SignedIn { .. })), "{jitter:?}");
        world.time.ahead.set(jitter[2]);
        assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200, "{jitter:?}");
    }
}

#[test]
fn a_page_without_cryptography_sends_nobody_away() {
    let world = World::new();
    world.chance.absent.set(true);
    let tab = world.tab();
    assert_eq!(tab.leave(SignIn::default()), Err(Misconfigured::InsecureContext.into()));
    assert_eq!((world.requests().len(), world.stored().len()), (0, 0));
}
