//! What can end a score early.

use menagerie_core::generate::GenerateError;
use menagerie_core::tokens::EncodeError;
use thiserror::Error;

use crate::data::DataError;

/// Questions that cannot be answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),

    /// A question cannot be written for the model.
    #[error("question `{id}`: {source}")]
    Encode {
        /// Its id.
        id: String,
        /// Why.
        source: EncodeError,
    },

    /// An answer cannot be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),

    /// Someone asked to stop.
    #[error("stopped after {done} of {total} questions")]
    Interrupted {
        /// Questions answered.
        done: usize,
        /// Questions.
        total: usize,
    },
}
