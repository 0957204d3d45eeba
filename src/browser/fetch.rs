//! [`fetch()`](https://developer.mozilla.org/docs/Web/API/Window/fetch): without cookies, without a referrer, without redirects.
//!
//! Bound here and not taken from gloo-net, which panics when `fetch` rejects with something that is no `Error`: a service worker or
//! a script that wraps `fetch` can do that to a page.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{AbortSignal, Headers, ReadableStreamDefaultReader, Response as BrowserResponse};

use super::{name_of, object, settled};
use crate::{
    keep::ports::{Answer, Http, HttpFailure},
    protocol::{Cache, Request, Response},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = fetch)]
    fn fetch(url: &str, init: &Object) -> Result<JsValue, JsValue>;
}

/// The browser's network.
#[derive(Clone, Copy, Debug)]
pub struct Fetch;

impl Http for Fetch {
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>> {
        Box::pin(async move { send(request).await.map_err(|failure| failure.0) })
    }
}

async fn send(request: &Request) -> Result<Response, Failure> {
    let response: BrowserResponse = settled(fetch(&request.url, &init(request)?)?).await?.dyn_into()?;
    let mut headers = Vec::new();
    for field in js_sys::try_iter(&response.headers())?.into_iter().flatten() {
        let field: Array = field?.dyn_into()?;
        if let (Some(name), Some(value)) = (field.get(0).as_string(), field.get(1).as_string()) {
            headers.push((name.to_ascii_lowercase(), value));
        }
    }
    let body = match response.body() {
        Some(body) => read(ReadableStreamDefaultReader::new(&body)?, request.limit).await?,
        None => Vec::new(),
    };
    Ok(Response { status: response.status(), headers, body })
}

fn init(request: &Request) -> Result<Object, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &request.headers {
        headers.append(name, value.expose())?;
    }
    let cache = match request.cache {
        Cache::Default => "default",
        Cache::NoStore => "no-store",
        Cache::Reload => "reload",
    };
    let millis = u32::try_from(request.deadline.as_millis()).unwrap_or(u32::MAX);
    object(&[
        ("method", request.method.as_str().into()),
        ("headers", headers.into()),
        ("body", request.body.as_ref().map(|body| Uint8Array::from(body.expose().as_slice())).into()),
        ("cache", cache.into()),
        ("credentials", "omit".into()),
        ("redirect", "error".into()),
        ("referrerPolicy", "no-referrer".into()),
        // It ends the reading of the body too.
        ("signal", AbortSignal::timeout_with_u32(millis).into()),
    ])
}

/// Reads a body piece by piece, and stops at the limit.
async fn read(reader: ReadableStreamDefaultReader, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        let piece = settled(reader.read().into()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            return Ok(body);
        }
        let bytes: Uint8Array = Reflect::get(&piece, &"value".into())?.dyn_into()?;
        let length = usize::try_from(bytes.length()).unwrap_or(usize::MAX);
        if body.len().saturating_add(length) > limit {
            // Nobody waits for the answer, and nobody minds if there is none.
            let _ = reader.cancel();
            return Err(Failure(HttpFailure::TooLarge));
        }
        body.extend(bytes.to_vec());
    }
}

struct Failure(HttpFailure);

impl From<JsValue> for Failure {
    fn from(thrown: JsValue) -> Failure {
        let offline = || web_sys::window().is_some_and(|window| !window.navigator().on_line());
        Failure(match name_of(&thrown).as_str() {
            "TimeoutError" => HttpFailure::TimedOut,
            _ if offline() => HttpFailure::Offline,
            _ => HttpFailure::Unreachable,
        })
    }
}
