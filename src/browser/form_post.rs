//! The page's end of what receives an authorization response that comes by POST
//! ([OAuth 2.0 Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html)). The script is the one that
//! the npm package has, too.

use std::fmt;

use js_sys::encode_uri_component;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::{AddressBar, Arg::Text, object, settled, text};
use crate::{
    page::ports::Navigation,
    protocol::{Error, Misconfigured, Secret, callback::POSTED},
};

#[wasm_bindgen(module = "/pkg/posted.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn ready(redirect_uri: &str, options: &JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = takePosted)]
    fn take() -> Result<JsValue, JsValue>;
}

/// Registers the service worker for the path of the redirect URI alone, and waits until it receives whatever is posted there. Await this
/// before the page leaves for a provider that answers by a form: until then a POST goes to the server.
///
/// `redirect_uri` is a path, or absolute and of this origin. `script` is where the npm package's `form-post-worker.js` is: at the top of
/// the site, or in a folder around the redirect URI; `worker-src` of the page's Content Security Policy names it. Without a script, it is
/// for a service worker of the app's own, which has imported that one. Where Trusted Types are enforced, the policy is called
/// `tokenkeep-form-post`.
///
/// ```no_run
/// use tokenkeep::{Client, Error, SignIn, browser};
///
/// # async fn sign_in(client: Client) -> Result<(), Error> {
/// browser::receives_form_post("/callback", Some("/form-post-worker.js")).await?;
/// client.sign_in(SignIn::default()).await
/// # }
/// ```
///
/// # Errors
/// [`NotReceived`] says why. Then ask the provider for another response mode.
pub async fn receives_form_post(redirect_uri: &str, script: Option<&str>) -> Result<(), NotReceived> {
    let options = object(&script.map(|script| ("script", Text(script))).into_iter().collect::<Vec<_>>());
    let asked = options.and_then(|options| ready(redirect_uri, &options));
    let outcome = match asked {
        Ok(promise) => settled(&promise).await,
        Err(thrown) => Err(thrown),
    };
    outcome.map(drop).map_err(|thrown| NotReceived(text(&thrown, "message").unwrap_or_default()))
}

/// Takes what was posted to this page's address, once. Await it before a client is opened, and before a router reads the address.
///
/// `None` if nothing was posted, if it was taken already, if more than a minute has passed, or if the browser ended the service worker in
/// between.
///
/// ```no_run
/// use tokenkeep::{Client, Config, Error, browser, protocol::ResponseMode};
///
/// # async fn open() -> Result<Client, Error> {
/// let config = Config::new("https://login.example.com", "my-app").response_mode(ResponseMode::FormPost).form_post_receiver();
/// if let Some(posted) = browser::take_posted().await {
///     posted.hand_on();
/// }
/// browser::open(&config) // finish_sign_in() finds it
/// # }
/// ```
pub async fn take_posted() -> Option<Posted> {
    let form = settled(&take().ok()?).await.ok()?.as_string()?;
    let shown = AddressBar::new()?.address();
    let page = shown.split_once('#').map_or(shown.as_str(), |(page, _)| page);
    let form = Secret::new(String::from(encode_uri_component(&form)));
    Some(Posted(Secret::new([page, "#", POSTED, "=", form.expose()].concat())))
}

/// What was posted to the redirect URI. Nothing in it was looked at: whoever can make a browser send a form can post there.
#[derive(Debug)]
pub struct Posted(Secret<String>);

impl Posted {
    /// The address as if the form had come in its fragment: what `IdTokenSignIn::finish` reads.
    pub fn address(&self) -> &Secret<String> {
        &self.0
    }

    /// Puts it there, for a client that is opened next: open it before anything is awaited, then it leaves the address bar at once.
    pub fn hand_on(self) {
        if let Some(address_bar) = AddressBar::new() {
            address_bar.replace(self.0.expose());
        }
    }
}

/// Why nothing receives what the provider posts: there are no service workers here, the script cannot be had or is not for this path, or
/// what is registered there receives nothing. The text is for developers. As an [`Error`] it is `form_post_receiver_missing`.
#[derive(Clone, Debug, PartialEq)]
pub struct NotReceived(String);

impl fmt::Display for NotReceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing receives what the provider posts: {}", self.0)
    }
}

impl std::error::Error for NotReceived {}

impl From<NotReceived> for Error {
    fn from(_: NotReceived) -> Error {
        Misconfigured::FormPostReceiverMissing.into()
    }
}
