//! [`crypto`](https://developer.mozilla.org/docs/Web/API/Crypto): randomness, signatures, proofs and sealed messages. Without https there is
//! only the first.

use base64ct::{Base64UrlUnpadded, Encoding};
use js_sys::{ArrayBuffer, JSON, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Crypto as BrowserCrypto, SubtleCrypto};

use super::{
    Arg::{self, Is, List, Text, Value, Whole},
    call, get, global, object, settled,
};
use crate::{
    keep::ports::{Answer, Crypto, NoCrypto, ProofKey, Strongbox},
    protocol::{Algorithm, Hash, Json, Jwk, Secret, SignatureCheck},
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

    fn strongbox(&self) -> Answer<'_, Result<Box<dyn Strongbox>, NoCrypto>> {
        Box::pin(async { Ok(Box::new(KeyPair::generate().await?) as Box<dyn Strongbox>) })
    }

    fn seal<'a>(&'a self, text: &'a Secret<String>, public_key: &'a str) -> Answer<'a, Result<String, NoCrypto>> {
        Box::pin(async move {
            let pair = KeyPair::generate().await?;
            let sealed = pair.cipher("encrypt", public_key, text.expose().as_bytes()).await?;
            Ok([&pair.public_key, ".", &Base64UrlUnpadded::encode_string(&sealed.to_vec())].concat())
        })
    }

    fn proof_key(&self) -> Answer<'_, Result<Box<dyn ProofKey>, NoCrypto>> {
        Box::pin(async { Ok(Box::new(SigningKey::generate().await?) as Box<dyn ProofKey>) })
    }

    fn is_available(&self) -> bool {
        subtle().is_ok()
    }
}

async fn verify(subtle: &SubtleCrypto, check: &SignatureCheck<'_>) -> Result<bool, JsValue> {
    let algorithm = parameters(check.algorithm)?;
    let jwk = JSON::parse(&check.key.to_json().to_string())?;
    let key = ask(subtle, "importKey", &[Text("jwk"), Value(&jwk), Value(&algorithm), Is(false), List(&["verify"])])?.await?;
    let (signature, signed) = (Uint8Array::from(check.signature), Uint8Array::from(check.signed));
    Ok(ask(subtle, "verify", &[Value(&algorithm), Value(&key), Value(&signature), Value(&signed)])?.await?.is_truthy())
}

/// One object that both `importKey` and `verify` take what they need from.
pub(super) fn parameters(algorithm: Algorithm) -> Result<JsValue, JsValue> {
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
    object(&[("name", Text(name)), ("hash", Text(hash)), ("namedCurve", Text(curve)), ("saltLength", Whole(salt_length))])
}

const ECDH: [(&str, Arg<'_>); 2] = [("name", Text("ECDH")), ("namedCurve", Text("P-256"))];

/// A pair for one message: ECDH on P-256, of which AES-GCM takes its key.
struct KeyPair {
    subtle: SubtleCrypto,
    private_key: JsValue,
    public_key: String,
}

impl KeyPair {
    async fn generate() -> Result<KeyPair, NoCrypto> {
        let subtle = subtle()?;
        let pair = ask(&subtle, "generateKey", &[Value(&object(&ECDH)?), Is(false), List(&["deriveKey"])])?.await?;
        let point = bytes(ask(&subtle, "exportKey", &[Text("raw"), Value(&get(&pair, "publicKey")?)])?.await?)?;
        let public_key = Base64UrlUnpadded::encode_string(&point.to_vec());
        Ok(KeyPair { private_key: get(&pair, "privateKey")?, subtle, public_key })
    }

    /// Encrypts or decrypts with the key that this pair and another have in common.
    async fn cipher(&self, usage: &str, public_key: &str, data: &[u8]) -> Result<Uint8Array, NoCrypto> {
        let point = Base64UrlUnpadded::decode_vec(public_key).map_err(|_| NoCrypto)?;
        let point = Uint8Array::from(point.as_slice());
        let public_key =
            ask(&self.subtle, "importKey", &[Text("raw"), Value(&point), Value(&object(&ECDH)?), Is(false), List(&[])])?.await?;
        // Both pairs are made for one message, so the key is of one message too, and no two have the same key and IV.
        let iv = Uint8Array::new_with_length(12);
        let cipher = object(&[("name", Text("AES-GCM")), ("length", Whole(256)), ("iv", Value(&iv))])?;
        let theirs = object(&[("name", Text("ECDH")), ("public", Value(&public_key))])?;
        let key =
            ask(&self.subtle, "deriveKey", &[Value(&theirs), Value(&self.private_key), Value(&cipher), Is(false), List(&[usage])])?.await?;
        let data = Uint8Array::from(data);
        let answer = call(&self.subtle, usage, &[Value(&cipher), Value(&key), Value(&data)]);
        // WebCrypto begins by making a copy.
        data.fill(0, 0, data.length());
        bytes(settled(&answer?).await?)
    }
}

impl Strongbox for KeyPair {
    fn public_key(&self) -> &str {
        &self.public_key
    }

    fn open<'a>(&'a self, sealed: &'a str) -> Answer<'a, Result<Secret<String>, NoCrypto>> {
        Box::pin(async move {
            let (public_key, sealed) = sealed.split_once('.').ok_or(NoCrypto)?;
            let sealed = Base64UrlUnpadded::decode_vec(sealed).map_err(|_| NoCrypto)?;
            let opened = self.cipher("decrypt", public_key, &sealed).await?;
            let text = String::from_utf8(opened.to_vec());
            opened.fill(0, 0, opened.length());
            text.map(Secret::new).map_err(|_| NoCrypto)
        })
    }
}

/// A pair that signs proofs.
struct SigningKey {
    subtle: SubtleCrypto,
    private_key: JsValue,
    public_key: Jwk,
}

impl SigningKey {
    async fn generate() -> Result<SigningKey, NoCrypto> {
        let (subtle, algorithm) = (subtle()?, parameters(Algorithm::Es256)?);
        let mut tries = 0u8;
        let pair = loop {
            tries = tries.saturating_add(1);
            match ask(&subtle, "generateKey", &[Value(&algorithm), Is(false), List(&["sign", "verify"])])?.await {
                // WebKitGTK sometimes fails to make a key, and makes the next one.
                Err(_) if tries < 3 => {}
                pair => break pair?,
            }
        };
        let jwk = ask(&subtle, "exportKey", &[Text("jwk"), Value(&get(&pair, "publicKey")?)])?.await?;
        // Of nothing JSON makes nothing, whatever its type says.
        let jwk = JsValue::from(JSON::stringify(&jwk)?).as_string().ok_or(NoCrypto)?;
        let jwk = Json::parse(&jwk).map_err(|_| NoCrypto)?;
        Ok(SigningKey { private_key: get(&pair, "privateKey")?, subtle, public_key: Jwk::read(&jwk).ok_or(NoCrypto)? })
    }
}

impl ProofKey for SigningKey {
    fn public_key(&self) -> &Jwk {
        &self.public_key
    }

    fn sign<'a>(&'a self, text: &'a str) -> Answer<'a, Result<Vec<u8>, NoCrypto>> {
        Box::pin(async move {
            let (algorithm, data) = (parameters(Algorithm::Es256)?, Uint8Array::from(text.as_bytes()));
            let signature = ask(&self.subtle, "sign", &[Value(&algorithm), Value(&self.private_key), Value(&data)])?.await?;
            Ok(bytes(signature)?.to_vec())
        })
    }
}

impl From<JsValue> for NoCrypto {
    fn from(_: JsValue) -> NoCrypto {
        NoCrypto
    }
}

pub(super) fn ask(subtle: &SubtleCrypto, method: &str, arguments: &[Arg<'_>]) -> Result<JsFuture, JsValue> {
    Ok(settled(&call(subtle, method, arguments)?))
}

pub(super) fn bytes(buffer: JsValue) -> Result<Uint8Array, NoCrypto> {
    let buffer: ArrayBuffer = buffer.dyn_into()?;
    Ok(Uint8Array::new(&buffer))
}

fn crypto() -> Result<BrowserCrypto, NoCrypto> {
    Ok(get(&global(), "crypto")?.dyn_into()?)
}

pub(super) fn subtle() -> Result<SubtleCrypto, NoCrypto> {
    Ok(get(&get(&global(), "crypto")?, "subtle")?.dyn_into()?)
}
