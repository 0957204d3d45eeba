//! The token endpoint: what it may answer, and what follows from the rest.

use std::time::Duration;

use serde_json::{Value, json};
use tokenkeep::{
    Error, Event, Finished, Session, SignIn, State,
    keep::ports::HttpFailure,
    protocol::{Cache, Interrupted, Misbehaved, ProviderError, Response, Source, UnixTime, Unreadable},
    session::{LONGEST_TIMER, Rung},
};

use crate::{
    test,
    world::{API, Endpoint, ISSUER, ORIGIN, Provider, START, Sent, World, json_response, refusal, refusal_as, run},
};

fn unreadable(why: Unreadable) -> Error {
    Misbehaved::BadResponse { from: Source::Token, why }.into()
}

fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
    Response { status, headers: vec![("content-type".into(), content_type.into())], body: body.into() }
}

/// The error when the token endpoint answers this.
fn refused(response: &Response) -> Error {
    refusal(|world| world.provider.always(Endpoint::Token, response.clone()))
}

/// The error when this member of the token response is that; `null` takes it away.
fn refused_member(member: &'static str, value: &Value) -> Error {
    refusal(|world| set(world, member, value.clone()))
}

/// The session when this member of the token response is that, after its token called an API.
fn accepted_member(member: &'static str, value: Value) -> Session {
    let world = World::new();
    set(&world, member, value);
    let mut tab = world.tab();
    let session = tab.sign_in().unwrap();
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    session
}

fn set(world: &World, member: &'static str, value: Value) {
    world.provider.token_response(move |body| match &value {
        Value::Null => {
            body.as_object_mut().unwrap().remove(member);
        }
        value => body[member] = value.clone(),
    });
}

fn scope(session: &Session) -> String {
    session.scope.to_string()
}

/// The error of the provider, and what it says about it.
fn provider_error(error: &Error) -> (&str, Option<&str>) {
    let Error::Provider(error) = error else { panic!("{error:?} is none of the provider") };
    (error.error(), ProviderError::description(error))
}

// tok-html, tok-ct, tok-empty
#[test]
fn what_is_not_a_json_object_is_no_token_response() {
    let whole = r#"{"access_token":"access-token-x","token_type":"Bearer"}"#;
    for (response, why) in [
        (answer(200, "text/html", "<html>Please sign in to this Wi-Fi</html>"), Unreadable::ContentType),
        (answer(200, "application/json", "<html>Please sign in to this Wi-Fi</html>"), Unreadable::NotJson),
        (answer(200, "text/plain", whole), Unreadable::ContentType),
        (answer(200, "application/json+x", whole), Unreadable::ContentType),
        (Response { status: 200, headers: Vec::new(), body: whole.into() }, Unreadable::ContentType),
        (answer(200, "application/json", ""), Unreadable::NotJson),
        (answer(200, "application/json", "null"), Unreadable::NotAnObject),
        (answer(200, "application/json", "[]"), Unreadable::NotAnObject),
        (answer(200, "application/json", &whole[..40]), Unreadable::NotJson),
        (answer(200, "application/json", b"{\"access_token\":\"\xff\"}".as_slice()), Unreadable::NotJson),
    ] {
        assert_eq!(refused(&response), unreadable(why), "{response:?}");
    }
    for status in [201, 204, 206] {
        let expected = Misbehaved::UnexpectedStatus { from: Source::Token, status };
        assert_eq!(refused(&answer(status, "application/json", whole)), expected.into());
    }
}

// tok-ct
#[test]
fn a_content_type_may_be_written_in_capitals_and_with_a_charset() {
    let world = World::new();
    world.provider.answer(Endpoint::Token, |_, right| Ok(answer(200, "Application/JSON ; charset=utf-8", right.body)));
    assert!(world.tab().sign_in().is_ok());
}

// tok-noat, tok-notype, tok-rttype
#[test]
fn a_member_of_the_wrong_type_is_refused() {
    for (member, values) in [
        ("access_token", vec![Value::Null, json!(""), json!(5), json!({}), json!("two words"), json!("line\r\nbreak"), json!("tök")]),
        ("token_type", vec![Value::Null, json!(5), json!(["Bearer"])]),
        ("refresh_token", vec![json!(5), json!(""), json!(["refresh-token-x"])]),
        ("id_token", vec![json!(5), json!(""), json!({"payload": "x", "signatures": []})]),
    ] {
        for value in values {
            assert_eq!(refused_member(member, &value), unreadable(Unreadable::Member(member)), "{member}: {value}");
        }
    }
}

// tok-case
// `dpop` is among the refused types below: this client sends no proofs, so a token that needs them is of no use to it.
#[test]
fn a_token_type_is_compared_without_case() {
    for token_type in ["Bearer", "BEARER", "bEARER", "bearer"] {
        assert_eq!(accepted_member("token_type", json!(token_type)).subject(), Some("alice"), "{token_type}");
    }
}

// tok-type, tok-dpopunasked
#[test]
fn a_token_of_an_unknown_type_is_not_used() {
    for token_type in ["mac", "N_A", "Bearer ", " Bearer", "", "DPoP", "dpop", "Bearer,DPoP"] {
        assert_eq!(refused_member("token_type", &json!(token_type)), Misbehaved::TokenTypeUnknown.into(), "{token_type:?}");
    }
}

// tok-expstr, tok-expfloat
#[test]
fn a_lifetime_is_a_number_of_seconds_or_its_digits() {
    for (value, seconds) in [(json!(3600), 3600), (json!("3600"), 3600), (json!("0060"), 60), (json!(3599.9), 3599), (json!(1.5e3), 1500)] {
        let session = accepted_member("expires_in", value.clone());
        assert_eq!(session.expires, Some(UnixTime::from_secs(START + seconds)), "{value}");
    }
}

// tok-expstr, tok-expneg
#[test]
fn a_lifetime_that_is_no_number_is_refused() {
    let texts = ["3600s", "1e3", "0x10", "-1", "+1", "NaN", "", " 60", "3599.9"].map(|text| json!(text));
    for value in texts.into_iter().chain([json!(true), json!([3600]), json!({}), json!(-1), json!(-0.5)]) {
        assert_eq!(refused_member("expires_in", &value), unreadable(Unreadable::Member("expires_in")), "{value}");
    }
}

// tok-exphuge, env-timer
#[test]
fn a_lifetime_of_ages_is_a_year_and_sets_no_long_timer() {
    let year = UnixTime::from_secs(START + 365 * 24 * 60 * 60);
    for text in ["1e20", "9007199254740993", "1e400", "18446744073709551616", "\"99999999999999999999999\"", "2147483648"] {
        let world = World::new();
        world.provider.answer(Endpoint::Token, move |_, right| {
            let body = String::from_utf8(right.body).unwrap().replace("\"expires_in\":300", &format!("\"expires_in\":{text}"));
            Ok(answer(200, "application/json", body))
        });
        let mut tab = world.tab();
        assert_eq!(tab.sign_in().unwrap().expires, Some(year), "{text}");
        assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
        world.settle();
        assert_eq!((world.time.timers(), world.time.next_timer()), (1, Some(60_000)), "{text}");
        // No timer runs over, at once or later, and the renewal is not before it is due.
        world.later(Duration::from_secs(24 * 60 * 60));
        world.sleep(Duration::from_secs(363 * 24 * 60 * 60));
        world.later(Duration::from_secs(23 * 60 * 60));
        assert!(world.time.slept.borrow().iter().all(|span| *span <= LONGEST_TIMER), "{text}");
        assert_eq!((world.count(Endpoint::Token), world.time.timers()), (1, 1), "{text}");
        world.later(Duration::from_secs(60 * 60));
        assert_eq!(world.count(Endpoint::Token), 2, "{text}");
        assert!(tab.was_told(&Event::Renewed { by: Rung::RefreshToken }), "{text}");
    }
}

// tok-exphuge
// A token that is given out at its end is good for who asked for it, and for a second, and is never renewed in a hurry.
#[test]
fn a_token_that_lives_no_second_is_used_for_one() {
    let world = World::new();
    world.provider.token_response(|body| {
        body["expires_in"] = json!(0);
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    let mut tab = world.tab();
    assert!(tab.sign_in().is_ok());
    world.later(Duration::from_millis(999));
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    world.later(Duration::from_millis(1));
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((world.count(Endpoint::Api), tab.state()), (1, State::SignedOut));

    // With a refresh token the session goes on, and nobody hurries.
    let world = World::new();
    world.provider.lifetime(0);
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    world.later(Duration::from_secs(60));
    assert!((15..=21).contains(&world.count(Endpoint::Token)), "{}", world.count(Endpoint::Token));
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
}

// tok-expnone
#[test]
fn a_token_without_a_lifetime_is_used_until_an_api_refuses_it() {
    let world = World::new();
    set(&world, "expires_in", Value::Null);
    let mut tab = world.tab();
    assert_eq!(tab.sign_in().unwrap().expires, None);
    world.settle();
    assert_eq!(world.time.timers(), 0, "no timer");
    world.later(Duration::from_secs(24 * 60 * 60));
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    assert_eq!((world.count(Endpoint::Token), world.count(Endpoint::Api)), (1, 1));
    // Then it is renewed, and the request is sent again.
    world.provider.revoke_access_tokens();
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    assert_eq!((world.count(Endpoint::Token), world.count(Endpoint::Api)), (2, 3));
    // Once: whoever refuses the new one too is heard.
    world.later(Duration::from_secs(60));
    world.provider.always(Endpoint::Api, json_response(401, &json!({})));
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 401);
    assert_eq!((world.count(Endpoint::Token), world.count(Endpoint::Api)), (3, 5));
    assert!(tab.session().is_some());
}

// tok-scopeless, tok-scopered, tok-scopebig
// An app compares `Session::scope` with what it needs: there is no list of required scopes, and so no event for a missing one.
#[test]
fn the_scope_is_what_was_granted() {
    for (value, granted) in [
        (Value::Null, "openid profile orders:read"),
        (json!("openid profile"), "openid profile"),
        (json!("orders:read"), "orders:read"),
        (json!("openid profile orders:read orders:write admin"), "openid profile orders:read orders:write admin"),
        (json!(""), ""),
        (json!(" openid  profile "), "openid profile"),
    ] {
        assert_eq!(scope(&accepted_member("scope", value.clone())), granted, "{value}");
    }
    for value in [json!(["a"]), json!(5), json!("a\"b"), json!("ä")] {
        assert_eq!(refused_member("scope", &value), unreadable(Unreadable::Member("scope")), "{value}");
    }
}

// tok-noid
#[test]
fn openid_without_an_id_token_is_no_sign_in() {
    assert_eq!(refused_member("id_token", &Value::Null), Misbehaved::IdTokenMissing.into());
}

// tok-idunasked, id-nonceunasked
// A nonce is always sent with `openid`, so an ID token with a nonce that nobody asked for can only come to an app that wants no
// ID token: it is not read, let alone believed.
#[test]
fn an_id_token_that_was_not_asked_for_identifies_nobody() {
    let world = World::new();
    let claims = json!({"iss": ISSUER, "sub": "mallory", "aud": "my-app", "exp": START + 600, "iat": START, "nonce": "n"});
    let id_token = world.provider.sign(&claims);
    set(&world, "id_token", json!(id_token));
    let mut tab = world.tab_with(&World::config().scopes("orders:read").oauth_only()).unwrap();
    let session = tab.sign_in().unwrap();
    assert_eq!((session.claims.as_ref(), session.subject()), (None, None));
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    assert!(!tab.visible().contains("mallory"));
    assert_eq!(world.count(Endpoint::Keys), 0, "nothing to verify, so no keys are read");
}

// tok-extra, tok-proto
// There is no JavaScript object here whose prototype could be changed: a JSON object is a list of names and values.
#[test]
fn members_that_mean_nothing_to_us_are_ignored() {
    let world = World::new();
    world.provider.token_response(|body| {
        body["foo"] = Value::Null;
        body["ext"] = json!({"a": {"b": [1, {"access_token": "access-token-of-another"}]}});
        body["error_description"] = json!("no error");
        body["error"] = Value::Null;
        body["__proto__"] = json!({"isAdmin": true, "access_token": "access-token-of-another"});
        body["constructor"] = json!({"prototype": {"isAdmin": true}});
    });
    world.provider.claims(|claims| claims["__proto__"] = json!({"sub": "mallory", "isAdmin": true}));
    let mut tab = world.tab();
    let session = tab.sign_in().unwrap();
    let claims = session.claims.as_ref().unwrap();
    assert_eq!((claims.subject(), claims.get("isAdmin")), ("alice", None));
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    assert_eq!(world.requests().pop().unwrap().header("authorization"), Some(format!("Bearer {}", world.provider.issued()[0]).as_str()));
}

// tok-dup
#[test]
fn a_member_that_is_there_twice_is_refused() {
    for twin in [r#""access_token":"access-token-2nd""#, r#""token_type":"DPoP""#, r#""acc\u0065ss_token":"access-token-2nd""#] {
        let error = refusal(|world| {
            world.provider.answer(Endpoint::Token, move |_, right| {
                let body = String::from_utf8(right.body).unwrap().replacen('{', &format!("{{{twin},"), 1);
                Ok(answer(200, "application/json", body))
            })
        });
        assert_eq!(error, unreadable(Unreadable::DuplicateMember), "{twin}");
    }
}

// tok-200err
#[test]
fn an_error_is_no_sign_in_whatever_stands_beside_it() {
    let error = refused(&json_response(200, &json!({"error": "invalid_grant", "error_description": "too late"})));
    assert_eq!(provider_error(&error), ("invalid_grant", Some("too late")));
    let error = refused_member("error", &json!("invalid_grant"));
    assert_eq!(provider_error(&error), ("invalid_grant", None));
    for malformed in [json!(5), json!(""), json!("two words"), json!({})] {
        assert_eq!(refused_member("error", &malformed), unreadable(Unreadable::Member("error")), "{malformed}");
    }
}

// tok-400
#[test]
fn a_refused_code_is_never_tried_again() {
    let error = refused(&json_response(400, &json!({"error": "invalid_grant", "error_uri": "https://as.example/why"})));
    assert_eq!(provider_error(&error), ("invalid_grant", None));
    let Error::Provider(error) = error else { unreachable!() };
    assert_eq!(error.uri().map(ToString::to_string), Some("https://as.example/why".into()));
    for status in [400, 403, 404] {
        let expected = Misbehaved::UnexpectedStatus { from: Source::Token, status };
        assert_eq!(refused(&answer(status, "text/html", "<html>no</html>")), expected.into());
    }
}

// tok-401
// That no browser asks for a password follows from `credentials: "omit"`, which the tests in a browser look at.
#[test]
fn a_client_that_is_not_recognized_is_told_so() {
    let with_body = json_response(401, &json!({"error": "invalid_client", "error_description": "unknown client"}));
    let mut without_body = answer(401, "text/plain", "");
    without_body.headers.push(("www-authenticate".into(), "Basic realm=\"token\"".into()));
    assert_eq!(provider_error(&refused(&with_body)), ("invalid_client", Some("unknown client")));
    assert_eq!(provider_error(&refused(&without_body)), ("invalid_client", None));
}

// tok-5xx
#[test]
fn a_code_is_not_sent_again_to_a_server_that_stumbles() {
    for status in [429, 500, 502, 503, 504, 599] {
        let expected = Error::from(Interrupted::Unavailable { from: Source::Token, status });
        assert_eq!(refused(&answer(status, "text/html", "oops")), expected);
        if status >= 500 {
            assert_eq!(refused(&json_response(status, &json!({"error": "server_error"}))), expected);
        }
    }
}

// tok-5xx
#[test]
fn a_sign_in_can_begin_anew_after_one_that_failed() {
    let world = World::new();
    world.provider.always(Endpoint::Token, answer(503, "text/html", "oops"));
    let mut tab = world.tab();
    assert!(tab.sign_in().is_err());
    world.provider.recover(Endpoint::Token);
    assert_eq!(tab.sign_in().map(|session| session.subject().map(str::to_owned)), Ok(Some("alice".into())));
}

// tok-drop, tok-late
#[test]
fn a_code_whose_fate_is_unknown_counts_as_used() {
    for (failure, expected) in [
        (HttpFailure::Unreachable, Interrupted::Unreachable { from: Source::Token }),
        (HttpFailure::TimedOut, Interrupted::TimedOut { from: Source::Token }),
        (HttpFailure::Offline, Interrupted::Offline { from: Source::Token }),
    ] {
        // The provider has issued tokens by then: an answer that is late, or lost, is not applied.
        assert_eq!(refusal(|world| world.provider.answer(Endpoint::Token, move |_, _| Err(failure))), expected.into());
    }
}

// tok-307
#[test]
fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let mut elsewhere = answer(status, "text/plain", "");
        elsewhere.headers.push(("location".into(), "https://evil.example/token".into()));
        assert_eq!(refused(&elsewhere), Interrupted::Unreachable { from: Source::Token }.into());
    }
}

// tok-cache
#[test]
fn no_cache_answers_a_token_request() {
    let world = World::new();
    world.provider.answer(Endpoint::Token, |_, mut right| {
        right.headers.push(("cache-control".into(), "public, max-age=600".into()));
        Ok(right)
    });
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    tab.sign_in().unwrap();
    let sent: Vec<_> = world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::Token)).collect();
    assert!(matches!(&sent[..], [one, two] if one.body != two.body), "{sent:#?}");
    assert!(sent.iter().all(|sent| (sent.method.as_str(), sent.cache) == ("POST", Cache::NoStore)));
}

// tok-big
#[test]
fn an_answer_without_end_is_given_up() {
    let long = json_response(200, &json!({"access_token": "x".repeat(20_000_000), "token_type": "Bearer"}));
    assert_eq!(refused(&long), unreadable(Unreadable::TooLarge));
    let deep = format!("{{\"access_token\":{}", "[".repeat(100_000));
    assert_eq!(refused(&answer(200, "application/json", deep)), unreadable(Unreadable::TooDeep));

    // The page goes on as if nothing had been.
    let world = World::new();
    world.provider.always(Endpoint::Token, long);
    let tab = world.tab();
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    assert_eq!(tab.see(&callback), Err(unreadable(Unreadable::TooLarge)));
    world.provider.recover(Endpoint::Token);
    tab.bar.come_back();
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    assert!(matches!(tab.see(&callback), Ok(Finished::SignedIn { .. })));
}

// tok-credentials, tok-clientauth
// `credentials: "omit"` itself is the business of the browser's fetch, and of the tests in a browser.
#[test]
fn a_token_request_needs_no_credentials_and_no_preflight() {
    let world = World::new();
    world.provider.answer(Endpoint::Token, |_, mut right| {
        right.headers.push(("access-control-allow-origin".into(), "*".into()));
        Ok(right)
    });
    world.tab().sign_in().unwrap();
    let sent = world.requests().into_iter().find(|sent| sent.to == Some(Endpoint::Token)).unwrap();
    let mut headers = sent.headers.clone();
    headers.sort();
    let expected = [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let fields: Vec<_> = url::form_urlencoded::parse(sent.body.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    assert_eq!(fields, ["grant_type", "code", "redirect_uri", "client_id", "code_verifier"]);
    assert_eq!((sent.field("grant_type").as_deref(), sent.field("client_id").as_deref()), (Some("authorization_code"), Some("my-app")));
    assert_eq!((sent.url.as_str(), sent.method.as_str()), ("https://as.example/token", "POST"));
}

// tok-redirparam
#[test]
fn the_redirect_uri_is_repeated_byte_for_byte() {
    for redirect_uri in ["/callback", "/", "/a%2Fb/~c", "/cb?tenant=a%20b&x", "/cb/?tenant=%c3%a4+1"].map(|path| format!("{ORIGIN}{path}"))
    {
        let world = World::new();
        let mut tab = world.tab_with(&World::config().redirect_uri(&redirect_uri)).unwrap();
        let url = tab.leave(SignIn::default()).unwrap();
        let asked = url::Url::parse(&url).unwrap().query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
        assert!(matches!(tab.arrive(&world.provider.authorize(&url)), Ok(Finished::SignedIn { .. })), "{redirect_uri}");
        let sent = world.requests().into_iter().find(|sent| sent.to == Some(Endpoint::Token)).unwrap();
        assert_eq!((asked, sent.field("redirect_uri")), (redirect_uri.clone(), Some(redirect_uri)));
    }
}

#[test]
fn a_refusal_of_plain_oauth_is_as_clean() {
    let config = World::config().scopes("orders:read").oauth_only();
    let error = refusal_as(&config, &SignIn::default(), |world| set(world, "token_type", json!("mac")));
    assert_eq!(error, Misbehaved::TokenTypeUnknown.into());
}

#[test]
fn two_calls_to_finish_are_one_sign_in() {
    for seed in 0..50 {
        let world = World::seeded(seed);
        let tab = world.tab();
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        world.network.latency.set(7);
        *tab.bar.address.borrow_mut() = callback;
        let (one, two) = run(futures::future::join(tab.client.finish_sign_in(), tab.client.finish_sign_in()));
        assert!(matches!(one, Ok(Finished::SignedIn { .. })), "seed {seed}: {one:?}");
        assert_eq!((one, world.count(Endpoint::Token)), (two, 1), "seed {seed}");
    }
}

#[test]
fn two_tabs_with_one_response_are_one_sign_in() {
    for seed in 0..50 {
        let world = World::seeded(seed);
        let (one, two) = (world.tab(), world.tab());
        let callback = world.provider.authorize(&one.leave(SignIn::default()).unwrap());
        world.network.latency.set(7);
        for tab in [&one, &two] {
            *tab.bar.address.borrow_mut() = callback.clone();
        }
        let outcomes = run(futures::future::join(one.client.finish_sign_in(), two.client.finish_sign_in()));
        let Ok(Finished::SignedIn { session, .. }) = outcomes.0 else { panic!("seed {seed}: {outcomes:?}") };
        assert_eq!(outcomes.1, Err(Misbehaved::AlreadyUsed.into()), "seed {seed}");
        // It is signed in all the same: by the tab that is, and not by the response.
        assert_eq!(two.state(), State::SignedIn(Session { renewed_by: Some(Rung::Tab), ..session }), "seed {seed}");
        assert!(!two.was_told(&Event::CodeRedeemed), "seed {seed}");
        assert_eq!(world.count(Endpoint::Token), 1, "seed {seed}");
    }
}

#[test]
fn ten_calls_to_sign_in_leave_once() {
    for seed in 0..50 {
        let world = World::seeded(seed);
        world.network.latency.set(7);
        let tab = world.tab();
        let outcomes = run(futures::future::join_all((0..10).map(|_| tab.client.sign_in(SignIn::default()))));
        assert_eq!(outcomes, vec![Ok(()); 10], "seed {seed}");
        assert_eq!((tab.bar.went.borrow().len(), world.stored().len()), (1, 1), "seed {seed}");
        assert_eq!(world.count(Endpoint::Metadata), 1, "seed {seed}");
    }
}

#[test]
fn nothing_comes_back_to_life_after_a_sign_out() {
    for seed in 0..50 {
        // Whether the answer is a token, an error or nothing at all.
        for (kind, status) in [("tokens", 200), ("an error", 400), ("no answer", 0)] {
            let world = World::seeded(seed);
            let tab = world.tab();
            let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
            world.provider.answer(Endpoint::Token, move |_, right| match status {
                0 => Err(HttpFailure::Unreachable),
                200 => Ok(right),
                status => Ok(json_response(status, &json!({"error": "invalid_grant"}))),
            });
            world.network.latency.set(9);
            *tab.bar.address.borrow_mut() = callback;
            let turns = world.chance.next() % 20;
            let sign_out = async {
                for _ in 0..turns {
                    crate::world::yield_once().await;
                }
                let already = tab.session().is_some() || matches!(tab.state(), State::Failed(_));
                tab.client.sign_out(tokenkeep::SignOut::Local).await.unwrap();
                already
            };
            let (outcome, already) = run(futures::future::join(tab.client.finish_sign_in(), sign_out));
            let expected = Err(Interrupted::SignInNeeded.into());
            assert!(already || outcome == expected, "seed {seed}, {kind}: {outcome:?}");
            assert_eq!(tab.state(), State::SignedOut, "seed {seed}, {kind}");
            assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()), "seed {seed}, {kind}");
            assert_eq!(run(tab.client.finish_sign_in()), Ok(Finished::Nothing), "seed {seed}, {kind}");
            assert_eq!((tab.state(), world.count(Endpoint::Api)), (State::SignedOut, 0), "seed {seed}, {kind}");
        }
    }
}

#[test]
fn a_sign_out_counts_even_before_the_code_is_sent() {
    // The future of `finish_sign_in` had not run yet, and took the sign-out for something that was before it.
    let world = World::new();
    let tab = world.tab();
    *tab.bar.address.borrow_mut() = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    let finishing = tab.client.finish_sign_in();
    run(tab.client.sign_out(tokenkeep::SignOut::Local)).unwrap();
    assert_eq!(run(finishing), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((tab.state(), world.count(Endpoint::Token)), (State::SignedOut, 0));
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
}

#[test]
fn an_error_that_repeats_a_secret_of_its_sign_in_says_nothing_more() {
    // Code, state and nonce of this sign-in, its verifier, and a code with characters in it that are not shown and taken away.
    let secrets: [fn(&Sent, &Provider) -> String; 5] = [
        |sent, _| sent.field("code").unwrap(),
        |sent, _| sent.field("code_verifier").unwrap(),
        |_, provider| provider.secrets().pop().unwrap(),
        |_, provider| provider.secrets().into_iter().rev().nth(2).unwrap(),
        |sent, _| sent.field("code").unwrap().replacen('-', "-\u{200b}\r\n", 1),
    ];
    for secret in secrets {
        let error = refusal(|world| {
            let provider = world.provider.clone();
            world.provider.answer(Endpoint::Token, move |sent, _| {
                let secret = secret(sent, &provider);
                let body = json!({"error": "invalid_grant", "error_description": format!("not {secret}!"), "error_uri": format!("{ISSUER}/?{secret}")});
                Ok(json_response(400, &body))
            })
        });
        let Error::Provider(error) = error else { panic!("{error:?}") };
        assert_eq!((error.error(), error.description(), error.uri()), ("invalid_grant", None, None));
    }
}
