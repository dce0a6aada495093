//! stdout: whole texts, without a panic when the reader has gone.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::error::CliError;

/// Writes `text` to stdout. A closed pipe ends the output quietly: `menagerie … | head`.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Stdout(error)),
        _ => Ok(()),
    }
}

/// Writes `value` to stdout as indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).expect("the value has JSON");
    print(&(text + "\n"))
}
