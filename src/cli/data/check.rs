//! `menagerie data check`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use indicatif::{HumanBytes, HumanCount};
use menagerie_core::Recipe;
use menagerie_core::recipe::DataSource;
use menagerie_core::tokens::ImagePosition;
use serde_json::json;

use super::reading::Reading;
use crate::cli::error::CliError;
use crate::cli::interrupt;
use crate::cli::output::{print, print_json};
use crate::cli::progress::Progress;
use crate::cli::recipe::Sets;
use crate::data::{self, CheckProgress, Checked, Dataset, Fault, SampleEncoder};
use crate::eval;

/// The options of `menagerie data check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A recipe (a .toml file or an embedded recipe's name), all of whose data is checked as it
    /// says; or data files: LLaVA JSON or JSON lines, tar shards, Parquet files, folders of these two
    #[arg(value_name = "RECIPE|FILE", required = true)]
    what: Vec<PathBuf>,
    #[command(flatten)]
    sets: Sets,
    #[command(flatten)]
    reading: Reading,
    /// The longest sample that is not cut, in tokens. Default: none is
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Tokens that an image takes [default: 576, LLaVA-1.5's]
    #[arg(long, value_name = "N")]
    image_tokens: Option<usize>,
    /// Do not decode images: look at each one's header and end, which misses damage in between
    #[arg(long)]
    quick: bool,
    /// Print a JSON object: what is wrong, by data set
    #[arg(long)]
    json: bool,
}

/// Data that is checked together.
struct Task {
    /// Its key in the recipe; empty for files.
    name: String,
    samples: Samples,
}

/// What is checked.
enum Samples {
    /// Files in the forms that training reads, and how their texts become tokens.
    Read(DataSource, SampleEncoder),
    /// What a benchmark read from files of its own.
    Questions(Dataset),
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let tasks = match args.what.as_slice() {
        [only] if is_recipe(only) => of_recipe(args, &only.to_string_lossy())?,
        files => vec![of_files(args, files)?],
    };
    let (mut files, mut faults, mut samples, mut all) = (0, 0, 0, Vec::new());
    for task in &tasks {
        let begun = Instant::now();
        let checked = check(task, args.quick)?;
        if !args.json {
            print(&listed(task, &checked))?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        anstream::eprintln!("{}", summary(&task.name, &checked, seconds));
        if !checked.finished {
            return Err(CliError::Interrupted);
        }
        let unread = checked.bad.iter().filter(|bad| bad.fault == Fault::File);
        let unread = unread.count();
        files += unread;
        faults += checked.bad.len() - unread;
        samples += checked.samples;
        all.push(json!({
            "data": task.name,
            "seconds": seconds,
            "faults": by_kind(&checked),
            "checked": checked,
        }));
    }
    if args.json {
        print_json(&json!({ "ok": files + faults == 0, "data": all }))?;
    }
    if files > 0 {
        return Err(CliError::BadFiles { files, faults });
    }
    if faults > 0 {
        return Err(CliError::BadSamples { faults, samples });
    }
    Ok(())
}

/// Whether an argument names a recipe: data is always there by its own name.
fn is_recipe(argument: &Path) -> bool {
    let is_toml = argument.extension().is_some_and(|ending| ending == "toml");
    is_toml || (!argument.exists() && argument.extension().is_none())
}

fn of_files(args: &Args, files: &[PathBuf]) -> Result<Task, CliError> {
    if !args.sets.is_empty() {
        return Err(CliError::SetOfFiles);
    }
    Ok(Task {
        name: String::new(),
        samples: Samples::Read(
            args.reading.source(files.to_vec()),
            SampleEncoder {
                tokenizer: args.reading.tokenizer()?,
                template: args.reading.template(),
                image_position: ImagePosition::AsData,
                seed: 0,
                images: args.image_tokens.unwrap_or(576).into(),
                max_tokens: args.max_tokens.unwrap_or(usize::MAX),
            },
        ),
    })
}

/// The data of all stages and of the score, as the recipe says to read it.
fn of_recipe(args: &Args, name: &str) -> Result<Vec<Task>, CliError> {
    let own = args.reading.stated();
    let own = own.or(args.max_tokens.map(|_| "--max-tokens"));
    if let Some(option) = own.or(args.image_tokens.map(|_| "--image-tokens")) {
        let recipe = name.to_owned();
        return Err(CliError::OfRecipe { option, recipe });
    }
    let recipe: Recipe = args.sets.load(name)?;
    let configured = recipe.configure()?;
    let tokenizer = recipe.load_tokenizer(configured.llm_spec.vocab_size)?;
    let encoder = |template, image_position, resize| SampleEncoder {
        tokenizer: tokenizer.clone(),
        template,
        image_position,
        seed: recipe.seed,
        images: configured.image_tokens(resize),
        max_tokens: recipe.max_tokens,
    };
    let mut tasks = Vec::new();
    for (stage, table) in recipe.stages() {
        let sources = table.data.sources();
        let alone = sources.len() == 1;
        for (number, (source, _)) in sources.into_iter().enumerate() {
            let name = format!("stage.{stage}.data");
            tasks.push(Task {
                name: if alone {
                    name
                } else {
                    format!("{name}.mix.{number}")
                },
                samples: Samples::Read(
                    source,
                    encoder(
                        recipe.stage_template(stage)?,
                        table.data.image_position,
                        table.data.resize,
                    ),
                ),
            });
        }
    }
    if let Some(eval) = &recipe.eval {
        let samples = match eval::open_own(eval)? {
            Some(questions) => Samples::Questions(questions),
            None => Samples::Read(
                eval.data.source(),
                encoder(
                    recipe.eval_template()?,
                    ImagePosition::AsData,
                    eval.data.resize,
                ),
            ),
        };
        tasks.push(Task {
            name: "eval.data".to_owned(),
            samples,
        });
    }
    Ok(tasks)
}

fn check(task: &Task, quick: bool) -> Result<Checked, CliError> {
    let stop = interrupt::flag();
    let mut shown: Option<(&'static str, Instant, Progress)> = None;
    let mut progress = |progress| {
        let CheckProgress {
            what,
            done,
            total,
            bytes,
            ..
        } = progress;
        if shown.as_ref().is_none_or(|(current, ..)| *current != what) {
            let next = (what, Instant::now(), Progress::new(what, total));
            if let Some((.., last)) = shown.replace(next) {
                last.finish();
            }
        }
        if let Some((_, begun, bar)) = &mut shown {
            let message = match bytes {
                0 => String::new(),
                bytes => rate(bytes, begun.elapsed().as_secs_f64()),
            };
            bar.set(done, total, &message);
        }
        !stop.load(Ordering::Relaxed)
    };
    let checked = match &task.samples {
        Samples::Read(source, encoder) => data::check(source, encoder, quick, &mut progress),
        Samples::Questions(dataset) => data::check_questions(dataset, quick, &mut progress),
    };
    if let Some((.., last)) = shown {
        last.finish();
    }
    Ok(checked?)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn rate(bytes: u64, seconds: f64) -> String {
    let rate = bytes as f64 / seconds.max(1e-3);
    format!("{}/s", HumanBytes(rate as u64))
}

/// A line for each fault and each sample that is cut.
fn listed(task: &Task, checked: &Checked) -> String {
    let mut out = String::new();
    let data = match task.name.as_str() {
        "" => String::new(),
        name => format!("{name}: "),
    };
    let mut line = |file: &Path, id: &str, fault: &str, reason: &str| {
        let sample = match id {
            "" => String::new(),
            id => format!("sample `{id}`: "),
        };
        let file = file.display();
        writeln!(out, "{data}{file}: {sample}{fault}: {reason}").expect("a string takes any text");
    };
    for bad in &checked.bad {
        line(&bad.file, &bad.id, bad.fault.name(), &bad.reason);
    }
    let limit = match &task.samples {
        Samples::Read(_, encoder) => encoder.max_tokens,
        // They are not cut.
        Samples::Questions(_) => usize::MAX,
    };
    for sample in &checked.overlong {
        let tokens = sample.tokens;
        let reason = format!("{tokens} tokens are cut to max_tokens = {limit}");
        line(&sample.file, &sample.id, "overlong", &reason);
    }
    out
}

/// How many faults there are of each kind.
fn by_kind(checked: &Checked) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for bad in &checked.bad {
        *kinds.entry(bad.fault.name()).or_default() += 1;
    }
    kinds
}

fn summary(name: &str, checked: &Checked, seconds: f64) -> String {
    let colon = if name.is_empty() { "" } else { ": " };
    let count = |number: usize| HumanCount(number as u64);
    let mut text = format!(
        "{name}{colon}{} samples, {} images of {} at {}",
        count(checked.samples),
        count(checked.images),
        HumanBytes(checked.image_bytes),
        rate(checked.image_bytes, seconds),
    );
    let mut say = |number: usize, what: &str| {
        if number > 0 {
            write!(text, "; {} {what}", count(number)).expect("a string takes any text");
        }
    };
    for (kind, number) in by_kind(checked) {
        say(number, kind);
    }
    say(checked.overlong.len(), "overlong, which are cut");
    say(
        checked.repeated_ids.len(),
        "ids that more than one sample has",
    );
    if checked.bad.is_empty() && checked.finished {
        text.push_str("; nothing is wrong");
    }
    text
}
