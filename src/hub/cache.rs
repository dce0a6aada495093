//! The cache that Hugging Face's libraries share, Python's among them.
//!
//! ```text
//! CACHE/models--OWNER--NAME/refs/REVISION           the commit that it was last seen to mean
//! CACHE/models--OWNER--NAME/blobs/HASH              a file, whole
//! CACHE/models--OWNER--NAME/blobs/HASH.incomplete   one that is on its way
//! CACHE/models--OWNER--NAME/snapshots/COMMIT/FILE   a link to its blob
//! CACHE/models--OWNER--NAME/.no_exist/COMMIT/FILE   empty: the commit has no such file
//! CACHE/.locks/models--OWNER--NAME/HASH.lock        held by who writes the blob
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::error::HubError;
use super::files::{BESIDE, Weights, shards};
use super::id::{HubId, is_commit};

/// One repository's part of the cache.
pub(super) struct RepoCache {
    entries: CacheRepo,
    id: HubId,
    /// `CACHE/models--OWNER--NAME`.
    folder: PathBuf,
    locks: PathBuf,
}

/// Weights of a commit that the cache has whole.
pub(super) struct Cached {
    pub weights: Weights,
    /// Whether every file beside them is there too, or known not to be.
    pub complete: bool,
}

impl RepoCache {
    pub(super) fn new(cache: &Path, id: &HubId) -> Self {
        let revision = id.revision().to_owned();
        let repo = Repo::with_revision(id.name().to_owned(), RepoType::Model, revision);
        let name = repo.folder_name();
        Self {
            folder: cache.join(&name),
            locks: cache.join(".locks").join(name),
            entries: Cache::new(cache.to_owned()).repo(repo),
            id: id.clone(),
        }
    }

    /// The commit that the revision is, or was when it was last looked up.
    pub(super) fn commit(&self) -> Option<String> {
        if let Some(commit) = self.id.commit() {
            return Some(commit.to_owned());
        }
        let seen = fs::read_to_string(self.folder.join("refs").join(self.id.revision())).ok()?;
        let seen = seen.trim();
        is_commit(seen).then(|| seen.to_owned())
    }

    /// Notes the commit that the revision is.
    pub(super) fn set_commit(&self, commit: &str) -> Result<(), HubError> {
        if self.id.commit().is_some() {
            return Ok(());
        }
        let written = self.entries.create_ref(commit);
        written.map_err(|source| HubError::write(&self.folder.join("refs"), source))
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.entries.pointer_path(commit)
    }

    /// The weights of `commit`, or the first file of them that is not here.
    pub(super) fn weights(&self, commit: &str) -> Result<Cached, String> {
        let folder = self.snapshot(commit);
        let names = file_names(&folder);
        let Some(weights) = Weights::among(&names) else {
            return Err(lacks_weights(&names).to_owned());
        };
        if let Weights::Sharded { index } = &weights {
            let wanted = shards(&folder.join(index)).map_err(|_| (*index).to_owned())?;
            if let Some(missing) = wanted.into_iter().find(|shard| !names.contains(shard)) {
                return Err(missing);
            }
        }
        let known =
            |name: &str| names.iter().any(|n| n == name) || self.absent(commit, name).exists();
        let complete = BESIDE.into_iter().all(known);
        Ok(Cached { weights, complete })
    }

    pub(super) fn has(&self, commit: &str, file: &str) -> bool {
        self.snapshot(commit).join(file).is_file()
    }

    /// Notes that `commit` has no file of that name.
    pub(super) fn note_absent(&self, commit: &str, file: &str) -> Result<(), HubError> {
        let note = self.absent(commit, file);
        make_parent(&note)?;
        fs::write(&note, "").map_err(|source| HubError::write(&note, source))
    }

    fn absent(&self, commit: &str, file: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit).join(file)
    }

    /// Where the content of that hash lies, once it is whole.
    pub(super) fn blob(&self, hash: &str) -> PathBuf {
        self.entries.blob_path(hash)
    }

    /// Waits until nobody else writes the blob `hash`. The lock is given back when the file is
    /// closed.
    pub(super) fn lock(&self, hash: &str) -> Result<File, HubError> {
        let path = self.locks.join(format!("{hash}.lock"));
        make_parent(&path)?;
        make_parent(&self.blob(hash))?;
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| HubError::write(&path, source))
    }

    /// Lets `file` of `commit` be the blob `hash`.
    pub(super) fn link(&self, commit: &str, file: &str, hash: &str) -> Result<(), HubError> {
        let link = self.snapshot(commit).join(file);
        make_parent(&link)?;
        // One that is there leads nowhere, or `has` would have seen it.
        let _ = fs::remove_file(&link);
        let relative = Path::new("../../blobs").join(hash);
        let blob = self.blob(hash);
        symlink(&relative, &link)
            .or_else(|_| fs::hard_link(&blob, &link))
            .or_else(|_| fs::copy(&blob, &link).map(drop))
            .map_err(|source| HubError::write(&link, source))
    }
}

fn lacks_weights(names: &[String]) -> &'static str {
    if names.is_empty() {
        "all of it"
    } else {
        "its weights, model.safetensors or the like"
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn make_parent(path: &Path) -> Result<(), HubError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|source| HubError::write(parent, source))
}

/// The files in a folder; links that lead nowhere are none.
fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}
