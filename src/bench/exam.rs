//! A benchmark with its options and the questions that are asked.

use std::sync::Arc;

use menagerie_core::benchmark::AnyBenchmark;
use menagerie_core::hex::hex;
use menagerie_core::plugin::BenchmarkPlugin;
use menagerie_core::recipe::DataSource;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::about::{BenchmarkAbout, QuestionsAbout};
use super::error::BenchError;
use crate::data::{Conversation, Dataset, ImageRef};
use crate::eval::{self, EvalError, EvalOptions, Marker};
use crate::json::json_line;

/// A benchmark with its options, the questions that are asked, and how.
#[derive(Debug, Clone)]
pub struct Exam {
    pub(super) plugin: &'static BenchmarkPlugin,
    pub(super) benchmark: Arc<dyn AnyBenchmark>,
    pub(super) data: Arc<Dataset>,
    pub(super) options: EvalOptions,
}

impl Exam {
    /// Reads the questions: as the benchmark reads its own files, else in the forms that training
    /// reads.
    ///
    /// # Errors
    /// There is no such benchmark, it does not take the options, the questions cannot be read, or a
    /// blind score is asked of one that has a judge.
    pub fn open(options: EvalOptions, source: &DataSource) -> Result<Self, BenchError> {
        let (plugin, benchmark) = eval::find(&options.benchmark, &options.options)?;
        if options.blind && benchmark.judged() {
            return Err(BenchError::BlindJudged(plugin.name.to_owned()));
        }
        let data = Arc::new(eval::open(benchmark.as_ref(), source)?);
        Ok(Self {
            plugin,
            benchmark,
            data,
            options,
        })
    }

    /// Whether answers go to a judge.
    #[must_use]
    pub fn judged(&self) -> bool {
        self.benchmark.judged()
    }

    /// Looks for every image of the questions, without opening it.
    ///
    /// # Errors
    /// The first that is missing.
    pub fn check_images(&self) -> Result<(), BenchError> {
        self.data.check_images().map_err(EvalError::from)?;
        Ok(())
    }

    /// How many questions are asked.
    #[must_use]
    pub fn count(&self) -> usize {
        let limit = self.options.limit.unwrap_or(usize::MAX);
        limit.min(self.data.len())
    }

    /// The questions that are asked.
    pub(super) fn questions(&self) -> &[Conversation] {
        &self.data.samples()[..self.count()]
    }

    pub(super) fn marker(&self) -> Marker<'_> {
        Marker {
            name: self.plugin.name,
            benchmark: self.benchmark.as_ref(),
            data: &self.data,
        }
    }

    pub(super) fn about(&self) -> (BenchmarkAbout, QuestionsAbout) {
        let benchmark = BenchmarkAbout {
            name: self.plugin.name.to_owned(),
            options: self.options.options.clone(),
            crate_name: self.plugin.crate_name.to_owned(),
            crate_version: self.plugin.crate_version.to_owned(),
        };
        let mut hasher = Sha256::new();
        for question in self.questions() {
            hasher.update(json_line(&told(question)));
        }
        let questions = QuestionsAbout {
            count: self.count(),
            limit: self.options.limit,
            sha256: hex(&hasher.finalize()),
            files: self.data.files().to_vec(),
        };
        (benchmark, questions)
    }
}

/// A question as its hash sees it. Where its images lie is no part of it; what they are called is.
fn told(question: &Conversation) -> serde_json::Value {
    let turns = question.turns.iter();
    let turns = turns.map(|turn| (format!("{:?}", turn.role), turn.text.as_str()));
    let name = |image: &ImageRef| {
        let name = image.name();
        name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned()
    };
    json!({
        "id": question.id,
        "turns": turns.collect::<Vec<_>>(),
        "images": question.images.iter().map(name).collect::<Vec<_>>(),
        "fields": question.fields,
    })
}
