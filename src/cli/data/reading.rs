//! How data files are read where no recipe says so.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use menagerie_core::chat::Template;
use menagerie_core::recipe::{DataSource, DataText, Turns};
use menagerie_core::tokens::Tokenizer;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

use crate::cli::error::CliError;

/// The tokenizer of the quickstart, which can encode any text.
const SMALL_TOKENIZER: &[u8] = include_bytes!("../../../recipes/quickstart/tokenizer.json");

/// The options of every command that reads data files.
#[derive(Debug, clap::Args)]
pub(super) struct Reading {
    /// The folder that image names are relative to
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// The language model's tokenizer.json, or its folder. Default: the quickstart's small one
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// Chat template [default: v1]
    #[arg(long, value_name = "NAME",
        value_parser = PossibleValuesParser::new(Template::names()).try_map(|name| Template::named(&name)))]
    chat: Option<Template>,
    /// Whole conversations, or each question by itself [default: together]
    #[arg(long, value_parser = choice::<Turns>(&["together", "separate"]))]
    turns: Option<Turns>,
    /// Which text of a sample is learned [default: conversations]
    #[arg(long, value_parser = choice::<DataText>(&["conversations", "caption"]))]
    text: Option<DataText>,
}

/// One of `names`, which are serde's for `T`.
pub(super) fn choice<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: for<'de> Deserialize<'de> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names)
        .try_map(|name| T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(name)))
}

impl Reading {
    pub(super) fn source(&self, files: Vec<PathBuf>) -> DataSource {
        DataSource {
            paths: files,
            images: self.images.clone(),
            turns: self.turns.unwrap_or_default(),
            text: self.text.unwrap_or_default(),
            ..DataSource::default()
        }
    }

    pub(super) fn template(&self) -> Template {
        let named = || Template::named("v1").expect("the default is one of them");
        self.chat.clone().unwrap_or_else(named)
    }

    pub(super) fn tokenizer(&self) -> Result<Tokenizer, CliError> {
        if let Some(path) = &self.tokenizer {
            return Ok(Tokenizer::load(path)?);
        }
        anstream::eprintln!(
            "tokens are those of the quickstart's small tokenizer; name your model's with --tokenizer"
        );
        Ok(Tokenizer::from_json(SMALL_TOKENIZER).expect("the embedded tokenizer is whole"))
    }

    /// One of these options that is stated.
    pub(super) fn stated(&self) -> Option<&'static str> {
        let all = [
            ("--images", self.images.is_some()),
            ("--tokenizer", self.tokenizer.is_some()),
            ("--chat", self.chat.is_some()),
            ("--turns", self.turns.is_some()),
            ("--text", self.text.is_some()),
        ];
        all.into_iter()
            .find(|(_, stated)| *stated)
            .map(|(name, _)| name)
    }
}
