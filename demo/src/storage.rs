//! [`sessionStorage`](https://developer.mozilla.org/docs/Web/API/Window/sessionStorage): what outlives a way to the provider, in this
//! tab. Never a secret.

use leptos::prelude::window;
use web_sys::Storage;

/// Storage can be blocked.
pub fn storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

pub fn read(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Whether it will be there. Storage can be full, too.
pub fn write(key: &str, value: &str) -> bool {
    storage().is_some_and(|storage| storage.set_item(key, value).is_ok())
}

pub fn remove(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}
