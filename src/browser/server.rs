//! The ports of a confidential client where JavaScript runs on a server: Node, Deno, edge workers. The same web APIs as in a browser, as
//! far as all of them have them.

use js_sys::{JSON, Uint8Array};
use wasm_bindgen::JsValue;

use super::{
    Arg::{Is, List, Text, Value},
    BrowserClock, WebCrypto,
    abort::Abort,
    crypto::{ask, bytes, parameters, subtle},
    fetch::{Failure, answered, fetch, headers_of},
    get, global, object, text,
};
use crate::{
    confidential::ports::{Clock, Crypto, Http, HttpFailure, NoCrypto},
    keep::ports::{Clock as _, Crypto as _},
    protocol::{Algorithm, Json, Misconfigured, Moment, Request, Response, SignatureCheck},
};

/// The server's network: [`fetch()`](https://developer.mozilla.org/docs/Web/API/Window/fetch) without redirects.
#[derive(Clone, Copy, Debug)]
pub struct ServerFetch;

impl Http for ServerFetch {
    async fn send(&self, request: &Request) -> Result<Response, HttpFailure> {
        let abort = Abort::after(request.deadline).map_err(|thrown| Failure::from(thrown).0)?;
        let response = send(request, &abort).await.map_err(|failure| failure.after(&abort))?;
        match response.status {
            // In Node a redirect can be seen; in a browser it has no status.
            0 | 301..=303 | 307 | 308 => Err(HttpFailure::Unreachable),
            _ => Ok(response),
        }
    }
}

async fn send(request: &Request, abort: &Abort) -> Result<Response, Failure> {
    let headers = headers_of(request)?;
    let body = request.body.as_ref().map(|body| Uint8Array::from(body.expose().as_slice())).into();
    let mut members = vec![
        ("method", Text(request.method.as_str())),
        ("headers", Value(&headers)),
        ("body", Value(&body)),
        ("redirect", Text("manual")),
        ("signal", Value(abort.signal())),
    ];
    // A framework may have put a cache around `fetch`. Cloudflare's has none, and did not take the word for long.
    let runtime = get(&global(), "navigator").ok().and_then(|navigator| text(&navigator, "userAgent"));
    if runtime.as_deref() != Some("Cloudflare-Workers") {
        members.push(("cache", Text("no-store")));
    }
    answered(&fetch(&request.url.as_str().into(), &object(&members)?)?, request.limit).await
}

/// The server's cryptography: [WebCrypto](https://developer.mozilla.org/docs/Web/API/SubtleCrypto), and the client's private key.
#[derive(Debug)]
pub struct ServerCrypto {
    key: Option<(JsValue, Algorithm)>,
}

impl ServerCrypto {
    /// Without a key.
    pub fn new() -> ServerCrypto {
        ServerCrypto { key: None }
    }

    /// With the client's private key: a `CryptoKey` that signs, or a JWK, which then says its `kid` too. Answers with how it signs.
    ///
    /// # Errors
    /// When it is no such key.
    pub async fn with_key(key: &JsValue) -> Result<(ServerCrypto, Algorithm, Option<String>), Misconfigured> {
        let of_crypto_key = get(key, "algorithm").ok().filter(JsValue::is_object);
        let read = match &of_crypto_key {
            Some(algorithm) => {
                of(algorithm).filter(|_| text(key, "type").as_deref() == Some("private")).map(|how| (key.clone(), how, None))
            }
            None => import(key).await,
        };
        let (key, algorithm, kid) = read.ok_or(Misconfigured::ClientKeyUnusable)?;
        let crypto = ServerCrypto { key: Some((key, algorithm)) };
        // Now, and not when the first user signs in.
        crypto.sign(algorithm, "").await.map_err(|_| Misconfigured::ClientKeyUnusable)?;
        Ok((crypto, algorithm, kid))
    }
}

impl Default for ServerCrypto {
    fn default() -> ServerCrypto {
        ServerCrypto::new()
    }
}

/// How a `CryptoKey` signs.
fn of(algorithm: &JsValue) -> Option<Algorithm> {
    let hash = || get(algorithm, "hash").ok().and_then(|hash| text(&hash, "name"));
    let sized = |family: &str| Algorithm::from_name(&[family, hash()?.strip_prefix("SHA-")?].concat());
    match text(algorithm, "name")?.as_str() {
        "ECDSA" => curve(&text(algorithm, "namedCurve")?),
        "Ed25519" => Some(Algorithm::Ed25519),
        "RSA-PSS" => sized("PS"),
        "RSASSA-PKCS1-v1_5" => sized("RS"),
        _ => None,
    }
}

fn curve(name: &str) -> Option<Algorithm> {
    match name {
        "P-256" => Some(Algorithm::Es256),
        "P-384" => Some(Algorithm::Es384),
        "P-521" => Some(Algorithm::Es512),
        "Ed25519" => Some(Algorithm::Ed25519),
        _ => None,
    }
}

async fn import(jwk: &JsValue) -> Option<(JsValue, Algorithm, Option<String>)> {
    // Of nothing JSON makes nothing, whatever its type says.
    let read = Json::parse(&JsValue::from(JSON::stringify(jwk).ok()?).as_string()?).ok()?;
    let algorithm = match read.text("alg") {
        Some(name) => Algorithm::from_name(name)?,
        None => curve(read.text("crv")?)?,
    };
    let how = parameters(algorithm).ok()?;
    let arguments = [Text("jwk"), Value(jwk), Value(&how), Is(false), List(&["sign"])];
    let key = ask(&subtle().ok()?, "importKey", &arguments).ok()?.await.ok()?;
    Some((key, algorithm, read.text("kid").map(str::to_owned)))
}

impl Crypto for ServerCrypto {
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto> {
        WebCrypto.random(bytes)
    }

    async fn verify(&self, check: &SignatureCheck<'_>) -> Result<bool, NoCrypto> {
        WebCrypto.verify(check).await
    }

    async fn sign(&self, algorithm: Algorithm, text: &str) -> Result<Vec<u8>, NoCrypto> {
        let (key, _) = self.key.as_ref().filter(|(_, of)| *of == algorithm).ok_or(NoCrypto)?;
        let (how, data) = (parameters(algorithm)?, Uint8Array::from(text.as_bytes()));
        let signature = ask(&subtle()?, "sign", &[Value(&how), Value(key), Value(&data)])?.await?;
        Ok(bytes(signature)?.to_vec())
    }
}

impl Clock for BrowserClock {
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), steady: self.steady() }
    }
}
