//! What a server on reqwest gives to `tokenkeep::confidential`: a network. Cryptography is `Ring`, and the clock the operating system's.

use tokenkeep::{
    Error, Request, Response,
    confidential::{
        Client, Config, Ring,
        ports::{Http, HttpFailure},
    },
};

/// A network on reqwest.
#[derive(Clone, Debug)]
pub struct Network(reqwest::Client);

impl Network {
    /// One that follows no redirect: what is sent holds secrets.
    ///
    /// # Errors
    /// When there is no TLS.
    pub fn new() -> Result<Network, reqwest::Error> {
        // reqwest wants to be told which cryptography rustls shall have. It may have been told before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().map(Network)
    }

    async fn answer(&self, request: &Request) -> Result<Response, HttpFailure> {
        let method = request.method.parse().map_err(|_| HttpFailure::Unreachable)?;
        let mut sent = self.0.request(method, &request.url).timeout(request.deadline);
        for (name, value) in &request.headers {
            sent = sent.header(name, value.expose());
        }
        if let Some(body) = &request.body {
            sent = sent.body(body.expose().clone());
        }
        let mut answer = sent.send().await.map_err(failure)?;
        if answer.status().is_redirection() {
            return Err(HttpFailure::Unreachable);
        }
        let text = |value: &reqwest::header::HeaderValue| value.to_str().map(str::to_owned).ok();
        let headers = answer.headers().iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect();
        let (status, mut body) = (answer.status().as_u16(), Vec::new());
        while let Some(piece) = answer.chunk().await.map_err(failure)? {
            if body.len().saturating_add(piece.len()) > request.limit {
                return Err(HttpFailure::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Response { status, headers, body })
    }
}

impl Http for Network {
    async fn send(&self, request: &Request) -> Result<Response, HttpFailure> {
        self.answer(request).await
    }
}

fn failure(error: reqwest::Error) -> HttpFailure {
    if error.is_timeout() { HttpFailure::TimedOut } else { HttpFailure::Unreachable }
}

/// A client on all of that.
///
/// # Errors
/// When the configuration cannot work.
pub fn open(config: Config, network: Network) -> Result<Client<Network, Ring>, Error> {
    Ok(Client::open(config, network, Ring::default())?)
}
