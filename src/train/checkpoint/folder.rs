//! The checkpoints of a run.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use menagerie_core::weights::{PARTIAL, sync_folder};

use super::saved::{Refusal, Saved};
use super::snapshot::Snapshot;
use super::standing::parse_folder_name;
use crate::train::error::TrainError;
use crate::train::files::{entries, remove, write_error};

/// `RUN/checkpoints`.
#[derive(Debug, Clone)]
pub(in crate::train) struct Checkpoints {
    folder: PathBuf,
    /// The stages in their order.
    stages: Vec<String>,
}

/// A checkpoint's stage, as a number, and step; they are in the order of the run.
type Place = (usize, usize);

impl Checkpoints {
    pub(in crate::train) fn new(run: &Path, stages: &[String]) -> Self {
        Self {
            folder: run.join("checkpoints"),
            stages: stages.to_vec(),
        }
    }

    /// The newest checkpoint that is whole and that `usable` takes. `refused` hears of those that
    /// are newer, with the reason.
    pub(in crate::train) fn newest(
        &self,
        usable: impl Fn(&Saved) -> Result<(), Refusal>,
        mut refused: impl FnMut(&Path, &str),
    ) -> Result<Option<Saved>, TrainError> {
        for (_, path) in self.list()?.into_iter().rev() {
            let opened = Saved::open(&path).and_then(|saved| usable(&saved).map(|()| saved));
            match opened {
                Ok(saved) => return Ok(Some(saved)),
                Err(Refusal::Damaged(reason)) => refused(&path, &reason),
                Err(Refusal::Unreadable(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Writes a checkpoint: it appears whole or not at all.
    pub(super) fn write(&self, snapshot: Snapshot) -> Result<PathBuf, TrainError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| write_error(&path, source)
        };
        fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        let name = snapshot.folder_name();
        let path = self.folder.join(&name);
        let partial = self.folder.join(format!("{PARTIAL}{name}"));
        remove(&partial)?;
        fs::create_dir(&partial).map_err(failed(&partial))?;
        let written = snapshot
            .write(&partial)
            .and_then(|()| sync_folder(&partial).map_err(failed(&partial)));
        if let Err(error) = written {
            // The first error is the one to tell.
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
        // One that was refused, or that this run repeats.
        self.retire(&path)?;
        fs::rename(&partial, &path).map_err(failed(&path))?;
        sync_folder(&self.folder).map_err(failed(&self.folder))?;
        Ok(path)
    }

    /// Removes all but the `keep` newest of those with weights, up to `now`, the beginnings of
    /// stages, and the `best`.
    pub(super) fn prune(
        &self,
        now: (&str, usize),
        keep: usize,
        best: &[PathBuf],
    ) -> Result<(), TrainError> {
        let now = self.place(now);
        let (past, ahead): (Vec<_>, Vec<_>) = self
            .list()?
            .into_iter()
            .partition(|(place, _)| Some(*place) <= now);
        let weighty = past.iter().rev().filter(|((_, step), _)| *step > 0);
        let old = weighty.skip(keep).filter(|(_, path)| !best.contains(path));
        for (_, path) in ahead.iter().chain(old) {
            self.retire(path)?;
        }
        Ok(())
    }

    /// The path of a checkpoint.
    pub(super) fn path(&self, stage: &str, step: usize) -> PathBuf {
        self.folder.join(super::standing::folder_name(stage, step))
    }

    /// Takes a checkpoint away at once, then removes it at leisure.
    pub(super) fn retire(&self, path: &Path) -> Result<(), TrainError> {
        let aside = self.folder.join(format!("{PARTIAL}old-{}", name_of(path)));
        remove(&aside)?;
        match fs::rename(path, &aside) {
            Ok(()) => remove(&aside),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(write_error(path, source)),
        }
    }

    /// All checkpoints by their names, in the order of the run.
    fn list(&self) -> Result<Vec<(Place, PathBuf)>, TrainError> {
        let paths = entries(&self.folder)?.into_iter().map(|entry| entry.path());
        let mut found: Vec<(Place, PathBuf)> = paths
            .filter_map(|path| Some((self.place(parse_folder_name(&name_of(&path))?)?, path)))
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    fn place(&self, (stage, step): (&str, usize)) -> Option<Place> {
        let number = self.stages.iter().position(|name| name == stage)?;
        Some((number, step))
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
