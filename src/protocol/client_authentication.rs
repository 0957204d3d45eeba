//! How a confidential client shows the provider who it is
//! ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3),
//! [OpenID Connect Core §9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication),
//! [RFC 7523 §2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)).
//!
//! Requests are made without it, by whatever makes them, and get it when they are sent: the same form goes to the token endpoint, to the
//! revocation endpoint and to any other that wants to know the client.

use std::time::Duration;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};

use super::{form, http::Request, jose::Algorithm, json::Json, secret::Secret, time::UnixTime};

/// How long an assertion may be used. It is sent at once.
pub const ASSERTION_LIFE: Duration = Duration::from_secs(60);

/// `client_assertion_type` ([RFC 7523 §2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How the client shows who it is, with all that goes into one request.
#[derive(Clone, Copy, Debug)]
pub enum ClientAuthentication<'a> {
    /// `client_secret_basic`: in the header.
    ClientSecretBasic(&'a Secret<String>),
    /// `client_secret_post`: in the body.
    ClientSecretPost(&'a Secret<String>),
    /// `private_key_jwt`: an [`Assertion`] that was signed.
    PrivateKeyJwt(&'a Secret<String>),
}

impl ClientAuthentication<'_> {
    /// Puts it into a request whose body is a form. What was there of another way to authenticate goes: a client "MUST NOT use more than
    /// one authentication method in each request" (RFC 6749 §2.3).
    ///
    /// ```
    /// use tokenkeep::protocol::{Request, Secret, client_authentication::ClientAuthentication};
    ///
    /// let mut request = Request::new("POST", "https://as.example/token").body("grant_type=client_credentials");
    /// ClientAuthentication::ClientSecretBasic(&Secret::copied("p:w%")).put_into(&mut request, "my app");
    /// let (name, value) = request.headers.last().unwrap();
    /// assert_eq!((name.as_str(), value.expose().as_str()), ("authorization", "Basic bXklMjBhcHA6cCUzQXclMjU=")); // my%20app:p%3Aw%25
    /// ```
    pub fn put_into(self, request: &mut Request, client_id: &str) {
        let body = request.body.take();
        let text = body.as_ref().map(|body| String::from_utf8_lossy(body.expose()).into_owned()).unwrap_or_default();
        let text = Secret::new(text);
        let mut form = String::with_capacity(text.expose().len().saturating_add(2048));
        let others = ["client_assertion", "client_assertion_type", "client_id", "client_secret"];
        for pair in form::pairs(text.expose()).filter(|pair| !others.iter().any(|name| pair.is(name))) {
            if !form.is_empty() {
                form.push('&');
            }
            form.push_str(pair.raw);
        }
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        match self {
            ClientAuthentication::ClientSecretBasic(secret) => {
                // RFC 6749 §2.3.1: both are "encoded using the application/x-www-form-urlencoded encoding algorithm" first.
                let mut pair = String::new();
                form::encode(&mut pair, client_id);
                pair.push(':');
                form::encode(&mut pair, secret.expose());
                let pair = Secret::new(pair);
                let encoded = Secret::new(Base64::encode_string(pair.expose().as_bytes()));
                request.set("authorization", Secret::new(["Basic ", encoded.expose()].concat()));
                // A pushed authorization request is one, and names its client all the same (RFC 9126 §2.1). In other forms it is left out:
                // some providers take it for a second way to authenticate.
                if form::pairs(&form).any(|pair| pair.is("response_type") || pair.is("request")) {
                    form::append(&mut form, "client_id", client_id);
                }
            }
            ClientAuthentication::ClientSecretPost(secret) => {
                form::append(&mut form, "client_id", client_id);
                form::append(&mut form, "client_secret", secret.expose());
            }
            ClientAuthentication::PrivateKeyJwt(assertion) => {
                form::append(&mut form, "client_id", client_id);
                form::append(&mut form, "client_assertion_type", ASSERTION_TYPE);
                form::append(&mut form, "client_assertion", assertion.expose());
            }
        }
        request.body = Some(Secret::new(form.into_bytes()));
    }
}

/// Whom an assertion is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The provider's issuer, and nobody else (RFC 7523bis §4): an assertion that another provider got out of a client by naming
    /// this one's token endpoint as its own is worth nothing here.
    #[default]
    Issuer,
    /// The token endpoint, as RFC 7523 §3 has it: for a provider that does not know its own issuer.
    TokenEndpoint,
}

/// What a client signs to show who it is. Each request gets another one
/// ([RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523#section-3)).
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// `kid`: which of the client's keys signs it.
    pub kid: Option<&'a str>,
    /// `iss` and `sub`: the client.
    pub client_id: &'a str,
    /// `aud`: a text, and not a list of one.
    pub audience: &'a str,
    /// Whether that is the issuer, and the assertion says of what type it is. Providers from before RFC 7523bis may refuse a type that they
    /// do not know, and then want the token endpoint as audience.
    pub typed: bool,
    /// `jti`: never used before.
    pub jti: &'a str,
    /// `iat`: on the provider's clock, as far as it is known.
    pub issued: UnixTime,
}

impl Assertion<'_> {
    /// What is to be signed: header and claims.
    pub fn signing_input(&self) -> String {
        let text = |text: &str| Some(Json::from(text));
        // RFC 9864 §2.2 deprecates this name, which most providers still use.
        let algorithm = if self.algorithm == Algorithm::Ed25519 { "EdDSA" } else { self.algorithm.name() };
        let header = vec![
            ("typ", self.typed.then(|| "client-authentication+jwt".into())),
            ("alg", text(algorithm)),
            ("kid", self.kid.and_then(text)),
        ];
        let claims = vec![
            ("iss", text(self.client_id)),
            ("sub", text(self.client_id)),
            ("aud", text(self.audience)),
            ("jti", text(self.jti)),
            ("iat", Some(self.issued.as_secs().into())),
            ("exp", Some((self.issued + ASSERTION_LIFE).as_secs().into())),
        ];
        let [header, claims] = [header, claims].map(|part| Base64UrlUnpadded::encode_string(Json::object(part).to_string().as_bytes()));
        [&header, ".", &claims].concat()
    }
}

/// What goes into `client_assertion`.
pub fn signed(signing_input: &str, signature: &[u8]) -> Secret<String> {
    Secret::new([signing_input, ".", &Base64UrlUnpadded::encode_string(signature)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticated(how: ClientAuthentication<'_>, client_id: &str) -> (Option<String>, String) {
        let mut request = Request::form("https://as.example/token", "grant_type=refresh_token&client_id=public&refresh_token=a%2Bb".into());
        how.put_into(&mut request, client_id);
        let header = request.headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.expose().clone());
        (header, String::from_utf8(request.body.unwrap().expose().clone()).unwrap())
    }

    #[test]
    fn rfc6749_section_2_3_1() {
        let secret = Secret::copied("7Fjfp0ZBr1KtDRbnfVdmIw");
        let (header, body) = authenticated(ClientAuthentication::ClientSecretBasic(&secret), "s6BhdRkqt3");
        assert_eq!(header.as_deref(), Some("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"));
        assert_eq!(body, "grant_type=refresh_token&refresh_token=a%2Bb");
        let (header, body) = authenticated(ClientAuthentication::ClientSecretPost(&secret), "s6BhdRkqt3");
        assert_eq!(header, None);
        assert_eq!(body, "grant_type=refresh_token&refresh_token=a%2Bb&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw");
    }

    #[test]
    fn what_separates_and_escapes_is_encoded_before_base64() {
        let (header, _) = authenticated(ClientAuthentication::ClientSecretBasic(&Secret::copied("a:b%c+d é")), "https://rp.example/id");
        let encoded = header.unwrap().strip_prefix("Basic ").unwrap().to_owned();
        let pair = String::from_utf8(Base64::decode_vec(&encoded).unwrap()).unwrap();
        let (id, secret) = pair.split_once(':').unwrap();
        assert!(!secret.contains(':'), "{pair}");
        assert_eq!((form::decode(id).unwrap(), form::decode(secret).unwrap()), ("https://rp.example/id".into(), "a:b%c+d é".into()));
    }

    #[test]
    fn a_pushed_authorization_request_names_its_client() {
        let mut request = Request::form("https://as.example/request", "response_type=code&client_id=me&state=x".into());
        ClientAuthentication::ClientSecretBasic(&Secret::copied("secret")).put_into(&mut request, "me");
        assert_eq!(request.body.unwrap().expose(), b"response_type=code&state=x&client_id=me");
    }

    #[test]
    fn one_way_to_authenticate_replaces_another() {
        let (first, second) = (Secret::copied("first"), Secret::copied("second"));
        let mut request = Request::form("https://as.example/token", "a=b".into());
        for how in [
            ClientAuthentication::ClientSecretBasic(&first),
            ClientAuthentication::ClientSecretPost(&first),
            ClientAuthentication::PrivateKeyJwt(&first),
            ClientAuthentication::ClientSecretPost(&second),
        ] {
            how.put_into(&mut request, "me");
        }
        assert!(request.headers.iter().all(|(name, _)| name != "authorization"));
        assert_eq!(request.body.unwrap().expose(), b"a=b&client_id=me&client_secret=second");
    }

    #[test]
    fn an_assertion_is_for_one_provider_and_one_minute() {
        let assertion = Assertion {
            algorithm: Algorithm::Ed25519,
            kid: Some("key-1"),
            client_id: "my-server",
            audience: "https://as.example",
            typed: true,
            jti: "once",
            issued: UnixTime::from_secs(1_000_000),
        };
        let parts = |assertion: Assertion<'_>| {
            let input = assertion.signing_input();
            let (header, claims) = input.split_once('.').unwrap();
            [header, claims].map(|part| String::from_utf8(Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap())
        };
        assert_eq!(
            parts(assertion),
            [
                r#"{"typ":"client-authentication+jwt","alg":"EdDSA","kid":"key-1"}"#,
                r#"{"iss":"my-server","sub":"my-server","aud":"https://as.example","jti":"once","iat":1000000,"exp":1000060}"#,
            ]
        );
        let [header, _] = parts(Assertion { algorithm: Algorithm::Ps256, kid: None, typed: false, ..assertion });
        assert_eq!(header, r#"{"alg":"PS256"}"#);
    }
}
