//! What does not work is said, and can be tried again.

use serde_json::json;

use crate::harness::{App, http::Response, play, provider::ALICE};

#[tokio::test]
async fn a_provider_that_is_down_is_reported_and_may_come_back() {
    play(async |world| {
        world.tolerate("net::ERR_CONNECTION_REFUSED");
        world.provider.stop().await;
        world.open("/").await;
        world.browser.click("Sign in").await;

        let alert = world.browser.alert().await;
        assert!(alert.contains("Signing in failed"), "{alert}");
        assert!(alert.contains("provider"), "{alert}");
        world.browser.is_signed_out().await;

        world.provider.start_again().await;
        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_signed_in_as(ALICE).await;
        assert!(!world.browser.has("[role=alert]").await, "the old message is still there");
    })
    .await;
}

#[tokio::test]
async fn an_api_that_is_down_is_reported_and_nobody_is_signed_out() {
    play(async |world| {
        world.tolerate("net::ERR_CONNECTION_REFUSED");
        world.sign_in(ALICE).await;
        world.browser.follow("API").await;
        world.provider.stop().await;
        world.browser.click("Call /me").await;
        let alert = world.browser.alert().await;
        assert!(alert.contains("The call failed"), "{alert}");
        world.browser.is_signed_in_as(ALICE).await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_config_json_is_named() {
    play(async |world| {
        world.tolerate("404");
        let right = App::config(&world.provider);
        let json = |text: String| Response::new(200, "application/json", text);
        let with = |option: &str, value: serde_json::Value| {
            let mut config = right.clone();
            config[option] = value;
            json(config.to_string())
        };
        let without = |option: &str| {
            let mut config = right.clone();
            config.as_object_mut().expect("an object").remove(option);
            json(config.to_string())
        };
        let cases = [
            (Response::new(404, "text/plain", "not found"), "404"),
            (Response::new(200, "text/html", "<!doctype html><title>App</title>"), "no such file"),
            (json("issuer: http://localhost".into()), "JSON"),
            (json("[]".into()), "object"),
            (with("colour", json!("blue")), "colour"),
            (with("client_secret", json!("very-secret-value")), "client_secret"),
            (with("issuer", json!("ftp://localhost")), "issuer"),
            (with("scopes", json!(7)), "scopes"),
            (without("issuer"), "issuer"),
            (without("client_id"), "client_id"),
        ];
        for (config, named) in cases {
            world.app.serve_config(config);
            world.open("/").await;
            let alert = world.browser.alert().await;
            assert!(alert.contains("config.json") && alert.contains(named), "{named} is not named: {alert}");
            assert!(!alert.contains("very-secret-value"), "{alert}");
        }

        world.app.serve_config(json(right.to_string()));
        world.browser.click("Try again").await;
        world.browser.is_signed_out().await;
    })
    .await;
}
