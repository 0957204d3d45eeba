//! [`localStorage`](https://developer.mozilla.org/docs/Web/API/Window/localStorage), which may be blocked or full.

use web_sys::Storage;

use super::name_of;
use crate::keep::ports::{Store, StoreFailure};

/// What all tabs of this browser at this origin see.
#[derive(Clone, Copy, Debug)]
pub struct LocalStorage;

fn storage() -> Result<Storage, StoreFailure> {
    web_sys::window().and_then(|window| window.local_storage().ok().flatten()).ok_or(StoreFailure::Blocked)
}

impl Store for LocalStorage {
    fn read(&self, key: &str) -> Result<Option<String>, StoreFailure> {
        storage()?.get_item(key).map_err(|_| StoreFailure::Blocked)
    }

    fn write(&self, key: &str, text: &str) -> Result<(), StoreFailure> {
        storage()?.set_item(key, text).map_err(|thrown| match name_of(&thrown).as_str() {
            "QuotaExceededError" => StoreFailure::Full,
            _ => StoreFailure::Blocked,
        })
    }

    fn remove(&self, key: &str) {
        if let Ok(storage) = storage() {
            let _ = storage.remove_item(key);
        }
    }

    fn keys(&self) -> Vec<String> {
        let Ok(storage) = storage() else { return Vec::new() };
        let mut keys = Vec::new();
        for index in 0..storage.length().unwrap_or(0) {
            keys.extend(storage.key(index).ok().flatten());
        }
        keys
    }
}
