//! What callbacks tell a future.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, Waker},
};

use wasm_bindgen::JsValue;

/// What happened, in order. One future at a time waits for more.
#[derive(Default)]
pub(super) struct Queue {
    entries: RefCell<VecDeque<JsValue>>,
    waiting: Cell<Option<Waker>>,
}

impl Queue {
    pub(super) fn push(&self, entry: JsValue) {
        self.entries.borrow_mut().push_back(entry);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    pub(super) async fn next(&self) -> JsValue {
        poll_fn(|context| {
            let next = self.entries.borrow_mut().pop_front();
            if next.is_none() {
                self.waiting.set(Some(context.waker().clone()));
            }
            next.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
