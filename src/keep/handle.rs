//! What a page knows of its keep.

use std::rc::Rc;

use super::{Keep, Session, pending::NotTaken, ports::Answer};
use crate::protocol::{Callback, Claims, Error, Request, Response, Secret, SignIn};

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

impl Handle {
    /// Begins a sign-in, and answers with the URL to send the user to.
    pub fn begin(&self, sign_in: SignIn, return_to: String) -> Answer<'static, Result<Secret<String>, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().begin(sign_in, return_to))
    }

    /// Hands over a response. When this returns, before anything is awaited, the pending login has been used up.
    pub fn finish(&self, callback: &Callback) -> Taken {
        let Handle::Here(keep) = self;
        match keep.take(callback) {
            Ok(code) => Taken::Ours { return_to: code.return_to().to_owned(), work: Box::pin(keep.clone().redeem(code)) },
            Err(NotTaken::OtherClient) => Taken::NotOurs,
            Err(NotTaken::Refused { error, return_to }) => Taken::Refused { error, return_to },
        }
    }

    /// Sends an API request with the access token.
    pub fn fetch(&self, request: Request) -> Answer<'static, Result<Response, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().fetch(request))
    }

    /// Asks the provider for claims about the user who is signed in.
    pub fn user_info(&self) -> Answer<'static, Result<Claims, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().user_info())
    }

    /// Drops the tokens, at once.
    pub fn end(&self) {
        let Handle::Here(keep) = self;
        keep.end();
    }

    /// Where to send the user to sign out at the provider.
    pub fn end_session_url(&self) -> Answer<'static, Result<String, Error>> {
        let Handle::Here(keep) = self;
        Box::pin(keep.clone().end_session_url())
    }

    /// Drops the tokens and every pending login of this client.
    pub fn close(&self) {
        let Handle::Here(keep) = self;
        keep.end();
        super::pending::forget_all(&*keep.ports.store, &keep.settings.issuer, &keep.settings.registration.client_id);
    }
}
