//! The page of flows: each of them runs, and the picture shows what it took. Only the Leptos demo has it.

use std::path::Path;

use serde_json::json;

use crate::{
    harness::{
        World, play,
        provider::{ALICE, AUTHORIZE, TOKEN},
    },
    pages::is_well_made,
};

const PUSHED: &str = "/request";

/// Who takes part.
const THREE: [&str; 3] = ["You", "App", "Provider"];

/// The same when a server works for the app.
const FOUR: [&str; 4] = ["App", "Server", "Provider", "API"];

#[tokio::test]
async fn a_code_with_pkce_is_seen_from_the_click_to_the_api() {
    play(async |world| {
        run(world, "code").await;
        says(world, "code", &[ALICE.name, "orders:read"]).await;
        let steps = ["click", "challenge", "yes", "code", "code, verifier", "tokens", "ID token is right", "signed in"];
        shows(world, "code", &THREE, &steps).await;
        assert!(!world.browser.has("#chosen").await, "this is no other configuration");

        world.browser.click("Call the API").await;
        shows(world, "code", &["You", "App", "Provider", "API"], &[&steps[..], &["token", "200"]].concat()).await;
        assert_eq!(world.provider.api_log.count("GET", "/orders"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_request_is_pushed_until_the_usual_flow_is_chosen_again() {
    play(async |world| {
        run(world, "pushed").await;
        says(world, "pushed", &[ALICE.name]).await;
        let there = ["click", "request", "request_uri", "request_uri", "yes"];
        let back = ["code", "code, verifier", "tokens", "ID token is right", "signed in"];
        shows(world, "pushed", &THREE, &[there, back].concat()).await;
        let pushed = world.provider.log.count("POST", PUSHED);
        assert!(pushed > 0, "nothing was pushed");
        let left = world.provider.log.of("GET", AUTHORIZE).pop().expect("a request");
        assert!(left.request.query("request_uri").is_some() && left.request.query("scope").is_none(), "{}", left.request.target);

        world.browser.click("Back to code with PKCE").await;
        world.browser.until("the usual flow", async || (!world.browser.has("#chosen").await).then_some(())).await;
        world.browser.click_in(&card("code")).await;
        says(world, "code", &[ALICE.name]).await;
        assert_eq!(world.provider.log.count("POST", PUSHED), pushed);
    })
    .await;
}

#[tokio::test]
async fn a_signed_response_is_taken_out_of_the_address_and_signs_in() {
    play(async |world| {
        run(world, "signed").await;
        says(world, "signed", &[ALICE.name]).await;
        let steps = ["click", "challenge", "yes", "signed code", "code, verifier", "tokens", "ID token is right", "signed in"];
        shows(world, "signed", &THREE, &steps).await;
        let callbacks = world.callbacks();
        assert!(callbacks.iter().any(|callback| callback.contains("?response=")), "{callbacks:?}");
        assert!(callbacks.iter().all(|callback| !callback.contains("code=")), "{callbacks:?}");
        assert!(!world.history().await.iter().any(|address| address.contains("response=")), "it is in the history");
    })
    .await;
}

#[tokio::test]
async fn an_id_token_beside_the_code_is_verified_before_the_code_is_sent() {
    play(async |world| {
        run(world, "hybrid").await;
        says(world, "hybrid", &[ALICE.name]).await;
        let there = ["click", "challenge", "yes", "code, ID token", "ID token is right"];
        let back = ["code, verifier", "tokens", "ID token is right", "signed in"];
        shows(world, "hybrid", &THREE, &[&there[..], &back].concat()).await;
    })
    .await;
}

#[tokio::test]
async fn authorization_details_are_asked_for_and_granted() {
    play(async |world| {
        run(world, "details").await;
        says(world, "details", &[ALICE.name, r#"{"type":"orders","actions":["read"]}"#]).await;
        let steps = ["click", "details", "yes", "code", "code, verifier", "tokens", "ID token is right", "signed in"];
        shows(world, "details", &THREE, &steps).await;
        assert!(!world.browser.has("#chosen").await, "the configuration is the usual one");
    })
    .await;
}

#[tokio::test]
async fn a_response_as_a_form_is_received_where_no_page_could_read_it() {
    play(async |world| {
        run(world, "form").await;
        says(world, "form", &[ALICE.name]).await;
        let steps = ["click", "challenge", "yes", "code, in a form", "code, verifier", "tokens", "ID token is right", "signed in"];
        shows(world, "form", &THREE, &steps).await;
        assert_eq!(asked_for(world, "response_mode").as_deref(), Some("form_post"));
        assert_eq!(world.exchanges(), 1);
        nothing_of_it_is_left(world).await;
    })
    .await;
}

#[tokio::test]
async fn whoever_says_no_in_a_form_may_try_again() {
    play(async |world| {
        // The provider's page with the form says so.
        world.tolerate("400");
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        world.browser.click_in(&card("form")).await;
        world.browser.deny_at_provider(ALICE).await;
        world.browser.is_at(&world.app.url("/flows")).await;
        says(world, "form", &["Nobody is signed in", "access_denied"]).await;
        shows(world, "form", &THREE, &["click", "challenge", "no", "error, in a form", "access_denied"]).await;
        assert_eq!(world.exchanges(), 0);

        world.browser.click("Try again").await;
        world.browser.sign_in_at_provider(ALICE).await;
        says(world, "form", &[ALICE.name]).await;
        nothing_of_it_is_left(world).await;
    })
    .await;
}

#[tokio::test]
async fn an_id_token_alone_says_who_it_is_and_signs_nobody_in() {
    play(async |world| {
        world.browser.resize(360, 740).await;
        run(world, "id-token").await;
        says(world, "id-token", &[ALICE.name]).await;
        shows(world, "id-token", &THREE, &["click", "nonce", "yes", "ID token, in a form", "ID token is right", "name"]).await;
        is_well_made(world, "Flows with an ID token alone").await;
        assert_eq!(asked_for(world, "response_type").as_deref(), Some("id_token"));
        assert_eq!(asked_for(world, "response_mode").as_deref(), Some("form_post"));

        // The app beside it is another one, and saw nothing of it.
        world.browser.is_signed_out().await;
        assert_eq!(world.exchanges(), 0, "somebody asked for tokens");
        assert!(!world.browser.events().await.iter().any(|event| event == "CallbackReceived" || event == "Failed"));
        assert!(!world.browser.html().await.contains("eyJ"), "a token is in the page");

        // It is forgotten, and the app's own sign-in comes back to the app.
        world.browser.reload().await;
        world.browser.is_signed_out().await;
        assert!(!world.browser.has("#flow-id-token .result").await);
        run(world, "form").await;
        says(world, "form", &[ALICE.name]).await;
        assert!(!world.browser.has("#flow-id-token .result").await);
        nothing_of_it_is_left(world).await;
    })
    .await;
}

#[tokio::test]
async fn whoever_does_not_want_to_be_known_is_not() {
    play(async |world| {
        // The provider's page with the form says so.
        world.tolerate("400");
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        world.browser.click_in(&card("id-token")).await;
        world.browser.deny_at_provider(ALICE).await;
        world.browser.is_at(&world.app.url("/flows")).await;
        says(world, "id-token", &["Nobody is known", "access_denied"]).await;
        shows(world, "id-token", &THREE, &["click", "nonce", "no", "error, in a form", "access_denied"]).await;
        world.browser.is_signed_out().await;
        assert_eq!(world.browser.script("return document.querySelectorAll('[role=alert]').length").await, 1);

        world.browser.click_in(&card("id-token")).await;
        world.browser.sign_in_at_provider(ALICE).await;
        says(world, "id-token", &[ALICE.name]).await;
        nothing_of_it_is_left(world).await;
    })
    .await;
}

#[tokio::test]
async fn without_service_workers_nobody_leaves_for_an_answer_that_would_be_lost() {
    play(async |world| {
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        // As in some private windows.
        let gone = "delete Navigator.prototype.serviceWorker; return navigator.serviceWorker === undefined";
        assert_eq!(world.browser.script(gone).await, true);
        for name in ["form", "id-token"] {
            world.browser.click_in(&card(name)).await;
            let script = format!("return document.querySelector('#flow-{name} [role=alert]')?.innerText ?? ''");
            let says_so = async || {
                let said = world.browser.script(&script).await;
                let said = said.as_str()?;
                (said.contains("cannot receive a form") && said.contains("there are no service workers here")).then_some(())
            };
            world.browser.until(&format!("why {name} cannot work"), says_so).await;
        }
        assert_eq!(world.authorizations(), 0, "somebody left all the same");
        assert_eq!(world.browser.address().await, world.app.url("/flows"));

        // No other flow was chosen by that.
        world.browser.reload().await;
        world.browser.is_signed_out().await;
        assert!(!world.browser.has("#chosen").await);
        world.browser.click_in(&card("code")).await;
        world.browser.sign_in_at_provider(ALICE).await;
        says(world, "code", &[ALICE.name]).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_goes_on_by_its_refresh_token() {
    play(async |world| {
        run(world, "code").await;
        world.browser.is_signed_in_as(ALICE).await;
        // A token that came just now is not renewed.
        let result = "return document.querySelector('#flow-refresh .result')?.innerText ?? ''";
        let mut said = String::new();
        while !said.contains("Renewed by") {
            world.browser.click_in(&card("refresh")).await;
            let answer = async || {
                let said = world.browser.script(result).await.as_str()?.to_owned();
                (said.contains("Renewed by") || said.contains("as good as a new one")).then_some(said)
            };
            said = world.browser.until("what came of it", answer).await;
        }
        says(world, "refresh", &[ALICE.name]).await;
        let tokens = world.provider.log.of("POST", TOKEN);
        assert!(tokens.iter().any(|token| token.request.form("grant_type").as_deref() == Some("refresh_token")));
        let script = "return [...document.querySelectorAll('#flow-refresh .picture .step text')].map(text => text.textContent)";
        let steps = || async { world.browser.script(script).await };
        let is_there = async || steps().await.as_array()?.iter().any(|step| step == "renewed").then_some(());
        world.browser.until("the end of the picture", is_there).await;
        let steps = steps().await;
        let asked: Vec<_> = steps.as_array().expect("steps").iter().filter(|step| *step != "ID token is right").collect();
        assert_eq!(asked, ["click", "refresh token", "new tokens", "renewed"]);
    })
    .await;
}

#[tokio::test]
async fn the_page_is_well_made_on_a_small_phone() {
    play(async |world| {
        world.browser.resize(360, 740).await;
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        is_well_made(world, "Flows").await;
        run(world, "details").await;
        says(world, "details", &[ALICE.name]).await;
        run_on_server(world, "token-exchange", &[ALICE.name], &FOUR, &["your token", "your token", "token", "token", "200", "done"]).await;
        is_well_made(world, "Flows with pictures").await;
    })
    .await;
}

#[tokio::test]
async fn whoever_says_no_sees_where_it_ended_and_may_try_again() {
    play(async |world| {
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        world.browser.click_in(&card("code")).await;
        world.browser.deny_at_provider(ALICE).await;

        world.browser.is_at(&world.app.url("/flows")).await;
        says(world, "code", &["Nobody is signed in", "access_denied"]).await;
        shows(world, "code", &THREE, &["click", "challenge", "no", "error", "access_denied"]).await;
        assert_eq!(world.browser.script("return document.querySelectorAll('[role=alert]').length").await, 1);
        assert_eq!(world.exchanges(), 0);

        world.browser.click("Try again").await;
        world.browser.sign_in_at_provider(ALICE).await;
        says(world, "code", &[ALICE.name]).await;
    })
    .await;
}

#[tokio::test]
async fn a_television_is_signed_in_from_another_tab() {
    play(async |world| {
        // Until somebody has said yes, that is the answer to whoever asks.
        world.tolerate("400");
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        world.browser.click_in(&card("television")).await;
        let code = world.browser.text_of("#user-code").await;
        let link = world.browser.script("return document.querySelector('.tv-code a').href").await;
        assert!(world.browser.has(".qr svg[role=img]").await);
        let television = world.browser.tab().await;
        world.browser.open_tab("about:blank").await;
        world.browser.connect_device(ALICE, link.as_str().expect("a link"), &code).await;

        world.browser.switch_to(&television).await;
        assert_eq!(world.browser.text_of("#viewer").await, ALICE.name);
        let there = ["click", "device?", "two codes", "user code", "user code, yes"];
        let back = ["device code", "tokens", "ID token is right", "signed in"];
        shows(world, "television", &THREE, &[&there[..], &back].concat()).await;
        // The app beside it is another one.
        world.browser.is_signed_out().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_follows_the_flows_that_no_page_can() {
    play(async |world| {
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        for (name, presents, who) in [
            ("client-credentials", "secret", "nobody: the server itself"),
            ("jwt-bearer", "assertion", ALICE.name),
            ("password", "password", ALICE.name),
        ] {
            let steps = ["click", presents, "token", "token", "200", "done"];
            run_on_server(world, name, &[who, "orders:read", "JWT"], &FOUR, &steps).await;
        }
        assert!(!world.browser.html().await.contains("eyJ"), "a token is in the page");
    })
    .await;
}

#[tokio::test]
async fn a_server_gets_a_token_of_its_own_for_that_of_the_user() {
    play(async |world| {
        run(world, "code").await;
        world.browser.is_signed_in_as(ALICE).await;
        let steps = ["your token", "your token", "token", "token", "200", "done"];
        run_on_server(world, "token-exchange", &[ALICE.name, "orders:read", "Acting", "tokenkeep-server"], &FOUR, &steps).await;
        assert!(!world.browser.html().await.contains("eyJ"), "a token is in the page");
    })
    .await;
}

#[tokio::test]
async fn a_website_with_a_server_signs_in_by_a_code_and_its_secret() {
    play(async |world| {
        world.open("/flows").await;
        world.browser.is_signed_out().await;
        let steps = ["click", "challenge", "yes", "code", "code, secret", "token", "token", "200", "signed in"];
        run_on_server(world, "server-code", &[ALICE.name, "ID token"], &["You", "Server", "Provider", "API"], &steps).await;
        world.browser.is_at(&world.app.url("/flows")).await;
        // It is the server's session, and none of the app.
        world.browser.is_signed_out().await;
    })
    .await;
}

/// Runs a flow, and signs in.
async fn run(world: &World, name: &str) {
    world.open("/flows").await;
    world.browser.is_signed_out().await;
    world.browser.click_in(&card(name)).await;
    world.browser.sign_in_at_provider(ALICE).await;
    world.browser.is_at(&world.app.url("/flows")).await;
}

/// Clicks, and waits for what came of it. Where the npm package was not built, that is what to do about it.
async fn run_on_server(world: &World, name: &str, texts: &[&str], lanes: &[&str], arrows: &[&str]) {
    let is_built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pkg/wasm/confidential_bg.wasm").is_file();
    world.browser.click_in(&card(name)).await;
    if !is_built {
        world.tolerate("503");
        return says(world, name, &["cargo xtask npm", "no_confidential"]).await;
    }
    if name == "server-code" {
        world.browser.sign_in_at_provider(ALICE).await;
    }
    says(world, name, texts).await;
    shows(world, name, lanes, arrows).await;
}

/// What the browser was sent to the provider with, the last time.
fn asked_for(world: &World, parameter: &str) -> Option<String> {
    world.provider.log.of("GET", AUTHORIZE).into_iter().rfind(|asked| asked.request.query("client_id").is_some())?.request.query(parameter)
}

/// A response that came as a form reached no server of the app, and is in no address, here and on the way back.
async fn nothing_of_it_is_left(world: &World) {
    let requests = world.app.log.all();
    assert!(requests.iter().any(|exchange| exchange.request.path() == "/callback"), "nobody came back");
    for exchange in requests {
        assert_eq!(exchange.request.method, "GET", "{}", exchange.request.target);
        assert!(!is_of_a_response(&exchange.request.target), "{}", exchange.request.target);
    }
    assert_eq!(world.browser.address().await, world.app.url("/flows"));
    // WebKit does not tell, and does not always go back past a page that was posted.
    if let Some(history) = world.browser.history().await {
        let here = history.iter().filter(|address| address.starts_with(&world.app.origin));
        assert!(here.clone().count() > 0 && !here.clone().any(|address| is_of_a_response(address)), "{history:?}");
    }
}

fn is_of_a_response(address: &str) -> bool {
    ["code=", "error=", "id_token=", "state=", "tokenkeep_"].iter().any(|part| address.contains(part))
}

fn card(name: &str) -> String {
    format!("#flow-{name}")
}

/// What the card says came of it.
async fn says(world: &World, name: &str, texts: &[&str]) {
    let script = format!("return document.querySelector('#flow-{name} .result')?.innerText ?? ''");
    for text in texts {
        let what = format!("{text:?} in the card {name}");
        world.browser.until(&what, async || world.browser.script(&script).await.as_str()?.contains(text).then_some(())).await;
    }
}

/// Waits until the picture has these arrows between these lanes. When metadata and keys are read depends on where the keep is.
async fn shows(world: &World, name: &str, lanes: &[&str], arrows: &[&str]) {
    let script = format!(
        "const texts = css => [...document.querySelectorAll('#flow-{name} .picture svg ' + css)].map(text => text.textContent);
         const about = ['metadata', 'keys'], steps = texts('.step text');
         return [texts('.who'), steps.filter(text => !about.includes(text)), steps.some(text => about.includes(text))]"
    );
    let what = format!("a picture of {name} with {arrows:?}");
    world.browser.until(&what, async || (world.browser.script(&script).await == json!([lanes, arrows, true])).then_some(())).await;
    let named = "return [...document.querySelectorAll('.picture > svg')].every(svg =>
        svg.getAttribute('role') === 'img' && svg.getAttribute('aria-labelledby').split(' ').every(id => document.getElementById(id).textContent))";
    assert_eq!(world.browser.script(named).await, true, "a picture without a title or a description");
}
