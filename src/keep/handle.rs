//! What a page knows of its keep.

use std::{rc::Rc, time::Duration};

use super::{
    Keep, Session,
    mark::Mark,
    pending::NotTaken,
    ports::{Answer, Http},
};
#[cfg(feature = "check-session")]
use crate::protocol::check_session::Said;
use crate::{
    protocol::{Callback, Claims, Error, FrontChannelLogout, Request, Response, Secret, SignIn, UnixTime},
    session::Ended,
};

/// A keep, wherever it is. Everything that goes through here could go through a message port.
#[derive(Clone)]
pub enum Handle {
    /// In this very page.
    Here(Rc<Keep>),
}

/// What became of a response.
pub enum Taken {
    /// It belongs to another client on this origin, and was left to it.
    NotOurs,
    /// It is being worked on. The pending login is already gone from the store.
    Ours {
        /// Where in the app the user wanted to be, as it was remembered. Not checked yet.
        return_to: String,
        /// Who is signed in when it is done.
        work: Answer<'static, Result<Session, Error>>,
    },
    /// It was refused, and no request was sent.
    Refused {
        /// Why.
        error: Error,
        /// Where in the app the user wanted to be, if the response belonged to a login.
        return_to: Option<String>,
    },
}

/// How to leave for the provider.
#[derive(Debug)]
pub enum Leaving {
    /// By going there.
    To(Secret<String>),
    /// By sending a form there.
    With {
        /// Where.
        url: String,
        /// Names and values.
        fields: Vec<(&'static str, Secret<String>)>,
    },
}

impl Handle {
    /// Begins a sign-in, and answers with the URL to send the user to.
    pub fn begin(&self, sign_in: SignIn, return_to: String) -> Answer<'static, Result<Secret<String>, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().begin(sign_in, return_to))
    }

    /// Begins a sign-in on another device, or joins the one that is under way.
    #[cfg(feature = "device")]
    pub(crate) fn begin_by_device(&self) -> Answer<'static, Result<Rc<super::device::Attempt>, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().begin_by_device())
    }

    /// Begins a sign-in in a window of its own.
    #[cfg(feature = "popup")]
    pub fn begin_popup(&self, sign_in: SignIn) -> Answer<'static, Result<super::popup::PopupSignIn, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().begin_popup(sign_in))
    }

    /// Hands over what came from such a window. `None` when it is no response to the sign-in with this `state`, which goes on then. When
    /// this returns, the pending login has been used up otherwise.
    #[cfg(feature = "popup")]
    pub fn finish_popup(&self, state: &str, address: &str) -> Option<Answer<'static, Result<Session, Error>>> {
        let Handle::Here(keep) = self;
        Some(match keep.take_popup(state, address)? {
            Ok(accepted) => Box::pin(keep.clone().redeem(accepted)),
            Err(error) => Box::pin(async { Err(error) }),
        })
    }

    /// Forgets such a sign-in: its response would be none.
    #[cfg(feature = "popup")]
    pub fn end_popup(&self, state: &str) {
        let Handle::Here(keep) = self;
        keep.forget_popup(&crate::protocol::StateDigest::of(state));
    }

    /// Hands over a response. When this returns, before anything is awaited, the pending login has been used up.
    pub fn finish(&self, callback: Callback) -> Taken {
        let Handle::Here(keep) = self;
        match keep.take(callback) {
            Ok(accepted) => {
                Taken::Ours { return_to: accepted.login().return_to().to_owned(), work: Box::pin(keep.clone().redeem(accepted)) }
            }
            Err(NotTaken::OtherClient) => Taken::NotOurs,
            Err(NotTaken::Refused { error, return_to }) => Taken::Refused { error, return_to },
        }
    }

    /// A page says something of the provider's frame, to which it posted this message: what it shall post next, if anything.
    #[cfg(feature = "check-session")]
    pub fn check_session(&self, said: Said, about: String) -> Answer<'static, Result<Option<super::OpFrame>, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().check_session(said, about))
    }

    /// Sends an API request with the access token: by the keep's own network, or by one that is only for this request.
    pub fn fetch(&self, request: Request, by: Option<Rc<dyn Http>>) -> Answer<'static, Result<Response, Error>> {
        let Handle::Here(keep) = self;
        let http = by.unwrap_or_else(|| keep.ports.http.clone());
        Box::pin(keep.clone().fetch(request, http))
    }

    /// The access token that a request to this URL would have, if the app may see it.
    pub fn access_token(&self, url: String) -> Answer<'static, Result<Secret<String>, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().access_token(url))
    }

    /// Asks the provider for claims about the user who is signed in.
    pub fn user_info(&self) -> Answer<'static, Result<Claims, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().user_info())
    }

    /// Looks whether somebody was signed in here before the page was loaded, and still is.
    pub fn restore(&self) -> Answer<'static, Option<Session>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().restore())
    }

    /// Who is signed in.
    pub fn session(&self) -> Option<Session> {
        let Handle::Here(keep) = self;
        keep.session_now()
    }

    /// Takes no session over from another tab: this page is not to be shown who is signed in.
    pub fn stay_out(&self) {
        let Handle::Here(keep) = self;
        keep.estranged.set(true);
    }

    /// What a call waits for that its API wants of the user.
    #[cfg(feature = "step-up")]
    pub fn step_up(&self) -> Option<crate::protocol::StepUp> {
        let Handle::Here(keep) = self;
        keep.step_up()
    }

    /// The user does not want to: what waits for that gets the answer that it had.
    #[cfg(feature = "step-up")]
    pub fn decline_step_up(&self) {
        let Handle::Here(keep) = self;
        keep.decline_step_up();
    }

    /// Renews the access token, now.
    pub fn renew(&self) -> Answer<'static, Result<Session, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().renew())
    }

    /// There is reason to look at the clock; the page may have been away (`returned`).
    pub fn wake(&self, returned: bool) {
        let Handle::Here(keep) = self;
        keep.wake(returned);
    }

    /// The user was active at this time.
    #[cfg(feature = "limits")]
    pub fn active(&self, at: UnixTime) {
        let Handle::Here(keep) = self;
        keep.active(at);
    }

    /// How often activity is to be told at most; `None` if nobody asks for it.
    pub fn rhythm(&self) -> Option<Duration> {
        let Handle::Here(keep) = self;
        keep.rhythm()
    }

    /// When the session ends unless the user is active, if the user was warned of that.
    pub fn idle_ends(&self) -> Option<UnixTime> {
        let Handle::Here(keep) = self;
        keep.idle_ends()
    }

    /// Whether the page was asked to leave for the provider, and nobody has signed out since.
    pub fn is_redirecting(&self) -> bool {
        let Handle::Here(keep) = self;
        keep.redirecting.get() && keep.mark().signed_out.is_none()
    }

    /// The page was asked to leave for the provider, and could not.
    pub fn redirect_failed(&self, error: Error) {
        let Handle::Here(keep) = self;
        keep.redirect_failed(error);
    }

    /// Signs out. When this returns the tokens are gone; the answer says how to leave for the provider, if it was asked for and is the
    /// first to do so.
    pub fn sign_out(&self, at_provider: bool) -> Answer<'static, Result<Option<Leaving>, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.sign_out(at_provider))
    }

    /// Whether an address is where a sign-out that began in this browser comes back to. It is so once.
    pub fn returned(&self, address: &str) -> bool {
        let Handle::Here(keep) = self;
        keep.returned(address)
    }

    /// Whether the user signed out a moment ago.
    pub fn signed_out_just_now(&self) -> bool {
        let Handle::Here(keep) = self;
        keep.signed_out_just_now()
    }

    /// Ends the session that the provider names, in whatever tab it is. True when one did.
    pub fn front_channel_logout(&self, said: FrontChannelLogout) -> Answer<'static, bool> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().front_channel_logout(said))
    }

    /// Drops the tokens, as if they had expired.
    pub fn forget(&self) {
        let Handle::Here(keep) = self;
        keep.end(Ended::Expired);
    }

    /// Drops the tokens, listens to no tab any more, and removes every record of this client.
    pub fn close(&self) {
        let Handle::Here(keep) = self;
        keep.end(Ended::SignedOut);
        keep.stop_listening();
        keep.note(|mark| *mark = Mark::default());
        keep.forget_presence();
        super::pending::forget_all(&*keep.ports.store, &keep.settings.issuer, &keep.settings.registration.client_id);
        #[cfg(feature = "popup")]
        keep.popups.take();
    }
}
