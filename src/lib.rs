//! Sign-in for single-page apps.
#![warn(missing_docs)]
pub mod protocol;
pub use protocol::{Acr, Error, Kind, Prompt, SignIn};
