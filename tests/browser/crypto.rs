//! WebCrypto against vectors of the RFCs, and without it.

use tokenkeep::{
    browser::WebCrypto,
    keep::ports::{Crypto, NoCrypto},
    protocol::{Algorithm, Json, Jwk, Secret, SignatureCheck},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, js};

#[test]
fn randomness_is_drawn_anew_each_time() {
    let (mut one, mut two) = ([0; 96], [0; 96]);
    WebCrypto.random(&mut one).unwrap();
    WebCrypto.random(&mut two).unwrap();
    assert_ne!(one, two);
    assert!(one.iter().any(|byte| *byte != 0));
}

// cfg-insecure
#[test]
async fn without_webcrypto_nothing_is_made_up() {
    let _missing = Replaced::new("crypto", "return undefined");
    assert!(!WebCrypto.is_available());
    let mut bytes = [7; 8];
    assert_eq!(WebCrypto.random(&mut bytes), Err(NoCrypto));
    assert_eq!(bytes, [7; 8]);
    let key = key(P256);
    let check = SignatureCheck { algorithm: Algorithm::Es256, key: &key, signed: b"x", signature: &[0; 64] };
    assert_eq!(WebCrypto.verify(&check).await, Err(NoCrypto));
    assert_eq!(WebCrypto.strongbox().await.err(), Some(NoCrypto));
    assert_eq!(WebCrypto.proof_key().await.err(), Some(NoCrypto));
    assert_eq!(WebCrypto.seal(&Secret::copied("x"), "").await, Err(NoCrypto));
}

// cfg-insecure
#[test]
fn an_insecure_page_has_randomness_but_no_signatures() {
    let _insecure = Replaced::new("crypto", "return { getRandomValues: (array) => array }");
    assert!(!WebCrypto.is_available());
}

// cfg-insecure
#[test]
fn a_generator_that_throws_is_a_value() {
    let _broken = Replaced::new("crypto", "return Object.create(Crypto.prototype)");
    assert_eq!(WebCrypto.random(&mut [0; 8]), Err(NoCrypto));
}

const P256: &str =
    r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

fn key(text: &str) -> Jwk {
    Jwk::read(&Json::parse(text).unwrap()).unwrap()
}

async fn verifies(algorithm: Algorithm, key: &Jwk, token: &str) -> (bool, bool) {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
    let check = SignatureCheck { algorithm, key, signed: signed.as_bytes(), signature: &signature };
    let right = WebCrypto.verify(&check).await.unwrap();
    let last = signature.len() - 1;
    signature[last] ^= 1;
    let check = SignatureCheck { algorithm, key, signed: signed.as_bytes(), signature: &signature };
    (right, WebCrypto.verify(&check).await.unwrap())
}

#[test]
async fn rfc7515_appendix_a_3() {
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_eq!(verifies(Algorithm::Es256, &key(P256), token).await, (true, false));
}

#[test]
async fn rfc8037_appendix_a_4() {
    let okp = key(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(verifies(Algorithm::Ed25519, &okp, token).await, (true, false));
}

/// The browser signs, with a key that it makes itself; so each algorithm meets an implementation that is not ours.
#[test]
async fn every_algorithm_verifies_what_the_browser_signed() {
    for algorithm in Algorithm::ALL {
        let bits = match algorithm {
            Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => 256,
            Algorithm::Es384 | Algorithm::Ps384 | Algorithm::Rs384 => 384,
            Algorithm::Es512 | Algorithm::Ps512 | Algorithm::Rs512 | Algorithm::Ed25519 => 512,
        };
        let parameters = match algorithm.name().get(..2).unwrap() {
            "ES" => format!("{{name: 'ECDSA', namedCurve: 'P-{}', hash: 'SHA-{bits}'}}", if bits == 512 { 521 } else { bits }),
            "Ed" => "{name: 'Ed25519'}".to_owned(),
            scheme => format!(
                "{{name: '{}', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-{bits}', saltLength: {}}}",
                if scheme == "PS" { "RSA-PSS" } else { "RSASSA-PKCS1-v1_5" },
                bits / 8
            ),
        };
        let made = js(&format!(
            "(async () => {{
                const parameters = {parameters};
                // WebKitGTK sometimes fails to make a key, which is not what is tested here.
                const make = () => crypto.subtle.generateKey(parameters, true, ['sign', 'verify']);
                const pair = await make().catch(make).catch(make);
                const signature = new Uint8Array(await crypto.subtle.sign(parameters, pair.privateKey, new TextEncoder().encode('e30.e30')));
                const base64url = btoa(String.fromCharCode(...signature)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
                const {{ key_ops, ext, ...jwk }} = await crypto.subtle.exportKey('jwk', pair.publicKey);
                return JSON.stringify(jwk) + ' e30.e30.' + base64url;
            }})()"
        ));
        let made = wasm_bindgen_futures::JsFuture::from(js_sys::Promise::from(made)).await.unwrap().as_string().unwrap();
        let (jwk, token) = made.split_once(' ').unwrap();
        assert_eq!(verifies(algorithm, &key(jwk), token).await, (true, false), "{algorithm:?}");
    }
}

#[test]
async fn what_is_sealed_for_a_box_only_that_box_opens() {
    let (one, two) = (WebCrypto.strongbox().await.unwrap(), WebCrypto.strongbox().await.unwrap());
    assert_ne!(one.public_key(), two.public_key());
    assert_eq!(one.public_key().len(), 87, "an uncompressed point of 65 bytes");
    for text in ["", "a", "ü 🔑 \0", &"long ".repeat(10_000)] {
        let sealed = WebCrypto.seal(&Secret::copied(text), one.public_key()).await.unwrap();
        assert_eq!(one.open(&sealed).await.unwrap().expose(), text);
        assert_eq!(two.open(&sealed).await.err(), Some(NoCrypto));
    }
}

#[test]
async fn a_text_is_never_sealed_twice_alike() {
    let strongbox = WebCrypto.strongbox().await.unwrap();
    let text = Secret::copied("the same");
    let one = WebCrypto.seal(&text, strongbox.public_key()).await.unwrap();
    let two = WebCrypto.seal(&text, strongbox.public_key()).await.unwrap();
    let ((key, sealed), (other_key, other_sealed)) = (one.split_once('.').unwrap(), two.split_once('.').unwrap());
    assert_ne!(key, other_key);
    assert_ne!(sealed, other_sealed);
    assert!(!one.contains("the same") && one.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
}

#[test]
async fn what_was_tampered_with_does_not_open() {
    let strongbox = WebCrypto.strongbox().await.unwrap();
    let sealed = WebCrypto.seal(&Secret::copied("text"), strongbox.public_key()).await.unwrap();
    for index in 0..sealed.len() {
        // The last character of a piece has bits that mean nothing, and must be zero.
        let mut tampered = sealed.clone().into_bytes();
        tampered[index] = if tampered[index] == b'A' { b'B' } else { b'A' };
        assert_eq!(strongbox.open(&String::from_utf8(tampered).unwrap()).await.err(), Some(NoCrypto), "at {index}");
    }
    let (key, text) = sealed.split_once('.').unwrap();
    for garbage in ["", ".", key, &format!("{key}."), &format!(".{text}"), &format!("{sealed}.x"), &format!("{sealed}="), "ü.ü"] {
        assert_eq!(strongbox.open(garbage).await.err(), Some(NoCrypto), "{garbage}");
    }
    assert_eq!(strongbox.open(&sealed).await.unwrap().expose(), "text");
}

#[test]
async fn nothing_is_sealed_for_what_is_no_key() {
    let strongbox = WebCrypto.strongbox().await.unwrap();
    let shortened = strongbox.public_key().get(..84).unwrap();
    for key in ["", "A", "AA", "no base64!", shortened, &"A".repeat(1_000_000), "BA==", "ü"] {
        assert_eq!(WebCrypto.seal(&Secret::copied("text"), key).await, Err(NoCrypto), "{}", key.len());
    }
}

/// WebKitGTK does not look; but a pair is of one message, so whoever sends such a point learns no more than with a pair of their own.
#[test]
async fn a_point_on_no_curve_is_refused_by_browsers_that_look() {
    let point = format!("B{}", "A".repeat(86));
    let outcome = WebCrypto.seal(&Secret::copied("text"), &point).await;
    if js("/Chrome|Firefox/.test(navigator.userAgent)").is_truthy() {
        assert_eq!(outcome, Err(NoCrypto));
    }
    let strongbox = WebCrypto.strongbox().await.unwrap();
    assert_eq!(strongbox.open(&format!("{point}.AAAA")).await.err(), Some(NoCrypto));
}

#[test]
async fn the_private_key_cannot_be_read_and_the_plain_text_is_overwritten() {
    js("globalThis.kept = {}; globalThis.seen = { private: [], plain: [] };
        for (const method of ['generateKey', 'deriveKey', 'encrypt', 'decrypt']) {
            kept[method] = SubtleCrypto.prototype[method];
            SubtleCrypto.prototype[method] = function (...given) {
                const answer = kept[method].apply(this, given);
                if (method === 'generateKey') answer.then((pair) => seen.private.push(pair.privateKey.extractable));
                if (method === 'deriveKey') answer.then((key) => seen.private.push(key.extractable));
                if (method === 'encrypt') seen.plain.push(given[2]);
                if (method === 'decrypt') answer.then((buffer) => seen.plain.push(new Uint8Array(buffer)));
                return answer;
            };
        }");
    let strongbox = WebCrypto.strongbox().await.unwrap();
    let sealed = WebCrypto.seal(&Secret::copied("text"), strongbox.public_key()).await.unwrap();
    let opened = strongbox.open(&sealed).await.unwrap();
    js("Object.assign(SubtleCrypto.prototype, kept)");
    assert_eq!(opened.expose(), "text");
    assert_eq!(js("seen.private.join()").as_string().unwrap(), "false,false,false,false");
    assert_eq!(js("seen.plain.map((bytes) => bytes.join('')).join()").as_string().unwrap(), "0000,0000");
}

#[test]
async fn a_key_for_proofs_signs_and_cannot_be_read() {
    js("globalThis.seen = []; globalThis.kept = SubtleCrypto.prototype.generateKey;
        SubtleCrypto.prototype.generateKey = function (...given) {
            // Once as WebKitGTK does at times.
            if (seen.length === 0) return seen.push('failed'), Promise.reject(new DOMException('', 'OperationError'));
            const answer = kept.apply(this, given);
            answer.then(({ privateKey }) => seen.push(privateKey.extractable, ...privateKey.usages), () => {});
            return answer;
        }");
    let key = WebCrypto.proof_key().await;
    js("SubtleCrypto.prototype.generateKey = kept");
    let key = key.unwrap();
    assert_eq!(js("seen.join()").as_string().unwrap(), "failed,false,sign");
    let signed = "eyJ0eXAi.e30";
    let signature = key.sign(signed).await.unwrap();
    assert_eq!(signature.len(), 64, "R and S");
    let check = |signed| SignatureCheck { algorithm: Algorithm::Es256, key: key.public_key(), signed, signature: &signature };
    assert_eq!(WebCrypto.verify(&check(signed.as_bytes())).await, Ok(true));
    assert_eq!(WebCrypto.verify(&check(b"eyJ0eXAi.e31")).await, Ok(false));
    assert_ne!(WebCrypto.proof_key().await.unwrap().public_key(), key.public_key());
}

#[test]
async fn without_a_key_there_is_no_proof() {
    for method in ["generateKey", "exportKey", "sign"] {
        for broken in ["() => { throw 'a string' }", "() => Promise.reject('a string')", "() => undefined", "async () => 42", "undefined"] {
            js(&format!("globalThis.kept = SubtleCrypto.prototype.{method}; SubtleCrypto.prototype.{method} = {broken}"));
            let outcome = match WebCrypto.proof_key().await {
                Ok(key) => key.sign("e30.e30").await.err(),
                Err(failure) => Some(failure),
            };
            js(&format!("SubtleCrypto.prototype.{method} = kept"));
            assert_eq!(outcome, Some(NoCrypto), "{method} {broken}");
        }
    }
}

#[test]
async fn a_replaced_webcrypto_cannot_break_us() {
    for method in ["generateKey", "exportKey", "importKey", "deriveKey", "encrypt"] {
        for broken in ["() => { throw 'a string' }", "() => Promise.reject('a string')", "() => undefined", "async () => 42", "undefined"] {
            let strongbox = WebCrypto.strongbox().await.unwrap();
            js(&format!("globalThis.kept = SubtleCrypto.prototype.{method}; SubtleCrypto.prototype.{method} = {broken}"));
            let sealed = WebCrypto.seal(&Secret::copied("text"), strongbox.public_key()).await;
            js(&format!("SubtleCrypto.prototype.{method} = kept"));
            assert_eq!(sealed, Err(NoCrypto), "{method} {broken}");
        }
    }
}
