//! The authorization response: from the address bar to a code that belongs to one pending login
//! ([RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2), [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).

use std::time::Duration;

use super::{
    authorize::{PendingLogin, ResponseMode, ResponseType, StateDigest},
    error::{Error, Misbehaved, ProviderError},
    form::{self, Malformed, Pair},
    id_token::Claims,
    jose::{Signed, unproven_claims},
    json::Json,
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
    POSTED,
    "token_type",
];

/// The parameter of the fragment in which a form is handed on that a service worker or a server received at the redirect URI: the whole
/// body, as one value.
pub const POSTED: &str = "tokenkeep_form";

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
        let posted = fragment.iter().find(|(name, _)| *name == POSTED).map(|(_, form)| match form {
            Ok(form) => collect(form.expose()),
            Err(Malformed) => vec![("state", Err(Malformed))],
        });
        let (in_query, in_fragment) = (is_response(&query), is_response(&fragment));
        let mode = match (in_query, &posted, in_fragment) {
            (false, None, false) => return None,
            (true, ..) => ResponseMode::Query,
            (false, Some(_), _) => ResponseMode::FormPost,
            (false, None, true) => ResponseMode::Fragment,
        };
        // Whatever else the other place holds is looked at too: a code in the query and a token in the fragment are one response.
        if in_fragment {
            query.append(&mut fragment);
        }
        query.extend(posted.into_iter().flatten());
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

    /// Which pending login it claims to belong to. A signed response says it inside.
    ///
    /// # Errors
    /// When there is no way to tell: then nothing of ours may change.
    pub fn state(&self) -> Result<StateDigest, Misbehaved> {
        if self.oversized {
            return Err(Misbehaved::ResponseTooLarge);
        }
        let state = match (self.one("state")?, self.one("response")?) {
            (None, Some(response)) => unproven_claims(response.expose()).ok().and_then(|claims| claims.text("state").map(Secret::copied)),
            (state, _) => state.map(|state| Secret::copied(state.expose())),
        };
        match state.as_ref().map(|state| state.expose().as_str()) {
            None | Some("") => Err(Misbehaved::StateMissing),
            Some(state) if state.bytes().all(visible) => Ok(StateDigest::of(state)),
            Some(_) => Err(Misbehaved::MalformedResponse),
        }
    }

    /// What a signed response holds, as if it had come without.
    fn inside(&self, claims: &Json) -> Callback {
        let text = |value: &Json| value.as_str().map(Secret::copied).ok_or(Malformed);
        let held = |name: &&'static str| claims.get(name).map(|value| (*name, text(value)));
        // Its issuer and expiry are the token's own.
        let parameters = RESPONSE.iter().filter(|name| **name != "expires_in").filter_map(held).collect();
        Callback { mode: self.mode, arrived_at: self.arrived_at.clone(), parameters, oversized: false }
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

/// A response that was compared with its login.
#[derive(Debug)]
pub enum Accepted {
    /// It has a code.
    Code(AuthorizationCode),
    /// It has a code, and an ID token to be verified first.
    Hybrid(HybridResponse),
    /// It has an ID token and nothing else.
    #[cfg(feature = "implicit")]
    IdToken(IdTokenResponse),
    /// It is signed, and that is to be verified first.
    Signed(SignedResponse),
}

/// A code whose `state` and `iss` were compared. Only [`PendingLogin::accept`] makes one.
#[derive(Debug)]
pub struct AuthorizationCode {
    pub(crate) code: Secret<String>,
    pub(crate) state: Secret<String>,
    pub(crate) login: PendingLogin,
    /// Who signed in, by the ID token beside the code.
    pub(crate) subject: Option<String>,
    /// What the provider remembers of the session, if it says so in a way that can be used.
    #[cfg(feature = "check-session")]
    pub(crate) session_state: Option<String>,
}

/// A code, and an ID token beside it that nobody has verified.
#[derive(Debug)]
pub struct HybridResponse {
    pub(crate) code: AuthorizationCode,
    pub(crate) id_token: Secret<String>,
}

/// An ID token that nobody has verified.
#[cfg(feature = "implicit")]
#[derive(Debug)]
pub struct IdTokenResponse {
    pub(crate) login: PendingLogin,
    pub(crate) id_token: Secret<String>,
}

/// A signed response that nobody has verified.
#[derive(Debug)]
pub struct SignedResponse {
    pub(crate) response: Secret<String>,
    callback: Callback,
    login: PendingLogin,
}

impl Accepted {
    /// The login that it answers.
    pub fn login(&self) -> &PendingLogin {
        match self {
            Accepted::Code(code) => &code.login,
            Accepted::Hybrid(response) => &response.code.login,
            #[cfg(feature = "implicit")]
            Accepted::IdToken(response) => &response.login,
            Accepted::Signed(response) => &response.login,
        }
    }
}

impl HybridResponse {
    /// Takes the claims of the ID token. They were verified with [`Beside::Code`](super::id_token::Beside::Code).
    pub(crate) fn verified(self, claims: &Claims) -> AuthorizationCode {
        AuthorizationCode { subject: Some(claims.subject().to_owned()), ..self.code }
    }
}

impl SignedResponse {
    /// Takes the response, whose signature is valid
    /// ([JARM §2.4](https://openid.net/specs/oauth-v2-jarm-final.html#section-2.4)).
    ///
    /// # Errors
    /// When it is not for this login, or too old, or says that the login failed.
    pub fn verified(self, signed: Signed, leeway: Duration, now: UnixTime) -> Result<Accepted, Error> {
        let SignedResponse { callback, login, .. } = self;
        let claims = signed.response(&login.issuer, &login.client_id, leeway, now)?;
        let inside = callback.inside(&claims);
        if inside.one("response")?.is_some() || inside.state()? != login.state {
            return Err(Misbehaved::StateUnknown.into());
        }
        login.answered(&inside)
    }
}

impl PendingLogin {
    /// Compares a response with what was asked for. Consumes the pending login, whatever comes out.
    ///
    /// # Errors
    /// When the response is not the answer to this login, or says that the login failed.
    pub fn accept(self, callback: Callback, now: UnixTime) -> Result<Accepted, Error> {
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
        let signed = callback.one("response")?.map(|response| Secret::copied(response.expose()));
        let with_id_token = self.response_type != ResponseType::Code && signed.is_none();
        if callback.one("access_token")?.is_some() || (!with_id_token && callback.one("id_token")?.is_some()) {
            return Err(Misbehaved::UnexpectedToken.into());
        }
        if callback.mode != self.response_mode.carrier() || signed.is_some() != self.response_mode.is_signed() {
            return Err(Misbehaved::ResponseModeMismatch.into());
        }
        let Some(response) = signed else { return self.answered(&callback) };
        // Nothing beside it counts, so nothing may be there.
        if ["code", "error", "state"].into_iter().any(|name| callback.parameters.iter().any(|(ours, _)| *ours == name)) {
            return Err(Misbehaved::ResponseModeMismatch.into());
        }
        // Before any key is looked for.
        if unproven_claims(response.expose())?.text("iss") != Some(&self.issuer) {
            return Err(Misbehaved::IssuerMismatch.into());
        }
        Ok(Accepted::Signed(SignedResponse { response, callback, login: self }))
    }

    /// What a response says whose place and signature were looked at.
    fn answered(self, callback: &Callback) -> Result<Accepted, Error> {
        if callback.one("access_token")?.is_some() {
            return Err(Misbehaved::UnexpectedToken.into());
        }
        let (code, id_token) = (callback.one("code")?, callback.one("id_token")?);
        // RFC 9207 §2.4: compared on errors too, by "simple string comparison". An ID token says it as well, signed.
        match callback.one("iss")? {
            Some(iss) if *iss.expose() != self.issuer => return Err(Misbehaved::IssuerMismatch.into()),
            None if self.iss_in_responses && id_token.is_none() => return Err(Misbehaved::IssuerMissing.into()),
            _ => {}
        }
        if let Some(error) = callback.one("error")? {
            if code.is_some() || id_token.is_some() {
                return Err(Misbehaved::AmbiguousResponse.into());
            }
            let text = |name| callback.one(name).map(|value| value.map(|value| value.expose().as_str()));
            let mut secrets = vec![&self.nonce, self.verifier.secret()];
            secrets.extend(callback.one("state")?);
            let error = ProviderError::new(error.expose(), text("error_description")?, text("error_uri")?, &secrets);
            return Err(error.map_or(Misbehaved::MalformedResponse.into(), Error::from));
        }
        #[cfg(feature = "implicit")]
        if self.response_type == ResponseType::IdToken {
            if code.is_some() {
                return Err(Misbehaved::ResponseModeMismatch.into());
            }
            let id_token = Secret::copied(id_token.ok_or(Misbehaved::IdTokenMissing)?.expose());
            return Ok(Accepted::IdToken(IdTokenResponse { login: self, id_token }));
        }
        let code = match code {
            Some(code) if code.expose().is_empty() => return Err(Misbehaved::CodeMissing.into()),
            Some(code) if code.expose().bytes().all(visible) => Secret::copied(code.expose()),
            Some(_) => return Err(Misbehaved::MalformedResponse.into()),
            None => return Err(Misbehaved::CodeMissing.into()),
        };
        let state = Secret::copied(callback.one("state")?.ok_or(Misbehaved::StateMissing)?.expose());
        let with_id_token = self.response_type == ResponseType::CodeIdToken;
        // There twice, or unreadable, it is no use; nothing else depends on it.
        #[cfg(feature = "check-session")]
        let session_state = callback.one("session_state").ok().flatten();
        #[cfg(feature = "check-session")]
        let session_state = session_state.and_then(|state| super::check_session::session_state(state.expose()).map(str::to_owned));
        let code = AuthorizationCode {
            code,
            state,
            login: self,
            subject: None,
            #[cfg(feature = "check-session")]
            session_state,
        };
        match id_token {
            Some(_) if !with_id_token => Err(Misbehaved::UnexpectedToken.into()),
            Some(id_token) => Ok(Accepted::Hybrid(HybridResponse { code, id_token: Secret::copied(id_token.expose()) })),
            None if with_id_token => Err(Misbehaved::IdTokenMissing.into()),
            None => Ok(Accepted::Code(code)),
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
