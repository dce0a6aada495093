//! `skipped.jsonl`: the samples that a run could not learn from, each once a stage.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::files::{append, json_line, read_text, write_error, write_whole};
use super::observer::Observer;
use crate::data::Skipped;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    stage: String,
    #[serde(flatten)]
    sample: Skipped,
}

/// The file, which is made when there is something to write. What it holds already, of a run that
/// goes on, is not written again.
#[derive(Debug)]
pub(super) struct SkippedLog {
    path: PathBuf,
    stage: String,
    file: Option<File>,
    known: HashSet<(PathBuf, String)>,
}

impl SkippedLog {
    pub(super) fn open(path: &Path, stage: &str) -> Result<Self, TrainError> {
        let text = read_text(path)?.unwrap_or_default();
        // A line that the end of a process cut short.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            write_whole(path, &text.as_bytes()[..whole])?;
        }
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let own = lines.filter(|line: &Line| line.stage == stage);
        Ok(Self {
            path: path.to_owned(),
            stage: stage.to_owned(),
            file: None,
            known: own.map(|line| (line.sample.file, line.sample.id)).collect(),
        })
    }

    /// Writes those of `samples` that were not known, and tells the observer of them.
    pub(super) fn note(
        &mut self,
        samples: &[Skipped],
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        for sample in samples {
            if !self.known.insert((sample.file.clone(), sample.id.clone())) {
                continue;
            }
            let line = json_line(&Line {
                stage: self.stage.clone(),
                sample: sample.clone(),
            });
            let file = match &mut self.file {
                Some(file) => file,
                empty => empty.insert(append(&self.path)?),
            };
            file.write_all(&line)
                .map_err(|source| write_error(&self.path, source))?;
            observer.skipped(sample);
        }
        Ok(())
    }
}
