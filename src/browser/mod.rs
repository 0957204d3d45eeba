//! The browser's own APIs behind the ports of [`keep`](crate::keep) and [`page`](crate::page): one API per file, and no policy.
//!
//! Every failure is a value: a page can be served without https, storage can be blocked, and other scripts can replace what they
//! like, so that a call throws what it never should.

mod clock;
mod crypto;
mod fetch;
mod navigation;
mod storage;

use std::rc::Rc;

use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

pub use clock::BrowserClock;
pub use crypto::WebCrypto;
pub use fetch::Fetch;
pub use navigation::AddressBar;
pub use storage::LocalStorage;

use crate::{
    keep::{Config, ports::Ports},
    page::Client,
    protocol::{Error, Misconfigured},
};

/// Opens a client in this page.
///
/// ```no_run
/// use tokenkeep::{Config, browser};
///
/// let config = Config::new("https://login.example.com", "my-app").api("https://api.example.com/");
/// let client = browser::open(&config)?;
/// # Ok::<(), tokenkeep::Error>(())
/// ```
///
/// # Errors
/// When the configuration cannot work, or there is no page here.
pub fn open(config: &Config) -> Result<Client, Error> {
    let address_bar = AddressBar::new().ok_or(Misconfigured::NoWindow)?;
    Client::open(config, ports(), Rc::new(address_bar))
}

/// The ports of a keep in this page.
pub fn ports() -> Ports {
    Ports { clock: Rc::new(BrowserClock), crypto: Rc::new(WebCrypto), http: Rc::new(Fetch), store: Rc::new(LocalStorage) }
}

/// Awaits what should be a promise, and may have been replaced by something else.
async fn settled(promise: JsValue) -> Result<JsValue, JsValue> {
    JsFuture::from(Promise::resolve(&promise)).await
}

/// An object with these members.
fn object(members: &[(&str, JsValue)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &(*name).into(), value)?;
    }
    Ok(object)
}

/// The name of what was thrown, if it has one: `QuotaExceededError`, `TimeoutError`, …
fn name_of(thrown: &JsValue) -> String {
    Reflect::get(thrown, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default()
}
