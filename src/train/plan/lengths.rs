//! How long the samples of a stage are.

use std::collections::BTreeMap;

use menagerie_core::recipe::{DataSource, DataTable};
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Configured, Recipe};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::error::PlanError;
use super::shape::RowShape;
use crate::data::{Dataset, SampleEncoder};

/// Samples that are tokenised to know the lengths of all, if not every one is asked for.
pub(super) const ENOUGH: usize = 20_000;

/// The samples of a stage.
#[derive(Debug)]
pub(super) struct Lengths {
    /// Samples there are.
    pub samples: usize,
    /// Their lengths; none without a tokenizer.
    pub rows: Option<Vec<RowShape>>,
    /// Whether each was tokenised, and no length is another sample's.
    pub exact: bool,
    /// Samples that cannot be learned from.
    pub unusable: usize,
}

/// Data sets that are open, so that stages that share one read it once.
#[derive(Debug, Default)]
pub(super) struct Library(BTreeMap<String, Dataset>);

impl Library {
    /// The data; none if a file of it is not on this machine.
    pub(super) fn open(&mut self, source: &DataSource) -> Result<Option<&Dataset>, PlanError> {
        if source.paths.iter().any(|path| !path.exists()) {
            return Ok(None);
        }
        let key = format!("{source:?}");
        if !self.0.contains_key(&key) {
            let dataset = Dataset::open(source)?;
            self.0.insert(key.clone(), dataset);
        }
        Ok(self.0.get(&key))
    }
}

impl Lengths {
    /// Of `dataset` in the stage `name`; tokenises all of it only if `exact`.
    pub(super) fn of(
        dataset: &Dataset,
        recipe: &Recipe,
        configured: &Configured,
        (name, table): (&str, &DataTable),
        tokenizer: Option<&Tokenizer>,
        exact: bool,
    ) -> Result<Self, PlanError> {
        let samples = dataset.len();
        let Some(tokenizer) = tokenizer else {
            return Ok(Self {
                samples,
                rows: None,
                exact: false,
                unusable: 0,
            });
        };
        let encoder = SampleEncoder {
            tokenizer: tokenizer.clone(),
            template: recipe.stage_template(name)?,
            image_position: table.image_position,
            seed: recipe.seed,
            visual_tokens: configured.projector_spec.visual_tokens,
            max_tokens: recipe.max_tokens,
        };
        let taken = if exact { samples } else { samples.min(ENOUGH) };
        let measured: Vec<Option<RowShape>> = (0..taken)
            .into_par_iter()
            .map(|number| row(&encoder, dataset, number * samples / taken))
            .collect();
        let unusable = measured.iter().filter(|row| row.is_none()).count();
        let longest = measured.iter().flatten().copied().max_by_key(row_weight);
        let stand_in = longest.unwrap_or(RowShape {
            text: 1,
            images: 0,
            supervised: 0,
        });
        // A sample that was not tokenised is as long as its neighbour.
        let rows = (0..samples).map(|index| measured[index * taken / samples].unwrap_or(stand_in));
        Ok(Self {
            samples,
            rows: Some(rows.collect()),
            exact: taken == samples,
            unusable: unusable * samples / taken.max(1),
        })
    }
}

fn row_weight(row: &RowShape) -> (usize, usize) {
    (row.images, row.text)
}

fn row(encoder: &SampleEncoder, dataset: &Dataset, index: usize) -> Option<RowShape> {
    let encoded = encoder.encode(dataset, index).ok()?;
    let learned = encoded.labels.iter().skip(1).filter(|&&label| label >= 0);
    Some(RowShape {
        text: encoded.input_ids.len() - encoded.images,
        images: encoded.images,
        supervised: learned.count(),
    })
}
