//! `menagerie instruct`: instruction data from captions and boxes.

mod make;
mod prompts;
mod review;
mod summary;

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
    Make(Box<make::Args>),
    Prompts(prompts::Args),
    Review(review::Args),
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::Make(args) => make::run(args),
        Command::Prompts(args) => prompts::run(args),
        Command::Review(args) => review::run(args),
    }
}
