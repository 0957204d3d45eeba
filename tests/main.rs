//! The library against a world in memory: provider, tabs, clock and network. Native, and the same in wasm.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::string_slice
)]

mod catalogue;
#[cfg(feature = "confidential")]
mod confidential;
mod exchange;
mod flows;
mod fuzz;
#[cfg(feature = "limits")]
mod idle;
#[cfg(feature = "implicit")]
mod implicit;
mod npm;
mod pages;
mod secrets;
mod simulation;
mod vectors;
mod world;

/// What marks a test: the same functions run natively and in a browser.
#[cfg(not(target_family = "wasm"))]
use std::prelude::v1::test;
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;
// In a worker: half a minute of tests on a page's own thread is a page that hangs, to a driver that asks it how far it is.
#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
