//! Who the user is, and nothing else: an app of its own, which gets an ID token in a form, and no code, no access token and no session.

use leptos::{prelude::*, task::spawn_local};
use tokenkeep::browser::{self, Posted};
use tokenkeep::implicit::{IdTokenSignIn, Identity};
use tokenkeep::{Config, Error, SignIn};

use crate::config::{origin, show};
use crate::flow::{self, About};
use crate::picture::{By, Lane, Step};
use crate::storage;

/// What the provider calls it.
const CLIENT: &str = "tokenkeep-id";

/// Whether this tab left for the provider to find out.
const KEY: &str = "tokenkeep-demo.who";

/// Where it is shown.
const PAGE: &str = "/flows";

pub const ABOUT: About = About {
    title: "ID token alone",
    spec: "OpenID Connect Core §3.2",
    url: "https://openid.net/specs/openid-connect-core-1_0.html#ImplicitFlowAuth",
    good_for: "an app that wants to know who it is, once, and calls no API: a poll, a guest book.",
    not_for: "an app that calls an API, or keeps its user signed in: there is no token for that.",
};

#[derive(Clone)]
pub enum Shown {
    Nothing,
    /// On the way to the provider.
    Leaving,
    /// An ID token is there, and not verified yet.
    Looking,
    Known {
        name: String,
        subject: String,
    },
    /// It cannot begin in this browser.
    Cannot(String),
    Failed(Error),
}

/// What is known, until the page is loaded again.
#[derive(Clone, Copy)]
pub struct Who {
    pub shown: RwSignal<Shown>,
    pub steps: RwSignal<Vec<Step>>,
    issuer: StoredValue<String>,
}

impl Who {
    pub fn new(issuer: String) -> Who {
        Who { shown: RwSignal::new(Shown::Nothing), steps: RwSignal::new(Vec::new()), issuer: StoredValue::new(issuer) }
    }

    /// Leaves for the provider, when its answer will be received.
    pub fn ask(self) {
        self.steps.set(vec![click()]);
        self.shown.set(Shown::Leaving);
        spawn_local(async move {
            if let Err(why) = flow::receives_form().await {
                return self.show(Shown::Cannot(why));
            }
            let leaving = async { self.open()?.begin(SignIn::default(), PAGE.to_owned()).await };
            match leaving.await {
                Ok(_) if !storage::write(KEY, "away") => self.show(Shown::Cannot("this browser stores nothing for the app".to_owned())),
                Ok(url) => {
                    let _ = window().location().assign(url.expose());
                }
                Err(error) => self.fail(error),
            }
        });
    }

    /// Looks at what was posted, before another client may, and gives back what is not for this one.
    pub fn came_back(self, posted: Posted) -> Option<Posted> {
        // Whoever did not leave for this does not come back from it.
        if storage::read(KEY).is_none() {
            return Some(posted);
        }
        storage::remove(KEY);
        let finishing = match self.open() {
            Ok(sign_in) => sign_in.finish(posted.address().expose()),
            Err(_) => None,
        };
        let Some(finishing) = finishing else { return Some(posted) };
        show(PAGE);
        self.shown.set(Shown::Looking);
        spawn_local(async move {
            match finishing.await {
                Ok(identity) => self.know(&identity),
                Err(error) => {
                    let (person, answer) =
                        if error.code() == "access_denied" { ("no", "error, in a form") } else { ("yes", "answer, in a form") };
                    self.steps.set([&there(person, answer)[..], &[Step::new(Lane::App, Lane::App, error.code(), By::Failure)]].concat());
                    self.fail(error);
                }
            }
        });
        None
    }

    fn know(self, Identity { claims, .. }: &Identity) {
        use Lane::{App, Provider, You};
        // The page is another one than before, and nobody verifies a signature without metadata and keys.
        let here = [
            Step::new(Provider, App, "metadata", By::Request),
            Step::new(Provider, App, "keys", By::Request),
            Step::new(App, App, "ID token is right", By::Request),
            Step::new(App, You, "name", By::Person),
        ];
        self.steps.set([&there("yes", "ID token, in a form")[..], &here].concat());
        self.show(Shown::Known { name: claims.display_name().to_owned(), subject: claims.subject().to_owned() });
    }

    fn open(self) -> Result<IdTokenSignIn, Error> {
        IdTokenSignIn::open(&Config::new(self.issuer.get_value(), CLIENT), browser::ports(), &origin())
    }

    fn fail(self, error: Error) {
        self.show(Shown::Failed(error));
    }

    fn show(self, shown: Shown) {
        let _ = self.shown.try_set(shown);
    }
}

fn click() -> Step {
    Step::new(Lane::You, Lane::App, "click", By::Person)
}

/// To the provider and back.
fn there(person: &str, answer: &str) -> [Step; 5] {
    use Lane::{App, Provider, You};
    [
        click(),
        Step::new(Provider, App, "metadata", By::Request),
        Step::new(App, Provider, "nonce", By::Address),
        Step::new(You, Provider, person, By::Person),
        Step::new(Provider, App, answer, By::Address),
    ]
}
