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
    /// The user was active, in whatever tab: what [`Event::IdleSoon`] said is taken back.
    #[cfg(feature = "limits")]
    Active,
    /// An API answered.
    ApiAnswered {
        /// The URL without its query.
        url: String,
        /// The status code.
        status: u16,
    },
    /// The browser came back from the provider, and the response was taken out of the address.
    CallbackReceived,
    /// The client is named by a URL, and the provider does not say that it reads a client's metadata there: it may not know this client.
    /// The sign-in goes on, because that URL may be registered.
    ClientMetadataUnsupported,
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
    /// The session ends then, unless the user is active ([`Config::idle_limit`](crate::Config::idle_limit)).
    #[cfg(feature = "limits")]
    IdleSoon {
        /// When, on this device's clock.
        ends: crate::protocol::UnixTime,
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
    /// The provider's frame says that the session there changed. It is asked who is signed in, without showing anything.
    #[cfg(feature = "check-session")]
    SessionChanged,
    /// Whether the session at the provider changed is not watched any more, or not at all. The session goes on.
    #[cfg(feature = "check-session")]
    SessionMonitorStopped {
        /// Why.
        reason: crate::protocol::MonitorStopped,
    },
    /// Somebody is signed in.
    SignedIn,
    /// The user came back from signing out at the provider.
    SignedOutAtProvider,
    /// There is no way to a new token but that the user signs in again. The one that is there is good until it ends.
    SignInNeeded,
    /// A call waits until the user has authenticated in another way, or again ([`Config::step_up`](super::Config::step_up)): ask them, and
    /// sign in with this, or decline. Told once for all calls that want the same.
    #[cfg(feature = "step-up")]
    StepUpNeeded(crate::protocol::StepUp),
    /// No call waits any more for what [`Event::StepUpNeeded`] told last: they were sent again, or given up.
    #[cfg(feature = "step-up")]
    StepUpSettled,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "limits")]
            Event::Active => f.write_str("the user is active again"),
            Event::ApiAnswered { url, status } => write!(f, "{url} answered {status}"),
            Event::CallbackReceived => f.write_str("back from the provider; the response left the address bar"),
            Event::ClientMetadataUnsupported => {
                f.write_str("the client is named by a URL, and the provider does not say that it reads a client's metadata there")
            }
            Event::CodeRedeemed => f.write_str("the code was redeemed for tokens"),
            Event::Ended(why) => write!(f, "the session is over, the tokens are gone: {why}"),
            Event::Failed(error) => error.fmt(f),
            Event::IdTokenVerified { algorithm } => write!(f, "ID token verified: {} signature and all claims", algorithm.name()),
            #[cfg(feature = "limits")]
            Event::IdleSoon { .. } => f.write_str("the session ends soon unless the user is active"),
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
            #[cfg(feature = "check-session")]
            Event::SessionChanged => f.write_str("the session at the provider changed; it is asked who is signed in"),
            #[cfg(feature = "check-session")]
            Event::SessionMonitorStopped { reason } => write!(f, "the session at the provider is not watched: {reason}"),
            Event::SignedIn => f.write_str("signed in"),
            Event::SignedOutAtProvider => f.write_str("back from signing out at the provider"),
            Event::SignInNeeded => f.write_str("the user must sign in again: nothing else leads to a new token"),
            #[cfg(feature = "step-up")]
            Event::StepUpNeeded(step_up) => {
                f.write_str("a call waits until the user has authenticated")?;
                if !step_up.acr_values().is_empty() {
                    write!(f, " by one of [{}]", quoted(step_up.acr_values()))?;
                }
                match step_up.max_age() {
                    Some(max_age) => write!(f, " within the last {} seconds", max_age.as_secs()),
                    None => Ok(()),
                }
            }
            #[cfg(feature = "step-up")]
            Event::StepUpSettled => f.write_str("no call waits any more for the user to authenticate"),
        }
    }
}

/// Words in quotes.
fn quoted(words: &[String]) -> String {
    words.iter().map(|word| ["\"", word, "\""].concat()).collect::<Vec<_>>().join(", ")
}
