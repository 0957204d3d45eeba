//! What an API says about a token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenkeep::protocol::{Challenge, Response, TokenType};
use tokenkeep_fuzz::{linear, stretched};

fuzz_target!(|field: &str| {
    let response = Response { status: 401, headers: vec![("www-authenticate".to_owned(), field.to_owned())], body: Vec::new() };
    let challenge = response.challenge();
    let [bearer, dpop] = [TokenType::Bearer, TokenType::Dpop].map(|token_type| Challenge::to(token_type, field));
    assert_eq!(challenge, bearer.clone().or(dpop.clone()));

    let plain: String = field.chars().filter(|char| *char != '\\').collect();
    let lower = field.to_ascii_lowercase();
    for (challenge, scheme) in [(&bearer, "bearer"), (&dpop, "dpop")] {
        assert!(challenge.is_none() || lower.contains(scheme), "nobody said {scheme}");
        match challenge {
            Some(Challenge::DpopNonce) => assert!(scheme == "dpop" && plain.contains("use_dpop_nonce")),
            Some(Challenge::DpopProof) => assert!(scheme == "dpop" && plain.contains("invalid_dpop_proof")),
            Some(Challenge::InsufficientScope { scope }) => {
                assert!(plain.contains("insufficient_scope"));
                let scope = scope.as_deref().unwrap_or_default().replace('\\', "");
                assert!(plain.contains(&scope), "{scope} was not asked for");
            }
            Some(Challenge::InsufficientUserAuthentication { acr_values, .. }) => {
                assert!(plain.contains("insufficient_user_authentication"));
                assert!(acr_values.iter().all(|acr| plain.contains(&acr.replace('\\', ""))), "{acr_values:?} was not asked for");
            }
            Some(Challenge::InvalidToken) => assert!(plain.contains("invalid_token")),
            Some(Challenge::Unspecified) | None => {}
        }
    }

    // Schemes are compared without case (RFC 9110 §11.1), and what another scheme says changes nothing.
    if is_closed(field) {
        let other = r#"Basic realm="a, Bearer error=\"invalid_token\"""#;
        for field in [format!("{other}, {field}"), format!("{field}, {other}"), format!(" ,\t{field} ,")] {
            assert_eq!(Challenge::read(&field), challenge, "{field}");
        }
    }

    if let Some(field) = stretched(field, 1 << 16) {
        linear(field.len(), || drop(Challenge::read(&field)));
    }
});

/// Whether every quote that is opened is closed.
fn is_closed(field: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for char in field.chars() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}
