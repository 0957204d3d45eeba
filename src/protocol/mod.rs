//! The messages of OAuth 2 and OpenID Connect as values: no async, no clock, no globals, no browser.
//!
//! One login from start to end:
//!
//! 1. [`Metadata::request`] asks the provider what it is, [`Metadata::read`] judges the answer.
//! 2. [`authorize`](authorize::authorize) makes an [`AuthorizationRequest`], whose URL is for the user or which is pushed first
//!    ([`PushedRequest`]), and a [`PendingLogin`] that must survive the redirect.
//! 3. [`Callback::read`] takes the response out of the address, [`PendingLogin::accept`] compares it with what was asked for. Only
//!    that makes an [`AuthorizationCode`]; where the response is signed or has an ID token, not before that was verified ([`Accepted`]).
//! 4. [`AuthorizationCode::exchange`] makes the token request, [`CodeExchange::finish`] judges the answer.
//! 5. [`Unverified::read`] takes the ID token apart, [`Unverified::checks`] says what is to be checked with which key,
//!    [`Unverified::signed_by`] takes the outcome. [`Signed::verify`] checks the claims. Only that makes [`Claims`].
//!
//! Where tokens are bound to a key, [`Proof`](dpop::Proof) goes along with 4 and with every use of a token.
//!
//! Time, randomness and answers are arguments. A check leaves a type behind: what needs it cannot be called without it.

pub mod authorize;
pub mod callback;
pub mod challenge;
pub mod check_session;
#[cfg(feature = "confidential")]
pub mod client_authentication;
#[cfg(feature = "device")]
pub mod device;
pub mod dpop;
pub mod error;
pub mod form;
#[cfg(feature = "confidential")]
pub mod grant;
pub mod http;
pub mod id_token;
pub mod initiated;
pub mod jose;
pub mod json;
pub mod logout;
pub mod pkce;
pub mod provider;
pub mod pushed;
pub mod secret;
pub mod time;
pub mod token;
pub mod url;
pub mod user_info;
pub(crate) mod wire;

pub use authorize::{
    Acr, AuthorizationRequest, Entropy, PendingLogin, Prompt, Registration, ResponseMode, ResponseType, Scope, SignIn, StateDigest,
};
#[cfg(feature = "implicit")]
pub use callback::IdTokenResponse;
pub use callback::{Accepted, AuthorizationCode, Callback, HybridResponse, SignedResponse};
pub use challenge::{Challenge, StepUp};
pub use check_session::MonitorStopped;
pub use error::{Error, Interrupted, Kind, Misbehaved, Misconfigured, ProviderError, Source, Unreadable};
pub use http::{Cache, Request, Response};
pub use id_token::{Claims, Expected};
pub use initiated::Initiated;
pub use jose::{Algorithm, Hash, Jwk, Jwks, KeyParameters, SignatureCheck, Signed, Unverified};
pub use json::{Json, Number};
pub use logout::{EndSession, FrontChannelLogout};
pub use pkce::CodeVerifier;
pub use provider::{Discovery, Issuer, Metadata};
pub use pushed::PushedRequest;
pub use secret::Secret;
pub use time::{ClockSkew, Lifetime, Moment, UnixTime};
pub use token::{Access, AccessTokenExchange, CodeExchange, Granted, Presented, Redeemed, Refresh, TokenType};
pub use url::{HttpUrl, UrlFault};
pub use user_info::UserInfoFormat;
