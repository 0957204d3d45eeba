//! What the outside must offer a keep. Each failure is a value; none of these decides anything.

use std::{future::Future, pin::Pin, rc::Rc, time::Duration};

use crate::protocol::{Error, Interrupted, Misbehaved, Misconfigured, Request, Response, SignatureCheck, Source, UnixTime, Unreadable};

/// What a port answers with, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// All ports of a keep.
#[derive(Clone)]
pub struct Ports {
    /// The time.
    pub clock: Rc<dyn Clock>,
    /// Randomness and signatures.
    pub crypto: Rc<dyn Crypto>,
    /// The network.
    pub http: Rc<dyn Http>,
    /// What outlives the page.
    pub store: Rc<dyn Store>,
}

/// The time.
pub trait Clock {
    /// The wall clock.
    fn now(&self) -> UnixTime;

    /// Answers when so much time has passed.
    fn sleep(&self, span: Duration) -> Answer<'_, ()>;
}

/// Randomness and signatures.
pub trait Crypto {
    /// Fills all of it with random bytes from the platform's generator, or nothing.
    ///
    /// # Errors
    /// When there is no generator.
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto>;

    /// Whether the signature is valid. A key that cannot be used has signed nothing.
    fn verify<'a>(&'a self, check: &'a SignatureCheck<'a>) -> Answer<'a, Result<bool, NoCrypto>>;

    /// Whether both of the above can work here.
    fn is_available(&self) -> bool;
}

/// The platform offers no cryptography to this page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCrypto;

impl From<NoCrypto> for Error {
    fn from(NoCrypto: NoCrypto) -> Error {
        Misconfigured::InsecureContext.into()
    }
}

/// The network. Sends no cookies and no referrer, follows no redirect.
pub trait Http {
    /// Sends a request once and reads the whole answer, within the request's deadline and limit.
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>>;
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFailure {
    /// The browser knows that it is offline.
    Offline,
    /// The deadline passed.
    TimedOut,
    /// The body is larger than the request's limit.
    TooLarge,
    /// Anything else: the network, the server, a redirect, CORS.
    Unreachable,
}

impl HttpFailure {
    /// As an error about an answer.
    pub fn of(self, from: Source) -> Error {
        match self {
            HttpFailure::Offline => Interrupted::Offline { from }.into(),
            HttpFailure::TimedOut => Interrupted::TimedOut { from }.into(),
            HttpFailure::TooLarge => Misbehaved::BadResponse { from, why: Unreadable::TooLarge }.into(),
            HttpFailure::Unreachable => Interrupted::Unreachable { from }.into(),
        }
    }
}

/// Text that outlives the page and is seen by all tabs of this browser. Synchronous: a record is taken before anything is awaited.
pub trait Store {
    /// The text under a key.
    ///
    /// # Errors
    /// When the browser blocks storage.
    fn read(&self, key: &str) -> Result<Option<String>, StoreFailure>;

    /// Puts a text under a key: all of it, or nothing.
    ///
    /// # Errors
    /// When the browser blocks storage, or it is full.
    fn write(&self, key: &str, text: &str) -> Result<(), StoreFailure>;

    /// Removes a key.
    fn remove(&self, key: &str);

    /// All keys, other people's too.
    fn keys(&self) -> Vec<String>;
}

/// Why nothing was stored or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// Storage is blocked.
    Blocked,
    /// Storage is full.
    Full,
}

impl From<StoreFailure> for Error {
    fn from(failure: StoreFailure) -> Error {
        match failure {
            StoreFailure::Blocked => Interrupted::StorageBlocked.into(),
            StoreFailure::Full => Interrupted::StorageFull.into(),
        }
    }
}
