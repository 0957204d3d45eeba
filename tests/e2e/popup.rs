//! Sign-in in a window of its own, whatever the provider's `Cross-Origin-Opener-Policy` says.

use crate::harness::{
    Setting, World, play, play_in,
    provider::{ALICE, BOB},
};

const BUTTON: &str = "Sign in in a window";

/// The provider lets its windows be seen, or not.
fn settings() -> [Setting; 2] {
    [false, true].map(|provider_is_cut_off| Setting { provider_is_cut_off, ..Setting::default() })
}

/// Waits until the page says what came of it.
async fn ends(world: &World, code: &str) {
    let script = "return document.querySelector('#popup-outcome')?.dataset.code ?? ''";
    world.browser.until(&format!("the outcome {code}"), async || (world.browser.script(script).await == code).then_some(())).await;
}

#[tokio::test]
async fn a_window_signs_in_and_the_page_stays_as_it_is() {
    for setting in settings() {
        play_in(setting, async |world| {
            world.open("/popup").await;
            world.browser.is_signed_out().await;
            world.browser.script("document.querySelector('#draft').value = 'not lost'").await;
            let page = world.browser.tab().await;
            world.browser.click(BUTTON).await;
            world.browser.opened_window(&page).await;
            world.browser.sign_in_in_window(ALICE, &page).await;
            world.browser.switch_to(&page).await;
            ends(world, "signed_in").await;
            world.browser.is_signed_in_as(ALICE).await;
            assert_eq!(world.browser.script("return document.querySelector('#draft').value").await, "not lost");
            assert_eq!((world.exchanges(), world.authorizations()), (1, 1));
            assert_eq!(world.callbacks(), Vec::<String>::new());
            world.browser.until("the window to close", async || world.browser.has_only(&page).await.then_some(())).await;
            let history = world.history().await;
            assert!(!history.iter().any(|address| address.contains("code=") || address.contains("state=")), "{history:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn where_windows_are_blocked_it_is_said_at_once_and_nothing_is_sent() {
    play(async |world| {
        world.open("/popup").await;
        world.browser.is_signed_out().await;
        world.browser.script("window.open = (opened => () => ((window.open = opened), null))(window.open)").await;
        let page = world.browser.tab().await;
        world.browser.click(BUTTON).await;
        ends(world, "popup_blocked").await;
        assert_eq!((world.exchanges(), world.authorizations()), (0, 0));

        // As soon as they are allowed it works.
        world.browser.click(BUTTON).await;
        world.browser.opened_window(&page).await;
        world.browser.sign_in_in_window(ALICE, &page).await;
        world.browser.switch_to(&page).await;
        ends(world, "signed_in").await;
    })
    .await;
}

#[tokio::test]
async fn a_window_that_the_user_closes_is_given_up() {
    play(async |world| {
        world.open("/popup").await;
        world.browser.is_signed_out().await;
        // Headless windows do not all have a focus. And it is seen how often the page has looked.
        let prepare = "document.hasFocus = () => true; window.looks = 0;
            window.setInterval = (every => (look, span) => every(() => { look(); window.looks++ }, span))(window.setInterval)";
        world.browser.script(prepare).await;
        let page = world.browser.tab().await;
        world.browser.click(BUTTON).await;
        world.browser.opened_window(&page).await;
        world.browser.is_asked_for_password().await;
        world.browser.switch_to(&page).await;
        let looks = async || world.browser.script("return window.looks").await.as_u64().unwrap_or_default();
        let before = looks().await;
        world.browser.until("the page to look at the window", async || (looks().await > before + 2).then_some(())).await;
        world.browser.opened_window(&page).await;
        world.browser.close_tab(&page).await;
        ends(world, "popup_closed").await;
        world.browser.is_signed_out().await;
        assert_eq!(world.exchanges(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_second_of_two_windows_signs_in_and_the_first_one_is_gone() {
    play(async |world| {
        world.open("/popup").await;
        world.browser.is_signed_out().await;
        let page = world.browser.tab().await;
        world.browser.click(BUTTON).await;
        let first = world.browser.opened_window(&page).await;
        world.browser.is_asked_for_password().await;
        world.browser.switch_to(&page).await;
        world.browser.click(BUTTON).await;
        let is_new = async || {
            let window = world.browser.windows().await.into_iter().find(|window| *window != page && *window != first)?;
            Some(window)
        };
        let second = world.browser.until("a second window", is_new).await;
        world.browser.until("the first window to close", async || (world.browser.windows().await.len() == 2).then_some(())).await;
        world.browser.switch_to(&second).await;
        world.browser.sign_in_in_window(ALICE, &page).await;
        world.browser.switch_to(&page).await;
        ends(world, "signed_in").await;
        assert_eq!(world.exchanges(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_window_that_is_given_up_signs_nobody_in() {
    for setting in settings() {
        play_in(setting, async |world| {
            world.open("/popup").await;
            world.browser.is_signed_out().await;
            let page = world.browser.tab().await;
            world.browser.click(BUTTON).await;
            let window = world.browser.opened_window(&page).await;
            world.browser.is_asked_for_password().await;
            world.browser.switch_to(&page).await;
            world.browser.click("Cancel").await;
            ends(world, "cancelled").await;
            if setting.provider_is_cut_off {
                // Out of reach: who goes on there is told that it is done, and no more.
                world.browser.switch_to(&window).await;
                world.browser.sign_in_in_window(ALICE, &page).await;
                assert!(!world.browser.address().await.contains("code="), "the response is in the address");
                if world.browser.has_only(&page).await {
                    world.browser.switch_to(&page).await;
                } else {
                    world.browser.close_tab(&page).await;
                }
            } else {
                world.browser.until("the window to close", async || world.browser.has_only(&page).await.then_some(())).await;
            }
            world.browser.is_signed_out().await;
            assert_eq!(world.exchanges(), 0);

            // The next one is a new one.
            world.browser.click(BUTTON).await;
            // Who is known at the provider by now is not asked again, and the window is gone at once.
            if !setting.provider_is_cut_off {
                world.browser.opened_window(&page).await;
                world.browser.sign_in_in_window(BOB, &page).await;
                world.browser.switch_to(&page).await;
            }
            ends(world, "signed_in").await;
            assert_eq!(world.exchanges(), 1);
        })
        .await;
    }
}
