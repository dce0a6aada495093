//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What the name of an unfinished file or folder begins with.
pub const PARTIAL: &str = ".partial-";

/// Makes the file `path`: `write` fills a file in a new folder beside it, which is synced and takes
/// the place of `path`. What lay there before stays as it was until then, so a process that reads or
/// maps it goes on with the old bytes.
///
/// A process that is killed meanwhile leaves a folder whose name begins with `.partial-`.
///
/// # Errors
/// The file cannot be written; nothing is left of it then.
pub fn write_whole(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A device or a pipe would be replaced by a file.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other(
            "there is something that is no regular file",
        ));
    }
    // `write` may put files of its own beside the one it makes, as the `safetensors` library does:
    // they go with the folder.
    let room = tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(folder)?;
    let temporary = room.path().join("file");
    // It may also put one in place that its owner alone can read.
    let permissions = File::create(&temporary)?.metadata()?.permissions();
    write(&temporary)?;
    fs::set_permissions(&temporary, permissions)?;
    File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(folder)
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
