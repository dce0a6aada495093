//! `menagerie bench score`: answers that others made.

use std::path::PathBuf;

use super::judge::JudgeArgs;
use super::options::Options;
use super::shown::{Shown, tell};
use crate::bench;
use crate::cli::error::CliError;
use crate::cli::interrupt;
use crate::eval::EvalOptions;

/// Score a file of answers that another program made.
///
/// What is read is as the benchmark says: JSON lines with an id (`question_id` or `id`) and an answer
/// (`text`, `answer` or `prediction`), or the benchmark's own format. The score is kept as that of
/// `bench run`, so that `bench table` compares both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The benchmark; `menagerie plugins` lists them.
    #[arg(value_name = "NAME")]
    benchmark: String,
    #[command(flatten)]
    options: Options,
    /// The answers.
    #[arg(long, value_name = "FILE", required = true)]
    predictions: PathBuf,
    /// Score the questions that have an answer, and say how many have none.
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    judge: JudgeArgs,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let asking = EvalOptions {
        blind: false,
        ..EvalOptions::default()
    };
    let exam = args.options.exam(&args.benchmark, asking)?;
    let judge = args.judge.judge()?;
    let named = args.predictions.with_extension("");
    let place = args.options.place(&args.benchmark, &named)?;
    let mut shown = Shown::default();
    let score = bench::score(
        &exam,
        &args.predictions,
        args.partial,
        judge.as_ref(),
        &place.folder,
        &mut shown,
        interrupt::flag(),
    );
    shown.finish();
    tell(&score?, &place, args.options.json)
}
