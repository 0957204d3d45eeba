//! fetch: policy, limits, and a page whose `fetch` was replaced.

use std::time::Duration;

use futures::FutureExt;
use tokenkeep::{
    browser::{Fetch, Forward},
    keep::ports::{Http, HttpFailure},
    protocol::{Cache, Request, Response},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, js, js_async};

async fn send(request: Request) -> Result<Response, HttpFailure> {
    Fetch.send(&request).await
}

fn here() -> String {
    js("location.origin + '/'").as_string().unwrap()
}

#[test]
async fn an_answer_has_status_headers_and_body() {
    let response = send(Request::get(here())).await.unwrap();
    assert_eq!(response.status, 200);
    assert!(response.header("content-type").is_some_and(|value| value.contains("html")));
    assert!(response.text().unwrap().contains("<html"));
}

// tok-cache, tok-credentials, tok-307, disc-redir
#[test]
async fn what_is_sent_carries_no_cookie_and_no_referrer_and_follows_no_redirect() {
    js("globalThis.sent = undefined");
    let _fetch = Replaced::new(
        "fetch",
        "return async (url, init) => { globalThis.sent = new Request(url, init); globalThis.body = await sent.clone().text(); return new Response('{}'); }",
    );
    let request = Request::new("POST", here()).header("X-Test", "yes").body("a=b").cache(Cache::NoStore);
    send(request).await.unwrap();
    let sent =
        js("[sent.method, sent.credentials, sent.redirect, sent.referrerPolicy, sent.cache, sent.headers.get('x-test'), body].join()");
    assert_eq!(sent.as_string().unwrap(), "POST,omit,error,no-referrer,no-store,yes,a=b");
}

// disc-huge, tok-big
#[test]
async fn an_endless_body_is_read_up_to_the_limit_and_cancelled() {
    js("globalThis.pulled = 0; globalThis.cancelled = false");
    let _fetch = Replaced::new(
        "fetch",
        "return async () => new Response(new ReadableStream({ pull(c) { pulled++; c.enqueue(new Uint8Array(1024)); }, cancel() { cancelled = true; } }))",
    );
    assert_eq!(send(Request::get(here()).limit(10 * 1024)).await, Err(HttpFailure::TooLarge));
    assert!(js("pulled").as_f64().unwrap() < 20.0);
    assert!(js("cancelled").is_truthy());
}

#[test]
async fn a_body_of_just_the_limit_is_read() {
    let _fetch = Replaced::new("fetch", "return async () => new Response(new Uint8Array(2048))");
    assert_eq!(send(Request::get(here()).limit(2048)).await.map(|response| response.body.len()), Ok(2048));
    assert_eq!(send(Request::get(here()).limit(2047)).await, Err(HttpFailure::TooLarge));
}

// disc-stall
#[test]
async fn the_deadline_covers_the_body() {
    let _fetch = Replaced::new(
        "fetch",
        "return async (url, init) => new Response(new ReadableStream({ start(c) {
            c.enqueue(new Uint8Array(1));
            init.signal.addEventListener('abort', () => c.error(init.signal.reason));
        } }))",
    );
    assert_eq!(send(Request::get(here()).deadline(Duration::from_millis(50))).await, Err(HttpFailure::TimedOut));
}

#[test]
async fn the_deadline_covers_the_headers() {
    let _fetch = Replaced::new(
        "fetch",
        "return (url, init) => new Promise((_, reject) => init.signal.addEventListener('abort', () => reject(init.signal.reason)))",
    );
    assert_eq!(send(Request::get(here()).deadline(Duration::from_millis(50))).await, Err(HttpFailure::TimedOut));
}

#[test]
async fn nobody_there_is_unreachable() {
    // Port 9 of this machine: browsers refuse to go there at all.
    assert_eq!(send(Request::get("http://127.0.0.1:9/")).await, Err(HttpFailure::Unreachable));
}

#[test]
async fn a_replaced_fetch_cannot_break_us() {
    for fetch in [
        "return () => { throw 'a string' }",
        "return () => Promise.reject('a string')",
        "return () => Promise.reject(undefined)",
        "return () => undefined",
        "return () => 42",
        "return async () => ({ status: 200 })",
        "return async () => { const r = new Response('x'); r.body.getReader(); return r; }",
        "return async () => new Response(new ReadableStream({ start(c) { c.error('a string'); } }))",
        "return async () => new Response(new ReadableStream({ start(c) { c.enqueue('not bytes'); } }))",
        "return undefined",
    ] {
        let _fetch = Replaced::new("fetch", fetch);
        assert_eq!(send(Request::get(here())).await, Err(HttpFailure::Unreachable), "{fetch}");
    }
    // And the instance still works.
    assert!(send(Request::get(here())).await.is_ok());
}

#[test]
async fn offline_is_told_when_the_browser_knows_it() {
    let _offline = Replaced::new("fetch", "return () => Promise.reject(new TypeError('Failed to fetch'))");
    js("Object.defineProperty(navigator, 'onLine', { configurable: true, get: () => false })");
    let outcome = send(Request::get(here())).await;
    js("delete navigator.onLine");
    assert_eq!(outcome, Err(HttpFailure::Offline));
}

#[test]
async fn a_request_that_nobody_awaits_any_more_is_aborted() {
    for fetch in [
        // Before the headers, and in the body.
        "return (url, init) => { globalThis.signal = init.signal; return new Promise(() => {}); }",
        "return async (url, init) => { globalThis.signal = init.signal; return new Response(new ReadableStream()); }",
    ] {
        let _fetch = Replaced::new("fetch", fetch);
        let request = Request::get(here());
        let mut sending = Fetch.send(&request);
        for _ in 0..3 {
            assert!(sending.as_mut().now_or_never().is_none());
            js_async("await new Promise((done) => setTimeout(done))").await;
        }
        assert!(!js("signal.aborted").is_truthy());
        drop(sending);
        assert!(js("signal.aborted").is_truthy(), "{fetch}");
    }
}

#[test]
async fn a_deadline_leaves_no_timer_behind() {
    js("globalThis.timers = new Set(); globalThis.kept = [setTimeout, clearTimeout];
        globalThis.setTimeout = (...given) => { const timer = kept[0].apply(null, given); timers.add(timer); return timer; };
        globalThis.clearTimeout = (timer) => { timers.delete(timer); kept[1].call(null, timer); };");
    let answer = send(Request::get(here())).await;
    let left = js("timers.size").as_f64();
    js("[globalThis.setTimeout, globalThis.clearTimeout] = kept");
    assert_eq!((answer.is_ok(), left), (true, Some(0.0)));
}

#[test]
async fn without_a_deadline_nothing_is_sent() {
    js("globalThis.fetched = 0");
    let _fetch = Replaced::new("fetch", "return async () => { fetched++; return new Response('{}'); }");
    for (name, broken) in [("AbortController", "return undefined"), ("setTimeout", "return () => { throw 'a string' }")] {
        let _broken = Replaced::new(name, broken);
        assert_eq!(send(Request::get(here())).await, Err(HttpFailure::Unreachable), "{name}");
    }
    assert_eq!(js("fetched").as_f64(), Some(0.0));
}

const SOON: Duration = Duration::from_secs(20);

#[test]
async fn whoever_answers_is_reached() {
    assert_eq!(Fetch.reach(&here(), SOON).await, Ok(()));
    assert_eq!(Fetch.reach(&(here() + "nobody-is-here"), SOON).await, Ok(()));
    // Nobody listens there, and the browser would not go there.
    assert_eq!(Fetch.reach("http://127.11.12.13:65533/", SOON).await, Err(HttpFailure::Unreachable));
    assert_eq!(Fetch.reach("http://127.0.0.1:9/", SOON).await, Err(HttpFailure::Unreachable));
    assert_eq!(Fetch.reach("http://[", SOON).await, Err(HttpFailure::Unreachable));
}

#[test]
async fn reaching_carries_nothing_and_looks_at_nothing() {
    let _fetch =
        Replaced::new("fetch", "return async (url, init) => { globalThis.sent = new Request(url, init); return Response.error(); }");
    assert_eq!(Fetch.reach(&here(), SOON).await, Ok(()));
    let sent = js("[sent.method, sent.mode, sent.credentials, sent.redirect, sent.referrerPolicy, sent.cache].join()");
    assert_eq!(sent.as_string().unwrap(), "HEAD,no-cors,omit,follow,no-referrer,no-store");
}

#[test]
async fn reaching_has_a_deadline_and_is_aborted_when_dropped() {
    let fetch = "return (url, init) => { globalThis.signal = init.signal;
        return new Promise((_, reject) => init.signal.addEventListener('abort', () => reject('a string'))); }";
    let _fetch = Replaced::new("fetch", fetch);
    let url = here();
    assert_eq!(Fetch.reach(&url, Duration::from_millis(20)).await, Err(HttpFailure::TimedOut));
    let mut reaching = Fetch.reach(&url, SOON);
    assert!(reaching.as_mut().now_or_never().is_none());
    drop(reaching);
    assert!(js("signal.aborted").is_truthy());
}

#[test]
async fn a_replaced_fetch_reaches_nobody() {
    for fetch in ["return () => { throw 'a string' }", "return () => Promise.reject(undefined)", "return () => 42", "return undefined"] {
        let _fetch = Replaced::new("fetch", fetch);
        assert_eq!(Fetch.reach(&here(), SOON).await, Err(HttpFailure::Unreachable), "{fetch}");
    }
}

#[test]
async fn a_request_of_the_page_is_sent_as_it_is_with_the_token_and_without_redirects() {
    js("globalThis.sent = []");
    let _fetch = Replaced::new(
        "fetch",
        "return async (given, init) => { const made = new Request(given, init); sent.push([made, await made.clone().text()]); return new Response('streamed'); }",
    );
    let request = js("new Request('/orders?x=1', { method: 'PUT', body: 'a=b', headers: { 'X-Test': 'yes' }, credentials: 'include' })");
    let forward = Forward::new(request);
    let mut head = forward.head().unwrap();
    assert_eq!((head.method.as_str(), head.url.clone()), ("PUT", js("location.origin + '/orders?x=1'").as_string().unwrap()));
    assert!(head.body.is_none() && head.headers.iter().any(|(name, value)| name == "x-test" && value.expose() == "yes"));
    head = head.header("authorization", "Bearer t");
    // Twice, as after a token that was refused.
    for _ in 0..2 {
        assert_eq!(forward.send(&head).await.map(|response| (response.status, response.body)), Ok((200, Vec::new())));
    }
    let sent = js(
        "sent.map(([made, body]) => [made.method, made.credentials, made.redirect, made.headers.get('x-test'), made.headers.get('authorization'), body].join()).join(' ')",
    );
    assert_eq!(sent.as_string().unwrap(), ["PUT,include,error,yes,Bearer t,a=b"; 2].join(" "));
    // The last answer is the page's, unread.
    let answer = wasm_bindgen_futures::JsFuture::from(forward.answer().unwrap().text().unwrap()).await.unwrap();
    assert_eq!((answer.as_string().as_deref(), forward.answer()), (Some("streamed"), None));
}

#[test]
async fn a_request_that_is_sent_once_is_not_copied() {
    js("globalThis.given = undefined");
    let _fetch = Replaced::new("fetch", "return async (given) => { globalThis.given = given; return new Response(); }");
    js("globalThis.stream = new Request('/', { method: 'POST', body: 'x', redirect: 'manual' })");
    let forward = Forward::new(js("stream"));
    let head = forward.head().unwrap().once();
    forward.send(&head).await.unwrap();
    assert!(js("given === stream").is_truthy());
    // Its body is gone now: it cannot be sent again.
    js_async("return stream.text()").await;
    let again = forward.head().unwrap();
    assert_eq!(forward.send(&again).await, Err(HttpFailure::Unreachable));
}

#[test]
async fn what_is_no_request_is_not_sent() {
    for given in ["undefined", "null", "7", "({})", "({ method: 'GET', url: 'x' })"] {
        assert!(Forward::new(js(given)).head().is_err(), "{given}");
    }
}
