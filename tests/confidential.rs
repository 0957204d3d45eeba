//! Confidential clients: servers that authenticate themselves.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::future::join_all;
use serde_json::{Value, json};
use tokenkeep::{
    Access, Error, Prompt, Request, Response, SignIn,
    confidential::{
        AccessToken, Authentication, Client, Config, Exchange, MARGIN, MAX_TARGETS, SignedIn, Tokens, UNKNOWN_LIFE,
        ports::{Clock, Crypto, Http, HttpFailure, NoCrypto},
    },
    keep::{KEYS_LIFE, METADATA_LIFE, ports::Http as KeepHttp},
    protocol::{
        Algorithm, Discovery, Interrupted, Issuer, Metadata, Misbehaved, Misconfigured, Moment, PendingLogin, Secret, SignatureCheck,
        Source, UnixTime, Unreadable,
        client_authentication::AssertionAudience,
        grant::{GrantRequest, Target, TokenExchange, TokenKind},
    },
};

use crate::{
    test,
    world::{Credential, Endpoint, ISSUER, Key, START, Sent, Weather, World, json_response, run, verify},
};

const SERVER: &str = "my server";
const SECRET: &str = "s3cret:%+ of the server";
const CALLBACK: &str = "https://server.example/callback";

/// A server's network: that of a tab.
struct Network(Rc<dyn KeepHttp>);

impl Http for Network {
    async fn send(&self, request: &Request) -> Result<Response, HttpFailure> {
        self.0.send(request).await
    }
}

/// What the provider says, and nothing else with it.
fn refusal(code: &str) -> Error {
    let document = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/a"),
        "token_endpoint": format!("{ISSUER}/t"),
    });
    let metadata = Metadata::read(&Issuer::parse(ISSUER).unwrap(), Discovery::OAuth, &json_response(200, &document)).unwrap();
    let grant = GrantRequest::client_credentials(&metadata, &Target::default()).unwrap();
    grant.finish(&json_response(400, &json!({"error": code}))).unwrap_err()
}

/// A server's cryptography: random numbers that are counted, and a key.
#[derive(Default)]
struct Chance {
    drawn: Cell<u8>,
    key: Option<Key>,
    broken: Cell<bool>,
}

impl Crypto for Chance {
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto> {
        if self.broken.get() {
            return Err(NoCrypto);
        }
        for byte in bytes {
            self.drawn.set(self.drawn.get().wrapping_mul(5).wrapping_add(77));
            *byte = self.drawn.get() ^ 0x5a;
        }
        self.drawn.set(self.drawn.get().wrapping_add(1));
        Ok(())
    }

    async fn verify(&self, check: &SignatureCheck<'_>) -> Result<bool, NoCrypto> {
        Ok(verify(check))
    }

    async fn sign(&self, algorithm: Algorithm, text: &str) -> Result<Vec<u8>, NoCrypto> {
        let key = self.key.as_ref().filter(|key| key.algorithm == algorithm && !self.broken.get()).ok_or(NoCrypto)?;
        Ok(key.sign(text.as_bytes()))
    }
}

/// A server's clock, in milliseconds.
#[derive(Clone)]
struct ServerClock(Arc<AtomicU64>);

impl Clock for ServerClock {
    fn moment(&self) -> Moment {
        let millis = self.0.load(Ordering::Relaxed);
        Moment { wall: UnixTime::from_millis(millis), steady: Duration::from_millis(millis - START * 1000) }
    }
}

/// A server in a world.
struct Server {
    world: World,
    client: Client<Network, Chance>,
    clock: ServerClock,
}

fn basic() -> Authentication {
    Authentication::ClientSecretBasic(Secret::copied(SECRET))
}

fn config_by(authentication: Authentication) -> Config {
    Config::new(ISSUER, SERVER, authentication).redirect_uri(CALLBACK)
}

impl Server {
    /// One with a secret, which the provider knows.
    fn new() -> Server {
        Server::with(config_by(basic()), Credential::Basic(SECRET.into()), Chance::default())
    }

    fn with(config: Config, credential: Credential, crypto: Chance) -> Server {
        let world = World::new();
        world.provider.server(SERVER, credential);
        Server::open(world, config, crypto)
    }

    fn open(world: World, config: Config, crypto: Chance) -> Server {
        let clock = ServerClock(Arc::new(AtomicU64::new(START * 1000)));
        let client = Client::open_at(config, Network(world.ports().http), crypto, clock.clone()).expect("the configuration works");
        Server { world, client, clock }
    }

    fn later(&self, span: Duration) {
        self.world.later(span);
        self.clock.0.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Leaves for the provider and comes back: the address there, and what the server remembered.
    fn there_and_back(&self) -> (String, Secret<String>) {
        let begun = run(self.client.authorize(SignIn::default())).expect("a sign-in begins");
        (self.world.provider.authorize(begun.url.expose()), begun.pending)
    }

    fn sign_in(&self) -> Result<SignedIn, Error> {
        let (callback, pending) = self.there_and_back();
        run(self.client.redeem(&callback, &pending))
    }

    fn tokens(&self) -> Tokens {
        self.sign_in().expect("the sign-in works").tokens
    }

    fn credentials(&self, scope: &str) -> Result<Arc<AccessToken>, Error> {
        run(self.client.client_credentials(&Target::default().scope(scope)))
    }

    fn token_requests(&self) -> Vec<Sent> {
        self.world.requests().into_iter().filter(|sent| sent.to == Some(Endpoint::Token)).collect()
    }
}

fn later(world: &Server, seconds: u64) {
    world.later(Duration::from_secs(seconds));
}

#[test]
fn a_user_signs_in_whatever_the_server_authenticates_with() {
    let by_key = |algorithm, audience: AssertionAudience, name: &'static str| {
        let key = Key::new(algorithm, "server-2");
        let authentication = Authentication::PrivateKeyJwt { algorithm, kid: Some("server-2".into()), audience };
        (authentication, Credential::Key(key.clone(), name), Chance { key: Some(key), ..Chance::default() })
    };
    let mut servers = vec![
        (basic(), Credential::Basic(SECRET.into()), Chance::default()),
        (Authentication::ClientSecretPost(Secret::copied(SECRET)), Credential::Post(SECRET.into()), Chance::default()),
        by_key(Algorithm::Es256, AssertionAudience::TokenEndpoint, "https://as.example/token"),
    ];
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Ps256, Algorithm::Rs256] {
        servers.push(by_key(algorithm, AssertionAudience::Issuer, ISSUER));
    }
    for (authentication, credential, crypto) in servers {
        let how = format!("{authentication:?}");
        let server = Server::with(config_by(authentication), credential, crypto);
        let SignedIn { tokens, return_to } = server.sign_in().expect(&how);
        assert_eq!((tokens.claims.as_ref().map(|claims| claims.subject()), return_to.as_str()), (Some("alice"), "/"), "{how}");
        assert_eq!(tokens.expires, Some(UnixTime::from_secs(START + 300)), "{how}");
        let before = tokens.refresh_token.expect("a refresh token");
        let renewed = run(server.client.refresh(&before, &Access::default(), Some("alice"))).expect(&how);
        let next = renewed.refresh_token.expect("another one");
        assert_ne!((before.expose(), tokens.access_token.expose()), (next.expose(), renewed.access_token.expose()), "{how}");
        run(server.client.revoke(&next)).expect(&how);
        assert_eq!(server.world.provider.good_refresh_tokens(), 0, "{how}");
    }
}

#[test]
fn pkce_state_and_nonce_are_there_all_the_same() {
    let server = Server::new();
    let begun = run(server.client.authorize(SignIn::default().prompt([Prompt::Login]))).unwrap();
    let url = url::Url::parse(begun.url.expose()).unwrap();
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    for name in ["state", "nonce", "code_challenge", "prompt"] {
        assert!(names.iter().any(|ours| ours == name), "{name}");
    }
    assert!(!begun.url.expose().contains("secret"));
    let sent = {
        server.tokens();
        server.token_requests().pop().unwrap()
    };
    assert_eq!(
        (sent.field("client_id"), sent.field("client_secret"), sent.field("code_verifier").map(|it| it.len())),
        (None, None, Some(43))
    );
}

#[test]
fn a_wrong_secret_is_the_providers_to_refuse_and_nothing_is_left_of_it() {
    let server = Server::new();
    server.world.provider.server(SERVER, Credential::Basic("another one".into()));
    assert_eq!(server.sign_in().unwrap_err(), refusal("invalid_client"));
    assert_eq!(server.credentials("a").unwrap_err(), refusal("invalid_client"));
    assert_eq!(run(server.client.revoke(&Secret::copied("x"))).unwrap_err(), refusal("invalid_client"));
    let refused = run(server.client.refresh(&Secret::copied("x"), &Access::default(), None));
    assert_eq!(refused.unwrap_err(), refusal("invalid_client"));
    server.world.provider.server(SERVER, Credential::Basic(SECRET.into()));
    assert!(server.sign_in().is_ok() && server.credentials("a").is_ok());
}

#[test]
fn an_assertion_is_never_used_twice_and_a_key_that_does_not_sign_sends_nothing() {
    let key = Key::new(Algorithm::Es256, "server");
    let by_key = |crypto: Chance| {
        let audience = AssertionAudience::Issuer;
        let authentication = Authentication::PrivateKeyJwt { algorithm: Algorithm::Es256, kid: Some("server".into()), audience };
        Server::with(config_by(authentication), Credential::Key(key.clone(), ISSUER), crypto)
    };
    let server = by_key(Chance { key: Some(key.clone()), ..Chance::default() });
    for scope in ["a", "b", "c"] {
        server.credentials(scope).unwrap();
    }
    let mut used: Vec<_> = server.token_requests().iter().map(|sent| sent.field("client_assertion").unwrap()).collect();
    used.dedup();
    assert_eq!(used.len(), 3);
    for crypto in [Chance::default(), Chance { key: Some(Key::new(Algorithm::Rs256, "server")), ..Chance::default() }] {
        let server = by_key(crypto);
        assert_eq!(server.credentials("a").unwrap_err(), Misconfigured::ClientKeyUnusable.into());
        assert_eq!(server.token_requests().len(), 0);
    }
    let server = by_key(Chance { key: Some(key.clone()), broken: Cell::new(true), ..Chance::default() });
    assert_eq!(server.credentials("a").unwrap_err(), Misconfigured::InsecureContext.into());
    assert_eq!(run(server.client.authorize(SignIn::default())).unwrap_err(), Misconfigured::InsecureContext.into());
    assert_eq!(server.token_requests().len(), 0);
}

#[test]
fn a_response_is_compared_with_what_was_asked_for_before_anything_is_sent() {
    let server = Server::new();
    let (callback, _) = server.there_and_back();
    let (_, other) = server.there_and_back();
    let redeem = |callback: &str, pending: &Secret<String>| run(server.client.redeem(callback, pending)).unwrap_err();
    assert_eq!(redeem(&callback, &other), Misbehaved::StateUnknown.into());
    assert_eq!(redeem(&callback, &Secret::copied("")), Misbehaved::StateUnknown.into());
    assert_eq!(redeem(&callback, &Secret::copied(r#"{"state":"x"}"#)), Misbehaved::StateUnknown.into());
    assert_eq!(redeem(CALLBACK, &other), Misbehaved::CodeMissing.into());
    assert_eq!(redeem("", &other), Misbehaved::CodeMissing.into());
    let moved = callback.replace("https://server.example/callback", "http://10.0.0.7:3000/callback");
    assert_eq!(redeem(&moved, &other), Misbehaved::RedirectUriMismatch.into());

    type Change = (fn(&mut Vec<(String, String)>), Error);
    let changes: [Change; 6] = [
        (|response| response[2].1 = "https://evil.example".into(), Misbehaved::IssuerMismatch.into()),
        (|response| response.truncate(2), Misbehaved::IssuerMissing.into()),
        (|response| response.push(("code".into(), "x".into())), Misbehaved::DuplicateParameter.into()),
        (|response| response.push(("access_token".into(), "x".into())), Misbehaved::UnexpectedToken.into()),
        (|response| response[0] = ("error".into(), "access_denied".into()), refusal("access_denied")),
        (|response| drop(response.remove(1)), Misbehaved::StateMissing.into()),
    ];
    for (change, error) in changes {
        server.world.provider.callback(change);
        assert_eq!(server.sign_in().unwrap_err(), error);
    }
    server.world.provider.callback(|_| {});
    let (callback, pending) = server.there_and_back();
    later(&server, PendingLogin::LIFE.as_secs() + 1);
    assert_eq!(run(server.client.redeem(&callback, &pending)).unwrap_err(), Misbehaved::SignInExpired.into());
    assert_eq!(server.token_requests().len(), 0);
    assert!(server.sign_in().is_ok());
}

#[test]
fn a_pending_sign_in_of_another_client_or_provider_is_not_finished() {
    let server = Server::new();
    let (callback, pending) = server.there_and_back();
    for (of, ours) in [("client_id", SERVER), ("issuer", ISSUER), ("token_endpoint", "https://as.example/token")] {
        let text = pending.expose().replace(&format!(r#""{of}":"{ours}""#), &format!(r#""{of}":"https://evil.example""#));
        assert_ne!(text, *pending.expose());
        assert_eq!(run(server.client.redeem(&callback, &Secret::new(text))).unwrap_err(), Misbehaved::StateUnknown.into(), "{of}");
    }
    assert_eq!(server.token_requests().len(), 0);
    assert!(run(server.client.redeem(&callback, &pending)).is_ok());
}

#[test]
fn a_server_sees_the_path_of_a_callback_only_and_that_is_enough() {
    let server = Server::new();
    let (callback, pending) = server.there_and_back();
    let path = callback.strip_prefix("https://server.example").unwrap();
    assert!(run(server.client.redeem(path, &pending)).is_ok());
    // The same again: it is for the server to use it once, and for the provider to notice.
    assert_eq!(run(server.client.redeem(path, &pending)).unwrap_err(), refusal("invalid_grant"));
}

#[test]
fn users_come_back_to_a_place_of_the_app_and_to_no_other() {
    let server = Server::new();
    for (wanted, place) in [
        ("/orders?open=1#top", "/orders?open=1#top"),
        ("https://server.example/orders", "/orders"),
        ("https://server.example", "/"),
        ("https://server.example.evil.example/x", "/"),
        ("https://evil.example/x", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ] {
        let begun = run(server.client.authorize(SignIn::default().return_to(wanted))).unwrap();
        let callback = server.world.provider.authorize(begun.url.expose());
        assert_eq!(run(server.client.redeem(&callback, &begun.pending)).unwrap().return_to, place, "{wanted:?}");
    }
}

#[test]
fn an_id_token_is_verified_signature_too() {
    type Wrong = (fn(&World), Error);
    let wrongs: [Wrong; 8] = [
        (|world| world.provider.claims(|claims| claims["nonce"] = json!("another")), Misbehaved::NonceMismatch.into()),
        (|world| world.provider.claims(|claims| claims["aud"] = json!("my-app")), Misbehaved::AudienceMismatch.into()),
        (|world| world.provider.claims(|claims| claims["iss"] = json!("https://evil.example")), Misbehaved::IssuerMismatch.into()),
        (|world| world.provider.claims(|claims| claims["exp"] = json!(START - 600)), Misbehaved::IdTokenExpired.into()),
        (|world| world.provider.header(|header| header["alg"] = json!("none")), Misbehaved::AlgorithmRefused.into()),
        (|world| world.provider.header(|header| header["kid"] = json!("key-9")), Misbehaved::KeyUnknown.into()),
        (
            |world| {
                world.provider.sign_secretly_with(Key::new(Algorithm::Es256, "mallory"));
                world.provider.header(|header| header["kid"] = json!("key-1"));
            },
            Misbehaved::SignatureInvalid.into(),
        ),
        (|world| world.provider.token_response(|body| body["id_token"] = Value::Null), Misbehaved::IdTokenMissing.into()),
    ];
    for (wrong, error) in wrongs {
        let server = Server::new();
        wrong(&server.world);
        assert_eq!(server.sign_in().unwrap_err(), error);
        assert_eq!(server.token_requests().len(), 1, "{error}: a code is sent once");
    }
}

#[test]
fn a_new_key_of_the_provider_is_read_once_for_all_who_sign_in() {
    let server = Server::new();
    server.tokens();
    assert_eq!(server.world.count(Endpoint::Keys), 1);
    server.world.provider.sign_with(Key::new(Algorithm::Es256, "key-2"));
    server.world.network.latency.set(3);
    let logins: Vec<_> = (0..4).map(|_| server.there_and_back()).collect();
    let outcomes = run(join_all(logins.iter().map(|(callback, pending)| server.client.redeem(callback, pending))));
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(server.world.count(Endpoint::Keys), 2);
    // Whoever sends tokens with keys that nobody knows does not make the server read them as often.
    server.world.provider.header(|header| header["kid"] = json!("key-9"));
    for _ in 0..3 {
        assert_eq!(server.sign_in().unwrap_err(), Misbehaved::KeyUnknown.into());
    }
    assert_eq!(server.world.count(Endpoint::Keys), 2);
    later(&server, 61);
    assert_eq!(server.sign_in().unwrap_err(), Misbehaved::KeyUnknown.into());
    assert_eq!(server.world.count(Endpoint::Keys), 3);
    // Keys that could not be read are asked for again at once.
    later(&server, 61);
    server.world.provider.always(Endpoint::Keys, json_response(503, &json!({})));
    for count in [4, 5] {
        assert_eq!(server.sign_in().unwrap_err(), Interrupted::Unavailable { from: Source::Keys, status: 503 }.into());
        assert_eq!(server.world.count(Endpoint::Keys), count);
    }
    server.world.provider.recover(Endpoint::Keys);
    later(&server, KEYS_LIFE.as_secs());
    server.world.provider.header(|_| {});
    assert!(server.sign_in().is_ok());
}

#[test]
fn metadata_are_read_once_an_hour_and_an_error_is_not_kept() {
    let server = Server::new();
    server.world.network.fails_with(HttpFailure::Unreachable);
    assert_eq!(server.credentials("a").unwrap_err(), Interrupted::Unreachable { from: Source::Metadata }.into());
    server.world.network.calm();
    let targets: Vec<_> = (0..5).map(|number| Target::default().scope(number.to_string())).collect();
    server.world.network.latency.set(2);
    assert!(run(join_all(targets.iter().map(|target| server.client.client_credentials(target)))).iter().all(Result::is_ok));
    assert_eq!(server.world.count(Endpoint::Metadata), 2);
    later(&server, METADATA_LIFE.as_secs() - 1);
    server.credentials("b").unwrap();
    assert_eq!(server.world.count(Endpoint::Metadata), 2);
    later(&server, 1);
    server.credentials("c").unwrap();
    assert_eq!(server.world.count(Endpoint::Metadata), 3);
}

#[test]
fn a_refresh_token_that_is_not_rotated_is_the_one_for_the_next_time() {
    let server = Server::new();
    server.world.provider.rotates(false);
    let token = server.tokens().refresh_token.unwrap();
    for _ in 0..2 {
        let renewed = run(server.client.refresh(&token, &Access::default(), None)).unwrap();
        assert_eq!(renewed.refresh_token.unwrap().expose(), token.expose());
    }
}

#[test]
fn a_refresh_that_fails_says_what_became_of_the_token() {
    let server = Server::new();
    let first = server.tokens().refresh_token.unwrap();
    let refresh = |token: &Secret<String>| run(server.client.refresh(token, &Access::default(), None));
    server.world.network.fails_with(HttpFailure::TimedOut);
    let error = refresh(&first).unwrap_err();
    assert_eq!((error.clone(), error.is_retryable()), (Interrupted::TimedOut { from: Source::Token }.into(), true));
    server.world.network.calm();
    server.world.network.weather(|_| Weather { gateway: Some((503, None)), ..Weather::default() });
    assert_eq!(refresh(&first).unwrap_err(), Interrupted::Unavailable { from: Source::Token, status: 503 }.into());
    server.world.network.calm();
    let sent = server.token_requests().len();
    let second = refresh(&first).expect("nobody had taken it").refresh_token.unwrap();
    assert_eq!(refresh(&first).unwrap_err(), refusal("invalid_grant"), "it was rotated");
    assert_eq!(refresh(&second).unwrap_err(), refusal("invalid_grant"), "it was presented twice");
    assert_eq!(server.token_requests().len(), sent + 3);
}

#[test]
fn a_refresh_about_another_user_is_refused() {
    let server = Server::new();
    server.world.provider.rotates(false);
    let token = server.tokens().refresh_token.unwrap();
    let provider = server.world.provider.clone();
    server.world.provider.answer(Endpoint::Token, move |_, mut right| {
        let mut body: Value = serde_json::from_slice(&right.body).unwrap();
        let claims = json!({"iss": ISSUER, "aud": SERVER, "sub": "bob", "iat": START, "exp": START + 300});
        body["id_token"] = json!(provider.sign(&claims));
        right.body = body.to_string().into();
        Ok(right)
    });
    let refresh = |subject| run(server.client.refresh(&token, &Access::default(), subject));
    assert_eq!(refresh(Some("alice")).unwrap_err(), Misbehaved::UserChanged.into());
    assert_eq!(refresh(Some("bob")).unwrap().claims.unwrap().subject(), "bob");
}

#[test]
fn the_clients_own_token_is_asked_for_once_by_all_and_kept_until_shortly_before_its_end() {
    let server = Server::new();
    server.world.network.latency.set(3);
    let target = Target::default().scope("orders:read").resource("https://api.example/").audience("orders");
    let ask = |count: usize| run(join_all((0..count).map(|_| server.client.client_credentials(&target))));
    let tokens: Vec<_> = ask(8).into_iter().map(Result::unwrap).collect();
    assert!(tokens.iter().all(|token| Arc::ptr_eq(token, &tokens[0])));
    let sent = server.token_requests();
    assert_eq!((sent.len(), sent[0].field("grant_type").as_deref()), (1, Some("client_credentials")));
    assert_eq!(
        ["scope", "resource", "audience"].map(|name| sent[0].field(name)),
        ["orders:read", "https://api.example/", "orders"].map(|value| Some(value.to_owned()))
    );
    assert_eq!(tokens[0].expires, Some(UnixTime::from_secs(START + 300)));

    later(&server, 300 - MARGIN.as_secs() - 1);
    assert!(Arc::ptr_eq(&ask(1)[0].clone().unwrap(), &tokens[0]));
    later(&server, 1);
    let next = ask(8)[0].clone().unwrap();
    assert_ne!(next.token.expose(), tokens[0].token.expose());
    assert_eq!(server.token_requests().len(), 2);
    // Another target is another token.
    server.credentials("orders:read").unwrap();
    assert_eq!(server.token_requests().len(), 3);
}

#[test]
fn a_short_life_and_an_unknown_one_are_used_too() {
    let server = Server::new();
    server.world.provider.lifetime(10);
    server.credentials("a").unwrap();
    later(&server, 8);
    server.credentials("a").unwrap();
    assert_eq!(server.token_requests().len(), 1);
    later(&server, 1);
    server.credentials("a").unwrap();
    assert_eq!(server.token_requests().len(), 2);
    server.world.provider.token_response(|body| drop(body.as_object_mut().unwrap().remove("expires_in")));
    assert_eq!(server.credentials("b").unwrap().expires, None);
    later(&server, UNKNOWN_LIFE.as_secs() - 1);
    server.credentials("b").unwrap();
    assert_eq!(server.token_requests().len(), 3);
    later(&server, 1);
    server.credentials("b").unwrap();
    assert_eq!(server.token_requests().len(), 4);
}

#[test]
fn a_request_that_failed_is_everybodys_answer_and_nobodys_afterwards() {
    let server = Server::new();
    server.world.network.latency.set(3);
    server.world.provider.always(Endpoint::Token, json_response(400, &json!({"error": "invalid_scope"})));
    let target = Target::default().scope("a");
    let outcomes = run(join_all((0..5).map(|_| server.client.client_credentials(&target))));
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().err() == Some(&refusal("invalid_scope"))), "{outcomes:?}");
    assert_eq!(server.token_requests().len(), 1);
    server.world.provider.recover(Endpoint::Token);
    assert!(server.credentials("a").is_ok());
}

#[test]
fn whoever_waits_goes_on_when_the_one_who_asked_has_gone() {
    let server = Server::new();
    run(server.client.metadata()).unwrap();
    server.world.network.weather({
        let mut first = true;
        move |_| Weather { delay: if std::mem::take(&mut first) { 1000 } else { 0 }, ..Default::default() }
    });
    let target = Target::default().scope("a");
    let mut asks = Some(Box::pin(server.client.client_credentials(&target)));
    let waits = pin!(server.client.client_credentials(&target));
    let mut waits = Some(waits);
    let mut turns = 0;
    let token = run(poll_fn(|context| {
        turns += 1;
        if let Some(ask) = asks.as_mut() {
            assert!(ask.as_mut().poll(context).is_pending());
        }
        let outcome = waits.as_mut().unwrap().as_mut().poll(context);
        if turns == 1 {
            assert!(outcome.is_pending());
            // A caller that lost its patience.
            asks = None;
        }
        outcome
    }));
    assert!(token.is_ok());
    assert_eq!(server.token_requests().len(), 2);
    assert!(server.credentials("a").is_ok());
    assert_eq!(server.token_requests().len(), 2);
}

#[test]
fn a_token_that_an_api_refused_is_replaced_once_for_all_who_had_it() {
    let server = Server::new();
    let target = Target::default().scope("a");
    let old = server.credentials("a").unwrap();
    let but = || server.client.client_credentials_but(&target, Some(&old.token));
    server.world.network.latency.set(3);
    let new: Vec<_> = run(join_all((0..5).map(|_| but()))).into_iter().map(Result::unwrap).collect();
    assert!(new.iter().all(|token| token.token.expose() == new[0].token.expose() && token.token.expose() != old.token.expose()));
    assert_eq!(server.token_requests().len(), 2);
    assert!(Arc::ptr_eq(&run(but()).unwrap(), &new[0]), "who hears of it late gets the new one");
    assert!(Arc::ptr_eq(&server.credentials("a").unwrap(), &new[0]));
    // It could not be replaced: what there was is still there for who was not refused.
    server.world.network.fails_with(HttpFailure::Offline);
    let refused = run(server.client.client_credentials_but(&target, Some(&new[0].token)));
    assert_eq!(refused.unwrap_err(), Interrupted::Offline { from: Source::Token }.into());
    assert!(Arc::ptr_eq(&server.credentials("a").unwrap(), &new[0]));
}

#[test]
fn targets_are_not_collected_without_end() {
    let server = Server::new();
    for number in 0..=MAX_TARGETS {
        server.credentials(&number.to_string()).unwrap();
        // The first one is used all the time.
        server.credentials("0").unwrap();
    }
    assert_eq!(server.token_requests().len(), MAX_TARGETS + 1);
    server.credentials("1").unwrap();
    assert_eq!(server.token_requests().len(), MAX_TARGETS + 2, "the one that was longest unused had gone");
}

#[test]
fn what_is_asked_for_is_checked_before_it_is_sent() {
    let server = Server::new();
    for (target, error) in [
        (Target::default().scope("a  b"), Misconfigured::ScopeMalformed),
        (Target::default().scope("a\"b"), Misconfigured::ScopeMalformed),
        (Target::default().resource("/orders"), Misconfigured::ResourceMalformed),
        (Target::default().resource("https://api.example/#x"), Misconfigured::ResourceMalformed),
        (Target::default().audience(""), Misconfigured::AudienceMalformed),
    ] {
        assert_eq!(run(server.client.client_credentials(&target)).unwrap_err(), error.clone().into());
        assert_eq!(run(server.client.jwt_bearer(&Secret::copied("x"), &target)).unwrap_err(), error.into());
    }
    let token = Secret::copied("x");
    let exchange = TokenExchange::new(&token, TokenKind::Other("not a uri".into()));
    assert_eq!(run(server.client.exchange(&exchange)).unwrap_err(), Misconfigured::TokenTypeMalformed.into());
    assert_eq!(server.token_requests().len(), 0);
}

#[test]
fn an_assertion_of_somebody_else_is_redeemed() {
    let server = Server::new();
    let redeem = |assertion: &str| run(server.client.jwt_bearer(&Secret::copied(assertion), &Target::default().scope("a")));
    let tokens = redeem("assertion-of-bob").unwrap();
    assert_eq!(server.world.provider.lineage(tokens.access_token.expose()).map(|(_, subject)| subject).as_deref(), Some("bob"));
    assert_eq!((tokens.claims, tokens.scope.to_string()), (None, "a".to_owned()));
    assert_eq!(redeem("of nobody").unwrap_err(), refusal("invalid_grant"));
}

#[cfg(feature = "legacy")]
#[test]
fn a_password_gets_a_token_where_nothing_else_is_to_be_had() {
    let server = Server::new();
    let ask = |password: &str| run(server.client.password("bob", &Secret::copied(password), &Target::default()));
    let tokens = ask("bob-password").unwrap();
    assert_eq!(server.world.provider.lineage(tokens.access_token.expose()).map(|(_, subject)| subject).as_deref(), Some("bob"));
    assert_eq!(ask("another").unwrap_err(), refusal("invalid_grant"));
}

#[test]
fn a_token_is_exchanged_for_another() {
    let server = Server::new();
    let (user, actor) = (server.tokens().access_token, server.credentials("a").unwrap());
    let exchange = TokenExchange::new(&user, TokenKind::AccessToken)
        .actor(&actor.token, TokenKind::Jwt)
        .requested(TokenKind::AccessToken)
        .target(Target::default().scope("b").audience("billing"));
    let Exchange::Access(tokens, kind) = run(server.client.exchange(&exchange)).unwrap() else { panic!("an access token") };
    assert_eq!(kind, TokenKind::AccessToken);
    assert_eq!(server.world.provider.lineage(tokens.access_token.expose()).map(|(_, subject)| subject).as_deref(), Some("alice"));
    let sent = server.token_requests().pop().unwrap();
    let kinds = ["subject_token_type", "actor_token_type", "requested_token_type"].map(|name| sent.field(name).unwrap());
    let prefix = "urn:ietf:params:oauth:token-type:";
    assert_eq!(kinds, ["access_token", "jwt", "access_token"].map(|kind| format!("{prefix}{kind}")));
    assert_eq!((sent.field("actor_token").as_ref(), sent.field("audience").as_deref()), (Some(actor.token.expose()), Some("billing")));
}

// opt-xchg
#[test]
fn what_is_no_access_token_has_a_type_of_its_own_and_what_is_of_no_type_is_refused() {
    let server = Server::new();
    let user = server.tokens().access_token;
    let exchange = || run(server.client.exchange(&TokenExchange::new(&user, TokenKind::AccessToken)));
    let bad = |member| Error::from(Misbehaved::BadResponse { from: Source::Token, why: Unreadable::Member(member) });
    for name in ["N_A", "n_a"] {
        server.world.provider.token_response(move |body| {
            body["token_type"] = json!(name);
            body["issued_token_type"] = json!("urn:ietf:params:oauth:token-type:saml2");
        });
        let Exchange::NotAccess { token, expires } = exchange().unwrap() else { panic!("no access token") };
        assert_eq!((token.kind, expires), (TokenKind::Saml2, Some(UnixTime::from_secs(START + 300))));
    }
    type Change = fn(&mut Value);
    let changes: [(Change, Error); 7] = [
        (|body| body["issued_token_type"] = Value::Null, bad("issued_token_type")),
        (|body| body["issued_token_type"] = json!(5), bad("issued_token_type")),
        (|body| body["issued_token_type"] = json!("not a uri"), bad("issued_token_type")),
        (
            |body| {
                body["token_type"] = json!("N_A");
                body["issued_token_type"] = Value::Null;
            },
            bad("issued_token_type"),
        ),
        (
            |body| {
                body["token_type"] = json!("N_A");
                body["access_token"] = Value::Null;
            },
            bad("access_token"),
        ),
        (|body| body["token_type"] = json!("MAC"), Misbehaved::TokenTypeUnknown.into()),
        (|body| body["error"] = json!("invalid_target"), refusal("invalid_target")),
    ];
    for (change, error) in changes {
        server.world.provider.token_response(change);
        assert_eq!(exchange().unwrap_err(), error);
    }
    // Of no other grant, either.
    server.world.provider.token_response(|body| body["token_type"] = json!("N_A"));
    assert_eq!(server.credentials("a").unwrap_err(), Misbehaved::TokenTypeUnknown.into());
    server.world.provider.token_response(|_| {});
    assert!(server.credentials("a").is_ok() && exchange().is_ok());
}

#[test]
fn a_type_of_token_is_its_uri() {
    for kind in [TokenKind::AccessToken, TokenKind::IdToken, TokenKind::Jwt, TokenKind::RefreshToken, TokenKind::Saml1, TokenKind::Saml2] {
        assert_eq!(TokenKind::from_uri(&kind.uri()), kind);
    }
    assert_eq!(TokenKind::Jwt.uri(), "urn:ietf:params:oauth:token-type:jwt");
    assert_eq!(TokenKind::from_uri("https://as.example/kind").uri(), "https://as.example/kind");
}

#[test]
fn a_token_is_revoked_or_it_says_why_not() {
    let server = Server::new();
    let token = server.tokens().refresh_token.unwrap();
    server.world.network.weather(|_| Weather { gateway: Some((503, None)), ..Weather::default() });
    let revoke = || run(server.client.revoke(&token));
    assert_eq!(revoke().unwrap_err(), Interrupted::Unavailable { from: Source::Revocation, status: 503 }.into());
    assert_eq!(server.world.provider.good_refresh_tokens(), 1);
    server.world.network.calm();
    assert_eq!((revoke(), server.world.provider.good_refresh_tokens()), (Ok(()), 0));
    server.world.provider.always(Endpoint::Revocation, json_response(400, &json!({"error": "unsupported_token_type"})));
    assert_eq!(revoke().unwrap_err(), refusal("unsupported_token_type"));
    server.world.provider.recover(Endpoint::Revocation);
    assert_eq!(revoke(), Ok(()), "what is worthless already is no error");

    let server = Server::new();
    server.world.provider.metadata("revocation_endpoint", Value::Null);
    assert_eq!(run(server.client.revoke(&token)).unwrap_err(), Misconfigured::RevocationUnavailable.into());
}

#[test]
fn nothing_is_sent_twice() {
    for failure in [HttpFailure::Offline, HttpFailure::TimedOut, HttpFailure::TooLarge, HttpFailure::Unreachable] {
        let server = Server::new();
        run(server.client.metadata()).unwrap();
        let (callback, pending) = server.there_and_back();
        server.world.network.fails_with(failure);
        let from = Source::Token;
        assert_eq!(run(server.client.redeem(&callback, &pending)).unwrap_err(), failure.of(from));
        assert_eq!(server.credentials("a").unwrap_err(), failure.of(from));
        assert_eq!(run(server.client.jwt_bearer(&Secret::copied("x"), &Target::default())).unwrap_err(), failure.of(from));
        let grants: Vec<_> = server.token_requests().iter().filter_map(|sent| sent.field("grant_type")).collect();
        assert_eq!(grants.len(), 3, "{failure:?}");
    }
}

#[test]
fn no_secret_is_in_an_error_or_in_what_is_printed() {
    let key = Key::new(Algorithm::Es256, "server");
    let audience = AssertionAudience::Issuer;
    let by_key = Authentication::PrivateKeyJwt { algorithm: Algorithm::Es256, kid: Some("server".into()), audience };
    let servers = [
        Server::new(),
        Server::with(
            config_by(Authentication::ClientSecretPost(Secret::copied(SECRET))),
            Credential::Post(SECRET.into()),
            Chance::default(),
        ),
        Server::with(config_by(by_key), Credential::Key(key.clone(), ISSUER), Chance { key: Some(key), ..Chance::default() }),
    ];
    for server in servers {
        let mut seen = format!("{:?} {:?}", server.client, config_by(basic()));
        let SignedIn { tokens, .. } = server.sign_in().unwrap();
        let own = server.credentials("a").unwrap();
        let begun = run(server.client.authorize(SignIn::default())).unwrap();
        let exchanged = run(server.client.exchange(&TokenExchange::new(&tokens.access_token, TokenKind::AccessToken))).unwrap();
        seen += &format!("{tokens:?} {own:?} {begun:?} {exchanged:?}");
        let held = [&tokens.access_token, tokens.refresh_token.as_ref().unwrap(), tokens.id_token.as_ref().unwrap(), &own.token];
        let mut secrets: Vec<String> = held.into_iter().chain([&begun.pending]).map(|secret| secret.expose().clone()).collect();

        // A provider that repeats all that it hears, in every way.
        let says: fn(&Sent, &str) -> Response = |sent, text| {
            json_response(400, &json!({"error": "invalid_request", "error_description": text, "error_uri": format!("{}?{text}", sent.url)}))
        };
        let members = [
            "client_secret",
            "client_assertion",
            "code",
            "code_verifier",
            "refresh_token",
            "assertion",
            "subject_token",
            "token",
            "password",
        ];
        for member in members {
            for endpoint in [Endpoint::Token, Endpoint::Revocation] {
                server.world.provider.answer(endpoint, move |sent, _| {
                    let text = sent.field(member).or(sent.header("authorization").map(|_| SECRET.to_owned()));
                    Ok(says(sent, &text.unwrap_or_default()))
                });
            }
            let mut errors = vec![
                server.sign_in().map(drop),
                server.credentials("b").map(drop),
                run(server.client.refresh(&tokens.access_token, &Access::default(), None)).map(drop),
                run(server.client.jwt_bearer(&tokens.access_token, &Target::default())).map(drop),
                run(server.client.exchange(&TokenExchange::new(&tokens.access_token, TokenKind::Jwt))).map(drop),
                run(server.client.revoke(&tokens.access_token)),
            ];
            #[cfg(feature = "legacy")]
            errors.push(run(server.client.password("bob", &Secret::copied("hunter2-of-bob"), &Target::default())).map(drop));
            for error in errors.drain(..).map(Result::unwrap_err) {
                if let Error::Provider(said) = &error {
                    seen += &format!("{:?} {:?} {:?}", said.error(), said.description(), said.uri());
                }
                seen += &format!("{error:?} {error} {}", error.code());
            }
        }
        secrets.extend([SECRET.to_owned(), SECRET.split(' ').next().unwrap().to_owned(), "hunter2-of-bob".into()]);
        for sent in server.token_requests() {
            secrets.extend(["client_assertion", "code", "code_verifier"].iter().filter_map(|name| sent.field(name)));
        }
        for secret in secrets {
            assert!(!seen.contains(&secret), "{secret} was seen");
        }
        assert!(seen.contains("invalid_request"));
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let open = |config: Config| {
        let world = World::new();
        Client::open_at(config, Network(world.ports().http), Chance::default(), ServerClock(Arc::default())).map(drop)
    };
    let secret = |text: &str| Authentication::ClientSecretPost(Secret::copied(text));
    for (config, error) in [
        (Config::new("http://as.example", SERVER, basic()), Misconfigured::IssuerMalformed),
        (Config::new(ISSUER, "", basic()), Misconfigured::ClientIdMalformed),
        (Config::new(ISSUER, "\u{e9}", basic()), Misconfigured::ClientIdMalformed),
        (Config::new(ISSUER, SERVER, secret("")), Misconfigured::ClientAuthenticationMalformed),
        (Config::new(ISSUER, SERVER, secret("a\n")), Misconfigured::ClientAuthenticationMalformed),
        (Config::new(ISSUER, SERVER, basic()).scopes("profile"), Misconfigured::OpenidMissing),
        (Config::new(ISSUER, SERVER, basic()).scopes("openid  x"), Misconfigured::ScopeMalformed),
        (Config::new(ISSUER, SERVER, basic()).audience(""), Misconfigured::AudienceMalformed),
        (Config::new(ISSUER, SERVER, basic()).resource("x"), Misconfigured::ResourceMalformed),
        (Config::new(ISSUER, SERVER, basic()).redirect_uri("/callback"), Misconfigured::RedirectUriMalformed),
        (Config::new(ISSUER, SERVER, basic()).redirect_uri("http://server.example/"), Misconfigured::RedirectUriMalformed),
        (Config::new(ISSUER, SERVER, basic()).clock_leeway(Duration::from_secs(301)), Misconfigured::LeewayTooLong),
    ] {
        assert_eq!(open(config), Err(error));
    }
    assert_eq!(open(config_by(basic())), Ok(()));
    let server = Server::with(Config::new(ISSUER, SERVER, basic()), Credential::Basic(SECRET.into()), Chance::default());
    let missing = Misconfigured::OptionMissing { option: "redirect_uri" };
    assert_eq!(run(server.client.authorize(SignIn::default())).unwrap_err(), missing.into());
    assert_eq!(server.world.requests().len(), 0);
}

#[test]
fn options_from_json_are_all_known_and_one_way_to_authenticate() {
    let with = |more: &str, key: bool| {
        let key = key.then(|| (Algorithm::Es256, Some("one".to_owned())));
        Config::from_json(&format!(r#"{{"issuer": "{ISSUER}", "client_id": "x"{more}}}"#), key).map(|config| format!("{config:?}"))
    };
    for (more, key, says) in [
        (r#", "client_secret": "s""#, false, "ClientSecretBasic"),
        (r#", "client_secret": "s", "authentication": "client_secret_basic""#, false, "ClientSecretBasic"),
        (r#", "client_secret": "s", "authentication": "client_secret_post""#, false, "ClientSecretPost"),
        ("", true, "PrivateKeyJwt { algorithm: Es256, kid: Some(\"one\"), audience: Issuer }"),
        (r#", "authentication": "private_key_jwt", "assertion_audience": "token_endpoint""#, true, "audience: TokenEndpoint"),
        (
            r#", "client_secret": "s", "redirect_uri": "https://x.example/", "scopes": ["openid", "a"], "resource": "https://api.example/",
              "audience": "b", "oauth_only": true, "trusted_audiences": "c", "clock_leeway_seconds": 7, "clock_skew_seconds": -3"#,
            false,
            r#"audience: Some("b"), clock_leeway: 7s, clock_skew: Behind(3s), discovery: OAuth, redirect_uri: Some("https://x.example/"), resource: ["https://api.example/"], scopes: "openid a", trusted_audiences: ["c"]"#,
        ),
    ] {
        let read = with(more, key).unwrap();
        assert!(read.contains(says), "{read}");
    }
    let malformed = Misconfigured::ClientAuthenticationMalformed;
    for (more, key) in [
        ("", false),
        (r#", "client_secret": "s""#, true),
        (r#", "client_secret": "s", "authentication": "private_key_jwt""#, false),
        (r#", "client_secret": "s", "authentication": "none""#, false),
        (r#", "authentication": "client_secret_basic""#, true),
        (r#", "client_secret": "s", "assertion_audience": "issuer""#, false),
    ] {
        assert_eq!(with(more, key).unwrap_err(), malformed, "{more}");
    }
    assert_eq!(with(r#", "client_secre": "s""#, false).unwrap_err(), Misconfigured::OptionUnknown { option: "client_secre".into() });
    assert_eq!(with(r#", "client_secret": 5"#, false).unwrap_err(), Misconfigured::OptionType { option: "client_secret".into() });
    assert_eq!(
        with(r#", "assertion_audience": "x""#, true).unwrap_err(),
        Misconfigured::OptionType { option: "assertion_audience".into() }
    );
    assert_eq!(Config::from_json(r#"{"issuer": "x"}"#, None).map(drop), Err(Misconfigured::OptionMissing { option: "client_id" }));
}

/// Ports as a server on many threads has them.
#[derive(Default)]
struct Threads;

impl Http for Threads {
    async fn send(&self, request: &Request) -> Result<Response, HttpFailure> {
        let _ = request;
        Err(HttpFailure::Offline)
    }
}

impl Crypto for Threads {
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto> {
        bytes.fill(7);
        Ok(())
    }

    async fn verify(&self, _: &SignatureCheck<'_>) -> Result<bool, NoCrypto> {
        Err(NoCrypto)
    }
}

#[test]
fn with_ports_that_are_send_everything_is() {
    fn sent<F: Future + Send>(future: F) -> F {
        future
    }
    let client = Client::open_at(config_by(basic()), Threads, Threads, ServerClock(Arc::new(AtomicU64::new(START * 1000)))).unwrap();
    let (secret, target) = (Secret::copied("x"), Target::default());
    let client: Arc<Client<Threads, Threads>> = Arc::new(client);
    let exchange = TokenExchange::new(&secret, TokenKind::Jwt);
    let offline: Error = Interrupted::Offline { from: Source::Metadata }.into();
    assert_eq!(run(sent(client.authorize(SignIn::default()))).unwrap_err(), offline);
    assert_eq!(run(sent(client.client_credentials(&target))).unwrap_err(), offline);
    assert_eq!(run(sent(client.refresh(&secret, &Access::default(), None))).unwrap_err(), offline);
    assert_eq!(run(sent(client.jwt_bearer(&secret, &target))).unwrap_err(), offline);
    assert_eq!(run(sent(client.exchange(&exchange))).unwrap_err(), offline);
    assert_eq!(run(sent(client.revoke(&secret))).unwrap_err(), offline);
    assert_eq!(run(sent(client.redeem("/callback", &secret))).unwrap_err(), Misbehaved::StateUnknown.into());
    // As a task would hold it.
    let task = sent({
        let client = client.clone();
        async move { client.client_credentials(&Target::default()).await.map(drop) }
    });
    let outcome = pin!(task).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(outcome, Poll::Ready(Err(offline)));
}

#[cfg(all(feature = "ring", not(target_family = "wasm")))]
mod ring {
    use p256::pkcs8::EncodePrivateKey;
    use tokenkeep::{
        confidential::Ring,
        protocol::{Json, Jwk},
    };

    use super::*;

    #[test]
    fn it_verifies_what_is_signed_right_and_nothing_else() {
        for algorithm in Algorithm::ALL {
            let (key, other) = (Key::new(algorithm, "key-1"), Key::new(algorithm, "key-2"));
            let public = |key: &Key| Jwk::read(&Json::parse(&key.public_jwk().to_string()).unwrap()).unwrap();
            let (right, wrong) = (public(&key), public(&other));
            let signature = key.sign(b"text");
            let verify = |key, signed: &[u8], signature: &[u8]| {
                run(Ring::default().verify(&SignatureCheck { algorithm, key, signed, signature })).unwrap()
            };
            assert_eq!(verify(&right, b"text", &signature), algorithm != Algorithm::Es512, "{algorithm:?}");
            assert!(!verify(&wrong, b"text", &signature), "{algorithm:?}");
            assert!(!verify(&right, b"test", &signature), "{algorithm:?}");
            assert!(!verify(&right, b"text", &signature[1..]), "{algorithm:?}");
            assert!(!verify(&right, b"text", &[]), "{algorithm:?}");
        }
    }

    #[test]
    fn it_signs_with_the_clients_key_and_with_no_other_algorithm() {
        let ec = p256::SecretKey::from_slice(&[9; 32]).unwrap().to_pkcs8_der().unwrap();
        let mut ed = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        ed.extend([9; 32]);
        let pem = include_str!("keys/rsa-1.pem").lines().filter(|line| !line.starts_with('-')).collect::<String>();
        let rsa = <base64ct::Base64 as base64ct::Encoding>::decode_vec(&pem).unwrap();
        let point = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap().verifying_key().to_encoded_point(false);
        let [x, y] = [point.x(), point.y()].map(|number| crate::world::b64(number.unwrap()));
        let point = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}).to_string();
        let okp = ed25519_dalek::SigningKey::from_bytes(&[9; 32]).verifying_key();
        let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": crate::world::b64(okp.as_bytes())}).to_string();
        let n = Key::new(Algorithm::Rs256, "key-1").public_jwk();
        let n = json!({"kty": "RSA", "n": n["n"], "e": n["e"]}).to_string();
        for (algorithm, der, public, other) in [
            (Algorithm::Es256, ec.as_bytes(), &point, Algorithm::Es384),
            (Algorithm::Ed25519, &ed, &okp, Algorithm::Es256),
            (Algorithm::Rs256, &rsa, &n, Algorithm::Es256),
            (Algorithm::Ps512, &rsa, &n, Algorithm::Ed25519),
        ] {
            let ring = Ring::with_key(algorithm, der).unwrap();
            let signature = run(ring.sign(algorithm, "text")).unwrap();
            let key = Jwk::read(&Json::parse(public).unwrap()).unwrap();
            assert!(verify(&SignatureCheck { algorithm, key: &key, signed: b"text", signature: &signature }), "{algorithm:?}");
            assert_eq!(run(ring.sign(other, "text")), Err(NoCrypto), "{algorithm:?}");
            assert_eq!(format!("{ring:?}").matches("Key(..)").count(), 1);
            assert_eq!(Ring::with_key(algorithm, &der[..10]).map(drop), Err(Misconfigured::ClientKeyUnusable));
        }
        assert_eq!(run(Ring::default().sign(Algorithm::Es256, "text")), Err(NoCrypto));
        assert_eq!(Ring::with_key(Algorithm::Es512, ec.as_bytes()).map(drop), Err(Misconfigured::ClientKeyUnusable));
    }

    #[test]
    fn it_draws_other_bytes_each_time() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        Ring::default().random(&mut one).unwrap();
        Ring::default().random(&mut other).unwrap();
        assert_ne!(one, other);
    }
}
