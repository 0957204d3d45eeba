//! [`location`](https://developer.mozilla.org/docs/Web/API/Window/location) and
//! [`history`](https://developer.mozilla.org/docs/Web/API/History): the address bar, and what happens to the page around it.

use std::{cell::RefCell, fmt, rc::Rc};

use wasm_bindgen::JsValue;
use web_sys::{Url, Window};

use super::{
    Arg::{Text, Value},
    body, call, document, element, get, global,
    listener::Listener,
    text,
};
use crate::page::ports::{FramedBy, Navigation, Wake};

/// The address bar of this page.
pub struct AddressBar {
    window: Window,
    wakes: RefCell<Vec<Listener>>,
    #[cfg(feature = "limits")]
    activity: RefCell<Vec<Listener>>,
    before: RefCell<Option<String>>,
}

impl AddressBar {
    /// `None` where there is no page: in a worker, or on a server.
    pub fn new() -> Option<AddressBar> {
        Some(AddressBar {
            window: web_sys::window()?,
            wakes: RefCell::default(),
            #[cfg(feature = "limits")]
            activity: RefCell::default(),
            before: RefCell::default(),
        })
    }

    /// The address is what is shown. True if it was still another one.
    pub fn forget_before(&self) -> bool {
        self.before.take().is_some()
    }

    /// The same, but the address was this one until a script took the response out of it, before anything else was loaded. It counts
    /// until it is replaced.
    pub fn before(self, address: Option<String>) -> AddressBar {
        *self.before.borrow_mut() = address;
        self
    }
}

impl Navigation for AddressBar {
    fn origin(&self) -> String {
        self.window.location().origin().unwrap_or_default()
    }

    fn address(&self) -> String {
        let before = self.before.borrow().clone();
        before.unwrap_or_else(|| self.window.location().href().unwrap_or_default())
    }

    fn replace(&self, address: &str) {
        self.before.take();
        if let Ok(history) = self.window.history() {
            // The state stays: it is a router's.
            let state = history.state().unwrap_or_default();
            let _ = history.replace_state_with_url(&state, "", Some(address));
        }
    }

    fn go(&self, url: &str) {
        let _ = self.window.location().assign(url);
    }

    fn resolve(&self, url: &str) -> Option<String> {
        Url::new_with_base(url, &self.address()).ok().map(|url| url.href())
    }

    fn submit(&self, url: &str, form: &[(&str, &str)]) {
        let _ = submit(url, form);
    }

    fn framed_by(&self) -> FramedBy {
        let (mut window, mut framed_by) = (self.window.clone(), FramedBy::Nobody);
        // A window of another origin does not show its address. Nobody nests frames deeper than this in good faith.
        for _ in 0..32 {
            let Ok(Some(parent)) = window.parent() else { break };
            if parent == window {
                return framed_by;
            }
            if parent.location().href().is_err() {
                break;
            }
            (window, framed_by) = (parent, FramedBy::ThisOrigin);
        }
        FramedBy::AnotherOrigin
    }

    fn tell_parent(&self, text: &str) {
        let origin = self.origin();
        if let Ok(Some(parent)) = self.window.parent()
            && parent != self.window
            && parent.location().origin().is_ok_and(|parent| parent == origin)
        {
            let _ = call(&parent, "postMessage", &[Text(text), Text(&origin)]);
        }
    }

    fn on_wake(&self, callback: Rc<dyn Fn(Wake)>) {
        let Ok(document) = document() else { return };
        let listener = |target: &JsValue, event| {
            let callback = callback.clone();
            Listener::new(target, event, move |event| {
                if let Some(wake) = wake(&event) {
                    callback(wake);
                }
            })
        };
        *self.wakes.borrow_mut() =
            [listener(&self.window, "online"), listener(&self.window, "pageshow"), listener(&document, "visibilitychange")].into();
    }

    #[cfg(feature = "limits")]
    fn on_activity(&self, rhythm: std::time::Duration, callback: Rc<dyn Fn(crate::protocol::UnixTime)>) {
        *self.activity.borrow_mut() = super::activity::listen(&self.window, rhythm, callback);
    }
}

fn wake(event: &JsValue) -> Option<Wake> {
    match text(event, "type")?.as_str() {
        "online" => Some(Wake::Online),
        "pageshow" => get(event, "persisted").ok()?.is_truthy().then_some(Wake::Returned),
        _ => (text(&document().ok()?, "visibilityState")? == "visible").then_some(Wake::Visible),
    }
}

fn submit(url: &str, form: &[(&str, &str)]) -> Result<(), JsValue> {
    let mut fields = Vec::new();
    for (name, value) in form {
        fields.push(element("input", &[("type", "hidden"), ("name", name), ("value", value)])?);
    }
    let attributes = [("method", "post"), ("action", url), ("target", "_self"), ("accept-charset", "utf-8"), ("hidden", "")];
    let form = element("form", &attributes)?;
    // Fields hide the form's own methods if they are called like them.
    let submit = get(&get(&get(&global(), "HTMLFormElement")?, "prototype")?, "submit")?;
    call(&form, "append", &fields.iter().map(Value).collect::<Vec<_>>())?;
    let body = body()?;
    call(&body, "append", &[Value(&form)])?;
    let submitted = call(&submit, "call", &[Value(&form)]);
    call(&body, "removeChild", &[Value(&form)])?;
    submitted.map(|_| ())
}

impl fmt::Debug for AddressBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressBar")
    }
}
