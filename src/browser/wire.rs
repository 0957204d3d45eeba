//! What crosses to scripts and workers, as JSON text; answers, by a
//! [`Promise`](https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Promise).

use std::pin::Pin;

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use crate::protocol::{Error, wire::Wire};

#[cfg(any(feature = "popup", feature = "worker"))]
pub(super) fn read<T: Wire>(told: &JsValue) -> Option<T> {
    T::read(&crate::protocol::Json::parse(&told.as_string()?).ok()?)
}

pub(super) fn written(value: &impl Wire) -> JsValue {
    value.write().to_string().into()
}

/// The same, or `undefined`.
#[cfg(any(feature = "check-session", feature = "popup"))]
pub(super) fn written_if_any(value: Option<impl Wire>) -> JsValue {
    value.map_or(JsValue::UNDEFINED, |value| written(&value))
}

/// One type for all promises.
pub(super) fn promise(work: impl Future<Output = Result<JsValue, Error>> + 'static) -> JsValue {
    let work: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> =
        Box::pin(async move { work.await.map_err(|error| written(&error)) });
    future_to_promise(work).into()
}
