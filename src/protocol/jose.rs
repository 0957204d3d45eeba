//! Signed tokens and the keys that verify them: the part of JOSE that is used
//! ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515), [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517), [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518)).
//!
//! No key of a token's own header is ever looked at: `jwk`, `jku`, `x5c` and `x5u` do not exist here.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{
    error::{Error, Misbehaved, Source, Unreadable},
    http::{Cache, Request, Response},
    json::Json,
    pkce,
    url::HttpUrl,
};

/// A longer token is not read, in bytes.
pub const MAX_TOKEN: usize = 64 * 1024;

/// More keys than this are not a key set.
pub const MAX_KEYS: usize = 100;

/// Keys that are tried for a token that names none.
const MAX_TRIED: usize = 8;

/// How a token may be signed. There is no `none` and nothing symmetric
/// ([OpenID Connect Core §10.1](https://openid.net/specs/openid-connect-core-1_0.html#Signing)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519, by that name or as `EdDSA`.
    Ed25519,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with P-521 and SHA-512.
    Es512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

/// The hash function that goes with an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All that are accepted.
    pub const ALL: [Algorithm; 10] = {
        use Algorithm::*;
        [Ed25519, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512]
    };

    /// By its name in JOSE. Names are case-sensitive.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        // RFC 9864 §2.2 gives Ed25519 a name of its own and deprecates this one, which most providers still use.
        if name == "EdDSA" {
            return Some(Algorithm::Ed25519);
        }
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Its name in JOSE.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "Ed25519",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Es512 => "ES512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
        }
    }

    /// The hash function that goes with it; SHA-512 for Ed25519.
    pub fn hash(self) -> Hash {
        match self {
            Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => Hash::Sha256,
            Algorithm::Es384 | Algorithm::Ps384 | Algorithm::Rs384 => Hash::Sha384,
            Algorithm::Ed25519 | Algorithm::Es512 | Algorithm::Ps512 | Algorithm::Rs512 => Hash::Sha512,
        }
    }

    /// The left half of the hash of a token, as `at_hash` has it
    /// ([OpenID Connect Core §3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)).
    pub(crate) fn half_hash(self, token: &str) -> String {
        fn half(hash: &[u8]) -> String {
            Base64UrlUnpadded::encode_string(hash.split_at_checked(hash.len() / 2).map_or(hash, |(left, _)| left))
        }
        match self.hash() {
            Hash::Sha256 => half(&Sha256::digest(token)),
            Hash::Sha384 => half(&Sha384::digest(token)),
            Hash::Sha512 => half(&Sha512::digest(token)),
        }
    }

    fn key_type(self) -> (&'static str, Option<&'static str>) {
        match self {
            Algorithm::Ed25519 => ("OKP", Some("Ed25519")),
            Algorithm::Es256 => ("EC", Some("P-256")),
            Algorithm::Es384 => ("EC", Some("P-384")),
            Algorithm::Es512 => ("EC", Some("P-521")),
            _ => ("RSA", None),
        }
    }

    fn signature_length(self) -> Option<usize> {
        // RFC 7518 §3.4: R and S side by side, each as long as the curve's order. RSA's follows from the key.
        match self {
            Algorithm::Ed25519 | Algorithm::Es256 => Some(64),
            Algorithm::Es384 => Some(96),
            Algorithm::Es512 => Some(132),
            _ => None,
        }
    }
}

/// A public key: its members as they were published, all base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    /// The numbers.
    pub parameters: KeyParameters,
    kid: Option<String>,
    algorithm: Option<String>,
}

/// The numbers of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyParameters {
    /// A point on a NIST curve ([RFC 7518 §6.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2)).
    Ec {
        /// `P-256`, `P-384` or `P-521`.
        crv: String,
        /// The x coordinate.
        x: String,
        /// The y coordinate.
        y: String,
    },
    /// A point on an Edwards curve ([RFC 8037 §2](https://www.rfc-editor.org/rfc/rfc8037#section-2)).
    Okp {
        /// `Ed25519`.
        crv: String,
        /// The point.
        x: String,
    },
    /// A modulus and an exponent ([RFC 7518 §6.3](https://www.rfc-editor.org/rfc/rfc7518#section-6.3)).
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
}

impl Jwk {
    /// Reads a key that may verify signatures. Private, symmetric, encryption and unknown keys are `None`: a key set may hold them,
    /// and they are of no use here.
    pub fn read(key: &Json) -> Option<Jwk> {
        // base64url, strictly: what a browser and a server would read alike.
        let number = |name: &str| {
            key.text(name).filter(|value| Base64UrlUnpadded::decode_vec(value).is_ok_and(|bytes| !bytes.is_empty())).map(str::to_owned)
        };
        let verifies =
            key.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op.as_str() == Some("verify"))));
        let signs = key.get("use").is_none_or(|purpose| purpose.as_str() == Some("sig"));
        if key.get("d").is_some() || !verifies || !signs {
            return None;
        }
        let parameters = match key.text("kty")? {
            "EC" => KeyParameters::Ec { crv: key.text("crv")?.to_owned(), x: number("x")?, y: number("y")? },
            "OKP" => KeyParameters::Okp { crv: key.text("crv")?.to_owned(), x: number("x")? },
            // RFC 7518 §3.3: "A key of size 2048 bits or larger MUST be used".
            "RSA" => KeyParameters::Rsa { n: number("n").filter(|n| n.len() >= 342)?, e: number("e")? },
            _ => return None,
        };
        Some(Jwk { parameters, kid: key.text("kid").map(str::to_owned), algorithm: key.text("alg").map(str::to_owned) })
    }

    /// SHA-256 thumbprint ([RFC 7638 §3](https://www.rfc-editor.org/rfc/rfc7638#section-3)).
    pub fn thumbprint(&self) -> String {
        pkce::sha256(&self.to_json().to_string())
    }

    /// The key as JSON: its required members only, in lexical order (RFC 7638 §3.2).
    pub fn to_json(&self) -> Json {
        let members: &[(&str, &str)] = match &self.parameters {
            KeyParameters::Ec { crv, x, y } => &[("crv", crv), ("kty", "EC"), ("x", x), ("y", y)],
            KeyParameters::Okp { crv, x } => &[("crv", crv), ("kty", "OKP"), ("x", x)],
            KeyParameters::Rsa { n, e } => &[("e", e), ("kty", "RSA"), ("n", n)],
        };
        Json::Object(members.iter().map(|(name, value)| ((*name).to_owned(), Json::from(*value))).collect())
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let (kty, crv) = match &self.parameters {
            KeyParameters::Ec { crv, .. } => ("EC", Some(crv.as_str())),
            KeyParameters::Okp { crv, .. } => ("OKP", Some(crv.as_str())),
            KeyParameters::Rsa { .. } => ("RSA", None),
        };
        let meant_for_it = self.algorithm.as_deref().is_none_or(|name| Algorithm::from_name(name) == Some(algorithm));
        (kty, crv) == algorithm.key_type() && meant_for_it
    }
}

/// The keys that a provider publishes ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jwks(Vec<Jwk>);

impl Jwks {
    /// The request for the keys. Asked for again because a key was missing, the HTTP cache must not answer.
    pub fn request(jwks_uri: &HttpUrl, cache: Cache) -> Request {
        Request::to_provider("GET", jwks_uri.as_str()).header("accept", "application/json").cache(cache)
    }

    /// Judges the answer.
    ///
    /// # Errors
    /// When it is no key set.
    pub fn read(response: &Response) -> Result<Jwks, Error> {
        if response.status != 200 {
            return Err(response.refused(Source::Keys));
        }
        // Key sets come as application/json or application/jwk-set+json (RFC 7517 §8.5); the signature guards against the rest.
        let unreadable = |why: Unreadable| why.of(Source::Keys);
        let document = response.json().map_err(unreadable)?;
        let keys =
            document.get("keys").and_then(Json::as_array).filter(|keys| !keys.is_empty()).ok_or(unreadable(Unreadable::Member("keys")))?;
        if keys.len() > MAX_KEYS {
            return Err(unreadable(Unreadable::TooLarge));
        }
        Ok(Jwks(keys.iter().filter_map(Jwk::read).collect()))
    }
}

/// A signature that WebCrypto shall check.
pub struct SignatureCheck<'a> {
    /// How it was made.
    pub algorithm: Algorithm,
    /// The key that it should have been made with.
    pub key: &'a Jwk,
    /// What was signed.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// A compact JWS whose signature nobody has checked ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)).
pub struct Unverified {
    algorithm: Algorithm,
    kid: Option<String>,
    signed: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Unverified {
    /// Takes a token apart. Its algorithm must be one of those given, before any key is looked at.
    ///
    /// # Errors
    /// When it is too large, no compact JWS, or signed in a way that is not accepted.
    pub fn read(token: &str, accepted: &[Algorithm]) -> Result<Unverified, Misbehaved> {
        if token.len() > MAX_TOKEN {
            return Err(Misbehaved::IdTokenMalformed);
        }
        let mut segments = token.split('.');
        let (Some(header), Some(payload), Some(signature), more) = (segments.next(), segments.next(), segments.next(), segments.count())
        else {
            return Err(Misbehaved::IdTokenMalformed);
        };
        match more {
            0 => {}
            2 => return Err(Misbehaved::IdTokenEncrypted),
            _ => return Err(Misbehaved::IdTokenMalformed),
        }
        let decode = |segment: &str| Base64UrlUnpadded::decode_vec(segment).map_err(|_| Misbehaved::IdTokenMalformed);
        let head = parse_object(&decode(header)?)?;
        let algorithm = head.text("alg").and_then(Algorithm::from_name).ok_or(Misbehaved::AlgorithmRefused)?;
        if !accepted.contains(&algorithm) {
            return Err(Misbehaved::AlgorithmRefused);
        }
        // RFC 7515 §4.1.11: extensions that are critical and not understood make a JWS invalid, and we understand none.
        if head.get("crit").is_some() {
            return Err(Misbehaved::IdTokenMalformed);
        }
        let kid = head.string("kid").map_err(|_| Misbehaved::IdTokenMalformed)?.map(str::to_owned);
        let payload_start = header.len().saturating_add(1);
        let signed = token.get(..payload_start.saturating_add(payload.len())).unwrap_or_default().as_bytes().to_vec();
        Ok(Unverified { algorithm, kid, signed, payload: decode(payload)?, signature: decode(signature)? })
    }

    /// The checks to be made, one for each key that may have signed. None: these keys are not the right ones.
    pub fn checks<'a>(&'a self, keys: &'a Jwks) -> Vec<SignatureCheck<'a>> {
        let named = |key: &&Jwk| self.kid.is_none() || key.kid == self.kid;
        let candidates = keys.0.iter().filter(named).filter(|key| key.fits(self.algorithm)).take(MAX_TRIED);
        candidates.map(|key| SignatureCheck { algorithm: self.algorithm, key, signed: &self.signed, signature: &self.signature }).collect()
    }

    /// Takes the outcome of [`checks`](Unverified::checks), in their order. Exactly one key must have signed.
    ///
    /// # Errors
    /// When there was no key, or the signature is not valid.
    pub fn signed_by(self, outcomes: &[bool]) -> Result<Signed, Misbehaved> {
        if outcomes.is_empty() {
            return Err(Misbehaved::KeyUnknown);
        }
        let right_length = self.algorithm.signature_length().is_none_or(|length| length == self.signature.len());
        if !right_length || outcomes.iter().filter(|valid| **valid).count() != 1 {
            return Err(Misbehaved::SignatureInvalid);
        }
        Ok(Signed { algorithm: self.algorithm, payload: parse_object(&self.payload)? })
    }
}

/// What a token would claim if its signature were valid. Good for nothing but finding out what to compare it with.
pub(crate) fn unproven_claims(token: &str) -> Result<Json, Misbehaved> {
    let payload = token.split('.').nth(1).filter(|_| token.len() <= MAX_TOKEN).ok_or(Misbehaved::IdTokenMalformed)?;
    parse_object(&Base64UrlUnpadded::decode_vec(payload).map_err(|_| Misbehaved::IdTokenMalformed)?)
}

/// A token whose signature is valid. What it claims is not checked yet.
pub struct Signed {
    pub(crate) algorithm: Algorithm,
    pub(crate) payload: Json,
}

// A token is a secret, also in parts and in decimal: what is printed is how it was signed.
impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("algorithm", &self.algorithm).field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignatureCheck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureCheck").field("algorithm", &self.algorithm).field("key", self.key).finish_non_exhaustive()
    }
}

fn parse_object(bytes: &[u8]) -> Result<Json, Misbehaved> {
    let value = std::str::from_utf8(bytes).ok().and_then(|text| Json::parse(text).ok());
    value.filter(|value| matches!(value, Json::Object(_))).ok_or(Misbehaved::IdTokenMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7638_section_3_1() {
        let key = Json::parse(
            r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
        );
        let key = Jwk::read(&key.unwrap()).unwrap();
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn rfc8037_appendix_a_3() {
        let key = Json::parse(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#).unwrap();
        assert_eq!(Jwk::read(&key).unwrap().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn openid_connect_core_appendix_a_3() {
        // The at_hash of the example: RS256, so SHA-256.
        assert_eq!(Algorithm::Rs256.half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
