//! Proofs that whoever sends a token has the key that it was issued to ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).
//!
//! Made here, signed elsewhere: the private half of the key is nothing that could be passed around.

use base64ct::{Base64UrlUnpadded, Encoding};

use super::{
    challenge::Challenge, error::Source, http::Response, jose::Jwk, json::Json, pkce, secret::Secret, time::UnixTime, token::TokenType,
    url::HttpUrl,
};

/// A longer nonce is not used, in bytes.
pub const MAX_NONCE: usize = 2048;

/// The nonces of so many servers are remembered.
pub const MAX_SERVERS: usize = 32;

/// What a proof says. Each time a request is sent it gets another one
/// ([RFC 9449 §4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)).
pub struct Proof<'a> {
    /// `jwk`: the key that signs it, with ES256.
    pub key: &'a Jwk,
    /// `jti`: never used before.
    pub jti: &'a str,
    /// `htm`: the method of the request.
    pub method: &'a str,
    /// `htu`: where the request goes. Its query is left out.
    pub url: &'a HttpUrl,
    /// `iat`: on the server's clock, as far as it is known.
    pub issued: UnixTime,
    /// `ath`: the access token that is sent along.
    pub access_token: Option<&'a Secret<String>>,
    /// `nonce`: the latest one that the server gave.
    pub nonce: Option<&'a str>,
}

impl Proof<'_> {
    /// What is to be signed: header and claims.
    pub fn signing_input(&self) -> String {
        let text = |text: &str| Some(Json::from(text));
        let header = vec![("typ", text("dpop+jwt")), ("alg", text("ES256")), ("jwk", Some(self.key.to_json()))];
        let claims = vec![
            ("jti", text(self.jti)),
            ("htm", text(as_sent(self.method))),
            ("htu", text(&[&self.url.canonical_origin(), self.url.path()].concat())),
            ("iat", Some(self.issued.as_secs().into())),
            ("ath", self.access_token.and_then(|token| text(&pkce::sha256(token.expose())))),
            ("nonce", self.nonce.and_then(text)),
        ];
        let [header, claims] = [header, claims].map(|part| Base64UrlUnpadded::encode_string(Json::object(part).to_string().as_bytes()));
        [&header, ".", &claims].concat()
    }
}

/// Browsers write these in capitals, and no others ([Fetch §2.2.1](https://fetch.spec.whatwg.org/#concept-method-normalize)).
fn as_sent(method: &str) -> &str {
    ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"].into_iter().find(|name| name.eq_ignore_ascii_case(method)).unwrap_or(method)
}

/// What goes into the header field `DPoP`.
pub fn signed(signing_input: &str, signature: &[u8]) -> Secret<String> {
    Secret::new([signing_input, ".", &Base64UrlUnpadded::encode_string(signature)].concat())
}

/// The latest nonce of each server: that of the provider is not one of an API
/// ([RFC 9449 §8 and §9](https://www.rfc-editor.org/rfc/rfc9449#section-8)).
#[derive(Default)]
pub struct Nonces(Vec<(String, String)>);

impl Nonces {
    /// The latest one of the server at this URL.
    pub fn at(&self, url: &HttpUrl) -> Option<&str> {
        let origin = url.canonical_origin();
        self.0.iter().find(|(server, _)| *server == origin).map(|(_, nonce)| nonce.as_str())
    }

    /// Remembers the nonce that came with an answer, whatever else that says. False if there is none that could be used.
    pub fn hear(&mut self, url: &HttpUrl, response: &Response) -> bool {
        let Some(nonce) = response.header("dpop-nonce").filter(|nonce| is_nonce(nonce)) else { return false };
        let origin = url.canonical_origin();
        self.0.retain(|(server, _)| *server != origin);
        if self.0.len() >= MAX_SERVERS {
            self.0.remove(0);
        }
        self.0.push((origin, nonce.to_owned()));
        true
    }
}

/// RFC 9449 §8.1: `nonce = 1*NQCHAR`. A browser joins two of them with a comma and a space.
fn is_nonce(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.len() <= MAX_NONCE && text.bytes().all(allowed)
}

/// What a server has against a proof. It has done nothing then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `use_dpop_nonce`: it must carry the nonce that came with the answer.
    Nonce,
    /// `invalid_dpop_proof`: something about it is wrong.
    Proof,
}

/// Reads an answer of the token endpoint, of that for pushed requests, or of whoever takes access tokens.
pub fn refusal(response: &Response, from: Source) -> Option<Refusal> {
    if !matches!(response.status, 400 | 401) {
        return None;
    }
    if !matches!(from, Source::PushedRequest | Source::Token) {
        return match response.challenge_to(TokenType::Dpop)? {
            Challenge::DpopNonce => Some(Refusal::Nonce),
            Challenge::DpopProof => Some(Refusal::Proof),
            _ => None,
        };
    }
    match response.json_object().ok()?.text("error")? {
        "use_dpop_nonce" => Some(Refusal::Nonce),
        "invalid_dpop_proof" => Some(Refusal::Proof),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the token of the examples.
    fn key() -> Jwk {
        let text = r#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
        Jwk::read(&Json::parse(text).unwrap()).unwrap()
    }

    fn url(text: &str) -> HttpUrl {
        HttpUrl::parse(text).unwrap()
    }

    fn parts(proof: &Proof<'_>) -> (String, String) {
        let input = proof.signing_input();
        let (header, claims) = input.split_once('.').unwrap();
        (String::from_utf8(Base64UrlUnpadded::decode_vec(header).unwrap()).unwrap(), claims.to_owned())
    }

    #[test]
    fn rfc9449_section_4() {
        let (key, url) = (key(), url("https://server.example.com/token"));
        let issued = UnixTime::from_secs(1_562_262_616);
        let proof = Proof { key: &key, jti: "-BwC3ESc6acc2lTc", method: "POST", url: &url, issued, access_token: None, nonce: None };
        let (header, claims) = parts(&proof);
        // The members of the key in the order of RFC 7638; otherwise byte by byte as in the example.
        let jwk = key.to_json().to_string();
        assert_eq!(header, format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{jwk}}}"#));
        assert_eq!(
            claims,
            "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ"
        );
    }

    #[test]
    fn rfc9449_section_7_1() {
        let (key, url) = (key(), url("https://resource.example.org/protectedresource"));
        let token = Secret::copied("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
        let issued = UnixTime::from_secs(1_562_262_618);
        let proof = Proof { key: &key, jti: "e1j3V_bKic8-LAEB", method: "GET", url: &url, issued, access_token: Some(&token), nonce: None };
        assert_eq!(
            parts(&proof).1,
            "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
        );
    }

    #[test]
    fn rfc9449_section_6_1() {
        assert_eq!(key().thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    fn heard(nonces: &mut Nonces, at: &str, nonce: &str) -> bool {
        let response = Response { status: 200, headers: vec![("dpop-nonce".to_owned(), nonce.to_owned())], body: Vec::new() };
        nonces.hear(&url(at), &response)
    }

    #[test]
    fn each_server_has_its_own_nonce_and_the_latest_wins() {
        let mut nonces = Nonces::default();
        for (at, nonce) in [("https://as.example/token", "one"), ("https://api.example/a", "two"), ("https://AS.example:443/x", "three")] {
            assert!(heard(&mut nonces, at, nonce));
        }
        let at = |at| nonces.at(&url(at)).map(str::to_owned);
        assert_eq!(at("https://as.example/userinfo?x"), Some("three".to_owned()));
        assert_eq!(at("https://api.example/b"), Some("two".to_owned()));
        assert_eq!((at("http://api.example/b"), at("https://api.example:444/"), at("https://api2.example/")), (None, None, None));
    }

    #[test]
    fn what_is_no_nonce_is_not_used() {
        let mut nonces = Nonces::default();
        assert!(heard(&mut nonces, "https://as.example/", "eyJ7S_zG.eyJH0-Z.HX4w-7v"));
        for bad in ["", "a b", "a, b", "a\"b", "a\\b", "\u{e4}", "a\tb", &"a".repeat(MAX_NONCE + 1)] {
            assert!(!heard(&mut nonces, "https://as.example/", bad), "{bad:?}");
        }
        assert_eq!(nonces.at(&url("https://as.example/")), Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"));
        assert!(heard(&mut nonces, "https://as.example/", "!#[]~,"));
    }

    #[test]
    fn no_more_servers_are_remembered_than_that() {
        let mut nonces = Nonces::default();
        for number in 0..MAX_SERVERS + 5 {
            assert!(heard(&mut nonces, &format!("https://s{number}.example/"), "n"));
        }
        assert_eq!(nonces.0.len(), MAX_SERVERS);
        assert_eq!((nonces.at(&url("https://s0.example/")), nonces.at(&url("https://s36.example/"))), (None, Some("n")));
    }
}
