//! `menagerie eval`: a benchmark's score on questions with known answers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use menagerie_core::recipe::{DataSource, Turns};
use serde_json::json;

use super::device::DeviceArg;
use super::error::CliError;
use super::interrupt;
use super::model::ModelArgs;
use super::output::{print, print_json};
use super::progress::Progress;
use crate::data::Dataset;
use crate::eval::{self, Benchmark, EvalError, EvalOptions, Evaluation, Exact};

/// Score a model on questions with known answers, and blind beside it.
///
/// The benchmark says how a question is put and how good an answer is. The blind score has every
/// image replaced by grey.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// LLaVA JSON or JSON lines, tar shards, Parquet files, or a folder of these two. Each question
    /// of a conversation is asked on its own.
    #[arg(value_name = "DATA", required = true)]
    data: Vec<PathBuf>,
    /// The folder that image names are relative to.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// The benchmark that asks and marks; `menagerie plugins` lists them.
    #[arg(long, value_name = "NAME", default_value = Exact::NAME)]
    benchmark: String,
    /// Questions answered together.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Longest answer, in tokens.
    #[arg(long, value_name = "N", default_value_t = 16)]
    max_new_tokens: usize,
    /// Ask so many questions and no more.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Leave the blind score out.
    #[arg(long)]
    no_blind: bool,
    /// Write every question with its answers to this file, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Print a JSON object with `score`, `blind`, `questions` and `seconds`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArg,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    eval::benchmark(&args.benchmark).map_err(EvalError::from)?;
    let data = Arc::new(Dataset::open(&DataSource {
        paths: args.data.clone(),
        images: args.images.clone(),
        turns: Turns::Separate,
        ..DataSource::default()
    })?);
    data.check_images()?;
    let model = args.model.open(&args.device.device)?;
    let options = EvalOptions {
        benchmark: args.benchmark.clone(),
        batch_size: args.batch_size as usize,
        blind: !args.no_blind,
        max_new_tokens: args.max_new_tokens,
        limit: args.limit,
        ..EvalOptions::default()
    };
    let stop = interrupt::flag();
    let mut progress: Option<Progress> = None;
    let evaluation = eval::evaluate(&model, &data, &options, &mut |done, total| {
        let progress = progress.get_or_insert_with(|| Progress::new("scoring", total));
        progress.set(done, total, "");
        !stop.load(Ordering::Relaxed)
    });
    if let Some(progress) = progress {
        progress.finish();
    }
    let evaluation = evaluation?;
    if let Some(path) = &args.answers {
        write_answers(path, &evaluation)?;
    }
    let (score, blind) = (evaluation.score(), evaluation.blind_score());
    let questions = evaluation.answers.len();
    if args.json {
        let seconds = evaluation.seconds;
        return print_json(
            &json!({ "score": score, "blind": blind, "questions": questions, "seconds": seconds }),
        );
    }
    let blind = blind.map_or(String::new(), |blind| {
        format!(", blind {:.1} %", 100.0 * blind)
    });
    print(&format!(
        "{:.1} % of {questions} questions{blind}\n",
        100.0 * score
    ))
}

fn write_answers(path: &Path, evaluation: &Evaluation) -> Result<(), CliError> {
    let write = || -> std::io::Result<()> {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        for answered in &evaluation.answers {
            serde_json::to_writer(&mut file, answered)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    };
    write().map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
    })
}
