//! What the npm package promises in TypeScript is what the library has.

#[cfg(all(feature = "confidential", feature = "device", feature = "popup"))]
use std::fmt::Write as _;

use tokenkeep::{
    Error, Kind,
    protocol::{Interrupted, Misbehaved, Misconfigured},
};

use crate::test;

/// What only the package itself can say.
#[cfg(all(feature = "confidential", feature = "device", feature = "popup"))]
const OF_THE_PACKAGE: [&str; 4] = ["closed", "provider", "session_entry_missing", "wasm_unavailable"];

// With every feature that brings errors of its own.
#[cfg(all(feature = "confidential", feature = "device", feature = "popup"))]
#[test]
fn the_union_of_error_codes_is_the_librarys_list() {
    let mut codes = [Interrupted::CODES, Misbehaved::CODES, Misconfigured::CODES, &OF_THE_PACKAGE].concat();
    codes.sort_unstable();
    let mut text =
        String::from("/** What a program compares: every way in which something may not work. */\nexport type AuthErrorCode =\n");
    for code in &codes {
        writeln!(text, "  | \"{code}\"").unwrap();
    }
    let expected = text.trim_end().to_owned() + ";\n";
    assert_eq!(include_str!("../pkg/errors.d.ts"), expected, "write this into pkg/errors.d.ts:\n{expected}");
}

#[test]
fn what_may_be_tried_again_is_told() {
    let retryable = |error: Error| error.is_retryable();
    assert!(retryable(Interrupted::Busy.into()) && !retryable(Interrupted::SignInNeeded.into()));
    assert!(!retryable(Misbehaved::StateUnknown.into()) && !retryable(Misconfigured::NoWindow.into()));
    assert_eq!(Error::from(Interrupted::Busy).kind(), Kind::Interrupted);
}
