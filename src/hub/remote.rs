//! What is asked of the hub: the files of a revision, and the bytes of one.
//!
//! `hf-hub` makes the requests. Its agent sends the token to the hub's own host alone, wherever a
//! redirect leads. Its own way of downloading does not keep to that: see
//! `docs/decisions/0009-hub.md`.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;

use super::Hub;
use super::error::HubError;
use super::files::is_plain;
use super::id::{HubId, is_commit, is_hash};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long the hub may be silent within an answer.
const SILENCE: Duration = Duration::from_mins(1);
/// The longest list of files that is read, in bytes.
const MAX_LISTING: u64 = 64 << 20;
/// The longest word of the hub that is passed on, in characters.
const MAX_SAID: usize = 300;

/// One model on the hub.
pub(super) struct Remote<'h> {
    hub: &'h Hub,
    id: &'h HubId,
    /// What the cache lacks, for errors.
    missing: String,
    api: Api,
}

/// The files right in a repository at one commit, by name.
pub(super) struct Listing {
    pub commit: String,
    pub files: BTreeMap<String, Option<Content>>,
}

/// What the hub announces of a file.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub size: u64,
    /// The name of its blob.
    pub hash: String,
    /// Whether the hash is its SHA-256: so it is for large files. A small one's is git's.
    pub is_sha256: bool,
}

/// The bytes of a file from one on.
pub(super) struct Body {
    /// The first byte that comes.
    pub start: u64,
    pub reader: Box<dyn Read>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl<'h> Remote<'h> {
    pub(super) fn new(hub: &'h Hub, id: &'h HubId, missing: String) -> Result<Self, HubError> {
        let builder = ApiBuilder::from_cache(Cache::new(hub.cache.clone()))
            .with_endpoint(hub.endpoint.clone())
            .with_token(hub.token.clone())
            .with_user_agent("menagerie", env!("CARGO_PKG_VERSION"));
        match builder.build() {
            Ok(api) => Ok(Self {
                hub,
                id,
                missing,
                api,
            }),
            Err(error) => Err(HubError::Answer {
                id: id.clone(),
                endpoint: hub.endpoint.clone(),
                problem: error.to_string(),
            }),
        }
    }

    /// The files of the revision.
    pub(super) fn listing(&self) -> Result<Listing, HubError> {
        let what = "the list of files";
        let reader = self.get(self.id.revision(), None, 0, what)?.reader;
        let info: Info = serde_json::from_reader(reader.take(MAX_LISTING))
            .map_err(|error| self.nonsense(error.to_string()))?;
        let stated = self.id.commit();
        if !is_commit(&info.sha) || stated.is_some_and(|commit| commit != info.sha) {
            let problem = format!("it calls the commit `{}`", printable(&info.sha));
            return Err(self.nonsense(problem));
        }
        let plain = info.siblings.into_iter();
        let plain = plain.filter(|sibling| is_plain(&sibling.rfilename));
        Ok(Listing {
            commit: info.sha,
            files: plain
                .map(|file| (file.rfilename.clone(), file.content()))
                .collect(),
        })
    }

    /// The bytes of `file` from `start` on, or from 0 if the hub wills it so.
    pub(super) fn open(&self, commit: &str, file: &str, start: u64) -> Result<Body, HubError> {
        self.get(commit, Some(file), start, file)
    }

    /// Asks for a file, or without one for the list of all.
    fn get(
        &self,
        revision: &str,
        file: Option<&str>,
        start: u64,
        what: &str,
    ) -> Result<Body, HubError> {
        let name = self.id.name().to_owned();
        let revision = revision.to_owned();
        let repo = self
            .api
            .repo(Repo::with_revision(name, RepoType::Model, revision));
        let mut request = repo.info_request();
        request = match file {
            Some(file) => request
                .uri(repo.url(file))
                .header("Accept-Encoding", "identity"),
            None => request.query("blobs", "true"),
        };
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        let request = request
            .config()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .build();
        let response = request.call().map_err(|error| HubError::Unreachable {
            id: self.id.clone(),
            endpoint: self.hub.endpoint.clone(),
            missing: self.missing.clone(),
            cache: self.hub.cache.clone(),
            problem: error.to_string(),
        })?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let start = match response.status().as_u16() {
            200 => 0,
            206 => match header("Content-Range").as_deref().and_then(range_start) {
                Some(begins) if begins == start => start,
                _ => return Err(self.nonsense(format!("it sends another part of {what}"))),
            },
            status => return Err(self.refusal(what, status, &header)),
        };
        let reader = Box::new(response.into_body().into_reader());
        Ok(Body { start, reader })
    }

    fn refusal(
        &self,
        what: &str,
        status: u16,
        header: &impl Fn(&str) -> Option<String>,
    ) -> HubError {
        let id = self.id.clone();
        let endpoint = self.hub.endpoint.clone();
        let said = header("X-Error-Message").map(|text| printable(&text));
        match (status, header("X-Error-Code").as_deref()) {
            (401 | 403, _) => HubError::Denied {
                id,
                endpoint,
                token: self.hub.token.is_some(),
                said,
            },
            (404, Some("RevisionNotFound")) => HubError::NoRevision { id, endpoint },
            (404, Some("RepoNotFound") | None) => HubError::NoModel { id, endpoint, said },
            _ => HubError::Status {
                id,
                endpoint,
                what: what.to_owned(),
                status,
                said,
            },
        }
    }

    /// An answer that makes no sense.
    pub(super) fn nonsense(&self, problem: String) -> HubError {
        HubError::Answer {
            id: self.id.clone(),
            endpoint: self.hub.endpoint.clone(),
            problem,
        }
    }

    pub(super) fn id(&self) -> &HubId {
        self.id
    }
}

impl Sibling {
    /// None if the hub states no size, or no hash that can be a blob's name.
    fn content(&self) -> Option<Content> {
        let content = match &self.lfs {
            Some(lfs) => Content {
                size: lfs.size,
                hash: lfs.sha256.clone(),
                is_sha256: true,
            },
            None => Content {
                size: self.size?,
                hash: self.blob_id.clone()?,
                is_sha256: false,
            },
        };
        let digits = if content.is_sha256 { 64 } else { 40 };
        is_hash(&content.hash, digits).then_some(content)
    }
}

/// The first byte of `bytes 100-199/200`.
fn range_start(range: &str) -> Option<u64> {
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

/// A text from outside that may go to a terminal.
fn printable(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(MAX_SAID).collect()
}
