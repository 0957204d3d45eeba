//! What must hold whenever a sign-in is refused after its code was sent.

use std::time::Duration;

use serde_json::json;
use tokenkeep::{
    Config, Error, Event, SignIn, State,
    protocol::{Interrupted, Misbehaved},
};

use super::{API, Endpoint, Tab, World};

/// Signs in where the world misbehaves, checks all that must hold after any refusal, and gives the error.
pub fn refusal(misbehave: impl Fn(&World)) -> Error {
    refusal_as(&World::config(), &SignIn::default(), misbehave)
}

/// The same with another configuration and another wish.
///
/// It is done twice: where nobody is signed in, and in a page where somebody is, whose session must not notice.
pub fn refusal_as(config: &Config, sign_in: &SignIn, misbehave: impl Fn(&World)) -> Error {
    let error = beside_nobody(config, sign_in, &misbehave);
    assert_eq!(beside_a_session(config, sign_in, &misbehave), error, "the same error with a session and without");
    error
}

fn beside_nobody(config: &Config, sign_in: &SignIn, misbehave: impl Fn(&World)) -> Error {
    let world = World::new();
    misbehave(&world);
    let mut tab = world.tab_with(config).unwrap();
    let callback = world.provider.authorize(&tab.leave(sign_in.clone()).unwrap());
    let error = tab.arrive(&callback).unwrap_err();
    assert_eq!(tab.state(), State::Failed(error.clone()));
    assert_eq!(tab.fetch(&format!("{API}me")), Err(Interrupted::SignInNeeded.into()));
    assert_eq!(world.count(Endpoint::Api), 0, "no token is usable");
    nothing_is_left(&tab, &callback, &error);
    assert_eq!(tab.state(), State::Failed(error.clone()), "a replay changes nothing");
    error
}

fn beside_a_session(config: &Config, sign_in: &SignIn, misbehave: impl Fn(&World)) -> Error {
    let world = World::new();
    world.provider.token_response(|body| body["expires_in"] = json!(7200));
    let mut tab = world.tab_with(config).unwrap();
    let session = tab.sign_in().unwrap();
    let first = world.provider.issued();
    // What was learnt of the provider is no longer believed: the second sign-in asks again for everything.
    world.later(tokenkeep::keep::METADATA_LIFE + Duration::from_secs(1));
    misbehave(&world);
    let callback = world.provider.authorize(&tab.leave(sign_in.clone()).unwrap());
    let error = tab.see(&callback).unwrap_err();
    nothing_is_left(&tab, &callback, &error);
    assert_eq!(tab.state(), State::SignedIn(session), "who was signed in still is");
    assert_eq!(tab.fetch(&format!("{API}me")).map(|response| response.status), Ok(200));
    let sent = world.requests().pop().unwrap();
    assert_eq!(sent.token().map(|(_, token)| token), Some(first[0].as_str()), "with the token of then");
    error
}

fn nothing_is_left(tab: &Tab, callback: &str, error: &Error) {
    let world = &tab.world;
    let code = url::Url::parse(callback).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let times_sent = || world.requests().iter().filter(|sent| format!("{sent:?}").contains(&code)).count();
    let told = |error: &Error| tab.events.borrow().iter().filter(|event| **event == Event::Failed(error.clone())).count();
    assert_eq!((times_sent(), told(error)), (1, 1), "the code is sent once, and the failure told once");
    assert!(world.requests().iter().all(|sent| sent.to.is_some()), "nothing goes where nothing should: {:#?}", world.requests());
    only_a_mark(world);

    // The same response again: in this page, and in another tab.
    let again = Err(Misbehaved::AlreadyUsed.into());
    assert_eq!(tab.see(callback), again);
    assert_eq!(world.tab().arrive(callback), again);
    assert_eq!(times_sent(), 1, "no replay sends the code");
    only_a_mark(world);

    let visible = format!("{} {error:?} {error} {}", tab.visible(), error.code());
    let secrets = world.secrets();
    assert!(secrets.len() >= 4, "state, nonce, code and verifier at least: {secrets:?}");
    let seen: Vec<_> = secrets.iter().filter(|secret| visible.contains(secret.as_str())).collect();
    assert!(seen.is_empty(), "secrets were shown: {seen:?} in {visible}");
}

/// All that a sign-in leaves behind is the mark that its response was used, and a note if somebody is signed in.
fn only_a_mark(world: &World) {
    let stored: Vec<_> =
        world.stored().into_iter().filter(|(key, _)| !key.starts_with("tokenkeep.session.")).map(|(_, mark)| mark).collect();
    assert!(matches!(&stored[..], [mark] if mark.starts_with(r#"{"used":"#)), "{stored:?}");
}
