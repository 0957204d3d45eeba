//! The browser's own APIs behind the ports of [`keep`](crate::keep) and [`page`](crate::page): one API per file, and no policy.
//!
//! Every failure is a value: a page can be served without https, storage can be blocked, and other scripts can replace what they
//! like, so that a call throws what it never should.

mod abort;
#[cfg(feature = "limits")]
mod activity;
mod channel;
mod clock;
mod crypto;
mod fetch;
#[cfg(feature = "form-post")]
mod form_post;
mod frame;
mod journal;
mod listener;
mod locks;
mod navigation;
#[cfg(feature = "check-session")]
mod op_iframe;
#[cfg(feature = "popup")]
mod popup;
mod queue;
mod remote;
#[cfg(feature = "confidential")]
mod server;
mod storage;
mod tasks;
#[cfg(feature = "worker")]
mod there;
#[cfg(any(feature = "check-session", feature = "popup", feature = "worker"))]
mod wire;
#[cfg(feature = "worker")]
mod worker;

use std::rc::Rc;

use Arg::{Is, List, Text, Value, Whole};
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

pub use channel::Broadcast;
pub use clock::BrowserClock;
pub use crypto::WebCrypto;
pub use fetch::{Fetch, Forward};
#[cfg(feature = "form-post")]
pub use form_post::{NotReceived, Posted, receives_form_post, take_posted};
pub use frame::Iframes;
pub use journal::IndexedDb;
pub use locks::WebLocks;
pub use navigation::AddressBar;
#[cfg(feature = "check-session")]
pub(crate) use op_iframe::monitor;
pub use remote::{Memory, RemoteFrames, RemotePage};
#[cfg(feature = "confidential")]
pub use server::{ServerCrypto, ServerFetch};
pub use storage::LocalStorage;
pub use tasks::EventLoop;
#[cfg(feature = "worker")]
pub(crate) use worker::serve;

use remote::Alone;

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
    open_at(config, None)
}

/// The same where a script took a response out of the address, which was this one.
pub(crate) fn open_at(config: &Config, before: Option<String>) -> Result<Client, Error> {
    let address_bar = AddressBar::new().ok_or(Misconfigured::NoWindow)?.before(before);
    Client::open(config, ports(), Rc::new(address_bar))
}

/// The ports of a keep in this page.
pub fn ports() -> Ports {
    Ports {
        channel: Rc::new(Broadcast),
        clock: Rc::new(BrowserClock),
        crypto: Rc::new(WebCrypto),
        frames: Rc::new(Iframes),
        http: Rc::new(Fetch),
        journal: Rc::new(IndexedDb),
        locks: Rc::new(WebLocks),
        store: Rc::new(LocalStorage),
        survives_navigation: false,
        tasks: Rc::new(EventLoop),
    }
}

/// The ports of a keep in a worker that serves pages elsewhere, and may be there still when a page has left for the provider and come back.
pub fn worker_ports(store: Rc<Memory>, frames: Rc<RemoteFrames>, survives_navigation: bool) -> Ports {
    Ports { channel: Rc::new(Alone), frames, journal: Rc::new(Alone), locks: Rc::new(Alone), store, survives_navigation, ..ports() }
}

/// A value for JavaScript: it becomes one where it is passed on, and not at every call, which is smaller.
#[derive(Clone, Copy)]
enum Arg<'a> {
    Is(bool),
    List(&'a [&'a str]),
    Text(&'a str),
    Value(&'a JsValue),
    Whole(i32),
}

impl From<Arg<'_>> for JsValue {
    fn from(arg: Arg<'_>) -> JsValue {
        match arg {
            Is(is) => is.into(),
            List(texts) => array(texts.iter().copied().map(Text)).into(),
            Text(text) => text.into(),
            Value(value) => value.clone(),
            Whole(number) => number.into(),
        }
    }
}

fn array<'a>(args: impl Iterator<Item = Arg<'a>>) -> Array {
    let array = Array::new();
    for arg in args {
        array.push(&arg.into());
    }
    array
}

/// Awaits what should be a promise, and may have been replaced by something else.
fn settled(promise: &JsValue) -> JsFuture {
    Promise::resolve(promise).into()
}

/// An object with these members.
fn object(members: &[(&str, Arg<'_>)]) -> Result<JsValue, JsValue> {
    let object = Object::new().into();
    for (name, value) in members {
        Reflect::set(&object, &(*name).into(), &(*value).into())?;
    }
    Ok(object)
}

/// The page's global object.
fn global() -> JsValue {
    js_sys::global().into()
}

/// A member of what should be an object.
fn get(target: &JsValue, member: &str) -> Result<JsValue, JsValue> {
    Reflect::get(target, &member.into())
}

/// A member that is a text, of what should be an object.
fn text(target: &JsValue, member: &str) -> Option<String> {
    get(target, member).ok()?.as_string()
}

/// Calls what should be a method.
fn call(target: &JsValue, method: &str, arguments: &[Arg<'_>]) -> Result<JsValue, JsValue> {
    get(target, method)?.dyn_into::<Function>()?.apply(target, &array(arguments.iter().copied()))
}

/// Makes one of what should be a class.
fn new(class: &str, arguments: &[Arg<'_>]) -> Result<JsValue, JsValue> {
    let class: Function = get(&global(), class)?.dyn_into()?;
    Reflect::construct(&class, &array(arguments.iter().copied()))
}

/// Whether this is a browser's page. An old Deno has a window, but never a document.
#[cfg(feature = "confidential")]
pub(crate) fn is_window() -> bool {
    ["window", "document"].iter().all(|name| get(&global(), name).is_ok_and(|value| value.is_object()))
}

/// The page, where there is one.
fn document() -> Result<JsValue, JsValue> {
    get(&global(), "document")
}

/// What new elements are put into.
fn body() -> Result<JsValue, JsValue> {
    let document = document()?;
    let body = get(&document, "body")?;
    if body.is_object() { Ok(body) } else { get(&document, "documentElement") }
}

/// An element with these attributes, outside of the page.
fn element(name: &str, attributes: &[(&str, &str)]) -> Result<JsValue, JsValue> {
    let element = call(&document()?, "createElement", &[Text(name)])?;
    for (attribute, value) in attributes {
        call(&element, "setAttribute", &[Text(attribute), Text(value)])?;
    }
    Ok(element)
}

/// The name of what was thrown, if it has one: `QuotaExceededError`, `TimeoutError`, …
fn name_of(thrown: &JsValue) -> String {
    text(thrown, "name").unwrap_or_default()
}
