//! One keep that serves all pages of a browser, as it does in a SharedWorker.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::future::join;
use tokenkeep::{
    Client, Config, Ended, Error, Event, Finished, Request, Response, SignIn, SignOut, State, Subscription,
    page::{Pages, ports::FramedBy},
    protocol::Interrupted,
};

use crate::{
    test,
    world::{API, Bar, Endpoint, ORIGIN, World, run},
};

/// The pages of a browser that has nothing but one keep.
struct Browser {
    world: World,
    pages: Pages,
}

struct Page {
    client: Client,
    bar: Rc<Bar>,
    events: Rc<RefCell<Vec<Event>>>,
    _listening: Subscription,
}

impl Browser {
    fn new(config: &Config) -> Browser {
        let world = World::new();
        world.no_channels.set(true);
        let pages = Pages::open(config, world.ports(), ORIGIN).unwrap();
        Browser { world, pages }
    }

    fn at(&self, address: &str, framed_by: FramedBy) -> Page {
        let bar = Rc::new(Bar { address: RefCell::new(address.to_owned()), ..Bar::default() });
        bar.framed.set(framed_by);
        let client = self.pages.join(bar.clone());
        let events: Rc<RefCell<Vec<Event>>> = Rc::default();
        let sink = events.clone();
        let listening = client.on_event(move |event| sink.borrow_mut().push(event.clone()));
        Page { client, bar, events, _listening: listening }
    }

    /// A page that was loaded, and looked at its address.
    fn open(&self) -> Page {
        let page = self.at(&format!("{ORIGIN}/"), FramedBy::Nobody);
        run(page.client.finish_sign_in()).unwrap();
        page
    }

    /// A page leaves for the provider, where this user signs in, and the page at the redirect URI takes its place.
    fn sign_in(&self, page: Page, user: &str) -> Page {
        let callback = self.leave(&page, user);
        drop(page);
        self.come_back(&callback)
    }

    fn leave(&self, page: &Page, user: &str) -> String {
        run(page.client.sign_in(SignIn::default())).unwrap();
        self.world.provider.user(user);
        let url = page.bar.went.borrow().last().cloned().unwrap();
        self.world.provider.authorize(&url)
    }

    fn come_back(&self, callback: &str) -> Page {
        let page = self.at(callback, FramedBy::Nobody);
        let finished = run(page.client.finish_sign_in());
        assert!(matches!(finished, Ok(Finished::SignedIn { .. })), "{finished:?}");
        page
    }
}

impl Page {
    fn user(&self) -> Option<String> {
        match self.client.state() {
            State::SignedIn(session) => session.subject().map(str::to_owned),
            _ => None,
        }
    }

    fn call(&self) -> Result<u16, Error> {
        run(self.client.fetch(Request::get(format!("{API}me")))).map(|response: Response| response.status)
    }

    fn ends(&self) -> Vec<Ended> {
        self.events.borrow().iter().filter_map(|event| if let Event::Ended(reason) = event { Some(*reason) } else { None }).collect()
    }
}

fn needed() -> Result<u16, Error> {
    Err(Interrupted::SignInNeeded.into())
}

#[test]
fn whoever_signs_in_in_one_page_is_signed_in_in_all() {
    let browser = Browser::new(&World::config());
    let first = browser.open();
    let second = browser.sign_in(browser.open(), "alice");
    for page in [&first, &second] {
        assert_eq!(page.user().as_deref(), Some("alice"));
        assert_eq!(page.events.borrow().iter().filter(|event| **event == Event::SignedIn).count(), 1);
        assert_eq!(page.call(), Ok(200));
    }
    // One that comes later asks nobody.
    let requests = browser.world.requests().len();
    let third = browser.at(&format!("{ORIGIN}/"), FramedBy::Nobody);
    assert_eq!(third.client.state(), State::Unknown);
    let finished = run(third.client.finish_sign_in());
    assert!(matches!(finished, Ok(Finished::Restored { .. })), "{finished:?}");
    assert_eq!(third.user().as_deref(), Some("alice"));
    assert_eq!(browser.world.requests().len(), requests);
}

#[test]
fn one_renewal_is_for_all_pages() {
    let browser = Browser::new(&World::config());
    let first = browser.sign_in(browser.open(), "alice");
    let second = browser.open();
    let before = browser.world.count(Endpoint::Token);
    browser.world.sleep(Duration::from_secs(400));
    let call = |page: &Page| page.client.fetch(Request::get(format!("{API}me")));
    let (one, other) = run(join(call(&first), call(&second)));
    assert_eq!((one.unwrap().status, other.unwrap().status), (200, 200));
    assert_eq!(browser.world.count(Endpoint::Token), before + 1);
    for page in [&first, &second] {
        assert!(page.events.borrow().iter().any(|event| matches!(event, Event::Renewed { .. })));
    }
}

#[test]
fn whoever_signs_out_in_one_page_is_signed_out_in_all() {
    let browser = Browser::new(&World::config());
    let first = browser.sign_in(browser.open(), "alice");
    let second = browser.open();
    run(first.client.sign_out(SignOut::Provider)).unwrap();
    for page in [&first, &second] {
        assert_eq!(page.client.state(), State::SignedOut);
        assert_eq!(page.ends(), [Ended::SignedOut]);
        assert_eq!(page.call(), needed());
    }
    // Only the page that was asked to leaves.
    assert_eq!((first.bar.went.borrow().len(), second.bar.went.borrow().len()), (1, 0));
}

// tab-otheruser
#[test]
fn another_user_in_one_page_is_not_met_in_the_others() {
    let browser = Browser::new(&World::config());
    let alices = browser.sign_in(browser.open(), "alice");
    let bobs = browser.sign_in(browser.open(), "bob");
    assert_eq!(bobs.user().as_deref(), Some("bob"));
    assert_eq!((bobs.ends(), bobs.call()), (vec![], Ok(200)));
    assert_eq!((alices.user(), alices.ends(), alices.call()), (None, vec![Ended::UserChanged], needed()));
    // Neither when the token is renewed.
    browser.world.later(Duration::from_secs(600));
    assert_eq!((alices.user(), alices.call(), bobs.call()), (None, needed(), Ok(200)));
    assert_eq!(run(alices.client.renew()), Err(Interrupted::SignInNeeded.into()));
    assert_eq!(run(alices.client.user_info()), Err(Interrupted::SignInNeeded.into()));
    // A page that is loaded anew is whose session it is.
    assert_eq!(browser.open().user().as_deref(), Some("bob"));
}

#[test]
fn a_call_that_is_under_way_is_not_answered_to_another_user() {
    let browser = Browser::new(&World::config());
    let alices = browser.sign_in(browser.open(), "alice");
    let callback = browser.leave(&browser.open(), "bob");
    browser.world.network.latency.set(1000);
    let (answer, bobs) = run(join(alices.client.fetch(Request::get(format!("{API}me"))), async {
        let page = browser.at(&callback, FramedBy::Nobody);
        page.client.finish_sign_in().await.unwrap();
        page
    }));
    let to_alice = browser.world.requests().iter().filter(|sent| sent.to == Some(Endpoint::Api)).count();
    assert_eq!(to_alice, 1);
    assert!(answer.is_ok() || answer == Err(Interrupted::SignInNeeded.into()), "{answer:?}");
    assert_eq!((alices.user(), bobs.user().as_deref()), (None, Some("bob")));
}

#[test]
fn only_the_latest_page_is_asked_to_leave() {
    let browser = Browser::new(&World::config().renew_by_frame(false).renew_by_redirect(true).scopes("openid orders:read"));
    browser.world.provider.token_response(|body| {
        body.as_object_mut().unwrap().remove("refresh_token");
    });
    let first = browser.sign_in(browser.open(), "alice");
    let second = browser.open();
    browser.world.later(Duration::from_secs(400));
    assert_eq!((first.bar.went.borrow().len(), second.bar.went.borrow().len()), (0, 1));
}

#[test]
fn a_keep_that_forgets_still_finishes_what_was_begun() {
    let browser = Browser::new(&World::config());
    let page = browser.sign_in(browser.open(), "alice");
    let callback = browser.leave(&page, "alice");
    drop(page);
    browser.pages.forget();
    let after = browser.open();
    assert_eq!((after.user(), after.call()), (None, needed()));
    assert_eq!(browser.come_back(&callback).user().as_deref(), Some("alice"));
}

#[test]
fn a_page_in_somebody_elses_page_is_not_shown_who_is_signed_in() {
    let browser = Browser::new(&World::config());
    let framed = browser.at(&format!("{ORIGIN}/"), FramedBy::AnotherOrigin);
    assert_eq!(run(framed.client.finish_sign_in()), Ok(Finished::Nothing));
    let page = browser.sign_in(browser.open(), "alice");
    assert_eq!((framed.user(), framed.call()), (None, needed()));
    assert_eq!((page.user().as_deref(), page.call()), (Some("alice"), Ok(200)));
}
