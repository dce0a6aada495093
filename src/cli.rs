//! The command line. stdout is data, stderr is talk.
//!
//! A binary with more plugins names their crates and calls [`main`]:
//!
//! ```ignore
//! use acme_encoder as _;
//!
//! fn main() {
//!     menagerie::cli::main()
//! }
//! ```

mod ablate;
mod allocator;
mod ask;
mod bench;
mod chat;
mod data;
mod device;
mod endpoint;
mod error;
mod exit;
mod export;
mod generation;
mod hub;
mod inspect;
mod instruct;
mod interrupt;
mod model;
mod new;
mod output;
mod plugins;
mod progress;
mod recipe;
mod runs;
mod threads;
mod trace;
mod train;
mod training;

use clap::{Parser, Subcommand};

use error::CliError;
use exit::Exit;

pub use allocator::{Allocator, keep_free_memory};
pub use threads::on_computing_thread;

/// Train and use LLaVA-style vision-language models from recipes.
#[derive(Debug, Parser)]
#[command(name = "menagerie", version, max_term_width = 100, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::Args),
    Ablate(ablate::Args),
    Runs(runs::Args),
    Ask(ask::Args),
    Chat(chat::Args),
    Bench(bench::Args),
    Inspect(inspect::Args),
    Trace(trace::Args),
    Export(export::Args),
    Recipe(recipe::Args),
    Plugins(plugins::Args),
    New(new::Args),
    Data(data::Args),
    Instruct(instruct::Args),
}

/// Runs the command line on the process's arguments, then ends the process.
pub fn main() -> ! {
    let command = Cli::parse().command;
    let exit = on_computing_thread(|| match run(&command) {
        Ok(()) => Exit::Ok,
        Err(CliError::Interrupted) => Exit::Interrupted,
        Err(error) => {
            error.print();
            error.exit()
        }
    });
    std::process::exit(exit.code())
}

fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Ablate(args) => ablate::run(args),
        Command::Runs(args) => runs::run(args),
        Command::Ask(args) => ask::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Export(args) => export::run(args),
        Command::Recipe(args) => recipe::run(args),
        Command::Plugins(args) => plugins::run(args),
        Command::New(args) => new::run(args),
        Command::Data(args) => data::run(args),
        Command::Instruct(args) => instruct::run(args),
    }
}
