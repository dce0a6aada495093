//! Why there is no plan.

use menagerie_core::RecipeError;
use menagerie_core::model::AssembleError;
use thiserror::Error;

use crate::data::DataError;
use crate::eval::EvalError;

/// Why a recipe's cost cannot be told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// What is wrong in the recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// A tokenizer or template that cannot be used.
    #[error(transparent)]
    Assemble(#[from] AssembleError),

    /// Data that is there and cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),

    /// Questions of a score that cannot be read.
    #[error(transparent)]
    Eval(#[from] EvalError),

    /// The model computes with numbers that only a run has.
    #[error(
        "a step of this model cannot be planned, as it reads values back while it computes ({0}); \
         a plugin must keep what it computes in tensors"
    )]
    Recording(String),
}
