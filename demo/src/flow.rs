//! The flows that run in the app: what each is for, and the configuration by which the client follows it.

use tokenkeep::browser;
use tokenkeep::protocol::{Json, ResponseMode, ResponseType};
use tokenkeep::{Config, SignIn};

use crate::storage;

/// Where the chosen flow's name is.
const KEY: &str = "tokenkeep-demo.flow";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// What the app does until another one is chosen.
    #[default]
    Code,
    Details,
    Form,
    Hybrid,
    Pushed,
    /// No sign-in: it goes on with the one that is there, whatever it was.
    Refresh,
    Signed,
}

/// What there is to say about a flow.
#[derive(Clone, Copy)]
pub struct About {
    pub title: &'static str,
    pub spec: &'static str,
    pub url: &'static str,
    pub good_for: &'static str,
    pub not_for: &'static str,
}

impl Flow {
    /// In the order of the page.
    pub const ALL: [Flow; 7] = [Flow::Code, Flow::Pushed, Flow::Signed, Flow::Form, Flow::Hybrid, Flow::Details, Flow::Refresh];

    pub fn name(self) -> &'static str {
        match self {
            Flow::Code => "code",
            Flow::Details => "details",
            Flow::Form => "form",
            Flow::Hybrid => "hybrid",
            Flow::Pushed => "pushed",
            Flow::Refresh => "refresh",
            Flow::Signed => "signed",
        }
    }

    pub fn from_name(name: &str) -> Option<Flow> {
        Flow::ALL.into_iter().find(|flow| flow.name() == name)
    }

    /// The one that was chosen in this tab.
    pub fn chosen() -> Flow {
        storage::read(KEY).and_then(|name| Flow::from_name(&name)).filter(|flow| flow.configuration() == *flow).unwrap_or_default()
    }

    /// From the next time on that the app starts. Whether that works: storage can be blocked.
    pub fn choose(self) -> bool {
        match self.configuration() {
            Flow::Code => {
                storage::remove(KEY);
                true
            }
            flow => storage::write(KEY, flow.name()),
        }
    }

    /// The configuration of a client that follows it.
    pub fn configure(self, config: Config) -> Config {
        match self {
            Flow::Code | Flow::Details | Flow::Refresh => config,
            Flow::Form => config.response_mode(ResponseMode::FormPost).form_post_receiver(),
            Flow::Hybrid => config.response_type(ResponseType::CodeIdToken),
            Flow::Pushed => config.pushed_authorization_requests(true),
            Flow::Signed => config.response_mode(ResponseMode::QueryJwt),
        }
    }

    /// The flow whose client can follow this one, too: what differs is only what it asks for.
    pub fn configuration(self) -> Flow {
        match self {
            Flow::Code | Flow::Details | Flow::Refresh => Flow::Code,
            other => other,
        }
    }

    /// What to ask for.
    pub fn sign_in(self) -> SignIn {
        let sign_in = SignIn::default().return_to("/flows");
        if self != Flow::Details {
            return sign_in;
        }
        let text = |text: &str| Json::String(text.to_owned());
        let order = vec![("type".to_owned(), text("orders")), ("actions".to_owned(), Json::Array(vec![text("read")]))];
        sign_in.authorization_details(Json::Array(vec![Json::Object(order)]))
    }

    pub fn about(self) -> About {
        match self {
            Flow::Code => About {
                title: "Code with PKCE",
                spec: "RFC 7636",
                url: "https://www.rfc-editor.org/rfc/rfc7636",
                good_for: "every app that signs users in. It is what this demo does until you choose another flow.",
                not_for: "work that no user asked for: a server has client credentials.",
            },
            Flow::Details => About {
                title: "Authorization details",
                spec: "RFC 9396",
                url: "https://www.rfc-editor.org/rfc/rfc9396",
                good_for: "permission for one thing and not a kind of things: this order, that payment. You are asked every time.",
                not_for: "what a scope says as well: far fewer providers know details.",
            },
            Flow::Form => About {
                title: "Response as a form",
                spec: "Form Post Response Mode",
                url: "https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html",
                good_for: "a provider that answers in no other way. A service worker receives the form, which no page can read.",
                not_for: "anybody else: the code leaves the address before anyone reads it there, and no service worker is needed for that.",
            },
            Flow::Hybrid => About {
                title: "Code with an ID token beside it",
                spec: "OpenID Connect Core §3.3",
                url: "https://openid.net/specs/openid-connect-core-1_0.html#HybridFlowAuth",
                good_for: "a provider that answers in no other way.",
                not_for: "a new app: the same ID token comes for the code, and here it passes through the address bar first.",
            },
            Flow::Pushed => About {
                title: "Pushed request (PAR)",
                spec: "RFC 9126",
                url: "https://www.rfc-editor.org/rfc/rfc9126",
                good_for: "a request that nobody may read or change on its way through the browser, or that is too long for a URL.",
                not_for: "a provider whose endpoint does not allow this origin. It is one request more.",
            },
            Flow::Refresh => About {
                title: "Refresh token",
                spec: "RFC 6749 §6",
                url: "https://www.rfc-editor.org/rfc/rfc6749#section-6",
                good_for: "a session that outlives its access token. tokenkeep does it by itself, in time; here you need not wait.",
                not_for: "a user who should be asked again: sign in for that.",
            },
            Flow::Signed => About {
                title: "Signed response (JARM)",
                spec: "JARM",
                url: "https://openid.net/specs/oauth-v2-jarm-final.html",
                good_for: "a profile such as FAPI that wants a response whose sender is proven.",
                not_for: "anybody else: state, issuer and PKCE already tie a plain code to its sign-in.",
            },
        }
    }
}

/// Waits until a form that is posted to the redirect URI is received, or says why it is not.
pub async fn receives_form() -> Result<(), String> {
    browser::receives_form_post("/callback", Some("/form-post-worker.js")).await.map_err(|why| why.to_string())
}
