//! What the outside must offer a keep. Each failure is a value; none of these decides anything.

use std::{fmt, future::Future, pin::Pin, rc::Rc, time::Duration};

use crate::protocol::{
    Error, Interrupted, Jwk, Misbehaved, Misconfigured, Moment, Request, Response, Secret, SignatureCheck, Source, UnixTime, Unreadable,
};

/// What a port answers with, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// All ports of a keep.
#[derive(Clone)]
pub struct Ports {
    /// The other tabs.
    pub channel: Rc<dyn Channel>,
    /// The time.
    pub clock: Rc<dyn Clock>,
    /// Randomness, signatures and sealed messages.
    pub crypto: Rc<dyn Crypto>,
    /// A hidden frame.
    pub frames: Rc<dyn Frames>,
    /// The network.
    pub http: Rc<dyn Http>,
    /// What all tabs agree on.
    pub journal: Rc<dyn Journal>,
    /// One tab at a time.
    pub locks: Rc<dyn Locks>,
    /// What outlives the page.
    pub store: Rc<dyn Store>,
    /// Whether the keep is still there when its page has left for the provider and come back. Not in a page.
    pub survives_navigation: bool,
    /// Work that nobody awaits.
    pub tasks: Rc<dyn Tasks>,
}

/// The other tabs of this browser at this origin.
pub trait Channel {
    /// Opens a line of that name, and calls back with every text that another tab posts to it, until the line is dropped. `None`
    /// where there are no channels.
    fn open(&self, name: &str, heard: Rc<dyn Fn(String)>) -> Option<Box<dyn Line>>;
}

/// A line to the other tabs.
pub trait Line {
    /// Tells all others. Whether anybody hears it is not known.
    fn post(&self, text: &str);
}

/// The time.
pub trait Clock {
    /// The wall clock, which may be set.
    fn now(&self) -> UnixTime;

    /// The time since some moment in the past. Nobody can set it, but it may stand still while the device sleeps.
    fn steady(&self) -> Duration;

    /// Answers when so much time has passed.
    fn sleep(&self, span: Duration) -> Answer<'_, ()>;
}

impl dyn Clock {
    /// Both clocks at once.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.now(), steady: self.steady() }
    }
}

/// Randomness, signatures and sealed messages.
pub trait Crypto {
    /// Fills all of it with random bytes from the platform's generator, or nothing.
    ///
    /// # Errors
    /// When there is no generator.
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoCrypto>;

    /// Whether the signature is valid. A key that cannot be used has signed nothing.
    fn verify<'a>(&'a self, check: &'a SignatureCheck<'a>) -> Answer<'a, Result<bool, NoCrypto>>;

    /// A box that others can put a text into, and only its owner takes out.
    fn strongbox(&self) -> Answer<'_, Result<Box<dyn Strongbox>, NoCrypto>>;

    /// Seals a text so that only the box with this public key opens it.
    fn seal<'a>(&'a self, text: &'a Secret<String>, public_key: &'a str) -> Answer<'a, Result<String, NoCrypto>>;

    /// A new key for proofs: ES256.
    fn proof_key(&self) -> Answer<'_, Result<Box<dyn ProofKey>, NoCrypto>>;

    /// Whether all of the above can work here.
    fn is_available(&self) -> bool;
}

/// A key pair for one message. The private half cannot be read, and is gone when this is dropped.
pub trait Strongbox {
    /// The public half, as text.
    fn public_key(&self) -> &str;

    /// Opens what was sealed for this box.
    fn open<'a>(&'a self, sealed: &'a str) -> Answer<'a, Result<Secret<String>, NoCrypto>>;
}

/// A key pair for ES256. The private half cannot be read, and is gone when this is dropped.
pub trait ProofKey {
    /// The public half.
    fn public_key(&self) -> &Jwk;

    /// Signs: R and S side by side ([RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)).
    fn sign<'a>(&'a self, text: &'a str) -> Answer<'a, Result<Vec<u8>, NoCrypto>>;
}

/// The platform offers no cryptography to this page, or it does not fit what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCrypto;

impl From<NoCrypto> for Error {
    fn from(NoCrypto: NoCrypto) -> Error {
        Misconfigured::InsecureContext.into()
    }
}

/// Hidden frames.
pub trait Frames {
    /// Opens a hidden frame at a URL. It is gone when the answer is dropped. `None` where there is no page to put it in.
    fn open(&self, url: &str) -> Option<Box<dyn HiddenFrame>>;
}

/// A hidden frame, and what happens around it.
pub trait HiddenFrame {
    /// The next thing that happens.
    fn next(&self) -> Answer<'_, FrameEvent>;
}

/// What happens around a hidden frame. Nothing of it is believed yet. `Debug` leaves the text out: it may carry a code.
///
/// ```
/// # use tokenkeep::keep::ports::FrameEvent;
/// let event = FrameEvent::Message { origin: String::from("https://app.example"), from_frame: true, text: Some(String::from("?code=xyz")) };
/// assert_eq!(format!("{event:?}"), r#"Message("https://app.example", true, ..)"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum FrameEvent {
    /// The page's own policy forbids a frame at this URL.
    Blocked,
    /// Something was loaded into the frame; what, is not known.
    Loaded,
    /// A message arrived at the page.
    Message {
        /// `event.origin`.
        origin: String,
        /// Whether `event.source` is the frame.
        from_frame: bool,
        /// The data, if it is a text.
        text: Option<String>,
    },
}

impl fmt::Debug for FrameEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameEvent::Blocked => f.write_str("Blocked"),
            FrameEvent::Loaded => f.write_str("Loaded"),
            FrameEvent::Message { origin, from_frame, .. } => write!(f, "Message({origin:?}, {from_frame}, ..)"),
        }
    }
}

/// The network. Sends no cookies and no referrer, follows no redirect.
pub trait Http {
    /// Sends a request once and reads the whole answer, within the request's deadline and limit.
    ///
    /// A request whose answer is dropped is aborted.
    fn send<'a>(&'a self, request: &'a Request) -> Answer<'a, Result<Response, HttpFailure>>;

    /// Answers when nobody wants an answer from here any more, of a network that is only for one request. A call that waits is not sent then.
    #[cfg(feature = "step-up")]
    fn given_up(&self) -> Answer<'_, ()> {
        Box::pin(std::future::pending())
    }

    /// Finds out whether anybody answers at a URL: what they answer is not looked at.
    fn reach<'a>(&'a self, url: &'a str, deadline: Duration) -> Answer<'a, Result<(), HttpFailure>>;
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

/// One text per key that all tabs of this browser agree on: whoever changes it sees what was last written, wherever that was.
pub trait Journal {
    /// Reads the text under a key and, if `change` answers with another, writes that: both in one, with nobody in between.
    ///
    /// # Errors
    /// When the browser stores nothing. It may also never answer.
    fn update<'a>(&'a self, key: &'a str, change: Change) -> Answer<'a, Result<(), StoreFailure>>;
}

/// What becomes of a text; `None` leaves it as it is.
pub type Change = Box<dyn FnOnce(Option<String>) -> Option<String>>;

/// One tab at a time.
pub trait Locks {
    /// Waits until nobody else has the lock of this name, at most so long. Whoever steals takes it from who has it now.
    ///
    /// # Errors
    /// When it was not to be had in that time, or there are no locks.
    fn acquire<'a>(&'a self, name: &'a str, how: Acquire) -> Answer<'a, Result<Box<dyn Lock>, LockFailure>>;
}

/// How to get a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquire {
    /// Take it from who has it.
    Steal,
    /// Wait for it, so long.
    Within(Duration),
}

/// A lock that is held, until it is dropped or somebody steals it.
pub trait Lock {}

/// Why there is no lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockFailure {
    /// Somebody else holds it.
    Held,
    /// There are no locks here.
    Unsupported,
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

/// Work that nobody awaits.
pub trait Tasks {
    /// Begins it now, and goes on with it whenever it can go on.
    fn spawn(&self, work: Answer<'static, ()>);
}
