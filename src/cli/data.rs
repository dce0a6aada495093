//! `menagerie data`: what a model is given to learn.

mod check;
mod reading;
mod scienceqa;
mod show;

use clap::Subcommand;

use super::error::CliError;

/// Look at data.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for all that is wrong with data before a run: decode every image, encode every text
    Check(check::Args),
    /// Print samples as a model sees them, supervised tokens marked.
    Show(show::Args),
    /// Print ScienceQA's problems as conversations to learn from, LLaVA JSON
    Scienceqa(scienceqa::Args),
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::Check(args) => check::run(args),
        Command::Show(args) => show::run(args),
        Command::Scienceqa(args) => scienceqa::run(args),
    }
}
