//! Instants and spans, as different types: neither can be taken for the other.

use std::{fmt, ops::Add, time::Duration};

/// An instant on the wall clock, counted in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(u64);

impl UnixTime {
    /// From milliseconds since the epoch, as `Date.now()` counts.
    pub const fn from_millis(millis: u64) -> Self {
        UnixTime(millis)
    }

    /// From seconds since the epoch, as `NumericDate` counts (RFC 7519 §2). Absurdly late is the end of time.
    pub const fn from_secs(seconds: u64) -> Self {
        UnixTime(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: UnixTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// How far apart two instants are, whichever is first: a clock that was set back makes the past the future.
    pub fn distance(self, other: UnixTime) -> Duration {
        self.since(other).max(other.since(self))
    }

    /// The instant that is `span` before this one.
    pub fn before(self, span: Duration) -> Self {
        UnixTime(self.0.saturating_sub(millis(span)))
    }
}

impl Add<Duration> for UnixTime {
    type Output = UnixTime;

    fn add(self, span: Duration) -> UnixTime {
        UnixTime(self.0.saturating_add(millis(span)))
    }
}

impl Add<Lifetime> for UnixTime {
    type Output = UnixTime;

    fn add(self, lifetime: Lifetime) -> UnixTime {
        self + lifetime.0
    }
}

/// A reading of the two clocks of a device: the one on the wall, which may be set, and the steady one, which may stand still
/// while the device sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// What the wall clock shows.
    pub wall: UnixTime,
    /// How long the steady clock has been running.
    pub steady: Duration,
}

impl Moment {
    /// How much time has passed since an earlier moment, as far as either clock saw it.
    ///
    /// A wall clock that was set forward makes this too long, and a token is renewed once too early. One that was set back, and a
    /// device that slept, make it no shorter than it was.
    pub fn since(self, earlier: Moment) -> Duration {
        self.steady.saturating_sub(earlier.steady).max(self.wall.since(earlier.wall))
    }
}

/// How long a token lives, as its issuer said: `expires_in` (RFC 6749 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(Duration);

impl Lifetime {
    /// The longest lifetime that is believed: one year. Longer ones count as this one.
    pub const MAX: Lifetime = Lifetime(Duration::from_secs(365 * 24 * 60 * 60));

    /// From whole seconds, at most [`Lifetime::MAX`].
    pub fn from_secs(seconds: u64) -> Self {
        Lifetime(Duration::from_secs(seconds)).min(Lifetime::MAX)
    }

    /// The span.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// How the clock of this device differs from the provider's.
///
/// Reported in [`Misbehaved::ClockSkew`](super::Misbehaved::ClockSkew), and taken by
/// [`Config::clock_skew`](crate::Config::clock_skew) to make up for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSkew {
    /// This device's clock is fast by so much.
    Ahead(Duration),
    /// This device's clock is slow by so much.
    Behind(Duration),
}

impl ClockSkew {
    /// No difference.
    pub const NONE: ClockSkew = ClockSkew::Ahead(Duration::ZERO);

    /// The difference, in whole seconds, between what two clocks show at the same moment.
    pub fn between(ours: UnixTime, theirs: UnixTime) -> Self {
        let whole = |span: Duration| Duration::from_secs(span.as_secs());
        if ours >= theirs { ClockSkew::Ahead(whole(ours.since(theirs))) } else { ClockSkew::Behind(whole(theirs.since(ours))) }
    }

    /// What the provider's clock shows when ours shows `ours`.
    pub fn correct(self, ours: UnixTime) -> UnixTime {
        match self {
            ClockSkew::Ahead(by) => ours.before(by),
            ClockSkew::Behind(by) => ours + by,
        }
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockSkew::Ahead(by) => write!(f, "this device's clock is {} seconds fast", by.as_secs()),
            ClockSkew::Behind(by) => write!(f, "this device's clock is {} seconds slow", by.as_secs()),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overflows_at_the_end_of_time() {
        let end = UnixTime::from_secs(u64::MAX);
        assert_eq!(end + Duration::MAX, UnixTime::from_millis(u64::MAX));
        assert_eq!(UnixTime::default().before(Duration::MAX), UnixTime::default());
        assert_eq!(UnixTime::default().since(end), Duration::ZERO);
        assert_eq!(UnixTime::default().distance(end), end.distance(UnixTime::default()));
        assert_eq!(UnixTime::from_secs(7).distance(UnixTime::from_secs(10)), Duration::from_secs(3));
    }

    #[test]
    fn neither_sleep_nor_a_clock_that_is_set_back_makes_time_shorter() {
        let moment = |wall, steady| Moment { wall: UnixTime::from_secs(wall), steady: Duration::from_secs(steady) };
        let start = moment(1000, 50);
        assert_eq!(moment(1010, 60).since(start), Duration::from_secs(10));
        assert_eq!(moment(9000, 51).since(start), Duration::from_secs(8000), "the device slept");
        assert_eq!(moment(10, 60).since(start), Duration::from_secs(10), "the clock was set back");
        assert_eq!(start.since(moment(1010, 60)), Duration::ZERO);
    }

    #[test]
    fn a_lifetime_of_ages_is_a_year() {
        assert_eq!(Lifetime::from_secs(u64::MAX), Lifetime::MAX);
        assert_eq!(UnixTime::from_secs(10) + Lifetime::from_secs(5), UnixTime::from_secs(15));
    }
}
