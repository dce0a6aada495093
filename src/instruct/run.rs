//! A run: what the teacher replied so far, and what was made of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use menagerie_core::weights::sync_folder;

use super::error::InstructError;
use super::files::{write_lines, write_with};
use super::folder::RunFolder;
use super::journal::{self, Outcome};
use super::ledger::Ledger;
use super::manifest::{Code, Made, Manifest};
use super::project::Project;
use super::response::ResponseType;
use super::sample::count_flags;
use super::shards;
use crate::endpoint::Prices;
use crate::journal::Journal;

/// A run in its folder.
#[derive(Debug)]
pub struct Run<'p> {
    pub(super) project: &'p Project,
    folder: RunFolder,
    journal: Journal,
    pub(super) ledger: Ledger<'p>,
    manifest: Manifest,
}

impl<'p> Run<'p> {
    pub(super) fn open(project: &'p Project, path: &Path) -> Result<Self, InstructError> {
        let (folder, manifest) = RunFolder::open(project, path)?;
        let contexts = &project.contexts().all;
        let questions = project.prompts().questions();
        let mut ledger = Ledger::new(contexts, project.plan(), questions);
        let journal = journal::open(path, |_, entry| ledger.take(entry).map(drop))?;
        Ok(Self {
            project,
            folder,
            journal,
            ledger,
            manifest,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether a task is to be asked.
    pub(super) fn is_open(&self, task: usize) -> bool {
        self.ledger.is_open(task, self.project.options().attempts)
    }

    /// Notes who is asked, and at which prices.
    pub(super) fn met(&mut self, base_url: &str, prices: Option<Prices>) {
        let rest = base_url
            .split_once("://")
            .map_or(base_url, |(_, rest)| rest);
        let host = rest.split('/').next().unwrap_or_default().trim();
        self.manifest.hosts.insert(host.to_owned());
        self.price(prices);
    }

    /// Notes what a million tokens cost. Without it, what was said before holds.
    pub fn price(&mut self, prices: Option<Prices>) {
        self.manifest.made.prices = prices.or(self.manifest.made.prices);
    }

    /// Keeps what came of a request, and says whether its task is done by it.
    pub(super) fn keep(&mut self, task: usize, outcome: Outcome) -> Result<bool, InstructError> {
        let entry = self.ledger.entry(task, outcome);
        self.journal.append(std::slice::from_ref(&entry))?;
        let line = self.journal.len();
        self.ledger
            .take(entry)
            .map_err(|reason| InstructError::Damaged {
                path: self.folder.join("replies.jsonl"),
                line,
                reason,
            })
    }

    /// What was made so far.
    #[must_use]
    pub fn made(&self) -> Made {
        let attempts = self.project.options().attempts;
        let (ledger, prices) = (&self.ledger, self.manifest.made.prices);
        let spent = ledger.spent();
        let mut made = Made {
            flags: count_flags(ledger.flags()),
            answers_left_out: ledger.left_out(),
            replies: spent.replies,
            models: ledger.models().clone(),
            usage: spent.usage,
            uncounted: spent.uncounted,
            prices,
            money: prices.map(|prices| prices.of(spent.usage)),
            ..Made::default()
        };
        for kind in ResponseType::ALL {
            let counts = ledger.counts(kind, attempts);
            made.accepted[kind] = counts.accepted;
            made.given_up[kind] = counts.given_up;
            made.open[kind] = counts.open;
        }
        let mut rejects = BTreeMap::new();
        for reject in ledger.rejects() {
            *rejects.entry(reject.reason).or_default() += 1;
        }
        made.rejects = rejects;
        made.finished = made.open.total() == 0;
        made
    }

    /// Writes what was made so far: `samples.jsonl`, `rejects.jsonl`, `data.json` and, last,
    /// `manifest.json`; each whole or not at all.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(&mut self) -> Result<&Manifest, InstructError> {
        let file = |name| self.folder.join(name);
        write_lines(&file("samples.jsonl"), self.ledger.samples())?;
        write_lines(&file("rejects.jsonl"), self.ledger.rejects())?;
        write_with(&file("data.json"), |file| {
            let mut before: &[u8] = b"[\n";
            for sample in self.ledger.samples() {
                file.write_all(before)?;
                serde_json::to_writer(&mut *file, &sample.written())?;
                before = b",\n";
            }
            if before == b"[\n" {
                file.write_all(before)?;
            }
            file.write_all(b"\n]\n")
        })?;
        self.manifest.made = self.made();
        self.manifest.code = Code::here();
        self.manifest.attempts = self.project.options().attempts;
        self.folder.write_manifest(&self.manifest)?;
        Ok(&self.manifest)
    }

    /// Writes `shards/`: tar files with all samples so far and their images, which are copied from
    /// the folder that the project names. What lay there before is replaced.
    ///
    /// # Errors
    /// An image cannot be read, or a file cannot be written.
    pub fn write_shards(&self) -> Result<(), InstructError> {
        let Some(images) = &self.project.options().images else {
            return Ok(());
        };
        let folder = self.folder.join("shards");
        shards::write(&folder, images, self.ledger.samples(), shards::BYTES)?;
        let synced = sync_folder(self.folder.path());
        synced.map_err(|source| InstructError::write(&folder, source))
    }

    /// Replies that were kept so far.
    #[must_use]
    pub const fn replies(&self) -> usize {
        self.journal.len()
    }
}
