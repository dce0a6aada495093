//! stdout: whole texts, without a panic when the reader has gone.

use std::io::{ErrorKind, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use super::error::CliError;

/// Whether anybody still reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Reader {
    Open,
    Gone,
}

impl Reader {
    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }
}

/// Whether stdout shows colours: it is a terminal, or the environment says so.
pub(super) fn colour() -> bool {
    AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
}

/// Writes `text` to stdout. A closed pipe is no error: `menagerie … | head`.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    print_part(text).map(drop)
}

/// As [`print`], and says whether more is wanted.
pub(super) fn print_part(text: &str) -> Result<Reader, CliError> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(CliError::Stdout(error)),
        Ok(()) => Ok(Reader::Open),
    }
}

/// Writes `value` to stdout as indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).expect("the value has JSON");
    print(&(text + "\n"))
}
