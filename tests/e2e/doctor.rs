//! The page that says what is wrong between the app and its provider.

use serde_json::{Value, json};

use crate::{
    harness::{
        App, World,
        http::{Request, Response},
        play,
        provider::{Break, DISCOVERY, KEYS, REVOCATION, TOKEN, WHOLE},
    },
    pages::is_well_made,
};

#[tokio::test]
async fn a_healthy_provider_has_nothing_wrong() {
    play(async |world| {
        tolerate_what_is_refused(world);
        world.browser.resize(360, 740).await;
        world.open("/doctor").await;
        let found = findings(world).await;
        // The app is of another site than the provider, but it asks for a refresh token.
        let mut expected = vec!["info: third_party_cookies", "info: date_not_exposed"];
        if !world.app.has_worker() {
            expected.push("warning: worker_script_missing");
        }
        assert_eq!(sorted(&found), sorted(&expected));
        world.browser.sees("This works: 0 errors").await;
        assert!(!world.browser.has("#problem").await, "nothing has failed");
        is_well_made(world, "what a doctor says of a healthy provider").await;
    })
    .await;
}

#[tokio::test]
async fn an_issuer_with_a_slash_too_many_is_named_and_the_right_one_is_said() {
    play(async |world| {
        tolerate_what_is_refused(world);
        let mut config = App::config(&world.provider);
        config["issuer"] = json!(format!("{}/", world.provider.issuer));
        world.app.serve_config(Response::new(200, "application/json", config.to_string()));
        world.browser.resize(360, 740).await;
        world.open("/doctor").await;
        let found = findings(world).await;
        assert_eq!(found.iter().filter(|finding| finding.starts_with("error")).collect::<Vec<_>>(), ["error: issuer_trailing_slash"]);
        world.browser.sees("This does not work: 1 error").await;
        let told = world.browser.text_of("[data-code=issuer_trailing_slash]").await;
        assert!(told.contains(&format!("Set issuer to \"{}\"", world.provider.issuer)), "{told}");
        is_well_made(world, "what a doctor says of a wrong issuer").await;

        // It is the same until it is mended, and looked at again.
        world.browser.click("Look again").await;
        assert_eq!(findings(world).await, found);
        world.app.serve_config(Response::new(200, "application/json", App::config(&world.provider).to_string()));
        world.browser.reload().await;
        assert!(!findings(world).await.iter().any(|finding| finding.starts_with("error")));
    })
    .await;
}

/// Each is a way to break the provider or its API, and what is to be said then, beside what is said of a healthy one.
const BROKEN: [(&str, Break); 10] = [
    ("error: discovery_cors", |request, response| no_page_may_read(request, response, DISCOVERY)),
    ("error: jwks_cors", |request, response| no_page_may_read(request, response, KEYS)),
    ("error: token_cors", |request, response| no_page_may_read(request, response, TOKEN)),
    ("warning: revocation_cors", |request, response| no_page_may_read(request, response, REVOCATION)),
    ("warning: userinfo_cors", |request, response| no_page_may_read(request, response, "/userinfo")),
    ("error: api_cors", |request, response| no_page_may_read(request, response, "/")),
    ("error: issuer_mismatch", |request, response| metadata(request, response, |said| said["issuer"] = json!("https://other.invalid"))),
    ("error: pkce_unsupported", |request, response| {
        metadata(request, response, |said| said["code_challenge_methods_supported"] = json!(["plain"]));
    }),
    ("error: metadata_unreadable", |request, response| {
        if is_metadata(request) {
            response.body = b"<!doctype html>".to_vec();
        }
    }),
    ("error: jwks_unusable", |request, response| {
        if request.path() == KEYS {
            response.body = br#"{"keys": []}"#.to_vec();
        }
    }),
];

fn no_page_may_read(request: &Request, response: &mut Response, path: &str) {
    if request.path() == path || (path == DISCOVERY && is_metadata(request)) {
        response.headers.retain(|(name, _)| name != "access-control-allow-origin");
    }
}

/// OpenID Connect and OAuth have a place each, and the provider says the same in both.
fn is_metadata(request: &Request) -> bool {
    request.path().starts_with("/.well-known/")
}

fn metadata(request: &Request, response: &mut Response, change: fn(&mut Value)) {
    if is_metadata(request) && request.method == "GET" {
        let mut said = serde_json::from_slice(&response.body).expect("metadata");
        change(&mut said);
        response.body = said.to_string().into_bytes();
    }
}

#[tokio::test]
async fn each_of_ten_ways_to_be_broken_is_named_and_no_other() {
    play(async |world| {
        tolerate_what_is_refused(world);
        // It looks for the right provider elsewhere too, where the app's policy lets nobody go.
        for text in ["Access-Control", "access control", "CORS", "Cross-Origin", "Failed to load", "Content Security Policy", "connect-src"]
        {
            world.tolerate(text);
        }
        world.open("/doctor").await;
        let healthy = findings(world).await;
        for (expected, how) in BROKEN {
            world.provider.breaks(how);
            world.open("/doctor").await;
            let found = findings(world).await;
            let new: Vec<_> = found.iter().filter(|finding| !healthy.contains(finding)).collect();
            assert_eq!(new, [expected], "{found:?}");
        }
        world.provider.breaks(WHOLE);
        world.open("/doctor").await;
        assert_eq!(findings(world).await, healthy);
    })
    .await;
}

/// What it found, when it has looked.
async fn findings(world: &World) -> Vec<String> {
    let look = "
        const done = /^This/.test(document.querySelector('#status')?.textContent ?? '');
        return done && [...document.querySelectorAll('#findings li')].map(({ dataset }) => `${dataset.severity}: ${dataset.code}`);";
    let found = world.browser.until("findings", async || world.browser.script(look).await.as_array().cloned()).await;
    found.iter().map(Value::to_string).map(|text| text.trim_matches('"').to_owned()).collect()
}

fn sorted<T: AsRef<str>>(found: &[T]) -> Vec<&str> {
    let mut sorted: Vec<_> = found.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    sorted
}

/// What is made up is refused, as it must be, and the console says it.
fn tolerate_what_is_refused(world: &World) {
    for status in ["400", "401", "404"] {
        world.tolerate(status);
    }
}
