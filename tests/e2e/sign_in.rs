//! Signing in, for the first time and for a reason.

use crate::harness::{
    play,
    provider::{ALICE, TOKEN},
};

#[tokio::test]
async fn alice_signs_in_and_sees_who_she_is() {
    play(async |world| {
        world.open("/").await;
        world.browser.click("Sign in").await;
        world.browser.is_asked_for_password().await;
        world.browser.sign_in_at_provider(ALICE).await;

        world.browser.is_at(&world.app.url("/")).await;
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.happens("IdTokenVerified").await;
        assert_eq!(world.exchanges(), 1);

        world.browser.follow("Profile").await;
        for claim in ["Alice Archer", "alice@example.com", "user-1001", &world.provider.issuer, "Verified"] {
            world.browser.sees(claim).await;
        }
        let history = world.history().await;
        assert!(history.iter().any(|address| address.starts_with(&world.provider.issuer)), "not the whole history: {history:?}");
        for address in history {
            assert!(!address.contains("code=") && !address.contains("state="), "in the history: {address}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_deep_link_comes_back_to_where_it_pointed() {
    play(async |world| {
        world.open("/orders?sort=newest#top").await;
        world.browser.sign_in_at_provider(ALICE).await;

        world.browser.is_at(&world.app.url("/orders?sort=newest#top")).await;
        world.browser.sees("Brass padlock").await;
        assert_eq!(world.browser.script("return document.querySelectorAll('tbody tr').length").await, 3);
        world.browser.is_signed_in_as(ALICE).await;
    })
    .await;
}

#[tokio::test]
async fn whoever_says_no_is_told_so_and_may_change_their_mind() {
    play(async |world| {
        world.open("/").await;
        world.browser.click("Sign in").await;
        world.browser.deny_at_provider(ALICE).await;

        let alert = world.browser.alert().await;
        assert!(alert.contains("access_denied"), "{alert}");
        world.browser.is_signed_out().await;
        let address = world.browser.address().await;
        assert!(!address.contains('?') && !address.contains('#'), "{address}");
        assert!(!world.browser.text().await.contains(ALICE.name));
        assert_eq!(world.provider.log.count("POST", TOKEN), 0);

        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_signed_in_as(ALICE).await;
        assert!(!world.browser.has("[role=alert]").await, "the old message is still there");
    })
    .await;
}

#[tokio::test]
async fn cancelling_at_the_password_comes_back_with_a_message() {
    play(async |world| {
        world.open("/").await;
        world.browser.click("Sign in").await;
        world.browser.is_asked_for_password().await;
        world.browser.click("Cancel").await;

        let alert = world.browser.alert().await;
        assert!(alert.contains("access_denied"), "{alert}");
        world.browser.is_signed_out().await;
    })
    .await;
}

#[tokio::test]
async fn a_response_leaves_the_address_bar_before_the_configuration_is_there() {
    play(async |world| {
        world.open("/").await;
        world.browser.is_signed_out().await;
        world.app.hold_config(true);
        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_at(&world.app.url("/callback")).await;
        world.browser.sees("Loading…").await;

        world.app.hold_config(false);
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.is_at(&world.app.url("/")).await;
    })
    .await;
}

#[tokio::test]
async fn a_double_click_leaves_for_the_provider_once() {
    play(async |world| {
        world.open("/").await;
        world.browser.is_signed_out().await;
        world.browser.double_click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;

        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(world.authorizations(), 1);
        assert_eq!(world.exchanges(), 1);
        let redirects = world.browser.events().await.iter().filter(|event| *event == "Redirecting").count();
        assert_eq!(redirects, 1);
    })
    .await;
}
