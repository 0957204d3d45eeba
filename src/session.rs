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
//! 8. Where there are limits, a session ends when the user was active nowhere for too long, or signed in too long ago, whatever its
//!    tokens say. That is looked at before anything else that happens, so no call slips through after a sleep. Only the user's doing is
//!    activity: neither a call nor a renewal is. It counts from the last sign-in, which no renewal is either.
//! 9. What another tab, or the page before a reload, noted of the user has an age: as far as the wall clock is from it, before or after.
//!    From then on both clocks count. So a clock that is set makes a limit longer by that limit at most, and only where a page is loaded.
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
//! With limits ([`Limits`]) besides:
//!
//! | stage | input | stage | effects |
//! | --- | --- | --- | --- |
//! | `Out` | `Opened`; a limit has passed | `Out` | `End`, `Settled` |
//! | any | `SignedIn`; a limit has passed | `Out` | `Unlock`, `End` |
//! | any but `Out` | any; a limit has passed, and what is `Noted` does not say otherwise | `Out` | `Unlock`, `End` |
//! | any | `SignedIn`; nobody noted when the user was there | as above | `Note`, as above |
//! | any but `Out` | `Active`, not noted lately | same | `Note` |
//! | any but `Out` | `Active`, `Noted`; the user was warned, and need not be | same | `Note` if `Active`, `Active` |
//! | with a token | any; the end is near | as above | as above, `Warn` |
//! | any but `Out` | as above | as above | as above, `Wake` at the limit or the warning, if that is sooner |
//!
//! What is not in the tables changes nothing.

use std::{fmt, time::Duration};

use crate::protocol::{Moment, UnixTime};

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

/// Activity is noted once in so long at most.
pub const RHYTHM: Duration = Duration::from_secs(5);

/// How long a session may last, whatever its tokens say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// It ends when the user was active nowhere for so long.
    pub idle: Option<Duration>,
    /// The user is warned so long before that.
    pub warning: Duration,
    /// It ends so long after the user signed in.
    pub session: Option<Duration>,
}

impl Limits {
    /// Whether there are any. Without the feature there are none, and nothing is built that looks after them.
    pub fn are_set(&self) -> bool {
        cfg!(feature = "limits") && (self.idle.is_some() || self.session.is_some())
    }

    /// How often activity is noted at most; `None` if nobody asks for it. What is not noted makes a session shorter, not longer.
    pub fn rhythm(&self) -> Option<Duration> {
        let idle = self.idle?;
        Some(RHYTHM.min(part(idle, 12)).min(part(idle.saturating_sub(self.warning), 2)))
    }
}

/// What is noted of the user, for other tabs and for the page after a reload: two times on the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// When the user signed in.
    pub signed_in: Option<UnixTime>,
    /// When the user was last active.
    pub active: Option<UnixTime>,
}

/// A time that somebody noted, and its age.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Past {
    noted: UnixTime,
    ago: Duration,
    learnt: Moment,
}

impl Past {
    /// As another tab noted it. A clock that was set since makes the past the future.
    fn heard(noted: UnixTime, now: Moment) -> Past {
        Past { noted, ago: now.wall.distance(noted), learnt: now }
    }

    fn age(&self, now: Moment) -> Duration {
        self.ago.saturating_add(now.since(self.learnt))
    }

    fn is_newer(&self, other: Option<Past>, now: Moment) -> bool {
        other.is_none_or(|other| self.age(now) < other.age(now))
    }
}

/// What is known of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    signed_in: Option<Past>,
    active: Option<Past>,
    /// The last activity that was told to other tabs, or heard from them.
    shared: Option<Past>,
    warned: bool,
}

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
    /// The user was active nowhere for as long as is allowed.
    Idle,
    /// The provider says that the refresh token is worth nothing: `invalid_grant`.
    Rejected,
    /// The user signed in as long ago as is allowed.
    SessionLimit,
    /// The user signed out here.
    SignedOut,
    /// The user signed out at the provider, which told us.
    SignedOutAtProvider,
    /// The user signed out in another tab.
    SignedOutElsewhere,
    /// Another user signed in, in another tab or at the provider.
    UserChanged,
}

impl Ended {
    /// Whether it was one of the [`Limits`].
    pub fn is_limit(self) -> bool {
        cfg!(feature = "limits") && matches!(self, Ended::Idle | Ended::SessionLimit)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ended::Expired => "the last token ended, and there was no way to a new one",
            Ended::Idle => "the user was not active for too long",
            Ended::Rejected => "the provider refused the refresh token",
            Ended::SessionLimit => "the user signed in too long ago",
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
    /// The user is active in this tab, or was at this time.
    Active(UnixTime),
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
    /// What tabs noted of the user.
    Noted(Presence),
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
    /// Say that the user is active again.
    Active,
    /// Try this rung.
    Climb(Rung),
    /// Forget the tokens, and say why.
    End(Ended),
    /// Wait for this tab's turn.
    Lock,
    /// Note what is known of the user, and tell the other tabs.
    Note,
    /// Nobody was found to be signed in, for now.
    Settled,
    /// Say that the user must sign in.
    SignInNeeded,
    /// It is the next tab's turn.
    Unlock,
    /// Set the timer, in place of the one that was set before.
    Wake(Duration),
    /// Say that the session ends then unless the user is active.
    Warn(UnixTime),
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Life {
    stage: Stage,
    lease: Option<Lease>,
    rungs: Rungs,
    interruptions: u32,
    limits: Limits,
    seen: Seen,
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
    /// A life within limits.
    pub fn within(limits: Limits) -> Life {
        Life { limits, ..Life::default() }
    }

    /// What it must not go beyond.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What is known of the user.
    pub fn presence(&self) -> Presence {
        let noted = |past: Option<Past>| past.map(|past| past.noted);
        Presence { signed_in: noted(self.seen.signed_in), active: noted(self.seen.active) }
    }

    /// When the session ends unless the user is active, if the user was warned of that.
    pub fn idle_ends(&self, now: Moment) -> Option<UnixTime> {
        if !self.limits.are_set() {
            return None;
        }
        let left = self.idle_in(now).filter(|_| self.seen.warned)?;
        Some(now.wall + left)
    }

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
        let mut effects = life.take(input, now, chance);
        if self.limits.are_set() {
            life.watch(self, input, now, &mut effects);
        }
        (life, effects)
    }

    /// Looks after the limits: warns, and sees to it that there is a timer for them in every stage.
    fn watch(&mut self, before: Life, input: Input, now: Moment, effects: &mut Vec<Effect>) {
        let timer = effects.iter().any(|effect| matches!(effect, Effect::Wake(_)));
        effects.retain(|effect| !matches!(effect, Effect::Wake(_)));
        let near = self.idle_in(now).filter(|left| *left <= self.limits.warning && self.lease.is_some());
        if let (Some(left), false) = (near, self.seen.warned) {
            self.seen.warned = true;
            effects.push(Effect::Warn(now.wall + left));
        }
        if timer || input == Input::Woken || self.stage != before.stage || self.seen.warned != before.seen.warned {
            // Before a rung is climbed, which may fall at once and set a sooner one.
            let at = effects.iter().position(|effect| matches!(effect, Effect::Climb(_))).unwrap_or(effects.len());
            self.wake(now).into_iter().for_each(|wake| effects.insert(at, wake));
        }
    }

    fn take(&mut self, input: Input, now: Moment, chance: Chance) -> Vec<Effect> {
        let active = self.seen.active;
        if let Input::Noted(presence) = input
            && self.limits.are_set()
        {
            self.hear(presence, now);
        }
        match (self.stage, input) {
            (_, Input::SignedIn { since, lifetime, rungs }) => {
                let note = self.count_from(now);
                if let Some(reason) = self.over(now) {
                    return self.end(reason);
                }
                let unlock = self.unlocked();
                let lease = Some(Lease::new(since, lifetime, chance));
                *self = Life { stage: Stage::Resting, lease, rungs, interruptions: 0, ..*self };
                effects(&[note, unlock, self.wake(now)])
            }
            (Stage::Out, Input::Ended(_)) => vec![],
            (_, Input::Ended(reason)) => self.end(reason),
            (Stage::Out, Input::Opened(rungs)) => {
                if let Some(reason) = self.over(now) {
                    let end = self.end(reason);
                    return [end, vec![Effect::Settled]].concat();
                }
                *self = Life { rungs, ..*self };
                self.queue()
            }
            (Stage::Out, _) => {
                if input == Input::Locked {
                    vec![Effect::Unlock]
                } else {
                    vec![]
                }
            }
            _ if let Some(reason) = self.over(now) => self.end(reason),
            (_, Input::Active(_) | Input::Noted(_)) if !self.limits.are_set() => vec![],
            (_, Input::Active(at)) => self.activity(at, now),
            (_, Input::Noted(_)) => self.calm(active, now),
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
                *self = Life::within(self.limits);
                vec![Effect::Unlock, Effect::Settled]
            }
            Some(lease) if lease.is_good(now) => {
                self.stage = Stage::Stuck;
                effects(&[Some(Effect::Unlock), Some(Effect::SignInNeeded), self.wake(now)])
            }
            Some(_) => {
                *self = Life::within(self.limits);
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
        *self = Life::within(self.limits);
        effects(&[unlock, Some(Effect::End(reason))])
    }

    // Limits

    /// Which limit has passed.
    fn over(&self, now: Moment) -> Option<Ended> {
        if !self.limits.are_set() {
            return None;
        }
        let passed = |left: Option<Duration>| left == Some(Duration::ZERO);
        if passed(self.idle_in(now)) {
            return Some(Ended::Idle);
        }
        passed(self.session_in(now)).then_some(Ended::SessionLimit)
    }

    fn idle_in(&self, now: Moment) -> Option<Duration> {
        Some(self.limits.idle?.saturating_sub(self.seen.active?.age(now)))
    }

    fn session_in(&self, now: Moment) -> Option<Duration> {
        Some(self.limits.session?.saturating_sub(self.seen.signed_in?.age(now)))
    }

    /// How long until a limit has passed, or the user is to be warned.
    fn limit_in(&self, now: Moment) -> Option<Duration> {
        if !self.limits.are_set() {
            return None;
        }
        let warned = self.seen.warned || self.lease.is_none();
        let before = if warned { Duration::ZERO } else { self.limits.warning };
        let idle = self.idle_in(now).map(|left| left.saturating_sub(before));
        idle.into_iter().chain(self.session_in(now)).min()
    }

    /// Learns what tabs noted. What was known before is no older for a clock that was set meanwhile.
    fn hear(&mut self, presence: Presence, now: Moment) {
        let is_news = |noted: UnixTime, known: Option<Past>| known.is_none_or(|known| known.noted != noted);
        let seen = &mut self.seen;
        if let Some(noted) = presence.signed_in.filter(|noted| is_news(*noted, seen.signed_in)) {
            let heard = Past::heard(noted, now);
            if heard.is_newer(seen.signed_in, now) {
                seen.signed_in = Some(heard);
            }
        }
        if let Some(noted) = presence.active.filter(|noted| is_news(*noted, seen.shared)) {
            let heard = Past::heard(noted, now);
            seen.shared = Some(heard);
            if heard.is_newer(seen.active, now) {
                seen.active = Some(heard);
            }
        }
    }

    /// Where nobody noted when the user was there, it is now.
    fn count_from(&mut self, now: Moment) -> Option<Effect> {
        let limited = self.limits.are_set();
        let Seen { signed_in, active, shared, .. } = &mut self.seen;
        let unknown = limited && (signed_in.is_none() || active.is_none());
        if unknown {
            let past = Past::heard(now.wall, now);
            signed_in.get_or_insert(past);
            *shared = Some(*active.get_or_insert(past));
        }
        unknown.then_some(Effect::Note)
    }

    fn activity(&mut self, at: UnixTime, now: Moment) -> Vec<Effect> {
        // One that was said to be later than now was said by a clock that has been set.
        let active = Past { noted: at, ago: now.wall.since(at), learnt: now };
        let Some(rhythm) = self.limits.rhythm().filter(|_| active.is_newer(self.seen.active, now)) else { return vec![] };
        let before = self.seen.active.replace(active);
        let lately = self.seen.shared.is_some_and(|shared| shared.age(now) < rhythm);
        let note = (self.seen.warned || !lately).then_some(Effect::Note);
        if note.is_some() {
            self.seen.shared = Some(active);
        }
        [effects(&[note]), self.calm(before, now)].concat()
    }

    /// Takes a warning back if the user was active since. If it is due all the same, it is said anew, with the new end.
    fn calm(&mut self, before: Option<Past>, now: Moment) -> Vec<Effect> {
        if !self.seen.warned || self.seen.active == before {
            return vec![];
        }
        self.seen.warned = false;
        let far = self.idle_in(now).is_some_and(|left| left > self.limits.warning);
        effects(&[far.then_some(Effect::Active)])
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
            Stage::Out => return None,
            Stage::Queued | Stage::Climbing { .. } => None,
        };
        let span = span.into_iter().chain(self.limit_in(now)).min();
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

    #[cfg(feature = "limits")]
    mod limits {
        use super::*;

        /// A life with limits of 600 s without activity, 60 s of which are a warning, and of an hour in all, in which somebody signed in at 0.
        fn limited(rungs: &[Rung]) -> Life {
            let limits = Limits { idle: Some(secs(600)), warning: secs(60), session: Some(secs(3600)) };
            let mut life = Life::within(limits);
            assert_eq!(step(&mut life, noted(0, 0), at(0)), []);
            step(&mut life, Input::SignedIn { since: at(0), lifetime: Some(secs(7200)), rungs: Rungs::of(rungs) }, at(0));
            life
        }

        fn wall(seconds: u64) -> UnixTime {
            at(seconds).wall
        }

        fn noted(signed_in: u64, active: u64) -> Input {
            Input::Noted(Presence { signed_in: Some(wall(signed_in)), active: Some(wall(active)) })
        }

        fn active(seconds: u64) -> Input {
            Input::Active(wall(seconds))
        }

        #[test]
        fn who_is_idle_is_warned_and_then_out_and_no_timer_is_long() {
            let mut life = limited(&[Rung::RefreshToken]);
            let mut now = 0;
            let mut warned = None;
            loop {
                let effects = step(&mut life, Input::Woken, at(now));
                match effects[..] {
                    [Effect::Wake(span)] => now += span.as_secs(),
                    [Effect::Warn(ends), Effect::Wake(span)] => {
                        assert_eq!((warned.replace(now), ends, life.idle_ends(at(now))), (None, wall(600), Some(wall(600))));
                        now += span.as_secs();
                    }
                    [Effect::End(reason)] => {
                        assert_eq!((now, warned, reason), (600, Some(540), Ended::Idle));
                        break;
                    }
                    _ => panic!("{effects:?} at {now}"),
                }
            }
            assert!(life.is_out() && life.presence() == Presence::default());
            assert_eq!(step(&mut life, active(601), at(601)), [], "it stays ended");
            assert_eq!(step(&mut life, Input::Woken, at(601)), []);
        }

        #[test]
        fn activity_is_noted_but_not_each_time_and_puts_the_end_off() {
            let mut life = limited(&[]);
            assert_eq!(step(&mut life, active(100), at(100)), [Effect::Note]);
            assert_eq!(step(&mut life, active(104), at(104)), [], "that was noted a moment ago");
            assert_eq!(life.presence().active, Some(wall(104)), "and counts all the same");
            assert_eq!(step(&mut life, active(105), at(105)), [Effect::Note]);
            assert_eq!(step(&mut life, active(90), at(106)), [], "what was before is no news");
            assert!(matches!(step(&mut life, Input::Woken, at(644))[..], [Effect::Wake(_)]));
            assert!(matches!(step(&mut life, Input::Woken, at(645))[..], [Effect::Warn(_), Effect::Wake(_)]));
            assert_eq!(step(&mut life, Input::Woken, at(705)), [Effect::End(Ended::Idle)]);
        }

        #[test]
        fn a_warning_is_taken_back_by_whoever_is_active() {
            for (input, effects) in [(active(550), vec![Effect::Note, Effect::Active]), (noted(0, 550), vec![Effect::Active])] {
                let mut life = limited(&[]);
                assert!(step(&mut life, Input::Woken, at(545)).contains(&Effect::Warn(wall(600))));
                let told = step(&mut life, input, at(550));
                assert_eq!(told, [effects, vec![Effect::Wake(LONGEST_TIMER)]].concat());
                assert_eq!(life.idle_ends(at(550)), None);
                assert!(step(&mut life, Input::Woken, at(1095)).contains(&Effect::Warn(wall(1150))), "the next one comes in its time");
            }
            // What another tab did before this one was warned does not take it far enough.
            let mut life = limited(&[]);
            step(&mut life, Input::Woken, at(545));
            assert!(step(&mut life, noted(0, 3), at(550)).contains(&Effect::Warn(wall(603))), "the end is another one");
            assert!(!step(&mut life, noted(0, 3), at(551)).iter().any(|effect| matches!(effect, Effect::Warn(_))), "and is said once");
        }

        #[test]
        fn neither_a_call_nor_a_renewal_is_activity() {
            let mut life = limited(&[Rung::RefreshToken]);
            assert!(step(&mut life, Input::Needed, at(500)).starts_with(&[Effect::Lock]));
            step(&mut life, Input::Locked, at(501));
            let again = Input::SignedIn { since: at(501), lifetime: Some(secs(7200)), rungs: Rungs::default() };
            step(&mut life, again, at(502));
            assert_eq!(step(&mut life, Input::Alerted, at(600)), [Effect::End(Ended::Idle)]);
        }

        #[test]
        fn a_limit_is_looked_at_before_whatever_comes_first_after_a_sleep() {
            let input = [Input::Needed, Input::Woken, Input::Alerted, active(5000), Input::Noted(Presence::default()), Input::Locked];
            for input in input {
                let mut life = limited(&[Rung::RefreshToken]);
                // The steady clock stood still.
                let now = Moment { wall: wall(5000), steady: secs(10) };
                assert_eq!(step(&mut life, input, now), [Effect::End(Ended::Idle)], "{input:?}");
            }
        }

        #[test]
        fn a_limit_passes_in_every_stage() {
            let rungs = [Rung::RefreshToken, Rung::Frame];
            let queued = |life: &mut Life| drop(step(life, Input::Needed, at(10)));
            let climbing = |life: &mut Life| {
                queued(life);
                step(life, Input::Locked, at(10));
            };
            let waiting = |life: &mut Life| {
                climbing(life);
                step(life, Input::Fell(Fall::Interrupted { retry_after: Some(secs(1000)) }), at(10));
            };
            let stuck = |life: &mut Life| {
                climbing(life);
                step(life, CLOSED, at(10));
                step(life, CLOSED, at(10));
            };
            let stages: [&dyn Fn(&mut Life); 5] = [&|_| (), &queued, &climbing, &waiting, &stuck];
            for (number, stage) in stages.iter().enumerate() {
                let mut life = limited(&rungs);
                stage(&mut life);
                let mut now = 10;
                let effects = loop {
                    match step(&mut life, Input::Woken, at(now))[..] {
                        [.., Effect::Wake(span)] if now < 700 => now += span.as_secs().max(1),
                        ref effects => break effects.to_vec(),
                    }
                };
                let unlock = (number == 2).then_some(Effect::Unlock);
                assert_eq!((now, effects), (600, effects_of(unlock, Ended::Idle)), "stage {number}");
            }
        }

        #[test]
        fn a_rung_that_falls_at_once_keeps_its_timer() {
            let mut life = limited(&[Rung::RefreshToken, Rung::Redirect]);
            step(&mut life, Input::Needed, at(10));
            assert_eq!(step(&mut life, Input::Locked, at(10)), [Effect::Wake(LONGEST_TIMER), Effect::Climb(Rung::RefreshToken)]);
            assert_eq!(step(&mut life, CLOSED, at(10)), [Effect::Wake(LONGEST_TIMER), Effect::Climb(Rung::Redirect)]);
        }

        fn effects_of(unlock: Option<Effect>, reason: Ended) -> Vec<Effect> {
            unlock.into_iter().chain([Effect::End(reason)]).collect()
        }

        #[test]
        fn the_session_has_an_end_whatever_is_done() {
            let mut life = limited(&[Rung::RefreshToken]);
            for now in (60..3600).step_by(60) {
                step(&mut life, active(now), at(now));
                let again = Input::SignedIn { since: at(now), lifetime: Some(secs(90)), rungs: Rungs::of(&[Rung::RefreshToken]) };
                step(&mut life, again, at(now));
                assert!(!life.is_out(), "{now}");
            }
            step(&mut life, active(3599), at(3599));
            assert_eq!(step(&mut life, active(3600), at(3600)), [Effect::End(Ended::SessionLimit)]);
            // Who signed in anew, in whatever tab, has a whole one.
            let mut life = limited(&[]);
            step(&mut life, noted(3000, 3000), at(3001));
            assert!(step(&mut life, noted(3000, 6590), at(6590)).iter().all(|effect| !matches!(effect, Effect::End(_))));
            assert_eq!(step(&mut life, Input::Woken, at(6600)), [Effect::End(Ended::SessionLimit)]);
        }

        #[test]
        fn what_was_noted_before_a_reload_counts_and_what_is_over_is_not_looked_for() {
            let limits = limited(&[]).limits();
            let rungs = Input::Opened(Rungs::of(&[Rung::Frame]));
            let page = |seconds: u64| Moment { wall: wall(seconds), steady: secs(1) };
            for (now, expected) in
                [(599, vec![Effect::Lock, Effect::Wake(secs(1))]), (600, vec![Effect::End(Ended::Idle), Effect::Settled])]
            {
                let mut life = Life::within(limits);
                assert_eq!(step(&mut life, noted(0, 0), page(now)), []);
                assert_eq!(step(&mut life, rungs, page(now)), expected, "{now}");
            }
            let mut life = Life::within(limits);
            step(&mut life, noted(0, 3590), page(3600));
            assert_eq!(step(&mut life, rungs, page(3600)), [Effect::End(Ended::SessionLimit), Effect::Settled]);
            // It may pass while somebody looks.
            let mut life = Life::within(limits);
            step(&mut life, noted(0, 0), page(599));
            step(&mut life, rungs, page(599));
            step(&mut life, Input::Locked, page(599));
            let found = Input::SignedIn { since: page(599), lifetime: None, rungs: Rungs::default() };
            let later = Moment { wall: wall(601), steady: secs(3) };
            assert_eq!(step(&mut life, found, later), [Effect::Unlock, Effect::End(Ended::Idle)]);
            // Where nobody noted anything it counts from now.
            let mut life = Life::within(limits);
            let found = Input::SignedIn { since: at(50), lifetime: None, rungs: Rungs::default() };
            assert_eq!(step(&mut life, found, at(50)), [Effect::Note, Effect::Wake(LONGEST_TIMER)]);
            assert_eq!(life.presence(), Presence { signed_in: Some(wall(50)), active: Some(wall(50)) });
        }

        #[test]
        fn a_clock_that_is_set_back_makes_nothing_longer_in_an_open_page() {
            let mut life = limited(&[]);
            let set_back = |steady: u64| Moment { wall: wall(0), steady: secs(steady) };
            // As often as it is: what was noted is known, and says nothing new.
            for steady in [100, 300, 500] {
                assert!(!step(&mut life, noted(0, 0), set_back(steady)).iter().any(|effect| matches!(effect, Effect::End(_))));
            }
            assert_eq!(step(&mut life, noted(0, 0), set_back(600)), [Effect::End(Ended::Idle)]);
            // By the clock that was set back another tab's activity is before this one's, and counts.
            let mut life = limited(&[]);
            step(&mut life, active(550), at(550));
            let now = Moment { wall: wall(100), steady: secs(1000) };
            step(&mut life, noted(0, 95), now);
            assert!(!life.is_out());
            assert_eq!(step(&mut life, Input::Woken, Moment { wall: wall(694), steady: secs(1594) })[..1], [Effect::Warn(wall(695))]);
            // What is said to be far in the future makes nothing longer.
            let mut life = limited(&[]);
            step(&mut life, Input::Noted(Presence { signed_in: None, active: Some(UnixTime::from_millis(u64::MAX)) }), at(599));
            assert_eq!(step(&mut life, Input::Woken, at(600)), [Effect::End(Ended::Idle)]);
        }

        #[test]
        fn a_clock_that_is_set_forward_is_time_that_has_passed() {
            let mut life = limited(&[]);
            let now = Moment { wall: wall(86_400), steady: secs(5) };
            assert_eq!(step(&mut life, active(86_400), now), [Effect::End(Ended::Idle)]);
        }

        #[test]
        fn activity_is_noted_as_often_as_the_limit_needs() {
            let rhythm = |idle, warning| Limits { idle: Some(idle), warning, session: None }.rhythm();
            assert_eq!(rhythm(secs(900), secs(60)), Some(RHYTHM));
            assert_eq!(rhythm(secs(12), secs(4)), Some(secs(1)));
            assert_eq!(rhythm(secs(61), secs(60)), Some(Duration::from_millis(500)), "in time for the next warning");
            assert_eq!(Limits { idle: None, warning: secs(60), session: Some(secs(60)) }.rhythm(), None);
        }

        #[test]
        fn without_limits_nothing_of_it_is() {
            let mut life = signed_in(300, &[]);
            for input in [active(10), noted(0, 5), Input::Noted(Presence::default())] {
                assert_eq!(step(&mut life, input, at(10)), []);
            }
            assert!(matches!(step(&mut life, Input::Woken, at(100))[..], [Effect::Wake(_)]));
            assert_eq!(life.idle_ends(at(100)), None);
        }
    }
}
