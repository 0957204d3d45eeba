//! What a provider may offer beyond a code in a query: pushed requests, signed responses, ID tokens beside codes, forms, details.

use std::{cell::RefCell, rc::Rc, time::Duration};

use serde_json::{Value, json};
use tokenkeep::{
    Config, Error, Event, Finished, SignIn, State,
    keep::ports::{FrameEvent, HttpFailure},
    protocol::{Algorithm, Interrupted, Json, Misbehaved, Misconfigured, Response, ResponseMode, ResponseType, Source, Unreadable},
    session::{BREATH, Rung},
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Key, ORIGIN, Sent, World, b64, json_response, put, run},
};

const CLEAN: &str = "https://app.example/callback";

fn hybrid() -> Config {
    World::config().response_type(ResponseType::CodeIdToken)
}

fn signed() -> Config {
    World::config().response_mode(ResponseMode::QueryJwt)
}

fn pushed() -> (World, Config) {
    let world = World::new();
    world.provider.takes_pushed_requests();
    (world, World::config().pushed_authorization_requests(true))
}

/// A sign-in with this configuration, at a provider that is like this, while somebody is signed in: what is refused leaves them alone, uses
/// up the login, and sends no code anywhere.
#[track_caller]
fn refused(config: &Config, prepare: impl FnOnce(&World)) -> Error {
    let world = World::new();
    let mut tab = world.tab_with(config).unwrap();
    let before = tab.sign_in().unwrap();
    world.later(Duration::from_secs(5));
    prepare(&world);
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    let tokens = world.count(Endpoint::Token);
    let error = tab.see(&address).unwrap_err();
    assert_eq!(world.count(Endpoint::Token), tokens, "no code is sent");
    assert_eq!((tab.session(), tab.address().as_str()), (Some(before), CLEAN));
    assert!(world.stored().values().all(|record| !record.contains("verifier")), "the login is used up");
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    error
}

// Pushed requests

/// Signs in where there are no refresh tokens, and renews: the URL that the hidden frame was opened at.
fn renewed_in_a_frame(world: &World, config: &Config) -> String {
    world.provider.token_response(|body| put(body, "refresh_token", &Value::Null));
    let (provider, opened) = (world.provider.clone(), Rc::new(RefCell::new(String::new())));
    let seen = opened.clone();
    world.frame(move |url| {
        *seen.borrow_mut() = url.to_owned();
        let text = Some(provider.authorize(url));
        vec![FrameEvent::Message { origin: ORIGIN.to_owned(), from_frame: true, text }]
    });
    let mut tab = world.tab_with(config).unwrap();
    tab.sign_in().unwrap();
    world.later(BREATH);
    assert_eq!(run(tab.client.renew()).unwrap().renewed_by, Some(Rung::Frame));
    opened.take()
}

/// The one request that was pushed.
fn the_push(world: &World) -> Sent {
    let mut pushes = world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::PushedRequest));
    let push = pushes.next().expect("a request was pushed");
    assert!(pushes.next().is_none());
    push
}

#[test]
fn a_pushed_request_says_it_all_and_the_address_nothing() {
    let (world, config) = pushed();
    let tab = world.tab_with(&config).unwrap();
    let url = tab.leave(SignIn::default().login_hint("alice")).unwrap();
    assert_eq!(url, format!("{ISSUER}/authorize?client_id={CLIENT}&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A1"));
    let push = the_push(&world);
    assert_eq!((push.method.as_str(), push.header("content-type")), ("POST", Some("application/x-www-form-urlencoded")));
    for (name, value) in [("client_id", CLIENT), ("login_hint", "alice"), ("code_challenge_method", "S256"), ("response_type", "code")] {
        assert_eq!(push.field(name).as_deref(), Some(value), "{name}");
    }
    for name in ["state", "nonce", "code_challenge", "redirect_uri", "scope"] {
        assert!(push.field(name).is_some(), "{name}");
    }
    let address = world.provider.authorize(&url);
    assert!(tab.see(&address).is_ok());
}

// opt-parshape
#[test]
fn what_is_no_answer_to_a_pushed_request_sends_nobody_anywhere() {
    let bad = |why| Misbehaved::BadResponse { from: Source::PushedRequest, why }.into();
    let member = |name| bad(Unreadable::Member(name));
    let right = || json!({"request_uri": "urn:example:1", "expires_in": 60});
    let with = |name: &str, value: Value| {
        let mut body = right();
        put(&mut body, name, &value);
        json_response(201, &body)
    };
    let from = Source::PushedRequest;
    let cases: Vec<(Response, Error)> = vec![
        (json_response(200, &right()), Misbehaved::UnexpectedStatus { from, status: 200 }.into()),
        (json_response(302, &right()), Interrupted::Unreachable { from }.into()),
        (json_response(404, &right()), Misbehaved::UnexpectedStatus { from, status: 404 }.into()),
        (json_response(503, &json!({"error": "x"})), Interrupted::Unavailable { from, status: 503 }.into()),
        (json_response(201, &json!([])), bad(Unreadable::NotAnObject)),
        (Response { status: 201, headers: Vec::new(), body: b"<!doctype html>".to_vec() }, bad(Unreadable::ContentType)),
        (with("request_uri", Value::Null), member("request_uri")),
        (with("request_uri", json!("")), member("request_uri")),
        (with("request_uri", json!(7)), member("request_uri")),
        (with("expires_in", Value::Null), member("expires_in")),
        (with("expires_in", json!(0)), member("expires_in")),
        (with("expires_in", json!(-60)), member("expires_in")),
        (with("expires_in", json!("60")), member("expires_in")),
    ];
    for (answer, error) in cases {
        let (world, config) = pushed();
        let text = format!("{} {:?}", answer.status, String::from_utf8_lossy(&answer.body));
        world.provider.always(Endpoint::PushedRequest, answer);
        let tab = world.tab_with(&config).unwrap();
        assert_eq!(tab.leave(SignIn::default()), Err(error), "{text}");
        assert!(tab.bar.went.borrow().is_empty(), "there is no other way: {text}");
        assert!(world.stored().is_empty(), "{text}");
        the_push(&world);

        // The failure is not kept.
        world.provider.recover(Endpoint::PushedRequest);
        assert!(tab.leave(SignIn::default()).is_ok(), "{text}");
    }
}

#[test]
fn a_provider_that_refuses_a_pushed_request_is_heard() {
    let (world, config) = pushed();
    world.provider.answer(Endpoint::PushedRequest, |sent, _| {
        let (state, nonce) = (sent.field("state").unwrap(), sent.field("nonce").unwrap());
        Ok(json_response(400, &json!({"error": "invalid_authorization_details", "error_description": format!("{state} {nonce}")})))
    });
    let tab = world.tab_with(&config).unwrap();
    let error = tab.leave(SignIn::default()).unwrap_err();
    let Error::Provider(said) = &error else { panic!("{error:?}") };
    assert_eq!((said.error(), said.description()), ("invalid_authorization_details", None));
    assert!(tab.bar.went.borrow().is_empty() && world.stored().is_empty());

    let (world, config) = pushed();
    world.provider.answer(Endpoint::PushedRequest, |_, _| Err(HttpFailure::Unreachable));
    let tab = world.tab_with(&config).unwrap();
    assert_eq!(tab.leave(SignIn::default()), Err(Interrupted::Unreachable { from: Source::PushedRequest }.into()));
    assert!(tab.bar.went.borrow().is_empty());

    let tab = World::new().tab_with(&config).unwrap();
    assert_eq!(tab.leave(SignIn::default()), Err(Misconfigured::PushedRequestUnsupported.into()));
}

// opt-parinj
#[test]
fn the_name_of_a_pushed_request_is_one_value() {
    let (world, config) = pushed();
    let name = "urn:example:1&redirect_uri=https://evil.example/#x";
    world.provider.always(Endpoint::PushedRequest, json_response(201, &json!({"request_uri": name, "expires_in": 60})));
    let url = world.tab_with(&config).unwrap().leave(SignIn::default()).unwrap();
    let query: Vec<_> = url::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
    assert_eq!(query, [("client_id".to_owned(), CLIENT.to_owned()), ("request_uri".to_owned(), name.to_owned())]);
    assert!(!url.contains('#'));
}

// opt-parexp
#[test]
fn every_sign_in_pushes_its_own_request() {
    let (world, config) = pushed();
    let mut tab = world.tab_with(&config).unwrap();
    let first = tab.leave(SignIn::default()).unwrap();
    world.later(Duration::from_secs(120));
    let second = tab.leave(SignIn::default()).unwrap();
    assert_ne!(first, second);
    assert_eq!(world.count(Endpoint::PushedRequest), 2);

    // What the provider says of a request that was too old is the user's to decide: nothing is restarted by itself.
    let address = world.provider.authorize(&second);
    let state = address.split(['?', '&']).find(|pair| pair.starts_with("state=")).unwrap();
    let error = tab.arrive(&format!("{CLEAN}?error=invalid_request_uri&{state}&iss={ISSUER}")).unwrap_err();
    assert_eq!(error.code(), "invalid_request_uri");
    assert!(tab.bar.went.borrow().is_empty());
    assert_eq!(world.count(Endpoint::PushedRequest), 2);
}

#[test]
fn a_pushed_request_has_a_proof_where_tokens_are_bound() {
    let (world, config) = pushed();
    world.provider.nonce(ISSUER, "nonce-of-the-provider");
    let mut tab = world.tab_with(&config.dpop(true)).unwrap();
    assert_eq!(tab.sign_in().err(), None);
    // Once more with the nonce that it asked for.
    assert_eq!(world.count(Endpoint::PushedRequest), 2);
    let pushes = world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::PushedRequest));
    assert!(pushes.into_iter().all(|push| push.header("dpop").is_some()));
}

#[test]
fn a_renewal_in_a_frame_is_pushed_too() {
    let (world, config) = pushed();
    let url = renewed_in_a_frame(&world, &config);
    assert!(url.contains("request_uri=") && !url.contains("state="), "{url}");
    assert_eq!(world.count(Endpoint::PushedRequest), 2);
}

// Signed responses

#[test]
fn a_signed_response_is_verified_before_its_code_is_sent() {
    for mode in [ResponseMode::QueryJwt, ResponseMode::FragmentJwt] {
        let world = World::new();
        let mut tab = world.tab_with(&World::config().response_mode(mode)).unwrap();
        let url = tab.leave(SignIn::default()).unwrap();
        assert!(url.contains(&format!("response_mode={}", mode.name())));
        let address = world.provider.authorize(&url);
        assert!(address.contains("response=") && !address.contains("code"), "{address}");
        assert!(tab.arrive(&address).is_ok());
        let order: Vec<_> = world.requests().into_iter().filter_map(|sent| sent.to).collect();
        let place = |endpoint| order.iter().position(|other| *other == endpoint).unwrap();
        assert!(place(Endpoint::Keys) < place(Endpoint::Token));
        assert_eq!(tab.address(), CLEAN);
        assert_eq!(tab.see(&address), Err(Misbehaved::AlreadyUsed.into()));
    }
}

// opt-jarm
#[test]
fn a_signed_response_that_is_not_right_is_none() {
    let of = |name: &'static str, value: Value| {
        refused(&signed(), move |world| world.provider.signed_response(move |claims| put(claims, name, &value)))
    };
    for value in [Value::Null, json!("https://evil.example"), json!(format!("{ISSUER}/")), json!([ISSUER])] {
        assert_eq!(of("iss", value), Misbehaved::IssuerMismatch.into());
    }
    for value in [Value::Null, json!("another"), json!([CLIENT, "another"]), json!([])] {
        assert_eq!(of("aud", value), Misbehaved::AudienceMismatch.into());
    }
    for value in [Value::Null, json!("soon"), json!(0), json!(1_000)] {
        assert_eq!(of("exp", value), Misbehaved::ResponseExpired.into());
    }
    assert_eq!(of("code", Value::Null), Misbehaved::CodeMissing.into());
    assert_eq!(of("code", json!(7)), Misbehaved::MalformedResponse.into());
    assert_eq!(of("access_token", json!("leaked")), Misbehaved::UnexpectedToken.into());
    assert_eq!(of("id_token", json!("leaked")), Misbehaved::UnexpectedToken.into());
    assert_eq!(of("error", json!("access_denied")), Misbehaved::AmbiguousResponse.into());
    assert_eq!(of("response", json!("e30.e30.x")), Misbehaved::StateUnknown.into());

    let header = |name: &'static str, value: Value| {
        refused(&signed(), move |world| {
            // Only of the response: there is no ID token before it is refused.
            world.provider.header(move |header| put(header, name, &value));
        })
    };
    for alg in ["none", "HS256", "RS1"] {
        assert_eq!(header("alg", json!(alg)), Misbehaved::AlgorithmRefused.into(), "{alg}");
    }
    assert_eq!(header("kid", json!("of-nobody")), Misbehaved::KeyUnknown.into());
    let error = refused(&signed(), |world| {
        let mut key = Key::new(Algorithm::Es256, "mallory");
        key.kid = "key-1".to_owned();
        world.provider.sign_secretly_with(key);
    });
    assert_eq!(error, Misbehaved::SignatureInvalid.into());
    let world = World::new();
    world.provider.metadata("authorization_signing_alg_values_supported", json!(["RS256"]));
    assert_eq!(world.tab_with(&signed()).unwrap().sign_in(), Err(Misbehaved::AlgorithmRefused.into()));
    assert_eq!(world.count(Endpoint::Token), 0);
}

#[test]
fn an_issuer_is_compared_before_any_key_is_fetched() {
    let world = World::new();
    world.provider.signed_response(|claims| claims["iss"] = json!("https://evil.example"));
    let mut tab = world.tab_with(&signed()).unwrap();
    assert_eq!(tab.sign_in(), Err(Misbehaved::IssuerMismatch.into()));
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Token)), (0, 0));
}

#[test]
fn a_signed_response_that_was_asked_for_is_the_only_one() {
    // Without a signature, or with something beside it.
    for change in [
        |_: &str, state: &str| format!("{CLEAN}?code=code-1&state={state}&iss={ISSUER}"),
        |address: &str, state: &str| format!("{address}&state={state}"),
        |address: &str, _: &str| format!("{address}&code=code-1"),
        |address: &str, _: &str| format!("{address}&error=access_denied"),
        |address: &str, _: &str| address.replacen('?', "#", 1),
    ] {
        let world = World::new();
        let tab = world.tab_with(&signed()).unwrap();
        let url = tab.leave(SignIn::default()).unwrap();
        let state = url.split('&').find_map(|pair| pair.strip_prefix("state=")).unwrap().to_owned();
        let address = change(&world.provider.authorize(&url), &state);
        assert_eq!(tab.see(&address), Err(Misbehaved::ResponseModeMismatch.into()), "{address}");
        assert_eq!(world.count(Endpoint::Token), 0);
        assert_eq!(tab.see(&world.provider.authorize(&url)), Err(Misbehaved::AlreadyUsed.into()));
    }
    // What no login of ours waits for changes nothing.
    let world = World::new();
    let tab = world.tab_with(&signed()).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    let before = world.stored();
    for payload in [json!({}), json!({"state": "unknown"}), json!({"state": ""}), json!({"state": 7}), json!([])] {
        let response = format!("{}.{}.{}", b64(r#"{"alg":"ES256"}"#), b64(payload.to_string()), b64([7; 64]));
        let error = tab.see(&format!("{CLEAN}?response={response}")).unwrap_err();
        assert!([Misbehaved::StateMissing.into(), Misbehaved::StateUnknown.into()].contains(&error), "{payload}: {error:?}");
        assert_eq!(world.stored(), before);
    }
    assert!(tab.see(&world.provider.authorize(&url)).is_ok());
}

#[test]
fn an_error_counts_when_it_is_signed() {
    let world = World::new();
    world.provider.signed_response(|claims| {
        claims.as_object_mut().unwrap().remove("code");
        claims["error"] = json!("access_denied");
    });
    let mut tab = world.tab_with(&signed()).unwrap();
    assert_eq!(tab.sign_in().unwrap_err().code(), "access_denied");
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Token)), (1, 0));
}

// A code with an ID token

/// The ID token beside the code, with this claim changed.
fn refused_front(name: &'static str, value: Value) -> Error {
    refused(&hybrid(), move |world| world.provider.front_claims(move |claims| put(claims, name, &value)))
}

#[test]
fn a_code_with_an_id_token_signs_in() {
    for mode in [None, Some(ResponseMode::Fragment), Some(ResponseMode::FragmentJwt), Some(ResponseMode::FormPost)] {
        let world = World::new();
        let config = mode.map_or(hybrid(), |mode| hybrid().response_mode(mode)).form_post_receiver();
        let mut tab = world.tab_with(&config).unwrap();
        let url = tab.leave(SignIn::default()).unwrap();
        assert!(url.contains("response_type=code+id_token") || url.contains("response_type=code%20id_token"), "{url}");
        let address = world.provider.authorize(&url);
        assert!(tab.arrive(&address).is_ok(), "{mode:?}");
        assert_eq!(tab.session().unwrap().subject(), Some("alice"));
        assert_eq!(tab.address(), CLEAN);
        let verified = tab.events.borrow().iter().filter(|event| matches!(event, Event::IdTokenVerified { .. })).count();
        assert_eq!(verified, 2, "{mode:?}");
    }
}

// id-chash
#[test]
fn an_id_token_of_another_code_stops_the_code() {
    for value in [Value::Null, json!(""), json!("LDktKdoQak3Pk0cnXxCltA"), json!(7)] {
        assert_eq!(refused_front("c_hash", value), Misbehaved::CodeHashMismatch.into());
    }
    assert_eq!(refused_front("s_hash", json!("LDktKdoQak3Pk0cnXxCltA")), Misbehaved::CodeHashMismatch.into());
    // A provider need not say it.
    let world = World::new();
    world.provider.front_claims(|claims| put(claims, "s_hash", &Value::Null));
    assert!(world.tab_with(&hybrid()).unwrap().sign_in().is_ok());
}

#[test]
fn an_id_token_says_the_issuer_too() {
    let world = World::new();
    world.provider.callback(|response| response.retain(|(name, _)| name != "iss"));
    assert!(world.tab_with(&hybrid()).unwrap().sign_in().is_ok());
    // An error has none.
    world.provider.callback(|response| {
        response.retain(|(name, _)| name == "state");
        response.push(("error".into(), "access_denied".into()));
    });
    assert_eq!(world.tab_with(&hybrid()).unwrap().sign_in(), Err(Misbehaved::IssuerMissing.into()));
}

#[test]
fn an_id_token_beside_a_code_is_verified_like_any_other() {
    for (name, value, error) in [
        ("iss", json!("https://evil.example"), Misbehaved::IssuerMismatch),
        ("aud", json!("another"), Misbehaved::AudienceMismatch),
        ("nonce", json!("another"), Misbehaved::NonceMismatch),
        ("nonce", Value::Null, Misbehaved::NonceMismatch),
        ("exp", json!(1_000), Misbehaved::IdTokenExpired),
        ("sub", json!(""), Misbehaved::SubjectInvalid),
    ] {
        assert_eq!(refused_front(name, value), error.into(), "{name}");
    }
    let error = refused(&hybrid(), |world| world.provider.sign_secretly_with(Key::new(Algorithm::Es256, "of-nobody")));
    assert_eq!(error, Misbehaved::KeyUnknown.into());
    let error = refused(&hybrid(), |world| world.provider.callback(|response| response.retain(|(name, _)| name != "id_token")));
    assert_eq!(error, Misbehaved::IdTokenMissing.into());
    let error = refused(&hybrid(), |world| {
        world.provider.callback(|response| response.push(("access_token".into(), "leaked".into())));
    });
    assert_eq!(error, Misbehaved::UnexpectedToken.into());
}

// id-hybridsub
#[test]
fn both_id_tokens_name_one_user() {
    for (name, value, error) in
        [("sub", json!("mallory"), Misbehaved::UserChanged), ("iss", json!("https://evil.example"), Misbehaved::IssuerMismatch)]
    {
        let world = World::new();
        let mut tab = world.tab_with(&hybrid()).unwrap();
        tab.sign_in().unwrap();
        world.later(Duration::from_secs(5));
        let before = tab.session();
        world.provider.claims(move |claims| claims[name] = value.clone());
        let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        assert_eq!(tab.see(&address), Err(error.into()));
        // What came is discarded unseen.
        assert_eq!(tab.session(), before);
        assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    }
}

#[test]
fn a_token_does_not_travel_in_a_query() {
    for config in [hybrid().response_mode(ResponseMode::Query), hybrid().response_mode(ResponseMode::QueryJwt), hybrid().oauth_only()] {
        assert_eq!(World::new().tab_with(&config).err(), Some(Misconfigured::ResponseModeMalformed.into()));
    }
    // Where it was asked for in the fragment, it is refused in the query.
    let world = World::new();
    let tab = world.tab_with(&hybrid()).unwrap();
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap()).replacen('#', "?", 1);
    assert_eq!(tab.see(&address), Err(Misbehaved::ResponseModeMismatch.into()));
    assert_eq!((world.count(Endpoint::Token), tab.address().as_str()), (0, CLEAN));
}

// Forms

fn posted() -> Config {
    World::config().response_mode(ResponseMode::FormPost).form_post_receiver()
}

#[test]
fn a_form_that_was_received_signs_in() {
    for mode in [ResponseMode::FormPost, ResponseMode::FormPostJwt] {
        let world = World::new();
        let mut tab = world.tab_with(&posted().response_mode(mode)).unwrap();
        let url = tab.leave(SignIn::default()).unwrap();
        assert!(url.contains(&format!("response_mode={}", mode.name())));
        let address = world.provider.authorize(&url);
        assert!(tab.arrive(&address).is_ok(), "{address}");
        assert_eq!(tab.address(), CLEAN);
        assert_eq!(tab.see(&address), Err(Misbehaved::AlreadyUsed.into()));
    }
}

// opt-formpost
#[test]
fn a_form_is_not_asked_for_where_nobody_receives_it() {
    for mode in [ResponseMode::FormPost, ResponseMode::FormPostJwt] {
        let config = World::config().response_mode(mode);
        assert_eq!(World::new().tab_with(&config).err(), Some(Misconfigured::FormPostReceiverMissing.into()));
    }
}

// opt-fpcsrf
#[test]
fn a_form_that_nobody_asked_for_changes_nothing() {
    let world = World::new();
    let tab = world.tab_with(&posted()).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    let (before, asked) = (world.stored(), world.requests().len());
    let form = |form: &str| format!("{CLEAN}#tokenkeep_form={}", url::form_urlencoded::byte_serialize(form.as_bytes()).collect::<String>());
    for (address, error) in [
        (form("code=x&state=unknown"), Misbehaved::StateUnknown),
        (form("code=x"), Misbehaved::StateMissing),
        (form(""), Misbehaved::StateMissing),
        (form("state=a&state=b&code=x"), Misbehaved::DuplicateParameter),
        (form("state=%zz&code=x"), Misbehaved::MalformedResponse),
        (format!("{CLEAN}#tokenkeep_form=%zz"), Misbehaved::MalformedResponse),
    ] {
        assert_eq!(tab.see(&address), Err(error.into()), "{address}");
        assert_eq!((world.stored(), world.requests().len(), tab.address().as_str()), (before.clone(), asked, CLEAN));
    }
    // One of ours that came in another way fails, whichever way.
    let right = world.provider.authorize(&url);
    let body = right.split_once("tokenkeep_form=").unwrap().1;
    let decoded: String = url::form_urlencoded::parse(format!("x={body}").as_bytes()).map(|(_, value)| value.into_owned()).collect();
    assert_eq!(tab.see(&format!("{CLEAN}?{decoded}")), Err(Misbehaved::ResponseModeMismatch.into()));
    assert_eq!(tab.see(&right), Err(Misbehaved::AlreadyUsed.into()));
    assert_eq!(world.count(Endpoint::Token), 0);

    let query = world.tab();
    let right = world.provider.authorize(&query.leave(SignIn::default()).unwrap());
    let body = right.split_once('?').unwrap().1;
    assert_eq!(query.see(&form(body)), Err(Misbehaved::ResponseModeMismatch.into()));
}

// opt-fperr
#[test]
fn an_error_that_came_as_a_form_is_like_any_other() {
    let world = World::new();
    let mut tab = world.tab_with(&posted()).unwrap();
    world.provider.callback(|response| {
        response.retain(|(name, _)| name != "code");
        response.push(("error".into(), "login_required".into()));
    });
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    assert!(matches!(tab.arrive(&address), Ok(Finished::SignInNeeded { .. })));
    assert_eq!((world.count(Endpoint::Token), tab.address().as_str()), (0, CLEAN));
    assert_eq!(tab.state(), State::SignedOut);
}

#[test]
fn a_hidden_frame_is_answered_without_a_form() {
    for (config, mode) in [
        (posted(), None),
        (posted().response_mode(ResponseMode::FormPostJwt), Some("query.jwt")),
        (hybrid().response_mode(ResponseMode::FormPost).form_post_receiver(), None),
        (hybrid().response_mode(ResponseMode::FormPostJwt).form_post_receiver(), Some("fragment.jwt")),
    ] {
        let asked = url::Url::parse(&renewed_in_a_frame(&World::new(), &config)).unwrap();
        let said = asked.query_pairs().find(|(name, _)| name == "response_mode").map(|(_, mode)| mode.into_owned());
        assert_eq!(said.as_deref(), mode);
    }
}

// Details

fn details(text: &str) -> Json {
    Json::parse(text).unwrap()
}

#[test]
fn details_that_were_granted_are_in_the_session() {
    let world = World::new();
    let mut tab = world.tab();
    let asked = r#"[{"actions":["read","cancel"],"note":"a&b=c#d","type":"orders"}]"#;
    let session = tab.sign_in_as(SignIn::default().authorization_details(details(asked))).unwrap();
    assert_eq!(Json::Array(session.authorization_details), details(asked));
    // They hold when the session is renewed without a word about them, and in another tab.
    world.provider.token_response(|body| put(body, "authorization_details", &Value::Null));
    world.later(Duration::from_secs(290));
    world.settle();
    let session = tab.session().unwrap();
    assert_eq!(session.renewed_by, Some(Rung::RefreshToken));
    assert_eq!(Json::Array(session.authorization_details), details(asked));
    let mut other = world.tab();
    other.arrive(ORIGIN).unwrap();
    assert_eq!(Json::Array(other.session().unwrap().authorization_details), details(asked));
}

// opt-rar
#[test]
fn details_are_what_was_granted_and_not_what_was_asked_for() {
    let ask = || SignIn::default().authorization_details(details(r#"[{"type":"orders","actions":["read","cancel"]}]"#));
    for granted in [json!([{"type": "orders", "actions": ["read"]}]), json!([{"type": "invoices"}]), json!([])] {
        let world = World::new();
        let said = granted.clone();
        world.provider.token_response(move |body| body["authorization_details"] = said.clone());
        let session = world.tab().sign_in_as(ask()).unwrap();
        assert_eq!(Json::Array(session.authorization_details), details(&granted.to_string()));
    }
    let world = World::new();
    world.provider.token_response(|body| put(body, "authorization_details", &Value::Null));
    assert_eq!(world.tab().sign_in_as(ask()).unwrap().authorization_details, []);
    for granted in [json!({"type": "orders"}), json!("orders"), json!(7), json!(true)] {
        let world = World::new();
        world.provider.token_response(move |body| body["authorization_details"] = granted.clone());
        let mut tab = world.tab();
        let why = Unreadable::Member("authorization_details");
        assert_eq!(tab.sign_in_as(ask()), Err(Misbehaved::BadResponse { from: Source::Token, why }.into()));
        assert_eq!(tab.session(), None);
    }
    let world = World::new();
    world.provider.always(Endpoint::Token, json_response(400, &json!({"error": "invalid_authorization_details"})));
    assert_eq!(world.tab().sign_in_as(ask()).unwrap_err().code(), "invalid_authorization_details");
    for asked in ["[]", "{}", "7", r#"[{"actions":["read"]}]"#, r#"[{"type":""}]"#, r#"[{"type":7}]"#, r#"["orders"]"#] {
        let world = World::new();
        let error = world.tab().leave(SignIn::default().authorization_details(details(asked)));
        assert_eq!(error, Err(Misconfigured::AuthorizationDetailsMalformed.into()), "{asked}");
        assert!(world.requests().is_empty() && world.stored().is_empty());
    }
}

// A client that is named by the URL of its metadata

// opt-cimd
#[test]
fn a_client_is_named_by_a_whole_https_url_or_the_app_does_not_start() {
    let check = |client: &str| Config::new(ISSUER, client).check(ORIGIN).map(|_| ());
    for client in [
        "https://app.example",
        "https://app.example#",
        "https://app.example?client",
        "https:///client.json",
        "https://app.example/client.json#",
        "https://app.example/client.json#one",
        "https://app.example/client.json?tab=2#one",
        "https://user@app.example/client.json",
        "https://user:password@app.example/client.json",
        "https://app.example/./client.json",
        "https://app.example/apps/../client.json",
        "https://app.example/..",
        "https://app.example/%2e%2E/client.json",
        "HTTPS://app.example",
    ] {
        assert_eq!(check(client), Err(Misconfigured::ClientIdMalformed), "{client}");
    }
    for client in [
        "https://app.example/",
        "https://app.example/client.json",
        "https://app.example/client.json?version=2",
        "https://app.example/a..b/.client/...",
        // What is no https URL is the provider's own name for a client.
        "my-app",
        "urn:my-app#one",
        "http://app.example",
        "my@app/../one",
    ] {
        assert_eq!(check(client), Ok(()), "{client}");
    }
}

// opt-cimd
#[test]
fn who_names_a_client_by_a_url_hears_that_the_provider_does_not_read_it_before_leaving() {
    let url = "https://app.example/client.json";
    for (client, supported, warned) in [
        (url, json!(true), false),
        (url, json!(false), true),
        (url, Value::Null, true),
        (CLIENT, json!(false), false),
        (CLIENT, Value::Null, false),
    ] {
        let world = World::new();
        world.provider.metadata("client_id_metadata_document_supported", supported.clone());
        let tab = world.tab_with(&Config::new(ISSUER, client)).unwrap();
        let left = tab.leave(SignIn::default()).unwrap();
        assert!(left.starts_with(&format!("{ISSUER}/authorize?")), "the URL may be registered all the same: {left}");
        let news: Vec<_> = tab.news().into_iter().filter(|event| *event != Event::MetadataRead).collect();
        let expected = if warned { vec![Event::ClientMetadataUnsupported, Event::Redirecting] } else { vec![Event::Redirecting] };
        assert_eq!(news, expected, "{client} {supported}");
    }
}

// opt-cimd
#[test]
fn metadata_that_says_nonsense_about_urls_of_clients_are_refused() {
    let world = World::new();
    world.provider.metadata("client_id_metadata_document_supported", json!("yes"));
    let tab = world.tab_with(&Config::new(ISSUER, "https://app.example/client.json")).unwrap();
    let why = Unreadable::Member("client_id_metadata_document_supported");
    assert_eq!(tab.leave(SignIn::default()).unwrap_err(), Misbehaved::BadResponse { from: Source::Metadata, why }.into());
}
