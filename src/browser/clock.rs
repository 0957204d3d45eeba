//! [`Date.now()`](https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Date/now),
//! [`performance.now()`](https://developer.mozilla.org/docs/Web/API/Performance/now) and
//! [`setTimeout()`](https://developer.mozilla.org/docs/Web/API/Window/setTimeout).

use std::time::Duration;

use js_sys::{Date, Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::{
    Arg::{Value, Whole},
    call, get, global,
};
use crate::{
    keep::ports::{Answer, Clock},
    protocol::UnixTime,
};

/// The device's clock.
#[derive(Clone, Copy, Debug)]
pub struct BrowserClock;

impl Clock for BrowserClock {
    fn now(&self) -> UnixTime {
        // A cast, which saturates: a clock before 1970 shows 1970.
        UnixTime::from_millis(Date::now() as u64)
    }

    fn steady(&self) -> Duration {
        let millis = get(&global(), "performance").and_then(|performance| call(&performance, "now", &[]));
        // Without such a clock it stands still.
        Duration::from_millis(millis.ok().and_then(|millis| millis.as_f64()).unwrap_or(0.0) as u64)
    }

    fn sleep(&self, span: Duration) -> Answer<'_, ()> {
        let elapsed = Promise::new(&mut |resolve, _| {
            // Without a timer the pause is none.
            if set_timeout(&resolve, span).is_err() {
                let _ = resolve.call0(&resolve);
            }
        });
        Box::pin(async move {
            let _ = JsFuture::from(elapsed).await;
        })
    }
}

/// Calls back when so much time has passed.
pub(super) fn set_timeout(callback: &Function, span: Duration) -> Result<JsValue, JsValue> {
    let millis = i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
    call(&global(), "setTimeout", &[Value(callback), Whole(millis)])
}
