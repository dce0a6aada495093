//! Writing the files of a run's folder.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use menagerie_core::weights::write_whole;
use serde::Serialize;

use super::error::InstructError;
use crate::json::json_line;

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), InstructError> {
    let written = write_whole(path, |temporary| fs::write(temporary, bytes));
    written.map_err(|source| InstructError::write(path, source))
}

/// Writes a file bit by bit, whole or not at all.
pub(super) fn write_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), InstructError> {
    let written = write_whole(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        write(&mut file)?;
        file.flush()
    });
    written.map_err(|source| InstructError::write(path, source))
}

/// Writes JSON lines, whole or not at all.
pub(super) fn write_lines<T: Serialize>(
    path: &Path,
    values: impl IntoIterator<Item = T>,
) -> Result<(), InstructError> {
    write_with(path, |file| {
        values
            .into_iter()
            .try_for_each(|value| file.write_all(&json_line(&value)))
    })
}
