//! Weights by name: a model of the Hugging Face hub, or of a server that speaks its protocol, in
//! the cache that all of Hugging Face's tools share.
//!
//! A component's `weights` may be an id, `owner/name` or `owner/name@revision`. [`localise`]
//! replaces such ids in a recipe by folders of the cache, which it fills where they lack something.
//! This is the only part of the library that opens a socket, and a feature of its own.
//!
//! A branch is looked up once: what the cache has whole is used as it is, and no request is made.
//! A commit's hash pins the files for good.

mod cache;
mod download;
mod env;
mod error;
mod files;
mod id;
mod remote;

pub use error::HubError;
pub use id::HubId;

use std::fmt::{Debug, Formatter};
use std::path::{Path, PathBuf};

use menagerie_core::Recipe;

use cache::RepoCache;
use download::Download;
use files::{BESIDE, Weights, shards};
use remote::{Listing, Remote};

/// Told while a file comes: its name, the bytes that are here, and those it has.
pub type Observer<'o> = dyn FnMut(&str, u64, u64) + 'o;

/// Where models come from, and where they are kept.
#[derive(Clone)]
pub struct Hub {
    /// The server, `https://huggingface.co` for one, without a slash at its end.
    pub endpoint: String,
    /// The folder that holds `models--OWNER--NAME`.
    pub cache: PathBuf,
    /// What is shown to the endpoint, and to no other host.
    pub token: Option<String>,
    /// Use the cache and no network.
    pub offline: bool,
}

/// A model that is in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// What was asked for.
    pub id: HubId,
    /// The commit that it is.
    pub commit: String,
    /// The folder with its files.
    pub folder: PathBuf,
    /// What a recipe's `weights` takes: the folder, or in it the only GGUF file.
    pub weights: PathBuf,
}

/// Replaces each component's `weights` that names nothing on disk and is a hub id by a folder of
/// the cache, as the environment says (see [`Hub::from_env`]). A path that exists always wins.
///
/// Returns what was replaced, each model once.
///
/// # Errors
/// A model that is neither in the cache nor to be had; with the recipe's line.
pub fn localise(
    recipe: &mut Recipe,
    observer: &mut Observer<'_>,
) -> Result<Vec<Snapshot>, HubError> {
    let mut places = recipe.weight_places().into_iter();
    if places.all(|(_, place)| stated_id(place).is_none()) {
        return Ok(Vec::new());
    }
    Hub::from_env()?.localise(recipe, observer)
}

/// The folder of the model that `text` names on the hub, as the environment says.
///
/// # Errors
/// No hub id, or a model that is neither in the cache nor to be had.
pub fn resolve(text: &str, observer: &mut Observer<'_>) -> Result<Snapshot, HubError> {
    let id = HubId::parse(text).ok_or_else(|| HubError::NoId(text.to_owned()))?;
    Hub::from_env()?.fetch(&id, observer)
}

impl Hub {
    /// As the function [`localise`], with these settings.
    ///
    /// # Errors
    /// As [`localise`].
    pub fn localise(
        &self,
        recipe: &mut Recipe,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<Snapshot>, HubError> {
        let mut snapshots: Vec<Snapshot> = Vec::new();
        let mut failure = None;
        for (key, place) in recipe.weight_places() {
            let Some(id) = stated_id(place) else {
                continue;
            };
            let snapshot = match self.fetch(&id, observer) {
                Ok(snapshot) => snapshot,
                Err(source) => {
                    failure = Some((key, source));
                    break;
                }
            };
            *place = snapshot.weights.to_string_lossy().into_owned();
            if !snapshots.contains(&snapshot) {
                snapshots.push(snapshot);
            }
        }
        match failure {
            None => Ok(snapshots),
            Some((key, source)) => Err(HubError::Weights {
                origin: recipe.origin(&key),
                source: Box::new(source),
            }),
        }
    }

    /// The model's files, out of the cache, or else downloaded into it: weights, sizes, tokenizer
    /// and what else belongs to them. Nothing is asked of the network if all of it is there.
    ///
    /// # Errors
    /// No such model, no connection, a full disk, …: each says what to do.
    pub fn fetch(&self, id: &HubId, observer: &mut Observer<'_>) -> Result<Snapshot, HubError> {
        let cache = RepoCache::new(&self.cache, id);
        let seen = cache.commit();
        let cached = match &seen {
            Some(commit) => cache.weights(commit),
            None => Err("all of it".to_owned()),
        };
        let commit = seen.unwrap_or_default();
        match cached {
            Ok(cached) if cached.complete || self.offline => {
                Ok(snapshot(id, &cache, commit, &cached.weights))
            }
            Err(missing) if self.offline => Err(HubError::Offline {
                id: id.clone(),
                missing,
                cache: self.cache.clone(),
            }),
            Err(missing) => self.download(id, &cache, missing, observer),
            Ok(cached) => match self.download(id, &cache, String::new(), observer) {
                // What is there may well be all that there is.
                Err(HubError::Unreachable { .. }) => {
                    Ok(snapshot(id, &cache, commit, &cached.weights))
                }
                other => other,
            },
        }
    }

    fn download(
        &self,
        id: &HubId,
        cache: &RepoCache,
        missing: String,
        observer: &mut Observer<'_>,
    ) -> Result<Snapshot, HubError> {
        let remote = Remote::new(self, id, missing)?;
        let listing = remote.listing()?;
        let names: Vec<String> = listing.files.keys().cloned().collect();
        let Some(weights) = Weights::among(&names) else {
            let id = id.clone();
            return Err(HubError::NoWeights { id, found: names });
        };
        let mut get = |file: &str| get(&remote, &listing, cache, file, observer);
        for file in BESIDE {
            if listing.files.contains_key(file) {
                get(file)?;
            } else {
                cache.note_absent(&listing.commit, file)?;
            }
        }
        match &weights {
            Weights::Files(files) => files.iter().try_for_each(|file| get(file))?,
            Weights::Sharded { index } => {
                get(index)?;
                let path = cache.snapshot(&listing.commit).join(index);
                let shards = shards(&path)
                    .map_err(|problem| remote.nonsense(format!("{index}: {problem}")))?;
                shards.iter().try_for_each(|shard| get(shard))?;
            }
        }
        // Last, so that a download that broke off leaves the revision as it was.
        cache.set_commit(&listing.commit)?;
        Ok(snapshot(id, cache, listing.commit, &weights))
    }
}

/// Brings one file of `listing` into the cache.
fn get(
    remote: &Remote<'_>,
    listing: &Listing,
    cache: &RepoCache,
    file: &str,
    observer: &mut Observer<'_>,
) -> Result<(), HubError> {
    let commit = &listing.commit;
    if cache.has(commit, file) {
        return Ok(());
    }
    let content = match listing.files.get(file) {
        Some(Some(content)) => content,
        Some(None) => {
            return Err(remote.nonsense(format!("it states no size, or no hash, of {file}")));
        }
        None => return Err(remote.nonsense(format!("there is no {file}, which the index names"))),
    };
    let download = Download {
        remote,
        commit,
        file,
        content,
    };
    let _lock = cache.lock(&content.hash)?;
    // Another process may have brought it in the meantime.
    if cache.has(commit, file) {
        return Ok(());
    }
    download.run(&cache.blob(&content.hash), observer)?;
    cache.link(commit, file, &content.hash)
}

fn snapshot(id: &HubId, cache: &RepoCache, commit: String, weights: &Weights) -> Snapshot {
    let folder = cache.snapshot(&commit);
    Snapshot {
        id: id.clone(),
        weights: match weights.single_gguf() {
            Some(file) => folder.join(file),
            None => folder.clone(),
        },
        folder,
        commit,
    }
}

/// The hub id that a place states, unless there is such a path.
fn stated_id(text: &str) -> Option<HubId> {
    if Path::new(text).exists() {
        return None;
    }
    HubId::parse(text)
}

/// Without the token.
impl Debug for Hub {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .finish()
    }
}
