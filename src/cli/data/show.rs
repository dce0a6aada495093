//! `menagerie data show`.

use std::io;
use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use menagerie_core::chat::{IMAGE_MARK, Template};
use menagerie_core::recipe::{DataSource, DataText, Turns};
use menagerie_core::tokens::{
    EncodeError, IGNORE, IMAGE_TOKEN, ImagePosition, StreamDecoder, Tokenizer,
};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::output::print;
use crate::data::{Dataset, Encoded, SampleEncoder};

/// Print samples as a model sees them, the supervised tokens marked.
///
/// They are green; where there is no colour they stand between [[ and ]]. No image is opened.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// LLaVA JSON or JSON lines, tar shards, or a folder of shards
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The folder that image names are relative to; no image is opened
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// The language model's tokenizer.json, or its folder.
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
    /// Chat template
    #[arg(long, value_name = "NAME", default_value = "v1",
        value_parser = PossibleValuesParser::new(Template::names()).try_map(|name| Template::named(&name)))]
    chat: &'static Template,
    /// Where the images of the first question stand
    #[arg(long, value_name = "WHERE", default_value = "as-data",
        value_parser = choice::<ImagePosition>(&["as-data", "first", "last", "random"]))]
    image_position: ImagePosition,
    /// Whole conversations, or each question by itself
    #[arg(long, default_value = "together",
        value_parser = choice::<Turns>(&["together", "separate"]))]
    turns: Turns,
    /// Which text of a sample is learned
    #[arg(long, default_value = "conversations",
        value_parser = choice::<DataText>(&["conversations", "caption"]))]
    text: DataText,
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

/// One of `names`, which are serde's for `T`.
fn choice<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: for<'de> Deserialize<'de> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names)
        .try_map(|name| T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(name)))
}

pub(in crate::cli) fn run(args: &Args) -> Result<(), CliError> {
    let dataset = Dataset::open(&DataSource {
        paths: args.files.clone(),
        images: args.images.clone(),
        turns: args.turns,
        text: args.text,
    })?;
    let encoder = SampleEncoder {
        tokenizer: Tokenizer::load(&args.tokenizer)?,
        template: args.chat,
        image_position: args.image_position,
        seed: args.seed,
        visual_tokens: 1,
        max_tokens: usize::MAX,
    };
    let colour = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    for index in 0..dataset.len().min(args.limit.unwrap_or(usize::MAX)) {
        let sample = encoder.encode(&dataset, index)?;
        let text = if args.json {
            let Encoded {
                id,
                input_ids,
                labels,
                ..
            } = sample;
            json!({"id": id, "input_ids": input_ids, "labels": labels}).to_string() + "\n"
        } else {
            describe(&encoder.tokenizer, &sample, colour)?
        };
        print(&text)?;
    }
    Ok(())
}

fn describe(tokenizer: &Tokenizer, sample: &Encoded, colour: bool) -> Result<String, EncodeError> {
    let bold = Style::new().bold();
    let learned = Style::new().fg_color(Some(AnsiColor::Green.into()));
    let tokens = sample.labels.len();
    let supervised = sample.labels.iter().filter(|&&label| label != IGNORE);
    let mut lines = format!(
        "{bold}{}{bold:#} · {tokens} tokens, {} supervised · images: {}\n",
        sample.id,
        supervised.count(),
        sample.images
    );
    for (is_supervised, text) in runs(tokenizer, sample)? {
        let (start, end) = match (is_supervised, colour) {
            (false, _) => (String::new(), String::new()),
            (true, true) => (learned.to_string(), format!("{learned:#}")),
            (true, false) => ("[[".to_owned(), "]]".to_owned()),
        };
        lines.extend([start, text, end]);
    }
    Ok(lines + "\n\n")
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
