//! Waiting: until something changes, or until it has taken too long.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use super::ports::{Clock, Lock};

/// Something that changes now and then, and all who wait for that.
#[derive(Default)]
pub(crate) struct Signal {
    changes: Cell<u64>,
    next: Cell<u64>,
    waiting: RefCell<Vec<(u64, Waker)>>,
}

/// A place among those who wait, given up when dropped.
struct Place<'a> {
    signal: &'a Signal,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.signal.waiting.borrow_mut();
        let place = waiting.iter().position(|(number, _)| *number == self.number).map(|index| waiting.remove(index));
        // Whatever ends with a waker ends after this.
        drop(waiting);
        drop(place);
    }
}

impl Signal {
    /// How often it has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// It has changed.
    pub(crate) fn raise(&self) {
        self.changes.set(self.changes.get().wrapping_add(1));
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Waits until it has changed since it had changed so often.
    pub(crate) async fn changed_since(&self, changes: u64) {
        let place = Place { signal: self, number: self.next.get() };
        self.next.set(place.number.wrapping_add(1));
        poll_fn(|context| {
            if self.changes.get() != changes {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            match waiting.iter_mut().find(|(number, _)| *number == place.number) {
                Some((_, waker)) => waker.clone_from(context.waker()),
                None => waiting.push((place.number, context.waker().clone())),
            }
            Poll::Pending
        })
        .await;
    }
}

/// One at a time within a tab: what there is where the browser has no locks.
#[derive(Clone, Default)]
pub(crate) struct InTab(Rc<(Cell<bool>, Signal)>);

struct Turn(InTab);

impl InTab {
    /// Waits until nobody else has it.
    pub(crate) async fn turn(&self) -> Box<dyn Lock> {
        let (taken, given_back) = &*self.0;
        while taken.get() {
            given_back.changed_since(given_back.changes()).await;
        }
        taken.set(true);
        Box::new(Turn(self.clone()))
    }
}

impl Lock for Turn {}

impl Drop for Turn {
    fn drop(&mut self) {
        let InTab(shared) = &self.0;
        shared.0.set(false);
        shared.1.raise();
    }
}

/// Does one thing until it is done or the other one is.
pub(crate) async fn unless<T>(other: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut other) = (pin!(work), pin!(other));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => other.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// Does something for so long at most.
pub(crate) async fn within<T>(clock: &dyn Clock, span: Duration, work: impl Future<Output = T>) -> Option<T> {
    unless(clock.sleep(span), work).await
}
