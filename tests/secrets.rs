//! What nobody may see: nothing of it in events, errors, states, addresses, `Debug` texts and, once a sign-in ended, in storage.

use std::{cell::RefCell, rc::Rc, time::Duration};

use serde_json::{Value, json};
use tokenkeep::{
    Access, Acr, Config, Ended, Error, Event, Finished, Prompt, Request, Rung, SignIn, SignOut,
    keep::ports::{FrameEvent, HttpFailure},
    protocol::{
        Accepted, Algorithm, Callback, Discovery, Entropy, Issuer, Json, Jwks, Metadata, PendingLogin, Registration, Response,
        ResponseMode, ResponseType, Scope, Secret, TokenType, UnixTime, Unverified, authorize::authorize,
    },
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Key, ORIGIN, START, Sent, Tab, World, b64, json_response, run},
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

    /// The authorization URL carries state and nonce, that of a sign-out a state of its own, and both go to the provider; nothing else that
    /// is secret goes into a URL.
    fn went(&self, at: &str, tab: &Tab) {
        let (went, submitted) = (tab.bar.went.borrow(), tab.bar.submitted.borrow());
        went.iter().chain(submitted.iter().map(|(url, _)| url)).for_each(|url| self.url(at, url));
    }

    fn url(&self, at: &str, url: &str) {
        assert!(url.starts_with(&format!("{ISSUER}/")), "{url}");
        let url = url::Url::parse(url).unwrap();
        let allowed: &[&str] = match url.path() {
            "/authorize" => &["state", "nonce"],
            "/logout" => &["state"],
            _ => &[],
        };
        let rest: Vec<_> = url.query_pairs().filter(|(name, _)| !allowed.contains(&&**name)).collect();
        self.show(at, format!("{} {rest:?}", url.path()));
    }

    /// What other tabs, other scripts of the origin and later visitors can find, and who watches addresses on the network.
    fn world(&self, at: &str, world: &World) {
        self.show(at, format!("storage {:?}", world.stored()));
        self.show(at, format!("journal {:?}", world.journal.records.borrow()));
        self.show(at, format!("channels {:?} {:?}", world.channels.names(), world.channels.log.borrow()));
        self.show(at, format!("requested {:?}", world.requests().into_iter().map(|sent| sent.url).collect::<Vec<_>>()));
        self.show(at, format!("reached {:?}", world.network.reached.borrow()));
        world.frames.opened.borrow().iter().for_each(|url| self.url(at, url));
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

type Life = fn(&'static str, &World, &Seen, &mut Vec<String>);

/// Whole lives of sessions. Wherever the world can repeat a secret, it does.
const LIVES: &[(&str, Life)] = &[
    ("refresh tokens in three tabs", |at, world, seen, secrets| {
        renewed_id_tokens(world);
        let mut tabs = tabs(world, &World::config().api_for(format!("{API}orders/"), Access::default().scope("orders:read")), 3);
        for _ in 0..20 {
            world.later(Duration::from_secs(101));
            for tab in &tabs {
                seen.show(at, format!("{:?}", tab.fetch(&format!("{API}me"))));
                seen.show(at, format!("{:?} {:?}", tab.fetch(&format!("{API}orders/7?x=1")), run(tab.client.user_info())));
            }
        }
        tabs.iter().for_each(|tab| assert!(told(tab, |event| matches!(event, Event::Renewed { by: Rung::Tab }))));
        assert!(world.provider.secrets().len() >= 3 && world.count(Endpoint::Token) > 10);
        seen.show(at, format!("{:?}", run(tabs[1].client.renew())));
        out(at, &mut tabs, SignOut::Provider, seen, secrets);
    }),
    ("refresh tokens that are refused", |at, world, seen, secrets| {
        world.provider.rotates(false);
        let mut tabs = tabs(world, &World::config(), 2);
        for refused in [
            |sent: &Sent| Response { status: 500, body: sent.body.clone().into(), ..json_response(500, &json!({})) },
            |sent: &Sent| json_response(503, &repeat(&sent.body, "temporarily_unavailable")),
            |sent: &Sent| json_response(429, &repeat(&sent.body, "slow_down")),
            |sent: &Sent| json_response(400, &json!({"error": sent.field("refresh_token")})),
            |sent: &Sent| json_response(401, &repeat(&sent.body, "invalid_client")),
            |sent: &Sent| Response {
                headers: vec![("content-type".into(), "text/html".into())],
                ..json_response(200, &repeat(&sent.body, "x"))
            },
            |sent: &Sent| json_response(400, &repeat(&sent.body, "invalid_scope")),
        ] {
            world.later(Duration::from_secs(10));
            world.provider.answer(Endpoint::Token, move |sent, _| Ok(refused(sent)));
            seen.error(at, &run(tabs[0].client.renew()).unwrap_err());
            seen.tab(at, &tabs[0]);
            world.provider.recover(Endpoint::Token);
            tabs[0].sign_in().unwrap();
        }
        world.later(Duration::from_secs(10));
        world.provider.answer(Endpoint::Token, |sent, _| Ok(json_response(400, &repeat(&sent.body, "invalid_grant"))));
        seen.error(at, &run(tabs[0].client.renew()).unwrap_err());
        world.provider.recover(Endpoint::Token);
        assert!(told(&tabs[0], |event| *event == Event::Ended(Ended::Rejected)));
        seen.tab(at, &tabs[0]);
        tabs[0].sign_in().unwrap();
        world.provider.answer(Endpoint::Revocation, |sent, _| Ok(json_response(400, &repeat(&sent.body, "unsupported_token_type"))));
        out(at, &mut tabs, SignOut::Local, seen, secrets);
    }),
    ("answers of the token endpoint that are lost or wrong", |at, world, seen, secrets| {
        let mut tabs = tabs(world, &World::config(), 2);
        for wrong in [
            |_: &World, _: &Sent, mut right: Response| {
                right.body.truncate(100);
                Ok(right)
            },
            |_: &World, _: &Sent, _: Response| Err(HttpFailure::TimedOut),
            |world: &World, sent: &Sent, right: Response| {
                Ok(with_id_token(world, &right, &json!({"iss": sent.field("refresh_token"), "sub": "alice", "aud": CLIENT})))
            },
            |world: &World, sent: &Sent, right: Response| {
                Ok(with_id_token(
                    world,
                    &right,
                    &json!({"iss": ISSUER, "sub": sent.field("refresh_token"), "aud": CLIENT, "exp": START * 2}),
                ))
            },
        ] {
            world.later(Duration::from_secs(10));
            let signer = World::new();
            world.provider.answer(Endpoint::Token, move |sent, right| wrong(&signer, sent, right));
            seen.error(at, &run(tabs[0].client.renew()).unwrap_err());
            seen.tab(at, &tabs[0]);
            world.provider.recover(Endpoint::Token);
            tabs[0].sign_in().unwrap();
            world.later(Duration::from_secs(1));
            seen.tab(at, &tabs[1]);
        }
        out(at, &mut tabs, SignOut::Provider, seen, secrets);
    }),
    ("hidden frames, and a sign-out by form", |at, world, seen, secrets| {
        without_refresh_tokens(world);
        world.frames_work();
        let mut tabs = tabs(world, &World::config().id_token_hint(true), 2);
        world.later(Duration::from_secs(1_000));
        assert!(tabs.iter().all(|tab| told(tab, |event| matches!(event, Event::Renewed { .. }))) && world.frames.opened.borrow().len() > 3);
        seen.tab(at, &tabs[1]);
        tabs[1].arrive(&format!("{ORIGIN}/orders")).unwrap();
        for error in ["server_error", "interaction_required"] {
            world.later(Duration::from_secs(10));
            world.frame(move |url| vec![message(&talkative(url, error))]);
            seen.error(at, &run(tabs[0].client.renew()).unwrap_err());
            seen.tab(at, &tabs[0]);
        }
        tabs[0].sign_in().unwrap();
        out(at, &mut tabs, SignOut::Provider, seen, secrets);
        assert_eq!(tabs.len(), 2);
    }),
    ("frames whose answer is not redeemed", |at, world, seen, secrets| {
        let mut tabs = tabs(world, &World::config(), 1);
        world.frames_work();
        let mut page = world.tab();
        drop(tabs.remove(0));
        for refused in ["invalid_grant", "server_error"] {
            world.provider.answer(Endpoint::Token, move |sent, _| Ok(json_response(400, &repeat(&sent.body, refused))));
            seen.show(at, format!("{:?}", page.arrive(&format!("{ORIGIN}/"))));
            seen.tab(at, &page);
        }
        world.provider.recover(Endpoint::Token);
        let mut pages = [page];
        out(at, &mut pages, SignOut::Local, seen, secrets);
    }),
    ("redirects", |at, world, seen, secrets| {
        without_refresh_tokens(world);
        world.provider.lifetime(3_600);
        let mut tabs = tabs(world, &World::config().renew_by_redirect(true).renew_by_frame(false), 1);
        for refused in [false, true] {
            world.later(Duration::from_secs(400));
            let left = world.device.process();
            let renewing = tabs[0].client.renew();
            world.device.spawn(&left, Box::pin(async move { drop(renewing.await) }));
            world.later(Duration::from_secs(1));
            let url = tabs[0].bar.went.borrow().last().cloned().expect("it was redirected");
            let callback = if refused { talkative(&url, "login_required") } else { world.provider.authorize_silently(&url) };
            seen.went(at, &tabs[0]);
            left.dead.set(true);
            let outcome = tabs[0].arrive(&callback);
            assert!(outcome.is_ok(), "{outcome:?}");
            seen.show(at, format!("{outcome:?}"));
            seen.tab(at, &tabs[0]);
        }
        tabs[0].sign_in().unwrap();
        out(at, &mut tabs, SignOut::Provider, seen, secrets);
    }),
    ("a sign-out that the provider tells of", |at, world, seen, secrets| {
        let mut tabs = tabs(world, &World::config(), 2);
        let page = world.tab_at(&World::config(), &format!("{ORIGIN}/signed-out?iss={ISSUER}&sid=sid-1")).unwrap();
        assert!(run(page.client.front_channel_logout()));
        seen.tab(at, &page);
        out(at, &mut tabs, SignOut::Local, seen, secrets);
    }),
    ("tokens that are bound to a key", |at, world, seen, secrets| {
        world.frames_work();
        for (origin, nonce) in [(ISSUER, "nonce-of-the-provider"), ("https://api.example", "nonce-of-the-api")] {
            world.provider.nonce(origin, nonce);
            secrets.push(nonce.into());
        }
        let mut tabs = tabs(world, &World::config().dpop(true), 2);
        for tab in &tabs {
            seen.show(at, format!("{:?} {:?}", tab.fetch(&format!("{API}me")), run(tab.client.user_info())));
        }
        world.later(Duration::from_secs(10));
        seen.show(at, format!("{:?}", run(tabs[0].client.renew())));
        // What is wrong with a proof is told by somebody who repeats it.
        for error in ["invalid_dpop_proof", "use_dpop_nonce", "invalid_request"] {
            world.later(Duration::from_secs(10));
            let body = move |sent: &Sent| {
                let mut response = json_response(400, &repeat(&format!("proof={}", sent.header("dpop").unwrap()), error));
                let challenge = format!("DPoP error=\"{error}\", error_description=\"{}\"", sent.header("dpop").unwrap());
                response
                    .headers
                    .extend([("www-authenticate".to_owned(), challenge), ("dpop-nonce".to_owned(), "nonce-of-nobody".to_owned())]);
                response
            };
            world.provider.answer(Endpoint::Token, move |sent, _| Ok(body(sent)));
            world.provider.answer(Endpoint::UserInfo, move |sent, _| Ok(Response { status: 401, ..body(sent) }));
            seen.error(at, &run(tabs[0].client.renew()).unwrap_err());
            seen.error(at, &run(tabs[0].client.user_info()).unwrap_err());
            if error != "invalid_request" {
                world.provider.answer(Endpoint::Api, move |sent, _| Ok(body(sent)));
                seen.error(at, &tabs[0].fetch(&format!("{API}me")).unwrap_err());
            }
            seen.tab(at, &tabs[0]);
            world.provider.recover(Endpoint::Token);
            tabs[0].sign_in().unwrap();
        }
        secrets.push("nonce-of-nobody".into());
        out(at, &mut tabs, SignOut::Provider, seen, secrets);
    }),
];

/// So many tabs, signed in for a while.
fn tabs(world: &World, config: &Config, count: usize) -> Vec<Tab> {
    let mut tabs = vec![world.tab_with(config).unwrap()];
    tabs[0].sign_in().unwrap();
    while tabs.len() < count {
        let mut tab = world.tab_with(config).unwrap();
        assert!(matches!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Restored { .. })));
        tabs.push(tab);
    }
    world.later(Duration::from_secs(2));
    tabs
}

fn told(tab: &Tab, what: impl Fn(&Event) -> bool) -> bool {
    tab.events.borrow().iter().any(what)
}

fn without_refresh_tokens(world: &World) {
    world.provider.token_response(|body| drop(body.as_object_mut().unwrap().remove("refresh_token")));
}

/// A new ID token comes with each refresh.
fn renewed_id_tokens(world: &World) {
    let (signer, mut number) = (World::new(), 0);
    world.provider.answer(Endpoint::Token, move |sent, right| {
        number += 1;
        let claims = json!({"iss": ISSUER, "sub": "alice", "aud": CLIENT, "exp": START * 2, "iat": START, "jti": number});
        Ok(if sent.field("refresh_token").is_some() { with_id_token(&signer, &right, &claims) } else { right })
    });
}

fn with_id_token(signer: &World, right: &Response, claims: &Value) -> Response {
    let mut body: Value = serde_json::from_slice(&right.body).unwrap();
    body["id_token"] = json!(signer.provider.sign(claims));
    json_response(right.status, &body)
}

/// An answer to a silent request that repeats all of it.
fn talkative(url: &str, error: &str) -> String {
    let mut request: Vec<_> = url::Url::parse(url).unwrap().query_pairs().into_owned().collect();
    let asked = |name: &str| request.iter().find(|(ours, _)| ours == name).unwrap().1.clone();
    let (redirect_uri, state) = (asked("redirect_uri"), asked("state"));
    let said = format!("{request:?}");
    request.clear();
    request.extend([("error".into(), error.into()), ("state".into(), state.clone()), ("iss".into(), ISSUER.into())]);
    request.extend([("error_description".into(), said), ("error_uri".into(), format!("{ISSUER}/why?{state}"))]);
    format!("{redirect_uri}?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(request).finish())
}

fn message(text: &str) -> FrameEvent {
    FrameEvent::Message { origin: ORIGIN.into(), from_frame: true, text: Some(text.into()) }
}

/// Signs out in the first tab, comes back, and looks everywhere.
fn out(at: &'static str, tabs: &mut [Tab], reach: SignOut, seen: &Seen, secrets: &mut Vec<String>) {
    let world = tabs[0].world.clone();
    tabs.iter().for_each(|tab| seen.tab(at, tab));
    seen.show(at, format!("{:?}", run(tabs[0].client.sign_out(reach))));
    world.later(Duration::from_secs(5));
    let (went, submitted) = (tabs[0].bar.went.borrow().clone(), tabs[0].bar.submitted.borrow().clone());
    let in_url = went.iter().flat_map(|url| url::Url::parse(url).unwrap().query_pairs().into_owned().collect::<Vec<_>>());
    let states: Vec<_> = in_url.chain(submitted.into_iter().flat_map(|(_, fields)| fields)).filter(|(name, _)| name == "state").collect();
    assert_eq!(states.len(), usize::from(reach == SignOut::Provider), "{at}");
    tabs.iter().for_each(|tab| seen.tab(at, tab));
    for (_, state) in states {
        seen.show(at, format!("{:?}", tabs[0].arrive(&format!("{ORIGIN}/?state={state}"))));
        secrets.push(state);
    }
    for tab in tabs {
        seen.error(at, &tab.fetch(&format!("{API}me")).unwrap_err());
        seen.tab(at, tab);
        tab.client.close();
    }
    seen.world(at, &world);
}

// env-log
#[test]
fn no_secret_is_seen_in_the_life_of_a_session() {
    let seen = Seen::default();
    for (at, live) in LIVES {
        let (world, mut secrets, before) = (World::new(), Vec::new(), seen.0.borrow().len());
        live(at, &world, &seen, &mut secrets);
        secrets.extend(world.secrets());
        assert!(secrets.len() >= 8 && seen.0.borrow().len() > before + 10, "{at}: {} secrets", secrets.len());
        for secret in &secrets {
            for (_, what) in seen.0.borrow().iter().skip(before) {
                let around = what.find(secret.as_str()).map(|at| what.chars().skip(at.saturating_sub(100)).take(300).collect::<String>());
                assert_eq!(around, None, "{at}: {secret}");
            }
        }
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
        response_type: ResponseType::Code,
    };
    let random: [u8; Entropy::LENGTH] = std::array::from_fn(|index| index as u8 * 2 + 1);
    let entropy = Entropy::new(random);
    secrets.extend(random.chunks(32).map(b64));
    secrets.push(format!("{random:?}").trim_matches(['[', ']']).to_owned());
    show(&entropy);
    let (request, login) =
        authorize(&metadata, &registration, &SignIn::default(), &entropy, "/".into(), UnixTime::from_secs(START), None).unwrap();
    show(&request);
    let url = request.url(&metadata);
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
    let accepted = login.accept(callback, UnixTime::from_secs(START)).unwrap();
    show(&accepted);
    let Accepted::Code(code) = accepted else { panic!("{accepted:?}") };
    let exchange = code.exchange(&metadata, TokenType::Bearer).unwrap();
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
