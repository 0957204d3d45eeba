//! The authorization response: what must not be believed, and what must not be lost.

use std::time::Duration;

use serde_json::json;
use tokenkeep::{
    Config, Error, Event, Finished, Kind, Session, SignIn, State,
    keep::MAX_PENDING,
    protocol::{Misbehaved, ResponseMode},
    session::Rung,
};
use url::form_urlencoded;

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, ORIGIN, Parameters, Tab, World, json_response, run},
};

const CLEAN: &str = "https://app.example/callback";

/// Somebody is signed in, and the provider has answered a second sign-in of the same page.
struct Answered {
    world: World,
    tab: Tab,
    session: Session,
    address: String,
}

impl Answered {
    fn new() -> Answered {
        Answered::with(&World::new(), &World::config())
    }

    fn with(world: &World, config: &Config) -> Answered {
        let mut tab = world.tab_with(config).unwrap();
        let session = tab.sign_in().unwrap();
        world.later(Duration::from_secs(5));
        let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        Answered { world: world.clone(), tab, session, address }
    }

    fn parameters(&self) -> Parameters {
        let query = self.address.split_once(['?', '#']).unwrap().1;
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    fn value(&self, name: &str) -> String {
        self.parameters().into_iter().find(|(ours, _)| ours == name).unwrap().1
    }

    /// The right response without this parameter.
    fn without(&self, name: &str) -> String {
        let rest = self.parameters().into_iter().filter(|(ours, _)| ours != name);
        format!("{CLEAN}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish())
    }

    /// The right response with this value in place of its own.
    fn set(&self, name: &str, value: &str) -> String {
        self.raw(name, &form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>())
    }

    /// The same, as it stands in the address.
    fn raw(&self, name: &str, value: &str) -> String {
        format!("{}&{name}={value}", self.without(name))
    }

    /// The right response and more.
    fn plus(&self, more: &str) -> String {
        format!("{}&{more}", self.address)
    }

    /// The page sees this address and refuses it: nothing is asked, nobody loses a session, the address is clean, nothing is told.
    #[track_caller]
    fn refused(&self, address: &str) -> Error {
        let (asked, shown) = (self.world.requests().len(), self.tab.bar.replaced.borrow().len());
        let error = self.tab.see(address).unwrap_err();
        assert_eq!(self.world.requests().len(), asked, "nothing is asked");
        assert_eq!(self.tab.session().as_ref(), Some(&self.session));
        assert_eq!(self.tab.address(), CLEAN);
        assert_eq!(self.tab.bar.replaced.borrow().len(), shown + 1);
        // That a response comes twice is nobody's failure.
        let last = if error == Misbehaved::AlreadyUsed.into() { Event::CallbackReceived } else { Event::Failed(error.clone()) };
        assert_eq!(self.tab.events.borrow().last(), Some(&last));
        let told = format!("{error:?} {error} {:?}", self.tab.events.borrow());
        for secret in ["code", "state"] {
            assert!(!told.contains(&self.value(secret)), "{secret} in {told}");
        }
        error
    }
}

/// DROP: refused, and as if it had never been.
#[track_caller]
fn dropped(address: impl FnOnce(&Answered) -> String, error: Misbehaved) {
    let scene = Answered::new();
    let before = scene.world.stored();
    assert_eq!(scene.refused(&address(&scene)), error.into());
    assert_eq!(scene.world.stored(), before);
    assert!(matches!(scene.tab.see(&scene.address), Ok(Finished::SignedIn { .. })), "the pending login survives");
}

/// FAIL: refused, and the pending login is used up.
#[track_caller]
fn failed(address: impl FnOnce(&Answered) -> String, error: Misbehaved) {
    assert_eq!(failed_at(&Answered::new(), address), error.into());
}

#[track_caller]
fn failed_at(scene: &Answered, address: impl FnOnce(&Answered) -> String) -> Error {
    let error = scene.refused(&address(scene));
    used_up(scene);
    error
}

#[track_caller]
fn used_up(scene: &Answered) {
    assert!(scene.world.stored().values().all(|record| !record.contains("verifier")), "nothing secret is left");
    assert_eq!(scene.refused(&scene.address), Misbehaved::AlreadyUsed.into());
    assert_eq!(scene.tab.fetch(&format!("{API}me")).unwrap().status, 200, "the earlier session works");
}

/// FAIL, because the provider said so.
/// No response of ours: the page is as it would have been at any other address.
#[track_caller]
fn no_response(address: impl Fn(&Answered) -> String) {
    // Where nobody is signed in, nothing is asked and nothing is told.
    let world = World::new();
    let tab = world.tab();
    let response = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    let (asked, before) = (world.requests().len(), world.stored());
    let mut page = world.tab();
    let scene = Answered::new();
    let seen = address(&Answered { address: response.clone(), ..scene });
    assert_eq!(page.arrive(&seen), Ok(Finished::Nothing), "{seen}");
    assert_eq!(run(page.client.finish_sign_in()), Ok(Finished::Nothing));
    assert_eq!((page.state(), page.address()), (State::SignedOut, seen));
    assert!(page.events.borrow().is_empty());
    assert_eq!((world.requests().len(), world.stored()), (asked, before));
    assert!(matches!(tab.see(&response), Ok(Finished::SignedIn { .. })), "the pending login survives");

    // Where somebody is, in another tab, so they are here, and the response has no part in it.
    let scene = Answered::new();
    let before = scene.world.stored();
    let mut page = scene.world.tab();
    let seen = address(&scene);
    let session = Session { renewed_by: Some(Rung::Tab), ..scene.session.clone() };
    assert_eq!(page.arrive(&seen), Ok(Finished::Restored { session: session.clone() }), "{seen}");
    assert_eq!((page.state(), page.address()), (State::SignedIn(session), seen));
    assert!(!page.was_told(&Event::CallbackReceived));
    assert_eq!((scene.world.count(Endpoint::Token), scene.world.stored()), (1, before));
    assert!(matches!(scene.tab.see(&scene.address), Ok(Finished::SignedIn { .. })), "the pending login survives");
}

#[track_caller]
fn failed_by_provider(address: impl FnOnce(&Answered) -> String, code: &str) -> Error {
    let error = failed_at(&Answered::new(), address);
    assert_eq!((error.kind(), error.code()), (Kind::Provider, code));
    error
}

fn error_response(scene: &Answered, more: &str) -> String {
    let (state, iss) = (scene.value("state"), scene.value("iss"));
    format!("{CLEAN}?state={state}&iss={iss}&{more}")
}

// cb-none
#[test]
fn the_callback_page_without_a_response_is_a_page() {
    for more in ["", "?", "?lang=de#top", "?state=open"] {
        no_response(|_| format!("{CLEAN}{more}"));
    }
}

// cb-nostate
#[test]
fn a_response_without_state_is_dropped() {
    dropped(|scene| scene.without("state"), Misbehaved::StateMissing);
    dropped(|scene| scene.set("state", ""), Misbehaved::StateMissing);
    dropped(|_| format!("{CLEAN}?code=x"), Misbehaved::StateMissing);
}

// cb-badstate
#[test]
fn a_state_that_is_not_exactly_ours_is_dropped() {
    dropped(|scene| scene.set("state", "unknown"), Misbehaved::StateUnknown);
    dropped(|scene| scene.set("state", &format!("{}A", scene.value("state"))), Misbehaved::StateUnknown);
    dropped(|scene| scene.set("state", &format!("{} ", scene.value("state"))), Misbehaved::StateUnknown);
    dropped(|scene| scene.set("state", scene.value("state").split_at(42).0), Misbehaved::StateUnknown);
    dropped(
        |scene| {
            let swap = |char: char| if char.is_lowercase() { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() };
            scene.set("state", &scene.value("state").chars().map(swap).collect::<String>())
        },
        Misbehaved::StateUnknown,
    );
}

/// The response to a sign-in that an attacker began in his own browser, at the same provider.
fn response_of_another_browser(scene: &Answered) -> String {
    let other = World::seeded(666);
    let url = other.tab().leave(SignIn::default()).unwrap();
    scene.world.provider.authorize(&url)
}

// cb-csrf
// cb-downgrade
#[test]
fn a_response_from_another_browser_is_dropped() {
    dropped(response_of_another_browser, Misbehaved::StateUnknown);

    // Nor does it take PKCE or OpenID Connect to stop it.
    let config = World::config().oauth_only();
    let scene = Answered::with(&World::new(), &config);
    scene.world.provider.answer(Endpoint::Token, |_, _| {
        Ok(json_response(200, &json!({"access_token": "of-the-attacker", "token_type": "Bearer", "expires_in": 300})))
    });
    let before = scene.world.stored();
    assert_eq!(scene.refused(&response_of_another_browser(&scene)), Misbehaved::StateUnknown.into());
    assert_eq!(scene.world.stored(), before);
}

// cb-fix
#[test]
fn a_response_is_dropped_where_no_sign_in_began() {
    let attacker = World::seeded(666);
    let address = attacker.provider.authorize(&attacker.tab().leave(SignIn::default()).unwrap());
    let victim = World::new();
    let mut tab = victim.tab();
    assert_eq!(tab.arrive(&address), Err(Misbehaved::StateUnknown.into()));
    assert_eq!(tab.state(), State::Failed(Misbehaved::StateUnknown.into()));
    assert_eq!(tab.address(), CLEAN);
    assert!(victim.requests().is_empty() && victim.stored().is_empty());
}

// cb-inject
#[test]
fn a_stolen_code_is_stopped_by_pkce_and_else_by_the_nonce() {
    let stolen = |scene: &Answered| {
        let address = response_of_another_browser(scene);
        let query = address.split_once('?').unwrap().1;
        let code = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code").unwrap().1;
        scene.set("code", &code)
    };

    let scene = Answered::new();
    let error = scene.tab.see(&stolen(&scene)).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Provider, "invalid_grant"));
    assert_eq!(scene.world.count(Endpoint::Token), 2);
    assert_eq!(scene.tab.session().as_ref(), Some(&scene.session));
    used_up(&scene);

    // A provider that does not look at the code challenge.
    let scene = Answered::new();
    let provider = scene.world.provider.clone();
    let now = scene.world.time.now.get() / 1000;
    scene.world.provider.answer(Endpoint::Token, move |_, _| {
        let claims = json!({"iss": ISSUER, "sub": "mallory", "aud": CLIENT, "exp": now + 600, "iat": now, "nonce": "of-the-other-browser"});
        let body = json!({"access_token": "of-mallory", "token_type": "Bearer", "id_token": provider.sign(&claims)});
        Ok(json_response(200, &body))
    });
    assert_eq!(scene.tab.see(&stolen(&scene)), Err(Misbehaved::NonceMismatch.into()));
    assert_eq!(scene.tab.session().as_ref(), Some(&scene.session));
    assert!(!format!("{:?}", scene.world.stored()).contains("of-mallory"));
    used_up(&scene);
    assert!(scene.world.requests().iter().all(|sent| sent.header("authorization") != Some("Bearer of-mallory")));
}

// cb-expired
// A pending login lives ten minutes here, and not sixty.
#[test]
fn a_user_may_take_ten_minutes_and_no_longer() {
    let scene = Answered::new();
    scene.world.later(Duration::from_secs(600));
    assert!(scene.tab.see(&scene.address).is_ok());

    let scene = Answered::new();
    scene.world.later(Duration::from_millis(600_001));
    let address = scene.address.clone();
    let (asked, before) = (scene.world.requests().len(), scene.tab.state());
    assert_eq!(scene.tab.see(&address), Err(Misbehaved::SignInExpired.into()));
    assert_eq!((scene.world.requests().len(), scene.tab.state(), scene.tab.address()), (asked, before, CLEAN.to_owned()));
    assert!(scene.world.stored().values().all(|record| !record.contains("verifier")));
    assert_eq!(scene.tab.see(&address), Err(Misbehaved::AlreadyUsed.into()));
}

// cb-replay
#[test]
fn a_response_is_handled_once_in_every_page_and_tab() {
    let world = World::new();
    let mut tab = world.tab();
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    tab.arrive(&address).unwrap();
    let session = tab.session();

    // Back button: the same page.
    assert_eq!(tab.see(&address), Err(Misbehaved::AlreadyUsed.into()));
    assert_eq!((tab.session(), tab.address()), (session, CLEAN.to_owned()));
    // Reload, and a restored tab: other pages.
    for mut page in [tab, world.tab()] {
        assert_eq!(page.arrive(&address), Err(Misbehaved::AlreadyUsed.into()));
        assert_eq!((page.state(), page.address()), (State::SignedOut, CLEAN.to_owned()));
    }
    assert_eq!(world.count(Endpoint::Token), 1);
}

// cb-double
#[test]
fn two_components_may_finish_the_same_sign_in() {
    let world = World::new();
    world.network.latency.set(3);
    let mut tab = world.tab();
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    tab.load(&address);
    let (one, other) = run(async { futures::join!(tab.client.finish_sign_in(), tab.client.finish_sign_in()) });
    assert!(matches!(one, Ok(Finished::SignedIn { .. })));
    assert_eq!(one, other);
    assert_eq!(run(tab.client.finish_sign_in()), one);
    assert_eq!(world.count(Endpoint::Token), 1);
    assert_eq!(tab.events.borrow().iter().filter(|event| **event == Event::SignedIn).count(), 1);
}

// cb-dupcode
// cb-dupiss
#[test]
fn a_parameter_that_is_there_twice_fails_the_sign_in() {
    failed(|scene| scene.plus("code=other"), Misbehaved::DuplicateParameter);
    failed(|scene| scene.plus(&format!("code={}", scene.value("code"))), Misbehaved::DuplicateParameter);
    failed(|scene| scene.plus("%63ode=other"), Misbehaved::DuplicateParameter);
    failed(|scene| scene.plus("iss=https%3A%2F%2Fevil.example"), Misbehaved::DuplicateParameter);
    failed(|scene| scene.plus(&format!("iss={ISSUER}")), Misbehaved::DuplicateParameter);
    failed(|scene| error_response(scene, "error=access_denied&error=server_error"), Misbehaved::DuplicateParameter);
    failed(|scene| error_response(scene, "error=access_denied&error_description=a&error_description=b"), Misbehaved::DuplicateParameter);
}

// cb-dupstate
#[test]
fn a_state_that_is_there_twice_is_dropped() {
    dropped(|scene| scene.plus("state=other"), Misbehaved::DuplicateParameter);
    dropped(|scene| scene.plus(&format!("state={}", scene.value("state"))), Misbehaved::DuplicateParameter);
    dropped(|scene| format!("{}#code=x&state=y", scene.address), Misbehaved::DuplicateParameter);
}

// cb-frag
#[test]
fn a_response_in_the_wrong_place_fails() {
    failed(|scene| scene.address.replacen('?', "#", 1), Misbehaved::ResponseModeMismatch);
    failed(|scene| format!("{CLEAN}?state={}#code={}", scene.value("state"), scene.value("code")), Misbehaved::ResponseModeMismatch);

    let scene = Answered::with(&World::new(), &World::config().response_mode(ResponseMode::Fragment));
    let error = failed_at(&scene, |scene| scene.address.replacen('#', "?", 1));
    assert_eq!(error, Misbehaved::ResponseModeMismatch.into());
}

// cb-both
#[test]
fn a_code_beside_an_error_is_never_sent() {
    failed(|scene| scene.plus("error=access_denied"), Misbehaved::AmbiguousResponse);
    failed(|scene| scene.plus("error="), Misbehaved::AmbiguousResponse);
    failed(|scene| error_response(scene, "code=&error=access_denied"), Misbehaved::AmbiguousResponse);
}

// cb-emptycode
#[test]
fn an_empty_code_is_none() {
    failed(|scene| scene.set("code", ""), Misbehaved::CodeMissing);
    failed(|scene| scene.without("code") + "&code", Misbehaved::CodeMissing);
}

// cb-implicit
// cb-mixtok
#[test]
fn a_token_in_a_response_is_never_used() {
    for token in ["access_token=leaked&token_type=bearer&expires_in=3600", "id_token=leaked", "access_token=leaked&id_token=leaked"] {
        failed(|scene| format!("{CLEAN}#{token}&state={}", scene.value("state")), Misbehaved::UnexpectedToken);
        failed(|scene| scene.plus(token), Misbehaved::UnexpectedToken);
        failed(|scene| format!("{}#{token}", scene.address), Misbehaved::UnexpectedToken);
    }
    dropped(|_| format!("{CLEAN}#access_token=leaked&token_type=bearer"), Misbehaved::StateMissing);
}

// cb-issmiss
#[test]
fn a_promised_issuer_must_be_there() {
    failed(|scene| scene.without("iss"), Misbehaved::IssuerMissing);
    failed(|scene| format!("{CLEAN}?error=access_denied&state={}", scene.value("state")), Misbehaved::IssuerMissing);

    // Nobody promised it.
    let world = World::new();
    world.provider.metadata("authorization_response_iss_parameter_supported", json!(null));
    let scene = Answered::with(&world, &World::config());
    assert!(scene.tab.see(&scene.without("iss")).is_ok());
}

// cb-issbad
// cb-issnear
#[test]
fn an_issuer_that_is_not_exactly_ours_fails() {
    for iss in [
        "https://evil.example",
        "https://as.example/",
        "https://AS.example",
        "HTTPS://as.example",
        "https://as.example:443",
        "https%3A%2F%2Fas.example",
        " https://as.example",
        "",
    ] {
        failed(|scene| scene.set("iss", iss), Misbehaved::IssuerMismatch);
        failed(
            |scene| format!("{CLEAN}?error=access_denied&state={}&iss={}", scene.value("state"), iss.replace('%', "%25")),
            Misbehaved::IssuerMismatch,
        );
    }
    // It counts even where nobody promised it.
    let world = World::new();
    world.provider.metadata("authorization_response_iss_parameter_supported", json!(false));
    let scene = Answered::with(&world, &World::config());
    assert_eq!(failed_at(&scene, |scene| scene.set("iss", "https://evil.example")), Misbehaved::IssuerMismatch.into());
}

// cb-issenc
#[test]
fn an_issuer_may_be_encoded_in_every_way() {
    for iss in ["https%3A%2F%2Fas.example", "https%3a%2F%2fas%2eexample", "https://as.example", "%68ttps:%2f/as.example"] {
        let scene = Answered::new();
        assert!(matches!(scene.tab.see(&scene.raw("iss", iss)), Ok(Finished::SignedIn { .. })), "{iss}");
    }
}

// cb-mixup
// cb-otherpath
#[test]
fn a_response_counts_only_where_it_was_asked_to_arrive() {
    // At a path of the same origin that is no redirect URI of anybody, it is no response at all.
    for place in ["/other", "/callback/", "/callback/x", "/Callback", "/", "//callback", "/call%62ack"] {
        no_response(|scene| scene.address.replacen("/callback", place, 1));
    }

    // At another redirect URI of the same client, it fails.
    let scene = Answered::new();
    let mut elsewhere = scene.world.tab_with(&World::config().redirect_path("/elsewhere")).unwrap();
    let asked = scene.world.requests().len();
    assert_eq!(elsewhere.arrive(&scene.address.replacen("/callback", "/elsewhere", 1)), Err(Misbehaved::RedirectUriMismatch.into()));
    assert_eq!(elsewhere.address(), format!("{ORIGIN}/elsewhere"));
    assert_eq!(scene.world.requests().len(), asked);
    used_up(&scene);

    // So it does at the redirect URI that was registered at another provider, which is how that provider's responses are told apart.
    let scene = Answered::new();
    let honest = Config::new("https://honest.example", "at-honest").redirect_path("/elsewhere");
    let mut elsewhere = scene.world.tab_with(&honest).unwrap();
    let asked = scene.world.requests().len();
    assert_eq!(elsewhere.arrive(&scene.address.replacen("/callback", "/elsewhere", 1)), Err(Misbehaved::RedirectUriMismatch.into()));
    assert_eq!(elsewhere.address(), format!("{ORIGIN}/elsewhere"));
    assert_eq!(scene.world.requests().len(), asked);
    used_up(&scene);
}

// cb-errok
// cb-errunknown
#[test]
fn an_error_of_the_provider_is_told_by_its_code() {
    failed_by_provider(|scene| error_response(scene, "error=access_denied"), "access_denied");
    failed_by_provider(|scene| error_response(scene, "error=x.vendor:42'!"), "x.vendor:42'!");

    // Without a session it is what became of the sign-in.
    let world = World::new();
    let mut tab = world.tab();
    world.provider.callback(|response| {
        response.retain(|(name, _)| name != "code");
        response.push(("error".into(), "access_denied".into()));
    });
    let error = tab.sign_in().unwrap_err();
    assert_eq!((tab.state(), tab.address()), (State::Failed(error), CLEAN.to_owned()));

    for malformed in ["two+words", "%22quoted%22", "back%5Cslash", "%C3%A4", "line%0A", ""] {
        failed(|scene| error_response(scene, &format!("error={malformed}")), Misbehaved::MalformedResponse);
    }
    failed(|scene| error_response(scene, &format!("error={}", "x".repeat(101))), Misbehaved::MalformedResponse);
}

// cb-errok
#[test]
fn a_provider_that_must_ask_the_user_has_not_failed() {
    for code in ["login_required", "interaction_required", "consent_required", "account_selection_required"] {
        // Who was signed in before still is: they were not asked, and nothing is known to be wrong.
        let scene = Answered::new();
        let needed = Ok(Finished::SignInNeeded { return_to: "/".into() });
        let asked = scene.world.requests().len();
        assert_eq!(scene.tab.see(&error_response(&scene, &format!("error={code}"))), needed, "{code}");
        assert_eq!((scene.tab.session().as_ref(), scene.tab.address()), (Some(&scene.session), CLEAN.to_owned()));
        assert_eq!(scene.world.requests().len(), asked, "nothing is asked");
        assert!(!scene.tab.events.borrow().iter().any(|event| matches!(event, Event::Failed(_))));
        used_up(&scene);

        // Otherwise nobody is, and that is no failure either.
        let world = World::new();
        world.provider.callback(move |response| {
            response.retain(|(name, _)| name != "code");
            response.push(("error".into(), code.into()));
        });
        let mut tab = world.tab();
        let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        assert_eq!(tab.arrive(&address), needed, "{code}");
        assert_eq!((tab.state(), tab.address()), (State::SignedOut, CLEAN.to_owned()));
        assert_eq!(*tab.events.borrow(), [Event::CallbackReceived]);
        assert_eq!((world.count(Endpoint::Token), tab.see(&address)), (0, Err(Misbehaved::AlreadyUsed.into())));
    }
}

// cb-errnostate
#[test]
fn an_error_that_names_no_sign_in_ends_none() {
    dropped(|_| format!("{CLEAN}?error=invalid_request"), Misbehaved::StateMissing);
    dropped(|_| format!("{CLEAN}?error=invalid_request&state=unknown"), Misbehaved::StateUnknown);
}

// cb-errtext
#[test]
fn the_text_of_an_error_is_inert() {
    let description = |text: &str, uri: &str| {
        let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let more = format!("error=access_denied&error_description={encoded}&error_uri={uri}");
        let Error::Provider(error) = failed_by_provider(|scene| error_response(scene, &more), "access_denied") else { unreachable!() };
        (error.description().unwrap_or_default().to_owned(), error.uri().map(|uri| uri.as_str().to_owned()))
    };
    // Markup stays what it is, which is text.
    let markup = "<img src=x onerror=alert(1)>";
    assert_eq!(description(markup, "javascript:alert(1)"), (markup.into(), None));
    assert_eq!(description("a\r\nSet-Cookie: b\0", "data:text/html,x").0, "aSet-Cookie: b");
    assert_eq!(description("\u{202e}txt.\u{2066}exe\u{200b}\u{feff}", "//evil.example").0, "txt.exe");
    assert_eq!(
        description(&"ä".repeat(9000), "https://as.example/help?e=1"),
        ("ä".repeat(500), Some("https://as.example/help?e=1".into()))
    );
    assert_eq!(description("", "x").0, "");
    failed(|scene| error_response(scene, "error=access_denied&error_description=%FF"), Misbehaved::MalformedResponse);

    // What is as long as that is not read at all.
    dropped(
        |scene| error_response(scene, &format!("error=access_denied&error_description={}", "x".repeat(200_000))),
        Misbehaved::ResponseTooLarge,
    );

    // A provider that repeats what we sent does not make us tell it.
    let scene = Answered::new();
    let text = format!("error=access_denied&error_description=state+{}+is+odd", scene.value("state"));
    let error = failed_at(&scene, |scene| error_response(scene, &text));
    assert_eq!(error.to_string(), "the provider answered access_denied");
}

// cb-tmp
#[test]
fn a_provider_in_trouble_is_not_asked_again_by_itself() {
    for code in ["temporarily_unavailable", "server_error"] {
        let scene = Answered::new();
        let went = scene.tab.bar.went.borrow().len();
        let error = failed_at(&scene, |scene| error_response(scene, &format!("error={code}")));
        assert_eq!((error.kind(), error.code()), (Kind::Provider, code));
        assert_eq!(scene.tab.bar.went.borrow().len(), went);
    }
}

// cb-unknownparam
#[test]
fn parameters_that_mean_nothing_to_us_are_ignored() {
    let scene = Answered::new();
    let address = scene.plus("session_state=abc&scope=openid&hd=example.com&authuser=0&foo&foo=1&token_type=x&expires_in=1");
    assert!(matches!(scene.tab.see(&address), Ok(Finished::SignedIn { .. })));
    // What is not a response parameter may be the app's own.
    assert_eq!(scene.tab.address(), format!("{CLEAN}?scope=openid&hd=example.com&authuser=0&foo&foo=1"));
}

// cb-longcode
#[test]
fn a_code_may_be_long() {
    let scene = Answered::new();
    let code = "c".repeat(4096);
    // The provider does not know it, but it was sent whole.
    assert_eq!(scene.tab.see(&scene.set("code", &code)).unwrap_err().code(), "invalid_grant");
    assert_eq!(scene.world.requests().last().unwrap().field("code"), Some(code));
}

// cb-hugeurl
#[test]
fn an_address_of_megabytes_is_not_read() {
    dropped(|scene| scene.plus(&"x=y&".repeat(1_250_000)), Misbehaved::ResponseTooLarge);
    dropped(|scene| scene.set("code", &"c".repeat(64 * 1024)), Misbehaved::ResponseTooLarge);
    dropped(|scene| format!("{}#{}", scene.address, "#".repeat(64 * 1024)), Misbehaved::ResponseTooLarge);
}

// cb-badpct
#[test]
fn text_that_cannot_be_decoded_is_refused() {
    for text in ["%E0%A4%A", "%00", "%c0%af", "%ED%A0%80", "%", "%4", "%zz", "x%0D%0Ay", "%C3%A4", "%7F"] {
        dropped(|scene| scene.raw("state", text), Misbehaved::MalformedResponse);
        failed(|scene| scene.raw("code", text), Misbehaved::MalformedResponse);
    }
    for text in ["%E0%A4%A", "%c0%af", "%"] {
        failed(|scene| scene.raw("iss", text), Misbehaved::MalformedResponse);
        // A name that cannot be decoded is no name of ours, and stays.
        let scene = Answered::new();
        assert!(scene.tab.see(&scene.plus(&format!("{text}=1"))).is_ok());
        assert_eq!(scene.tab.address(), format!("{CLEAN}?{text}=1"));
    }
}

// cb-plus
#[test]
fn values_are_decoded_exactly_once() {
    let scene = Answered::new();
    assert_eq!(scene.tab.see(&scene.raw("code", "a+b%2Bc%20d%2541")).unwrap_err().code(), "invalid_grant");
    assert_eq!(scene.world.requests().last().unwrap().field("code").as_deref(), Some("a b+c d%41"));
}

// cb-ownquery
#[test]
fn the_apps_own_query_survives() {
    let world = World::new();
    let config = World::config().redirect_path("/cb?lang=de");
    let mut tab = world.tab_with(&config).unwrap();
    assert!(tab.sign_in().is_ok());
    assert_eq!(tab.address(), format!("{ORIGIN}/cb?lang=de"));
    assert_eq!(world.requests()[2].field("redirect_uri"), Some(format!("{ORIGIN}/cb?lang=de")));

    // Byte for byte, and wherever it stands.
    world.later(Duration::from_secs(5));
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    let address = address.replacen("?lang=de", "?a=%7e&lang=de&b", 1) + "&c=+#d=%2F";
    assert!(tab.arrive(&address).is_ok());
    assert_eq!(tab.address(), format!("{ORIGIN}/cb?a=%7e&lang=de&b&c=+#d=%2F"));

    // Without it, it is another place.
    world.later(Duration::from_secs(5));
    let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    assert_eq!(tab.arrive(&address.replacen("lang=de&", "", 1)), Ok(Finished::Nothing));
}

// cb-scrub
#[test]
fn the_address_is_clean_before_anything_is_awaited() {
    let own = |response: &str| format!("{CLEAN}?tab=1&{response}&b=%20#top");
    let scene = Answered::new();
    let right = scene.address.split_once('?').unwrap().1;
    for response in [right, "code=x", "code=x&state=y", "error=access_denied", "iss=a&response=b&session_state=c&state=d", "%63ode=x"] {
        let before = scene.tab.bar.replaced.borrow().len();
        *scene.tab.bar.address.borrow_mut() = own(response);
        let unpolled = scene.tab.client.finish_sign_in();
        assert_eq!(scene.tab.address(), format!("{CLEAN}?tab=1&b=%20#top"), "{response}");
        assert_eq!(scene.tab.bar.replaced.borrow().len(), before + 1);
        drop(unpolled);
    }
    // And the login was used up in the same breath.
    assert!(scene.world.stored().values().all(|record| !record.contains("verifier")));
    // No navigation took place: the one that left is the only one.
    assert_eq!(scene.tab.bar.went.borrow().len(), 1);
}

// cb-hash
#[test]
fn a_route_in_the_hash_is_kept() {
    for route in ["#/orders", "#!/orders?sort=date", "#/orders?state=open", "#/orders/7?a=1&code=DE&state=open"] {
        let world = World::new();
        let mut tab = world.tab_with(&World::config().redirect_path("/")).unwrap();
        let address = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        assert!(matches!(tab.arrive(&format!("{address}{route}")), Ok(Finished::SignedIn { .. })), "{route}");
        assert_eq!(tab.address(), format!("{ORIGIN}/{route}"));
    }
}

// cb-jarmunreq
#[test]
fn a_signed_response_was_not_asked_for() {
    failed(|scene| scene.plus("response=e30.e30.x"), Misbehaved::ResponseModeMismatch);
    failed(|scene| format!("{CLEAN}?state={}&response=e30.e30.x", scene.value("state")), Misbehaved::ResponseModeMismatch);
    dropped(|_| format!("{CLEAN}?response=e30.e30.x"), Misbehaved::StateMissing);
}

// cb-twotabs
#[test]
fn two_tabs_sign_in_in_any_order() {
    let world = World::new();
    let (mut first, mut second) = (world.tab(), world.tab());
    let to_first = world.provider.authorize(&first.leave(SignIn::default().return_to("/first")).unwrap());
    world.provider.user("bob");
    let to_second = world.provider.authorize(&second.leave(SignIn::default().return_to("/second")).unwrap());
    for (tab, address, place) in [(&mut second, to_second, "/second"), (&mut first, to_first, "/first")] {
        let Ok(Finished::SignedIn { return_to, .. }) = tab.arrive(&address) else { panic!("not signed in") };
        assert_eq!(return_to, place);
        assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    }
    assert_eq!(world.count(Endpoint::Token), 2);
}

// cb-flood
#[test]
fn abandoned_sign_ins_do_not_pile_up() {
    let world = World::new();
    let mut latest = None;
    for _ in 0..1000 {
        let tab = world.tab();
        world.later(Duration::from_millis(1));
        latest = Some((tab.leave(SignIn::default()).unwrap(), tab));
    }
    let pending = || world.stored().keys().filter(|key| key.starts_with("tokenkeep.login.")).count();
    assert_eq!(pending(), MAX_PENDING);
    // The oldest went, the latest still works.
    let (url, mut tab) = latest.unwrap();
    assert!(tab.arrive(&world.provider.authorize(&url)).is_ok());

    world.later(Duration::from_secs(601));
    world.tab().leave(SignIn::default()).unwrap();
    assert_eq!(pending(), 1);
    assert_eq!(world.stored().len(), 2, "and that somebody is signed in");
}

// cb-wrongclient
#[test]
fn two_clients_on_one_origin_leave_each_other_their_responses() {
    let world = World::new();
    let one = world.tab();
    let address = world.provider.authorize(&one.leave(SignIn::default()).unwrap());
    let (asked, before) = (world.requests().len(), world.stored());

    for other in [Config::new(ISSUER, "another-app"), Config::new("https://other.example", CLIENT)] {
        let mut other = world.tab_with(&other).unwrap();
        assert_eq!(other.arrive(&address), Ok(Finished::Nothing));
        assert_eq!((other.state(), other.address()), (State::SignedOut, address.clone()));
        assert!(other.events.borrow().is_empty());
    }
    assert_eq!((world.requests().len(), world.stored()), (asked, before));

    let mut one = one;
    assert!(matches!(one.arrive(&address), Ok(Finished::SignedIn { .. })));
}
