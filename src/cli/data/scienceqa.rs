//! `menagerie data scienceqa`.

use std::path::PathBuf;

use menagerie_core::benchmark::Files;

use super::reading::choice;
use crate::bench::BenchError;
use crate::bench::scienceqa::{Format, conversations};
use crate::cli::error::CliError;
use crate::cli::output::print_json;

/// The options of `menagerie data scienceqa`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that has `problems.json` and `pid_splits.json`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The split, as `pid_splits.json` names it
    #[arg(long, value_name = "NAME", default_value = "train")]
    split: String,
    /// How questions and answers are written: C context, Q question, M options; L lecture,
    /// E explanation, A answer
    #[arg(long, value_name = "FORMAT", default_value = "QCM-LEA",
        value_parser = choice::<Format>(&["CQM-A", "QCM-A", "QCM-LEA", "QCM-ALE"]))]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let paths = [args.folder.clone()];
    let samples = conversations(&Files::new(&paths, None), &args.split, args.format);
    print_json(&samples.map_err(BenchError::from)?)
}
