//! `menagerie data`: what a model is given to learn.

mod show;

use std::error::Error;

use clap::{Args, Subcommand};

pub use show::ShowArgs;

/// Look at data.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// The subcommands of `menagerie data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Print samples as a model sees them, supervised tokens marked.
    Show(ShowArgs),
}

impl DataArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Data or a tokenizer that cannot be read.
    pub fn run(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self.command {
            DataCommand::Show(args) => args.run(),
        }
    }
}
