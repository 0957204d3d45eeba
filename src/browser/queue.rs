//! What callbacks tell a future.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, Waker},
};

/// What happened, in order. One future at a time waits for more.
pub(super) struct Queue<T> {
    entries: RefCell<VecDeque<T>>,
    waiting: Cell<Option<Waker>>,
}

impl<T> Queue<T> {
    pub(super) fn push(&self, entry: T) {
        self.entries.borrow_mut().push_back(entry);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    pub(super) async fn next(&self) -> T {
        poll_fn(|context| {
            let next = self.entries.borrow_mut().pop_front();
            match next {
                Some(entry) => Poll::Ready(entry),
                None => {
                    self.waiting.set(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { entries: RefCell::default(), waiting: Cell::default() }
    }
}
