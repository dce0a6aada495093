//! Menagerie: a plugin-based zoo of vision-language models in Rust on Burn.

pub use menagerie_core::*;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "data")]
pub mod data;
#[cfg(feature = "eval")]
pub mod eval;
pub mod recipes;
#[cfg(feature = "train")]
pub mod train;

// A plugin crate that is not named is not linked, and its plugins would be missing.
use menagerie_llm as _;
use menagerie_projector as _;
use menagerie_vision as _;
