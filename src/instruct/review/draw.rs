//! Which samples are shown: as many of each kind as of any other, drawn in one pass.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws of several kinds of things, without knowing how many there will be. What it holds is at
/// most its capacity of each kind.
#[derive(Debug)]
pub(super) struct Strata<K, T> {
    capacity: usize,
    random: ChaCha8Rng,
    reservoirs: BTreeMap<K, Reservoir<T>>,
    passed: usize,
}

/// So many of all that passed, each with the same chance (Vitter's algorithm R), with their places.
#[derive(Debug)]
struct Reservoir<T> {
    passed: usize,
    kept: Vec<(usize, T)>,
}

impl<K: Ord, T> Strata<K, T> {
    /// To draw `capacity` in all.
    pub(super) fn new(capacity: usize, seed: u64) -> Self {
        Self {
            capacity,
            random: ChaCha8Rng::seed_from_u64(seed),
            reservoirs: BTreeMap::new(),
            passed: 0,
        }
    }

    /// Lets one pass, and takes it perhaps.
    pub(super) fn offer(&mut self, kind: K, item: T) {
        let place = self.passed;
        self.passed += 1;
        if self.capacity == 0 {
            return;
        }
        let reservoir = self.reservoirs.entry(kind).or_insert(Reservoir {
            passed: 0,
            kept: Vec::new(),
        });
        reservoir.passed += 1;
        if reservoir.kept.len() < self.capacity {
            reservoir.kept.push((place, item));
            return;
        }
        let drawn = self.random.random_range(0..reservoir.passed);
        if let Some(kept) = reservoir.kept.get_mut(drawn) {
            *kept = (place, item);
        }
    }

    /// What was drawn, in the order in which it passed. Each kind has the same share; what one has
    /// too few of goes to the others.
    pub(super) fn finish(mut self) -> Vec<T> {
        let sizes = self
            .reservoirs
            .values()
            .map(|reservoir| reservoir.kept.len());
        let shares = shares(&sizes.collect::<Vec<_>>(), self.capacity);
        let mut drawn: Vec<(usize, T)> = Vec::new();
        for (mut stratum, share) in self.reservoirs.into_values().zip(shares) {
            // Where it is kept says when it came.
            stratum.kept.shuffle(&mut self.random);
            drawn.extend(stratum.kept.into_iter().take(share));
        }
        drawn.sort_by_key(|(place, _)| *place);
        drawn.into_iter().map(|(_, item)| item).collect()
    }
}

/// Shares of `total`, as equal as `sizes` allow; what is left over goes to the first ones.
fn shares(sizes: &[usize], total: usize) -> Vec<usize> {
    let mut shares = vec![0; sizes.len()];
    let mut left = total;
    loop {
        let open: Vec<usize> = (0..sizes.len())
            .filter(|&stratum| shares[stratum] < sizes[stratum])
            .collect();
        if left == 0 || open.is_empty() {
            return shares;
        }
        let each = (left / open.len()).max(1);
        for stratum in open {
            let more = each.min(sizes[stratum] - shares[stratum]).min(left);
            shares[stratum] += more;
            left -= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_as_equal_as_can_be() {
        assert_eq!(shares(&[100, 100, 100], 24), [8, 8, 8]);
        assert_eq!(shares(&[100, 2, 100], 24), [11, 2, 11]);
        assert_eq!(shares(&[9, 9], 5), [3, 2]);
        assert_eq!(shares(&[1, 2], 24), [1, 2]);
        assert_eq!(shares(&[9, 9, 9], 2), [1, 1, 0]);
        assert!(shares(&[], 3).is_empty());
    }

    fn drawn(seed: u64) -> Vec<usize> {
        let mut strata = Strata::new(6, seed);
        for number in 0..1000 {
            strata.offer(number % 100 == 0, number);
        }
        strata.finish()
    }

    #[test]
    fn a_seed_draws_the_same_and_the_rare_kind_has_its_share() {
        let first = drawn(7);
        assert_eq!(first, drawn(7));
        assert_ne!(first, drawn(8));
        assert!(first.is_sorted(), "{first:?}");
        assert_eq!(first.len(), 6);
        assert_eq!(first.iter().filter(|number| *number % 100 == 0).count(), 3);
    }

    #[test]
    fn all_have_the_same_chance() {
        let mut counts = [0; 20];
        for seed in 0..4000 {
            let mut strata = Strata::new(5, seed);
            // A second kind, so that one is cut to a part of what it holds.
            (0..20).for_each(|number| strata.offer(0, number));
            (0..20).for_each(|_| strata.offer(1, 99));
            for number in strata.finish().into_iter().filter(|number| *number < 20) {
                counts[number] += 1;
            }
        }
        // 3 of 20 each time: 600 on average, with a deviation of 23.
        assert!(
            counts.iter().all(|count| (500..700).contains(count)),
            "{counts:?}"
        );
    }
}
