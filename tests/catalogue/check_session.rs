//! The session at the provider, watched by its frame (OpenID Connect Session Management).

use std::{cell::Cell, rc::Rc, time::Duration};

use futures::future::join3;
use serde_json::json;
use tokenkeep::{
    Ended, Error, Event, Request, Rung, State,
    keep::{
        FRAME_DEADLINE, OpFrame,
        ports::{FrameEvent, HttpFailure},
    },
    page::Pages,
    protocol::{
        Interrupted, Misbehaved, MonitorStopped,
        check_session::{MAX_SESSION_STATE, QUESTIONS, Said},
    },
    session::BREATH,
};
use url::Url;

use crate::{
    test,
    world::{API, Bar, CLIENT, Endpoint, ISSUER, ORIGIN, Tab, World, run},
};

/// A provider with a frame, whose responses say another `session_state` each time.
fn watching() -> World {
    let world = World::new();
    world.provider.metadata("check_session_iframe", json!(format!("{ISSUER}/session")));
    let count = Cell::new(0);
    world.provider.callback(move |response| {
        count.set(count.get() + 1);
        response.push(("session_state".into(), format!("state{}.salt", count.get())));
    });
    world.frames_work();
    world
}

/// A tab where somebody is signed in, and what its page posts.
fn signed_in(world: &World) -> (Tab, OpFrame) {
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    world.later(BREATH);
    let frame = say(&tab, Said::Begun, "").expect("there is something to watch");
    tab.news();
    (tab, frame)
}

fn say(tab: &Tab, said: Said, about: &str) -> Option<OpFrame> {
    run(tab.client.check_session(said.name(), about)).unwrap()
}

fn asked(world: &World) -> Vec<String> {
    world.frames.opened.borrow().clone()
}

fn told(news: &[Event], event: &Event) -> usize {
    news.iter().filter(|other| *other == event).count()
}

fn stopped(reason: MonitorStopped) -> Event {
    Event::SessionMonitorStopped { reason }
}

/// The session goes on, and its token is good.
#[track_caller]
fn goes_on(tab: &Tab) {
    assert!(matches!(tab.state(), State::SignedIn(session) if session.subject() == Some("alice")));
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    assert_eq!(tab.world.frames.open.get(), 0);
}

/// What has stopped says nothing more, asks nothing more, and leaves the session alone.
#[track_caller]
fn stays_stopped(tab: &Tab, about: &str, reason: MonitorStopped) {
    let (questions, requests) = (asked(&tab.world).len(), tab.world.count(Endpoint::Token));
    tab.news();
    for said in [Said::Changed, Said::Error, Said::Silent, Said::Unchanged, Said::Changed] {
        assert_eq!(say(tab, said, about), None);
    }
    assert_eq!(tab.news(), []);
    // Another page of this keep, or the same one anew, is told why.
    assert_eq!(say(tab, Said::Begun, ""), None);
    assert_eq!(tab.news(), [stopped(reason)]);
    assert_eq!((asked(&tab.world).len(), tab.world.count(Endpoint::Token)), (questions, requests));
    goes_on(tab);
}

#[test]
fn the_frame_gets_the_client_and_the_session_state_and_nobody_else_does() {
    let world = watching();
    let (tab, frame) = signed_in(&world);
    let message = format!("{CLIENT} state1.salt");
    assert_eq!(frame, OpFrame { url: format!("{ISSUER}/session"), origin: ISSUER.into(), message });
    for _ in 0..3 {
        assert_eq!(say(&tab, Said::Unchanged, &frame.message).as_ref(), Some(&frame));
    }
    assert_eq!((asked(&world).len(), tab.news()), (0, vec![]));
    // It is no secret, but no business of the address bar either.
    assert!(!tab.address().contains("session_state"));
}

// lo-cschanged
#[test]
fn the_same_user_goes_on_with_one_question() {
    let world = watching();
    let (tab, frame) = signed_in(&world);
    assert_eq!(say(&tab, Said::Unchanged, &frame.message).as_ref(), Some(&frame));
    let next = say(&tab, Said::Changed, &frame.message).unwrap();
    assert_eq!(next.message, format!("{CLIENT} state2.salt"));
    let questions = asked(&world);
    assert_eq!(questions.len(), 1);
    let parameters: Vec<(String, String)> = Url::parse(&questions[0]).unwrap().query_pairs().into_owned().collect();
    let value = |name: &str| parameters.iter().find(|(ours, _)| ours == name).map(|(_, value)| value.as_str());
    assert_eq!(value("prompt"), Some("none"));
    let hint = value("id_token_hint").expect("the ID token goes along");
    assert!(world.secrets().iter().any(|secret| secret == hint) && hint.split('.').count() == 3);
    let news = tab.news();
    assert_eq!((told(&news, &Event::SessionChanged), told(&news, &Event::Renewed { by: Rung::Frame })), (1, 1), "{news:?}");
    goes_on(&tab);
    let visible = tab.visible();
    assert!(world.secrets().iter().all(|secret| !visible.contains(secret)));

    // What is said about the state before asks nothing.
    assert_eq!(say(&tab, Said::Changed, &frame.message).as_ref(), Some(&next));
    assert_eq!(asked(&world).len(), 1);
    // An ordinary renewal has no hint.
    world.later(BREATH);
    run(tab.client.renew()).unwrap();
    assert!(asked(&world).iter().skip(1).all(|url| !url.contains("id_token_hint")));
}

// lo-cschanged
#[test]
fn who_is_signed_out_at_the_provider_is_signed_out_here_in_all_tabs() {
    let world = watching();
    let (tab, frame) = signed_in(&world);
    let mut other = world.tab();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    assert!(matches!(other.state(), State::SignedIn(_)));
    say(&tab, Said::Unchanged, &frame.message);
    world.provider.end_session();
    assert_eq!(say(&tab, Said::Changed, &frame.message), None);
    world.settle();
    let news = tab.news();
    assert_eq!((told(&news, &Event::SessionChanged), told(&news, &Event::Ended(Ended::SignedOutAtProvider))), (1, 1), "{news:?}");
    assert_eq!((tab.state(), other.state()), (State::SignedOut, State::SignedOut));
    assert!(other.was_told(&Event::Ended(Ended::SignedOutElsewhere)));
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!(asked(&world).len(), 1);
    // Neither page has anything to watch now, and a new one finds nobody.
    for tab in [&tab, &other] {
        assert_eq!((say(tab, Said::Begun, ""), say(tab, Said::Changed, &frame.message)), (None, None));
    }
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    assert_eq!((other.state(), asked(&world).len()), (State::SignedOut, 1));
}

// lo-cschanged
#[test]
fn another_user_at_the_provider_ends_the_session() {
    let world = watching();
    let (tab, frame) = signed_in(&world);
    // Whether or not the frame was ever believed: an ID token says it.
    world.provider.user("bob");
    assert_eq!(say(&tab, Said::Changed, &frame.message), None);
    let news = tab.news();
    assert_eq!(told(&news, &Event::Ended(Ended::UserChanged)), 1, "{news:?}");
    assert_eq!((tab.state(), asked(&world).len()), (State::SignedOut, 1));
}

// lo-cschanged
#[test]
fn all_pages_of_a_keep_hear_of_a_change_and_one_question_is_asked() {
    let world = watching();
    world.no_channels.set(true);
    let pages = Pages::open(&World::config(), world.ports(), ORIGIN).unwrap();
    let open = |address: &str| pages.join(Rc::new(Bar { address: address.to_owned().into(), ..Bar::default() }));
    let bar = Rc::new(Bar { address: format!("{ORIGIN}/").into(), ..Bar::default() });
    let first = pages.join(bar.clone());
    run(first.sign_in(Default::default())).unwrap();
    let callback = world.provider.authorize(&bar.went.borrow()[0]);
    let [one, two, three] = [open(&callback), open(&format!("{ORIGIN}/a")), open(&format!("{ORIGIN}/b"))];
    run(one.finish_sign_in()).unwrap();
    world.later(BREATH);
    let frame = run(one.check_session(Said::Begun.name(), "")).unwrap().unwrap();
    let said = |said: Said| {
        join3(
            one.check_session(said.name(), &frame.message),
            two.check_session(said.name(), &frame.message),
            three.check_session(said.name(), &frame.message),
        )
    };
    run(said(Said::Unchanged)).0.unwrap();
    let (a, b, c) = run(said(Said::Changed));
    let next = a.unwrap().unwrap();
    assert_eq!((b.unwrap().as_ref(), c.unwrap().as_ref()), (Some(&next), Some(&next)));
    assert_ne!(next.message, frame.message);
    assert_eq!(asked(&world).len(), 1);
    assert_eq!(run(two.fetch(Request::get(format!("{API}me")))).unwrap().status, 200);
}

// lo-cserror
#[test]
fn an_error_of_the_frame_stops_the_watching_and_asks_nobody() {
    let world = watching();
    let (tab, frame) = signed_in(&world);
    say(&tab, Said::Unchanged, &frame.message);
    assert_eq!(say(&tab, Said::Error, &frame.message), None);
    assert_eq!(tab.news(), [stopped(MonitorStopped::Error)]);
    assert!(asked(&world).is_empty());
    stays_stopped(&tab, &frame.message, MonitorStopped::Error);
}

#[test]
fn a_frame_that_does_not_answer_or_may_not_be_shown_stops_the_watching() {
    for (said, reason) in [(Said::Silent, MonitorStopped::NoAnswer), (Said::Blocked, MonitorStopped::FrameBlocked)] {
        let world = watching();
        let (tab, frame) = signed_in(&world);
        assert_eq!((say(&tab, said, &frame.message), tab.news()), (None, vec![stopped(reason)]));
        stays_stopped(&tab, &frame.message, reason);
    }
}

// lo-csspam
#[test]
fn a_frame_that_always_says_changed_is_not_asked_any_more() {
    let world = watching();
    let (tab, mut frame) = signed_in(&world);
    for question in 1..=QUESTIONS {
        frame = say(&tab, Said::Changed, &frame.message).expect("the same user is still there");
        assert_eq!(asked(&world).len(), usize::from(question));
    }
    assert_eq!(say(&tab, Said::Changed, &frame.message), None);
    let news = tab.news();
    assert_eq!(told(&news, &stopped(MonitorStopped::AlwaysChanged)), 1, "{news:?}");
    assert_eq!(asked(&world).len(), usize::from(QUESTIONS));
    stays_stopped(&tab, &frame.message, MonitorStopped::AlwaysChanged);
}

// lo-csspam
#[test]
fn a_change_now_and_then_is_no_storm() {
    let world = watching();
    let (tab, mut frame) = signed_in(&world);
    for _ in 0..3 * QUESTIONS {
        frame = say(&tab, Said::Unchanged, &frame.message).unwrap();
        frame = say(&tab, Said::Changed, &frame.message).unwrap();
        world.later(BREATH);
    }
    assert_eq!(asked(&world).len(), usize::from(3 * QUESTIONS));
    goes_on(&tab);
}

// lo-csspam
#[test]
fn who_cannot_be_asked_because_storage_is_blocked_is_not_signed_out() {
    let world = watching();
    let (tab, frame) = signed_in(&world);
    // Neither the frame nor the question sees a cookie.
    world.provider.forget_session();
    assert_eq!(say(&tab, Said::Changed, &frame.message), None);
    let news = tab.news();
    assert_eq!(told(&news, &stopped(MonitorStopped::AlwaysChanged)), 1, "{news:?}");
    assert_eq!(asked(&world).len(), 1);
    stays_stopped(&tab, &frame.message, MonitorStopped::AlwaysChanged);
}

#[test]
fn a_question_that_is_interrupted_is_no_answer() {
    let world = watching();
    let (tab, frame) = signed_in(&world);
    say(&tab, Said::Unchanged, &frame.message);
    world.frame(|_| Vec::<FrameEvent>::new());
    let start = world.time.now.get();
    assert_eq!(say(&tab, Said::Changed, &frame.message).as_ref(), Some(&frame));
    assert_eq!(Duration::from_millis(world.time.now.get() - start), FRAME_DEADLINE);
    goes_on(&tab);
    world.network.fails_with(HttpFailure::Offline);
    assert_eq!(say(&tab, Said::Changed, &frame.message).as_ref(), Some(&frame));
    world.network.calm();
    goes_on(&tab);
    // It may still be asked, and as often as not a storm.
    world.frames_work();
    assert!(say(&tab, Said::Changed, &frame.message).is_some_and(|next| next != frame));
}

// lo-csstate
#[test]
fn without_a_session_state_that_can_be_posted_nothing_is_watched() {
    let longer = "x".repeat(MAX_SESSION_STATE + 1);
    let states: [&[&str]; 7] = [&[], &[""], &["a b"], &["a\u{a0}b"], &["a\nb"], &[&longer], &["a.b", "a.b"]];
    for states in states {
        let world = watching();
        let sent: Vec<String> = states.iter().map(|state| (*state).to_owned()).collect();
        world.provider.callback(move |response| response.extend(sent.iter().map(|state| ("session_state".into(), state.clone()))));
        let mut tab = world.tab();
        tab.sign_in().unwrap_or_else(|error| panic!("{states:?}: {error}"));
        world.later(BREATH);
        tab.news();
        assert_eq!((say(&tab, Said::Begun, ""), tab.news()), (None, vec![stopped(MonitorStopped::NoSessionState)]), "{states:?}");
        assert_eq!(say(&tab, Said::Changed, &format!("{CLIENT} a.b")), None);
        assert!(asked(&world).is_empty());
        stays_stopped(&tab, &format!("{CLIENT} a b"), MonitorStopped::NoSessionState);
    }
}

#[test]
fn a_provider_without_a_frame_is_not_watched() {
    let world = watching();
    world.provider.metadata("check_session_iframe", json!(null));
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    world.later(BREATH);
    tab.news();
    assert_eq!((say(&tab, Said::Begun, ""), tab.news()), (None, vec![stopped(MonitorStopped::NotOffered)]));
    stays_stopped(&tab, "", MonitorStopped::NotOffered);
}

#[test]
fn a_frame_that_is_no_https_url_makes_the_metadata_worthless() {
    for url in [
        "http://as.example/session",
        "javascript:alert(1)",
        "data:text/html,x",
        "//as.example/session",
        "session",
        "https://as.example#x",
        "",
    ] {
        let world = watching();
        world.provider.metadata("check_session_iframe", json!(url));
        let tab = world.tab();
        let expected = Error::from(Misbehaved::BadEndpoint { member: "check_session_iframe" });
        assert_eq!(tab.leave(Default::default()), Err(expected), "{url}");
    }
}

#[test]
fn nobody_watches_where_nobody_is_signed_in_and_a_new_session_is_watched_anew() {
    let world = watching();
    let (mut tab, frame) = signed_in(&world);
    say(&tab, Said::Error, &frame.message);
    run(tab.client.sign_out(tokenkeep::SignOut::Local)).unwrap();
    assert_eq!(say(&tab, Said::Begun, ""), None);
    assert_eq!(told(&tab.news(), &stopped(MonitorStopped::Error)), 1);
    tab.sign_in().unwrap();
    assert!(say(&tab, Said::Begun, "").is_some());
}

#[test]
fn what_another_tab_hands_over_is_watched_too() {
    let world = watching();
    let (_tab, frame) = signed_in(&world);
    let mut other = world.tab();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    assert_eq!(say(&other, Said::Begun, ""), Some(frame));
}
