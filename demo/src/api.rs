//! The API: called with a token when somebody is signed in, and without one when nobody is.

use leptos::prelude::*;
use tokenkeep::leptos::Auth;
use tokenkeep::protocol::Source;
use tokenkeep::{Error, Event, Request, Response};

use crate::log::Log;

#[derive(Clone, Copy)]
pub struct Api {
    base: StoredValue<String>,
    auth: Auth,
    log: Log,
}

impl Api {
    pub fn new(base: String, auth: Auth, log: Log) -> Api {
        Api { base: StoredValue::new(base), auth, log }
    }

    pub fn url(self, path: &str) -> String {
        self.base.with_value(|base| [base.trim_end_matches('/'), path].concat())
    }

    /// Whether the next call carries a token.
    pub fn has_token(self) -> bool {
        untrack(|| self.auth.session().is_some())
    }

    pub async fn get(self, path: &str) -> Result<Response, Error> {
        self.send(Request::get(self.url(path)), self.has_token()).await
    }

    pub async fn send(self, request: Request, with_token: bool) -> Result<Response, Error> {
        let outcome = if with_token { self.auth.fetch(request).await } else { self.send_without_token(request).await };
        if let Err(error) = &outcome {
            self.log.note(&Event::Failed(error.clone()));
        }
        outcome
    }

    async fn send_without_token(self, request: Request) -> Result<Response, Error> {
        let url = request.url.split('?').next().unwrap_or_default().to_owned();
        let response = without_token(request).await?;
        self.log.note(&Event::ApiAnswered { url, status: response.status });
        Ok(response)
    }
}

/// Fetches as the library does, but as nobody.
#[cfg(target_family = "wasm")]
pub async fn without_token(request: Request) -> Result<Response, Error> {
    use tokenkeep::keep::ports::Http;

    tokenkeep::browser::Fetch.send(&request).await.map_err(|failure| failure.of(Source::Api))
}

/// There is no network without a browser.
#[cfg(not(target_family = "wasm"))]
pub async fn without_token(_: Request) -> Result<Response, Error> {
    Err(tokenkeep::protocol::Interrupted::Unreachable { from: Source::Api }.into())
}
