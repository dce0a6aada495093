//! Files that appear whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes the file `path`: `write` fills a file of another name in the same folder, which is synced
/// and takes the place of `path`. What lay there before stays as it was until then, so a process
/// that reads or maps it goes on with the old bytes.
///
/// # Errors
/// The file cannot be written; nothing is left of it then.
pub fn write_whole(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A device or a pipe would be replaced by a file.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other(
            "there is something that is no regular file",
        ));
    }
    let temporary = new_file(folder)?.into_temp_path();
    write(&temporary)?;
    File::open(&temporary)?.sync_all()?;
    share(&temporary, folder)?;
    temporary.persist(path).map_err(|failure| failure.error)?;
    sync_folder(folder)
}

/// A new file in `folder` with the permissions of any new file, not of a secret one.
#[cfg(unix)]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    tempfile::Builder::new()
        .prefix(".partial-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".partial-")
        .tempfile_in(folder)
}

/// `write` may have put a file of its own in place, as the `safetensors` library does, for its owner
/// alone: it gets the permissions of any new file.
#[cfg(unix)]
fn share(path: &Path, folder: &Path) -> io::Result<()> {
    let any = new_file(folder)?;
    std::fs::set_permissions(path, any.as_file().metadata()?.permissions())
}

#[cfg(not(unix))]
fn share(_path: &Path, _folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes new names in `folder` last, where folders can be synced.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
