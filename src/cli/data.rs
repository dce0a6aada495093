//! `menagerie data`: what a model is given to learn.

mod show;

use super::error::CliError;

/// Look at data.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(show::Args),
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::Show(args) => show::run(args),
    }
}
