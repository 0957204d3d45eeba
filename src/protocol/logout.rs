//! Signing out at the provider
//! ([OpenID Connect RP-Initiated Logout 1.0](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)).

use super::{form, provider::Metadata, url::HttpUrl};

/// A request to the end-session endpoint.
///
/// It is sent as a navigation. The ID token is not in it: `id_token_hint` would put the user's claims into a URL, and so into
/// histories and logs. Providers recognize the client by `client_id` instead, and may ask the user to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSession<'a> {
    /// `client_id`.
    pub client_id: &'a str,
    /// Where the user shall be afterwards, exactly as registered.
    pub post_logout_redirect_uri: Option<&'a HttpUrl>,
}

impl EndSession<'_> {
    /// Where to send the user; `None` when the provider has no such endpoint.
    pub fn url(&self, metadata: &Metadata) -> Option<String> {
        let endpoint = metadata.end_session_endpoint.as_ref()?;
        let mut query = String::new();
        form::append(&mut query, "client_id", self.client_id);
        if let Some(uri) = self.post_logout_redirect_uri {
            form::append(&mut query, "post_logout_redirect_uri", uri.as_str());
        }
        Some(endpoint.with_query(&query))
    }
}
