//! Weights that a recipe states by hub id.

use menagerie_core::Recipe;

use super::error::CliError;
use super::progress::Progress;
use crate::hub;

/// Bytes of a file that is worth a bar.
const SHOWN_FROM: u64 = 1 << 20;

/// Replaces hub ids by folders of the cache, and says what is downloaded and which commit it is.
pub(super) fn localise(recipe: &mut Recipe) -> Result<(), CliError> {
    let mut current: Option<(String, Progress)> = None;
    let snapshots = hub::localise(recipe, &mut |file, done, size| {
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
    for snapshot in snapshots? {
        anstream::eprintln!("{} is commit {}", snapshot.id, snapshot.commit);
    }
    Ok(())
}
