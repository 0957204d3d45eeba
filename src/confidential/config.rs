//! What a server configures. Read once, checked whole, and never changed afterwards.

use std::time::Duration;

use crate::{
    keep::MAX_LEEWAY,
    protocol::{
        Algorithm, ClockSkew, Discovery, HttpUrl, Issuer, Json, Misconfigured, Number, Registration, ResponseMode, ResponseType, Scope,
        Secret, Unreadable, client_authentication::AssertionAudience, url::is_absolute_uri, wire::Wire,
    },
};

/// What a server configures: who the provider is, and how it shows that it is itself.
///
/// ```
/// use tokenkeep::{confidential::{Authentication, Config}, protocol::Secret};
///
/// let secret = Secret::new(std::env::var("CLIENT_SECRET").unwrap_or_default());
/// let config = Config::new("https://login.example.com", "my-server", Authentication::ClientSecretBasic(secret))
///     .redirect_uri("https://app.example.com/callback")
///     .scopes("openid profile offline_access");
/// ```
#[derive(Debug)]
pub struct Config {
    issuer: String,
    client_id: String,
    authentication: Authentication,
    audience: Option<String>,
    clock_leeway: Duration,
    clock_skew: ClockSkew,
    discovery: Discovery,
    redirect_uri: Option<String>,
    resource: Vec<String>,
    scopes: String,
    trusted_audiences: Vec<String>,
}

/// How the client shows the provider who it is.
#[derive(Debug)]
pub enum Authentication {
    /// `client_secret_basic`: a secret, in the header.
    ClientSecretBasic(Secret<String>),
    /// `client_secret_post`: a secret, in the body. For providers that do not take it in the header
    /// ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1): "NOT RECOMMENDED").
    ClientSecretPost(Secret<String>),
    /// `private_key_jwt`: an assertion that [`Crypto::sign`](super::ports::Crypto::sign) signs.
    PrivateKeyJwt {
        /// How.
        algorithm: Algorithm,
        /// `kid`: which key, if the provider knows several of this client.
        kid: Option<String>,
        /// Whom it names as its audience.
        audience: AssertionAudience,
    },
}

impl Config {
    /// The three things without which nothing works. Scopes of a sign-in are `openid profile`, until said otherwise.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>, authentication: Authentication) -> Config {
        Config {
            issuer: issuer.into(),
            client_id: client_id.into(),
            authentication,
            audience: None,
            clock_leeway: Duration::from_secs(30),
            clock_skew: ClockSkew::NONE,
            discovery: Discovery::OpenId,
            redirect_uri: None,
            resource: Vec::new(),
            scopes: "openid profile".to_owned(),
            trusted_audiences: Vec::new(),
        }
    }

    /// Reads a configuration from JSON: an object with the names of these methods, with `issuer` and `client_id`, and with
    /// `client_secret` unless there is a key. `authentication` is a method by its registered name, and `assertion_audience` is `issuer` or
    /// `token_endpoint`. What is not known is refused.
    ///
    /// ```
    /// use tokenkeep::{confidential::Config, protocol::Misconfigured};
    ///
    /// let text = r#"{"issuer": "https://login.example.com", "client_id": "my-server"}"#;
    /// assert_eq!(Config::from_json(text, None).err(), Some(Misconfigured::ClientAuthenticationMalformed));
    /// ```
    ///
    /// # Errors
    /// Which option is missing, unknown or of the wrong type.
    pub fn from_json(text: &str, key: Option<(Algorithm, Option<String>)>) -> Result<Config, Misconfigured> {
        let document = Json::parse(text).map_err(|why| Misconfigured::ConfigMalformed { why })?;
        let Json::Object(members) = &document else {
            return Err(Misconfigured::ConfigMalformed { why: Unreadable::NotAnObject });
        };
        let (mut method, mut secret, mut audience) = (None, None, None);
        let mut config = Config::new("", "", Authentication::ClientSecretBasic(Secret::new(String::new())));
        for (option, value) in members {
            let wrong = || Misconfigured::OptionType { option: option.clone() };
            let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
            let texts = || value.texts().ok_or_else(wrong);
            match option.as_str() {
                "assertion_audience" => {
                    audience = Some(match value.as_str() {
                        Some("issuer") => AssertionAudience::Issuer,
                        Some("token_endpoint") => AssertionAudience::TokenEndpoint,
                        _ => return Err(wrong()),
                    });
                }
                "audience" => config.audience = Some(text()?),
                "authentication" => method = Some(text()?),
                "client_id" => config.client_id = text()?,
                "client_secret" => secret = Some(Secret::new(text()?)),
                "clock_leeway_seconds" => {
                    let seconds = value.as_number().and_then(Number::floor).ok_or_else(wrong)?;
                    config.clock_leeway = Duration::from_secs(seconds);
                }
                "clock_skew_seconds" => config.clock_skew = ClockSkew::read(value).ok_or_else(wrong)?,
                "issuer" => config.issuer = text()?,
                "oauth_only" if value.as_bool().ok_or_else(wrong)? => config.discovery = Discovery::OAuth,
                "oauth_only" => config.discovery = Discovery::OpenId,
                "redirect_uri" => config.redirect_uri = Some(text()?),
                "resource" => config.resource = texts()?,
                "scopes" => config.scopes = texts()?.join(" "),
                "trusted_audiences" => config.trusted_audiences = texts()?,
                _ => return Err(Misconfigured::OptionUnknown { option: option.clone() }),
            }
        }
        for (option, value) in [("issuer", &config.issuer), ("client_id", &config.client_id)] {
            if value.is_empty() {
                return Err(Misconfigured::OptionMissing { option });
            }
        }
        config.authentication = match (method.as_deref(), secret, key, audience) {
            (None | Some("client_secret_basic"), Some(secret), None, None) => Authentication::ClientSecretBasic(secret),
            (Some("client_secret_post"), Some(secret), None, None) => Authentication::ClientSecretPost(secret),
            (None | Some("private_key_jwt"), None, Some((algorithm, kid)), audience) => {
                Authentication::PrivateKeyJwt { algorithm, kid, audience: audience.unwrap_or_default() }
            }
            _ => return Err(Misconfigured::ClientAuthenticationMalformed),
        };
        Ok(config)
    }

    /// `audience`: which API the token of a sign-in is for, at providers that know this parameter (Auth0).
    pub fn audience(mut self, audience: impl Into<String>) -> Config {
        self.audience = Some(audience.into());
        self
    }

    /// How much the clocks of server and provider may differ. 30 seconds, and at most 300.
    pub fn clock_leeway(mut self, leeway: Duration) -> Config {
        self.clock_leeway = leeway;
        self
    }

    /// How this server's clock is known to differ.
    pub fn clock_skew(mut self, skew: ClockSkew) -> Config {
        self.clock_skew = skew;
        self
    }

    /// Only OAuth: nobody is identified. Metadata is read as RFC 8414 has it.
    pub fn oauth_only(mut self) -> Config {
        self.discovery = Discovery::OAuth;
        self
    }

    /// Where users come back to after signing in, exactly as registered. Not needed where nobody signs in.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Config {
        self.redirect_uri = Some(uri.into());
        self
    }

    /// Which API the token of a sign-in is for, one more ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
    pub fn resource(mut self, uri: impl Into<String>) -> Config {
        self.resource.push(uri.into());
        self
    }

    /// What a sign-in asks for: words with one space between.
    pub fn scopes(mut self, scopes: impl Into<String>) -> Config {
        self.scopes = scopes.into();
        self
    }

    /// Somebody else whom an ID token may be for, beside this client.
    pub fn trusted_audience(mut self, audience: impl Into<String>) -> Config {
        self.trusted_audiences.push(audience.into());
        self
    }

    /// Checks everything.
    pub(super) fn check(self) -> Result<Settings, Misconfigured> {
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let issuer = Issuer::parse(&self.issuer)?;
        if !printable(&self.client_id) {
            return Err(Misconfigured::ClientIdMalformed);
        }
        if let Authentication::ClientSecretBasic(secret) | Authentication::ClientSecretPost(secret) = &self.authentication
            && !printable(secret.expose())
        {
            return Err(Misconfigured::ClientAuthenticationMalformed);
        }
        let scope = Scope::parse(&self.scopes)?;
        if self.discovery == Discovery::OpenId && !scope.contains("openid") {
            return Err(Misconfigured::OpenidMissing);
        }
        if self.audience.as_deref() == Some("") {
            return Err(Misconfigured::AudienceMalformed);
        }
        if !self.resource.iter().all(|resource| is_absolute_uri(resource)) {
            return Err(Misconfigured::ResourceMalformed);
        }
        if self.clock_leeway > MAX_LEEWAY {
            return Err(Misconfigured::LeewayTooLong);
        }
        let redirect_uri = match &self.redirect_uri {
            None => None,
            Some(uri) => Some(HttpUrl::parse(uri).ok().filter(HttpUrl::is_secure).ok_or(Misconfigured::RedirectUriMalformed)?),
        };
        Ok(Settings {
            issuer,
            authentication: self.authentication,
            clock_leeway: self.clock_leeway,
            clock_skew: self.clock_skew,
            discovery: self.discovery,
            registration: redirect_uri.map(|redirect_uri| Registration {
                client_id: self.client_id.clone(),
                redirect_uri,
                scope: scope.clone(),
                audience: self.audience,
                resources: self.resource,
                response_mode: ResponseMode::Query,
                response_type: ResponseType::Code,
            }),
            client_id: self.client_id,
            scope,
            trusted_audiences: self.trusted_audiences,
        })
    }
}

/// A [`Config`] that was checked.
pub(super) struct Settings {
    pub(super) issuer: Issuer,
    pub(super) client_id: String,
    pub(super) authentication: Authentication,
    pub(super) clock_leeway: Duration,
    pub(super) clock_skew: ClockSkew,
    pub(super) discovery: Discovery,
    /// For sign-ins.
    pub(super) registration: Option<Registration>,
    pub(super) scope: Scope,
    pub(super) trusted_audiences: Vec<String>,
}
