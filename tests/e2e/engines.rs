//! What other tests rely on: that the engines and the world do what they are told.

use std::collections::HashSet;

use crate::harness::{
    Cookies, World,
    http::{Log, Request, Response, Server},
    play, play_with,
    provider::{ALICE, Answers, TOKEN},
};

#[tokio::test]
async fn third_party_cookies_are_sent_where_they_are_allowed() {
    play_with(Cookies::ThirdPartyAllowed, async |world| {
        assert_eq!(cookies_of_a_frame(world).await.as_deref(), Some("known=yes"));
    })
    .await;
}

#[tokio::test]
async fn third_party_cookies_are_not_sent_where_they_are_blocked() {
    play_with(Cookies::ThirdPartyBlocked, async |world| assert_eq!(cookies_of_a_frame(world).await, None)).await;
}

#[tokio::test]
async fn a_page_that_is_left_from_within_is_found_alive() {
    play(async |world| {
        world.tolerate("/interaction/");
        world.open("/").await;
        world.browser.is_signed_out().await;
        world.browser.mark().await;
        world.browser.click_from_within("Sign in").await;
        world.browser.is_asked_for_password().await;
        assert!(!world.browser.is_marked().await);

        assert_eq!(world.browser.back_from_within().await, world.app.url("/"));
        assert!(world.browser.is_marked().await, "the page was loaded again");
        world.browser.reload().await;
        assert!(!world.browser.is_marked().await, "a page that was loaded again is taken for the same");
    })
    .await;
}

#[tokio::test]
async fn many_tabs_are_open_at_once() {
    play(async |world| {
        world.open("/").await;
        let first = world.browser.tab().await;
        let tabs = world.browser.open_tabs(5, &world.app.url("/profile")).await;
        assert_eq!(tabs.iter().chain([&first]).map(ToString::to_string).collect::<HashSet<_>>().len(), 6);
        for tab in &tabs {
            world.browser.switch_to(tab).await;
            world.browser.is_at(&world.app.url("/profile")).await;
            world.browser.is_signed_out().await;
        }
        world.browser.close_tab(&first).await;
        world.browser.is_at(&world.app.url("/")).await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_lost_was_given() {
    play(async |world| {
        world.tolerate("net::ERR_EMPTY_RESPONSE");
        world.provider.let_answers(TOKEN, Answers::GetLost(1));
        world.open("/").await;
        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        let alert = world.browser.alert().await;
        assert!(alert.contains("Signing in failed"), "{alert}");
        let given = world.provider.log.of("POST", TOKEN).into_iter().map(|exchange| exchange.response.map(|response| response.status));
        assert_eq!(given.collect::<Vec<_>>(), [Some(200)]);

        world.browser.click("Sign in").await;
        world.browser.is_signed_in_as(ALICE).await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_waits_comes_when_it_may() {
    play(async |world| {
        world.provider.let_answers(TOKEN, Answers::Wait);
        world.open("/").await;
        world.browser.click("Sign in").await;
        world.browser.sign_in_at_provider(ALICE).await;
        world.browser.until("a request for tokens", async || (world.exchanges() > 0).then_some(())).await;
        assert!(!world.browser.text().await.contains(ALICE.name));

        world.provider.let_answers(TOKEN, Answers::Come);
        world.browser.is_signed_in_as(ALICE).await;
        assert_eq!(world.exchanges(), 1);
    })
    .await;
}

#[tokio::test]
async fn whoever_was_out_of_reach_remembers_everybody() {
    play(async |world| {
        world.tolerate("net::ERR_CONNECTION_REFUSED");
        world.sign_in(ALICE).await;
        world.browser.follow("API").await;
        world.provider.disconnect().await;
        world.browser.click("Call /me").await;
        world.browser.alert().await;
        assert_eq!(world.provider.api_log.len(), 0);

        world.provider.connect().await;
        world.browser.click("Call /me").await;
        world.browser.sees("user-1001").await;
    })
    .await;
}

/// What a page of another site makes the browser send to one that it knows.
async fn cookies_of_a_frame(world: &World) -> Option<String> {
    let log = Log::default();
    let server = Server::start(0, log.clone(), async |request: Request| {
        let page = match request.path() {
            "/frame" => String::new(),
            "/page" => format!("<iframe src=\"http://{}/frame\"></iframe>", request.header("host")?.replace("127.0.0.1", "localhost")),
            _ => return Some(Response { status: 404, ..Response::default() }),
        };
        let response = Response::new(200, "text/html", format!("<!doctype html><link rel=icon href=data:,>{page}"));
        // WebKit takes no secure cookie without TLS. The others do from this machine, and take no other one that is for third parties.
        Some(response.with("set-cookie", "known=yes; SameSite=None; Secure").with("set-cookie", "known=yes; SameSite=None"))
    })
    .await;
    let port = server.port;
    world.browser.open(&format!("http://localhost:{port}/frame")).await;
    world.browser.open(&format!("http://127.0.0.1:{port}/page")).await;
    let frame = async || log.of("GET", "/frame").into_iter().nth(1);
    let frame = world.browser.until("the frame", frame).await;
    frame.request.header("cookie").map(str::to_owned)
}
