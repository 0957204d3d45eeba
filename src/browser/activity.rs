//! What the user does with a key, a pointer or a finger: [events](https://developer.mozilla.org/docs/Web/Events) of the window.

use std::{cell::Cell, rc::Rc, time::Duration};

use wasm_bindgen::JsValue;

use super::{BrowserClock, get, listener::Listener, text};
use crate::{keep::ports::Clock, protocol::UnixTime};

/// Calls back with the time when the user does something, once in `rhythm` at most, as long as the answer lives.
pub(super) fn listen(window: &JsValue, rhythm: Duration, callback: Rc<dyn Fn(UnixTime)>) -> Vec<Listener> {
    let (last, place) = (Rc::new(Cell::new(None::<UnixTime>)), Rc::new(Cell::new(None)));
    let listener = |event| {
        let (callback, last, place) = (callback.clone(), last.clone(), place.clone());
        Listener::passive(window, event, move |event| {
            let now = BrowserClock.now();
            if last.get().is_some_and(|last| now.distance(last) < rhythm) || !is_done(&event, &place) {
                return;
            }
            last.set(Some(now));
            callback(now);
        })
    };
    ["keydown", "pointerdown", "pointermove", "touchmove", "wheel"].map(listener).into()
}

/// Whether the user did something: a pointer that lies still moves, too, when what is below it does.
fn is_done(event: &JsValue, place: &Cell<Option<[f64; 2]>>) -> bool {
    if text(event, "type").as_deref() != Some("pointermove") {
        return true;
    }
    let at = ["screenX", "screenY"].map(|member| get(event, member).ok().and_then(|at| at.as_f64()).unwrap_or_default());
    place.replace(Some(at)).is_some_and(|before| before != at)
}
