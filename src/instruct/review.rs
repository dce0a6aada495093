//! Looking at instruction data: statistics of all of it, and a page with some of it.
//!
//! A [`Review`] reads the folder of a run of `menagerie instruct`, or any file in LLaVA's format. It
//! passes over the samples once and holds those that are shown; of the others it keeps what the
//! statistics need. Images are read when the page is made, those of the samples on it.

mod draw;
mod error;
mod example;
mod page;
mod reading;
mod statistics;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use error::ReviewError;
pub use example::Kind;
pub use reading::Watch;
pub use statistics::{
    Bin, ByType, CategoryCount, Duplicates, FirstWord, FlagCount, Lengths, Opening, Openings,
    QuestionType, QuestionTypeCount, RejectCount, SecondWord, Statistics, Summary,
};

use draw::Strata;
use example::Example;
use reading::Reading;
use statistics::Counts;

use super::context::Context;
use super::ledger::Rejected;
use super::manifest::Manifest;
use super::sample::Sample;
use crate::data::DataError;

/// Of the names of files in LLaVA's format.
const ENDINGS: [&str; 3] = ["json", "jsonl", "ndjson"];

/// How data is reviewed.
#[derive(Debug, Clone, Default)]
pub struct ReviewOptions {
    /// The folder that image names are relative to. Default: images are not shown.
    pub images: Option<PathBuf>,
    /// How many samples are shown, and at most how many rejects.
    pub samples: usize,
    /// Which ones: another seed shows others.
    pub seed: u64,
}

/// Data that was looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Review {
    /// The folder's or the file's name.
    pub name: String,
    /// What all of it looks like.
    pub statistics: Statistics,
    manifest: Option<Manifest>,
    is_run: bool,
    samples: Vec<Shown>,
    rejects: Vec<Rejected>,
    images: Option<PathBuf>,
    seed: u64,
}

/// A sample that is shown, with what is known of its image.
#[derive(Debug)]
struct Shown {
    example: Example,
    context: Option<Context>,
}

impl Review {
    /// Reads a run folder, or a file in LLaVA's format: a JSON array, or JSON lines.
    ///
    /// # Errors
    /// `path` is neither, cannot be read or holds nothing; a line of a file is wrong; or `watch` said
    /// to stop.
    pub fn read<'w>(
        path: &Path,
        options: &ReviewOptions,
        watch: &'w mut Watch<'w>,
    ) -> Result<Self, ReviewError> {
        let name = path.canonicalize().ok();
        let name = name.as_deref().unwrap_or(path).file_name();
        let review = Self {
            name: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            statistics: Statistics::default(),
            manifest: None,
            is_run: path.is_dir(),
            samples: Vec::new(),
            rejects: Vec::new(),
            images: options.images.clone(),
            seed: options.seed,
        };
        if review.is_run {
            review.of_run(path, options, watch)
        } else {
            review.of_file(path, options, watch)
        }
    }

    fn of_run<'w>(
        mut self,
        folder: &Path,
        options: &ReviewOptions,
        watch: &'w mut Watch<'w>,
    ) -> Result<Self, ReviewError> {
        let [samples, contexts, rejects] =
            ["samples.jsonl", "contexts.jsonl", "rejects.jsonl"].map(|name| folder.join(name));
        if !samples.exists() && !rejects.exists() {
            return Err(ReviewError::NoRun {
                path: folder.to_owned(),
            });
        }
        self.manifest = reading::manifest(&folder.join("manifest.json"))?;
        let mut counts = Counts::default();
        let mut drawn = Strata::new(options.samples, options.seed);
        let mut refused = Strata::new(options.samples, options.seed);
        let mut reading = Reading::of(&[&samples, &contexts, &rejects], watch);
        reading.lines(&samples, |sample: Sample| {
            let example = Example::from(sample);
            counts.sample(&example);
            drawn.offer(example.kind, example);
        })?;
        reading.lines(&rejects, |reject: Rejected| {
            counts.reject(&reject);
            refused.offer(reject.reason, reject);
        })?;
        let examples = drawn.finish();
        // All contexts are counted, and those of the shown samples held.
        let wanted = examples
            .iter()
            .filter_map(|example| example.context.clone());
        let mut held: HashMap<String, Option<Context>> = wanted.map(|id| (id, None)).collect();
        reading.lines(&contexts, |context: Context| {
            counts.context(&context);
            if let Some(place) = held.get_mut(&context.id) {
                *place = Some(context);
            }
        })?;
        self.statistics = counts.finish();
        if self.statistics.samples.total() == 0 && self.statistics.rejects.is_empty() {
            return Err(DataError::Empty { path: samples }.into());
        }
        let with_context = examples.into_iter().map(|example| {
            let id = example.context.as_ref();
            let context = id.and_then(|id| held.get(id)).cloned().flatten();
            Shown { example, context }
        });
        self.samples = with_context.collect();
        self.rejects = refused.finish();
        Ok(self)
    }

    fn of_file<'w>(
        mut self,
        path: &Path,
        options: &ReviewOptions,
        watch: &'w mut Watch<'w>,
    ) -> Result<Self, ReviewError> {
        let is_json = path.extension().is_some_and(|ending| {
            let mut endings = ENDINGS.iter();
            endings.any(|json| ending.eq_ignore_ascii_case(json))
        });
        if path.is_file() && !is_json {
            return Err(ReviewError::Kind {
                path: path.to_owned(),
            });
        }
        let mut counts = Counts::default();
        let mut drawn = Strata::new(options.samples, options.seed);
        Reading::of(&[path], watch).samples(path, |example| {
            counts.sample(&example);
            drawn.offer(example.kind, example);
        })?;
        self.statistics = counts.finish();
        if self.statistics.samples.total() == 0 {
            return Err(DataError::Empty {
                path: path.to_owned(),
            }
            .into());
        }
        let examples = drawn.finish().into_iter();
        self.samples = examples
            .map(|example| Shown {
                example,
                context: None,
            })
            .collect();
        Ok(self)
    }
}
