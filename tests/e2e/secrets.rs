//! Where codes, tokens and the rest must not be: everywhere that a person, a log or another script can look.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{
    World,
    http::Exchange,
    play,
    provider::{ALICE, AUTHORIZE, REVOCATION, TOKEN},
};

#[tokio::test]
async fn no_secret_is_where_it_must_not_be() {
    play(async |world| {
        world.tolerate("401");
        let mut traces = Traces::default();
        let browser = &world.browser;

        world.open("/profile").await;
        browser.is_signed_out().await;
        traces.of_page(world).await;

        browser.click("Sign in").await;
        browser.deny_at_provider(ALICE).await;
        browser.alert().await;
        traces.of_page(world).await;

        browser.click("Sign in").await;
        browser.sign_in_at_provider(ALICE).await;
        browser.is_signed_in_as(ALICE).await;
        traces.of_page(world).await;
        browser.follow("Profile").await;
        browser.sees("alice@example.com").await;
        traces.of_page(world).await;

        browser.follow("API").await;
        for (button, known) in [("Call /me", "user-1001"), ("Call /orders", "Brass padlock")] {
            browser.click(button).await;
            browser.sees(known).await;
            traces.of_page(world).await;
        }
        browser.follow("Orders").await;
        browser.sees("Oak key cabinet").await;
        traces.of_page(world).await;

        browser.click("Sign out").await;
        browser.until("the way back from the provider", async || (world.provider.log.count("GET", "/session/end") > 0).then_some(())).await;
        browser.is_at(&world.app.url("/")).await;
        browser.is_signed_out().await;
        traces.of_page(world).await;
        browser.follow("API").await;
        browser.click("Call /me").await;
        browser.sees("401").await;
        traces.of_page(world).await;

        traces.of_servers(world).await;
        for address in world.history().await {
            traces.add("the history", address);
        }
        let secrets = secrets(world);
        for kind in ["access token", "code", "code verifier", "ID token", "nonce", "refresh token", "state"] {
            assert!(secrets.iter().any(|(known, _)| *known == kind), "this run had no {kind}, so it proves nothing");
        }
        let found = traces.0.iter().flat_map(|(place, text)| {
            let found = secrets.iter().filter(|(_, secret)| text.contains(secret.as_str()));
            found.map(move |(kind, _)| format!("{kind} in {place}"))
        });
        assert_eq!(found.collect::<BTreeSet<_>>(), BTreeSet::new(), "secrets where they must not be");
    })
    .await;
}

/// What was to be seen, and where.
#[derive(Default)]
struct Traces(Vec<(String, String)>);

/// The names of all databases, what is in them, and the names of all caches.
const DATABASES: &str = "(async () => {
    const names = (await indexedDB.databases()).map(database => database.name);
    const rows = await Promise.all(names.map(name => new Promise((resolve, reject) => {
        const opening = indexedDB.open(name);
        opening.onerror = reject;
        opening.onsuccess = () => {
            const [store] = opening.result.objectStoreNames;
            const reading = opening.result.transaction(store).objectStore(store).getAll();
            reading.onsuccess = () => { opening.result.close(); resolve(reading.result) };
        };
    })));
    return [names, rows.flat(), await caches.keys()];
})()";

impl Traces {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    /// All that the page shows, and all that the scripts and extensions beside it could read.
    async fn of_page(&mut self, world: &World) {
        let page = world.browser.address().await;
        self.add(format!("the HTML of {page}"), world.browser.html().await);
        let kept = world
            .browser
            .script(
                "return {
                    'document.title': document.title,
                    'document.cookie': document.cookie,
                    'document.referrer': document.referrer,
                    'history.state': JSON.stringify(history.state),
                    'localStorage': JSON.stringify(localStorage),
                    'sessionStorage': JSON.stringify(sessionStorage),
                    'window.name': window.name,
                    'resource timing': JSON.stringify(performance.getEntriesByType('resource')),
                }",
            )
            .await;
        let kept = kept.as_object().unwrap_or_else(|| panic!("nothing to be read at {page}"));
        for (place, text) in kept {
            self.add(format!("{place} of {page}"), text.as_str().unwrap_or_default());
        }
        let databases = world.browser.script_async(DATABASES).await;
        let databases: (Vec<String>, Vec<String>, Vec<String>) =
            serde_json::from_value(databases.clone()).unwrap_or_else(|_| panic!("databases that cannot be read: {databases}"));
        let (names, rows, caches) = databases;
        assert!(
            names.iter().all(|name| name == "tokenkeep" || name == "tokenkeep.logins") && caches.is_empty(),
            "the app has other databases, or caches: {names:?}, {caches:?}"
        );
        self.add(format!("the databases of {page}"), rows.join("\n"));
        for address in world.browser.history().await.into_iter().flatten() {
            self.add("the history", address);
        }
        self.add("the address", page);
    }

    /// All that servers could write down, beside what was meant for them; and the console.
    async fn of_servers(&mut self, world: &World) {
        for message in world.browser.console().await {
            self.add("the console", message.text);
        }
        for Exchange { request, .. } in world.app.log.all() {
            // The one request that carries a code and a state.
            if request.path() != "/callback" {
                self.add(format!("a request for {}", request.path()), &request.target);
            }
            self.add(format!("the headers of {}", request.path()), format!("{:?}", request.headers));
            self.add(format!("the body for {}", request.path()), String::from_utf8_lossy(&request.body));
        }
        for Exchange { request, .. } in world.provider.api_log.all() {
            let headers = request.headers.iter().filter(|(name, _)| name != "authorization");
            self.add("a request to the API", format!("{} {:?}", request.target, headers.collect::<Vec<_>>()));
        }
        for Exchange { request, .. } in world.provider.log.all() {
            if request.path() != AUTHORIZE {
                self.add(format!("a request for {} of the provider", request.path()), &request.target);
            }
            if ![TOKEN, REVOCATION].contains(&request.path()) {
                self.add(format!("a body for {} of the provider", request.path()), String::from_utf8_lossy(&request.body));
            }
            self.add("the headers of a request to the provider", format!("{:?}", request.headers));
        }
        let known = [&world.app.origin, &world.provider.issuer, world.provider.api.trim_end_matches('/')];
        for url in world.browser.requests().await {
            let is_known = known.iter().any(|origin| url.strip_prefix(*origin).is_some_and(|rest| rest.starts_with('/')));
            assert!(is_known || !url.starts_with("http"), "somebody else was asked: {url}");
        }
    }
}

/// Everything that the browser was told in confidence, and the pieces of it that would be enough.
fn secrets(world: &World) -> BTreeSet<(&'static str, String)> {
    let mut secrets = BTreeSet::new();
    let mut add = |kind, secret: Option<String>| {
        for secret in secret.into_iter().filter(|secret| !secret.is_empty()) {
            // Of a JWT, who it is about and the signature; its header is the same for all.
            secrets.extend(secret.split('.').skip(1).map(|piece| (kind, piece.to_owned())));
            secrets.insert((kind, secret));
        }
    };
    for Exchange { request, .. } in world.provider.log.of("GET", AUTHORIZE) {
        add("state", request.query("state"));
        add("nonce", request.query("nonce"));
    }
    for Exchange { request, .. } in world.app.log.of("GET", "/callback") {
        add("code", request.query("code"));
    }
    for Exchange { request, response } in world.provider.log.of("POST", TOKEN) {
        add("code", request.form("code"));
        add("code verifier", request.form("code_verifier"));
        let tokens: Value = serde_json::from_slice(&response.expect("an answer").body).expect("tokens");
        for (kind, member) in [("access token", "access_token"), ("ID token", "id_token"), ("refresh token", "refresh_token")] {
            add(kind, tokens[member].as_str().map(str::to_owned));
        }
    }
    secrets
}
