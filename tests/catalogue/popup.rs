//! Sign-in in a window of its own: what the keep takes for a response, once, and what is left of a sign-in that came to nothing. The window
//! itself is tested in `packaging/popup.test.js` and `e2e/popup.rs`.

use std::time::Duration;

use tokenkeep::{
    Config, Error, Event, Session, SignIn, State,
    page::{PopupSignIn, ports::FramedBy},
    protocol::{Interrupted, Misbehaved, Misconfigured, PendingLogin, ResponseMode, ResponseType, Source},
};

use crate::{
    test,
    world::{Endpoint, ISSUER, ORIGIN, Tab, World, run},
};

const POPUP: &str = "https://app.example/popup.html";

/// The sign-in of a tab, and where its window is sent.
struct Window<'a> {
    tab: &'a Tab,
    state: String,
    url: String,
}

impl Window<'_> {
    fn of(tab: &Tab) -> Window<'_> {
        Window::asking(tab, SignIn::default()).unwrap()
    }

    fn asking(tab: &Tab, sign_in: SignIn) -> Result<Window<'_>, Error> {
        let PopupSignIn { state, url } = run(tab.client.begin_popup(sign_in))?;
        Ok(Window { tab, state: state.expose().clone(), url: url.expose().clone() })
    }

    /// The user signs in there: the address that the window comes back to.
    fn response(&self) -> String {
        self.tab.world.provider.authorize(&self.url)
    }

    fn hand_over(&self, address: &str) -> Result<Option<Session>, Error> {
        run(self.tab.client.finish_popup(&self.state, address))
    }

    fn end(&self, why: Interrupted) -> Error {
        run(self.tab.client.end_popup(&self.state, why)).unwrap_err()
    }
}

fn user(tab: &Tab) -> Option<String> {
    if let State::SignedIn(session) = tab.state() { session.subject().map(str::to_owned) } else { None }
}

#[test]
fn whoever_signs_in_in_a_window_is_signed_in_in_the_page_that_stays() {
    let world = World::new();
    let tab = world.tab();
    let (address, stored) = (tab.bar.address.borrow().clone(), world.stored());
    let window = Window::of(&tab);
    // It waits in memory only.
    assert_eq!(world.stored(), stored);
    assert!(window.url.contains("redirect_uri=https%3A%2F%2Fapp.example%2Fpopup.html"), "{}", window.url);
    let session = window.hand_over(&window.response()).unwrap().unwrap();
    assert_eq!((session.subject(), user(&tab).as_deref()), (Some("alice"), Some("alice")));
    assert_eq!((&*tab.bar.address.borrow(), tab.bar.went.borrow().len(), tab.bar.replaced.borrow().len()), (&address, 0, 0));
    assert_eq!(world.count(Endpoint::Token), 1);
    assert_eq!(tab.fetch(&format!("{}me", crate::world::API)).unwrap().status, 200);
    let events = tab.events.borrow();
    assert_eq!(events.iter().filter(|event| **event == Event::SignedIn).count(), 1);
    assert!(!events.contains(&Event::Redirecting) && events.contains(&Event::CallbackReceived));
}

#[test]
fn the_response_may_come_in_any_way_but_a_form() {
    let usual = World::config();
    for (config, sent) in [
        (usual.clone().response_mode(ResponseMode::Fragment), "fragment"),
        (usual.clone().response_mode(ResponseMode::QueryJwt), "query.jwt"),
        (usual.clone().response_mode(ResponseMode::FragmentJwt), "fragment.jwt"),
        (usual.clone().response_mode(ResponseMode::FormPostJwt).form_post_receiver(), "query.jwt"),
        (usual.clone().response_mode(ResponseMode::FormPost).form_post_receiver(), ""),
        (usual.clone().response_type(ResponseType::CodeIdToken), ""),
        (usual.clone().popup_redirect_path("/signed-in/"), ""),
        (usual.popup_redirect_uri("https://app.example/there?window=1"), ""),
    ] {
        let world = World::new();
        let tab = world.tab_with(&config).unwrap();
        let window = Window::of(&tab);
        let mode = url::Url::parse(&window.url)
            .unwrap()
            .query_pairs()
            .find(|(name, _)| name == "response_mode")
            .map(|(_, mode)| mode.into_owned());
        assert_eq!(mode.unwrap_or_default(), sent);
        let outcome = window.hand_over(&window.response());
        assert!(matches!(outcome, Ok(Some(_))), "{sent}: {outcome:?}");
    }
}

#[test]
fn a_pushed_request_names_its_state_to_the_page_only() {
    let world = World::new();
    world.provider.takes_pushed_requests();
    let tab = world.tab_with(&World::config().pushed_authorization_requests(true)).unwrap();
    let window = Window::of(&tab);
    assert!(!window.url.contains(&window.state), "{}", window.url);
    assert!(window.hand_over(&window.response()).unwrap().is_some());
}

#[test]
fn a_code_is_bound_to_the_key_that_stays() {
    let world = World::new();
    let tab = world.tab_with(&World::config().dpop(true)).unwrap();
    let window = Window::of(&tab);
    assert!(window.url.contains("dpop_jkt="), "{}", window.url);
    assert!(window.hand_over(&window.response()).unwrap().is_some());
}

// pop-twice
#[test]
fn what_is_delivered_twice_is_redeemed_once() {
    let world = World::new();
    let tab = world.tab();
    let window = Window::of(&tab);
    let response = window.response();
    // At once, and afterwards.
    let (first, second) = (tab.client.finish_popup(&window.state, &response), tab.client.finish_popup(&window.state, &response));
    assert_eq!(run(second), Ok(None));
    assert!(run(first).unwrap().is_some());
    assert_eq!(window.hand_over(&response), Ok(None));
    assert_eq!((world.count(Endpoint::Token), user(&tab).as_deref()), (1, Some("alice")));
}

// pop-source, pop-chan
#[test]
fn what_is_no_response_to_this_sign_in_changes_nothing() {
    let world = World::new();
    let (tab, other) = (world.tab(), world.tab());
    let (window, theirs) = (Window::of(&tab), Window::of(&other));
    let response = window.response();
    let (_, query) = response.split_once('?').unwrap();
    for address in [
        String::new(),
        "null".to_owned(),
        query.to_owned(),
        POPUP.to_owned(),
        format!("{ORIGIN}/callback?{query}"),
        format!("https://evil.example/popup.html?{query}"),
        format!("{ISSUER}/popup.html?{query}"),
        format!("{POPUP}?code=mine"),
        format!("{POPUP}?code=mine&state=another"),
        format!("{POPUP}?code=mine&state={0}&state={0}", window.state),
        format!("{POPUP}?state={}", window.state),
        format!("{POPUP}?code={}&state={}", "x".repeat(70_000), window.state),
        theirs.response(),
    ] {
        assert_eq!(window.hand_over(&address), Ok(None), "{address}");
    }
    // Another sign-in's name does not help, nor does another tab's keep.
    assert_eq!(run(tab.client.finish_popup(&theirs.state, &response)), Ok(None));
    assert_eq!(run(other.client.finish_popup(&window.state, &response)), Ok(None));
    // Neither is it a response in an address bar.
    let mut third = world.tab();
    assert_eq!(third.arrive(&format!("{ORIGIN}/callback?{query}")), Err(Misbehaved::StateUnknown.into()));
    assert_eq!(world.count(Endpoint::Token), 0);
    assert!(window.hand_over(&response).unwrap().is_some());
}

#[test]
fn a_response_that_is_refused_uses_it_up_and_leaves_who_is_signed_in() {
    let world = World::new();
    let mut tab = world.tab();
    tab.sign_in().unwrap();
    let redeemed = world.count(Endpoint::Token);
    for (change, error) in [
        ("iss=https%3A%2F%2Fevil.example", Error::from(Misbehaved::IssuerMismatch)),
        ("access_token=x", Misbehaved::UnexpectedToken.into()),
    ] {
        let window = Window::of(&tab);
        let response = window.response();
        let kept = response.split('&').filter(|pair| !pair.starts_with("iss=")).collect::<Vec<_>>().join("&");
        assert_eq!(window.hand_over(&format!("{kept}&{change}")), Err(error));
        assert_eq!(window.hand_over(&response), Ok(None));
    }
    let denied = Window::of(&tab);
    let refused = denied.hand_over(&format!("{POPUP}?error=access_denied&state={}&iss=https%3A%2F%2Fas.example", denied.state));
    assert_eq!(refused.unwrap_err().code(), "access_denied");
    assert_eq!((user(&tab).as_deref(), world.count(Endpoint::Token)), (Some("alice"), redeemed));
}

#[test]
fn a_silent_request_that_asks_for_the_user_says_so() {
    let world = World::new();
    let tab = world.tab();
    let window = Window::asking(&tab, SignIn::default().prompt([tokenkeep::Prompt::None])).unwrap();
    let refused = window.hand_over(&format!("{POPUP}?error=login_required&state={}&iss=https%3A%2F%2Fas.example", window.state));
    assert_eq!(refused.unwrap_err().code(), "login_required");
    assert_eq!(tab.state(), State::SignedOut);
}

// pop-close, pop-super
#[test]
fn a_window_that_was_given_up_is_nobodys_failure() {
    for why in [Interrupted::Cancelled, Interrupted::PopupClosed, Interrupted::PopupSuperseded] {
        let world = World::new();
        let tab = world.tab();
        let window = Window::of(&tab);
        let response = window.response();
        assert_eq!(window.end(why), why.into());
        assert_eq!(tab.state(), State::SignedOut);
        assert_eq!(window.hand_over(&response), Ok(None));
        assert_eq!(world.count(Endpoint::Token), 0);
    }
}

// pop-block, pop-gesture
#[test]
fn a_window_that_did_not_open_is_told_of_and_the_next_one_may() {
    let world = World::new();
    let tab = world.tab();
    let (requests, stored) = (world.requests().len(), world.stored());
    let refused = run(tab.client.end_popup("", PopupSignIn::ended("popup_blocked")));
    let blocked = Error::from(Interrupted::PopupBlocked);
    assert_eq!((refused, tab.state()), (Err(blocked.clone()), State::Failed(blocked.clone())));
    assert!(tab.events.borrow().contains(&Event::Failed(blocked)));
    assert_eq!((world.requests().len(), world.stored()), (requests, stored));
    let window = Window::of(&tab);
    assert_eq!(tab.state(), State::SignedOut);
    assert!(window.hand_over(&window.response()).unwrap().is_some());
}

// pop-never
#[test]
fn a_window_that_comes_back_too_late_signs_nobody_in() {
    let world = World::new();
    let tab = world.tab();
    let window = Window::of(&tab);
    let response = window.response();
    world.later(PendingLogin::LIFE + Duration::from_secs(1));
    assert_eq!(window.hand_over(&response), Err(Misbehaved::SignInExpired.into()));
    assert_eq!((world.count(Endpoint::Token), window.hand_over(&response)), (0, Ok(None)));

    let window = Window::of(&tab);
    let late = PopupSignIn::ended("timed_out");
    assert_eq!(window.end(late), Interrupted::TimedOut { from: Source::Authorization }.into());
    assert_eq!(window.hand_over(&window.response()), Ok(None));
}

// pop-nolistener
#[test]
fn a_page_that_was_loaded_anew_knows_nothing_of_its_window() {
    let world = World::new();
    let mut tab = world.tab();
    let (state, response) = {
        let window = Window::of(&tab);
        (window.state.clone(), window.response())
    };
    tab.load(&format!("{ORIGIN}/"));
    assert_eq!(run(tab.client.finish_popup(&state, &response)), Ok(None));
    assert_eq!(world.count(Endpoint::Token), 0);
}

#[test]
fn windows_that_nobody_finishes_do_not_pile_up() {
    let world = World::new();
    let tab = world.tab();
    let first = Window::of(&tab);
    let more: Vec<_> = (0..tokenkeep::keep::MAX_PENDING).map(|_| Window::of(&tab)).collect();
    assert_eq!(first.hand_over(&first.response()), Ok(None));
    let last = more.last().unwrap();
    assert!(last.hand_over(&last.response()).unwrap().is_some());
    // Nor does a client that was closed remember any.
    let closed = Window::of(&tab);
    let response = closed.response();
    tab.client.close();
    assert_eq!(closed.hand_over(&response), Ok(None));
}

#[test]
fn no_window_is_sent_anywhere_from_inside_somebody_elses_page() {
    let world = World::new();
    let tab = world.tab();
    tab.bar.framed.set(FramedBy::AnotherOrigin);
    assert_eq!(Window::asking(&tab, SignIn::default()).err(), Some(Misconfigured::Framed.into()));
    assert_eq!(tab.state(), State::Failed(Misconfigured::Framed.into()));
}

#[test]
fn options_of_the_window_read_as_they_were_written() {
    for config in [World::config().popup_redirect_path("/done.html"), World::config().popup_redirect_uri("https://app.example/done.html")] {
        assert_eq!(Config::from_json(&config.to_json().to_string()), Ok(config));
    }
    for elsewhere in
        [World::config().popup_redirect_path("popup.html"), World::config().popup_redirect_uri("https://evil.example/popup.html")]
    {
        assert_eq!(elsewhere.check(ORIGIN).err(), Some(Misconfigured::RedirectUriMalformed));
    }
}

#[test]
fn nothing_that_is_shown_of_a_window_is_secret() {
    let world = World::new();
    let tab = world.tab();
    let window = run(tab.client.begin_popup(SignIn::default())).unwrap();
    let shown = format!("{window:?}");
    assert!(!shown.contains(window.state.expose().as_str()), "{shown}");
}
