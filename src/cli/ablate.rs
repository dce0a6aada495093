//! `menagerie ablate`: a recipe's variants, trained and compared.

mod child;
mod plan;
mod runner;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

use menagerie_core::Recipe;
use menagerie_core::recipe::Sweep;
use serde_json::json;

use super::error::CliError;
use super::output::{print, print_json};
use super::recipe::Sets;
use super::{hub, interrupt};
use crate::device::{DeviceError, device};
use crate::html::duration;
use crate::sweep::{self, Job, Results, SweepFolder};
use runner::{Ended, Runner};

/// Train the variants of a recipe that a sweep file states, and compare them.
///
/// Plans first, trains stages that runs have in common once, runs as many at once as memory and cores
/// allow, and writes report.html, report.md and report.csv. Its folder is printed to stdout. Ctrl-C
/// saves all runs and stops; the same command goes on, after a kill too. A run that fails does not
/// stop the others, and is tried again by the next call.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Args {
    /// A sweep file; with --check one or more.
    #[arg(value_name = "SWEEP", required = true)]
    sweeps: Vec<PathBuf>,
    /// Check the sweep and every recipe of it, and train nothing. Needs neither weights nor data.
    #[arg(long, conflicts_with_all = ["plan", "report"])]
    check: bool,
    /// Tell what it will cost: runs, steps, arithmetic, memory, and what is shared.
    #[arg(long, conflicts_with = "report")]
    plan: bool,
    /// Write the report of what is there, and train nothing.
    #[arg(long)]
    report: bool,
    /// Runs at once. Default: as many as memory and cores allow on the CPU, and one elsewhere.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// The sweep's folder. Default: sweeps/NAME.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    sets: Sets,
    /// `cpu`; `cuda` or `cuda:N` in a program built with the feature `cuda`, `vulkan` or `vulkan:N` with
    /// `vulkan`.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = device_name)]
    device: String,
    /// Print JSON: of --check a line a sweep, of --plan the plan, or else the results.
    #[arg(long)]
    json: bool,
}

fn device_name(text: &str) -> Result<String, DeviceError> {
    device(text).map(|_| text.to_owned())
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    if args.check {
        return check(args);
    }
    let [path] = args.sweeps.as_slice() else {
        return Err(CliError::SeveralSweeps);
    };
    if args.plan {
        let sweep = args.sets.load_sweep(path)?;
        sweep::check(&sweep)?;
        let jobs = sweep::jobs(&sweep)?;
        return plan::print(&sweep, &sweep::cost(&jobs), args.json);
    }
    let sweep = load(args, path)?;
    let jobs = sweep::jobs(&sweep)?;
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| Path::new("sweeps").join(&sweep.name));
    if args.report {
        let folder = SweepFolder::open(&out)?;
        return report(args, &sweep, &jobs, &folder);
    }
    train(args, &sweep, &jobs, &out)
}

fn check(args: &Args) -> Result<(), CliError> {
    let (mut exit, mut count) = (None, 0);
    for path in &args.sweeps {
        let checked = args.sets.load_sweep(path);
        let checked = checked.and_then(|sweep| sweep::check(&sweep).map(|()| sweep));
        let (path, runs) = (
            path.display(),
            checked.as_ref().map(|sweep| sweep.points.len()),
        );
        let error = checked.as_ref().err().map(ToString::to_string);
        if args.json {
            let line = json!({
                "sweep": path.to_string(), "ok": error.is_none(), "runs": runs.ok(), "error": error,
            });
            print(&format!("{line}\n"))?;
        } else if let Ok(runs) = runs {
            print(&format!("{path}: ok, {runs} runs\n"))?;
        }
        if let Err(error) = checked {
            let error = CliError::from(error);
            if args.sweeps.len() == 1 {
                return Err(error);
            }
            error.print();
            exit = exit.max(Some(error.exit()));
            count += 1;
        }
    }
    match exit {
        None => Ok(()),
        Some(exit) => Err(CliError::Recipes {
            count,
            total: args.sweeps.len(),
            exit,
        }),
    }
}

/// The sweep as it is to be trained, all weights on this machine.
fn load(args: &Args, path: &Path) -> Result<Sweep, CliError> {
    let mut sweep = args.sets.load_sweep_for_training(path)?;
    sweep::check(&sweep)?;
    let mut seen = BTreeSet::new();
    localise(&mut sweep.base, &mut seen)?;
    for point in &mut sweep.points {
        localise(&mut point.recipe, &mut seen)?;
    }
    Ok(sweep)
}

/// Says what is downloaded once.
fn localise(recipe: &mut Recipe, seen: &mut BTreeSet<String>) -> Result<(), CliError> {
    let places = recipe.weight_places();
    let stated: Vec<String> = places.into_iter().map(|(_, place)| place.clone()).collect();
    let count = seen.len();
    seen.extend(stated);
    let is_new = seen.len() > count;
    if is_new {
        return hub::localise(recipe);
    }
    crate::hub::localise(recipe, &mut |_, _, _| {})?;
    Ok(())
}

fn train(args: &Args, sweep: &Sweep, jobs: &[Job], out: &Path) -> Result<(), CliError> {
    let mut folder = SweepFolder::open(out)?;
    folder.begin(sweep, jobs)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let needs_plan = sweep.budget.hours.is_some() || (args.jobs.is_none() && args.device == "cpu");
    let cost = needs_plan.then(|| sweep::cost(jobs));
    if let (Some(hours), Some(cost)) = (sweep.budget.hours, &cost)
        && let Some(least) = cost.least_seconds.filter(|least| *least > hours * 3600.0)
        && args.device == "cpu"
    {
        anstream::eprintln!(
            "warning: its steps alone take {} at this machine's speed, and `budget.hours` allows {hours}",
            duration(least)
        );
    }
    let at_once = match (args.jobs, &cost) {
        (Some(jobs), _) => jobs as usize,
        (None, Some(cost)) if args.device == "cpu" => cost.at_once(cores),
        (None, _) => 1,
    };
    let stop = interrupt::flag();
    let mut runner = Runner {
        sweep,
        jobs,
        folder: &mut folder,
        device: &args.device,
        at_once,
        threads: (cores / at_once).max(1),
        stop,
    };
    let ended = runner.run()?;
    report(args, sweep, jobs, &folder)?;
    let report = folder.path().join("report.html");
    let total = sweep.points.len();
    let results = Results::read(sweep, jobs, &folder)?;
    let failed = results.failed().count();
    match ended {
        Ended::Stopped => Err(CliError::SweepStopped(folder.path().to_owned())),
        Ended::OverBudget(hours) => Err(CliError::BudgetSpent {
            hours,
            left: total - results.finished(),
            total,
            report,
        }),
        Ended::All if failed > 0 => Err(CliError::RunsFailed {
            failed,
            total,
            report,
        }),
        Ended::All => Ok(()),
    }
}

fn report(args: &Args, sweep: &Sweep, jobs: &[Job], folder: &SweepFolder) -> Result<(), CliError> {
    let results = Results::read(sweep, jobs, folder)?;
    sweep::write(sweep, &results, folder)?;
    let page = folder.path().join("report.html");
    anstream::eprintln!("report: {}", page.display());
    if args.json {
        return print_json(&results);
    }
    print(&format!("{}\n", folder.path().display()))
}
