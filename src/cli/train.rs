//! `menagerie train`: a recipe in, a run folder out.

use std::path::{Path, PathBuf};

use menagerie_core::folder::ModelPath;
use menagerie_core::{Component, Recipe};

use super::allocator::keep_free_memory;
use super::device::DeviceArg;
use super::error::CliError;
use super::output::print;
use super::recipe::Sets;
use super::training::TrainProgress;
use super::{hub, interrupt};
use crate::train::{self, RunFolder, TrainError};

/// Train a recipe's stages into a run folder.
///
/// The folder holds the resolved recipe, a manifest, metrics.jsonl, the weights after each stage,
/// the scores and report.html. Its path is printed to stdout. Ctrl-C ends the step in hand, saves and
/// stops; --resume goes on from there, or from the last checkpoint if the process was killed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A recipe file or an embedded recipe's name. A file wins.
    #[arg(value_name = "RECIPE", required_unless_present = "resume")]
    recipe: Option<String>,
    /// Go on with the run in this folder from its newest checkpoint, exactly as if it had never
    /// stopped.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "from", "init", "out"])]
    resume: Option<PathBuf>,
    /// With --resume: go on although recipe, data, weights or program are not what they were.
    #[arg(long, requires = "resume")]
    allow_changes: bool,
    #[command(flatten)]
    sets: Sets,
    /// Begin with this stage of the recipe, leaving out those before it.
    #[arg(long, value_name = "STAGE")]
    from: Option<String>,
    /// Go on from the end of the finished run in this folder: its stages are the recipe's first, and
    /// are not trained again.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["resume", "from", "init"])]
    fork: Option<PathBuf>,
    /// Start from this model in place of the recipe's weights: a run folder (after the stage before
    /// --from, if it is there), a model's folder or a hub id.
    #[arg(long, value_name = "RUN|DIR")]
    init: Option<PathBuf>,
    /// The run folder, new or empty. Default: runs/NAME, or runs/NAME-2 and so on if that is
    /// taken.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Where a recipe with `cache_features` keeps the features of images. Default: `.features` beside
    /// the run folder.
    #[arg(long, value_name = "FOLDER")]
    features: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArg,
    /// Stop as at Ctrl-C once stdin ends: how `ablate` stops its runs, and how these stop if it is
    /// killed.
    #[arg(long, hide = true)]
    until_eof: bool,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    if args.until_eof {
        interrupt::at_end_of_stdin();
    }
    match (&args.resume, &args.recipe) {
        (Some(run), _) => resume(args, run),
        (None, Some(name)) => begin(args, name),
        (None, None) => unreachable!("clap asks for one of them"),
    }
}

fn begin(args: &Args, name: &str) -> Result<(), CliError> {
    let recipe = recipe(args, name)?;
    let run = match &args.out {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_new(Path::new("runs"), &recipe.name)?,
    };
    for component in Component::ALL {
        if recipe.weight_sources(component).is_empty() {
            anstream::eprintln!(
                "note: [{component}] states no weights: they are drawn from the seed {}",
                recipe.seed
            );
        }
    }
    let device = &args.device.device;
    watched(args, run, |run, progress| {
        let stop = interrupt::flag();
        match &args.fork {
            Some(from) => train::fork(&recipe, from, run, device, progress, stop),
            None => train::train(&recipe, run, device, progress, stop),
        }
    })
}

fn resume(args: &Args, path: &Path) -> Result<(), CliError> {
    let run = RunFolder::open(path)?;
    let own = path.join("recipe.toml");
    let mut recipe = args.sets.load_for_training(&own.to_string_lossy(), None)?;
    hub::localise(&mut recipe)?;
    let device = &args.device.device;
    watched(args, run, |run, progress| {
        let stop = interrupt::flag();
        train::resume(&recipe, run, args.allow_changes, device, progress, stop)
    })
}

fn watched(
    args: &Args,
    run: RunFolder,
    work: impl FnOnce(&RunFolder, &mut TrainProgress) -> Result<(), TrainError>,
) -> Result<(), CliError> {
    let run = match &args.features {
        Some(folder) => run.with_features(folder.clone()),
        None => run,
    };
    keep_free_memory();
    let mut progress = TrainProgress::new();
    let trained = work(&run, &mut progress);
    progress.finish();
    if let Err(error) = trained {
        run.discard_if_empty();
        return Err(error.into());
    }
    print(&format!("{}\n", run.path().display()))
}

/// The recipe as it is to be trained, all its weights on this machine.
fn recipe(args: &Args, name: &str) -> Result<Recipe, CliError> {
    let init = match &args.init {
        Some(path) if path.exists() => Some(path.clone()),
        Some(path) => Some(hub::model(path)?),
        None => None,
    };
    let model = init.clone().map(|path| ModelPath {
        path,
        ..ModelPath::default()
    });
    let mut recipe = args.sets.load_for_training(name, model)?;
    if let Some(from) = &args.from {
        let before = recipe.begin_with(from)?;
        if let (Some(run), Some(before)) = (&init, before) {
            train::weights_after(&mut recipe, run, &before)?;
        }
    }
    hub::localise(&mut recipe)?;
    Ok(recipe)
}
