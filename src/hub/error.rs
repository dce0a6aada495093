//! What can go wrong between the hub, the cache and here.

use std::path::{Path, PathBuf};

use menagerie_core::recipe::Origin;
use thiserror::Error;

use super::id::HubId;

/// A model that cannot be had from the hub or the cache.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// A component's weights.
    #[error("{origin}: {source}")]
    Weights {
        /// Where the recipe states them.
        origin: Origin,
        /// Why.
        source: Box<HubError>,
    },

    /// A text that is no hub id.
    #[error("`{0}` is no folder here and no name of a model on the hub, `owner/name`")]
    NoId(String),

    /// There is no place for the cache.
    #[error(
        "there is no home folder to hold the cache of the hub; set HF_HUB_CACHE, or HF_HOME, to a folder"
    )]
    NoCache,

    /// The network may not be used, and the cache lacks something.
    #[error(
        "`{id}` cannot be downloaded while HF_HUB_OFFLINE is set, and the cache `{}` lacks {missing}; \
         unset HF_HUB_OFFLINE once, copy the cache of a machine that has it, or state a folder",
        .cache.display()
    )]
    Offline {
        /// The model.
        id: HubId,
        /// What it lacks: a file, or words for more.
        missing: String,
        /// The cache.
        cache: PathBuf,
    },

    /// No connection.
    #[error(
        "cannot reach `{endpoint}` to download `{id}`: {problem}; the cache `{}` lacks {missing}",
        .cache.display()
    )]
    Unreachable {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
        /// What it lacks: a file, or words for more.
        missing: String,
        /// The cache.
        cache: PathBuf,
        /// The network's word.
        problem: String,
    },

    /// The hub wants another token, or one at all: 401 or 403.
    #[error(
        "`{endpoint}` does not give `{id}` to {}{}. There is no such model, or it is private or gated: \
         check the name, accept its terms at {endpoint}/{}, and {}",
        if *.token { "the owner of this token" } else { "who states no token" },
        says(.said.as_ref()),
        .id.name(),
        if *.token { "use a token of the account that did (HF_TOKEN, or `hf auth login`)" }
        else { "set HF_TOKEN to a token of that account, or log in with `hf auth login`" },
    )]
    Denied {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
        /// Whether a token was sent.
        token: bool,
        /// The hub's word.
        said: Option<String>,
    },

    /// The hub has no such model.
    #[error(
        "`{}` is neither a file or folder here nor a model at `{endpoint}`{}; correct it, or write `./` before the name of a folder",
        .id.name(), says(.said.as_ref())
    )]
    NoModel {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
        /// The hub's word.
        said: Option<String>,
    },

    /// The model has no such revision.
    #[error(
        "`{}` at `{endpoint}` has no branch, tag or commit `{}`; {endpoint}/{}/commits lists them",
        .id.name(), .id.revision(), .id.name()
    )]
    NoRevision {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
    },

    /// Any other status.
    #[error(
        "`{endpoint}` answers with status {status} when asked for {what} of `{id}`{}; try again later, what was downloaded is kept",
        says(.said.as_ref())
    )]
    Status {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
        /// A file, or words for the list of them.
        what: String,
        /// The status.
        status: u16,
        /// The hub's word.
        said: Option<String>,
    },

    /// An answer that makes no sense.
    #[error("`{endpoint}` answers something that is not understood about `{id}`: {problem}")]
    Answer {
        /// The model.
        id: HubId,
        /// The hub.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A repository without weights that are known here.
    #[error(
        "`{id}` holds no weights that are known here: model.safetensors or pytorch_model.bin (or shards with their index), \
         mm_projector.bin, adapter_model, or exactly one .gguf; it holds: {}",
        .found.join(", ")
    )]
    NoWeights {
        /// The model.
        id: HubId,
        /// The files that it has.
        found: Vec<String>,
    },

    /// The connection broke, again and again.
    #[error(
        "the download of {file} of `{id}` broke off after {done} of {size} bytes: {problem}; run it again, and it goes on from there"
    )]
    Interrupted {
        /// The model.
        id: HubId,
        /// The file.
        file: String,
        /// Bytes that are here.
        done: u64,
        /// Bytes that it has.
        size: u64,
        /// The network's word.
        problem: String,
    },

    /// What came is not what the hub announced.
    #[error(
        "{file} of `{id}` came with {found}, where the hub announces {expected}; it was thrown away, run it again to download it anew"
    )]
    Mismatch {
        /// The model.
        id: HubId,
        /// The file.
        file: String,
        /// Size or hash announced.
        expected: String,
        /// Size or hash found.
        found: String,
    },

    /// The cache cannot be written: a full disk, most often.
    #[error(
        "cannot write `{}` in the cache of the hub: {source}; HF_HUB_CACHE chooses another folder for it",
        .path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
}

impl HubError {
    pub(super) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }
}

fn says(said: Option<&String>) -> String {
    said.map_or_else(String::new, |said| format!(" (it says: {said})"))
}
