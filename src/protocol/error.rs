//! What can go wrong, sorted by who must act.
//!
//! Every variant is one line: its name, its stable code, and what it means. Code, message and documentation are made from that
//! one line. No error ever holds a token, a code, a verifier, a nonce or a state value.

use std::fmt;

use super::{json::Json, secret::Secret, time::ClockSkew, url::HttpUrl, wire::Wire};

/// Why something did not work.
///
/// ```
/// use tokenkeep::{Error, Kind, protocol::Misbehaved};
///
/// let error = Error::from(Misbehaved::IssuerMismatch);
/// assert_eq!((error.kind(), error.code()), (Kind::Misbehaved, "issuer_mismatch"));
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// Network, time, storage or user got in the way. Safe to try again.
    Interrupted(Interrupted),
    /// Provider, API or callback broke the protocol. Never retried.
    Misbehaved(Misbehaved),
    /// The configuration cannot work. Fix the code.
    Misconfigured(Misconfigured),
    /// The provider answered with an OAuth error. Ask the user again, or give up.
    Provider(Box<ProviderError>),
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody: try again.
    Interrupted,
    /// The one who runs the provider or the API; or this is an attack.
    Misbehaved,
    /// The developer of the app.
    Misconfigured,
    /// The user, or the one who runs the provider.
    Provider,
}

impl Error {
    /// The stable code: what a program compares. For an error of the provider it is the OAuth error code.
    pub fn code(&self) -> &str {
        match self {
            Error::Interrupted(error) => error.code(),
            Error::Misbehaved(error) => error.code(),
            Error::Misconfigured(error) => error.code(),
            Error::Provider(error) => error.error(),
        }
    }

    /// Whether the provider says that it must show a page to the user: the answers to `prompt=none`
    /// ([OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)).
    pub fn asks_user(&self) -> bool {
        let codes = ["account_selection_required", "consent_required", "interaction_required", "login_required"];
        matches!(self, Error::Provider(error) if codes.contains(&error.error()))
    }

    /// Whether the same may be tried again as it was.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Interrupted(error) if *error != Interrupted::SignInNeeded)
    }

    /// The option of the configuration, or of a sign-in, that is missing, unknown or of the wrong type.
    pub fn option(&self) -> Option<&str> {
        match self {
            Error::Misconfigured(Misconfigured::OptionMissing { option }) => Some(option),
            Error::Misconfigured(Misconfigured::OptionType { option } | Misconfigured::OptionUnknown { option }) => Some(option),
            _ => None,
        }
    }

    /// The status code of the answer, where that is what was wrong.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Interrupted(Interrupted::Unavailable { status, .. })
            | Error::Misbehaved(Misbehaved::MetadataMissing { status } | Misbehaved::UnexpectedStatus { status, .. }) => Some(*status),
            _ => None,
        }
    }

    /// The same without a text of the provider that repeats one of these.
    #[cfg(feature = "confidential")]
    pub(crate) fn hiding(mut self, secrets: &[&Secret<String>]) -> Error {
        if let Error::Provider(error) = &mut self {
            match ProviderError::new(&error.error, error.description.as_deref(), error.uri.as_ref().map(HttpUrl::as_str), secrets) {
                Some(hidden) => **error = hidden,
                None => return Unreadable::Member("error").of(Source::Token),
            }
        }
        self
    }

    /// Who must act.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Interrupted(_) => Kind::Interrupted,
            Error::Misbehaved(_) => Kind::Misbehaved,
            Error::Misconfigured(_) => Kind::Misconfigured,
            Error::Provider(_) => Kind::Provider,
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Interrupted(error) => error.fmt(f),
            Error::Misbehaved(error) => error.fmt(f),
            Error::Misconfigured(error) => error.fmt(f),
            Error::Provider(error) => error.fmt(f),
        }
    }
}

/// One list: variant, code and meaning of each error in a line.
macro_rules! errors {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$on:meta])* $variant:ident $({ $($field:ident: $type:ty),+ })? = $code:literal: $meaning:literal,)+
    }) => {
        $(#[$meta])*
        #[non_exhaustive]
        #[derive(Debug, PartialEq)]
        pub enum $name {
            $(
                $(#[$on])*
                #[doc = concat!("`", $code, "`: ", $meaning, ".")]
                $variant $({ $(
                    #[doc = concat!("Which ", stringify!($field), ".")]
                    $field: $type,
                )+ })?,
            )+
        }

        impl $name {
            /// All codes, in the order of the variants.
            pub const CODES: &'static [&'static str] = &[$($(#[$on])* $code),+];

            /// The stable code.
            pub fn code(&self) -> &'static str {
                match self { $($(#[$on])* Self::$variant { .. } => $code,)+ }
            }

            fn meaning(&self) -> &'static str {
                match self { $($(#[$on])* Self::$variant { .. } => $meaning,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.meaning())?;
                match self {
                    $($(#[$on])* Self::$variant $({ $($field),+ })? => { $($(field(f, stringify!($field), $field)?;)+)? })+
                }
                Ok(())
            }
        }

        impl Wire for $name {
            fn write(&self) -> Json {
                #[allow(unused_mut)]
                let mut members = vec![("code", Some(self.code().into()))];
                match self {
                    $($(#[$on])* Self::$variant $({ $($field),+ })? => {
                        $($(members.push((stringify!($field), Some($field.write())));)+)?
                    })+
                }
                Json::object(members)
            }

            fn read(json: &Json) -> Option<Self> {
                Some(match json.text("code")? {
                    $($(#[$on])* $code => Self::$variant $({ $($field: Wire::member(json, stringify!($field))?),+ })?,)+
                    _ => return None,
                })
            }
        }

        impl From<$name> for Error {
            fn from(error: $name) -> Error {
                Error::$name(error)
            }
        }
    };
}

errors! {
    /// Network, time, storage or user got in the way.
    #[derive(Clone, Copy)]
    Interrupted {
        Busy = "busy": "another tab is renewing the session at this moment",
        #[cfg(any(feature = "device", feature = "popup"))]
        Cancelled = "cancelled": "the sign-in on another device, or in a window of its own, was given up here",
        #[cfg(feature = "device")]
        DeviceCodeExpired = "device_code_expired": "nobody entered the code on another device in time: begin again, with another code",
        FrameTimedOut = "frame_timed_out": "the provider did not answer in a hidden frame: it may forbid being framed, or want to show a page",
        KeepGone = "keep_gone": "the worker that kept the session has gone: reload the page",
        Offline { from: Source } = "offline": "the browser is offline",
        #[cfg(feature = "popup")]
        PopupBlocked = "popup_blocked": "the browser opened no window: ask for it in the click itself, before anything is awaited, or call `sign_in`",
        #[cfg(feature = "popup")]
        PopupClosed = "popup_closed": "the user closed the window before the sign-in was done",
        #[cfg(feature = "popup")]
        PopupSuperseded = "popup_superseded": "another sign-in in a window was begun after this one",
        SignInNeeded = "sign_in_needed": "nobody is signed in: call `sign_in` first",
        StorageBlocked = "storage_blocked": "the browser blocks storage for this site, so a sign-in could not be finished after the redirect",
        StorageFull = "storage_full": "the browser's storage for this site is full, so a sign-in could not be finished after the redirect",
        TimedOut { from: Source } = "timed_out": "no complete answer came in time",
        Unavailable { from: Source, status: u16 } = "unavailable": "the server cannot answer now",
        Unreachable { from: Source } = "unreachable": "no answer: the server or the network is down, or the server does not allow this origin (CORS), or the Content-Security-Policy (`connect-src`) does not allow the server, or it redirects; a browser does not tell which",
    }
}

errors! {
    /// Provider, API or callback broke the protocol.
    #[derive(Clone, Copy)]
    Misbehaved {
        AccessTokenHashMismatch = "at_hash_mismatch": "the ID token was issued with another access token",
        AcrUnmet = "acr_unmet": "the user did not authenticate in the way that was required",
        AlgorithmRefused = "algorithm_refused": "the ID token, or the signed response, is not signed with an acceptable algorithm",
        AlreadyUsed = "already_used": "this sign-in response was handled before",
        AmbiguousResponse = "ambiguous_response": "the response carries both a code and an error",
        AudienceMismatch = "audience_mismatch": "the ID token, or the signed response, is meant for another client, or for others too",
        AuthTimeUnmet = "auth_time_unmet": "the user did not authenticate as recently as was asked",
        AuthorizedPartyMismatch = "azp_mismatch": "the ID token was issued to another client",
        BadEndpoint { member: &'static str } = "bad_endpoint": "an endpoint in the provider metadata is not an https URL that can be used",
        BadResponse { from: Source, why: Unreadable } = "bad_response": "an answer could not be read",
        ClockSkew { skew: ClockSkew } = "clock_skew": "this device's clock differs from the provider's: set the clock, or the option `clock_skew`",
        CodeHashMismatch = "c_hash_mismatch": "the ID token was issued with another code, or another state",
        CodeMissing = "code_missing": "the response has no code",
        DpopDowngraded = "dpop_downgraded": "the access token is not bound to this client's key, as `dpop` demands: turn DPoP on for this client at the provider",
        DpopKeyLost = "dpop_key_lost": "the sign-in was bound to a key that is gone: sign in again",
        DpopNonceLoop { from: Source } = "dpop_nonce_loop": "the server asks for another DPoP nonce although it got the latest that it gave",
        DpopNonceUnreadable { from: Source } = "dpop_nonce_unreadable": "a server that wants a DPoP nonce must send one that can be used, and name `DPoP-Nonce` and `WWW-Authenticate` in `Access-Control-Expose-Headers`: this one shows none",
        DpopProofRejected { from: Source } = "dpop_proof_rejected": "the server does not accept the DPoP proof, mostly because this device's clock is wrong: set the clock, or the option `clock_skew`",
        DuplicateParameter = "duplicate_parameter": "a parameter of the response is there twice",
        IdTokenEncrypted = "id_token_encrypted": "the ID token, or the signed response, is encrypted, which a page cannot undo: turn encryption off for this client",
        IdTokenExpired = "id_token_expired": "the ID token has expired, or does not say when it does",
        IdTokenIssuedAt = "id_token_iat": "the ID token does not say when it was issued, or not within reason",
        IdTokenMalformed = "id_token_malformed": "the ID token, or the signed response, is no compact JWS",
        IdTokenMissing = "id_token_missing": "there is no ID token in the response",
        IdTokenNotYetValid = "id_token_nbf": "the ID token is not valid yet",
        IssuerMismatch = "issuer_mismatch": "the issuer is not the one that is configured",
        IssuerMissing = "issuer_missing": "the response does not say its issuer, as the provider promises",
        KeyUnknown = "key_unknown": "the provider publishes no key that fits the ID token, or the signed response",
        MalformedResponse = "malformed_response": "a parameter of the response cannot be decoded",
        MetadataMissing { status: u16 } = "metadata_missing": "there is no provider metadata at the place that follows from the issuer",
        NonceMismatch = "nonce_mismatch": "the ID token was not issued for this sign-in",
        RedirectUriMismatch = "redirect_uri_mismatch": "the response arrived at another redirect URI than was asked for",
        ResponseExpired = "response_expired": "the signed response has expired, or does not say when it does",
        ResponseModeMismatch = "response_mode_mismatch": "the response came in another way than was asked for",
        ResponseTooLarge = "response_too_large": "the sign-in response is too large",
        SignatureInvalid = "signature_invalid": "the signature of the ID token, or of the signed response, is not valid",
        SignInExpired = "sign_in_expired": "the sign-in took too long",
        StateMissing = "state_missing": "the response has no state",
        StateUnknown = "state_unknown": "no sign-in that was started in this browser waits for this response",
        #[cfg(feature = "step-up")]
        StepUpLoop = "step_up_loop": "the API asks for a stronger sign-in, or a more recent one, although the user has just done that: it must look at what the provider says of it (RFC 9470)",
        SubjectInvalid = "subject_invalid": "the ID token does not name a subject",
        TokenTypeUnknown = "token_type_unknown": "the access token is of a type that this client did not ask for",
        UnexpectedStatus { from: Source, status: u16 } = "unexpected_status": "a server answered with a status that it must not",
        UnexpectedToken = "unexpected_token": "the response carries a token, which was not asked for and is not used",
        UserChanged = "user_changed": "the answer is about another user than the one who is signed in",
        UserInfoFormat = "user_info_format": "the user info is signed although it should not be, or is not although it should",
        UserInfoSubjectMismatch = "user_info_subject_mismatch": "the user info is about another user",
    }
}

errors! {
    /// The configuration cannot work.
    #[derive(Clone)]
    Misconfigured {
        ApiMalformed = "api_malformed": "`api` must list absolute https URLs (http only on this machine) without query or fragment, such as `https://api.example/v1/`",
        AudienceMalformed = "audience_malformed": "`audience` must not be empty",
        AuthNotProvided = "auth_not_provided": "`use_auth` and the components need `provide_auth` in a component above them",
        AuthorizationDetailsMalformed = "authorization_details_malformed": "`authorization_details` must be a list of objects that each have a `type` (RFC 9396 §2)",
        AuthorizationSet = "authorization_set": "a request must not bring its own `Authorization` or `DPoP` header: remove it, the token is added for you",
        #[cfg(feature = "confidential")]
        ClientAuthenticationMalformed = "client_authentication_malformed": "a confidential client has either a `client_secret` of visible characters, for `authentication` by `client_secret_basic` or `client_secret_post`, or a `private_key` for `private_key_jwt`",
        ClientIdMalformed = "client_id_malformed": "`client_id` must be the identifier that the provider gave to this app: visible ASCII characters; one that is a URL must be https with a path, without fragment, user name and dot segments",
        #[cfg(feature = "confidential")]
        ClientKeyUnusable = "client_key_unusable": "the private key of this client does not sign: it must be a key for ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384, RS512 or Ed25519, that may be used for that, and an RSA key as JWK must name its `alg`",
        ClientSecret = "client_secret": "a page cannot keep a `client_secret`: remove it, and register the app at the provider as a public client with PKCE",
        #[cfg(feature = "confidential")]
        ConfidentialInBrowser = "confidential_in_browser": "a confidential client must not be in a browser's page, where everybody could read its secret: open it on a server, and a public client in the page",
        ConfigMalformed { why: Unreadable } = "config_malformed": "the configuration must be one JSON object",
        DestinationNotAllowed = "destination_not_allowed": "this URL is under none of the entries of `api`, so it gets no token: add its scheme, host, port and path prefix there",
        #[cfg(feature = "device")]
        DeviceElsewhere = "device_elsewhere": "a sign-in on another device needs a keep that is in the page itself, not in a worker",
        #[cfg(feature = "device")]
        DeviceNotAllowed = "device_not_allowed": "a page can be redirected, and must be to sign in (RFC 10017 §7.3): call `sign_in`; only for a screen without a keyboard, read RFC 10027 and RFC 8628 §5.4 and set `dangerous_device_authorization`",
        #[cfg(feature = "device")]
        DeviceUnavailable = "device_unavailable": "the provider has no device authorization endpoint: turn the device flow on there",
        DpopUnsupported = "dpop_unsupported": "the provider takes no DPoP proofs that are signed with ES256: turn that on there, or `dpop` off here",
        EndSessionUnavailable = "end_session_unavailable": "the provider has no end-session endpoint: the user is signed out of this app only",
        FormPostReceiverMissing = "form_post_receiver_missing": "`response_mode` form_post needs a service worker or a server that receives the form at the redirect URI: say that there is one with `form_post_receiver`",
        FrameBlocked = "frame_blocked": "this page's Content-Security-Policy forbids a frame at the provider: add the provider's origin to `frame-src`",
        Framed = "framed": "the app is framed by another site, where a sign-in could be tricked out of a user: open it in a window of its own",
        #[cfg(feature = "limits")]
        IdleWarningTooLong = "idle_warning_too_long": "`idle_warning` must be shorter than `idle_limit`: it is 60 seconds unless said otherwise",
        InsecureContext = "insecure_context": "this page has no WebCrypto: serve it over https, or from localhost",
        IssuerMalformed = "issuer_malformed": "`issuer` must be an https URL (http only on this machine) without query or fragment, exactly as the provider writes it",
        KeepUnavailable = "keep_unavailable": "no worker started to keep the tokens: look whether its script is where it should be, and whether `worker-src` and `script-src` of the Content-Security-Policy allow it",
        LeewayTooLong = "leeway_too_long": "`clock_leeway` must be at most 300 seconds: for a clock that is further off there is `clock_skew`",
        #[cfg(feature = "limits")]
        LimitZero = "limit_zero": "`idle_limit` and `session_limit` must be at least a second: leave out the one that is not wanted",
        NoWindow = "no_window": "there is no page here: a client can be opened in a browser window only",
        OpenidMissing = "openid_missing": "`scopes` must contain `openid`, or the app says that it only wants OAuth with `oauth_only`",
        OptionMissing { option: &'static str } = "option_missing": "an option that is required is not there",
        OptionType { option: String } = "option_type": "an option is of the wrong type",
        OptionUnknown { option: String } = "option_unknown": "there is no option of this name, or it is of a Cargo feature that is off, or of another entry of the npm package",
        ParameterReserved { parameter: String } = "parameter_reserved": "an extra parameter has a name that this library sets itself: use the option for it, or remove it",
        PkceUnsupported = "pkce_unsupported": "the provider does not offer PKCE with S256, without which a page must not sign in: turn it on there",
        PromptMalformed = "prompt_malformed": "`prompt` none must stand alone",
        PushedRequestUnsupported = "pushed_request_unsupported": "the provider has no endpoint for pushed authorization requests: turn `pushed_authorization_requests` off",
        RedirectUriMalformed = "redirect_uri_malformed": "`redirect_uri` must be an absolute URL of this app's own origin without a fragment; `redirect_path` takes a path",
        RequestMalformed = "request_malformed": "a request must have a valid method, URL and headers",
        ResourceMalformed = "resource_malformed": "`resource` must list absolute URIs without a fragment (RFC 8707 §2)",
        ResponseModeMalformed = "response_mode_malformed": "with `response_type` code id_token, which needs `openid`, `response_mode` must not be query: a URL with a token in its query ends up in logs",
        #[cfg(feature = "confidential")]
        RevocationUnavailable = "revocation_unavailable": "the provider has no revocation endpoint: the token is good until it expires",
        ScopeMalformed = "scope_malformed": "`scopes` must be words of visible ASCII characters without quotes and back slashes, one space between",
        #[cfg(feature = "step-up")]
        StepUpUnverifiable = "step_up_unverifiable": "`step_up` needs an ID token that says how the user signed in: without `oauth_only`",
        TokenIsKept = "token_is_kept": "the access token stays in the keep: call the API with `fetch`, or see what `dangerous_expose_access_token` costs",
        #[cfg(feature = "confidential")]
        TokenTypeMalformed = "token_type_malformed": "the type of a token in an exchange must be an absolute URI (RFC 8693 §3)",
        UserInfoUnavailable = "user_info_unavailable": "there is no user info: the provider has no endpoint for it, or the app did not ask for `openid`",
    }
}

fn field(f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display) -> fmt::Result {
    write!(f, " ({name}: {value})")
}

/// An answer of the provider that says `error`
/// ([RFC 6749 §4.1.2.1 and §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
///
/// Its texts come from outside: control characters are removed, lengths are capped, a text that repeats a secret is
/// dropped. They are still not to be rendered as HTML.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderError {
    error: String,
    description: Option<String>,
    uri: Option<HttpUrl>,
}

impl ProviderError {
    /// From the parameters of an error response; `None` when `error` has characters that it must not have.
    pub(crate) fn new(error: &str, description: Option<&str>, uri: Option<&str>, secrets: &[&Secret<String>]) -> Option<ProviderError> {
        let allowed = |char: char| matches!(char, ' '..='~') && !matches!(char, '"' | '\\' | ' ');
        if error.is_empty() || error.len() > 100 || !error.chars().all(allowed) || repeats(error, secrets) {
            return None;
        }
        Some(ProviderError {
            error: error.to_owned(),
            // Made plain first: what is taken away could have hidden a secret.
            description: description
                .map(plain_text)
                .filter(|text| !text.is_empty() && !repeats(text, secrets))
                .map(|text| text.chars().take(500).collect()),
            uri: uri.filter(|uri| uri.len() <= 2000 && !repeats(uri, secrets)).and_then(|uri| HttpUrl::parse(uri).ok()),
        })
    }

    /// The error code, such as `access_denied`.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// What the provider says about it to a developer, at most 500 characters.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// A page about it. Never opened by us.
    pub fn uri(&self) -> Option<&HttpUrl> {
        self.uri.as_ref()
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the provider answered {}", self.error)?;
        match &self.description {
            Some(description) => write!(f, ": {description}"),
            None => Ok(()),
        }
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Error {
        Error::Provider(Box::new(error))
    }
}

/// Which answer it was.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An API that the app calls.
    Api,
    /// The authorization endpoint.
    Authorization,
    /// The device authorization endpoint.
    #[cfg(feature = "device")]
    DeviceAuthorization,
    /// The end-session endpoint.
    EndSession,
    /// The provider's keys, at `jwks_uri`.
    Keys,
    /// The provider metadata.
    Metadata,
    /// The endpoint for pushed authorization requests.
    PushedRequest,
    /// The revocation endpoint.
    Revocation,
    /// The token endpoint.
    Token,
    /// The UserInfo endpoint.
    UserInfo,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Api => "API",
            Source::Authorization => "authorization endpoint",
            #[cfg(feature = "device")]
            Source::DeviceAuthorization => "device authorization endpoint",
            Source::EndSession => "end-session endpoint",
            Source::Keys => "keys",
            Source::Metadata => "provider metadata",
            Source::PushedRequest => "pushed authorization request endpoint",
            Source::Revocation => "revocation endpoint",
            Source::Token => "token endpoint",
            Source::UserInfo => "user info",
        })
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The content type is not the one that the specification asks for.
    ContentType,
    /// An object has two members of one name.
    DuplicateMember,
    /// This member is missing, or of the wrong type or value.
    Member(&'static str),
    /// It is not an object.
    NotAnObject,
    /// It is not JSON in UTF-8.
    NotJson,
    /// It is nested too deep.
    TooDeep,
    /// It is too large.
    TooLarge,
}

impl std::error::Error for Unreadable {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unreadable::ContentType => "unexpected content type",
            Unreadable::DuplicateMember => "a member is there twice",
            Unreadable::Member(name) => return write!(f, "the member `{name}` is missing or has a wrong value"),
            Unreadable::NotAnObject => "not a JSON object",
            Unreadable::NotJson => "not JSON",
            Unreadable::TooDeep => "nested too deep",
            Unreadable::TooLarge => "too large",
        })
    }
}

impl Unreadable {
    /// As an error about an answer.
    pub(crate) fn of(self, from: Source) -> Error {
        Misbehaved::BadResponse { from, why: self }.into()
    }
}

fn repeats(text: &str, secrets: &[&Secret<String>]) -> bool {
    let repeated = |secret: &[u8]| !secret.is_empty() && text.as_bytes().windows(secret.len()).any(|part| part == secret);
    secrets.iter().any(|secret| repeated(secret.expose().as_bytes()))
}

/// Text that can do nothing but be read: no control characters, no characters that turn the direction of others.
fn plain_text(text: &str) -> String {
    let inert = |char: &char| {
        !char.is_control() && !matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(inert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_variants_are_in_order() {
        let mut all: Vec<&str> = [Interrupted::CODES, Misbehaved::CODES, Misconfigured::CODES].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn text_from_a_provider_is_inert() {
        let code = Secret::copied("SplxlOBeZQQYbYS6WxSbIA");
        let read = |description, uri| ProviderError::new("invalid_grant", Some(description), Some(uri), &[&code]).unwrap();
        let error = read("the code\r\nis \u{202e}gone", "javascript:alert(1)");
        assert_eq!((error.description(), error.uri()), (Some("the codeis gone"), None));
        let error = read("code Splx\u{200b}lOBeZQQYbYS6WxSbIA", "https://as.example/?code=SplxlOBeZQQYbYS6WxSbIA");
        assert_eq!((error.description(), error.uri()), (None, None));
        for bad in ["", "a b", "a\"b", "a\\b", "ä", "a\n"] {
            assert_eq!(ProviderError::new(bad, None, None, &[]), None, "{bad}");
        }
    }
}
