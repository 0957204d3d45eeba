//! Signing out: here at once, in all tabs, at the provider; and nothing that is late brings anybody back.

use std::{cell::RefCell, rc::Rc, time::Duration};

use serde_json::{Value, json};
use tokenkeep::{
    Access, Config, Ended, Error, Event, Finished, Request, Rung, SignIn, SignOut, State,
    keep::{LOGOUT_PATIENCE, METADATA_LIFE, REVOCATION_PATIENCE, SIGN_OUT_GRACE, ports::HttpFailure},
    page::ports::{FramedBy, Wake},
    protocol::{Interrupted, Misbehaved, Misconfigured, Source},
    session::BREATH,
};
use url::Url;

use crate::{
    test,
    world::{CLIENT, Endpoint, ISSUER, ORIGIN, Tab, Weather, World, json_response, run},
};

const BILLING: &str = "https://api.example/v1/billing/";
const ME: &str = "https://api.example/v1/me";
const REACHES: [SignOut; 2] = [SignOut::Local, SignOut::Provider];

/// So many tabs of one user, signed in for a while.
fn open(world: &World, config: &Config, count: usize) -> Vec<Tab> {
    let mut tabs = vec![world.tab_with(config).unwrap()];
    tabs[0].sign_in().unwrap();
    while tabs.len() < count {
        let mut tab = world.tab_with(config).unwrap();
        assert!(matches!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })));
        tabs.push(tab);
    }
    world.later(BREATH);
    tabs.iter().for_each(|tab| drop(tab.news()));
    tabs
}

fn signed_in(world: &World) -> Tab {
    open(world, &World::config(), 1).remove(0)
}

/// A sign-out that is under way, and what comes of it.
fn begin(tab: &Tab, reach: SignOut) -> Rc<RefCell<Option<Result<(), Error>>>> {
    let outcome = Rc::new(RefCell::new(None));
    let (leaving, sink) = (tab.client.sign_out(reach), outcome.clone());
    assert_eq!(tab.client.state(), State::SignedOut, "at once");
    tab.world.device.spawn(&tab.process, Box::pin(async move { *sink.borrow_mut() = Some(leaving.await) }));
    outcome
}

/// Where a tab left for, to sign out.
fn left(tab: &Tab) -> Vec<String> {
    let went = tab.bar.went.borrow();
    went.iter().filter(|url| url.starts_with(&format!("{ISSUER}/logout"))).cloned().collect()
}

fn parameters(url: &str) -> Vec<(String, String)> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn ends(news: &[Event]) -> Vec<Ended> {
    news.iter().filter_map(|event| if let Event::Ended(why) = event { Some(*why) } else { None }).collect()
}

/// Nobody is signed in in these tabs, and no page that is loaded changes that, or asks anybody.
fn all_are_out(world: &World, tabs: &mut [Tab], at: &str) {
    let calls = world.count(Endpoint::Api);
    for (index, tab) in tabs.iter().enumerate() {
        assert!(!matches!(tab.state(), State::SignedIn(_)), "{at}, tab {index}: {:?}", tab.state());
        assert_eq!(tab.fetch(ME), Err(Interrupted::SignInNeeded.into()), "{at}, tab {index}");
    }
    let (requests, frames) = (world.requests().len(), world.frames.opened.borrow().len());
    for (index, tab) in tabs.iter_mut().enumerate() {
        assert_eq!(tab.arrive(&format!("{ORIGIN}/orders/{index}")), Ok(Finished::Nothing), "{at}, tab {index}");
        assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::SignedOut, 0), "{at}, tab {index}");
        assert_eq!(tab.fetch(ME), Err(Interrupted::SignInNeeded.into()), "{at}, tab {index}");
        assert_eq!(tab.news(), [], "{at}, tab {index}");
    }
    assert_eq!((world.requests().len(), world.frames.opened.borrow().len()), (requests, frames), "{at}: nobody is asked");
    assert_eq!((world.count(Endpoint::Api), world.frames.open.get()), (calls, 0), "{at}");
    assert_eq!((world.locks.held(), world.locks.waiting()), (0, 0), "{at}");
}

// lo-noend
#[test]
fn without_an_end_session_endpoint_the_user_is_signed_out_here_and_told_so() {
    let world = World::new();
    world.provider.metadata("end_session_endpoint", Value::Null);
    let mut tabs = open(&world, &World::config(), 2);
    let unavailable = Error::from(Misconfigured::EndSessionUnavailable);
    assert_eq!(run(tabs[0].client.sign_out(SignOut::Provider)), Err(unavailable.clone()));
    assert_eq!(tabs[0].news(), [Event::Ended(Ended::SignedOut), Event::Revoked(Ok(())), Event::Failed(unavailable)]);
    assert_eq!(tabs[1].news(), [Event::Ended(Ended::SignedOutElsewhere)]);
    assert_eq!((tabs[0].bar.went.borrow().len(), world.provider.good_refresh_tokens()), (0, 0));
    all_are_out(&world, &mut tabs, "no endpoint");

    tabs[0].sign_in().unwrap();
    assert_eq!(run(tabs[0].client.sign_out(SignOut::Local)), Ok(()), "where nobody wanted to leave nothing is missing");
    assert_eq!(tabs[0].bar.went.borrow().len(), 0);
}

// lo-state, lo-nostate
#[test]
fn whoever_comes_back_from_signing_out_with_another_state_is_on_an_ordinary_page() {
    let world = World::new();
    let mut tab = signed_in(&world);
    run(tab.client.sign_out(SignOut::Provider)).unwrap();
    let request = parameters(&left(&tab)[0]);
    assert_eq!(request[..2], [("client_id".into(), CLIENT.into()), ("post_logout_redirect_uri".into(), format!("{ORIGIN}/"))]);
    let (name, state) = &request[2];
    assert_eq!((name.as_str(), request.len()), ("state", 3));

    let cut = &state[1..];
    for place in [
        "/".to_owned(),
        "/?state=".to_owned(),
        "/?state=another".to_owned(),
        format!("/?state={state}x"),
        format!("/?state={cut}"),
        format!("/?state={}", state.to_lowercase()),
        format!("/?state={state}&state={state}"),
        format!("/?state=x&state={state}"),
        format!("/other?state={state}"),
        format!("/#state={state}"),
        "/?state=%E0%A4%A".to_owned(),
    ] {
        let address = format!("{ORIGIN}{place}");
        let stored = world.stored();
        assert_eq!(tab.arrive(&address), Ok(Finished::Nothing), "{place}");
        assert_eq!((tab.address(), tab.news(), tab.state()), (address, vec![], State::SignedOut), "{place}");
        assert_eq!((world.stored(), tab.bar.went.borrow().len()), (stored, 0), "{place}");
    }
    // The right one is recognized, once.
    let address = format!("{ORIGIN}/?page=2&state={state}#top");
    assert_eq!(tab.arrive(&address), Ok(Finished::Nothing));
    assert_eq!((tab.address(), tab.news()), (format!("{ORIGIN}/?page=2#top"), vec![Event::SignedOutAtProvider]));
    assert_eq!(tab.arrive(&address), Ok(Finished::Nothing));
    assert_eq!((tab.address(), tab.news(), tab.state()), (address, vec![], State::SignedOut));
}

// lo-forge
#[test]
fn whoever_is_sent_to_where_a_sign_out_comes_back_to_stays_who_they_are() {
    let world = World::new();
    let mut tabs = open(&world, &World::config(), 2);
    run(tabs[0].client.sign_out(SignOut::Provider)).unwrap();
    let state = parameters(&left(&tabs[0])[0])[2].1.clone();
    tabs[1].sign_in().unwrap();
    world.later(Duration::from_secs(1));
    // Even with the state of a sign-out that never came back.
    for place in ["/?state=forged".to_owned(), "/".to_owned(), format!("/?state={state}"), format!("/?state={state}")] {
        let outcome = tabs[0].arrive(&format!("{ORIGIN}{place}"));
        assert!(matches!(outcome, Ok(Finished::Restored { .. })), "{place}: {outcome:?}");
        for tab in &tabs {
            assert_eq!((tab.fetch(ME).unwrap().status, ends(&tab.news())), (200, vec![]), "{place}");
        }
    }
    // And nobody comes to be signed in by it.
    let stranger = World::new();
    for place in ["/?state=forged", "/?state=forged&code=x", "/?iss=https://as.example&sid=sid-1"] {
        let mut tab = stranger.tab();
        assert_eq!(tab.arrive(&format!("{ORIGIN}{place}")), Ok(Finished::Nothing), "{place}");
        assert_eq!((tab.state(), tab.news(), stranger.requests().len()), (State::SignedOut, vec![], 0), "{place}");
        assert!(stranger.stored().is_empty());
    }
}

// lo-noreturn
#[test]
fn nobody_waits_for_the_user_to_come_back() {
    let world = World::new();
    let mut tabs = open(&world, &World::config(), 3);
    let leaving = tabs[0].client.sign_out(SignOut::Provider);
    assert_eq!((tabs[0].client.state(), tabs[0].bar.went.borrow().len()), (State::SignedOut, 0), "before anybody is asked anything");
    run(leaving).unwrap();
    assert_eq!((tabs[1].state(), tabs[2].state()), (State::SignedOut, State::SignedOut));
    let requests = world.requests().len();
    world.later(Duration::from_secs(24 * 3_600));
    assert_eq!((world.requests().len(), world.time.timers(), left(&tabs[0]).len()), (requests, 0, 1));
    all_are_out(&world, &mut tabs, "a day later");
}

// lo-hint
#[test]
fn the_id_token_goes_to_the_provider_in_a_form_only_and_only_if_the_app_says_so() {
    for (wanted, size) in [(true, 10), (true, 12_000), (true, 40_000), (false, 10), (false, 12_000)] {
        let world = World::new();
        let id_tokens: Rc<RefCell<Vec<String>>> = Rc::default();
        let sink = id_tokens.clone();
        world.provider.claims(move |claims| claims["note"] = json!("x".repeat(size)));
        world.provider.id_token(move |token| {
            sink.borrow_mut().push(token.clone());
            token
        });
        let config = World::config().id_token_hint(wanted);
        let tabs = open(&world, &config, 2);
        // Long after it expired, and in the tab that only got it from the other one.
        world.later(Duration::from_secs(3_600));
        run(tabs[1].client.sign_out(SignOut::Provider)).unwrap();
        let (went, submitted) = (tabs[1].bar.went.borrow().clone(), tabs[1].bar.submitted.borrow().clone());
        let common = ["client_id", "post_logout_redirect_uri", "state"];
        let fields = if wanted {
            assert_eq!((went.len(), submitted.len()), (0, 1), "{size}");
            assert_eq!(submitted[0].0, format!("{ISSUER}/logout"), "nothing in the URL");
            submitted[0].1.clone()
        } else {
            assert_eq!((went.len(), submitted.len()), (1, 0), "{size}");
            parameters(&went[0])
        };
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..3], common);
        assert_eq!((names.len(), names.get(3).copied()), if wanted { (4, Some("id_token_hint")) } else { (3, None) });
        let id_token = id_tokens.borrow()[0].clone();
        assert!(id_token.len() > size && id_tokens.borrow().len() == 1);
        assert_eq!(fields.get(3).map(|(_, value)| value.as_str()), Some(id_token.as_str()).filter(|_| wanted));
        for tab in &tabs {
            let seen = format!("{} {:?} {:?}", tab.visible(), tab.bar.went.borrow(), tab.bar.replaced.borrow());
            assert!(id_token.split('.').skip(1).all(|part| !seen.contains(part)));
        }
        assert!(world.requests().iter().all(|sent| !sent.url.contains(&id_token) && !sent.body.contains(&id_token)));
    }
}

// lo-hint
#[test]
fn without_an_id_token_there_is_no_form() {
    let world = World::new();
    world.provider.metadata("end_session_endpoint", json!(format!("{ISSUER}/logout?policy=1")));
    let config = World::config().id_token_hint(true);
    drop(open(&world, &config, 1));
    let tab = world.tab_with(&config).unwrap();
    run(tab.client.sign_out(SignOut::Provider)).unwrap();
    let went = left(&tab);
    assert!(tab.bar.submitted.borrow().is_empty() && went[0].starts_with(&format!("{ISSUER}/logout?policy=1&client_id=")), "{went:?}");
}

// lo-loop
#[test]
fn after_a_sign_out_nobody_is_signed_in_again_without_asking_for_it() {
    for reach in REACHES {
        let world = World::new();
        world.frames_work();
        let config = World::config().renew_by_redirect(true);
        let mut tabs = open(&world, &config, 2);
        assert!(tabs.iter().all(|tab| !tab.client.signed_out_just_now()));
        run(tabs[0].client.sign_out(reach)).unwrap();
        assert!(world.provider.has_session(), "a frame or a redirect would sign them in");
        let (requests, start) = (world.requests().len(), world.time.now.get());
        let mut page = world.tab_with(&config).unwrap();
        while Duration::from_millis(world.time.now.get() - start) < SIGN_OUT_GRACE {
            assert!(tabs.iter().chain([&page]).all(|tab| tab.client.signed_out_just_now()), "{reach:?}");
            assert_eq!(page.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
            for tab in &tabs {
                tab.bar.wake(Wake::Visible);
                tab.bar.wake(Wake::Online);
            }
            world.later(Duration::from_secs(5));
        }
        assert!(tabs.iter().chain([&page]).all(|tab| !tab.client.signed_out_just_now()), "{reach:?}");
        // Not later either.
        world.later(Duration::from_secs(3_600));
        assert_eq!(page.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
        assert_eq!((world.requests().len(), world.frames.opened.borrow().len(), page.bar.went.borrow().len()), (requests, 0, 0));
        all_are_out(&world, &mut tabs, &format!("{reach:?}"));

        tabs[1].sign_in().unwrap();
        assert!(!tabs[1].client.signed_out_just_now() && tabs[1].fetch(ME).is_ok());
        run(tabs[1].client.sign_out(reach)).unwrap();
        tabs[1].sign_in().unwrap();
        assert!(!tabs[1].client.signed_out_just_now(), "who signs in has asked for it");
    }
}

// lo-loop
// When there was no room for a newer note the older one stayed: whoever signed in again was signed out as soon as the page was looked at.
#[test]
fn a_note_that_cannot_be_written_does_not_say_what_was_before() {
    let world = World::new();
    let mut tab = signed_in(&world);
    run(tab.client.sign_out(SignOut::Local)).unwrap();
    assert!(tab.client.signed_out_just_now());
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    world.disk.full.set(true);
    assert!(matches!(tab.arrive(&callback), Ok(Finished::SignedIn { .. })));
    assert!(!tab.client.signed_out_just_now());
    tab.bar.wake(Wake::Visible);
    world.later(Duration::from_secs(600));
    assert_eq!((tab.fetch(ME).map(|response| response.status), ends(&tab.news())), (Ok(200), vec![]));
}

// lo-loop
#[test]
fn a_session_that_ends_by_itself_was_not_signed_out_of() {
    let world = World::new();
    let mut tab = signed_in(&world);
    world.provider.end_session();
    world.later(Duration::from_secs(300));
    assert_eq!(ends(&tab.news()), [Ended::Rejected]);
    assert!(!tab.client.signed_out_just_now());
    tab.sign_in().unwrap();
    tab.client.close();
    assert!(!tab.client.signed_out_just_now() && world.stored().is_empty());
}

// lo-offline
#[test]
fn who_signs_out_offline_is_signed_out_and_nothing_is_queued() {
    for failure in [HttpFailure::Offline, HttpFailure::Unreachable, HttpFailure::TimedOut] {
        for known in [true, false] {
            let world = World::new();
            world.provider.lifetime(24 * 3_600);
            let mut tabs = open(&world, &World::config(), 2);
            if !known {
                world.later(METADATA_LIFE + Duration::from_secs(1));
            }
            world.network.fails_with(failure);
            let outcome = begin(&tabs[0], SignOut::Provider);
            world.later(Duration::from_secs(10));
            let from = |endpoint| failure.of(if known { endpoint } else { Source::Metadata });
            let (not_revoked, not_left) = (from(Source::Revocation), from(Source::EndSession));
            assert_eq!(outcome.borrow_mut().take(), Some(Err(not_left.clone())), "{failure:?}, {known}");
            assert_eq!(tabs[0].news(), [Event::Ended(Ended::SignedOut), Event::Revoked(Err(not_revoked)), Event::Failed(not_left)]);
            assert_eq!(tabs[1].news(), [Event::Ended(Ended::SignedOutElsewhere)]);

            world.network.calm();
            let requests = world.requests().len();
            tabs.iter().for_each(|tab| tab.bar.wake(Wake::Online));
            world.later(Duration::from_secs(3_600));
            assert_eq!((world.requests().len(), tabs[0].bar.went.borrow().len()), (requests, 0), "{failure:?}: not done later");
            all_are_out(&world, &mut tabs, &format!("{failure:?}"));
        }
    }
}

// lo-offline
#[test]
fn nobody_is_sent_to_a_provider_that_is_not_there() {
    let world = World::new();
    let tab = signed_in(&world);
    world.provider.metadata("revocation_endpoint", Value::Null);
    world.later(METADATA_LIFE + Duration::from_secs(1));
    world.network.weather(|sent| {
        let lost = (sent.method == "HEAD").then_some(HttpFailure::Unreachable);
        Weather { lost, ..Weather::default() }
    });
    assert_eq!(run(tab.client.sign_out(SignOut::Provider)), Err(Interrupted::Unreachable { from: Source::EndSession }.into()));
    assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::SignedOut, 0));
}

/// The page at the front-channel logout URI, in a frame of the provider's.
fn told_at(world: &World, config: &Config, query: &str) -> (bool, Tab) {
    let page = world.tab_at(config, &format!("{ORIGIN}/signed-out{query}")).unwrap();
    page.bar.framed.set(FramedBy::AnotherOrigin);
    (run(page.client.front_channel_logout()), page)
}

// lo-fc
#[test]
fn a_provider_that_names_the_session_ends_it_in_every_tab() {
    let iss = ISSUER;
    let encoded = url::form_urlencoded::byte_serialize(ISSUER.as_bytes()).collect::<String>();
    let strict = World::config();
    let lax = World::config().dangerous_front_channel_logout_without_session();
    let cases: &[(String, &Config, bool)] = &[
        (format!("?iss={iss}&sid=sid-1"), &strict, true),
        (format!("?sid=sid-1&x=y&iss={encoded}#top"), &strict, true),
        (format!("?iss={iss}&sid=sid-1"), &lax, true),
        (format!("?iss={iss}&sid=sid-2"), &strict, false),
        (format!("?iss={iss}&sid=SID-1"), &strict, false),
        (format!("?iss={iss}&sid="), &strict, false),
        (format!("?iss={iss}/&sid=sid-1"), &strict, false),
        (format!("?iss={}&sid=sid-1", iss.to_uppercase()), &strict, false),
        ("?iss=https://evil.example&sid=sid-1".into(), &strict, false),
        (format!("?iss={iss}&sid=sid-1&sid=sid-1"), &strict, false),
        (format!("?iss={iss}&iss={iss}&sid=sid-1"), &strict, false),
        (format!("?iss={iss}&sid=sid-1&sid=sid-2"), &lax, false),
        (format!("#iss={iss}&sid=sid-1"), &strict, false),
        (format!("?iss={iss}"), &strict, false),
        ("?sid=sid-1".into(), &strict, false),
        (format!("?iss={iss}"), &lax, false),
        ("?sid=sid-1".into(), &lax, false),
        (format!("?iss={iss}&sid=sid-2"), &lax, false),
        (String::new(), &strict, false),
        ("?page=2".into(), &strict, false),
        (String::new(), &lax, true),
    ];
    for (query, config, ended) in cases {
        let world = World::new();
        let mut tabs = open(&world, config, 2);
        let (requests, start) = (world.requests().len(), world.time.now.get());
        let (said, page) = told_at(&world, config, query);
        assert_eq!(said, *ended, "{query}");
        assert!(world.time.now.get() - start <= LOGOUT_PATIENCE.as_millis() as u64, "{query}");
        assert_eq!((world.requests().len(), page.bar.went.borrow().len(), page.bar.told.borrow().len()), (requests, 0, 0), "{query}");
        world.settle();
        for tab in &tabs {
            let expected = if *ended { vec![Ended::SignedOutAtProvider] } else { vec![] };
            assert_eq!((ends(&tab.news()), tab.client.signed_out_just_now()), (expected, *ended), "{query}");
            assert_eq!(tab.fetch(ME).is_ok(), !ended, "{query}");
        }
        drop(page);
        if *ended {
            all_are_out(&world, &mut tabs, query);
        }
        assert!(tabs[0].bar.went.borrow().is_empty(), "{query}");
    }
}

// lo-fc
#[test]
fn the_session_that_is_named_is_the_one_that_was_renewed_meanwhile_and_no_other() {
    let world = World::new();
    let mut tabs = open(&world, &World::config(), 2);
    world.later(Duration::from_secs(3_600));
    // The same user, in a session of the day after: the old one's end is not its end.
    tabs[0].sign_in().unwrap();
    world.later(Duration::from_secs(1_000));
    let named = |sid: u64| format!("?iss={ISSUER}&sid=sid-{sid}");
    assert!(!told_at(&world, &World::config(), &named(1)).0);
    assert!(tabs.iter().all(|tab| tab.fetch(ME).is_ok()));
    assert!(told_at(&world, &World::config(), &named(2)).0);
    all_are_out(&world, &mut tabs, "renewed");
}

// lo-fc
#[test]
fn a_session_whose_name_the_provider_never_said_is_not_ended_by_a_name() {
    let world = World::new();
    world.provider.claims(|claims| drop(claims.as_object_mut().unwrap().remove("sid")));
    let tab = signed_in(&world);
    for query in [format!("?iss={ISSUER}&sid=sid-1"), format!("?iss={ISSUER}&sid=")] {
        assert!(!told_at(&world, &World::config(), &query).0, "{query}");
    }
    assert!(tab.fetch(ME).is_ok());
}

// lo-fc
#[test]
fn the_page_that_is_told_may_be_signed_in_itself() {
    let world = World::new();
    let mut tabs = open(&world, &World::config(), 2);
    *tabs[0].bar.address.borrow_mut() = format!("{ORIGIN}/signed-out?iss={ISSUER}&sid=sid-1");
    assert!(run(tabs[0].client.front_channel_logout()));
    assert_eq!(ends(&tabs[0].news()), [Ended::SignedOutAtProvider]);
    assert_eq!(ends(&tabs[1].news()), [Ended::SignedOutElsewhere]);
    all_are_out(&world, &mut tabs, "itself");
}

// lo-fcpart
#[test]
fn where_no_tab_hears_it_no_end_is_claimed() {
    let query = format!("?iss={ISSUER}&sid=sid-1");
    // A storage, and channels, of its own.
    let (world, partition) = (World::new(), World::new());
    let tab = signed_in(&world);
    let start = partition.time.now.get();
    assert!(!told_at(&partition, &World::config(), &query).0);
    assert_eq!(Duration::from_millis(partition.time.now.get() - start), LOGOUT_PATIENCE);
    assert!(tab.fetch(ME).is_ok() && partition.stored().is_empty() && partition.journal.records.borrow().is_empty());

    // No channels at all.
    partition.no_channels.set(true);
    assert!(!told_at(&partition, &World::config(), &query).0);

    // A tab that stands still has not ended its session; it does when it goes on.
    tab.process.frozen.set(true);
    assert!(!told_at(&world, &World::config(), &query).0);
    tab.process.frozen.set(false);
    assert_eq!((tab.state(), ends(&tab.news())), (State::SignedOut, vec![Ended::SignedOutAtProvider]));

    // Nobody is signed in.
    let start = world.time.now.get();
    assert!(!told_at(&world, &World::config(), &query).0);
    assert_eq!(Duration::from_millis(world.time.now.get() - start), LOGOUT_PATIENCE);
}

// lo-two
#[test]
fn who_signs_out_in_many_tabs_at_once_leaves_for_the_provider_once() {
    for (count, apart, latency) in [(2, 0, 0), (2, 0, 50), (2, 20, 50), (5, 0, 0), (5, 7, 30)] {
        for reach in REACHES {
            let world = World::new();
            let mut tabs = open(&world, &World::config(), count);
            world.network.weather(|_| Weather { delay: 30, ..Weather::default() });
            world.journal.latency.set(latency);
            let outcomes: Vec<_> = tabs
                .iter()
                .map(|tab| {
                    let outcome = begin(tab, reach);
                    world.later(Duration::from_millis(apart));
                    outcome
                })
                .collect();
            world.later(Duration::from_secs(5));
            assert!(outcomes.iter().all(|outcome| *outcome.borrow() == Some(Ok(()))), "{count} tabs: {outcomes:?}");
            let all: usize = tabs.iter().map(|tab| left(tab).len()).sum();
            assert_eq!((all, world.count(Endpoint::Revocation)), (usize::from(reach == SignOut::Provider), 1), "{count} tabs, {reach:?}");
            for tab in &tabs {
                assert!(matches!(ends(&tab.news())[..], [Ended::SignedOut | Ended::SignedOutElsewhere]));
            }
            world.network.calm();
            all_are_out(&world, &mut tabs, "at once");
        }
    }
}

// lo-two
#[test]
fn who_clicks_twice_leaves_once() {
    let world = World::new();
    let tab = signed_in(&world);
    let outcomes = [(); 3].map(|()| begin(&tab, SignOut::Provider));
    world.later(Duration::from_secs(5));
    assert!(outcomes.iter().all(|outcome| *outcome.borrow() == Some(Ok(()))));
    assert_eq!((left(&tab).len(), world.count(Endpoint::Revocation), ends(&tab.news())), (1, 1, vec![Ended::SignedOut]));
    // Who comes back and does it again later means it.
    world.later(Duration::from_secs(60));
    run(tab.client.sign_out(SignOut::Provider)).unwrap();
    assert_eq!(left(&tab).len(), 2);
}

// lo-revfirst, opt-revoke
#[test]
fn the_refresh_token_is_revoked_first_and_nobody_waits_long_for_it() {
    type Scene = fn(&World);
    type Told = fn(&[Event]) -> bool;
    let scenes: &[(&str, Scene, Duration, Told)] = &[
        ("done", |_| (), Duration::ZERO, |told| told == [Event::Revoked(Ok(()))]),
        (
            "unknown token",
            |world| world.provider.always(Endpoint::Revocation, json_response(200, &json!({}))),
            Duration::ZERO,
            |told| told == [Event::Revoked(Ok(()))],
        ),
        (
            "unsupported",
            |world| world.provider.always(Endpoint::Revocation, json_response(400, &json!({"error": "unsupported_token_type"}))),
            Duration::ZERO,
            |told| matches!(told, [Event::Revoked(Err(error))] if error.code() == "unexpected_status"),
        ),
        (
            "indisposed",
            |world| {
                world.provider.answer(Endpoint::Revocation, |_, mut right| {
                    right.status = 503;
                    right.headers.push(("retry-after".into(), "120".into()));
                    Ok(right)
                });
            },
            Duration::ZERO,
            |told| told == [Event::Revoked(Err(Interrupted::Unavailable { from: Source::Revocation, status: 503 }.into()))],
        ),
        (
            "unreachable",
            |world| world.provider.answer(Endpoint::Revocation, |_, _| Err(HttpFailure::Unreachable)),
            Duration::ZERO,
            |told| told == [Event::Revoked(Err(Interrupted::Unreachable { from: Source::Revocation }.into()))],
        ),
        (
            "endless",
            |world| {
                world.network.weather(|sent| {
                    let delay = if sent.to == Some(Endpoint::Revocation) { 3_600_000 } else { 0 };
                    Weather { delay, ..Weather::default() }
                });
            },
            REVOCATION_PATIENCE,
            |told| told == [Event::Revoked(Err(Interrupted::TimedOut { from: Source::Revocation }.into()))],
        ),
        (
            "slow",
            |world| world.network.weather(|_| Weather { delay: 500, ..Weather::default() }),
            Duration::from_secs(1),
            |told| told == [Event::Revoked(Ok(()))],
        ),
        (
            "slow metadata",
            |world| {
                world.later(METADATA_LIFE);
                world.network.weather(|sent| {
                    let delay = if sent.to == Some(Endpoint::Metadata) { 5_000 } else { 0 };
                    Weather { delay, ..Weather::default() }
                });
            },
            Duration::from_secs(10),
            |told| told == [Event::Revoked(Err(Interrupted::TimedOut { from: Source::Revocation }.into()))],
        ),
        (
            "missing",
            |world| {
                world.provider.metadata("revocation_endpoint", Value::Null);
                world.later(METADATA_LIFE);
            },
            Duration::ZERO,
            |told| told.is_empty(),
        ),
    ];
    for (what, misbehave, takes, told) in scenes {
        let world = World::new();
        world.provider.lifetime(24 * 3_600);
        let mut tabs = open(&world, &World::config(), 2);
        misbehave(&world);
        let (start, before) = (world.time.now.get(), world.requests().len());
        assert_eq!(run(tabs[0].client.sign_out(SignOut::Provider)), Ok(()), "{what}");
        assert_eq!((Duration::from_millis(world.time.now.get() - start), left(&tabs[0]).len()), (*takes, 1), "{what}");
        let news = tabs[0].news();
        assert_eq!(ends(&news), [Ended::SignedOut], "{what}");
        let revoked: Vec<_> = news.into_iter().filter(|event| matches!(event, Event::Revoked(_))).collect();
        assert!(told(&revoked), "{what}: {revoked:?}");
        let sent: Vec<_> = world.requests().into_iter().skip(before).filter(|sent| sent.to == Some(Endpoint::Revocation)).collect();
        if *what == "missing" || *what == "slow metadata" {
            assert!(sent.is_empty(), "{what}");
        } else {
            assert_eq!(sent.len(), 1, "{what}: once");
            assert_eq!((sent[0].method.as_str(), sent[0].url.as_str()), ("POST", "https://as.example/revoke"), "{what}");
            assert_eq!(sent[0].body, format!("token=refresh-token-2&token_type_hint=refresh_token&client_id={CLIENT}"), "{what}");
            assert_eq!(sent[0].header("authorization"), None, "{what}");
        }
        world.network.calm();
        world.later(Duration::from_secs(4_000));
        assert_eq!(world.requests().into_iter().skip(before).filter(|sent| sent.to == Some(Endpoint::Revocation)).count(), sent.len());
        all_are_out(&world, &mut tabs, what);
    }
}

// lo-revfirst
#[test]
fn the_page_is_left_when_the_token_is_revoked_and_not_before() {
    let world = World::new();
    let tab = signed_in(&world);
    world.network.weather(|_| Weather { delay: 500, ..Weather::default() });
    let outcome = begin(&tab, SignOut::Provider);
    world.later(Duration::from_millis(999));
    assert_eq!((world.provider.good_refresh_tokens(), tab.bar.went.borrow().len()), (0, 0), "revoked, but not answered yet");
    assert!(outcome.borrow().is_none());
    world.later(Duration::from_millis(1));
    assert_eq!((left(&tab).len(), world.network.reached.borrow().len()), (1, 0), "who has just answered need not be looked for");
}

/// A way to a token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    AnotherTab,
    ForAnotherApi,
    Frame,
    FrameAtStart,
    Redirect,
    RefreshToken,
}

/// Tabs in a world where everything takes its time. The first one is about to get a token; the user signs out in one of them.
struct Scene {
    world: World,
    tabs: Vec<Tab>,
    /// Where the first tab was sent, on earlier pages.
    went: Vec<String>,
}

impl Scene {
    fn new(way: Way) -> Scene {
        let world = World::new();
        if matches!(way, Way::Frame | Way::FrameAtStart | Way::Redirect) {
            world.provider.token_response(|body| drop(body.as_object_mut().unwrap().remove("refresh_token")));
        }
        if matches!(way, Way::Frame | Way::FrameAtStart) {
            world.frames_work();
        }
        let config = World::config().api_for(BILLING, Access::default().scope("orders:read")).renew_by_redirect(way == Way::Redirect);
        let mut tabs = open(&world, &config, if way == Way::FrameAtStart { 1 } else { 2 });
        if way == Way::FrameAtStart {
            // The other page is not signed in, and does not look whether anybody is.
            tabs.push(world.tab_with(&config).unwrap());
        }
        world.network.weather(|_| Weather { delay: 10, ..Weather::default() });
        world.journal.latency.set(10);
        world.frames.latency.set(20);
        let mut scene = Scene { world, tabs, went: Vec::new() };
        match way {
            Way::AnotherTab | Way::FrameAtStart => scene.load(&format!("{ORIGIN}/")),
            Way::ForAnotherApi => {
                let calling = scene.tabs[0].client.fetch(Request::get(BILLING));
                scene.spawn(async move { drop(calling.await) });
            }
            Way::Frame | Way::Redirect | Way::RefreshToken => {
                let renewing = scene.tabs[0].client.renew();
                scene.spawn(async move { drop(renewing.await) });
            }
        }
        scene
    }

    fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.world.device.spawn(&self.tabs[0].process, Box::pin(work));
    }

    /// The first tab loads a page.
    fn load(&mut self, address: &str) {
        let went = self.tabs[0].bar.went.take();
        self.went.extend(went);
        self.tabs[0].load(address);
        let finishing = self.tabs[0].client.finish_sign_in();
        self.spawn(async move { drop(finishing.await) });
    }

    /// Goes one step on. False when nothing goes on, and nothing is due within seconds.
    fn step(&mut self) -> bool {
        let silent = self.tabs[0].bar.went.borrow().last().filter(|url| url.contains("prompt=none")).cloned();
        if let Some(url) = silent {
            let callback = self.world.provider.authorize_silently(&url);
            self.load(&callback);
            return true;
        }
        let (device, time) = (&self.world.device, &self.world.time);
        device.turn() || (time.next_timer().is_some_and(|millis| millis <= 5_000) && time.pass_to_next_timer())
    }

    /// Where the tabs were sent.
    fn all_went(&self) -> Vec<String> {
        self.went.iter().cloned().chain(self.tabs.iter().flat_map(|tab| tab.bar.went.borrow().clone())).collect()
    }
}

/// The user signs out at every moment of a way to a token, in the tab that is on its way and in another. After the last moment the token is
/// there: nothing else kept it from coming.
fn at_every_moment(way: Way) {
    for (which, reach) in [(0, SignOut::Local), (0, SignOut::Provider), (1, SignOut::Local), (1, SignOut::Provider)] {
        for moment in 0.. {
            let mut scene = Scene::new(way);
            let at = format!("{way:?}, moment {moment}, {reach:?} in tab {which}");
            if (0..moment).all(|_| scene.step()) {
                sign_out_for_good(scene, way, which, reach, &at);
                continue;
            }
            let by = scene.tabs[0].session().expect(&at).renewed_by;
            let expected = match way {
                Way::AnotherTab => Some(Rung::Tab),
                Way::ForAnotherApi | Way::Redirect => None,
                Way::Frame | Way::FrameAtStart => Some(Rung::Frame),
                Way::RefreshToken => Some(Rung::RefreshToken),
            };
            assert_eq!((by, scene.world.count(Endpoint::Api)), (expected, usize::from(way == Way::ForAnotherApi)), "{at}");
            assert!(moment > 20, "{at}: there is more to it");
            break;
        }
    }
}

/// Signs out, and checks that nobody comes back.
fn sign_out_for_good(mut scene: Scene, way: Way, which: usize, reach: SignOut, at: &str) {
    let world = scene.world.clone();
    let had_tokens = matches!(scene.tabs[which].client.state(), State::SignedIn(_));
    let (frames, asked) = (world.frames.opened.borrow().len(), scene.all_went().len());
    let (outcome, process) = (begin(&scene.tabs[which], reach), scene.tabs[which].process.clone());
    // The other tab hears of it in its own time, which is now.
    scene.step();
    let calls = world.count(Endpoint::Api);
    while scene.step() {}
    world.later(Duration::from_secs(20));
    // A page that was on its way to the provider took with it what it had begun.
    let gone = process.dead.get();
    assert_eq!(*outcome.borrow(), if gone { None } else { Some(Ok(())) }, "{at}");
    let went = scene.all_went().split_off(asked);
    let logouts = went.iter().filter(|url| url.starts_with(&format!("{ISSUER}/logout?"))).count();
    let expected = usize::from(reach == SignOut::Provider && !gone);
    assert_eq!((logouts, went.len()), (expected, expected), "{at}: {went:?}");
    assert_eq!(world.frames.opened.borrow().len(), frames, "{at}: no frame is opened after it");
    let rows = world.journal.records.borrow().values().cloned().collect::<Vec<_>>();
    assert!(gone || rows == ["signed out"], "{at}: {rows:?}");
    // Whoever signs out where a token is has it revoked, and what came for it with it.
    let revocable = had_tokens && matches!(way, Way::AnotherTab | Way::ForAnotherApi | Way::RefreshToken);
    assert!(gone || !revocable || world.provider.good_refresh_tokens() == 0, "{at}");
    for tab in &scene.tabs {
        let news = tab.news();
        assert!(ends(&news).len() <= 1 && tab.client.signed_out_just_now(), "{at}: {news:?}");
        let after = news.iter().skip_while(|event| !matches!(event, Event::Ended(_)));
        let late: Vec<_> = after.filter(|event| matches!(event, Event::Renewed { .. } | Event::SignedIn)).collect();
        assert!(late.is_empty(), "{at}: {news:?}");
    }
    world.network.calm();
    all_are_out(&world, &mut scene.tabs, at);
    assert_eq!(world.count(Endpoint::Api), calls, "{at}");

    // Nothing of then disturbs who signs in next.
    world.provider.user("bob");
    scene.tabs[1].sign_in().unwrap();
    world.later(Duration::from_secs(60));
    let bob = |tab: &Tab| tab.session().and_then(|session| session.subject().map(str::to_owned)) == Some("bob".into());
    assert!(scene.tabs.iter().all(bob) && scene.tabs.iter().all(|tab| tab.fetch(ME).is_ok()), "{at}");
}

#[test]
fn a_sign_out_at_any_moment_of_a_renewal_by_refresh_token_is_for_good() {
    at_every_moment(Way::RefreshToken);
}

#[test]
fn a_sign_out_at_any_moment_of_a_renewal_in_a_frame_is_for_good() {
    at_every_moment(Way::Frame);
}

#[test]
fn a_sign_out_at_any_moment_of_a_page_that_finds_its_session_in_a_frame_is_for_good() {
    at_every_moment(Way::FrameAtStart);
}

#[test]
fn a_sign_out_at_any_moment_in_which_another_tab_hands_its_tokens_over_is_for_good() {
    at_every_moment(Way::AnotherTab);
}

#[test]
fn a_sign_out_at_any_moment_of_a_renewal_by_redirect_is_for_good() {
    at_every_moment(Way::Redirect);
}

#[test]
fn a_sign_out_at_any_moment_in_which_a_token_for_another_api_comes_is_for_good() {
    at_every_moment(Way::ForAnotherApi);
}

#[test]
fn an_answer_that_comes_an_hour_late_is_for_nobody() {
    for reach in REACHES {
        let world = World::new();
        let mut tabs = open(&world, &World::config(), 1);
        let renewing = tabs[0].client.renew();
        world.network.weather(|sent| Weather { delay: if sent.to == Some(Endpoint::Token) { 3_600_000 } else { 0 }, ..Weather::default() });
        world.device.spawn(&tabs[0].process, Box::pin(async move { drop(renewing.await) }));
        world.later(Duration::from_secs(1));
        assert_eq!(world.count(Endpoint::Token), 2, "it is asked for");
        run(tabs[0].client.sign_out(reach)).unwrap();
        world.network.calm();
        world.provider.user("bob");
        let mut page = world.tab();
        page.sign_in().unwrap();
        world.provider.lifetime(30 * 24 * 3_600);
        world.later(Duration::from_secs(3 * 3_600));
        assert_eq!(tabs[0].session().map(|session| session.subject().map(str::to_owned)), Some(Some("bob".into())), "as in the other tab");
        run(page.client.sign_out(SignOut::Local)).unwrap();
        all_are_out(&world, &mut tabs, "an hour late");
    }
}

/// The page lies in the back/forward cache: nothing goes on in it, and nobody tells it anything.
fn go_away(tab: &Tab) {
    tab.process.frozen.set(true);
    tab.process.deaf.set(true);
}

/// The page goes on, and is told that it was away: at once, or when what it had begun is done.
fn come_back(tab: &Tab, at_once: bool) {
    tab.process.frozen.set(false);
    tab.process.deaf.set(false);
    if !at_once {
        tab.world.settle();
    }
    tab.bar.come_back();
}

#[test]
fn a_page_out_of_the_back_forward_cache_is_signed_out_if_that_happened_elsewhere() {
    type SignsOut = fn(&World, &Tab);
    let ways: [SignsOut; 4] = [
        |_, tab| run(tab.client.sign_out(SignOut::Local)).unwrap(),
        |_, tab| run(tab.client.sign_out(SignOut::Provider)).unwrap(),
        |world, _| assert!(told_at(world, &World::config(), &format!("?iss={ISSUER}&sid=sid-1")).0),
        // In a page that was closed before it had told anybody.
        |world, _| {
            world.settle();
            let page = world.tab();
            drop(page.client.sign_out(SignOut::Local));
        },
    ];
    for (way, sign_out) in ways.into_iter().enumerate() {
        for (away_after, away, at_once) in
            [(None, 1, true), (None, 100_000, true), (Some(3), 1, true), (Some(12), 1, false), (Some(12), 100_000, true)]
        {
            let at = format!("way {way}, {away_after:?}, {away} seconds, at once: {at_once}");
            let world = World::new();
            let mut tabs = open(&world, &World::config(), 2);
            world.network.weather(|_| Weather { delay: 10, ..Weather::default() });
            if let Some(turns) = away_after {
                let renewing = tabs[0].client.renew();
                world.device.spawn(&tabs[0].process, Box::pin(async move { drop(renewing.await) }));
                (0..turns).for_each(|_| assert!(world.device.turn() || world.time.pass_to_next_timer()));
            }
            go_away(&tabs[0]);
            sign_out(&world, &tabs[1]);
            world.later(Duration::from_secs(away));
            assert!(matches!(tabs[0].client.state(), State::SignedIn(_)), "{at}: it has not heard of it");
            come_back(&tabs[0], at_once);
            assert_eq!(tabs[0].client.state(), State::SignedOut, "{at}: at once");
            assert_eq!(ends(&tabs[0].news()), [Ended::SignedOutElsewhere], "{at}");
            world.later(Duration::from_secs(1));
            all_are_out(&world, &mut tabs, &at);
        }
    }
}

#[test]
fn a_page_out_of_the_back_forward_cache_believes_the_journal_when_the_note_is_gone() {
    let world = World::new();
    let mut tabs = open(&world, &World::config(), 2);
    go_away(&tabs[0]);
    run(tabs[1].client.sign_out(SignOut::Local)).unwrap();
    world.disk.records.borrow_mut().clear();
    come_back(&tabs[0], true);
    assert_eq!(tabs[0].state(), State::SignedOut);
    all_are_out(&world, &mut tabs, "the note is gone");
}

#[test]
fn a_page_out_of_the_back_forward_cache_is_not_shown_to_another_user() {
    for user in ["alice", "bob"] {
        let world = World::new();
        let mut tabs = open(&world, &World::config(), 2);
        go_away(&tabs[0]);
        run(tabs[1].client.sign_out(SignOut::Provider)).unwrap();
        world.provider.user(user);
        tabs[1].sign_in().unwrap();
        world.later(Duration::from_secs(10));
        come_back(&tabs[0], true);
        world.later(Duration::from_secs(1));
        let subject = tabs[0].session().and_then(|session| session.subject().map(str::to_owned));
        let (expected, why) = if user == "alice" { (Some("alice".into()), vec![]) } else { (None, vec![Ended::UserChanged]) };
        assert_eq!((subject, ends(&tabs[0].news())), (expected, why), "{user}");
        assert_eq!(tabs[0].fetch(ME).is_ok(), user == "alice");
        assert!(tabs[1].fetch(ME).is_ok(), "{user}");
    }
}

#[test]
fn the_back_button_brings_nobody_back() {
    for reach in REACHES {
        let world = World::new();
        world.frames_work();
        let before = world.tab_at(&World::config(), &format!("{ORIGIN}/start")).unwrap();
        let mut tab = world.tab();
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        assert!(matches!(tab.arrive(&callback), Ok(Finished::SignedIn { .. })));
        world.later(BREATH);
        run(tab.client.sign_out(reach)).unwrap();
        let page = tab.clone();
        go_away(&page);
        world.later(Duration::from_secs(10));

        // The page itself, and the one before it, as they were.
        for page in [&page, &before] {
            come_back(page, true);
            world.later(Duration::from_secs(1));
            assert!(page.session().is_none() && page.fetch(ME).is_err(), "{reach:?}");
        }
        // Pages that are loaded again, the one with the response too.
        assert_eq!(tab.arrive(&callback), Err(Misbehaved::AlreadyUsed.into()), "{reach:?}");
        assert_eq!(tab.state(), State::SignedOut, "{reach:?}");
        for place in ["/start", "/callback", "/"] {
            assert_eq!(tab.arrive(&format!("{ORIGIN}{place}")), Ok(Finished::Nothing), "{reach:?}, {place}");
        }
        assert_eq!((tab.state(), world.count(Endpoint::Token), world.frames.opened.borrow().len()), (State::SignedOut, 1, 0));
        assert_eq!(ends(&page.news()), [Ended::SignedOut], "{reach:?}: told once");
    }
}
