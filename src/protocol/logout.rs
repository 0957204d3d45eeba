//! Signing out at the provider
//! ([OpenID Connect RP-Initiated Logout 1.0](https://openid.net/specs/openid-connect-rpinitiated-1_0.html),
//! [RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)), and being signed out by it
//! ([OpenID Connect Front-Channel Logout 1.0](https://openid.net/specs/openid-connect-frontchannel-1_0.html)).

use super::{authorize::StateDigest, form, http::Request, id_token::Claims, provider::Metadata, secret::Secret, url::HttpUrl};

/// A request to the end-session endpoint.
///
/// It is sent as a navigation. The ID token is not in its URL, where histories and logs would keep the user's claims: who wants
/// `id_token_hint` sends it in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndSession<'a> {
    /// `client_id`.
    pub client_id: &'a str,
    /// Where the user shall be afterwards, exactly as registered.
    pub post_logout_redirect_uri: &'a HttpUrl,
    /// `state`: comes back with the user.
    pub state: &'a str,
}

impl EndSession<'_> {
    /// Where to send the user.
    pub fn url(&self, endpoint: &HttpUrl) -> String {
        let mut query = String::new();
        for (name, value) in self.fields() {
            form::append(&mut query, name, value);
        }
        endpoint.with_query(&query)
    }

    /// The fields of a form that does the same.
    pub fn fields(&self) -> [(&'static str, &str); 3] {
        [("client_id", self.client_id), ("post_logout_redirect_uri", self.post_logout_redirect_uri.as_str()), ("state", self.state)]
    }
}

/// The `state` in an address that a sign-out came back to, if it carries one.
pub fn returned_state(address: &str, post_logout_redirect_uri: &HttpUrl) -> Option<StateDigest> {
    let before = address.split('#').next().unwrap_or_default();
    let (base, query) = before.split_once('?')?;
    let registered = post_logout_redirect_uri.as_str().split('?').next().unwrap_or_default();
    let mut states = form::pairs(query).filter(|pair| pair.is("state"));
    match (base == registered, states.next(), states.next()) {
        (true, Some(state), None) => form::decode(state.value).ok().map(|state| StateDigest::of(&state)),
        _ => None,
    }
}

/// The request that makes a token worthless ([RFC 7009 §2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)); `None` when the
/// provider has no endpoint for that.
pub fn revocation(metadata: &Metadata, client_id: &str, refresh_token: &Secret<String>) -> Option<Request> {
    let endpoint = metadata.revocation_endpoint.as_ref()?;
    let mut body = String::new();
    for (name, value) in [("token", refresh_token.expose().as_str()), ("token_type_hint", "refresh_token"), ("client_id", client_id)] {
        form::append(&mut body, name, value);
    }
    Some(Request::form(endpoint.as_str(), body))
}

/// Judges the answer to a [`revocation`].
#[cfg(feature = "confidential")]
pub(crate) fn revoked(response: &super::http::Response, token: &Secret<String>) -> Result<(), super::error::Error> {
    use super::error::{ProviderError, Source};
    if response.is_success() {
        return Ok(());
    }
    // RFC 7009 §2.2.1: errors are those of the token endpoint.
    let said = response
        .json_object()
        .ok()
        .filter(|_| response.status < 500)
        .and_then(|body| ProviderError::new(body.text("error")?, body.text("error_description"), body.text("error_uri"), &[token]));
    Err(said.map_or(response.refused(Source::Revocation), Into::into))
}

/// What a provider says at a front-channel logout URI
/// ([Front-Channel Logout §2](https://openid.net/specs/openid-connect-frontchannel-1_0.html#RPLogout)). Not believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontChannelLogout {
    pub(crate) iss: Option<String>,
    pub(crate) sid: Option<String>,
}

impl FrontChannelLogout {
    /// Reads an address.
    pub fn read(address: &str) -> FrontChannelLogout {
        let before = address.split('#').next().unwrap_or_default();
        let query = before.split_once('?').map_or("", |(_, query)| query);
        // There twice is as good as wrong.
        let one = |name: &str| {
            let mut values = form::pairs(query).filter(|pair| pair.is(name));
            match (values.next(), values.next()) {
                (None, _) => None,
                (Some(pair), None) => Some(form::decode(pair.value).unwrap_or_default()),
                _ => Some(String::new()),
            }
        };
        FrontChannelLogout { iss: one("iss"), sid: one("sid") }
    }

    /// Whether it means the session of this user. Without `iss` and `sid` it means everybody, if that is allowed.
    pub fn means(&self, claims: &Claims, session_required: bool) -> bool {
        match (&self.iss, &self.sid) {
            (Some(iss), Some(sid)) => claims.text("iss") == Some(iss) && claims.text("sid") == Some(sid),
            (None, None) => !session_required,
            _ => false,
        }
    }
}
