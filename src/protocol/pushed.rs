//! Pushed authorization requests: the provider gets the request from the client itself, and the user's browser only a name for it
//! ([RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)).

use super::{
    authorize::AuthorizationRequest,
    error::{Error, ProviderError, Source, Unreadable},
    form,
    http::{Request, Response},
    json::Number,
    provider::Metadata,
    secret::Secret,
};

/// The request that is pushed, and the only thing that may judge its answer.
#[derive(Debug)]
pub struct PushedRequest {
    /// Sent once for each sign-in.
    pub request: Request,
    client_id: String,
    secrets: [Secret<String>; 2],
}

impl AuthorizationRequest {
    /// Makes the request that pushes this one; `None` when the provider has no endpoint for it.
    pub fn push(self, metadata: &Metadata) -> Option<PushedRequest> {
        let endpoint = metadata.pushed_authorization_request_endpoint.as_ref()?;
        let AuthorizationRequest { client_id, form, secrets } = self;
        Some(PushedRequest { request: Request::form(endpoint.as_str(), form.expose().clone()), client_id, secrets })
    }
}

impl PushedRequest {
    /// Judges the answer: where to send the user. There is no other way to ask then, whatever went wrong.
    ///
    /// # Errors
    /// When the provider refuses, or answers something that is no answer to a pushed request.
    pub fn finish(self, metadata: &Metadata, response: &Response) -> Result<Secret<String>, Error> {
        let unreadable = |why: Unreadable| why.of(Source::PushedRequest);
        let body = response.json_object();
        if response.status != 201 {
            let secrets: Vec<_> = self.secrets.iter().chain(self.request.proof()).collect();
            let error = body
                .ok()
                .filter(|_| (400..500).contains(&response.status))
                .and_then(|body| ProviderError::new(body.text("error")?, body.text("error_description"), body.text("error_uri"), &secrets));
            return Err(error.map_or_else(|| response.refused(Source::PushedRequest), Error::from));
        }
        let body = body.map_err(unreadable)?;
        let request_uri = body.required_string("request_uri").map_err(unreadable)?;
        if request_uri.is_empty() {
            return Err(unreadable(Unreadable::Member("request_uri")));
        }
        // RFC 9126 §2.2: "a JSON number that represents the lifetime of the request URI in seconds as a positive integer".
        let lifetime = body.get("expires_in").and_then(|value| value.as_number()).and_then(Number::floor);
        if lifetime.is_none_or(|seconds| seconds == 0) {
            return Err(unreadable(Unreadable::Member("expires_in")));
        }
        let mut query = String::new();
        form::append(&mut query, "client_id", &self.client_id);
        form::append(&mut query, "request_uri", request_uri);
        Ok(Secret::new(metadata.authorization_endpoint.with_query(&query)))
    }
}
