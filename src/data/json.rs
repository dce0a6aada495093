//! LLaVA's JSON: an array of samples, or one a line.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use menagerie_core::chat::{Role, Turn};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) use super::elements::Element;
use super::elements::{Broken, Elements};
use super::error::DataError;
use super::record::Record;

/// A sample as it is written.
#[derive(Debug, Deserialize)]
struct Written {
    id: Option<Id>,
    image: Option<Images>,
    images: Option<Images>,
    conversations: Option<Vec<RawTurn>>,
    messages: Option<Vec<RawTurn>>,
    caption: Option<String>,
}

/// An id is text or a number.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`id` must be text or a number")]
enum Id {
    Text(String),
    Number(i64),
}

/// One image or several.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`image` must be a file's name or a list of names"
)]
enum Images {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct RawTurn {
    #[serde(alias = "role")]
    from: Speaker,
    #[serde(alias = "content")]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    #[serde(alias = "user")]
    Human,
    #[serde(alias = "assistant")]
    Gpt,
}

impl From<Written> for Record {
    fn from(written: Written) -> Self {
        let id = written.id.map(|id| match id {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        });
        let images = match written.image.or(written.images) {
            None => Vec::new(),
            Some(Images::One(name)) => vec![name],
            Some(Images::Many(names)) => names,
        };
        let said = written.conversations.or(written.messages);
        Self {
            id,
            images,
            turns: said.map(|said| said.into_iter().map(Turn::from).collect()),
            caption: written.caption,
        }
    }
}

impl From<RawTurn> for Turn {
    fn from(turn: RawTurn) -> Self {
        let role = match turn.from {
            Speaker::Human => Role::Human,
            Speaker::Gpt => Role::Assistant,
        };
        Self {
            role,
            text: turn.value,
        }
    }
}

/// The samples of a file, read as they are asked for. One that is wrong by itself is an inner
/// error; what ends the file early is an outer one.
pub(super) fn records(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Result<Record, DataError>, DataError>>, DataError> {
    let elements = elements(path)?;
    Ok(elements.map(move |element| Ok(record(path, &element?))))
}

/// The elements of a file's array, or its lines, as text.
pub(crate) fn elements(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Element, DataError>>, DataError> {
    let unreadable = |source| DataError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let elements = Elements::new(BufReader::with_capacity(1 << 18, file));
    Ok(elements.map(move |element| {
        element.map_err(|broken| match broken {
            Broken::Read(source) => unreadable(source),
            Broken::Json {
                line,
                column,
                reason,
            } => DataError::Json {
                path: path.to_owned(),
                line,
                column,
                reason: reason.to_owned(),
            },
        })
    }))
}

/// Reads one sample; `path` is the file, or the member of a shard.
pub(crate) fn record(path: &Path, element: &Element) -> Result<Record, DataError> {
    parse::<Written>(path, element).map(Record::from)
}

/// Reads an element of `path`; an error says where in the file it is wrong.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, element: &Element) -> Result<T, DataError> {
    serde_json::from_slice(&element.text).map_err(|error| {
        let reason = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let before = if error.line() == 1 { element.column } else { 1 };
        DataError::Json {
            path: path.to_owned(),
            line: element.line + error.line() - 1,
            column: before + error.column() - 1,
            reason: reason.strip_suffix(&place).unwrap_or(&reason).to_owned(),
        }
    })
}
