//! Who the provider is, and what makes its metadata acceptable
//! ([OpenID Connect Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html), [RFC 8414](https://www.rfc-editor.org/rfc/rfc8414)).

use std::fmt;

use super::{
    error::{Error, Misbehaved, Misconfigured, Source, Unreadable},
    form,
    http::{Request, Response},
    jose::Algorithm,
    json::Json,
    url::HttpUrl,
};

/// The name of a provider: a URL that is compared code point by code point, never normalized
/// ([RFC 8414 §4](https://www.rfc-editor.org/rfc/rfc8414#section-4)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(HttpUrl);

impl Issuer {
    /// Reads a configured issuer.
    ///
    /// # Errors
    /// When it is not an https URL (http only on this machine), or has a query or a fragment.
    pub fn parse(text: &str) -> Result<Issuer, Misconfigured> {
        match HttpUrl::parse(text) {
            Ok(url) if url.is_secure() && url.query().is_none() => Ok(Issuer(url)),
            _ => Err(Misconfigured::IssuerMalformed),
        }
    }

    /// The issuer as it was given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Where its metadata is.
    ///
    /// ```
    /// use tokenkeep::protocol::{Discovery, Issuer};
    ///
    /// let issuer = Issuer::parse("https://as.example/tenant")?;
    /// assert_eq!(issuer.metadata_url(Discovery::OpenId), "https://as.example/tenant/.well-known/openid-configuration");
    /// assert_eq!(issuer.metadata_url(Discovery::OAuth), "https://as.example/.well-known/oauth-authorization-server/tenant");
    /// # Ok::<(), tokenkeep::Error>(())
    /// ```
    pub fn metadata_url(&self, discovery: Discovery) -> String {
        let (origin, path) = (self.0.origin(), self.0.path());
        let path = path.strip_suffix('/').unwrap_or(path);
        match discovery {
            // OpenID Connect Discovery §4.1: "any terminating / MUST be removed before appending".
            Discovery::OpenId => [origin, path, "/.well-known/openid-configuration"].concat(),
            // RFC 8414 §3.1: "between the host component and the path component".
            Discovery::OAuth => [origin, "/.well-known/oauth-authorization-server", path].concat(),
        }
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which kind of metadata the provider publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// RFC 8414: plain OAuth, nobody is identified.
    OAuth,
    /// OpenID Connect Discovery.
    OpenId,
}

/// What a provider says of itself, checked: the issuer is the configured one, and every endpoint may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The issuer, equal to the configured one.
    pub issuer: Issuer,
    /// Where the user goes to sign in.
    pub authorization_endpoint: HttpUrl,
    /// Where a code is redeemed.
    pub token_endpoint: HttpUrl,
    /// Where the signing keys are. Always there with [`Discovery::OpenId`].
    pub jwks_uri: Option<HttpUrl>,
    /// Where claims about the user are.
    pub userinfo_endpoint: Option<HttpUrl>,
    /// Where the user goes to sign out (OpenID Connect RP-Initiated Logout).
    pub end_session_endpoint: Option<HttpUrl>,
    /// What a page asks in a frame whether the user is still signed in
    /// ([Session Management §3.3](https://openid.net/specs/openid-connect-session-1_0.html#OPMetadata)).
    #[cfg(feature = "check-session")]
    pub check_session_iframe: Option<HttpUrl>,
    /// Where a token is revoked ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).
    pub revocation_endpoint: Option<HttpUrl>,
    /// Where an authorization request is pushed to ([RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)).
    pub pushed_authorization_request_endpoint: Option<HttpUrl>,
    /// Whether it takes no other requests ([RFC 9126 §5](https://www.rfc-editor.org/rfc/rfc9126#section-5)).
    pub requires_pushed_requests: bool,
    /// Where codes for another device are ([RFC 8628 §4](https://www.rfc-editor.org/rfc/rfc8628#section-4)).
    #[cfg(feature = "device")]
    pub device_authorization_endpoint: Option<HttpUrl>,
    /// How ID tokens may be signed: what the provider offers and we accept.
    pub id_token_algorithms: Vec<Algorithm>,
    /// The same for authorization responses that are signed ([JARM §4](https://openid.net/specs/oauth-v2-jarm-final.html#section-4)).
    pub response_algorithms: Vec<Algorithm>,
    /// Whether proofs may be signed with ES256, as far as the provider says
    /// ([RFC 9449 §5.1](https://www.rfc-editor.org/rfc/rfc9449#section-5.1)).
    pub takes_proofs: bool,
    /// Whether a client may be named by the URL of its metadata, as far as the provider says
    /// ([Client ID Metadata Document](https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/)).
    pub reads_client_metadata: bool,
    /// Whether every response says its issuer ([RFC 9207 §3](https://www.rfc-editor.org/rfc/rfc9207#section-3)).
    pub iss_in_responses: bool,
}

impl Metadata {
    /// The request for the metadata.
    pub fn request(issuer: &Issuer, discovery: Discovery) -> Request {
        Request::to_provider("GET", &issuer.metadata_url(discovery)).header("accept", "application/json")
    }

    /// Judges the answer.
    ///
    /// # Errors
    /// When it is not metadata of this very issuer, when one of its endpoints is not https, or when the provider does not offer
    /// what a public client needs.
    pub fn read(issuer: &Issuer, discovery: Discovery, response: &Response) -> Result<Metadata, Error> {
        match response.status {
            200 => {}
            status @ (404 | 410) => return Err(Misbehaved::MetadataMissing { status }.into()),
            _ => return Err(response.refused(Source::Metadata)),
        }
        let document = response.json_object().map_err(|why| why.of(Source::Metadata))?;
        Metadata::check(issuer, discovery, &document)
    }

    fn check(issuer: &Issuer, discovery: Discovery, document: &Json) -> Result<Metadata, Error> {
        let unreadable = |why: Unreadable| why.of(Source::Metadata);
        // RFC 8414 §3.3: "the data contained in the response MUST NOT be used" when the issuer is not identical.
        if document.required_string("issuer").map_err(unreadable)? != issuer.as_str() {
            return Err(Misbehaved::IssuerMismatch.into());
        }
        let endpoint = |member: &'static str| match document.string(member).map_err(unreadable)? {
            None => Ok(None),
            Some(text) => match HttpUrl::parse(text) {
                Ok(url) if url.is_secure() => Ok(Some(url)),
                _ => Err(Error::from(Misbehaved::BadEndpoint { member })),
            },
        };
        let required = |member: &'static str| endpoint(member)?.ok_or(unreadable(Unreadable::Member(member)));

        let authorization_endpoint = required("authorization_endpoint")?;
        let ours = |pair: form::Pair<'_>| super::authorize::RESERVED.iter().any(|name| pair.is(name));
        if form::pairs(authorization_endpoint.query().unwrap_or_default()).any(ours) {
            return Err(Misbehaved::BadEndpoint { member: "authorization_endpoint" }.into());
        }
        let pushed_authorization_request_endpoint = endpoint("pushed_authorization_request_endpoint")?;

        let methods = document.strings("code_challenge_methods_supported").map_err(unreadable)?;
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(Misconfigured::PkceUnsupported.into());
        }
        let requires_pushed_requests = document.bool("require_pushed_authorization_requests").map_err(unreadable)? == Some(true);
        if requires_pushed_requests && pushed_authorization_request_endpoint.is_none() {
            return Err(Misbehaved::BadEndpoint { member: "pushed_authorization_request_endpoint" }.into());
        }
        let algorithms = |member: &'static str| {
            let offered = document.strings(member).map_err(unreadable)?;
            Ok::<_, Error>(match offered {
                Some(names) => names.iter().filter_map(|name| Algorithm::from_name(name)).collect(),
                None => Algorithm::ALL.to_vec(),
            })
        };
        let proofs = document.get("dpop_signing_alg_values_supported");
        let takes_proofs =
            proofs.is_none_or(|names| names.as_array().is_some_and(|names| names.iter().any(|name| name.as_str() == Some("ES256"))));
        Ok(Metadata {
            issuer: issuer.clone(),
            authorization_endpoint,
            token_endpoint: required("token_endpoint")?,
            jwks_uri: match discovery {
                Discovery::OAuth => endpoint("jwks_uri")?,
                Discovery::OpenId => Some(required("jwks_uri")?),
            },
            userinfo_endpoint: endpoint("userinfo_endpoint")?,
            end_session_endpoint: endpoint("end_session_endpoint")?,
            #[cfg(feature = "check-session")]
            check_session_iframe: endpoint("check_session_iframe")?,
            revocation_endpoint: endpoint("revocation_endpoint")?,
            #[cfg(feature = "device")]
            device_authorization_endpoint: endpoint("device_authorization_endpoint")?,
            pushed_authorization_request_endpoint,
            requires_pushed_requests,
            id_token_algorithms: algorithms("id_token_signing_alg_values_supported")?,
            response_algorithms: algorithms("authorization_signing_alg_values_supported")?,
            takes_proofs,
            reads_client_metadata: document.bool("client_id_metadata_document_supported").map_err(unreadable)? == Some(true),
            iss_in_responses: document.bool("authorization_response_iss_parameter_supported").map_err(unreadable)? == Some(true),
        })
    }
}
