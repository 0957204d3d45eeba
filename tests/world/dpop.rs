//! What a server does with a proof (RFC 9449 §4.3).

use rsa::sha2::{Digest, Sha256};
use serde_json::{Value, json};
use tokenkeep::protocol::{Algorithm, Json, Jwk, SignatureCheck};
use url::Url;

use super::{
    Sent, b64,
    crypto::{unb64, verify},
};

/// How far a proof's time may be from the server's, in seconds.
const WINDOW: u64 = 60;

/// A proof as it was sent.
#[derive(Clone, Debug)]
pub struct Proof {
    pub header: Value,
    pub claims: Value,
    /// Of the key that signed it.
    pub thumbprint: String,
}

impl Sent {
    /// The proof, if there is one. Its signature is verified.
    pub fn proof(&self) -> Option<Proof> {
        let fields: Vec<_> = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("dpop")).collect();
        let [(_, proof)] = fields[..] else {
            assert!(fields.is_empty(), "more than one proof: {fields:?}");
            return None;
        };
        Some(Proof::read(proof).expect("a proof that is signed by the key in it"))
    }

    /// A claim of the proof, if there is one. Whether it is signed is not looked at: the provider does that.
    pub fn proof_claim(&self, name: &str) -> Option<String> {
        let claims: Value = serde_json::from_slice(&unb64(self.header("dpop")?.split('.').nth(1)?)).ok()?;
        claims[name].as_str().map(str::to_owned)
    }

    /// The scheme and the token in `Authorization`.
    pub fn token(&self) -> Option<(&str, &str)> {
        self.header("authorization")?.split_once(' ')
    }
}

impl Proof {
    pub fn read(text: &str) -> Option<Proof> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| serde_json::from_slice::<Value>(&unb64(part)).ok();
        let (header, claims) = (json(header)?, json(claims)?);
        let names = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>().join(" "));
        // The public half alone, and nothing that would point elsewhere.
        let whole = names(&header)? == "alg jwk typ" && names(&header["jwk"])? == "crv kty x y";
        let key = Jwk::read(&Json::parse(&header["jwk"].to_string()).ok()?)?;
        let check = SignatureCheck { algorithm: Algorithm::Es256, key: &key, signed: signed.as_bytes(), signature: &unb64(signature) };
        let right = whole && header["typ"] == "dpop+jwt" && header["alg"] == "ES256" && verify(&check);
        right.then(|| Proof { thumbprint: key.thumbprint(), header, claims })
    }

    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims[name].as_str()
    }

    /// Whether it is for this request, made now, and for this token.
    pub fn fits(&self, sent: &Sent, now: u64, token: Option<&str>) -> bool {
        let mut url = Url::parse(&sent.url).unwrap();
        url.set_query(None);
        url.set_fragment(None);
        let ath = token.map(|token| b64(Sha256::digest(token)));
        self.claims["htm"] == json!(sent.method)
            && self.claims["htu"] == json!(url.as_str())
            && self.claims["iat"].as_u64().is_some_and(|at| at.abs_diff(now) <= WINDOW)
            && self.claim("ath") == ath.as_deref()
            && self.claim("jti").is_some_and(|jti| jti.len() >= 22)
    }
}
