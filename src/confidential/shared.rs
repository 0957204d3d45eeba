//! A value that is obtained once for all who ask, and kept.

use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use crate::protocol::Error;

/// A value that is obtained once for all who ask at a time. Whoever asks first does it; if they stop, the next one does.
pub(super) struct Shared<T>(Mutex<State<T>>);

struct State<T> {
    kept: Option<T>,
    /// What is under way, by its number.
    underway: Option<u64>,
    begun: u64,
    /// What came of the latest, and its number.
    outcome: Option<(u64, Result<T, Error>)>,
    waiting: Vec<Waker>,
}

enum Entered<T> {
    Has(T),
    Leads(u64),
    Waits(u64),
}

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared(Mutex::new(State { kept: None, underway: None, begun: 0, outcome: None, waiting: Vec::new() }))
    }
}

impl<T: Clone> Shared<T> {
    /// The value that is kept, if it is good; else obtains one. An error goes to all who waited for it, and is not kept.
    pub(super) async fn get(&self, is_good: impl Fn(&T) -> bool, obtain: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        loop {
            match self.enter(&is_good) {
                Entered::Has(value) => return Ok(value),
                Entered::Leads(number) => {
                    let leading = Leading { shared: self, number };
                    let outcome = obtain.await;
                    leading.ends_with(&outcome);
                    return outcome;
                }
                Entered::Waits(number) => {
                    if let Some(outcome) = self.end_of(number).await {
                        return outcome;
                    }
                }
            }
        }
    }

    fn enter(&self, is_good: &impl Fn(&T) -> bool) -> Entered<T> {
        let mut state = self.state();
        if let Some(number) = state.underway {
            return Entered::Waits(number);
        }
        if let Some(value) = state.kept.as_ref().filter(|value| is_good(value)) {
            return Entered::Has(value.clone());
        }
        state.begun = state.begun.wrapping_add(1);
        state.underway = Some(state.begun);
        Entered::Leads(state.begun)
    }

    /// Answers when that one is not under way any more: with what came of it, unless whoever did it has stopped.
    async fn end_of(&self, number: u64) -> Option<Result<T, Error>> {
        poll_fn(|context| {
            let mut state = self.state();
            if state.underway == Some(number) {
                if !state.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    state.waiting.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            Poll::Ready(state.outcome.as_ref().filter(|(of, _)| *of == number).map(|(_, outcome)| outcome.clone()))
        })
        .await
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever obtains the value. Dropped before the end, it is somebody else's turn.
struct Leading<'a, T> {
    shared: &'a Shared<T>,
    number: u64,
}

impl<T: Clone> Leading<'_, T> {
    fn ends_with(&self, outcome: &Result<T, Error>) {
        let mut state = self.shared.state();
        state.outcome = Some((self.number, outcome.clone()));
        if let Ok(value) = outcome {
            state.kept = Some(value.clone());
        }
    }
}

impl<T> Drop for Leading<'_, T> {
    fn drop(&mut self) {
        let wakers = {
            let mut state = self.shared.state();
            state.underway = None;
            std::mem::take(&mut state.waiting)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
