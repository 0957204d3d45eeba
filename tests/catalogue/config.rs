//! What an app configures, and how a sign-in begins.

use std::time::Duration;

use serde_json::json;
use tokenkeep::{
    Access, Acr, Config, Error, Finished, Prompt, SignIn, SignOut,
    page::ports::FramedBy,
    protocol::{Misbehaved, Misconfigured, ResponseMode, Unreadable, UserInfoFormat},
};
use url::Url;

use crate::{
    test,
    world::{CLIENT, Endpoint, ISSUER, ORIGIN, Tab, World, run},
};

/// What opening a client with this configuration fails with, before anything is asked.
#[track_caller]
fn refused(config: Config) -> Error {
    let world = World::new();
    let error = world.tab_with(&config).err().expect("refused");
    assert!(world.requests().is_empty() && world.stored().is_empty());
    error
}

/// What beginning a sign-in fails with. Nobody left, and nothing was remembered.
#[track_caller]
fn stays(tab: &Tab, sign_in: SignIn) -> Error {
    let before = tab.world.stored();
    let error = tab.leave(sign_in).unwrap_err();
    assert!(tab.bar.went.borrow().is_empty());
    assert_eq!(tab.world.stored(), before);
    error
}

/// The parameters of an authorization request.
fn parameters(url: &str) -> Vec<(String, String)> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn value(url: &str, name: &str) -> Option<String> {
    parameters(url).into_iter().find(|(ours, _)| ours == name).map(|(_, value)| value)
}

// cfg-frag
#[test]
fn a_redirect_uri_is_whole_and_of_this_origin() {
    for uri in [
        "https://app.example/cb#x",
        "https://app.example/cb#",
        "/cb",
        "cb",
        "//app.example/cb",
        "",
        "https://other.example/cb",
        "http://app.example/cb",
        "https://app.example:444/cb",
        "https://app.example@evil.example/cb",
        "https://app.example\\@evil.example/cb",
    ] {
        assert_eq!(refused(World::config().redirect_uri(uri)), Misconfigured::RedirectUriMalformed.into(), "{uri}");
    }
    for path in ["cb", "", "//evil.example/cb", "/\\evil.example", "/cb#x", "/c b", "https://app.example/cb"] {
        assert_eq!(refused(World::config().redirect_path(path)), Misconfigured::RedirectUriMalformed.into(), "{path}");
        assert_eq!(refused(World::config().post_logout_redirect_path(path)), Misconfigured::RedirectUriMalformed.into(), "{path}");
    }
    let config = World::config().redirect_uri("https://app.example:443/cb");
    let url = World::new().tab_with(&config).unwrap().leave(SignIn::default()).unwrap();
    assert_eq!(value(&url, "redirect_uri").as_deref(), Some("https://app.example:443/cb"));
}

// cfg-http
// Loopback http needs no flag: a name that only this machine answers to is no way out of it.
#[test]
fn an_issuer_is_https_without_query_and_fragment() {
    for issuer in [
        "http://as.example",
        "https://as.example?tenant=1",
        "https://as.example?",
        "https://as.example#x",
        "https://as.example/#",
        "https://user@as.example",
        "as.example",
        "",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.1",
        "http://2130706433",
        "https://bücher.example",
    ] {
        assert_eq!(refused(Config::new(issuer, CLIENT)), Misconfigured::IssuerMalformed.into(), "{issuer}");
    }
    for issuer in ["http://localhost:9400", "http://127.0.0.1:9400/realm", "http://[::1]:9400", "http://op.localhost"] {
        let world = World::new();
        world.provider.rename(issuer);
        let mut tab = world.tab_with(&Config::new(issuer, CLIENT)).unwrap();
        assert!(tab.sign_in().is_ok(), "{issuer}");
    }
}

// cfg-reserved
#[test]
fn an_extra_parameter_takes_no_name_of_ours() {
    let world = World::new();
    let tab = world.tab();
    for name in [
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "redirect_uri",
        "client_id",
        "response_type",
        "response_mode",
        "request",
        "request_uri",
        "scope",
        "prompt",
        "max_age",
        "login_hint",
        "id_token_hint",
        "acr_values",
        "claims",
        "resource",
        "audience",
        "dpop_jkt",
        "authorization_details",
        "",
    ] {
        let reserved = Misconfigured::ParameterReserved { parameter: name.into() };
        assert_eq!(stays(&tab, SignIn::default().extra(name, "x")), reserved.into());
    }
    let twice = SignIn::default().extra("hd", "a").extra("hd", "b");
    assert_eq!(stays(&tab, twice), Misconfigured::ParameterReserved { parameter: "hd".into() }.into());
    assert!(world.requests().is_empty());

    // Every name is sent once, whatever the values are; only `resource` may repeat.
    let config = World::config().resource("https://a.example").resource("https://b.example").audience("api");
    let tab = world.tab_with(&config).unwrap();
    let sign_in = SignIn::default().extra("hd", "x&state=y").login_hint("a&nonce=b").prompt([Prompt::Login, Prompt::Consent]);
    let url = tab.leave(sign_in).unwrap();
    let mut names: Vec<_> = parameters(&url).into_iter().map(|(name, _)| name).filter(|name| name != "resource").collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert_eq!(value(&url, "hd").as_deref(), Some("x&state=y"));
    assert_eq!(parameters(&url).iter().filter(|(name, _)| name == "resource").count(), 2);
}

// cfg-authq
#[test]
fn the_query_of_the_authorization_endpoint_is_kept() {
    let world = World::new();
    world.provider.metadata("authorization_endpoint", json!(format!("{ISSUER}/authorize?p=policy1")));
    let mut tab = world.tab();
    let url = tab.leave(SignIn::default()).unwrap();
    assert!(url.starts_with("https://as.example/authorize?p=policy1&response_type=code&"), "{url}");
    assert_eq!(url.matches('?').count(), 1);
    assert!(tab.arrive(&world.provider.authorize(&url)).is_ok());

    for query in ["state=x", "p=1&redirect_uri=https://evil.example", "%73tate=x", "nonce", "request_uri=urn:x"] {
        let world = World::new();
        world.provider.metadata("authorization_endpoint", json!(format!("{ISSUER}/authorize?{query}")));
        let error = Misbehaved::BadEndpoint { member: "authorization_endpoint" };
        assert_eq!(stays(&world.tab(), SignIn::default()), error.into(), "{query}");
    }
}

// cfg-insecure
#[test]
fn without_real_randomness_nobody_leaves() {
    let world = World::new();
    world.chance.absent.set(true);
    assert_eq!(stays(&world.tab(), SignIn::default()), Misconfigured::InsecureContext.into());
    assert!(world.requests().is_empty());

    let world = World::new();
    world.chance.broken.set(true);
    assert_eq!(stays(&world.tab(), SignIn::default()), Misconfigured::InsecureContext.into());
}

// cfg-nos256
#[test]
fn a_provider_without_s256_is_not_used() {
    for methods in [json!(["plain"]), json!([]), json!(["s256"])] {
        let world = World::new();
        world.provider.metadata("code_challenge_methods_supported", methods);
        assert_eq!(stays(&world.tab(), SignIn::default()), Misconfigured::PkceUnsupported.into());
    }
    // Silence is no refusal: the challenge is sent all the same.
    let world = World::new();
    world.provider.metadata("code_challenge_methods_supported", json!(null));
    let mut tab = world.tab();
    let url = tab.leave(SignIn::default()).unwrap();
    assert_eq!(value(&url, "code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(value(&url, "code_challenge").map(|challenge| challenge.len()), Some(43));
    assert!(value(&url, "state").is_some() && value(&url, "nonce").is_some());
    assert!(tab.arrive(&world.provider.authorize(&url)).is_ok());
}

// cfg-scope
#[test]
fn scopes_are_words() {
    for scopes in ["openid \"x\"", "openid a\\b", "openid ä", "openid  profile", " openid", "openid ", "openid\tprofile", "openid\u{0}"] {
        assert_eq!(refused(World::config().scopes(scopes)), Misconfigured::ScopeMalformed.into(), "{scopes:?}");
    }
    for scopes in ["", "profile", "OpenID", "openid2"] {
        assert_eq!(refused(World::config().scopes(scopes)), Misconfigured::OpenidMissing.into(), "{scopes:?}");
    }
    // OAuth alone needs no openid, and no scope at all.
    let tab = World::new().tab_with(&World::config().scopes("").oauth_only()).unwrap();
    let url = tab.leave(SignIn::default()).unwrap();
    assert_eq!((value(&url, "scope"), value(&url, "nonce")), (None, None));
}

// cfg-prompt
#[test]
fn prompt_none_stands_alone() {
    let world = World::new();
    let tab = world.tab();
    for prompt in [vec![Prompt::None, Prompt::Login], vec![Prompt::Consent, Prompt::None], vec![Prompt::None, Prompt::None]] {
        assert_eq!(stays(&tab, SignIn::default().prompt(prompt)), Misconfigured::PromptMalformed.into());
    }
    assert!(world.requests().is_empty());
    let url = tab.leave(SignIn::default().prompt([Prompt::None])).unwrap();
    assert_eq!(value(&url, "prompt").as_deref(), Some("none"));
}

// cfg-secret
#[test]
fn a_client_secret_is_refused_wherever_it_is_put() {
    let text = r#"{"issuer": "https://as.example", "client_id": "my-app", "client_secret": "hunter2"}"#;
    assert_eq!(Config::from_json(text), Err(Misconfigured::ClientSecret));
    let world = World::new();
    let error = stays(&world.tab(), SignIn::default().extra("client_secret", "hunter2"));
    assert_eq!(error, Misconfigured::ClientSecret.into());
    assert!(!error.to_string().contains("hunter2"));
    assert!(world.requests().is_empty());
}

/// Where a user is sent after signing in.
fn returns_to(config: &Config, wanted: Option<&str>, began_at: &str) -> String {
    let world = World::new();
    let mut tab = world.tab_at(config, began_at).unwrap();
    let sign_in = wanted.map_or(SignIn::default(), |wanted| SignIn::default().return_to(wanted));
    let address = world.provider.authorize(&tab.leave(sign_in).unwrap());
    let Ok(Finished::SignedIn { return_to, .. }) = tab.arrive(&address) else { panic!("not signed in") };
    return_to
}

// cfg-returnto
#[test]
fn a_user_is_never_sent_to_another_origin() {
    let config = World::config();
    for (wanted, place) in [
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("\t//evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://app.example//evil.example/x", "/"),
        ("/.//evil.example", "/"),
        ("https://app.example.evil.example/", "/"),
        ("https://app.example@evil.example/", "/"),
        ("https://app.example:444/", "/"),
        ("http://app.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("data:text/html,x", "/"),
        ("blob:https://app.example/x", "/"),
        ("https://", "/"),
        ("/ok@evil", "/ok@evil"),
        ("/a?b#c", "/a?b#c"),
        ("https://app.example/a?b#c", "/a?b#c"),
        // Only at the redirect URI are these parts of a response.
        ("/orders?state=open&code=DE&&x#iss=1", "/orders?state=open&code=DE&&x#iss=1"),
        ("", "/start"),
    ] {
        assert_eq!(returns_to(&config, Some(wanted), &format!("{ORIGIN}/start")), place, "{wanted:?}");
        // The same from `place`, which an app may use for addresses of its own.
        let tab = World::new().tab_at(&config, &format!("{ORIGIN}/start")).unwrap();
        assert_eq!(tab.client.place(wanted), place, "{wanted:?}");
    }
}

// cfg-returnloop
#[test]
fn a_user_is_never_sent_back_to_the_callback() {
    let config = World::config();
    for wanted in ["/callback", "/callback?code=old&state=old", "/callback#x", "https://app.example/callback?a", "/x/../callback"] {
        assert_eq!(returns_to(&config, Some(wanted), &format!("{ORIGIN}/")), "/", "{wanted}");
    }
    assert_eq!(returns_to(&config, None, &format!("{ORIGIN}/callback?code=old&state=old")), "/");
    // Where the app's root is the redirect URI, the root is a place, but not its old response.
    let config = World::config().redirect_path("/");
    assert_eq!(returns_to(&config, None, &format!("{ORIGIN}/?a=1&code=old&state=old#/b")), "/?a=1#/b");
    assert_eq!(returns_to(&config, None, &format!("{ORIGIN}/#/orders?state=open")), "/#/orders?state=open");
}

// cfg-framed
#[test]
fn nobody_signs_in_inside_a_frame_of_another_site() {
    let world = World::new();
    let tab = world.tab();
    tab.bar.framed.set(tokenkeep::page::ports::FramedBy::AnotherOrigin);
    assert_eq!(stays(&tab, SignIn::default()), Misconfigured::Framed.into());
    assert!(world.requests().is_empty());
}

// cfg-burst
#[test]
fn many_wishes_to_sign_in_are_one() {
    let world = World::new();
    world.network.latency.set(5);
    let tab = world.tab();
    let wishes = (0..10).map(|_| tab.client.sign_in(SignIn::default()));
    let outcomes = run(futures::future::join_all(wishes));
    assert_eq!(outcomes, vec![Ok(()); 10]);
    // A double click: the first click has already begun to leave.
    assert_eq!(run(tab.client.sign_in(SignIn::default())), Ok(()));
    assert_eq!((tab.bar.went.borrow().len(), world.stored().len(), world.count(Endpoint::Metadata)), (1, 1, 1));

    // Who is still here after a while may try again.
    world.later(Duration::from_secs(5));
    assert_eq!(run(tab.client.sign_in(SignIn::default())), Ok(()));
    assert_eq!(tab.bar.went.borrow().len(), 2);

    // All hear of a failure, too, and the next may succeed.
    let world = World::new();
    world.network.latency.set(5);
    world.disk.blocked.set(true);
    let tab = world.tab();
    let outcomes = run(futures::future::join_all((0..10).map(|_| tab.client.sign_in(SignIn::default()))));
    assert!(outcomes.iter().all(|outcome| outcome.is_err() && *outcome == outcomes[0]));
    world.disk.blocked.set(false);
    assert_eq!(run(tab.client.sign_in(SignIn::default())), Ok(()));
}

// cfg-dupissuer
// A client knows one issuer, so the second provider of the same name is one that calls itself by another name than is configured.
#[test]
fn a_second_provider_cannot_take_the_name_of_the_first() {
    let world = World::new();
    let second = world.tab_with(&Config::new("https://second.example", CLIENT)).unwrap();
    assert_eq!(stays(&second, SignIn::default()), Misbehaved::IssuerMismatch.into());
    assert_eq!(world.requests().len(), 1);
}

// cfg-extraenum
#[test]
fn an_option_of_a_sign_in_that_is_wrong_is_named() {
    for option in ["extra", "login_hint", "max_age_seconds", "preferred_acr", "prompt", "required_acr", "return_to", "ui_locales"] {
        for value in ["true", "null", r#"[{}]"#] {
            let expected = Err(Misconfigured::OptionType { option: option.into() });
            assert_eq!(SignIn::from_json(&format!(r#"{{"{option}": {value}}}"#)), expected, "{option}: {value}");
        }
    }
    assert_eq!(SignIn::from_json(r#"{"prompt": "Login"}"#), Err(Misconfigured::OptionType { option: "prompt".into() }));
    assert_eq!(SignIn::from_json(r#"{"state": "x"}"#), Err(Misconfigured::OptionUnknown { option: "state".into() }));
    for text in ["", "[]", "7", r#"{"prompt": "login", "prompt": "none"}"#] {
        assert!(matches!(SignIn::from_json(text), Err(Misconfigured::ConfigMalformed { .. })), "{text}");
    }
    let said = r#"{"extra": {"audience_hint": "x"}, "login_hint": "alice", "max_age_seconds": 60, "prompt": ["login", "consent"],
        "required_acr": ["mfa"], "return_to": "/orders", "ui_locales": "de"}"#;
    let meant = SignIn::default()
        .extra("audience_hint", "x")
        .login_hint("alice")
        .max_age(Duration::from_secs(60))
        .prompt([Prompt::Login, Prompt::Consent])
        .acr(Acr::Required(vec!["mfa".into()]))
        .return_to("/orders")
        .ui_locales(["de"]);
    assert_eq!(SignIn::from_json(said), Ok(meant));
    assert_eq!(SignIn::from_json("{}"), Ok(SignIn::default()));
}

// cfg-extraenum, dp-wild
#[test]
fn an_option_that_is_wrong_is_named() {
    let with = |more: &str| Config::from_json(&format!(r#"{{"issuer": "{ISSUER}", "client_id": "{CLIENT}"{more}}}"#));
    let option_type = |option: &str| Err(Misconfigured::OptionType { option: option.into() });
    for (option, value) in [
        ("scopes", "7"),
        ("scopes", "null"),
        ("scopes", "[1]"),
        ("api", "{}"),
        ("api", "[null]"),
        ("audience", "true"),
        ("redirect_uri", "[]"),
        ("post_logout_redirect_uri", "1e9"),
        ("resource", "false"),
        ("api", r#"[{"scopes": "orders:read"}]"#),
        ("api", r#"{"url": "https://api.example/", "scope": "orders:read"}"#),
        ("api", r#"{"url": "https://api.example/", "resource": 5}"#),
        ("clock_leeway_seconds", "-1"),
        ("dpop", "1"),
        ("clock_leeway_seconds", r#""30""#),
        ("dangerous_front_channel_logout_without_session", "1"),
        ("oauth_only", r#""yes""#),
        ("post_logout_redirect_path", "[]"),
        ("redirect_path", "null"),
        ("response_mode", r#""post""#),
        ("response_type", r#""token""#),
        ("pushed_authorization_requests", "1"),
        ("trusted_audiences", "[7]"),
        ("user_info", r#""jwt""#),
    ] {
        assert_eq!(with(&format!(r#", "{option}": {value}"#)), option_type(option), "{option}: {value}");
    }
    assert_eq!(Config::from_json(r#"{"issuer": null, "client_id": "x"}"#), option_type("issuer"));
    assert_eq!(Config::from_json(r#"{"issuer": "x", "client_id": 5}"#), option_type("client_id"));
    for option in ["scope", "Issuer", "", "__proto__", "usePkce"] {
        assert_eq!(with(&format!(r#", "{option}": "x""#)), Err(Misconfigured::OptionUnknown { option: option.into() }));
    }
    assert_eq!(Config::from_json(r#"{"client_id": "x"}"#), Err(Misconfigured::OptionMissing { option: "issuer" }));
    assert_eq!(Config::from_json(r#"{"issuer": "x", "client_id": ""}"#), Err(Misconfigured::OptionMissing { option: "client_id" }));
    for (text, why) in [
        ("", Unreadable::NotJson),
        ("[]", Unreadable::NotAnObject),
        ("null", Unreadable::NotAnObject),
        (r#"{"issuer": "x", "issuer": "y"}"#, Unreadable::DuplicateMember),
    ] {
        assert_eq!(Config::from_json(text), Err(Misconfigured::ConfigMalformed { why }), "{text}");
    }
    let config = with(r#", "scopes": ["openid", "email"], "api": "https://api.example/v1/", "redirect_uri": "https://app.example/cb""#);
    assert!(World::new().tab_with(&config.unwrap()).unwrap().sign_in().is_ok());

    // What is written is what the methods say.
    let said = r#", "api": [{"url": "https://api.example/", "resource": "https://api.example/", "scopes": ["a", "b"]}, "https://other.example/"],
        "clock_leeway_seconds": 12, "dangerous_front_channel_logout_without_session": true, "dpop": true, "oauth_only": true,
        "scopes": "a b",
        "post_logout_redirect_path": "/bye", "redirect_path": "/cb", "response_mode": "form_post.jwt", "form_post_receiver": true,
        "pushed_authorization_requests": true, "response_type": "code", "trusted_audiences": "other",
        "user_info": "signed""#;
    let meant = Config::new(ISSUER, CLIENT)
        .api_for("https://api.example/", Access::to("https://api.example/").scope("a b"))
        .api("https://other.example/")
        .clock_leeway(Duration::from_secs(12))
        .dangerous_front_channel_logout_without_session()
        .dpop(true)
        .oauth_only()
        .scopes("a b")
        .post_logout_redirect_path("/bye")
        .redirect_path("/cb")
        .response_mode(ResponseMode::FormPostJwt)
        .form_post_receiver()
        .pushed_authorization_requests(true)
        .trusted_audience("other")
        .user_info(UserInfoFormat::Signed);
    assert_eq!(with(said), Ok(meant));
    let none =
        r#", "oauth_only": false, "dangerous_front_channel_logout_without_session": false, "response_type": "code", "user_info": "json""#;
    assert_eq!(with(none), Ok(Config::new(ISSUER, CLIENT)));

    // Values that cannot work are found when the client is opened.
    assert_eq!(refused(Config::new(ISSUER, "")), Misconfigured::ClientIdMalformed.into());
    assert_eq!(refused(Config::new(ISSUER, "my\napp")), Misconfigured::ClientIdMalformed.into());
    assert_eq!(refused(World::config().audience("")), Misconfigured::AudienceMalformed.into());
    assert_eq!(refused(World::config().clock_leeway(Duration::from_secs(301))), Misconfigured::LeewayTooLong.into());
    for resource in ["", "api", "/api", "https://api.example/#x", "https://api.example/ä", "1x:y", "x:"] {
        assert_eq!(refused(World::config().resource(resource)), Misconfigured::ResourceMalformed.into(), "{resource}");
    }
    for api in [
        "",
        "/v1",
        "http://api.example",
        "https://api.example?x",
        "https://api.example/#x",
        "https://*.example",
        "https://api.example/../x",
    ] {
        assert_eq!(refused(World::config().api(api)), Misconfigured::ApiMalformed.into(), "{api}");
    }
}

#[test]
fn a_sign_out_comes_back_to_this_origin_only() {
    let world = World::new();
    let mut tab = world.tab_with(&World::config().post_logout_redirect_path("/bye")).unwrap();
    tab.sign_in().unwrap();
    run(tab.client.sign_out(SignOut::Provider)).unwrap();
    let url = tab.bar.went.borrow().last().cloned().unwrap();
    let (rest, state) = url.split_once("&state=").unwrap();
    assert_eq!(rest, "https://as.example/logout?client_id=my-app&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye");
    assert_eq!(state.len(), 22, "128 bits: {state}");
    assert!(!tab.visible().contains(state), "only a digest of it is stored");
}

// cfg-3pil
#[test]
fn a_sign_in_that_another_site_begins_goes_to_the_configured_provider_and_stays_in_the_app() {
    let (world, page) = (World::new(), format!("{ORIGIN}/initiate"));
    let tab = world.tab_at(&World::config(), &page).unwrap();
    let read = |query: &[(&str, &str)]| {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        tab.client.initiated_sign_in(&format!("{page}?{query}"))
    };
    assert_eq!(tab.client.initiated_sign_in(&page), Ok(None));

    let issuers = [
        "https://evil.example",
        "https://as.example/",
        "https://AS.example",
        "https://as.example:443",
        "https://as.example.evil.example",
        "",
    ];
    for iss in issuers {
        assert_eq!(read(&[("iss", iss), ("login_hint", "alice")]), Err(Misbehaved::IssuerMismatch.into()), "{iss}");
    }

    let targets = [
        (Some("https://app.example/orders?open=1#top"), "/orders?open=1#top"),
        (Some("/orders"), "/orders"),
        // Off the origin.
        (Some("https://evil.example/"), "/"),
        (Some("//evil.example/"), "/"),
        (Some("https://app.example@evil.example/"), "/"),
        (Some("https://app.example.evil.example/"), "/"),
        (Some("https://app.example:444/"), "/"),
        (Some("http://app.example/orders"), "/"),
        (Some("\\\\evil.example"), "/"),
        (Some("javascript:alert(1)"), "/"),
        (Some("data:text/html,x"), "/"),
        // It would begin again, or be taken for a response.
        (Some("https://app.example/initiate?iss=https://as.example"), "/"),
        (Some("https://app.example/callback?code=x&state=y"), "/"),
        (Some(""), "/"),
        (None, "/"),
    ];
    for (target, place) in targets {
        let mut query = vec![("iss", ISSUER), ("login_hint", "alice@example.com"), ("theme", "dark")];
        query.extend(target.map(|target| ("target_link_uri", target)));
        let expected = SignIn::default().login_hint("alice@example.com").return_to(place);
        assert_eq!(read(&query), Ok(Some(expected)), "{target:?}");
    }
    assert_eq!(read(&[("iss", ISSUER), ("iss", ISSUER)]), Err(Misbehaved::DuplicateParameter.into()));
    // Nobody was asked anything, and nothing was done.
    assert!(
        world.requests().is_empty()
            && world.stored().is_empty()
            && tab.bar.went.borrow().is_empty()
            && tab.bar.replaced.borrow().is_empty()
    );

    let sign_in = read(&[("iss", ISSUER), ("login_hint", "alice"), ("target_link_uri", "/orders")]).unwrap().unwrap();
    let url = tab.leave(sign_in).unwrap();
    assert!(url.starts_with(&format!("{ISSUER}/authorize?")) && value(&url, "login_hint").as_deref() == Some("alice"), "{url}");
    let mut tab = tab;
    let finished = tab.arrive(&world.provider.authorize(&url));
    assert!(matches!(&finished, Ok(Finished::SignedIn { return_to, .. }) if return_to == "/orders"), "{finished:?}");
}

// cfg-3pil, cfg-framed
#[test]
fn a_sign_in_that_another_site_begins_does_not_leave_from_inside_its_frame() {
    let world = World::new();
    let address = format!("{ORIGIN}/initiate?iss={ISSUER}");
    let tab = world.tab_at(&World::config(), &address).unwrap();
    tab.bar.framed.set(FramedBy::AnotherOrigin);
    let sign_in = tab.client.initiated_sign_in(&address).unwrap().unwrap();
    assert_eq!(stays(&tab, sign_in), Misconfigured::Framed.into());
}
