//! The folder of a run, held by one process at a time.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use menagerie_core::weights::PARTIAL;

use super::error::InstructError;
use super::files::{write, write_lines};
use super::manifest::{Made, Manifest};
use super::project::Project;
use crate::json::pretty_json;
use crate::lock::{FolderLock, LOCK};

/// What says that a folder is a run's.
const MANIFEST: &str = "manifest.json";

/// The folder of a run.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
    _lock: FolderLock,
}

impl RunFolder {
    /// Opens the folder of a project's run, or begins it there. Gives the manifest too.
    pub(super) fn open(project: &Project, path: &Path) -> Result<(Self, Manifest), InstructError> {
        fs::create_dir_all(path).map_err(|source| InstructError::write(path, source))?;
        // Before the lock, which would leave its file in a folder of something else.
        if !path.join(MANIFEST).exists() && entries(path)?.iter().any(is_foreign) {
            return Err(InstructError::Foreign(path.to_owned()));
        }
        let lock = FolderLock::take(path);
        let lock = lock.map_err(|source| InstructError::write(&path.join(LOCK), source))?;
        let folder = Self {
            path: path.to_owned(),
            _lock: lock.ok_or_else(|| InstructError::Locked(path.to_owned()))?,
        };
        let manifest = match folder.manifest()? {
            Some(manifest) => {
                let changes = project.made_of().changes(&manifest.made_of);
                if !changes.is_empty() {
                    return Err(InstructError::OtherRun {
                        folder: path.to_owned(),
                        changes,
                    });
                }
                manifest
            }
            None => folder.begin(project)?,
        };
        folder.sweep()?;
        folder.write_inputs(project)?;
        Ok((folder, manifest))
    }

    /// Where a file of it lies.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), InstructError> {
        write(&self.join(MANIFEST), &pretty_json(manifest))
    }

    fn manifest(&self) -> Result<Option<Manifest>, InstructError> {
        let path = self.join(MANIFEST);
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(manifest) => Ok(Some(manifest)),
                Err(error) => Err(InstructError::Damaged {
                    path,
                    line: error.line(),
                    reason: error.to_string(),
                }),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(InstructError::read(&path, source)),
        }
    }

    fn begin(&self, project: &Project) -> Result<Manifest, InstructError> {
        let contexts = project.contexts();
        let manifest = Manifest {
            code: super::manifest::Code::here(),
            made_of: project.made_of(),
            contexts: contexts.all.len() as u64,
            contexts_left_out: contexts.left_out as u64,
            hosts: BTreeSet::new(),
            attempts: project.options().attempts,
            made: Made {
                open: project.counts(),
                ..Made::default()
            },
        };
        self.write_manifest(&manifest)?;
        Ok(manifest)
    }

    /// Writes the contexts that samples are made of, and the prompts, unless they are there: a run
    /// that was killed may have no more than its manifest.
    fn write_inputs(&self, project: &Project) -> Result<(), InstructError> {
        let contexts = self.join("contexts.jsonl");
        if !contexts.exists() {
            let used = project.plan().tasks().iter().map(|task| task.context);
            let used: BTreeSet<usize> = used.collect();
            let all = &project.contexts().all;
            write_lines(&contexts, used.into_iter().map(|place| &all[place]))?;
        }
        for (name, text) in project.prompts().files() {
            let path = self.join("prompts").join(name);
            if !path.exists() {
                let folder = path.parent().unwrap_or(&self.path);
                fs::create_dir_all(folder)
                    .map_err(|source| InstructError::write(folder, source))?;
                write(&path, text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Removes what interrupted writes left.
    fn sweep(&self) -> Result<(), InstructError> {
        for entry in entries(&self.path)? {
            let path = entry.path();
            if is_partial(&entry) {
                let removed = fs::remove_dir_all(&path);
                removed.map_err(|source| InstructError::write(&path, source))?;
            }
        }
        Ok(())
    }
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, InstructError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect);
    entries.map_err(|source| InstructError::read(folder, source))
}

/// Whether it is what an interrupted write left.
fn is_partial(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(PARTIAL)
}

/// Whether it was there before any run.
fn is_foreign(entry: &fs::DirEntry) -> bool {
    entry.file_name() != LOCK && !is_partial(entry)
}
