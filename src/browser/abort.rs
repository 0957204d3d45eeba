//! [`AbortController`](https://developer.mozilla.org/docs/Web/API/AbortController): ends what takes too long, and what nobody awaits
//! any more.

use std::time::Duration;

use js_sys::Function;
use wasm_bindgen::{JsCast, JsValue};

use super::{Arg::Value, call, clock::set_timeout, get, global, new};

/// Aborts after a time, and when it is dropped.
pub(super) struct Abort {
    abort: Function,
    signal: JsValue,
    timer: JsValue,
}

impl Abort {
    pub(super) fn after(span: Duration) -> Result<Abort, JsValue> {
        let controller = new("AbortController", &[])?;
        let abort: Function = get(&controller, "abort")?.dyn_into()?;
        let abort = abort.bind0(&controller);
        Ok(Abort { signal: get(&controller, "signal")?, timer: set_timeout(&abort, span)?, abort })
    }

    pub(super) fn signal(&self) -> &JsValue {
        &self.signal
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        get(&self.signal, "aborted").is_ok_and(|aborted| aborted.is_truthy())
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        let _ = call(&global(), "clearTimeout", &[Value(&self.timer)]);
        // What has ended does not notice.
        let _ = self.abort.call0(&JsValue::UNDEFINED);
    }
}

/// Waits until one of these is aborted. What is no signal is never.
#[cfg(feature = "step-up")]
pub(super) async fn aborted(signals: &[&JsValue]) {
    let aborts = std::rc::Rc::new(super::queue::Queue::default());
    let signals: Vec<_> = signals.iter().filter(|signal| signal.is_object()).collect();
    let is_aborted = |signal: &&&JsValue| super::get(signal, "aborted").is_ok_and(|aborted| aborted.is_truthy());
    if !signals.iter().any(is_aborted) {
        let _listening: Vec<_> = signals.iter().map(|signal| super::listener::Listener::queueing(signal, "abort", &aborts)).collect();
        aborts.next().await;
    }
}
