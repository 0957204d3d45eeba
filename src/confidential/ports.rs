//! What the outside must offer a confidential client: a network, cryptography and a clock. Each failure is a value; none of these decides
//! anything.
//!
//! Futures need not be `Send`, so that the same traits do in Node. Where yours are, and everything you hold is, those of
//! [`Client`](super::Client) are too, and go into `tokio::spawn` or an axum handler as they are.

#[cfg(not(target_family = "wasm"))]
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub use crate::keep::ports::{HttpFailure, NoCrypto};
#[cfg(not(target_family = "wasm"))]
use crate::protocol::UnixTime;
use crate::protocol::{Algorithm, Moment, Request, Response, SignatureCheck};

/// The network.
pub trait Http {
    /// Sends a request once and reads the whole answer, within the request's deadline and limit. It follows no redirect: that is
    /// [`HttpFailure::Unreachable`], because what is sent holds secrets. Header names of the answer are in lower case.
    fn send(&self, request: &Request) -> impl Future<Output = Result<Response, HttpFailure>>;
}

/// Randomness and signatures.
pub trait Crypto {
    /// Fills all of it with random bytes from the platform's generator, or nothing.
    ///
    /// # Errors
    /// When there is no generator.
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto>;

    /// Whether the signature is valid. A key that cannot be used has signed nothing.
    fn verify(&self, check: &SignatureCheck<'_>) -> impl Future<Output = Result<bool, NoCrypto>>;

    /// Signs with the client's private key, for `private_key_jwt`: the signature as a JWS has it
    /// ([RFC 7518 §3](https://www.rfc-editor.org/rfc/rfc7518#section-3)).
    ///
    /// # Errors
    /// When there is no key for this algorithm.
    fn sign(&self, algorithm: Algorithm, text: &str) -> impl Future<Output = Result<Vec<u8>, NoCrypto>> {
        let _ = (algorithm, text);
        async { Err(NoCrypto) }
    }
}

/// The time.
pub trait Clock {
    /// Both clocks at once.
    fn moment(&self) -> Moment;
}

/// The clocks of the operating system.
#[cfg(not(target_family = "wasm"))]
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Instant);

#[cfg(not(target_family = "wasm"))]
impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock(Instant::now())
    }
}

#[cfg(not(target_family = "wasm"))]
impl Clock for SystemClock {
    fn moment(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Moment { wall, steady: self.0.elapsed() }
    }
}
