//! Pages that come again: reloaded, gone back to, opened twice.

use crate::harness::{World, play, provider::ALICE};

#[tokio::test]
async fn a_reload_redeems_nothing_and_signing_in_again_needs_no_typing() {
    play(async |world| {
        world.sign_in(ALICE).await;
        world.browser.reload().await;
        if world.outlives_reloads() {
            world.browser.is_signed_in_as(ALICE).await;
            assert_eq!(world.exchanges(), 1);
            return;
        }

        // Tokens are in this page's memory only: a reload means to sign in again.
        world.browser.is_signed_out().await;
        assert!(!world.browser.has("[role=alert]").await);
        assert_eq!(world.exchanges(), 1);

        world.browser.click("Sign in").await;
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(world.exchanges(), 2);
    })
    .await;
}

#[tokio::test]
async fn going_back_and_forward_redeems_nothing() {
    play(async |world| {
        // Its own pages, which are over.
        world.tolerate("/interaction/");
        world.sign_in(ALICE).await;

        let mut steps = 0;
        while {
            let address = world.browser.back().await;
            assert!(!address.contains("code=") && !address.contains("state="), "went back to {address}");
            steps += 1;
            !address.starts_with(&world.app.origin)
        } {}
        works_on(world).await;

        for _ in 0..steps {
            let address = world.browser.forward().await;
            assert!(!address.contains("code=") && !address.contains("state="), "went forward to {address}");
        }
        world.browser.is_at(&world.app.url("/")).await;
        works_on(world).await;
        assert_eq!(world.exchanges(), 1);
    })
    .await;
}

#[tokio::test]
async fn whoever_goes_back_can_sign_in_from_there() {
    play(async |world| {
        world.tolerate("/interaction/");
        world.open("/").await;
        world.browser.click("Sign in").await;
        world.browser.is_asked_for_password().await;
        world.browser.back().await;

        // Perhaps the very page that was left, with what it had in mind: to leave.
        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(world.exchanges(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_callback_that_is_opened_again_redeems_nothing() {
    play(async |world| {
        world.sign_in(ALICE).await;
        let callback = world.callbacks().pop().expect("a callback");
        assert!(callback.contains("code="), "{callback}");

        world.browser.open(&callback).await;
        world.browser.is_at(&world.app.url("/")).await;
        // Nothing came of the response. Who is signed in at a worker that is still there is shown.
        let known = world.browser.knows_somebody().await;
        assert!(!known || world.app.has_worker());
        assert!(known || !world.outlives_reloads());
        works_on(world).await;

        world.browser.open_tab(&callback).await;
        world.browser.is_at(&world.app.url("/")).await;
        assert_eq!(world.browser.knows_somebody().await, known);
        works_on(world).await;
        assert_eq!(world.exchanges(), 1);

        if !known {
            world.browser.click("Sign in").await;
            world.browser.is_signed_in_as(ALICE).await;
            assert_eq!(world.exchanges(), 2);
        }
    })
    .await;
}

#[tokio::test]
async fn a_used_callback_in_another_tab_leaves_who_is_signed_in_alone() {
    play(async |world| {
        world.sign_in(ALICE).await;
        let (first, callback) = (world.browser.tab().await, world.callbacks().pop().expect("a callback"));
        world.browser.open_tab(&callback).await;
        // Of one keep all pages show who is signed in.
        assert_eq!(world.browser.knows_somebody().await, world.app.has_worker());

        world.browser.switch_to(&first).await;
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.follow("API").await;
        world.browser.click("Call /me").await;
        world.browser.sees("200").await;
    })
    .await;
}

#[tokio::test]
async fn two_tabs_finish_their_logins_in_reverse_order() {
    play(async |world| {
        world.open("/").await;
        world.browser.click("Sign in").await;
        world.browser.is_asked_for_password().await;
        let first = world.browser.tab().await;

        let second = world.browser.open_tab(&world.app.url("/profile")).await;
        world.browser.click("Sign in").await;
        world.browser.is_asked_for_password().await;

        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_at(&world.app.url("/profile")).await;
        world.browser.is_signed_in_as(ALICE).await;

        world.browser.switch_to(&first).await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_at(&world.app.url("/")).await;
        world.browser.is_signed_in_as(ALICE).await;

        world.browser.switch_to(&second).await;
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(world.exchanges(), 2);
    })
    .await;
}

/// The app is there, and has nothing to complain of. Whether somebody is signed in depends on whether the browser kept the page.
async fn works_on(world: &World) {
    world.browser.sees("What happens when you sign in").await;
    assert!(!world.browser.has("[role=alert]").await, "{}", world.browser.alert().await);
}
