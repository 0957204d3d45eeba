//! An API request: only to where a token may go, with the token in its header and nowhere else.

use crate::protocol::{Access, HttpUrl, Misconfigured, Request};

/// Where a token may go: scheme, host, port and path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(HttpUrl);

impl Destination {
    /// Reads an entry of the allow-list. There are no wildcards.
    ///
    /// # Errors
    /// When it is not https (http only on this machine), or has a query or a fragment.
    pub fn parse(text: &str) -> Result<Destination, Misconfigured> {
        match HttpUrl::parse(text) {
            Ok(url) if url.is_secure() && url.query().is_none() && !wanders(url.path()) => Ok(Destination(url)),
            _ => Err(Misconfigured::ApiMalformed),
        }
    }

    /// Whether a URL lies there.
    ///
    /// ```
    /// use tokenkeep::{keep::Destination, protocol::HttpUrl};
    ///
    /// let api = Destination::parse("https://api.example/v1")?;
    /// let covers = |url| api.covers(&HttpUrl::parse(url).unwrap());
    /// assert!(covers("https://api.example/v1/orders?open=1"));
    /// assert!(!covers("https://api.example/v10"));
    /// assert!(!covers("https://api.example.evil/v1/orders"));
    /// assert!(!covers("https://api.example/v1/..%2fadmin"));
    /// assert!(!covers("https://api.example/v1/%252e%252e;/admin"));
    /// # Ok::<(), tokenkeep::Error>(())
    /// ```
    pub fn covers(&self, url: &HttpUrl) -> bool {
        let prefix = self.0.path();
        let below = match url.path().strip_prefix(prefix) {
            Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
            None => false,
        };
        self.0.same_origin(url) && below && !wanders(url.path())
    }
}

/// Whether a path has a segment that a browser or a server may resolve to another place: `..` and `.`, also when encoded, once or more, and
/// before a `;`, which some servers drop with what follows it.
fn wanders(path: &str) -> bool {
    let mut rest = path.bytes();
    let (mut dots, mut other) = (0u32, false);
    loop {
        let byte = match rest.next() {
            None => b'/',
            Some(b'%') => {
                let mut digits = rest.clone();
                let mut escape = || (digits.next(), digits.next().map(|digit| digit.to_ascii_lowercase()));
                let mut escaped = escape();
                while escaped == (Some(b'2'), Some(b'5')) {
                    escaped = escape();
                }
                let byte = match escaped {
                    (Some(b'2'), Some(b'e')) => b'.',
                    (Some(b'2'), Some(b'f')) | (Some(b'5'), Some(b'c')) => b'/',
                    _ => b'%',
                };
                if byte != b'%' {
                    rest = digits;
                }
                byte
            }
            Some(byte) => byte,
        };
        match byte {
            b'.' => dots = dots.saturating_add(1),
            b'/' | b';' if !other && (dots == 1 || dots == 2) => return true,
            b'/' if rest.len() == 0 => return false,
            b'/' => (dots, other) = (0, false),
            _ => other = true,
        }
    }
}

/// Checks that a request may get a token, and says which.
///
/// # Errors
/// When it goes elsewhere, brings its own `Authorization`, or is no request.
pub(crate) fn check<'a>(request: &Request, allowed: &'a [(Destination, Access)]) -> Result<(HttpUrl, &'a Access), Misconfigured> {
    let token =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let value = |text: &str| text.bytes().all(|byte| byte == b'\t' || matches!(byte, b' '..=b'~'));
    let without_body = matches!(request.method.as_str(), "GET" | "HEAD");
    let forbidden = ["CONNECT", "TRACE", "TRACK"].iter().any(|method| request.method.eq_ignore_ascii_case(method));
    if !token(&request.method) || forbidden || (without_body && request.body.is_some()) {
        return Err(Misconfigured::RequestMalformed);
    }
    for (name, text) in &request.headers {
        if !token(name) || !value(text.expose()) {
            return Err(Misconfigured::RequestMalformed);
        }
        if name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("dpop") {
            return Err(Misconfigured::AuthorizationSet);
        }
    }
    let url = HttpUrl::parse(&request.url).map_err(|_| Misconfigured::RequestMalformed)?;
    let covering = allowed.iter().filter(|(destination, _)| destination.covers(&url));
    match covering.max_by_key(|(destination, _)| destination.0.path().len()) {
        Some((_, access)) => Ok((url, access)),
        None => Err(Misconfigured::DestinationNotAllowed),
    }
}
