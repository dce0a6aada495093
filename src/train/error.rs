//! What can end a run.

use std::path::{Path, PathBuf};

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

    /// The folder holds no run.
    #[error(
        "`{}` holds no run: it has no recipe.toml; begin one with `menagerie train RECIPE --out FOLDER`", .0.display()
    )]
    NoRun(PathBuf),

    /// Another process trains here.
    #[error("another process is training in `{}`; wait for it or stop it", .0.display())]
    Locked(PathBuf),

    /// What a run is resumed with is not what it was made with.
    #[error(
        "`{}` cannot go on exactly, because not all is as it was:{}\nUndo that, or go on all the same with `--allow-changes`",
        .run.display(), .changes.iter().map(|change| format!("\n  {change}")).collect::<String>()
    )]
    Changed {
        /// The run folder.
        run: PathBuf,
        /// What differs.
        changes: Vec<String>,
    },

    /// A run that a recipe cannot go on from.
    #[error(
        "the recipe cannot go on from `{}`:{}", .from.display(),
        .reasons.iter().map(|reason| format!("\n  {reason}")).collect::<String>()
    )]
    Fork {
        /// The run folder.
        from: PathBuf,
        /// Why not.
        reasons: Vec<String>,
    },

    /// A checkpoint of another version.
    #[error(
        "`{}` has format {format}, and this version reads {known}; go on with the version that wrote it", .checkpoint.display()
    )]
    CheckpointFormat {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Its format.
        format: u64,
        /// The format that is read.
        known: u32,
    },

    /// A checkpoint is not what was written.
    #[error(
        "`{}` is damaged: {reason}; take another checkpoint of the run", .checkpoint.display()
    )]
    Damaged {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// What is frozen in a checkpoint's stage is no longer there.
    #[error(
        "`{}` lies over `{}`, which is missing or not what it was; put it back: a checkpoint stays in its run's folder, and holds only what its stage learned",
        .checkpoint.display(), .file.display()
    )]
    ChangedBase {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The file.
        file: PathBuf,
    },

    /// The optimizer's state does not fit the model.
    #[error("`{}`: the optimizer's state lacks `{name}` or knows too much of it", .checkpoint.display())]
    Optimizer {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The tensor.
        name: String,
    },

    /// A file of the run, or one that it is made of, cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// A file of the run cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },

    /// The loss or the gradient is infinite or not a number, or the loss exploded.
    #[error(
        "the loss is {loss} and the gradient's norm {grad_norm} at step {step} of stage `{stage}`{}; the batch held: {}. Look at these samples with `menagerie data show`, or lower the learning rate; the last good checkpoint is kept: menagerie train --resume {} --allow-changes --set 'stage.{stage}.optimizer.learning_rate = …'",
        .smoothed.map(|smoothed| format!(" (the smoothed loss was {smoothed:.4})")).unwrap_or_default(),
        .samples.join(", "), .run.display()
    )]
    Loss {
        /// The stage.
        stage: String,
        /// The step, from 0.
        step: usize,
        /// The loss.
        loss: f64,
        /// The smoothed loss of the steps before.
        smoothed: Option<f64>,
        /// The gradient's norm before clipping.
        grad_norm: f64,
        /// Ids of the batch's samples.
        samples: Vec<String>,
        /// The run folder.
        run: PathBuf,
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
    #[error(
        "stopped after step {step} of {steps} of stage `{stage}`; go on with: menagerie train --resume {}", for_shell(.run)
    )]
    Interrupted {
        /// The stage that was running.
        stage: String,
        /// Steps of it that are done.
        step: usize,
        /// Its steps.
        steps: usize,
        /// The run folder.
        run: PathBuf,
    },
}

/// A path as an argument in a shell.
fn for_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,=@%:".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
