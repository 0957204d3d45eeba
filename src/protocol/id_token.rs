//! From a signed token to verified claims
//! ([OpenID Connect Core §3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)).

use std::{sync::Arc, time::Duration};

use super::{
    error::Misbehaved,
    jose::Signed,
    json::Json,
    secret::Secret,
    time::{ClockSkew, UnixTime},
    token::numeric_date,
};

/// The age at which an ID token is too old to answer a sign-in.
pub const MAX_AGE: Duration = Duration::from_secs(600);

/// The longest life, from `iat` to `exp`, that makes both look like readings of one sound clock.
const SOUND_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What an ID token must say to answer a sign-in.
#[derive(Debug)]
pub struct Expected<'a> {
    /// The issuer, exactly.
    pub issuer: &'a str,
    /// The client that it must be for.
    pub client_id: &'a str,
    /// Who else it may be for.
    pub trusted_audiences: &'a [String],
    /// The nonce that was sent. `None` where a flow has none, as that of [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628): then the token
    /// must not have one either, because it was issued for another sign-in.
    pub nonce: Option<&'a Secret<String>>,
    /// How long ago the user may have authenticated, if that was asked.
    pub max_age: Option<Duration>,
    /// One of these, if any was required.
    pub acr: &'a [String],
    /// What it came with.
    pub beside: Beside<'a>,
    /// How much clocks may differ.
    pub leeway: Duration,
}

/// What an ID token comes with, and is bound to.
#[derive(Debug)]
pub enum Beside<'a> {
    /// An access token, from the token endpoint.
    AccessToken(&'a Secret<String>),
    /// A code and a state, in the response
    /// ([OpenID Connect Core §3.3.2.11](https://openid.net/specs/openid-connect-core-1_0.html#HybridIDToken)).
    Code {
        /// The code.
        code: &'a Secret<String>,
        /// The state.
        state: &'a Secret<String>,
    },
    /// Nothing.
    #[cfg(feature = "implicit")]
    Nothing,
}

/// What an ID token must say that came with a renewal, or from another tab.
#[derive(Debug)]
pub(crate) struct Renewed<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) trusted_audiences: &'a [String],
    /// Who is signed in, if somebody is.
    pub(crate) subject: Option<&'a str>,
    /// The nonce of the sign-in, if it is known.
    pub(crate) nonce: Option<&'a Secret<String>>,
}

impl Signed {
    /// Checks every claim that is about this sign-in. Only here do claims become believable.
    ///
    /// # Errors
    /// Which rule the token breaks. When the token was issued for this sign-in (its nonce says so) and lives for a sound time, but
    /// was issued in our future or too long ago, our clock is wrong: [`Misbehaved::ClockSkew`].
    pub fn verify(self, expected: &Expected<'_>, now: UnixTime) -> Result<Claims, Misbehaved> {
        let Signed { algorithm, payload } = self;
        issuer_and_audience(&payload, expected.issuer, expected.client_id, expected.trusted_audiences)?;
        if payload.get("nonce").map(Json::as_str) != expected.nonce.map(|nonce| Some(nonce.expose().as_str())) {
            return Err(Misbehaved::NonceMismatch);
        }
        subject(&payload).ok_or(Misbehaved::SubjectInvalid)?;
        times(&payload, expected.leeway, now)?;

        if let Some(max_age) = expected.max_age {
            let auth_time = payload.get("auth_time").and_then(numeric_date).ok_or(Misbehaved::AuthTimeUnmet)?;
            if auth_time + max_age + expected.leeway < now || auth_time > now + expected.leeway {
                return Err(Misbehaved::AuthTimeUnmet);
            }
        }
        let acr = payload.text("acr");
        if !expected.acr.is_empty() && !expected.acr.iter().any(|wanted| acr == Some(wanted)) {
            return Err(Misbehaved::AcrUnmet);
        }
        let fits =
            |hash: &str, of: &Secret<String>| payload.get(hash).is_none_or(|hash| hash.as_str() == Some(&algorithm.half_hash(of.expose())));
        match expected.beside {
            Beside::AccessToken(token) if !fits("at_hash", token) => return Err(Misbehaved::AccessTokenHashMismatch),
            // A code without its hash could be another login's.
            Beside::Code { code, state } if payload.get("c_hash").is_none() || !fits("c_hash", code) || !fits("s_hash", state) => {
                return Err(Misbehaved::CodeHashMismatch);
            }
            _ => {}
        }
        // The nonce has done its work, and is a secret: an app that logs a session shall not log it.
        Ok(Claims(Arc::new(payload.without("nonce"))))
    }

    /// Checks an ID token that came with a renewal
    /// ([OpenID Connect Core §12.2](https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokenResponse)): the same issuer,
    /// the same client, the same user, and no nonce but the one of the sign-in.
    pub(crate) fn renewed(self, expected: &Renewed<'_>) -> Result<Claims, Misbehaved> {
        issuer_and_audience(&self.payload, expected.issuer, expected.client_id, expected.trusted_audiences)?;
        let subject = subject(&self.payload).ok_or(Misbehaved::SubjectInvalid)?;
        if expected.subject.is_some_and(|expected| expected != subject) {
            return Err(Misbehaved::UserChanged);
        }
        match (self.payload.text("nonce"), expected.nonce) {
            (Some(nonce), Some(expected)) if nonce != expected.expose() => Err(Misbehaved::NonceMismatch),
            _ => Ok(Claims(Arc::new(self.payload.without("nonce")))),
        }
    }

    /// Checks a signed authorization response ([JARM §2.4](https://openid.net/specs/oauth-v2-jarm-final.html#section-2.4)): who says it,
    /// for whom, and until when.
    pub(crate) fn response(self, issuer: &str, client_id: &str, leeway: Duration, now: UnixTime) -> Result<Json, Misbehaved> {
        issuer_and_audience(&self.payload, issuer, client_id, &[])?;
        let expires = self.payload.get("exp").and_then(numeric_date);
        if expires.is_some_and(|expires| now < expires + leeway) { Ok(self.payload) } else { Err(Misbehaved::ResponseExpired) }
    }

    /// Checks a signed UserInfo response: only who says it and for whom
    /// ([OpenID Connect Core §5.3.2](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse)).
    pub(crate) fn user_info(self, issuer: &str, client_id: &str) -> Result<Json, Misbehaved> {
        issuer_and_audience(&self.payload, issuer, client_id, &[])?;
        Ok(self.payload)
    }
}

/// Claims about a user that were verified: signature, issuer, audience, time and nonce.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Arc<Json>);

impl Claims {
    /// Who it is: `sub`, unique and never reassigned within the issuer. Compared by code points.
    pub fn subject(&self) -> &str {
        subject(&self.0).unwrap_or_default()
    }

    /// The claim of that name. `null` and the empty string count as absent.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name).filter(|value| value.as_str() != Some(""))
    }

    /// The text of the claim of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }

    /// A name to show: `name`, else `preferred_username`, else `email`, else `sub`.
    pub fn display_name(&self) -> &str {
        ["name", "preferred_username", "email"].into_iter().find_map(|name| self.text(name)).unwrap_or(self.subject())
    }

    /// All claims but the nonce, in the order of the token.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        let Json::Object(members) = &*self.0 else { return [].iter().map(pair as fn(&(String, Json)) -> (&str, &Json)) };
        members.iter().map(pair as fn(&(String, Json)) -> (&str, &Json))
    }

    /// Claims of a UserInfo response, after its `sub` was compared; or what our own keep says that it verified.
    pub(crate) fn compared(object: Json) -> Claims {
        Claims(Arc::new(object))
    }
}

fn pair((name, value): &(String, Json)) -> (&str, &Json) {
    (name, value)
}

fn subject(payload: &Json) -> Option<&str> {
    // OpenID Connect Core §2: "It MUST NOT exceed 255 ASCII characters in length."
    payload.text("sub").filter(|sub| !sub.is_empty() && sub.chars().nth(255).is_none())
}

fn issuer_and_audience(payload: &Json, issuer: &str, client_id: &str, trusted: &[String]) -> Result<(), Misbehaved> {
    if payload.text("iss") != Some(issuer) {
        return Err(Misbehaved::IssuerMismatch);
    }
    let audiences = match payload.get("aud") {
        Some(Json::Array(many)) => many,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let us = |audience: &Json| audience.as_str() == Some(client_id);
    let trusted = |audience: &Json| trusted.iter().any(|other| audience.as_str() == Some(other));
    // §3.1.3.7 (3): rejected "if it contains additional audiences not trusted by the Client".
    if !audiences.iter().any(us) || !audiences.iter().all(|audience| us(audience) || trusted(audience)) {
        return Err(Misbehaved::AudienceMismatch);
    }
    match payload.get("azp") {
        Some(azp) if azp.as_str() != Some(client_id) => Err(Misbehaved::AuthorizedPartyMismatch),
        _ => Ok(()),
    }
}

fn times(payload: &Json, leeway: Duration, now: UnixTime) -> Result<(), Misbehaved> {
    let exp = payload.get("exp").and_then(numeric_date).ok_or(Misbehaved::IdTokenExpired)?;
    let iat = payload.get("iat").and_then(numeric_date).ok_or(Misbehaved::IdTokenIssuedAt)?;
    if let Some(nbf) = payload.get("nbf") {
        let nbf = numeric_date(nbf).ok_or(Misbehaved::IdTokenNotYetValid)?;
        // Beside an `iat` that is as far off it is the clock, which is judged below.
        if nbf > now + leeway && nbf > iat {
            return Err(Misbehaved::IdTokenNotYetValid);
        }
    }
    if iat > now + leeway || now.since(iat) >= MAX_AGE {
        let sound = exp > iat && exp.since(iat) <= SOUND_LIFE;
        return Err(if sound { Misbehaved::ClockSkew { skew: ClockSkew::between(now, iat) } } else { Misbehaved::IdTokenIssuedAt });
    }
    // RFC 7519 §4.1.4: "on or after which the JWT MUST NOT be accepted".
    if now >= exp + leeway {
        return Err(Misbehaved::IdTokenExpired);
    }
    if iat > exp {
        return Err(Misbehaved::IdTokenIssuedAt);
    }
    Ok(())
}
