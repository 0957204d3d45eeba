//! What nobody may see: nothing of it in events, errors, states, addresses, `Debug` texts and, once a sign-in ended, in storage.

use std::{cell::RefCell, rc::Rc, time::Duration};

use serde_json::{Value, json};
use tokenkeep::{
    Acr, Error, Prompt, Request, SignIn, SignOut,
    keep::ports::HttpFailure,
    protocol::{
        Algorithm, Callback, Discovery, Entropy, Issuer, Json, Jwks, Metadata, PendingLogin, Registration, Response, ResponseMode, Scope,
        Secret, UnixTime, Unverified, authorize::authorize,
    },
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Key, ORIGIN, START, Tab, World, b64, json_response, run},
};

/// Everything that was shown, and where.
#[derive(Default)]
struct Seen(RefCell<Vec<(String, String)>>);

impl Seen {
    fn show(&self, at: &str, what: String) {
        self.0.borrow_mut().push((at.to_owned(), what));
    }

    fn error(&self, at: &str, error: &Error) {
        self.show(at, format!("{error:?} {error} {:?} {}", error.kind(), error.code()));
        if let Error::Provider(error) = error {
            self.show(at, format!("{:?} {:?} {:?} {error}", error.error(), error.description(), error.uri()));
        }
    }

    /// All that a tab shows, and what storage holds. Nothing is pending, so storage holds nothing of anybody's.
    fn tab(&self, at: &str, tab: &Tab) {
        self.show(at, tab.visible());
        self.show(at, format!("{:?} {:?} {:?}", tab.session(), tab.client.place(&tab.address()), tab.config));
        if let Some(claims) = tab.session().and_then(|session| session.claims) {
            self.show(at, format!("{:?} {} {}", claims.iter().collect::<Vec<_>>(), claims.subject(), claims.display_name()));
        }
        self.went(at, tab);
    }

    /// The authorization URL carries state and nonce, and goes to the provider; nothing else that is secret goes into a URL.
    fn went(&self, at: &str, tab: &Tab) {
        for url in tab.bar.went.borrow().iter() {
            assert!(url.starts_with(&format!("{ISSUER}/")), "{url}");
            let url = url::Url::parse(url).unwrap();
            let rest: Vec<_> =
                url.query_pairs().filter(|(name, _)| !(url.path() == "/authorize" && (name == "state" || name == "nonce"))).collect();
            self.show(at, format!("{} {rest:?}", url.path()));
        }
    }

    /// Where a secret was seen.
    fn holding(&self, secret: &str) -> Vec<String> {
        self.0.borrow().iter().filter(|(_, what)| what.contains(secret)).map(|(at, what)| format!("{at}: {what}")).collect()
    }
}

type Misbehaviour = (&'static str, fn(&World));

/// Ways in which a sign-in fails. Wherever the world can repeat a secret, it does.
const FAILURES: &[Misbehaviour] = &[
    ("denial", |world| {
        world.provider.callback(|response| {
            let said = format!("{} said again", response[1].1);
            response.push(("error_uri".into(), format!("{ISSUER}/why?state={}", response[1].1)));
            response.push(("error_description".into(), said));
            response[0] = ("error".into(), "access_denied".into());
        });
    }),
    ("code and error", |world| world.provider.callback(|response| response.push(("error".into(), "access_denied".into())))),
    ("token in the response", |world| {
        world.provider.callback(|response| response.push(("access_token".into(), "access-token-in-the-address".into())));
    }),
    ("code that is there twice", |world| {
        world.provider.callback(|response| response.push(("code".into(), "another-code-of-somebody".into())))
    }),
    ("issuer of another", |world| world.provider.callback(|response| response[2].1 = "https://evil.example".into())),
    ("token error that repeats", |world| {
        world.provider.answer(Endpoint::Token, |sent, _| Ok(json_response(400, &repeat(sent.body.as_str(), "invalid_grant"))));
    }),
    ("token error that is the code", |world| {
        world.provider.answer(Endpoint::Token, |sent, _| Ok(json_response(400, &json!({"error": sent.field("code")}))));
    }),
    ("token error that repeats the state", |world| repeat_known(world, 0)),
    ("token error that repeats the nonce", |world| repeat_known(world, 2)),
    ("token error that repeats the code", |world| repeat_known(world, 1)),
    ("token error that repeats the verifier", |world| {
        world.provider.answer(Endpoint::Token, |sent, _| {
            let said = format!("verifier {:?}", sent.field("code_verifier"));
            Ok(json_response(400, &json!({"error": "invalid_grant", "error_description": said})))
        });
    }),
    ("401", |world| {
        world.provider.answer(Endpoint::Token, |sent, _| Ok(json_response(401, &repeat(sent.body.as_str(), "invalid_client"))));
    }),
    ("500", |world| {
        world.provider.answer(Endpoint::Token, |sent, right| Ok(Response { status: 500, body: sent.body.clone().into(), ..right }))
    }),
    ("HTML", |world| {
        world.provider.answer(Endpoint::Token, |sent, _| {
            let page = format!("<html>{}", sent.body);
            Ok(Response { status: 200, headers: vec![("content-type".into(), "text/html".into())], body: page.into() })
        });
    }),
    ("no answer", |world| world.provider.answer(Endpoint::Token, |_, _| Err(HttpFailure::Unreachable))),
    ("late answer", |world| world.provider.answer(Endpoint::Token, |_, _| Err(HttpFailure::TimedOut))),
    ("half an answer", |world| {
        world.provider.answer(Endpoint::Token, |_, mut right| {
            right.body.truncate(200);
            Ok(right)
        });
    }),
    ("error beside tokens", |world| world.provider.token_response(|body| body["error"] = json!("server_error"))),
    ("token type that is a token", |world| world.provider.token_response(|body| body["token_type"] = body["access_token"].clone())),
    ("scope that is a token", |world| {
        world.provider.token_response(|body| {
            body["scope"] = json!([body["refresh_token"]]);
        });
    }),
    ("no ID token", |world| world.provider.token_response(|body| body["id_token"] = Value::Null)),
    ("ID token in five parts", |world| world.provider.id_token(|token| format!("{token}.{token}"))),
    ("ID token that nobody signed", |world| world.provider.header(|header| header["alg"] = json!("none"))),
    ("unknown key", |world| world.provider.header(|header| header["kid"] = json!("key-9"))),
    ("wrong key", |world| {
        world.provider.sign_secretly_with(Key::new(Algorithm::Es256, "mallory"));
        world.provider.header(|header| header["kid"] = json!("key-1"));
    }),
    ("no keys", |world| world.provider.always(Endpoint::Keys, json_response(503, &json!({})))),
    ("another nonce", |world| world.provider.claims(|claims| claims["nonce"] = json!("the-nonce-of-somebody-else"))),
    ("nonce as issuer", |world| world.provider.claims(|claims| claims["iss"] = claims["nonce"].clone())),
    ("nonce as audience", |world| world.provider.claims(|claims| claims["aud"] = json!([CLIENT, claims["nonce"]]))),
    ("no subject", |world| world.provider.claims(|claims| claims["sub"] = json!([claims["nonce"]]))),
    ("expired", |world| {
        world.provider.claims(|claims| {
            claims["exp"] = json!(START - 60);
            claims["iat"] = json!(START - 120);
        });
    }),
    ("clock", |world| world.time.ahead.set(3_000_000)),
    ("another at_hash", |world| world.provider.claims(|claims| claims["at_hash"] = claims["nonce"].clone())),
];

/// An error that repeats what the provider knows: from the last backwards the state, the code, the nonce.
fn repeat_known(world: &World, which: usize) {
    let provider = world.provider.clone();
    world.provider.answer(Endpoint::Token, move |_, _| {
        let secret = provider.secrets().into_iter().rev().nth(which).unwrap();
        Ok(json_response(400, &json!({"error": "invalid_grant", "error_description": format!("not {secret}!")})))
    });
}

/// An error that repeats the request, as text and field by field.
fn repeat(body: &str, error: &str) -> Value {
    let fields: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).map(|(name, value)| format!("{name} was {value}")).collect();
    json!({"error": error, "error_description": format!("{} ({body})", fields.join("\r\n")), "error_uri": format!("{ISSUER}/?{body}")})
}

// env-log
#[test]
fn no_secret_is_ever_seen() {
    let seen = Seen::default();
    let mut secrets = Vec::new();
    for (at, misbehave) in FAILURES {
        let world = World::new();
        misbehave(&world);
        let mut tab = world.tab();
        let url = tab.leave(SignIn::default().login_hint("alice").prompt([Prompt::Login]).acr(Acr::Preferred(vec!["phr".into()]))).unwrap();
        seen.went(at, &tab);
        let before = tab.clone();
        let callback = world.provider.authorize(&url);
        let error = tab.arrive(&callback).expect_err(at);
        seen.error(at, &error);
        seen.tab(at, &tab);
        seen.tab(at, &before);
        // The same again, here and in another tab.
        for outcome in [tab.see(&callback), world.tab().arrive(&callback)] {
            seen.show(at, format!("{outcome:?}"));
        }
        seen.tab(at, &tab);
        secrets.extend(world.secrets());
    }
    success(&seen, &mut secrets);
    debug_texts(&seen, &mut secrets);

    secrets.sort();
    secrets.dedup();
    // Each failure has a state, a nonce, a code, a verifier and mostly three tokens of its own.
    assert!(secrets.len() >= 60, "only {} secrets: {secrets:#?}", secrets.len());
    for kind in ["code-", "access-token-", "refresh-token-", "ey"] {
        assert!(secrets.iter().any(|secret| secret.starts_with(kind)), "no secret begins with {kind}");
    }
    assert!(seen.0.borrow().len() > 100, "only {} texts were seen", seen.0.borrow().len());
    for secret in &secrets {
        assert_eq!(seen.holding(secret), Vec::<String>::new(), "{secret}");
    }
}

/// A sign-in that works, and all that can be done with it.
fn success(seen: &Seen, secrets: &mut Vec<String>) {
    for (at, config) in [("success", World::config()), ("fragment", World::config().response_mode(ResponseMode::Fragment))] {
        let world = World::seeded(7);
        world.provider.claims(|claims| claims["auth_time"] = json!(START));
        let mut tab = world.tab_with(&config).unwrap();
        let states = Rc::new(RefCell::new(Vec::new()));
        let wish = SignIn::default().return_to("/orders?open=1#top").max_age(Duration::from_secs(300));
        let session = tab.sign_in_as(wish).unwrap();
        let sink = states.clone();
        let _listening = tab.client.on_state(move |state| sink.borrow_mut().push(format!("{state:?}")));
        seen.show(at, format!("{session:?}"));
        seen.tab(at, &tab);
        let before = tab.clone();

        for url in ["me?access=1", "me#x", "../elsewhere", "https://evil.example/", "orders"] {
            match tab.fetch(url::Url::parse(API).unwrap().join(url).unwrap().as_str()) {
                Ok(response) => seen.show(at, format!("{response:?} {:?}", response.text())),
                Err(error) => seen.error(at, &error),
            }
        }
        for failure in [HttpFailure::Unreachable, HttpFailure::TooLarge, HttpFailure::Offline] {
            world.provider.answer(Endpoint::Api, move |_, _| Err(failure));
            seen.error(at, &tab.fetch(&format!("{API}me")).unwrap_err());
        }
        let own_header = Request::get(format!("{API}me")).header("authorization", "Bearer a-token-of-the-app");
        seen.error(at, &run(tab.client.fetch(own_header)).unwrap_err());
        secrets.push("a-token-of-the-app".into());

        seen.show(at, format!("{:?}", run(tab.client.user_info())));
        for body in [json!({"sub": "bob"}), json!({"error": "invalid_token", "sub": 5})] {
            world.provider.answer(Endpoint::UserInfo, move |sent, _| {
                let mut body = body.clone();
                body["repeated"] = json!(sent.header("authorization"));
                Ok(json_response(200, &body))
            });
            seen.error(at, &run(tab.client.user_info()).unwrap_err());
        }
        world.provider.always(Endpoint::UserInfo, json_response(401, &json!({"error": "invalid_token"})));
        seen.error(at, &run(tab.client.user_info()).unwrap_err());

        // A second sign-in in this page fails; then the user signs out, at the provider too.
        world.provider.answer(Endpoint::Token, |sent, _| Ok(json_response(400, &repeat(&sent.body, "invalid_grant"))));
        tab.bar.come_back();
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        seen.error(at, &tab.see(&callback).unwrap_err());
        seen.show(at, format!("{:?}", tab.see(&callback)));
        seen.tab(at, &tab);
        seen.show(at, format!("{:?}", run(tab.client.sign_out(SignOut::Provider))));
        seen.error(at, &tab.fetch(&format!("{API}me")).unwrap_err());
        seen.tab(at, &tab);
        seen.tab(at, &before);
        seen.show(at, states.borrow().join(" "));
        tab.client.close();
        seen.tab(at, &tab);
        secrets.extend(world.secrets());
    }
}

/// The values of the protocol as a program may print them, one after the other.
fn debug_texts(seen: &Seen, secrets: &mut Vec<String>) {
    let show = |what: &dyn std::fmt::Debug| seen.show("Debug", format!("{what:?} {what:#?}"));
    let world = World::new();
    let issuer = Issuer::parse(ISSUER).unwrap();
    let metadata = json!({"issuer": ISSUER, "authorization_endpoint": format!("{ISSUER}/authorize"), "token_endpoint": format!("{ISSUER}/token"),
        "jwks_uri": format!("{ISSUER}/keys")});
    let metadata = Metadata::read(&issuer, Discovery::OpenId, &json_response(200, &metadata)).unwrap();
    let registration = Registration {
        client_id: CLIENT.into(),
        redirect_uri: tokenkeep::protocol::HttpUrl::parse(&format!("{ORIGIN}/callback")).unwrap(),
        scope: Scope::parse("openid").unwrap(),
        audience: None,
        resources: Vec::new(),
        response_mode: ResponseMode::Query,
    };
    let random: [u8; Entropy::LENGTH] = std::array::from_fn(|index| index as u8 * 2 + 1);
    let entropy = Entropy::new(random);
    secrets.extend(random.chunks(32).map(b64));
    secrets.push(format!("{random:?}").trim_matches(['[', ']']).to_owned());
    show(&entropy);
    let (url, login) = authorize(&metadata, &registration, &SignIn::default(), &entropy, "/".into(), UnixTime::from_secs(START)).unwrap();
    show(&url);
    show(&login);
    let record = login.to_record();
    show(&record);
    show(&PendingLogin::from_record(record.expose()));

    let address = world.provider.authorize(url.expose());
    let callback = Callback::read(&address, &format!("{ORIGIN}/callback")).unwrap();
    show(&callback);
    show(&callback.state());
    seen.show("Debug", Callback::scrub(&address));
    let code = login.accept(&callback, UnixTime::from_secs(START)).unwrap();
    show(&code);
    let exchange = code.exchange(&metadata).unwrap();
    show(&exchange);
    show(&exchange.request);

    let nonce = b64(&random[32..64]);
    let id_token =
        world.provider.sign(&json!({"iss": ISSUER, "sub": "alice", "aud": CLIENT, "nonce": nonce, "exp": START + 60, "iat": START}));
    let answer =
        json!({"access_token": "access-token-debug", "refresh_token": "refresh-token-debug", "id_token": id_token, "token_type": "Bearer"});
    secrets.extend(["access-token-debug".into(), "refresh-token-debug".into(), id_token.clone()]);
    // Also as a list of bytes.
    secrets.extend(id_token.split('.').map(|part| format!("{:?}", part.as_bytes()).trim_matches(['[', ']']).to_owned()));
    secrets.push(format!("{:?}", nonce.as_bytes()).trim_matches(['[', ']']).to_owned());
    let (granted, login) = exchange.finish(&json_response(200, &answer)).unwrap();
    show(&granted);
    show(&login);
    show(&Request::get(API).header("x-key", "access-token-debug").body("refresh-token-debug"));
    show(&Secret::copied(&id_token));

    let unverified = Unverified::read(&id_token, &Algorithm::ALL).unwrap();
    show(&unverified);
    let keys = Jwks::read(&json_response(200, &json!({"keys": [Key::new(Algorithm::Es256, "key-1").public_jwk()]}))).unwrap();
    for check in unverified.checks(&keys) {
        show(&check);
    }
    let signed = unverified.signed_by(&[true]).unwrap();
    show(&signed);
    show(&Json::Null);
    secrets.extend(world.secrets());
}
