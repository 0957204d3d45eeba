//! Calls that take a second step (RFC 9470): they wait, the user is asked, and the rest goes on. Only the Leptos demo draws a picture.

use serde_json::json;

use crate::{
    harness::{
        World, play,
        provider::{ALICE, AUTHORIZE},
    },
    pages::is_well_made,
};

const TRANSFER: &str = "/orders/transfer";

#[tokio::test]
async fn two_calls_wait_while_others_go_on_until_a_second_tab_takes_the_step() {
    play(async |world| {
        begin(world).await;
        world.browser.click("Call /me").await;
        world.browser.sees("/me answered 200").await;
        shows(world, &["waiting", "waiting"]).await;
        assert_eq!(world.provider.log.count("GET", AUTHORIZE), 1, "somebody was sent there unasked");

        let first = world.browser.tab().await;
        world.browser.open_tab(&world.app.url("/step-up")).await;
        world.browser.is_signed_in_as(ALICE).await;
        // With a keep of its own, this tab knows nothing of the other's calls. What the user does here is for both.
        let own = !world.app.has_worker();
        if own {
            world.browser.click("Transfer two orders").await;
        }
        world.browser.click("Go there").await;
        world.browser.take_second_step().await;
        world.browser.is_at(&world.app.url("/step-up")).await;
        assert_eq!(world.browser.text_of("#acr").await, "urn:tokenkeep:mfa");
        let asked = world.provider.log.of("GET", AUTHORIZE).pop().expect("a request").request;
        assert_eq!(asked.query("acr_values").as_deref(), Some("urn:tokenkeep:mfa"));
        assert_eq!(asked.query("max_age").as_deref(), Some("300"));

        world.browser.switch_to(&first).await;
        shows(world, &["200", "200"]).await;
        assert!(!world.browser.has("#question").await);
        assert_eq!(world.provider.api_log.count("POST", TRANSFER), if own { 6 } else { 4 });
        let settled = async || world.browser.events().await.iter().any(|event| event == "StepUpSettled").then_some(());
        world.browser.until("the end of it", settled).await;
    })
    .await;
}

#[tokio::test]
async fn a_redirect_takes_the_calls_along_and_nobody_is_asked_again_when_it_is_back() {
    play(async |world| {
        begin(world).await;
        world.browser.click("Go there").await;
        world.browser.take_second_step().await;
        world.browser.is_at(&world.app.url("/step-up")).await;
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(world.browser.text_of("#acr").await, "urn:tokenkeep:mfa");
        assert!(!world.browser.has("#question").await);
        assert_eq!(world.provider.api_log.count("POST", TRANSFER), 2);
        world.browser.click("Transfer two orders").await;
        shows(world, &["200", "200"]).await;
        assert_eq!(world.provider.api_log.count("POST", TRANSFER), 4);
    })
    .await;
}

#[tokio::test]
async fn whoever_does_not_want_to_gets_the_answers_that_came_and_stays_signed_in() {
    play(async |world| {
        begin(world).await;
        world.browser.resize(360, 740).await;
        is_well_made(world, "Step-up").await;
        world.browser.click("Not now").await;
        shows(world, &["401", "401"]).await;
        assert!(!world.browser.has("#question").await);
        assert_eq!((world.provider.api_log.count("POST", TRANSFER), world.provider.log.count("GET", AUTHORIZE)), (2, 1));
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.click("Call /me").await;
        world.browser.sees("/me answered 200").await;
    })
    .await;
}

/// Signs in, begins two transfers, and waits for the question.
async fn begin(world: &World) {
    world.tolerate("401");
    world.open("/step-up").await;
    world.browser.click("Sign in").await;
    world.browser.sign_in_at_provider(ALICE).await;
    world.browser.is_at(&world.app.url("/step-up")).await;
    world.browser.is_signed_in_as(ALICE).await;
    world.browser.click("Transfer two orders").await;
    world.browser.sees("The API wants to be surer that it is you.").await;
    shows(world, &["waiting", "waiting"]).await;
}

/// Waits until that is what became of the transfers.
async fn shows(world: &World, states: &[&str]) {
    let script = "return [...document.querySelectorAll('#transfers li')].map(transfer => transfer.dataset.state)";
    let what = format!("transfers that are {states:?}");
    world.browser.until(&what, async || (world.browser.script(script).await == json!(states)).then_some(())).await;
}
