//! `menagerie bench table`: models side by side.

use std::path::{Path, PathBuf};

use crate::bench::table::{self, Comparison};
use crate::cli::error::CliError;
use crate::cli::output::print;

/// Compare models: a table a benchmark, a column a run. It is printed as Markdown.
///
/// A run that answered other questions than the first of its benchmark, or under other options,
/// another judge or limit, is marked: the numbers do not compare.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folders of `bench run` and `bench score`, or their `score.json`s.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Write a page with bars to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write exact numbers to this file, a line a figure of a run.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the table to this file too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let comparison = Comparison::read(&args.runs)?;
    let text = table::markdown(&comparison);
    if let Some(path) = &args.html {
        write(path, &table::html(&comparison))?;
    }
    if let Some(path) = &args.csv {
        write(path, &table::csv(&comparison))?;
    }
    if let Some(path) = &args.markdown {
        write(path, &text)?;
    }
    print(&text)
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })?;
    anstream::eprintln!("wrote {}", path.display());
    Ok(())
}
