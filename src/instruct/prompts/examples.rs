//! Contexts with the replies that are wanted for them.

use menagerie_core::toml;
use serde::Deserialize;

use super::super::context::Instance;

/// A context with the reply that is wanted for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    pub captions: Vec<String>,
    #[serde(default)]
    pub instances: Vec<Instance>,
    pub reply: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    example: Vec<Example>,
}

/// Reads `[[example]]`s; an error has its line.
pub(super) fn read(text: &str) -> Result<Vec<Example>, (Option<usize>, String)> {
    let file: Result<File, toml::de::Error> = toml::from_str(text);
    file.map(|file| file.example).map_err(|error| {
        let line = error.span().map(|span| {
            let before = text.bytes().take(span.start);
            1 + before.filter(|byte| *byte == b'\n').count()
        });
        (line, error.message().to_owned())
    })
}
