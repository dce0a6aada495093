//! The samples of a stage and how long they are.

use std::path::Path;

use menagerie_core::recipe::{DataSource, DataTable};
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Configured, Recipe};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::error::PlanError;
use super::shape::SampleShape;
use crate::data::{Dataset, Mix, SampleEncoder};

/// Samples that are tokenised to know the lengths of all, if not every one is asked for.
const ENOUGH: usize = 20_000;

/// The samples of a stage.
#[derive(Debug)]
pub(super) struct Samples {
    pub dataset: Dataset,
    pub mix: Mix,
    /// The lengths of all; none without a tokenizer.
    pub shapes: Option<Vec<SampleShape>>,
    /// Whether each was tokenised, and no length is another sample's.
    pub exact: bool,
    /// Samples that cannot be learned from.
    pub unusable: usize,
}

/// Whether all files of these sources are on this machine.
pub(super) fn are_here(sources: &[DataSource]) -> bool {
    let mut paths = sources.iter().flat_map(|source| &source.paths);
    paths.all(|path: &std::path::PathBuf| Path::exists(path))
}

impl Samples {
    /// Of the stage `name`; tokenises all only if `exact`. None if a file is not on this machine.
    pub(super) fn open(
        recipe: &Recipe,
        configured: &Configured,
        (name, table): (&str, &DataTable),
        tokenizer: Option<&Tokenizer>,
        exact: bool,
    ) -> Result<Option<Self>, PlanError> {
        let (sources, weights): (Vec<_>, Vec<_>) = table.sources().into_iter().unzip();
        if !are_here(&sources) {
            return Ok(None);
        }
        let dataset = Dataset::open_all(&sources)?;
        let mix = Mix::new(dataset.sets().iter().cloned().zip(weights));
        let mut samples = Self {
            unusable: dataset.left_out().len(),
            dataset,
            mix,
            shapes: None,
            exact: false,
        };
        if let Some(tokenizer) = tokenizer {
            let encoder = SampleEncoder {
                tokenizer: tokenizer.clone(),
                template: recipe.stage_template(name)?,
                image_position: table.image_position,
                seed: recipe.seed,
                images: configured.image_tokens(table.resize),
                max_tokens: recipe.max_tokens,
            };
            samples.measure(&encoder, exact);
        }
        Ok(Some(samples))
    }

    fn measure(&mut self, encoder: &SampleEncoder, exact: bool) {
        let all = self.dataset.len();
        let taken = if exact { all } else { all.min(ENOUGH) };
        let dataset = &self.dataset;
        let measured: Vec<Option<SampleShape>> = (0..taken)
            .into_par_iter()
            .map(|number| shape(encoder, dataset, number * all / taken))
            .collect();
        let bad = measured.iter().filter(|shape| shape.is_none()).count();
        self.unusable += bad * all / taken.max(1);
        self.exact = taken == all;
        // One that cannot be used counts as long as the longest; the run stops at it or takes another.
        let longest = measured
            .iter()
            .flatten()
            .max_by_key(|shape| (shape.images.len(), shape.tokens(encoder.images.square())))
            .cloned();
        self.shapes = longest.map(|longest| {
            let shape = |index: usize| {
                let own = measured[index * taken / all].as_ref();
                own.unwrap_or(&longest).clone()
            };
            (0..all).map(shape).collect()
        });
    }
}

fn shape(encoder: &SampleEncoder, dataset: &Dataset, index: usize) -> Option<SampleShape> {
    let tokens = encoder.encode(dataset, index).ok()?;
    let learned = tokens.labels.iter().skip(1).filter(|&&label| label >= 0);
    Some(SampleShape {
        text: tokens.input_ids.len() - tokens.images.len(),
        supervised: learned.count(),
        images: tokens.images,
    })
}
