//! A folder that appears whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::ExportError;
use crate::weights::{sync_folder, write_whole};

/// A folder being made under another name. Dropped before [`NewFolder::commit`], it is removed.
pub(super) struct NewFolder {
    temporary: TempDir,
    place: PathBuf,
}

impl NewFolder {
    /// Begins the folder `place`, which must not exist or be an empty folder.
    pub(super) fn create(place: &Path) -> Result<Self, ExportError> {
        let is_empty = fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none());
        if fs::symlink_metadata(place).is_ok() && !is_empty {
            return Err(ExportError::Exists(place.to_owned()));
        }
        let parent = parent(place);
        let io = |source| ExportError::Io {
            path: place.to_owned(),
            source,
        };
        fs::create_dir_all(parent).map_err(io)?;
        let temporary = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(parent)
            .map_err(io)?;
        Ok(Self {
            temporary,
            place: place.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Puts the folder in its place.
    pub(super) fn commit(self) -> Result<(), ExportError> {
        let Self { temporary, place } = self;
        let io = |source| ExportError::Io {
            path: place.clone(),
            source,
        };
        sync_folder(temporary.path()).map_err(io)?;
        share(temporary.path()).map_err(io)?;
        // An empty folder may be there; whatever else appeared meanwhile makes the rename fail.
        fs::rename(temporary.path(), &place).map_err(io)?;
        let _gone = temporary.keep();
        sync_folder(parent(&place)).map_err(io)
    }
}

fn parent(place: &Path) -> &Path {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A temporary folder is its owner's alone; an export is a folder as any other.
#[cfg(unix)]
fn share(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let probe = folder.join(".permissions");
    fs::create_dir(&probe)?;
    let mode = fs::metadata(&probe)?.permissions().mode();
    fs::remove_dir(&probe)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn share(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Writes one file of an export.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    write_whole(path, |temporary| fs::write(temporary, bytes)).map_err(|source| ExportError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Writes one JSON file of an export.
pub(super) fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), ExportError> {
    let text = serde_json::to_string_pretty(value).expect("JSON has a text");
    write(path, (text + "\n").as_bytes())
}
