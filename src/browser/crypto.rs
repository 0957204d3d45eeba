//! [`crypto`](https://developer.mozilla.org/docs/Web/API/Crypto): randomness and signatures. Without https there is neither.

use js_sys::{Array, JSON, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Crypto as BrowserCrypto, CryptoKey, SubtleCrypto};

use super::{object, settled};
use crate::{
    keep::ports::{Answer, Crypto, NoCrypto},
    protocol::{Algorithm, Hash, SignatureCheck},
};

/// WebCrypto.
#[derive(Clone, Copy, Debug)]
pub struct WebCrypto;

impl Crypto for WebCrypto {
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto> {
        let array = Uint8Array::new_with_length(u32::try_from(bytes.len()).map_err(|_| NoCrypto)?);
        crypto()?.get_random_values_with_js_u8_array(&array).map_err(|_| NoCrypto)?;
        array.copy_to(bytes);
        Ok(())
    }

    fn verify<'a>(&'a self, check: &'a SignatureCheck<'a>) -> Answer<'a, Result<bool, NoCrypto>> {
        Box::pin(async move {
            let subtle = subtle()?;
            // What WebCrypto refuses to import or to use has signed nothing.
            Ok(verify(&subtle, check).await.unwrap_or(false))
        })
    }

    fn is_available(&self) -> bool {
        subtle().is_ok()
    }
}

async fn verify(subtle: &SubtleCrypto, check: &SignatureCheck<'_>) -> Result<bool, JsValue> {
    let algorithm = parameters(check.algorithm)?;
    let jwk: Object = JSON::parse(&check.key.to_json().to_string())?.dyn_into()?;
    let usages = Array::of1(&"verify".into());
    let key: CryptoKey = settled(subtle.import_key_with_object("jwk", &jwk, &algorithm, false, &usages)?.into()).await?.dyn_into()?;
    let (signature, signed) = (Uint8Array::from(check.signature), Uint8Array::from(check.signed));
    let valid = subtle.verify_with_object_and_buffer_source_and_buffer_source(&algorithm, &key, &signature, &signed)?;
    Ok(settled(valid.into()).await?.is_truthy())
}

/// One object that both `importKey` and `verify` take what they need from.
fn parameters(algorithm: Algorithm) -> Result<Object, JsValue> {
    let (hash, salt_length) = match algorithm.hash() {
        Hash::Sha256 => ("SHA-256", 32),
        Hash::Sha384 => ("SHA-384", 48),
        Hash::Sha512 => ("SHA-512", 64),
    };
    let (name, curve) = match algorithm {
        Algorithm::Ed25519 => ("Ed25519", ""),
        Algorithm::Es256 => ("ECDSA", "P-256"),
        Algorithm::Es384 => ("ECDSA", "P-384"),
        Algorithm::Es512 => ("ECDSA", "P-521"),
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => ("RSA-PSS", ""),
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => ("RSASSA-PKCS1-v1_5", ""),
    };
    object(&[("name", name.into()), ("hash", hash.into()), ("namedCurve", curve.into()), ("saltLength", salt_length.into())])
}

fn crypto() -> Result<BrowserCrypto, NoCrypto> {
    global("crypto").and_then(|crypto| crypto.dyn_into().ok()).ok_or(NoCrypto)
}

fn subtle() -> Result<SubtleCrypto, NoCrypto> {
    let subtle = global("crypto").and_then(|crypto| Reflect::get(&crypto, &"subtle".into()).ok());
    subtle.and_then(|subtle| subtle.dyn_into().ok()).ok_or(NoCrypto)
}

fn global(name: &str) -> Option<JsValue> {
    Reflect::get(&js_sys::global(), &name.into()).ok()
}
