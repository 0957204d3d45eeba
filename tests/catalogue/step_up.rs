//! APIs that want the user to authenticate in another way, or again: who waits, who is asked, and who is sent once more.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::poll_fn,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use serde_json::{Value, json};
use tokenkeep::{
    Config, Ended, Error, Event, Request, SignIn, SignOut, State, StepUp,
    keep::{
        STEP_UP_PATIENCE,
        ports::{Answer, Http, HttpFailure},
    },
    protocol::{Challenge, Interrupted, Misbehaved, Misconfigured, Response, Source},
};

use crate::{
    test,
    world::{API, Endpoint, ISSUER, ORIGIN, Sent, Tab, Weather, Worker, World, json_response, put, run},
};

const MFA: &str = r#"acr_values="mfa phrh", max_age="300""#;

/// A provider that says how users signed in, and an API that wants it to have been strong where money is transferred.
struct Bank {
    world: World,
    /// What the next ID token says.
    acr: Rc<RefCell<Value>>,
    auth_time: Rc<Cell<Option<u64>>>,
    /// What the API asks for, and of which tokens: unless it is insatiable, of those that came of no strong sign-in.
    demand: Rc<RefCell<String>>,
    insatiable: Rc<Cell<bool>>,
}

impl Bank {
    fn new() -> Bank {
        Bank::of(World::new())
    }

    fn of(world: World) -> Bank {
        let bank = Bank {
            acr: Rc::new(RefCell::new(json!("pwd"))),
            auth_time: Rc::default(),
            demand: Rc::new(RefCell::new(MFA.to_owned())),
            insatiable: Rc::default(),
            world,
        };
        let strong: Rc<RefCell<BTreeSet<u64>>> = Rc::default();
        let (acr, auth_time, marked, time) = (bank.acr.clone(), bank.auth_time.clone(), strong.clone(), bank.world.time.clone());
        bank.world.provider.claims(move |claims| {
            put(claims, "acr", &acr.borrow());
            claims["auth_time"] = json!(auth_time.get().unwrap_or(time.now.get() / 1000));
            if claims["acr"] == json!("mfa") {
                marked.borrow_mut().extend(claims["sid"].as_str().and_then(|sid| sid.strip_prefix("sid-")?.parse::<u64>().ok()));
            }
        });
        let (demand, insatiable, provider) = (bank.demand.clone(), bank.insatiable.clone(), bank.world.provider.clone());
        bank.world.provider.answer(Endpoint::Api, move |sent, right| {
            let (scheme, token) = sent.token().unwrap_or_default();
            let is_strong = provider.lineage(token).is_some_and(|(grant, _)| strong.borrow().contains(&grant));
            if right.status != 200 || !sent.url.contains("/transfer") || (is_strong && !insatiable.get()) {
                return Ok(right);
            }
            Ok(demanding(scheme, &demand.borrow()))
        });
        bank
    }

    fn config() -> Config {
        World::config().step_up(true)
    }

    fn signed_in(&self) -> Tab {
        self.signed_in_with(&Bank::config())
    }

    fn signed_in_with(&self, config: &Config) -> Tab {
        let mut tab = self.world.tab_with(config).unwrap();
        tab.sign_in().unwrap();
        tab.news();
        tab
    }

    /// The user agrees in this very page, as in a popup: what came of it.
    fn step_up(&self, tab: &Tab) -> Result<(), Error> {
        self.sign_in(tab, tab.client.step_up().map(SignIn::from).unwrap())
    }

    fn sign_in(&self, tab: &Tab, sign_in: SignIn) -> Result<(), Error> {
        // A page that stays where it is may leave again only after a while.
        self.world.later(Duration::from_secs(6));
        let url = tab.leave(sign_in)?;
        tab.see(&self.world.provider.authorize(&url)).map(drop)
    }

    fn says(&self, acr: &str) {
        *self.acr.borrow_mut() = json!(acr);
    }

    /// How often the API was asked for a transfer.
    fn transfers(&self) -> Vec<Sent> {
        self.world.requests().into_iter().filter(|sent| sent.url.contains("/transfer")).collect()
    }
}

fn demanding(scheme: &str, demand: &str) -> Response {
    let field = format!(r#"{scheme} error="insufficient_user_authentication", error_description="more", {demand}"#);
    let mut response = json_response(401, &json!({"error": "insufficient_user_authentication"}));
    response.headers.push(("www-authenticate".into(), field));
    response
}

/// A call that may have to wait.
#[derive(Clone)]
struct Call(Rc<RefCell<Option<Result<Response, Error>>>>);

impl Call {
    fn of(tab: &Tab, request: Request) -> Call {
        let (outcome, calling) = (Rc::<RefCell<_>>::default(), tab.client.fetch(request));
        let call = Call(outcome.clone());
        tab.world.device.spawn(&tab.process, Box::pin(async move { *outcome.borrow_mut() = Some(calling.await) }));
        tab.world.settle();
        call
    }

    fn waits(&self) -> bool {
        self.0.borrow().is_none()
    }

    fn outcome(&self) -> Option<Result<u16, Error>> {
        self.0.borrow().as_ref().map(|outcome| outcome.as_ref().map(|response| response.status).map_err(Clone::clone))
    }
}

fn transfer(number: u32) -> Request {
    Request::new("POST", format!("{API}transfer/{number}")).header("content-type", "application/json").body(format!("[{number}]"))
}

fn me(tab: &Tab) -> Result<u16, Error> {
    tab.fetch(&format!("{API}me")).map(|response| response.status)
}

fn asks(tab: &Tab) -> Vec<StepUp> {
    let events = tab.news();
    events.into_iter().filter_map(|event| if let Event::StepUpNeeded(step_up) = event { Some(step_up) } else { None }).collect()
}

fn step_up(demand: &str) -> StepUp {
    let challenge = Challenge::read(demanding("Bearer", demand).header("www-authenticate").unwrap()).unwrap();
    StepUp::of(&challenge).unwrap()
}

fn needed() -> Error {
    Interrupted::SignInNeeded.into()
}

fn looped() -> Error {
    Misbehaved::StepUpLoop.into()
}

// dp-stepup, id-acr, id-authtime
#[test]
fn what_waits_is_sent_once_more_when_the_user_has_authenticated_and_the_rest_goes_on() {
    for config in [Bank::config(), Bank::config().dpop(true)] {
        let bank = Bank::new();
        let tab = bank.signed_in_with(&config);
        let calls = [1, 2].map(|number| Call::of(&tab, transfer(number)));
        assert!(calls.iter().all(Call::waits));
        assert_eq!(tab.client.step_up(), Some(step_up(MFA)));
        assert_eq!((asks(&tab), bank.transfers().len(), tab.bar.went.borrow().len()), (vec![step_up(MFA)], 2, 0));
        assert_eq!(me(&tab), Ok(200));

        bank.says("mfa");
        let before = bank.world.count(Endpoint::Token);
        assert_eq!(bank.step_up(&tab), Ok(()));
        let went = tab.bar.went.borrow().last().unwrap().clone();
        assert!(went.contains("acr_values=mfa%20phrh") && went.contains("max_age=300"), "{went}");
        bank.world.settle();
        assert_eq!(calls.each_ref().map(Call::outcome), [Some(Ok(200)), Some(Ok(200))]);
        // Once, with the new token, and what they were.
        let sent = bank.transfers();
        let bodies: Vec<_> = sent.iter().map(|sent| (sent.url.chars().next_back().unwrap(), sent.body.as_str())).collect();
        assert_eq!(bodies, [('1', "[1]"), ('2', "[2]"), ('1', "[1]"), ('2', "[2]")]);
        let grants: Vec<_> = sent.iter().map(|sent| bank.world.provider.lineage(sent.token().unwrap().1).unwrap().0).collect();
        assert_eq!((grants, bank.world.count(Endpoint::Token)), (vec![1, 1, 2, 2], before + 1));
        assert_eq!(tab.client.step_up(), None);
        let news = tab.news();
        assert!(news.contains(&Event::StepUpSettled) && !news.iter().any(|event| matches!(event, Event::StepUpNeeded(_))), "{news:?}");
        let claims = tab.session().unwrap().claims.unwrap();
        assert_eq!(claims.text("acr"), Some("mfa"));
        let visible = tab.visible();
        assert!(bank.world.secrets().iter().all(|secret| !visible.contains(secret)));
    }
}

// dp-stepup
#[test]
fn without_the_option_the_answer_is_the_answer() {
    let bank = Bank::new();
    let tab = bank.signed_in_with(&World::config());
    let before = bank.world.count(Endpoint::Token);
    let response = run(tab.client.fetch(transfer(1))).unwrap();
    let max_age = Some(Duration::from_secs(300));
    let acr_values = vec!["mfa".to_owned(), "phrh".to_owned()];
    assert_eq!(response.challenge(), Some(Challenge::InsufficientUserAuthentication { acr_values, max_age }));
    // No other token would do either.
    assert_eq!((bank.transfers().len(), bank.world.count(Endpoint::Token)), (1, before));
    assert_eq!((asks(&tab), tab.client.step_up()), (vec![], None));
}

// dp-stepup
#[test]
fn what_says_nothing_that_could_be_done_is_an_answer_and_no_question() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    for demand in ["", "max_age=-1", "max_age=\"abc\"", "acr_values=\"\"", "max_age=99999999999999999999", "scope=\"a\""] {
        *bank.demand.borrow_mut() = demand.to_owned();
        let call = Call::of(&tab, transfer(1));
        assert_eq!((call.outcome(), asks(&tab), tab.client.step_up()), (Some(Ok(401)), vec![], None), "{demand}");
    }
    // A part that is none leaves the other.
    *bank.demand.borrow_mut() = "acr_values=mfa, max_age=-1".to_owned();
    let call = Call::of(&tab, transfer(1));
    assert!(call.waits());
    assert_eq!(
        (asks(&tab), SignIn::from(&tab.client.step_up().unwrap())),
        (vec![step_up("acr_values=mfa")], { SignIn::default().acr(tokenkeep::Acr::Required(vec!["mfa".into()])) })
    );
    // Another status, and another error, is no challenge of this kind.
    for (status, error) in [(403, "insufficient_user_authentication"), (401, "insufficient_user_authentication_2")] {
        bank.world.provider.answer(Endpoint::Api, move |_, _| {
            let field = format!("Bearer error=\"{error}\", acr_values=\"x\"");
            Ok(Response { headers: vec![("www-authenticate".into(), field)], ..json_response(status, &json!({})) })
        });
        assert_eq!(me(&tab), Ok(status));
        assert_eq!(asks(&tab), []);
    }
}

// dp-stepup
#[test]
fn an_api_that_is_never_content_is_an_error_and_asks_nobody_again() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    bank.insatiable.set(true);
    let calls = [1, 2].map(|number| Call::of(&tab, transfer(number)));
    assert_eq!(asks(&tab).len(), 1);
    bank.says("mfa");
    bank.step_up(&tab).unwrap();
    bank.world.settle();
    assert_eq!(calls.each_ref().map(Call::outcome), [Some(Err(looped())), Some(Err(looped()))]);
    assert_eq!((bank.transfers().len(), tab.client.step_up(), looped().code()), (4, None, "step_up_loop"));
    // Nor for the next call, as long as what the user did is as good as it was.
    assert_eq!(Call::of(&tab, transfer(3)).outcome(), Some(Err(looped())));
    assert_eq!((bank.transfers().len(), asks(&tab), me(&tab)), (5, vec![], Ok(200)));
    assert!(tab.session().is_some());
    // It was long ago: that is another question.
    bank.world.later(Duration::from_secs(400));
    assert!(Call::of(&tab, transfer(4)).waits());
    assert_eq!(asks(&tab), [step_up(MFA)]);
}

// dp-stepup
#[test]
fn an_api_that_wants_something_else_each_time_gets_one_sign_in_per_call() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    bank.insatiable.set(true);
    let call = Call::of(&tab, transfer(1));
    assert_eq!(asks(&tab).len(), 1);
    *bank.demand.borrow_mut() = "acr_values=phrh".to_owned();
    bank.says("mfa");
    bank.step_up(&tab).unwrap();
    bank.world.settle();
    assert_eq!((call.outcome(), asks(&tab), tab.client.step_up()), (Some(Err(looped())), vec![], None));
}

// dp-stepup
#[test]
fn who_declines_gets_the_answers_that_came() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let calls = [1, 2].map(|number| Call::of(&tab, transfer(number)));
    tab.news();
    tab.client.decline_step_up();
    assert_eq!(tab.client.step_up(), None);
    bank.world.settle();
    for call in &calls {
        let outcome = call.0.borrow().clone().unwrap().unwrap();
        assert_eq!(outcome.body, json!({"error": "insufficient_user_authentication"}).to_string().into_bytes());
        assert!(matches!(outcome.challenge(), Some(Challenge::InsufficientUserAuthentication { .. })));
    }
    let news = tab.news();
    assert_eq!(news.iter().filter(|event| **event == Event::StepUpSettled).count(), 1, "{news:?}");
    assert_eq!(news.iter().filter(|event| matches!(event, Event::ApiAnswered { status: 401, .. })).count(), 2);
    // A sign-in afterwards sends nothing again; the next call asks anew, and nothing is declined twice.
    bank.says("mfa");
    bank.sign_in(&tab, SignIn::default()).unwrap();
    bank.world.settle();
    assert_eq!((bank.transfers().len(), me(&tab)), (2, Ok(200)));
    tab.client.decline_step_up();
    *bank.demand.borrow_mut() = "max_age=0".to_owned();
    bank.insatiable.set(true);
    assert!(Call::of(&tab, transfer(3)).waits());
    assert_eq!(asks(&tab), [step_up("max_age=0")]);
}

// dp-stepup, id-acr, id-authtime
#[test]
fn a_sign_in_that_is_not_what_was_asked_leaves_everything_as_it_was() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let call = Call::of(&tab, transfer(1));
    tab.news();
    let stays = |at: &str| {
        bank.world.settle();
        assert!(call.waits(), "{at}");
        assert_eq!((bank.transfers().len(), tab.client.step_up()), (1, Some(step_up(MFA))), "{at}");
        assert_eq!((asks(&tab), me(&tab)), (vec![], Ok(200)), "{at}");
        assert!(tab.session().is_some(), "{at}");
    };
    for acr in [Value::Null, json!("pwd"), json!("MFA"), json!("mfa phrh"), json!(["mfa"]), json!(1)] {
        *bank.acr.borrow_mut() = acr.clone();
        assert_eq!(bank.step_up(&tab), Err(Misbehaved::AcrUnmet.into()), "{acr}");
        stays(&acr.to_string());
    }
    bank.says("mfa");
    bank.auth_time.set(Some(bank.world.time.now.get() / 1000 - 400));
    assert_eq!(bank.step_up(&tab), Err(Misbehaved::AuthTimeUnmet.into()));
    stays("too long ago");
    bank.auth_time.set(Some(bank.world.time.now.get() / 1000 + 400));
    assert_eq!(bank.step_up(&tab), Err(Misbehaved::AuthTimeUnmet.into()));
    stays("in the future");
    // The provider cannot, or the user would not.
    for error in ["unmet_authentication_requirements", "access_denied"] {
        bank.world.provider.callback(move |response| {
            response.retain(|(name, _)| name != "code");
            response.push(("error".into(), error.into()));
        });
        assert!(matches!(bank.step_up(&tab), Err(Error::Provider(why)) if why.error() == error));
        stays(error);
    }
    bank.world.provider.callback(|_| ());
    // A sign-in that asked for nothing, and got nothing.
    bank.auth_time.set(Some(bank.world.time.now.get() / 1000 - 400));
    bank.sign_in(&tab, SignIn::default()).unwrap();
    stays("old, without being asked");
    bank.auth_time.set(None);
    bank.says("pwd");
    bank.sign_in(&tab, SignIn::default()).unwrap();
    stays("weak, without being asked");

    // Whoever signs in as is wanted without having been asked has done it all the same.
    bank.says("mfa");
    bank.sign_in(&tab, SignIn::default()).unwrap();
    bank.world.settle();
    assert_eq!((call.outcome(), bank.transfers().len()), (Some(Ok(200)), 2));
}

// dp-stepup
#[test]
fn no_call_of_one_user_is_sent_as_another() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let calls = [1, 2].map(|number| Call::of(&tab, transfer(number)));
    tab.news();
    bank.says("mfa");
    bank.world.provider.user("bob");
    bank.step_up(&tab).unwrap();
    bank.world.settle();
    assert_eq!(calls.each_ref().map(Call::outcome), [Some(Err(needed())), Some(Err(needed()))]);
    assert_eq!((bank.transfers().len(), tab.client.step_up()), (2, None));
    let news = tab.news();
    let at = |wanted: &Event| news.iter().position(|event| event == wanted);
    assert!(at(&Event::StepUpSettled).is_some() && at(&Event::Ended(Ended::UserChanged)).is_some(), "{news:?}");
    assert_eq!(tab.session().unwrap().subject(), Some("bob"));
    // Who is there now is asked for themselves.
    bank.insatiable.set(true);
    assert!(Call::of(&tab, transfer(3)).waits());
}

// dp-stepup
#[test]
fn the_end_of_a_session_is_the_end_of_what_waits() {
    for (index, at) in ["signed out", "signed out elsewhere", "closed", "rejected"].into_iter().enumerate() {
        let bank = Bank::new();
        let tab = bank.signed_in_with(&Bank::config().renew_by_frame(false));
        let mut other = bank.world.tab_with(&tab.config).unwrap();
        other.arrive(&format!("{ORIGIN}/")).unwrap();
        let call = Call::of(&tab, transfer(1));
        tab.news();
        match index {
            0 => run(tab.client.sign_out(SignOut::Local)).unwrap(),
            1 => run(other.client.sign_out(SignOut::Local)).unwrap(),
            2 => tab.client.close(),
            _ => {
                bank.world.provider.end_session();
                bank.world.later(Duration::from_secs(310));
            }
        }
        bank.world.settle();
        assert_eq!((call.outcome(), tab.client.step_up()), (Some(Err(needed())), None), "{at}");
        assert_eq!((bank.transfers().len(), tab.state()), (1, State::SignedOut), "{at}");
        assert!(tab.was_told(&Event::StepUpSettled), "{at}");
        // It is not remembered for the next one.
        let mut tab = bank.world.tab_with(&Bank::config()).unwrap();
        tab.sign_in().unwrap();
        bank.world.settle();
        assert_eq!((bank.transfers().len(), tab.client.step_up()), (1, None), "{at}");
    }
}

/// The tab's network, for a call that its page may give up.
struct OfPage {
    http: Rc<dyn Http>,
    given_up: Rc<Cell<bool>>,
}

impl Http for OfPage {
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>> {
        self.http.send(request)
    }

    fn given_up(&self) -> Answer<'_, ()> {
        Box::pin(poll_fn(|context| {
            context.waker().wake_by_ref();
            if self.given_up.get() { Poll::Ready(()) } else { Poll::Pending }
        }))
    }

    fn reach<'a>(&'a self, url: &'a str, deadline: Duration) -> Answer<'a, Result<(), HttpFailure>> {
        self.http.reach(url, deadline)
    }
}

// dp-stepup
#[test]
fn who_gives_up_is_out_of_the_queue_and_the_last_one_takes_the_question_along() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let stays = Call::of(&tab, transfer(1));
    // Dropped, as a component is.
    let mut dropped = Box::pin(tab.client.fetch(transfer(2)));
    for _ in 0..50 {
        assert!(futures::FutureExt::now_or_never(dropped.as_mut()).is_none());
        bank.world.settle();
    }
    assert_eq!((bank.transfers().len(), asks(&tab).len()), (2, 1));
    drop(dropped);
    assert!(stays.waits() && tab.client.step_up().is_some());
    tab.client.decline_step_up();
    bank.world.settle();
    assert_eq!(stays.outcome(), Some(Ok(401)));

    // Alone.
    let mut alone = Box::pin(tab.client.fetch(transfer(3)));
    for _ in 0..50 {
        assert!(futures::FutureExt::now_or_never(alone.as_mut()).is_none());
        bank.world.settle();
    }
    assert!(tab.client.step_up().is_some());
    tab.news();
    drop(alone);
    assert_eq!((tab.client.step_up(), tab.was_told(&Event::StepUpSettled)), (None, true));
    bank.says("mfa");
    bank.sign_in(&tab, SignIn::default()).unwrap();
    bank.world.settle();
    assert_eq!(bank.transfers().len(), 3, "nothing of it is sent");
}

// dp-stepup
#[test]
fn a_call_whose_page_is_gone_is_not_sent() {
    let bank = Bank::new();
    let config = Bank::config();
    let worker = Worker::start(&bank.world, &config, Duration::from_secs(60), true);
    let page = worker.sign_in("alice");
    let given_up = Rc::new(Cell::new(false));
    let http = OfPage { http: bank.world.ports_of(&page.process).http, given_up: given_up.clone() };
    let leaves = {
        let (outcome, calling) = (Rc::<RefCell<_>>::default(), page.client.fetch_by(Some(Rc::new(http)), transfer(1)));
        let call = Call(outcome.clone());
        bank.world.device.spawn(worker.process(), Box::pin(async move { *outcome.borrow_mut() = Some(calling.await) }));
        call
    };
    for _ in 0..200 {
        bank.world.device.turn();
    }
    assert!(leaves.waits() && page.client.step_up().is_some());
    given_up.set(true);
    bank.world.settle();
    assert_eq!(leaves.outcome(), Some(Err(Interrupted::TimedOut { from: Source::Api }.into())));
    assert_eq!((page.client.step_up(), bank.transfers().len()), (None, 1));
}

// dp-stepup
#[test]
fn what_must_not_be_sent_twice_does_not_wait() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let call = Call::of(&tab, transfer(1).once());
    assert_eq!((call.outcome(), asks(&tab), bank.transfers().len()), (Some(Ok(401)), vec![], 1));
}

// dp-stepup
#[test]
fn nobody_waits_for_ever() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let call = Call::of(&tab, transfer(1));
    bank.world.later(STEP_UP_PATIENCE - Duration::from_secs(1));
    bank.world.settle();
    assert!(call.waits() && tab.client.step_up().is_some());
    bank.world.later(Duration::from_secs(1));
    bank.world.settle();
    assert_eq!((call.outcome(), tab.client.step_up()), (Some(Ok(401)), None));
    assert!(tab.was_told(&Event::StepUpSettled) && tab.session().is_some());
}

// dp-stepup
#[test]
fn a_renewal_is_no_step_up_unless_its_id_token_says_so() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let call = Call::of(&tab, transfer(1));
    let stays = |at: &str| {
        bank.world.settle();
        assert!(call.waits(), "{at}");
        assert_eq!(bank.transfers().len(), 1, "{at}");
    };
    bank.world.later(Duration::from_secs(5));
    run(tab.client.renew()).unwrap();
    stays("no ID token");
    let id_token = |acr: &str, auth_time: u64| {
        let now = bank.world.time.now.get() / 1000;
        bank.world.provider.sign(&json!({
            "iss": ISSUER, "sub": "alice", "aud": "my-app", "exp": now + 600, "iat": now, "acr": acr, "auth_time": auth_time,
        }))
    };
    let begun = bank.world.time.now.get() / 1000;
    for (acr, auth_time) in [("pwd", begun), ("mfa", begun - 400), ("mfa", begun + 10_000)] {
        let id_token = id_token(acr, auth_time);
        bank.world.provider.token_response(move |body| body["id_token"] = json!(id_token));
        bank.world.later(Duration::from_secs(5));
        run(tab.client.renew()).unwrap();
        stays(acr);
    }
    let good = id_token("mfa", begun);
    bank.world.provider.token_response(move |body| body["id_token"] = json!(good));
    bank.world.later(Duration::from_secs(5));
    run(tab.client.renew()).unwrap();
    bank.world.settle();
    // Now it is up to the API, which knows better here.
    assert_eq!((call.outcome(), bank.transfers().len()), (Some(Err(looped())), 2));
}

// dp-stepup
#[test]
fn a_renewal_that_repeats_what_was_not_enough_is_no_step_up() {
    let bank = Bank::new();
    // It looks good from the start, and the API wants it anew.
    bank.says("mfa");
    let tab = bank.signed_in();
    bank.insatiable.set(true);
    let call = Call::of(&tab, transfer(1));
    assert_eq!(asks(&tab), [step_up(MFA)]);
    let session = tab.session().unwrap().claims.unwrap();
    let now = bank.world.time.now.get() / 1000;
    let auth_time: u64 = session.get("auth_time").unwrap().as_number().unwrap().as_str().parse().unwrap();
    let id_token = bank.world.provider.sign(&json!({
        "iss": ISSUER, "sub": "alice", "aud": "my-app", "exp": now + 600, "iat": now, "acr": "mfa", "auth_time": auth_time,
    }));
    bank.world.provider.token_response(move |body| body["id_token"] = json!(id_token));
    bank.world.later(Duration::from_secs(5));
    run(tab.client.renew()).unwrap();
    bank.world.settle();
    assert!(call.waits());
    // The user did it.
    bank.insatiable.set(false);
    bank.world.provider.token_response(|_| ());
    bank.step_up(&tab).unwrap();
    bank.world.settle();
    assert_eq!((call.outcome(), bank.transfers().len()), (Some(Ok(200)), 2));
}

// dp-stepup
#[test]
fn one_question_is_put_at_a_time() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let call = |demand: &str, number| {
        *bank.demand.borrow_mut() = demand.to_owned();
        Call::of(&tab, transfer(number))
    };
    let [first, second, again, third] = [call("acr_values=gold", 1), call(MFA, 2), call("acr_values=gold", 3), call("max_age=200", 4)];
    assert_eq!((asks(&tab), tab.client.step_up()), (vec![step_up("acr_values=gold")], Some(step_up("acr_values=gold"))));
    tab.client.decline_step_up();
    bank.world.settle();
    assert_eq!((first.outcome(), again.outcome(), second.waits(), third.waits()), (Some(Ok(401)), Some(Ok(401)), true, true));
    assert_eq!(asks(&tab), [step_up(MFA)]);
    // What does for one does for whoever else it is enough for.
    bank.says("mfa");
    bank.step_up(&tab).unwrap();
    bank.world.settle();
    assert_eq!((second.outcome(), third.outcome(), tab.client.step_up()), (Some(Ok(200)), Some(Ok(200)), None));
    assert_eq!((asks(&tab), bank.transfers().len()), (vec![], 6));
}

// dp-stepup
#[test]
fn a_sign_in_in_another_tab_counts() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let mut other = bank.world.tab_with(&tab.config).unwrap();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    let calls = [1, 2].map(|number| Call::of(&tab, transfer(number)));
    let wanted = tab.client.step_up().unwrap();
    assert_eq!(other.client.step_up(), None);
    bank.says("mfa");
    other.sign_in_as(SignIn::from(wanted)).unwrap();
    bank.world.settle();
    assert_eq!(calls.each_ref().map(Call::outcome), [Some(Ok(200)), Some(Ok(200))]);
    assert_eq!((bank.transfers().len(), tab.client.step_up()), (4, None));
}

// dp-stepup
#[test]
fn all_pages_of_a_keep_hear_the_question_and_any_of_them_answers_it() {
    let bank = Bank::new();
    let config = Bank::config();
    let worker = Worker::start(&bank.world, &config, Duration::from_secs(60), true);
    let page = worker.sign_in("alice");
    let other = worker.open();
    let call = Call::of(&page, transfer(1));
    let later = worker.open();
    for page in [&page, &other, &later] {
        assert_eq!(page.client.step_up(), Some(step_up(MFA)));
    }
    assert_eq!((asks(&page), asks(&other), asks(&later)), (vec![step_up(MFA)], vec![step_up(MFA)], vec![]));
    later.client.decline_step_up();
    bank.world.settle();
    assert_eq!(call.outcome(), Some(Ok(401)));

    let call = Call::of(&page, transfer(2));
    bank.says("mfa");
    let url = other.leave(other.client.step_up().map(SignIn::from).unwrap()).unwrap();
    worker.come_back(&bank.world.provider.authorize(&url)).unwrap();
    bank.world.settle();
    assert_eq!((call.outcome(), page.client.step_up(), page.was_told(&Event::StepUpSettled)), (Some(Ok(200)), None, true));

    // A page that is another user's is asked for nothing.
    let bob = worker.sign_in("bob");
    bank.insatiable.set(true);
    page.news();
    let call = Call::of(&bob, transfer(3));
    assert!(call.waits() && bob.client.step_up().is_some());
    assert_eq!((page.client.step_up(), asks(&page)), (None, vec![]));
    page.client.decline_step_up();
    bank.world.settle();
    assert!(call.waits());
}

// dp-stepup
#[test]
fn a_call_that_was_on_its_way_meanwhile_needs_no_question() {
    let bank = Bank::new();
    let tab = bank.signed_in();
    let mut other = bank.world.tab_with(&tab.config).unwrap();
    other.arrive(&format!("{ORIGIN}/")).unwrap();
    bank.world.network.weather(|sent| Weather { delay: if sent.url.contains("/transfer") { 2000 } else { 0 }, ..Weather::default() });
    let call = Call::of(&tab, transfer(1));
    bank.world.later(Duration::from_millis(2500));
    bank.says("mfa");
    let wanted = SignIn::from(step_up(MFA));
    other.sign_in_as(wanted).unwrap();
    bank.world.later(Duration::from_secs(10));
    bank.world.settle();
    assert_eq!((call.outcome(), asks(&tab), bank.transfers().len()), (Some(Ok(200)), vec![], 2));
}

// dp-stepup
#[test]
fn many_calls_and_one_question_whatever_the_order() {
    for seed in 0..30 {
        let bank = Bank::of(World::seeded(seed));
        bank.world.network.latency.set(7);
        let tab = bank.signed_in();
        let calls: Vec<_> = (0..20).map(|number| (number, Call::of(&tab, transfer(number)))).collect();
        let others: Vec<_> = (0..5).map(|_| Call::of(&tab, Request::get(format!("{API}me")))).collect();
        bank.world.settle();
        assert!(calls.iter().all(|(_, call)| call.waits()), "{seed}");
        assert!(others.iter().all(|call| call.outcome() == Some(Ok(200))), "{seed}");
        assert_eq!(asks(&tab), [step_up(MFA)], "{seed}");
        bank.says("mfa");
        bank.step_up(&tab).unwrap();
        bank.world.settle();
        assert!(calls.iter().all(|(_, call)| call.outcome() == Some(Ok(200))), "{seed}");
        let mut bodies: Vec<_> = bank.transfers().into_iter().map(|sent| sent.body).collect();
        bodies.sort();
        let mut expected: Vec<_> = (0..20).flat_map(|number| [format!("[{number}]"), format!("[{number}]")]).collect();
        expected.sort();
        assert_eq!(bodies, expected, "{seed}");
        assert_eq!((asks(&tab), tab.client.step_up(), bank.world.provider.reused()), (vec![], None, vec![]), "{seed}");
    }
}

// dp-stepup
#[test]
fn without_an_id_token_nothing_could_be_verified() {
    let config = Bank::config().oauth_only();
    assert_eq!(World::new().tab_with(&config).err(), Some(Misconfigured::StepUpUnverifiable.into()));
}
