//! A sign-in in a [window](https://developer.mozilla.org/docs/Web/API/Window/open) of its own: a script opens it and hears of it, the same as in
//! the npm package.

use std::time::Duration;

use wasm_bindgen::{JsValue, closure::Closure, prelude::wasm_bindgen};

use super::{
    abort::Abort,
    settled,
    wire::{promise, read, written, written_if_any},
};
use crate::{
    keep::Session,
    page::{Client, PopupSignIn},
    protocol::{Error, Interrupted, Misconfigured, SignIn},
};

#[wasm_bindgen(module = "/pkg/popup-window.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = popUp)]
    fn pop_up(call: &JsValue, options: &str, signal: &JsValue) -> Result<JsValue, JsValue>;
}

/// No sign-in takes longer.
const LONG: Duration = Duration::from_secs(60 * 60);

impl Client {
    /// Signs in in a window of its own: what the page holds is still there afterwards. Call it in the click itself, before anything is awaited:
    /// **the window is opened before this returns**, and a browser allows that in a click only.
    ///
    /// It takes two static files of this crate, `pkg/popup.html` and `pkg/popup-callback.js`, side by side at
    /// [`Config::popup_redirect_path`](crate::Config::popup_redirect_path), which is registered at the provider as one more redirect URI. It
    /// works whatever `Cross-Origin-Opener-Policy` the provider has. The app's own, if it wants one, must be `same-origin-allow-popups`: with
    /// `same-origin` nobody can tell that the user closed the window.
    ///
    /// ```no_run
    /// use tokenkeep::{Client, SignIn, protocol::Interrupted};
    ///
    /// async fn on_click(client: Client) {
    ///     match client.sign_in_with_popup(SignIn::default()).await {
    ///         // By redirect, where no window can be had.
    ///         Err(error) if error == Interrupted::PopupBlocked.into() => drop(client.sign_in(SignIn::default()).await),
    ///         // What came of it is in the state.
    ///         _ => {}
    ///     }
    /// }
    /// ```
    ///
    /// A page has one such window: another call closes the one before. When this is dropped before it is done, the window is closed and the
    /// sign-in given up, unless the provider has answered.
    ///
    /// # Errors
    /// [`Interrupted::PopupBlocked`] at once, when there is no window. [`Interrupted::PopupClosed`] when the user closed it, as far as that can
    /// be told; [`Interrupted::PopupSuperseded`] after another call; [`Interrupted::TimedOut`] after ten minutes; and all that goes wrong when a
    /// sign-in is finished. Who was signed in before still is.
    pub fn sign_in_with_popup(&self, sign_in: SignIn) -> impl Future<Output = Result<Session, Error>> + use<> {
        let client = self.clone();
        let call = move |method: String, one: String, two: JsValue| answer(&client, &method, &one, two);
        // JavaScript holds it as long as it may call it, which may be longer than anybody awaits this.
        let call = Closure::<dyn Fn(String, String, JsValue) -> JsValue>::new(call).into_js_value();
        let asked = Abort::after(LONG).and_then(|abort| Ok((pop_up(&call, &sign_in.to_json().to_string(), abort.signal())?, abort)));
        async move {
            let outcome = match &asked {
                Ok((promise, _)) => settled(promise).await,
                Err(thrown) => Err(thrown.clone()),
            };
            match outcome {
                Ok(session) => read(&session).ok_or(Interrupted::SignInNeeded.into()),
                Err(thrown) => Err(read(&thrown).unwrap_or(Misconfigured::NoWindow.into())),
            }
        }
    }
}

/// What the script asks the keep.
pub(super) fn answer(client: &Client, method: &str, one: &str, two: JsValue) -> JsValue {
    let two = two.as_string().unwrap_or_default();
    match method {
        "begin_popup" => {
            let work = SignIn::from_json(one).map(|sign_in| client.begin_popup(sign_in));
            promise(async move { Ok(written(&work?.await?)) })
        }
        "finish_popup" => {
            let work = client.finish_popup(one, &two);
            promise(async move { Ok(written_if_any(work.await?)) })
        }
        _ => {
            let work = client.end_popup(one, PopupSignIn::ended(&two));
            promise(async move { work.await.map(|()| JsValue::UNDEFINED) })
        }
    }
}
