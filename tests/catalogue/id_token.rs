//! The ID token: structure, algorithm, key, signature, claims, in this order.

use std::{cell::Cell, time::Duration};

use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use serde_json::{Value, json};
use tokenkeep::{
    Acr, Config, Error, Finished, Prompt, Session, SignIn, State,
    keep::{KEYS_LIFE, KEYS_REREAD_AFTER, ports::HttpFailure},
    protocol::{Algorithm, Cache, ClockSkew, Interrupted, Misbehaved, Response, Source, Unreadable, Unverified},
};

use crate::{
    test,
    world::{API, CLIENT, Endpoint, ISSUER, Key, ORIGIN, START, World, b64, json_response, put, refusal, refusal_as},
};

/// The error when this claim is that; `null` takes it away.
fn refused_claim(claim: &'static str, value: &Value) -> Error {
    refusal(|world| set(world, claim, value.clone()))
}

/// The session when this claim is that.
fn accepted_claim(claim: &'static str, value: &Value) -> Session {
    accepted(&World::config(), SignIn::default(), |world| set(world, claim, value.clone()))
}

/// The session, after its token called an API.
fn accepted(config: &Config, sign_in: SignIn, prepare: impl Fn(&World)) -> Session {
    let world = World::new();
    prepare(&world);
    let mut tab = world.tab_with(config).unwrap();
    let session = tab.sign_in_as(sign_in).unwrap();
    assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
    session
}

fn set(world: &World, claim: &'static str, value: Value) {
    world.provider.claims(move |claims| put(claims, claim, &value));
}

/// The provider's time, in seconds.
fn now(world: &World) -> u64 {
    world.time.now.get() / 1000
}

/// A claim that is so many seconds from now, by the provider's clock.
fn set_times(world: &World, times: &'static [(&'static str, f64)]) {
    let time = world.time.clone();
    world.provider.claims(move |claims| {
        for (claim, offset) in times {
            let at = (time.now.get() / 1000) as f64 + offset;
            claims[*claim] = if at.fract() == 0.0 { json!(at as u64) } else { json!(at) };
        }
    });
}

/// Replaces the token by one with other segments.
fn rebuild(world: &World, change: impl Fn(&str, &str, &str) -> String + 'static) {
    world.provider.id_token(move |token| {
        let parts: Vec<&str> = token.split('.').collect();
        change(parts[0], parts[1], parts[2])
    });
}

fn unb64(text: &str) -> Vec<u8> {
    use base64ct::Encoding;
    base64ct::Base64UrlUnpadded::decode_vec(text).unwrap()
}

/// HMAC (RFC 2104), which this library does not have.
fn hs256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block.resize(64, 0);
    let pad = |byte: u8| block.iter().map(|ours| ours ^ byte).collect::<Vec<_>>();
    Sha256::digest([pad(0x5c), Sha256::digest([pad(0x36), message.to_vec()].concat()).to_vec()].concat()).to_vec()
}

fn keys(keys: &[Value]) -> Response {
    json_response(200, &json!({"keys": keys}))
}

// id-iss
#[test]
fn another_issuer_is_refused() {
    let values = ["https://evil.example", "https://as.example/", "HTTPS://as.example", "https://AS.example", "as.example", ""];
    for value in values.map(|value| json!(value)).into_iter().chain([Value::Null, json!([ISSUER]), json!(5)]) {
        assert_eq!(refused_claim("iss", &value), Misbehaved::IssuerMismatch.into(), "{value}");
    }
}

// id-sub
#[test]
fn a_subject_is_a_text_of_at_most_255_characters() {
    for value in [Value::Null, json!(""), json!(5), json!(["alice"]), json!("a".repeat(256)), json!("a".repeat(300))] {
        assert_eq!(refused_claim("sub", &value), Misbehaved::SubjectInvalid.into(), "{value}");
    }
    for value in ["a".repeat(255), "ä".repeat(255), " ".into(), "\0".into()] {
        assert_eq!(accepted_claim("sub", &json!(value)).subject(), Some(value.as_str()));
    }
}

// id-aud, id-aud2, id-otherclient
#[test]
fn a_token_for_somebody_else_is_refused() {
    let texts = ["", "My-App", "my-app2", "my", "app", "my-app stranger", "other-client"].map(|text| json!(text));
    let lists = [json!([]), json!([1]), json!([CLIENT, 1]), json!(["stranger"]), json!([[CLIENT]]), json!([CLIENT, "stranger"])];
    for value in texts.into_iter().chain(lists).chain([Value::Null, json!(1), json!({CLIENT: true})]) {
        assert_eq!(refused_claim("aud", &value), Misbehaved::AudienceMismatch.into(), "{value}");
    }
    let with_azp = refusal(|world| {
        world.provider.claims(|claims| {
            claims["aud"] = json!([CLIENT, "stranger"]);
            claims["azp"] = json!(CLIENT);
        });
    });
    assert_eq!(with_azp, Misbehaved::AudienceMismatch.into());
}

// id-otherclient
#[test]
fn a_token_that_the_provider_issued_to_another_client_is_refused() {
    let error = refusal(|world| {
        let claims =
            json!({"iss": ISSUER, "sub": "alice", "aud": "other-client", "exp": now(world) + 600, "iat": now(world), "nonce": "n"});
        let theirs = world.provider.sign(&claims);
        world.provider.id_token(move |_| theirs.clone());
    });
    assert_eq!(error, Misbehaved::AudienceMismatch.into());
}

// id-aud1, id-aud2
#[test]
fn a_list_of_audiences_may_hold_us_and_whom_we_trust() {
    assert_eq!(accepted_claim("aud", &json!([CLIENT])).subject(), Some("alice"));
    let trusting = World::config().trusted_audience("friend");
    for audiences in [json!([CLIENT, "friend"]), json!(["friend", CLIENT]), json!([CLIENT, CLIENT])] {
        let session = accepted(&trusting, SignIn::default(), |world| set(world, "aud", audiences.clone()));
        assert_eq!(session.subject(), Some("alice"), "{audiences}");
    }
    for audiences in [json!(["friend"]), json!([CLIENT, "friend", "stranger"])] {
        let error = refusal_as(&trusting, &SignIn::default(), |world| set(world, "aud", audiences.clone()));
        assert_eq!(error, Misbehaved::AudienceMismatch.into(), "{audiences}");
    }
}

// id-azp
#[test]
fn an_authorized_party_is_us() {
    for value in [json!("other-client"), json!("My-App"), json!(""), json!(5), json!([CLIENT])] {
        assert_eq!(refused_claim("azp", &value), Misbehaved::AuthorizedPartyMismatch.into(), "{value}");
    }
    assert_eq!(accepted_claim("azp", &json!(CLIENT)).subject(), Some("alice"));
}

// id-exp, id-expfloat, id-exphuge
#[test]
fn an_expired_token_is_refused_from_the_end_of_the_leeway_on() {
    for value in [Value::Null, json!("1795248600"), json!(true), json!([]), json!(-1), json!(-1e300)] {
        assert_eq!(refused_claim("exp", &value), Misbehaved::IdTokenExpired.into(), "{value}");
    }
    for times in [[("exp", -30.0), ("iat", -60.0)], [("exp", -31.0), ("iat", -60.0)], [("exp", -29.5), ("iat", -60.0)]] {
        // Half a second is rounded down: -29.5 is -30.
        let times: &'static _ = Box::leak(Box::new(times));
        assert_eq!(refusal(|world| set_times(world, times)), Misbehaved::IdTokenExpired.into(), "{times:?}");
    }
    let on_the_edge = |world: &World| set_times(world, &[("exp", -29.0), ("iat", -60.0)]);
    assert_eq!(accepted(&World::config(), SignIn::default(), on_the_edge).subject(), Some("alice"));
    let strict = World::config().clock_leeway(Duration::ZERO);
    assert_eq!(refusal_as(&strict, &SignIn::default(), on_the_edge), Misbehaved::IdTokenExpired.into());
    let generous = World::config().clock_leeway(Duration::from_secs(300));
    let late = |world: &World| set_times(world, &[("exp", -299.0), ("iat", -310.0)]);
    assert_eq!(accepted(&generous, SignIn::default(), late).subject(), Some("alice"));
    // Far away is in the future; nothing overflows.
    for value in [json!(1_795_248_600.5), json!(1e300), json!(9e18), json!(u64::MAX), json!(4_102_444_800u64)] {
        assert_eq!(accepted_claim("exp", &value).subject(), Some("alice"), "{value}");
    }
}

// id-iat
#[test]
fn a_token_was_issued_just_now() {
    for value in [Value::Null, json!("1795248000"), json!(-5), json!(false)] {
        assert_eq!(refused_claim("iat", &value), Misbehaved::IdTokenIssuedAt.into(), "{value}");
    }
    const HOUR: f64 = 3600.0;
    for times in [
        &[("iat", HOUR)][..],
        &[("iat", -7.0 * 24.0 * HOUR)],
        &[("iat", 20.0), ("exp", 10.0)],
        &[("iat", 1e15)],
        &[("iat", -7.0 * 24.0 * HOUR), ("exp", -24.0 * HOUR)],
    ] {
        assert_eq!(refusal(|world| set_times(world, times)), Misbehaved::IdTokenIssuedAt.into(), "{times:?}");
    }
    for times in [&[("iat", 30.0)][..], &[("iat", -599.0)]] {
        assert_eq!(accepted(&World::config(), SignIn::default(), |world| set_times(world, times)).subject(), Some("alice"), "{times:?}");
    }
}

// id-nbf
#[test]
fn a_token_that_is_not_valid_yet_is_refused() {
    for value in [json!("now"), json!(true), json!(-1), json!(1e300)] {
        assert_eq!(refused_claim("nbf", &value), Misbehaved::IdTokenNotYetValid.into(), "{value}");
    }
    assert_eq!(refusal(|world| set_times(world, &[("nbf", 600.0)])), Misbehaved::IdTokenNotYetValid.into());
    assert_eq!(refusal(|world| set_times(world, &[("nbf", 31.0)])), Misbehaved::IdTokenNotYetValid.into());
    let soon = |world: &World| set_times(world, &[("nbf", 30.0)]);
    assert_eq!(accepted(&World::config(), SignIn::default(), soon).subject(), Some("alice"));
}

// id-nonce
#[test]
fn a_token_for_another_sign_in_is_refused() {
    let changes: [fn(&str) -> Value; 8] = [
        |_| Value::Null,
        |_| json!(""),
        |_| json!(5),
        |_| json!("another"),
        |nonce| json!([nonce]),
        |nonce| json!(format!("{nonce} ")),
        |nonce| json!(nonce[..42]),
        |nonce| {
            json!(
                nonce
                    .chars()
                    .map(|char| if char.is_lowercase() { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() })
                    .collect::<String>()
            )
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let error = refusal(|world| {
            world.provider.claims(move |claims| {
                let nonce = change(claims["nonce"].as_str().unwrap());
                put(claims, "nonce", &nonce);
            });
        });
        assert_eq!(error, Misbehaved::NonceMismatch.into(), "change {index}");
    }
}

// id-authtime
#[test]
fn when_the_user_authenticated_is_compared_with_what_was_asked() {
    let recent = SignIn::default().max_age(Duration::from_secs(300));
    let config = World::config();
    for value in [Value::Null, json!("1795248000"), json!(-1), json!([])] {
        let error = refusal_as(&config, &recent, |world| set(world, "auth_time", value.clone()));
        assert_eq!(error, Misbehaved::AuthTimeUnmet.into(), "{value}");
    }
    for times in [&[("auth_time", -331.0)][..], &[("auth_time", -1e6)], &[("auth_time", 31.0)], &[("auth_time", 1e12)]] {
        assert_eq!(refusal_as(&config, &recent, |world| set_times(world, times)), Misbehaved::AuthTimeUnmet.into(), "{times:?}");
    }
    for times in [&[("auth_time", -330.0)][..], &[("auth_time", -100.5)], &[("auth_time", 30.0)]] {
        let session = accepted(&config, recent.clone(), |world| set_times(world, times));
        assert_eq!(session.subject(), Some("alice"), "{times:?}");
    }
    // Nobody asked, nobody compares.
    assert_eq!(accepted_claim("auth_time", &json!("long ago")).subject(), Some("alice"));
}

// id-acr
#[test]
fn how_the_user_authenticated_is_compared_with_what_was_required() {
    let required = SignIn::default().acr(Acr::Required(vec!["phr".into(), "phrh".into()]));
    let preferred = SignIn::default().acr(Acr::Preferred(vec!["phr".into()]));
    for value in [Value::Null, json!("pwd"), json!("PHR"), json!("phr phrh"), json!(1), json!(["phr"]), json!("")] {
        let error = refusal_as(&World::config(), &required, |world| set(world, "acr", value.clone()));
        assert_eq!(error, Misbehaved::AcrUnmet.into(), "{value}");
        let session = accepted(&World::config(), preferred.clone(), |world| set(world, "acr", value.clone()));
        assert_eq!(session.claims.unwrap().text("acr"), value.as_str().filter(|acr| !acr.is_empty()), "{value}");
    }
    let session = accepted(&World::config(), required, |world| set(world, "acr", json!("phrh")));
    assert_eq!(session.claims.unwrap().text("acr"), Some("phrh"));
}

// id-none
#[test]
fn a_token_that_nobody_signed_is_refused_whatever_the_provider_offers() {
    for algorithm in [json!("none"), json!("None"), json!("nOnE"), json!("NONE"), json!(""), json!(" none"), json!(null), json!(["ES256"])]
    {
        for signature in ["", "anVuaw", "its own"] {
            let algorithm = algorithm.clone();
            let error = refusal(move |world| {
                world.provider.metadata("id_token_signing_alg_values_supported", json!(["none", "", "None", "ES256"]));
                let algorithm = algorithm.clone();
                world.provider.header(move |header| put(header, "alg", &algorithm));
                rebuild(world, move |header, payload, right| {
                    format!("{header}.{payload}.{}", if signature == "its own" { right } else { signature })
                });
            });
            assert_eq!(error, Misbehaved::AlgorithmRefused.into());
        }
    }
}

// id-hs
#[test]
fn a_public_key_is_no_password() {
    let rsa = Key::new(Algorithm::Rs256, "rsa-1");
    let jwk = rsa.public_jwk();
    let (n, e) = (unb64(jwk["n"].as_str().unwrap()), unb64(jwk["e"].as_str().unwrap()));
    let public = rsa::RsaPublicKey::new(rsa::BigUint::from_bytes_be(&n), rsa::BigUint::from_bytes_be(&e)).unwrap();
    let (pem, der) = {
        use rsa::pkcs8::EncodePublicKey;
        (public.to_public_key_pem(Default::default()).unwrap(), public.to_public_key_der().unwrap().into_vec())
    };
    for secret in [pem.into_bytes(), der, jwk.to_string().into_bytes(), CLIENT.as_bytes().to_vec(), Vec::new(), n] {
        for algorithm in ["HS256", "HS384", "HS512"] {
            let world = World::new();
            let misbehave = |world: &World| {
                world.provider.metadata("id_token_signing_alg_values_supported", json!(["RS256", algorithm]));
                world.provider.sign_with(rsa.clone());
                world.provider.header(move |header| header["alg"] = json!(algorithm));
                let secret = secret.clone();
                rebuild(world, move |header, payload, _| {
                    format!("{header}.{payload}.{}", b64(hs256(&secret, format!("{header}.{payload}").as_bytes())))
                });
            };
            misbehave(&world);
            assert_eq!(world.tab().sign_in(), Err(Misbehaved::AlgorithmRefused.into()));
            assert_eq!(world.count(Endpoint::Keys), 0, "refused before any key is looked at");
            if algorithm == "HS256" {
                assert_eq!(refusal(misbehave), Misbehaved::AlgorithmRefused.into());
            }
        }
    }
}

// id-algmis
// There is no algorithm to register here: what the provider's metadata offers is what is accepted.
#[test]
fn an_algorithm_that_the_provider_does_not_offer_is_refused() {
    for offered in [json!(["RS256"]), json!(["ES384", "es256"]), json!([]), json!(["HS256", "none"])] {
        let error = refusal(|world| world.provider.metadata("id_token_signing_alg_values_supported", offered.clone()));
        assert_eq!(error, Misbehaved::AlgorithmRefused.into(), "{offered}");
    }
    for algorithm in ["es256", "ES256 ", "ES256K", "RSA-OAEP", "dir", "RS1"] {
        let error = refusal(|world| world.provider.header(move |header| header["alg"] = json!(algorithm)));
        assert_eq!(error, Misbehaved::AlgorithmRefused.into(), "{algorithm}");
    }
    let unsaid = |world: &World| world.provider.metadata("id_token_signing_alg_values_supported", Value::Null);
    assert_eq!(accepted(&World::config(), SignIn::default(), unsaid).subject(), Some("alice"));
}

// id-algkty, id-use, id-privkey
#[test]
fn a_key_that_is_not_meant_for_it_verifies_nothing() {
    let ec = Key::new(Algorithm::Es256, "key-1");
    let rsa = Key::new(Algorithm::Rs256, "rsa-1");
    let changed = |key: &Key, changes: &[(&str, Value)]| {
        let mut jwk = key.public_jwk();
        changes.iter().for_each(|(member, value)| put(&mut jwk, member, value));
        jwk
    };
    for (signer, published) in [
        // RS256 by the name of an EC key, and the other way round.
        (&rsa, changed(&ec, &[("kid", json!("rsa-1"))])),
        (&ec, changed(&rsa, &[("kid", json!("key-1"))])),
        (&rsa, changed(&rsa, &[("alg", json!("PS256"))])),
        (&rsa, changed(&rsa, &[("alg", json!("RS512"))])),
        (&rsa, changed(&rsa, &[("alg", json!("rs256"))])),
        (&ec, changed(&ec, &[("crv", json!("P-384"))])),
        (&ec, changed(&ec, &[("crv", json!("secp256k1"))])),
        (&ec, changed(&ec, &[("kty", json!("ec"))])),
        (&ec, changed(&ec, &[("use", json!("enc"))])),
        (&ec, changed(&ec, &[("use", json!("SIG"))])),
        (&ec, changed(&ec, &[("key_ops", json!(["sign"]))])),
        (&ec, changed(&ec, &[("key_ops", json!("verify"))])),
        (&ec, changed(&ec, &[("key_ops", json!([]))])),
        // A private key that was published is everybody's.
        (&ec, changed(&ec, &[("d", json!(b64([7; 32])))])),
        (&rsa, changed(&rsa, &[("d", json!(b64([7; 256])))])),
        (&ec, json!({"kty": "oct", "kid": "key-1", "k": b64([7; 32]), "alg": "HS256"})),
        (&ec, json!({"kty": "oct", "kid": "key-1", "k": b64([7; 32]), "alg": "ES256", "crv": "P-256"})),
        // Broken numbers are no key, and neither is a short one.
        (&ec, changed(&ec, &[("x", json!("="))])),
        (&ec, changed(&ec, &[("y", Value::Null)])),
        (&ec, changed(&ec, &[("x", json!(5))])),
        (&rsa, changed(&rsa, &[("n", json!(b64([0xc7; 128])))])),
        (&ec, json!("key-1")),
        (&ec, json!(null)),
    ] {
        let error = refusal(|world| {
            world.provider.sign_secretly_with(signer.clone());
            world.provider.always(Endpoint::Keys, keys(std::slice::from_ref(&published)));
        });
        assert_eq!(error, Misbehaved::KeyUnknown.into(), "{published}");
    }
}

// id-privkey
#[test]
fn keys_that_are_of_no_use_are_passed_over() {
    let symmetric = [7; 32];
    let published = |world: &World| {
        let ours = Key::new(Algorithm::Es256, "key-1").public_jwk();
        let mut private = Key::new(Algorithm::Es256, "key-2").public_jwk();
        private["d"] = json!(b64([7; 32]));
        let others = [json!({"kty": "oct", "kid": "key-1", "k": b64(symmetric)}), private, json!({"kty": "AKP"}), json!(5), ours];
        world.provider.always(Endpoint::Keys, keys(&others));
    };
    assert_eq!(accepted(&World::config(), SignIn::default(), published).subject(), Some("alice"));
    // Not even for what is signed with them.
    let error = refusal(|world| {
        published(world);
        world.provider.header(|header| header["alg"] = json!("HS256"));
        rebuild(world, move |header, payload, _| {
            format!("{header}.{payload}.{}", b64(hs256(&symmetric, format!("{header}.{payload}").as_bytes())))
        });
    });
    assert_eq!(error, Misbehaved::AlgorithmRefused.into());
    let error = refusal(|world| {
        published(world);
        world.provider.sign_secretly_with(Key::new(Algorithm::Es256, "key-2"));
    });
    assert_eq!(error, Misbehaved::KeyUnknown.into());
}

// id-jwk, id-jku
#[test]
fn a_token_does_not_bring_its_own_key() {
    let mallory = Key::new(Algorithm::Es256, "mallory");
    let evil = "https://evil.example/keys";
    for (member, value) in [
        ("jwk", mallory.public_jwk()),
        ("jku", json!(evil)),
        ("x5u", json!(evil)),
        ("x5c", json!([b64("a certificate")])),
        ("x5t#S256", json!(b64([7; 32]))),
    ] {
        for kid in [json!("key-1"), Value::Null] {
            let (signer, value) = (mallory.clone(), value.clone());
            // That nothing is fetched from there is among the things that `refusal` looks at.
            let error = refusal(move |world| {
                world.provider.sign_secretly_with(signer.clone());
                let (kid, value) = (kid.clone(), value.clone());
                world.provider.header(move |header| {
                    put(header, "kid", &kid);
                    header[member] = value.clone();
                });
            });
            assert_eq!(error, Misbehaved::SignatureInvalid.into(), "{member}");
        }
        let value = value.clone();
        let session = accepted(&World::config(), SignIn::default(), move |world| {
            let value = value.clone();
            world.provider.header(move |header| header[member] = value.clone());
        });
        assert_eq!(session.subject(), Some("alice"), "{member} is ignored");
    }
}

#[test]
fn a_token_with_a_critical_extension_is_refused() {
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp")] {
        let crit_again = crit.clone();
        let error = refusal(move |world| {
            let crit = crit_again.clone();
            world.provider.header(move |header| header["crit"] = crit.clone());
        });
        assert_eq!(error, Misbehaved::IdTokenMalformed.into(), "{crit}");
    }
}

// id-kidunk
#[test]
fn keys_are_read_once_more_for_an_unknown_kid() {
    let unknown = |world: &World| world.provider.header(|header| header["kid"] = json!("key-9"));
    assert_eq!(refusal(unknown), Misbehaved::KeyUnknown.into());
    let world = World::new();
    unknown(&world);
    assert_eq!(world.tab().sign_in(), Err(Misbehaved::KeyUnknown.into()));
    let asked: Vec<_> = world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Keys)).map(|sent| sent.cache).collect();
    assert_eq!(asked, [Cache::Default, Cache::Reload]);
}

// id-kidstorm
// The limit is per page: a page that was loaded anew has read no keys yet.
#[test]
fn unknown_kids_do_not_make_a_storm() {
    let world = World::new();
    let counter = Cell::new(0);
    world.provider.header(move |header| {
        counter.set(counter.get() + 1);
        header["kid"] = json!(format!("key-{}", 100 + counter.get()));
    });
    let tab = world.tab();
    let attempt = || {
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        assert_eq!(tab.see(&callback), Err(Misbehaved::KeyUnknown.into()));
        tab.bar.come_back();
    };
    for _ in 0..100 {
        attempt();
        world.later(Duration::from_millis(590));
    }
    assert_eq!(world.count(Endpoint::Keys), 2, "at the beginning, and once for all the unknown ones");
    world.later(KEYS_REREAD_AFTER);
    attempt();
    assert_eq!(world.count(Endpoint::Keys), 3, "once a minute");
}

// id-kid1, id-kidn
#[test]
fn a_token_without_a_kid_is_verified_by_the_one_key_that_fits() {
    let ours = Key::new(Algorithm::Es256, "key-1");
    let others = [Key::new(Algorithm::Es256, "key-2"), Key::new(Algorithm::Rs256, "rsa-1"), Key::new(Algorithm::Es384, "key-3")];
    let no_kid = |world: &World| world.provider.header(|header| put(header, "kid", &Value::Null));
    for count in 0..=others.len() {
        let session = accepted(&World::config(), SignIn::default(), |world| {
            no_kid(world);
            world.provider.publish(others[..count].iter().cloned().chain([ours.clone()]).collect());
        });
        assert_eq!(session.subject(), Some("alice"), "{count} other keys");
    }
    // None that verifies, or more than one: nobody knows whose it is.
    for published in [others.to_vec(), vec![ours.clone(), ours.clone()]] {
        let error = refusal(|world| {
            no_kid(world);
            world.provider.publish(published.clone());
        });
        assert_eq!(error, Misbehaved::SignatureInvalid.into());
    }
    // No more than eight are tried.
    let many =
        |before: usize| (0..before).map(|index| Key::new(Algorithm::Es256, &format!("other-{index}"))).chain([ours.clone()]).collect();
    let among = |before| {
        let world = World::new();
        no_kid(&world);
        world.provider.publish(many(before));
        world.tab().sign_in().map(|session| session.subject().map(str::to_owned))
    };
    assert_eq!(among(7), Ok(Some("alice".into())));
    assert_eq!(among(8), Err(Misbehaved::SignatureInvalid.into()));
}

// id-kiddup
#[test]
fn of_two_keys_with_one_kid_the_fitting_one_is_taken() {
    let ours = Key::new(Algorithm::Es256, "key-1").public_jwk();
    let mut encrypts = Key::new(Algorithm::Es256, "key-2").public_jwk();
    encrypts["use"] = json!("enc");
    for mut twin in [Key::new(Algorithm::Rs256, "rsa-1").public_jwk(), Key::new(Algorithm::Es384, "key-1").public_jwk(), encrypts] {
        twin["kid"] = json!("key-1");
        let session = accepted(&World::config(), SignIn::default(), |world| {
            world.provider.always(Endpoint::Keys, keys(&[twin.clone(), ours.clone()]));
        });
        assert_eq!(session.subject(), Some("alice"), "{twin}");
    }
}

// id-kidtype
#[test]
fn a_kid_is_text_and_means_nothing() {
    for kid in [json!(1), json!(["key-1"]), json!({}), json!(true), json!("k".repeat(100_000))] {
        let kid_again = kid.clone();
        let error = refusal(move |world| {
            let kid = kid_again.clone();
            world.provider.header(move |header| header["kid"] = kid.clone());
        });
        assert_eq!(error, Misbehaved::IdTokenMalformed.into());
    }
    for kid in ["../../etc/passwd", "\"key\"", "' OR 1=1 --", "https://evil.example/key", "", "ключ", "\u{0}"] {
        let session = accepted(&World::config(), SignIn::default(), |world| world.provider.sign_with(Key::new(Algorithm::Es256, kid)));
        assert_eq!(session.subject(), Some("alice"), "{kid}");
        assert_eq!(refusal(|world| world.provider.header(move |header| header["kid"] = json!(kid))), Misbehaved::KeyUnknown.into());
    }
}

// id-jwksbad
#[test]
fn what_is_no_key_set_is_refused() {
    let body = |body: &str| Response { status: 200, headers: vec![("content-type".into(), "application/json".into())], body: body.into() };
    let key = Key::new(Algorithm::Es256, "key-1").public_jwk();
    for (response, why) in [
        (body("{}"), Unreadable::Member("keys")),
        (body(r#"{"keys": null}"#), Unreadable::Member("keys")),
        (body(r#"{"keys": {}}"#), Unreadable::Member("keys")),
        (body(r#"{"keys": []}"#), Unreadable::Member("keys")),
        (body("[]"), Unreadable::Member("keys")),
        (body("<html>"), Unreadable::NotJson),
        (body(""), Unreadable::NotJson),
        (body(&format!(r#"{{"keys": [{key}], "keys": []}}"#)), Unreadable::DuplicateMember),
        (keys(&vec![key.clone(); 101]), Unreadable::TooLarge),
        (keys(&vec![json!({}); 10_000]), Unreadable::TooLarge),
        (body(&" ".repeat(50_000_000)), Unreadable::TooLarge),
    ] {
        let error = refusal(|world| world.provider.always(Endpoint::Keys, response.clone()));
        assert_eq!(error, Misbehaved::BadResponse { from: Source::Keys, why }.into());
    }
    let hundred: Vec<_> = (0..99).map(|_| json!({})).chain([key]).collect();
    let session = accepted(&World::config(), SignIn::default(), |world| world.provider.always(Endpoint::Keys, keys(&hundred)));
    assert_eq!(session.subject(), Some("alice"));
}

// id-jwksdown
#[test]
fn without_keys_nobody_is_signed_in() {
    for status in [429, 500, 503] {
        let error = refusal(|world| world.provider.always(Endpoint::Keys, json_response(status, &json!({}))));
        assert_eq!(error, Interrupted::Unavailable { from: Source::Keys, status }.into());
    }
    for status in [204, 304, 401, 404] {
        let error = refusal(|world| world.provider.always(Endpoint::Keys, json_response(status, &json!({}))));
        assert_eq!(error, Misbehaved::UnexpectedStatus { from: Source::Keys, status }.into());
    }
    for (failure, expected) in [
        (HttpFailure::Unreachable, Interrupted::Unreachable { from: Source::Keys }),
        (HttpFailure::TimedOut, Interrupted::TimedOut { from: Source::Keys }),
        (HttpFailure::Offline, Interrupted::Offline { from: Source::Keys }),
    ] {
        assert_eq!(refusal(|world| world.provider.answer(Endpoint::Keys, move |_, _| Err(failure))), expected.into());
    }
}

// id-jwksdown
#[test]
fn a_provider_without_keys_is_refused_before_the_user_leaves() {
    let world = World::new();
    world.provider.metadata("jwks_uri", Value::Null);
    let tab = world.tab();
    let expected = Misbehaved::BadResponse { from: Source::Metadata, why: Unreadable::Member("jwks_uri") };
    assert_eq!(tab.leave(SignIn::default()), Err(expected.into()));
    assert_eq!((tab.bar.went.borrow().len(), world.stored().len()), (0, 0));
}

// id-jwksdown
#[test]
fn keys_are_asked_for_again_when_the_server_only_stumbles() {
    let world = World::new();
    let times = Cell::new(0);
    world.provider.answer(Endpoint::Keys, move |_, right| {
        times.set(times.get() + 1);
        if times.get() < 3 { Ok(json_response(503, &json!({}))) } else { Ok(right) }
    });
    assert!(world.tab().sign_in().is_ok());
    assert_eq!((world.count(Endpoint::Keys), world.count(Endpoint::Token)), (3, 1));
}

// id-rot
#[test]
fn keys_may_change_between_two_sign_ins_and_within_one() {
    let world = World::new();
    let tab = world.tab();
    let sign_in = || {
        tab.bar.come_back();
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        tab.see(&callback)
    };
    assert!(matches!(sign_in(), Ok(Finished::SignedIn { .. })));
    world.provider.sign_with(Key::new(Algorithm::Es256, "key-2"));
    assert!(matches!(sign_in(), Ok(Finished::SignedIn { .. })), "between two");
    world.later(KEYS_REREAD_AFTER);
    let provider = world.provider.clone();
    // When the code is redeemed the old keys have been read and the new one signs.
    world.provider.answer(Endpoint::Token, move |_, mut right| {
        provider.sign_with(Key::new(Algorithm::Es256, "key-3"));
        let mut body: Value = serde_json::from_slice(&right.body).unwrap();
        let claims = body["id_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
        body["id_token"] = json!(provider.sign(&serde_json::from_slice(&unb64(&claims)).unwrap()));
        right.body = body.to_string().into_bytes();
        Ok(right)
    });
    assert!(matches!(sign_in(), Ok(Finished::SignedIn { .. })), "within one");
    let asked: Vec<_> = world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Keys)).map(|sent| sent.cache).collect();
    assert_eq!(asked, [Cache::Default, Cache::Reload, Cache::Reload]);
}

// id-revkey
#[test]
fn a_key_that_was_withdrawn_is_believed_ten_minutes_at_most() {
    let world = World::new();
    let tab = world.tab();
    let sign_in = || {
        tab.bar.come_back();
        let callback = world.provider.authorize(&tab.leave(SignIn::default()).unwrap());
        tab.see(&callback)
    };
    assert!(sign_in().is_ok());
    world.provider.publish(vec![Key::new(Algorithm::Es256, "key-2")]);
    world.later(KEYS_LIFE - Duration::from_millis(1));
    assert!(sign_in().is_ok(), "still believed");
    world.later(Duration::from_millis(1));
    assert_eq!(sign_in(), Err(Misbehaved::KeyUnknown.into()));
}

// id-sig
#[test]
fn a_signature_is_of_this_token_and_of_nothing_else() {
    fn der(signature: &[u8]) -> Vec<u8> {
        let integer = |number: &[u8]| {
            let pad = if number[0] >= 0x80 { vec![0] } else { Vec::new() };
            [vec![2, (number.len() + pad.len()) as u8], pad, number.to_vec()].concat()
        };
        let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
        [vec![0x30, both.len() as u8], both].concat()
    }
    type Change = fn(&str, &str, &[u8]) -> (String, Vec<u8>);
    let changes: [(&str, Change); 10] = [
        ("the payload is changed", |_, payload, signature| {
            let mut bytes = unb64(payload);
            let at = bytes.windows(5).position(|five| five == b"alice").unwrap();
            bytes[at] = b'A';
            (b64(bytes), signature.to_vec())
        }),
        ("the signature is changed", |_, payload, signature| {
            let mut signature = signature.to_vec();
            signature[9] ^= 1;
            (payload.into(), signature)
        }),
        ("the signature is cut", |_, payload, signature| (payload.into(), signature[..signature.len() - 1].to_vec())),
        ("the signature is half", |_, payload, signature| (payload.into(), signature[..signature.len() / 2].to_vec())),
        ("the signature is empty", |_, payload, _| (payload.into(), Vec::new())),
        ("the signature is zero", |_, payload, signature| (payload.into(), vec![0; signature.len()])),
        ("the signature is longer", |_, payload, signature| (payload.into(), [signature, &[0]].concat())),
        ("the signature has a byte before it", |_, payload, signature| (payload.into(), [&[0], signature].concat())),
        ("the signature is doubled", |_, payload, signature| (payload.into(), [signature, signature].concat())),
        ("the signature is DER", |_, payload, signature| (payload.into(), der(signature))),
    ];
    for key in [Key::new(Algorithm::Es256, "key-1"), Key::new(Algorithm::Rs256, "rsa-1"), Key::new(Algorithm::Ed25519, "ed-1")] {
        for (what, change) in changes {
            let error = refusal(|world| {
                world.provider.sign_with(key.clone());
                rebuild(world, move |header, payload, signature| {
                    let (payload, signature) = change(header, payload, &unb64(signature));
                    format!("{header}.{payload}.{}", b64(signature))
                });
            });
            assert_eq!(error, Misbehaved::SignatureInvalid.into(), "{:?}: {what}", key.algorithm);
        }
        // Of another token by the same key.
        let error = refusal(|world| {
            world.provider.sign_with(key.clone());
            let other = world.provider.sign(&json!({"sub": "alice"}));
            rebuild(world, move |header, payload, _| format!("{header}.{payload}.{}", other.split('.').nth(2).unwrap()));
        });
        assert_eq!(error, Misbehaved::SignatureInvalid.into(), "{:?}", key.algorithm);
    }
}

// id-sig
#[test]
fn a_signature_of_the_wrong_length_is_none_whatever_the_platform_says() {
    for (algorithm, length) in [(Algorithm::Es256, 64), (Algorithm::Es384, 96), (Algorithm::Es512, 132), (Algorithm::Ed25519, 64)] {
        let header = b64(json!({"alg": algorithm.name()}).to_string());
        let outcome = |length: usize| {
            let token = format!("{header}.{}.{}", b64("{}"), b64(vec![7; length]));
            Unverified::read(&token, &Algorithm::ALL).unwrap().signed_by(&[true]).map(|_| ())
        };
        assert_eq!(outcome(length), Ok(()), "{algorithm:?}");
        for wrong in [0, length - 1, length + 1, length / 2, 70] {
            assert_eq!(outcome(wrong), Err(Misbehaved::SignatureInvalid), "{algorithm:?}: {wrong}");
        }
    }
}

// id-sig
#[test]
fn another_key_of_the_same_name_signs_nothing() {
    for (algorithm, kid) in
        [(Algorithm::Es256, "key-1"), (Algorithm::Rs256, "rsa-1"), (Algorithm::Ps256, "rsa-1"), (Algorithm::Ed25519, "ed-1")]
    {
        let mut published = Key::new(algorithm, "other-2").public_jwk();
        published["kid"] = json!(kid);
        let error = refusal(|world| {
            world.provider.sign_secretly_with(Key::new(algorithm, kid));
            world.provider.always(Endpoint::Keys, keys(std::slice::from_ref(&published)));
        });
        assert_eq!(error, Misbehaved::SignatureInvalid.into(), "{algorithm:?}");
    }
}

// id-b64, id-parts
#[test]
fn a_token_is_three_parts_in_strict_base64url() {
    type Change = fn(&str, &str, &str) -> String;
    let malformed = Error::from(Misbehaved::IdTokenMalformed);
    // What is not fit for a header field is refused before anybody looks for dots.
    let unfit = Error::from(Misbehaved::BadResponse { from: Source::Token, why: Unreadable::Member("id_token") });
    let changes: [(Change, &Error); 22] = [
        (|header, payload, signature| format!("{header}.{payload}.{signature}=="), &malformed),
        (|header, payload, signature| format!("{header}=.{payload}.{signature}"), &malformed),
        (|header, payload, signature| format!("{header}.{payload}=.{signature}"), &malformed),
        (|header, payload, signature| format!("{header}.{payload}.+{}", &signature[1..]), &malformed),
        (|header, payload, signature| format!("{header}.{payload}./{}", &signature[1..]), &malformed),
        (|header, payload, signature| format!("{header}.{payload}.{signature}AAA"), &malformed),
        (|header, payload, signature| format!("{header}%2E{payload}%2E{signature}"), &malformed),
        (|header, payload, signature| format!("{header}..{payload}.{signature}"), &malformed),
        (|header, payload, _| format!("{header}.{payload}"), &malformed),
        (|header, _, _| header.into(), &malformed),
        (|_, _, _| "..".into(), &malformed),
        (|_, payload, signature| format!(".{payload}.{signature}"), &malformed),
        (|header, payload, signature| format!("{header}.{payload}.{signature}."), &malformed),
        (|header, payload, signature| format!("{header}.{payload}.{signature}.{signature}.{signature}.{signature}"), &malformed),
        (|header, payload, signature| json!({"protected": header, "payload": payload, "signature": signature}).to_string(), &malformed),
        (|header, payload, signature| format!("{header}.{payload}\n.{signature}"), &unfit),
        (|header, payload, signature| format!("{header}. {payload}.{signature}"), &unfit),
        (|header, payload, signature| format!(" {header}.{payload}.{signature}"), &unfit),
        (|header, payload, signature| format!("{header}.{payload}.{signature}\n"), &unfit),
        (|header, payload, signature| format!("{header}.{payload}.{signature}\t"), &unfit),
        (|header, payload, signature| format!("{header}.{payload}.{signature}é"), &unfit),
        (|header, payload, signature| format!("{header}\u{0}.{payload}.{signature}"), &unfit),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(refusal(|world| rebuild(world, change)), *expected, "change {index}");
    }
}

// id-b64
#[test]
fn a_signature_has_one_spelling() {
    // The last character of 64 bytes carries four bits that are nobody's: only zero is right.
    let error = refusal(|world| {
        rebuild(world, |header, payload, signature| {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let (rest, last) = signature.split_at(signature.len() - 1);
            let value = alphabet.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
            format!("{header}.{payload}.{rest}{}", char::from(alphabet[value | 1]))
        });
    });
    assert_eq!(error, Misbehaved::IdTokenMalformed.into());
}

// id-parts
#[test]
fn an_encrypted_token_is_named_as_such() {
    let error = refusal(|world| {
        rebuild(world, |_, payload, signature| {
            format!("{}.{payload}.{signature}.{payload}.{signature}", b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#))
        });
    });
    assert_eq!(error, Misbehaved::IdTokenEncrypted.into());
}

// id-hdrdup
#[test]
fn a_header_says_one_thing() {
    let headers: [&[u8]; 9] = [
        br#"{"alg":"ES256","alg":"none","kid":"key-1"}"#,
        br#"{"alg":"none","alg":"ES256","kid":"key-1"}"#,
        br#"{"alg":"ES256","\u0061lg":"none","kid":"key-1"}"#,
        br#"["ES256"]"#,
        br#""ES256""#,
        b"null",
        b"{\"alg\":\"ES256\",\"x\":\"\xff\"}",
        br#"{"alg":"ES256""#,
        b"",
    ];
    for header in headers {
        // Signed as it stands: only its form is wrong.
        let error = refusal(|world| {
            let key = Key::new(Algorithm::Es256, "key-1");
            rebuild(world, move |_, payload, _| {
                let signed = format!("{}.{payload}", b64(header));
                format!("{signed}.{}", b64(key.sign(signed.as_bytes())))
            });
        });
        assert_eq!(error, Misbehaved::IdTokenMalformed.into(), "{}", String::from_utf8_lossy(header));
    }
}

// id-hdrdup, id-big
#[test]
fn a_payload_is_one_object_of_bounded_depth() {
    let deep = format!(r#"{{"sub":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    for payload in [r#"{"sub":"alice","sub":"bob"}"#, "[]", "null", "", "{", &deep] {
        let payload = payload.to_owned();
        let error = refusal(move |world| {
            let (key, payload) = (Key::new(Algorithm::Es256, "key-1"), payload.clone());
            rebuild(world, move |header, _, _| {
                let signed = format!("{header}.{}", b64(&payload));
                format!("{signed}.{}", b64(key.sign(signed.as_bytes())))
            });
        });
        assert_eq!(error, Misbehaved::IdTokenMalformed.into());
    }
}

// id-big
#[test]
fn a_token_of_any_size_is_no_trouble() {
    let too_large = Error::from(Misbehaved::BadResponse { from: Source::Token, why: Unreadable::TooLarge });
    assert_eq!(refused_claim("name", &json!("x".repeat(2_000_000))), too_large);
    assert_eq!(refused_claim("name", &json!("x".repeat(64 * 1024))), Misbehaved::IdTokenMalformed.into());
    let many: serde_json::Map<_, _> = (0..10_000).map(|index| (format!("claim-{index}"), json!(index))).collect();
    assert_eq!(refused_claim("more", &Value::Object(many)), Misbehaved::IdTokenMalformed.into());
    // What fits is read: three thousand claims, and depth up to the limit.
    let many: serde_json::Map<_, _> = (0..3000).map(|index| (format!("{index}"), json!(index))).collect();
    assert_eq!(accepted_claim("more", &Value::Object(many)).subject(), Some("alice"));
    let deep = (0..62).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(accepted_claim("more", &deep).subject(), Some("alice"));
}

// id-athash
#[test]
fn an_access_token_hash_is_of_the_access_token_beside_it() {
    let half = |hash: &[u8]| b64(&hash[..hash.len() / 2]);
    let whole = b64(Sha256::digest("access-token-2"));
    for value in [
        json!("wrong"),
        json!(""),
        json!(5),
        json!([half(&Sha256::digest("access-token-2"))]),
        json!(whole),
        json!(half(&Sha256::digest("other"))),
    ] {
        assert_eq!(refused_claim("at_hash", &value), Misbehaved::AccessTokenHashMismatch.into(), "{value}");
    }
    for algorithm in Algorithm::ALL {
        // In a new world the first access token is the second thing that the provider makes.
        let hash = match algorithm {
            Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => half(&Sha256::digest("access-token-2")),
            Algorithm::Es384 | Algorithm::Ps384 | Algorithm::Rs384 => half(&Sha384::digest("access-token-2")),
            _ => half(&Sha512::digest("access-token-2")),
        };
        let session = accepted(&World::config(), SignIn::default(), |world| {
            world.provider.sign_with(Key::new(algorithm, "key-1"));
            set(world, "at_hash", json!(hash));
        });
        assert_eq!(session.subject(), Some("alice"), "{algorithm:?}");
    }
    assert_eq!(accepted_claim("at_hash", &Value::Null).subject(), Some("alice"));
}

// id-distrib
#[test]
fn claims_elsewhere_are_not_fetched() {
    let world = World::new();
    world.provider.claims(|claims| {
        claims["_claim_names"] = json!({"address": "src1"});
        claims["_claim_sources"] = json!({"src1": {"endpoint": "http://169.254.169.254/", "access_token": "a-token-of-theirs"}});
    });
    let mut tab = world.tab();
    let session = tab.sign_in().unwrap();
    assert_eq!(session.claims.unwrap().get("address"), None);
    assert!(world.requests().iter().all(|sent| sent.url.starts_with(ISSUER)), "{:#?}", world.requests());
}

// id-clock
// A token that is sound but far from our clock is `ClockSkew`; one whose life is over although it is recent is expired.
#[test]
fn a_clock_that_is_wrong_is_told_by_how_much() {
    let seconds = Duration::from_secs;
    for (ahead, skew) in [
        (600, ClockSkew::Ahead(seconds(600))),
        (-600, ClockSkew::Behind(seconds(600))),
        (3000, ClockSkew::Ahead(seconds(3000))),
        (-31, ClockSkew::Behind(seconds(31))),
    ] {
        let wrong = |world: &World| {
            world.time.ahead.set(ahead * 1000);
            set_times(world, &[("nbf", 0.0)]);
        };
        assert_eq!(refusal(wrong), Misbehaved::ClockSkew { skew }.into(), "{ahead}");
        let config = World::config().clock_skew(skew);
        assert_eq!(accepted(&config, SignIn::default(), wrong).subject(), Some("alice"), "{ahead}");
    }
    for ahead in [-30, 299] {
        let session = accepted(&World::config(), SignIn::default(), |world| world.time.ahead.set(ahead * 1000));
        assert_eq!(session.subject(), Some("alice"), "{ahead}");
    }
}

// id-clock
#[test]
fn a_clock_in_1970_is_told_and_nobody_is_sent_in_circles() {
    let world = World::new();
    let skew = ClockSkew::Behind(Duration::from_secs(START));
    world.time.ahead.set(-(START as i64) * 1000);
    let mut tab = world.tab();
    let error = tab.sign_in().unwrap_err();
    assert_eq!(error, Misbehaved::ClockSkew { skew }.into());
    assert!(error.to_string().contains("1795248000 seconds slow"), "{error}");
    assert_eq!((tab.state(), tab.bar.went.borrow().len()), (State::Failed(error), 0), "no automatic navigation");
    let session = {
        let mut tab = world.tab_with(&World::config().clock_skew(skew)).unwrap();
        let session = tab.sign_in().unwrap();
        assert_eq!(tab.fetch(&format!("{API}me")).unwrap().status, 200);
        session
    };
    assert_eq!(session.subject(), Some("alice"));
}

#[test]
fn a_subject_is_compared_by_code_points() {
    // See also id-unicode in user_info.rs.
    let (nfc, nfd) = ("Zo\u{eb}", "Zoe\u{308}");
    assert_ne!(accepted_claim("sub", &json!(nfc)).subject(), accepted_claim("sub", &json!(nfd)).subject());
}

#[test]
fn what_the_user_was_asked_for_does_not_loosen_the_checks() {
    let silent = SignIn::default().prompt([Prompt::None]).return_to(format!("{ORIGIN}/orders"));
    let error = refusal_as(&World::config(), &silent, |world| set(world, "nonce", json!("another")));
    assert_eq!(error, Misbehaved::NonceMismatch.into());
}
