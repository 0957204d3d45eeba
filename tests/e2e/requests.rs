//! How many requests it takes to sign in.

use std::io::Write;

use crate::harness::{
    Engine,
    http::Log,
    play,
    provider::{ALICE, AUTHORIZE, DISCOVERY, KEYS, TOKEN},
};

#[tokio::test]
async fn a_sign_in_asks_each_thing_once() {
    play(async |world| {
        world.open("/").await;
        world.browser.is_signed_out().await;
        assert_eq!(world.provider.log.len(), 0, "the provider is asked before anybody wants to sign in");
        let loaded = world.app.log.len();

        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.is_signed_in_as(ALICE).await;
        let returned = world.app.log.len();
        world.browser.follow("API").await;
        world.browser.click("Call /me").await;
        world.browser.sees("user-1001").await;

        // What the provider and the person have to say to each other is not ours.
        let is_ours = |path: &str| !path.starts_with("/interaction/") && !path.starts_with("/auth/");
        let provider = paths(&world.provider.log, is_ours);
        let api = paths(&world.provider.api_log, |_| true);
        let app = world.app.log.all()[loaded..].iter().map(|exchange| exchange.request.path().to_owned()).collect::<Vec<_>>();

        let figures = format!(
            "requests from the click on \"Sign in\" to the API's answer: {} to the provider ({}), {} to the API ({}), {} to the app's own \
             server after the redirect ({})\n",
            provider.len(),
            provider.join(", "),
            api.len(),
            api.join(", "),
            app.len(),
            app.join(", "),
        );
        // Not println, which would be kept from whoever runs the tests.
        let _ = std::io::stdout().write_all(figures.as_bytes());

        // The page after the redirect has the metadata from the browser's cache. WebKit keeps none when it is automated.
        let again = (world.browser.engine == Engine::WebKit).then(|| format!("GET {DISCOVERY}"));
        let expected = [
            Some(format!("GET {DISCOVERY}")),
            Some(format!("GET {AUTHORIZE}")),
            again,
            Some(format!("POST {TOKEN}")),
            Some(format!("GET {KEYS}")),
        ];
        let expected: Vec<_> = expected.into_iter().flatten().collect();
        assert_eq!(provider, expected);
        assert_eq!(api, ["OPTIONS /me", "GET /me"]);
        assert_eq!(world.app.log.len(), returned, "a page of the app was loaded to call the API");
    })
    .await;
}

fn paths(log: &Log, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let exchanges = log.all();
    let requests = exchanges.iter().map(|exchange| &exchange.request).filter(|request| is_wanted(request.path()));
    requests.map(|request| format!("{} {}", request.method, request.path())).collect()
}
