//! The hostile inputs of the catalogue: each test carries the keys of the rows that it is about.

mod callback;
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
mod refresh;
mod tabs;
mod token;
mod user_info;
