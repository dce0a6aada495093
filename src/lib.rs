//! Menagerie: a plugin-based zoo of vision-language models in Rust on Burn.

pub use menagerie_core::*;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "data")]
pub mod data;
#[cfg(feature = "eval")]
pub mod eval;
#[cfg(any(feature = "data", feature = "hub"))]
mod hash;
#[cfg(feature = "train")]
mod html;
#[cfg(feature = "hub")]
pub mod hub;
pub mod recipes;
#[cfg(feature = "train")]
pub mod runs;
#[cfg(feature = "train")]
pub mod sweep;
#[cfg(feature = "train")]
pub mod train;

// A plugin crate that is not named is not linked, and its plugins would be missing.
use menagerie_llm as _;
use menagerie_projector as _;
use menagerie_vision as _;

/// The examples of the README and the book are compiled.
#[cfg(doctest)]
mod examples {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/src/library.md")]
    mod library {}
    #[doc = include_str!("../docs/src/plugin.md")]
    mod plugin {}
}
