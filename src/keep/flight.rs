//! One piece of work, and all who wait for it.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use super::ports::Answer;

/// Work that is done once, however many await it. Clones wait for the same; it goes on as long as one of them is awaited.
pub(crate) struct Flight<T>(Rc<Inner<T>>);

struct Inner<T> {
    stage: RefCell<Stage<T>>,
    waiting: Arc<Waiting>,
}

enum Stage<T> {
    Done(T),
    Underway(Answer<'static, T>),
}

/// Who is to be woken when the work can go on: everybody, because whoever is awaited next does it.
#[derive(Default)]
struct Waiting(Mutex<Vec<Waker>>);

impl<T> Flight<T> {
    pub(crate) fn new(work: impl Future<Output = T> + 'static) -> Flight<T> {
        Flight(Rc::new(Inner { stage: RefCell::new(Stage::Underway(Box::pin(work))), waiting: Arc::default() }))
    }

    /// Whether somebody holds another clone of it, to await it.
    pub(crate) fn is_awaited(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }

    /// Whether both wait for the same work.
    pub(crate) fn is(&self, other: &Flight<T>) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Flight<T> {
        Flight(self.0.clone())
    }
}

impl<T: Clone> Future for Flight<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Inner { stage, waiting } = &*self.0;
        let Ok(mut stage) = stage.try_borrow_mut() else {
            // The work is being done further up at this very moment, and ends with waking us.
            waiting.add(context.waker());
            return Poll::Pending;
        };
        let outcome = match &mut *stage {
            Stage::Done(outcome) => return Poll::Ready(outcome.clone()),
            Stage::Underway(work) => {
                waiting.add(context.waker());
                match work.as_mut().poll(&mut Context::from_waker(&Waker::from(waiting.clone()))) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(outcome) => outcome,
                }
            }
        };
        *stage = Stage::Done(outcome.clone());
        drop(stage);
        waiting.wake_by_ref();
        Poll::Ready(outcome)
    }
}

impl Waiting {
    fn add(&self, waker: &Waker) {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|other| other.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Taken out first: who is woken may wait again at once.
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        future::poll_fn,
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody who waits: how often it was woken, and what a poll answers it.
    fn poll<T: Clone>(flight: &Flight<T>, woken: &Arc<Woken>) -> Poll<T> {
        pin!(flight.clone()).poll(&mut Context::from_waker(&Waker::from(woken.clone())))
    }

    /// Work that counts how often it is begun, and goes on when it is told to.
    struct Work {
        begun: Rc<Cell<usize>>,
        go_on: Rc<RefCell<Option<Waker>>>,
        may_end: Rc<Cell<bool>>,
    }

    fn work() -> (Flight<usize>, Work) {
        let work = Work { begun: Rc::default(), go_on: Rc::default(), may_end: Rc::default() };
        let (begun, go_on, may_end) = (work.begun.clone(), work.go_on.clone(), work.may_end.clone());
        let flight = Flight::new(async move {
            begun.set(begun.get().saturating_add(1));
            poll_fn(|context| {
                *go_on.borrow_mut() = Some(context.waker().clone());
                if may_end.get() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            begun.get()
        });
        (flight, work)
    }

    #[test]
    fn work_is_done_once_for_all_who_wait() {
        let (flight, work) = work();
        let (one, other) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        assert_eq!((poll(&flight, &one), poll(&flight, &other)), (Poll::Pending, Poll::Pending));
        work.may_end.set(true);
        assert_eq!((poll(&flight, &one), poll(&flight, &other)), (Poll::Ready(1), Poll::Ready(1)));
    }

    #[test]
    fn whoever_is_left_is_woken_when_the_work_goes_on() {
        let (flight, work) = work();
        let (gone, left) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        assert_eq!((poll(&flight, &left), poll(&flight, &gone)), (Poll::Pending, Poll::Pending));
        work.may_end.set(true);
        work.go_on.take().unwrap().wake();
        assert_eq!(left.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&flight, &left), Poll::Ready(1));
    }

    #[test]
    fn the_end_wakes_who_else_waits() {
        let (flight, work) = work();
        let (one, other) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        assert_eq!((poll(&flight, &one), poll(&flight, &other)), (Poll::Pending, Poll::Pending));
        work.may_end.set(true);
        assert_eq!(poll(&flight, &one), Poll::Ready(1));
        assert_eq!(other.0.load(Ordering::Relaxed), 1);
    }
}
