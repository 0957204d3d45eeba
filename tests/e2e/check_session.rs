//! The session at the provider, watched, and an app that the provider's page opens.

use crate::harness::{Setting, play_in, provider::ALICE};

#[tokio::test]
async fn who_signs_out_at_the_provider_in_another_tab_is_signed_out_here() {
    play_in(Setting { provider_is_same_site: true, ..Setting::default() }, async |world| {
        world.sign_in(ALICE).await;
        world.open("/monitor").await;
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.script("addEventListener('message', ({ data }) => { window.heard ??= data === 'unchanged' || undefined })").await;
        world.browser.click("Watch").await;
        world.browser.until("the answer of the frame", async || world.browser.script("return window.heard").await.as_bool()).await;
        world.browser.sees("Watched").await;

        let app = world.browser.tab().await;
        world.browser.open_tab(&format!("{}/session/end", world.provider.issuer)).await;
        world.browser.click("Sign out").await;
        world.browser.sees("You are signed out of the provider").await;
        world.browser.switch_to(&app).await;
        world.browser.is_signed_out().await;
        world.browser.happens("SessionChanged").await;
        world.browser.happens("Ended").await;
        world.browser.sees("The session is over: the provider says so.").await;
        assert!(!world.browser.has("iframe").await);
        assert_eq!(world.provider.log.of("GET", "/auth").iter().filter(|asked| asked.request.query("id_token_hint").is_some()).count(), 1);

        world.browser.reload().await;
        world.browser.is_signed_out().await;
    })
    .await;
}

#[tokio::test]
async fn the_providers_page_opens_the_app_which_signs_in_who_is_hinted_at() {
    play_in(Setting { provider_is_same_site: true, ..Setting::default() }, async |world| {
        world.browser.open(&format!("{}/", world.provider.issuer)).await;
        world.browser.follow("Open the app").await;
        world.browser.is_asked_for_password().await;
        let asked = world.provider.log.of("GET", "/auth").pop().expect("a request").request;
        assert_eq!(asked.query("login_hint").as_deref(), Some("alice"));
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_at(&world.app.url("/profile")).await;
        world.browser.is_signed_in_as(ALICE).await;

        // Who is signed in is not sent away again, and another provider's wish counts for nothing.
        world.open(&format!("/initiate?iss={}", world.provider.issuer)).await;
        world.browser.sees("You are signed in already").await;
        world.browser.is_at(&world.app.url("/initiate")).await;
        world.open("/initiate?iss=https://evil.example&login_hint=alice").await;
        assert!(world.browser.alert().await.contains("issuer_mismatch"));
        let asked = world.provider.log.of("GET", "/auth");
        assert_eq!(asked.iter().filter(|asked| asked.request.query("prompt").is_none()).count(), 1);
    })
    .await;
}
