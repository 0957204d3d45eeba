//! Tokens that are bound to a key: proofs, nonces, and servers that do not play along.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use futures::future::{join, join_all};
use serde_json::{Value, json};
use tokenkeep::{
    Access, Config, Ended, Error, Event, Finished, Request, Rung, SignIn, SignOut, State,
    keep::ports::HttpFailure,
    page::ports::Wake,
    protocol::{ClockSkew, Interrupted, Misbehaved, Misconfigured, Response, Source},
    session::BREATH,
};

use crate::{
    test,
    world::{API, Endpoint, ISSUER, Proof, Sent, Tab, Weather, World, json_response, refusal_as, run, yield_once},
};

const BILLING: &str = "https://billing.example/";

fn config() -> Config {
    World::config().api(BILLING).dpop(true)
}

fn signed_in(world: &World) -> Tab {
    signed_in_with(world, &config())
}

fn signed_in_with(world: &World, config: &Config) -> Tab {
    let mut tab = world.tab_with(config).unwrap();
    tab.sign_in().unwrap();
    tab
}

/// Signed in where the refresh token is the only way to another token, so that what is wrong with it is what is told.
fn on_one_rung(world: &World) -> Tab {
    signed_in_with(world, &config().renew_by_frame(false))
}

/// The requests to an endpoint that had a proof, with it.
fn proofs(world: &World, endpoint: Endpoint) -> Vec<(Sent, Proof)> {
    let sent = world.requests().into_iter().filter(|sent| sent.to == Some(endpoint));
    sent.filter_map(|sent| sent.proof().map(|proof| (sent, proof))).collect()
}

fn nonces(world: &World, endpoint: Endpoint) -> Vec<Option<String>> {
    proofs(world, endpoint).iter().map(|(_, proof)| proof.claim("nonce").map(str::to_owned)).collect()
}

fn all_differ<T: Ord>(values: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    values.into_iter().all(|value| seen.insert(value))
}

fn jti(proof: &Proof) -> String {
    proof.claim("jti").unwrap().to_owned()
}

fn me(tab: &Tab) -> Result<u16, Error> {
    tab.fetch(&format!("{API}me")).map(|response| response.status)
}

/// What a server says that wants a nonce, and perhaps shows one.
fn wants_nonce(endpoint: Endpoint, nonce: Option<&str>) -> Response {
    let mut response = match endpoint {
        Endpoint::Token => json_response(400, &json!({"error": "use_dpop_nonce"})),
        _ => json_response(401, &json!({})),
    };
    if endpoint != Endpoint::Token {
        response.headers.push(("www-authenticate".into(), r#"DPoP error="use_dpop_nonce""#.into()));
    }
    response.headers.extend(nonce.map(|nonce| ("dpop-nonce".to_owned(), nonce.to_owned())));
    response
}

fn refused_proof() -> Response {
    let challenge = ("www-authenticate".to_owned(), r#"DPoP error="invalid_dpop_proof""#.to_owned());
    Response { headers: vec![challenge], ..json_response(401, &json!({})) }
}

// dp-jti, dp-bearerrt
#[test]
fn whatever_takes_a_token_gets_a_proof_of_its_own_by_one_key() {
    let world = World::new();
    let tab = signed_in(&world);
    assert_eq!(me(&tab), Ok(200));
    assert_eq!(run(tab.client.user_info()).unwrap().text("email"), Some("alice@example.com"));
    for _ in 0..3 {
        world.later(BREATH);
        run(tab.client.renew()).unwrap();
        assert_eq!(me(&tab), Ok(200));
    }
    run(tab.client.sign_out(SignOut::Local)).unwrap();

    let with: Vec<_> = world.requests().into_iter().filter_map(|sent| sent.proof().map(|proof| (sent, proof))).collect();
    let count = |endpoint| with.iter().filter(|(sent, _)| sent.to == Some(endpoint)).count();
    assert_eq!((count(Endpoint::Token), count(Endpoint::Api), count(Endpoint::UserInfo)), (4, 4, 1));
    // RFC 9449 knows proofs for token requests and for protected resources, and no others.
    assert_eq!((with.len(), world.count(Endpoint::Revocation)), (9, 1));
    assert!(with.iter().all(|(_, proof)| proof.thumbprint == with[0].1.thumbprint));
    assert!(all_differ(with.iter().map(|(_, proof)| jti(proof))));
    for (sent, proof) in &with {
        let token = sent.token();
        assert!(proof.fits(sent, world.time.now.get() / 1000, token.map(|(_, token)| token)), "{sent:?}");
        assert!(token.is_none_or(|(scheme, _)| scheme == "DPoP"));
        assert_eq!(token.is_none(), sent.to == Some(Endpoint::Token));
    }
    assert_eq!(world.chance.keys.get(), 1);
}

#[test]
fn without_the_option_nothing_of_it_is_there() {
    let world = World::new();
    world.provider.metadata("dpop_signing_alg_values_supported", json!(["RS256"]));
    world.keeps_survive.set(true);
    world.frames_work();
    let mut tab = world.tab();
    let url = tab.leave(SignIn::default()).unwrap();
    assert!(!url.contains("dpop") && !world.stored().is_empty() && !format!("{:?}", world.stored()).contains("dpop"));
    tab.arrive(&world.provider.authorize(&url)).unwrap();
    assert_eq!(me(&tab), Ok(200));
    assert!(world.requests().iter().all(|sent| sent.header("dpop").is_none()));
    assert_eq!(world.chance.keys.get(), 0);
}

// dp-asnonce
#[test]
fn a_provider_that_wants_a_nonce_gets_it_once_with_the_same_code() {
    let world = World::new();
    world.provider.nonce(ISSUER, "of-the-provider");
    let tab = signed_in(&world);
    let sent = proofs(&world, Endpoint::Token);
    let [(first, without), (second, with)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((without.claim("nonce"), with.claim("nonce")), (None, Some("of-the-provider")));
    assert_eq!((first.field("code").is_some(), first.field("code")), (true, second.field("code")));
    assert_ne!(jti(without), jti(with));
    assert_eq!(me(&tab), Ok(200));

    // So does a refresh token, which is not presented again for that.
    world.provider.nonce(ISSUER, "the-next");
    world.later(BREATH);
    run(tab.client.renew()).unwrap();
    let sent = proofs(&world, Endpoint::Token);
    assert_eq!(nonces(&world, Endpoint::Token)[2..], [Some("of-the-provider".to_owned()), Some("the-next".to_owned())]);
    assert_eq!(sent[2].0.field("refresh_token"), sent[3].0.field("refresh_token"));
    assert_eq!((me(&tab), world.provider.reused()), (Ok(200), vec![]));
    // The line goes on.
    world.later(BREATH);
    run(tab.client.renew()).unwrap();
    assert_eq!((sent.len() + 1, world.provider.reused()), (world.count(Endpoint::Token), vec![]));
}

// dp-asnonce
#[test]
fn what_became_of_a_second_try_is_as_unknown_as_of_a_first() {
    let world = World::new();
    let tab = on_one_rung(&world);
    world.provider.nonce(ISSUER, "n");
    world.later(BREATH);
    let mut tries = 0;
    world.network.weather(move |sent| {
        tries += usize::from(sent.to == Some(Endpoint::Token));
        Weather { answer_lost: sent.to == Some(Endpoint::Token) && tries == 2, ..Weather::default() }
    });
    assert_eq!(run(tab.client.renew()), Err(Interrupted::Unreachable { from: Source::Token }.into()));
    world.network.calm();
    let before = world.count(Endpoint::Token);
    world.later(Duration::from_secs(60));
    let _ = run(tab.client.renew());
    assert_eq!((world.count(Endpoint::Token), world.provider.reused()), (before, vec![]), "it is not presented again");
}

// dp-asloop
#[test]
fn a_provider_that_is_never_content_is_asked_twice() {
    let loops = |world: &World| {
        let mut count = 0;
        world.provider.answer(Endpoint::Token, move |_, _| {
            count += 1;
            Ok(wants_nonce(Endpoint::Token, Some(&format!("nonce-{count}"))))
        });
    };
    let expected: Error = Misbehaved::DpopNonceLoop { from: Source::Token }.into();

    let world = World::new();
    loops(&world);
    let mut tab = world.tab_with(&config()).unwrap();
    assert_eq!(tab.sign_in(), Err(expected.clone()));
    assert_eq!((world.count(Endpoint::Token), tab.state()), (2, State::Failed(expected.clone())));
    assert_eq!(nonces(&world, Endpoint::Token), [None, Some("nonce-1".to_owned())]);

    // A session stays what it was, until its token ends.
    let world = World::new();
    let tab = on_one_rung(&world);
    loops(&world);
    world.later(BREATH);
    assert_eq!(run(tab.client.renew()), Err(expected));
    world.later(Duration::from_secs(60));
    assert_eq!((world.count(Endpoint::Token), me(&tab)), (3, Ok(200)));
    assert!(tab.was_told(&Event::SignInNeeded));
}

// dp-asloop
#[test]
fn a_refresh_token_whose_proof_was_refused_is_as_good_as_before() {
    let world = World::new();
    // Who refuses a request uses no token up.
    world.provider.rotates(false);
    let config = config().api_for("https://api.example/v2/", Access::default().scope("orders:read"));
    let tab = signed_in_with(&world, &config);
    let other = || tab.fetch("https://api.example/v2/orders").map(|response| response.status);
    for (wrong, expected) in [
        (json_response(400, &json!({"error": "invalid_dpop_proof"})), Misbehaved::DpopProofRejected { from: Source::Token }),
        (wants_nonce(Endpoint::Token, None), Misbehaved::DpopNonceUnreadable { from: Source::Token }),
        (wants_nonce(Endpoint::Token, Some("n")), Misbehaved::DpopNonceLoop { from: Source::Token }),
    ] {
        world.provider.always(Endpoint::Token, wrong);
        assert_eq!(other(), Err(expected.into()));
        world.later(BREATH);
    }
    world.provider.recover(Endpoint::Token);
    assert_eq!((other(), me(&tab), world.provider.reused()), (Ok(200), Ok(200), vec![]));
    let presented: BTreeSet<_> = proofs(&world, Endpoint::Token).iter().filter_map(|(sent, _)| sent.field("refresh_token")).collect();
    assert_eq!(presented.len(), 1, "{presented:?}");
}

// dp-asloop
#[test]
fn an_api_that_is_never_content_is_asked_twice() {
    let world = World::new();
    let tab = signed_in(&world);
    let mut count = 0;
    world.provider.answer(Endpoint::Api, move |_, _| {
        count += 1;
        Ok(wants_nonce(Endpoint::Api, Some(&format!("nonce-{count}"))))
    });
    let error = me(&tab).unwrap_err();
    assert_eq!(error, Misbehaved::DpopNonceLoop { from: Source::Api }.into());
    assert_eq!((error.code(), world.count(Endpoint::Api), world.count(Endpoint::Token)), ("dpop_nonce_loop", 2, 1));
    assert!(tab.session().is_some());
}

// dp-rotnonce
#[test]
fn a_nonce_that_comes_with_a_right_answer_is_used_next() {
    let world = World::new();
    for endpoint in [Endpoint::Api, Endpoint::Token] {
        let mut count = 0;
        world.provider.answer(endpoint, move |_, mut right| {
            count += 1;
            right.headers.push(("dpop-nonce".into(), format!("nonce-{count}")));
            Ok(right)
        });
    }
    let tab = signed_in(&world);
    for _ in 0..3 {
        world.later(BREATH);
        assert_eq!(me(&tab), Ok(200));
        run(tab.client.renew()).unwrap();
    }
    let (one, two) = (Some("nonce-1".to_owned()), Some("nonce-2".to_owned()));
    assert_eq!(nonces(&world, Endpoint::Api), [None, one.clone(), two.clone()]);
    assert_eq!(nonces(&world, Endpoint::Token), [None, one, two, Some("nonce-3".to_owned())]);
}

// dp-nonceorigin
#[test]
fn a_nonce_goes_to_the_server_that_gave_it() {
    let world = World::new();
    world.provider.nonce(ISSUER, "of-the-provider");
    world.provider.nonce("https://api.example", "of-the-api");
    world.provider.nonce("https://billing.example", "of-billing");
    let tab = signed_in(&world);
    for _ in 0..2 {
        assert_eq!(me(&tab), Ok(200));
        assert_eq!(tab.fetch(&format!("{BILLING}invoices")).unwrap().status, 200);
    }
    assert!(run(tab.client.user_info()).is_ok());
    let calls = proofs(&world, Endpoint::Api);
    let calls: Vec<_> = calls.iter().map(|(sent, proof)| (&sent.url[8..11], proof.claim("nonce"))).collect();
    assert_eq!(
        calls,
        [
            ("api", None),
            ("api", Some("of-the-api")),
            ("bil", None),
            ("bil", Some("of-billing")),
            ("api", Some("of-the-api")),
            ("bil", Some("of-billing")),
        ]
    );
    // The provider's own resource is at the provider.
    assert_eq!(nonces(&world, Endpoint::UserInfo), [Some("of-the-provider".to_owned())]);
}

// dp-rsnonce
#[test]
fn an_api_that_wants_a_nonce_gets_the_request_once_more() {
    let world = World::new();
    let tab = signed_in(&world);
    world.provider.nonce("https://api.example", "n-1");
    let request = || Request::new("POST", format!("{API}orders")).header("x-note", "a").body("{}");
    assert_eq!(run(tab.client.fetch(request())).unwrap().status, 200);
    let sent = proofs(&world, Endpoint::Api);
    let [(first, without), (second, with)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((without.claim("nonce"), with.claim("nonce")), (None, Some("n-1")));
    assert_ne!(jti(without), jti(with));
    assert_eq!((without.claim("ath").is_some(), without.claim("ath")), (true, with.claim("ath")));
    assert_eq!((&first.body, first.header("x-note"), first.token()), (&second.body, second.header("x-note"), second.token()));
    assert_eq!(world.count(Endpoint::Token), 1, "that is no reason to renew");

    // A body that cannot be sent again is not; the next request carries the nonce.
    world.provider.nonce("https://api.example", "n-2");
    let response = run(tab.client.fetch(request().once())).unwrap();
    assert_eq!((response.status, response.header("dpop-nonce")), (401, Some("n-2")));
    assert_eq!((world.count(Endpoint::Api), world.count(Endpoint::Token)), (3, 1));
    assert_eq!(run(tab.client.fetch(request().once())).unwrap().status, 200);
    assert_eq!(world.count(Endpoint::Api), 4);
}

// dp-rsnonce
#[test]
fn a_refused_token_and_a_nonce_do_not_add_up_to_a_loop() {
    let world = World::new();
    let tab = signed_in(&world);
    world.later(BREATH);
    world.provider.revoke_access_tokens();
    world.provider.nonce("https://api.example", "n");
    // Without the nonce, with it, and with a new token.
    assert_eq!((me(&tab), world.count(Endpoint::Api), world.count(Endpoint::Token)), (Ok(200), 3, 2));
    // Nobody's token is good any more.
    world.provider.answer(Endpoint::Api, |_, mut right| {
        right.status = 401;
        right.headers = vec![("www-authenticate".into(), r#"DPoP error="invalid_token""#.into())];
        Ok(right)
    });
    world.later(BREATH);
    assert_eq!((me(&tab), world.count(Endpoint::Api), world.count(Endpoint::Token)), (Ok(401), 5, 3));
    assert!(tab.session().is_some());
}

// dp-scheme
#[test]
fn the_scheme_of_a_challenge_may_be_written_in_any_case() {
    for scheme in ["DPoP", "dpop", "DPOP", "Bearer realm=\"x\", dPoP algs=\"ES256\","] {
        let world = World::new();
        let tab = signed_in(&world);
        let mut asked = false;
        world.provider.answer(Endpoint::Api, move |_, right| {
            let mut response = wants_nonce(Endpoint::Api, Some("n"));
            response.headers[1].1 = format!(r#"{scheme} error="use_dpop_nonce""#);
            Ok(if std::mem::replace(&mut asked, true) { right } else { response })
        });
        assert_eq!((me(&tab), world.count(Endpoint::Token)), (Ok(200), 1), "{scheme}");
        assert_eq!(nonces(&world, Endpoint::Api), [None, Some("n".to_owned())], "{scheme}");
    }
}

// dp-noncechars
#[test]
fn a_nonce_that_is_none_or_cannot_be_read_is_not_used() {
    let long = "n".repeat(3000);
    for nonce in [None, Some(""), Some("a\"b"), Some("a\\b"), Some("a b"), Some("\u{e4}"), Some("one, two"), Some(&long)] {
        let world = World::new();
        let tab = signed_in(&world);
        world.provider.always(Endpoint::Api, wants_nonce(Endpoint::Api, nonce));
        let error = me(&tab).unwrap_err();
        assert_eq!(error, Misbehaved::DpopNonceUnreadable { from: Source::Api }.into(), "{nonce:?}");
        assert!(error.to_string().contains("`Access-Control-Expose-Headers`"), "{error}");
        assert_eq!((world.count(Endpoint::Api), world.count(Endpoint::Token)), (1, 1), "{nonce:?}");
        assert!(tab.session().is_some());
        world.provider.recover(Endpoint::Api);
        assert_eq!((me(&tab), nonces(&world, Endpoint::Api).pop()), (Ok(200), Some(None)), "{nonce:?}");

        let world = World::new();
        world.provider.always(Endpoint::Token, wants_nonce(Endpoint::Token, nonce));
        let expected = Err(Misbehaved::DpopNonceUnreadable { from: Source::Token }.into());
        assert_eq!((world.tab_with(&config()).unwrap().sign_in(), world.count(Endpoint::Token)), (expected, 1), "{nonce:?}");
    }
}

// dp-noncechars
#[test]
fn an_api_whose_challenge_cannot_be_read_is_not_asked_for_ever() {
    let world = World::new();
    let tab = signed_in(&world);
    world.later(BREATH);
    tab.news();
    let told = Event::Failed(Misbehaved::DpopNonceUnreadable { from: Source::Api }.into());
    world.provider.always(Endpoint::Api, json_response(401, &json!({})));
    assert_eq!((me(&tab), world.count(Endpoint::Api), world.count(Endpoint::Token)), (Ok(401), 2, 2));
    assert_eq!(tab.news().into_iter().filter(|event| *event == told).count(), 1, "it may want a nonce, and nobody can see it");

    // The nonce alone is enough: it goes along with the new token.
    world.provider.recover(Endpoint::Api);
    world.provider.nonce("https://api.example", "n");
    world.provider.answer(Endpoint::Api, |_, mut right| {
        right.headers.retain(|(name, _)| name != "www-authenticate");
        Ok(right)
    });
    world.later(BREATH);
    assert_eq!((me(&tab), tab.was_told(&told)), (Ok(200), false));

    // What can be read says what it is.
    world.provider.answer(Endpoint::Api, |_, mut right| {
        right.status = 401;
        right.headers = vec![("www-authenticate".into(), r#"DPoP error="invalid_token""#.into())];
        Ok(right)
    });
    world.later(BREATH);
    assert_eq!((me(&tab), tab.was_told(&told)), (Ok(401), false));
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    world.provider.always(Endpoint::Api, json_response(401, &json!({})));
    assert_eq!((me(&tab), tab.was_told(&told)), (Ok(401), false), "nor is it told of a bearer token");
}

// dp-htu
#[test]
fn a_proof_names_the_url_that_is_fetched_without_its_query() {
    let config = config().api("https://xn--bcher-kva.example/").api("https://api.example:8443/");
    let world = World::new();
    world.provider.metadata("token_endpoint", json!("https://AS.example:443/token"));
    let mut tab = world.tab_with(&config).unwrap();
    tab.sign_in().unwrap();
    for (url, htu) in [
        ("https://api.example/v1/me?x=1&y=a%20b", "https://api.example/v1/me"),
        ("https://api.example/v1/me#part", "https://api.example/v1/me"),
        ("https://api.example:443/v1/me", "https://api.example/v1/me"),
        ("HTTPS://API.Example/v1/Me", "https://api.example/v1/Me"),
        ("https://api.example/v2/../v1/./me", "https://api.example/v1/me"),
        ("https://api.example:8443", "https://api.example:8443/"),
        ("https://b\u{fc}cher.example/\u{fc}?q", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://api.example/v1/a%2Fb%20c;d=1", "https://api.example/v1/a%2Fb%20c;d=1"),
    ] {
        let _ = tab.fetch(url);
        let sent = world.requests().pop().unwrap();
        let proof = sent.proof().unwrap();
        assert_eq!(proof.claim("htu"), Some(htu), "{url}");
        assert!(proof.fits(&sent, world.time.now.get() / 1000, sent.token().map(|(_, token)| token)), "{url}");
    }
    assert_eq!(proofs(&world, Endpoint::Token)[0].1.claim("htu"), Some("https://as.example/token"));
    for (method, htm) in [("post", "POST"), ("Get", "GET"), ("patch", "patch"), ("PATCH", "PATCH"), ("dElete", "DELETE")] {
        let _ = run(tab.client.fetch(Request::new(method, format!("{API}me"))));
        assert_eq!(world.requests().pop().unwrap().proof().unwrap().claim("htm"), Some(htm));
    }
    let before = world.requests().len();
    for url in ["https://alice@api.example/v1/me", "https://a:b@api.example/v1/me"] {
        assert_eq!(tab.fetch(url), Err(Misconfigured::RequestMalformed.into()), "{url}");
    }
    assert_eq!(world.requests().len(), before);
}

// dp-jti
#[test]
fn no_two_proofs_of_a_thousand_are_alike() {
    let world = World::new();
    world.network.latency.set(5);
    let tab = signed_in(&world);
    for round in 0..50 {
        // Each round begins with nonces that are refused.
        world.provider.nonce("https://api.example", &format!("nonce-{round}"));
        let calls = (0..10).map(|call| tab.client.fetch(Request::get(format!("{API}{call}"))));
        assert!(run(join_all(calls)).into_iter().all(|answer| answer.is_ok_and(|answer| answer.status == 200)), "{round}");
    }
    let sent = proofs(&world, Endpoint::Api);
    assert!(sent.len() >= 550, "{}", sent.len());
    assert!(all_differ(sent.iter().map(|(_, proof)| jti(proof))));
    assert!(all_differ(sent.iter().map(|(sent, _)| sent.header("dpop").unwrap().to_owned())));
    assert_eq!(world.chance.keys.get(), 1);
}

// dp-storm
#[test]
fn many_calls_that_are_all_asked_for_another_nonce_are_each_sent_twice() {
    for seed in 0..20 {
        let world = World::seeded(seed);
        world.network.latency.set(9);
        world.chance.slow.set(3);
        let tab = signed_in(&world);
        let given: Rc<RefCell<Vec<String>>> = Rc::default();
        let ours = given.clone();
        world.provider.answer(Endpoint::Api, move |sent, right| {
            let known = sent.proof().unwrap().claim("nonce").is_some_and(|nonce| ours.borrow().iter().any(|given| given == nonce));
            let nonce = format!("nonce-{}", ours.borrow().len());
            ours.borrow_mut().push(nonce.clone());
            let mut response = if known { right } else { wants_nonce(Endpoint::Api, None) };
            response.headers.push(("dpop-nonce".into(), nonce));
            Ok(response)
        });
        // Signing takes longer than beginning to, so all of them begin without a nonce.
        let calls = (0..20).map(|call| tab.client.fetch(Request::get(format!("{API}{call}"))));
        let answers = run(join_all(calls));
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)), "seed {seed}: {answers:?}");
        assert_eq!((world.count(Endpoint::Api), world.count(Endpoint::Token)), (40, 1), "seed {seed}");
        // The one that arrived last.
        let arrived = world.answers().into_iter().rfind(|(from, _)| *from == Some(Endpoint::Api)).unwrap().1;
        assert_eq!(me(&tab), Ok(200));
        assert_eq!(nonces(&world, Endpoint::Api).pop().flatten().as_deref(), arrived.header("dpop-nonce"), "seed {seed}");
    }
}

// dp-clock
#[test]
fn a_proof_that_is_refused_is_an_error_that_names_the_clock() {
    for ahead in [600, -600] {
        let clock = |world: &World| world.time.ahead.set(ahead * 1000);
        let expected: Error = Misbehaved::DpopProofRejected { from: Source::Token }.into();
        assert!(expected.to_string().contains("clock"), "{expected}");
        let world = World::new();
        clock(&world);
        let mut tab = world.tab_with(&config()).unwrap();
        assert_eq!((tab.sign_in(), world.count(Endpoint::Token)), (Err(expected.clone()), 1));

        // It was set while somebody was signed in.
        let world = World::new();
        let tab = on_one_rung(&world);
        world.provider.answer(Endpoint::Api, |_, _| Ok(refused_proof()));
        assert_eq!(me(&tab), Err(Misbehaved::DpopProofRejected { from: Source::Api }.into()));
        assert_eq!((world.count(Endpoint::Api), world.count(Endpoint::Token)), (1, 1));
        world.later(BREATH);
        world.provider.always(Endpoint::Token, json_response(400, &json!({"error": "invalid_dpop_proof"})));
        assert_eq!((run(tab.client.renew()), world.count(Endpoint::Token)), (Err(expected), 2));
        world.later(Duration::from_secs(60));
        assert_eq!((world.count(Endpoint::Token), tab.session().is_some()), (2, true), "no loop");

        // The app knows better.
        let world = World::new();
        clock(&world);
        let by = Duration::from_secs(600);
        let skew = if ahead > 0 { ClockSkew::Ahead(by) } else { ClockSkew::Behind(by) };
        let mut tab = world.tab_with(&config().clock_skew(skew)).unwrap();
        tab.sign_in().unwrap();
        assert_eq!(me(&tab), Ok(200));
    }
}

// dp-keylost
#[test]
fn a_refresh_token_ends_with_the_key_that_it_is_bound_to() {
    let world = World::new();
    let mut tab = signed_in(&world);
    let first = proofs(&world, Endpoint::Token)[0].1.thumbprint.clone();
    tab.load("https://app.example/");
    assert_eq!(run(tab.client.finish_sign_in()), Ok(Finished::Nothing));
    assert_eq!((tab.state(), world.count(Endpoint::Token)), (State::SignedOut, 1), "nothing is presented");

    // Where the provider answers in a frame, the session goes on with another key.
    world.frames_work();
    tab.load("https://app.example/");
    let Ok(Finished::Restored { session }) = run(tab.client.finish_sign_in()) else { panic!("not restored") };
    assert_eq!(session.renewed_by, Some(Rung::Frame));
    let sent = proofs(&world, Endpoint::Token);
    assert_eq!((sent.len(), sent[1].0.field("grant_type")), (2, Some("authorization_code".to_owned())));
    assert_ne!(sent[1].1.thumbprint, first);
    // The page stays while the frame is asked, so the code was bound to its key.
    let asked =
        |url: &str| url::Url::parse(url).unwrap().query_pairs().find(|(name, _)| name == "dpop_jkt").map(|(_, jkt)| jkt.into_owned());
    assert_eq!(asked(world.frames.opened.borrow().last().unwrap()), Some(sent[1].1.thumbprint.clone()));
    assert_eq!(me(&tab), Ok(200));
    world.later(BREATH);
    assert!(run(tab.client.renew()).is_ok());
    assert_eq!(world.provider.reused(), Vec::<String>::new());
}

// dp-keylost
#[test]
fn a_code_is_bound_to_the_key_where_that_survives_the_redirect() {
    let jkt = |url: &str| url::Url::parse(url).unwrap().query_pairs().find(|(name, _)| name == "dpop_jkt").map(|(_, jkt)| jkt.into_owned());
    let world = World::new();
    let tab = world.tab_with(&config()).unwrap();
    assert_eq!(jkt(&tab.leave(SignIn::default()).unwrap()), None, "the page is left, and its key with it");

    world.keeps_survive.set(true);
    let tab = world.tab_with(&config()).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    let bound = jkt(&url).unwrap();
    assert!(matches!(tab.see(&world.provider.authorize(&url)), Ok(Finished::SignedIn { .. })));
    let sent = proofs(&world, Endpoint::Token);
    assert_eq!((sent.len(), &sent[0].1.thumbprint), (1, &bound));
    assert_eq!((me(&tab), world.chance.keys.get()), (Ok(200), 1));

    // It did not survive after all: another key is of no use, and nothing is sent.
    let mut tab = world.tab_with(&config()).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    let callback = world.provider.authorize(&url);
    let before = world.count(Endpoint::Token);
    assert_eq!(tab.arrive(&callback), Err(Misbehaved::DpopKeyLost.into()));
    assert_eq!((world.count(Endpoint::Token), tab.see(&callback)), (before, Err(Misbehaved::AlreadyUsed.into())));
    assert!(tab.sign_in().is_err(), "nor does the next one, in this world where every page has a new key");

    // Nor is it, if the app has turned it off meanwhile.
    let mut tab = world.tab_with(&config()).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    tab.config = World::config();
    assert_eq!(tab.arrive(&world.provider.authorize(&url)), Err(Misbehaved::DpopKeyLost.into()));
}

// dp-keylost
#[test]
fn a_key_that_could_not_be_made_is_made_the_next_time() {
    let world = World::new();
    world.chance.no_keys.set(true);
    let mut tab = world.tab_with(&config()).unwrap();
    assert_eq!(tab.sign_in(), Err(Misconfigured::InsecureContext.into()));
    assert_eq!(world.count(Endpoint::Token), 0, "the code is not wasted on a request without a proof");
    world.chance.no_keys.set(false);
    assert!(tab.sign_in().is_ok());
    assert_eq!((me(&tab), world.chance.keys.get()), (Ok(200), 1));

    // In one page too.
    world.keeps_survive.set(true);
    world.chance.no_keys.set(true);
    let tab = world.tab_with(&config()).unwrap();
    assert_eq!(tab.leave(SignIn::default()), Err(Misconfigured::InsecureContext.into()));
    world.chance.no_keys.set(false);
    let url = tab.leave(SignIn::default()).unwrap();
    assert!(tab.see(&world.provider.authorize(&url)).is_ok());
}

// dp-twokeys
#[test]
fn each_tab_has_its_own_key_and_its_own_tokens() {
    let world = World::new();
    let (mut one, mut two) = (world.tab_with(&config()).unwrap(), world.tab_with(&config()).unwrap());
    one.sign_in().unwrap();
    two.sign_in().unwrap();
    // A tab of an older version of the app, whose tokens anybody may use.
    let mut third = world.tab();
    third.sign_in().unwrap();
    for _ in 0..10 {
        world.later(Duration::from_secs(100));
        for tab in [&one, &two, &third] {
            assert_eq!(me(tab), Ok(200));
        }
    }
    for tab in [&one, &two, &third] {
        assert!(!tab.was_told(&Event::Renewed { by: Rung::Tab }));
    }
    let keys: BTreeSet<_> = proofs(&world, Endpoint::Token).into_iter().map(|(_, proof)| proof.thumbprint).collect();
    assert_eq!((keys.len(), world.provider.reused()), (2, vec![]));
    let handed_over = format!("{:?}", world.channels.log.borrow());
    assert!(handed_over.contains("\\\"session\\\"") && !handed_over.contains("\\\"ask\\\""), "only the third offers: {handed_over}");

    // Signing out reaches all of them.
    run(one.client.sign_out(SignOut::Local)).unwrap();
    for tab in [&one, &two, &third] {
        assert_eq!(tab.state(), State::SignedOut);
    }
    assert!(two.was_told(&Event::Ended(Ended::SignedOutElsewhere)));
    // And the next sign-in is a sign-in.
    two.sign_in().unwrap();
    assert_eq!((me(&two), one.state()), (Ok(200), State::SignedOut));
    world.frames_work();
    one.load("https://app.example/");
    assert!(matches!(run(one.client.finish_sign_in()), Ok(Finished::Restored { .. })));
}

// dp-twokeys
// Browsers show a tab what another one wrote to localStorage when they come to it: the message was there before.
#[test]
fn a_sign_out_reaches_a_tab_before_the_note_of_it_does() {
    for at_provider in [false, true] {
        let world = World::new();
        let (mut one, mut two) = (world.tab_with(&config()).unwrap(), world.tab_with(&config()).unwrap());
        one.sign_in().unwrap();
        two.sign_in().unwrap();
        world.settle();
        let before = world.stored();
        two.process.frozen.set(true);
        if at_provider {
            let said = format!("https://app.example/out?iss={ISSUER}&sid=sid-1");
            *one.bar.address.borrow_mut() = said;
            assert!(run(one.client.front_channel_logout()));
        } else {
            run(one.client.sign_out(SignOut::Local)).unwrap();
        }
        world.settle();
        *world.disk.records.borrow_mut() = before;
        two.process.frozen.set(false);
        assert_eq!((one.state(), two.state()), (State::SignedOut, State::SignedOut), "{at_provider}");
        assert!(two.was_told(&Event::Ended(Ended::SignedOutElsewhere)));
    }
}

// dp-twokeys
#[test]
fn what_tabs_without_keys_wrote_keeps_nobody_out() {
    // What all tabs agree on, and a tab with a key does not take part in, says that the user signed out.
    let world = World::new();
    world.frames_work();
    let mut before = world.tab();
    before.sign_in().unwrap();
    run(before.client.sign_out(SignOut::Local)).unwrap();
    assert!(format!("{:?}", world.journal.records.borrow()).contains("signed out"));
    let mut tab = signed_in(&world);
    world.later(BREATH);
    assert_eq!(run(tab.client.renew()).map(|session| session.renewed_by), Ok(Some(Rung::RefreshToken)));
    tab.load("https://app.example/");
    assert!(matches!(run(tab.client.finish_sign_in()), Ok(Finished::Restored { .. })));
    // And who signs out with a key is out.
    run(tab.client.sign_out(SignOut::Local)).unwrap();
    tab.load("https://app.example/");
    assert_eq!(run(tab.client.finish_sign_in()), Ok(Finished::Nothing));
}

// dp-twokeys
// Where a line could not be written into the journal, what is there is of the session before, and ended the next one.
#[test]
fn what_the_session_before_wrote_does_not_end_the_next_one() {
    for channels in [false, true] {
        let world = World::new();
        world.no_channels.set(!channels);
        let mut tab = signed_in(&world);
        run(tab.client.sign_out(SignOut::Local)).unwrap();
        world.journal.blocked.set(channels);
        tab.sign_in().unwrap();
        world.journal.blocked.set(false);
        tab.bar.wake(Wake::Visible);
        assert_eq!((tab.session().is_some(), me(&tab)), (true, Ok(200)), "{channels}");
        // Nor is the next sign-out taken for the one before.
        world.later(Duration::from_secs(60));
        run(tab.client.sign_out(SignOut::Provider)).unwrap();
        assert_eq!(world.count(Endpoint::Revocation), 2, "{channels}");
        assert!(tab.bar.went.borrow().iter().any(|url| url.contains("logout")), "{channels}");
    }
}

// tab-logout
// At whatever moment of its signing: before, what was signed in the same turn was still sent.
#[test]
fn a_proof_that_is_ready_after_a_sign_out_is_not_sent() {
    for turns in 0..8 {
        let world = World::new();
        world.chance.slow.set(3);
        let tab = signed_in(&world);
        let call = tab.client.fetch(Request::get(format!("{API}me")));
        let (answer, sent) = run(join(call, async {
            for _ in 0..turns {
                yield_once().await;
            }
            let work = tab.client.sign_out(SignOut::Local);
            let sent = world.count(Endpoint::Api);
            work.await.unwrap();
            sent
        }));
        assert_eq!(world.count(Endpoint::Api), sent, "{turns}");
        assert!(sent == 1 || answer == Err(Interrupted::SignInNeeded.into()), "{turns}: {answer:?}");
    }
}

// dp-twokeys
#[test]
fn one_key_is_made_however_many_ask_for_it() {
    let world = World::new();
    world.keeps_survive.set(true);
    let tab = world.tab_with(&config()).unwrap();
    let url = {
        let outcomes = run(join_all((0..10).map(|_| tab.client.sign_in(SignIn::default()))));
        assert_eq!(outcomes, vec![Ok(()); 10]);
        tab.bar.went.borrow()[0].clone()
    };
    tab.see(&world.provider.authorize(&url)).unwrap();
    let calls = run(join_all((0..10).map(|call| tab.client.fetch(Request::get(format!("{API}{call}"))))));
    assert!(calls.iter().all(Result::is_ok));
    assert_eq!(world.chance.keys.get(), 1);
}

// dp-bearerdown
#[test]
fn a_bound_token_is_never_sent_as_a_bearer_token() {
    for challenge in
        ["Bearer", r#"Bearer error="invalid_token""#, r#"Bearer error="use_dpop_nonce""#, r#"Bearer, DPoP error="invalid_token""#]
    {
        let world = World::new();
        let tab = signed_in(&world);
        world.later(BREATH);
        world.provider.answer(Endpoint::Api, move |_, mut right| {
            (right.status, right.headers) = (401, vec![("www-authenticate".into(), challenge.into())]);
            Ok(right)
        });
        assert_eq!(me(&tab), Ok(401), "{challenge}");
        assert!(world.count(Endpoint::Api) <= 2 && tab.session().is_some(), "{challenge}");
        let schemes = world.requests().into_iter().filter_map(|sent| sent.token().map(|(scheme, _)| scheme.to_owned()));
        assert!(schemes.into_iter().all(|scheme| scheme == "DPoP"), "{challenge}");
    }
}

// dp-rsredir
#[test]
fn a_redirect_is_not_followed_with_a_proof() {
    let world = World::new();
    let tab = signed_in(&world);
    for status in [301, 302, 303, 307, 308] {
        let before = world.requests().len();
        let headers = vec![("location".to_owned(), BILLING.to_owned()), ("dpop-nonce".to_owned(), "n".to_owned())];
        world.provider.always(Endpoint::Api, Response { status, headers, body: Vec::new() });
        assert_eq!(me(&tab), Err(Interrupted::Unreachable { from: Source::Api }.into()));
        assert_eq!(world.requests().len(), before + 1);
    }
}

// dp-hdr
#[test]
fn a_caller_brings_neither_a_token_nor_a_proof() {
    for config in [World::config(), config()] {
        let world = World::new();
        let mut tab = world.tab_with(&config).unwrap();
        tab.sign_in().unwrap();
        for name in ["Authorization", "DPoP", "dpop", "AUTHORIZATION"] {
            let request = Request::get(format!("{API}me")).header(name, "DPoP x");
            assert_eq!(run(tab.client.fetch(request)), Err(Misconfigured::AuthorizationSet.into()), "{name}");
        }
        assert_eq!(world.count(Endpoint::Api), 0);
    }
}

// dp-alg
#[test]
fn a_provider_that_takes_no_proof_of_ours_is_not_left_for() {
    for names in
        [json!([]), json!(["HS256"]), json!(["none"]), json!(["RS256", "PS256", "EdDSA"]), json!("ES256"), json!(["es256"]), json!(7)]
    {
        let world = World::new();
        world.provider.metadata("dpop_signing_alg_values_supported", names.clone());
        let mut tab = world.tab_with(&config()).unwrap();
        assert_eq!(tab.sign_in(), Err(Misconfigured::DpopUnsupported.into()), "{names}");
        assert!(tab.bar.went.borrow().is_empty() && world.stored().is_empty());
    }
    for names in [Value::Null, json!(["RS256", "ES256"])] {
        let world = World::new();
        world.provider.metadata("dpop_signing_alg_values_supported", names);
        assert_eq!(me(&signed_in(&world)), Ok(200));
        assert!(proofs(&world, Endpoint::Token).iter().all(|(_, proof)| proof.header["alg"] == "ES256"));
    }
}

// tok-dgrade, dp-bearerrt
#[test]
fn a_token_that_is_not_bound_is_refused_and_nothing_of_it_used() {
    for token_type in ["Bearer", "bearer"] {
        let error = refusal_as(&config(), &SignIn::default(), |world| {
            world.provider.token_response(move |body| body["token_type"] = json!(token_type));
        });
        assert_eq!(error, Misbehaved::DpopDowngraded.into());
    }
    let error = refusal_as(&config(), &SignIn::default(), |world| world.provider.token_response(|body| body["token_type"] = json!("mac")));
    assert_eq!(error, Misbehaved::TokenTypeUnknown.into());

    // When it comes for a refresh token, the session lives as long as the token before it.
    let world = World::new();
    let tab = on_one_rung(&world);
    let key = proofs(&world, Endpoint::Token)[0].1.thumbprint.clone();
    world.provider.token_response(|body| body["token_type"] = json!("Bearer"));
    world.later(BREATH);
    assert_eq!(run(tab.client.renew()), Err(Misbehaved::DpopDowngraded.into()));
    assert_eq!(me(&tab), Ok(200));
    let (first, unbound) = (world.provider.issued()[0].clone(), world.provider.issued()[1].clone());
    let sent = world.requests();
    assert_eq!(sent.last().unwrap().token(), Some(("DPoP", first.as_str())));
    assert!(sent.iter().all(|sent| sent.token().is_none_or(|(_, token)| token != unbound)));
    assert_eq!(proofs(&world, Endpoint::Token)[1].1.thumbprint, key, "it was asked for with the same key");
}

// tok-dpopunasked
#[test]
fn a_bound_token_is_of_no_use_to_who_has_no_key() {
    let error =
        refusal_as(&World::config(), &SignIn::default(), |world| world.provider.token_response(|body| body["token_type"] = json!("DPoP")));
    assert_eq!(error, Misbehaved::TokenTypeUnknown.into());
}

// tok-case
#[test]
fn the_type_of_a_bound_token_is_compared_without_case() {
    for token_type in ["DPoP", "dpop", "DPOP"] {
        let world = World::new();
        world.provider.token_response(move |body| body["token_type"] = json!(token_type));
        assert_eq!(me(&signed_in(&world)), Ok(200), "{token_type}");
    }
}

// dp-ath
#[test]
fn a_proof_is_for_the_token_that_is_sent_with_it() {
    let mut changed = 0;
    for seed in 0..50 {
        let world = World::seeded(seed);
        world.network.latency.set(3);
        world.chance.slow.set(3 + seed % 10);
        let tab = signed_in(&world);
        world.later(BREATH);
        // The token changes while the proof is being signed, or its request asked for a nonce.
        world.provider.nonce("https://api.example", "n");
        let calls = join_all((0..5).map(|call| tab.client.fetch(Request::get(format!("{API}{call}")))));
        let (answers, renewed) = run(join(calls, tab.client.renew()));
        assert!(renewed.is_ok() && answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200)), "seed {seed}");
        for (sent, proof) in proofs(&world, Endpoint::Api) {
            let (_, token) = sent.token().unwrap();
            assert!(proof.fits(&sent, world.time.now.get() / 1000, Some(token)), "seed {seed}");
        }
        let order: Vec<_> = world.requests().iter().map(|sent| sent.to).collect();
        let renewal = order.iter().rposition(|to| *to == Some(Endpoint::Token)).unwrap();
        changed += usize::from(order.iter().rposition(|to| *to == Some(Endpoint::Api)) > Some(renewal));
    }
    assert!(changed > 5, "{changed}: the token should have changed while calls were under way");
}

#[test]
fn who_signs_out_while_a_proof_is_being_signed_sends_nothing() {
    let world = World::new();
    world.chance.slow.set(20);
    let tab = signed_in(&world);
    let out = async {
        crate::world::yield_once().await;
        tab.client.sign_out(SignOut::Local).await
    };
    let (answer, _) = run(join(tab.client.fetch(Request::get(format!("{API}me"))), out));
    assert_eq!((answer, world.count(Endpoint::Api)), (Err(Interrupted::SignInNeeded.into()), 0));
}

#[test]
fn an_api_that_does_not_answer_says_nothing_about_proofs() {
    let world = World::new();
    let tab = signed_in(&world);
    world.provider.answer(Endpoint::Api, |_, _| Err(HttpFailure::TimedOut));
    assert_eq!((me(&tab), world.count(Endpoint::Api)), (Err(Interrupted::TimedOut { from: Source::Api }.into()), 1));
    // A scope that is missing is told, and no reason to renew.
    world.provider.answer(Endpoint::Api, |_, mut right| {
        right.status = 401;
        right.headers = vec![("www-authenticate".into(), r#"DPoP error="insufficient_scope", scope="x""#.into())];
        Ok(right)
    });
    assert_eq!((me(&tab), world.count(Endpoint::Api), world.count(Endpoint::Token)), (Ok(401), 2, 1));
}
