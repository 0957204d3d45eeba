//! Every page can be used by everybody: on a small phone, by keyboard, with a screen reader.

use serde_json::json;
use thirtyfour::Key;

use crate::harness::{World, http::Response, play, provider::ALICE};

const PAGES: [&str; 5] = ["Home", "Profile", "API", "Session", "Orders"];

#[tokio::test]
async fn every_page_is_well_made_for_who_is_signed_in() {
    play(async |world| {
        world.browser.resize(360, 740).await;
        world.sign_in(ALICE).await;
        for page in PAGES {
            world.browser.follow(page).await;
            is_well_made(world, page).await;
        }
        world.browser.sees("Brass padlock").await;
        is_well_made(world, "Orders with its table").await;
        world.browser.follow("API").await;
        world.browser.click("Call /orders").await;
        world.browser.sees("Brass padlock").await;
        is_well_made(world, "API with an answer").await;
    })
    .await;
}

#[tokio::test]
async fn every_page_is_well_made_for_who_is_not() {
    play(async |world| {
        world.tolerate("404");
        world.browser.resize(360, 740).await;
        for place in ["/", "/profile", "/api", "/callback", "/popup", "/step-up", "/idle", "/monitor", "/no-such-page"] {
            world.open(place).await;
            world.browser.is_signed_out().await;
            is_well_made(world, place).await;
        }
        world.browser.click("Sign in").await;
        world.browser.deny_at_provider(ALICE).await;
        world.browser.alert().await;
        is_well_made(world, "a failed sign-in").await;

        world.app.serve_config(Response::new(404, "text/plain", "not found"));
        world.open("/").await;
        world.browser.alert().await;
        is_well_made(world, "a missing config.json").await;
    })
    .await;
}

#[tokio::test]
async fn a_keyboard_is_enough_to_sign_in() {
    play(async |world| {
        world.open("/").await;
        world.browser.is_signed_out().await;
        world.browser.press_until_at("Sign in").await;
        world.browser.press(Key::Enter).await;
        world.browser.is_asked_for_password().await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_signed_in_as(ALICE).await;
    })
    .await;
}

pub(crate) async fn is_well_made(world: &World, page: &str) {
    let look = "
        const name = element => (element.getAttribute('aria-label') || element.innerText || '').trim();
        const wide = [...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
        return {
            'h1': document.querySelectorAll('h1').length,
            'main': document.querySelectorAll('main').length,
            'language': document.documentElement.lang,
            'has a title': document.title !== '',
            'without a name': [...document.querySelectorAll('button, a[href]')].filter(e => !name(e)).map(e => e.outerHTML),
            'width': innerWidth,
            'scrolls sideways': document.documentElement.scrollWidth > innerWidth ? wide.map(e => e.outerHTML.slice(0, 80)) : false,
        }";
    let expected = json!({
        "h1": 1,
        "main": 1,
        "language": "en",
        "has a title": true,
        "without a name": [],
        "width": 360,
        "scrolls sideways": false,
    });
    assert_eq!(world.browser.script(look).await, expected, "{page}");
}
