//! A session that ends when the user is idle, or has been signed in for too long: in one tab, in many, in a worker, after a reload, after a sleep.

use std::time::Duration;

use futures::future::join;
use tokenkeep::{
    Config, Ended, Event, Finished, Request, SignIn, SignOut, State,
    page::ports::Wake,
    protocol::{Interrupted, Misconfigured, UnixTime},
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, ORIGIN, Tab, Worker, World, run, yield_once},
};

const IDLE: u64 = 600;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Ten minutes without activity, one of which is a warning. Tokens live longer.
fn config() -> Config {
    World::config().idle_limit(secs(IDLE))
}

fn world() -> World {
    let world = World::new();
    world.provider.lifetime(36_000);
    world
}

/// So many tabs of one user, with keeps of their own.
fn tabs(world: &World, config: &Config, count: usize) -> Vec<Tab> {
    crate::catalogue::tabs::open_with(world, config, count)
}

fn act(tab: &Tab) {
    assert!(tab.bar.act(tab.world.time.wall()), "nobody listens to the user");
}

fn ends(tab: &Tab) -> Vec<Ended> {
    tab.events.borrow().iter().filter_map(|event| if let Event::Ended(why) = event { Some(*why) } else { None }).collect()
}

fn warnings(tab: &Tab) -> Vec<UnixTime> {
    tab.events.borrow().iter().filter_map(|event| if let Event::IdleSoon { ends } = event { Some(*ends) } else { None }).collect()
}

fn is_in(tab: &Tab) -> bool {
    matches!(tab.state(), State::SignedIn(_))
}

fn fetch(tab: &Tab) -> Result<u16, tokenkeep::Error> {
    tab.fetch(&format!("{API}me")).map(|answer| answer.status)
}

/// Everybody is out for this reason, was told so once, and sends nothing.
fn all_are_out(world: &World, tabs: &[Tab], reason: Ended) {
    world.settle();
    let sent = world.count(Endpoint::Api);
    for (index, tab) in tabs.iter().enumerate() {
        assert_eq!((ends(tab), tab.state()), (vec![reason], State::SignedOut), "tab {index}");
        assert_eq!(fetch(tab), Err(Interrupted::SignInNeeded.into()), "tab {index}");
        assert!(tab.bar.went.borrow().is_empty(), "tab {index}: nobody is sent anywhere");
    }
    assert_eq!(world.count(Endpoint::Api), sent);
}

#[test]
fn both_tabs_idle_is_the_end_in_both_once_and_the_token_is_revoked() {
    let world = world();
    let tabs = tabs(&world, &config(), 2);
    world.later(secs(IDLE - 61));
    assert!(tabs.iter().all(|tab| is_in(tab) && warnings(tab).is_empty()));
    world.later(secs(2));
    let end = UnixTime::from_millis(world.time.wall().as_millis() + 59_000);
    for tab in &tabs {
        assert!(is_in(tab));
        let [ends] = warnings(tab)[..] else { panic!("warned {:?}", warnings(tab)) };
        assert!(ends.distance(end) < secs(2), "{ends:?} and not {end:?}");
    }
    world.later(secs(60));
    all_are_out(&world, &tabs, Ended::Idle);
    assert_eq!(world.count(Endpoint::Revocation), 1);
    assert!(tabs.iter().any(|tab| tab.was_told(&Event::Revoked(Ok(())))));
    crate::catalogue::tabs::holds(&world, "at the end");
}

#[test]
fn who_is_active_in_one_tab_keeps_all_of_them() {
    let world = world();
    let tabs = tabs(&world, &config(), 3);
    for _ in 0..20 {
        world.later(secs(300));
        act(&tabs[1]);
        world.settle();
    }
    assert!(tabs.iter().all(|tab| is_in(tab) && warnings(tab).is_empty() && ends(tab).is_empty()));
    // Warned together, and let go together.
    world.later(secs(IDLE - 30));
    assert!(tabs.iter().all(|tab| is_in(tab) && warnings(tab).len() == 1));
    tabs[2].client.stay_active();
    world.settle();
    for tab in &tabs {
        assert!(is_in(tab) && tab.was_told(&Event::Active));
    }
    world.later(secs(IDLE + 1));
    all_are_out(&world, &tabs, Ended::Idle);
}

#[test]
fn calls_and_renewals_are_no_activity() {
    let world = World::new();
    world.provider.lifetime(60);
    let tabs = tabs(&world, &config(), 1);
    for _ in 0..IDLE / 60 - 1 {
        world.later(secs(60));
        assert_eq!(fetch(&tabs[0]), Ok(200));
    }
    run(tabs[0].client.renew()).unwrap();
    tabs[0].bar.wake(Wake::Visible);
    world.later(secs(61));
    all_are_out(&world, &tabs, Ended::Idle);
}

// env-sleep
#[test]
fn after_a_sleep_beyond_the_limit_no_call_goes_out_whatever_comes_first() {
    for first in 0..4 {
        let world = world();
        let tabs = tabs(&world, &config(), 2);
        assert_eq!(fetch(&tabs[0]), Ok(200));
        let (calls, tokens) = (world.count(Endpoint::Api), world.count(Endpoint::Token));
        world.sleep(secs(IDLE + 5));
        match first {
            0 => assert_eq!(fetch(&tabs[0]), Err(Interrupted::SignInNeeded.into())),
            1 => act(&tabs[0]),
            2 => assert_eq!(run(tabs[0].client.renew()), Err(Interrupted::SignInNeeded.into())),
            _ => tabs[0].bar.wake(Wake::Returned),
        }
        assert_eq!(tabs[0].client.state(), State::SignedOut, "{first}");
        all_are_out(&world, &tabs, Ended::Idle);
        assert_eq!((world.count(Endpoint::Api), world.count(Endpoint::Token)), (calls, tokens), "{first}");
    }
    // One that ends in time goes on.
    let world = world();
    let tabs = tabs(&world, &config(), 1);
    world.sleep(secs(IDLE - 5));
    assert_eq!(fetch(&tabs[0]), Ok(200));
}

/// The device sleeps for longer than the limit after so many turns of what is going on.
async fn sleeps_after(world: &World, turns: usize) -> usize {
    for _ in 0..turns {
        yield_once().await;
    }
    world.sleep(secs(IDLE + 5));
    world.count(Endpoint::Api)
}

#[test]
fn a_sleep_in_the_middle_of_a_call_sends_no_token_after_it() {
    let mut refused = 0;
    for turns in 0..20 {
        let world = world();
        world.chance.slow.set(5);
        let tab = tabs(&world, &config().dpop(true), 1).remove(0);
        let (answer, calls) = run(join(tab.client.fetch(Request::get(format!("{API}me"))), sleeps_after(&world, turns)));
        assert_eq!(world.count(Endpoint::Api), calls, "{turns}");
        refused += usize::from(answer == Err(Interrupted::SignInNeeded.into()) && calls == 0);
        assert_eq!(world.count(Endpoint::Token), 1, "{turns}");
    }
    assert!(refused > 3, "some of them slept before the token was sent: {refused}");
}

#[test]
fn a_sleep_in_the_middle_of_a_hand_over_ends_the_session_in_both_tabs() {
    let mut ended = 0;
    for turns in 0..40 {
        let world = world();
        let first = tabs(&world, &config(), 1).remove(0);
        let second = world.tab_with(&config()).unwrap();
        let (finished, _) = run(join(second.client.finish_sign_in(), sleeps_after(&world, turns)));
        world.later(secs(61));
        assert_eq!((first.state(), second.state()), (State::SignedOut, State::SignedOut), "{turns}: {finished:?}");
        assert_eq!(ends(&first), [Ended::Idle], "{turns}");
        assert_eq!(world.count(Endpoint::Revocation), 1, "{turns}");
        ended += usize::from(finished == Ok(Finished::Nothing));
    }
    assert!(ended > 3, "{ended}");
}

// tab-frozen, env-bfexp
#[test]
fn a_tab_that_stood_still_finds_out_at_once_what_the_others_did() {
    for ended in [false, true] {
        let world = world();
        let tabs = tabs(&world, &config(), 2);
        tabs[0].process.frozen.set(true);
        tabs[0].process.deaf.set(true);
        if !ended {
            for _ in 0..4 {
                world.later(secs(300));
                act(&tabs[1]);
                world.settle();
            }
        } else {
            world.later(secs(IDLE + 1));
            assert_eq!(ends(&tabs[1]), [Ended::Idle]);
        }
        tabs[0].process.frozen.set(false);
        tabs[0].process.deaf.set(false);
        tabs[0].bar.wake(Wake::Returned);
        // Before anything is awaited.
        assert_eq!(matches!(tabs[0].client.state(), State::SignedIn(_)), !ended);
        world.settle();
        assert_eq!(ends(&tabs[0]), if ended { vec![Ended::Idle] } else { vec![] });
        assert_eq!(is_in(&tabs[1]), !ended, "nobody is ended by who slept");
    }
}

#[test]
fn a_reload_goes_on_with_what_is_left_and_not_after_the_end() {
    for (away, restored) in [(IDLE - 100, true), (IDLE + 1, false)] {
        let world = world();
        world.frames_work();
        let mut tab = world.tab_with(&config()).unwrap();
        tab.sign_in().unwrap();
        // Nobody is there meanwhile.
        tab.load("about:blank");
        world.settle();
        let blank = tab.process.clone();
        blank.dead.set(true);
        world.later(secs(away));
        let finished = tab.arrive(&format!("{ORIGIN}/"));
        if restored {
            assert!(matches!(finished, Ok(Finished::Restored { .. })), "{finished:?}");
            world.later(secs(101));
            all_are_out(&world, std::slice::from_ref(&tab), Ended::Idle);
        } else {
            assert_eq!(finished, Ok(Finished::Nothing));
            assert!(world.frames.opened.borrow().is_empty(), "nobody is asked");
            assert!(tab.client.signed_out_just_now());
        }
        // Nor is anybody signed in by itself afterwards.
        assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
        tab.sign_in().unwrap();
        assert!(is_in(&tab), "who asks for it is");
        world.later(secs(IDLE - 100));
        assert!(is_in(&tab), "with a whole limit");
    }
}

#[test]
fn the_session_limit_counts_from_the_sign_in_whatever_is_renewed_reloaded_or_handed_over() {
    let world = World::new();
    world.provider.lifetime(300);
    world.frames_work();
    let config = World::config().session_limit(secs(3600));
    let mut tabs = tabs(&world, &config, 2);
    world.later(secs(1000));
    // Handed over by a tab.
    let mut third = world.tab_with(&config).unwrap();
    assert!(matches!(third.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })));
    tabs.push(third);
    world.later(secs(1000));
    // All are closed, and the next one asks in a frame.
    tabs.drain(..).for_each(|tab| tab.process.dead.set(true));
    let mut tab = world.tab_with(&config).unwrap();
    assert!(matches!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })));
    world.later(secs(1599));
    assert!(is_in(&tab));
    world.later(secs(2));
    all_are_out(&world, &[tab], Ended::SessionLimit);
}

#[test]
fn a_silent_redirect_is_no_sign_in() {
    let world = world();
    let config = config().session_limit(secs(900));
    let mut tab = world.tab_with(&config).unwrap();
    tab.sign_in().unwrap();
    world.later(secs(500));
    tab.sign_in_as(SignIn::default().prompt([tokenkeep::Prompt::None])).unwrap();
    world.later(secs(99));
    assert!(is_in(&tab));
    world.later(secs(2));
    all_are_out(&world, &[tab], Ended::Idle);
}

#[test]
fn a_worker_hears_of_the_user_from_its_pages() {
    let world = world();
    let worker = Worker::start(&world, &config(), secs(60), true);
    let first = worker.sign_in("alice");
    let second = worker.open();
    for _ in 0..5 {
        world.later(secs(300));
        act(&second);
    }
    assert!(is_in(&first) && warnings(&first).is_empty());
    world.later(secs(IDLE - 30));
    assert_eq!((warnings(&first).len(), warnings(&second).len()), (1, 1));
    // One that comes now is told, too.
    let third = worker.open();
    assert_eq!(warnings(&third), warnings(&first));
    world.later(secs(31));
    world.settle();
    for page in [&first, &second, &third] {
        assert_eq!((ends(page), page.state()), (vec![Ended::Idle], State::SignedOut));
    }
    assert_eq!(world.count(Endpoint::Revocation), 1);
    assert_eq!(run(worker.open().client.fetch(Request::get(format!("{API}me")))), Err(Interrupted::SignInNeeded.into()));
}

#[test]
fn a_worker_that_starts_anew_knows_when_the_user_was_there() {
    let world = world();
    world.frames_work();
    let worker = Worker::start(&world, &config(), secs(60), false);
    let page = worker.sign_in("alice");
    world.settle();
    worker.die();
    drop(page);
    world.later(secs(IDLE + 1));
    let worker = Worker::start(&world, &config(), secs(60), false);
    let page = worker.open();
    assert_eq!(page.state(), State::SignedOut);
    assert!(world.frames.opened.borrow().is_empty(), "nobody is asked");
}

#[test]
fn who_signs_in_anew_ends_no_other_tab_and_is_ended_by_none() {
    let world = world();
    let mut tabs = tabs(&world, &config().session_limit(secs(1200)), 2);
    tabs[1].process.frozen.set(true);
    tabs[1].process.deaf.set(true);
    for _ in 0..4 {
        world.later(secs(280));
        act(&tabs[0]);
    }
    tabs[0].sign_in().unwrap();
    world.later(secs(300));
    act(&tabs[0]);
    tabs[1].process.frozen.set(false);
    tabs[1].process.deaf.set(false);
    world.settle();
    tabs[1].bar.wake(Wake::Visible);
    world.later(secs(70));
    assert!(is_in(&tabs[0]) && is_in(&tabs[1]), "{:?} {:?}", ends(&tabs[0]), ends(&tabs[1]));
}

#[test]
fn nothing_but_times_is_stored_and_nothing_is_left() {
    let world = world();
    let tab = tabs(&world, &config(), 1).remove(0);
    world.later(secs(10));
    act(&tab);
    let stored = world.stored();
    let (key, text) = stored.iter().find(|(key, _)| key.ends_with(".active")).expect("a note");
    assert!(key.starts_with("tokenkeep.session."));
    assert!(text.chars().all(|char| char.is_ascii_digit() || "{}\":,_".contains(char) || "signedinactive".contains(char)), "{text}");
    run(tab.client.sign_out(SignOut::Local)).unwrap();
    assert!(!world.stored().keys().any(|key| key.ends_with(".active")), "{:?}", world.stored());
}

#[test]
fn without_a_limit_nobody_listens_and_nothing_is_noted() {
    let world = world();
    for config in [World::config(), World::config().session_limit(secs(60))] {
        let tab = world.tab_with(&config).unwrap();
        assert!(!tab.bar.act(world.time.wall()));
        tab.client.stay_active();
        assert!(!world.stored().keys().any(|key| key.ends_with(".active")));
    }
    let tab = tabs(&world, &World::config(), 1).remove(0);
    tab.client.stay_active();
    assert!(!world.stored().keys().any(|key| key.ends_with(".active")));
    world.later(secs(86_400));
    assert!(is_in(&tab));
}

#[test]
fn limits_that_cannot_work_are_refused() {
    let config = || Config::new(ISSUER, CLIENT);
    let cases = [
        (config().idle_limit(secs(60)), Some(Misconfigured::IdleWarningTooLong)),
        (config().idle_limit(secs(61)), None),
        (config().idle_limit(secs(30)).idle_warning(secs(30)), Some(Misconfigured::IdleWarningTooLong)),
        (config().idle_limit(secs(30)).idle_warning(secs(0)), None),
        (config().idle_limit(secs(0)).idle_warning(secs(0)), Some(Misconfigured::LimitZero)),
        (config().session_limit(Duration::from_millis(999)), Some(Misconfigured::LimitZero)),
        (config().session_limit(Duration::MAX).idle_limit(Duration::MAX), None),
        (config().idle_warning(secs(7200)), None),
    ];
    for (index, (config, expected)) in cases.into_iter().enumerate() {
        assert_eq!(config.check(ORIGIN).err(), expected, "{index}");
    }
    let read = |text: &str| Config::from_json(&format!(r#"{{"issuer": "{ISSUER}", "client_id": "{CLIENT}", {text}}}"#));
    let expected = config().idle_limit(secs(900)).idle_warning(secs(30)).session_limit(secs(3600));
    assert_eq!(read(r#""idle_limit_seconds": 900, "idle_warning_seconds": 30, "session_limit_seconds": 3600"#), Ok(expected));
    for option in ["idle_limit_seconds", "idle_warning_seconds", "session_limit_seconds"] {
        for wrong in [r#""900""#, "-1", "null", "true"] {
            let refused = Misconfigured::OptionType { option: option.into() };
            assert_eq!(read(&format!(r#""{option}": {wrong}"#)), Err(refused), "{wrong}");
        }
    }
}

#[test]
fn limits_beyond_all_time_never_end_anything() {
    let world = world();
    let tab = tabs(&world, &World::config().idle_limit(Duration::MAX).session_limit(Duration::MAX), 1).remove(0);
    act(&tab);
    world.later(secs(1000));
    assert!(is_in(&tab) && warnings(&tab).is_empty());
}
