//! [`fetch()`](https://developer.mozilla.org/docs/Web/API/Window/fetch): without cookies, without a referrer, without redirects.
//!
//! Bound here and not taken from gloo-net, which panics when `fetch` rejects with something that is no `Error`: a service worker or
//! a script that wraps `fetch` can do that to a page.

use std::time::Duration;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{Headers, ReadableStreamDefaultReader, Response as BrowserResponse};

use super::{
    Arg::{self, Text, Value},
    abort::Abort,
    get, name_of, object, settled,
};
use crate::{
    keep::ports::{Answer, Http, HttpFailure},
    protocol::{Cache, Request, Response},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = fetch)]
    fn fetch(url: &str, init: &JsValue) -> Result<JsValue, JsValue>;
}

/// The browser's network.
#[derive(Clone, Copy, Debug)]
pub struct Fetch;

impl Http for Fetch {
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>> {
        Box::pin(async move {
            let abort = Abort::after(request.deadline).map_err(|thrown| Failure::from(thrown).0)?;
            // The signal ends the reading of the body too.
            send(request, &abort).await.map_err(|failure| failure.after(&abort))
        })
    }

    fn reach<'a>(&'a self, url: &'a str, deadline: Duration) -> Answer<'a, Result<(), HttpFailure>> {
        Box::pin(async move {
            let abort = Abort::after(deadline).map_err(|thrown| Failure::from(thrown).0)?;
            reach(url, &abort).await.map_err(|failure| failure.after(&abort))
        })
    }
}

async fn reach(url: &str, abort: &Abort) -> Result<(), Failure> {
    // Without CORS the answer cannot be looked at, and no other `redirect` is allowed.
    let init = with(abort, &[("method", Text("HEAD")), ("mode", Text("no-cors")), ("cache", Text("no-store"))])?;
    let _: BrowserResponse = settled(&fetch(url, &init)?).await?.dyn_into()?;
    Ok(())
}

async fn send(request: &Request, abort: &Abort) -> Result<Response, Failure> {
    let headers = Headers::new()?;
    for (name, value) in &request.headers {
        headers.append(name, value.expose())?;
    }
    let cache = match request.cache {
        Cache::Default => "default",
        Cache::NoStore => "no-store",
        Cache::Reload => "reload",
    };
    let body = request.body.as_ref().map(|body| Uint8Array::from(body.expose().as_slice())).into();
    let init = with(
        abort,
        &[
            ("method", Text(request.method.as_str())),
            ("headers", Value(&headers)),
            ("body", Value(&body)),
            ("cache", Text(cache)),
            ("redirect", Text("error")),
        ],
    )?;
    let response: BrowserResponse = settled(&fetch(&request.url, &init)?).await?.dyn_into()?;
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

fn with(abort: &Abort, members: &[(&str, Arg<'_>)]) -> Result<JsValue, JsValue> {
    let common = [("credentials", Text("omit")), ("referrerPolicy", Text("no-referrer")), ("signal", Value(abort.signal()))];
    object(&[members, &common].concat())
}

/// Reads a body piece by piece, and stops at the limit.
async fn read(reader: ReadableStreamDefaultReader, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        let piece = settled(&reader.read()).await?;
        if get(&piece, "done")?.is_truthy() {
            return Ok(body);
        }
        let bytes: Uint8Array = get(&piece, "value")?.dyn_into()?;
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

impl Failure {
    /// Our own signal ends with an `AbortError` that is no different from anybody else's.
    fn after(self, abort: &Abort) -> HttpFailure {
        if abort.is_over() { HttpFailure::TimedOut } else { self.0 }
    }
}

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
