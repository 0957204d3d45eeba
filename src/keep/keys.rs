//! The provider's keys: kept for a while, and read again, once a minute at most, when a token names one that is not among them.

use std::{cell::RefCell, rc::Rc, time::Duration};

use crate::protocol::{Jwks, UnixTime};

/// How long keys are kept. A key that the provider withdrew is accepted no longer than this.
pub const LIFE: Duration = Duration::from_secs(600);

/// The time between two readings for keys that are unknown.
pub const REREAD_AFTER: Duration = Duration::from_secs(60);

/// What was read last, and when.
#[derive(Default)]
pub(crate) struct KeyCache {
    read: RefCell<Option<(UnixTime, Rc<Jwks>)>>,
    reread: RefCell<Option<UnixTime>>,
}

impl KeyCache {
    pub(crate) fn current(&self, now: UnixTime) -> Option<Rc<Jwks>> {
        let read = self.read.borrow();
        read.as_ref().filter(|(at, _)| now.distance(*at) < LIFE).map(|(_, keys)| keys.clone())
    }

    pub(crate) fn store(&self, keys: &Rc<Jwks>, now: UnixTime) {
        *self.read.borrow_mut() = Some((now, keys.clone()));
    }

    /// Whether it is time to read again for an unknown key. Saying yes starts the next minute.
    pub(crate) fn may_reread(&self, now: UnixTime) -> bool {
        let mut reread = self.reread.borrow_mut();
        let allowed = reread.is_none_or(|at| now.since(at) >= REREAD_AFTER || at > now);
        if allowed {
            *reread = Some(now);
        }
        allowed
    }

    /// The keys could not be read: the minute has not begun.
    pub(crate) fn not_reread(&self) {
        self.reread.borrow_mut().take();
    }
}
