//! The authorization response, from the address bar to a code; signed ones too.
//!
//! An input is two bytes of circumstances and an address. In it `$STATE` is the right one, and `$JWT` a signed response with the claims in
//! the lines below the address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokenkeep::protocol::{
    Accepted, Algorithm, Callback, Misbehaved, PendingLogin, ResponseMode, ResponseType, StateDigest, TokenType, UnixTime, Unverified,
};
use tokenkeep_fuzz::{CLIENT_ID, ISSUER, LEEWAY, NOW, REDIRECT_URI, b64, begin, linear, metadata, stretched, tells_none};

/// Names that leave the address bar, written down once more.
const RESPONSE: [&str; 13] = [
    "access_token",
    "code",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "id_token",
    "iss",
    "response",
    "session_state",
    "state",
    "token_type",
    "tokenkeep_form",
];

fuzz_target!(|data: &[u8]| {
    let [how, when, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mode = ResponseMode::ALL[usize::from(how & 7) % ResponseMode::ALL.len()];
    let response_type = ResponseType::ALL[usize::from(how >> 3 & 1)];
    let metadata = metadata(how >> 4 & 1 == 1);
    let now = if when & 7 == 7 { UnixTime::from_secs(NOW.as_secs() + 601) } else { NOW };
    let begun = begin(metadata, mode, response_type, NOW);

    let (address, claims) = text.split_once('\n').unwrap_or((text, ""));
    let claims = claims.replace("$STATE", &begun.state);
    let jwt = format!("{}.{}.{}", b64(r#"{"alg":"ES256"}"#), b64(&claims), b64([7; 64]));
    let address = address.replace("$STATE", &begun.state).replace("$JWT", &jwt);
    let address = if how >> 5 & 1 == 1 { format!("{REDIRECT_URI}{address}") } else { address };

    scrubbing(&address);

    if let Some(address) = stretched(&address, 1 << 16) {
        linear(address.len(), || {
            drop((Callback::scrub(&address), Callback::read(&address, REDIRECT_URI).map(|callback| callback.state())))
        });
    }

    let Some(callback) = Callback::read(&address, REDIRECT_URI) else { return };
    assert!(address.starts_with("https://app.example/cb"));
    let claimed = callback.state();
    let secrets = [begun.state.as_str(), &begun.nonce, &begun.verifier];
    tells_none(&callback, &secrets);
    match begun.login.accept(callback, now) {
        Ok(accepted) => {
            // What is accepted has the state that was asked, in time.
            assert_eq!(claimed.as_ref(), Ok(&StateDigest::of(&begun.state)));
            assert_eq!(accepted.login().state(), &StateDigest::of(&begun.state));
            assert!(now == NOW && PendingLogin::LIFE.as_secs() == 600);
            assert_eq!(mode.is_signed(), matches!(accepted, Accepted::Signed(_)));
            tells_none(&accepted, &secrets);
            match accepted {
                Accepted::Signed(response) => {
                    // Nothing in the address beside it counts; so take it apart as the keep does, as if the signature were valid.
                    let Ok(unverified) = Unverified::read(&jwt, &Algorithm::ALL) else { return };
                    let Ok(signed) = unverified.signed_by(&[true]) else { return };
                    match response.verified(signed, LEEWAY, now) {
                        Ok(accepted) => {
                            assert!(!matches!(accepted, Accepted::Signed(_)), "a response in a response");
                            // Numbers of any size are read here, and not there.
                            let Ok(claims) = serde_json::from_str::<Value>(&claims) else { return };
                            assert_eq!((claims["iss"].as_str(), claims["state"].as_str()), (Some(ISSUER), Some(begun.state.as_str())));
                            let aud = &claims["aud"];
                            assert!(aud == CLIENT_ID || aud.as_array().is_some_and(|aud| aud.iter().all(|aud| aud == CLIENT_ID)));
                            assert!(claims["exp"].as_f64().unwrap() > (now.as_secs() - LEEWAY.as_secs()) as f64);
                            assert!(claims["error"].is_null() && claims["access_token"].is_null());
                            redeem(accepted, response_type, claims["code"].as_str().unwrap());
                        }
                        Err(error) => tells_none(&(error.to_string(), error), &secrets),
                    }
                }
                plain => {
                    let codes: Vec<_> = sent(&address, "code");
                    assert_eq!(codes.len(), 1, "{address}");
                    redeem(plain, response_type, &codes[0]);
                }
            }
        }
        Err(error) => {
            tells_none(&(error.to_string(), &error), &secrets);
            let expected = claimed.is_ok_and(|claimed| claimed == StateDigest::of(&begun.state));
            assert!(expected || matches!(error, tokenkeep::Error::Misbehaved(_)), "{error} of a response to nobody");
            assert!(expected || error != Misbehaved::SignInExpired.into());
        }
    }
});

/// No response parameter is left, everything else is, and once is enough.
fn scrubbing(address: &str) {
    let clean = Callback::scrub(address);
    assert_eq!(Callback::scrub(&clean), clean);
    assert!(clean.len() <= address.len());
    assert_eq!(clean.split(['?', '#']).next(), address.split(['?', '#']).next());
    let (before, fragment) = clean.split_once('#').unwrap_or((&clean, ""));
    let query = before.split_once('?').map_or("", |(_, query)| query);
    let fragment = if fragment.starts_with(['/', '!']) { "" } else { fragment };
    for (name, _) in [query, fragment].into_iter().flat_map(|form| form_urlencoded::parse(form.as_bytes())) {
        assert!(!RESPONSE.contains(&&*name), "{clean} still has {name}");
    }
    assert!(Callback::read(&clean, before).is_none());
}

/// The values of a parameter in query, fragment and a form that was handed on, by the URL standard's own reader.
fn sent(address: &str, name: &str) -> Vec<String> {
    let (before, fragment) = address.split_once('#').unwrap_or((address, ""));
    let query = before.split_once('?').map_or("", |(_, query)| query);
    let fragment = if fragment.starts_with(['/', '!']) { "" } else { fragment };
    let pairs = |form: &str| form_urlencoded::parse(form.as_bytes()).into_owned().collect::<Vec<_>>();
    let fragment = pairs(fragment);
    let posted = fragment.iter().find(|(name, _)| name == "tokenkeep_form").map(|(_, form)| pairs(form)).unwrap_or_default();
    let all = [pairs(query), fragment, posted].concat();
    all.into_iter().filter(|(ours, _)| ours == name).map(|(_, value)| value).collect()
}

/// The code goes to the token endpoint as it came.
fn redeem(accepted: Accepted, response_type: ResponseType, expected: &str) {
    assert!(!expected.is_empty());
    match accepted {
        Accepted::Code(code) => {
            assert_eq!(response_type, ResponseType::Code);
            let exchange = code.exchange(metadata(false), TokenType::Bearer).unwrap();
            let body = exchange.request.body.as_ref().unwrap().expose();
            let sent = form_urlencoded::parse(body).find(|(name, _)| name == "code").unwrap().1.into_owned();
            assert_eq!(sent, expected);
        }
        Accepted::Hybrid(_) => assert_eq!(response_type, ResponseType::CodeIdToken),
        Accepted::Signed(_) => unreachable!(),
    }
}
