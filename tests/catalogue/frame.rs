//! `prompt=none`: in a hidden frame, and in the whole window where the app allows it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use serde_json::Value;
use tokenkeep::{
    Client, Config, Ended, Error, Event, Finished, Rung, Session, SignIn, State,
    keep::{
        FRAME_AFTER_LOAD, FRAME_CLOSED_FOR, FRAME_DEADLINE, OFFER_PATIENCE, REDIRECT_AFTER,
        ports::{FrameEvent, HttpFailure},
    },
    page::ports::{FramedBy, Wake as Woken},
    protocol::{Interrupted, Misbehaved, Misconfigured, Request, Source, callback::MAX_CALLBACK},
    session::BREATH,
};
use url::Url;

use crate::{
    test,
    world::{API, Bar, Endpoint, ISSUER, ORIGIN, Parameters, Tab, Weather, World, run},
};

/// A world whose provider gives no refresh tokens, and answers in frames.
fn framing() -> World {
    let world = World::new();
    world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    world.frames_work();
    world
}

/// A tab where somebody is signed in, long enough ago for another token.
fn signed_in(world: &World) -> Tab {
    signed_in_with(world, &World::config())
}

fn signed_in_with(world: &World, config: &Config) -> Tab {
    let mut tab = world.tab_with(config).unwrap();
    tab.sign_in().unwrap();
    world.later(BREATH);
    tab.news();
    tab
}

/// A message from the frame, as its page sends it.
fn answered(text: impl Into<Option<String>>) -> FrameEvent {
    FrameEvent::Message { origin: ORIGIN.to_owned(), from_frame: true, text: text.into() }
}

/// What the provider says no with, to a request.
fn refused(url: &str, error: &str) -> String {
    let asked = |name: &str| Url::parse(url).unwrap().query_pairs().find(|(ours, _)| ours == name).unwrap().1.into_owned();
    let response = [("error", error), ("state", &asked("state")), ("iss", ISSUER)];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(response).finish();
    format!("{}?{query}", asked("redirect_uri"))
}

/// The provider says no in every frame.
fn frames_refuse(world: &World, error: &'static str) {
    world.frame(move |url| vec![answered(refused(url, error))]);
}

/// Loads a page, and gives it a second. `None` when it left for the provider meanwhile.
fn load(tab: &mut Tab, address: &str) -> Option<Result<Finished, Error>> {
    tab.load(address);
    let outcome = Rc::new(RefCell::new(None));
    let (finishing, sink) = (tab.client.finish_sign_in(), outcome.clone());
    tab.world.device.spawn(&tab.process, Box::pin(async move { *sink.borrow_mut() = Some(finishing.await) }));
    tab.world.later(Duration::from_secs(1));
    outcome.take()
}

/// A time in the note about the session, in milliseconds.
fn noted(world: &World, what: &str) -> Option<u64> {
    let stored = world.stored();
    let (_, note) = stored.iter().find(|(key, _)| key.starts_with("tokenkeep.session."))?;
    serde_json::from_str::<Value>(note).unwrap()[what].as_u64()
}

fn opened(world: &World) -> usize {
    world.frames.opened.borrow().len()
}

fn works(tab: &Tab) -> bool {
    tab.fetch(&format!("{API}me")).is_ok_and(|response| response.status == 200)
}

fn told(news: &[Event], event: &Event) -> usize {
    news.iter().filter(|other| *other == event).count()
}

/// Nothing of a renewal is under way any more.
fn nothing_is_held(world: &World) {
    world.settle();
    assert_eq!((world.frames.open.get(), world.locks.held(), world.locks.waiting()), (0, 0, 0));
}

/// What must hold after a renewal that did not succeed: the session goes on with the token that is there, the user is asked for once, and
/// sent nowhere.
fn kept(tab: &Tab, session: &Option<Session>, error: &Error) {
    let (world, news) = (&tab.world, tab.news());
    let failed = Event::RenewalFailed { by: Rung::Frame, error: Some(error.clone()), pause: None };
    assert_eq!((told(&news, &failed), told(&news, &Event::SignInNeeded), news.len()), (1, 1, 2), "{news:?}");
    assert_eq!((&tab.session(), works(tab)), (session, true), "{error}");
    assert_eq!((world.count(Endpoint::Token), tab.bar.went.borrow().len()), (1, 0), "{error}");
    nothing_is_held(world);
    tab.news();
}

/// This happens around the frame, made from its URL and the right answer. The frame is waited for as if it had not: until its time is over,
/// or until the answer comes.
fn dropped(what: &str, events: impl Fn(&str, &str) -> Vec<FrameEvent> + Clone + 'static) {
    for answer_follows in [false, true] {
        let world = framing();
        let tab = signed_in(&world);
        let (session, start) = (tab.session(), world.time.now.get());
        let (provider, events) = (world.provider.clone(), events.clone());
        world.frame(move |url| {
            let answer = provider.authorize_silently(url);
            let mut events = events(url, &answer);
            events.extend(answer_follows.then(|| answered(answer)));
            events
        });
        let outcome = run(tab.client.renew());
        let passed = Duration::from_millis(world.time.now.get() - start);
        if answer_follows {
            assert_eq!(outcome.map(|session| session.renewed_by), Ok(Some(Rung::Frame)), "{what}");
            assert_eq!((passed, world.count(Endpoint::Token), works(&tab)), (OFFER_PATIENCE, 2, true), "{what}");
            nothing_is_held(&world);
        } else {
            let error = Error::from(Interrupted::FrameTimedOut);
            assert_eq!((outcome, passed), (Err(error.clone()), OFFER_PATIENCE + FRAME_DEADLINE), "{what}");
            kept(&tab, &session, &error);
        }
    }
}

// if-origin, if-origintrick
#[test]
fn only_the_pages_own_origin_is_heard() {
    for origin in [
        "https://evil.example",
        ISSUER,
        "null",
        "",
        "https://app.example.evil.example",
        "https://evil.example/https://app.example",
        "https://APP.example",
        "HTTPS://app.example",
        "https://app.example/",
        "https://app.example:443",
        "https://app.example.",
        " https://app.example",
        "https://app.example\u{0}",
        "http://app.example",
        "https://\u{430}pp.example",
    ] {
        let from = move |answer: &str| FrameEvent::Message { origin: origin.into(), from_frame: true, text: Some(answer.into()) };
        dropped(origin, move |_, answer| vec![from(answer)]);
    }
}

// if-source
#[test]
fn only_the_frame_itself_is_heard() {
    for times in [1, 1_000] {
        let posted = |answer: &str| FrameEvent::Message { origin: ORIGIN.into(), from_frame: false, text: Some(answer.into()) };
        dropped("another window", move |_, answer| vec![posted(answer); times]);
    }
}

// if-state
#[test]
fn only_the_answer_to_this_very_request_is_heard() {
    type Change = fn(&mut Parameters);
    let changes: &[(&str, Change)] = &[
        ("another state", |response| response[1].1 = "another".into()),
        ("one more character", |response| response[1].1.push('x')),
        ("cut off", |response| response[1].1.truncate(40)),
        ("another case", |response| response[1].1 = response[1].1.to_uppercase()),
        ("a space behind it", |response| response[1].1.push(' ')),
        ("no state", |response| drop(response.remove(1))),
        ("an empty state", |response| response[1].1.clear()),
        ("the state twice", |response| response.push(response[1].clone())),
        ("an error for another request", |response| {
            response[0] = ("error".into(), "login_required".into());
            response[1].1 = "another".into();
        }),
    ];
    for (what, change) in changes {
        dropped(what, |_, answer| {
            let mut answer = Url::parse(answer).unwrap();
            let mut response = answer.query_pairs().into_owned().collect();
            change(&mut response);
            answer.query_pairs_mut().clear().extend_pairs(response);
            vec![answered(answer.to_string())]
        });
    }
    for place in ["/", "/other", "/callback/", "/callback/x", "//callback"] {
        dropped(place, |_, answer| vec![answered(answer.replacen("/callback", place, 1))]);
    }
}

// if-data
#[test]
fn whatever_else_is_posted_is_dropped() {
    dropped("no text", |_, _| vec![answered(None); 3]);
    dropped("too much", |_, answer| vec![answered(format!("{answer}&x={}", "x".repeat(MAX_CALLBACK))), answered("x".repeat(10_000_000))]);
    dropped("much", |_, _| (0..10_000).map(|number| answered(format!("{number}"))).collect());
    dropped("garbage", |url, answer| {
        let response = Url::parse(answer).unwrap();
        let query = response.query().unwrap().to_owned();
        let object = format!(r#"{{"type": "authorization_response", "url": "{answer}", "response": {{"state": "x", "__proto__": {{}}}}}}"#);
        let garbage =
            ["", " ", "null", "[]", "{}", "5", "\u{0}", "\u{feff}", "%", "?", "#", "://", "javascript:alert(1)", "data:text/html,x"];
        let near =
            [&query, &object, &url.to_owned(), &format!(" {answer}"), &answer.replacen("https", "http", 1), &format!("{ORIGIN}/callback")];
        let percent = format!("{ORIGIN}/callback?code=%E0%A4%A&state=%");
        garbage.into_iter().chain(near.into_iter().map(String::as_str)).chain([&*percent]).map(|text| answered(text.to_owned())).collect()
    });
}

// if-login
#[test]
fn a_provider_that_must_ask_the_user_ends_no_session() {
    for error in ["login_required", "interaction_required", "consent_required", "account_selection_required"] {
        let world = framing();
        let tab = signed_in(&world);
        let session = tab.session();
        frames_refuse(&world, error);
        let said = run(tab.client.renew()).unwrap_err();
        assert_eq!((said.code(), said.asks_user()), (error, true));
        kept(&tab, &session, &said);

        // The token is used up to its end, and nothing is tried until then.
        for wake in [Woken::Online, Woken::Visible, Woken::Returned] {
            world.later(Duration::from_secs(60));
            tab.bar.wake(wake);
            assert_eq!((tab.news(), opened(&world)), (vec![], 1), "{error}");
        }
        world.later(Duration::from_secs(120));
        assert_eq!((tab.state(), tab.news()), (State::SignedOut, vec![Event::Ended(Ended::Expired)]), "{error}");
        assert_eq!((opened(&world), tab.bar.went.borrow().len()), (1, 0), "{error}");
    }
}

// if-login
#[test]
fn a_page_that_finds_nobody_at_the_provider_is_signed_out_and_has_not_failed() {
    for error in ["login_required", "interaction_required", "consent_required", "account_selection_required"] {
        let world = framing();
        let mut tab = signed_in(&world);
        frames_refuse(&world, error);
        assert_eq!(tab.arrive(&format!("{ORIGIN}/orders")), Ok(Finished::Nothing), "{error}");
        assert_eq!((tab.state(), opened(&world), tab.bar.went.borrow().len()), (State::SignedOut, 1, 0), "{error}");
        let news = tab.news();
        assert_eq!(
            news.iter().filter(|event| matches!(event, Event::Failed(_) | Event::Ended(_) | Event::SignInNeeded)).count(),
            0,
            "{news:?}"
        );
        assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
        nothing_is_held(&world);

        world.frames_work();
        tab.sign_in().unwrap();
        assert!(works(&tab));
    }
}

// if-login
#[test]
fn a_provider_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
    for (error, again) in
        [("server_error", true), ("temporarily_unavailable", true), ("access_denied", false), ("unauthorized_client", false)]
    {
        let world = framing();
        let tab = signed_in(&world);
        let session = tab.session();
        frames_refuse(&world, error);
        let said = run(tab.client.renew()).unwrap_err();
        assert_eq!((said.code(), tab.session(), works(&tab)), (error, session, true));
        assert_eq!(told(&tab.events.borrow(), &Event::SignInNeeded), usize::from(!again), "{error}");
        world.frames_work();
        world.later(Duration::from_secs(10));
        assert_eq!((opened(&world), tab.was_told(&Event::Renewed { by: Rung::Frame })), (1 + usize::from(again), again), "{error}");
        world.later(Duration::from_secs(300));
        assert_eq!((tab.session().is_some(), tab.bar.went.borrow().len()), (again, 0), "{error}");
    }
}

// if-xfo, if-ui, if-app404
#[test]
fn a_frame_that_does_not_answer_is_given_up() {
    let never = |_: &str| vec![];
    // The browser loads a page of its own where the provider forbids frames.
    let forbidden = |_: &str| vec![FrameEvent::Loaded];
    let form = |_: &str| vec![FrameEvent::Loaded, FrameEvent::Loaded, answered("resize:400".to_owned())];
    let not_found = |_: &str| vec![FrameEvent::Loaded, FrameEvent::Loaded, answered("404 Not Found".to_owned())];
    type Scene = fn(&str) -> Vec<FrameEvent>;
    let scenes: [(&str, Scene, Duration); 4] = [
        ("never", never, FRAME_DEADLINE),
        ("forbidden", forbidden, FRAME_AFTER_LOAD),
        ("form", form, FRAME_AFTER_LOAD),
        ("not found", not_found, FRAME_AFTER_LOAD),
    ];
    for (what, scene, patience) in scenes {
        let world = framing();
        let mut tab = signed_in(&world);
        let (session, start, timers) = (tab.session(), world.time.now.get(), world.time.timers());
        world.frame(scene);
        let error = Error::from(Interrupted::FrameTimedOut);
        assert_eq!(run(tab.client.renew()), Err(error.clone()), "{what}");
        assert_eq!(Duration::from_millis(world.time.now.get() - start), OFFER_PATIENCE + patience, "{what}");
        kept(&tab, &session, &error);
        world.later(Duration::from_secs(60));
        assert!(world.time.timers() <= timers, "{what}: {} timers, and {timers} before", world.time.timers());

        // The next page does not wait for it again.
        let start = world.time.now.get();
        assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing), "{what}");
        assert_eq!((opened(&world), world.time.now.get() - start), (1, OFFER_PATIENCE.as_millis() as u64), "{what}");
        assert_eq!(tab.state(), State::SignedOut, "{what}");
    }
}

// if-xfo
#[test]
fn a_page_that_loads_for_ever_does_not_stop_the_clock() {
    let world = framing();
    let tab = signed_in(&world);
    world.frames.latency.set(2_000);
    world.frame(|_| vec![FrameEvent::Loaded; 100]);
    let start = world.time.now.get();
    assert_eq!(run(tab.client.renew()), Err(Interrupted::FrameTimedOut.into()));
    assert_eq!(Duration::from_millis(world.time.now.get() - start), OFFER_PATIENCE + FRAME_DEADLINE);
    nothing_is_held(&world);
}

#[test]
fn what_did_not_work_is_tried_again_for_who_has_signed_in() {
    let world = framing();
    let mut tab = signed_in(&world);
    world.frame(|_| vec![FrameEvent::Loaded]);
    run(tab.client.renew()).unwrap_err();
    assert!(noted(&world, "frame_closed").is_some());
    world.frames_work();
    tab.sign_in().unwrap();
    assert_eq!(noted(&world, "frame_closed"), None);
    assert!(matches!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })));
}

#[test]
fn what_did_not_work_is_tried_again_after_a_day() {
    let world = framing();
    world.provider.lifetime(3 * 86_400);
    let mut tab = signed_in(&world);
    world.frame(|_| vec![FrameEvent::Loaded]);
    run(tab.client.renew()).unwrap_err();
    world.frames_work();
    let closed = noted(&world, "frame_closed").unwrap();
    for (after, frames) in [(FRAME_CLOSED_FOR - Duration::from_secs(10), 1), (FRAME_CLOSED_FOR + Duration::from_secs(1), 2)] {
        world.later(Duration::from_millis(closed + after.as_millis() as u64 - world.time.now.get()));
        let restored = matches!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. }));
        assert_eq!((restored, opened(&world)), (frames == 2, frames));
    }
}

// if-3pc
#[test]
fn where_the_providers_cookies_are_blocked_the_user_is_asked_for_once() {
    let world = framing();
    let mut tab = signed_in(&world);
    frames_refuse(&world, "login_required");
    assert!(world.provider.has_session(), "only the frame does not see it");
    world.later(Duration::from_secs(250));
    let news = tab.news();
    assert_eq!((told(&news, &Event::SignInNeeded), opened(&world), tab.bar.went.borrow().len()), (1, 1, 0));
    let closed = noted(&world, "frame_closed");
    assert!(closed.is_some());

    // Neither in this page nor in later ones is it tried again.
    for load in 0..50 {
        assert_eq!(tab.arrive(&format!("{ORIGIN}/{load}")), Ok(Finished::Nothing));
        world.later(Duration::from_secs(60));
        assert_eq!((opened(&world), tab.bar.went.borrow().len()), (1, 0), "no storm");
    }
    assert_eq!(noted(&world, "frame_closed"), closed);
}

/// Goes where a page was sent, and to where it is sent back from there.
fn follow(tab: &mut Tab, answer: impl Fn(&str) -> String) -> Option<Result<Finished, Error>> {
    let went = tab.bar.went.borrow().clone();
    assert_eq!(went.len(), 1, "{went:?}");
    assert!(went[0].starts_with(&format!("{ISSUER}/authorize?")) && went[0].contains("&prompt=none"), "{went:?}");
    let answer = answer(&went[0]);
    load(tab, &answer)
}

/// Only the redirect leads to another token, and the app allows it.
fn redirecting() -> Config {
    World::config().renew_by_redirect(true).renew_by_frame(false)
}

// if-3pc
#[test]
fn silent_frame_and_silent_redirect_do_not_chase_each_other() {
    for signed_in_there in [true, false] {
        let world = framing();
        let mut tab = signed_in_with(&world, &World::config().renew_by_redirect(true));
        frames_refuse(&world, "login_required");
        if !signed_in_there {
            world.provider.forget_session();
        }
        let start = world.time.now.get();
        let mut redirects = Vec::new();
        while world.time.now.get() < start + 20 * 60 * 1000 {
            let mut outcome = load(&mut tab, &format!("{ORIGIN}/orders"));
            if outcome.is_none() {
                redirects.push(world.time.now.get());
                let provider = world.provider.clone();
                outcome = follow(&mut tab, move |url| provider.authorize_silently(url));
                let return_to = "/orders".to_owned();
                match outcome.as_ref().expect("it does not leave again") {
                    Ok(Finished::SignedIn { return_to: place, .. }) if signed_in_there => assert_eq!(*place, return_to),
                    other => assert_eq!(*other, Ok(Finished::SignInNeeded { return_to })),
                }
            }
            assert!(tab.bar.went.borrow().is_empty() && outcome.is_some());
            world.later(Duration::from_secs(9));
        }
        assert_eq!(opened(&world), 1, "the frame is known not to work");
        let apart = redirects.windows(2).map(|pair| Duration::from_millis(pair[1] - pair[0])).min();
        assert!((1..=4).contains(&redirects.len()) && apart.is_none_or(|apart| apart >= REDIRECT_AFTER), "{redirects:?}");
    }
}

#[test]
fn a_redirect_renews_the_session_and_leads_back_to_the_same_place() {
    let world = framing();
    world.provider.lifetime(3_600);
    let mut tab = signed_in_with(&world, &redirecting());
    for place in ["/orders/7?sort=date#top", "/", "/?code=own#/route"] {
        *tab.bar.address.borrow_mut() = format!("{ORIGIN}{place}");
        let tokens = world.count(Endpoint::Token);
        world.later(Duration::from_secs(3_500));
        assert_eq!(tab.bar.went.borrow().len(), 0, "not before it is due");
        world.later(Duration::from_secs(50));
        let provider = world.provider.clone();
        let outcome = follow(&mut tab, move |url| provider.authorize_silently(url));
        let Some(Ok(Finished::SignedIn { session, return_to })) = outcome else { panic!("{outcome:?}") };
        assert_eq!((session.subject(), return_to.as_str()), (Some("alice"), place));
        assert_eq!((works(&tab), world.count(Endpoint::Token), opened(&world)), (true, tokens + 1, 0));
        assert_eq!((tab.bar.went.borrow().len(), tab.address()), (0, format!("{ORIGIN}/callback")));
    }
}

#[test]
fn a_redirect_that_finds_nobody_leads_back_to_the_same_place_signed_out() {
    let world = framing();
    let mut tab = signed_in_with(&world, &redirecting());
    let return_to = "/orders/7?sort=date#top".to_owned();
    *tab.bar.address.borrow_mut() = format!("{ORIGIN}{return_to}");
    while tab.bar.went.borrow().is_empty() {
        world.later(Duration::from_secs(1));
    }
    assert_eq!(tab.news(), [Event::Redirecting]);
    world.provider.forget_session();
    let provider = world.provider.clone();
    let outcome = follow(&mut tab, move |url| provider.authorize_silently(url));
    assert_eq!(outcome, Some(Ok(Finished::SignInNeeded { return_to: return_to.clone() })));
    assert_eq!((tab.state(), tab.bar.went.borrow().len(), world.count(Endpoint::Token)), (State::SignedOut, 0, 1));
    let news = tab.news();
    assert!(!news.iter().any(|event| matches!(event, Event::Failed(_))), "{news:?}");

    // When the user signs in, there they are.
    let url = tab.leave(SignIn::default().return_to(return_to.clone())).unwrap();
    let outcome = tab.arrive(&world.provider.authorize(&url));
    assert!(matches!(outcome, Ok(Finished::SignedIn { return_to: place, .. }) if place == return_to));
}

#[test]
fn nobody_is_redirected_who_did_not_allow_it() {
    let world = framing();
    let tab = signed_in_with(&world, &World::config().renew_by_frame(false));
    world.later(Duration::from_secs(400));
    assert_eq!((tab.state(), tab.bar.went.borrow().len(), opened(&world)), (State::SignedOut, 0, 0));
    assert_eq!(told(&tab.news(), &Event::SignInNeeded), 1);
}

#[test]
fn of_many_tabs_one_redirects_and_the_others_keep_what_they_have() {
    let world = framing();
    let mut tabs = vec![signed_in_with(&world, &redirecting())];
    for _ in 0..4 {
        let mut tab = world.tab_with(&redirecting()).unwrap();
        assert!(matches!(load(&mut tab, &format!("{ORIGIN}/")), Some(Ok(Finished::Restored { .. }))));
        tabs.push(tab);
    }
    world.later(Duration::from_secs(245));
    let left: Vec<usize> = (0..5).filter(|index| !tabs[*index].bar.went.borrow().is_empty()).collect();
    assert_eq!(left.len(), 1, "one redirect");
    let provider = world.provider.clone();
    let outcome = follow(&mut tabs[left[0]], move |url| provider.authorize_silently(url));
    assert!(matches!(outcome, Some(Ok(Finished::SignedIn { .. }))), "{outcome:?}");
    world.later(Duration::from_secs(60));
    assert!(tabs.iter().all(works), "what one tab came back with, all have");
    let others = || tabs.iter().enumerate().filter(|(index, _)| *index != left[0]).map(|(_, tab)| tab);
    assert!(others().all(|tab| tab.session().unwrap().renewed_by == Some(Rung::Tab) && tab.bar.went.borrow().is_empty()));
}

#[test]
fn a_page_that_is_not_left_after_all_goes_on_with_its_token() {
    // It cannot be left; the user comes back from the provider; the user wants to stay.
    let not_left: [fn(&Tab); 4] =
        [|tab| tab.world.disk.full.set(true), |tab| tab.bar.framed.set(FramedBy::AnotherOrigin), |tab| tab.world.time.pass(0), |_| ()];
    for (way, prevent) in not_left.into_iter().enumerate() {
        let world = framing();
        let tab = signed_in_with(&world, &redirecting());
        prevent(&tab);
        let session = tab.session();
        let waiting = tab.client.renew();
        let outcome = Rc::new(RefCell::new(None));
        let sink = outcome.clone();
        world.device.spawn(&tab.process, Box::pin(async move { *sink.borrow_mut() = Some(waiting.await) }));
        world.later(Duration::from_secs(1));
        if way == 2 {
            tab.bar.come_back();
        }
        world.later(Duration::from_secs(30));
        let went = usize::from(way >= 2);
        assert_eq!((tab.session(), works(&tab), tab.bar.went.borrow().len()), (session, true, went), "{way}");
        assert!(matches!(*outcome.borrow(), Some(Err(_))), "{way}: nobody waits for ever: {:?}", outcome.borrow());
        assert_eq!(told(&tab.news(), &Event::SignInNeeded), 1, "{way}");
        nothing_is_held(&world);
        world.later(Duration::from_secs(270));
        assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::SignedOut, went), "{way}");
    }
}

// if-leak
#[test]
fn a_thousand_silent_renewals_leave_nothing_behind() {
    let world = framing();
    let mut other = world.tab();
    let tab = signed_in(&world);
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    let mut renewals = 0;
    while renewals < 1_000 {
        world.later(Duration::from_secs(10_000));
        renewals += tab.news().iter().filter(|event| matches!(event, Event::Renewed { .. })).count();
        other.news();
        assert_eq!((world.frames.open.get(), world.channels.listeners()), (0, 2), "after {renewals} renewals");
        assert_eq!((world.locks.held(), world.locks.waiting()), (0, 0), "after {renewals} renewals");
        let (work, timers) = (world.device.load(), world.time.timers());
        assert!(work <= 8 && timers <= 8, "{work} pieces of work and {timers} timers after {renewals} renewals");
    }
    assert!(works(&tab) && works(&other));
    assert_eq!(opened(&world) + 1, world.count(Endpoint::Token), "a frame for each code, and no more");
}

struct Counted;

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

// if-leak
// Whoever waited for an answer stayed on a list of those to be woken at the end of the session.
#[test]
fn nobody_is_remembered_who_waits_no_more() {
    let world = framing();
    let tab = signed_in(&world);
    world.network.weather(|_| Weather { delay: 10, ..Weather::default() });
    let (counted, calls) = (Arc::new(Counted), 10);
    for _ in 0..calls {
        let waker = Waker::from(counted.clone());
        let mut call = Box::pin(tab.client.fetch(Request::get(format!("{API}me"))));
        let outcome = loop {
            match call.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending => world.later(Duration::from_millis(10)),
            }
        };
        assert_eq!(outcome.map(|response| response.status), Ok(200));
    }
    assert_eq!((Arc::strong_count(&counted), world.count(Endpoint::Api)), (1, calls));
}

// if-two
#[test]
fn two_at_once_share_a_frame() {
    let world = framing();
    let tab = signed_in(&world);
    world.frames.latency.set(500);
    let outcomes: Rc<RefCell<Vec<_>>> = Rc::default();
    for _ in 0..3 {
        let (renewing, sink) = (tab.client.renew(), outcomes.clone());
        world.device.spawn(
            &tab.process,
            Box::pin(async move {
                let outcome = renewing.await;
                sink.borrow_mut().push(outcome);
            }),
        );
        world.later(Duration::from_millis(100));
    }
    world.later(Duration::from_secs(1));
    let session = tab.session().unwrap();
    assert_eq!(session.renewed_by, Some(Rung::Frame));
    assert_eq!(*outcomes.borrow(), vec![Ok(session); 3]);
    assert_eq!((opened(&world), world.count(Endpoint::Token)), (1, 2));
    nothing_is_held(&world);
}

// if-two
#[test]
fn two_tabs_at_once_share_a_frame() {
    let world = framing();
    let tab = signed_in(&world);
    let mut other = world.tab();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    world.later(BREATH);
    world.frames.latency.set(500);
    for tab in [&tab, &other] {
        let renewing = tab.client.renew();
        world.device.spawn(&tab.process, Box::pin(async move { drop(renewing.await) }));
    }
    world.later(Duration::from_secs(3));
    assert_eq!((opened(&world), world.count(Endpoint::Token), works(&tab), works(&other)), (1, 2, true, true));
    assert_eq!(tab.session().unwrap().expires, other.session().unwrap().expires);
    nothing_is_held(&world);
}

// if-two
// A tab whose frame came too late was the only one to be signed out when the user signed in anew.
#[test]
fn a_frame_that_is_overtaken_by_the_users_own_sign_in_ends_nothing() {
    for moment in (0..1_200).step_by(50) {
        let world = framing();
        let tab = signed_in(&world);
        let mut other = world.tab();
        other.arrive(&format!("{ORIGIN}/")).unwrap();
        world.later(BREATH);
        world.frames.latency.set(500);
        world.network.weather(|_| Weather { delay: 50, ..Weather::default() });
        world.journal.latency.set(50);
        tab.news();
        let renewing = tab.client.renew();
        world.device.spawn(&tab.process, Box::pin(async move { drop(renewing.await) }));
        world.later(Duration::from_millis(moment));
        other.sign_in().unwrap();
        world.later(Duration::from_secs(5));
        let news = tab.news();
        assert!(!news.iter().any(|event| matches!(event, Event::Ended(_) | Event::SignInNeeded)), "after {moment} ms: {news:?}");
        assert!(works(&tab) && works(&other), "after {moment} ms");
        nothing_is_held(&world);
    }
}

// if-late
#[test]
fn a_page_that_stood_still_until_the_answer_was_too_old_asks_again() {
    let world = framing();
    let tab = signed_in(&world);
    world.frames.latency.set(500);
    let renewing = tab.client.renew();
    world.device.spawn(&tab.process, Box::pin(async move { drop(renewing.await) }));
    world.later(Duration::from_millis(400));
    assert_eq!(opened(&world), 1);
    tab.process.frozen.set(true);
    world.later(Duration::from_secs(3_600));
    tab.process.frozen.set(false);
    tab.bar.wake(Woken::Visible);
    world.later(Duration::from_secs(10));
    assert!(opened(&world) == 2 && works(&tab), "{:?}", tab.events.borrow());
    nothing_is_held(&world);
}

// if-user
#[test]
fn an_answer_about_another_user_ends_the_session_and_is_not_used() {
    let world = framing();
    let tab = signed_in(&world);
    let mut other = world.tab();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    world.later(BREATH);
    world.provider.user("bob");
    for tab in [&tab, &other] {
        tab.news();
        assert_eq!(run(tab.client.renew()), Err(Interrupted::SignInNeeded.into()));
    }
    world.later(Duration::from_secs(600));
    for tab in [&tab, &other] {
        let news = tab.news();
        assert_eq!((tab.state(), told(&news, &Event::Ended(Ended::UserChanged))), (State::SignedOut, 1), "{news:?}");
        assert!(!news.iter().any(|event| matches!(event, Event::Renewed { .. } | Event::SignedIn)), "{news:?}");
        assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
        assert_eq!(tab.bar.went.borrow().len(), 0);
    }
    assert_eq!(world.count(Endpoint::Api), 0, "nobody's token is used");
    nothing_is_held(&world);
}

// if-offline
#[test]
fn nothing_is_asked_while_there_is_no_network() {
    for failure in [HttpFailure::Offline, HttpFailure::Unreachable, HttpFailure::TimedOut] {
        let world = framing();
        let tab = signed_in(&world);
        world.network.fails_with(failure);
        assert_eq!(run(tab.client.renew()), Err(failure.of(Source::Authorization)));
        // Far beyond the end of the token.
        world.later(Duration::from_secs(1_800));
        assert!(tab.session().is_some() && opened(&world) == 0, "{failure:?}");
        assert!(tab.fetch(&format!("{API}me")).is_err_and(|error| error == failure.of(Source::Authorization)));
        let news = tab.news();
        assert_eq!(told(&news, &Event::SignInNeeded), 0, "{news:?}");
        assert!(news.iter().all(|event| matches!(event, Event::RenewalFailed { by: Rung::Frame, pause: Some(_), .. })), "{news:?}");

        world.network.calm();
        world.later(BREATH);
        tab.bar.wake(Woken::Online);
        world.later(Duration::from_secs(1));
        assert_eq!((told(&tab.news(), &Event::Renewed { by: Rung::Frame }), opened(&world), works(&tab)), (1, 1, true), "{failure:?}");
    }
}

// if-offline
// A frame without a network does not answer either: that said nothing about frames, but was remembered as if it did.
#[test]
fn a_network_that_goes_while_the_frame_is_open_is_waited_for() {
    for answer_lost in [false, true] {
        let world = framing();
        let tab = signed_in(&world);
        let (network, provider) = (Rc::downgrade(&world.network), world.provider.clone());
        world.frame(move |url| {
            network.upgrade().unwrap().weather(move |sent| {
                let redeems = sent.to == Some(Endpoint::Token);
                Weather { lost: Some(HttpFailure::Offline).filter(|_| !(answer_lost && redeems)), answer_lost, ..Weather::default() }
            });
            // Either what the browser shows without a network, or the answer in the last moment.
            vec![if answer_lost { answered(provider.authorize_silently(url)) } else { FrameEvent::Loaded }]
        });
        let error = run(tab.client.renew()).unwrap_err();
        assert_eq!(error.kind(), tokenkeep::Kind::Interrupted);
        let news = tab.news();
        assert_eq!((told(&news, &Event::SignInNeeded), noted(&world, "frame_closed")), (0, None), "{news:?}");
        let paused = |event: &Event| matches!(event, Event::RenewalFailed { by: Rung::Frame, pause: Some(_), .. });
        assert!(news.iter().any(paused), "{news:?}");
        nothing_is_held(&world);
        world.later(Duration::from_secs(600));
        assert!(tab.session().is_some());

        world.network.calm();
        world.frames_work();
        world.later(Duration::from_secs(600));
        assert!(works(&tab) && tab.was_told(&Event::Renewed { by: Rung::Frame }));
        let sent = world.requests();
        let mut codes: Vec<_> = sent.iter().filter_map(|sent| sent.field("code")).collect();
        let all = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), all, "no code is sent twice");
    }
}

// if-csp
#[test]
fn a_policy_that_forbids_the_frame_is_named() {
    let world = framing();
    let mut tab = signed_in(&world);
    let (session, stored, start) = (tab.session(), world.stored(), world.time.now.get());
    world.frame(|_| vec![FrameEvent::Blocked]);
    let error = Error::from(Misconfigured::FrameBlocked);
    assert_eq!((run(tab.client.renew()), error.code()), (Err(error.clone()), "frame_blocked"));
    assert_eq!(Duration::from_millis(world.time.now.get() - start), OFFER_PATIENCE, "at once");
    kept(&tab, &session, &error);
    assert_eq!(world.stored(), stored, "the next page may have another policy");
    world.frames_work();
    assert!(matches!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })));
}

// if-late
#[test]
fn an_answer_after_the_deadline_is_ignored() {
    let world = framing();
    let mut tab = signed_in(&world);
    let session = tab.session();
    let late = Rc::new(RefCell::new(String::new()));
    let (provider, answer) = (world.provider.clone(), late.clone());
    world.frame(move |url| {
        *answer.borrow_mut() = provider.authorize_silently(url);
        vec![answered(answer.borrow().clone())]
    });
    world.frames.latency.set(FRAME_DEADLINE.as_millis() as u64 + 1);
    let error = Error::from(Interrupted::FrameTimedOut);
    assert_eq!(run(tab.client.renew()), Err(error.clone()));
    world.later(Duration::from_secs(5));
    kept(&tab, &session, &error);

    // Neither does it answer another request, in a frame or in the address.
    world.frames.latency.set(0);
    world.later(FRAME_CLOSED_FOR + Duration::from_secs(3_600));
    let first = late.borrow().clone();
    assert_eq!(tab.arrive(&first), Err(Misbehaved::StateUnknown.into()));
    tab.sign_in().unwrap();
    world.later(BREATH);
    let (provider, old) = (world.provider.clone(), first.clone());
    world.frame(move |url| vec![answered(old.clone()), answered(provider.authorize_silently(url))]);
    assert_eq!(run(tab.client.renew()).map(|session| session.renewed_by), Ok(Some(Rung::Frame)));
    let code = Url::parse(&first).unwrap().query_pairs().next().unwrap().1.into_owned();
    assert!(!world.requests().iter().any(|sent| sent.body.contains(&code)));
}

/// The page at an address, in a frame.
fn framed_page(world: &World, address: &str, framed: FramedBy) -> (Client, Rc<Bar>) {
    let bar = Rc::new(Bar::default());
    *bar.address.borrow_mut() = address.to_owned();
    bar.framed.set(framed);
    (Client::open(&World::config(), world.ports(), bar.clone()).unwrap(), bar)
}

/// An answer that waits at the provider, to a request that was made elsewhere than in this browser's store.
fn stray(world: &World) -> String {
    let elsewhere = World::seeded(9);
    let url = elsewhere.tab().leave(SignIn::default()).unwrap();
    world.provider.authorize(&url)
}

// if-targetstar, if-parentforeign
#[test]
fn the_callback_page_in_a_frame_tells_its_own_origin_and_does_nothing_else() {
    for (framed, tells) in [(FramedBy::ThisOrigin, true), (FramedBy::AnotherOrigin, false), (FramedBy::Nobody, false)] {
        let world = World::new();
        let address = stray(&world);
        let (client, bar) = framed_page(&world, &address, framed);
        let events = Rc::new(RefCell::new(Vec::new()));
        let sink = events.clone();
        let _listening = client.on_event(move |event| sink.borrow_mut().push(event.clone()));
        let outcome = Rc::new(RefCell::new(None));
        let (finishing, sink) = (client.finish_sign_in(), outcome.clone());
        assert_eq!(*bar.told.borrow(), if tells { vec![address.clone()] } else { vec![] }, "{framed:?}");
        let process = world.device.process();
        world.device.spawn(&process, Box::pin(async move { *sink.borrow_mut() = Some(finishing.await) }));
        world.later(Duration::from_secs(3_600));
        assert_eq!(world.requests().len(), 0, "{framed:?}");
        assert_eq!((bar.went.borrow().len(), bar.told.borrow().len()), (0, usize::from(tells)), "{framed:?}");
        let expected = match framed {
            // The app does not go on there.
            FramedBy::ThisOrigin => None,
            FramedBy::AnotherOrigin => Some(Err(Misconfigured::Framed.into())),
            FramedBy::Nobody => Some(Err(Misbehaved::StateUnknown.into())),
        };
        assert_eq!(*outcome.borrow(), expected, "{framed:?}");
        let expected = if tells { State::Unknown } else { State::Failed(expected.unwrap().unwrap_err()) };
        assert_eq!((client.state(), events.borrow().is_empty()), (expected, tells), "{framed:?}");
        assert!(world.stored().is_empty(), "{framed:?}");
    }
}

// if-parentforeign
#[test]
fn somebody_elses_page_cannot_use_up_a_response() {
    let world = World::new();
    let mut tab = world.tab();
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    let stored = world.stored();
    let (client, bar) = framed_page(&world, &callback, FramedBy::AnotherOrigin);
    assert_eq!(run(client.finish_sign_in()), Err(Misconfigured::Framed.into()));
    assert_eq!((bar.told.borrow().len(), world.count(Endpoint::Token), world.stored()), (0, 0, stored));
    assert_eq!(*bar.address.borrow(), format!("{ORIGIN}/callback"), "the response does not stay in the address");
    assert!(matches!(tab.arrive(&callback), Ok(Finished::SignedIn { .. })));
}

// if-parentforeign
// Such a page heard from other tabs that somebody is signed in, and was so too.
#[test]
fn somebody_elses_page_is_not_shown_who_is_signed_in() {
    let world = framing();
    let (client, _bar) = framed_page(&world, &format!("{ORIGIN}/"), FramedBy::AnotherOrigin);
    let tab = signed_in(&world);
    assert_eq!(run(client.finish_sign_in()), Ok(Finished::Nothing));
    run(tab.client.renew()).unwrap();
    world.later(Duration::from_secs(600));
    assert_eq!(client.state(), State::SignedOut);
    assert_eq!(run(client.fetch(Request::get(format!("{API}me")))), Err(Interrupted::SignInNeeded.into()));
    assert!(works(&tab));
}

// if-targetstar
#[test]
fn a_frame_and_the_page_in_it_understand_each_other() {
    let world = framing();
    let tab = signed_in(&world);
    let (inside, told) = (world.clone(), Rc::new(Cell::new(0)));
    let count = told.clone();
    world.frame(move |url| {
        let (page, bar) = framed_page(&inside, &inside.provider.authorize_silently(url), FramedBy::ThisOrigin);
        drop(page.finish_sign_in());
        count.set(count.get() + bar.told.borrow().len());
        [FrameEvent::Loaded].into_iter().chain(bar.told.take().into_iter().map(answered)).collect()
    });
    let outcome = run(tab.client.renew()).map(|session| session.renewed_by);
    world.frame(|_| vec![]);
    assert_eq!((outcome, told.get(), works(&tab)), (Ok(Some(Rung::Frame)), 1, true));
}

#[test]
fn a_session_without_refresh_tokens_lasts_as_long_as_the_frame_answers() {
    for count in [1, 5] {
        let world = framing();
        let mut tabs = vec![signed_in(&world)];
        for _ in 1..count {
            let mut tab = world.tab();
            let Ok(Finished::Restored { session }) = tab.arrive(&format!("{ORIGIN}/")) else { panic!("not restored") };
            assert_eq!(session.renewed_by, Some(Rung::Tab));
            tab.news();
            tabs.push(tab);
        }
        let start = world.time.now.get();
        while world.time.now.get() < start + 2 * 3_600_000 {
            world.later(Duration::from_secs(17));
            assert!(tabs.iter().all(works));
        }
        let news: Vec<_> = tabs.iter().map(Tab::news).collect();
        let by = |rung| news.iter().map(|news| told(news, &Event::Renewed { by: rung })).sum::<usize>();
        // Two hours of lifetimes that are renewed after 210 to 240 seconds.
        assert!((29..=35).contains(&opened(&world)), "{} frames", opened(&world));
        assert_eq!((by(Rung::Frame), by(Rung::Tab), by(Rung::RefreshToken)), (opened(&world), opened(&world) * (count - 1), 0));
        assert_eq!(world.count(Endpoint::Token), 1 + opened(&world), "one frame, and one code, for each lifetime");
        let other = |event: &&Event| !matches!(event, Event::ApiAnswered { status: 200, .. } | Event::Renewed { .. } | Event::CodeRedeemed);
        let other: Vec<_> = news.iter().flatten().filter(other).collect();
        assert!(
            other.iter().all(|event| matches!(event, Event::IdTokenVerified { .. } | Event::KeysRead | Event::MetadataRead)),
            "{other:?}"
        );
        nothing_is_held(&world);
    }
}

#[test]
fn a_page_that_is_loaded_again_finds_its_session_in_a_frame_when_there_is_no_other_tab() {
    let world = framing();
    let mut tab = signed_in(&world);
    for load in 1..=3 {
        let Ok(Finished::Restored { session }) = tab.arrive(&format!("{ORIGIN}/orders/{load}")) else { panic!("not restored") };
        assert_eq!((session.subject(), session.renewed_by), (Some("alice"), Some(Rung::Frame)));
        assert_eq!(tab.state(), State::SignedIn(session));
        assert_eq!((opened(&world), works(&tab), tab.address()), (load, true, format!("{ORIGIN}/orders/{load}")));
        let news = tab.news();
        assert_eq!((told(&news, &Event::Renewed { by: Rung::Frame }), told(&news, &Event::SignedIn)), (1, 1), "{news:?}");
        nothing_is_held(&world);
    }
    // Who was never signed in here is not looked for.
    let stranger = World::new();
    stranger.frames_work();
    assert_eq!(stranger.tab().arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
    assert_eq!((opened(&stranger), stranger.requests().len()), (0, 0));
}

#[test]
fn a_frame_carries_nothing_on_when_it_is_turned_off() {
    let world = framing();
    let mut tab = signed_in_with(&world, &World::config().renew_by_frame(false));
    assert_eq!(run(tab.client.renew()), Err(Interrupted::SignInNeeded.into()));
    assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
    assert_eq!(opened(&world), 0);
}
