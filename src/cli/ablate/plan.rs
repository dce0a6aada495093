//! `menagerie ablate --plan`: what a sweep will cost.

use std::thread;

use indicatif::{BinaryBytes, HumanCount};
use menagerie_core::recipe::Sweep;
use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::output::{print as print_text, print_json};
use crate::cli::recipe::flops;
use crate::cli::runs::{Side, Table};
use crate::html::duration;
use crate::sweep::SweepCost;

/// What stands for nothing.
const NONE: &str = "–";

pub(super) fn print(sweep: &Sweep, cost: &SweepCost, as_json: bool) -> Result<(), CliError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let at_once = cost.at_once(cores);
    if as_json {
        return print_json(&json!({
            "name": sweep.name,
            "runs": sweep.points.len(),
            "axes": sweep.axes,
            "budget": sweep.budget,
            "at_once": at_once,
            "cost": cost,
        }));
    }
    for job in &cost.jobs {
        if let Some(problem) = &job.problem {
            anstream::eprintln!("warning: {} cannot be planned: {problem}", job.name);
        }
    }
    print_text(&(head(sweep) + "\n" + &table(cost) + "\n" + &foot(cost, at_once)))
}

fn line(name: &str, what: &str) -> String {
    format!("{name:<14}{what}\n")
}

fn head(sweep: &Sweep) -> String {
    let axes = sweep.axes.iter().map(|axis| {
        let alternatives = axis.alternatives.join(", ");
        line("axis", &format!("{}: {alternatives}", axis.name))
    });
    let axes: String = axes.collect();
    let runs = format!("{} over {}", sweep.points.len(), sweep.base_name);
    line("sweep", &sweep.name) + &axes + &line("runs", &runs)
}

/// A row a job.
fn table(cost: &SweepCost) -> String {
    let mut table = Table::new(&[
        ("run", Side::Left),
        ("goes on from", Side::Left),
        ("steps", Side::Right),
        ("arithmetic", Side::Right),
        ("parameters", Side::Right),
        ("peak memory", Side::Right),
        ("disk", Side::Right),
    ]);
    for job in &cost.jobs {
        let shared = if job.is_shared { "shared/" } else { "" };
        let steps = job.steps.map(|steps| HumanCount(steps as u64).to_string());
        table.row([
            format!("{shared}{}", job.name),
            job.after.clone().unwrap_or_else(|| NONE.to_owned()),
            steps.unwrap_or_else(|| NONE.to_owned()),
            job.flops.map_or(NONE.to_owned(), flops),
            HumanCount(job.parameters as u64).to_string(),
            BinaryBytes(job.peak_bytes).to_string(),
            BinaryBytes(job.disk_bytes).to_string(),
        ]);
    }
    table.text()
}

fn foot(cost: &SweepCost, at_once: usize) -> String {
    let unknown = || "unknown: not all data is on this machine".to_owned();
    let steps = cost.steps.map_or_else(unknown, |steps| {
        let saved = cost.saved_steps.filter(|saved| *saved > 0);
        let saved = saved.map_or(String::new(), |saved| {
            format!("; sharing stages saves {}", HumanCount(saved as u64))
        });
        format!("{}{saved}", HumanCount(steps as u64))
    });
    let time = cost.least_seconds.zip(cost.flops);
    let time = time.map_or_else(unknown, |(seconds, all)| {
        format!(
            "at least {} for {} at the {}/s of a large matrix product here; small models and scores take \
             more",
            duration(seconds),
            flops(all),
            flops(cost.flops_per_second)
        )
    });
    let peak = cost
        .jobs
        .iter()
        .map(|job| job.peak_bytes)
        .max()
        .unwrap_or(0);
    let memory = cost
        .machine_bytes
        .map_or(String::new(), |bytes| format!(" of {}", BinaryBytes(bytes)));
    line("steps", &steps)
        + &line("time", &time)
        + &line(
            "at once",
            &format!("{at_once}, each at most {}{memory}", BinaryBytes(peak)),
        )
        + &line("disk", &BinaryBytes(cost.disk_bytes).to_string())
}
