//! Proof Key for Code Exchange, with S256 and nothing else ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)).

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use super::secret::Secret;

/// The secret that shows the token endpoint who started the sign-in
/// ([RFC 7636 §4.1](https://www.rfc-editor.org/rfc/rfc7636#section-4.1)).
#[derive(Debug)]
pub struct CodeVerifier(Secret<String>);

impl CodeVerifier {
    /// From 256 random bits: 43 characters.
    pub fn new(random: &[u8; 32]) -> CodeVerifier {
        CodeVerifier(Secret::new(Base64UrlUnpadded::encode_string(random)))
    }

    /// From a stored text, if it could have been one of ours.
    pub(crate) fn stored(text: &str) -> Option<CodeVerifier> {
        let ours = text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        ours.then(|| CodeVerifier(Secret::copied(text)))
    }

    /// `code_challenge` ([RFC 7636 §4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2)).
    pub fn challenge(&self) -> String {
        sha256(self.0.expose())
    }

    /// `code_verifier`, for the token request.
    pub(crate) fn secret(&self) -> &Secret<String> {
        &self.0
    }
}

/// SHA-256 of a text, in base64url.
pub(crate) fn sha256(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7636_appendix_b() {
        let random = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214, 191, 240, 91, 88, 5, 88,
            83, 132, 141, 121,
        ];
        let verifier = CodeVerifier::new(&random);
        assert_eq!(verifier.secret().expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_stored_verifier_is_one_of_ours_or_none() {
        assert!(CodeVerifier::stored(CodeVerifier::new(&[7; 32]).secret().expose()).is_some());
        assert!(CodeVerifier::stored("short").is_none());
        assert!(CodeVerifier::stored(&"é".repeat(22)).is_none());
    }
}
