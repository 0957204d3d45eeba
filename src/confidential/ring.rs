//! [`ring`]: randomness and signatures natively.

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey},
};

use super::ports::{Crypto, NoCrypto};
use crate::protocol::{Algorithm, KeyParameters, Misconfigured, SignatureCheck};

/// The cryptography of [`ring`]. It knows all algorithms but ES512: a token that is signed so is refused.
#[derive(Debug)]
pub struct Ring {
    random: SystemRandom,
    key: Option<Key>,
}

enum Key {
    Ec(EcdsaKeyPair, Algorithm),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Default for Ring {
    fn default() -> Ring {
        Ring { random: SystemRandom::new(), key: None }
    }
}

impl Ring {
    /// With the client's private key, for `private_key_jwt`: PKCS #8, in DER. `openssl pkcs8 -topk8 -nocrypt -outform DER` makes it of a
    /// PEM file.
    ///
    /// # Errors
    /// When it is no key for this algorithm.
    pub fn with_key(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Ring, Misconfigured> {
        let random = SystemRandom::new();
        let ec = |how| EcdsaKeyPair::from_pkcs8(how, pkcs8, &random).map(|pair| Key::Ec(pair, algorithm));
        let key = match algorithm {
            Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Key::Ed25519),
            Algorithm::Es256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => return Err(Misconfigured::ClientKeyUnusable),
            _ => RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Key::Rsa(Box::new(pair))),
        };
        Ok(Ring { key: Some(key.map_err(|_| Misconfigured::ClientKeyUnusable)?), random })
    }

    fn signature(&self, algorithm: Algorithm, text: &[u8]) -> Option<Vec<u8>> {
        match (self.key.as_ref()?, algorithm) {
            (Key::Ec(pair, of), _) if *of == algorithm => Some(pair.sign(&self.random, text).ok()?.as_ref().to_vec()),
            (Key::Ed25519(pair), Algorithm::Ed25519) => Some(pair.sign(text).as_ref().to_vec()),
            (Key::Rsa(pair), _) => {
                let how: &dyn signature::RsaEncoding = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
                    Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    _ => return None,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(how, &self.random, text, &mut signature).ok()?;
                Some(signature)
            }
            _ => None,
        }
    }
}

impl Crypto for Ring {
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto> {
        self.random.fill(bytes).map_err(|_| NoCrypto)
    }

    async fn verify(&self, check: &SignatureCheck<'_>) -> Result<bool, NoCrypto> {
        Ok(verify(check).is_some())
    }

    async fn sign(&self, algorithm: Algorithm, text: &str) -> Result<Vec<u8>, NoCrypto> {
        self.signature(algorithm, text.as_bytes()).ok_or(NoCrypto)
    }
}

/// Something if the signature is valid.
fn verify(check: &SignatureCheck<'_>) -> Option<()> {
    let number = |text: &str| Base64UrlUnpadded::decode_vec(text).ok();
    let plain = |how: &'static dyn signature::VerificationAlgorithm, key: Vec<u8>| {
        UnparsedPublicKey::new(how, key).verify(check.signed, check.signature).ok()
    };
    match &check.key.parameters {
        KeyParameters::Okp { x, .. } if check.algorithm == Algorithm::Ed25519 => plain(&signature::ED25519, number(x)?),
        KeyParameters::Okp { .. } => None,
        KeyParameters::Ec { x, y, .. } => {
            let (how, length): (&dyn signature::VerificationAlgorithm, _) = match check.algorithm {
                Algorithm::Es256 => (&signature::ECDSA_P256_SHA256_FIXED, 32),
                Algorithm::Es384 => (&signature::ECDSA_P384_SHA384_FIXED, 48),
                _ => return None,
            };
            let (x, y) = (number(x)?, number(y)?);
            // RFC 7518 §6.2.1.2: as long as the field, however small the number is.
            if x.len() != length || y.len() != length {
                return None;
            }
            plain(how, [&[4], x.as_slice(), y.as_slice()].concat())
        }
        KeyParameters::Rsa { n, e } => {
            let how = match check.algorithm {
                Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                _ => return None,
            };
            RsaPublicKeyComponents { n: number(n)?, e: number(e)? }.verify(how, check.signed, check.signature).ok()
        }
    }
}
