//! `menagerie bench run`: a benchmark's questions put to a model.

use super::judge::JudgeArgs;
use super::options::Options;
use super::shown::{Shown, tell};
use crate::bench::{self, Candidate};
use crate::cli::device::DeviceArg;
use crate::cli::error::CliError;
use crate::cli::interrupt;
use crate::cli::model::UsedModel;
use crate::eval::EvalOptions;

/// Ask a model a benchmark's questions, and score its answers.
///
/// Answers are the likeliest ones, so they are the same each time. They are kept as they come: after
/// Ctrl-C or a kill the same command goes on, and ends as if it had never stopped. The folder ends
/// with score.json, which says what the score is of, and the files that the benchmark's authors take.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The benchmark; `menagerie plugins` lists them.
    #[arg(value_name = "NAME")]
    benchmark: String,
    #[command(flatten)]
    model: UsedModel,
    #[command(flatten)]
    options: Options,
    /// Questions answered together.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Longest answer, in tokens. Default: as the benchmark says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: Option<u32>,
    /// Ask again with every image replaced by grey: what the model knows without looking.
    #[arg(long)]
    blind: bool,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    judge: JudgeArgs,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let asking = EvalOptions {
        batch_size: args.batch_size as usize,
        blind: args.blind,
        max_new_tokens: args.max_new_tokens.map(|tokens| tokens as usize),
        ..EvalOptions::default()
    };
    let exam = args.options.exam(&args.benchmark, asking)?;
    if args.options.no_out && exam.judged() {
        return Err(CliError::JudgedUnkept);
    }
    let judge = args.judge.judge()?;
    exam.check_images()?;
    let found = args.model.find()?;
    let place = args
        .options
        .place(&args.benchmark, args.model.model.path())?;
    let model = found.assemble(&args.device.device)?;
    let candidate = Candidate {
        model: &model,
        recipe: found.recipe(),
        path: args.model.model.path(),
    };
    let mut shown = Shown::default();
    let stop = interrupt::flag();
    let folder = &place.folder;
    let score = bench::run(&exam, &candidate, judge.as_ref(), folder, &mut shown, stop);
    shown.finish();
    if let Some(score) = score? {
        return tell(&score, &place, args.options.json);
    }
    anstream::eprintln!(
        "note: the answers wait for a judge in {}; the same command with --judge-model NAME and --base-url URL goes on",
        folder.path().display()
    );
    Ok(())
}
