//! A folder that is written whole or not at all.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use menagerie_core::weights::PARTIAL;

use super::error::NewError;
use super::template::File;

/// Makes the folder `out`, which must not exist, with `files` in it.
pub(super) fn write(out: &Path, files: &[File]) -> Result<(), NewError> {
    let exists = || NewError::Exists {
        path: out.to_owned(),
    };
    if fs::symlink_metadata(out).is_ok() {
        return Err(exists());
    }
    let failed = |source: io::Error| NewError::Write {
        path: out.to_owned(),
        source,
    };
    let whole = std::path::absolute(out).map_err(failed)?;
    let parent = whole.parent().unwrap_or(&whole);
    // Beside its place, so that it is moved there in one step; removed again whatever fails.
    let around = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(parent)
        .map_err(failed)?;
    let made = around.path().join("crate");
    for file in files {
        let path = made.join(file.path);
        let folder = path.parent().unwrap_or(&made);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, &file.bytes))
            .map_err(failed)?;
    }
    // Somebody may have made it meanwhile: a folder that holds something is not replaced.
    fs::rename(&made, &whole).map_err(|source| match source.kind() {
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            exists()
        }
        _ => failed(source),
    })
}
