//! What a reviewer asks: which attacks were thought of, why the defaults are as they are, and where we differ from a specification.

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("defaults.md")]
pub mod defaults {}

#[doc = include_str!("spec.md")]
pub mod spec {}

/// The snippets of the README, compiled.
#[cfg(all(doctest, feature = "leptos"))]
#[doc = include_str!("../../README.md")]
pub mod readme {}
