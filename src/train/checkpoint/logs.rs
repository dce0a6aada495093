//! The logs of a run, which are cut back to where a checkpoint left them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::train::error::TrainError;
use crate::train::files::write_error;

/// Files whose lines follow from recipe and data. Of `timings.jsonl` the last line of a step counts.
const NAMES: [&str; 3] = ["metrics.jsonl", "scores.jsonl", "skipped.jsonl"];

/// The logs of the run in a folder.
#[derive(Debug)]
pub(in crate::train) struct Logs<'a>(pub &'a Path);

impl Logs<'_> {
    /// Bytes of each, once they are on the disk.
    pub(in crate::train) fn synced(&self) -> Result<BTreeMap<String, u64>, TrainError> {
        let mut lengths = BTreeMap::new();
        for (name, path) in self.files() {
            let length = sync(&path).map_err(|source| write_error(&path, source))?;
            lengths.insert(name.to_owned(), length);
        }
        Ok(lengths)
    }

    /// Takes off what was added later. Returns the names of those that are shorter than they were.
    pub(in crate::train) fn cut(
        &self,
        lengths: &BTreeMap<String, u64>,
    ) -> Result<Vec<&'static str>, TrainError> {
        let mut short = Vec::new();
        for (name, path) in self.files() {
            let length = lengths.get(name).copied().unwrap_or(0);
            let kept = cut(&path, length).map_err(|source| write_error(&path, source))?;
            if !kept {
                short.push(name);
            }
        }
        Ok(short)
    }

    fn files(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        NAMES.into_iter().map(|name| (name, self.0.join(name)))
    }
}

fn sync(path: &Path) -> io::Result<u64> {
    match File::open(path) {
        Ok(file) => {
            file.sync_all()?;
            Ok(file.metadata()?.len())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Whether the file was at least that long. If not it ends with its last whole line.
fn cut(path: &Path, length: u64) -> io::Result<bool> {
    let there = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(length == 0),
        Err(error) => return Err(error),
    };
    let kept = there >= length;
    let end = if kept {
        length
    } else {
        let lines = fs::read(path)?;
        let last = lines.iter().rposition(|&byte| byte == b'\n');
        last.map_or(0, |last| last as u64 + 1)
    };
    if there > end {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(kept)
}
