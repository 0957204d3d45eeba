//! What a token endpoint answers to a code, and to a refresh token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokenkeep::protocol::{
    Accepted, Access, Callback, Error, Granted, Lifetime, Presented, Refresh, Response, ResponseMode, ResponseType, Scope, Secret,
    TokenType,
};
use tokenkeep_fuzz::{NOW, REDIRECT_URI, answer, begin, linear, metadata, stretched};

const CODE: &str = "code-8f2a";
const REFRESH_TOKEN: &str = "refresh-31c7";
const ASKED: &str = "openid orders:read";

fuzz_target!(|data: &[u8]| {
    let [how, what, body @ ..] = data else { return };
    let token_type = if how & 1 == 0 { TokenType::Bearer } else { TokenType::Dpop };
    let status = [200, 200, 400, 400, 200, 201, 401, 500, 502, 503, 302, 429, 204, 520, 404, 403][usize::from(how >> 1 & 15)];
    let content_type = ["application/json", "application/json;charset=UTF-8", "text/html", ""][usize::from(how >> 5 & 3)];
    let response = answer(status, content_type, body);
    let metadata = metadata(false);
    let refresh_token = Secret::copied(REFRESH_TOKEN);
    let refresh = Refresh::new(metadata, "app", &refresh_token, token_type, &Access::default(), &Scope::parse(ASKED).unwrap());

    let text = std::str::from_utf8(body).unwrap_or_default().trim_start_matches('\u{feff}');
    let document: Option<Value> = serde_json::from_str(text).ok();
    if what & 1 == 0 {
        let begun = begin(metadata, ResponseMode::Query, ResponseType::Code, NOW);
        let address = format!("{REDIRECT_URI}&code={CODE}&state={}", begun.state);
        let callback = Callback::read(&address, REDIRECT_URI).unwrap();
        let Ok(Accepted::Code(code)) = begun.login.accept(callback, NOW) else { panic!("a plain code") };
        match code.exchange(metadata, token_type).unwrap().finish(&response) {
            Ok((granted, redeemed)) => {
                check(&granted, &response, token_type, document.as_ref());
                assert_eq!(redeemed.subject, None);
            }
            Err(error) => tells_none(&error, &[CODE, &begun.state, &begun.nonce, &begun.verifier]),
        }
    } else {
        let error_code = || document.as_ref().and_then(|body| body["error"].as_str());
        match refresh.finish(&response) {
            Presented::Granted(granted) => check(&granted, &response, token_type, document.as_ref()),
            Presented::Rejected(error) => {
                assert!(status == 400 && content_type.starts_with("application/json"));
                assert!(document.is_none() || error_code() == Some("invalid_grant"));
                tells_none(&error, &[REFRESH_TOKEN]);
            }
            Presented::Unknown(error) => {
                assert!(matches!(status, 200 | 201 | 204 | 502 | 520), "{status} says that nothing was done");
                tells_none(&error, &[REFRESH_TOKEN]);
            }
            Presented::Refused { error, .. } => {
                // A success that is no page was one, unless it says that it was none.
                assert!(!matches!(status, 201 | 204 | 502 | 520));
                assert!(status != 200 || content_type == "text/html" || matches!(error, Error::Provider(_)));
                tells_none(&error, &[REFRESH_TOKEN]);
            }
        }
    }

    if let Some(text) = stretched(text, 1 << 17) {
        let response = answer(status, content_type, text);
        linear(response.body.len(), || drop(refresh.finish(&response)));
    }
});

/// A token response that is accepted has a token that can be sent, and says what it is.
fn check(granted: &Granted, response: &Response, token_type: TokenType, document: Option<&Value>) {
    assert_eq!(response.status, 200);
    assert!(response.header("content-type").unwrap().starts_with("application/json"));
    let tokens = [Some(&granted.access_token), granted.id_token.as_ref(), granted.refresh_token.as_ref()];
    for token in tokens.into_iter().flatten() {
        assert!(!token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic()));
    }
    assert!(granted.lifetime.is_none_or(|lifetime| lifetime <= Lifetime::MAX));
    assert_eq!(Scope::parse(&granted.scope.to_string()).as_ref(), Ok(&granted.scope));
    // Numbers of any size are read here, and not there.
    let Some(document) = document else { return };
    assert!(document["error"].is_null());
    assert!(document["token_type"].as_str().unwrap().eq_ignore_ascii_case(token_type.name()));
    for (member, token) in ["access_token", "id_token", "refresh_token"].into_iter().zip(tokens) {
        assert_eq!(document[member].as_str(), token.map(|token| token.expose().as_str()), "{member}");
    }
    match document["scope"].as_str() {
        None => assert_eq!(granted.scope.to_string(), ASKED),
        Some(scope) => assert!(granted.scope.iter().eq(scope.split_ascii_whitespace())),
    }
    assert!(format!("{granted:?}").contains("access_token: Secret(..)"));
}

fn tells_none(error: &Error, secrets: &[&str]) {
    tokenkeep_fuzz::tells_none(error, secrets);
    let shown = error.to_string();
    assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
}
