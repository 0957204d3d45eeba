//! A session that lasts, with tokens that live five seconds.

use std::{
    cell::Cell,
    collections::HashSet,
    time::{Duration, Instant},
};

use crate::harness::{
    Cookies, Engine, Setting, World,
    http::Exchange,
    play_in,
    provider::{ALICE, AUTHORIZE, Answers, REVOCATION, TOKEN},
};

const SHORT: Setting = Setting {
    cookies: Cookies::AsUsual,
    lifetime: Some(5),
    provider_is_cut_off: false,
    provider_is_same_site: false,
    cookies_for_third_parties: false,
};

/// The requests that presented a refresh token.
fn refreshes(world: &World) -> Vec<Exchange> {
    let refresh = |exchange: &Exchange| exchange.request.form("grant_type").as_deref() == Some("refresh_token");
    world.provider.log.of("POST", TOKEN).into_iter().filter(refresh).collect()
}

fn codes(world: &World) -> usize {
    world.exchanges() - refreshes(world).len()
}

async fn is_renewed(world: &World, times: usize) {
    let wanted = refreshes(world).len() + times;
    let what = format!("{times} renewals");
    world.browser.until(&what, async || (refreshes(world).len() >= wanted).then_some(())).await;
}

/// No refresh token was presented twice, and the provider took each.
fn each_was_presented_once(world: &World) {
    let tokens: Vec<_> = refreshes(world).iter().map(|exchange| exchange.request.form("refresh_token")).collect();
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), tokens.len(), "a refresh token was presented twice");
    let refused = refreshes(world).into_iter().filter_map(|exchange| exchange.response).filter(|response| response.status != 200);
    assert_eq!(refused.count(), 0, "the provider refused a refresh token");
}

#[tokio::test]
async fn a_session_goes_on_by_its_refresh_token() {
    play_in(SHORT, async |world| {
        world.sign_in(ALICE).await;
        let start = Instant::now();
        is_renewed(world, 5).await;
        // Between the first of them and the last: no two within three seconds.
        assert!(start.elapsed() > Duration::from_secs(12), "more than once in a lifetime: 5 renewals in {:?}", start.elapsed());
        each_was_presented_once(world);
        world.browser.happens("Renewed").await;
        assert_eq!(world.browser.text_of("#renewed-by").await.to_lowercase(), "renewed by refresh token");
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.follow("API").await;
        world.browser.click("Call /me").await;
        world.browser.sees("user-1001").await;
        assert_eq!(codes(world), 1);
    })
    .await;
}

#[tokio::test]
async fn twenty_tabs_are_one_session() {
    play_in(SHORT, async |world| {
        world.sign_in(ALICE).await;
        let first = world.browser.tab().await;
        let mut tabs = world.browser.open_tabs(19, &world.app.url("/")).await;
        tabs.push(first);
        for tab in &tabs {
            world.browser.switch_to(tab).await;
            world.browser.is_signed_in_as(ALICE).await;
        }
        let start = Instant::now();
        is_renewed(world, 5).await;
        // Between the first of them and the last: no two within three seconds.
        assert!(start.elapsed() > Duration::from_secs(12), "more than once in a lifetime: 5 renewals in {:?}", start.elapsed());
        each_was_presented_once(world);
        for tab in &tabs {
            world.browser.switch_to(tab).await;
            world.browser.is_signed_in_as(ALICE).await;
        }
        assert_eq!(codes(world), 1, "the other tabs asked the provider for codes");
    })
    .await;
}

#[tokio::test]
async fn a_reload_and_a_new_tab_are_signed_in_by_the_tab_that_is_there() {
    play_in(Setting::default(), async |world| {
        world.sign_in(ALICE).await;
        let (asked, first) = (world.provider.log.count("POST", TOKEN), world.browser.tab().await);
        world.browser.open_tab(&world.app.url("/profile")).await;
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.sees("alice@example.com").await;
        world.browser.close_tab(&first).await;
        world.browser.open_tab(&world.app.url("/orders")).await;
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.reload().await;
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!((world.provider.log.count("POST", TOKEN), world.provider.log.count("GET", AUTHORIZE)), (asked, 1));
    })
    .await;
}

#[tokio::test]
async fn whoever_signs_out_in_one_tab_is_signed_out_in_all() {
    play_in(Setting::default(), async |world| {
        world.sign_in(ALICE).await;
        let first = world.browser.tab().await;
        let second = world.browser.open_tab(&world.app.url("/profile")).await;
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.switch_to(&first).await;
        world.browser.click("Sign out").await;
        world.browser.is_at(&world.app.url("/")).await;
        world.browser.is_signed_out().await;
        world.browser.happens("SignedOutAtProvider").await;
        assert_eq!(world.provider.log.count("POST", REVOCATION), 1, "the refresh token was not revoked");

        world.browser.switch_to(&second).await;
        world.browser.is_signed_out().await;
        assert!(!world.browser.text().await.contains("alice@example.com"));
        world.browser.reload().await;
        world.browser.is_signed_out().await;
        assert_eq!(world.provider.log.count("GET", "/session/end"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_gone_is_waited_for() {
    play_in(SHORT, async |world| {
        world.tolerate("net::ERR_CONNECTION_REFUSED");
        world.sign_in(ALICE).await;
        is_renewed(world, 1).await;
        world.provider.disconnect().await;
        world.browser.happens("RenewalFailed").await;
        // Until the token that is there has ended.
        world.browser.until("the end of the token", async || (world.browser.text_of("#remaining").await == "0:00").then_some(())).await;
        world.browser.is_signed_in_as(ALICE).await;
        world.provider.connect().await;
        is_renewed(world, 2).await;
        each_was_presented_once(world);
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(codes(world), 1);
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_survived_by_a_hidden_frame() {
    play_in(Setting { provider_is_same_site: true, ..SHORT }, async |world| {
        world.tolerate("net::ERR_EMPTY_RESPONSE");
        world.sign_in(ALICE).await;
        world.provider.let_answers(TOKEN, Answers::GetLost(1));
        world.browser.until("a second code", async || (codes(world) == 2).then_some(())).await;
        world.browser.happens("RenewalFailed").await;
        is_renewed(world, 1).await;
        each_was_presented_once(world);
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(world.browser.script("return document.querySelectorAll('iframe').length").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_without_a_frame_asks_the_user_before_the_token_ends() {
    play_in(Setting { cookies: Cookies::ThirdPartyBlocked, ..SHORT }, async |world| {
        world.tolerate("net::ERR_EMPTY_RESPONSE");
        world.sign_in(ALICE).await;
        world.provider.let_answers(TOKEN, Answers::GetLost(1));
        world.browser.happens("SignInNeeded").await;
        world.browser.happens("Ended").await;
        world.browser.is_signed_out().await;
        each_was_presented_once(world);
        assert_eq!(refreshes(world).len(), 1, "it was presented again");
    })
    .await;
}

#[tokio::test]
async fn a_lone_tab_that_is_reloaded_finds_its_session_where_third_party_cookies_are_allowed() {
    let setting = Setting { cookies: Cookies::ThirdPartyAllowed, cookies_for_third_parties: true, ..Setting::default() };
    play_in(setting, async |world| {
        world.sign_in(ALICE).await;
        world.browser.reload().await;
        world.browser.is_signed_in_as(ALICE).await;
        if world.outlives_reloads() {
            assert_eq!((codes(world), world.provider.log.count("GET", AUTHORIZE)), (1, 1));
            return;
        }
        assert_eq!((codes(world), world.provider.log.count("GET", AUTHORIZE)), (2, 2));
        assert_eq!(world.browser.text_of("#renewed-by").await.to_lowercase(), "renewed by hidden frame");
        // Only the frame's own page was loaded, and the app did not start in it.
        assert_eq!(world.app.log.count("GET", "/config.json"), 3);
    })
    .await;
}

#[tokio::test]
async fn a_lone_tab_that_is_reloaded_is_signed_out_where_they_are_blocked_and_asks_once() {
    let setting = Setting { cookies: Cookies::ThirdPartyBlocked, cookies_for_third_parties: true, ..Setting::default() };
    play_in(setting, async |world| {
        world.sign_in(ALICE).await;
        for _ in 0..2 {
            world.browser.reload().await;
            if world.outlives_reloads() {
                world.browser.is_signed_in_as(ALICE).await;
                assert_eq!((codes(world), world.provider.log.count("GET", AUTHORIZE)), (1, 1));
                return;
            }
            world.browser.is_signed_out().await;
        }
        let silent = world.provider.log.of("GET", AUTHORIZE).into_iter().filter(|exchange| exchange.request.query("prompt").is_some());
        assert_eq!(silent.count(), 1, "a frame that does not work is tried again");
        assert!(!world.browser.has("[role=alert]").await, "that nobody is signed in is no failure");
    })
    .await;
}

#[tokio::test]
async fn a_page_that_is_kept_alive_shows_nobody_after_a_sign_out_elsewhere() {
    play_in(Setting::default(), async |world| {
        world.sign_in(ALICE).await;
        let first = world.browser.tab().await;
        // Not as the driver clicks: after that, Firefox does not keep a page that is left.
        world.browser.script("setTimeout(() => document.querySelector('nav a[href=\"/profile\"]').click())").await;
        world.browser.sees("alice@example.com").await;
        let second = world.browser.open_tab(&world.app.url("/")).await;
        world.browser.is_signed_in_as(ALICE).await;
        world.browser.switch_to(&first).await;
        world.browser.mark().await;
        world.tolerate("/favicon.ico");
        let elsewhere = world.provider.issuer.replace("localhost", "127.0.0.1");
        world.browser.script(&format!("setTimeout(() => location.href = '{elsewhere}/health')")).await;
        world.browser.is_at(&format!("{elsewhere}/health")).await;

        world.browser.switch_to(&second).await;
        world.browser.click("Only here").await;
        world.browser.is_signed_out().await;
        world.browser.switch_to(&first).await;
        world.browser.back_from_within().await;
        world.browser.is_signed_out().await;
        assert!(!world.browser.text().await.contains("alice@example.com"));
        // Chromium and Firefox throw a page away that another tab has told something. WebKit keeps it.
        if world.browser.engine == Engine::WebKit {
            assert!(world.browser.is_marked().await, "the page was loaded again");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_that_comes_back_after_its_token_ended_goes_on() {
    // Chromium may throw a page away instead of keeping it for the way back, for reasons of its own (`masked`): often one whose worker could
    // not be loaded. That is no page that comes back.
    let came_back = Cell::new(false);
    let may_not = Cell::new(false);
    for _ in 0..3 {
        play_in(SHORT, async |world| {
            world.sign_in(ALICE).await;
            world.browser.mark().await;
            world.tolerate("/favicon.ico");
            let elsewhere = world.provider.issuer.replace("localhost", "127.0.0.1");
            world.browser.script(&format!("setTimeout(() => location.href = '{elsewhere}/health')")).await;
            world.browser.is_at(&format!("{elsewhere}/health")).await;
            let away = Instant::now();
            world.browser.until("the token's end", async || (away.elapsed() > Duration::from_secs(6)).then_some(())).await;
            world.browser.back_from_within().await;
            came_back.set(world.browser.is_marked().await);
            may_not.set(!world.app.has_worker());
            if came_back.get() {
                world.browser.is_signed_in_as(ALICE).await;
                is_renewed(world, 1).await;
                each_was_presented_once(world);
            }
        })
        .await;
        if came_back.get() {
            return;
        }
    }
    assert!(may_not.get(), "the page was loaded again, whenever it was left");
}
