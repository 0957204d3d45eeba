//! The protected API, with and without a token.

use serde_json::Value;

use crate::harness::{play, provider::ALICE};

#[tokio::test]
async fn without_a_token_the_api_refuses_and_says_how_to_ask() {
    play(async |world| {
        world.tolerate("401");
        world.open("/api").await;
        world.browser.click("Call /me").await;

        world.browser.sees("401").await;
        world.browser.sees("Bearer realm=\"tokenkeep demo API\"").await;
        let calls = world.provider.api_log.of("GET", "/me");
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].request.header("authorization"), None);
    })
    .await;
}

#[tokio::test]
async fn with_a_token_the_api_answers() {
    play(async |world| {
        world.open("/api").await;
        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_at(&world.app.url("/api")).await;

        for (path, known) in [("/me", "user-1001"), ("/orders", "Brass padlock")] {
            world.browser.click(&format!("Call {path}")).await;
            world.browser.sees(known).await;
            world.browser.sees("200").await;

            let shown: Value = serde_json::from_str(&world.browser.text_of("pre").await).expect("JSON on the page");
            let call = world.provider.api_log.of("GET", path).pop().expect("a call");
            let answered: Value = serde_json::from_slice(&call.response.expect("an answer").body).expect("JSON from the API");
            assert_eq!(shown, answered);
            assert!(call.request.header("authorization").is_some_and(|value| value.starts_with("Bearer ")));
            assert_eq!(call.request.header("cookie"), None);
            assert_eq!(call.request.header("referer"), None);
        }
        let events = world.browser.events().await;
        assert_eq!(events.iter().filter(|event| *event == "ApiAnswered").count(), 2);
    })
    .await;
}
