//! [`Date.now()`](https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Date/now) and
//! [`setTimeout()`](https://developer.mozilla.org/docs/Web/API/Window/setTimeout).

use std::time::Duration;

use js_sys::{Date, Promise};
use wasm_bindgen_futures::JsFuture;

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

    fn sleep(&self, span: Duration) -> Answer<'_, ()> {
        let millis = i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
        let elapsed = Promise::new(&mut |resolve, _| {
            // Without a timer the pause is none.
            let set = web_sys::window().map(|window| window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, millis));
            if !matches!(set, Some(Ok(_))) {
                let _ = resolve.call0(&resolve);
            }
        });
        Box::pin(async move {
            let _ = JsFuture::from(elapsed).await;
        })
    }
}
