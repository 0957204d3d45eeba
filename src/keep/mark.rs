//! A note that outlives the page: whether somebody is signed in in this browser, and what was learnt about the ways to stay so.
//!
//! It is a hint. It holds no token and nobody's name, and who loses it is signed out, no more.

use std::time::Duration;

use super::ports::Store;
use crate::{
    protocol::{Issuer, Json, StateDigest, UnixTime},
    session::{Ended, Presence},
};

/// How long a way that did not work is not tried again when a page is loaded.
pub const CLOSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The time between two redirects that nobody asked for.
pub const REDIRECT_AFTER: Duration = Duration::from_secs(5 * 60);

/// How long after a sign-out nobody is signed in again without asking for it.
pub const GRACE: Duration = Duration::from_secs(60);

/// What the keys of all notes begin with.
pub(crate) const PREFIX: &str = "tokenkeep.session.";

/// What is noted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mark {
    /// The line of refresh tokens of who is signed in.
    pub(crate) line: Option<String>,
    /// When the user signed out.
    pub(crate) signed_out: Option<UnixTime>,
    /// The limit that had passed then, if it was not the user's doing.
    pub(crate) limit: Option<Ended>,
    /// What the `state` of the last sign-out at the provider is remembered by.
    pub(crate) sign_out_state: Option<String>,
    /// What the `state` of the last sign-in that asks nobody is remembered by.
    pub(crate) silent_state: Option<String>,
    /// When a hidden frame did not work.
    pub(crate) frame_closed: Option<UnixTime>,
    /// When the window was redirected to renew a session.
    pub(crate) redirected: Option<UnixTime>,
}

impl Mark {
    pub(crate) fn key(issuer: &Issuer, client_id: &str) -> String {
        [PREFIX, &name(issuer, client_id)].concat()
    }

    pub(crate) fn read(store: &dyn Store, key: &str) -> Mark {
        let record = record(store, key, 1000);
        let time = |name: &str| record.as_ref()?.get(name)?.as_number()?.floor().map(UnixTime::from_millis);
        let text = |name: &str| record.as_ref()?.text(name).map(str::to_owned);
        Mark {
            line: text("line"),
            sign_out_state: text("sign_out_state"),
            silent_state: text("silent_state"),
            signed_out: time("signed_out"),
            limit: match text("limit").as_deref() {
                Some("idle") => Some(Ended::Idle),
                Some("session_limit") => Some(Ended::SessionLimit),
                _ => None,
            },
            frame_closed: time("frame_closed"),
            redirected: time("redirected"),
        }
    }

    /// Notes it, as far as the browser stores anything.
    pub(crate) fn write(&self, store: &dyn Store, key: &str) {
        let text = |text: &Option<String>| text.as_ref().map(Json::from);
        let time = |time: Option<UnixTime>| time.map(|time| Json::from(time.as_millis()));
        let record = Json::object(vec![
            ("line", text(&self.line)),
            ("sign_out_state", text(&self.sign_out_state)),
            ("silent_state", text(&self.silent_state)),
            ("signed_out", time(self.signed_out)),
            ("limit", self.limit.map(|limit| if limit == Ended::Idle { "idle" } else { "session_limit" }.into())),
            ("frame_closed", time(self.frame_closed)),
            ("redirected", time(self.redirected)),
        ]);
        // What was noted before would be wrong.
        if *self == Mark::default() || store.write(key, &record.to_string()).is_err() {
            store.remove(key);
        }
    }
}

/// What is stored, if that is shorter than so many bytes.
fn record(store: &dyn Store, key: &str, bytes: usize) -> Option<Json> {
    let text = store.read(key).ok().flatten().filter(|text| text.len() < bytes)?;
    Json::parse(&text).ok()
}

/// When the user signed in and was active: where there are limits, a note of its own, because it is written often.
pub(crate) mod presence {
    use super::{Json, Presence, Store, UnixTime, record};

    pub(crate) fn key(mark_key: &str) -> String {
        [mark_key, ".active"].concat()
    }

    pub(crate) fn read(store: &dyn Store, key: &str) -> Presence {
        let record = record(store, key, 200);
        let time = |name: &str| record.as_ref()?.get(name)?.as_number()?.floor().map(UnixTime::from_millis);
        Presence { signed_in: time("signed_in"), active: time("active") }
    }

    pub(crate) fn write(presence: Presence, store: &dyn Store, key: &str) {
        let time = |time: Option<UnixTime>| time.map(|time| Json::from(time.as_millis()));
        let record = Json::object(vec![("signed_in", time(presence.signed_in)), ("active", time(presence.active))]);
        // What was noted before would be wrong.
        if store.write(key, &record.to_string()).is_err() {
            store.remove(key);
        }
    }
}

/// What stands for this client at this issuer where all clients of an origin share names.
pub(crate) fn name(issuer: &Issuer, client_id: &str) -> String {
    StateDigest::of(&[issuer.as_str(), " ", client_id].concat()).as_str().to_owned()
}
