//! Sign-in for single-page apps: OAuth 2 and OpenID Connect in the browser, with tokens in memory only.
//!
//! ```
//! # async fn app(ports: tokenkeep::keep::ports::Ports, navigation: std::rc::Rc<dyn tokenkeep::page::ports::Navigation>) -> Result<(), tokenkeep::Error> {
//! use tokenkeep::{Client, Config, Request, SignIn, State};
//!
//! let config = Config::new("https://login.example.com", "my-app").api("https://api.example.com/");
//! # let browser = ();
//! # let open = |config: &Config| Client::open(config, ports.clone(), navigation.clone());
//! let client = open(&config)?; // in a browser: tokenkeep::browser::open(&config)
//! client.finish_sign_in().await?;
//! match client.state() {
//!     State::SignedIn(_) => assert_eq!(client.fetch(Request::get("https://api.example.com/me")).await?.status, 200),
//!     _ => client.sign_in(SignIn::default()).await?,
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`protocol`] | the messages of OAuth 2 and OpenID Connect as values; pure |
//! | [`keep`] | the secret side: tokens, and the requests that carry them |
//! | [`page`] | the visible side: what an app holds |
//! | `browser` | the browser's own APIs behind the ports of the above; wasm only |
//! | `leptos` | components for Leptos; feature `leptos` |
//! | `manual` | threats, defaults, and where we differ from a specification |

#[cfg(target_family = "wasm")]
pub mod browser;
pub mod keep;
#[cfg(feature = "leptos")]
pub mod leptos;
pub mod page;
pub mod protocol;

pub use keep::{Config, Event, Session};
pub use page::{Client, Finished, SignOut, State, Subscription};
pub use protocol::{Acr, Claims, Error, Kind, Prompt, Request, Response, SignIn};
