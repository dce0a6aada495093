//! Writing the files of a benchmark's folder.

use std::fs;
use std::io;
use std::path::Path;

use menagerie_core::weights;

use super::error::BenchError;

/// Writes a file whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BenchError> {
    let written = weights::write_whole(path, |temporary| fs::write(temporary, bytes));
    written.map_err(|source| write_error(path, source))
}

pub(super) fn write_error(path: &Path, source: io::Error) -> BenchError {
    BenchError::Write {
        path: path.to_owned(),
        source,
    }
}

pub(super) fn read_error(path: &Path, source: io::Error) -> BenchError {
    BenchError::Read {
        path: path.to_owned(),
        source,
    }
}
