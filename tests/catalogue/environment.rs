//! Storage, clock and the life of a page.

use std::time::Duration;

use serde_json::{Value, json};
use tokenkeep::{
    Config, Error, Event, Finished, SignIn, SignOut, State,
    protocol::{ClockSkew, Interrupted, Misbehaved, Misconfigured},
};

use crate::{
    test,
    world::{API, Endpoint, ISSUER, ORIGIN, Tab, World, run},
};

fn only_key(world: &World) -> String {
    let keys: Vec<_> = world.stored().into_keys().collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0].clone()
}

/// A tab that left for the provider, and the address at which the browser comes back.
fn left(world: &World) -> (Tab, String) {
    let tab = world.tab();
    let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
    (tab, callback)
}

// env-deny, env-quota
#[test]
fn nobody_leaves_who_could_not_finish() {
    for (blocked, expected) in [(true, Interrupted::StorageBlocked), (false, Interrupted::StorageFull)] {
        let world = World::new();
        world.disk.records.borrow_mut().insert("theirs".into(), "x".into());
        world.disk.blocked.set(blocked);
        world.disk.full.set(!blocked);
        let tab = world.tab();
        assert_eq!(tab.leave(SignIn::default()), Err(expected.clone().into()));
        assert_eq!(tab.bar.went.borrow().len(), 0, "before navigating");
        assert_eq!(world.stored().into_keys().collect::<Vec<_>>(), ["theirs"], "nothing half-written");
        assert_eq!(*tab.events.borrow(), [Event::MetadataRead, Event::Failed(expected.into())]);

        // It is no lasting trouble.
        world.disk.blocked.set(false);
        world.disk.full.set(false);
        assert!(tab.leave(SignIn::default()).is_ok());
    }
}

// env-deny
#[test]
fn a_page_that_comes_back_to_blocked_storage_sends_nothing() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    world.disk.blocked.set(true);
    assert_eq!(tab.arrive(&callback), Err(Interrupted::StorageBlocked.into()));
    assert_eq!((tab.address(), world.count(Endpoint::Token)), (format!("{ORIGIN}/callback"), 0));
}

// env-quota
#[test]
fn a_full_store_does_not_spoil_the_way_back() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    world.disk.full.set(true);
    assert!(matches!(tab.arrive(&callback), Ok(Finished::SignedIn { .. })));
    // There was no room for the mark, so the same response is unknown instead of used.
    assert_eq!((world.stored().len(), tab.see(&callback)), (0, Err(Misbehaved::StateUnknown.into())));
    assert_eq!(world.count(Endpoint::Token), 1);
    assert!(tab.session().is_some());
}

// env-corrupt
#[test]
fn a_record_that_is_none_is_absent_and_removed() {
    let record: Value = {
        let world = World::new();
        left(&world);
        serde_json::from_str(&world.stored()[&only_key(&world)]).unwrap()
    };
    let text = record.to_string();
    let changed = |member: &str, value: Value| {
        let mut record = record.clone();
        record[member] = value;
        record.to_string()
    };
    for broken in [
        String::new(),
        text[..text.len() / 2].to_owned(),
        "null".into(),
        "5".into(),
        "[]".into(),
        "{}".into(),
        "\u{0}".into(),
        format!("{text}x"),
        "x".repeat(10_000_000),
        " ".repeat(100_000) + &text,
        changed("state", json!("another")),
        changed("state", json!(5)),
        changed("verifier", json!("short")),
        changed("verifier", json!("x".repeat(5000))),
        changed("nonce", json!(null)),
        changed("begun", json!("yesterday")),
        changed("begun", json!(-1)),
        changed("scope", json!("a\"b")),
        changed("resources", json!("https://evil.example")),
        changed("max_age", json!("60")),
        r#"{"used": "yesterday"}"#.into(),
    ] {
        let world = World::new();
        let (mut tab, callback) = left(&world);
        let key = only_key(&world);
        world.disk.records.borrow_mut().insert(key, broken.clone());
        let shown: String = broken.chars().take(200).collect();
        assert_eq!(tab.arrive(&callback), Err(Misbehaved::StateUnknown.into()), "{shown}");
        assert_eq!((world.stored().len(), world.count(Endpoint::Token)), (0, 0), "{shown}");
        assert_eq!(tab.address(), format!("{ORIGIN}/callback"), "{shown}");
        // And a new sign-in is as if it had never been.
        assert!(tab.sign_in().is_ok(), "{shown}");
    }
}

// env-corrupt
#[test]
fn a_record_sends_a_code_nowhere_else() {
    let evil = "https://evil.example/token";
    let state_unknown = Err(Misbehaved::StateUnknown.into());
    let redirect_uri = Err(Misbehaved::RedirectUriMismatch.into());
    for (member, value, expected) in [
        ("token_endpoint", json!(evil), state_unknown.clone()),
        ("token_endpoint", json!("https://as.example/token/"), state_unknown.clone()),
        ("redirect_uri", json!("https://evil.example/callback"), redirect_uri),
        // Another issuer or client makes it another client's: it is left to them.
        ("issuer", json!("https://evil.example"), Ok(Finished::Nothing)),
        ("client_id", json!("other-client"), Ok(Finished::Nothing)),
    ] {
        let world = World::new();
        let (mut tab, callback) = left(&world);
        let key = only_key(&world);
        let mut record: Value = serde_json::from_str(&world.stored()[&key]).unwrap();
        record[member] = value.clone();
        world.disk.records.borrow_mut().insert(key, record.to_string());
        assert_eq!(tab.arrive(&callback), expected, "{member}: {value}");
        let sent = world.requests();
        assert!(sent.iter().all(|sent| sent.to == Some(Endpoint::Metadata) && sent.url.starts_with(ISSUER)), "{sent:#?}");
        assert_eq!(tab.session(), None);
    }
}

// env-corrupt
#[test]
fn a_record_sends_the_user_nowhere_else() {
    for place in
        ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example", "https:evil", "", "/callback?code=x"]
    {
        let world = World::new();
        let (mut tab, callback) = left(&world);
        let key = only_key(&world);
        let mut record: Value = serde_json::from_str(&world.stored()[&key]).unwrap();
        record["return_to"] = json!(place);
        world.disk.records.borrow_mut().insert(key, record.to_string());
        let Ok(Finished::SignedIn { return_to, .. }) = tab.arrive(&callback) else { panic!("not signed in") };
        assert!(return_to.starts_with('/') && !return_to.starts_with("//"), "{place} became {return_to}");
        let there = url::Url::parse(ORIGIN).unwrap().join(&return_to).unwrap();
        assert_eq!((there.origin().ascii_serialization().as_str(), there.query()), (ORIGIN, None), "{place} became {return_to}");
    }
}

// env-rollback
// No token is ever stored, so an older snapshot brings back a pending login at most; its code was used, and the provider says so.
#[test]
fn an_older_snapshot_of_the_store_brings_nobody_back() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    let snapshot = world.stored();
    assert!(tab.arrive(&callback).is_ok());
    run(tab.client.sign_out(SignOut::Local)).unwrap();
    *world.disk.records.borrow_mut() = snapshot;
    assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
    assert_eq!(tab.state(), State::SignedOut);
    let error = tab.arrive(&callback).unwrap_err();
    assert_eq!(error.code(), "invalid_grant");
    assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::Failed(error), 0), "no redirect storm");
}

// env-evict
#[test]
fn a_store_that_was_emptied_is_a_clean_start() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    world.disk.records.borrow_mut().clear();
    assert_eq!(tab.arrive(&callback), Err(Misbehaved::StateUnknown.into()));
    assert_eq!((world.count(Endpoint::Token), tab.bar.went.borrow().len()), (0, 0));
    assert_eq!(tab.arrive(&format!("{ORIGIN}/")), Ok(Finished::Nothing));
    assert_eq!(tab.state(), State::SignedOut);
    tab.sign_in().unwrap();
    world.disk.records.borrow_mut().clear();
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200, "a session does not live in the store");
}

// env-bfback
#[test]
fn who_presses_back_can_sign_in_again() {
    let world = World::new();
    let tab = world.tab();
    tab.leave(SignIn::default()).unwrap();
    assert_eq!(run(tab.client.sign_in(SignIn::default())), Ok(()), "a second click while leaving");
    assert_eq!(tab.bar.went.borrow().len(), 1);
    // The page comes out of the back/forward cache, with all that it knew.
    tab.bar.come_back();
    let url = tab.leave(SignIn::default()).unwrap();
    assert_eq!((tab.bar.went.borrow().len(), world.stored().len()), (2, 2));
    assert!(matches!(tab.see(&world.provider.authorize(&url)), Ok(Finished::SignedIn { .. })));
}

// env-bfback
#[test]
fn a_navigation_that_came_to_nothing_blocks_nobody_for_long() {
    let world = World::new();
    let tab = world.tab();
    tab.leave(SignIn::default()).unwrap();
    world.later(Duration::from_secs(5));
    tab.leave(SignIn::default()).unwrap();
    assert_eq!(tab.bar.went.borrow().len(), 2);
}

// env-bfexp
// Without refresh tokens the call says that a sign-in is needed; either way the stale token is not sent.
#[test]
fn a_page_that_comes_back_late_does_not_send_a_stale_token() {
    let world = World::new();
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    world.later(Duration::from_secs(3600));
    tab.bar.come_back();
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!(world.count(Endpoint::Api), 0);
}

// env-fwd
// Without refresh tokens a jump beyond the token's life reads as its end, and nothing more: the session is not torn down for it.
#[test]
fn a_clock_that_jumps_ends_no_session() {
    let world = World::new();
    let mut tab = world.tab();
    let session = tab.sign_in().unwrap();
    let requests = world.requests().len();
    world.time.ahead.set(3_600_000);
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::SignedIn(session.clone()), 0));
    world.time.ahead.set(0);
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200, "set right again");
    world.time.ahead.set(-3_600_000);
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200, "and back");
    assert_eq!((tab.state(), world.requests().len() - requests), (State::SignedIn(session), 2));
}

// env-fwd
#[test]
fn what_was_read_by_a_wrong_clock_is_read_again() {
    let world = World::new();
    let tab = world.tab();
    let sign_in = || {
        tab.bar.come_back();
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        tab.see(&callback)
    };
    world.time.ahead.set(24 * 3_600_000);
    let skew = ClockSkew::Ahead(Duration::from_secs(24 * 3600));
    assert_eq!(sign_in(), Err(Misbehaved::ClockSkew { skew }.into()));
    assert_eq!((world.count(Endpoint::Metadata), world.count(Endpoint::Keys)), (1, 1));
    world.time.ahead.set(0);
    assert!(matches!(sign_in(), Ok(Finished::SignedIn { .. })));
    // Else what was read in that future would be believed for a day longer than it should.
    assert_eq!((world.count(Endpoint::Metadata), world.count(Endpoint::Keys)), (2, 2));
}

// env-ssr, env-reinit
// What a server renders is `State::Unknown`, whoever asks; that a page takes over from it without a seam is for the tests of the
// Leptos components.
#[test]
fn opening_a_client_does_nothing() {
    let world = World::new();
    let (_, callback) = left(&world);
    let before = (world.requests().len(), world.stored());
    let tab = world.tab_at(&World::config(), &callback).unwrap();
    assert_eq!((tab.state(), tab.address()), (State::Unknown, callback));
    assert_eq!((world.requests().len(), world.stored()), before);
    assert_eq!((tab.bar.replaced.borrow().len(), tab.bar.went.borrow().len(), tab.events.borrow().len()), (0, 0, 0));
}

// env-reinit
#[test]
fn two_clients_in_one_page_are_one_sign_in() {
    let world = World::new();
    let (mut tab, callback) = left(&world);
    tab.load(&callback);
    let bar: std::rc::Rc<dyn tokenkeep::page::ports::Navigation> = tab.bar.clone();
    let again = tokenkeep::Client::open(&World::config(), world.ports(), bar).unwrap();
    let (one, two) = run(futures::future::join(tab.client.finish_sign_in(), again.finish_sign_in()));
    assert!(matches!(one, Ok(Finished::SignedIn { .. })), "{one:?}");
    assert_eq!((two, again.state()), (Ok(Finished::Nothing), State::SignedOut));
    assert_eq!(world.count(Endpoint::Token), 1);
    let told = tab.events.borrow().iter().filter(|event| **event == Event::SignedIn).count();
    assert_eq!(told, 1);
}

// env-clean
#[test]
fn closing_removes_all_that_was_stored_for_this_client() {
    let world = World::new();
    world.disk.records.borrow_mut().insert("theirs".into(), "x".into());
    let other = world.tab_with(&Config::new("https://as.example", "other-client").redirect_path("/other")).unwrap();
    other.leave(SignIn::default()).unwrap();
    let others = world.stored();
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    tab.leave(SignIn::default()).unwrap();
    assert_eq!(world.stored().len(), others.len() + 2, "a mark and a pending login");
    tab.client.close();
    assert_eq!((world.stored(), tab.state()), (others, State::SignedOut));
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
}

// env-clean
#[test]
fn what_is_on_its_way_when_a_client_closes_does_not_arrive() {
    for seed in 0..50 {
        let world = World::seeded(seed);
        let (tab, callback) = left(&world);
        world.network.latency.set(7);
        *tab.bar.address.borrow_mut() = callback;
        let finishing = tab.client.finish_sign_in();
        let closing = async {
            for _ in 0..seed % 5 {
                crate::world::yield_once().await;
            }
            tab.client.close();
        };
        let _ = run(futures::future::join(finishing, closing));
        assert_eq!((tab.state(), world.stored().len()), (State::SignedOut, 0), "seed {seed}");
        assert_eq!(tab.fetch(&format!("{API}me")), Err(Error::from(Interrupted::SignInNeeded)), "seed {seed}");
    }
}

// env-prec
#[test]
fn a_coarse_and_jittery_clock_is_good_enough() {
    for jitter in [[0, -900, 400], [-1000, 1000, 0], [500, 499, 498], [-29_000, -29_500, -28_000]] {
        let world = World::new();
        let tab = world.tab();
        world.time.ahead.set(jitter[0]);
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        world.time.ahead.set(jitter[1]);
        assert!(matches!(tab.see(&callback), Ok(Finished::SignedIn { .. })), "{jitter:?}");
        world.time.ahead.set(jitter[2]);
        assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200, "{jitter:?}");
    }
}

#[test]
fn a_page_without_cryptography_sends_nobody_away() {
    let world = World::new();
    world.chance.absent.set(true);
    let tab = world.tab();
    assert_eq!(tab.leave(SignIn::default()), Err(Misconfigured::InsecureContext.into()));
    assert_eq!((world.requests().len(), world.stored().len()), (0, 0));
}
