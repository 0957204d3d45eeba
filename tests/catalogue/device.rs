//! Sign-in on another device (RFC 8628): polls in time, codes that are no codes, and who is signed in by all that.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    time::Duration,
};

use futures::future::join;
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    test_runner::{Config as Settings, RngAlgorithm, TestCaseResult, TestRng, TestRunner},
};
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Value, json};
use tokenkeep::{
    Config, DeviceSignIn, Ended, Error, Event, Kind, Rung, Session, SignOut, State,
    keep::ports::HttpFailure,
    page::{
        Pages,
        ports::{FramedBy, Wake},
    },
    protocol::{
        Interrupted, Misbehaved, Misconfigured, Moment, Request, Response, Source, UnixTime, Unreadable,
        device::{DeviceAuthorization, Due, Polled, Polling},
    },
};

use crate::{
    test,
    world::{API, Bar, CLIENT, Endpoint, ISSUER, ORIGIN, Sent, Tab, Weather, World, json_response, run},
};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn config() -> Config {
    World::config().dangerous_device_authorization()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A screen that shows a code, and awaits what comes of it.
struct Television {
    tab: Tab,
    sign_in: Option<DeviceSignIn>,
    outcome: Rc<RefCell<Option<Result<Session, Error>>>>,
    /// When the token endpoint was polled, in seconds since this began, with which device code.
    polls: Rc<RefCell<Vec<(u64, String)>>>,
}

impl Television {
    fn on(world: &World) -> Television {
        Television::with(world, &config())
    }

    fn with(world: &World, config: &Config) -> Television {
        Television::in_tab(world.tab_with(config).unwrap()).unwrap()
    }

    fn in_tab(tab: Tab) -> Result<Television, Error> {
        let (polls, time) = (Rc::<RefCell<Vec<_>>>::default(), tab.world.time.clone());
        let (start, log) = (time.now.get(), polls.clone());
        tab.world.network.watch(Rc::new(move |_, _, sent: &Sent, answer| {
            if answer.is_none() && sent.field("grant_type").as_deref() == Some(DEVICE) {
                log.borrow_mut().push(((time.now.get() - start) / 1000, sent.field("device_code").unwrap()));
            }
        }));
        let sign_in = run(tab.client.sign_in_by_device())?;
        let outcome = awaited(&tab, &sign_in);
        tab.world.settle();
        Ok(Television { tab, sign_in: Some(sign_in), outcome, polls })
    }

    fn world(&self) -> &World {
        &self.tab.world
    }

    fn code(&self) -> String {
        self.sign_in.as_ref().unwrap().user_code().to_owned()
    }

    fn later(&self, seconds: u64) {
        self.world().later(secs(seconds));
        self.world().settle();
    }

    /// What came of it, if anything did.
    fn outcome(&self) -> Option<Result<Session, Error>> {
        self.world().settle();
        self.outcome.borrow().clone()
    }

    fn polls(&self) -> Vec<u64> {
        self.polls.borrow().iter().map(|(at, _)| *at).collect()
    }

    /// It is over with this error: nobody is signed in, the app was told once, and nothing is sent however much time passes.
    fn stopped(&self, error: &Error, what: &str) {
        assert_eq!(self.outcome(), Some(Err(error.clone())), "{what}");
        assert_eq!(self.tab.state(), State::Failed(error.clone()), "{what}");
        assert_eq!(told(&self.tab, &Event::Failed(error.clone())), 1, "{what}");
        let sent = self.world().requests().len();
        self.later(7200);
        self.tab.bar.wake(Wake::Online);
        self.later(10);
        assert_eq!(self.world().requests().len(), sent, "{what}");
    }
}

/// Awaits a sign-in in the time of its tab.
fn awaited(tab: &Tab, sign_in: &DeviceSignIn) -> Rc<RefCell<Option<Result<Session, Error>>>> {
    let (outcome, finished) = (Rc::<RefCell<Option<_>>>::default(), sign_in.finished());
    let sink = outcome.clone();
    tab.world.device.spawn(&tab.process, Box::pin(async move { *sink.borrow_mut() = Some(finished.await) }));
    outcome
}

fn told(tab: &Tab, event: &Event) -> usize {
    tab.events.borrow().iter().filter(|other| *other == event).count()
}

fn works(tab: &Tab) -> bool {
    tab.fetch(&format!("{API}me")).is_ok_and(|response| response.status == 200)
}

fn says(error: &str) -> Response {
    json_response(400, &json!({"error": error}))
}

/// The provider's own error.
fn refused_with(error: &str) -> Error {
    DeviceAuthorization::read(&says(error)).unwrap_err()
}

/// The token endpoint gives these answers to polls, one after the other, and then the right ones.
fn answers(world: &World, answers: Vec<Result<Response, HttpFailure>>) {
    let mut answers = answers.into_iter();
    world.provider.answer(Endpoint::Token, move |sent, right| match sent.field("grant_type").as_deref() {
        Some(DEVICE) => answers.next().unwrap_or(Ok(right)),
        _ => Ok(right),
    });
}

/// The token endpoint answers every poll so.
fn always(world: &World, answer: Result<Response, HttpFailure>) {
    world.provider.answer(Endpoint::Token, move |_, _| answer.clone());
}

/// The provider answers with other codes.
fn authorizes(world: &World, change: impl Fn(&mut Value) + 'static) {
    world.provider.answer(Endpoint::DeviceAuthorization, move |_, right| {
        let mut body = serde_json::from_slice(&right.body).unwrap();
        change(&mut body);
        Ok(json_response(200, &body))
    });
}

/// A member has this value, or is not there (`null`).
fn authorizes_with(world: &World, member: &'static str, value: Value) {
    authorizes(world, move |body| match &value {
        Value::Null => drop(body.as_object_mut().unwrap().remove(member)),
        value => body[member] = value.clone(),
    });
}

#[test]
fn whoever_enters_the_code_is_signed_in_where_it_is_shown() {
    let world = World::new();
    let config = config().resource("https://api.example/").audience("orders");
    let tv = Television::with(&world, &config);
    let sign_in = tv.sign_in.as_ref().unwrap();
    assert_eq!(sign_in.verification_uri(), format!("{ISSUER}/device"));
    assert_eq!(sign_in.verification_uri_complete(), Some(&*format!("{ISSUER}/device?user_code={}&lang=en", tv.code())));
    assert_eq!(sign_in.expires().as_millis(), world.time.now.get() + 600_000);

    let asked = world.requests().pop().unwrap();
    assert_eq!((asked.to, &*asked.method, asked.header("authorization")), (Some(Endpoint::DeviceAuthorization), "POST", None));
    let fields = |sent: &Sent| url::form_urlencoded::parse(sent.body.as_bytes()).into_owned().collect::<Vec<_>>();
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Vec<_>>();
    let resource = ("resource", "https://api.example/");
    let scope = ("scope", "openid profile orders:read");
    assert_eq!(fields(&asked), pairs(&[("client_id", CLIENT), scope, ("audience", "orders"), resource]));

    tv.later(12);
    assert_eq!((tv.outcome(), tv.tab.session(), tv.polls()), (None, None, vec![5, 10]));
    let poll = world.requests().pop().unwrap();
    let device_code = poll.field("device_code").unwrap();
    assert_eq!(fields(&poll), pairs(&[("grant_type", DEVICE), ("device_code", &device_code), ("client_id", CLIENT), resource]));

    world.provider.enter(&tv.code());
    tv.later(5);
    let session = tv.outcome().unwrap().unwrap();
    assert_eq!((session.subject(), session.renewed_by), (Some("alice"), None));
    assert_eq!((tv.tab.session(), told(&tv.tab, &Event::SignedIn), works(&tv.tab)), (Some(session), 1, true));
    let told = format!("{} {:?} {:?}", tv.tab.visible(), tv.sign_in, tv.outcome);
    assert!(world.secrets().contains(&device_code));
    for secret in world.secrets() {
        assert!(!told.contains(&secret), "{secret} in {told}");
    }

    // It is renewed by its refresh token, as ever, and in no other way.
    tv.tab.news();
    tv.later(290);
    assert_eq!(tv.tab.news(), [Event::Renewed { by: Rung::RefreshToken }]);
    assert_eq!((tv.polls(), works(&tv.tab)), (vec![5, 10, 15], true));
    assert_eq!(world.frames.opened.borrow().len(), 0);

    run(tv.tab.client.sign_out(SignOut::Local)).unwrap();
    assert_eq!((tv.tab.state(), world.count(Endpoint::Revocation), world.provider.good_refresh_tokens()), (State::SignedOut, 1, 0));
}

#[test]
fn only_oauth_needs_no_id_token() {
    let world = World::new();
    let tv = Television::with(&world, &config().oauth_only().scopes("orders:read"));
    world.provider.enter(&tv.code());
    tv.later(5);
    let session = tv.outcome().unwrap().unwrap();
    assert_eq!((session.claims, works(&tv.tab)), (None, true));
}

// dev-slow
#[test]
fn each_slow_down_makes_the_pause_longer_for_good() {
    let world = World::new();
    answers(&world, vec![Ok(says("slow_down")), Ok(says("slow_down")), Ok(says("authorization_pending"))]);
    let tv = Television::on(&world);
    tv.later(70);
    assert_eq!(tv.polls(), [5, 15, 30, 45, 60]);
    world.provider.enter(&tv.code());
    tv.later(5);
    assert_eq!((tv.polls().len(), tv.tab.session().is_some()), (6, true));
}

// dev-slow
#[test]
fn a_provider_that_always_wants_it_slower_is_obeyed_until_the_codes_expire() {
    let world = World::new();
    always(&world, Ok(says("slow_down")));
    let tv = Television::on(&world);
    tv.later(3600);
    assert_eq!(tv.polls(), [5, 15, 30, 50, 75, 105, 140, 180, 225, 275, 330, 390, 455, 525]);
    tv.stopped(&Interrupted::DeviceCodeExpired.into(), "slow_down for ever");
}

// dev-int
#[test]
fn the_pause_is_five_seconds_at_least_and_ends_with_the_codes() {
    for (interval, first) in [
        (Value::Null, &[5, 10][..]),
        (json!(0), &[5, 10]),
        (json!(1), &[5, 10]),
        (json!("5"), &[5, 10]),
        (json!(4.9), &[5, 10]),
        (json!(7.9), &[7, 14]),
        (json!(12), &[12, 24]),
        (json!(599), &[599]),
        (json!(600), &[]),
        (json!(1e9), &[]),
        (json!(u64::MAX), &[]),
        (json!(1e300), &[]),
    ] {
        let world = World::new();
        authorizes_with(&world, "interval", interval.clone());
        always(&world, Ok(says("authorization_pending")));
        let tv = Television::on(&world);
        tv.later(599);
        assert_eq!(tv.outcome(), None, "{interval}");
        assert_eq!(tv.polls().iter().take(2).copied().collect::<Vec<_>>(), first, "{interval}");
        tv.later(1);
        tv.stopped(&Interrupted::DeviceCodeExpired.into(), &interval.to_string());
    }
}

/// The answer to the device authorization request is refused: nothing is polled, nobody is signed in, and the next one is another.
fn is_refused(world: &World, error: &Error, what: &str) {
    let tab = world.tab_with(&config()).unwrap();
    let refused = Television::in_tab(tab.clone()).err();
    assert_eq!(refused.as_ref(), Some(error), "{what}");
    world.later(secs(3600));
    assert_eq!((world.count(Endpoint::Token), world.count(Endpoint::DeviceAuthorization)), (0, 1), "{what}");
    assert_eq!((tab.state(), told(&tab, &Event::Failed(error.clone()))), (State::Failed(error.clone()), 1), "{what}");
    world.provider.recover(Endpoint::DeviceAuthorization);
    world.provider.recover(Endpoint::Metadata);
    let tv = Television::in_tab(tab).unwrap();
    assert_eq!(tv.tab.state(), State::SignedOut, "{what}");
    world.provider.enter(&tv.code());
    tv.later(5);
    assert!(tv.tab.session().is_some(), "{what}");
}

fn unreadable(why: Unreadable) -> Error {
    Misbehaved::BadResponse { from: Source::DeviceAuthorization, why }.into()
}

// dev-int
#[test]
fn an_interval_that_is_none_is_refused() {
    for interval in [json!(-1), json!(-0.5), json!("-5"), json!("five"), json!(""), json!("5.0"), json!(true), json!([5]), json!({})] {
        let world = World::new();
        authorizes_with(&world, "interval", interval.clone());
        is_refused(&world, &unreadable(Unreadable::Member("interval")), &interval.to_string());
    }
}

// dev-noexp
#[test]
fn without_codes_and_their_end_nothing_is_polled() {
    for member in ["device_code", "user_code", "verification_uri", "expires_in"] {
        for value in [Value::Null, json!(""), json!(["x"]), json!({}), json!(false)] {
            let world = World::new();
            let what = format!("{member}: {value}");
            authorizes_with(&world, member, value);
            is_refused(&world, &unreadable(Unreadable::Member(member)), &what);
        }
    }
    for (member, value) in
        [("expires_in", json!(-1)), ("expires_in", json!("soon")), ("device_code", json!("a\u{7f}b")), ("device_code", json!("ä"))]
    {
        let world = World::new();
        let what = format!("{member}: {value}");
        authorizes_with(&world, member, value);
        is_refused(&world, &unreadable(Unreadable::Member(member)), &what);
    }
}

// dev-noexp
#[test]
fn an_answer_that_holds_no_codes_is_refused() {
    let html = Response { status: 200, headers: vec![("content-type".into(), "text/html".into())], body: b"<p>Welcome".to_vec() };
    let twice = Response { body: br#"{"device_code": "a", "device_code": "b"}"#.to_vec(), ..json_response(200, &json!({})) };
    let from = Source::DeviceAuthorization;
    for (answer, error) in [
        (Ok(html), unreadable(Unreadable::ContentType)),
        (Ok(twice), unreadable(Unreadable::DuplicateMember)),
        (Ok(json_response(200, &json!([]))), unreadable(Unreadable::NotAnObject)),
        (Ok(json_response(404, &json!({}))), Misbehaved::UnexpectedStatus { from, status: 404 }.into()),
        (Ok(json_response(503, &json!({"error": "x"}))), Interrupted::Unavailable { from, status: 503 }.into()),
        (Ok(says("unauthorized_client")), refused_with("unauthorized_client")),
        (Ok(json_response(401, &json!({"error": "invalid_client"}))), refused_with("invalid_client")),
        (Ok(says("a\nb")), unreadable(Unreadable::Member("error"))),
        (Err(HttpFailure::Unreachable), Interrupted::Unreachable { from }.into()),
        (Err(HttpFailure::TooLarge), unreadable(Unreadable::TooLarge)),
    ] {
        let world = World::new();
        let what = format!("{answer:?}");
        world.provider.answer(Endpoint::DeviceAuthorization, move |_, _| answer.clone());
        is_refused(&world, &error, &what);
    }
}

// dev-expired
#[test]
fn codes_that_have_expired_are_not_polled_with() {
    let world = World::new();
    world.provider.device_lifetime(17);
    always(&world, Ok(says("authorization_pending")));
    let tv = Television::on(&world);
    tv.later(16);
    assert_eq!((tv.polls(), tv.outcome()), (vec![5, 10, 15], None));
    tv.later(1);
    let error = Error::from(Interrupted::DeviceCodeExpired);
    assert!(error.is_retryable());
    tv.stopped(&error, "the clock says so");
    assert_eq!(tv.polls(), [5, 10, 15]);

    // Another one has another code, and signs in.
    world.provider.recover(Endpoint::Token);
    let again = Television::in_tab(tv.tab.clone()).unwrap();
    assert_ne!(again.code(), tv.code());
    world.provider.enter(&again.code());
    again.later(5);
    assert!(again.tab.session().is_some());
    assert_eq!(tv.outcome(), Some(Err(error)));
}

// dev-expired
#[test]
fn the_provider_says_that_the_codes_have_expired() {
    let world = World::new();
    always(&world, Ok(says("expired_token")));
    let tv = Television::on(&world);
    tv.later(5);
    tv.stopped(&Interrupted::DeviceCodeExpired.into(), "the provider says so");
    assert_eq!(tv.polls(), [5]);
}

// dev-expired
#[test]
fn codes_that_never_lived_are_not_polled_with() {
    let world = World::new();
    world.provider.device_lifetime(0);
    let tv = Television::on(&world);
    tv.stopped(&Interrupted::DeviceCodeExpired.into(), "expires_in 0");
    assert_eq!(tv.polls().len(), 0);
}

// dev-denied
#[test]
fn whatever_else_the_token_endpoint_says_is_the_end_of_it() {
    let html = Response { status: 200, headers: vec![("content-type".into(), "text/html".into())], body: b"<p>Welcome".to_vec() };
    let bearer = |kind| json_response(200, &json!({"access_token": "at", "token_type": kind, "id_token": "x"}));
    let from = Source::Token;
    let bad = |why| Error::from(Misbehaved::BadResponse { from, why });
    for (answer, error) in [
        (Ok(says("access_denied")), refused_with("access_denied")),
        (Ok(says("invalid_grant")), refused_with("invalid_grant")),
        (Ok(says("invalid_client")), refused_with("invalid_client")),
        (Ok(says("authorization_pending_")), refused_with("authorization_pending_")),
        (Ok(says("AUTHORIZATION_PENDING")), refused_with("AUTHORIZATION_PENDING")),
        (
            Ok(json_response(200, &json!({"error": "access_denied", "access_token": "at", "token_type": "Bearer"}))),
            refused_with("access_denied"),
        ),
        (Ok(json_response(400, &json!({"error": ["slow_down"]}))), bad(Unreadable::Member("error"))),
        (Ok(json_response(400, &json!({}))), Misbehaved::UnexpectedStatus { from, status: 400 }.into()),
        (Ok(json_response(404, &json!({}))), Misbehaved::UnexpectedStatus { from, status: 404 }.into()),
        (Ok(json_response(401, &json!({}))), refused_with("invalid_client")),
        (Ok(html), bad(Unreadable::ContentType)),
        (Ok(json_response(200, &json!({}))), bad(Unreadable::Member("token_type"))),
        (Ok(bearer("mac")), Misbehaved::TokenTypeUnknown.into()),
        (Ok(bearer("Bearer")), Misbehaved::IdTokenMalformed.into()),
        (Err(HttpFailure::TooLarge), bad(Unreadable::TooLarge)),
    ] {
        let world = World::new();
        let what = format!("{answer:?}");
        answers(&world, vec![Ok(says("authorization_pending")), answer]);
        let tv = Television::on(&world);
        world.provider.enter(&tv.code());
        tv.later(10);
        tv.stopped(&error, &what);
        assert_eq!(tv.polls(), [5, 10], "{what}");
    }
}

// dev-denied
#[test]
fn a_user_who_does_not_agree_leaves_the_session_before_as_it_was() {
    let world = World::new();
    let mut tab = world.tab_with(&config()).unwrap();
    let session = tab.sign_in().unwrap();
    tab.news();
    let tv = Television::in_tab(tab).unwrap();
    world.provider.deny(&tv.code());
    tv.later(5);
    let error = refused_with("access_denied");
    assert_eq!(tv.outcome(), Some(Err(error.clone())));
    assert_eq!((tv.tab.session(), works(&tv.tab)), (Some(session), true));
    assert_eq!(told(&tv.tab, &Event::Failed(error)), 1);
    assert!(!tv.tab.events.borrow().iter().any(|event| matches!(event, Event::Ended(_))));
}

// dev-net
#[test]
fn a_network_that_fails_is_asked_less_and_less_often_until_the_codes_expire() {
    let unavailable = |status| Ok(json_response(status, &json!({"error": "access_denied"})));
    for answer in [
        Err(HttpFailure::Unreachable),
        Err(HttpFailure::Offline),
        Err(HttpFailure::TimedOut),
        unavailable(500),
        unavailable(503),
        Ok(json_response(429, &json!({}))),
    ] {
        let world = World::new();
        let what = format!("{answer:?}");
        always(&world, answer);
        let tv = Television::on(&world);
        tv.later(599);
        assert_eq!((tv.polls(), tv.outcome()), (vec![5, 15, 35, 75, 155, 315], None), "{what}");
        tv.later(1);
        tv.stopped(&Interrupted::DeviceCodeExpired.into(), &what);
    }
}

// dev-net
#[test]
fn when_the_network_is_back_the_pause_is_what_it_was() {
    let world = World::new();
    let gone = || Err(HttpFailure::Unreachable);
    answers(
        &world,
        vec![Ok(says("slow_down")), gone(), gone(), Ok(says("authorization_pending")), gone(), Ok(says("authorization_pending"))],
    );
    let tv = Television::on(&world);
    // 10 after the slow_down; 20 and 40 after two failures; 10 again; 20 after one failure; 10 again.
    tv.later(125);
    assert_eq!(tv.polls(), [5, 15, 35, 75, 85, 105, 115, 125]);
    world.provider.enter(&tv.code());
    tv.later(10);
    assert!(tv.tab.session().is_some());
}

// dev-net
#[test]
fn an_answer_that_takes_its_time_is_not_followed_by_the_next_poll_at_once() {
    let world = World::new();
    world.network.weather(|sent| Weather {
        delay: if sent.field("grant_type").as_deref() == Some(DEVICE) { 4_000 } else { 0 },
        ..Weather::default()
    });
    let tv = Television::on(&world);
    tv.later(40);
    // Eight seconds on the way, and five from then.
    assert_eq!(tv.polls(), [5, 18, 31]);
}

// dev-uri
#[test]
fn addresses_that_nobody_should_go_to_are_refused() {
    for member in ["verification_uri", "verification_uri_complete"] {
        for uri in [
            "javascript:alert(1)",
            "http://as.example/device",
            "data:text/html,x",
            "/device",
            "as.example/device",
            "https://user@as.example/device",
            "https://as.example/device#code",
            "https://as.example/\"><script>",
            "https://as.example/ device",
            "https://as.example\\@evil.example/",
            "https://\u{430}s.example/",
            "",
        ] {
            let world = World::new();
            authorizes_with(&world, member, json!(uri));
            is_refused(&world, &unreadable(Unreadable::Member(member)), &format!("{member}: {uri}"));
        }
    }
}

// dev-uri
#[test]
fn a_code_that_could_be_markup_is_no_code() {
    for code in [
        "<b>WDJB</b>",
        "WDJB&amp;",
        "WDJB\"",
        "WDJB'",
        "WDJB`",
        "WDJB\n",
        "WD\u{202e}JB",
        "WD\u{200b}JB",
        "\u{430}BCD",
        "${x}",
        "{{x}}",
        "WDJB/MJHT",
        &"W".repeat(65),
    ] {
        let world = World::new();
        let named = code.to_owned();
        authorizes(&world, move |body| body["user_code"] = json!(named));
        is_refused(&world, &unreadable(Unreadable::Member("user_code")), code);
    }
    for code in ["WDJB-MJHT", "123 456", "a.b_c", &"W".repeat(64)] {
        let world = World::new();
        let named = code.to_owned();
        authorizes(&world, move |body| body["user_code"] = json!(named));
        assert_eq!(Television::on(&world).code(), code);
    }
}

// dev-uri
#[test]
fn without_a_complete_address_the_other_one_is_the_qr_code() {
    let world = World::new();
    authorizes_with(&world, "verification_uri_complete", Value::Null);
    let tv = Television::on(&world);
    let sign_in = tv.sign_in.as_ref().unwrap();
    assert_eq!((sign_in.verification_uri_complete(), scanned(&sign_in.qr_svg().unwrap())), (None, format!("{ISSUER}/device")));
}

// dev-uri
#[test]
fn a_telephone_reads_the_address_from_the_qr_code() {
    let world = World::new();
    let tv = Television::on(&world);
    let sign_in = tv.sign_in.as_ref().unwrap();
    let svg = sign_in.qr_svg().unwrap();
    assert_eq!(Some(&*scanned(&svg)), sign_in.verification_uri_complete());
    let title = sign_in.verification_uri_complete().unwrap().replace('&', "&amp;");
    assert!(
        svg.starts_with("<svg ") && svg.contains(r#" role="img" "#) && svg.contains(&format!("<title>QR code: {title}</title>")),
        "{svg}"
    );

    // The longest that a provider may say, and what is too long to be read from a screen.
    for (length, is_there) in [(1000, true), (1001, false), (100_000, false)] {
        let world = World::new();
        let uri = format!("{ISSUER}/{}", "x".repeat(length - ISSUER.len() - 1));
        authorizes_with(&world, "verification_uri_complete", json!(uri));
        let tv = Television::on(&world);
        assert_eq!(tv.sign_in.as_ref().unwrap().qr_svg().map(|svg| scanned(&svg)), is_there.then_some(uri));
    }
}

/// What a QR code says, read by somebody else's reader from what is drawn.
fn scanned(svg: &str) -> String {
    let attribute = |text: &str, name: &str| text.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let side: usize = attribute(svg, "viewBox").split(' ').nth(3).unwrap().parse().unwrap();
    let mut dark = vec![vec![false; side]; side];
    for row in attribute(svg.split("<path").last().unwrap(), " d").split('z').filter(|row| !row.is_empty()) {
        let (at, line) = row.strip_prefix('M').unwrap().split_once('h').unwrap();
        let (x, y) = at.split_once(' ').unwrap();
        let (x, y, length): (usize, usize, usize) =
            (x.parse().unwrap(), y.parse().unwrap(), line.split('v').next().unwrap().parse().unwrap());
        assert_eq!(line, format!("{length}v1h-{length}"));
        dark[y][x..x + length].fill(true);
    }
    // As a camera sees it: four points to a module.
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * 4, side * 4, |x, y| if dark[y / 4][x / 4] { 0 } else { 255 });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().unwrap().1
}

// dev-sleep
#[test]
fn a_device_that_slept_through_the_codes_life_asks_nobody() {
    for wake in [Some(Wake::Visible), Some(Wake::Online), Some(Wake::Returned), None] {
        let world = World::new();
        let tv = Television::on(&world);
        tv.later(7);
        world.provider.enter(&tv.code());
        world.sleep(secs(1200));
        match wake {
            Some(wake) => tv.tab.bar.wake(wake),
            // What was left of the pause.
            None => tv.later(3),
        }
        tv.stopped(&Interrupted::DeviceCodeExpired.into(), &format!("{wake:?}"));
        assert_eq!(tv.polls(), [5], "{wake:?}");
    }
}

// dev-sleep
#[test]
fn after_a_short_sleep_there_is_one_poll_and_no_burst() {
    for wake in [true, false] {
        let world = World::new();
        let tv = Television::on(&world);
        tv.later(6);
        world.sleep(secs(200));
        if wake {
            (0..20).for_each(|_| tv.tab.bar.wake(Wake::Visible));
            tv.later(0);
            assert_eq!(tv.polls(), [5, 206]);
            tv.later(5);
            assert_eq!(tv.polls(), [5, 206, 211]);
        } else {
            tv.later(4);
            assert_eq!(tv.polls(), [5, 210]);
        }
        world.provider.enter(&tv.code());
        tv.later(5);
        assert!(tv.tab.session().is_some());
    }
}

// dev-sleep
#[test]
fn a_clock_that_is_set_back_makes_the_codes_live_no_longer() {
    let world = World::new();
    let tv = Television::on(&world);
    tv.later(12);
    world.time.ahead.set(-86_400_000);
    tv.later(587);
    assert_eq!(tv.outcome(), None);
    tv.later(1);
    tv.stopped(&Interrupted::DeviceCodeExpired.into(), "set back by a day");
    assert_eq!(tv.polls().len(), 119);
}

// dev-two
#[test]
fn whoever_asks_again_gets_the_same_code_and_there_is_one_poller() {
    let world = World::new();
    let tv = Television::on(&world);
    // In the same breath, and while it is under way.
    let (one, other) = run(join(tv.tab.client.sign_in_by_device(), tv.tab.client.sign_in_by_device()));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.user_code(), other.user_code()), (&*tv.code(), &*tv.code()));
    let outcomes = [awaited(&tv.tab, &one), awaited(&tv.tab, &other), awaited(&tv.tab, &other)];
    tv.later(12);
    assert_eq!((tv.polls(), world.count(Endpoint::DeviceAuthorization)), (vec![5, 10], 1));

    // One of them gives up: the others go on.
    one.cancel();
    tv.later(5);
    assert_eq!(*outcomes[0].borrow(), Some(Err(Interrupted::Cancelled.into())));
    world.provider.enter(&tv.code());
    tv.later(5);
    let session = tv.tab.session();
    assert!(session.is_some());
    for outcome in [&tv.outcome, &outcomes[1], &outcomes[2]] {
        assert_eq!(outcome.borrow().clone().map(Result::ok), Some(session.clone()));
    }
    assert_eq!((tv.polls(), told(&tv.tab, &Event::SignedIn)), (vec![5, 10, 15, 20], 1));
}

// dev-two
#[test]
fn two_that_ask_at_the_same_moment_ask_once() {
    let world = World::new();
    let tab = world.tab_with(&config()).unwrap();
    let (one, other) = run(join(tab.client.sign_in_by_device(), tab.client.sign_in_by_device()));
    assert_eq!(one.unwrap().user_code(), other.unwrap().user_code());
    assert_eq!(world.count(Endpoint::DeviceAuthorization), 1);
}

// dev-two
#[test]
fn two_pages_of_one_keep_show_one_code() {
    let world = World::new();
    let pages = Pages::open(&config(), world.ports(), ORIGIN).unwrap();
    let [one, other] = [(); 2].map(|()| pages.join(Rc::new(Bar { address: RefCell::new(format!("{ORIGIN}/")), ..Bar::default() })));
    let [first, second] = [&one, &other].map(|page| run(page.sign_in_by_device()).unwrap());
    assert_eq!((first.user_code(), world.count(Endpoint::DeviceAuthorization)), (second.user_code(), 1));
    world.provider.enter(first.user_code());
    let (here, there) = run(join(first.finished(), second.finished()));
    assert_eq!(here.clone().unwrap(), there.unwrap());
    assert_eq!([one.state(), other.state()], [(); 2].map(|()| State::SignedIn(here.clone().unwrap())));
    assert_eq!(world.count(Endpoint::Token), 1);
}

// dev-two
#[test]
fn two_tabs_never_poll_with_one_code_and_one_sign_in_is_enough() {
    let world = World::new();
    let one = Television::on(&world);
    let other = Television::on(&world);
    let pollers: Rc<RefCell<BTreeSet<(String, usize)>>> = Rc::default();
    let seen = pollers.clone();
    world.network.watch(Rc::new(move |process, _, sent: &Sent, answer| {
        if let (Some(code), true) = (sent.field("device_code"), answer.is_none()) {
            seen.borrow_mut().insert((code, Rc::as_ptr(process) as usize));
        }
    }));
    one.later(22);
    let codes: BTreeSet<String> = pollers.borrow().iter().map(|(code, _)| code.clone()).collect();
    assert_eq!((codes.len(), pollers.borrow().len()), (2, 2), "each code has one poller");

    world.provider.enter(&one.code());
    one.later(6);
    let session = one.tab.session().unwrap();
    assert_eq!(other.outcome().unwrap().unwrap().subject(), session.subject());
    assert_eq!((other.tab.session().is_some(), works(&other.tab)), (true, true));
    pollers.borrow_mut().clear();
    one.later(60);
    assert_eq!(pollers.borrow().len(), 0, "nobody waits for the other code any more");
}

// dev-policy
#[test]
fn an_ordinary_page_is_told_to_redirect() {
    let world = World::new();
    let tab = world.tab();
    let error = run(tab.client.sign_in_by_device()).unwrap_err();
    assert_eq!(error, Misconfigured::DeviceNotAllowed.into());
    assert_eq!((error.kind(), error.code(), error.is_retryable()), (Kind::Misconfigured, "device_not_allowed", false));
    let text = error.to_string();
    for pointer in ["RFC 10017 §7.3", "RFC 10027", "RFC 8628 §5.4", "`sign_in`", "`dangerous_device_authorization`"] {
        assert!(text.contains(pointer), "{pointer}: {text}");
    }
    world.later(secs(60));
    assert_eq!((world.requests().len(), tab.state()), (0, State::Failed(error)));
    // The redirect is still there.
    let mut tab = tab;
    assert!(tab.sign_in().is_ok());
}

// dev-policy
#[test]
fn the_option_has_a_dangerous_name_in_json_too() {
    let json = |option: &str| format!(r#"{{"issuer": "{ISSUER}", "client_id": "{CLIENT}"{option}}}"#);
    let read = |option| Config::from_json(&json(option));
    let plain = Config::new(ISSUER, CLIENT);
    assert_eq!(read(r#", "dangerous_device_authorization": true"#), Ok(plain.clone().dangerous_device_authorization()));
    assert_eq!(read(r#", "dangerous_device_authorization": false"#), Ok(plain));
    assert_eq!(
        read(r#", "dangerous_device_authorization": "yes""#),
        Err(Misconfigured::OptionType { option: "dangerous_device_authorization".into() })
    );
    assert!(matches!(read(r#", "device_authorization": true"#), Err(Misconfigured::OptionUnknown { .. })));
    let written = config().to_json().to_string();
    assert_eq!(Config::from_json(&written), Ok(config()), "{written}");
}

// dev-policy
#[test]
fn a_page_in_somebody_elses_page_shows_no_code() {
    let world = World::new();
    let tab = world.tab_with(&config()).unwrap();
    tab.bar.framed.set(FramedBy::AnotherOrigin);
    let error = run(tab.client.sign_in_by_device()).unwrap_err();
    assert_eq!((error, world.requests().len()), (Misconfigured::Framed.into(), 0));
}

// dev-policy
#[test]
fn a_provider_without_the_endpoint_is_not_asked() {
    for (endpoint, error) in [
        (Value::Null, Error::from(Misconfigured::DeviceUnavailable)),
        (json!("http://as.example/device"), Misbehaved::BadEndpoint { member: "device_authorization_endpoint" }.into()),
        (json!("javascript:alert(1)"), Misbehaved::BadEndpoint { member: "device_authorization_endpoint" }.into()),
        (json!(5), Misbehaved::BadResponse { from: Source::Metadata, why: Unreadable::Member("device_authorization_endpoint") }.into()),
    ] {
        let world = World::new();
        world.provider.metadata("device_authorization_endpoint", endpoint);
        let tab = world.tab_with(&config()).unwrap();
        assert_eq!(run(tab.client.sign_in_by_device()).unwrap_err(), error);
        assert_eq!((world.count(Endpoint::DeviceAuthorization), world.count(Endpoint::Token)), (0, 0));
    }
}

#[test]
fn who_gives_up_asks_nobody_any_more() {
    for drops in [false, true] {
        let world = World::new();
        let mut tv = Television::on(&world);
        let code = tv.code();
        tv.later(7);
        let sign_in = tv.sign_in.take().unwrap();
        if drops {
            // And what awaited it, with the page.
            tv.tab.process.dead.set(true);
            drop(sign_in);
        } else {
            sign_in.cancel();
            tv.later(0);
            assert_eq!(tv.outcome(), Some(Err(Interrupted::Cancelled.into())));
            assert_eq!(run(sign_in.finished()), Err(Interrupted::Cancelled.into()));
            assert_eq!((tv.tab.state(), told(&tv.tab, &Event::Failed(Interrupted::Cancelled.into()))), (State::SignedOut, 0));
        }
        world.provider.enter(&code);
        tv.later(600);
        assert_eq!((tv.polls(), tv.tab.session()), (vec![5], None));
    }
}

#[test]
fn after_giving_up_there_is_another_code() {
    let world = World::new();
    let tv = Television::on(&world);
    let code = tv.code();
    tv.sign_in.as_ref().unwrap().cancel();
    let again = Television::in_tab(tv.tab.clone()).unwrap();
    assert_ne!(again.code(), code);
    again.later(7);
    assert_eq!(again.polls().len(), 1);
    world.provider.enter(&again.code());
    again.later(5);
    assert!(again.tab.session().is_some());
}

#[test]
fn who_signs_out_meant_what_was_under_way_too() {
    for elsewhere in [false, true] {
        let world = World::new();
        let mut other = world.tab_with(&config()).unwrap();
        other.sign_in().unwrap();
        let tv = Television::in_tab(world.tab_with(&config()).unwrap()).unwrap();
        tv.later(7);
        world.provider.enter(&tv.code());
        let leaver = if elsewhere { &other } else { &tv.tab };
        run(leaver.client.sign_out(SignOut::Local)).unwrap();
        tv.later(30);
        assert_eq!(tv.outcome(), Some(Err(Interrupted::SignInNeeded.into())), "{elsewhere}");
        assert_eq!((tv.tab.session(), other.session()), (None, None), "{elsewhere}");
        assert_eq!(tv.polls(), [5], "{elsewhere}");
    }
}

#[test]
fn a_sign_out_while_the_id_token_is_verified_is_a_sign_out() {
    let world = World::new();
    let tv = Television::on(&world);
    let client = tv.tab.client.clone();
    world.provider.answer(Endpoint::Keys, move |_, right| {
        drop(client.sign_out(SignOut::Local));
        Ok(right)
    });
    world.provider.enter(&tv.code());
    tv.later(5);
    assert_eq!(tv.outcome(), Some(Err(Interrupted::SignInNeeded.into())));
    tv.later(60);
    assert_eq!((tv.tab.session(), works(&tv.tab)), (None, false));
}

#[test]
fn a_session_that_expires_meanwhile_does_not_end_the_sign_in() {
    let world = World::new();
    world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut tab = world.tab_with(&config()).unwrap();
    tab.sign_in().unwrap();
    let tv = Television::in_tab(tab).unwrap();
    tv.later(400);
    assert_eq!((tv.tab.state(), tv.outcome()), (State::SignedOut, None));
    assert!(tv.tab.was_told(&Event::Ended(Ended::Expired)));
    world.provider.enter(&tv.code());
    tv.later(5);
    assert!(tv.tab.session().is_some());
}

#[test]
fn another_user_takes_the_place_of_who_was_signed_in() {
    let world = World::new();
    let mut tab = world.tab_with(&config()).unwrap();
    tab.sign_in().unwrap();
    let mut other = world.tab_with(&config()).unwrap();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    assert_eq!(other.session().unwrap().subject(), Some("alice"));
    let tv = Television::in_tab(tab).unwrap();
    world.provider.user("bob");
    world.provider.enter(&tv.code());
    tv.later(5);
    assert_eq!(tv.tab.session().unwrap().subject(), Some("bob"));
    assert_eq!((told(&tv.tab, &Event::Ended(Ended::UserChanged)), works(&tv.tab)), (1, true));
    // Nothing of alice's page is shown to bob.
    assert_ne!(other.session().map(|session| session.subject().map(str::to_owned)), Some(Some("alice".to_owned())));
}

#[test]
fn while_the_id_token_is_verified_no_other_tab_hands_its_session_over() {
    let world = World::new();
    let tv = Television::on(&world);
    // The keys take twenty seconds, the first time.
    let first = Cell::new(true);
    world.network.weather(move |sent| Weather {
        delay: if sent.to == Some(Endpoint::Keys) && first.replace(false) { 10_000 } else { 0 },
        ..Weather::default()
    });
    world.provider.enter(&tv.code());
    tv.later(6);
    assert_eq!((tv.polls(), tv.outcome()), (vec![5], None));
    let mut other = world.tab_with(&config()).unwrap();
    other.sign_in().unwrap();
    tv.later(2);
    assert_eq!((tv.tab.session(), tv.outcome()), (None, None));
    tv.later(20);
    assert!(tv.outcome().unwrap().is_ok());
    assert_eq!((told(&tv.tab, &Event::SignedIn), told(&tv.tab, &Event::Renewed { by: Rung::Tab }), works(&tv.tab)), (1, 0, true));

    // Afterwards they do again.
    other.sign_in().unwrap();
    tv.later(1);
    assert_eq!(told(&tv.tab, &Event::Renewed { by: Rung::Tab }), 1);
}

#[test]
fn the_id_token_must_be_for_this_client_and_of_no_other_sign_in() {
    type Change = fn(&mut Value);
    let changes: &[(&str, Change, Misbehaved)] = &[
        ("iss", |claims| claims["iss"] = json!("https://other.example"), Misbehaved::IssuerMismatch),
        ("aud", |claims| claims["aud"] = json!("other"), Misbehaved::AudienceMismatch),
        ("aud too", |claims| claims["aud"] = json!([CLIENT, "other"]), Misbehaved::AudienceMismatch),
        ("azp", |claims| claims["azp"] = json!("other"), Misbehaved::AuthorizedPartyMismatch),
        ("no sub", |claims| drop(claims.as_object_mut().unwrap().remove("sub")), Misbehaved::SubjectInvalid),
        ("no exp", |claims| drop(claims.as_object_mut().unwrap().remove("exp")), Misbehaved::IdTokenExpired),
        ("exp", |claims| claims["exp"] = json!(claims["iat"].as_u64().unwrap() - 60), Misbehaved::IdTokenExpired),
        ("at_hash", |claims| claims["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"), Misbehaved::AccessTokenHashMismatch),
        ("a nonce", |claims| claims["nonce"] = json!("n-0S6_WzA2Mj"), Misbehaved::NonceMismatch),
        ("an empty nonce", |claims| claims["nonce"] = json!(""), Misbehaved::NonceMismatch),
        ("a nonce that is a number", |claims| claims["nonce"] = json!(5), Misbehaved::NonceMismatch),
    ];
    for (what, change, offence) in changes {
        let world = World::new();
        world.provider.claims(*change);
        let tv = Television::on(&world);
        world.provider.enter(&tv.code());
        tv.later(5);
        tv.stopped(&(*offence).into(), what);
    }
    let world = World::new();
    world.provider.id_token(|token| {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        format!("{signed}.{}{}", if signature.starts_with('A') { "B" } else { "A" }, &signature[1..])
    });
    let tv = Television::on(&world);
    world.provider.enter(&tv.code());
    tv.later(5);
    tv.stopped(&Misbehaved::SignatureInvalid.into(), "signature");
}

#[test]
fn every_poll_has_a_proof_of_its_own_when_tokens_are_bound_to_a_key() {
    let world = World::new();
    world.provider.nonce(ISSUER, "nonce-1");
    let tv = Television::with(&world, &config().dpop(true));
    tv.later(12);
    world.provider.enter(&tv.code());
    tv.later(5);
    assert!(tv.outcome().unwrap().is_ok());
    assert!(works(&tv.tab));
    let polls: Vec<Sent> = world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::Token)).collect();
    let proofs: Vec<_> = polls.iter().map(|sent| sent.proof().expect("a proof")).collect();
    // The first one is asked for a nonce, and sent again with it.
    let nonces: Vec<_> = proofs.iter().map(|proof| proof.claim("nonce")).collect();
    assert_eq!(nonces, [None, Some("nonce-1"), Some("nonce-1"), Some("nonce-1")]);
    let ids: BTreeSet<_> = proofs.iter().map(|proof| proof.claim("jti").unwrap()).collect();
    assert_eq!(ids.len(), 4);
    let asked = world.requests().into_iter().find(|sent| sent.to == Some(Endpoint::DeviceAuthorization)).unwrap();
    assert_eq!(asked.header("dpop"), None);
    assert_eq!(world.chance.keys.get(), 1);
}

#[test]
fn a_bearer_token_in_place_of_a_bound_one_is_refused() {
    let world = World::new();
    world.provider.token_response(|body| body["token_type"] = json!("Bearer"));
    let tv = Television::with(&world, &config().dpop(true));
    world.provider.enter(&tv.code());
    tv.later(5);
    tv.stopped(&Misbehaved::DpopDowngraded.into(), "downgraded");
}

#[test]
fn less_than_was_asked_for_is_told() {
    let world = World::new();
    world.provider.token_response(|body| body["scope"] = json!("openid profile"));
    let tv = Television::on(&world);
    world.provider.enter(&tv.code());
    tv.later(5);
    let session = tv.outcome().unwrap().unwrap();
    assert_eq!(session.scope.to_string(), "openid profile");
    assert!(tv.tab.was_told(&Event::ScopeChanged { missing: vec!["orders:read".into()], added: vec![] }));
}

#[test]
fn a_reload_is_signed_in_by_a_tab_that_is_there_and_by_nobody_else() {
    let world = World::new();
    world.frames_work();
    let tv = Television::on(&world);
    world.provider.enter(&tv.code());
    tv.later(5);
    let mut other = world.tab_with(&config()).unwrap();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    assert_eq!(other.session().unwrap().subject(), Some("alice"));
    // Without another tab there is no way: whoever has a session at the provider in this browser is somebody else.
    let alone = World::new();
    alone.frames_work();
    let mut tab = alone.tab_with(&config()).unwrap();
    tab.sign_in().unwrap();
    let tv = Television::in_tab(tab).unwrap();
    alone.provider.user("bob");
    alone.provider.enter(&tv.code());
    tv.later(5);
    let mut tab = tv.tab.clone();
    drop(tv);
    tab.process.dead.set(true);
    tab.arrive(&format!("{ORIGIN}/")).unwrap();
    assert_eq!((tab.session(), alone.frames.opened.borrow().len()), (None, 0));
}

// Polling, whatever is answered and however the clocks go.

#[derive(Clone, Debug)]
enum Step {
    /// Both clocks go on.
    Pass(u64),
    /// The device sleeps.
    Sleep(u64),
    /// The wall clock is set.
    Set(u64),
    Hear(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let millis = || prop_oneof![5 => 0..30_000u64, 1 => any::<u64>()];
    vec(
        prop_oneof![
            6 => millis().prop_map(Step::Pass),
            1 => millis().prop_map(Step::Sleep),
            1 => any::<u64>().prop_map(Step::Set),
            6 => (0..3u8).prop_map(Step::Hear),
            1 => Just(Step::Hear(1)),
        ],
        0..60,
    )
}

fn authorization(expires_in: &Value, interval: &Value) -> DeviceAuthorization {
    let mut body = json!({"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/", "expires_in": expires_in});
    if !interval.is_null() {
        body["interval"] = interval.clone();
    }
    DeviceAuthorization::read(&json_response(200, &body)).unwrap()
}

#[test]
fn no_poll_is_early_none_is_late_and_none_comes_after_the_end() {
    let claim = |(expires_in, interval, steps): (u64, Option<u64>, Vec<Step>)| -> TestCaseResult {
        let authorization = authorization(&json!(expires_in), &interval.map_or(Value::Null, |interval| json!(interval)));
        let (mut wall, mut steady) = (1_800_000_000_000u64, 0u64);
        let moment = |wall: u64, steady: u64| Moment { wall: UnixTime::from_millis(wall), steady: Duration::from_millis(steady) };
        let start = moment(wall, steady);
        let mut polling = Polling::new(&authorization, start);
        let (mut heard, mut slower, mut failures) = (start, 0u64, 0u32);
        let life = secs(expires_in.min(365 * 24 * 60 * 60));
        let base = interval.unwrap_or(5).max(5);
        for step in steps {
            match step {
                Step::Pass(millis) => (wall, steady) = (wall.saturating_add(millis), steady.saturating_add(millis)),
                Step::Sleep(millis) => wall = wall.saturating_add(millis),
                Step::Set(millis) => wall = millis,
                Step::Hear(what) => {
                    // Only what was due is ever asked.
                    if polling.due(moment(wall, steady)) != Due::Now {
                        continue;
                    }
                    let polled = [Polled::Pending, Polled::SlowDown, Polled::Unanswered].into_iter().nth(what.into()).unwrap();
                    polling.hear(&polled, moment(wall, steady));
                    heard = moment(wall, steady);
                    slower += u64::from(matches!(polled, Polled::SlowDown));
                    failures = if matches!(polled, Polled::Unanswered) { failures + 1 } else { 0 };
                }
            }
            let now = moment(wall, steady);
            // Written down a second time, as a sum and not step by step.
            let interval = secs(base).min(life) + secs(5 * slower);
            let pause = (0..failures).fold(interval, |pause, _| pause.saturating_mul(2));
            let expected = if now.since(start) >= life {
                Due::Expired
            } else if now.since(heard) >= pause {
                Due::Now
            } else {
                Due::In((pause - now.since(heard)).min(life - now.since(start)))
            };
            prop_assert_eq!(polling.due(now), expected);
            if let Due::In(pause) = expected {
                prop_assert!(!pause.is_zero());
            }
        }
        Ok(())
    };
    let times = || prop_oneof![4 => 0..2_000u64, 1 => any::<u64>()];
    let settings = Settings { failure_persistence: None, cases: 500, ..Settings::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let strategy = (times(), proptest::option::of(times()), steps());
    if let Err(failure) = TestRunner::new_with_rng(settings, rng).run(&strategy, claim) {
        panic!("{failure}");
    }
}

#[test]
fn whatever_the_provider_answers_nothing_panics() {
    let value = || {
        prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!([])),
        ]
    };
    let settings = Settings { failure_persistence: None, cases: 500, ..Settings::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let names = ["device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval", "error"];
    let strategy = (vec((0..names.len(), value()), 0..8), 0..600u16);
    let read = Cell::new(0);
    let claim = |(members, status): (Vec<(usize, Value)>, u16)| -> TestCaseResult {
        let mut body = json!({"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/", "expires_in": 5});
        members.into_iter().for_each(|(name, value)| body[names[name]] = value);
        if let Ok(authorization) = DeviceAuthorization::read(&json_response(if status % 2 == 0 { 200 } else { status }, &body)) {
            read.set(read.get() + 1);
            let Verified { code, uri } = Verified::of(&authorization);
            prop_assert!(!code.is_empty() && !code.contains(['<', '>', '&', '"', '\'']), "{}", code);
            prop_assert!(uri.starts_with("https://"), "{}", uri);
            prop_assert!(authorization.interval <= authorization.expires_in.duration());
        }
        Ok(())
    };
    if let Err(failure) = TestRunner::new_with_rng(settings, rng).run(&strategy, claim) {
        panic!("{failure}");
    }
    assert!(read.get() > 0, "none was read");
}

struct Verified<'a> {
    code: &'a str,
    uri: &'a str,
}

impl Verified<'_> {
    fn of(authorization: &DeviceAuthorization) -> Verified<'_> {
        let verification = &authorization.verification;
        Verified { code: &verification.user_code, uri: verification.verification_uri.as_str() }
    }
}

/// What is not about a device is not asked of one: the request of an API has no code in it.
#[test]
fn an_api_never_sees_a_code() {
    let world = World::new();
    let tv = Television::on(&world);
    world.provider.enter(&tv.code());
    tv.later(5);
    run(tv.tab.client.fetch(Request::get(format!("{API}me")))).unwrap();
    let api = world.requests().into_iter().find(|sent| sent.to == Some(Endpoint::Api)).unwrap();
    let (_, code) = tv.polls.borrow()[0].clone();
    assert!(!format!("{api:?}").contains(&code));
}
