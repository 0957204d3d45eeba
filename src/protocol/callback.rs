//! The authorization response: from the address bar to a code that belongs to one pending login
//! ([RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2), [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).

use super::{
    authorize::{PendingLogin, ResponseMode, StateDigest},
    error::{Error, Misbehaved, ProviderError},
    form::{self, Malformed, Pair},
    secret::Secret,
    time::UnixTime,
};

/// A longer callback URL is not read, in bytes.
pub const MAX_CALLBACK: usize = 64 * 1024;

/// Parameters that belong to a response and leave the address bar.
const RESPONSE: &[&str] = &[
    "access_token",
    "code",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "id_token",
    "iss",
    "response",
    "session_state",
    "state",
    "token_type",
];

/// A response as it arrived, not yet compared with anything.
#[derive(Debug)]
pub struct Callback {
    mode: ResponseMode,
    arrived_at: String,
    parameters: Vec<(&'static str, Result<Secret<String>, Malformed>)>,
    oversized: bool,
}

impl Callback {
    /// Reads an address: `None` when it is not this redirect URI, or carries no response.
    ///
    /// The app's own parameters are no response: only `code`, `error`, `response` or a token makes one, or a `state` beside them.
    pub fn read(address: &str, redirect_uri: &str) -> Option<Callback> {
        let parts = Parts::of(address);
        if !parts.is_at(redirect_uri) {
            return None;
        }
        if address.len() > MAX_CALLBACK {
            return Some(Callback {
                mode: ResponseMode::Query,
                arrived_at: redirect_uri.to_owned(),
                parameters: Vec::new(),
                oversized: true,
            });
        }
        let collect = |form| {
            let mut ours = Vec::new();
            for pair in form::pairs(form) {
                if let Some(name) = response_parameter(pair) {
                    ours.push((name, form::decode(pair.value).map(Secret::new)));
                }
            }
            ours
        };
        let is_response = |parameters: &[(&str, _)]| {
            parameters.iter().any(|(name, _)| matches!(*name, "access_token" | "code" | "error" | "id_token" | "response"))
        };
        let (mut query, mut fragment) = (collect(parts.query), collect(parts.fragment_form()));
        let (in_query, in_fragment) = (is_response(&query), is_response(&fragment));
        let mode = match (in_query, in_fragment) {
            (false, false) => return None,
            (true, _) => ResponseMode::Query,
            (false, true) => ResponseMode::Fragment,
        };
        // Whatever else the other place holds is looked at too: a code in the query and a token in the fragment are one response.
        if in_fragment {
            query.append(&mut fragment);
        }
        Some(Callback { mode, arrived_at: redirect_uri.to_owned(), parameters: query, oversized: false })
    }

    /// The address without the response: what the address bar shall show. The app's own query and hash stay as they are.
    pub fn scrub(address: &str) -> String {
        let parts = Parts::of(address);
        if address.len() > MAX_CALLBACK {
            return parts.base.to_owned();
        }
        let keep = |form: &str| {
            let mut kept = String::new();
            for pair in form::pairs(form).filter(|pair| response_parameter(*pair).is_none()) {
                if !kept.is_empty() {
                    kept.push('&');
                }
                kept.push_str(pair.raw);
            }
            kept
        };
        let has_response = |form: &str| form::pairs(form).any(|pair| response_parameter(pair).is_some());
        let (in_query, in_fragment) = (has_response(parts.query), has_response(parts.fragment_form()));
        if !in_query && !in_fragment {
            return address.to_owned();
        }
        let query = if in_query { keep(parts.query) } else { parts.query.to_owned() };
        let fragment = if in_fragment { keep(parts.fragment) } else { parts.fragment.to_owned() };
        let mut address = parts.base.to_owned();
        for (mark, text) in [("?", query), ("#", fragment)] {
            if !text.is_empty() {
                address.push_str(mark);
                address.push_str(&text);
            }
        }
        address
    }

    /// Which pending login it claims to belong to.
    ///
    /// # Errors
    /// When there is no way to tell: then nothing of ours may change.
    pub fn state(&self) -> Result<StateDigest, Misbehaved> {
        if self.oversized {
            return Err(Misbehaved::ResponseTooLarge);
        }
        match self.one("state")?.map(|state| state.expose().as_str()) {
            None | Some("") => Err(Misbehaved::StateMissing),
            Some(state) if state.bytes().all(visible) => Ok(StateDigest::of(state)),
            Some(_) => Err(Misbehaved::MalformedResponse),
        }
    }

    /// Whether it could have been asked to arrive at this redirect URI: they differ in their own queries at most.
    pub(crate) fn may_be_for(&self, redirect_uri: &str) -> bool {
        let base = |uri| Parts::of(uri).base.trim_end_matches('/');
        base(&self.arrived_at) == base(redirect_uri)
    }

    fn one(&self, name: &str) -> Result<Option<&Secret<String>>, Misbehaved> {
        let mut values = self.parameters.iter().filter(|(ours, _)| *ours == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Misbehaved::DuplicateParameter),
            (Some(Err(Malformed)), None) => Err(Misbehaved::MalformedResponse),
            (Some(Ok(value)), None) => Ok(Some(value)),
            (None, None) => Ok(None),
        }
    }
}

/// A code whose `state` and `iss` were compared. Only [`PendingLogin::accept`] makes one.
#[derive(Debug)]
pub struct AuthorizationCode {
    pub(crate) code: Secret<String>,
    pub(crate) state: Secret<String>,
    pub(crate) login: PendingLogin,
}

impl AuthorizationCode {
    /// Where in the app the user shall be afterwards.
    pub fn return_to(&self) -> &str {
        &self.login.return_to
    }
}

impl PendingLogin {
    /// Compares a response with what was asked for. Consumes the pending login, whatever comes out.
    ///
    /// # Errors
    /// When the response is not the answer to this login, or says that the login failed.
    pub fn accept(self, callback: &Callback, now: UnixTime) -> Result<AuthorizationCode, Error> {
        if callback.state()? != self.state {
            return Err(Misbehaved::StateUnknown.into());
        }
        if self.has_expired(now) {
            return Err(Misbehaved::SignInExpired.into());
        }
        if callback.arrived_at != self.redirect_uri {
            return Err(Misbehaved::RedirectUriMismatch.into());
        }
        // RFC 10017 §7.2: an access token has no place in a response, and neither has what was not asked for.
        for token in ["access_token", "id_token"] {
            if callback.one(token)?.is_some() {
                return Err(Misbehaved::UnexpectedToken.into());
            }
        }
        if callback.one("response")?.is_some() || callback.mode != self.response_mode {
            return Err(Misbehaved::ResponseModeMismatch.into());
        }
        // RFC 9207 §2.4: compared on errors too, by "simple string comparison".
        match callback.one("iss")? {
            Some(iss) if *iss.expose() != self.issuer => return Err(Misbehaved::IssuerMismatch.into()),
            None if self.iss_in_responses => return Err(Misbehaved::IssuerMissing.into()),
            _ => {}
        }
        let code = callback.one("code")?;
        if let Some(error) = callback.one("error")? {
            if code.is_some() {
                return Err(Misbehaved::AmbiguousResponse.into());
            }
            let text = |name| callback.one(name).map(|value| value.map(|value| value.expose().as_str()));
            let mut secrets = vec![&self.nonce, self.verifier.secret()];
            secrets.extend(callback.one("state")?);
            let error = ProviderError::new(error.expose(), text("error_description")?, text("error_uri")?, &secrets);
            return Err(error.map_or(Misbehaved::MalformedResponse.into(), Error::from));
        }
        match code {
            Some(code) if code.expose().is_empty() => Err(Misbehaved::CodeMissing.into()),
            Some(code) if code.expose().bytes().all(visible) => {
                let state = callback.one("state")?.ok_or(Misbehaved::StateMissing)?;
                Ok(AuthorizationCode { code: Secret::copied(code.expose()), state: Secret::copied(state.expose()), login: self })
            }
            Some(_) => Err(Misbehaved::MalformedResponse.into()),
            None => Err(Misbehaved::CodeMissing.into()),
        }
    }
}

/// VSCHAR ([RFC 6749 Appendix A](https://www.rfc-editor.org/rfc/rfc6749#appendix-A)).
fn visible(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn response_parameter(pair: Pair<'_>) -> Option<&'static str> {
    RESPONSE.iter().copied().find(|name| pair.is(name))
}

/// An address, cut at the first `#` and the first `?` before it.
struct Parts<'a> {
    base: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl Parts<'_> {
    fn of(address: &str) -> Parts<'_> {
        let (before, fragment) = address.split_once('#').unwrap_or((address, ""));
        let (base, query) = before.split_once('?').unwrap_or((before, ""));
        Parts { base, query, fragment }
    }

    /// The fragment where a response may be. A route of the app is none: no response begins with a slash or an exclamation mark.
    fn fragment_form(&self) -> &str {
        if self.fragment.starts_with(['/', '!']) { "" } else { self.fragment }
    }

    /// Whether this is the redirect URI: the same up to the query, and its own query still there.
    fn is_at(&self, redirect_uri: &str) -> bool {
        let registered = Parts::of(redirect_uri);
        let kept = |own: Pair<'_>| form::pairs(self.query).any(|pair| pair.raw == own.raw);
        // A browser writes the slash of an empty path.
        let path = match self.base.strip_prefix(registered.base) {
            Some("/") => registered.base.matches('/').count() == 2,
            rest => rest == Some(""),
        };
        path && form::pairs(registered.query).all(kept)
    }
}
