//! `menagerie data`: what a model is given to learn.

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
    /// Print samples as a model sees them, supervised tokens marked.
    Show(show::Args),
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::Show(args) => show::run(args),
    }
}
