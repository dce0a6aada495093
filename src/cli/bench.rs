//! `menagerie bench`: what a model is worth.

mod judge;
mod options;
mod run;
mod score;
mod shown;
mod table;

use clap::Subcommand;

use super::error::CliError;

/// Put a benchmark's questions to a model, score what others answered, compare models.
///
/// `menagerie plugins` lists the benchmarks, `menagerie plugins NAME` shows the options of one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Score(Box<score::Args>),
    Table(table::Args),
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::Run(args) => run::run(args),
        Command::Score(args) => score::run(args),
        Command::Table(args) => table::run(args),
    }
}
