//! What a reviewer asks: which attacks were thought of, why the defaults are as they are, and where we differ from a specification. And what
//! everybody asks: how to.

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("defaults.md")]
pub mod defaults {}

#[doc = include_str!("spec.md")]
pub mod spec {}

// Its snippets need what they are about.
#[cfg(any(not(doctest), all(feature = "leptos", feature = "limits", feature = "popup", feature = "step-up", feature = "worker")))]
#[doc = include_str!("howto.md")]
pub mod howto {}

/// The snippets of the README, compiled.
#[cfg(all(doctest, feature = "leptos", feature = "limits", feature = "popup", feature = "step-up"))]
#[doc = include_str!("../../README.md")]
pub mod readme {}
