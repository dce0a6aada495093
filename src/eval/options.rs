//! How a model is scored.

use std::sync::Arc;

use menagerie_core::benchmark::Benchmark;
use menagerie_core::chat::Template;
use menagerie_core::image::Resize;
use menagerie_core::recipe::EvalTable;
use menagerie_core::serde_json::{Map, Value};

use super::exact::Exact;
use crate::features::FeatureCache;

/// How a model is scored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvalOptions {
    /// The name of the benchmark that asks and marks.
    pub benchmark: String,
    /// The benchmark's options; those that are not here have their defaults.
    pub options: Map<String, Value>,
    /// Questions answered together.
    pub batch_size: usize,
    /// Whether to score blind too.
    pub blind: bool,
    /// Longest answer, in tokens, if not as the benchmark says.
    pub max_new_tokens: Option<usize>,
    /// How images become square, if not as the model says.
    pub resize: Option<Resize>,
    /// How questions are written, if not as the model says.
    pub template: Option<Template>,
    /// Questions to take, from the first; all if `None`.
    pub limit: Option<usize>,
    /// The features of images that this model's encoder has seen, prepared as
    /// [`resize`](Self::resize) says.
    pub features: Option<Arc<FeatureCache>>,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            benchmark: Exact::NAME.to_owned(),
            options: Map::new(),
            batch_size: 64,
            blind: true,
            max_new_tokens: None,
            resize: None,
            template: None,
            limit: None,
            features: None,
        }
    }
}

impl From<&EvalTable> for EvalOptions {
    fn from(table: &EvalTable) -> Self {
        let benchmark = table.benchmark.as_deref().unwrap_or(Exact::NAME);
        Self {
            benchmark: benchmark.to_owned(),
            options: table.options.clone(),
            batch_size: table.batch_size,
            blind: table.blind,
            max_new_tokens: table.max_new_tokens,
            resize: table.data.resize,
            template: None,
            limit: table.limit,
            features: None,
        }
    }
}
