//! What happened, for an app that wants to show or log it. No event holds a secret.

use std::fmt;

use crate::protocol::{Algorithm, Error};

/// Something that happened.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An API answered.
    ApiAnswered {
        /// The URL without its query.
        url: String,
        /// The status code.
        status: u16,
    },
    /// The browser came back from the provider, and the response was taken out of the address.
    CallbackReceived,
    /// The code was redeemed for tokens.
    CodeRedeemed,
    /// Something failed.
    Failed(Error),
    /// The ID token was verified: signature and claims.
    IdTokenVerified {
        /// How it was signed.
        algorithm: Algorithm,
    },
    /// The provider's keys were read.
    KeysRead,
    /// The provider's metadata was read.
    MetadataRead,
    /// The browser leaves for the provider, to sign in.
    Redirecting,
    /// Somebody is signed in.
    SignedIn,
    /// The tokens were dropped.
    SignedOut,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ApiAnswered { url, status } => write!(f, "{url} answered {status}"),
            Event::CallbackReceived => f.write_str("back from the provider; the response left the address bar"),
            Event::CodeRedeemed => f.write_str("the code was redeemed for tokens"),
            Event::Failed(error) => error.fmt(f),
            Event::IdTokenVerified { algorithm } => write!(f, "ID token verified: {} signature and all claims", algorithm.name()),
            Event::KeysRead => f.write_str("the provider's keys were read"),
            Event::MetadataRead => f.write_str("the provider's metadata was read"),
            Event::Redirecting => f.write_str("leaving for the provider"),
            Event::SignedIn => f.write_str("signed in"),
            Event::SignedOut => f.write_str("signed out; the tokens are gone"),
        }
    }
}
