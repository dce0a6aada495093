//! In which order samples come.

use menagerie_core::recipe::Sampler;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The order of `len` samples in one epoch of a stage. A shuffled one follows from the recipe's
/// seed, the stage's name and the epoch's number alone. Its `chunks` are the batches; the last may
/// be smaller.
#[must_use]
pub fn order(sampler: Sampler, len: usize, seed: u64, stage: &str, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    if sampler == Sampler::Shuffled {
        let hash = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update((epoch as u64).to_le_bytes())
            .chain_update(stage)
            .finalize();
        order.shuffle(&mut ChaCha8Rng::from_seed(hash.into()));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_is_as_the_data_lies() {
        assert_eq!(order(Sampler::Sequential, 4, 1, "align", 3), [0, 1, 2, 3]);
    }

    #[test]
    fn shuffled_is_another_order_for_each_seed_stage_and_epoch() {
        let drawn = |seed, stage, epoch| order(Sampler::Shuffled, 50, seed, stage, epoch);
        let first = drawn(1, "align", 0);
        assert_eq!(first, drawn(1, "align", 0));
        for other in [
            drawn(2, "align", 0),
            drawn(1, "tune", 0),
            drawn(1, "align", 1),
        ] {
            assert_ne!(first, other);
        }
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }
}
