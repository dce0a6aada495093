//! LLaVA's JSON: an array of samples, or one a line.

use std::path::Path;

use menagerie_core::chat::{Role, Turn};
use serde::Deserialize;

use super::error::DataError;

/// A sample as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub id: Option<Id>,
    pub image: Option<Images>,
    pub conversations: Option<Vec<RawTurn>>,
    pub caption: Option<String>,
}

/// An id is text or a number.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`id` must be text or a number")]
pub(super) enum Id {
    Text(String),
    Number(i64),
}

/// One image or several.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`image` must be a file's name or a list of names"
)]
pub(super) enum Images {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
pub(super) struct RawTurn {
    from: Speaker,
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

impl Record {
    pub(super) fn id(&self) -> Option<String> {
        self.id.as_ref().map(|id| match id {
            Id::Text(text) => text.clone(),
            Id::Number(number) => number.to_string(),
        })
    }

    pub(super) fn images(&self) -> Vec<String> {
        match &self.image {
            None => Vec::new(),
            Some(Images::One(name)) => vec![name.clone()],
            Some(Images::Many(names)) => names.clone(),
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

/// Reads a whole file.
pub(super) fn read_records(path: &Path, bytes: &[u8]) -> Result<Vec<Record>, DataError> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None => Ok(Vec::new()),
        Some(b'[') => serde_json::from_slice(bytes).map_err(|error| json_error(path, 0, &error)),
        Some(_) => {
            let lines = bytes.split(|&byte| byte == b'\n').enumerate();
            lines
                .filter(|(_, line)| !line.trim_ascii().is_empty())
                .map(|(before, line)| {
                    serde_json::from_slice(line).map_err(|error| json_error(path, before, &error))
                })
                .collect()
        }
    }
}

/// Reads one sample, a member of a shard.
pub(super) fn read_record(path: &Path, bytes: &[u8]) -> Result<Record, DataError> {
    serde_json::from_slice(bytes).map_err(|error| json_error(path, 0, &error))
}

fn json_error(path: &Path, lines_before: usize, error: &serde_json::Error) -> DataError {
    let reason = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    DataError::Json {
        path: path.to_owned(),
        line: lines_before + error.line(),
        column: error.column(),
        reason: reason.strip_suffix(&place).unwrap_or(&reason).to_owned(),
    }
}
