//! [`BroadcastChannel`](https://developer.mozilla.org/docs/Web/API/BroadcastChannel): the other tabs.

use std::rc::Rc;

use wasm_bindgen::JsValue;

use super::{call, get, listener::Listener, new};
use crate::keep::ports::{Channel, Line};

/// Channels to the other tabs of this browser.
#[derive(Clone, Copy, Debug)]
pub struct Broadcast;

impl Channel for Broadcast {
    fn open(&self, name: &str, heard: Rc<dyn Fn(String)>) -> Option<Box<dyn Line>> {
        let channel = new("BroadcastChannel", &[&name.into()]).ok()?;
        let listener = Listener::new(&channel, "message", move |event| {
            if let Some(text) = get(&event, "data").ok().and_then(|data| data.as_string()) {
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
        let _ = call(&self.channel, "postMessage", &[&text.into()]);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = call(&self.channel, "close", &[]);
    }
}
