//! The page, for a keep that is in a worker: what it would do there itself, it asks for by [messages](https://developer.mozilla.org/docs/Web/API/MessagePort).
//!
//! Each message is a list: what to do, and texts. A page answers with what its window says. Nothing of it is secret, but what every page
//! that leaves for a provider has in its address bar.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::{Rc, Weak},
};

use js_sys::Function;
use wasm_bindgen::JsValue;
use web_sys::Url;

use super::{
    Arg::{self, List, Text},
    array, get,
    queue::Queue,
    text,
};
#[cfg(feature = "limits")]
use crate::protocol::UnixTime;
use crate::{
    keep::{
        NOTES,
        ports::{
            Acquire, Answer, Change, Channel, FrameEvent, Frames, HiddenFrame, Journal, Line, Lock, LockFailure, Locks, Store, StoreFailure,
        },
    },
    page::ports::{FramedBy, Navigation, Wake},
};

type OnWake = Rc<dyn Fn(Wake)>;
#[cfg(feature = "limits")]
type OnActivity = Rc<dyn Fn(UnixTime)>;

/// A page elsewhere. It says with every question where it is.
pub struct RemotePage {
    origin: String,
    framed_by: FramedBy,
    address: RefCell<String>,
    shown: Cell<bool>,
    wake: RefCell<Option<OnWake>>,
    #[cfg(feature = "limits")]
    activity: RefCell<Option<OnActivity>>,
    post: Function,
}

impl RemotePage {
    /// A page of the worker's own origin, which does what is posted to it.
    pub fn new(origin: String, framed_by: FramedBy, post: Function) -> RemotePage {
        RemotePage {
            origin,
            framed_by,
            address: RefCell::default(),
            shown: Cell::new(true),
            wake: RefCell::default(),
            #[cfg(feature = "limits")]
            activity: RefCell::default(),
            post,
        }
    }

    /// The page's address, as it was before a response was taken out of it.
    pub fn is_at(&self, address: String) {
        self.address.replace(address);
        self.shown.set(false);
    }

    /// Whether the response in the address was left there: it is for somebody else.
    pub fn is_left(&self) -> bool {
        !self.shown.get()
    }

    /// There is reason to look at the clock again.
    pub fn woke(&self, wake: Wake) {
        let callback = self.wake.borrow().clone();
        if let Some(callback) = callback {
            callback(wake);
        }
    }

    /// The user was active there, at this time in milliseconds since 1970.
    #[cfg(feature = "limits")]
    pub fn active(&self, at: f64) {
        let callback = self.activity.borrow().clone();
        if let Some(callback) = callback {
            // A cast, which saturates.
            callback(UnixTime::from_millis(at as u64));
        }
    }

    fn tell(&self, message: &[Arg<'_>]) {
        tell(&self.post, message);
    }
}

impl Navigation for RemotePage {
    fn origin(&self) -> String {
        self.origin.clone()
    }

    fn address(&self) -> String {
        self.address.borrow().clone()
    }

    fn replace(&self, address: &str) {
        self.shown.set(true);
        self.tell(&[Text("replace"), Text(address)]);
        self.address.replace(address.to_owned());
    }

    fn go(&self, url: &str) {
        self.tell(&[Text("go"), Text(url)]);
    }

    fn resolve(&self, url: &str) -> Option<String> {
        Url::new_with_base(url, &self.address()).ok().map(|url| url.href())
    }

    fn submit(&self, url: &str, form: &[(&str, &str)]) {
        let fields: Vec<_> = form.iter().flat_map(|(name, value)| [*name, *value]).collect();
        self.tell(&[Text("submit"), Text(url), List(&fields)]);
    }

    fn framed_by(&self) -> FramedBy {
        self.framed_by
    }

    fn tell_parent(&self, text: &str) {
        self.tell(&[Text("tell_parent"), Text(text)]);
    }

    fn on_wake(&self, callback: Rc<dyn Fn(Wake)>) {
        *self.wake.borrow_mut() = Some(callback);
    }

    /// The page itself tells it as rarely.
    #[cfg(feature = "limits")]
    fn on_activity(&self, _: std::time::Duration, callback: Rc<dyn Fn(UnixTime)>) {
        *self.activity.borrow_mut() = Some(callback);
    }
}

impl fmt::Debug for RemotePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemotePage")
    }
}

/// Hidden frames in whatever page there is.
pub struct RemoteFrames {
    post: Function,
    next: Cell<i32>,
    frames: RefCell<Vec<(i32, Weak<Queue>)>>,
}

impl RemoteFrames {
    /// `post` gets `"frame"`, a number and a URL, and says whether there is a page; and the number alone when that frame is to be removed.
    pub fn new(post: Function) -> RemoteFrames {
        RemoteFrames { post, next: Cell::default(), frames: RefCell::default() }
    }

    /// Something happened around a frame: its `type` is that of the browser's event.
    pub fn happened(&self, number: i32, event: JsValue) {
        let frames = self.frames.borrow();
        if let Some(queue) = frames.iter().find(|(other, _)| *other == number).and_then(|(_, queue)| queue.upgrade()) {
            drop(frames);
            queue.push(event);
        }
    }
}

impl fmt::Debug for RemoteFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteFrames")
    }
}

impl Frames for RemoteFrames {
    fn open(&self, url: &str) -> Option<Box<dyn HiddenFrame>> {
        let (number, events) = (self.next.get(), Rc::new(Queue::default()));
        self.next.set(number.wrapping_add(1));
        let mut frames = self.frames.borrow_mut();
        frames.retain(|(_, queue)| queue.strong_count() > 0);
        frames.push((number, Rc::downgrade(&events)));
        drop(frames);
        let shown = tell(&self.post, &[Text("frame"), Arg::Whole(number), Text(url)]);
        shown.then(|| Box::new(RemoteFrame { number, events, post: self.post.clone() }) as Box<dyn HiddenFrame>)
    }
}

struct RemoteFrame {
    number: i32,
    events: Rc<Queue>,
    post: Function,
}

impl HiddenFrame for RemoteFrame {
    fn next(&self) -> Answer<'_, FrameEvent> {
        Box::pin(async {
            loop {
                if let Some(event) = read(&self.events.next().await) {
                    return event;
                }
            }
        })
    }
}

impl Drop for RemoteFrame {
    fn drop(&mut self) {
        tell(&self.post, &[Text("frame"), Arg::Whole(self.number)]);
    }
}

fn read(event: &JsValue) -> Option<FrameEvent> {
    Some(match text(event, "type")?.as_str() {
        "load" => FrameEvent::Loaded,
        "message" => FrameEvent::Message {
            origin: text(event, "origin")?,
            from_frame: get(event, "fromFrame").ok()?.is_truthy(),
            text: text(event, "data"),
        },
        "blocked" => FrameEvent::Blocked,
        _ => return None,
    })
}

/// What a keep in a worker remembers: in its own memory. What has to outlive it is told.
pub struct Memory {
    // A handful: a map would be a kilobyte of code.
    texts: RefCell<Vec<(String, String)>>,
    post: Function,
}

impl Memory {
    /// `post` gets `"note"` for what is no secret, or `"login"` for a sign-in that waits for its response; a key; and the text unless it
    /// was removed.
    pub fn new(post: Function) -> Memory {
        Memory { texts: RefCell::default(), post }
    }

    /// What was told before, or by another keep.
    pub fn note(&self, key: String, text: Option<String>) {
        let mut texts = self.texts.borrow_mut();
        texts.retain(|(known, _)| *known != key);
        texts.extend(text.map(|text| (key, text)));
    }

    fn tell(&self, key: &str, text: Option<&str>) {
        let what = if key.starts_with(NOTES) { "note" } else { "login" };
        let mut message = vec![Text(what), Text(key)];
        message.extend(text.map(Text));
        tell(&self.post, &message);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Store for Memory {
    fn read(&self, key: &str) -> Result<Option<String>, StoreFailure> {
        Ok(self.texts.borrow().iter().find(|(known, _)| known == key).map(|(_, text)| text.clone()))
    }

    fn write(&self, key: &str, text: &str) -> Result<(), StoreFailure> {
        self.note(key.to_owned(), Some(text.to_owned()));
        self.tell(key, Some(text));
        Ok(())
    }

    fn remove(&self, key: &str) {
        self.note(key.to_owned(), None);
        self.tell(key, None);
    }

    fn keys(&self) -> Vec<String> {
        self.texts.borrow().iter().map(|(key, _)| key.clone()).collect()
    }
}

/// No other keeps: one that serves all pages of a browser has nobody to take turns with, and hands its tokens to nobody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alone;

impl Channel for Alone {
    fn open(&self, _: &str, _: Rc<dyn Fn(String)>) -> Option<Box<dyn Line>> {
        None
    }
}

impl Journal for Alone {
    fn update<'a>(&'a self, _: &'a str, _: Change) -> Answer<'a, Result<(), StoreFailure>> {
        Box::pin(async { Err(StoreFailure::Blocked) })
    }
}

impl Locks for Alone {
    fn acquire<'a>(&'a self, _: &'a str, _: Acquire) -> Answer<'a, Result<Box<dyn Lock>, LockFailure>> {
        Box::pin(async { Err(LockFailure::Unsupported) })
    }
}

/// Whether that was answered with yes. A page that is gone hears nothing.
fn tell(post: &Function, message: &[Arg<'_>]) -> bool {
    post.call1(&JsValue::UNDEFINED, &array(message.iter().copied()).into()).is_ok_and(|answer| answer.is_truthy())
}
