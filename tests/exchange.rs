//! Token exchange by a public client: an API that gets a token for the one that the user signed in for (RFC 8693).

use serde_json::{Value, json};
use tokenkeep::{
    Access, Config, Error, Event, Session, SignOut, State,
    protocol::{Interrupted, Misbehaved, Misconfigured, Source, Unreadable},
    session::BREATH,
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Sent, Tab, Weather, World, json_response, put, run},
};

const LEDGER: &str = "https://api.example/ledger/";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

fn config() -> Config {
    let ledger = Access::exchanged().audience("ledger").scope("orders:read").resource("https://ledger.example/");
    World::config().renew_by_frame(false).api_for(LEDGER, ledger)
}

fn signed_in() -> (World, Tab, Session) {
    let world = World::new();
    let mut tab = world.tab_with(&config()).unwrap();
    let session = tab.sign_in().unwrap();
    (world, tab, session)
}

fn exchanges(world: &World) -> Vec<Sent> {
    let is_exchange = |sent: &Sent| sent.field("grant_type").is_some_and(|grant_type| grant_type.ends_with(":token-exchange"));
    world.requests().into_iter().filter(is_exchange).collect()
}

fn used(world: &World) -> Vec<String> {
    let requests = world.requests();
    let sent = requests.iter().filter(|sent| sent.to == Some(Endpoint::Api)).map(|sent| sent.header("authorization").unwrap());
    sent.map(|value| value.strip_prefix("Bearer ").unwrap().to_owned()).collect()
}

/// The session goes on with what it had, and nobody's call went out with anything else.
fn nothing_changed(world: &World, tab: &Tab, session: &Session) {
    assert_eq!((tab.session().as_ref(), tab.fetch(API).map(|response| response.status)), (Some(session), Ok(200)));
    assert_eq!(used(world), [world.provider.issued()[0].clone()]);
    assert!(!tab.was_told(&Event::SignInNeeded), "{:?}", tab.events);
}

#[test]
fn an_api_gets_a_token_that_came_for_the_users() {
    let (world, tab, session) = signed_in();
    for url in [LEDGER, API, LEDGER, API] {
        assert_eq!(tab.fetch(&format!("{url}1")).unwrap().status, 200);
    }
    let [exchange] = &exchanges(&world)[..] else { panic!("one for all calls: {:?}", exchanges(&world)) };
    let issued = world.provider.issued();
    for (name, value) in [
        ("client_id", CLIENT),
        ("subject_token", &issued[0]),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "ledger"),
        ("resource", "https://ledger.example/"),
        ("scope", "orders:read"),
    ] {
        assert_eq!(exchange.field(name).as_deref(), Some(value), "{name}");
    }
    let [main, exchanged] = &issued[..] else { panic!("{issued:?}") };
    assert_eq!(used(&world), [exchanged, main, exchanged, main].map(Clone::clone));
    assert_eq!(tab.session(), Some(session), "the user is who they were");
    assert!(world.requests().iter().all(|sent| sent.field("grant_type").as_deref() != Some("refresh_token")));
}

#[test]
fn many_calls_at_once_are_one_exchange() {
    let (world, tab, _) = signed_in();
    world.network.weather(|_| Weather { delay: 50, ..Weather::default() });
    let url = format!("{LEDGER}1");
    let calls = (0..100).map(|_| tab.client.fetch(tokenkeep::Request::get(&url)));
    assert!(run(futures::future::join_all(calls)).iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)));
    assert_eq!(exchanges(&world).len(), 1);
}

#[test]
fn one_that_has_ended_comes_anew_for_the_users_latest() {
    let (world, tab, _) = signed_in();
    assert_eq!(tab.fetch(LEDGER).unwrap().status, 200);
    world.sleep(std::time::Duration::from_secs(3600));
    assert_eq!(tab.fetch(LEDGER).unwrap().status, 200);
    let [first, second] = &exchanges(&world)[..] else { panic!("{:?}", exchanges(&world)) };
    let (first, second) = (first.field("subject_token").unwrap(), second.field("subject_token").unwrap());
    assert_ne!(first, second, "one that has ended is not presented");
    assert!(world.provider.issued().contains(&second) && world.provider.reused().is_empty());

    // An API that refuses it: once more, and not for ever.
    world.later(BREATH * 2);
    world.provider.revoke_access_tokens();
    assert_eq!(tab.fetch(LEDGER).unwrap().status, 200);
    assert_eq!(exchanges(&world).len(), 3);
}

#[test]
fn a_provider_that_refuses_is_the_trouble_of_who_called() {
    for error in ["unauthorized_client", "invalid_target", "invalid_request", "invalid_grant", "unsupported_grant_type"] {
        let (world, tab, session) = signed_in();
        world.provider.always(Endpoint::Token, json_response(400, &json!({"error": error})));
        for _ in 0..3 {
            assert_eq!(tab.fetch(LEDGER).unwrap_err().code(), error);
        }
        assert_eq!(exchanges(&world).len(), 1, "{error}: not again in the same breath");
        nothing_changed(&world, &tab, &session);
        world.provider.recover(Endpoint::Token);
        world.later(BREATH * 2);
        assert_eq!(tab.fetch(LEDGER).unwrap().status, 200, "{error}");
    }
}

#[test]
fn what_is_no_access_token_goes_nowhere() {
    let unreadable = |member| Error::from(Misbehaved::BadResponse { from: Source::Token, why: Unreadable::Member(member) });
    let refresh_token = "urn:ietf:params:oauth:token-type:refresh_token";
    let cases: [(&str, Value, Error); 8] = [
        ("issued_token_type", Value::Null, unreadable("issued_token_type")),
        ("issued_token_type", json!(refresh_token), unreadable("issued_token_type")),
        ("issued_token_type", json!("access_token"), unreadable("issued_token_type")),
        ("issued_token_type", json!([ACCESS_TOKEN]), unreadable("issued_token_type")),
        ("token_type", json!("N_A"), Misbehaved::TokenTypeUnknown.into()),
        ("token_type", json!("DPoP"), Misbehaved::TokenTypeUnknown.into()),
        ("access_token", json!(""), unreadable("access_token")),
        ("access_token", json!("a\r\nb"), unreadable("access_token")),
    ];
    for (member, value, expected) in cases {
        let (world, tab, session) = signed_in();
        let wrong = value.clone();
        world.provider.token_response(move |body| put(body, member, &wrong));
        assert_eq!(tab.fetch(LEDGER), Err(expected), "{member}: {value}");
        nothing_changed(&world, &tab, &session);
    }
}

#[test]
fn what_comes_beside_it_is_not_the_sessions() {
    let (world, tab, session) = signed_in();
    world.provider.token_response(|body| {
        if body.get("issued_token_type").is_some() {
            put(body, "refresh_token", &json!("refresh-token-of-an-exchange"));
            put(body, "id_token", &json!("e30.e30.e30"));
        }
    });
    assert_eq!(tab.fetch(LEDGER).unwrap().status, 200);
    assert_eq!(tab.session(), Some(session));
    run(tab.client.renew()).ok();
    world.later(BREATH * 2);
    run(tab.client.renew()).unwrap();
    let presented = world.requests().into_iter().filter_map(|sent| sent.field("refresh_token")).collect::<Vec<_>>();
    assert!(!presented.is_empty() && !presented.iter().any(|token| token.contains("exchange")), "{presented:?}");
}

#[test]
fn what_the_provider_repeats_of_the_token_is_not_shown() {
    let (world, tab, _) = signed_in();
    let token = world.provider.issued()[0].clone();
    let description = format!("{token} is not good");
    world.provider.always(Endpoint::Token, json_response(400, &json!({"error": "invalid_request", "error_description": description})));
    let error = tab.fetch(LEDGER).unwrap_err();
    assert!(!format!("{error} {error:?} {}", tab.visible()).contains(&token));
}

#[test]
fn who_signs_out_meanwhile_gets_nothing_sent() {
    for moment in [0, 10, 30, 50] {
        let (world, tab, _) = signed_in();
        world.network.weather(|_| Weather { delay: 20, ..Weather::default() });
        let call = tab.client.fetch(tokenkeep::Request::get(LEDGER));
        let out = async {
            world.ports().clock.sleep(std::time::Duration::from_millis(moment)).await;
            tab.client.sign_out(SignOut::Local).await
        };
        let (answer, _) = run(futures::future::join(call, out));
        assert_eq!((answer, tab.state()), (Err(Interrupted::SignInNeeded.into()), State::SignedOut), "after {moment} ms");
        assert_eq!(tab.fetch(LEDGER), Err(Interrupted::SignInNeeded.into()));
        let (sent, asked) = (used(&world).len(), exchanges(&world).len());
        assert_eq!((sent, asked), (usize::from(moment == 50), 1), "after {moment} ms");
        world.later(BREATH);
        assert_eq!((used(&world).len(), exchanges(&world).len()), (sent, asked), "after {moment} ms");
    }
}

#[test]
fn another_tab_gets_it_with_the_session() {
    let (world, tab, _) = signed_in();
    assert_eq!(tab.fetch(LEDGER).unwrap().status, 200);
    let other = world.tab_with(&config()).unwrap();
    run(other.client.finish_sign_in()).unwrap();
    assert_eq!((other.fetch(LEDGER).unwrap().status, exchanges(&world).len()), (200, 1));
    assert_eq!(used(&world)[0], used(&world)[1]);
}

#[test]
fn the_configuration_says_what_is_exchanged_for_what() {
    let read = |api: &str| Config::from_json(&format!(r#"{{"issuer": "{ISSUER}", "client_id": "{CLIENT}", "api": {api}}}"#));
    let meant = Config::new(ISSUER, CLIENT).api_for(LEDGER, Access::exchanged().audience("ledger").scope("a b"));
    let said = read(&format!(r#"{{"url": "{LEDGER}", "exchange": true, "audience": "ledger", "scopes": "a b"}}"#));
    assert_eq!(said, Ok(meant.clone()));
    assert_eq!(Config::from_json(&meant.to_json().to_string()), Ok(meant));
    let bare = Config::new(ISSUER, CLIENT).api_for(LEDGER, Access::exchanged());
    assert_eq!(Config::from_json(&bare.to_json().to_string()), Ok(bare));
    // A refresh token knows no audience.
    for api in
        [r#""audience": "ledger""#, r#""audience": "ledger", "exchange": false"#, r#""exchange": 1"#, r#""exchange": true, "audience": 5"#]
    {
        let refused = read(&format!(r#"{{"url": "{LEDGER}", {api}}}"#));
        assert_eq!(refused, Err(Misconfigured::OptionType { option: "api".into() }), "{api}");
    }
    let empty = World::config().api_for(LEDGER, Access::exchanged().audience(""));
    assert_eq!(World::new().tab_with(&empty).err(), Some(Misconfigured::AudienceMalformed.into()));
}
