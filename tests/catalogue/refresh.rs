//! Refresh tokens: what may come back for one, what must never be sent twice, and which API gets which access token.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use futures::future::{join, join_all};
use serde_json::{Value, json};
use tokenkeep::{
    Access, Config, Error, Event, Finished, Request, Session, SignOut, State,
    keep::ports::HttpFailure,
    protocol::{Algorithm, Cache, Interrupted, Misbehaved, Misconfigured, Response, Source, UnixTime, Unreadable},
    session::{BREATH, Ended, LONGEST_RETRY_AFTER, Rung},
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Key, START, Sent, Tab, Weather, World, json_response, run},
};

/// With the refresh token, and other tabs: no frame.
fn config() -> Config {
    World::config().renew_by_frame(false)
}

fn me() -> String {
    format!("{API}me")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Somebody is signed in, and the token is not of this very moment any more.
fn signed_in(config: &Config) -> (World, Tab, Session) {
    let world = World::new();
    let (tab, session) = signed_in_at(&world, config);
    (world, tab, session)
}

fn signed_in_at(world: &World, config: &Config) -> (Tab, Session) {
    let mut tab = world.tab_with(config).unwrap();
    let session = tab.sign_in().unwrap();
    world.later(seconds(10));
    (tab, session)
}

/// No timer goes off between two milliseconds.
fn whole(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_micros().div_ceil(1000)).unwrap())
}

fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
    Response { status, headers: vec![("content-type".into(), content_type.into())], body: body.into() }
}

fn is_refresh(sent: &Sent) -> bool {
    sent.to == Some(Endpoint::Token) && sent.field("grant_type").as_deref() == Some("refresh_token")
}

/// The refresh tokens that were presented, in order.
fn presented(world: &World) -> Vec<String> {
    world.requests().iter().filter(|sent| is_refresh(sent)).map(|sent| sent.field("refresh_token").unwrap()).collect()
}

/// The tokens that went to an API, in order.
fn used(world: &World) -> Vec<String> {
    let requests = world.requests();
    let sent = requests.iter().filter(|sent| sent.to == Some(Endpoint::Api)).map(|sent| sent.header("authorization").unwrap());
    sent.map(|value| value.strip_prefix("Bearer ").unwrap().to_owned()).collect()
}

fn times_told(tab: &Tab, event: &Event) -> usize {
    tab.events.borrow().iter().filter(|told| *told == event).count()
}

/// Nothing that anybody could read or that outlives the page holds a token.
fn nothing_is_shown(tab: &Tab) {
    let world = &tab.world;
    let shown = format!("{} {:?} {:?}", tab.visible(), world.journal.records.borrow(), world.channels.log.borrow());
    let secrets = world.secrets();
    assert!(secrets.iter().any(|secret| secret.starts_with("refresh-token-")), "{secrets:?}");
    let seen: Vec<_> = secrets.iter().filter(|secret| shown.contains(secret.as_str())).collect();
    assert!(seen.is_empty(), "{seen:?} in {shown}");
}

/// What the token endpoint answers to a refresh token.
type Answer = Rc<dyn Fn(&World, &Sent, Response) -> Result<Response, HttpFailure>>;

fn always(response: Response) -> Answer {
    Rc::new(move |_, _, _| Ok(response.clone()))
}

fn fails(failure: HttpFailure) -> Answer {
    Rc::new(move |_, _, _| Err(failure))
}

/// The right answer with this member; `null` takes it away.
fn with(member: &'static str, value: Value) -> Answer {
    Rc::new(move |_, _, right| {
        let mut body: Value = serde_json::from_slice(&right.body).unwrap();
        match &value {
            Value::Null => {
                body.as_object_mut().unwrap().remove(member);
            }
            value => body[member] = value.clone(),
        }
        Ok(json_response(200, &body))
    })
}

/// The right answer with an ID token that says this.
fn with_claims(change: impl Fn(&mut Value) + 'static) -> Answer {
    Rc::new(move |world, _, right| {
        let now = world.time.now.get() / 1000;
        let mut claims = json!({"iss": ISSUER, "sub": "alice", "aud": CLIENT, "exp": now + 600, "iat": now, "name": "Alice B. Archer"});
        change(&mut claims);
        let mut body: Value = serde_json::from_slice(&right.body).unwrap();
        body["id_token"] = json!(world.provider.sign(&claims));
        Ok(json_response(200, &body))
    })
}

fn misbehave(world: &World, answer: &Answer) {
    let (outside, answer) = (world.clone(), answer.clone());
    world.provider.answer(Endpoint::Token, move |sent, right| answer(&outside, sent, right));
}

/// KEEP, and the refresh token with it: nobody took it, so the same one is presented again after a pause.
#[track_caller]
fn kept(answer: &Answer) -> Error {
    let (world, tab, session) = signed_in(&config());
    world.provider.rotates(false);
    misbehave(&world, answer);
    tab.news();
    let error = run(tab.client.renew()).unwrap_err();
    assert_eq!(tab.state(), State::SignedIn(session.clone()));
    assert_eq!(tab.fetch(&me()).unwrap().status, 200, "the token of then is good");
    let news = tab.news();
    let [Event::RenewalFailed { by: Rung::RefreshToken, error: Some(told), pause: Some(pause) }, Event::ApiAnswered { .. }] = &news[..]
    else {
        panic!("{news:?}")
    };
    assert_eq!(told, &error);

    // As soon as it works again.
    world.provider.rotates(true);
    world.provider.recover(Endpoint::Token);
    world.later(whole(*pause));
    let Some(renewed) = tab.session() else { panic!("{:?}", tab.state()) };
    assert_eq!((renewed.renewed_by, renewed.claims), (Some(Rung::RefreshToken), session.claims));
    assert_eq!(tab.fetch(&me()).unwrap().status, 200);
    let presented = presented(&world);
    assert!(matches!(&presented[..], [one, two] if one == two), "{presented:?}");
    goes_on(&tab);
    error
}

/// KEEP, but what became of the refresh token is not known, or what came for it is wrong: it is never presented again, whatever else
/// there is.
#[track_caller]
fn spent(answer: &Answer) -> Error {
    let error = spent_without_frame(answer, &World::new());
    // A tab that shares its session with nobody has no journal to remind it.
    let alone = World::new();
    alone.journal.blocked.set(true);
    assert_eq!(spent_without_frame(answer, &alone), error);
    spent_with_frame(answer);
    error
}

#[track_caller]
fn spent_without_frame(answer: &Answer, world: &World) -> Error {
    let (tab, session) = signed_in_at(world, &three_apis());
    let first = world.provider.issued();
    misbehave(world, answer);
    let error = run(tab.client.renew()).unwrap_err();
    assert_eq!(tab.state(), State::SignedIn(session), "the session is what it was");
    assert!(tab.was_told(&Event::RenewalFailed { by: Rung::RefreshToken, error: Some(error.clone()), pause: None }));
    assert_eq!((times_told(&tab, &Event::SignInNeeded), tab.fetch(&me()).unwrap().status), (1, 200));
    // Asking again changes nothing, nor does a provider that behaves again, nor the network's return.
    world.provider.recover(Endpoint::Token);
    assert_eq!(run(tab.client.renew()), Err(error.clone()));
    assert!(tab.fetch(&format!("{BILLING}1")).is_err(), "nor does another wish");
    tab.bar.come_back();
    world.later(seconds(280));
    assert_eq!(tab.fetch(&me()).unwrap().status, 200, "until the token ends");
    world.later(seconds(60 * 60));
    assert_eq!((tab.state(), times_told(&tab, &Event::Ended(Ended::Expired))), (State::SignedOut, 1));
    assert_eq!((presented(world).len(), used(world)), (1, vec![first[0].clone(); 2]), "nothing that came for it was used");
    assert_eq!(world.count(Endpoint::UserInfo), 0);
    nothing_elsewhere(&tab);
    assert!(matches!(tab.client.state(), State::SignedOut) && tab.bar.went.borrow().is_empty(), "nobody is sent away");
    error
}

#[track_caller]
fn spent_with_frame(answer: &Answer) {
    let world = World::new();
    world.frames_work();
    let (tab, session) = signed_in_at(&world, &World::config());
    let right = answer.clone();
    // The code is redeemed as ever.
    let only: Answer = Rc::new(move |world, sent, response| if is_refresh(sent) { right(world, sent, response) } else { Ok(response) });
    misbehave(&world, &only);
    let renewed = run(tab.client.renew()).unwrap();
    assert_eq!((renewed.renewed_by, renewed.subject()), (Some(Rung::Frame), session.subject()));
    assert_eq!((tab.state(), tab.fetch(&me()).unwrap().status), (State::SignedIn(renewed), 200));
    world.provider.recover(Endpoint::Token);
    goes_on(&tab);
    nothing_elsewhere(&tab);
}

/// The session lasts an hour more, by refresh tokens that are presented once each.
#[track_caller]
fn goes_on(tab: &Tab) {
    let world = &tab.world;
    let before = presented(world).len();
    world.later(seconds(60 * 60));
    assert_eq!(tab.fetch(&me()).unwrap().status, 200);
    let mut since = presented(world).split_off(before.saturating_sub(1));
    assert!((11..=18).contains(&since.len()), "{since:?}");
    since.sort();
    since.dedup();
    assert!(since.len() >= 11, "{since:?}");
    assert!(world.provider.reused().is_empty(), "none was presented after it had been rotated");
}

#[track_caller]
fn nothing_elsewhere(tab: &Tab) {
    assert!(tab.world.requests().iter().all(|sent| sent.to.is_some()), "{:#?}", tab.world.requests());
    nothing_is_shown(tab);
}

/// END.
#[track_caller]
fn ended(answer: &Answer, reason: Ended) {
    let world = World::new();
    world.frames_work();
    let (tab, _) = signed_in_at(&world, &World::config());
    misbehave(&world, answer);
    assert_eq!(run(tab.client.renew()), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((tab.state(), times_told(&tab, &Event::Ended(reason))), (State::SignedOut, 1));
    assert_eq!(tab.fetch(&me()), Err(Interrupted::SignInNeeded.into()));
    // Once, and nothing is tried: no frame, no redirect, no other tab, now or later.
    world.later(seconds(60 * 60));
    tab.bar.come_back();
    world.later(seconds(60 * 60));
    assert_eq!((presented(&world).len(), world.count(Endpoint::Api), world.count(Endpoint::UserInfo)), (1, 0, 0));
    assert_eq!((times_told(&tab, &Event::Ended(reason)), world.frames.opened.borrow().len(), tab.bar.went.borrow().len()), (1, 0, 0));
    assert_eq!((world.time.timers(), world.locks.held(), world.locks.waiting()), (0, 0, 0));
    nothing_elsewhere(&tab);
    // Who signs in again begins anew.
    world.provider.recover(Endpoint::Token);
    world.provider.user("bob");
    let mut tab = tab;
    assert_eq!(tab.sign_in().unwrap().subject(), Some("bob"));
    goes_on(&tab);
}

fn unreadable(why: Unreadable) -> Error {
    Misbehaved::BadResponse { from: Source::Token, why }.into()
}

fn code_of(error: &Error) -> &str {
    let Error::Provider(error) = error else { panic!("{error:?} is none of the provider") };
    error.error()
}

#[test]
fn a_session_is_renewed_before_its_token_ends() {
    let (world, tab, session) = signed_in(&config());
    tab.news();
    world.later(seconds(199));
    assert_eq!((presented(&world).len(), tab.session()), (0, Some(session.clone())));
    world.later(seconds(31));
    let renewed = tab.session().unwrap();
    assert_eq!((renewed.renewed_by, &renewed.claims, &renewed.scope), (Some(Rung::RefreshToken), &session.claims, &session.scope));
    assert!(renewed.expires > session.expires);
    assert_eq!(tab.news(), [Event::Renewed { by: Rung::RefreshToken }]);
    assert_eq!(tab.fetch(&me()).unwrap().status, 200);
    assert_eq!(used(&world), world.provider.issued()[1..]);
    goes_on(&tab);
    nothing_elsewhere(&tab);
}

#[test]
fn a_refresh_request_says_what_it_must_and_no_more() {
    let (world, tab, _) = signed_in(&config());
    run(tab.client.renew()).unwrap();
    let sent = world.requests().pop().unwrap();
    let mut headers = sent.headers.clone();
    headers.sort();
    let expected = [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let fields: Vec<_> = url::form_urlencoded::parse(sent.body.as_bytes()).into_owned().collect();
    let expected = [("grant_type", "refresh_token"), ("refresh_token", "refresh-token-2"), ("client_id", CLIENT)];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((sent.url.as_str(), sent.method.as_str(), sent.cache), ("https://as.example/token", "POST", Cache::NoStore));
    // Whether anybody is there was found out before, without the token.
    assert_eq!(*world.network.reached.borrow(), ["https://as.example/.well-known/openid-configuration"]);
}

// tok-html
#[test]
fn a_page_in_place_of_an_answer_costs_no_session() {
    for content_type in ["text/html", "Text/HTML; charset=utf-8"] {
        let portal = always(answer(200, content_type, "<html>Please sign in to this Wi-Fi</html>"));
        assert_eq!(kept(&portal), unreadable(Unreadable::ContentType));
    }
}

// tok-ct, tok-empty, tok-rttype
#[test]
fn an_answer_that_cannot_be_read_may_have_cost_the_refresh_token() {
    let whole = r#"{"access_token":"access-token-x","token_type":"Bearer","refresh_token":"refresh-token-x"}"#;
    for (response, why) in [
        (answer(200, "text/plain", whole), Unreadable::ContentType),
        (Response { status: 200, headers: Vec::new(), body: whole.into() }, Unreadable::ContentType),
        (answer(200, "application/json", ""), Unreadable::NotJson),
        (answer(200, "application/json", "null"), Unreadable::NotAnObject),
        (answer(200, "application/json", "[]"), Unreadable::NotAnObject),
        (answer(200, "application/json", &whole[..40]), Unreadable::NotJson),
        (answer(200, "application/json", " ".repeat(3_000_000)), Unreadable::TooLarge),
        (answer(200, "application/json", format!("{{\"access_token\":{}", "[".repeat(100_000))), Unreadable::TooDeep),
    ] {
        assert_eq!(spent(&always(response)), unreadable(why));
    }
    for status in [201, 202, 203, 204, 206] {
        let expected = Misbehaved::UnexpectedStatus { from: Source::Token, status };
        assert_eq!(spent(&always(answer(status, "application/json", whole))), expected.into());
    }
    for (member, values) in [
        ("access_token", vec![Value::Null, json!(""), json!(5), json!("two words")]),
        ("token_type", vec![Value::Null, json!(5)]),
        ("refresh_token", vec![json!(5), json!(""), json!(["refresh-token-x"]), json!("line\nbreak")]),
        ("expires_in", vec![json!(-1), json!("soon")]),
        ("scope", vec![json!(["a"])]),
        ("id_token", vec![json!(5)]),
    ] {
        for value in values {
            assert_eq!(spent(&with(member, value.clone())), unreadable(Unreadable::Member(member)), "{member}: {value}");
        }
    }
    assert_eq!(spent(&with("token_type", json!("DPoP"))), Misbehaved::TokenTypeUnknown.into());
}

// tok-200err
#[test]
fn an_error_that_comes_as_a_success_ends_no_session() {
    let beside = with("error", json!("invalid_grant"));
    let alone = always(json_response(200, &json!({"error": "invalid_grant"})));
    for answer in [beside, alone] {
        let error = refused(&answer);
        assert_eq!(code_of(&error), "invalid_grant");
    }
}

/// KEEP: the provider refuses what was asked, and says why. The next rung is climbed, and the refresh token is as good as before.
#[track_caller]
fn refused(answer: &Answer) -> Error {
    let error = refused_without_frame(answer);
    let world = World::new();
    world.frames_work();
    let (tab, _) = signed_in_at(&world, &World::config());
    let refuse = answer.clone();
    let only: Answer = Rc::new(move |world, sent, response| if is_refresh(sent) { refuse(world, sent, response) } else { Ok(response) });
    misbehave(&world, &only);
    assert_eq!(run(tab.client.renew()).unwrap().renewed_by, Some(Rung::Frame));
    world.provider.recover(Endpoint::Token);
    goes_on(&tab);
    error
}

#[track_caller]
fn refused_without_frame(answer: &Answer) -> Error {
    let (world, tab, session) = signed_in(&config());
    let first = world.provider.issued();
    misbehave(&world, answer);
    let error = run(tab.client.renew()).unwrap_err();
    assert_eq!(tab.state(), State::SignedIn(session));
    assert!(tab.was_told(&Event::RenewalFailed { by: Rung::RefreshToken, error: Some(error.clone()), pause: None }));
    assert_eq!((times_told(&tab, &Event::SignInNeeded), tab.fetch(&me()).unwrap().status), (1, 200));
    assert_eq!(used(&world), first);
    world.later(seconds(60 * 60));
    assert_eq!((tab.state(), times_told(&tab, &Event::Ended(Ended::Expired))), (State::SignedOut, 1), "only the token's own end is one");
    assert_eq!((presented(&world).len(), tab.bar.went.borrow().len()), (1, 0));
    error
}

#[test]
fn a_provider_that_refuses_the_client_ends_no_session() {
    for code in ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_request", "invalid_target", "x.vendor"] {
        assert_eq!(code_of(&refused(&always(json_response(400, &json!({"error": code}))))), code);
    }
    assert_eq!(code_of(&refused(&always(answer(401, "text/plain", "")))), "invalid_client");
    assert_eq!(code_of(&refused(&always(json_response(401, &json!({"error": "invalid_grant"}))))), "invalid_grant");
}

// tok-5xxref
#[test]
fn a_server_that_stumbles_is_left_alone_for_longer_and_longer() {
    for status in [429, 500, 503] {
        assert_eq!(kept(&always(answer(status, "text/html", "oops"))), Interrupted::Unavailable { from: Source::Token, status }.into());
    }
    for body in [json!({"error": "server_error"}), json!({"error": "invalid_grant"})] {
        assert_eq!(kept(&always(json_response(500, &body))), Interrupted::Unavailable { from: Source::Token, status: 500 }.into());
    }

    let (world, tab, session) = signed_in(&config());
    let first = world.provider.issued();
    let times: Rc<RefCell<Vec<u64>>> = Rc::default();
    let (noted, time) = (times.clone(), world.time.clone());
    world.provider.rotates(false);
    world.provider.answer(Endpoint::Token, move |_, _| {
        noted.borrow_mut().push(time.now.get());
        Ok(answer(503, "text/html", "oops"))
    });
    world.later(seconds(280));
    assert_eq!((tab.state(), tab.fetch(&me()).unwrap().status), (State::SignedIn(session.clone()), 200));
    assert_eq!(used(&world), first, "the token of then is handed out as long as it lives");
    world.later(seconds(40 * 60));
    let times = times.take();
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let longest = [1u64, 2, 4, 8, 16, 32, 64, 128, 256].into_iter().chain(std::iter::repeat(300)).map(|longest| longest * 1000);
    assert!((13..=20).contains(&gaps.len()), "{gaps:?}");
    for (gap, longest) in gaps.iter().zip(longest) {
        assert!((longest / 2..=longest).contains(gap), "{gap} of {longest}: {gaps:?}");
    }
    assert!(gaps.iter().skip(9).any(|gap| gap != &gaps[9]), "by chance: {gaps:?}");

    // The token has ended long ago, the session has not.
    let unavailable = Interrupted::Unavailable { from: Source::Token, status: 503 };
    assert_eq!((tab.fetch(&me()), tab.state()), (Err(unavailable.into()), State::SignedIn(session)));
    assert_eq!(used(&world), first, "an ended token is not sent");
    let presented = presented(&world);
    assert!(presented.iter().all(|one| one == &presented[0]), "nobody took it");
    world.provider.rotates(true);
    world.provider.recover(Endpoint::Token);
    world.later(seconds(300));
    assert_eq!(tab.fetch(&me()).unwrap().status, 200);
    goes_on(&tab);
}

// tok-retry
#[test]
fn the_pause_that_a_provider_asks_for_is_kept() {
    let capped = LONGEST_RETRY_AFTER.as_secs();
    for status in [429, 503] {
        for (header, asked) in [
            // Not said, or not shown to this origin.
            (None, 0),
            (Some("120"), 120),
            (Some(" 120 "), 120),
            (Some("0"), 0),
            (Some("999999999"), capped),
            (Some("18446744073709551615"), capped),
            (Some("18446744073709551616"), 0),
            (Some("Sat, 21 Nov 2026 12:00:00 GMT"), 0),
            (Some("-5"), 0),
            (Some("1.5"), 0),
            (Some("soon"), 0),
            (Some(""), 0),
        ] {
            let (world, tab, session) = signed_in(&config());
            let times: Rc<RefCell<Vec<u64>>> = Rc::default();
            let (noted, time) = (times.clone(), world.time.clone());
            world.provider.rotates(false);
            world.provider.answer(Endpoint::Token, move |_, _| {
                noted.borrow_mut().push(time.now.get());
                let mut response = answer(status, "text/plain", "later");
                response.headers.extend(header.map(|value| ("retry-after".to_owned(), value.to_owned())));
                Ok(response)
            });
            let error = run(tab.client.renew()).unwrap_err();
            assert_eq!(error, Interrupted::Unavailable { from: Source::Token, status }.into());
            let Some(Event::RenewalFailed { pause: Some(pause), .. }) = tab.news().pop() else { panic!("no pause") };
            let own = pause.checked_sub(seconds(asked)).unwrap_or_default();
            assert!((500..=1000).contains(&own.as_millis()), "{header:?}: {pause:?}");
            world.later(whole(pause) - Duration::from_millis(1));
            assert_eq!((times.borrow().len(), tab.state()), (1, State::SignedIn(session)), "{header:?}");
            world.later(Duration::from_millis(1));
            assert_eq!(times.borrow().len(), 2, "{header:?}");
        }
    }
}

// tok-droprt, tok-late
#[test]
fn a_refresh_token_whose_fate_is_unknown_is_never_presented_again() {
    for (failure, expected) in [
        (HttpFailure::Unreachable, Interrupted::Unreachable { from: Source::Token }),
        // What comes after the deadline comes to nobody.
        (HttpFailure::TimedOut, Interrupted::TimedOut { from: Source::Token }),
        (HttpFailure::Offline, Interrupted::Offline { from: Source::Token }),
    ] {
        assert_eq!(spent(&fails(failure)), expected.into());
    }
    // A gateway gave up on a server that may have done it all the same.
    for status in [502, 504] {
        let answer = always(answer(status, "text/html", "oops"));
        assert_eq!(spent(&answer), Interrupted::Unavailable { from: Source::Token, status }.into());
    }
}

// tok-droprt
#[test]
fn a_provider_that_is_not_there_is_not_presented_anything() {
    for failure in [HttpFailure::Offline, HttpFailure::TimedOut, HttpFailure::Unreachable] {
        let (world, tab, session) = signed_in(&config());
        world.network.fails_with(failure);
        let error = run(tab.client.renew()).unwrap_err();
        assert_eq!(error, failure.of(Source::Token));
        world.later(seconds(24 * 60 * 60));
        assert_eq!((presented(&world).len(), tab.state()), (0, State::SignedIn(session)), "offline is waited out");
        assert!(!tab.was_told(&Event::SignInNeeded));
        // The longest pause, and a little.
        world.network.calm();
        world.later(seconds(301));
        assert_eq!(tab.fetch(&me()).unwrap().status, 200);
        goes_on(&tab);
    }
}

// tok-late
#[test]
fn an_answer_that_comes_after_a_sign_out_comes_to_nobody() {
    for (reach, frames) in [(SignOut::Local, false), (SignOut::Provider, true)] {
        let world = World::new();
        if frames {
            world.frames_work();
        }
        let (tab, _) = signed_in_at(&world, &World::config());
        world.network.weather(|sent| Weather { delay: if is_refresh(sent) { 3000 } else { 0 }, ..Weather::default() });
        let renewing = tab.client.renew();
        let signing_out = async {
            pass(&world, 4000).await;
            assert_eq!(presented(&world).len(), 1, "it is on its way");
            tab.client.sign_out(reach).await
        };
        let (renewed, signed_out) = run(join(renewing, signing_out));
        assert_eq!((renewed, signed_out), (Err(Interrupted::SignInNeeded.into()), Ok(())));
        world.later(seconds(60 * 60));
        assert_eq!((tab.state(), times_told(&tab, &Event::Ended(Ended::SignedOut))), (State::SignedOut, 1));
        assert!(!tab.was_told(&Event::Renewed { by: Rung::RefreshToken }));
        assert_eq!(tab.fetch(&me()), Err(Interrupted::SignInNeeded.into()));
        assert_eq!((world.count(Endpoint::Api), presented(&world).len(), world.time.timers()), (0, 1, 0));
        assert_eq!((world.locks.held(), world.provider.good_refresh_tokens()), (0, 0), "what was granted was revoked");
        nothing_elsewhere(&tab);
    }
}

async fn pass(world: &World, millis: u64) {
    crate::world::Sleep::new(world.time.clone(), Duration::from_millis(millis)).await;
}

// tok-307
#[test]
fn a_refresh_token_follows_no_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let mut elsewhere = answer(status, "text/plain", "");
        elsewhere.headers.push(("location".into(), "https://evil.example/token".into()));
        assert_eq!(spent(&always(elsewhere)), Interrupted::Unreachable { from: Source::Token }.into());
    }
}

// tok-cache
#[test]
fn no_cache_answers_for_the_provider() {
    let (world, tab, _) = signed_in(&config());
    world.provider.answer(Endpoint::Token, |_, mut right| {
        right.headers.push(("cache-control".into(), "public, max-age=600".into()));
        Ok(right)
    });
    for _ in 0..2 {
        run(tab.client.renew()).unwrap();
        world.later(BREATH);
    }
    let sent: Vec<_> = world.requests().into_iter().filter(is_refresh).collect();
    assert!(matches!(&sent[..], [one, two] if one.body != two.body), "{sent:#?}");
    assert!(sent.iter().all(|sent| (sent.method.as_str(), sent.cache) == ("POST", Cache::NoStore)));
}

// tok-keeprt
#[test]
fn a_refresh_token_without_a_successor_stays() {
    let (world, tab, _) = signed_in(&config());
    world.provider.rotates(false);
    for renewals in 1..=20 {
        assert_eq!(run(tab.client.renew()).unwrap().renewed_by, Some(Rung::RefreshToken));
        assert_eq!((presented(&world).len(), tab.fetch(&me()).unwrap().status), (renewals, 200));
        world.later(seconds(5));
    }
    let all = presented(&world);
    assert!(all.iter().all(|one| one == &all[0]), "{all:?}");
    assert_eq!(used(&world), world.provider.issued()[1..]);
    // It is replaced as soon as there is a successor, and never seen again.
    world.provider.rotates(true);
    world.later(seconds(60 * 60));
    assert!(tab.session().is_some() && world.provider.reused().is_empty());
    assert_eq!(presented(&world).iter().filter(|one| *one == &all[0]).count(), 21);
}

// tok-newrt
#[test]
fn a_refresh_token_is_written_down_as_presented_before_it_is() {
    let (world, tab, _) = signed_in(&config());
    let rows: Rc<RefCell<Vec<String>>> = Rc::default();
    let (seen, journal) = (rows.clone(), world.journal.clone());
    world.network.weather(move |sent| {
        if is_refresh(sent) {
            seen.borrow_mut().extend(journal.records.borrow().values().cloned());
        }
        Weather::default()
    });
    for _ in 0..10 {
        run(tab.client.renew()).unwrap();
        assert_eq!(tab.fetch(&me()).unwrap().status, 200);
        world.later(seconds(5));
    }
    let counted: Vec<u64> = rows.borrow().iter().map(|row| row.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(counted, (1..=10).collect::<Vec<_>>());
    let mut all = presented(&world);
    all.dedup();
    assert_eq!((all.len(), used(&world).as_slice()), (10, &world.provider.issued()[1..]));
    assert!(world.provider.reused().is_empty());
    nothing_elsewhere(&tab);
}

/// Begins or ends a trouble.
type Trouble = fn(&World, bool);

/// What a journal does that cannot be written, and what that is told as.
const TROUBLES: [(Trouble, Interrupted); 3] = [
    (|world, is| world.journal.full.set(is), Interrupted::StorageFull),
    (|world, is| world.journal.blocked.set(is), Interrupted::StorageBlocked),
    (|world, is| world.journal.hangs.set(is), Interrupted::StorageBlocked),
];

// tok-storefail
#[test]
fn a_browser_that_stores_nothing_keeps_its_session_as_long_as_the_tab_lives() {
    for (trouble, _) in TROUBLES {
        let world = World::new();
        trouble(&world, true);
        let (tab, _) = signed_in_at(&world, &config());
        for renewals in 1..=5 {
            assert_eq!(run(tab.client.renew()).unwrap().renewed_by, Some(Rung::RefreshToken));
            assert_eq!((presented(&world).len(), tab.fetch(&me()).unwrap().status), (renewals, 200));
            world.later(seconds(10));
        }
        goes_on(&tab);
        // Nobody else gets it, for nobody could tell who presented what.
        let mut other = world.tab_with(&config()).unwrap();
        assert_eq!(other.arrive("https://app.example/"), Ok(Finished::Nothing));
        assert_eq!(other.state(), State::SignedOut);
        // A storage that works again later changes nothing.
        trouble(&world, false);
        goes_on(&tab);
    }
}

// tok-storefail
#[test]
fn a_journal_that_fails_for_a_while_costs_no_session() {
    for (trouble, told) in TROUBLES {
        let (world, tab, session) = signed_in(&config());
        trouble(&world, true);
        let error = Error::from(told);
        assert_eq!(run(tab.client.renew()), Err(error.clone()));
        assert_eq!((tab.state(), tab.fetch(&me()).unwrap().status), (State::SignedIn(session.clone()), 200));
        assert!(tab.was_told(&Event::RenewalFailed { by: Rung::RefreshToken, error: Some(error.clone()), pause: None }));
        let paused = |event: &Event| matches!(event, Event::RenewalFailed { by: Rung::Tab, error: None, pause: Some(_) });
        assert!(tab.events.borrow().iter().any(paused), "{:?}", tab.events);

        // The token ends meanwhile.
        world.later(seconds(30 * 60));
        assert_eq!((presented(&world).len(), tab.state()), (0, State::SignedIn(session)), "what is not written down is not presented");
        assert_eq!((tab.fetch(&me()), tab.was_told(&Event::SignInNeeded)), (Err(error), false));
        trouble(&world, false);
        world.later(seconds(310));
        assert_eq!(tab.fetch(&me()).unwrap().status, 200);
        goes_on(&tab);
    }
}

// tok-storefail
#[test]
fn a_frame_helps_where_the_journal_fails() {
    for (trouble, _) in TROUBLES {
        let world = World::new();
        world.frames_work();
        let (tab, _) = signed_in_at(&world, &World::config());
        trouble(&world, true);
        assert_eq!(run(tab.client.renew()).unwrap().renewed_by, Some(Rung::Frame));
        assert_eq!((presented(&world).len(), tab.fetch(&me()).unwrap().status), (0, 200));
        goes_on(&tab);
    }
}

// tok-igrant
#[test]
fn only_a_refusal_of_the_refresh_token_itself_ends_a_session() {
    let well_formed = [
        json!({"error": "invalid_grant"}),
        json!({"error": "invalid_grant", "error_description": "revoked", "error_uri": "https://as.example/why", "x": [1]}),
    ];
    for body in well_formed {
        ended(&always(json_response(400, &body)), Ended::Rejected);
    }
    ended(&always(answer(400, "application/json; charset=utf-8", r#"{"error":"invalid_grant"}"#)), Ended::Rejected);

    // What only looks like one is waited out, or leads to the next rung.
    let text = r#"{"error":"invalid_grant"}"#;
    for response in [
        answer(400, "text/plain", text),
        answer(400, "text/html", text),
        answer(400, "application/json", "invalid_grant"),
        answer(400, "application/json", r#"{"error":"invalid_grant","error":"invalid_grant"}"#),
        answer(400, "application/json", r#"{"error":["invalid_grant"]}"#),
        answer(400, "application/json", r#"{"error":"invalid_grant "#),
        answer(400, "application/json", r#"[{"error":"invalid_grant"}]"#),
        answer(400, "application/json", ""),
        answer(403, "text/html", "<html>blocked</html>"),
        answer(404, "application/json", "{}"),
        answer(500, "application/json", text),
        answer(503, "application/json", text),
    ] {
        kept(&always(response));
    }
}

// tok-igrant
#[test]
fn a_token_that_another_tab_rotated_is_not_presented_but_its_successor_taken_over() {
    let (world, one, _) = signed_in(&config());
    let mut other = world.tab_with(&config()).unwrap();
    assert!(matches!(other.arrive("https://app.example/"), Ok(Finished::Restored { .. })));
    world.later(seconds(10));
    // It hears nothing of the renewal.
    other.process.frozen.set(true);
    run(one.client.renew()).unwrap();
    world.channels.log.borrow_mut().clear();
    other.process.frozen.set(false);
    world.later(seconds(10));
    assert_eq!(run(other.client.renew()).map(|session| session.subject().map(str::to_owned)), Ok(Some("alice".into())));
    assert_eq!((one.fetch(&me()).unwrap().status, other.fetch(&me()).unwrap().status), (200, 200));
    assert!(world.provider.reused().is_empty() && !other.events.borrow().iter().any(|event| matches!(event, Event::Ended(_))));
}

// tok-scopegrow, tok-scopered
#[test]
fn a_scope_that_changed_is_told_and_not_assumed() {
    let changed = |value: Value| {
        let (world, tab, before) = signed_in(&config());
        misbehave(&world, &with("scope", value));
        let session = run(tab.client.renew()).unwrap();
        let told = tab.events.borrow().iter().find_map(|event| match event {
            Event::ScopeChanged { missing, added } => Some((missing.join(" "), added.join(" "))),
            _ => None,
        });
        assert_eq!((session.claims.as_ref(), tab.session().as_ref()), (before.claims.as_ref(), Some(&session)));
        (session.scope.to_string(), told)
    };
    let told = |missing: &str, added: &str| Some((missing.to_owned(), added.to_owned()));
    assert_eq!(changed(Value::Null), ("openid profile orders:read".into(), None), "RFC 6749 §5.1: what was granted before");
    assert_eq!(changed(json!("orders:read openid profile")), ("orders:read openid profile".into(), None));
    assert_eq!(changed(json!("openid profile")), ("openid profile".into(), told("orders:read", "")));
    assert_eq!(changed(json!("openid profile orders:write")), ("openid profile orders:write".into(), told("orders:read", "orders:write")));
    // What is about the user and not about an API is no news: an access token need not name it.
    assert_eq!(changed(json!("orders:read email")), ("orders:read email".into(), None));
    assert_eq!(changed(json!("")), (String::new(), told("orders:read", "")));
    assert_eq!(
        changed(json!("openid profile orders:read orders:write admin")),
        ("openid profile orders:read orders:write admin".into(), told("", "orders:write admin"))
    );

    // What was lost stays lost until it is granted again, and each change is told once.
    let (world, tab, _) = signed_in(&config());
    let changes = || tab.events.borrow().iter().filter(|event| matches!(event, Event::ScopeChanged { .. })).count();
    for (value, scope, expected) in [
        (json!("openid"), "openid", 1),
        (Value::Null, "openid", 1),
        (json!("openid"), "openid", 1),
        (json!("openid profile orders:read"), "openid profile orders:read", 2),
    ] {
        misbehave(&world, &with("scope", value));
        assert_eq!(run(tab.client.renew()).unwrap().scope.to_string(), scope);
        assert_eq!(changes(), expected);
        world.later(seconds(5));
    }
}

// tok-rtexp
#[test]
fn what_a_provider_says_of_the_refresh_token_is_not_built_upon() {
    for (member, value) in [
        ("refresh_token_timeout", json!(315_569_520)),
        ("refresh_token_timeout", json!(0)),
        ("refresh_token_timeout", json!("never")),
        ("refresh_token_expires_in", json!(-1)),
        ("refresh_expires_in", json!(1)),
        ("authorization_expires_in", Value::Null),
        ("authorization_expires_in", json!(1e300)),
        ("not-before-policy", json!({"a": [1]})),
    ] {
        let world = World::new();
        let value_again = value.clone();
        world.provider.token_response(move |body| body[member] = value_again.clone());
        let (tab, session) = signed_in_at(&world, &config());
        assert_eq!(session.expires, Some(UnixTime::from_secs(START + 300)), "{member}: {value}");
        // It is presented when the access token wants it, however long it is said to live.
        goes_on(&tab);
        // And when it is worth nothing, it is worth nothing.
        world.provider.end_session();
        world.later(seconds(300));
        assert_eq!((tab.state(), times_told(&tab, &Event::Ended(Ended::Rejected))), (State::SignedOut, 1), "{member}: {value}");
    }
}

// id-refnone
#[test]
fn a_renewal_need_not_say_again_who_it_is() {
    // The provider of this world says nothing.
    let (_, tab, session) = signed_in(&config());
    assert_eq!(run(tab.client.renew()).unwrap().claims, session.claims);
    goes_on(&tab);

    // An ID token without a nonce is news of the same user.
    let (world, tab, session) = signed_in(&config());
    misbehave(&world, &with_claims(|_| {}));
    let renewed = run(tab.client.renew()).unwrap();
    assert_eq!((renewed.subject(), renewed.claims.as_ref().unwrap().display_name()), (Some("alice"), "Alice B. Archer"));
    assert_ne!(renewed.claims, session.claims);
    assert_eq!(tab.state(), State::SignedIn(renewed));
    goes_on(&tab);

    // To an app that identifies nobody it says nothing.
    let (world, tab, _) = signed_in(&config().scopes("orders:read").oauth_only());
    misbehave(&world, &with_claims(|claims| claims["sub"] = json!("mallory")));
    assert_eq!(run(tab.client.renew()).unwrap().claims, None);
    assert!(!tab.visible().contains("mallory"));
    assert_eq!(world.count(Endpoint::Keys), 0);
}

// id-refsub
#[test]
fn another_user_is_never_slipped_in() {
    for subject in ["bob", "Alice", "alice ", "alic\u{e9}"] {
        let answer = with_claims(move |claims| claims["sub"] = json!(subject));
        let only: Answer = Rc::new(move |world, sent, right| if is_refresh(sent) { answer(world, sent, right) } else { Ok(right) });
        ended(&only, Ended::UserChanged);
    }
}

// id-refsub, id-refiss
#[test]
fn a_renewal_whose_id_token_is_wrong_is_discarded() {
    type Change = fn(&mut Value);
    let wrong: [(Misbehaved, Change); 12] = [
        (Misbehaved::IssuerMismatch, |claims| claims["iss"] = json!("https://evil.example")),
        (Misbehaved::IssuerMismatch, |claims| claims["iss"] = json!(format!("{ISSUER}/"))),
        (Misbehaved::IssuerMismatch, |claims| claims["iss"] = Value::Null),
        (Misbehaved::AudienceMismatch, |claims| claims["aud"] = json!("other-client")),
        (Misbehaved::AudienceMismatch, |claims| claims["aud"] = json!([CLIENT, "stranger"])),
        (Misbehaved::AudienceMismatch, |claims| claims["aud"] = json!([])),
        (Misbehaved::AuthorizedPartyMismatch, |claims| claims["azp"] = json!("other-client")),
        (Misbehaved::NonceMismatch, |claims| claims["nonce"] = json!("another")),
        (Misbehaved::SubjectInvalid, |claims| claims["sub"] = json!("")),
        (Misbehaved::SubjectInvalid, |claims| claims["sub"] = json!(5)),
        (Misbehaved::SubjectInvalid, |claims| claims["sub"] = Value::Null),
        (Misbehaved::SubjectInvalid, |claims| claims["sub"] = json!("a".repeat(256))),
    ];
    for (expected, change) in wrong {
        assert_eq!(spent(&with_claims(change)), expected.into());
    }
    let forged: Answer = Rc::new(|world, sent, right| {
        world.provider.sign_secretly_with(Key::new(Algorithm::Es256, "mallory"));
        world.provider.header(|header| header["kid"] = json!("key-1"));
        let answer = with_claims(|claims| claims["name"] = json!("Mallory"))(world, sent, right);
        world.provider.sign_secretly_with(Key::new(Algorithm::Es256, "key-1"));
        answer
    });
    assert_eq!(spent(&forged), Misbehaved::SignatureInvalid.into());
}

// id-refiss
// What an ID token of a renewal says of times is not compared with anything: OpenID Connect Core §12.2 lets `iat` be newer and
// `auth_time` be the old one, and a clock of this device that was set meanwhile shall end no session.
#[test]
fn the_times_of_a_renewed_id_token_are_news() {
    let times: [fn(&mut Value); 4] = [
        |claims| claims["auth_time"] = json!(START + 5),
        |claims| claims["iat"] = json!(START - 100_000),
        |claims| claims["iat"] = json!(START + 100_000),
        |claims| claims["exp"] = json!(START - 1),
    ];
    for change in times {
        let (world, tab, _) = signed_in(&config());
        misbehave(&world, &with_claims(change));
        let renewed = run(tab.client.renew()).unwrap();
        assert_eq!((renewed.subject(), tab.fetch(&me()).unwrap().status), (Some("alice"), 200));
        goes_on(&tab);
    }
}

// id-refiss
#[test]
fn keys_that_cannot_be_read_cost_no_refresh_token() {
    let (world, tab, session) = signed_in(&config());
    world.provider.sign_with(Key::new(Algorithm::Es256, "key-2"));
    world.later(tokenkeep::keep::KEYS_REREAD_AFTER);
    world.provider.answer(Endpoint::Keys, |_, _| Err(HttpFailure::Unreachable));
    misbehave(&world, &with_claims(|_| {}));
    let error = run(tab.client.renew()).unwrap_err();
    assert_eq!(error, Interrupted::Unreachable { from: Source::Keys }.into());
    assert_eq!(tab.session().and_then(|now| now.claims), session.claims, "who it is is not known from an ID token that was not verified");
    world.provider.recover(Endpoint::Keys);
    world.later(seconds(2));
    let renewed = tab.session().unwrap();
    assert_eq!((renewed.renewed_by, renewed.claims.unwrap().display_name()), (Some(Rung::RefreshToken), "Alice B. Archer"));
    let presented = presented(&world);
    assert!(matches!(&presented[..], [one, two] if one != two), "the next one was kept: {presented:?}");
    assert!(world.provider.reused().is_empty());
}

// ui-401
#[test]
fn a_refused_token_is_renewed_once_and_the_question_repeated_once() {
    let (world, tab, session) = signed_in(&config());
    world.provider.revoke_access_tokens();
    assert_eq!(run(tab.client.user_info()).unwrap().text("email"), Some("alice@example.com"));
    assert_eq!((world.count(Endpoint::UserInfo), presented(&world).len()), (2, 1));
    assert_eq!(tab.session().unwrap().claims, session.claims);

    world.later(seconds(10));
    let mut response = json_response(401, &json!({"error": "invalid_token"}));
    response.headers.push(("www-authenticate".into(), "Bearer error=\"invalid_token\"".into()));
    world.provider.always(Endpoint::UserInfo, response);
    let expected = Error::from(Misbehaved::UnexpectedStatus { from: Source::UserInfo, status: 401 });
    assert_eq!(run(tab.client.user_info()), Err(expected.clone()));
    assert_eq!((world.count(Endpoint::UserInfo), presented(&world).len()), (4, 2));
    assert_eq!(tab.session().unwrap().claims, session.claims, "the session is kept");

    // Without a way to another token the refusal is all that happens.
    let world = World::new();
    world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    let (tab, session) = signed_in_at(&world, &config());
    world.provider.revoke_access_tokens();
    assert_eq!(run(tab.client.user_info()), Err(expected.clone()));
    assert_eq!((world.count(Endpoint::UserInfo), world.count(Endpoint::Token), tab.session()), (1, 1, Some(session)));
}

// An API that refuses a token.

/// A request with a body that no reader may change.
fn order() -> Request {
    let body: Vec<u8> = (0..=127u8).chain("ü\u{0}€\r\n\u{10ffff}".bytes()).collect();
    Request::new("POST", format!("{API}orders?a=%2f&b=+")).header("content-type", "application/x; q=1").header("x-one", " two ").body(body)
}

fn sent_to_api(world: &World) -> Vec<Sent> {
    world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::Api)).collect()
}

// dp-401, dp-401nohdr
#[test]
fn a_refused_request_is_sent_again_as_it_was_with_another_token() {
    let challenges = [Some("Bearer error=\"invalid_token\""), Some("Bearer"), Some("DPoP error=\"invalid_token\""), None];
    for challenge in challenges {
        let (world, tab, _) = signed_in(&config());
        let old = world.provider.issued();
        let refused = old[0].clone();
        world.provider.answer(Endpoint::Api, move |sent, right| {
            let mut response = json_response(401, &json!({}));
            response.headers.extend(challenge.map(|challenge| ("www-authenticate".to_owned(), challenge.to_owned())));
            Ok(if sent.header("authorization") == Some(&format!("Bearer {refused}")) { response } else { right })
        });
        assert_eq!(run(tab.client.fetch(order())).unwrap().status, 200, "{challenge:?}");
        let sent = sent_to_api(&world);
        let [first, second] = &sent[..] else { panic!("{sent:#?}") };
        assert_eq!((&first.method, &first.url, &first.body, first.cache), (&second.method, &second.url, &second.body, second.cache));
        assert_eq!(first.body.as_bytes(), &order_body()[..]);
        let others = |sent: &Sent| sent.headers.iter().filter(|(name, _)| name != "authorization").cloned().collect::<Vec<_>>();
        assert_eq!(others(first), others(second));
        let tokens = |sent: &Sent| sent.headers.iter().filter(|(name, _)| name == "authorization").count();
        assert_eq!((tokens(first), tokens(second), used(&world)), (1, 1, world.provider.issued()));
        assert_eq!(presented(&world).len(), 1);
        assert_eq!(times_told(&tab, &Event::ApiAnswered { url: format!("{API}orders"), status: 200 }), 1, "{:?}", tab.events);
    }
}

fn order_body() -> Vec<u8> {
    order().body.as_ref().unwrap().expose().clone()
}

// dp-401
#[test]
fn a_request_is_sent_twice_at_most() {
    let (world, tab, session) = signed_in(&config());
    let mut refused = json_response(401, &json!({}));
    refused.headers.push(("www-authenticate".into(), "Bearer error=\"invalid_token\"".into()));
    world.provider.always(Endpoint::Api, refused.clone());
    // An API that takes its time: the new token is not that new any more when it is refused too.
    world.network.weather(|sent| Weather { delay: if sent.to == Some(Endpoint::Api) { 2000 } else { 0 }, ..Weather::default() });
    assert_eq!(run(tab.client.fetch(order())), Ok(refused.clone()));
    assert_eq!((sent_to_api(&world).len(), presented(&world).len()), (2, 1));
    assert_eq!(tab.session().unwrap().claims, session.claims);
    world.network.calm();
    world.later(seconds(10));
    assert_eq!(run(tab.client.fetch(order())), Ok(refused.clone()));
    assert_eq!((sent_to_api(&world).len(), presented(&world).len()), (4, 2));
    // The new token is a moment old: it is not what is wrong.
    assert_eq!(run(tab.client.fetch(order())), Ok(refused));
    assert_eq!((sent_to_api(&world).len(), presented(&world).len()), (5, 2));
}

#[test]
fn a_request_that_is_sent_once_is_sent_once() {
    let (world, tab, _) = signed_in(&config());
    world.provider.revoke_access_tokens();
    assert_eq!(run(tab.client.fetch(order().once())).unwrap().status, 401);
    assert_eq!(sent_to_api(&world).len(), 1);
    // It is another matter when the token is known to have ended: then nothing was sent yet.
    assert_eq!(run(tab.client.fetch(order())).unwrap().status, 200);
    let (sent, renewals) = (sent_to_api(&world).len(), presented(&world).len());
    world.sleep(seconds(301));
    assert_eq!(run(tab.client.fetch(order().once())).unwrap().status, 200);
    assert_eq!((sent_to_api(&world).len(), presented(&world).len()), (sent + 1, renewals + 1));
}

// dp-403
#[test]
fn a_token_that_may_not_do_it_is_not_replaced() {
    for status in [401, 403] {
        let (world, tab, session) = signed_in(&config());
        let mut refused = json_response(status, &json!({}));
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"orders:write\"";
        refused.headers.push(("www-authenticate".into(), challenge.into()));
        world.provider.always(Endpoint::Api, refused.clone());
        assert_eq!(tab.fetch(&me()), Ok(refused));
        assert_eq!((world.count(Endpoint::Api), presented(&world).len(), tab.session()), (1, 0, Some(session)));
    }
    // Any other refusal is the API's own.
    let (world, tab, _) = signed_in(&config());
    for status in [400, 403, 407, 500] {
        world.provider.always(Endpoint::Api, json_response(status, &json!({"error": "invalid_token"})));
        assert_eq!(tab.fetch(&me()).unwrap().status, status);
    }
    assert_eq!((world.count(Endpoint::Api), presented(&world).len()), (4, 0));
}

#[test]
fn a_thousand_requests_with_an_ended_token_ask_for_one() {
    for seed in 0..3 {
        let world = World::seeded(seed);
        world.device.shuffled.set(true);
        let (tab, _) = signed_in_at(&world, &config());
        world.network.latency.set(5);
        world.sleep(seconds(300));
        let answers = run(join_all((0..1000).map(|_| tab.client.fetch(Request::get(me())))));
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|response| response.status == 200)), "seed {seed}");
        assert_eq!((presented(&world).len(), world.count(Endpoint::Api)), (1, 1000), "seed {seed}");
        let used = used(&world);
        assert!(used.iter().all(|token| token == world.provider.issued().last().unwrap()), "seed {seed}");
    }
}

#[test]
fn a_thousand_refused_requests_ask_for_one_token() {
    for seed in 0..3 {
        let world = World::seeded(seed);
        let (tab, _) = signed_in_at(&world, &config());
        world.network.latency.set(5);
        world.provider.revoke_access_tokens();
        let answers = run(join_all((0..1000).map(|_| tab.client.fetch(Request::get(me())))));
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|response| response.status == 200)), "seed {seed}");
        assert_eq!(presented(&world).len(), 1, "seed {seed}");
        assert!((1001..=2000).contains(&world.count(Endpoint::Api)), "seed {seed}");
    }
}

// RFC 8707: an access token for each API.

const BILLING: &str = "https://api.example/billing/";
const INVOICES: &str = "https://api.example/billing/invoices/";

fn billing() -> Access {
    Access::to("https://billing.example/")
}

fn invoices() -> Access {
    Access::to("https://billing.example/").scope("orders:read")
}

fn three_apis() -> Config {
    config().api_for(BILLING, billing()).api_for(INVOICES, invoices())
}

/// What a token was asked for: the resources and the scope of the request that it came for.
type Asked = (Vec<String>, Option<String>);

const MAIN: (&[&str], Option<&str>) = (&[], None);
const FOR_BILLING: (&[&str], Option<&str>) = (&["https://billing.example/"], None);
const FOR_INVOICES: (&[&str], Option<&str>) = (&["https://billing.example/"], Some("orders:read"));

/// Writes down what each token was asked for.
fn observed(world: &World) -> Rc<RefCell<BTreeMap<String, Asked>>> {
    let asked: Rc<RefCell<BTreeMap<String, Asked>>> = Rc::default();
    let noted = asked.clone();
    world.provider.answer(Endpoint::Token, move |sent, right| {
        if let Ok(body) = serde_json::from_slice::<Value>(&right.body)
            && let Some(token) = body["access_token"].as_str()
        {
            let fields = url::form_urlencoded::parse(sent.body.as_bytes());
            let resources = fields.filter(|(name, _)| name == "resource").map(|(_, value)| value.into_owned()).collect();
            noted.borrow_mut().insert(token.to_owned(), (resources, sent.field("scope")));
        }
        Ok(right)
    });
    asked
}

/// Every token that went to an API was asked for that API.
#[track_caller]
fn each_where_it_belongs(world: &World, asked: &Rc<RefCell<BTreeMap<String, Asked>>>) {
    for (sent, token) in sent_to_api(world).iter().zip(used(world)) {
        let (resources, scope) = if sent.url.starts_with(INVOICES) {
            FOR_INVOICES
        } else if sent.url.starts_with(BILLING) {
            FOR_BILLING
        } else {
            MAIN
        };
        let expected = (resources.iter().map(|one| (*one).to_owned()).collect(), scope.map(str::to_owned));
        assert_eq!(asked.borrow().get(&token), Some(&expected), "{}", sent.url);
    }
    assert!(world.requests().iter().all(|sent| sent.to.is_some()));
}

fn three_signed_in(config: &Config) -> (World, Tab, Rc<RefCell<BTreeMap<String, Asked>>>) {
    let world = World::new();
    let asked = observed(&world);
    let (tab, _) = signed_in_at(&world, config);
    (world, tab, asked)
}

fn get(tab: &Tab, base: &str) -> u16 {
    tab.fetch(&format!("{base}1")).unwrap().status
}

#[test]
fn each_api_gets_a_token_of_its_own() {
    let (world, tab, asked) = three_signed_in(&three_apis());
    let session = tab.session();
    for _ in 0..3 {
        for base in [API, BILLING, INVOICES] {
            assert_eq!(get(&tab, base), 200);
        }
    }
    each_where_it_belongs(&world, &asked);
    let tokens = used(&world);
    assert_eq!((&tokens[..3], &tokens[3..6], &tokens[6..]), (&world.provider.issued()[..], &tokens[..3], &tokens[..3]), "asked for once");
    assert_eq!((presented(&world).len(), asked.borrow().len()), (2, 3));
    // The session is what the user agreed to, and did not notice.
    assert_eq!(tab.session(), session);
    assert!(!tab.was_told(&Event::Renewed { by: Rung::RefreshToken }));
    goes_on(&tab);
    each_where_it_belongs(&world, &asked);
    nothing_elsewhere(&tab);
}

#[test]
fn the_longest_prefix_decides() {
    let config = config()
        .api_for("https://api.example/billing/invoices/", invoices())
        .api_for("https://api.example/", Access::to("https://root.example/"))
        .api_for("https://api.example/billing", billing());
    let (world, tab, asked) = three_signed_in(&config);
    for (url, expected) in [
        ("https://api.example/v1/orders", "[]"),
        ("https://api.example/v1", "[\"https://root.example/\"]"),
        ("https://api.example/v10/orders", "[\"https://root.example/\"]"),
        ("https://api.example/", "[\"https://root.example/\"]"),
        ("https://api.example/billing", "[\"https://billing.example/\"]"),
        ("https://api.example/billing/x", "[\"https://billing.example/\"]"),
        ("https://api.example/billings", "[\"https://root.example/\"]"),
        ("https://api.example/Billing/x", "[\"https://root.example/\"]"),
        ("https://api.example/billing/invoices", "[\"https://billing.example/\"]"),
    ] {
        assert_eq!(tab.fetch(url).unwrap().status, 200);
        let token = used(&world).pop().unwrap();
        assert_eq!(format!("{:?}", asked.borrow()[&token].0), expected, "{url}");
        assert_eq!(asked.borrow()[&token].1, None, "{url}");
    }
    assert_eq!(tab.fetch("https://api.example/billing/invoices/1").unwrap().status, 200);
    assert_eq!(asked.borrow()[&used(&world).pop().unwrap()].1.as_deref(), Some("orders:read"));
    let requests = world.requests().len();
    for url in ["https://api.example/billing/../v1/x", "https://api.example/v1/..%2fbilling/x"].map(str::to_owned) {
        // What a browser makes of the URL is what counts.
        let token = tab.fetch(&url).ok().and_then(|_| used(&world).pop());
        assert!(token.is_none_or(|token| asked.borrow()[&token].0.is_empty()), "{url}");
    }
    for url in ["https://api.example.evil/billing/x", "https://evil.example/billing/x", "http://api.example/billing/x"] {
        assert_eq!(tab.fetch(url), Err(Misconfigured::DestinationNotAllowed.into()), "{url}");
    }
    assert!(world.requests()[requests..].iter().all(|sent| sent.to == Some(Endpoint::Api)));
}

#[test]
fn what_is_asked_for_the_same_is_the_same_token() {
    let access = || Access::to("https://api.example/");
    let config = config().resource("https://api.example/").api_for(BILLING, access()).api_for(INVOICES, access().scope("orders:read"));
    let (world, tab, _) = signed_in(&config);
    assert_eq!((get(&tab, API), get(&tab, BILLING), presented(&world).len()), (200, 200, 0), "what the user agreed to");
    assert_eq!((get(&tab, INVOICES), presented(&world).len()), (200, 1));
    let used = used(&world);
    assert!(used[0] == used[1] && used[1] != used[2]);
    assert_eq!(run(tab.client.renew()).unwrap().renewed_by, Some(Rung::RefreshToken));
    assert_eq!(world.requests().pop().unwrap().field("resource").as_deref(), Some("https://api.example/"));
}

#[test]
fn a_token_for_an_api_is_replaced_when_it_has_ended_and_when_it_is_refused() {
    let (world, tab, asked) = three_signed_in(&three_apis());
    get(&tab, BILLING);
    // Nobody renews it in vain.
    world.later(seconds(30 * 60));
    let for_billing = || asked.borrow().values().filter(|(resources, _)| !resources.is_empty()).count();
    assert_eq!(for_billing(), 1);
    assert_eq!((get(&tab, BILLING), for_billing()), (200, 2));
    world.later(seconds(10));
    // The API refuses it.
    world.provider.revoke_access_tokens();
    assert_eq!((get(&tab, BILLING), for_billing()), (200, 3));
    assert_eq!(get(&tab, API), 200);
    each_where_it_belongs(&world, &asked);
    // A new one is not asked for because of an API that refuses them all.
    let mut refused = json_response(401, &json!({}));
    refused.headers.push(("www-authenticate".into(), "Bearer error=\"invalid_token\"".into()));
    world.provider.always(Endpoint::Api, refused);
    let sent = world.count(Endpoint::Api);
    assert_eq!((get(&tab, BILLING), for_billing(), world.count(Endpoint::Api)), (401, 3, sent + 1));
    world.later(seconds(10));
    assert_eq!((get(&tab, BILLING), for_billing(), world.count(Endpoint::Api)), (401, 4, sent + 3));
    each_where_it_belongs(&world, &asked);
    assert!(world.provider.reused().is_empty());
}

#[test]
fn a_thousand_requests_for_three_apis_ask_for_three_tokens() {
    for seed in 0..3 {
        let world = World::seeded(seed);
        world.device.shuffled.set(true);
        let asked = observed(&world);
        let (tab, _) = signed_in_at(&world, &three_apis());
        world.network.latency.set(5);
        world.sleep(seconds(300));
        let urls = [API, BILLING, INVOICES].map(|base| format!("{base}1"));
        let answers = run(join_all((0..1000).map(|index| tab.client.fetch(Request::get(&urls[index % 3])))));
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|response| response.status == 200)), "seed {seed}");
        assert_eq!((presented(&world).len(), world.count(Endpoint::Api)), (3, 1000), "seed {seed}");
        each_where_it_belongs(&world, &asked);
        assert!(world.provider.reused().is_empty(), "seed {seed}: the refresh tokens went one after the other");
    }
}

// tok-iscope
#[test]
fn a_token_that_is_not_granted_is_the_trouble_of_who_asked() {
    for code in ["invalid_scope", "invalid_target"] {
        let (world, tab, session) = signed_in(&three_apis());
        world.provider.rotates(false);
        world.provider.answer(Endpoint::Token, move |sent, right| {
            Ok(if sent.field("resource").is_some() { json_response(400, &json!({"error": code})) } else { right })
        });
        for _ in 0..3 {
            assert_eq!(code_of(&tab.fetch(&format!("{BILLING}1")).unwrap_err()), code);
        }
        assert_eq!((tab.session().as_ref(), get(&tab, API)), (Some(&session), 200));
        assert_eq!((world.count(Endpoint::Api), used(&world)), (1, vec![world.provider.issued()[0].clone()]));
        assert!(!tab.was_told(&Event::SignInNeeded), "{:?}", tab.events);
        world.provider.rotates(true);
        goes_on(&tab);
        // As soon as it is granted.
        world.provider.recover(Endpoint::Token);
        world.later(seconds(10));
        assert_eq!(get(&tab, BILLING), 200);
    }
}

// tok-iscope
#[test]
fn who_asks_for_a_token_shares_the_fate_of_the_refresh_token() {
    // It is rejected.
    let (world, tab, _) = signed_in(&three_apis());
    world.provider.end_session();
    assert_eq!(tab.fetch(&format!("{BILLING}1")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((tab.state(), times_told(&tab, &Event::Ended(Ended::Rejected)), presented(&world).len()), (State::SignedOut, 1, 1));

    // It is lost.
    let (world, tab, session) = signed_in(&three_apis());
    world.provider.answer(Endpoint::Token, |_, _| Err(HttpFailure::Unreachable));
    assert_eq!(tab.fetch(&format!("{BILLING}1")), Err(Interrupted::Unreachable { from: Source::Token }.into()));
    world.provider.recover(Endpoint::Token);
    assert!(tab.fetch(&format!("{BILLING}1")).is_err());
    assert_eq!((tab.session().as_ref(), get(&tab, API)), (Some(&session), 200));
    world.later(seconds(60 * 60));
    assert_eq!((presented(&world).len(), tab.state()), (1, State::SignedOut));
    assert!(tab.was_told(&Event::Ended(Ended::Expired)) && world.provider.reused().is_empty());

    // There is none.
    let world = World::new();
    world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    let (tab, session) = signed_in_at(&world, &three_apis());
    assert_eq!(tab.fetch(&format!("{BILLING}1")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((tab.session(), get(&tab, API), world.count(Endpoint::Token)), (Some(session), 200, 1));
}

// tok-scopered, tok-scopegrow
#[test]
fn what_is_granted_for_an_api_is_compared_with_what_was_asked() {
    for (granted, expected) in [
        (json!("orders:read"), None),
        (Value::Null, None),
        (json!("orders:read orders:write"), Some((vec![], vec!["orders:write".to_owned()]))),
        (json!("invoices:read"), Some((vec!["orders:read".to_owned()], vec!["invoices:read".to_owned()]))),
        (json!(""), Some((vec!["orders:read".to_owned()], vec![]))),
    ] {
        let (world, tab, session) = signed_in(&three_apis());
        misbehave(&world, &with("scope", granted.clone()));
        assert_eq!(get(&tab, INVOICES), 200);
        let changed = tab.events.borrow().iter().find_map(|event| match event {
            Event::ScopeChanged { missing, added } => Some((missing.clone(), added.clone())),
            _ => None,
        });
        assert_eq!((changed, tab.session()), (expected, Some(session)), "{granted}");
    }
}

#[test]
fn nothing_is_left_for_any_api_after_a_sign_out() {
    let (world, tab, _) = signed_in(&three_apis());
    for base in [API, BILLING, INVOICES] {
        get(&tab, base);
    }
    run(tab.client.sign_out(SignOut::Local)).unwrap();
    let (sent, asked) = (world.count(Endpoint::Api), world.count(Endpoint::Token));
    for base in [API, BILLING, INVOICES] {
        assert_eq!(tab.fetch(base), Err(Interrupted::SignInNeeded.into()));
    }
    assert_eq!((world.count(Endpoint::Api), world.count(Endpoint::Token)), (sent, asked));
}

#[test]
fn an_access_that_cannot_be_asked_for_is_refused_at_once() {
    let world = World::new();
    for resource in ["", "billing", "/billing", "https://billing.example/#x", "https://billing.example/ x", "://x"] {
        let refused = world.tab_with(&config().api_for(BILLING, Access::to(resource))).err();
        assert_eq!(refused, Some(Misconfigured::ResourceMalformed.into()), "{resource}");
    }
    for resource in ["https://billing.example", "urn:billing", "https://billing.example/?a=b"] {
        assert!(world.tab_with(&config().api_for(BILLING, Access::to(resource))).is_ok(), "{resource}");
    }
    for scope in [" ", "a  b", "a\"b", "ä"] {
        assert!(world.tab_with(&config().api_for(BILLING, Access::default().scope(scope))).is_err(), "{scope}");
    }
}

// tok-5xxref, tok-retry
#[test]
fn a_busy_app_does_not_hurry_a_provider_that_stumbles() {
    let busy = |base: &str, header: Option<&'static str>| {
        let (world, tab, _) = signed_in(&three_apis());
        world.provider.rotates(false);
        let mut response = answer(503, "text/html", "oops");
        response.headers.extend(header.map(|value| ("retry-after".to_owned(), value.to_owned())));
        world.provider.always(Endpoint::Token, response);
        // It has ended already.
        world.later(seconds(300));
        let before = presented(&world).len();
        // Ten times a second, for two minutes.
        for _ in 0..1200 {
            assert!(tab.fetch(&format!("{base}1")).is_err());
            world.later(Duration::from_millis(100));
        }
        (presented(&world).len() - before, world.count(Endpoint::Api))
    };
    assert!(matches!(busy(API, None), (10..=61, 0)));
    assert!(matches!(busy(API, Some("60")), (1..=3, 0)));
    assert!(matches!(busy(BILLING, None), (10..=66, 0)));
}
