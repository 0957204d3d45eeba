//! Many tabs of one browser: one refresh token among them, one session, and pages that freeze, die and lie.

use std::{collections::BTreeSet, time::Duration};

use futures::future::{join, join_all, join3};
use serde_json::{Value, json};
use tokenkeep::{
    Access, Config, Ended, Event, Finished, Request, Rung, SignIn, SignOut, State,
    keep::{
        GIFT_PATIENCE, LEASE, TURN,
        ports::{Crypto, HttpFailure},
    },
    page::ports::Wake,
    protocol::{Interrupted, Secret, Source, UnixTime},
};

use crate::{
    test,
    world::{API, Endpoint, Key, ORIGIN, Sleep, Tab, Weather, World, b64, json_response, run},
};

const ME: &str = "https://api.example/v1/me";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many tabs of one user: the first one signs in, the others are opened later.
pub fn open(world: &World, count: usize) -> Vec<Tab> {
    open_with(world, &World::config(), count)
}

pub fn open_with(world: &World, config: &Config, count: usize) -> Vec<Tab> {
    let mut tab = world.tab_with(config).unwrap();
    tab.sign_in().unwrap();
    let mut tabs = vec![tab];
    while tabs.len() < count {
        let mut tab = world.tab_with(config).unwrap();
        assert!(matches!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })));
        tabs.push(tab);
    }
    tabs
}

/// The refresh tokens that were presented, in order.
pub fn presented(world: &World) -> Vec<String> {
    world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Token)).filter_map(|sent| sent.field("refresh_token")).collect()
}

/// The access tokens that APIs got, in order.
pub fn used(world: &World) -> Vec<String> {
    let calls = world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::Api));
    calls.map(|sent| sent.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()).collect()
}

/// The access token that a tab uses.
fn used_by(world: &World, tab: &Tab) -> String {
    tab.fetch(ME).unwrap();
    used(world).pop().unwrap()
}

/// Why the session of a tab ended, as often as it was told.
pub fn ends(tab: &Tab) -> Vec<Ended> {
    tab.events.borrow().iter().filter_map(|event| if let Event::Ended(why) = event { Some(*why) } else { None }).collect()
}

fn told(tab: &Tab, event: &Event) -> usize {
    tab.events.borrow().iter().filter(|told| *told == event).count()
}

/// What must hold whatever tabs do.
pub fn holds(world: &World, at: &str) {
    let presented = presented(world);
    assert_eq!(BTreeSet::from_iter(&presented).len(), presented.len(), "{at}: no refresh token is presented twice: {presented:?}");
    assert!(world.provider.reused().is_empty(), "{at}");
    let said = world.channels.log.borrow().join("\n");
    let kept = format!("{:?}", world.journal.records.borrow());
    let secrets = world.secrets();
    assert!(secrets.iter().any(|secret| secret.starts_with("access-token-")), "{at}");
    for secret in secrets {
        assert!(!said.contains(&secret), "{at}: {secret} was said");
        assert!(!kept.contains(&secret), "{at}: {secret} was written down");
    }
}

/// Everybody is signed in, was so without a break, and can call an API with a token that is good.
pub fn all_are_well(world: &World, tabs: &[Tab], at: &str) {
    for (index, tab) in tabs.iter().enumerate() {
        assert_eq!(ends(tab), [], "{at}, tab {index}: {:?}", tab.events.borrow());
        assert!(tab.session().is_some(), "{at}, tab {index}");
        assert_eq!(tab.fetch(ME).map(|response| response.status), Ok(200), "{at}, tab {index}");
    }
    holds(world, at);
}

/// Everybody is out, was told so once, and calls nothing.
fn all_are_out(world: &World, tabs: &[Tab], reason: impl Fn(usize) -> Ended, at: &str) {
    let calls = world.count(Endpoint::Api);
    for (index, tab) in tabs.iter().enumerate() {
        assert_eq!(ends(tab), [reason(index)], "{at}, tab {index}: {:?}", tab.events.borrow());
        assert_eq!(tab.state(), State::SignedOut, "{at}, tab {index}");
        assert_eq!(tab.fetch(ME), Err(Interrupted::SignInNeeded.into()), "{at}, tab {index}");
        assert!(tab.bar.went.borrow().is_empty(), "{at}, tab {index}: nobody is sent anywhere");
    }
    assert_eq!(world.count(Endpoint::Api), calls, "{at}");
    holds(world, at);
}

fn wake_all(tabs: &[Tab]) {
    tabs.iter().for_each(|tab| tab.bar.wake(Wake::Visible));
}

/// Until when a tab has a token, at this very moment.
fn until(tab: &Tab) -> Option<UnixTime> {
    if let State::SignedIn(session) = tab.client.state() { session.expires } else { None }
}

/// The next thing that happens in the world. False when nothing does.
pub fn step(world: &World) -> bool {
    world.device.turn() || world.time.pass_to_next_timer()
}

/// Every request takes a while, there and back.
fn slowly(world: &World, millis: u64) {
    world.network.weather(move |_| Weather { delay: millis, ..Weather::default() });
}

/// Worlds in which one of three tabs renews, stopped after each of the steps that this takes.
fn at_every_moment_of_a_renewal(frames: bool, mut act: impl FnMut(&World, Vec<Tab>, &str)) {
    let begin = || {
        let world = World::new();
        if frames {
            world.frames_work();
        }
        let tabs = open(&world, 3);
        world.settle();
        slowly(&world, 100);
        // It is time for everybody, but only one has looked at the clock.
        world.sleep(secs(245));
        tabs[0].bar.wake(Wake::Visible);
        (world, tabs)
    };
    let (world, tabs) = begin();
    let mut steps = 0;
    while !tabs.iter().all(|tab| until(tab) > Some(world.time.wall() + secs(200))) {
        assert!(step(&world) && steps < 200, "after {steps} steps nobody has renewed");
        steps += 1;
    }
    for stop in 0..=steps {
        let (world, tabs) = begin();
        (0..stop).for_each(|_| assert!(step(&world)));
        act(&world, tabs, &format!("after {stop} of {steps} steps"));
    }
}

// tab-1
#[test]
fn fifty_callers_are_one_renewal() {
    let world = World::new();
    let tab = &open(&world, 1)[0];
    let old = world.provider.issued();
    world.sleep(secs(300));
    slowly(&world, 50);
    let calls = (0..50).map(|_| tab.client.fetch(Request::get(ME)));
    assert!(run(join_all(calls)).into_iter().all(|response| response.unwrap().status == 200));
    assert_eq!((presented(&world).len(), used(&world).len()), (1, 50));
    assert!(used(&world).iter().all(|token| !old.contains(token)), "nobody was given the old one");

    // An API that refuses all of them at once is no other matter.
    world.later(secs(10));
    world.provider.revoke_access_tokens();
    let calls = (0..50).map(|_| tab.client.fetch(Request::get(ME)));
    assert!(run(join_all(calls)).into_iter().all(|response| response.unwrap().status == 200));
    assert_eq!((presented(&world).len(), used(&world).len()), (2, 150));
    all_are_well(&world, std::slice::from_ref(tab), "");
}

// tab-5
#[test]
fn tabs_that_reach_the_end_of_a_token_together_are_one_renewal() {
    for (count, seeds) in [(5, 30), (20, 4)] {
        for seed in 0..seeds {
            let at = format!("{count} tabs, seed {seed}");
            let world = World::seeded(seed);
            let tabs = open(&world, count);
            world.device.shuffled.set(true);
            world.network.latency.set(seed % 7);
            slowly(&world, seed * 40);
            world.sleep(secs(300));
            wake_all(&tabs);
            let calls = tabs.iter().map(|tab| tab.client.fetch(Request::get(ME)));
            let answers = run(join_all(calls));
            assert!(answers.iter().all(|answer| matches!(answer, Ok(response) if response.status == 200)), "{at}: {answers:?}");
            world.later(secs(30));
            assert_eq!(presented(&world).len(), 1, "{at}");
            let failed = |tab: &Tab| tab.events.borrow().iter().any(|event| matches!(event, Event::RenewalFailed { .. }));
            assert!(!tabs.iter().any(failed), "{at}: who was given a token has not failed");
            assert_eq!(BTreeSet::from_iter(used(&world)).len(), 1, "{at}: the losers adopt the winner's");
            all_are_well(&world, &tabs, &at);
        }
    }
}

// tab-5
// A new token for everybody costs one request, however many tabs there are.
#[test]
fn more_tabs_are_not_more_requests() {
    for count in [1, 5, 20] {
        let world = World::new();
        let tabs = open(&world, count);
        world.later(secs(5 * 300));
        // Each token lives for 300 seconds, and is renewed after 210 at the earliest and 240 at the latest.
        let renewals = presented(&world).len();
        assert!((6..=7).contains(&renewals), "{count} tabs: {renewals}");
        assert_eq!(world.count(Endpoint::Token), renewals + 1, "and once for the code");
        all_are_well(&world, &tabs, &format!("{count} tabs"));
        assert_eq!(world.count(Endpoint::Token), renewals + 1);
    }
}

/// Whether a refresh token was marked as presented since the sign-in.
fn is_claimed(world: &World) -> bool {
    !world.journal.records.borrow().values().any(|row| row.split(' ').nth(1) == Some("0"))
}

// tab-kill
#[test]
fn whenever_a_tab_dies_the_others_go_on() {
    at_every_moment_of_a_renewal(true, |world, mut tabs, at| {
        drop(tabs.remove(0));
        wake_all(&tabs);
        world.later(LEASE + secs(10));
        let calls = tabs.iter().map(|tab| tab.client.fetch(Request::get(ME)));
        assert!(run(join_all(calls)).iter().all(|answer| matches!(answer, Ok(response) if response.status == 200)), "{at}");
        world.later(secs(900));
        all_are_well(world, &tabs, at);
        assert_eq!((world.locks.waiting(), world.frames.open.get()), (0, 0), "{at}");
    });
}

// tab-kill
// Where nothing but the refresh token leads to a new one: only what was lost with the tab is lost, and it is not tried again.
#[test]
fn a_tab_that_dies_takes_no_more_with_it_than_it_had() {
    let (mut went_on, mut ended) = (0, 0);
    at_every_moment_of_a_renewal(false, |world, mut tabs, at| {
        let claimed = is_claimed(world);
        drop(tabs.remove(0));
        world.settle();
        wake_all(&tabs);
        let handed_over = tabs.iter().any(|tab| until(tab) > Some(world.time.wall() + secs(200)));
        world.later(secs(900));
        if claimed && !handed_over {
            ended += 1;
            all_are_out(world, &tabs, |_| Ended::Expired, at);
            assert!(tabs.iter().all(|tab| told(tab, &Event::SignInNeeded) == 1), "{at}");
        } else {
            went_on += 1;
            all_are_well(world, &tabs, at);
        }
    });
    assert!(went_on > 5 && ended > 5, "{went_on} went on, {ended} ended");
}

// tab-frozen
#[test]
fn whenever_a_tab_freezes_the_others_go_on_and_it_does_no_harm_when_it_thaws() {
    at_every_moment_of_a_renewal(true, |world, tabs, at| {
        tabs[0].process.frozen.set(true);
        wake_all(&tabs[1..]);
        // Whoever waits for its turn takes it after a while; whoever presented the token may still answer for a while.
        let began = world.time.now.get();
        let calls = tabs[1..].iter().map(|tab| tab.client.fetch(Request::get(ME)));
        assert!(run(join_all(calls)).iter().all(|answer| matches!(answer, Ok(response) if response.status == 200)), "{at}");
        world.later((TURN * 2 + LEASE + secs(10)).saturating_sub(Duration::from_millis(world.time.now.get() - began)));
        assert!(tabs[1..].iter().all(|tab| until(tab) > Some(world.time.wall())), "{at}");
        all_are_well(world, &tabs[1..], at);

        world.later(secs(600));
        tabs[0].process.frozen.set(false);
        world.later(secs(5));
        tabs[0].bar.wake(Wake::Visible);
        world.later(secs(30));
        all_are_well(world, &tabs, at);
        world.later(secs(900));
        all_are_well(world, &tabs, at);
    });
}

// tab-frozen
#[test]
fn what_a_tab_notes_when_it_thaws_stands_in_nobodys_way() {
    at_every_moment_of_a_renewal(true, |world, mut tabs, at| {
        tabs[0].process.frozen.set(true);
        wake_all(&tabs[1..]);
        world.later(TURN * 2 + LEASE + secs(10));
        tabs[0].process.frozen.set(false);
        world.later(secs(1));
        // All pages are left before any of them looks again.
        tabs.truncate(1);
        let finished = tabs[0].arrive(&format!("{ORIGIN}/"));
        assert!(matches!(finished, Ok(Finished::Restored { .. })), "{at}: {finished:?}");
        all_are_well(world, &tabs, at);
    });
}

// tab-frozen
// A tab that stood still between a claim and the word that it was written took its own claim for another tab's.
#[test]
fn a_lone_tab_that_stands_still_at_any_moment_goes_on() {
    for (steps, rotates, latency) in (0..60).flat_map(|steps| [(steps, true, 100), (steps, false, 100), (steps, false, 0)]) {
        let at = format!("after {steps} steps, {rotates}, {latency}");
        let world = World::new();
        world.provider.lifetime(60);
        world.provider.rotates(rotates);
        world.journal.latency.set(100);
        let tabs = open(&world, 1);
        slowly(&world, latency);
        world.later(secs(20));
        let renewing = tabs[0].client.renew();
        world.device.spawn(&tabs[0].process, Box::pin(async move { drop(renewing.await) }));
        (0..steps).for_each(|_| assert!(step(&world), "{at}"));
        tabs[0].process.frozen.set(true);
        world.later(secs(100));
        tabs[0].process.frozen.set(false);
        tabs[0].bar.wake(Wake::Visible);
        world.later(secs(30));
        assert_eq!(ends(&tabs[0]), [], "{at}");
        assert_eq!(tabs[0].fetch(ME).map(|response| response.status), Ok(200), "{at}");
        if rotates {
            holds(&world, &at);
        }
    }
}

// tab-frozen
// Where a frame is the only way: the ID token of its code was too old when the tab went on, and the session was given up for that.
#[test]
fn a_lone_tab_that_stands_still_while_it_asks_in_a_frame_asks_again() {
    for steps in 0..30 {
        let world = World::new();
        world.frames_work();
        world.network.goes_its_own_way(&world.device);
        world.provider.token_response(|body| {
            body.as_object_mut().unwrap().remove("refresh_token");
        });
        let tabs = open(&world, 1);
        slowly(&world, 100);
        world.later(secs(20));
        let renewing = tabs[0].client.renew();
        world.device.spawn(&tabs[0].process, Box::pin(async move { drop(renewing.await) }));
        (0..steps).for_each(|_| _ = step(&world));
        tabs[0].process.frozen.set(true);
        world.later(secs(700));
        tabs[0].process.frozen.set(false);
        tabs[0].bar.wake(Wake::Visible);
        world.later(secs(30));
        assert_eq!(ends(&tabs[0]), [], "after {steps} steps");
        assert_eq!(tabs[0].fetch(ME).map(|response| response.status), Ok(200), "after {steps} steps");
    }
}

// tab-nolocks
#[test]
fn without_locks_the_journal_keeps_tabs_apart() {
    for seed in 0..40 {
        let at = format!("seed {seed}");
        let world = World::seeded(seed);
        world.locks.absent.set(true);
        let tabs = open(&world, 5);
        world.device.shuffled.set(true);
        world.network.latency.set(seed % 11);
        slowly(&world, seed * 20);
        world.sleep(secs(300));
        wake_all(&tabs);
        let calls = tabs.iter().map(|tab| tab.client.fetch(Request::get(ME)));
        let _ = run(join_all(calls));
        world.later(secs(30));
        assert_eq!(presented(&world).len(), 1, "{at}");
        all_are_well(&world, &tabs, &at);
        world.later(secs(1500));
        assert!(presented(&world).len() <= 8, "{at}: {}", presented(&world).len());
        all_are_well(&world, &tabs, &at);
    }
    // And one tab alone.
    let world = World::new();
    world.locks.absent.set(true);
    let tab = open(&world, 1);
    world.later(secs(1500));
    all_are_well(&world, &tab, "alone");
    assert!((6..=7).contains(&presented(&world).len()));
}

// tab-igrant
// A provider that rotates says `invalid_grant` to whoever comes second, and so nobody does.
#[test]
fn a_tab_that_missed_a_rotation_adopts_it() {
    let world = World::new();
    let tabs = open(&world, 2);
    tabs[1].process.frozen.set(true);
    world.later(secs(305));
    assert_eq!(presented(&world).len(), 1);
    // Its own token has ended, and its number was presented by the other tab.
    tabs[1].process.frozen.set(false);
    tabs[1].bar.wake(Wake::Visible);
    assert_eq!(tabs[1].fetch(ME).map(|response| response.status), Ok(200));
    world.later(secs(5));
    assert_eq!(presented(&world).len(), 1);
    all_are_well(&world, &tabs, "");
    assert_eq!(BTreeSet::from_iter(used(&world)).len(), 1);
}

// tab-igrant
// The same where it cannot be told: it looks into the journal, does not present what is spent, and asks the provider in a frame.
#[test]
fn a_tab_that_cannot_hear_of_a_rotation_does_not_present_what_is_spent() {
    for frames in [true, false] {
        let at = format!("frames work: {frames}");
        let world = World::new();
        let tabs = open(&world, 2);
        if frames {
            world.frames_work();
        }
        tabs[1].process.frozen.set(true);
        world.later(secs(245));
        // The tab that renewed is gone, and its tokens with it.
        let mut tabs = tabs;
        drop(tabs.remove(0));
        tabs[0].process.frozen.set(false);
        tabs[0].bar.wake(Wake::Visible);
        world.later(secs(120));
        assert_eq!(presented(&world).len(), 1, "{at}");
        match frames {
            true => all_are_well(&world, &tabs, &at),
            false => all_are_out(&world, &tabs, |_| Ended::Expired, &at),
        }
    }
}

// tab-unload
#[test]
fn whenever_a_page_is_left_the_next_one_is_signed_in() {
    for alone in [true, false] {
        at_every_moment_of_a_renewal(true, |world, mut tabs, at| {
            if alone {
                tabs.truncate(1);
            }
            let finished = tabs[0].arrive(&format!("{ORIGIN}/"));
            let Ok(Finished::Restored { session }) = finished else { panic!("{at}, alone {alone}: {finished:?}") };
            assert_eq!(session.subject(), Some("alice"), "{at}, alone {alone}");
            world.later(secs(60));
            all_are_well(world, &tabs, at);
        });
    }
}

// tab-unload
#[test]
fn a_page_that_is_left_alone_without_frames_is_out_and_nothing_is_tried_again() {
    at_every_moment_of_a_renewal(false, |world, mut tabs, at| {
        tabs.truncate(1);
        let before = presented(world).len();
        assert_eq!(tabs[0].arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing), "{at}");
        world.later(secs(600));
        assert_eq!((tabs[0].state(), presented(world).len()), (State::SignedOut, before), "{at}");
        assert_eq!((ends(&tabs[0]), tabs[0].bar.went.borrow().len()), (vec![], 0), "{at}");
        assert!(tabs[0].sign_in().is_ok(), "{at}");
        holds(world, at);
    });
}

fn channel(world: &World) -> String {
    world.channels.names().pop().unwrap()
}

/// Somebody at this origin says it.
fn forge(world: &World, text: &str) {
    world.channels.forge(&world.device, &channel(world), text);
}

/// What was said of this type, in order.
fn said(world: &World, kind: &str) -> Vec<Value> {
    let log = world.channels.log.borrow();
    log.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok()).filter(|message| message["type"] == kind).collect()
}

/// The line that is in use, as the journal has it.
fn line(world: &World) -> String {
    let records = world.journal.records.borrow();
    records.values().next().unwrap().split(' ').next().unwrap().to_owned()
}

/// All that could have changed, except what is said.
fn everything(world: &World, tabs: &[Tab]) -> String {
    world.settle();
    let tabs: Vec<_> = tabs.iter().map(|tab| (tab.client.state(), tab.events.borrow().clone(), tab.bar.went.borrow().clone())).collect();
    format!("{tabs:?} {} {:?} {:?}", world.requests().len(), world.stored(), world.journal.records.borrow())
}

// tab-forge
#[test]
fn what_is_forged_changes_nothing() {
    let world = World::new();
    let tabs = open(&world, 2);
    let (line, known) = (line(&world), said(&world, "session")[0]["from"].clone());
    let mut forged = vec![
        String::new(),
        "null".into(),
        "5".into(),
        "[]".into(),
        "{}".into(),
        "\"hello\"".into(),
        "\u{0}\u{ffff}".into(),
        "{\"tokenkeep\":1,\"type\":".into(),
        "[".repeat(400_000),
        "{\"a\":".repeat(80_000),
        "x".repeat(10_000_000),
        " ".repeat(1_000_000) + &json!({"tokenkeep": 1, "type": "signed_out", "line": line}).to_string(),
    ];
    for kind in ["hello", "session", "ask", "give", "signed_out", "logout", "logged_out", "tokens", "", "Hello"] {
        for value in [
            json!(null),
            json!(5),
            json!(-1.5),
            json!([]),
            json!({}),
            json!(""),
            json!("x"),
            json!("x".repeat(100_000)),
            known.clone(),
            json!(line),
        ] {
            let mut message = json!({"tokenkeep": 1, "type": kind});
            forged.push(message.to_string());
            for member in
                ["from", "to", "key", "line", "number", "renewals", "user", "sealed", "iss", "sid", "access_token", "refresh_token"]
            {
                message[member] = value.clone();
            }
            forged.push(message.to_string());
        }
    }
    for message in [
        json!({"tokenkeep": 1, "type": "session", "from": "x", "line": line, "number": 1e15, "renewals": 9, "user": ""}),
        json!({"tokenkeep": 1, "type": "session", "from": "x", "line": line, "number": "7", "renewals": 9, "user": ""}),
        json!({"tokenkeep": 1, "type": "session", "from": "x", "line": "x".repeat(22), "number": 7, "renewals": 9, "user": ""}),
        json!({"tokenkeep": 1, "type": "session", "from": known, "line": "x".repeat(22), "number": 7, "renewals": 9, "user": ""}),
        json!({"tokenkeep": 1, "type": "ask", "from": "x", "to": known, "key": "not a key"}),
        json!({"tokenkeep": 1, "type": "give", "key": "public-1", "sealed": "sealed-1"}),
        json!({"tokenkeep": 1, "type": "signed_out", "line": line}),
        json!({"tokenkeep": 1, "type": "signed_out", "line": "x".repeat(22)}),
        json!({"tokenkeep": 1, "type": "logout", "from": "x"}),
        json!({"tokenkeep": 1, "type": "logout", "from": "x", "iss": "https://as.example"}),
        json!({"tokenkeep": 1, "type": "logout", "from": "x", "iss": "https://as.example", "sid": "another"}),
        json!({"tokenkeep": 1, "type": "logged_out", "to": known}),
    ] {
        forged.push(message.to_string());
    }
    let before = everything(&world, &tabs);
    for text in &forged {
        forge(&world, text);
        assert_eq!(everything(&world, &tabs), before, "{}", text.chars().take(200).collect::<String>());
    }
    world.later(GIFT_PATIENCE * 4);
    assert_eq!(everything(&world, &tabs), before);
    world.later(secs(900));
    all_are_well(&world, &tabs, "");

    // Where nobody is signed in.
    run(tabs[0].client.sign_out(SignOut::Local)).unwrap();
    let before = everything(&world, &tabs);
    forged.iter().for_each(|text| forge(&world, text));
    world.later(GIFT_PATIENCE * 4);
    assert_eq!(everything(&world, &tabs), before);
}

// tab-forge
// Whoever is asked by a tab for its tokens can answer with others. What counts is the journal and the provider's signature.
#[test]
fn a_forged_gift_is_not_taken() {
    let claims = |subject: &str, audience: &str| json!({"iss": "https://as.example", "sub": subject, "aud": audience, "exp": 4_000_000_000u64, "iat": 1_795_248_000});
    let signed = |key: &Key, claims: &Value| {
        let text = format!("{}.{}", b64(json!({"alg": "ES256", "kid": "key-1"}).to_string()), b64(claims.to_string()));
        format!("{text}.{}", b64(key.sign(text.as_bytes())))
    };
    let theirs = Key::new(tokenkeep::protocol::Algorithm::Es256, "theirs");
    let unsigned = format!("{}.{}.", b64(json!({"alg": "none"}).to_string()), b64(claims("alice", "my-app").to_string()));
    for (what, ours, id_token) in [
        ("without an ID token", true, None),
        ("an ID token that is none", true, Some("x.y.z".to_owned())),
        ("an unsigned one", true, Some(unsigned)),
        ("signed by somebody else", true, Some(signed(&theirs, &claims("alice", "my-app")))),
        ("for another client", true, Some(World::new().provider.sign(&claims("alice", "other-client")))),
        ("of another user", true, Some(World::new().provider.sign(&claims("mallory", "my-app")))),
        ("of a line that nobody knows", false, Some(World::new().provider.sign(&claims("alice", "my-app")))),
        ("of a line that nobody knows, and of another user", false, Some(World::new().provider.sign(&claims("mallory", "my-app")))),
    ] {
        let world = World::new();
        let tabs = open(&world, 2);
        let line = if ours { line(&world) } else { "x".repeat(22) };
        let before = everything(&world, &tabs);
        forge(
            &world,
            &json!({"tokenkeep": 1, "type": "session", "from": "evil", "line": line, "number": 7, "renewals": 9, "user": ""}).to_string(),
        );
        world.settle();
        let asked: Vec<_> = said(&world, "ask").into_iter().filter(|message| message["to"] == "evil").collect();
        assert_eq!(asked.len(), 2, "{what}: {asked:?}");
        let access = json!([{"token": "evil-token", "granted": "openid", "scope": "", "resources": []}]);
        let at = world.time.wall().as_millis();
        let mut gift = json!({"line": line, "number": 7, "renewals": 9, "refresh_token": "evil", "access": access, "at": at});
        gift["id_token"] = json!(id_token);
        for message in &asked {
            let key = message["key"].as_str().unwrap();
            let sealed = run(world.chance.seal(&Secret::new(gift.to_string()), key)).unwrap();
            forge(&world, &json!({"tokenkeep": 1, "type": "give", "key": key, "sealed": sealed}).to_string());
        }
        world.later(GIFT_PATIENCE * 2);
        assert_eq!(everything(&world, &tabs), before, "{what}");
        world.later(secs(600));
        all_are_well(&world, &tabs, what);
        assert!(!used(&world).contains(&"evil-token".to_owned()), "{what}");
    }
}

// tab-logout
#[test]
fn whoever_signs_out_in_one_tab_is_out_in_all() {
    let sent = |world: &World| world.count(Endpoint::Api) + world.count(Endpoint::Token);
    for moment in (0..2600).step_by(100) {
        let at = format!("signed out after {moment} ms");
        let world = World::new();
        let tabs = open(&world, 3);
        world.network.weather(|sent| Weather { delay: if sent.to == Some(Endpoint::Revocation) { 0 } else { 400 }, ..Weather::default() });
        let calls = tabs[1..].iter().map(|tab| tab.client.fetch(Request::get(ME)));
        let renewing = async {
            Sleep::new(world.time.clone(), secs(2)).await;
            join(tabs[2].client.renew(), tabs[1].client.fetch(Request::get(ME))).await
        };
        let after = std::cell::Cell::new(0);
        let leaving = async {
            Sleep::new(world.time.clone(), Duration::from_millis(moment) + secs(1)).await;
            let outcome = tabs[0].client.sign_out(SignOut::Local);
            let outcome = outcome.await;
            after.set(sent(&world));
            outcome
        };
        let (calls, (renewed, late), left) = run(join3(join_all(calls), renewing, leaving));
        assert_eq!(left, Ok(()), "{at}");
        assert!(calls.iter().all(|call| matches!(call, Ok(response) if response.status == 200)), "{at}");
        assert!(renewed.is_ok() || renewed == Err(Interrupted::SignInNeeded.into()), "{at}: {renewed:?}");
        assert!(late.is_ok() || late == Err(Interrupted::SignInNeeded.into()), "{at}: {late:?}");
        world.later(secs(600));
        let reason = |index| if index == 0 { Ended::SignedOut } else { Ended::SignedOutElsewhere };
        all_are_out(&world, &tabs, reason, &at);
        assert_eq!(world.provider.good_refresh_tokens(), 0, "{at}");
        assert_eq!(sent(&world), after.get(), "{at}: nothing is asked for afterwards");
        // Neither is anybody signed in whose page is loaded now, and the next sign-in reaches all of them.
        let mut tabs = tabs;
        assert_eq!(tabs[1].arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing), "{at}");
        world.network.calm();
        tabs[2].sign_in().unwrap();
        world.later(secs(5));
        assert!(tabs.iter().all(|tab| tab.session().is_some()), "{at}");
    }
}

// tab-logout
// What a tab was given before the user signed out was taken over after they had signed in again: it takes time to find out who it is.
#[test]
fn what_was_handed_over_before_a_sign_out_is_not_used_after_the_next_sign_in() {
    for moment in (0..12_000).step_by(250) {
        let at = format!("signed out {moment} ms after the other tab was opened");
        let world = World::new();
        let mut tabs = open(&world, 1);
        let old = used_by(&world, &tabs[0]);
        slowly(&world, 1_000);
        let other = world.tab_at(&World::config(), &format!("{ORIGIN}/")).unwrap();
        let finishing = other.client.finish_sign_in();
        world.device.spawn(&other.process, Box::pin(async move { drop(finishing.await) }));
        world.later(Duration::from_millis(moment));
        let leaving = tabs[0].client.sign_out(SignOut::Local);
        world.device.spawn(&tabs[0].process, Box::pin(async move { drop(leaving.await) }));
        world.later(Duration::from_millis(100));
        // Faster than the other tab.
        world.network.calm();
        tabs[0].sign_in().unwrap();
        world.later(secs(60));
        tabs.push(other);
        let calls = used(&world).len();
        for tab in &tabs {
            tab.fetch(ME).unwrap();
        }
        let used = used(&world).split_off(calls);
        assert!(used.len() == 2 && used[0] == used[1] && used[0] != old, "{at}: {used:?}, which was {old}");
        holds(&world, &at);
    }
}

#[test]
fn signing_in_and_out_reaches_every_tab_once() {
    for seed in 0..10 {
        let at = format!("seed {seed}");
        let world = World::seeded(seed);
        world.device.shuffled.set(true);
        let mut tabs: Vec<Tab> = (0..5).map(|_| world.tab()).collect();
        for tab in &mut tabs {
            assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing), "{at}");
        }
        for round in 0..3 {
            tabs[round].sign_in().unwrap();
            world.later(secs(5));
            for (index, tab) in tabs.iter().enumerate() {
                assert!(tab.session().is_some(), "{at}, round {round}, tab {index}");
                assert_eq!((told(tab, &Event::SignedIn), ends(tab)), (1, vec![]), "{at}, round {round}, tab {index}");
                let by = tab.session().unwrap().renewed_by;
                assert_eq!(by, (index != round).then_some(Rung::Tab), "{at}, round {round}, tab {index}");
            }
            assert_eq!(presented(&world).len(), 0, "{at}");
            run(tabs[4].client.sign_out(SignOut::Local)).unwrap();
            world.later(secs(5));
            let reason = |index| if index == 4 { Ended::SignedOut } else { Ended::SignedOutElsewhere };
            let count = round + 1;
            assert_eq!(world.count(Endpoint::Token), count, "{at}");
            for (index, tab) in tabs.iter().enumerate() {
                assert_eq!((tab.state(), ends(tab)), (State::SignedOut, vec![reason(index)]), "{at}, round {round}, tab {index}");
            }
            tabs.iter().for_each(|tab| tab.events.borrow_mut().clear());
        }
        holds(&world, &at);
    }
}

// Before, tabs whose session had ended took it over again from one that did not know yet, and so on in turns.
#[test]
fn what_has_ended_is_not_handed_over() {
    let mut offered = 0;
    for seed in 0..10 {
        let at = format!("seed {seed}");
        let world = World::seeded(seed);
        world.provider.token_response(|body| drop(body.as_object_mut().unwrap().remove("refresh_token")));
        let tabs = open(&world, 3);
        world.device.shuffled.set(true);
        world.later(secs(100));
        tabs[2].process.frozen.set(true);
        world.later(secs(250));
        assert_eq!((until(&tabs[0]), until(&tabs[1])), (None, None), "{at}");
        // Somebody asks, and it answers before it has looked at the clock.
        let offers = said(&world, "session").len();
        forge(&world, &json!({"tokenkeep": 1, "type": "hello", "from": "x"}).to_string());
        tabs[2].process.frozen.set(false);
        world.later(secs(120));
        offered += said(&world, "session").len() - offers;
        assert!(tabs.iter().all(|tab| told(tab, &Event::SignedIn) == 1), "{at}");
        all_are_out(&world, &tabs, |_| Ended::Expired, &at);
    }
    assert!(offered > 0, "it has offered what it had");
}

// tab-otheruser
#[test]
fn a_tab_of_one_user_never_becomes_anothers() {
    for seed in 0..20 {
        let at = format!("seed {seed}");
        let world = World::seeded(seed);
        let mut tabs = open(&world, 4);
        world.device.shuffled.set(true);
        let alices: BTreeSet<String> = world.provider.issued().into_iter().collect();
        // A request is under way whose answer would have it sent again with another token.
        slowly(&world, 100 * seed);
        world.provider.answer(Endpoint::Api, move |sent, right| {
            let token = sent.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
            Ok(if alices.contains(&token) { json_response(401, &json!({})) } else { right })
        });
        let outcome: std::rc::Rc<std::cell::RefCell<Option<_>>> = std::rc::Rc::default();
        let (call, slot) = (tabs[0].client.fetch(Request::get(ME)), outcome.clone());
        world.device.spawn(&tabs[0].process, Box::pin(async move { *slot.borrow_mut() = Some(call.await) }));
        world.device.turn();

        world.provider.user("bob");
        let callback = world.provider.authorize(&tabs[1].leave(SignIn::default()).unwrap());
        assert!(matches!(tabs[1].arrive(&callback), Ok(Finished::SignedIn { .. })), "{at}");
        let calls = used(&world).len();
        world.later(secs(20));
        let bob = tabs.remove(1);
        let answer = outcome.take().unwrap();
        assert!(answer == Err(Interrupted::SignInNeeded.into()) || answer.is_ok_and(|answer| answer.status == 401), "{at}");
        assert_eq!(used(&world).len(), calls, "{at}: nothing of hers is sent with a token of his");
        all_are_out(&world, &tabs, |_| Ended::UserChanged, &at);
        world.provider.recover(Endpoint::Api);
        assert_eq!(bob.session().unwrap().subject(), Some("bob"), "{at}");
        world.later(secs(900));
        all_are_out(&world, &tabs, |_| Ended::UserChanged, &at);
        all_are_well(&world, std::slice::from_ref(&bob), &at);

        // A page that is loaded now is his.
        let finished = tabs[0].arrive(&format!("{ORIGIN}/"));
        let Ok(Finished::Restored { session }) = finished else { panic!("{at}: {finished:?}") };
        assert_eq!(session.subject(), Some("bob"), "{at}");
    }
}

// tab-otheruser
// The same page sees another user sign in while a token of the first one is on its way.
#[test]
fn a_late_token_of_one_user_is_not_used_by_the_next() {
    for moment in (0..1000).step_by(50) {
        let at = format!("after {moment} ms");
        let world = World::new();
        let tab = open(&world, 1).remove(0);
        world.later(secs(10));
        let callback = {
            let url = tab.leave(SignIn::default()).unwrap();
            world.provider.user("bob");
            world.provider.authorize(&url)
        };
        slowly(&world, 100);
        let renewing = tab.client.renew();
        let signing_in = async {
            Sleep::new(world.time.clone(), Duration::from_millis(moment)).await;
            *tab.bar.address.borrow_mut() = callback.clone();
            tab.client.finish_sign_in().await
        };
        let (_, finished) = run(join(renewing, signing_in));
        let Ok(Finished::SignedIn { session, .. }) = finished else { panic!("{at}: {finished:?}") };
        assert_eq!(session.subject(), Some("bob"), "{at}");
        world.later(secs(5));
        assert_eq!(tab.fetch(ME).map(|response| response.status), Ok(200), "{at}");
        let token = used(&world).pop().unwrap();
        assert_eq!(world.provider.lineage(&token).unwrap().1, "bob", "{at}");
        world.later(secs(600));
        // The first user's session ended, and that is all that was told.
        assert_eq!(ends(&tab), [Ended::UserChanged], "{at}");
        tab.events.borrow_mut().clear();
        all_are_well(&world, std::slice::from_ref(&tab), &at);
    }
}

// tab-schema
// What another release says in messages, writes into the journal or notes is as if it were not there, and what it adds is ignored.
#[test]
fn another_release_in_another_tab_does_no_harm() {
    let other = |message: &Value, change: fn(&mut Value)| {
        let mut message = message.clone();
        change(&mut message);
        message.to_string()
    };
    let world = World::new();
    let tabs = open(&world, 2);
    let before = everything(&world, &tabs);
    let log: Vec<Value> = world.channels.log.borrow().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    for message in log.iter().chain(&[json!({"tokenkeep": 1, "type": "signed_out", "line": line(&world)})]) {
        for text in [
            other(message, |message| message["tokenkeep"] = json!(2)),
            other(message, |message| message["tokenkeep"] = json!("1")),
            other(message, |message| message["tokenkeep"] = json!(0)),
            other(message, |message| message["type"] = json!("session 2")),
            other(message, |message| message["more"] = json!({"of": ["the", "same"]})),
        ] {
            forge(&world, &text);
            assert_eq!(everything(&world, &tabs), before, "{text}");
        }
    }
    // Who is asked in the words of a later release that are ours too answers.
    let offers = said(&world, "session").len();
    forge(&world, &json!({"tokenkeep": 1, "type": "hello", "from": "x", "release": 2}).to_string());
    world.settle();
    assert_eq!(said(&world, "session").len(), offers + 2);
    world.later(secs(600));
    all_are_well(&world, &tabs, "");
}

// tab-schema
#[test]
fn a_row_or_a_note_of_another_release_is_none() {
    let rows = ["", "v2", "signed out 2", "{\"line\":\"x\"}", "a b c", "a 1", "a 1 2 3", "a -1 0", "\u{0}", &"x".repeat(1_000_000)]
        .map(str::to_owned);
    for row in rows {
        let at: String = row.chars().take(20).collect();
        let world = World::new();
        let tabs = open(&world, 3);
        for text in world.journal.records.borrow_mut().values_mut() {
            *text = row.clone();
        }
        world.later(secs(100));
        all_are_well(&world, &tabs, &at);
        // It cannot be told what was presented, so nothing is, and another way is taken. Then the row is ours.
        world.frames_work();
        world.later(secs(300));
        assert_eq!(presented(&world).len(), 0, "{at}");
        all_are_well(&world, &tabs, &at);
        world.later(secs(300));
        assert!(!presented(&world).is_empty(), "{at}");
        all_are_well(&world, &tabs, &at);
    }

    let notes =
        ["", "[]", "null", "5", "{", "{\"line\":5}", "{\"line\":\"v2\",\"signed_out\":\"yesterday\",\"more\":[]}", &"x".repeat(1_000_000)];
    for note in notes.map(str::to_owned) {
        let at: String = note.chars().take(20).collect();
        let world = World::new();
        let mut tabs = open(&world, 3);
        let key = world.stored().into_keys().find(|key| key.starts_with("tokenkeep.session.")).unwrap();
        world.disk.records.borrow_mut().insert(key, note.clone());
        wake_all(&tabs);
        world.later(secs(600));
        all_are_well(&world, &tabs, &at);
        // What was renewed since is noted, and found by a page that is loaded.
        assert!(matches!(tabs[0].arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })), "{at}");
    }
}

// What another tab can hand over is not asked of the provider, even if a frame would work.
#[test]
fn a_page_that_is_opened_or_loaded_anew_is_signed_in_by_another_tab() {
    for seed in 0..10 {
        let at = format!("seed {seed}");
        let world = World::seeded(seed);
        world.frames_work();
        let mut tabs = open(&world, 2);
        world.device.shuffled.set(true);
        world.later(secs(100));
        for round in 0..4 {
            tabs.push(world.tab());
            for index in [tabs.len() - 1, 0] {
                let finished = tabs[index].arrive(&format!("{ORIGIN}/orders/{round}"));
                let Ok(Finished::Restored { session }) = finished else { panic!("{at}, round {round}: {finished:?}") };
                assert_eq!((session.subject(), session.renewed_by), (Some("alice"), Some(Rung::Tab)), "{at}, round {round}");
                assert_eq!(told(&tabs[index], &Event::SignedIn), 1, "{at}, round {round}");
            }
        }
        all_are_well(&world, &tabs, &at);
        assert_eq!((world.count(Endpoint::Token), world.frames.opened.borrow().len()), (1, 0), "{at}");
        assert_eq!(BTreeSet::from_iter(used(&world)).len(), 1, "{at}");
    }
}

// tab-twoclients
#[test]
fn clients_and_issuers_of_one_origin_have_nothing_in_common() {
    const OTHER: &str = "https://other.example";
    let world = World::new();
    world.provider.answer(Endpoint::Metadata, |sent, right| {
        let mut metadata: Value = serde_json::from_slice(&right.body).unwrap();
        if sent.url.starts_with(OTHER) {
            metadata["issuer"] = json!(OTHER);
        }
        Ok(json_response(200, &metadata))
    });
    let base = |issuer: &str, client: &str| Config::new(issuer, client).scopes("openid orders:read").api(API);
    let ours = open(&world, 2);
    world.provider.user("bob");
    let clients = open_with(&world, &base("https://as.example", "another-app").redirect_path("/second"), 2);
    world.provider.callback(|response| response.iter_mut().filter(|(name, _)| name == "iss").for_each(|(_, iss)| *iss = OTHER.to_owned()));
    world.provider.claims(|claims| claims["iss"] = json!(OTHER));
    let issuers = open_with(&world, &base(OTHER, "my-app").redirect_path("/third"), 2);

    assert_eq!((world.channels.names().len(), world.journal.records.borrow().len()), (3, 3));
    let notes = world.stored().into_keys().filter(|key| key.starts_with("tokenkeep.session.")).count();
    assert_eq!(notes, 3);
    assert_eq!(ours[1].session().unwrap().subject(), Some("alice"));
    assert_eq!(clients[1].session().unwrap().subject(), Some("bob"));
    world.sleep(secs(300));
    for tabs in [&ours, &clients, &issuers] {
        wake_all(tabs);
    }
    world.later(secs(5));
    assert_eq!(presented(&world).len(), 3);
    for (tabs, at) in [(&ours, "ours"), (&clients, "another client"), (&issuers, "another issuer")] {
        all_are_well(&world, tabs, at);
    }
    run(ours[0].client.sign_out(SignOut::Local)).unwrap();
    world.later(secs(600));
    let reason = |index| if index == 0 { Ended::SignedOut } else { Ended::SignedOutElsewhere };
    all_are_out(&world, &ours, reason, "ours");
    all_are_well(&world, &clients, "another client");
    all_are_well(&world, &issuers, "another issuer");
    run(issuers[1].client.sign_out(SignOut::Local)).unwrap();
    world.later(secs(600));
    all_are_well(&world, &clients, "another client");
}

// tab-throttle
#[test]
fn a_token_that_ended_while_timers_stood_still_is_not_used() {
    for woken in [true, false] {
        let world = World::new();
        let tabs = open(&world, 2);
        let old = BTreeSet::from_iter(world.provider.issued());
        // No timer of the device went off for ten minutes.
        world.sleep(secs(600));
        if woken {
            wake_all(&tabs);
        }
        all_are_well(&world, &tabs, &format!("woken: {woken}"));
        assert_eq!(presented(&world).len(), 1);
        assert!(!used(&world).iter().any(|token| old.contains(token)));
    }
    // Timers that go off once a minute are often enough.
    let world = World::new();
    let tabs = open(&world, 2);
    let longest = world.time.slept.borrow().iter().max().copied();
    assert!(longest <= Some(secs(60)), "{longest:?}");
    for minute in 0..30 {
        tabs.iter().for_each(|tab| tab.process.frozen.set(true));
        world.later(secs(60));
        tabs.iter().for_each(|tab| tab.process.frozen.set(false));
        world.settle();
        assert!(tabs.iter().all(|tab| until(tab) > Some(world.time.wall())), "minute {minute}");
    }
    all_are_well(&world, &tabs, "");
}

// tab-soon
#[test]
fn a_token_that_is_still_good_is_used_while_no_other_is_to_be_had() {
    for failure in [HttpFailure::Offline, HttpFailure::Unreachable, HttpFailure::TimedOut] {
        let world = World::new();
        world.provider.lifetime(5);
        let tab = &open(&world, 1)[0];
        let old = world.provider.issued();
        world.network.weather(move |sent| {
            let lost = (sent.to == Some(Endpoint::Token) || sent.method == "HEAD").then_some(failure);
            Weather { lost, ..Weather::default() }
        });
        world.later(Duration::from_millis(4500));
        let error = failure.of(Source::Token);
        let failed =
            tab.events.borrow().iter().any(|event| matches!(event, Event::RenewalFailed { error: Some(why), .. } if *why == error));
        assert!(failed, "{:?}", tab.events.borrow());
        assert_eq!(tab.fetch(ME).map(|response| response.status), Ok(200));
        assert_eq!(used(&world), old);
        world.later(secs(1));
        assert_eq!(tab.fetch(ME), Err(error), "it has ended");
        assert_eq!((used(&world).len(), presented(&world).len()), (1, 0));
        assert!(tab.session().is_some() && ends(tab).is_empty(), "the session has not");
        world.network.calm();
        world.later(secs(10));
        all_are_well(&world, std::slice::from_ref(tab), "");
    }
}

const BILL: &str = "https://api.example/billing/7";

fn with_billing() -> Config {
    World::config().api_for("https://api.example/billing/", Access::to("https://billing.example/").scope("orders:read"))
}

/// Which API each token that APIs got was asked for: nothing goes to one that was asked for another.
fn nothing_is_mixed_up(world: &World, at: &str) {
    let answers = world.answers().into_iter().filter(|(from, _)| *from == Some(Endpoint::Token));
    let tokens: Vec<String> = answers
        .filter_map(|(_, answer)| serde_json::from_slice::<Value>(&answer.body).unwrap()["access_token"].as_str().map(str::to_owned))
        .collect();
    let requests: Vec<_> = world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::Token)).collect();
    assert_eq!(tokens.len(), requests.len(), "{at}");
    for call in world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Api)) {
        let token = call.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        let request = &requests[tokens.iter().position(|ours| ours == token).unwrap()];
        let billing = call.url == BILL;
        assert_eq!(request.field("resource"), billing.then(|| "https://billing.example/".to_owned()), "{at}: {call:?}");
        assert_eq!(request.field("scope"), billing.then(|| "orders:read".to_owned()), "{at}: {call:?}");
    }
}

// tab-shrink
#[test]
fn tokens_for_two_apis_are_two_tokens() {
    for moment in (0..600).step_by(50) {
        for first in [ME, BILL] {
            let at = format!("{first} first, the other after {moment} ms");
            let world = World::new();
            let tabs = open_with(&world, &with_billing(), 1);
            world.sleep(secs(300));
            slowly(&world, 100);
            let second = async {
                Sleep::new(world.time.clone(), Duration::from_millis(moment)).await;
                tabs[0].client.fetch(Request::get(if first == ME { BILL } else { ME })).await
            };
            let (one, two) = run(join(tabs[0].client.fetch(Request::get(first)), second));
            assert_eq!((one.map(|one| one.status), two.map(|two| two.status)), (Ok(200), Ok(200)), "{at}");
            assert_eq!(presented(&world).len(), 2, "{at}: one after the other");
            nothing_is_mixed_up(&world, &at);
            all_are_well(&world, &tabs, &at);
        }
    }
}

// tab-shrink
#[test]
fn a_token_that_another_tab_has_for_this_api_is_used() {
    for seed in 0..40 {
        let at = format!("seed {seed}");
        let world = World::seeded(seed);
        let tabs = open_with(&world, &with_billing(), 4);
        world.device.shuffled.set(true);
        world.network.latency.set(seed % 5);
        slowly(&world, 10 * seed);
        if seed % 2 == 0 {
            world.sleep(secs(300));
        }
        let calls = tabs.iter().flat_map(|tab| [BILL, ME].map(|url| tab.client.fetch(Request::get(url))));
        let answers = run(join_all(calls));
        assert!(answers.iter().all(|answer| matches!(answer, Ok(response) if response.status == 200)), "{at}: {answers:?}");
        world.later(secs(30));
        assert_eq!(presented(&world).len(), if seed % 2 == 0 { 2 } else { 1 }, "{at}");
        nothing_is_mixed_up(&world, &at);
        all_are_well(&world, &tabs, &at);
    }
}

/// Two tabs that know nothing of each other, each with a sign-in of its own.
fn apart(world: &World) -> Vec<Tab> {
    let mut tabs = vec![world.tab(), world.tab()];
    tabs[0].sign_in().unwrap();
    assert_eq!(tabs[1].arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
    tabs[1].sign_in().unwrap();
    tabs
}

#[test]
fn tabs_that_share_nothing_work_each_for_itself() {
    type Break = fn(&World);
    let breaks: [(&str, Break); 4] = [
        ("no journal", |world| world.journal.blocked.set(true)),
        ("a journal that is full", |world| world.journal.full.set(true)),
        ("no channel", |world| world.no_channels.set(true)),
        ("no channel and no locks", |world| {
            world.no_channels.set(true);
            world.locks.absent.set(true);
        }),
    ];
    for (what, breaks) in breaks {
        for frames in [false, true] {
            let at = format!("{what}, frames work: {frames}");
            let world = World::new();
            breaks(&world);
            let mut tabs = apart(&world);
            if frames {
                world.frames_work();
            }
            world.later(secs(1500));
            assert!((12..=14).contains(&presented(&world).len()), "{at}: {}", presented(&world).len());
            all_are_well(&world, &tabs, &at);
            assert_eq!(BTreeSet::from_iter(used(&world)).len(), 2, "{at}: each has its own");
            assert!(said(&world, "session").is_empty(), "{at}");

            // Whoever signs out is out there at once, and elsewhere when somebody looks, or before the next renewal.
            run(tabs[0].client.sign_out(SignOut::Local)).unwrap();
            if frames {
                tabs[1].bar.wake(Wake::Visible);
                world.settle();
            } else {
                world.later(secs(300));
            }
            let reason = |index| if index == 0 { Ended::SignedOut } else { Ended::SignedOutElsewhere };
            all_are_out(&world, &tabs, reason, &at);
            tabs[0].sign_in().unwrap();
            world.later(secs(600));
            all_are_well(&world, &tabs[..1], &at);
        }
    }
}
