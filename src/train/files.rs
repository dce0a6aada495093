//! Writing, linking and hashing the files of a run.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use menagerie_core::weights;
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::hash::sha256;
pub(super) use crate::json::{json_line, pretty_json};

/// A file and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileHash {
    path: PathBuf,
    sha256: String,
}

impl FileHash {
    pub(super) fn of(path: &Path) -> Result<Self, TrainError> {
        Ok(Self {
            path: path.to_owned(),
            sha256: sha256(path).map_err(|source| read_error(path, source))?,
        })
    }

    /// Whether the file, `folder` being what its path is relative to, is still what it was.
    pub(super) fn holds(&self, folder: &Path) -> io::Result<bool> {
        Ok(sha256(&folder.join(&self.path))? == self.sha256)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Of the file `name` in `folder`, under that name.
    pub(super) fn within(folder: &Path, name: &str) -> Result<Self, TrainError> {
        Ok(Self {
            path: name.into(),
            ..Self::of(&folder.join(name))?
        })
    }
}

/// Writes a file whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let written = weights::write_whole(path, |temporary| fs::write(temporary, bytes));
    written.map_err(|source| write_error(path, source))
}

/// Lets `to` be the same file as `from`, or a copy where files cannot be linked.
pub(super) fn link(from: &Path, to: &Path) -> Result<(), TrainError> {
    remove(to)?;
    let copied = |_| weights::write_whole(to, |temporary| fs::copy(from, temporary).map(drop));
    let linked = fs::hard_link(from, to).or_else(copied);
    linked.map_err(|source| write_error(to, source))
}

/// Removes what interrupted writes left anywhere in `folder`.
pub(super) fn sweep(folder: &Path) -> Result<(), TrainError> {
    for entry in entries(folder)? {
        let path = entry.path();
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(weights::PARTIAL) {
            remove(&path)?;
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&path)?;
        }
    }
    Ok(())
}

/// Removes a file, or a folder with all that is in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), TrainError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| write_error(path, source)),
    }
}

/// What is in a folder; nothing if it is not there.
pub(super) fn entries(folder: &Path) -> Result<Vec<DirEntry>, TrainError> {
    let read = || fs::read_dir(folder)?.collect();
    match read() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|source| read_error(folder, source)),
    }
}

/// A file's text, bytes that are none replaced; nothing if the file is not there.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, TrainError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(read_error(path, source)),
    }
}

pub(super) fn append(path: &Path) -> Result<File, TrainError> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|source| write_error(path, source))
}

pub(super) fn write_error(path: &Path, source: io::Error) -> TrainError {
    TrainError::Write {
        path: path.to_owned(),
        source,
    }
}

pub(super) fn read_error(path: &Path, source: io::Error) -> TrainError {
    TrainError::Read {
        path: path.to_owned(),
        source,
    }
}
