//! `WWW-Authenticate`: why an API refused a token ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3),
//! [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)).

use super::token::TokenType;

/// What an API says about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The proof beside the token must carry the server's nonce.
    DpopNonce,
    /// The proof beside the token is not accepted.
    DpopProof,
    /// The token lacks a scope; these would do.
    InsufficientScope {
        /// `scope`, as the API wrote it.
        scope: Option<String>,
    },
    /// The token has expired, was revoked, or is none.
    InvalidToken,
    /// There is no token, or the API does not say what is wrong with it.
    Unspecified,
}

impl Challenge {
    /// Reads the header field, if it has a challenge for a bearer token, or else for one that is bound to a key.
    ///
    /// ```
    /// use tokenkeep::protocol::Challenge;
    ///
    /// assert_eq!(Challenge::read(r#"Bearer realm="api", error="invalid_token""#), Some(Challenge::InvalidToken));
    /// assert_eq!(Challenge::read(r#"DPoP algs="ES256", error="use_dpop_nonce""#), Some(Challenge::DpopNonce));
    /// assert_eq!(Challenge::read("Basic realm=\"api\""), None);
    /// ```
    pub fn read(field: &str) -> Option<Challenge> {
        Challenge::to(TokenType::Bearer, field).or_else(|| Challenge::to(TokenType::Dpop, field))
    }

    /// Reads the header field, if it has a challenge for a token of this type.
    pub fn to(token_type: TokenType, field: &str) -> Option<Challenge> {
        let mut scheme = "";
        let (mut found, mut error, mut scope) = (false, None, None);
        for item in items(field) {
            let (head, value) =
                item.split_once('=').map_or((item, None), |(head, value)| (head.trim_ascii_end(), Some(unquoted(value.trim_ascii()))));
            // `Bearer realm="x"`: a scheme stands before the first parameter of its challenge.
            let space = head.bytes().rposition(|byte| matches!(byte, b' ' | b'\t'));
            let name = match space.and_then(|space| head.split_at_checked(space)) {
                Some((before, name)) => {
                    scheme = before.trim_ascii();
                    name.trim_ascii_start()
                }
                None if value.is_none() => {
                    scheme = head;
                    ""
                }
                None => head,
            };
            if !scheme.eq_ignore_ascii_case(token_type.name()) {
                continue;
            }
            found = true;
            match name.to_ascii_lowercase().as_str() {
                "error" => error = error.or(value),
                "scope" => scope = scope.or(value),
                _ => {}
            }
        }
        let bound = token_type == TokenType::Dpop;
        found.then_some(match error.as_deref() {
            Some("use_dpop_nonce") if bound => Challenge::DpopNonce,
            Some("invalid_dpop_proof") if bound => Challenge::DpopProof,
            Some("insufficient_scope") => Challenge::InsufficientScope { scope },
            Some("invalid_token") => Challenge::InvalidToken,
            _ => Challenge::Unspecified,
        })
    }
}

/// The parts between commas that are not inside quotes.
fn items(field: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    field
        .split(move |char| {
            match char {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' => return !quoted,
                _ => {}
            }
            false
        })
        .map(str::trim_ascii)
        .filter(|item| !item.is_empty())
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        None => value.to_owned(),
        Some(inner) => {
            let mut escaped = false;
            let keep = |char: &char| {
                escaped = *char == '\\' && !escaped;
                !escaped
            };
            inner.chars().filter(keep).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_found_among_others() {
        let field = r#"Basic realm="a, Bearer error=\"invalid_token\"", bearer realm="x" , error="insufficient_scope", scope="a b""#;
        assert_eq!(Challenge::read(field), Some(Challenge::InsufficientScope { scope: Some("a b".into()) }));
        assert_eq!(Challenge::read("Bearer"), Some(Challenge::Unspecified));
        assert_eq!(Challenge::read("BEARER error=invalid_token"), Some(Challenge::InvalidToken));
        assert_eq!(Challenge::read(r#"Bearer realm="x", Basic error="invalid_token""#), Some(Challenge::Unspecified));
    }

    // dp-scheme
    #[test]
    fn each_type_of_token_has_a_challenge_of_its_own() {
        let field = r#"Bearer error="invalid_token", DPoP algs="ES256 PS256", error="use_dpop_nonce""#;
        assert_eq!(Challenge::to(TokenType::Bearer, field), Some(Challenge::InvalidToken));
        for scheme in ["DPoP", "dpop", "DPOP"] {
            let field = field.replace("DPoP", scheme);
            assert_eq!(Challenge::to(TokenType::Dpop, &field), Some(Challenge::DpopNonce), "{scheme}");
        }
        assert_eq!(Challenge::to(TokenType::Dpop, r#"Bearer error="use_dpop_nonce""#), None);
        assert_eq!(Challenge::to(TokenType::Bearer, r#"Bearer error="use_dpop_nonce""#), Some(Challenge::Unspecified));
        assert_eq!(Challenge::read(r#"DPoP error="invalid_dpop_proof""#), Some(Challenge::DpopProof));
    }

    #[test]
    fn broken_fields_are_no_panic() {
        for field in ["", ",", "=", "\"", "Bearer =", "Bearer error=\"", "Bearer error=\"\\", "é=é", "Bearer \u{0} ="] {
            let _ = Challenge::read(field);
        }
    }
}
