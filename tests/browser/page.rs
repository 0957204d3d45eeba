//! The address bar, and a client opened in a real page.

use std::{cell::Cell, rc::Rc, time::Duration};

use tokenkeep::{
    Config, Error, SignIn, State, browser,
    browser::{AddressBar, BrowserClock},
    keep::ports::Clock,
    page::ports::Navigation,
    protocol::{Interrupted, Misbehaved, Misconfigured},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, js};

fn at(path: &str) -> String {
    js(&format!("history.replaceState({{ router: 1 }}, '', '{path}'); location.href")).as_string().unwrap()
}

#[test]
fn the_address_is_replaced_without_an_entry_and_keeps_its_state() {
    let bar = AddressBar::new().unwrap();
    let before = at("/x?code=1#h");
    assert_eq!(bar.address(), before);
    let entries = js("history.length").as_f64();
    bar.replace(&before.replace("?code=1", ""));
    assert_eq!(bar.address(), format!("{}/x#h", bar.origin()));
    assert_eq!(js("history.length").as_f64(), entries);
    assert_eq!(js("history.state.router").as_f64(), Some(1.0));
    at("/");
}

// cfg-returnto
#[test]
fn urls_mean_what_the_browser_reads() {
    let bar = AddressBar::new().unwrap();
    at("/a/b");
    let origin = bar.origin();
    assert_eq!(bar.resolve("../c?d#e"), Some(format!("{origin}/c?d#e")));
    assert_eq!(bar.resolve("/\\evil.example"), Some("http://evil.example/".into()));
    assert_eq!(bar.resolve("http://[broken"), None);
    at("/");
}

#[test]
fn coming_back_from_the_cache_is_told_until_nobody_listens() {
    let bar = AddressBar::new().unwrap();
    let count: Rc<Cell<u32>> = Rc::default();
    let counter = count.clone();
    bar.on_return(Rc::new(move || counter.set(counter.get() + 1)));
    js("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false }))");
    js("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
    js("dispatchEvent(new Event('pageshow'))");
    assert_eq!(count.get(), 1);
    drop(bar);
    js("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
    assert_eq!(count.get(), 1);
}

#[test]
async fn the_clock_runs_and_pauses() {
    let before = BrowserClock.now();
    assert!(before.as_secs() > 1_700_000_000);
    BrowserClock.sleep(Duration::from_millis(20)).await;
    assert!(BrowserClock.now().since(before) >= Duration::from_millis(19));
}

fn config() -> Config {
    Config::new("https://as.example", "my-app")
}

#[test]
async fn a_page_without_a_response_is_signed_out() {
    at("/callback?mine=1");
    let client = browser::open(&config()).unwrap();
    assert_eq!(client.state(), State::Unknown);
    client.finish_sign_in().await.unwrap();
    assert_eq!(client.state(), State::SignedOut);
    assert!(js("location.href").as_string().unwrap().ends_with("/callback?mine=1"));
    at("/");
}

// cb-scrub
#[test]
fn a_response_leaves_the_address_bar_before_anything_is_awaited() {
    at("/callback?code=c-1&state=s-1&mine=1#h");
    let client = browser::open(&config()).unwrap();
    let finishing = client.finish_sign_in();
    assert!(js("location.href").as_string().unwrap().ends_with("/callback?mine=1#h"));
    drop(finishing);
    at("/");
}

#[test]
async fn a_response_that_nobody_asked_for_is_refused_without_a_request() {
    at("/callback?code=c-1&state=s-1");
    let _fetch = Replaced::new("fetch", "return () => { globalThis.fetched = true; }");
    js("globalThis.fetched = false");
    let client = browser::open(&config()).unwrap();
    assert_eq!(client.finish_sign_in().await, Err(Misbehaved::StateUnknown.into()));
    assert!(!js("fetched").is_truthy());
    at("/");
}

const METADATA: &str = "return async () => new Response(JSON.stringify({
    issuer: 'https://as.example', authorization_endpoint: 'https://as.example/a', token_endpoint: 'https://as.example/t', jwks_uri: 'https://as.example/k',
}), { headers: { 'content-type': 'application/json' } })";

// env-deny
#[test]
async fn with_blocked_storage_the_browser_does_not_leave() {
    at("/");
    let client = browser::open(&config()).unwrap();
    let _fetch = Replaced::new("fetch", METADATA);
    let _blocked = Replaced::new("localStorage", "throw new DOMException('no', 'SecurityError')");
    assert_eq!(client.sign_in(SignIn::default()).await, Err(Interrupted::StorageBlocked.into()));
    assert_eq!(client.state(), State::Failed(Interrupted::StorageBlocked.into()));
}

// cfg-insecure
#[test]
async fn without_webcrypto_the_browser_does_not_leave() {
    at("/");
    let client = browser::open(&config()).unwrap();
    let _missing = Replaced::new("crypto", "return undefined");
    let refused: Error = Misconfigured::InsecureContext.into();
    assert_eq!(client.sign_in(SignIn::default()).await, Err(refused));
}
