//! Signing out, here and at the provider.

use crate::harness::{
    play,
    provider::{ALICE, BOB},
};

#[tokio::test]
async fn whoever_signs_out_is_signed_out_at_the_provider_too() {
    play(async |world| {
        world.sign_in(ALICE).await;
        world.browser.click("Sign out").await;

        world
            .browser
            .until("the way back from the provider", async || (world.provider.log.count("GET", "/session/end") > 0).then_some(()))
            .await;
        world.browser.is_at(&world.app.url("/")).await;
        world.browser.is_signed_out().await;
        // The list is in session storage, of which Chromium shows a page what it was when an earlier one was left and kept alive.
        if !world.outlives_reloads() {
            world.browser.happens("Ended").await;
        }
        assert!(!world.browser.has("[role=alert]").await);

        world.browser.click("Sign in").await;
        world.browser.is_asked_for_password().await;
        world.browser.sign_in_at_provider(BOB).await;
        world.browser.is_signed_in_as(BOB).await;
        assert!(!world.browser.text().await.contains(ALICE.name), "something of who was here before is left");
    })
    .await;
}

#[tokio::test]
async fn going_back_after_a_sign_out_shows_nobody() {
    play(async |world| {
        world.sign_in(ALICE).await;
        world.browser.follow("Profile").await;
        world.browser.sees("alice@example.com").await;
        world.browser.click("Sign out").await;
        world.browser.is_at(&world.app.url("/")).await;
        world.browser.is_signed_out().await;

        world.tolerate("/session/end");
        while world.browser.back().await != world.app.url("/profile") {}
        world.browser.is_signed_out().await;
        assert!(!world.browser.text().await.contains("alice@example.com"));
    })
    .await;
}
