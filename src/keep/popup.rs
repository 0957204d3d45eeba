//! A sign-in in a window of its own: the page stays where it is, and the keep with it.
//!
//! What waits for the response is in this keep's memory and nowhere else: no other tab can take it, and when the keep has gone nobody
//! redeems the code.

use std::rc::Rc;

use super::{Keep, MAX_PENDING};
use crate::protocol::{Accepted, Callback, Error, PendingLogin, Secret, SignIn, StateDigest};

/// A sign-in that has begun: where to send its window, and what the response will name.
#[derive(Debug)]
pub struct PopupSignIn {
    /// `state`: who knows it may hand over the response.
    pub state: Secret<String>,
    /// Where to send the window.
    pub url: Secret<String>,
}

impl Keep {
    /// Begins a sign-in whose response comes to the redirect URI for windows.
    pub(super) async fn begin_popup(self: Rc<Self>, sign_in: SignIn) -> Result<PopupSignIn, Error> {
        let mut registration = self.settings.registration.clone();
        registration.redirect_uri = self.settings.popup_redirect_uri.clone();
        // No more than in a hidden frame somebody is there who receives a form.
        registration.response_mode = registration.response_mode.in_frame(registration.response_type);
        // The page stays, and the key with it.
        let (url, state, login) = self.authorized(registration, sign_in, String::new(), true, None).await?;
        let now = self.ports.clock.now();
        let mut popups = self.popups.borrow_mut();
        popups.retain(|login| !login.has_expired(now));
        if popups.len() >= MAX_PENDING {
            // The oldest.
            popups.remove(0);
        }
        popups.push(login);
        Ok(PopupSignIn { state, url })
    }

    /// Takes the sign-in with this `state`, and compares the response. `None` when it is no response to it: then nothing has changed.
    pub(super) fn take_popup(&self, state: &str, address: &str) -> Option<Result<Accepted, Error>> {
        let callback = Callback::read(address, self.settings.popup_redirect_uri.as_str())?;
        let state = callback.state().ok().filter(|named| *named == StateDigest::of(state))?;
        let login = self.forget_popup(&state)?;
        Some(login.accept(callback, self.ports.clock.now()))
    }

    /// Nobody waits for the response any more.
    pub(super) fn forget_popup(&self, state: &StateDigest) -> Option<PendingLogin> {
        let mut popups = self.popups.borrow_mut();
        let at = popups.iter().position(|login| login.state() == state)?;
        Some(popups.remove(at))
    }
}
