//! Signatures by independent crates, on every platform alike.

use base64ct::{Base64UrlUnpadded, Encoding};
use rsa::{
    RsaPrivateKey, pkcs1v15,
    pkcs8::DecodePrivateKey,
    pss,
    rand_core::{CryptoRng, RngCore},
    sha2::{Sha256, Sha384, Sha512},
    signature::{RandomizedSigner, SignatureEncoding, Signer},
    traits::PublicKeyParts,
};
use serde_json::{Value, json};
use tokenkeep::{
    keep::ports::{Answer, NoCrypto, ProofKey},
    protocol::{Algorithm, Json, Jwk, KeyParameters, SignatureCheck},
};

use super::yield_once;

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

pub fn unb64(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).unwrap_or_default()
}

/// A key pair of a provider.
#[derive(Clone)]
pub struct Key {
    pub algorithm: Algorithm,
    pub kid: String,
    pair: Pair,
}

#[derive(Clone)]
enum Pair {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521([u8; 66]),
    Rsa(Box<RsaPrivateKey>),
}

impl Key {
    /// The key of this name: the same name gives the same key. RSA keys are one of two.
    pub fn new(algorithm: Algorithm, kid: &str) -> Key {
        let seed = kid.bytes().fold(7u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 250 + 1;
        let pair = match algorithm {
            Algorithm::Ed25519 => Pair::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))),
            Algorithm::Es256 => Pair::P256(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()),
            Algorithm::Es384 => Pair::P384(p384::ecdsa::SigningKey::from_slice(&[seed; 48]).unwrap()),
            Algorithm::Es512 => {
                let mut scalar = [seed; 66];
                scalar[0] = 0;
                Pair::P521(scalar)
            }
            _ => {
                let pem = if kid.ends_with('2') { include_str!("../keys/rsa-2.pem") } else { include_str!("../keys/rsa-1.pem") };
                Pair::Rsa(Box::new(RsaPrivateKey::from_pkcs8_pem(pem).unwrap()))
            }
        };
        Key { algorithm, kid: kid.to_owned(), pair }
    }

    pub fn public_jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ed25519(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.verifying_key().as_bytes())}),
            Pair::P256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                json!({"kty": "EC", "crv": "P-256", "x": b64(point.x().unwrap()), "y": b64(point.y().unwrap())})
            }
            Pair::P384(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                json!({"kty": "EC", "crv": "P-384", "x": b64(point.x().unwrap()), "y": b64(point.y().unwrap())})
            }
            Pair::P521(scalar) => {
                let key = p521::ecdsa::VerifyingKey::from(&p521::ecdsa::SigningKey::from_slice(scalar).unwrap());
                let point = key.to_encoded_point(false);
                json!({"kty": "EC", "crv": "P-521", "x": b64(point.x().unwrap()), "y": b64(point.y().unwrap())})
            }
            Pair::Rsa(key) => json!({"kty": "RSA", "n": b64(key.n().to_bytes_be()), "e": b64(key.e().to_bytes_be())}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm.name());
        jwk
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match (&self.pair, self.algorithm) {
            (Pair::Ed25519(key), _) => key.sign(message).to_bytes().to_vec(),
            (Pair::P256(key), _) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            (Pair::P384(key), _) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            (Pair::P521(scalar), _) => {
                let signature: p521::ecdsa::Signature = p521::ecdsa::SigningKey::from_slice(scalar).unwrap().sign(message);
                signature.to_bytes().to_vec()
            }
            (Pair::Rsa(key), Algorithm::Rs256) => pkcs1v15::SigningKey::<Sha256>::new((**key).clone()).sign(message).to_vec(),
            (Pair::Rsa(key), Algorithm::Rs384) => pkcs1v15::SigningKey::<Sha384>::new((**key).clone()).sign(message).to_vec(),
            (Pair::Rsa(key), Algorithm::Rs512) => pkcs1v15::SigningKey::<Sha512>::new((**key).clone()).sign(message).to_vec(),
            (Pair::Rsa(key), Algorithm::Ps256) => {
                pss::SigningKey::<Sha256>::new((**key).clone()).sign_with_rng(&mut Salt, message).to_vec()
            }
            (Pair::Rsa(key), Algorithm::Ps384) => {
                pss::SigningKey::<Sha384>::new((**key).clone()).sign_with_rng(&mut Salt, message).to_vec()
            }
            (Pair::Rsa(key), _) => pss::SigningKey::<Sha512>::new((**key).clone()).sign_with_rng(&mut Salt, message).to_vec(),
        }
    }
}

/// A key for proofs, as a device makes it: nobody reads the private half.
pub struct DeviceKey {
    pair: p256::ecdsa::SigningKey,
    public_key: Jwk,
    /// How often signing lets others go first.
    turns: u64,
}

impl DeviceKey {
    pub fn new(secret: [u8; 32], turns: u64) -> Option<DeviceKey> {
        let pair = p256::ecdsa::SigningKey::from_slice(&secret).ok()?;
        let point = pair.verifying_key().to_encoded_point(false);
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": b64(point.x()?), "y": b64(point.y()?), "key_ops": ["verify"], "ext": true});
        let public_key = Jwk::read(&Json::parse(&jwk.to_string()).ok()?)?;
        Some(DeviceKey { pair, public_key, turns })
    }
}

impl ProofKey for DeviceKey {
    fn public_key(&self) -> &Jwk {
        &self.public_key
    }

    fn sign<'a>(&'a self, text: &'a str) -> Answer<'a, Result<Vec<u8>, NoCrypto>> {
        Box::pin(async move {
            for _ in 0..self.turns {
                yield_once().await;
            }
            let signature: p256::ecdsa::Signature = self.pair.sign(text.as_bytes());
            Ok(signature.to_bytes().to_vec())
        })
    }
}

/// The same salt each time: a test repeats.
struct Salt;

impl CryptoRng for Salt {}

impl RngCore for Salt {
    fn next_u32(&mut self) -> u32 {
        4
    }
    fn next_u64(&mut self) -> u64 {
        4
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(4);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// What WebCrypto does.
pub fn verify(check: &SignatureCheck<'_>) -> bool {
    try_verify(check).unwrap_or(false)
}

fn try_verify(check: &SignatureCheck<'_>) -> Option<bool> {
    use rsa::signature::Verifier;
    let SignatureCheck { algorithm, key, signed, signature } = check;
    Some(match &key.parameters {
        KeyParameters::Okp { x, .. } => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&unb64(x).try_into().ok()?).ok()?;
            key.verify(signed, &ed25519_dalek::Signature::from_slice(signature).ok()?).is_ok()
        }
        KeyParameters::Ec { x, y, .. } => {
            let point = [vec![4], unb64(x), unb64(y)].concat();
            match algorithm {
                Algorithm::Es256 => {
                    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                    Verifier::verify(&key, signed, &p256::ecdsa::Signature::from_slice(signature).ok()?).is_ok()
                }
                Algorithm::Es384 => {
                    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                    Verifier::verify(&key, signed, &p384::ecdsa::Signature::from_slice(signature).ok()?).is_ok()
                }
                _ => {
                    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                    Verifier::verify(&key, signed, &p521::ecdsa::Signature::from_slice(signature).ok()?).is_ok()
                }
            }
        }
        KeyParameters::Rsa { n, e } => {
            let number = |text: &str| rsa::BigUint::from_bytes_be(&unb64(text));
            let key = rsa::RsaPublicKey::new(number(n), number(e)).ok()?;
            macro_rules! check {
                ($scheme:ident, $hash:ty) => {
                    $scheme::VerifyingKey::<$hash>::new(key).verify(signed, &$scheme::Signature::try_from(*signature).ok()?).is_ok()
                };
            }
            match algorithm {
                Algorithm::Rs256 => check!(pkcs1v15, Sha256),
                Algorithm::Rs384 => check!(pkcs1v15, Sha384),
                Algorithm::Rs512 => check!(pkcs1v15, Sha512),
                Algorithm::Ps256 => check!(pss, Sha256),
                Algorithm::Ps384 => check!(pss, Sha384),
                _ => check!(pss, Sha512),
            }
        }
    })
}
