//! `menagerie train`: a recipe in, a run folder out.

use std::path::{Path, PathBuf};

use super::device::DeviceArg;
use super::error::CliError;
use super::output::print;
use super::progress::TrainProgress;
use super::recipe::Sets;
use super::{hub, interrupt};
use crate::train::{self, RunFolder};

/// Train a recipe's stages into a run folder.
///
/// The folder holds the resolved recipe, a manifest, metrics.jsonl, the weights after each stage,
/// the scores and report.html. Its path is printed to stdout.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A recipe file or an embedded recipe's name. A file wins.
    #[arg(value_name = "RECIPE")]
    recipe: String,
    #[command(flatten)]
    sets: Sets,
    /// The run folder, new or empty. Default: runs/NAME, or runs/NAME-2 and so on if that is
    /// taken.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArg,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let mut recipe = args.sets.load(&args.recipe)?;
    hub::localise(&mut recipe)?;
    let run = match &args.out {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_new(Path::new("runs"), &recipe.name)?,
    };
    let mut progress = TrainProgress::new();
    let trained = train::train(
        &recipe,
        &run,
        &args.device.device,
        &mut progress,
        interrupt::flag(),
    );
    progress.finish();
    if let Err(error) = trained {
        run.discard_if_empty();
        return Err(error.into());
    }
    print(&format!("{}\n", run.path().display()))
}
