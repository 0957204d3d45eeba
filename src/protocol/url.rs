//! An `http` or `https` URL that every parser reads alike.
//!
//! Not a URL parser: a gate. What passes has one meaning for us, for the browser and for a server; what could be read in two
//! ways (user info, back slashes, white space, characters beyond ASCII) does not pass. The browser normalizes what a user or
//! an app typed before it comes here.

use std::{fmt, net::Ipv4Addr};

/// An absolute `http` or `https` URL without user info and fragment.
///
/// ```
/// use tokenkeep::protocol::HttpUrl;
///
/// let url = HttpUrl::parse("https://as.example/login?tenant=1").unwrap();
/// assert_eq!((url.path(), url.query()), ("/login", Some("tenant=1")));
/// assert!(url.is_secure());
/// assert!(HttpUrl::parse("https://user@as.example/").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    text: String,
    https: bool,
    host: String,
    port: u16,
    path_start: usize,
}

/// Why a text is no [`HttpUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlFault {
    /// It has a fragment.
    Fragment,
    /// It is not absolute, has another scheme, user info, or characters that parsers disagree about.
    Malformed,
}

impl HttpUrl {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// When it has a fragment, is relative, or could be read in two ways.
    pub fn parse(text: &str) -> Result<HttpUrl, UrlFault> {
        if text.contains('#') {
            return Err(UrlFault::Fragment);
        }
        HttpUrl::read(text).ok_or(UrlFault::Malformed)
    }

    fn read(text: &str) -> Option<HttpUrl> {
        // What a browser would still change, or a server read as something else. A query may hold more.
        let (before_query, query) = text.split_once('?').unwrap_or((text, ""));
        let refused = |byte: u8| !byte.is_ascii_graphic() || b"\"<>".contains(&byte);
        if text.bytes().any(refused) || before_query.bytes().any(|byte| b"\\^`{}".contains(&byte)) || query.contains('\'') {
            return None;
        }
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return None,
        };
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at_checked(authority_end)?;
        let colon = authority.bytes().rposition(|byte| byte == b':').filter(|_| !authority.ends_with(']'));
        let (host, port) = match colon.and_then(|colon| authority.split_at_checked(colon)) {
            // "0443" and "" are other spellings of a port; a URL has one.
            Some((host, port)) => (host, Some(port.strip_prefix(':')?).filter(|port| !port.starts_with(['0', '+']))?.parse().ok()?),
            None => (authority, if https { 443 } else { 80 }),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let known = match host.strip_prefix('[') {
            // Other addresses of this kind have many spellings, and nobody signs in there.
            Some(inner) => inner == "::1]",
            // "127.1" and "0x7f.1" are addresses, too: there is only one spelling of them here.
            None if ends_in_a_number(host) => host.parse::<Ipv4Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(plain),
        };
        let path_start = text.len().checked_sub(after.len())?;
        known.then(|| HttpUrl { text: text.to_owned(), https, host: host.to_ascii_lowercase(), port, path_start })
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port as they were given.
    pub fn origin(&self) -> &str {
        self.text.get(..self.path_start).unwrap_or_default()
    }

    /// Scheme, host and port as a browser writes them: in lower case, without the default port.
    pub fn canonical_origin(&self) -> String {
        let (scheme, default) = if self.https { ("https://", 443) } else { ("http://", 80) };
        let port = if self.port == default { String::new() } else { [":", &self.port.to_string()].concat() };
        [scheme, &self.host, &port].concat()
    }

    /// From the first slash up to the query; never empty.
    pub fn path(&self) -> &str {
        match self.after_origin().split('?').next() {
            None | Some("") => "/",
            Some(path) => path,
        }
    }

    /// What follows the first question mark.
    pub fn query(&self) -> Option<&str> {
        self.after_origin().split_once('?').map(|(_, query)| query)
    }

    /// Whether what is sent there stays between the two: https, or this very machine.
    pub fn is_secure(&self) -> bool {
        self.https || self.host == "localhost" || self.host.ends_with(".localhost") || self.host == "127.0.0.1" || self.host == "[::1]"
    }

    /// Whether scheme, host and port are the same.
    pub fn same_origin(&self, other: &HttpUrl) -> bool {
        (self.https, &self.host, self.port) == (other.https, &other.host, other.port)
    }

    /// The URL with one more pair in its query.
    pub fn with_query(&self, pairs: &str) -> String {
        let separator = match self.query() {
            None => "?",
            Some("") => "",
            Some(_) => "&",
        };
        [self.as_str(), separator, pairs].concat()
    }

    fn after_origin(&self) -> &str {
        self.text.get(self.path_start..).unwrap_or_default()
    }
}

/// Whether a browser would read this host as an IPv4 address ([URL §3.5](https://url.spec.whatwg.org/#ends-in-a-number-checker)).
fn ends_in_a_number(host: &str) -> bool {
    // Forwards to the last label: nothing else here searches backwards, and that is code of its own.
    let last = host.strip_suffix('.').unwrap_or(host).split('.').fold("", |_, label| label);
    let decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    decimal || last.starts_with("0x") || last.starts_with("0X")
}

/// Whether this names a client by the URL of its metadata: https with a path, and without user name, dot segments and fragment
/// ([Client ID Metadata Document §3](https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/)). `None` for what
/// is no https URL.
pub(crate) fn names_client_metadata(client_id: &str) -> Option<bool> {
    let (scheme, rest) = client_id.split_once(':')?;
    let rest = rest.strip_prefix("//").filter(|_| scheme.eq_ignore_ascii_case("https"))?;
    let (authority, path) = rest.find(['/', '?', '#']).and_then(|end| rest.split_at_checked(end)).unwrap_or((rest, ""));
    let is_dot = |segment: &str| [".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"].iter().any(|dots| segment.eq_ignore_ascii_case(dots));
    let mut segments = path.split('?').next().unwrap_or_default().split('/');
    Some(path.starts_with('/') && !authority.is_empty() && !authority.contains('@') && !path.contains('#') && !segments.any(is_dot))
}

/// Whether a text is an absolute URI without a fragment, of whatever scheme
/// ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
pub(crate) fn is_absolute_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, rest)| (scheme.bytes(), rest));
    let absolute = scheme.is_some_and(|(mut scheme, rest)| {
        scheme.next().is_some_and(|first| first.is_ascii_alphabetic())
            && scheme.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !rest.is_empty()
    });
    absolute && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "",
            "as.example",
            "//as.example/",
            "/path",
            "ftp://as.example",
            "HTTPS://as.example",
            "https:/as.example",
            "https://",
            "https:///path",
            "https://user@as.example/",
            "https://a:b@as.example/",
            "https://as.example\\@evil/",
            "https://as.example:/",
            "https://as.example:0443/",
            "https://as.example:65536/",
            "https://as.example:-1/",
            "https://bücher.example/",
            "https://as .example/",
            "https://as.example/\t",
            "https://as.example/\n",
            "https://[::1/",
            "https://[]/",
            "https://%61s.example/",
            "https://a,b/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://127.0.0.01/",
            "https://127.0.0.1./",
            "https://a.0X1/",
            "https://[:::]/",
            "https://as.example/?'",
        ] {
            assert_eq!(HttpUrl::parse(text), Err(UrlFault::Malformed), "{text}");
        }
        assert_eq!(HttpUrl::parse("https://as.example/#x"), Err(UrlFault::Fragment));
    }

    #[test]
    fn the_default_port_is_the_port() {
        let url = |text| HttpUrl::parse(text).unwrap();
        assert!(url("https://AS.example:443/a").same_origin(&url("https://as.example?b")));
        assert!(!url("https://as.example").same_origin(&url("http://as.example:443")));
        assert!(!url("https://as.example").same_origin(&url("https://as.example:444")));
    }

    #[test]
    fn one_origin_is_written_in_one_way() {
        for (text, canonical) in [
            ("https://AS.example:443/a", "https://as.example"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:443?b", "http://localhost:443"),
            ("https://[::1]:8443/", "https://[::1]:8443"),
        ] {
            assert_eq!(HttpUrl::parse(text).unwrap().canonical_origin(), canonical);
        }
    }

    #[test]
    fn only_this_machine_may_be_plain() {
        for (text, secure) in [
            ("https://as.example", true),
            ("http://as.example", false),
            ("http://localhost:9400", true),
            ("http://op.localhost/", true),
            ("http://127.0.0.1:8080/x", true),
            ("http://[::1]:80/", true),
            ("http://127.0.0.1.evil.example/", false),
            ("http://notlocalhost/", false),
        ] {
            assert_eq!(HttpUrl::parse(text).unwrap().is_secure(), secure, "{text}");
        }
    }

    #[test]
    fn a_query_is_kept_and_appended_to() {
        let with = |text| HttpUrl::parse(text).unwrap().with_query("a=b");
        assert_eq!(with("https://as.example/x"), "https://as.example/x?a=b");
        assert_eq!(with("https://as.example/x?p=1"), "https://as.example/x?p=1&a=b");
        assert_eq!(with("https://as.example/x?"), "https://as.example/x?a=b");
    }
}
