//! What ends a command early, and with which exit code.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use menagerie_core::benchmark::FilesError;
use menagerie_core::error::nearest;
use menagerie_core::export::{ExportError, ExportLayout};
use menagerie_core::folder::FolderError;
use menagerie_core::image::ImageError;
use menagerie_core::model::{AssembleError, RequestError};
use menagerie_core::recipe::Dtype;
use menagerie_core::tokens::{EncodeError, TokenizerError};
use menagerie_core::weights::WeightError;
use menagerie_core::{BuildError, Component, RecipeError};
use thiserror::Error;

use super::exit::Exit;
use super::new::NewError;
use crate::bench::BenchError;
use crate::data::DataError;
use crate::endpoint::EndpointError;
use crate::endpoint::batch::BatchError;
use crate::eval::EvalError;
use crate::hub::HubError;
use crate::instruct::InstructError;
use crate::instruct::review::ReviewError;
use crate::runs::RunsError;
use crate::sweep::SweepError;
use crate::train::TrainError;
use crate::train::plan::PlanError;

#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    #[error(transparent)]
    Build(#[from] BuildError),

    #[error(transparent)]
    Train(#[from] TrainError),

    #[error(transparent)]
    Plan(#[from] PlanError),

    #[error(transparent)]
    Runs(#[from] RunsError),

    #[error(transparent)]
    Data(#[from] DataError),

    #[error(transparent)]
    Eval(#[from] EvalError),

    #[error(transparent)]
    Bench(#[from] BenchError),

    #[error(transparent)]
    Review(#[from] ReviewError),

    #[error(transparent)]
    Assemble(#[from] AssembleError),

    #[error(transparent)]
    New(#[from] NewError),

    #[error(transparent)]
    Hub(#[from] HubError),

    #[error(transparent)]
    Endpoint(#[from] EndpointError),

    #[error("no endpoint is stated: give {option}, or set {variable}")]
    NotStated {
        option: &'static str,
        variable: &'static str,
    },

    #[error("{}:{line}: {reason}", .path.display())]
    EndpointFile {
        path: PathBuf,
        line: usize,
        reason: String,
    },

    #[error(transparent)]
    Request(#[from] RequestError),

    #[error(
        "`--no-out` keeps nothing, and a judge's replies are paid for: leave it out, or name a folder with --out"
    )]
    JudgedUnkept,

    #[error(
        "`{}` states no weights for `{component}`, so its answers would be random; train it, or state `{component}.weights`",
        .path.display()
    )]
    NoWeights { path: PathBuf, component: Component },

    #[error(
        "`{path}` is a run with no stage done; take one of its checkpoints, a folder in `{path}/checkpoints`, or go on with it: `menagerie train --resume {path}`",
        path = .path.display()
    )]
    NoStageDone { path: PathBuf },

    #[error(
        "--base and --delta are for a model's folder; {} is a recipe: state `model = {{ path = …, base = … }}` in it",
        .path.display()
    )]
    BaseOfRecipe { path: PathBuf },

    #[error("{} lies in the model's own folder; write it elsewhere", .path.display())]
    InsideModel { path: PathBuf },

    #[error(
        "the layout `{}` holds no weights in {}; write them with `--layout gguf`",
        .layout.name(), .dtype.name()
    )]
    QuantisedLayout { layout: ExportLayout, dtype: Dtype },

    #[error(
        "a checkpoint's adapter is written as part of its weights only: export it in another layout, or the run once its stage is done"
    )]
    AdapterOfCheckpoint,

    #[error(transparent)]
    Weights(#[from] WeightError),

    #[error(transparent)]
    Export(#[from] ExportError),

    #[error(
        "--html FILE is for two runs: `menagerie runs A B --html FILE`; one run has its `report.html`"
    )]
    OneRun,

    #[error("cannot read {}", .path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("image {}", .path.display())]
    Image { path: PathBuf, source: ImageError },

    #[error("cannot read stdin")]
    Stdin(#[source] std::io::Error),

    /// The user asked to stop; nothing more is to be said.
    #[error("interrupted")]
    Interrupted,

    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),

    #[error(transparent)]
    Encode(#[from] EncodeError),

    #[error("no plugin is called `{name}`; there are: {}{}", .allowed.join(", "), nearest(.name, .allowed))]
    UnknownPlugin { name: String, allowed: Vec<String> },

    #[error("no embedded recipe is called `{name}`; there are: {}{}", .allowed.join(", "), nearest(.name, .allowed))]
    UnknownRecipe { name: String, allowed: Vec<String> },

    #[error("{} exists already; `--force` overwrites it, `--out FILE` chooses another name", .path.display())]
    Exists { path: PathBuf },

    #[error("cannot write {}", .path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },

    #[error("cannot write to stdout")]
    Stdout(#[source] std::io::Error),

    #[error(
        "`{option}` is for data files, and `{recipe}` is a recipe, which states it: change it with --set"
    )]
    OfRecipe {
        option: &'static str,
        recipe: String,
    },

    #[error("`--set` changes a recipe, and data files are named here")]
    SetOfFiles,

    /// Data files that were listed one by one.
    #[error(
        "{files} of the data files cannot be read, and there are {faults} faults in samples of others; name other files, or mend these"
    )]
    BadFiles { files: usize, faults: usize },

    /// Bad samples that were listed one by one.
    #[error(
        "{faults} faults in {samples} samples; mend or remove these samples, or leave them out of a stage with `on_bad_sample = \"skip\"` in its data"
    )]
    BadSamples { faults: usize, samples: usize },

    #[error(transparent)]
    Sweep(#[from] SweepError),

    #[error(transparent)]
    Instruct(#[from] InstructError),

    #[error("stopped; the same command goes on with {}", .0.display())]
    InstructStopped(PathBuf),

    #[error(
        "the budget is spent, and {left} of {total} samples are still to be made; the same command with a larger budget goes on with {}",
        .out.display()
    )]
    InstructBudget { left: u64, total: u64, out: PathBuf },

    #[error(
        "{count} requests got no reply in spite of all retries ({reasons}); the same command asks them again; the first: {first}"
    )]
    Unanswered {
        count: u64,
        reasons: String,
        first: String,
    },

    #[error("it is `--batch write FILE` or `--batch read FILE`, and not `--batch {0} …`")]
    BatchWord(String),

    #[error("one sweep at a time: --check alone takes several")]
    SeveralSweeps,

    /// Runs whose errors were printed as they ended.
    #[error("{failed} of {total} runs failed; {} says which and why", .report.display())]
    RunsFailed {
        failed: usize,
        total: usize,
        report: PathBuf,
    },

    #[error(
        "the budget of {hours} hours is spent, and {left} of {total} runs are not at their end; {} holds the others",
        .report.display()
    )]
    BudgetSpent {
        hours: f64,
        left: usize,
        total: usize,
        report: PathBuf,
    },

    #[error("stopped; the same command goes on with the sweep in {}", .0.display())]
    SweepStopped(PathBuf),

    /// Errors that were printed one by one as they were found.
    #[error("{count} of {total} recipes are wrong")]
    Recipes {
        count: usize,
        total: usize,
        exit: Exit,
    },
}

impl CliError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Recipe(error) => recipe_exit(error),
            Self::Train(error) => train_exit(error),
            Self::Plan(error) => plan_exit(error),
            Self::Runs(error) => runs_exit(error),
            Self::Data(error) => data_exit(error),
            Self::Eval(error) => eval_exit(error),
            Self::Bench(error) => bench_exit(error),
            Self::Review(error) => review_exit(error),
            Self::Assemble(error) => assemble_exit(error),
            Self::New(error) => error.exit(),
            Self::Hub(error) => hub_exit(error),
            Self::Endpoint(error) => endpoint_exit(error),
            Self::Weights(error) => weights_exit(error),
            Self::Export(error) => export_exit(error),
            Self::Tokenizer(error) => tokenizer_exit(error),
            Self::Sweep(error) => sweep_exit(error),
            Self::Instruct(error) => instruct_exit(error),
            Self::Interrupted | Self::SweepStopped(_) | Self::InstructStopped(_) => {
                Exit::Interrupted
            }
            Self::Build(BuildError::DuplicatePlugin { .. })
            | Self::Exists { .. }
            | Self::RunsFailed { .. }
            | Self::InstructBudget { .. }
            | Self::BudgetSpent { .. } => Exit::Failure,
            Self::Request(_)
            | Self::Image { .. }
            | Self::OneRun
            | Self::Encode(_)
            | Self::Build(_)
            | Self::NoWeights { .. }
            | Self::JudgedUnkept
            | Self::BaseOfRecipe { .. }
            | Self::NoStageDone { .. }
            | Self::InsideModel { .. }
            | Self::AdapterOfCheckpoint
            | Self::QuantisedLayout { .. }
            | Self::OfRecipe { .. }
            | Self::SeveralSweeps
            | Self::SetOfFiles
            | Self::BadFiles { .. }
            | Self::BatchWord(_)
            | Self::BadSamples { .. }
            | Self::NotStated { .. }
            | Self::EndpointFile { .. }
            | Self::UnknownPlugin { .. }
            | Self::UnknownRecipe { .. } => Exit::BadInput,
            Self::Read { .. }
            | Self::Stdin(_)
            | Self::Write { .. }
            | Self::Stdout(_)
            | Self::Unanswered { .. } => Exit::Resource,
            Self::Recipes { exit, .. } => *exit,
        }
    }

    /// Tells the user, causes below.
    pub(super) fn print(&self) {
        if self.exit() == Exit::Interrupted {
            anstream::eprintln!("{self}");
            return;
        }
        let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        anstream::eprintln!("{style}error:{style:#} {self}");
        // Many messages state their cause already.
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !said.contains(&message) {
                anstream::eprintln!("  because: {message}");
                said = message;
            }
            cause = error.source();
        }
    }
}

fn recipe_exit(error: &RecipeError) -> Exit {
    match error {
        // Bytes that are no text come as an I/O error too.
        RecipeError::Read { source, .. } if source.kind() == ErrorKind::InvalidData => {
            Exit::BadInput
        }
        RecipeError::Read { .. } | RecipeError::WeightsRead { .. } => Exit::Resource,
        RecipeError::NotFound { name, .. } if is_path(name) => Exit::Resource,
        RecipeError::DuplicateEmbedded { .. } => Exit::Failure,
        RecipeError::Point { error, .. } => recipe_exit(error),
        RecipeError::Folder(error) | RecipeError::Model { error, .. } => folder_exit(error),
        _ => Exit::BadInput,
    }
}

fn assemble_exit(error: &AssembleError) -> Exit {
    match error {
        AssembleError::Recipe(error) => recipe_exit(error),
        AssembleError::Weights { source, .. } => weights_exit(source),
        AssembleError::Tokenizer { source, .. } => tokenizer_exit(source),
        _ => Exit::BadInput,
    }
}

fn tokenizer_exit(error: &TokenizerError) -> Exit {
    match error {
        TokenizerError::Missing { .. } | TokenizerError::Read { .. } => Exit::Resource,
        _ => Exit::BadInput,
    }
}

fn weights_exit(error: &WeightError) -> Exit {
    match error {
        WeightError::NotFound { .. } | WeightError::Io { .. } => Exit::Resource,
        _ => Exit::BadInput,
    }
}

fn folder_exit(error: &FolderError) -> Exit {
    match error {
        FolderError::NotFound(_) | FolderError::NoConfig(_) | FolderError::Read { .. } => {
            Exit::Resource
        }
        _ => Exit::BadInput,
    }
}

fn export_exit(error: &ExportError) -> Exit {
    match error {
        ExportError::Exists(_) => Exit::Failure,
        ExportError::Io { .. } => Exit::Resource,
        ExportError::Weights(error) => weights_exit(error),
        ExportError::Recipe(error) => recipe_exit(error),
        _ => Exit::BadInput,
    }
}

fn hub_exit(error: &HubError) -> Exit {
    match error {
        HubError::Weights { source, .. } => hub_exit(source),
        HubError::NoModel { .. } | HubError::NoRevision { .. } | HubError::NoWeights { .. } => {
            Exit::BadInput
        }
        // The network, the disk, the rights to a model.
        _ => Exit::Resource,
    }
}

fn endpoint_exit(error: &EndpointError) -> Exit {
    match error {
        EndpointError::KeyFile { .. } => Exit::Resource,
        _ => Exit::BadInput,
    }
}

fn instruct_exit(error: &InstructError) -> Exit {
    match error {
        InstructError::Input(error) => files_exit(error),
        InstructError::Batch(BatchError::Read { .. } | BatchError::Write { .. })
        | InstructError::Asking(_)
        | InstructError::NoImage { .. }
        | InstructError::Read { .. }
        | InstructError::Write { .. } => Exit::Resource,
        InstructError::Foreign(_) | InstructError::Locked(_) | InstructError::PromptsExist(_) => {
            Exit::Failure
        }
        _ => Exit::BadInput,
    }
}

fn data_exit(error: &DataError) -> Exit {
    match error {
        DataError::Read { .. } => Exit::Resource,
        _ => Exit::BadInput,
    }
}

fn plan_exit(error: &PlanError) -> Exit {
    match error {
        PlanError::Recipe(error) => recipe_exit(error),
        PlanError::Assemble(error) => assemble_exit(error),
        PlanError::Data(error) => data_exit(error),
        PlanError::Eval(error) => eval_exit(error),
        PlanError::Recording(_) => Exit::BadInput,
    }
}

fn eval_exit(error: &EvalError) -> Exit {
    match error {
        EvalError::Interrupted { .. } => Exit::Interrupted,
        EvalError::Data(error) => data_exit(error),
        EvalError::Files(error) => files_exit(error),
        _ => Exit::BadInput,
    }
}

fn bench_exit(error: &BenchError) -> Exit {
    match error {
        BenchError::Eval(error) => eval_exit(error),
        BenchError::Recipe(error) => recipe_exit(error),
        BenchError::Interrupted { .. } => Exit::Interrupted,
        BenchError::Read { .. }
        | BenchError::Write { .. }
        | BenchError::Judge(_)
        | BenchError::Unreviewed { .. } => Exit::Resource,
        BenchError::Locked(_) | BenchError::NotEmpty(_) | BenchError::OutOfBudget { .. } => {
            Exit::Failure
        }
        _ => Exit::BadInput,
    }
}

fn files_exit(error: &FilesError) -> Exit {
    match error {
        // Bytes that are no text come as an I/O error too.
        FilesError::Read { source, .. } if source.kind() != ErrorKind::InvalidData => {
            Exit::Resource
        }
        FilesError::Missing { .. } => Exit::Resource,
        _ => Exit::BadInput,
    }
}

fn review_exit(error: &ReviewError) -> Exit {
    match error {
        ReviewError::Interrupted => Exit::Interrupted,
        ReviewError::Data(error) => data_exit(error),
        ReviewError::NoRun { .. } | ReviewError::Kind { .. } => Exit::BadInput,
    }
}

fn train_exit(error: &TrainError) -> Exit {
    match error {
        TrainError::Recipe(error) => recipe_exit(error),
        TrainError::Assemble(error) => assemble_exit(error),
        TrainError::Tokenizer(error) => tokenizer_exit(error),
        TrainError::Data(error) => data_exit(error),
        TrainError::Eval(error) => eval_exit(error),
        TrainError::Interrupted { .. } => Exit::Interrupted,
        TrainError::Read { .. } | TrainError::Write { .. } => Exit::Resource,
        TrainError::NotEmpty(_)
        | TrainError::Locked(_)
        | TrainError::Loss { .. }
        | TrainError::FrozenMoved { .. } => Exit::Failure,
        TrainError::Weights(error) => weights_exit(error),
        _ => Exit::BadInput,
    }
}

fn sweep_exit(error: &SweepError) -> Exit {
    match error {
        SweepError::Recipe(error) => recipe_exit(error),
        SweepError::Runs(error) => runs_exit(error),
        SweepError::Train(error) => train_exit(error),
        SweepError::Locked(_) | SweepError::NoSweep(_) => Exit::Failure,
        SweepError::OtherRecipe { .. } => Exit::BadInput,
        SweepError::Read { .. } | SweepError::Write { .. } => Exit::Resource,
    }
}

fn runs_exit(error: &RunsError) -> Exit {
    match error {
        RunsError::Read { .. } => Exit::Resource,
        RunsError::NoRun(_) => Exit::BadInput,
        RunsError::Train(error) => train_exit(error),
    }
}

/// Whether the user meant a file and not an embedded recipe's name.
fn is_path(name: &str) -> bool {
    let path = Path::new(name);
    path.components().count() > 1
        || path
            .extension()
            .is_some_and(|extension| extension == "toml")
}
