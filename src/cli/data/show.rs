//! `menagerie data show`.

use std::fmt::Write;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use menagerie_core::chat::IMAGE_MARK;
use menagerie_core::tokens::{
    EncodeError, IGNORE, IMAGE_TOKEN, ImagePosition, StreamDecoder, Tokenizer,
};
use serde_json::json;

use super::reading::{Reading, choice};
use crate::cli::error::CliError;
use crate::cli::output::{colour, print_part};
use crate::data::{Dataset, Encoded, SampleEncoder};

/// The options of `menagerie data show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// LLaVA JSON or JSON lines, tar shards, Parquet files, or a folder of these two
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Where the images of the first question stand
    #[arg(long, value_name = "WHERE", default_value = "as-data",
        value_parser = choice::<ImagePosition>(&["as-data", "first", "last", "random"]))]
    image_position: ImagePosition,
    /// Seed of `--image-position random`
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Show so many samples and no more
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print a JSON object a line: `id`, `input_ids` (-200 at an image), `labels` (-100 where
    /// unsupervised)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let dataset = Dataset::open(&args.reading.source(args.files.clone()))?;
    let encoder = SampleEncoder {
        tokenizer: args.reading.tokenizer()?,
        template: args.reading.template(),
        image_position: args.image_position,
        seed: args.seed,
        images: 1.into(),
        max_tokens: usize::MAX,
    };
    for index in 0..dataset.len().min(args.limit.unwrap_or(usize::MAX)) {
        let sample = encoder.encode(&dataset, index)?;
        let text = if args.json {
            let line =
                json!({"id": sample.id, "input_ids": sample.input_ids, "labels": sample.labels});
            format!("{line}\n")
        } else {
            marked(&encoder.tokenizer, &sample)?
        };
        if !print_part(&text)?.is_open() {
            break;
        }
    }
    Ok(())
}

/// A sample's text with what is supervised in colour, or between `[[` and `]]`.
fn marked(tokenizer: &Tokenizer, sample: &Encoded) -> Result<String, CliError> {
    let labels = sample.labels.iter();
    let supervised = labels.filter(|&&label| label != IGNORE).count();
    let bold = Style::new().bold();
    let (id, tokens, images) = (&sample.id, sample.input_ids.len(), sample.images.len());
    let mut out = format!(
        "{bold}{id}{bold:#} · {tokens} tokens, {supervised} supervised · images: {images}\n"
    );
    let learned = Style::new().fg_color(Some(AnsiColor::Green.into()));
    let in_colour = colour();
    for (is_supervised, text) in runs(tokenizer, sample)? {
        let written = match (is_supervised, in_colour) {
            (false, _) => write!(out, "{text}"),
            (true, true) => write!(out, "{learned}{text}{learned:#}"),
            (true, false) => write!(out, "[[{text}]]"),
        };
        written.expect("a string takes any text");
    }
    out.push_str("\n\n");
    Ok(out)
}

/// The text of the tokens, special ones spelt out, in runs of supervised and other tokens.
fn runs(tokenizer: &Tokenizer, sample: &Encoded) -> Result<Vec<(bool, String)>, EncodeError> {
    let mut runs: Vec<(bool, String)> = Vec::new();
    let mut decoder = StreamDecoder::new(tokenizer);
    for (&id, &label) in sample.input_ids.iter().zip(&sample.labels) {
        let text = match u32::try_from(id) {
            Ok(id) if tokenizer.is_special(id) => tokenizer.token(id).unwrap_or_default(),
            Ok(id) => decoder.push(id)?,
            Err(_) => {
                debug_assert_eq!(id, IMAGE_TOKEN);
                IMAGE_MARK.to_owned()
            }
        };
        let is_supervised = label != IGNORE;
        match runs.last_mut() {
            Some((last, run)) if *last == is_supervised => run.push_str(&text),
            _ => runs.push((is_supervised, text)),
        }
    }
    Ok(runs)
}
