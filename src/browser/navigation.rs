//! [`location`](https://developer.mozilla.org/docs/Web/API/Window/location) and
//! [`history`](https://developer.mozilla.org/docs/Web/API/History): the address bar, and what happens to the page around it.

use std::{cell::RefCell, fmt, rc::Rc};

use wasm_bindgen::JsValue;
use web_sys::{Url, Window};

use super::{body, call, document, element, get, global, listener::Listener};
use crate::page::ports::{FramedBy, Navigation, Wake};

/// The address bar of this page.
pub struct AddressBar {
    window: Window,
    wakes: RefCell<Vec<Listener>>,
}

impl AddressBar {
    /// `None` where there is no page: in a worker, or on a server.
    pub fn new() -> Option<AddressBar> {
        Some(AddressBar { window: web_sys::window()?, wakes: RefCell::default() })
    }
}

impl Navigation for AddressBar {
    fn origin(&self) -> String {
        self.window.location().origin().unwrap_or_default()
    }

    fn address(&self) -> String {
        self.window.location().href().unwrap_or_default()
    }

    fn replace(&self, address: &str) {
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
            let _ = call(&parent, "postMessage", &[&text.into(), &origin.into()]);
        }
    }

    fn on_wake(&self, callback: Rc<dyn Fn(Wake)>) {
        let listener = |target: &JsValue, event, wake: fn(&JsValue) -> Option<Wake>| {
            let callback = callback.clone();
            Listener::new(target, event, move |event| {
                if let Some(wake) = wake(&event) {
                    callback(wake);
                }
            })
        };
        *self.wakes.borrow_mut() = vec![
            listener(&self.window, "online", |_| Some(Wake::Online)),
            listener(&self.window, "pageshow", |event| get(event, "persisted").ok()?.is_truthy().then_some(Wake::Returned)),
            listener(&document().unwrap_or_default(), "visibilitychange", |_| {
                (get(&document().ok()?, "visibilityState").ok()? == "visible").then_some(Wake::Visible)
            }),
        ];
    }
}

fn submit(url: &str, form: &[(&str, &str)]) -> Result<(), JsValue> {
    let mut fields = Vec::new();
    for (name, value) in form {
        fields.push(element("input", &[("type", "hidden"), ("name", name), ("value", value)])?);
    }
    let attributes = [("method", "post"), ("action", url), ("target", "_self"), ("accept-charset", "utf-8"), ("hidden", "")];
    let form = element("form", &attributes)?;
    call(&form, "append", &fields.iter().collect::<Vec<_>>())?;
    let body = body()?;
    call(&body, "appendChild", &[&form])?;
    // From here on the names of the fields may hide the methods of the form.
    let submit = get(&get(&get(&global(), "HTMLFormElement")?, "prototype")?, "submit")?;
    let submitted = call(&submit, "call", &[&form]);
    call(&body, "removeChild", &[&form])?;
    submitted.map(|_| ())
}

impl fmt::Debug for AddressBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressBar")
    }
}
