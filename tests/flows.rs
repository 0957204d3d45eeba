//! What works, from end to end.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

use tokenkeep::{
    Error, Event, Finished, SignIn, SignOut, State,
    protocol::{Algorithm, Cache, Challenge, Interrupted, Misbehaved, Misconfigured, ResponseMode},
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, Key, ORIGIN, World, json_response, run},
};

#[test]
fn a_user_signs_in_and_calls_an_api() {
    let world = World::new();
    let mut tab = world.tab();
    let session = tab.sign_in().unwrap();
    assert_eq!(session.subject(), Some("alice"));
    assert_eq!(session.claims.as_ref().unwrap().display_name(), "Alice Archer");
    assert_eq!(tab.state(), State::SignedIn(session));
    assert_eq!(tab.address(), format!("{ORIGIN}/callback"));
    assert_eq!(tab.fetch(&format!("{API}me?x=1")).unwrap().status, 200);
    let happened = tab.events.borrow().clone();
    assert_eq!(
        happened,
        [
            Event::CallbackReceived,
            Event::MetadataRead,
            Event::CodeRedeemed,
            Event::KeysRead,
            Event::IdTokenVerified { algorithm: Algorithm::Es256 },
            Event::SignedIn,
            Event::ApiAnswered { url: format!("{API}me"), status: 200 },
        ]
    );
}

#[test]
fn from_click_to_answer_nothing_is_asked_that_need_not_be() {
    let world = World::new();
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    tab.fetch(&format!("{API}me")).unwrap();
    let asked: Vec<_> = world.requests().iter().map(|sent| (sent.to.unwrap(), sent.cache)).collect();
    // The metadata is asked for once on each of the two pages; the browser's HTTP cache may answer the second time.
    assert_eq!(
        asked,
        [
            (Endpoint::Metadata, Cache::Default),
            (Endpoint::Metadata, Cache::Default),
            (Endpoint::Token, Cache::NoStore),
            (Endpoint::Keys, Cache::Default),
            (Endpoint::Api, Cache::Default),
        ]
    );
}

#[test]
fn a_user_comes_back_to_the_deep_link() {
    let world = World::new();
    let mut tab = world.tab_at(&World::config(), &format!("{ORIGIN}/orders/7?sort=date#top")).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    let callback = world.provider.authorize(&url);
    let Ok(Finished::SignedIn { return_to, .. }) = tab.arrive(&callback) else { panic!("not signed in") };
    assert_eq!(return_to, "/orders/7?sort=date#top");
}

#[test]
fn every_algorithm_that_is_accepted_verifies() {
    for algorithm in Algorithm::ALL {
        let world = World::new();
        world.provider.sign_with(Key::new(algorithm, "key-1"));
        let mut tab = world.tab();
        assert_eq!(tab.sign_in().map(|session| session.subject().map(str::to_owned)), Ok(Some("alice".into())), "{algorithm:?}");
    }
}

#[test]
fn a_response_may_come_in_the_fragment_when_asked_for() {
    let world = World::new();
    let mut tab = world.tab_with(&World::config().response_mode(ResponseMode::Fragment)).unwrap();
    assert!(tab.sign_in().is_ok());
    assert_eq!(tab.address(), format!("{ORIGIN}/callback"));
}

#[test]
fn another_tab_may_finish_what_one_began() {
    let world = World::new();
    let tab = world.tab();
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    let mut other = world.tab();
    assert!(matches!(other.arrive(&callback), Ok(Finished::SignedIn { .. })));
    assert_eq!(world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Token)).count(), 1);
    assert_eq!(world.requests()[2].field("client_id").as_deref(), Some(CLIENT));
}

#[test]
fn a_sign_in_that_failed_leads_to_the_same_place_when_tried_again() {
    let world = World::new();
    let mut tab = world.tab_at(&World::config(), &format!("{ORIGIN}/orders/7?sort=date")).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    world.provider.callback(|parameters| parameters[0] = ("error".into(), "access_denied".into()));
    assert!(tab.arrive(&world.provider.authorize(&url)).is_err());
    world.provider.callback(|_| ());
    let url = tab.leave(SignIn::default()).unwrap();
    let Ok(Finished::SignedIn { return_to, .. }) = tab.arrive(&world.provider.authorize(&url)) else { panic!("not signed in") };
    assert_eq!(return_to, "/orders/7?sort=date");
}

#[test]
fn an_api_that_refuses_the_token_is_heard() {
    let world = World::new();
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    world.provider.answer(Endpoint::Api, |sent, mut response| {
        response.status = if sent.url.ends_with("orders") { 403 } else { 401 };
        let challenge = if response.status == 403 { r#"insufficient_scope", scope="orders:read"# } else { "invalid_token" };
        response.headers.push(("www-authenticate".into(), format!(r#"Bearer error="{challenge}""#)));
        Ok(response)
    });
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().challenge(), Some(Challenge::InvalidToken));
    let scope = Some("orders:read".to_owned());
    assert_eq!(tab.fetch(&format!("{API}orders")).unwrap().challenge(), Some(Challenge::InsufficientScope { scope }));
    assert!(tab.session().is_some());
}

#[test]
fn leaving_is_told_and_coming_back_too() {
    let world = World::new();
    let tab = world.tab();
    let told: Rc<RefCell<Vec<bool>>> = Rc::default();
    let sink = told.clone();
    let _listening = tab.client.on_leaving(move |leaving| sink.borrow_mut().push(*leaving));
    tab.leave(SignIn::default()).unwrap();
    tab.bar.come_back();
    world.disk.blocked.set(true);
    assert!(tab.leave(SignIn::default()).is_err());
    assert_eq!(*told.borrow(), [true, false, true, false]);
}

#[test]
fn a_sign_in_that_was_given_up_is_not_continued() {
    let world = World::new();
    let tab = world.tab();
    drop(tab.client.sign_in(SignIn::default().login_hint("bob")));
    let url = tab.leave(SignIn::default().login_hint("alice")).unwrap();
    assert!(url.contains("login_hint=alice"), "{url}");
    assert_eq!(tab.bar.went.borrow().len(), 1);
}

#[test]
fn a_reading_that_failed_does_not_end_the_next_one() {
    let world = World::new();
    let tab = world.tab();
    world.network.latency.set(1_000);
    let mut context = Context::from_waker(Waker::noop());
    let ask = || Box::pin(tab.client.user_info());
    let (mut first, mut second) = (ask(), ask());

    world.provider.always(Endpoint::Metadata, json_response(404, &serde_json::json!({})));
    assert!(first.as_mut().poll(&mut context).is_pending() && second.as_mut().poll(&mut context).is_pending());
    let missing = Err(Misbehaved::MetadataMissing { status: 404 }.into());
    assert_eq!(run(first), missing);
    world.provider.recover(Endpoint::Metadata);
    let mut third = ask();
    assert!(third.as_mut().poll(&mut context).is_pending());
    // Whoever hears of the old failure only now leaves the reading that is under way alone.
    assert_eq!(run(second), missing);
    let nobody = Err(Interrupted::SignInNeeded.into());
    assert_eq!((run(ask()), run(third)), (nobody.clone(), nobody));
    assert_eq!(world.count(Endpoint::Metadata), 2);
}

#[test]
fn an_access_token_is_shown_to_an_app_that_said_so() {
    let world = World::new();
    let shown = |config| {
        let mut tab = world.tab_with(&config).unwrap();
        let nobody = run(tab.client.access_token(&format!("{API}me")));
        tab.sign_in().unwrap();
        (nobody.map(drop), run(tab.client.access_token(&format!("{API}me"))).map(|token| token.expose().clone()), tab)
    };
    let kept: Result<String, Error> = Err(Misconfigured::TokenIsKept.into());
    let (nobody, token, _) = shown(World::config());
    assert_eq!((nobody, token), (kept.clone().map(drop), kept.clone()));
    // One that is bound to a key is of no use without it.
    let bound = run(world.tab_with(&World::config().dangerous_expose_access_token().dpop(true)).unwrap().client.access_token(API));
    assert_eq!(bound.map(|token| token.expose().clone()), kept);

    let (nobody, token, tab) = shown(World::config().dangerous_expose_access_token());
    assert_eq!(nobody, Err(Interrupted::SignInNeeded.into()));
    tab.fetch(&format!("{API}me")).unwrap();
    let sent = world.requests().iter().rev().find_map(|sent| sent.header("authorization").map(str::to_owned));
    assert_eq!(sent, Some(format!("Bearer {}", token.unwrap())));
    // Only where it may go, and only what is good: it is renewed first.
    let elsewhere = run(tab.client.access_token("https://elsewhere.example/"));
    assert_eq!(elsewhere.map(drop), Err(Misconfigured::DestinationNotAllowed.into()));
    let refreshes = world.count(Endpoint::Token);
    world.later(Duration::from_secs(3600));
    assert!(run(tab.client.access_token("/me")).is_err());
    assert!(run(tab.client.access_token(&format!("{API}me"))).is_ok());
    assert!(world.count(Endpoint::Token) > refreshes);
    run(tab.client.sign_out(SignOut::Local)).unwrap();
    assert_eq!(run(tab.client.access_token(&format!("{API}me"))).map(drop), Err(Interrupted::SignInNeeded.into()));
}
