//! What becomes of an answer before it is marked and submitted.

use menagerie_core::schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an answer is rewritten before it is marked and submitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "menagerie_core::schemars")]
pub enum Rewrite {
    /// As LLaVA's scripts do before the official ones see it.
    #[default]
    Llava,
    /// Not at all: the official script alone.
    None,
}
