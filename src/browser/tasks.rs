//! [Microtasks](https://developer.mozilla.org/docs/Web/API/HTML_DOM_API/Microtask_guide): work that nobody awaits.

use crate::keep::ports::{Answer, Tasks};

/// The page's own event loop.
#[derive(Clone, Copy, Debug)]
pub struct EventLoop;

impl Tasks for EventLoop {
    fn spawn(&self, work: Answer<'static, ()>) {
        wasm_bindgen_futures::spawn_local(work);
    }
}
