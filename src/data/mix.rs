//! How often the samples of each set come in an epoch.

use std::ops::Range;

use rand::seq::SliceRandom;

use super::draw::Draw;

/// Sets of samples with weights: which samples an epoch takes.
///
/// An epoch takes ⌊weight · samples⌉ of each set, at least one, from an endless walk through it that
/// the epochs share. So with weight 1 every sample comes once an epoch, with 2 twice, and with 0.5
/// one half comes in the first epoch and the other in the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    sets: Vec<Set>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    samples: Range<usize>,
    /// Samples an epoch.
    taken: usize,
}

impl Mix {
    /// Sets of samples, each with its weight, which is above 0.
    ///
    /// # Panics
    /// A set is empty.
    #[must_use]
    pub fn new(sets: impl IntoIterator<Item = (Range<usize>, f64)>) -> Self {
        let weighted = |(samples, weight): (Range<usize>, f64)| {
            assert!(!samples.is_empty(), "a set has samples");
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let taken = (weight * samples.len() as f64).round() as usize;
            Set {
                samples,
                taken: taken.max(1),
            }
        };
        Self {
            sets: sets.into_iter().map(weighted).collect(),
        }
    }

    /// Samples an epoch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.iter().map(|set| set.taken).sum()
    }

    /// Whether there is no set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The samples of an epoch, set after set as they lie. Each walk through a set that an epoch
    /// does not end in is in an order of its own if `draw` says so, and as the set lies if not.
    pub(super) fn epoch(&self, number: usize, draw: Option<&Draw<'_>>) -> Vec<usize> {
        let mut epoch = Vec::with_capacity(self.len());
        for (place, set) in self.sets.iter().enumerate() {
            let first = epoch.len();
            set.walk(number, &mut epoch, |walk, order| {
                if let Some(draw) = draw {
                    order.shuffle(&mut draw.walk(place, walk));
                }
            });
            if draw.is_some() {
                epoch[first..].sort_unstable();
            }
        }
        epoch
    }
}

impl Set {
    /// Adds the samples of epoch `number`. `shuffle` brings the set into the order of a walk.
    fn walk(&self, number: usize, epoch: &mut Vec<usize>, shuffle: impl Fn(usize, &mut [usize])) {
        let len = self.samples.len();
        let (mut next, end) = (number * self.taken, (number + 1) * self.taken);
        while next < end {
            let (walk, from) = (next / len, next % len);
            let to = len.min(from + end - next);
            let mut order: Vec<usize> = self.samples.clone().collect();
            // All of the set at once comes in any order.
            if to - from < len {
                shuffle(walk, &mut order);
            }
            epoch.extend(&order[from..to]);
            next += to - from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAW: Draw<'_> = Draw {
        seed: 5,
        stage: "align",
    };

    #[test]
    fn a_weight_is_how_often_each_sample_comes_in_an_epoch() {
        let mix = Mix::new([(0..4, 2.0), (4..14, 1.0), (14..20, 0.5), (20..24, 1.25)]);
        assert_eq!(mix.len(), 8 + 10 + 3 + 5);
        for draw in [None, Some(&DRAW)] {
            let mut times = [0; 24];
            for epoch in 0..4 {
                let samples = mix.epoch(epoch, draw);
                assert_eq!(samples.len(), mix.len());
                for sample in samples {
                    times[sample] += 1;
                }
                if epoch == 1 {
                    assert!(times[14..20].iter().all(|&times| times == 1), "{times:?}");
                }
            }
            let expected = [(0..4, 8), (4..14, 4), (14..20, 2), (20..24, 5)];
            for (samples, expected) in expected {
                assert!(
                    times[samples].iter().all(|&times| times == expected),
                    "{times:?}"
                );
            }
        }
    }

    #[test]
    fn the_halves_of_a_set_are_drawn_from_the_seed_or_lie_one_after_the_other() {
        let mix = Mix::new([(0..40, 0.5)]);
        assert_eq!(mix.epoch(0, None), (0..20).collect::<Vec<_>>());
        assert_eq!(mix.epoch(3, None), (20..40).collect::<Vec<_>>());
        let drawn = |seed, epoch| mix.epoch(epoch, Some(&Draw { seed, ..DRAW }));
        assert_eq!(drawn(1, 0), drawn(1, 0));
        assert_ne!(drawn(1, 0), drawn(2, 0));
        assert_ne!(drawn(1, 0), drawn(1, 2), "each walk is another");
    }

    #[test]
    fn a_set_has_a_sample_in_each_epoch_however_small_its_weight() {
        let mix = Mix::new([(0..3, 0.01)]);
        let walked: Vec<usize> = (0..4).flat_map(|epoch| mix.epoch(epoch, None)).collect();
        assert_eq!(walked, [0, 1, 2, 0]);
    }
}
