//! `menagerie instruct make`.

use std::path::{Path, PathBuf};

use clap::ArgGroup;
use indicatif::HumanCount;

use super::summary;
use crate::cli::endpoint::EndpointArgs;
use crate::cli::error::CliError;
use crate::cli::interrupt;
use crate::cli::output::{print, print_json};
use crate::cli::progress::Progress;
use crate::endpoint::{Ended, Endpoint, TokenLimit};
use crate::instruct::{
    Amounts, Asked, InstructError, MOST, Options, PerType, Project, Run, Sampling, Source,
};

/// Have a language model write conversations, descriptions and reasonings about images that it is
/// told of by captions and boxes.
///
/// Every reply is on disk before it counts: after Ctrl-C, a kill or the end of a budget the same
/// command goes on, and asks nothing twice that was answered. Its folder is printed to stdout; in it
/// are data.json in LLaVA's format, samples.jsonl with flags, rejects.jsonl, replies.jsonl and
/// manifest.json, and with --images tar shards.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the run: a new one, or that of one to go on with.
    #[arg(value_name = "OUT", required_unless_present = "plan")]
    out: Option<PathBuf>,
    /// Write the open requests to a batch's FILE in place of sending them, or read the replies in
    /// FILE, which a batch gave back. Both can be mixed with asking.
    #[arg(long, num_args = 2, value_names = ["write|read", "FILE"], conflicts_with = "plan")]
    batch: Option<Vec<String>>,
    /// Ask nothing, and tell how many requests there will be, their tokens and what they will cost.
    #[arg(long)]
    plan: bool,
    /// Print JSON: the manifest, or of --plan the plan, or of --batch write the files.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    made: Made,
    #[command(flatten)]
    teacher: Teacher,
    #[command(flatten)]
    endpoint: EndpointArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Input")]
#[command(group(ArgGroup::new("described").required(true).multiple(true)))]
struct Input {
    /// COCO's captions_*.json. Can be given several times.
    #[arg(long, value_name = "FILE", group = "described")]
    captions: Vec<PathBuf>,
    /// COCO's instances_*.json. Can be given several times.
    #[arg(long, value_name = "FILE", requires = "captions")]
    instances: Vec<PathBuf>,
    /// JSON lines {id, image, captions, instances: [{category, bbox}]} in place of COCO's files,
    /// each box [left, top, right, bottom] in shares of the image. Can be given several times.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "captions",
        group = "described"
    )]
    contexts: Vec<PathBuf>,
    /// The folder of the images: writes tar shards with samples and images too.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is made")]
struct Made {
    /// The types' shares. Default, the paper's: conversation=58,detail=23,reasoning=77.
    #[arg(long, value_name = "TYPE=N,…")]
    shares: Option<PerType<u64>>,
    /// All samples, of which the types have their shares. Default: one of each image.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    samples: Option<u64>,
    /// Samples of each type, in place of shares: conversation=58000,detail=23000,reasoning=77000.
    #[arg(long, value_name = "TYPE=N,…", conflicts_with_all = ["shares", "samples"])]
    counts: Option<PerType<u64>>,
    /// Decides which image gets which type.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Prompts of your own; `menagerie instruct prompts DIR` writes the ones that come along.
    #[arg(long, value_name = "DIR")]
    prompts: Option<PathBuf>,
    /// Replies to a request that are asked for at most until one can be taken.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How replies are drawn")]
struct Teacher {
    /// The temperature. Default: the endpoint's.
    #[arg(long, value_name = "T", value_parser = share_of::<2>)]
    temperature: Option<f64>,
    /// Draw from the likeliest tokens that together have this probability. Default: the endpoint's.
    #[arg(long, value_name = "P", value_parser = share_of::<1>)]
    top_p: Option<f64>,
    /// The longest reply, in tokens: one that reaches it is rejected.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Send a seed with each request, for endpoints that take one.
    #[arg(long)]
    send_seed: bool,
}

/// A number from 0 to `MOST`.
fn share_of<const MOST: u32>(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (0.0..=f64::from(MOST)).contains(number));
    number.ok_or_else(|| format!("it is a number from 0 to {MOST}"))
}

/// What a batch's file is for.
#[derive(Debug, Clone, Copy)]
enum Batch<'a> {
    Write(&'a Path),
    Read(&'a Path),
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let batch = args.batch()?;
    let Some(out) = args.out.as_deref().filter(|_| !args.plan) else {
        return plan(args);
    };
    match batch {
        None => {
            let (config, budget) = args.endpoint.settings()?;
            let endpoint = Endpoint::new(config)?;
            let project = args.project(&endpoint.config().model)?;
            let mut run = project.open(out)?;
            let mut progress: Option<Progress> = None;
            let asked = run.ask(&endpoint, &budget, interrupt::flag(), &mut |now| {
                let total = usize::try_from(now.total).unwrap_or(usize::MAX);
                let settled = usize::try_from(now.settled).unwrap_or(usize::MAX);
                let progress = progress.get_or_insert_with(|| Progress::new("samples", total));
                progress.set(settled, total, &summary::message(&now));
            });
            if let Some(progress) = progress {
                progress.finish();
            }
            finish(args, &mut run, asked)
        }
        Some(Batch::Read(file)) => {
            let (config, budget) = args.endpoint.offline()?;
            let project = args.project(&config.model)?;
            let mut run = project.open(out)?;
            run.price(budget.prices);
            let read = run.read_batch(file);
            if let Ok(read) = &read {
                anstream::eprintln!("{}", summary::batch_read(read));
            }
            finish(args, &mut run, read.map(|_| Asked::nothing()))
        }
        Some(Batch::Write(file)) => {
            let (config, _) = args.endpoint.offline()?;
            let project = args.project(&config.model)?;
            let run = project.open(out)?;
            write_batch(args, &run, file, config.token_limit)
        }
    }
}

/// Writes what was made, in any case; then tells how it ended.
fn finish(
    args: &Args,
    run: &mut Run<'_>,
    asked: Result<Asked, InstructError>,
) -> Result<(), CliError> {
    let manifest = run.finish()?.clone();
    let stopped = matches!(&asked, Ok(asked) if asked.ended == Ended::Interrupted);
    if asked.is_ok() && !stopped {
        run.write_shards()?;
    }
    anstream::eprintln!("{}", summary::text(&manifest.made));
    let out = run.path().to_owned();
    let asked = asked?;
    let (left, total) = (manifest.made.open.total(), manifest.made_of.samples.total());
    match asked.ended {
        Ended::Interrupted => return Err(CliError::InstructStopped(out)),
        Ended::OutOfBudget => return Err(CliError::InstructBudget { left, total, out }),
        Ended::Finished if !asked.unanswered.is_empty() => {
            let reasons = asked.unanswered.iter();
            let reasons = reasons.map(|(reason, count)| format!("{count} {reason}"));
            return Err(CliError::Unanswered {
                count: asked.unanswered.values().sum(),
                reasons: reasons.collect::<Vec<_>>().join(", "),
                first: asked.first_failure.unwrap_or_default(),
            });
        }
        Ended::Finished => {}
    }
    if args.json {
        return print_json(&manifest);
    }
    print(&format!("{}\n", out.display()))
}

fn write_batch(args: &Args, run: &Run<'_>, file: &Path, limit: TokenLimit) -> Result<(), CliError> {
    let files = run.write_batch(file, limit)?;
    let total: usize = files.iter().map(|(_, count)| count).sum();
    anstream::eprintln!(
        "{} requests in {} files; read what the batch gives back with --batch read FILE",
        HumanCount(total as u64),
        files.len()
    );
    if args.json {
        return print_json(&files);
    }
    let lines = files
        .iter()
        .map(|(path, _)| format!("{}\n", path.display()));
    print(&lines.collect::<String>())
}

fn plan(args: &Args) -> Result<(), CliError> {
    let prices = args.endpoint.prices()?;
    let project = args.project("")?;
    let estimate = project.estimate()?;
    let money = prices.map(|prices| prices.of(estimate.usage));
    if args.json {
        return print_json(&serde_json::json!({ "estimate": estimate, "money": money }));
    }
    print(&summary::plan(&estimate, money))
}

impl Args {
    fn batch(&self) -> Result<Option<Batch<'_>>, CliError> {
        let Some([word, file]) = self.batch.as_deref() else {
            return Ok(None);
        };
        match word.as_str() {
            "write" => Ok(Some(Batch::Write(Path::new(file)))),
            "read" => Ok(Some(Batch::Read(Path::new(file)))),
            _ => Err(CliError::BatchWord(word.clone())),
        }
    }

    fn project(&self, model: &str) -> Result<Project, CliError> {
        let input = &self.input;
        let source = if input.contexts.is_empty() {
            Source::Coco {
                captions: input.captions.clone(),
                instances: input.instances.clone(),
            }
        } else {
            Source::Lines(input.contexts.clone())
        };
        let shares = || Amounts::Shares {
            shares: self.made.shares.unwrap_or(PerType::PAPER),
            samples: self.made.samples,
        };
        let options = Options {
            amounts: self.made.counts.map_or_else(shares, Amounts::Counts),
            seed: self.made.seed,
            prompts: self.made.prompts.clone(),
            sampling: Sampling {
                temperature: self.teacher.temperature,
                top_p: self.teacher.top_p,
                max_tokens: Some(self.teacher.max_tokens),
                seeded: self.teacher.send_seed,
            },
            attempts: self.made.attempts,
            images: input.images.clone(),
            ..Options::new(source, model)
        };
        let project = Project::new(options)?;
        let contexts = project.contexts();
        if contexts.left_out > 0 {
            anstream::eprintln!(
                "images without a caption, of which nothing is made: {}",
                HumanCount(contexts.left_out as u64)
            );
        }
        Ok(project)
    }
}
