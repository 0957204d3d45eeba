//! A sign-in in a window of its own, as the page has it. The window itself is opened and heard by a script, `pkg/popup-window.js`.

use std::rc::Rc;

use super::{Client, Finished, Inner, Link, PopupSignIn, State};
use crate::{
    keep::{Event, Session, ports::Answer},
    page::ports::FramedBy,
    protocol::{Error, Interrupted, Json, Misconfigured, Secret, SignIn, Source, wire::Wire},
};

/// For who opens the window. `Client::sign_in_with_popup` does it all.
impl Client {
    /// Begins a sign-in whose response comes to [`Config::popup_redirect_path`](crate::Config::popup_redirect_path): sends what the provider
    /// wants beforehand, and answers with where to send the window.
    ///
    /// # Errors
    /// As [`Client::sign_in`]. Nothing was remembered then.
    pub fn begin_popup(&self, sign_in: SignIn) -> impl Future<Output = Result<PopupSignIn, Error>> + use<> {
        self.0.clone().begin_popup(sign_in)
    }

    /// Hands over an address that was posted for the sign-in with this `state`. `None` when it is no response to that, or came before: nothing
    /// has changed then, and the sign-in goes on. Otherwise it is used up when this returns, whatever comes of it.
    ///
    /// # Errors
    /// When the response is not acceptable. Who was signed in before still is.
    pub fn finish_popup(&self, state: &str, address: &str) -> impl Future<Output = Result<Option<Session>, Error>> + use<> {
        self.0.clone().finish_popup(state, address)
    }

    /// Gives up the sign-in with this `state`, or one that did not begin, for this reason.
    ///
    /// # Errors
    /// The reason, always. Who was signed in before still is.
    pub fn end_popup(&self, state: &str, why: Interrupted) -> impl Future<Output = Result<(), Error>> + use<> {
        self.0.clone().end_popup(state, why)
    }
}

impl PopupSignIn {
    /// Why there is no response, as a script says it.
    pub fn ended(code: &str) -> Interrupted {
        match code {
            "popup_blocked" => Interrupted::PopupBlocked,
            "popup_closed" => Interrupted::PopupClosed,
            "popup_superseded" => Interrupted::PopupSuperseded,
            "timed_out" => Interrupted::TimedOut { from: Source::Authorization },
            _ => Interrupted::Cancelled,
        }
    }

    /// As a script reads it.
    pub fn to_json(&self) -> Json {
        Json::object(vec![("state", Some(self.state.expose().into())), ("url", Some(self.url.expose().into()))])
    }
}

impl Wire for PopupSignIn {
    fn write(&self) -> Json {
        self.to_json()
    }

    fn read(json: &Json) -> Option<PopupSignIn> {
        Some(PopupSignIn { state: Secret::copied(json.text("state")?), url: Secret::copied(json.text("url")?) })
    }
}

pub(super) async fn begin(page: Rc<Inner>, sign_in: SignIn) -> Result<PopupSignIn, Error> {
    let has_failed = matches!(*page.told().state.borrow(), State::Failed(_));
    if has_failed {
        page.set(State::SignedOut);
    }
    let begun = match page.navigation.framed_by() {
        // Nobody signs in from inside somebody else's page.
        FramedBy::AnotherOrigin => Err(Misconfigured::Framed.into()),
        FramedBy::Nobody | FramedBy::ThisOrigin => page.serving.keep.begin_popup(sign_in).await,
    };
    begun.inspect_err(|error| page.fail(error))
}

pub(super) fn finish(page: Rc<Inner>, state: &str, address: &str) -> Answer<'static, Result<Option<Session>, Error>> {
    let Some(work) = page.serving.keep.finish_popup(state, address) else { return Box::pin(async { Ok(None) }) };
    page.told.events.tell(&Event::CallbackReceived);
    Box::pin(async move {
        let outcome = work.await;
        let refused = outcome.as_ref().err().cloned();
        // The page is where it is. Where a redirect was to lead that failed before is still so.
        let wanted = page.wanted.borrow().clone();
        match page.arrived(outcome, wanted) {
            Ok(Finished::SignedIn { session, .. }) => Ok(Some(session)),
            Ok(_) => Err(refused.unwrap_or(Interrupted::SignInNeeded.into())),
            Err(error) => Err(error),
        }
    })
}

pub(super) fn end(page: &Rc<Inner>, state: &str, why: Interrupted) -> Error {
    page.serving.keep.end_popup(state);
    let error = why.into();
    match why {
        // Nothing failed: that is what was wanted.
        Interrupted::Cancelled | Interrupted::PopupClosed | Interrupted::PopupSuperseded => page.settle(),
        _ => page.fail(&error),
    }
    error
}
