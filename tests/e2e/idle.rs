//! A session that nobody uses, in two tabs.

use thirtyfour::Key;

use crate::harness::{
    play,
    provider::{ALICE, REVOCATION},
};

const PAGE: &str = "/idle?limit=20";

#[tokio::test]
async fn who_is_active_in_one_tab_keeps_both_and_nobody_there_ends_both() {
    play(async |world| {
        let browser = &world.browser;
        browser.open(&world.app.url(PAGE)).await;
        // From here on this tab has that limit.
        browser.sees("20 seconds").await;
        world.sign_in(ALICE).await;
        let first = browser.tab().await;
        let second = browser.open_tab(&world.app.url(PAGE)).await;
        browser.is_signed_in_as(ALICE).await;
        // Longer than the limit in all.
        for round in 0..3 {
            let (active, other) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
            browser.switch_to(other).await;
            browser.until("a countdown", async || browser.has("#idle-soon").await.then_some(())).await;
            browser.switch_to(active).await;
            browser.press(Key::Shift).await;
            browser.until("no countdown here", async || (!browser.has("#idle-soon").await).then_some(())).await;
            browser.switch_to(other).await;
            browser.until("no countdown there", async || (!browser.has("#idle-soon").await).then_some(())).await;
            browser.is_signed_in_as(ALICE).await;
        }
        browser.until("a countdown", async || browser.has("#idle-soon").await.then_some(())).await;
        browser.click("Stay signed in").await;
        browser.until("no countdown", async || (!browser.has("#idle-soon").await).then_some(())).await;
        for tab in [&first, &second] {
            browser.switch_to(tab).await;
            browser.happens("Ended").await;
            browser.is_signed_out().await;
        }
        let revoked = async || (!world.provider.log.of("POST", REVOCATION).is_empty()).then_some(());
        browser.until("the refresh token to be revoked", revoked).await;
        browser.reload().await;
        browser.is_signed_out().await;
    })
    .await;
}
