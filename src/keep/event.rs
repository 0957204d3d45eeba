//! What happened, for an app that wants to show or log it. No event holds a secret.

use std::{fmt, time::Duration};

use crate::{
    protocol::{Algorithm, Error},
    session::{Ended, Rung},
};

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
    /// The session is over. The tokens are gone.
    Ended(Ended),
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
    /// The session goes on with a new token.
    Renewed {
        /// What led to it.
        by: Rung,
    },
    /// A way to a new token did not lead there. Unless a pause is said, the next one is tried.
    RenewalFailed {
        /// Which way.
        by: Rung,
        /// Why, if it was more than that it is not there.
        error: Option<Error>,
        /// After how long all is tried again.
        pause: Option<Duration>,
    },
    /// The refresh token was revoked at the provider, or the reason why that did not work.
    Revoked(Result<(), Error>),
    /// The provider granted less, or more, than was asked for.
    ScopeChanged {
        /// Words that were asked for and not granted.
        missing: Vec<String>,
        /// Words that were granted and not asked for.
        added: Vec<String>,
    },
    /// Somebody is signed in.
    SignedIn,
    /// The user came back from signing out at the provider.
    SignedOutAtProvider,
    /// There is no way to a new token but that the user signs in again. The one that is there is good until it ends.
    SignInNeeded,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ApiAnswered { url, status } => write!(f, "{url} answered {status}"),
            Event::CallbackReceived => f.write_str("back from the provider; the response left the address bar"),
            Event::CodeRedeemed => f.write_str("the code was redeemed for tokens"),
            Event::Ended(why) => write!(f, "the session is over, the tokens are gone: {why}"),
            Event::Failed(error) => error.fmt(f),
            Event::IdTokenVerified { algorithm } => write!(f, "ID token verified: {} signature and all claims", algorithm.name()),
            Event::KeysRead => f.write_str("the provider's keys were read"),
            Event::MetadataRead => f.write_str("the provider's metadata was read"),
            Event::Redirecting => f.write_str("leaving for the provider"),
            Event::Renewed { by } => write!(f, "renewed by {by}"),
            Event::RenewalFailed { by, error, pause } => {
                write!(f, "not renewed by {by}")?;
                if let Some(error) = error {
                    write!(f, ": {error}")?;
                }
                match pause {
                    Some(pause) => write!(f, "; tried again in {} seconds", pause.as_secs()),
                    None => Ok(()),
                }
            }
            Event::Revoked(Ok(())) => f.write_str("the refresh token was revoked"),
            Event::Revoked(Err(error)) => write!(f, "the refresh token was not revoked: {error}"),
            Event::ScopeChanged { missing, added } => {
                write!(f, "the scope is not what was asked for: without [{}], with [{}]", quoted(missing), quoted(added))
            }
            Event::SignedIn => f.write_str("signed in"),
            Event::SignedOutAtProvider => f.write_str("back from signing out at the provider"),
            Event::SignInNeeded => f.write_str("the user must sign in again: nothing else leads to a new token"),
        }
    }
}

/// Words in quotes. No word of a scope has one inside.
fn quoted(words: &[String]) -> String {
    words.iter().map(|word| ["\"", word, "\""].concat()).collect::<Vec<_>>().join(", ")
}
