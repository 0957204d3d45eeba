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

    pub async fn get(self, path: &'static str) -> Result<Response, Error> {
        let url = self.url(path);
        let outcome = if self.has_token() { self.auth.fetch(Request::get(url)).await } else { self.get_without_token(url).await };
        if let Err(error) = &outcome {
            self.log.note(&Event::Failed(error.clone()));
        }
        outcome
    }

    async fn get_without_token(self, url: String) -> Result<Response, Error> {
        let response = without_token(Request::get(url.as_str())).await?;
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
