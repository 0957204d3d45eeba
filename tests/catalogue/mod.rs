//! The hostile inputs of the catalogue: each test carries the keys of the rows that it is about.

mod callback;
mod config;
mod coverage;
mod discovery;
mod environment;
mod id_token;
mod token;
mod user_info;
