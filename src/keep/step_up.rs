//! Calls that wait until the user has authenticated as their API wants it ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)). Whether
//! the user is asked is for the app to say: an API that could send users to the provider could tire them until they agree to anything (§9).

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use super::{Event, Keep, ports::Http, signal::Signal};
use crate::protocol::{Claims, Error, Interrupted, Json, Misbehaved, Source, StepUp};

/// How long a call waits for a step-up. Then the answer that asks for it is the answer. A sign-in takes no longer either.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How many different step-ups of a session are remembered.
const MAX_DONE: usize = 20;

/// What is waited for, and what was done.
#[derive(Default)]
pub(crate) struct StepUps {
    /// The first one is what the app is asked for.
    open: RefCell<Vec<Rc<Asked>>>,
    /// What the user did for the session that there is.
    done: RefCell<Vec<StepUp>>,
    settled: Signal,
}

/// What one call or more wait for.
struct Asked {
    step_up: StepUp,
    /// How the user had authenticated then.
    before: String,
    waiting: Cell<usize>,
    /// Whether it was done, when that is known.
    outcome: Cell<Option<bool>>,
}

/// How and when the user authenticated, as the ID token says: something to compare.
fn how(claims: &Claims) -> String {
    ["acr", "auth_time"].map(|name| claims.get(name).map(Json::to_string).unwrap_or_default()).join(" ")
}

/// The place of a call among those that wait, given up when dropped.
struct Place<'a> {
    keep: &'a Keep,
    asked: Rc<Asked>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waiting = self.asked.waiting.get().saturating_sub(1);
        self.asked.waiting.set(waiting);
        if waiting == 0 {
            self.keep.settle_step_ups(false, &|asked| Rc::ptr_eq(asked, &self.asked));
        }
    }
}

impl Keep {
    fn claims_now(&self) -> Option<Claims> {
        self.tokens.borrow().as_ref().and_then(|tokens| tokens.session.claims.clone())
    }

    /// How the user authenticated who is signed in, if that is of interest.
    pub(super) fn how(&self) -> String {
        if self.settings.step_up { self.claims_now().as_ref().map(how).unwrap_or_default() } else { String::new() }
    }

    /// Whether claims say that the user authenticated like that; or say so beyond doubt.
    fn is_met(&self, step_up: &StepUp, claims: &Claims, surely: bool) -> bool {
        let now = self.settings.clock_skew.correct(self.ports.clock.now());
        step_up.is_met_by(claims, self.settings.clock_leeway, surely, now)
    }

    /// Waits until the user has authenticated like that, for a call that was sent when they had authenticated so. True when they have.
    pub(super) async fn stepped_up(&self, step_up: StepUp, before: String, generation: u64, http: &dyn Http) -> Result<bool, Error> {
        if let Some(claims) = self.claims_now() {
            // While the call was on its way.
            if how(&claims) != before && self.is_met(&step_up, &claims, false) {
                return Ok(true);
            }
            if self.step_ups.done.borrow().contains(&step_up) && self.is_met(&step_up, &claims, true) {
                return Err(Misbehaved::StepUpLoop.into());
            }
        }
        let place = self.place_for(step_up, before);
        let (mut given_up, mut late) = (http.given_up(), self.ports.clock.sleep(PATIENCE));
        loop {
            let changes = self.step_ups.settled.changes();
            // The end of a session settles everything.
            self.unless_ended_since(generation)?;
            if let Some(outcome) = place.asked.outcome.get() {
                return Ok(outcome);
            }
            let mut changed = pin!(self.step_ups.settled.changed_since(changes));
            let over = poll_fn(|context| {
                if given_up.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Err(Interrupted::TimedOut { from: Source::Api }.into())));
                }
                if late.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Ok(false)));
                }
                changed.as_mut().poll(context).map(|()| None)
            });
            if let Some(outcome) = over.await {
                return outcome;
            }
        }
    }

    fn place_for(&self, step_up: StepUp, before: String) -> Place<'_> {
        let mut open = self.step_ups.open.borrow_mut();
        let known = open.iter().find(|asked| asked.step_up == step_up).cloned();
        let asked = known.unwrap_or_else(|| {
            let asked = Rc::new(Asked { step_up, before, waiting: Cell::default(), outcome: Cell::default() });
            open.push(asked.clone());
            asked
        });
        // One question at a time.
        let asks = open.len() == 1 && asked.waiting.get() == 0;
        drop(open);
        asked.waiting.set(asked.waiting.get().saturating_add(1));
        let place = Place { keep: self, asked };
        if asks {
            self.tell(Event::StepUpNeeded(place.asked.step_up.clone()));
        }
        place
    }

    /// What the app is asked for.
    pub(super) fn step_up(&self) -> Option<StepUp> {
        self.step_ups.open.borrow().first().map(|asked| asked.step_up.clone())
    }

    /// The user does not want to: what waits for the first step-up gets the answer that it had.
    pub(super) fn decline_step_up(&self) {
        let first = self.step_up();
        self.settle_step_ups(false, &|asked| first.as_ref() == Some(&asked.step_up));
    }

    /// There are new claims, because the user signed in or otherwise: whoever waited for what they say goes on.
    pub(super) fn authenticated(&self, by_user: bool) {
        if let Some(claims) = self.claims_now().filter(|_| self.settings.step_up) {
            let how = how(&claims);
            // A renewal that only repeats what was not enough before is no step-up.
            self.settle_step_ups(true, &|asked| (by_user || asked.before != how) && self.is_met(&asked.step_up, &claims, false));
        }
    }

    /// The session is over, and what waits with it.
    pub(super) fn forget_step_ups(&self) {
        self.step_ups.done.take();
        self.settle_step_ups(false, &|_| true);
    }

    fn settle_step_ups(&self, outcome: bool, which: &dyn Fn(&Rc<Asked>) -> bool) {
        let before = self.step_up();
        self.step_ups.open.borrow_mut().retain(|asked| {
            let settled = which(asked);
            if settled {
                asked.outcome.set(Some(outcome));
                let mut done = self.step_ups.done.borrow_mut();
                if outcome && done.len() < MAX_DONE {
                    done.push(asked.step_up.clone());
                }
            }
            !settled
        });
        self.step_ups.settled.raise();
        // No two that are open are alike.
        match self.step_up() {
            after if after == before => {}
            Some(step_up) => self.tell(Event::StepUpNeeded(step_up)),
            None => self.tell(Event::StepUpSettled),
        }
    }
}
