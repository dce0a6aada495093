//! `menagerie data show`.

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::Args;
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

use crate::data::{Dataset, Encoded, SampleEncoder};

/// The options of `menagerie data show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// LLaVA JSON or JSON lines, tar shards, or a folder of shards
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The folder that image names are relative to; no image is opened
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// The language model's tokenizer.json, or its folder
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,
    /// Chat template
    #[arg(long, value_name = "NAME", default_value = "v1",
        value_parser = PossibleValuesParser::new(Template::names()).try_map(|name| Template::named(&name)))]
    pub chat: &'static Template,
    /// Where the images of the first question stand
    #[arg(long, value_name = "WHERE", default_value = "as-data",
        value_parser = choice::<ImagePosition>(&["as-data", "first", "last", "random"]))]
    pub image_position: ImagePosition,
    /// Whole conversations, or each question by itself
    #[arg(long, default_value = "together",
        value_parser = choice::<Turns>(&["together", "separate"]))]
    pub turns: Turns,
    /// Which text of a sample is learned
    #[arg(long, default_value = "conversations",
        value_parser = choice::<DataText>(&["conversations", "caption"]))]
    pub text: DataText,
    /// Seed of `--image-position random`
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Show so many samples and no more
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Print a JSON object a line: `id`, `input_ids` (-200 at an image), `labels` (-100 where
    /// unsupervised)
    #[arg(long)]
    pub json: bool,
}

/// One of `names`, which are serde's for `T`.
fn choice<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: for<'de> Deserialize<'de> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names)
        .try_map(|name| T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(name)))
}

impl ShowArgs {
    /// Prints to standard output, in colour where it is a terminal and `NO_COLOR` is not set.
    ///
    /// # Errors
    /// As [`write`](Self::write). A reader that has seen enough (`| head`) is none.
    pub fn run(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let stdout = io::stdout();
        let colour = AutoStream::choice(&stdout) != ColorChoice::Never;
        match self.write(&mut io::BufWriter::new(stdout.lock()), colour) {
            Err(error) if is_broken_pipe(error.as_ref()) => Ok(()),
            result => result,
        }
    }

    /// Prints to `out`; without `colour` supervised text stands between `[[` and `]]`.
    ///
    /// # Errors
    /// Data or a tokenizer that cannot be read, or a sample that teaches nothing.
    pub fn write(
        self,
        out: &mut impl Write,
        colour: bool,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Some(tokenizer) = self.tokenizer else {
            return Err(
                "which tokens are supervised depends on the tokenizer: name the language \
                model's tokenizer.json, or its folder, with --tokenizer"
                    .into(),
            );
        };
        let dataset = Dataset::open(&DataSource {
            paths: self.files,
            images: self.images,
            turns: self.turns,
            text: self.text,
        })?;
        let encoder = SampleEncoder {
            tokenizer: Tokenizer::load(tokenizer)?,
            template: self.chat,
            image_position: self.image_position,
            seed: self.seed,
            visual_tokens: 1,
            max_tokens: usize::MAX,
        };
        for index in 0..dataset.len().min(self.limit.unwrap_or(usize::MAX)) {
            let sample = encoder.encode(&dataset, index)?;
            if self.json {
                let Encoded {
                    id,
                    input_ids,
                    labels,
                    ..
                } = sample;
                let line = json!({"id": id, "input_ids": input_ids, "labels": labels});
                writeln!(out, "{line}")?;
            } else {
                write_sample(out, &encoder.tokenizer, &sample, colour)?;
            }
        }
        out.flush()?;
        Ok(())
    }
}

fn write_sample(
    out: &mut impl Write,
    tokenizer: &Tokenizer,
    sample: &Encoded,
    colour: bool,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let bold = if colour {
        Style::new().bold()
    } else {
        Style::new()
    };
    let supervised = sample
        .labels
        .iter()
        .filter(|&&label| label != IGNORE)
        .count();
    writeln!(
        out,
        "{bold}{}{bold:#} · {} tokens, {supervised} supervised · images: {}",
        sample.id,
        sample.input_ids.len(),
        sample.images
    )?;
    let learned = Style::new().fg_color(Some(AnsiColor::Green.into()));
    for (is_supervised, text) in runs(tokenizer, sample)? {
        match (is_supervised, colour) {
            (false, _) => write!(out, "{text}")?,
            (true, true) => write!(out, "{learned}{text}{learned:#}")?,
            (true, false) => write!(out, "[[{text}]]")?,
        }
    }
    writeln!(out, "\n")?;
    Ok(())
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

fn is_broken_pipe(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
