//! What a provider says of itself: a document that is wrong in one place is not used in any.

use std::time::Duration;

use serde_json::{Value, json};
use tokenkeep::{
    Config, Error, SignIn, State,
    keep::ports::HttpFailure,
    protocol::{
        Discovery, Interrupted, Issuer, Metadata, Misbehaved, Misconfigured, Response, Source, Unreadable,
        http::{MAX_PROVIDER_ANSWER, PROVIDER_DEADLINE},
    },
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Tab, World, json_response},
};

/// What a sign-in fails with in a world whose metadata is wrong: nobody left, no other endpoint was asked, and the same page
/// succeeds as soon as the metadata is right.
#[track_caller]
fn refused(tab: &Tab, asked: usize) -> Error {
    let world = &tab.world;
    let error = tab.leave(SignIn::default()).unwrap_err();
    assert_eq!(tab.state(), State::Failed(error.clone()));
    assert!(tab.bar.went.borrow().is_empty() && world.stored().is_empty());
    assert_eq!((world.count(Endpoint::Metadata), world.requests().len()), (asked, asked));
    error
}

/// The same for a document with this member instead of its own. `null` is one, too.
#[track_caller]
fn with_member(member: &'static str, value: Value) -> Error {
    let world = World::new();
    answers(&world, move |document| document[member] = value.clone());
    let tab = world.tab();
    let error = refused(&tab, 1);
    world.provider.recover(Endpoint::Metadata);
    assert!(tab.leave(SignIn::default()).is_ok(), "nothing is kept");
    error
}

fn answers(world: &World, change: impl Fn(&mut Value) + 'static) {
    world.provider.answer(Endpoint::Metadata, move |_, right| {
        let mut document: Value = serde_json::from_slice(&right.body).unwrap();
        change(&mut document);
        Ok(json_response(200, &document))
    });
}

/// The same for this answer.
#[track_caller]
fn with_answer(response: Response) -> Error {
    let world = World::new();
    world.provider.always(Endpoint::Metadata, response);
    let tab = world.tab();
    let error = refused(&tab, 1);
    world.provider.recover(Endpoint::Metadata);
    assert!(tab.leave(SignIn::default()).is_ok(), "nothing is kept");
    error
}

fn answer(content_type: Option<&str>, body: impl Into<Vec<u8>>) -> Response {
    let headers = content_type.map(|value| ("content-type".to_owned(), value.to_owned())).into_iter().collect();
    Response { status: 200, headers, body: body.into() }
}

fn document() -> Vec<u8> {
    let document = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/authorize"),
        "token_endpoint": format!("{ISSUER}/token"),
        "jwks_uri": format!("{ISSUER}/keys"),
    });
    document.to_string().into_bytes()
}

fn unreadable(why: Unreadable) -> Error {
    Misbehaved::BadResponse { from: Source::Metadata, why }.into()
}

// disc-iss
// disc-slash
// disc-norm
// disc-tmpl
#[test]
fn a_provider_that_calls_itself_otherwise_is_not_used() {
    for (configured, document) in [
        ("https://as.example", "https://evil.example"),
        ("https://as.example", "https://as.example.evil.example"),
        ("https://as.example", "https://as.example/"),
        ("https://as.example/", "https://as.example"),
        ("https://as.example/t/", "https://as.example/t"),
        ("https://as.example", "https://AS.example"),
        ("https://AS.example", "https://as.example"),
        ("https://as.example", "https://as.example:443"),
        ("https://as.example:443", "https://as.example"),
        ("https://as.example/%7Et", "https://as.example/~t"),
        ("https://as.example/~t", "https://as.example/%7et"),
        ("https://xn--bcher-kva.example", "https://bücher.example"),
        ("https://as.example/caf%C3%A9", "https://as.example/cafe%CC%81"),
        ("https://as.example/caf%C3%A9", "https://as.example/café"),
        ("https://as.example", "https://as.example "),
        ("https://as.example", ""),
        ("https://login.example/common/v2.0", "https://login.example/{tenantid}/v2.0"),
        ("https://login.example/{tenantid}/v2.0", "https://login.example/{tenantid}/v2.0"),
    ] {
        let world = World::new();
        world.provider.rename(document);
        match world.tab_with(&Config::new(configured, CLIENT)) {
            Ok(tab) => assert_eq!(refused(&tab, 1), Misbehaved::IssuerMismatch.into(), "{configured} {document}"),
            // A template is no issuer that could be configured either.
            Err(error) => assert_eq!((error, configured.contains('{')), (Misconfigured::IssuerMalformed.into(), true)),
        }
    }
}

// disc-type
#[test]
fn an_issuer_that_is_no_text_is_refused() {
    for value in [json!(null), json!(1), json!([ISSUER]), json!({"https": ISSUER}), json!(true)] {
        assert_eq!(with_member("issuer", value), unreadable(Unreadable::Member("issuer")));
    }
    for member in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        for value in [json!(null), json!(1), json!([ISSUER])] {
            assert_eq!(with_member(member, value), unreadable(Unreadable::Member(member)));
        }
    }
    for (member, value) in [
        ("userinfo_endpoint", json!(1)),
        ("code_challenge_methods_supported", json!("S256")),
        ("code_challenge_methods_supported", json!(["S256", 1])),
        ("id_token_signing_alg_values_supported", json!({})),
        ("authorization_response_iss_parameter_supported", json!("true")),
        ("require_pushed_authorization_requests", json!(1)),
    ] {
        assert_eq!(with_member(member, value), unreadable(Unreadable::Member(member)));
    }
}

// disc-html
// disc-ctbad
#[test]
fn metadata_must_be_called_json() {
    assert_eq!(with_answer(answer(Some("text/html"), "<!doctype html><div id=root>")), unreadable(Unreadable::ContentType));
    for content_type in [Some("text/html"), Some("text/plain"), Some("application/jwt"), Some("application/jsonx"), Some(""), None] {
        assert_eq!(with_answer(answer(content_type, document())), unreadable(Unreadable::ContentType), "{content_type:?}");
    }
}

// disc-ctok
#[test]
fn json_may_be_called_so_in_any_case() {
    for content_type in
        ["Application/JSON; charset=UTF-8", "application/json;charset=utf-8", "application/json ; x=\"y\"", " application/json"]
    {
        let world = World::new();
        world.provider.always(Endpoint::Metadata, answer(Some(content_type), document()));
        assert!(world.tab().sign_in().is_ok(), "{content_type}");
    }
}

// disc-nonobj
#[test]
fn metadata_must_be_an_object() {
    let with = |body: &[u8]| with_answer(answer(Some("application/json"), body));
    for body in ["[]", "\"x\"", "null", "123", "[{}]"] {
        assert_eq!(with(body.as_bytes()), unreadable(Unreadable::NotAnObject), "{body}");
    }
    let text = String::from_utf8(document()).unwrap();
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let truncated = &text.as_bytes()[..text.len() - 1];
    let latin = text.replacen("issuer", "issu\u{e9}r", 1).chars().map(|char| char as u8).collect::<Vec<_>>();
    for body in [&b""[..], b" ", truncated, &little, &big, &latin, b"{} {}", b"{'issuer': 1}"] {
        assert_eq!(with(body), unreadable(Unreadable::NotJson), "{body:?}");
    }
}

// disc-huge
#[test]
fn metadata_is_read_up_to_a_limit() {
    let mut body = document();
    body.resize(MAX_PROVIDER_ANSWER, b' ');
    let world = World::new();
    world.provider.always(Endpoint::Metadata, answer(Some("application/json"), body.clone()));
    assert!(world.tab().sign_in().is_ok());

    body.push(b' ');
    assert_eq!(with_answer(answer(Some("application/json"), body)), unreadable(Unreadable::TooLarge));
    assert_eq!(with_answer(answer(Some("application/json"), "[".repeat(100_000))), unreadable(Unreadable::TooDeep));
    let request = Metadata::request(&Issuer::parse(ISSUER).unwrap(), Discovery::OpenId);
    assert_eq!((request.limit, request.deadline), (256 * 1024, Duration::from_secs(10)));
}

// disc-stall
#[test]
fn a_provider_that_stalls_is_given_up() {
    let world = World::new();
    world.provider.answer(Endpoint::Metadata, |_, _| Err(HttpFailure::TimedOut));
    assert_eq!(refused(&world.tab(), 1), Interrupted::TimedOut { from: Source::Metadata }.into());
    // The deadline is a part of the request, and counts for the body.
    assert_eq!(PROVIDER_DEADLINE, Duration::from_secs(10));
}

// disc-redir
#[test]
fn metadata_that_moved_is_not_followed() {
    for (status, location) in [(301, "https://evil.example/x"), (302, "https://as.example/x"), (307, "https://evil.example/x"), (308, "/x")]
    {
        let world = World::new();
        let headers = vec![("location".into(), location.into()), ("content-type".into(), "application/json".into())];
        world.provider.always(Endpoint::Metadata, Response { status, headers, body: document() });
        // A browser does not tell a redirect from a network that is down, so it is asked again, at the same place.
        assert_eq!(refused(&world.tab(), 3), Interrupted::Unreachable { from: Source::Metadata }.into());
        assert!(world.requests().iter().all(|sent| sent.url == "https://as.example/.well-known/openid-configuration"));
    }
}

// disc-404
#[test]
fn metadata_that_is_not_there_is_not_looked_for_elsewhere() {
    for status in [404, 410] {
        let response = Response { status, ..answer(Some("application/json"), document()) };
        assert_eq!(with_answer(response), Misbehaved::MetadataMissing { status }.into());
    }
    for status in [201, 204, 206, 400, 401, 403] {
        let response = Response { status, ..answer(Some("application/json"), document()) };
        assert_eq!(with_answer(response), Misbehaved::UnexpectedStatus { from: Source::Metadata, status }.into());
    }
}

// disc-path
#[test]
fn metadata_is_where_the_issuer_says() {
    for (issuer, open_id, oauth) in [
        (
            "https://h.example",
            "https://h.example/.well-known/openid-configuration",
            "https://h.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://h.example/",
            "https://h.example/.well-known/openid-configuration",
            "https://h.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://h.example/t1",
            "https://h.example/t1/.well-known/openid-configuration",
            "https://h.example/.well-known/oauth-authorization-server/t1",
        ),
        (
            "https://h.example/t1/",
            "https://h.example/t1/.well-known/openid-configuration",
            "https://h.example/.well-known/oauth-authorization-server/t1",
        ),
        (
            "https://h.example:8443/a/b",
            "https://h.example:8443/a/b/.well-known/openid-configuration",
            "https://h.example:8443/.well-known/oauth-authorization-server/a/b",
        ),
    ] {
        for (config, place) in [(Config::new(issuer, CLIENT), open_id), (Config::new(issuer, CLIENT).oauth_only(), oauth)] {
            let world = World::new();
            world.provider.rename(issuer);
            assert!(world.tab_with(&config).unwrap().leave(SignIn::default()).is_ok());
            let asked: Vec<_> = world.requests().into_iter().map(|sent| sent.url).collect();
            assert_eq!(asked, [place]);
        }
    }
}

// disc-httpep
#[test]
fn one_bad_endpoint_spoils_the_document() {
    for member in [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "revocation_endpoint",
        "end_session_endpoint",
        "pushed_authorization_request_endpoint",
    ] {
        for url in
            ["http://as.example/x", "as.example/x", "/x", "https://as.example/x#y", "javascript:alert(1)", "https://a@as.example/x", ""]
        {
            assert_eq!(with_member(member, json!(url)), Misbehaved::BadEndpoint { member }.into(), "{member} {url}");
        }
    }
}

// disc-otherhost
#[test]
fn an_endpoint_may_be_elsewhere_but_not_move_during_a_sign_in() {
    let world = World::new();
    world.provider.metadata("token_endpoint", json!("https://tokens.example/t"));
    let mut tab = world.tab();
    assert!(tab.sign_in().is_ok());
    assert!(world.requests().iter().any(|sent| sent.url == "https://tokens.example/t"));

    world.later(Duration::from_secs(5));
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    let sent = world.count(Endpoint::Token);
    world.provider.metadata("token_endpoint", json!("https://evil.example/t"));
    assert_eq!(tab.arrive(&address), Err(Misbehaved::StateUnknown.into()));
    assert_eq!((world.count(Endpoint::Token), world.requests().last().unwrap().to), (sent, Some(Endpoint::Metadata)));
    assert_eq!(tab.arrive(&address), Err(Misbehaved::AlreadyUsed.into()));
}

// disc-malep
#[test]
fn a_provider_that_borrows_endpoints_of_another_gets_no_code() {
    const EVIL: &str = "https://evil.example";
    let config = Config::new(EVIL, CLIENT);

    // The user signs in at the honest provider, whose responses say so; the code would go to the other.
    let world = World::new();
    world.provider.metadata("issuer", json!(EVIL));
    world.provider.metadata("token_endpoint", json!(format!("{EVIL}/token")));
    for promised in [json!(true), json!(false)] {
        world.provider.metadata("authorization_response_iss_parameter_supported", promised);
        let mut tab = world.tab_with(&config).unwrap();
        let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        let asked = world.requests().len();
        assert_eq!(tab.arrive(&address), Err(Misbehaved::IssuerMismatch.into()));
        assert_eq!(world.requests().len(), asked);
        assert_eq!(tab.arrive(&address), Err(Misbehaved::AlreadyUsed.into()));
    }
    assert_eq!(world.count(Endpoint::Token), 0);

    // The other makes up the response and borrows the token endpoint: the ID token says who made it.
    let world = World::new();
    world.provider.metadata("issuer", json!(EVIL));
    world.provider.callback(|response| {
        response.retain(|(name, _)| name != "iss");
        response.push(("iss".into(), EVIL.into()));
    });
    let mut tab = world.tab_with(&config).unwrap();
    assert_eq!(tab.sign_in(), Err(Misbehaved::IssuerMismatch.into()));
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Misconfigured::DestinationNotAllowed.into()));
    assert_eq!(tab.state(), State::Failed(Misbehaved::IssuerMismatch.into()));
}

// disc-proto
#[test]
fn a_document_that_says_two_things_is_refused() {
    let text = String::from_utf8(document()).unwrap();
    for twice in [
        text.replacen('{', r#"{"issuer":"https://as.example","#, 1),
        text.replacen('{', r#"{"\u0069ssuer":"https://evil.example","#, 1),
        text.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1),
    ] {
        assert_eq!(with_answer(answer(Some("application/json"), twice)), unreadable(Unreadable::DuplicateMember));
    }
    // Names that mean something to JavaScript mean nothing here.
    let world = World::new();
    let odd = text.replacen('{', r#"{"__proto__":{"issuer":"https://evil.example"},"constructor":{"prototype":1},"#, 1);
    world.provider.always(Endpoint::Metadata, answer(Some("application/json"), odd));
    assert!(world.tab().sign_in().is_ok());
}

// disc-cors
#[test]
fn a_provider_that_cannot_be_reached_signs_nobody_out() {
    let world = World::new();
    // Long enough that nothing is renewed meanwhile.
    world.provider.lifetime(7200);
    let mut tab = world.tab();
    let session = tab.sign_in().unwrap();
    // The next page knows no metadata yet.
    world.later(tokenkeep::keep::METADATA_LIFE);
    world.provider.answer(Endpoint::Metadata, |_, _| Err(HttpFailure::Unreachable));
    let asked = world.requests().len();
    let error = tab.leave(SignIn::default()).unwrap_err();
    assert_eq!(error, Interrupted::Unreachable { from: Source::Metadata }.into());
    assert!(error.to_string().contains("CORS"));
    assert_eq!((world.requests().len(), tab.session()), (asked + 3, Some(session)));

    // Where the browser knows that it is offline, there is no point in asking again.
    world.provider.answer(Endpoint::Metadata, |_, _| Err(HttpFailure::Offline));
    assert_eq!(tab.leave(SignIn::default()), Err(Interrupted::Offline { from: Source::Metadata }.into()));
    assert_eq!(world.requests().len(), asked + 4);
}

// disc-5xx
#[test]
fn a_provider_that_stumbles_is_asked_again() {
    for status in [503, 500, 429] {
        let world = World::new();
        let mut failures = 2;
        world.provider.answer(Endpoint::Metadata, move |_, right| {
            let fails = failures > 0;
            failures -= i32::from(fails);
            Ok(if fails { Response { status, ..right } } else { right })
        });
        assert!(world.tab().leave(SignIn::default()).is_ok());
        assert_eq!(world.count(Endpoint::Metadata), 3);
        assert_eq!(*world.time.slept.borrow(), [Duration::from_millis(250), Duration::from_secs(1)]);

        // Three times is enough, and the failure is not kept.
        let world = World::new();
        world.provider.always(Endpoint::Metadata, Response { status, headers: Vec::new(), body: Vec::new() });
        let tab = world.tab();
        assert_eq!(refused(&tab, 3), Interrupted::Unavailable { from: Source::Metadata, status }.into());
        world.provider.recover(Endpoint::Metadata);
        assert!(tab.leave(SignIn::default()).is_ok());
    }
}

// disc-parreq
#[test]
fn a_provider_that_requires_pushed_requests_must_say_where() {
    let world = World::new();
    world.provider.metadata("require_pushed_authorization_requests", json!(true));
    let error = Misbehaved::BadEndpoint { member: "pushed_authorization_request_endpoint" };
    assert_eq!(refused(&world.tab(), 1), error.into());

    let world = World::new();
    world.provider.metadata("require_pushed_authorization_requests", json!(true));
    world.provider.takes_pushed_requests();
    assert!(world.tab().sign_in().is_ok());
    assert_eq!(world.count(Endpoint::PushedRequest), 1);

    // Who only offers it is asked in the usual way.
    let world = World::new();
    world.provider.takes_pushed_requests();
    assert!(world.tab().sign_in().is_ok());
    assert_eq!(world.count(Endpoint::PushedRequest), 0);
}
