//! The token endpoint: a request per grant, and what makes the answer acceptable
//! ([RFC 6749 §4.1.3 and §5](https://www.rfc-editor.org/rfc/rfc6749#section-5)).

use std::time::Duration;

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

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Who may use an access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenType {
    /// Whoever has it ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).
    #[default]
    Bearer,
    /// Whoever has the key that it is bound to ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).
    Dpop,
}

impl TokenType {
    /// Its name in token responses, and the scheme that it is presented with.
    pub fn name(self) -> &'static str {
        match self {
            TokenType::Bearer => "Bearer",
            TokenType::Dpop => "DPoP",
        }
    }
}

/// What an access token is asked for, beside what the user agreed to when signing in
/// ([RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2)).
///
/// ```
/// use tokenkeep::protocol::Access;
///
/// let invoices = Access::to("https://billing.example/").scope("invoices:read");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub(crate) resources: Vec<String>,
    pub(crate) scope: String,
    /// `audience`, if it comes by token exchange.
    pub(crate) exchanged_for: Option<Vec<String>>,
}

impl Access {
    /// `resource`: which API it is for.
    pub fn to(resource: impl Into<String>) -> Access {
        Access { resources: vec![resource.into()], ..Access::default() }
    }

    /// It comes by token exchange, for the access token that the user signed in for
    /// ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)): for an API that other tokens are for than this app's, at a provider that lets public
    /// clients exchange theirs.
    ///
    /// ```
    /// use tokenkeep::protocol::Access;
    ///
    /// let ledger = Access::exchanged().audience("ledger").scope("entries:read");
    /// ```
    pub fn exchanged() -> Access {
        Access { exchanged_for: Some(Vec::new()), ..Access::default() }
    }

    /// `audience`: the name of what it is for, one more. Only for one that is [exchanged](Access::exchanged)
    /// ([RFC 8693 §2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)).
    pub fn audience(mut self, name: impl Into<String>) -> Access {
        self.exchanged_for.get_or_insert_default().push(name.into());
        self
    }

    /// `resource`: which API it is for, one more.
    pub fn resource(mut self, uri: impl Into<String>) -> Access {
        self.resources.push(uri.into());
        self
    }

    /// What it may do: words of what was granted when signing in, with one space between. All of it, until said otherwise.
    pub fn scope(mut self, scope: impl Into<String>) -> Access {
        self.scope = scope.into();
        self
    }

    /// Asks for it in a form. Gives what an answer without a scope means.
    fn append_to(&self, body: &mut String, granted: &Scope) -> Scope {
        if !self.scope.is_empty() {
            form::append(body, "scope", &self.scope);
        }
        for resource in &self.resources {
            form::append(body, "resource", resource);
        }
        Scope::parse(&self.scope).ok().filter(|_| !self.scope.is_empty()).unwrap_or(granted.clone())
    }
}

/// The request that redeems a code, and the only thing that may judge its answer.
#[derive(Debug)]
pub struct CodeExchange {
    /// Sent once. When its outcome is unknown the code counts as used.
    pub request: Request,
    code: Secret<String>,
    state: Secret<String>,
    login: PendingLogin,
    subject: Option<String>,
    token_type: TokenType,
}

/// What is known of a login whose code was redeemed: what its ID token must say.
#[derive(Debug)]
pub struct Redeemed {
    /// The login.
    pub login: PendingLogin,
    /// Who signed in, if an ID token beside the code said so.
    pub subject: Option<String>,
}

impl AuthorizationCode {
    /// Makes the token request. No token of another type will do.
    ///
    /// # Errors
    /// When the login that was remembered names another issuer or token endpoint than the provider's metadata does now: such a
    /// record was not written by us, and nothing is sent.
    pub fn exchange(self, metadata: &Metadata, token_type: TokenType) -> Result<CodeExchange, Error> {
        let AuthorizationCode { code, state, login, subject, .. } = self;
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
        Ok(CodeExchange { request: Request::form(metadata.token_endpoint.as_str(), body), code, state, login, subject, token_type })
    }
}

impl CodeExchange {
    /// Judges the answer. The ID token in it is not verified yet.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is no token response.
    pub fn finish(self, response: &Response) -> Result<(Granted, Redeemed), Error> {
        let mut secrets = vec![&self.code, &self.state, self.login.verifier.secret(), &self.login.nonce];
        secrets.extend(self.request.proof());
        let granted = Granted::read(response, self.token_type, &self.login.scope, &secrets)?;
        Ok((granted, Redeemed { login: self.login, subject: self.subject }))
    }
}

/// Presents a refresh token ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
///
/// The provider may rotate it, and then the one that was presented must never be seen again
/// ([RFC 9700 §4.14.2](https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2)). So what matters of an answer is what it says about that.
#[derive(Debug)]
pub struct Refresh<'a> {
    /// Sent once.
    pub request: Request,
    refresh_token: &'a Secret<String>,
    asked: Scope,
    token_type: TokenType,
}

/// What became of a refresh token that was presented.
#[derive(Debug)]
pub enum Presented {
    /// It was taken, and this is what there is for it.
    Granted(Granted),
    /// Nobody took it: it is as good as before. The provider may say when to come again.
    Refused {
        /// Why.
        error: Error,
        /// `Retry-After` ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)), in its form of seconds.
        retry_after: Option<Duration>,
    },
    /// It is worth nothing, now and forever: a well-formed `invalid_grant`.
    Rejected(Error),
    /// It may have been taken or not. It must not be presented again.
    Unknown(Error),
}

impl<'a> Refresh<'a> {
    /// Makes the request. `granted` is what was granted last: what an answer without a scope means.
    pub fn new(
        metadata: &Metadata,
        client_id: &str,
        refresh_token: &'a Secret<String>,
        token_type: TokenType,
        access: &Access,
        granted: &Scope,
    ) -> Refresh<'a> {
        let mut body = String::new();
        form::append(&mut body, "grant_type", "refresh_token");
        form::append(&mut body, "refresh_token", refresh_token.expose());
        form::append(&mut body, "client_id", client_id);
        let asked = access.append_to(&mut body, granted);
        Refresh { request: Request::form(metadata.token_endpoint.as_str(), body), refresh_token, asked, token_type }
    }

    /// Judges the answer.
    pub fn finish(&self, response: &Response) -> Presented {
        let is_page = response.media_type() == "text/html";
        let mut secrets = vec![self.refresh_token];
        secrets.extend(self.request.proof());
        let error = match Granted::read(response, self.token_type, &self.asked, &secrets) {
            Ok(granted) => return Presented::Granted(granted),
            // Not the provider's word: a 401 counts as one even without.
            Err(Error::Provider(_)) if is_page => response.refused(Source::Token),
            Err(error) => error,
        };
        match (response.status, &error) {
            (400, Error::Provider(provider)) if provider.error() == "invalid_grant" => Presented::Rejected(error),
            // A page, not an answer of a token endpoint: a portal that wants to be logged in to.
            (200, _) if is_page => Presented::Refused { error, retry_after: None },
            (200, Error::Provider(_)) => Presented::Refused { error, retry_after: None },
            // It was done, or a gateway speaks for a server that may have done it all the same.
            (200..=299 | 502 | 504 | 520.., _) => Presented::Unknown(error),
            _ => Presented::Refused { error, retry_after: response.retry_after() },
        }
    }
}

/// Presents an access token for another one ([RFC 8693 §2](https://www.rfc-editor.org/rfc/rfc8693#section-2)), as a public client.
///
/// Unlike a refresh token the one that is presented stays what it is, whatever becomes of the request.
#[derive(Debug)]
pub struct AccessTokenExchange<'a> {
    /// Sent once.
    pub request: Request,
    subject_token: &'a Secret<String>,
    asked: Scope,
    token_type: TokenType,
}

impl<'a> AccessTokenExchange<'a> {
    /// Makes the request. `granted` is what the token that is presented may do: what an answer without a scope means.
    pub fn new(
        metadata: &Metadata,
        client_id: &str,
        subject_token: &'a Secret<String>,
        token_type: TokenType,
        access: &Access,
        granted: &Scope,
    ) -> AccessTokenExchange<'a> {
        let mut body = String::new();
        for (name, value) in [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", client_id),
            ("subject_token", subject_token.expose()),
            ("subject_token_type", ACCESS_TOKEN),
        ] {
            form::append(&mut body, name, value);
        }
        let asked = access.append_to(&mut body, granted);
        for audience in access.exchanged_for.iter().flatten() {
            form::append(&mut body, "audience", audience);
        }
        AccessTokenExchange { request: Request::form(metadata.token_endpoint.as_str(), body), subject_token, asked, token_type }
    }

    /// Judges the answer. An access token must come: nothing else has a place in a request to an API.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is no answer to this.
    pub fn finish(&self, response: &Response) -> Result<Granted, Error> {
        let mut secrets = vec![self.subject_token];
        secrets.extend(self.request.proof());
        let mut granted = Granted::read(response, self.token_type, &self.asked, &secrets)?;
        // RFC 8693 §2.2.1: REQUIRED.
        let kind = response.json_object().ok().and_then(|body| body.text("issued_token_type").map(str::to_owned));
        if !matches!(kind.as_deref(), Some(ACCESS_TOKEN | "urn:ietf:params:oauth:token-type:jwt")) {
            return Err(Unreadable::Member("issued_token_type").of(Source::Token));
        }
        // There is a session already, and it has its own.
        (granted.refresh_token, granted.id_token) = (None, None);
        Ok(granted)
    }
}

/// What the token endpoint granted.
#[derive(Debug)]
pub struct Granted {
    /// The access token. Opaque: never parsed ([RFC 9068 §6](https://www.rfc-editor.org/rfc/rfc9068#section-6)).
    pub access_token: Secret<String>,
    /// How long the access token lives, if the provider said so.
    pub lifetime: Option<Lifetime>,
    /// The ID token, not verified yet.
    pub id_token: Option<Secret<String>>,
    /// The refresh token.
    pub refresh_token: Option<Secret<String>>,
    /// What was granted: what was asked for, unless the provider said otherwise.
    pub scope: Scope,
    /// What was granted in detail, as far as the provider says ([RFC 9396 §7](https://www.rfc-editor.org/rfc/rfc9396#section-7)).
    pub authorization_details: Vec<Json>,
}

impl Granted {
    /// Reads a token response.
    pub(crate) fn read(response: &Response, token_type: TokenType, asked: &Scope, secrets: &[&Secret<String>]) -> Result<Granted, Error> {
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
        let granted = body.required_string("token_type").map_err(unreadable)?;
        if !granted.eq_ignore_ascii_case(token_type.name()) {
            let downgraded = token_type == TokenType::Dpop && granted.eq_ignore_ascii_case(TokenType::Bearer.name());
            return Err(if downgraded { Misbehaved::DpopDowngraded } else { Misbehaved::TokenTypeUnknown }.into());
        }
        Granted::from_json(&body, asked).map_err(unreadable)
    }

    pub(crate) fn from_json(body: &Json, asked: &Scope) -> Result<Granted, Unreadable> {
        let secret = |name: &'static str| match body.string(name)? {
            None => Ok(None),
            // What goes into a header field must be fit for one.
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(Secret::copied(text))),
            Some(_) => Err(Unreadable::Member(name)),
        };
        let access_token = secret("access_token")?.ok_or(Unreadable::Member("access_token"))?;
        let lifetime = match body.get("expires_in") {
            None => None,
            Some(value) => Some(Lifetime::from_secs(seconds(value).ok_or(Unreadable::Member("expires_in"))?)),
        };
        let scope = match body.string("scope")? {
            None => asked.clone(),
            Some(text) => Scope::parse(&words(text.split_ascii_whitespace())).map_err(|_| Unreadable::Member("scope"))?,
        };
        let authorization_details = match body.get("authorization_details") {
            None => Vec::new(),
            Some(details) => details.as_array().ok_or(Unreadable::Member("authorization_details"))?.to_vec(),
        };
        let (id_token, refresh_token) = (secret("id_token")?, secret("refresh_token")?);
        Ok(Granted { access_token, lifetime, id_token, refresh_token, scope, authorization_details })
    }
}

/// `expires_in`: a number, or, as some providers write it, its digits in a string.
pub(crate) fn seconds(value: &Json) -> Option<u64> {
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
