//! What can end a run.

use std::path::PathBuf;

use menagerie_core::RecipeError;
use menagerie_core::model::AssembleError;
use menagerie_core::tokens::TokenizerError;
use menagerie_core::weights::WeightError;
use thiserror::Error;

use crate::data::DataError;
use crate::eval::EvalError;

/// A run that cannot begin or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// The model cannot be put together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),

    /// The tokenizer cannot be copied to the run.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),

    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),

    /// The model cannot be scored.
    #[error(transparent)]
    Eval(#[from] EvalError),

    /// Weights cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightError),

    /// The recipe trains nothing.
    #[error(
        "the recipe `{0}` has no stage; list one in `stages = [\"…\"]` and describe it in `[stage.…]`"
    )]
    NoStage(String),

    /// The folder holds something already.
    #[error("`{}` is not empty; choose another folder with --out, or remove it", .0.display())]
    NotEmpty(PathBuf),

    /// A file of the run cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// A file of a run cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// Another process writes into the run.
    #[error(
        "another process trains into the folder of `{}`; wait for it or end it, or choose another folder with --out",
        .0.display()
    )]
    InUse(PathBuf),

    /// The loss or the gradient is infinite or not a number.
    #[error(
        "the loss is {loss} and the gradient's norm {grad_norm} at step {step} of stage `{stage}`; the batch held: {}. Lower the learning rate, or look at these samples with `menagerie data show`",
        .samples.join(", ")
    )]
    Loss {
        /// The stage.
        stage: String,
        /// The step, from 0.
        step: usize,
        /// The loss.
        loss: f64,
        /// The gradient's norm before clipping.
        grad_norm: f64,
        /// Ids of the batch's samples.
        samples: Vec<String>,
    },

    /// A frozen parameter is not what it was.
    #[error(
        "the frozen parameter `{parameter}` changed in stage `{stage}`: a mistake of this program or of a plugin; please report it"
    )]
    FrozenMoved {
        /// The stage.
        stage: String,
        /// The parameter's path.
        parameter: String,
    },

    /// Someone asked to stop.
    #[error("stopped in stage `{stage}`; the stages before it are in `{}`", .run.display())]
    Interrupted {
        /// The stage that was running.
        stage: String,
        /// The run folder.
        run: PathBuf,
    },
}
