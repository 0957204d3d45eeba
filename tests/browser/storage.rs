//! localStorage as it is, full, and blocked.

use tokenkeep::{
    browser::LocalStorage,
    keep::ports::{Store, StoreFailure},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, js};

#[test]
fn what_is_written_is_read_until_it_is_removed() {
    let store = LocalStorage;
    store.write("tokenkeep.test", "value").unwrap();
    assert_eq!(store.read("tokenkeep.test"), Ok(Some("value".into())));
    assert!(store.keys().contains(&"tokenkeep.test".to_owned()));
    store.remove("tokenkeep.test");
    assert_eq!(store.read("tokenkeep.test"), Ok(None));
    assert!(!store.keys().contains(&"tokenkeep.test".to_owned()));
}

// env-deny
#[test]
fn blocked_storage_is_a_value() {
    let _blocked = Replaced::new("localStorage", "throw new DOMException('no', 'SecurityError')");
    let store = LocalStorage;
    assert_eq!(store.read("x"), Err(StoreFailure::Blocked));
    assert_eq!(store.write("x", "y"), Err(StoreFailure::Blocked));
    store.remove("x");
    assert!(store.keys().is_empty());
}

// env-deny
#[test]
fn missing_storage_is_a_value() {
    let _missing = Replaced::new("localStorage", "return null");
    assert_eq!(LocalStorage.write("x", "y"), Err(StoreFailure::Blocked));
}

// env-quota
#[test]
fn full_storage_is_a_value_and_nothing_is_half_written() {
    let store = LocalStorage;
    // The browser's own quota, and not a pretended one.
    let filled = js(
        "(() => { let n = 0; let chunk = 'x'.repeat(1 << 20); try { for (;; n++) localStorage.setItem('fill' + n, chunk); } catch (e) {} try { for (;;) localStorage.setItem('fill-' + n++, 'x'.repeat(1024)); } catch (e) {} return n; })()",
    );
    assert!(filled.as_f64().unwrap() > 1.0);
    let outcome = store.write("tokenkeep.test", &"y".repeat(4096));
    let read = store.read("tokenkeep.test");
    js("for (const key of Object.keys(localStorage)) if (key.startsWith('fill')) localStorage.removeItem(key);");
    assert_eq!(outcome, Err(StoreFailure::Full));
    assert_eq!(read, Ok(None));
}
