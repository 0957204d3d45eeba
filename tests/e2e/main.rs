//! End to end: the built demo in a real browser, with the real provider and its API.
//!
//! `cargo xtask test e2e` builds the demo and runs this. By hand:
//!
//! ```sh
//! TOKENKEEP_NO_PROVIDER=1 trunk build --release
//! TOKENKEEP_DIST="$PWD/dist" cargo test -p tokenkeep-e2e
//! ```
//!
//! `BROWSER` names the engine: `chromium` (the default), `firefox`, which needs geckodriver, or `webkit`, which needs a display, such
//! as `xvfb-run` gives. What a failing test saw is printed, and a picture of it is in `target/e2e/`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests: a panic is how one fails"
)]

mod api;
mod check_session;
mod doctor;
mod engines;
mod flows;
mod harness;
mod idle;
mod pages;
mod popup;
mod requests;
mod returning;
mod secrets;
mod session;
mod sign_in;
mod sign_out;
mod step_up;
mod trouble;
