//! An ID token that comes as a form, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};
use tokenkeep::{
    Config, Error, Prompt, SignIn,
    implicit::{IdTokenSignIn, Identity},
    protocol::{Misbehaved, Misconfigured, PendingLogin, ResponseMode},
};

use crate::{
    test,
    world::{Endpoint, ORIGIN, World, put, run},
};

fn open(world: &World, config: &Config) -> IdTokenSignIn {
    IdTokenSignIn::open(config, world.ports(), ORIGIN).unwrap()
}

fn finish(sign_in: &IdTokenSignIn, address: &str) -> Option<Result<Identity, Error>> {
    sign_in.finish(address).map(run)
}

/// What comes of a sign-in at a provider that is like this.
#[track_caller]
fn refused(config: &Config, prepare: impl FnOnce(&World)) -> Error {
    let world = World::new();
    prepare(&world);
    let sign_in = open(&world, config);
    let url = run(sign_in.begin(SignIn::default(), "/".into())).unwrap();
    let address = world.provider.authorize(url.expose());
    let error = finish(&sign_in, &address).unwrap().unwrap_err();
    assert_eq!(world.count(Endpoint::Token), 0);
    assert_eq!(finish(&sign_in, &address), Some(Err(Misbehaved::AlreadyUsed.into())), "it is used up");
    error
}

#[test]
fn it_says_who_the_user_is_and_asks_for_no_token() {
    for config in [World::config(), World::config().response_mode(ResponseMode::FormPostJwt)] {
        let world = World::new();
        let sign_in = open(&world, &config);
        let url = run(sign_in.begin(SignIn::default().prompt([Prompt::Login]), "/orders".into())).unwrap();
        let asked = url::Url::parse(url.expose()).unwrap();
        let value = |name: &str| asked.query_pairs().find(|(ours, _)| ours == name).map(|(_, value)| value.into_owned());
        assert_eq!(value("response_type").as_deref(), Some("id_token"));
        assert!(value("response_mode").unwrap().starts_with("form_post"));
        assert!(value("nonce").is_some() && value("state").is_some());
        for name in ["code_challenge", "code_challenge_method", "resource", "audience"] {
            assert_eq!(value(name), None, "{name}");
        }
        let address = world.provider.authorize(url.expose());
        // Whoever opens it anew after the redirect knows of it.
        let Identity { claims, return_to } = finish(&open(&world, &config), &address).unwrap().unwrap();
        assert_eq!((claims.subject(), return_to.as_str()), ("alice", "/orders"));
        assert_eq!(claims.get("nonce"), None);
        assert_eq!((world.count(Endpoint::Token), world.count(Endpoint::Keys)), (0, 1));
        assert!(world.stored().values().all(|record| !record.contains("nonce")), "nothing secret is left");
        assert_eq!(finish(&sign_in, &address), Some(Err(Misbehaved::AlreadyUsed.into())));
    }
}

#[test]
fn the_id_token_is_verified_like_any_other() {
    for (name, value, error) in [
        ("iss", json!("https://evil.example"), Misbehaved::IssuerMismatch),
        ("aud", json!("another"), Misbehaved::AudienceMismatch),
        ("nonce", json!("another"), Misbehaved::NonceMismatch),
        ("nonce", Value::Null, Misbehaved::NonceMismatch),
        ("exp", json!(1_000), Misbehaved::IdTokenExpired),
        ("sub", Value::Null, Misbehaved::SubjectInvalid),
    ] {
        let found = refused(&World::config(), |world| world.provider.front_claims(move |claims| put(claims, name, &value)));
        assert_eq!(found, error.into(), "{name}");
    }
    let found = refused(&World::config(), |world| world.provider.header(|header| header["alg"] = json!("none")));
    assert_eq!(found, Misbehaved::AlgorithmRefused.into());
    let with = |name: &'static str| {
        refused(&World::config(), move |world| world.provider.callback(move |response| response.push((name.into(), "leaked".into()))))
    };
    assert_eq!(with("access_token"), Misbehaved::UnexpectedToken.into());
    assert_eq!(with("code"), Misbehaved::ResponseModeMismatch.into());
    assert_eq!(with("error"), Misbehaved::AmbiguousResponse.into());
    let without = refused(&World::config(), |world| {
        world.provider.callback(|response| response.retain(|(name, _)| name != "id_token"));
    });
    assert_eq!(without, Misbehaved::IdTokenMissing.into());
}

#[test]
fn a_response_that_is_not_ours_changes_nothing() {
    let world = World::new();
    let sign_in = open(&world, &World::config());
    let url = run(sign_in.begin(SignIn::default(), "/".into())).unwrap();
    let right = world.provider.authorize(url.expose());
    let before = world.stored();
    assert_eq!(finish(&sign_in, ORIGIN), None);
    assert_eq!(finish(&sign_in, &format!("{ORIGIN}/callback")), None);
    let forged = format!("{ORIGIN}/callback#tokenkeep_form=id_token%3Dx%26state%3Dunknown");
    assert_eq!(finish(&sign_in, &forged), Some(Err(Misbehaved::StateUnknown.into())));
    assert_eq!(world.stored(), before);
    // In another place than that of a form it fails.
    let body = right.split_once("tokenkeep_form=").unwrap().1;
    let form: String = url::form_urlencoded::parse(format!("x={body}").as_bytes()).map(|(_, value)| value.into_owned()).collect();
    let fragment = format!("{ORIGIN}/callback#{form}");
    assert_eq!(finish(&sign_in, &fragment), Some(Err(Misbehaved::ResponseModeMismatch.into())));
    assert_eq!(finish(&sign_in, &right), Some(Err(Misbehaved::AlreadyUsed.into())));
}

#[test]
fn it_lasts_as_long_as_any_sign_in() {
    let world = World::new();
    let sign_in = open(&world, &World::config());
    let url = run(sign_in.begin(SignIn::default(), "/".into())).unwrap();
    let address = world.provider.authorize(url.expose());
    world.later(PendingLogin::LIFE + Duration::from_secs(1));
    assert_eq!(finish(&sign_in, &address), Some(Err(Misbehaved::SignInExpired.into())));
}

#[test]
fn a_client_that_waits_for_a_code_takes_no_such_answer() {
    let world = World::new();
    let url = run(open(&world, &World::config()).begin(SignIn::default(), "/".into())).unwrap();
    let address = world.provider.authorize(url.expose());
    let mut tab = world.tab();
    assert_eq!(tab.arrive(&address), Err(Misbehaved::CodeMissing.into()));
    assert_eq!((tab.session(), world.count(Endpoint::Token)), (None, 0));
    let error = IdTokenSignIn::open(&World::config().oauth_only(), world.ports(), ORIGIN).err();
    assert_eq!(error, Some(Misconfigured::OpenidMissing.into()));
}
