//! [`<iframe>`](https://developer.mozilla.org/docs/Web/HTML/Reference/Elements/iframe), hidden, and the messages around it.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::Url;

use super::{
    Arg::{Text, Value},
    body, call, document, element, get, global,
    listener::Listener,
    queue::Queue,
    text,
};
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
    call(&get(&frame, "style")?, "setProperty", &[Text("display"), Text("none"), Text("important")])?;
    let events = Rc::default();
    let listen = |target: &JsValue, event| Listener::queueing(target, event, &events);
    let listeners = [listen(&frame, "load"), listen(&global(), "message"), listen(&document()?, "securitypolicyviolation")];
    // Made first, so that a frame that cannot be shown to the page is removed from it all the same.
    let opened = Iframe { frame, events, _listeners: listeners };
    call(&body()?, "append", &[Value(&opened.frame)])?;
    Ok(opened)
}

struct Iframe {
    frame: JsValue,
    events: Rc<Queue>,
    _listeners: [Listener; 3],
}

impl HiddenFrame for Iframe {
    fn next(&self) -> Answer<'_, FrameEvent> {
        Box::pin(async {
            loop {
                if let Some(event) = read(&self.events.next().await, &self.frame) {
                    return event;
                }
            }
        })
    }
}

impl Drop for Iframe {
    fn drop(&mut self) {
        let _ = call(&self.frame, "remove", &[]);
    }
}

fn read(event: &JsValue, frame: &JsValue) -> Option<FrameEvent> {
    match text(event, "type")?.as_str() {
        "load" => Some(FrameEvent::Loaded),
        "message" => {
            let source = get(event, "source").ok()?;
            // A frame that was removed has no window, and some messages have no source.
            let from_frame = source.is_object() && get(frame, "contentWindow").is_ok_and(|window| window == source);
            Some(FrameEvent::Message { origin: text(event, "origin")?, from_frame, text: text(event, "data") })
        }
        _ => {
            // What is only reported is not blocked.
            let frames = matches!(text(event, "effectiveDirective")?.as_str(), "frame-src" | "child-src" | "default-src");
            let blocked = frames && text(event, "disposition")? != "report";
            // The browser tells no more of it than the origin, if there was a redirect.
            (blocked && origin(event, "blockedURI")? == origin(frame, "src")?).then_some(FrameEvent::Blocked)
        }
    }
}

fn origin(of: &JsValue, member: &str) -> Option<String> {
    Some(Url::new(&text(of, member)?).ok()?.origin())
}
