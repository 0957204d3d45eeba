//! The tokens of a session, and how they go from one tab to another.

use std::{fmt, time::Duration};

use super::Session;
#[cfg(feature = "check-session")]
use crate::protocol::check_session;
use crate::{
    protocol::{Access, Granted, Json, Lifetime, Moment, Scope, Secret, UnixTime},
    session::{Presence, SHORTEST_LIFE},
};

/// The tokens of a session.
pub(crate) struct Tokens {
    pub(crate) line: Line,
    /// For what the user agreed to, first; then for what was asked for since.
    pub(crate) access: Vec<AccessToken>,
    pub(crate) id_token: Option<Secret<String>>,
    pub(crate) nonce: Option<Secret<String>>,
    #[cfg(feature = "check-session")]
    pub(crate) session_state: Option<String>,
    pub(crate) session: Session,
    /// What another tab that handed them over knew of the user.
    pub(crate) presence: Presence,
}

/// The line of refresh tokens that began with a sign-in: each is presented once, and followed by the next.
pub(crate) struct Line {
    /// Random, and no secret.
    pub(crate) name: String,
    /// The latest one, if there is any.
    pub(crate) refresh_token: Option<Secret<String>>,
    /// Its number in the line, from 1.
    pub(crate) number: u64,
    /// How often the line was renewed: more often than there were refresh tokens, if one may be presented again.
    pub(crate) renewals: u64,
    /// It was presented, and what came of it is not known.
    pub(crate) spent: bool,
    /// The journal knows the line.
    pub(crate) noted: bool,
    /// Other tabs may have it too.
    pub(crate) shared: bool,
}

/// An access token, and what it was asked for.
pub(crate) struct AccessToken {
    pub(crate) access: Access,
    pub(crate) token: Secret<String>,
    pub(crate) scope: Scope,
    /// What it may do in detail.
    pub(crate) details: Vec<Json>,
    /// When it was asked for.
    pub(crate) since: Moment,
    /// How long it lives from then on.
    pub(crate) lifetime: Option<Duration>,
}

impl AccessToken {
    pub(crate) fn new(access: Access, granted: Granted, since: Moment) -> AccessToken {
        let Granted { access_token: token, scope, authorization_details: details, lifetime, .. } = granted;
        AccessToken { access, token, scope, details, since, lifetime: lifetime.map(Lifetime::duration) }
    }

    pub(crate) fn is_good(&self, now: Moment) -> bool {
        self.lifetime.is_none_or(|lifetime| now.since(self.since) < lifetime.max(SHORTEST_LIFE))
    }

    /// When it ends, on the wall clock.
    pub(crate) fn expires(&self) -> Option<UnixTime> {
        self.lifetime.map(|lifetime| self.since.wall + lifetime)
    }
}

impl Tokens {
    /// The token for what the user agreed to.
    pub(crate) fn main(&self) -> Option<&AccessToken> {
        self.access.first()
    }

    pub(crate) fn find(&self, access: &Access) -> Option<&AccessToken> {
        self.access.iter().find(|token| token.access == *access)
    }

    /// Puts a token in the place of the one before it for the same access.
    pub(crate) fn put(&mut self, token: AccessToken) {
        match self.access.iter_mut().find(|old| old.access == token.access) {
            Some(old) => *old = token,
            None => self.access.push(token),
        }
    }

    /// As text, for another tab. What is said of times is what is left, because no other tab has this one's clocks.
    pub(crate) fn to_text(&self, now: Moment, presence: Presence) -> Secret<String> {
        let millis = |span: Duration| Json::from(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let secret = |secret: &Option<Secret<String>>| secret.as_ref().map(|secret| Json::from(secret.expose()));
        let access = self.access.iter().map(|token| {
            Json::object(vec![
                ("token", Some(token.token.expose().into())),
                ("granted", Some((&token.scope.to_string()).into())),
                ("details", (!token.details.is_empty()).then(|| Json::Array(token.details.clone()))),
                ("scope", Some((&token.access.scope).into())),
                ("resources", Some((&*token.access.resources).into())),
                ("audiences", token.access.exchanged_for.as_deref().map(Json::from)),
                ("left", token.lifetime.map(|lifetime| millis(lifetime.saturating_sub(now.since(token.since))))),
            ])
        });
        let document = Json::object(vec![
            ("line", Some((&self.line.name).into())),
            ("number", Some(self.line.number.into())),
            ("renewals", Some(self.line.renewals.into())),
            ("refresh_token", secret(&self.line.refresh_token)),
            ("id_token", secret(&self.id_token)),
            ("nonce", secret(&self.nonce)),
            #[cfg(feature = "check-session")]
            ("session_state", self.session_state.as_ref().map(Json::from)),
            ("access", Some(Json::Array(access.collect()))),
            ("at", Some(now.wall.as_millis().into())),
            ("signed_in", presence.signed_in.map(|at| at.as_millis().into())),
            ("active", presence.active.map(|at| at.as_millis().into())),
        ]);
        Secret::new(document.to_string())
    }

    /// From another tab's text. Who is signed in is not known from it: its ID token must be verified first. What is not exactly such
    /// a text is nothing.
    pub(crate) fn from_text(text: &str, now: Moment, session: impl FnOnce(&AccessToken) -> Session) -> Option<Tokens> {
        let document = Json::parse(text).ok()?;
        let secret = |json: &Json, name: &str| json.text(name).filter(|text| fit(text)).map(Secret::copied);
        let number = |json: &Json, name: &str| json.get(name)?.as_number()?.floor();
        // What lay about is older by that.
        let under_way = now.wall.since(UnixTime::from_millis(number(&document, "at")?));
        let Json::Array(list) = document.get("access")? else { return None };
        let mut access = Vec::new();
        for token in list {
            let left = match token.get("left") {
                None => None,
                Some(_) => Some(Duration::from_millis(number(token, "left")?).saturating_sub(under_way).min(Lifetime::MAX.duration())),
            };
            // What has ended is not good for a moment longer.
            let ended = if left == Some(Duration::ZERO) { SHORTEST_LIFE } else { Duration::ZERO };
            access.push(AccessToken {
                access: Access {
                    resources: token.strings("resources").ok()??,
                    scope: token.text("scope").unwrap_or_default().to_owned(),
                    exchanged_for: token.strings("audiences").ok()?,
                },
                token: secret(token, "token")?,
                scope: Scope::parse(token.text("granted").unwrap_or_default()).ok()?,
                details: token.get("details").and_then(Json::as_array).unwrap_or_default().to_vec(),
                since: Moment { wall: now.wall.before(ended), steady: now.steady.saturating_sub(ended) },
                lifetime: left,
            });
        }
        let session = session(access.first()?);
        let time = |name| number(&document, name).map(UnixTime::from_millis);
        Some(Tokens {
            presence: Presence { signed_in: time("signed_in"), active: time("active") },
            line: Line {
                name: document.text("line").filter(|name| is_name(name))?.to_owned(),
                refresh_token: secret(&document, "refresh_token"),
                number: number(&document, "number")?,
                renewals: number(&document, "renewals")?,
                // If it was, the journal says so.
                spent: false,
                noted: true,
                shared: true,
            },
            access,
            id_token: secret(&document, "id_token"),
            nonce: secret(&document, "nonce"),
            #[cfg(feature = "check-session")]
            session_state: document.text("session_state").and_then(check_session::session_state).map(str::to_owned),
            session,
        })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

/// Whether a text may be the name of a line.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn fit(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
