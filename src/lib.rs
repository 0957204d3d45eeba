//! Sign-in for single-page apps: OAuth 2 and OpenID Connect in the browser, with tokens in memory only.
//!
//! ```no_run
//! use tokenkeep::{Client, Config, Request, SignIn, State};
//! # mod browser { pub fn open(_: &tokenkeep::Config) -> Result<tokenkeep::Client, tokenkeep::Error> { unimplemented!() } }
//! # async fn app() -> Result<(), tokenkeep::Error> {
//!
//! let config = Config::new("https://login.example.com", "my-app").api("https://api.example.com/");
//! let client: Client = browser::open(&config)?; // tokenkeep::browser
//!
//! client.finish_sign_in().await?; // does nothing unless the user comes back from the provider
//! match client.state() {
//!     State::SignedIn(session) => {
//!         let answer = client.fetch(Request::get("https://api.example.com/me")).await?;
//!         println!("{:?}: {:?}", session.subject(), answer.text());
//!     }
//!     _ => client.sign_in(SignIn::default()).await?, // leaves for the provider
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`protocol`] | the messages of OAuth 2 and OpenID Connect as values; pure |
//! | [`session`] | the life of a session: when it is renewed, and when and why it ends; pure |
//! | [`keep`] | the secret side: tokens, and the requests that carry them |
//! | [`page`] | the visible side: what an app holds |
//! | `browser` | the browser's own APIs behind the ports of the above; wasm only. Feature `form-post`: responses as a form |
//! | `confidential` | a server's client, which can keep a secret; feature `confidential` |
//! | `diagnose` | what is wrong between an app and its provider; feature `diagnose` |
//! | `implicit` | who the user is, and nothing else: an ID token that comes as a form; feature `implicit` |
//! | `leptos` | components for Leptos; feature `leptos` |
//! | `worker` | a keep in a SharedWorker that all tabs use; feature `worker` |
//! | `protocol::device` | sign-in on another device, for a screen without a keyboard; feature `device` |
//! | `protocol::check_session` | whether the user is still signed in at the provider; feature `check-session` |
//! | [`manual`] | threats, defaults, and where we differ from a specification |
//!
//! ```text
//! protocol <- session <- keep <- page <- leptos        an arrow points at what may be imported
//!                          ^      ^
//!     ^                 browser --+
//!     +-- confidential: a server's client, beside all that
//! ```

#[cfg(target_family = "wasm")]
pub mod browser;
#[cfg(feature = "confidential")]
pub mod confidential;
#[cfg(feature = "diagnose")]
mod diagnose;
#[cfg(feature = "implicit")]
pub mod implicit;
pub mod keep;
#[cfg(feature = "leptos")]
pub mod leptos;
pub mod manual;
pub mod page;
pub mod protocol;
pub mod session;

#[cfg(feature = "diagnose")]
pub use diagnose::{Finding, Severity, diagnose};
pub use keep::{Config, Event, Session};
#[cfg(feature = "device")]
pub use page::DeviceSignIn;
pub use page::{Client, Finished, KeptIn, SignOut, State, Subscription};
#[cfg(feature = "worker")]
pub use page::{Kept, Worker, worker};
pub use protocol::{Access, Acr, Claims, Error, Kind, Prompt, Request, Response, SignIn, StepUp};
pub use session::{Ended, Rung};
