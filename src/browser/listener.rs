//! [`addEventListener()`](https://developer.mozilla.org/docs/Web/API/EventTarget/addEventListener).

use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use super::{
    Arg::{Text, Value},
    call,
    queue::Queue,
};

/// One type for all that JavaScript calls: each more is a piece of glue.
type Callback = Closure<dyn Fn(JsValue) -> JsValue>;

/// Listens to an event until it is dropped.
pub(super) struct Listener {
    target: JsValue,
    event: &'static str,
    callback: Callback,
    options: JsValue,
}

impl Listener {
    pub(super) fn new(target: &JsValue, event: &'static str, heard: impl Fn(JsValue) + 'static) -> Listener {
        Listener::with(target, event, heard, JsValue::UNDEFINED)
    }

    /// One that prevents nothing, and hears what others stop: it must not slow a page down.
    #[cfg(feature = "limits")]
    pub(super) fn passive(target: &JsValue, event: &'static str, heard: impl Fn(JsValue) + 'static) -> Listener {
        let options = super::object(&[("capture", super::Arg::Is(true)), ("passive", super::Arg::Is(true))]).unwrap_or_default();
        Listener::with(target, event, heard, options)
    }

    fn with(target: &JsValue, event: &'static str, heard: impl Fn(JsValue) + 'static, options: JsValue) -> Listener {
        let callback = Callback::new(move |event| {
            heard(event);
            JsValue::UNDEFINED
        });
        let listener = Listener { target: target.clone(), event, callback, options };
        listener.ask("addEventListener");
        listener
    }

    /// Puts every event into a queue.
    pub(super) fn queueing(target: &JsValue, event: &'static str, queue: &Rc<Queue>) -> Listener {
        let queue = queue.clone();
        Listener::new(target, event, move |event| queue.push(event))
    }

    fn ask(&self, method: &str) {
        let _ = call(&self.target, method, &[Text(self.event), Value(self.callback.as_ref()), Value(&self.options)]);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ask("removeEventListener");
    }
}

/// A function that may be called as long as anybody has it: the garbage collector frees it.
pub(super) fn function(called: impl Fn(JsValue) -> JsValue + 'static) -> Function {
    Callback::new(called).into_js_value().unchecked_into()
}
