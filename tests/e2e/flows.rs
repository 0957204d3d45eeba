//! The page of flows: each of them runs, and the picture shows what it took. Only the Leptos demo has it.

use std::path::Path;

use crate::harness::{
    World, play,
    provider::{ALICE, TOKEN, User},
};

const PUSHED: &str = "/request";

/// Who takes part, in a picture of the app and the provider.
const THREE: [&str; 3] = ["You", "App", "Provider"];

/// Runs a flow, and signs in.
async fn run(world: &World, name: &str, user: User) {
    world.open("/flows").await;
    world.browser.is_signed_out().await;
    world.browser.click_in(&card(name)).await;
    world.browser.sign_in_at_provider(user).await;
    world.browser.is_at(&world.app.url("/flows")).await;
}

fn card(name: &str) -> String {
    format!("#flow-{name}")
}

/// Waits until all of these are in the picture, and nothing else is.
async fn shows(world: &World, name: &str, expected: &[&str]) {
    let script = format!("return [...document.querySelectorAll('#flow-{name} .picture svg text')].map(text => text.textContent)");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut last = Vec::new();
        let found = world.browser.until_or(async || {
            last = serde_json::from_value(world.browser.script(&script).await).unwrap_or_default();
            last == expected
        });
        if found.await {
            return;
        }
        seen = last;
    }
    assert_eq!(seen, expected, "the picture of {name}");
}

fn with(lanes: &[&'static str], steps: &[&'static str]) -> Vec<&'static str> {
    [lanes, steps].concat()
}

/// What the card says came of it.
async fn says(world: &World, name: &str, texts: &[&str]) {
    for text in texts {
        let script = format!("return document.querySelector('#flow-{name} .result')?.innerText ?? ''");
        let what = format!("{text:?} in the card {name}");
        world.browser.until(&what, async || world.browser.script(&script).await.as_str()?.contains(text).then_some(())).await;
    }
}
