//! A folder that one process works in at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// The file whose lock says that a process works in the folder.
pub(crate) const LOCK: &str = ".lock";

/// The open file whose lock holds `folder` until it is dropped; `None` if another process has it.
pub(crate) fn hold(folder: &Path) -> io::Result<Option<File>> {
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks is no reason to end.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(lock)),
    }
}
