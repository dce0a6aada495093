//! Writing, linking and hashing the files of a run.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::hash::sha256;

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
            sha256: sha256(path).map_err(|source| write_error(path, source))?,
        })
    }

    /// Whether the file, `folder` being what its path is relative to, is still what it was.
    pub(super) fn holds(&self, folder: &Path) -> std::io::Result<bool> {
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
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = beside(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| write_error(path, source))
}

/// A temporary file with a new file's ordinary permissions.
fn beside(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Lets `to` be the same file as `from`, or a copy where files cannot be linked.
pub(super) fn link(from: &Path, to: &Path) -> Result<(), TrainError> {
    let again = || -> std::io::Result<()> {
        match fs::remove_file(to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
    };
    again().map_err(|source| write_error(to, source))
}

pub(super) fn append(path: &Path) -> Result<File, TrainError> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|source| write_error(path, source))
}

pub(super) fn json_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain data serialises");
    line.push(b'\n');
    line
}

pub(super) fn pretty_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data serialises");
    text.push(b'\n');
    text
}

pub(super) fn write_error(path: &Path, source: std::io::Error) -> TrainError {
    TrainError::Write {
        path: path.to_owned(),
        source,
    }
}
