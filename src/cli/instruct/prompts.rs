//! `menagerie instruct prompts`.

use std::path::PathBuf;

use crate::cli::error::CliError;
use crate::cli::output::print;
use crate::instruct::Prompts;

/// Write the prompts that come along into a new folder, to change them.
///
/// For each type of response there are a system text, examples with the replies that are wanted, and
/// the form in which a context is put. `menagerie instruct make --prompts DIR` takes the folder; all
/// files must be in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    Prompts::write_built_in(&args.folder)?;
    print(&format!("{}\n", args.folder.display()))
}
