//! Whether the user is still signed in at the provider
//! ([OpenID Connect Session Management 1.0](https://openid.net/specs/openid-connect-session-1_0.html)): what follows from what the provider's
//! frame says. A pure machine.
//!
//! The page asks the provider's frame (`check_session_iframe`) every few seconds whether what the provider remembers of the session
//! (`session_state`) is as it was. Whoever carries out what follows is in [`keep`](crate::keep); the page's part is `pkg/op-iframe.js`.
//!
//! | input | effect |
//! | --- | --- |
//! | `unchanged` | `Watch` |
//! | `changed` | `Ask`, once and not for each page; `Stop` after [`QUESTIONS`] without `unchanged` in between |
//! | `error`, no answer, a frame that the page forbids, nothing to ask with | `Stop` |
//! | answered: the same user | `Watch` |
//! | answered: nobody, and `unchanged` was heard before | `End` |
//! | answered: nobody, but never `unchanged` | `Stop`: a browser that keeps its storage from the frame keeps it from the question, too |
//! | anything after `Stop` | `Nothing` |

use std::fmt;

/// So many questions without `unchanged` in between, and no more.
pub const QUESTIONS: u8 = 3;

/// A longer `session_state` is none, in bytes.
pub const MAX_SESSION_STATE: usize = 1024;

/// `session_state` as it may be posted to the provider's frame: visible characters, and no space
/// ([§2](https://openid.net/specs/openid-connect-session-1_0.html#CreatingUpdatingSessions)).
pub fn session_state(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty() && text.len() <= MAX_SESSION_STATE && text.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// What the page says of the provider's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet: the page begins to watch, or somebody signed in.
    Begun,
    /// The page's own policy forbids the frame.
    Blocked,
    /// `changed`.
    Changed,
    /// `error`.
    Error,
    /// It did not answer in time.
    Silent,
    /// `unchanged`. Said once, until something else was.
    Unchanged,
}

impl Said {
    /// By the name that it has between a page and its keep.
    pub fn from_name(name: &str) -> Option<Said> {
        Some(match name {
            "begun" => Said::Begun,
            "blocked" => Said::Blocked,
            "changed" => Said::Changed,
            "error" => Said::Error,
            "silent" => Said::Silent,
            "unchanged" => Said::Unchanged,
            _ => return None,
        })
    }

    /// That name.
    pub fn name(self) -> &'static str {
        match self {
            Said::Begun => "begun",
            Said::Blocked => "blocked",
            Said::Changed => "changed",
            Said::Error => "error",
            Said::Silent => "silent",
            Said::Unchanged => "unchanged",
        }
    }
}

/// Why a session is not watched any more, or not at all. It goes on all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorStopped {
    /// The frame says `changed` again and again although nothing has, as when the browser keeps its storage from it.
    AlwaysChanged,
    /// The frame answered `error`.
    Error,
    /// The page's Content-Security-Policy forbids the frame.
    FrameBlocked,
    /// The frame does not answer.
    NoAnswer,
    /// The provider sent no `session_state`, or one that cannot be posted.
    NoSessionState,
    /// The provider has no `check_session_iframe`.
    NotOffered,
}

impl fmt::Display for MonitorStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MonitorStopped::AlwaysChanged => "its frame always says that something changed, as when the browser keeps its storage from it",
            MonitorStopped::Error => "its frame answered with an error",
            MonitorStopped::FrameBlocked => "this page's Content-Security-Policy (`frame-src`) forbids its frame",
            MonitorStopped::NoAnswer => "its frame does not answer",
            MonitorStopped::NoSessionState => "it sent no session_state that can be used",
            MonitorStopped::NotOffered => "it has no check_session_iframe",
        })
    }
}

/// What the question was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Something came in between. Nothing is known.
    Interrupted,
    /// The provider says no.
    Nobody,
    /// The same user is still there.
    SameUser,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// An answer to the question.
    Answered(Answered),
    /// The page says this.
    Said(Said),
    /// There is nothing to ask with.
    Unfit(MonitorStopped),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the provider without showing anything (`prompt=none`).
    Ask,
    /// The session is over.
    End,
    /// Nothing, not even to watch.
    Nothing,
    /// Watch no more, and say why.
    Stop(MonitorStopped),
    /// Watch, or go on with it.
    Watch,
}

/// How far the watching of one session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckSession {
    /// The frame said `unchanged`: it can read what it stored.
    heard: bool,
    questions: u8,
    stopped: Option<MonitorStopped>,
}

impl CheckSession {
    /// Why it stopped, if it did.
    pub fn stopped(&self) -> Option<MonitorStopped> {
        self.stopped
    }

    /// What follows from an input.
    #[must_use]
    pub fn step(self, input: Input) -> (CheckSession, Effect) {
        let watch = |next| (next, Effect::Watch);
        let stop = |why| (CheckSession { stopped: Some(why), ..self }, Effect::Stop(why));
        match input {
            _ if self.stopped.is_some() => (self, Effect::Nothing),
            Input::Said(Said::Begun) => watch(self),
            Input::Said(Said::Unchanged) => watch(CheckSession { heard: true, questions: 0, stopped: None }),
            Input::Said(Said::Changed) if self.questions < QUESTIONS => {
                (CheckSession { questions: self.questions.saturating_add(1), ..self }, Effect::Ask)
            }
            Input::Said(Said::Changed) => stop(MonitorStopped::AlwaysChanged),
            Input::Said(Said::Error) => stop(MonitorStopped::Error),
            Input::Said(Said::Silent) => stop(MonitorStopped::NoAnswer),
            Input::Said(Said::Blocked) => stop(MonitorStopped::FrameBlocked),
            Input::Unfit(why) => stop(why),
            Input::Answered(Answered::SameUser | Answered::Interrupted) => watch(self),
            Input::Answered(Answered::Nobody) if self.heard => (self, Effect::End),
            Input::Answered(Answered::Nobody) => stop(MonitorStopped::AlwaysChanged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_posted_is_short_visible_and_has_no_space() {
        let (longest, longer) = ("x".repeat(MAX_SESSION_STATE), "x".repeat(MAX_SESSION_STATE + 1));
        for good in ["a.b", "4a7b~!", &*longest] {
            assert_eq!(session_state(good), Some(good));
        }
        for bad in ["", " ", "a b", "a b.c", "a\u{a0}b", "a\n", "a\u{0}", "ä", &*longer] {
            assert_eq!(session_state(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_has_stopped_does_nothing_any_more() {
        for why in [Said::Error, Said::Silent, Said::Blocked] {
            let (machine, effect) = CheckSession::default().step(Input::Said(why));
            assert_eq!(Effect::Stop(machine.stopped().unwrap()), effect);
            for said in [Said::Begun, Said::Blocked, Said::Changed, Said::Error, Said::Silent, Said::Unchanged] {
                assert_eq!(machine.step(Input::Said(said)), (machine, Effect::Nothing), "{said:?} after {why:?}");
                assert_eq!(Said::from_name(said.name()), Some(said));
            }
        }
    }
}
