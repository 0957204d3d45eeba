//! A client opened in a real page.

use tokenkeep::{
    Config, Error, SignIn, State, browser,
    protocol::{Interrupted, Misbehaved, Misconfigured},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, at, js};

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
