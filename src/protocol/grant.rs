//! Grants that need no user in a browser: for confidential clients
//! ([RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4),
//! [RFC 7523 §2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1), [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)).
//!
//! Each makes a [`GrantRequest`], without the client's authentication, which is put in when it is sent.

use super::{
    authorize::Scope,
    error::{Error, Misconfigured, Source, Unreadable},
    form,
    http::{Request, Response},
    json::Json,
    provider::Metadata,
    secret::Secret,
    time::Lifetime,
    token::{Access, Granted, TokenType},
    url::is_absolute_uri,
};

/// What a token is asked for.
///
/// ```
/// use tokenkeep::protocol::grant::Target;
///
/// let orders = Target::default().scope("orders:read").resource("https://api.example/");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    pub(crate) scope: String,
    pub(crate) resources: Vec<String>,
    pub(crate) audiences: Vec<String>,
}

impl Target {
    /// Reads it from JSON: an object with `scopes`, `resource` and `audience`, each a text or a list. What is not known is refused.
    ///
    /// ```
    /// use tokenkeep::protocol::grant::Target;
    ///
    /// let text = r#"{"scopes": ["orders:read", "orders:write"], "audience": "orders"}"#;
    /// assert_eq!(Target::from_json(text), Ok(Target::default().scope("orders:read orders:write").audience("orders")));
    /// ```
    ///
    /// # Errors
    /// Which option is unknown or of the wrong type.
    pub fn from_json(text: &str) -> Result<Target, Misconfigured> {
        let document = Json::parse(text).map_err(|why| Misconfigured::ConfigMalformed { why })?;
        let Json::Object(members) = &document else {
            return Err(Misconfigured::ConfigMalformed { why: Unreadable::NotAnObject });
        };
        let mut target = Target::default();
        for (option, value) in members {
            let texts = value.texts().ok_or_else(|| Misconfigured::OptionType { option: option.clone() });
            match option.as_str() {
                "audience" => target.audiences = texts?,
                "resource" => target.resources = texts?,
                "scopes" => target.scope = texts?.join(" "),
                _ => return Err(Misconfigured::OptionUnknown { option: option.clone() }),
            }
        }
        Ok(target)
    }

    /// The same for a refresh token, which knows no `audience`.
    ///
    /// # Errors
    /// When it has one, or is malformed.
    pub fn access(&self) -> Result<Access, Misconfigured> {
        self.check()?;
        if !self.audiences.is_empty() {
            return Err(Misconfigured::OptionUnknown { option: "audience".to_owned() });
        }
        Ok(Access { resources: self.resources.clone(), scope: self.scope.clone(), exchanged_for: None })
    }

    /// `scope`: words with one space between.
    pub fn scope(mut self, scope: impl Into<String>) -> Target {
        self.scope = scope.into();
        self
    }

    /// `resource`: which API it is for, one more ([RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2)).
    pub fn resource(mut self, uri: impl Into<String>) -> Target {
        self.resources.push(uri.into());
        self
    }

    /// `audience`: the name of what it is for, one more ([RFC 8693 §2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1); at Auth0 with
    /// client credentials too).
    pub fn audience(mut self, name: impl Into<String>) -> Target {
        self.audiences.push(name.into());
        self
    }

    fn check(&self) -> Result<Scope, Misconfigured> {
        if !self.resources.iter().all(|resource| is_absolute_uri(resource)) {
            return Err(Misconfigured::ResourceMalformed);
        }
        if self.audiences.iter().any(String::is_empty) {
            return Err(Misconfigured::AudienceMalformed);
        }
        Scope::parse(&self.scope)
    }
}

/// A token request, and the only thing that may judge its answer.
#[derive(Debug)]
pub struct GrantRequest {
    /// Sent once.
    pub request: Request,
    asked: Scope,
    secrets: Vec<Secret<String>>,
}

impl GrantRequest {
    fn new(metadata: &Metadata, grant_type: &str, parameters: &[(&str, &str)], target: &Target) -> Result<GrantRequest, Misconfigured> {
        let asked = target.check()?;
        let mut body = String::new();
        form::append(&mut body, "grant_type", grant_type);
        for (name, value) in parameters {
            form::append(&mut body, name, value);
        }
        if !target.scope.is_empty() {
            form::append(&mut body, "scope", &target.scope);
        }
        for (name, values) in [("resource", &target.resources), ("audience", &target.audiences)] {
            for value in values {
                form::append(&mut body, name, value);
            }
        }
        Ok(GrantRequest { request: Request::form(metadata.token_endpoint.as_str(), body), asked, secrets: Vec::new() })
    }

    fn hiding(mut self, secrets: &[&Secret<String>]) -> GrantRequest {
        self.secrets = secrets.iter().map(|secret| Secret::copied(secret.expose())).collect();
        self
    }

    /// Client credentials: a token of the client's own.
    ///
    /// # Errors
    /// When what is asked for is malformed.
    pub fn client_credentials(metadata: &Metadata, target: &Target) -> Result<GrantRequest, Misconfigured> {
        GrantRequest::new(metadata, "client_credentials", &[], target)
    }

    /// An assertion that somebody whom the provider trusts has made.
    ///
    /// # Errors
    /// When what is asked for is malformed.
    pub fn jwt_bearer(metadata: &Metadata, assertion: &Secret<String>, target: &Target) -> Result<GrantRequest, Misconfigured> {
        let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        Ok(GrantRequest::new(metadata, grant_type, &[("assertion", assertion.expose())], target)?.hiding(&[assertion]))
    }

    /// Forbidden by [RFC 9700 §2.4](https://www.rfc-editor.org/rfc/rfc9700#section-2.4), which says that this grant "MUST NOT be used": the
    /// user's password, given to the app.
    ///
    /// # Errors
    /// When what is asked for is malformed.
    #[cfg(feature = "legacy")]
    pub fn password(
        metadata: &Metadata,
        username: &str,
        password: &Secret<String>,
        target: &Target,
    ) -> Result<GrantRequest, Misconfigured> {
        let parameters = [("username", username), ("password", password.expose().as_str())];
        Ok(GrantRequest::new(metadata, "password", &parameters, target)?.hiding(&[password]))
    }

    /// Judges the answer. An ID token in it is not verified yet.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is no token response.
    pub fn finish(&self, response: &Response) -> Result<Granted, Error> {
        Granted::read(response, TokenType::Bearer, &self.asked, &self.secrets())
    }

    fn secrets(&self) -> Vec<&Secret<String>> {
        self.secrets.iter().collect()
    }
}

/// What a token is, in an exchange ([RFC 8693 §3](https://www.rfc-editor.org/rfc/rfc8693#section-3)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `urn:ietf:params:oauth:token-type:access_token`.
    AccessToken,
    /// `urn:ietf:params:oauth:token-type:id_token`.
    IdToken,
    /// `urn:ietf:params:oauth:token-type:jwt`: a JWT of whatever kind.
    Jwt,
    /// `urn:ietf:params:oauth:token-type:refresh_token`.
    RefreshToken,
    /// `urn:ietf:params:oauth:token-type:saml1`.
    Saml1,
    /// `urn:ietf:params:oauth:token-type:saml2`.
    Saml2,
    /// Any other URI.
    Other(String),
}

impl TokenKind {
    const PREFIX: &str = "urn:ietf:params:oauth:token-type:";

    const KNOWN: [(&str, TokenKind); 6] = [
        ("access_token", TokenKind::AccessToken),
        ("id_token", TokenKind::IdToken),
        ("jwt", TokenKind::Jwt),
        ("refresh_token", TokenKind::RefreshToken),
        ("saml1", TokenKind::Saml1),
        ("saml2", TokenKind::Saml2),
    ];

    /// By its URI.
    pub fn from_uri(uri: &str) -> TokenKind {
        let known = uri.strip_prefix(TokenKind::PREFIX).and_then(|name| TokenKind::KNOWN.into_iter().find(|(known, _)| *known == name));
        known.map_or_else(|| TokenKind::Other(uri.to_owned()), |(_, kind)| kind)
    }

    /// Its URI.
    pub fn uri(&self) -> String {
        match TokenKind::KNOWN.iter().find(|(_, kind)| kind == self) {
            Some((name, _)) => [TokenKind::PREFIX, name].concat(),
            None => {
                if let TokenKind::Other(uri) = self {
                    uri.clone()
                } else {
                    String::new()
                }
            }
        }
    }
}

/// A token for another one ([RFC 8693 §2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)): to act for a user (impersonation), or,
/// with an actor, to be known as the one who does (delegation).
///
/// ```
/// use tokenkeep::protocol::{Secret, grant::{Target, TokenExchange, TokenKind}};
///
/// let user = Secret::copied("the access token that came with a request");
/// let exchange = TokenExchange::new(&user, TokenKind::AccessToken).target(Target::default().audience("billing"));
/// ```
#[derive(Debug)]
pub struct TokenExchange<'a> {
    subject: (&'a Secret<String>, TokenKind),
    actor: Option<(&'a Secret<String>, TokenKind)>,
    requested: Option<TokenKind>,
    target: Target,
}

impl<'a> TokenExchange<'a> {
    /// `subject_token` and `subject_token_type`: on whose behalf.
    pub fn new(subject_token: &'a Secret<String>, kind: TokenKind) -> TokenExchange<'a> {
        TokenExchange { subject: (subject_token, kind), actor: None, requested: None, target: Target::default() }
    }

    /// `actor_token` and `actor_token_type`: who acts.
    pub fn actor(mut self, actor_token: &'a Secret<String>, kind: TokenKind) -> TokenExchange<'a> {
        self.actor = Some((actor_token, kind));
        self
    }

    /// `requested_token_type`: what shall come for it. An access token, mostly, until said otherwise.
    pub fn requested(mut self, kind: TokenKind) -> TokenExchange<'a> {
        self.requested = Some(kind);
        self
    }

    /// `scope`, `resource` and `audience`.
    pub fn target(mut self, target: Target) -> TokenExchange<'a> {
        self.target = target;
        self
    }

    /// Makes the request.
    ///
    /// # Errors
    /// When what is asked for is malformed.
    pub fn request(&self, metadata: &Metadata) -> Result<ExchangeRequest, Misconfigured> {
        let uri = |kind: &TokenKind| Some(kind.uri()).filter(|uri| is_absolute_uri(uri)).ok_or(Misconfigured::TokenTypeMalformed);
        let (subject, subject_type) = (self.subject.0, uri(&self.subject.1)?);
        let actor_type = self.actor.as_ref().map(|(_, kind)| uri(kind)).transpose()?;
        let requested = self.requested.as_ref().map(uri).transpose()?;
        let mut parameters = vec![("subject_token", subject.expose().as_str()), ("subject_token_type", &subject_type)];
        let mut secrets = vec![subject];
        if let (Some((actor, _)), Some(actor_type)) = (&self.actor, &actor_type) {
            parameters.extend([("actor_token", actor.expose().as_str()), ("actor_token_type", actor_type)]);
            secrets.push(actor);
        }
        parameters.extend(requested.as_ref().map(|requested| ("requested_token_type", requested.as_str())));
        let grant_type = "urn:ietf:params:oauth:grant-type:token-exchange";
        Ok(ExchangeRequest(GrantRequest::new(metadata, grant_type, &parameters, &self.target)?.hiding(&secrets)))
    }
}

/// A token exchange, and the only thing that may judge its answer.
#[derive(Debug)]
pub struct ExchangeRequest(GrantRequest);

/// What came of a token exchange. Which of the two it is, the provider says
/// ([RFC 8693 §2.2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1)).
#[derive(Debug)]
pub enum Exchanged {
    /// An access token: it may be presented to an API.
    Access {
        /// The token.
        granted: Granted,
        /// `issued_token_type`.
        kind: TokenKind,
    },
    /// `token_type` is `N_A`: something that is no access token, and has no place in an `Authorization` header.
    NotAccess(OtherToken),
}

/// A token that is not an access token. There is no way from here to an `Authorization` header.
#[derive(Debug)]
pub struct OtherToken {
    /// `access_token`: called so "for historical reasons".
    pub token: Secret<String>,
    /// `issued_token_type`.
    pub kind: TokenKind,
    /// How long it lives, if the provider said so.
    pub lifetime: Option<Lifetime>,
}

impl ExchangeRequest {
    /// Sent once.
    pub fn request(&mut self) -> &mut Request {
        &mut self.0.request
    }

    /// Judges the answer.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is no answer to a token exchange.
    pub fn finish(&self, response: &Response) -> Result<Exchanged, Error> {
        let unreadable = |why: Unreadable| why.of(Source::Token);
        let body = response.json_object().ok().filter(|body| response.status == 200 && body.get("error").is_none());
        let not_access = |body: &Json| body.text("token_type").is_some_and(|name| name.eq_ignore_ascii_case("N_A"));
        let granted = match &body {
            Some(body) if not_access(body) => Granted::from_json(body, &self.0.asked).map_err(unreadable)?,
            _ => self.0.finish(response)?,
        };
        let body = body.ok_or(unreadable(Unreadable::NotJson))?;
        let kind = body.required_string("issued_token_type").map_err(unreadable)?;
        if !is_absolute_uri(kind) || self.0.secrets.iter().any(|secret| kind.contains(secret.expose())) {
            return Err(unreadable(Unreadable::Member("issued_token_type")));
        }
        let kind = TokenKind::from_uri(kind);
        Ok(if not_access(&body) {
            Exchanged::NotAccess(OtherToken { token: granted.access_token, kind, lifetime: granted.lifetime })
        } else {
            Exchanged::Access { granted, kind }
        })
    }
}
