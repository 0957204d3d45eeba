//! The UserInfo endpoint: claims count only if they are about the user who signed in.

use serde_json::{Value, json};
use tokenkeep::{
    Claims, Config, Error, Event, State,
    keep::ports::HttpFailure,
    protocol::{Algorithm, Cache, Interrupted, Misbehaved, Misconfigured, Response, Source, Unreadable, UserInfoFormat},
    session::Ended,
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Key, START, World, b64, json_response, run},
};

/// What comes of asking when the endpoint answers this. Whatever it is, the session does not notice.
fn asked(config: &Config, answer: impl Fn(&World) -> Result<Response, HttpFailure>) -> Result<Claims, Error> {
    let world = World::new();
    let mut tab = world.tab_with(config).unwrap();
    let session = tab.sign_in().unwrap();
    let answer = answer(&world);
    world.provider.answer(Endpoint::UserInfo, move |_, _| answer.clone());
    let stored = world.stored();
    let outcome = run(tab.client.user_info());
    assert_eq!((tab.state(), world.stored()), (State::SignedIn(session), stored), "the session is kept as it was");
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    assert_eq!(world.count(Endpoint::UserInfo), 1, "asked once");
    let visible = format!("{} {:?}", tab.visible(), outcome.as_ref().err());
    assert!(world.secrets().iter().all(|secret| !visible.contains(secret.as_str())), "{visible}");
    outcome
}

fn plain(body: &Value) -> Result<Claims, Error> {
    asked(&World::config(), |_| Ok(json_response(200, body)))
}

fn jwt(token: String) -> Response {
    Response { status: 200, headers: vec![("content-type".into(), "application/jwt".into())], body: token.into_bytes() }
}

fn signed_config() -> Config {
    World::config().user_info(UserInfoFormat::Signed)
}

fn signed(make: impl Fn(&World) -> String) -> Result<Claims, Error> {
    asked(&signed_config(), |world| Ok(jwt(make(world))))
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": CLIENT, "sub": "alice", "email": "alice@example.com"})
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

#[test]
fn claims_about_the_user_are_returned() {
    let session = plain(&json!({"sub": "alice", "email": "alice@example.com", "name": "Alice B. Archer"})).unwrap();
    assert_eq!((session.subject(), session.text("email"), session.display_name()), ("alice", Some("alice@example.com"), "Alice B. Archer"));
    let session = signed(|world| world.provider.sign(&claims())).unwrap();
    assert_eq!((session.subject(), session.text("email")), ("alice", Some("alice@example.com")));
}

// ui-sub, ui-nosub, id-unicode
#[test]
fn claims_about_somebody_else_are_not_used() {
    let others = ["bob", "Alice", "alice ", "", "alic\u{e9}", "ali\u{200b}ce", "a\u{301}lice"].map(|sub| json!(sub));
    for sub in others.into_iter().chain([Value::Null, json!(5), json!(["alice"]), json!({"sub": "alice"})]) {
        let expected = Err(Misbehaved::UserInfoSubjectMismatch.into());
        assert_eq!(plain(&json!({"sub": sub, "email": "bob@example.com"})), expected, "{sub}");
        assert_eq!(signed(|world| world.provider.sign(&with("sub", sub.clone()))), expected, "signed: {sub}");
    }
    assert_eq!(plain(&json!({"email": "bob@example.com"})), Err(Misbehaved::UserInfoSubjectMismatch.into()));
    assert_eq!(signed(|world| world.provider.sign(&without("sub"))), Err(Misbehaved::UserInfoSubjectMismatch.into()));
}

// id-unicode
#[test]
fn a_subject_is_not_normalized() {
    for (theirs, equal) in [("Zo\u{eb}", true), ("Zoe\u{308}", false), ("Zo\u{200b}\u{eb}", false)] {
        let world = World::new();
        world.provider.user("Zo\u{eb}");
        let mut tab = world.tab();
        tab.sign_in().unwrap();
        world.provider.always(Endpoint::UserInfo, json_response(200, &json!({"sub": theirs})));
        let expected = if equal { Ok(theirs.to_owned()) } else { Err(Misbehaved::UserInfoSubjectMismatch.into()) };
        assert_eq!(run(tab.client.user_info()).map(|claims| claims.subject().to_owned()), expected);
    }
}

// ui-noid
#[test]
fn there_are_no_claims_about_a_user_who_was_not_identified() {
    let world = World::new();
    let mut tab = world.tab_with(&World::config().scopes("orders:read").oauth_only()).unwrap();
    tab.sign_in().unwrap();
    assert_eq!(run(tab.client.user_info()), Err(Misconfigured::UserInfoUnavailable.into()));
    assert_eq!(world.count(Endpoint::UserInfo), 0);
}

#[test]
fn there_are_no_claims_without_an_endpoint_or_without_a_user() {
    let world = World::new();
    world.provider.metadata("userinfo_endpoint", Value::Null);
    let mut tab = world.tab();
    assert_eq!(run(tab.client.user_info()), Err(Interrupted::SignInNeeded.into()));
    tab.sign_in().unwrap();
    assert_eq!(run(tab.client.user_info()), Err(Misconfigured::UserInfoUnavailable.into()));
}

// ui-jwt
#[test]
fn the_answer_has_the_form_that_was_agreed_on() {
    let format = Err(Misbehaved::UserInfoFormat.into());
    assert_eq!(asked(&World::config(), |world| Ok(jwt(world.provider.sign(&claims())))), format);
    assert_eq!(asked(&signed_config(), |_| Ok(json_response(200, &claims()))), format);
}

// ui-jwt
#[test]
fn a_signed_answer_is_signed_by_the_provider_for_us() {
    for (claims, expected) in [
        (with("iss", json!("https://evil.example")), Misbehaved::IssuerMismatch),
        (with("iss", json!(format!("{ISSUER}/"))), Misbehaved::IssuerMismatch),
        (without("iss"), Misbehaved::IssuerMismatch),
        (with("aud", json!("other-client")), Misbehaved::AudienceMismatch),
        (with("aud", json!([CLIENT, "stranger"])), Misbehaved::AudienceMismatch),
        (with("aud", json!([])), Misbehaved::AudienceMismatch),
        (without("aud"), Misbehaved::AudienceMismatch),
        (with("azp", json!("other-client")), Misbehaved::AuthorizedPartyMismatch),
    ] {
        assert_eq!(signed(|world| world.provider.sign(&claims)), Err(expected.into()), "{claims}");
    }
    let mallory = |world: &World| {
        world.provider.sign_secretly_with(Key::new(Algorithm::Es256, "mallory"));
        world.provider.header(|header| header["kid"] = json!("key-1"));
        world.provider.sign(&claims())
    };
    assert_eq!(signed(mallory), Err(Misbehaved::SignatureInvalid.into()));
    let cut = |world: &World| {
        let token = world.provider.sign(&claims());
        token[..=token.rfind('.').unwrap()].to_owned()
    };
    assert_eq!(signed(cut), Err(Misbehaved::SignatureInvalid.into()));
    for algorithm in ["none", "HS256", ""] {
        let unsigned = |_: &World| format!("{}.{}.", b64(json!({"alg": algorithm}).to_string()), b64(claims().to_string()));
        assert_eq!(signed(unsigned), Err(Misbehaved::AlgorithmRefused.into()), "{algorithm}");
    }
    let unknown = |world: &World| {
        world.provider.header(|header| header["kid"] = json!("key-9"));
        world.provider.sign(&claims())
    };
    assert_eq!(signed(unknown), Err(Misbehaved::KeyUnknown.into()));
    assert_eq!(signed(|_| "not a token".into()), Err(Misbehaved::IdTokenMalformed.into()));
    assert_eq!(signed(|world| world.provider.sign(&claims()).replace('.', "..")), Err(Misbehaved::IdTokenEncrypted.into()));
}

// ui-ct
#[test]
fn what_is_no_json_is_no_user_info() {
    let answer = |status, content_type: &str, body: &str| Response {
        status,
        headers: vec![("content-type".into(), content_type.into())],
        body: body.into(),
    };
    let whole = r#"{"sub":"alice"}"#;
    for (response, why) in [
        (answer(200, "text/html", whole), Unreadable::ContentType),
        (answer(200, "", whole), Unreadable::ContentType),
        (Response { status: 200, headers: Vec::new(), body: Vec::new() }, Unreadable::ContentType),
        (answer(200, "application/json", ""), Unreadable::NotJson),
        (answer(200, "application/json", "<html>"), Unreadable::NotJson),
        (answer(200, "application/json", "[]"), Unreadable::NotAnObject),
        (answer(200, "application/json", "null"), Unreadable::NotAnObject),
        (answer(200, "application/json", r#"{"sub":"alice","sub":"bob"}"#), Unreadable::DuplicateMember),
        (answer(200, "application/json", &"[".repeat(1000)), Unreadable::TooDeep),
        (answer(200, "application/json", &" ".repeat(300_000)), Unreadable::TooLarge),
    ] {
        let outcome = asked(&World::config(), |_| Ok(response.clone()));
        assert_eq!(outcome, Err(Misbehaved::BadResponse { from: Source::UserInfo, why }.into()));
    }
    let outcome = asked(&signed_config(), |_| Ok(answer(200, "text/html", whole)));
    assert_eq!(outcome, Err(Misbehaved::BadResponse { from: Source::UserInfo, why: Unreadable::ContentType }.into()));
    for status in [201, 204, 400, 403, 404] {
        let outcome = asked(&World::config(), |_| Ok(answer(status, "application/json", whole)));
        assert_eq!(outcome, Err(Misbehaved::UnexpectedStatus { from: Source::UserInfo, status }.into()));
    }
    for status in [429, 500, 503] {
        let outcome = asked(&World::config(), |_| Ok(answer(status, "application/json", whole)));
        assert_eq!(outcome, Err(Interrupted::Unavailable { from: Source::UserInfo, status }.into()));
    }
    for status in [302, 307] {
        let outcome = asked(&World::config(), |_| Ok(answer(status, "text/plain", "")));
        assert_eq!(outcome, Err(Interrupted::Unreachable { from: Source::UserInfo }.into()));
    }
}

// ui-401
// A token that was issued this very moment is not renewed because somebody refuses it: the error is all that happens, and the session
// is kept. What becomes of one that is older: see `refresh.rs`.
#[test]
fn a_token_that_the_endpoint_refuses_ends_no_session() {
    let mut response = json_response(401, &json!({"error": "invalid_token"}));
    response.headers.push(("www-authenticate".into(), "Bearer error=\"invalid_token\"".into()));
    let outcome = asked(&World::config(), |_| Ok(response.clone()));
    assert_eq!(outcome, Err(Misbehaved::UnexpectedStatus { from: Source::UserInfo, status: 401 }.into()));
    for (failure, expected) in [
        (HttpFailure::Offline, Interrupted::Offline { from: Source::UserInfo }),
        (HttpFailure::TimedOut, Interrupted::TimedOut { from: Source::UserInfo }),
    ] {
        assert_eq!(asked(&World::config(), |_| Err(failure)), Err(expected.into()));
    }
}

// ui-query
#[test]
fn the_token_goes_into_the_header_and_nowhere_else() {
    for config in [World::config(), signed_config(), World::config().audience("api").resource("https://api.example/")] {
        let world = World::new();
        let mut tab = world.tab_with(&config).unwrap();
        tab.sign_in().unwrap();
        let _ = run(tab.client.user_info());
        let sent = world.requests().pop().unwrap();
        assert_eq!((sent.to, sent.method.as_str(), sent.cache), (Some(Endpoint::UserInfo), "GET", Cache::NoStore));
        assert_eq!((sent.url.as_str(), sent.body.as_str()), ("https://as.example/userinfo", ""));
        let bearer = format!("Bearer {}", world.provider.issued()[0]);
        let carrying: Vec<_> = sent.headers.iter().filter(|(_, value)| value.contains(&world.provider.issued()[0])).collect();
        assert_eq!(carrying, [&("authorization".to_owned(), bearer)]);
    }
}

// ui-null
#[test]
fn a_claim_that_says_nothing_is_absent() {
    let claims =
        plain(&json!({"sub": "alice", "name": "", "email": null, "preferred_username": "alice7", "age": 0, "admin": false})).unwrap();
    assert_eq!((claims.get("name"), claims.get("email"), claims.text("name")), (None, None, None));
    assert_eq!(claims.display_name(), "alice7");
    assert!(claims.get("age").is_some() && claims.get("admin").is_some());
}

#[test]
fn an_expired_token_is_not_sent() {
    let world = World::new();
    // Nothing leads to another one.
    world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut tab = world.tab();
    let session = tab.sign_in().unwrap();
    assert_eq!(session.expires.map(|at| at.as_secs()), Some(START + 300));
    // The device sleeps through its end, and no timer has told that it is over.
    world.sleep(std::time::Duration::from_secs(300));
    assert_eq!(tab.state(), State::SignedIn(session));
    assert_eq!(run(tab.client.user_info()), Err(Interrupted::SignInNeeded.into()));
    assert_eq!(world.count(Endpoint::UserInfo), 0);
    assert_eq!(tab.state(), State::SignedOut);
    assert!(tab.was_told(&Event::SignInNeeded) && tab.was_told(&Event::Ended(Ended::Expired)));
}
