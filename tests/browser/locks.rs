//! navigator.locks.

use std::time::Duration;

use futures::{FutureExt, future::join};
use tokenkeep::{
    browser::WebLocks,
    keep::ports::{Acquire, Lock, LockFailure, Locks},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, js, js_async, until};

const SHORT: Acquire = Acquire::Within(Duration::from_millis(30));
const LONG: Acquire = Acquire::Within(Duration::from_secs(60));

async fn acquire(name: &str, how: Acquire) -> Result<Box<dyn Lock>, LockFailure> {
    WebLocks.acquire(name, how).await
}

/// How many hold a lock, and how many wait for it.
async fn counts(name: &str) -> String {
    let count = format!(
        "const {{ held, pending }} = await navigator.locks.query();
        return [held, pending].map((locks) => locks.filter((lock) => lock.name === '{name}').length).join();"
    );
    js_async(&count).await.as_string().unwrap()
}

async fn until_counts(name: &str, expected: &str) {
    while counts(name).await != expected {}
}

#[test]
async fn one_at_a_time() {
    let first = acquire("test-1", SHORT).await.unwrap();
    assert_eq!(acquire("test-1", SHORT).await.err(), Some(LockFailure::Held));
    let _other = acquire("test-1-other", SHORT).await.unwrap();
    drop(first);
    let second = acquire("test-1", LONG).await.unwrap();
    assert_eq!(counts("test-1").await, "1,0");
    drop(second);
    until_counts("test-1", "0,0").await;
}

#[test]
async fn who_waits_gets_it_when_it_is_dropped() {
    let first = acquire("test-2", LONG).await.unwrap();
    let release = async {
        until_counts("test-2", "1,1").await;
        drop(first);
    };
    let (second, ()) = join(acquire("test-2", LONG), release).await;
    assert!(second.is_ok());
}

#[test]
async fn a_stolen_lock_is_held_by_the_thief_and_dropped_quietly() {
    js("globalThis.unhandled = 0; addEventListener('unhandledrejection', globalThis.count = () => unhandled++)");
    let victim = acquire("test-3", LONG).await.unwrap();
    let thief = acquire("test-3", Acquire::Steal).await.unwrap();
    assert_eq!(acquire("test-3", SHORT).await.err(), Some(LockFailure::Held));
    drop(victim);
    assert_eq!(acquire("test-3", SHORT).await.err(), Some(LockFailure::Held));
    drop(thief);
    assert!(acquire("test-3", LONG).await.is_ok());
    until_counts("test-3", "0,0").await;
    // What is unhandled is told in a task of its own, at the latest after this.
    js_async("await new Promise((done) => setTimeout(done))").await;
    js("removeEventListener('unhandledrejection', count)");
    assert_eq!(js("unhandled").as_f64(), Some(0.0));
}

#[test]
async fn nobody_has_to_hold_what_is_stolen() {
    let thief = acquire("test-4", Acquire::Steal).await.unwrap();
    assert_eq!(counts("test-4").await, "1,0");
    drop(thief);
    until_counts("test-4", "0,0").await;
}

#[test]
async fn who_waits_no_more_does_not_get_it() {
    let first = acquire("test-5", LONG).await.unwrap();
    let mut second = Box::pin(acquire("test-5", LONG));
    assert!(second.as_mut().now_or_never().is_none());
    until_counts("test-5", "1,1").await;
    drop(second);
    until_counts("test-5", "1,0").await;
    drop(first);
    until_counts("test-5", "0,0").await;
}

#[test]
async fn a_lock_that_is_granted_to_nobody_is_given_back() {
    let mut waiting = Box::pin(acquire("test-6", LONG));
    assert!(waiting.as_mut().now_or_never().is_none());
    // Granted, but nobody has looked.
    until_counts("test-6", "1,0").await;
    drop(waiting);
    until_counts("test-6", "0,0").await;
    // And one that is dropped before it could be granted, with nothing to abort it.
    let mut stealing = Box::pin(acquire("test-6", Acquire::Steal));
    assert!(stealing.as_mut().now_or_never().is_none());
    drop(stealing);
    assert!(acquire("test-6", LONG).await.is_ok());
}

#[test]
async fn without_locks_there_is_none() {
    for missing in [
        "return undefined",
        "return {}",
        "return { locks: {} }",
        "return { locks: { request() { throw 'a string' } } }",
        "return { locks: { request: () => Promise.reject('a string') } }",
        "return { locks: { request: () => Promise.resolve() } }",
        "return { locks: { request() {} } }",
    ] {
        let _missing = Replaced::new("navigator", missing);
        assert_eq!(acquire("test-7", LONG).await.err(), Some(LockFailure::Unsupported), "{missing}");
        assert_eq!(acquire("test-7", Acquire::Steal).await.err(), Some(LockFailure::Unsupported), "{missing}");
    }
}

#[test]
async fn a_request_that_is_never_answered_ends_with_our_patience() {
    js("globalThis.aborted = false");
    let _mute = Replaced::new(
        "navigator",
        "return { locks: { request: (name, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => { aborted = true; reject(signal.reason); })) } }",
    );
    assert_eq!(acquire("test-8", SHORT).await.err(), Some(LockFailure::Held));
    until(|| js("aborted").is_truthy()).await;
}
