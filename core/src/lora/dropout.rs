//! Dropout (Srivastava et al. 2014) before the low-rank part.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Distribution, Tensor};

use crate::parameters::{seed_of, seeded};

/// Tells the adapters of a network which pass they are in. Clones tell the same adapters.
///
/// Masks follow from the pass's seed and the weight's path alone, so a pass that is computed again
/// drops the same features. Outside of a pass nothing is dropped.
#[derive(Debug, Clone, Default)]
pub struct Passes(Arc<Mutex<Option<u64>>>);

impl Passes {
    /// A forward and backward pass begins, its masks drawn from `seed`.
    pub fn begin(&self, seed: u64) {
        self.set(Some(seed));
    }

    /// It is over.
    pub fn end(&self) {
        self.set(None);
    }

    fn set(&self, seed: Option<u64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seed;
    }

    fn seed(&self) -> Option<u64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dropout of one adapter.
#[derive(Debug, Clone)]
pub(super) struct Dropout {
    /// Share of the features that are dropped, below 1.
    pub probability: f64,
    /// The path of the weight.
    pub path: String,
    pub passes: Passes,
    /// Whether its masks need no seed, as nothing is computed.
    pub is_sketch: bool,
}

impl Dropout {
    /// Drops features and scales up the others, so that the mean stays.
    pub(super) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let seed = self.passes.seed();
        if seed.is_none() && !self.is_sketch {
            return input;
        }
        let kept = 1.0 - self.probability;
        let device = input.device().inner();
        let options = (&device, input.dtype());
        let draw = || Tensor::<D>::random(input.dims(), Distribution::Bernoulli(kept), options);
        let mask = match seed {
            Some(seed) => seeded(&device, seed_of(seed, &self.path), draw),
            None => draw(),
        };
        input * mask.div_scalar(kept)
    }
}
