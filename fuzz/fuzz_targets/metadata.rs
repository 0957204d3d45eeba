//! What a provider says of itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tokenkeep::protocol::{Discovery, Issuer, Metadata};
use tokenkeep_fuzz::{ISSUER, answer, linear, stretched};

fuzz_target!(|data: &[u8]| {
    let Some((&how, body)) = data.split_first() else { return };
    let discovery = if how & 1 == 0 { Discovery::OpenId } else { Discovery::OAuth };
    let status = [200, 200, 200, 200, 200, 204, 404, 503][usize::from(how >> 1 & 7)];
    let content_type =
        ["application/json", "Application/JSON ; charset=utf-8", "application/jwk-set+json", "text/html"][usize::from(how >> 4 & 3)];
    let issuer = Issuer::parse(ISSUER).unwrap();
    let read = Metadata::read(&issuer, discovery, &answer(status, content_type, body));

    if let Ok(metadata) = read {
        assert!(status == 200);
        assert!(content_type.to_lowercase().starts_with("application/json"));
        let text = std::str::from_utf8(body).unwrap().trim_start_matches('\u{feff}');
        let Ok(document) = serde_json::from_str::<Value>(text) else {
            // Numbers of any size are read here, and not there.
            return;
        };
        assert_eq!((metadata.issuer.as_str(), &document["issuer"]), (ISSUER, &json!(ISSUER)));
        let endpoints = [
            ("authorization_endpoint", Some(&metadata.authorization_endpoint)),
            ("end_session_endpoint", metadata.end_session_endpoint.as_ref()),
            ("jwks_uri", metadata.jwks_uri.as_ref()),
            ("pushed_authorization_request_endpoint", metadata.pushed_authorization_request_endpoint.as_ref()),
            ("revocation_endpoint", metadata.revocation_endpoint.as_ref()),
            ("token_endpoint", Some(&metadata.token_endpoint)),
            ("userinfo_endpoint", metadata.userinfo_endpoint.as_ref()),
        ];
        for (member, endpoint) in endpoints {
            assert_eq!(document[member].as_str(), endpoint.map(|endpoint| endpoint.as_str()), "{member}");
            assert!(endpoint.is_none_or(|endpoint| is_private(endpoint.as_str())), "{member} {endpoint:?}");
        }
        assert!(discovery == Discovery::OAuth || metadata.jwks_uri.is_some());
        let methods = &document["code_challenge_methods_supported"];
        assert!(methods.is_null() || methods.as_array().is_some_and(|methods| methods.contains(&json!("S256"))));
        assert_eq!(metadata.requires_pushed_requests, document["require_pushed_authorization_requests"] == json!(true));
        assert!(!metadata.requires_pushed_requests || metadata.pushed_authorization_request_endpoint.is_some());
        for (member, algorithms) in [
            ("authorization_signing_alg_values_supported", &metadata.response_algorithms),
            ("id_token_signing_alg_values_supported", &metadata.id_token_algorithms),
        ] {
            if let Some(offered) = document[member].as_array() {
                assert!(algorithms.len() <= offered.len());
            }
        }
        // A parameter of ours in it would be there twice in every request.
        let query = metadata.authorization_endpoint.query().unwrap_or_default();
        for (name, _) in form_urlencoded::parse(query.as_bytes()) {
            assert!(
                !["client_id", "code_challenge", "nonce", "redirect_uri", "request", "request_uri", "state"].contains(&&*name),
                "{query}"
            );
        }
    }

    if let Some(text) = std::str::from_utf8(body).ok().and_then(|text| stretched(text, 1 << 17)) {
        let response = answer(200, "application/json", text);
        linear(response.body.len(), || drop(Metadata::read(&issuer, discovery, &response)));
    }
});

/// Nobody on the way reads what is sent there.
fn is_private(url: &str) -> bool {
    let local = |scheme_less: &str| {
        let host = scheme_less.split(['/', '?']).next().unwrap_or_default();
        let host = if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() };
        host.is_some_and(|host| {
            let host = host.to_ascii_lowercase();
            host == "[::1]" || host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.")
        })
    };
    let split = url.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    split.is_some_and(|(scheme, rest)| scheme == "https" || (scheme == "http" && local(rest)))
}
