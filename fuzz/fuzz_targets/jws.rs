//! Signed tokens, and the keys that verify them.
//!
//! An input is a byte of circumstances, a byte of outcomes, and four lines: header, claims and signature of a token, and a key set. Or the
//! first line is a whole token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokenkeep::protocol::{
    Algorithm, Expected, Jwks, KeyParameters, Secret, Unverified,
    id_token::{Beside, MAX_AGE},
};
use tokenkeep_fuzz::{CLIENT_ID, ISSUER, LEEWAY, NOW, answer, b64, linear, stretched};

const NONCE: &str = "nonce-5d10";
const ACCESS_TOKEN: &str = "access-77e0";
const CODE: &str = "code-8f2a";
const STATE: &str = "state-c4b9";

// The left halves of their SHA-256, made elsewhere.
const AT_HASH: &str = "llaDqms7QzQ6K1yM4-iv-w";
const C_HASH: &str = "N2ss_fnOQpZInvnwIkbftA";
const S_HASH: &str = "Wp3qJluhXhpKVNR-bbFjCQ";

fuzz_target!(|data: &[u8]| {
    let [how, outcomes, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut lines = text.splitn(4, '\n');
    let [header, claims, signature, keys] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let token = if how & 1 == 1 { header.to_owned() } else { format!("{}.{}.{}", b64(header), b64(claims), b64(signature)) };
    let accepted = if how & 2 == 0 { &Algorithm::ALL[..] } else { &[Algorithm::Es256, Algorithm::Rs256] };

    if let Some(keys) = stretched(keys, 1 << 17) {
        linear(keys.len(), || drop(Jwks::read(&answer(200, "application/json", keys.as_str()))));
    }
    if let Some(token) = stretched(&token, 1 << 16) {
        linear(token.len(), || drop(Unverified::read(&token, accepted)));
    }

    let keys = Jwks::read(&answer(200, "application/json", keys)).unwrap_or_default();
    let Ok(unverified) = Unverified::read(&token, accepted) else { return };
    let segments: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = segments[..] else { panic!("{} segments", segments.len()) };
    assert!(segments.iter().all(|segment| segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))));

    let (algorithm, count) = {
        let checks = unverified.checks(&keys);
        assert!(checks.len() <= 8);
        for check in &checks {
            assert!(accepted.contains(&check.algorithm));
            let fits = match &check.key.parameters {
                KeyParameters::Ec { crv, .. } => match check.algorithm {
                    Algorithm::Es256 => crv == "P-256",
                    Algorithm::Es384 => crv == "P-384",
                    Algorithm::Es512 => crv == "P-521",
                    _ => false,
                },
                KeyParameters::Okp { crv, .. } => check.algorithm == Algorithm::Ed25519 && crv == "Ed25519",
                KeyParameters::Rsa { n, .. } => n.len() >= 342 && check.algorithm.name().starts_with(['P', 'R']),
            };
            assert!(fits, "{check:?}");
            assert_eq!(check.signed, [header, payload].join(".").as_bytes());
            assert_eq!(b64(check.signature), signature);
        }
        (checks.first().map(|check| check.algorithm), checks.len())
    };

    // As the browser would say it, one bit for each key.
    let found: Vec<bool> = (0..count).map(|key| outcomes >> key & 1 == 1).collect();
    let valid = found.iter().filter(|valid| **valid).count();
    let Ok(signed) = unverified.signed_by(&found) else { return };
    assert_eq!(valid, 1, "signed by {valid} keys");
    let length = decoded_bytes(signature).len();
    match algorithm.unwrap() {
        Algorithm::Ed25519 | Algorithm::Es256 => assert_eq!(length, 64),
        Algorithm::Es384 => assert_eq!(length, 96),
        Algorithm::Es512 => assert_eq!(length, 132),
        _ => {}
    }

    let [nonce, access_token, code, state] = [NONCE, ACCESS_TOKEN, CODE, STATE].map(Secret::copied);
    let acr = ["phr".to_owned()];
    let expected = Expected {
        issuer: ISSUER,
        client_id: CLIENT_ID,
        trusted_audiences: &["partner".to_owned()],
        nonce: Some(&nonce),
        max_age: (how & 4 == 4).then_some(MAX_AGE),
        acr: if how & 8 == 8 { &acr } else { &[] },
        beside: if how & 16 == 16 { Beside::Code { code: &code, state: &state } } else { Beside::AccessToken(&access_token) },
        leeway: LEEWAY,
    };
    let Ok(verified) = signed.verify(&expected, NOW) else { return };
    assert!(verified.get("nonce").is_none());
    assert!(!verified.subject().is_empty());
    // Numbers of any size are read here, and not there.
    let Some(claims) = decoded(payload) else { return };
    assert_eq!((&claims["iss"], &claims["nonce"], &claims["sub"]), (&ISSUER.into(), &NONCE.into(), &verified.subject().into()));
    let audiences = claims["aud"].as_array().cloned().unwrap_or_else(|| vec![claims["aud"].clone()]);
    assert!(audiences.contains(&CLIENT_ID.into()) && audiences.iter().all(|aud| aud == CLIENT_ID || aud == "partner"));
    assert!(claims["azp"].is_null() || claims["azp"] == CLIENT_ID);
    let (now, leeway) = (NOW.as_secs() as f64, LEEWAY.as_secs_f64());
    let time = |name: &str| claims[name].as_f64();
    assert!(time("exp").unwrap() > now - leeway - 1.0);
    let issued = time("iat").unwrap();
    assert!(issued < now + leeway + 1.0 && issued > now - MAX_AGE.as_secs_f64() - 1.0);
    assert!(expected.max_age.is_none() || time("auth_time").unwrap() > now - MAX_AGE.as_secs_f64() - leeway - 1.0);
    assert!(expected.acr.is_empty() || claims["acr"] == "phr");
    let is = |name: &str, hash: &str| !algorithm.is_some_and(|algorithm| algorithm.name().ends_with("256")) || claims[name] == hash;
    match expected.beside {
        Beside::AccessToken(_) => assert!(claims["at_hash"].is_null() || is("at_hash", AT_HASH)),
        Beside::Code { .. } => {
            assert!(is("c_hash", C_HASH) && !claims["c_hash"].is_null());
            assert!(claims["s_hash"].is_null() || is("s_hash", S_HASH));
        }
    }
});

fn decoded_bytes(segment: &str) -> Vec<u8> {
    use base64ct::{Base64UrlUnpadded, Encoding};
    Base64UrlUnpadded::decode_vec(segment).unwrap()
}

fn decoded(segment: &str) -> Option<Value> {
    serde_json::from_slice(&decoded_bytes(segment)).ok()
}
