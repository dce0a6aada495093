//! Random numbers of a stage's order, each generator a function of what it is for.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Where the random numbers of a stage come from: no generator runs on from one epoch to the next,
/// so any epoch can be drawn again by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw<'a> {
    /// The recipe's seed.
    pub seed: u64,
    /// The stage's name.
    pub stage: &'a str,
}

impl Draw<'_> {
    /// For the order of an epoch.
    pub(super) fn epoch(&self, number: usize) -> ChaCha8Rng {
        self.generator(number, self.stage)
    }

    /// For the order of a walk through a set. A stage's name has no `/`.
    pub(super) fn walk(&self, set: usize, number: usize) -> ChaCha8Rng {
        self.generator(number, &format!("{}/{set}", self.stage))
    }

    fn generator(&self, number: usize, name: &str) -> ChaCha8Rng {
        let hash = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update((number as u64).to_le_bytes())
            .chain_update(name)
            .finalize();
        ChaCha8Rng::from_seed(hash.into())
    }
}
