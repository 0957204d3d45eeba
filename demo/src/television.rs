//! A television: an app of its own, which is signed in from another device.

use leptos::{prelude::*, task::spawn_local};
use tokenkeep::leptos::Open;
use tokenkeep::{Client, Config, Error, Event, SignOut, Subscription};

use crate::flow::About;
use crate::picture::{By, Lane, Step};

/// What the provider calls it.
const CLIENT: &str = "tokenkeep-tv";

pub const ABOUT: About = About {
    title: "Another device",
    spec: "RFC 8628",
    url: "https://www.rfc-editor.org/rfc/rfc8628",
    good_for: "a screen without a keyboard: a television, a kiosk.",
    not_for: "a page where one can type: nothing ties the one who says yes to the screen that shows the code.",
};

#[derive(Clone)]
pub enum Shown {
    Off,
    /// Codes are asked for.
    Starting,
    Code {
        user_code: String,
        link: String,
        qr: Option<String>,
    },
    SignedIn {
        name: String,
        scope: String,
    },
    Failed(Error),
}

/// The set, as long as the page is shown.
#[derive(Clone, Copy)]
pub struct Television {
    pub shown: RwSignal<Shown>,
    pub steps: RwSignal<Vec<Step>>,
    issuer: StoredValue<String>,
    set: StoredValue<Option<(Client, Subscription)>, LocalStorage>,
}

impl Television {
    pub fn new(issuer: String) -> Television {
        Television {
            shown: RwSignal::new(Shown::Off),
            steps: RwSignal::new(Vec::new()),
            issuer: StoredValue::new(issuer),
            set: StoredValue::new_local(None),
        }
    }

    pub fn switch_on(self) {
        use Lane::{App, Provider, You};
        let config = Config::new(self.issuer.get_value(), CLIENT).scopes("openid profile").dangerous_device_authorization();
        self.steps.set(vec![Step::new(You, App, "click", By::Person)]);
        self.shown.set(Shown::Starting);
        let client = match config.open() {
            Some(Ok(client)) => client,
            Some(Err(error)) => return self.fail(error),
            None => return,
        };
        let hears = client.on_event(move |event| self.note(event));
        self.set.set_value(Some((client.clone(), hears)));
        spawn_local(async move {
            let sign_in = match client.sign_in_by_device().await {
                Ok(sign_in) => sign_in,
                Err(error) => return self.fail(error),
            };
            let request = |from, to, says| Step::new(from, to, says, By::Request);
            self.add([
                request(App, Provider, "device?"),
                request(Provider, App, "two codes"),
                Step::new(App, You, "user code", By::Person),
            ]);
            let _ = self.shown.try_set(Shown::Code {
                user_code: sign_in.user_code().to_owned(),
                link: sign_in.verification_uri_complete().unwrap_or(sign_in.verification_uri()).to_owned(),
                qr: sign_in.qr_svg(),
            });
            match sign_in.finished().await {
                Ok(session) => {
                    let name = session.claims.as_ref().map(|claims| claims.display_name().to_owned()).unwrap_or_default();
                    let _ = self.shown.try_set(Shown::SignedIn { name, scope: session.scope.to_string() });
                }
                Err(error) => self.fail(error),
            }
        });
    }

    /// Ends its session, or gives the sign-in up.
    pub fn switch_off(self) {
        if let Some((client, _)) = self.set.try_update_value(Option::take).flatten() {
            let leaving = client.sign_out(SignOut::Local);
            spawn_local(async move {
                let _ = leaving.await;
            });
        }
        self.shown.set(Shown::Off);
        self.steps.set(Vec::new());
    }

    fn note(self, event: &Event) {
        use Lane::{App, Provider, You};
        let request = |from, to, says: &str| Step::new(from, to, says, By::Request);
        match event {
            Event::MetadataRead => self.add([request(Provider, App, "metadata")]),
            Event::KeysRead => {
                self.granted();
                self.add([request(Provider, App, "keys")]);
            }
            Event::IdTokenVerified { .. } => {
                self.granted();
                self.add([request(App, App, "ID token is right")]);
            }
            Event::SignedIn => self.add([Step::new(App, You, "signed in", By::Person)]),
            Event::Failed(error) => {
                if error.code() == "access_denied" {
                    self.add([Step::new(You, Provider, "no", By::Person)]);
                }
                self.add([Step::new(App, App, error.code(), By::Failure)]);
            }
            _ => {}
        }
    }

    /// It asked again and again, until it got what only comes when somebody says yes. The first that is heard of it is that it is checked.
    fn granted(self) {
        use Lane::{App, Provider, You};
        let got = Step::new(Provider, App, "tokens", By::Request);
        if !self.steps.with_untracked(|steps| steps.contains(&got)) {
            let entered = Step::new(You, Provider, "user code, yes", By::Person);
            self.add([entered, Step::new(App, Provider, "device code", By::Request), got]);
        }
    }

    fn add<const N: usize>(self, steps: [Step; N]) {
        // Whoever left the page sees nothing of it.
        let _ = self.steps.try_update(|all| all.extend(steps));
    }

    fn fail(self, error: Error) {
        let _ = self.shown.try_set(Shown::Failed(error));
    }
}
