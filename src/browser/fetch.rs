//! [`fetch()`](https://developer.mozilla.org/docs/Web/API/Window/fetch): without cookies, without a referrer, without redirects.
//!
//! Bound here and not taken from gloo-net, which panics when `fetch` rejects with something that is no `Error`: a service worker or
//! a script that wraps `fetch` can do that to a page.

use std::{cell::RefCell, time::Duration};

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use web_sys::{Headers, ReadableStreamDefaultReader, Response as BrowserResponse};

use super::{
    Arg::{self, Text, Value},
    abort::Abort,
    call, get, global, name_of, object, settled,
};
use crate::{
    keep::ports::{Answer, Http, HttpFailure},
    protocol::{Cache, Request, Response},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = fetch)]
    pub(super) fn fetch(what: &JsValue, init: &JsValue) -> Result<JsValue, JsValue>;
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
    let _: BrowserResponse = settled(&fetch(&url.into(), &init)?).await?.dyn_into()?;
    Ok(())
}

async fn send(request: &Request, abort: &Abort) -> Result<Response, Failure> {
    let init = init(request, abort)?;
    answered(&fetch(&request.url.as_str().into(), &init)?, request.limit).await
}

/// Sends it in another way than by the page's own `fetch`.
#[cfg(feature = "worker")]
pub(super) async fn send_by(
    request: &Request,
    deadline: Duration,
    by: impl FnOnce(&JsValue, &JsValue) -> Result<JsValue, JsValue>,
) -> Result<Response, Refusal> {
    let abort = Abort::after(deadline)?;
    let init = init(request, &abort)?;
    let sent = settled(&by(&request.url.as_str().into(), &init)?).await;
    match sent {
        // An error of ours, in words.
        Err(thrown) if thrown.is_string() => Err(Refusal::Thrown(thrown)),
        Err(thrown) => Err(Refusal::Http(Failure::from(thrown).after(&abort))),
        Ok(response) => answered(&response, request.limit).await.map_err(|failure| Refusal::Http(failure.after(&abort))),
    }
}

/// Why nothing came of it.
#[cfg(feature = "worker")]
pub(super) enum Refusal {
    Http(HttpFailure),
    Thrown(JsValue),
}

#[cfg(feature = "worker")]
impl From<JsValue> for Refusal {
    fn from(thrown: JsValue) -> Refusal {
        Refusal::Thrown(thrown)
    }
}

fn init(request: &Request, abort: &Abort) -> Result<JsValue, JsValue> {
    let headers = headers_of(request)?;
    let cache = match request.cache {
        Cache::Default => "default",
        Cache::NoStore => "no-store",
        Cache::Reload => "reload",
    };
    let body = request.body.as_ref().map(|body| Uint8Array::from(body.expose().as_slice())).into();
    with(
        abort,
        &[
            ("method", Text(request.method.as_str())),
            ("headers", Value(&headers)),
            ("body", Value(&body)),
            ("cache", Text(cache)),
            ("redirect", Text("error")),
        ],
    )
}

pub(super) async fn answered(response: &JsValue, limit: usize) -> Result<Response, Failure> {
    let response: BrowserResponse = settled(response).await?.dyn_into()?;
    let headers = fields(&response.headers())?;
    let body = match response.body() {
        Some(body) => read(ReadableStreamDefaultReader::new(&body)?, limit).await?,
        None => Vec::new(),
    };
    Ok(Response { status: response.status(), headers, body })
}

pub(super) fn headers_of(request: &Request) -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &request.headers {
        headers.append(name, value.expose())?;
    }
    Ok(headers)
}

/// Names, in lower case, and values.
fn fields(headers: &JsValue) -> Result<Vec<(String, String)>, JsValue> {
    let mut fields = Vec::new();
    for field in js_sys::try_iter(headers)?.into_iter().flatten() {
        let field: Array = field?.dyn_into()?;
        if let (Some(name), Some(value)) = (field.get(0).as_string(), field.get(1).as_string()) {
            fields.push((name.to_ascii_lowercase(), value));
        }
    }
    Ok(fields)
}

/// Sends a [`Request`](https://developer.mozilla.org/docs/Web/API/Request) of the page's own making, for
/// [`Client::fetch_by`](crate::Client::fetch_by): with its body, its signal and its options, but without redirects. What comes for it
/// stays what the browser made of it, streams included.
#[derive(Debug)]
pub struct Forward {
    request: JsValue,
    #[cfg_attr(not(feature = "step-up"), expect(dead_code, reason = "nothing waits for anything but an answer"))]
    gone: JsValue,
    answer: RefCell<Option<BrowserResponse>>,
}

impl Forward {
    /// A request of the page, to be sent once; or twice, if its token is refused and its body need not be a stream.
    pub fn new(request: JsValue) -> Forward {
        Forward { request, gone: JsValue::UNDEFINED, answer: RefCell::default() }
    }

    /// The same for a page elsewhere: an `AbortSignal` says that it has gone. What is on its way then goes on; what waits does not.
    pub fn unless_gone(self, gone: JsValue) -> Forward {
        Forward { gone, ..self }
    }

    /// What the client has to know of it: everything but the body.
    ///
    /// # Errors
    /// What was thrown by something that is no request.
    pub fn head(&self) -> Result<Request, JsValue> {
        let text = |member| super::text(&self.request, member).ok_or(JsValue::UNDEFINED);
        let mut head = Request::new(text("method")?, text("url")?);
        for (name, value) in fields(&get(&self.request, "headers")?)? {
            head = head.header(name, value);
        }
        Ok(head)
    }

    /// The last answer.
    pub fn answer(&self) -> Option<BrowserResponse> {
        self.answer.borrow_mut().take()
    }

    async fn forward(&self, request: &Request) -> Result<Response, Failure> {
        // A body is sent once: whoever may be asked for it again gets a copy.
        let copy = if request.replay { call(&self.request, "clone", &[])? } else { self.request.clone() };
        let redirect = match super::text(&self.request, "redirect").as_deref() {
            Some("manual") => "manual",
            _ => "error",
        };
        let headers = headers_of(request)?;
        let init = object(&[("headers", Value(&headers)), ("redirect", Text(redirect))])?;
        let answer: BrowserResponse = settled(&fetch(&copy, &init)?).await?.dyn_into()?;
        let response = Response { status: answer.status(), headers: fields(&answer.headers())?, body: Vec::new() };
        *self.answer.borrow_mut() = Some(answer);
        Ok(response)
    }
}

impl Http for Forward {
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>> {
        Box::pin(async move { self.forward(request).await.map_err(|failure| failure.0) })
    }

    #[cfg(feature = "step-up")]
    fn given_up(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let signal = get(&self.request, "signal").unwrap_or_default();
            super::abort::aborted(&[&signal, &self.gone]).await;
        })
    }

    fn reach<'a>(&'a self, url: &'a str, deadline: Duration) -> Answer<'a, Result<(), HttpFailure>> {
        Fetch.reach(url, deadline)
    }
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

pub(super) struct Failure(pub(super) HttpFailure);

impl Failure {
    /// Our own signal ends with an `AbortError` that is no different from anybody else's.
    pub(super) fn after(self, abort: &Abort) -> HttpFailure {
        if abort.is_over() { HttpFailure::TimedOut } else { self.0 }
    }
}

impl From<JsValue> for Failure {
    fn from(thrown: JsValue) -> Failure {
        // Not by `window`: a worker has none.
        let offline = || get(&global(), "navigator").and_then(|navigator| get(&navigator, "onLine")) == Ok(JsValue::FALSE);
        Failure(match name_of(&thrown).as_str() {
            "TimeoutError" => HttpFailure::TimedOut,
            _ if offline() => HttpFailure::Offline,
            _ => HttpFailure::Unreachable,
        })
    }
}
