//! `manifest.json`: what a run is made of, and what it made.

use std::collections::{BTreeMap, BTreeSet};

use menagerie_core::hex::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::amounts::PerType;
use super::project::Sampling;
use super::reject::Reason;
use crate::data::DataFile;
use crate::endpoint::{Prices, Usage};
use crate::hash::sha256;

/// What a run is made of, and what it made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// What wrote it last.
    pub code: Code,
    /// What decides about the samples: it stays as it was when the run began.
    #[serde(flatten)]
    pub made_of: MadeOf,
    /// Images with a caption.
    pub contexts: u64,
    /// Images without one, of which nothing is made.
    pub contexts_left_out: u64,
    /// Hosts that were asked, with their ports.
    pub hosts: BTreeSet<String>,
    /// Replies to a request that were asked for at most.
    pub attempts: u32,
    /// What was made so far.
    pub made: Made,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Code {
    /// Version of this crate.
    pub menagerie: String,
    /// SHA-256 of the program, where it can be read: two builds of a version may differ.
    pub program: Option<String>,
}

/// What decides about the samples of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MadeOf {
    /// The teacher's name at its endpoint.
    pub model: String,
    /// Of all prompts, in hexadecimal digits.
    pub prompts_sha256: String,
    /// The plan's seed.
    pub seed: u64,
    /// How replies are drawn.
    pub sampling: Sampling,
    /// Samples that are wanted.
    pub samples: PerType<u64>,
    /// The files that contexts were read from.
    pub inputs: Vec<DataFile>,
}

/// What a run made so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Made {
    /// Samples.
    pub accepted: PerType<u64>,
    /// Samples that are given up: no reply in all attempts could be taken.
    pub given_up: PerType<u64>,
    /// Samples that are still to be made.
    pub open: PerType<u64>,
    /// Replies that were not taken, by reason.
    pub rejects: BTreeMap<Reason, u64>,
    /// Flags of samples, by kind.
    pub flags: BTreeMap<String, u64>,
    /// Answers that were left out of a sample, as another one of its image has them.
    pub answers_left_out: u64,
    /// All replies, rejected ones too.
    pub replies: u64,
    /// Replies by the names that models give themselves.
    pub models: BTreeMap<String, u64>,
    /// Tokens of all replies whose tokens the endpoint counted.
    pub usage: Usage,
    /// Replies whose tokens it did not count.
    pub uncounted: u64,
    /// What a million tokens cost, if it was said.
    pub prices: Option<Prices>,
    /// What the tokens cost at these prices.
    pub money: Option<f64>,
    /// Whether nothing is left to be made.
    pub finished: bool,
}

impl Code {
    pub(super) fn here() -> Self {
        let program = std::env::current_exe().and_then(|path| sha256(&path));
        Self {
            menagerie: env!("CARGO_PKG_VERSION").to_owned(),
            program: program.ok(),
        }
    }
}

impl MadeOf {
    /// What is not as in `before`, in words.
    pub(super) fn changes(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, before: String, now: String| {
            if before != now {
                changes.push(format!("{what}: it was {before}, and is {now}"));
            }
        };
        let plain = |value: &dyn std::fmt::Display| value.to_string();
        let left =
            |value: Option<f64>| value.map_or("the endpoint's".to_owned(), |v| v.to_string());
        compare("model", plain(&before.model), plain(&self.model));
        let hash = |made: &Self| format!("SHA-256 {}", made.prompts_sha256);
        compare("prompts", hash(before), hash(self));
        compare("seed", plain(&before.seed), plain(&self.seed));
        let (old, new) = (before.sampling, self.sampling);
        compare("temperature", left(old.temperature), left(new.temperature));
        compare("top_p", left(old.top_p), left(new.top_p));
        let tokens = |value: Option<u32>| left(value.map(f64::from));
        compare(
            "longest reply",
            tokens(old.max_tokens),
            tokens(new.max_tokens),
        );
        let seeded = |seeded| if seeded { "sent" } else { "not sent" }.to_owned();
        compare("seed of a request", seeded(old.seeded), seeded(new.seeded));
        let samples = |made: &Self| {
            let PerType {
                conversation,
                detail,
                reasoning,
            } = made.samples;
            format!("{conversation} conversations, {detail} descriptions, {reasoning} reasonings")
        };
        compare("samples", samples(before), samples(self));
        // A file that was moved is the same.
        let hashes = |made: &Self| -> Vec<String> {
            made.inputs.iter().map(|file| file.sha256.clone()).collect()
        };
        if hashes(before) != hashes(self) {
            let files = |made: &Self| {
                let files = made.inputs.iter();
                let files = files.map(|file| format!("{} ({})", file.path.display(), file.sha256));
                files.collect::<Vec<_>>().join(", ")
            };
            compare("input", files(before), files(self));
        }
        changes
    }

    /// A short name of all this, in the ids of requests in batches.
    pub(super) fn short_hash(&self) -> String {
        let hashes = self.inputs.iter().map(|file| file.sha256.as_str());
        let bytes = serde_json::to_vec(&(
            &self.model,
            &self.prompts_sha256,
            self.seed,
            self.sampling,
            self.samples,
            hashes.collect::<Vec<_>>(),
        ));
        let bytes = bytes.expect("plain data serialises");
        hex(&Sha256::digest(bytes)[..4])
    }
}
