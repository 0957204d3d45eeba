//! [`<iframe>`](https://developer.mozilla.org/docs/Web/HTML/Reference/Elements/iframe), hidden, and the messages around it.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::Url;

use super::{body, call, document, element, get, global, listener::Listener, queue::Queue};
use crate::keep::ports::{Answer, FrameEvent, Frames, HiddenFrame};

/// Hidden frames in this page.
#[derive(Clone, Copy, Debug)]
pub struct Iframes;

impl Frames for Iframes {
    fn open(&self, url: &str) -> Option<Box<dyn HiddenFrame>> {
        Some(Box::new(open(url).ok()?))
    }
}

fn open(url: &str) -> Result<Iframe, JsValue> {
    let attributes = [
        ("hidden", ""),
        ("aria-hidden", "true"),
        ("tabindex", "-1"),
        ("sandbox", "allow-scripts allow-same-origin"),
        ("referrerpolicy", "no-referrer"),
        ("src", url),
    ];
    let frame = element("iframe", &attributes)?;
    // What the page's style sheets say about frames does not show it either.
    call(&get(&frame, "style")?, "setProperty", &[&"display".into(), &"none".into(), &"important".into()])?;
    let events: Rc<Queue<FrameEvent>> = Rc::default();
    let listen = |target: &JsValue, event, read: fn(&JsValue, &JsValue) -> Option<FrameEvent>| {
        let (frame, events) = (frame.clone(), events.clone());
        Listener::new(target, event, move |event| {
            if let Some(event) = read(&event, &frame) {
                events.push(event);
            }
        })
    };
    let listeners = [
        listen(&frame, "load", |_, _| Some(FrameEvent::Loaded)),
        listen(&global(), "message", message),
        listen(&document()?, "securitypolicyviolation", violation),
    ];
    // Made first, so that a frame that cannot be shown to the page is removed from it all the same.
    let opened = Iframe { frame, events, _listeners: listeners };
    call(&body()?, "append", &[&opened.frame])?;
    Ok(opened)
}

struct Iframe {
    frame: JsValue,
    events: Rc<Queue<FrameEvent>>,
    _listeners: [Listener; 3],
}

impl HiddenFrame for Iframe {
    fn next(&self) -> Answer<'_, FrameEvent> {
        Box::pin(self.events.next())
    }
}

impl Drop for Iframe {
    fn drop(&mut self) {
        let _ = call(&self.frame, "remove", &[]);
    }
}

fn message(event: &JsValue, frame: &JsValue) -> Option<FrameEvent> {
    let source = get(event, "source").ok()?;
    // A frame that was removed has no window, and some messages have no source.
    let from_frame = source.is_object() && get(frame, "contentWindow").is_ok_and(|window| window == source);
    Some(FrameEvent::Message { origin: text(event, "origin")?, from_frame, text: text(event, "data") })
}

fn violation(event: &JsValue, frame: &JsValue) -> Option<FrameEvent> {
    // What is only reported is not blocked.
    let frames = matches!(text(event, "effectiveDirective")?.as_str(), "frame-src" | "child-src" | "default-src");
    let blocked = frames && text(event, "disposition")? != "report";
    // The browser tells no more of it than the origin, if there was a redirect.
    let origin = |url: String| Url::new(&url).ok().map(|url| url.origin());
    (blocked && origin(text(event, "blockedURI")?)? == origin(text(frame, "src")?)?).then_some(FrameEvent::Blocked)
}

fn text(of: &JsValue, member: &str) -> Option<String> {
    get(of, member).ok()?.as_string()
}
