//! The life of a session: when it is renewed, by what, and when and why it ends. A pure machine.
//!
//! [`Life::step`] takes what happened and the time, and answers with what is to be done. It knows no token, no network and no tab:
//! whoever carries it out is in [`keep`](crate::keep).
//!
//! # Rules
//!
//! 1. A token lives from the moment its request was sent, on whichever of two clocks saw more time pass. So neither sleep nor a
//!    clock that is set makes it older than it looks.
//! 2. It is renewed when four fifths of its life are over, a minute before its end at the latest, and a little earlier by chance, so
//!    that tabs do not do it all at once. Not within three seconds of the last time, however short it lives.
//! 3. Nobody renews without having waited for its turn among the tabs, and then only if no other tab has done it meanwhile.
//! 4. Rungs are climbed in order, and each at most once: refresh token, another tab, hidden frame, redirect. One that is closed
//!    leads to the next, and so does one that is skipped, which is tried again with the whole way if nothing else led there.
//! 5. What was interrupted changes nothing: the whole way is tried again after a pause that doubles, up to five minutes, or that the
//!    provider asked for. The network's return and a user's look end the pause. So does a request that needs a token, unless the
//!    provider asked for the pause.
//! 6. Only the provider's refusal, a sign-out, another user, or the end of the last token when no rung is left end a session.
//! 7. No timer is longer than a minute: what is due is seen soon after a sleep.
//!
//! # States
//!
//! | stage | meaning |
//! | --- | --- |
//! | `Out` | nobody is signed in |
//! | `Resting` | there is a token, and it is good |
//! | `Queued` | it wants to be renewed, and other tabs may be at it |
//! | `Climbing` | this tab is renewing it, or looks for a session after a reload |
//! | `Waiting` | that was interrupted, and is tried again after a pause |
//! | `Stuck` | no rung is left: the user must sign in before the token ends |
//!
//! # Transitions
//!
//! | stage | input | stage | effects |
//! | --- | --- | --- | --- |
//! | `Out` | `Opened` | `Queued` | `Lock` |
//! | any | `SignedIn` | `Resting` | `Unlock`, `Wake` |
//! | `Resting` | `Woken`, `Alerted`; due | `Queued` | `Lock` |
//! | `Resting` | `Woken`, `Alerted`; not due | `Resting` | `Wake` |
//! | `Resting` | `Needed` | `Queued` | `Lock` |
//! | `Queued` | `Locked` | `Climbing` | `Climb` |
//! | other | `Locked` | same | `Unlock` |
//! | `Climbing` | `Fell(Closed)`, `Fell(Skipped)`; a rung is left | `Climbing` | `Climb` |
//! | `Climbing` | the same, none is, one was skipped, there is a token | `Waiting` | `Unlock`, `Wake` |
//! | `Climbing` | `Fell(Closed)`, none is, token lives | `Stuck` | `Unlock`, `SignInNeeded`, `Wake` |
//! | `Climbing` | `Fell(Closed)`, none is, token ended | `Out` | `Unlock`, `SignInNeeded`, `End` |
//! | `Climbing` | `Fell(Closed)`, none is, there was no token | `Out` | `Unlock`, `Settled` |
//! | `Climbing` | `Fell(Interrupted)` | `Waiting` | `Unlock`, `Settled` if there was no token, `Wake` |
//! | `Climbing` | `Fell(Over)` | `Out` | `Unlock`, `End` |
//! | `Waiting` | `Woken` after the pause, `Alerted` after a breath, `Needed` after what was asked for | `Queued` | `Lock` |
//! | `Stuck` | `Woken`, `Alerted`; token ended | `Out` | `End` |
//! | any | `Ended` | `Out` | `Unlock`, `End` |
//!
//! What is not in the table changes nothing.

use std::{fmt, time::Duration};

use crate::protocol::Moment;

/// The longest timer.
pub const LONGEST_TIMER: Duration = Duration::from_secs(60);
/// A token is renewed so long before its end at the latest.
pub const EARLY: Duration = Duration::from_secs(60);
/// The time between two renewals that nobody asked for.
pub const SHORTEST_PERIOD: Duration = Duration::from_secs(3);
/// However short a token lives, it is good for so long.
pub const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// The first pause after an interruption. Each next one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, unless the provider asks for more.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The longest pause that a provider may ask for.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// How soon after an interruption, or after a token that an API refuses, somebody may ask again.
pub const BREATH: Duration = Duration::from_secs(2);

/// A way to a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The refresh token.
    RefreshToken,
    /// Another tab that is signed in.
    Tab,
    /// `prompt=none` in a hidden frame.
    Frame,
    /// `prompt=none` in the whole window: the page is left, and comes back.
    Redirect,
}

impl Rung {
    const ALL: [Rung; 4] = [Rung::RefreshToken, Rung::Tab, Rung::Frame, Rung::Redirect];

    fn bit(self) -> u8 {
        match self {
            Rung::RefreshToken => 1,
            Rung::Tab => 2,
            Rung::Frame => 4,
            Rung::Redirect => 8,
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rung::RefreshToken => "refresh token",
            Rung::Tab => "another tab",
            Rung::Frame => "hidden frame",
            Rung::Redirect => "redirect",
        })
    }
}

/// Some rungs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rungs(u8);

impl Rungs {
    /// These.
    pub fn of(rungs: &[Rung]) -> Rungs {
        Rungs(rungs.iter().fold(0, |bits, rung| bits | rung.bit()))
    }

    /// Whether it is among them.
    pub fn contains(self, rung: Rung) -> bool {
        self.0 & rung.bit() != 0
    }

    fn without(self, rung: Rung) -> Rungs {
        Rungs(self.0 & !rung.bit())
    }

    fn first(self) -> Option<Rung> {
        Rung::ALL.into_iter().find(|rung| self.contains(*rung))
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The last token ended, and there was no way to a new one.
    Expired,
    /// The provider says that the refresh token is worth nothing: `invalid_grant`.
    Rejected,
    /// The user signed out here.
    SignedOut,
    /// The user signed out at the provider, which told us.
    SignedOutAtProvider,
    /// The user signed out in another tab.
    SignedOutElsewhere,
    /// Another user signed in, in another tab or at the provider.
    UserChanged,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ended::Expired => "the last token ended, and there was no way to a new one",
            Ended::Rejected => "the provider refused the refresh token",
            Ended::SignedOut => "the user signed out",
            Ended::SignedOutAtProvider => "the user signed out at the provider",
            Ended::SignedOutElsewhere => "the user signed out in another tab",
            Ended::UserChanged => "another user signed in",
        })
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The network is back, the page is seen again, or it came out of the back/forward cache.
    Alerted,
    /// The session is over.
    Ended(Ended),
    /// The rung that was climbed did not lead to a token.
    Fell(Fall),
    /// It is this tab's turn.
    Locked,
    /// Somebody wants to call an API, and the token is too old, or the API refused it.
    Needed,
    /// The page was loaded in a browser where somebody was signed in. These rungs are there.
    Opened(Rungs),
    /// There is a token, by whatever way.
    SignedIn {
        /// When it was asked for.
        since: Moment,
        /// How long it lives, if that is known.
        lifetime: Option<Duration>,
        /// Which rungs there are to the next one.
        rungs: Rungs,
    },
    /// The timer went off.
    Woken,
}

/// Why a rung did not lead to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fall {
    /// It does not work, here or any more. Another one may.
    Closed,
    /// Something came in between, and nothing was changed.
    Interrupted {
        /// How long the provider wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The session is over.
    Over(Ended),
    /// It cannot be tried now. Another one may work; else all is tried again later.
    Skipped,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Try this rung.
    Climb(Rung),
    /// Forget the tokens, and say why.
    End(Ended),
    /// Wait for this tab's turn.
    Lock,
    /// Nobody was found to be signed in, for now.
    Settled,
    /// Say that the user must sign in.
    SignInNeeded,
    /// It is the next tab's turn.
    Unlock,
    /// Set the timer, in place of the one that was set before.
    Wake(Duration),
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Life {
    stage: Stage,
    lease: Option<Lease>,
    rungs: Rungs,
    interruptions: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    #[default]
    Out,
    Resting,
    Queued,
    Climbing {
        rung: Rung,
        left: Rungs,
    },
    Waiting {
        since: Moment,
        pause: Duration,
        /// How long somebody who needs a token must wait at least.
        breath: Duration,
    },
    Stuck,
}

/// How long a token is good, and when it is to be renewed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Lease {
    since: Moment,
    lifetime: Option<Duration>,
    renew_after: Option<Duration>,
}

impl Lease {
    fn new(since: Moment, lifetime: Option<Duration>, chance: Chance) -> Lease {
        let renew_after = lifetime.map(|lifetime| {
            let early = part(lifetime, 5).min(EARLY);
            let jitter = chance.of(part(lifetime, 10).min(part(EARLY, 2)));
            lifetime.saturating_sub(early).saturating_sub(jitter).max(SHORTEST_PERIOD)
        });
        Lease { since, lifetime, renew_after }
    }

    fn is_good(&self, now: Moment) -> bool {
        self.lifetime.is_none_or(|lifetime| now.since(self.since) < lifetime.max(SHORTEST_LIFE))
    }

    /// How long until the renewal is due.
    fn renewal_in(&self, now: Moment) -> Option<Duration> {
        self.renew_after.map(|after| after.saturating_sub(now.since(self.since)))
    }

    fn end_in(&self, now: Moment) -> Option<Duration> {
        self.lifetime.map(|lifetime| lifetime.max(SHORTEST_LIFE).saturating_sub(now.since(self.since)))
    }
}

/// Chance, from nothing to all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(pub u8);

impl Chance {
    /// So much of a span.
    pub fn of(self, span: Duration) -> Duration {
        part(span, 256).saturating_mul(u32::from(self.0))
    }
}

fn part(span: Duration, parts: u32) -> Duration {
    span.checked_div(parts).unwrap_or_default()
}

impl Life {
    /// Whether the token is good.
    pub fn is_good(&self, now: Moment) -> bool {
        self.lease.is_some_and(|lease| lease.is_good(now))
    }

    /// Whether a renewal is under way, or this tab waits for its turn.
    pub fn is_renewing(&self) -> bool {
        matches!(self.stage, Stage::Queued | Stage::Climbing { .. })
    }

    /// How long until all is tried again, if that was interrupted.
    pub fn pause(&self, now: Moment) -> Option<Duration> {
        if let Stage::Waiting { since, pause, .. } = self.stage { Some(pause.saturating_sub(now.since(since))) } else { None }
    }

    /// Whether nobody is signed in, and nobody looks whether somebody is.
    pub fn is_out(&self) -> bool {
        self.stage == Stage::Out
    }

    /// What follows from an input.
    #[must_use]
    pub fn step(self, input: Input, now: Moment, chance: Chance) -> (Life, Vec<Effect>) {
        let mut life = self;
        let effects = life.take(input, now, chance);
        (life, effects)
    }

    fn take(&mut self, input: Input, now: Moment, chance: Chance) -> Vec<Effect> {
        match (self.stage, input) {
            (_, Input::SignedIn { since, lifetime, rungs }) => {
                let unlock = self.unlocked();
                *self = Life { stage: Stage::Resting, lease: Some(Lease::new(since, lifetime, chance)), rungs, interruptions: 0 };
                effects(&[unlock, self.wake(now)])
            }
            (Stage::Out, Input::Ended(_)) => vec![],
            (_, Input::Ended(reason)) => self.end(reason),
            (Stage::Out, Input::Opened(rungs)) => {
                *self = Life { rungs, ..Life::default() };
                self.queue()
            }
            (Stage::Resting, Input::Woken | Input::Alerted) => match self.lease.and_then(|lease| lease.renewal_in(now)) {
                Some(Duration::ZERO) => self.queue(),
                _ => effects(&[self.wake(now)]),
            },
            (Stage::Resting, Input::Needed) => {
                let young = self.lease.is_some_and(|lease| lease.is_good(now) && now.since(lease.since) < BREATH);
                if young { vec![] } else { self.queue() }
            }
            (Stage::Queued, Input::Locked) => self.climb(self.rungs, now, chance),
            (_, Input::Locked) => vec![Effect::Unlock],
            (Stage::Climbing { rung, left }, Input::Fell(Fall::Closed)) => {
                // Another tab may be signed in at any time; the others stay closed until there is a new token.
                if rung != Rung::Tab {
                    self.rungs = self.rungs.without(rung);
                }
                self.climb(left, now, chance)
            }
            (Stage::Climbing { left, .. }, Input::Fell(Fall::Skipped)) => self.climb(left, now, chance),
            (Stage::Climbing { .. }, Input::Fell(Fall::Interrupted { retry_after })) => self.wait(retry_after, now, chance),
            (Stage::Climbing { .. }, Input::Fell(Fall::Over(reason))) => self.end(reason),
            (Stage::Waiting { since, pause, .. }, Input::Woken) if now.since(since) >= pause => self.queue(),
            (Stage::Waiting { since, .. }, Input::Alerted) if now.since(since) >= BREATH => self.queue(),
            (Stage::Waiting { since, breath, .. }, Input::Needed) if now.since(since) >= breath => self.queue(),
            (Stage::Waiting { .. }, Input::Woken | Input::Alerted) => effects(&[self.wake(now)]),
            (Stage::Stuck, Input::Woken | Input::Alerted) if !self.is_good(now) => self.end(Ended::Expired),
            (Stage::Stuck, Input::Woken | Input::Alerted) => effects(&[self.wake(now)]),
            _ => vec![],
        }
    }

    fn queue(&mut self) -> Vec<Effect> {
        self.stage = Stage::Queued;
        vec![Effect::Lock]
    }

    /// Climbs the first of these rungs.
    fn climb(&mut self, rungs: Rungs, now: Moment, chance: Chance) -> Vec<Effect> {
        if let Some(rung) = rungs.first() {
            self.stage = Stage::Climbing { rung, left: rungs.without(rung) };
            return vec![Effect::Climb(rung)];
        }
        // What is not closed by now was skipped.
        if self.lease.is_some() && self.rungs.without(Rung::Tab) != Rungs::default() {
            return self.wait(None, now, chance);
        }
        match self.lease {
            None => {
                *self = Life::default();
                vec![Effect::Unlock, Effect::Settled]
            }
            Some(lease) if lease.is_good(now) => {
                self.stage = Stage::Stuck;
                effects(&[Some(Effect::Unlock), Some(Effect::SignInNeeded), self.wake(now)])
            }
            Some(_) => {
                *self = Life::default();
                vec![Effect::Unlock, Effect::SignInNeeded, Effect::End(Ended::Expired)]
            }
        }
    }

    /// Waits before all is tried again.
    fn wait(&mut self, retry_after: Option<Duration>, now: Moment, chance: Chance) -> Vec<Effect> {
        let doubled = FIRST_PAUSE.saturating_mul(1u32.checked_shl(self.interruptions).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        let pause = part(doubled, 2).saturating_add(chance.of(part(doubled, 2)));
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.interruptions = self.interruptions.saturating_add(1);
        self.stage = Stage::Waiting { since: now, pause: pause.saturating_add(asked), breath: asked.max(BREATH) };
        let settled = self.lease.is_none().then_some(Effect::Settled);
        effects(&[Some(Effect::Unlock), settled, self.wake(now)])
    }

    fn end(&mut self, reason: Ended) -> Vec<Effect> {
        let unlock = self.unlocked();
        *self = Life::default();
        effects(&[unlock, Some(Effect::End(reason))])
    }

    /// Gives the turn to the next tab, if it is this one's.
    fn unlocked(&self) -> Option<Effect> {
        matches!(self.stage, Stage::Climbing { .. }).then_some(Effect::Unlock)
    }

    /// The timer that the stage needs.
    fn wake(&self, now: Moment) -> Option<Effect> {
        let span = match self.stage {
            Stage::Resting => self.lease.and_then(|lease| lease.renewal_in(now)),
            Stage::Stuck => self.lease.and_then(|lease| lease.end_in(now)),
            Stage::Waiting { .. } => self.pause(now),
            Stage::Out | Stage::Queued | Stage::Climbing { .. } => None,
        };
        span.map(|span| Effect::Wake(span.min(LONGEST_TIMER)))
    }
}

fn effects(effects: &[Option<Effect>]) -> Vec<Effect> {
    effects.iter().flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::UnixTime;

    fn at(seconds: u64) -> Moment {
        Moment { wall: UnixTime::from_secs(1_000_000) + Duration::from_secs(seconds), steady: Duration::from_secs(seconds) }
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn step(life: &mut Life, input: Input, now: Moment) -> Vec<Effect> {
        let (next, effects) = life.step(input, now, Chance(0));
        *life = next;
        effects
    }

    fn signed_in(lifetime: u64, rungs: &[Rung]) -> Life {
        let mut life = Life::default();
        step(&mut life, Input::SignedIn { since: at(0), lifetime: Some(secs(lifetime)), rungs: Rungs::of(rungs) }, at(0));
        life
    }

    /// A life on its way up the ladder.
    fn climbing(lifetime: u64, now: u64, rungs: &[Rung]) -> Life {
        let mut life = signed_in(lifetime, rungs);
        assert_eq!(step(&mut life, Input::Woken, at(now)), [Effect::Lock]);
        step(&mut life, Input::Locked, at(now));
        life
    }

    const INTERRUPTED: Input = Input::Fell(Fall::Interrupted { retry_after: None });
    const CLOSED: Input = Input::Fell(Fall::Closed);

    #[test]
    fn a_token_is_renewed_early_and_no_timer_is_long() {
        for (lifetime, due) in [(5, 4), (300, 240), (3600, 3540), (86_400 * 365, 86_400 * 365 - 60), (1, 3), (0, 3)] {
            let mut life = signed_in(lifetime, &[Rung::RefreshToken]);
            assert_eq!(step(&mut life, Input::Woken, at(0)), [Effect::Wake(secs(due.min(60)))], "{lifetime}");
            assert!(matches!(step(&mut life, Input::Woken, at(due - 1))[..], [Effect::Wake(_)]), "{lifetime}");
            assert_eq!(step(&mut life, Input::Woken, at(due)), [Effect::Lock], "{lifetime}");
        }
    }

    #[test]
    fn chance_makes_it_earlier_and_never_later() {
        for chance in 0..=255 {
            let lease = Lease::new(at(0), Some(secs(300)), Chance(chance));
            let after = lease.renew_after.unwrap();
            assert!(after <= secs(240) && after > secs(209), "{after:?}");
        }
    }

    #[test]
    fn without_a_lifetime_only_a_refusal_renews() {
        let mut life = Life::default();
        let input = Input::SignedIn { since: at(0), lifetime: None, rungs: Rungs::of(&[Rung::RefreshToken]) };
        assert_eq!(step(&mut life, input, at(0)), []);
        assert_eq!(step(&mut life, Input::Alerted, at(1_000_000)), []);
        assert_eq!(step(&mut life, Input::Needed, at(1_000_000)), [Effect::Lock]);
    }

    #[test]
    fn a_token_that_was_just_issued_is_not_renewed_because_somebody_refuses_it() {
        let mut life = signed_in(300, &[Rung::RefreshToken]);
        assert_eq!(step(&mut life, Input::Needed, at(1)), []);
        assert_eq!(step(&mut life, Input::Needed, at(2)), [Effect::Lock]);
    }

    #[test]
    fn rungs_are_climbed_in_order_and_once() {
        let mut life = climbing(300, 240, &[Rung::Redirect, Rung::Frame, Rung::Tab, Rung::RefreshToken]);
        for rung in [Rung::Tab, Rung::Frame, Rung::Redirect] {
            assert_eq!(step(&mut life, CLOSED, at(241)), [Effect::Climb(rung)]);
        }
        assert_eq!(step(&mut life, CLOSED, at(242)), [Effect::Unlock, Effect::SignInNeeded, Effect::Wake(secs(58))]);
        assert!(life.is_good(at(299)) && !life.is_renewing());
        assert_eq!(step(&mut life, Input::Needed, at(250)), [], "nobody climbs what is closed");
        assert_eq!(step(&mut life, Input::Woken, at(300)), [Effect::End(Ended::Expired)]);
    }

    #[test]
    fn an_interruption_is_waited_out_with_longer_and_longer_pauses() {
        let mut life = climbing(300, 240, &[Rung::RefreshToken]);
        let mut now = 240;
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            // Without chance a pause is half as long as it can be.
            let effects = step(&mut life, INTERRUPTED, at(now));
            let half = Duration::from_secs(pause) / 2;
            assert_eq!(effects, [Effect::Unlock, Effect::Wake(half.min(LONGEST_TIMER))]);
            now += pause;
            assert_eq!(step(&mut life, Input::Woken, at(now)), [Effect::Lock]);
            assert_eq!(step(&mut life, Input::Locked, at(now)), [Effect::Climb(Rung::RefreshToken)]);
        }
        assert!(!life.is_out(), "the token has ended long ago, the session has not");
    }

    #[test]
    fn the_pause_ends_when_there_is_reason_to_hope_but_not_at_once() {
        let mut life = climbing(300, 240, &[Rung::RefreshToken]);
        step(&mut life, Input::Fell(Fall::Interrupted { retry_after: Some(secs(120)) }), at(240));
        assert!(matches!(step(&mut life, Input::Alerted, at(241))[..], [Effect::Wake(_)]));
        assert_eq!(step(&mut life, Input::Needed, at(359)), []);
        assert!(matches!(step(&mut life, Input::Woken, at(300))[..], [Effect::Wake(_)]), "the provider asked for 120 seconds");
        let mut patient = life;
        assert_eq!(step(&mut patient, Input::Needed, at(360)), [Effect::Lock]);
        assert_eq!(step(&mut life, Input::Alerted, at(300)), [Effect::Lock]);

        let mut life = climbing(300, 240, &[Rung::RefreshToken]);
        for _ in 0..9 {
            step(&mut life, INTERRUPTED, at(240));
            step(&mut life, Input::Woken, at(1000));
            step(&mut life, Input::Locked, at(1000));
        }
        step(&mut life, INTERRUPTED, at(1000));
        assert_eq!(step(&mut life, Input::Needed, at(1001)), []);
        assert_eq!(step(&mut life, Input::Needed, at(1002)), [Effect::Lock], "nobody asked for this pause");
    }

    #[test]
    fn a_rung_that_is_skipped_is_tried_again() {
        const SKIPPED: Input = Input::Fell(Fall::Skipped);
        let mut life = climbing(300, 240, &[Rung::RefreshToken, Rung::Tab, Rung::Frame]);
        assert_eq!(step(&mut life, SKIPPED, at(241)), [Effect::Climb(Rung::Tab)]);
        assert_eq!(step(&mut life, CLOSED, at(241)), [Effect::Climb(Rung::Frame)]);
        assert!(matches!(step(&mut life, CLOSED, at(242))[..], [Effect::Unlock, Effect::Wake(_)]));
        assert_eq!(step(&mut life, Input::Woken, at(400)), [Effect::Lock]);
        assert_eq!(step(&mut life, Input::Locked, at(400)), [Effect::Climb(Rung::RefreshToken)]);
        assert_eq!(step(&mut life, CLOSED, at(400)), [Effect::Climb(Rung::Tab)], "what is closed stays closed");
        assert_eq!(step(&mut life, CLOSED, at(400)), [Effect::Unlock, Effect::SignInNeeded, Effect::End(Ended::Expired)]);
    }

    #[test]
    fn what_a_provider_asks_for_is_capped() {
        let mut life = climbing(300, 240, &[Rung::RefreshToken]);
        step(&mut life, Input::Fell(Fall::Interrupted { retry_after: Some(Duration::MAX) }), at(240));
        assert_eq!(step(&mut life, Input::Woken, at(240 + 3601)), [Effect::Lock]);
    }

    #[test]
    fn whoever_waited_for_its_turn_in_vain_gives_it_back() {
        let mut life = signed_in(300, &[Rung::RefreshToken]);
        step(&mut life, Input::Woken, at(240));
        let again = Input::SignedIn { since: at(241), lifetime: Some(secs(300)), rungs: Rungs::default() };
        assert_eq!(step(&mut life, again, at(241)), [Effect::Wake(secs(60))], "another tab did it");
        assert_eq!(step(&mut life, Input::Locked, at(242)), [Effect::Unlock]);
    }

    #[test]
    fn a_page_that_finds_no_session_says_so_and_no_more() {
        let mut life = Life::default();
        assert_eq!(step(&mut life, Input::Opened(Rungs::of(&[Rung::Tab])), at(0)), [Effect::Lock]);
        assert_eq!(step(&mut life, Input::Locked, at(0)), [Effect::Climb(Rung::Tab)]);
        assert_eq!(step(&mut life, CLOSED, at(1)), [Effect::Unlock, Effect::Settled]);
        assert!(life.is_out());
    }

    #[test]
    fn nothing_moves_who_is_out() {
        for input in [Input::Alerted, Input::Woken, Input::Needed, CLOSED, INTERRUPTED, Input::Ended(Ended::SignedOut)] {
            assert_eq!(Life::default().step(input, at(5), Chance(9)), (Life::default(), vec![]));
        }
    }

    #[test]
    fn the_end_comes_once() {
        let mut life = climbing(300, 240, &[Rung::RefreshToken]);
        let over = Input::Fell(Fall::Over(Ended::Rejected));
        assert_eq!(step(&mut life, over, at(241)), [Effect::Unlock, Effect::End(Ended::Rejected)]);
        assert_eq!(step(&mut life, over, at(241)), []);
    }
}
