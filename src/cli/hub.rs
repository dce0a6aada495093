//! Weights that a recipe states by hub id.

use std::path::{Path, PathBuf};

use menagerie_core::Recipe;

use super::error::CliError;
use super::progress::Progress;
use crate::hub::{self, HubError, HubId, Observer, Snapshot};

/// Bytes of a file that is worth a bar.
const SHOWN_FROM: u64 = 1 << 20;

/// Replaces hub ids by folders of the cache, and says what is downloaded and which commit it is.
pub(super) fn localise(recipe: &mut Recipe) -> Result<(), CliError> {
    let snapshots = watched(|observer| hub::localise(recipe, observer))?;
    snapshots.iter().for_each(say);
    Ok(())
}

/// The folder of a whole model that is no folder here.
pub(super) fn model(path: &Path) -> Result<PathBuf, CliError> {
    let text = path.to_string_lossy();
    if HubId::parse(&text).is_none() {
        let source = std::io::ErrorKind::NotFound.into();
        let path = path.to_owned();
        return Err(CliError::Read { path, source });
    }
    let snapshot = watched(|observer| hub::resolve(&text, observer))?;
    say(&snapshot);
    Ok(snapshot.folder)
}

/// As [`model`], for a recipe's `model`; the error is a text.
pub(super) fn folder(text: &str) -> Result<Option<PathBuf>, String> {
    let found = model(Path::new(text)).map(Some);
    found.map_err(|error| match error {
        CliError::Read { .. } => format!("there is no folder `{text}`"),
        other => other.to_string(),
    })
}

fn say(snapshot: &Snapshot) {
    anstream::eprintln!("{} is commit {}", snapshot.id, snapshot.commit);
}

/// Does what downloads, and shows how far it is.
fn watched<T>(
    download: impl FnOnce(&mut Observer<'_>) -> Result<T, HubError>,
) -> Result<T, HubError> {
    let mut current: Option<(String, Progress)> = None;
    let done = download(&mut |file, done, size| {
        if size < SHOWN_FROM {
            return;
        }
        let count = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        if current.as_ref().is_none_or(|(name, _)| name != file)
            && let Some((_, last)) =
                current.replace((file.to_owned(), Progress::bytes(file, count(size))))
        {
            last.finish();
        }
        if let Some((_, progress)) = &mut current {
            progress.set(count(done), count(size), "");
        }
    });
    if let Some((_, last)) = current {
        last.finish();
    }
    done
}
