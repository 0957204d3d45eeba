//! [`BroadcastChannel`](https://developer.mozilla.org/docs/Web/API/BroadcastChannel): the other tabs.

use std::rc::Rc;

use wasm_bindgen::JsValue;

use super::{Arg::Text, call, listener::Listener, new, text};
use crate::keep::ports::{Channel, Line};

/// Channels to the other tabs of this browser.
#[derive(Clone, Copy, Debug)]
pub struct Broadcast;

impl Channel for Broadcast {
    fn open(&self, name: &str, heard: Rc<dyn Fn(String)>) -> Option<Box<dyn Line>> {
        let channel = new("BroadcastChannel", &[Text(name)]).ok()?;
        let listener = Listener::new(&channel, "message", move |event| {
            if let Some(text) = text(&event, "data") {
                heard(text);
            }
        });
        Some(Box::new(Open { channel, _listener: listener }))
    }
}

struct Open {
    channel: JsValue,
    _listener: Listener,
}

impl Line for Open {
    fn post(&self, text: &str) {
        let _ = call(&self.channel, "postMessage", &[Text(text)]);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = call(&self.channel, "close", &[]);
    }
}
