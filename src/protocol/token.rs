//! The token endpoint: a request per grant, and what makes the answer acceptable
//! ([RFC 6749 §4.1.3 and §5](https://www.rfc-editor.org/rfc/rfc6749#section-5)).

use super::{
    authorize::{PendingLogin, Scope, words},
    callback::AuthorizationCode,
    error::{Error, Misbehaved, ProviderError, Source, Unreadable},
    form,
    http::{Request, Response},
    json::{Json, Number},
    provider::Metadata,
    secret::Secret,
    time::{Lifetime, UnixTime},
};

/// The request that redeems a code, and the only thing that may judge its answer.
#[derive(Debug)]
pub struct CodeExchange {
    /// Sent once. When its outcome is unknown the code counts as used.
    pub request: Request,
    code: Secret<String>,
    state: Secret<String>,
    login: PendingLogin,
}

impl AuthorizationCode {
    /// Makes the token request.
    ///
    /// # Errors
    /// When the login that was remembered names another issuer or token endpoint than the provider's metadata does now: such a
    /// record was not written by us, and nothing is sent.
    pub fn exchange(self, metadata: &Metadata) -> Result<CodeExchange, Error> {
        let AuthorizationCode { code, state, login } = self;
        if login.issuer != metadata.issuer.as_str() || login.token_endpoint != metadata.token_endpoint.as_str() {
            return Err(Misbehaved::StateUnknown.into());
        }
        let mut body = String::new();
        for (name, value) in [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            // OAuth 2.1 no longer wants it, but RFC 6749 §4.1.3 does, byte for byte.
            ("redirect_uri", login.redirect_uri.as_str()),
            ("client_id", login.client_id.as_str()),
            ("code_verifier", login.verifier.secret().expose()),
        ] {
            form::append(&mut body, name, value);
        }
        for resource in &login.resources {
            form::append(&mut body, "resource", resource);
        }
        Ok(CodeExchange { request: Request::form(metadata.token_endpoint.as_str(), body), code, state, login })
    }
}

impl CodeExchange {
    /// Judges the answer. The ID token in it is not verified yet.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is no token response.
    pub fn finish(self, response: &Response, now: UnixTime) -> Result<(Granted, PendingLogin), Error> {
        let secrets = [&self.code, &self.state, self.login.verifier.secret(), &self.login.nonce];
        let granted = Granted::read(response, &self.login.scope, &secrets, now)?;
        Ok((granted, self.login))
    }
}

/// What the token endpoint granted.
#[derive(Debug)]
pub struct Granted {
    /// The access token. Opaque: never parsed ([RFC 9068 §6](https://www.rfc-editor.org/rfc/rfc9068#section-6)).
    pub access_token: Secret<String>,
    /// Until when the access token lives, if the provider said so.
    pub expires: Option<UnixTime>,
    /// The ID token, not verified yet.
    pub id_token: Option<Secret<String>>,
    /// The refresh token.
    pub refresh_token: Option<Secret<String>>,
    /// What was granted: what was asked for, unless the provider said otherwise.
    pub scope: Scope,
}

impl Granted {
    /// Reads a token response.
    pub(crate) fn read(response: &Response, asked: &Scope, secrets: &[&Secret<String>], now: UnixTime) -> Result<Granted, Error> {
        let body = response.json_object();
        if let Ok(body) = &body
            && let Some(error) = body.get("error")
        {
            let error =
                error.as_str().and_then(|error| ProviderError::new(error, body.text("error_description"), body.text("error_uri"), secrets));
            return match response.status {
                500.. => Err(response.refused(Source::Token)),
                _ => Err(error.map_or(Unreadable::Member("error").of(Source::Token), Error::from)),
            };
        }
        match response.status {
            200 => {}
            // RFC 6749 §5.2: "the authorization server MAY return an HTTP 401", and some then send no body.
            401 => {
                return Err(ProviderError::new("invalid_client", None, None, &[]).map_or(response.refused(Source::Token), Error::from));
            }
            _ => return Err(response.refused(Source::Token)),
        }
        let unreadable = |why: Unreadable| why.of(Source::Token);
        let body = body.map_err(unreadable)?;
        // RFC 6749 §7.1: "The client MUST NOT use an access token if it does not understand the token type."
        if !body.required_string("token_type").map_err(unreadable)?.eq_ignore_ascii_case("Bearer") {
            return Err(Misbehaved::TokenTypeUnknown.into());
        }
        Granted::from_json(&body, asked, now).map_err(unreadable)
    }

    fn from_json(body: &Json, asked: &Scope, now: UnixTime) -> Result<Granted, Unreadable> {
        let secret = |name: &'static str| match body.string(name)? {
            None => Ok(None),
            // What goes into a header field must be fit for one.
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(Secret::copied(text))),
            Some(_) => Err(Unreadable::Member(name)),
        };
        let access_token = secret("access_token")?.ok_or(Unreadable::Member("access_token"))?;
        let expires = match body.get("expires_in") {
            None => None,
            Some(value) => Some(now + Lifetime::from_secs(seconds(value).ok_or(Unreadable::Member("expires_in"))?)),
        };
        let scope = match body.string("scope")? {
            None => asked.clone(),
            Some(text) => Scope::parse(&words(text.split_ascii_whitespace())).map_err(|_| Unreadable::Member("scope"))?,
        };
        Ok(Granted { access_token, expires, id_token: secret("id_token")?, refresh_token: secret("refresh_token")?, scope })
    }
}

/// `expires_in`: a number, or, as some providers write it, its digits in a string.
fn seconds(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.floor(),
        Json::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Some(text.parse().unwrap_or(u64::MAX)),
        _ => None,
    }
}

/// A [`Number`] is a `NumericDate` in other places ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)).
pub(crate) fn numeric_date(value: &Json) -> Option<UnixTime> {
    value.as_number().and_then(Number::floor).map(UnixTime::from_secs)
}
