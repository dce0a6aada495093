//! `menagerie runs`: what was trained, how far it came, and how two runs differ.

mod compare;
mod detail;
mod spark;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::output::{print, print_json};
use crate::runs::{self, Comparison};

pub(super) use table::{Side, Table};

/// List runs, look at one, or compare two.
///
/// Without an argument the runs in `runs` are listed, with a folder those in it; a run folder is
/// shown alone, and two are compared: recipe, data, losses, scores and answers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder of runs, one run, or two of them. Default: runs.
    #[arg(value_name = "RUN|DIR", num_args = 0..=2)]
    paths: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write a page with the curves of both runs over each other to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match args.paths.as_slice() {
        [a, b] => {
            let comparison = Comparison::read(a, b)?;
            if let Some(path) = &args.html {
                write_page(&comparison, path)?;
            }
            if args.json {
                return print_json(&comparison);
            }
            print(&compare::text(&comparison))
        }
        _ if args.html.is_some() => Err(CliError::OneRun),
        [path] if runs::is_run(path) => {
            let (summary, losses) = runs::with_losses(path)?;
            if args.json {
                return print_json(&summary);
            }
            print(&detail::text(&summary, &losses))
        }
        [path] => list(path, args.json),
        _ => list(Path::new("runs"), args.json),
    }
}

fn write_page(comparison: &Comparison, path: &Path) -> Result<(), CliError> {
    fs::write(path, comparison.to_html()).map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })?;
    anstream::eprintln!("wrote {}", path.display());
    Ok(())
}

fn list(folder: &Path, as_json: bool) -> Result<(), CliError> {
    let (runs, others) = runs::list(folder)?;
    if others > 0 {
        let s = if others == 1 { " is" } else { "s are" };
        anstream::eprintln!("note: {others} folder{s} no run in {}", folder.display());
    }
    if as_json {
        return print_json(&runs);
    }
    let mut table = Table::new(&detail::COLUMNS);
    for run in &runs {
        table.row(detail::row(run));
    }
    print(&table.text())
}
