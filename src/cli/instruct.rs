//! `menagerie instruct`: instruction data from captions and boxes.

mod review;

use clap::Subcommand;

use super::error::CliError;

/// Make instruction data from captions and boxes, and look at it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Review(review::Args),
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::Review(args) => review::run(args),
    }
}
