//! A hidden frame and what happens around it.

use futures::FutureExt;
use tokenkeep::{
    browser::Iframes,
    keep::ports::{FrameEvent, Frames, HiddenFrame},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{at, js};

fn open() -> Box<dyn HiddenFrame> {
    Iframes.open(&at("/nobody-is-here")).unwrap()
}

fn message(origin: &str, from_frame: bool, text: Option<&str>) -> FrameEvent {
    FrameEvent::Message { origin: origin.into(), from_frame, text: text.map(str::to_owned) }
}

fn happened(frame: &dyn HiddenFrame) -> Option<FrameEvent> {
    frame.next().now_or_never()
}

const FRAME: &str = "document.querySelector('iframe')";

#[test]
async fn a_frame_tells_that_it_loaded_and_what_it_says() {
    let frame = open();
    assert_eq!(frame.next().await, FrameEvent::Loaded);
    js(&format!("{FRAME}.contentWindow.eval(`parent.postMessage('hello', location.origin)`)"));
    let origin = js("location.origin").as_string().unwrap();
    assert_eq!(frame.next().await, message(&origin, true, Some("hello")));
    drop(frame);
    at("/");
}

// sil-origin
#[test]
fn every_message_is_told_with_its_origin_and_whether_the_frame_sent_it() {
    let frame = open();
    js(&format!(
        "for (const init of [
            {{ source: {FRAME}.contentWindow, origin: 'https://as.example', data: 'a' }},
            {{ source: window, origin: location.origin, data: 'b' }},
            {{ origin: 'https://evil.example', data: {{ text: 'c' }} }},
        ]) dispatchEvent(new MessageEvent('message', init));
        dispatchEvent(new Event('message'));"
    ));
    let origin = js("location.origin").as_string().unwrap();
    assert_eq!(happened(&*frame), Some(message("https://as.example", true, Some("a"))));
    assert_eq!(happened(&*frame), Some(message(&origin, false, Some("b"))));
    assert_eq!(happened(&*frame), Some(message("https://evil.example", false, None)));
    // That was no message.
    assert_eq!(happened(&*frame), None);
    // A frame that the page removed has no window, and neither has this message.
    js(&format!("{FRAME}.remove(); dispatchEvent(new MessageEvent('message', {{ origin: 'https://as.example', data: 'd' }}))"));
    assert_eq!(happened(&*frame), Some(message("https://as.example", false, Some("d"))));
    drop(frame);
    at("/");
}

#[test]
fn a_frame_is_neither_seen_nor_focused() {
    js(
        "globalThis.style = document.createElement('style'); style.textContent = 'iframe { display: block !important; width: 9px }'; document.head.append(style)",
    );
    let frame = open();
    let facts = js(&format!(
        "(() => {{
            const frame = {FRAME}, box = frame.getBoundingClientRect();
            frame.focus();
            return [box.width, box.height, document.activeElement === frame, frame.tabIndex, frame.hidden, frame.ariaHidden, frame.sandbox.value,
                frame.referrerPolicy].join();
        }})()"
    ));
    drop(frame);
    js("style.remove()");
    assert_eq!(facts.as_string().unwrap(), "0,0,false,-1,true,true,allow-scripts allow-same-origin,no-referrer");
    at("/");
}

#[test]
fn nothing_is_left_of_frames_that_were_dropped() {
    js("globalThis.listeners = 0;
        globalThis.kept = [EventTarget.prototype.addEventListener, EventTarget.prototype.removeEventListener];
        EventTarget.prototype.addEventListener = function () { listeners++; return kept[0].apply(this, arguments); };
        EventTarget.prototype.removeEventListener = function () { listeners--; return kept[1].apply(this, arguments); };");
    let mut most: f64 = 0.0;
    for _ in 0..50 {
        let frame = open();
        assert_eq!(js("document.querySelectorAll('iframe').length").as_f64(), Some(1.0));
        most = most.max(js("listeners").as_f64().unwrap());
        drop(frame);
        js("dispatchEvent(new MessageEvent('message', { data: 'after' }))");
    }
    js("[EventTarget.prototype.addEventListener, EventTarget.prototype.removeEventListener] = kept");
    assert_eq!((most, js("listeners").as_f64()), (3.0, Some(0.0)));
    assert_eq!(js("document.querySelectorAll('iframe').length").as_f64(), Some(0.0));
    at("/");
}

// sil-csp
#[test]
fn a_policy_that_forbids_the_frame_is_told() {
    for (effective, blocked, disposition, expected) in [
        ("frame-src", "location.href", "enforce", true),
        ("child-src", "location.origin", "enforce", true),
        ("default-src", "location.origin + '/other?x#y'", "enforce", true),
        ("img-src", "location.href", "enforce", false),
        ("frame-src", "'https://elsewhere.example/'", "enforce", false),
        ("frame-src", "location.origin + '.evil.example/'", "enforce", false),
        ("frame-src", "'inline'", "enforce", false),
        ("frame-src", "''", "enforce", false),
        ("frame-src", "location.href", "report", false),
    ] {
        let frame = open();
        js(&format!(
            "document.dispatchEvent(new SecurityPolicyViolationEvent('securitypolicyviolation', {{ blockedURI: {blocked}, effectiveDirective: '{effective}',
                disposition: '{disposition}', documentURI: location.href, violatedDirective: '', originalPolicy: '', statusCode: 200 }}))"
        ));
        assert_eq!(happened(&*frame), expected.then_some(FrameEvent::Blocked), "{effective} {blocked} {disposition}");
    }
    at("/");
}

#[test]
fn a_page_that_refuses_elements_has_no_frames() {
    // `document` itself cannot be replaced, but all that it offers can be.
    js("Object.defineProperty(document, 'createElement', { configurable: true, get() { throw 'a string' } })");
    let frame = Iframes.open("/nobody-is-here");
    js("delete document.createElement");
    assert!(frame.is_none());
    js("Object.defineProperty(document, 'body', { configurable: true, value: { append() { throw 'a string' } } })");
    let frame = Iframes.open("/nobody-is-here");
    js("delete document.body");
    assert!(frame.is_none());
}
