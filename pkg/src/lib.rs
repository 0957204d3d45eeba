//! tokenkeep for JavaScript: thin, and without any decision of its own. Each entry of the package is a feature, with wasm of its own.
//!
//! Everything but a request and its answer crosses as JSON text, which costs less wasm than objects.
#![cfg(target_family = "wasm")]

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "confidential")]
pub mod confidential;
#[cfg(feature = "device")]
pub mod device;
#[cfg_attr(not(feature = "client"), allow(dead_code))]
mod json;

use std::pin::Pin;

use js_sys::Promise;
use tokenkeep::Error;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

pub(crate) fn promise<T: 'static>(
    work: impl Future<Output = Result<T, Error>> + 'static,
    answer: impl FnOnce(T) -> JsValue + 'static,
) -> Promise {
    boxed(async move { work.await.map(answer).map_err(thrown) })
}

/// One type for all promises: what keeps them is there once then.
pub(crate) fn boxed(work: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let work: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> = Box::pin(work);
    future_to_promise(work)
}

pub(crate) fn thrown(error: impl Into<Error>) -> JsValue {
    json::error(&error.into()).to_string().into()
}
