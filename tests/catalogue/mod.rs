//! The hostile inputs of the catalogue: each test carries the keys of the rows that it is about.

mod callback;
#[cfg(feature = "check-session")]
mod check_session;
mod config;
mod coverage;
#[cfg(feature = "device")]
mod device;
mod discovery;
mod dpop;
mod environment;
mod frame;
mod id_token;
mod logout;
mod optional;
#[cfg(feature = "popup")]
mod popup;
mod refresh;
#[cfg(feature = "step-up")]
mod step_up;
pub mod tabs;
mod token;
mod user_info;
