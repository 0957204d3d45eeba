//! Requests and responses as values. Who sends them is not known here.

use std::time::Duration;

use super::{
    challenge::Challenge,
    error::{Error, Interrupted, Misbehaved, Source, Unreadable},
    json::Json,
    secret::Secret,
    token::TokenType,
};

/// The largest answer of a provider that is read, in bytes.
pub const MAX_PROVIDER_ANSWER: usize = 256 * 1024;

/// The time in which a provider must have answered, body included.
pub const PROVIDER_DEADLINE: Duration = Duration::from_secs(10);

/// The largest answer of an API that is read, in bytes, unless the request says otherwise.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The time in which an API must have answered, body included, unless the request says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A request to be sent.
///
/// ```
/// use tokenkeep::Request;
///
/// let request = Request::new("POST", "https://api.example/orders").header("content-type", "application/json").body("{}");
/// ```
#[derive(Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The absolute URL, without secrets.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, Secret<String>)>,
    /// The body.
    pub body: Option<Secret<Vec<u8>>>,
    /// How the browser's HTTP cache may take part.
    pub cache: Cache,
    /// Until when the whole body must have arrived.
    pub deadline: Duration,
    /// How many bytes of the body are read before giving up.
    pub limit: usize,
    /// Whether it may be sent a second time, with a new token, when the first one was refused.
    pub replay: bool,
}

/// How the browser's HTTP cache may take part in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// As the response headers say.
    Default,
    /// Not at all.
    NoStore,
    /// The answer may be stored, but must be fresh.
    Reload,
}

impl Request {
    /// A `GET` request.
    pub fn get(url: impl Into<String>) -> Request {
        Request::new("GET", url)
    }

    /// A request of any method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Request {
        Request {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            cache: Cache::Default,
            deadline: DEADLINE,
            limit: MAX_ANSWER,
            replay: true,
        }
    }

    /// A request to a provider: it has less time, and less to say, than an API.
    pub(crate) fn to_provider(method: &str, url: &str) -> Request {
        Request::new(method, url).deadline(PROVIDER_DEADLINE).limit(MAX_PROVIDER_ANSWER)
    }

    /// A `POST` request with a form, never cached.
    pub(crate) fn form(url: &str, form: String) -> Request {
        Request::to_provider("POST", url)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .cache(Cache::NoStore)
    }

    /// The same with a header field more.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), Secret::new(value.into())));
        self
    }

    /// The same with a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(Secret::new(body.into()));
        self
    }

    /// The same with another use of the HTTP cache.
    pub fn cache(mut self, cache: Cache) -> Request {
        self.cache = cache;
        self
    }

    /// The same with another deadline for the whole answer.
    pub fn deadline(mut self, deadline: Duration) -> Request {
        self.deadline = deadline;
        self
    }

    /// The same with another limit, in bytes, for the body of the answer.
    pub fn limit(mut self, bytes: usize) -> Request {
        self.limit = bytes;
        self
    }

    /// The same, but never sent a second time. If its token is refused, the answer that says so is the answer.
    pub fn once(mut self) -> Request {
        self.replay = false;
        self
    }

    /// Puts the access token in: in the header and nowhere else ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
    /// Another one that was there before goes.
    pub(crate) fn authorize(&mut self, token_type: TokenType, access_token: &Secret<String>) {
        self.set("authorization", Secret::new([token_type.name(), " ", access_token.expose()].concat()));
    }

    /// The proof that was put in.
    pub(crate) fn proof(&self) -> Option<&Secret<String>> {
        self.headers.iter().find(|(name, _)| name == "dpop").map(|(_, proof)| proof)
    }

    /// Sets a header field, in place of one of the same name.
    pub(crate) fn set(&mut self, name: &str, value: Secret<String>) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value));
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case: those that the browser shows.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header field, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Why an API refused the token, if it says so in `WWW-Authenticate` and lets this origin read that
    /// (`Access-Control-Expose-Headers`).
    ///
    /// ```
    /// use tokenkeep::protocol::{Challenge, Response};
    ///
    /// let headers = vec![("www-authenticate".to_owned(), r#"Bearer error="invalid_token""#.to_owned())];
    /// let response = Response { status: 401, headers, body: Vec::new() };
    /// assert_eq!(response.challenge(), Some(Challenge::InvalidToken));
    /// ```
    pub fn challenge(&self) -> Option<Challenge> {
        self.header("www-authenticate").and_then(Challenge::read)
    }

    /// The same for a token of this type.
    pub(crate) fn challenge_to(&self, token_type: TokenType) -> Option<Challenge> {
        self.header("www-authenticate").and_then(|field| Challenge::to(token_type, field))
    }

    /// Whether the status says success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }

    /// The body as JSON, whatever its content type says.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn json(&self) -> Result<Json, Unreadable> {
        Json::parse(self.text().ok_or(Unreadable::NotJson)?)
    }

    /// The body as a JSON object of the content type that JSON must have.
    pub(crate) fn json_object(&self) -> Result<Json, Unreadable> {
        if self.media_type() != "application/json" {
            return Err(Unreadable::ContentType);
        }
        match self.json()? {
            object @ Json::Object(_) => Ok(object),
            _ => Err(Unreadable::NotAnObject),
        }
    }

    /// The content type in lower case, without parameters.
    pub(crate) fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
    }

    /// The error for a status that is not the one asked for.
    pub(crate) fn refused(&self, from: Source) -> Error {
        let status = self.status;
        if self.is_unavailable() {
            Interrupted::Unavailable { from, status }.into()
        } else {
            Misbehaved::UnexpectedStatus { from, status }.into()
        }
    }

    /// When the server wants to be asked again, if it says so in seconds and lets this origin read that.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after").and_then(|value| value.trim_ascii().parse().ok()).map(Duration::from_secs)
    }

    /// Whether the server says that it cannot answer now.
    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self.status, 429 | 500..)
    }
}
