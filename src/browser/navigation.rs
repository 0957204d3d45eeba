//! [`location`](https://developer.mozilla.org/docs/Web/API/Window/location) and
//! [`history`](https://developer.mozilla.org/docs/Web/API/History): the address bar.

use std::{cell::RefCell, fmt, rc::Rc};

use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, PageTransitionEvent, Url, Window};

use crate::page::ports::Navigation;

type Listener = Closure<dyn FnMut(Event)>;

/// The address bar of this page.
pub struct AddressBar {
    window: Window,
    returned: RefCell<Option<Listener>>,
}

impl AddressBar {
    /// `None` where there is no page: in a worker, or on a server.
    pub fn new() -> Option<AddressBar> {
        Some(AddressBar { window: web_sys::window()?, returned: RefCell::default() })
    }

    fn stop_listening(&self) {
        if let Some(listener) = self.returned.borrow_mut().take() {
            let _ = self.window.remove_event_listener_with_callback("pageshow", listener.as_ref().unchecked_ref());
        }
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

    fn is_framed_by_another_origin(&self) -> bool {
        let mut window = self.window.clone();
        // A window of another origin does not show its address. Nobody nests frames deeper than this in good faith.
        for _ in 0..32 {
            let Ok(Some(parent)) = window.parent() else { return true };
            if parent == window {
                return false;
            }
            if parent.location().href().is_err() {
                return true;
            }
            window = parent;
        }
        true
    }

    fn on_return(&self, callback: Rc<dyn Fn()>) {
        self.stop_listening();
        let listener = Listener::new(move |event: Event| {
            if event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted) {
                callback();
            }
        });
        let _ = self.window.add_event_listener_with_callback("pageshow", listener.as_ref().unchecked_ref());
        *self.returned.borrow_mut() = Some(listener);
    }
}

impl Drop for AddressBar {
    fn drop(&mut self) {
        self.stop_listening();
    }
}

impl fmt::Debug for AddressBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressBar")
    }
}
