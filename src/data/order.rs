//! In which order samples come.

use std::cmp::Reverse;

use menagerie_core::recipe::Sampler;
use rand::Rng;
use rand::seq::SliceRandom;

use super::draw::Draw;
use super::mix::Mix;

/// What a sampler groups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSize {
    /// About how many tokens it has: the words of its turns, and the visual tokens of its images.
    pub length: usize,
    /// Whether it has an image.
    pub has_image: bool,
}

/// The samples of every epoch of a stage, in order: a function of the seed, the stage's name and the
/// epoch's number alone. An epoch's `chunks(batch_size)` are its batches; the last may be smaller.
#[derive(Debug, Clone)]
pub struct Order {
    /// The rule.
    pub sampler: Sampler,
    /// Which samples an epoch takes.
    pub mix: Mix,
    /// Of every sample of the data; only the samplers that group look at them.
    pub sizes: Vec<SampleSize>,
    /// The recipe's seed.
    pub seed: u64,
    /// The stage's name.
    pub stage: String,
    /// Samples an optimizer step.
    pub batch_size: usize,
}

impl Order {
    /// The samples of epoch `number`, from 0.
    ///
    /// Grouping is that of the original LLaVA (`train/llava_trainer.py`), where a "megabatch" is
    /// what all devices take in an optimizer step. It then deals a megabatch out to devices that
    /// work at the same time, so that each has as much to do as the others; here the passes of a
    /// step come one after the other, so neighbours in length stay together.
    #[must_use]
    pub fn epoch(&self, number: usize) -> Vec<usize> {
        let draw = Draw {
            seed: self.seed,
            stage: &self.stage,
        };
        if self.sampler == Sampler::Sequential {
            return self.mix.epoch(number, None);
        }
        let mut order = self.mix.epoch(number, Some(&draw));
        let mut generator = draw.epoch(number);
        order.shuffle(&mut generator);
        self.group(order, &mut generator)
    }

    /// Groups what was shuffled.
    fn group(&self, mut order: Vec<usize>, generator: &mut impl Rng) -> Vec<usize> {
        match self.sampler {
            Sampler::Sequential | Sampler::Shuffled => order,
            Sampler::GroupedByLength => {
                self.longest_first(&mut order);
                order
            }
            Sampler::GroupedByModality => {
                let has_image = |&&sample: &&usize| self.sizes[sample].has_image;
                let (mut images, mut texts): (Vec<_>, Vec<_>) = order.iter().partition(has_image);
                self.longest_first(&mut images);
                self.longest_first(&mut texts);
                let (images, images_left) = self.whole_batches(&images);
                let (texts, texts_left) = self.whole_batches(&texts);
                let mut batches: Vec<&[usize]> = images.chain(texts).collect();
                batches.shuffle(generator);
                [&batches.concat(), images_left, texts_left].concat()
            }
        }
    }

    /// Sorts each batch; samples of the same length stay as they were drawn.
    fn longest_first(&self, order: &mut [usize]) {
        for batch in order.chunks_mut(self.batch_size) {
            batch.sort_by_key(|&sample| Reverse(self.sizes[sample].length));
        }
    }

    /// The batches of `batch_size`, and what is left.
    fn whole_batches<'o>(
        &self,
        order: &'o [usize],
    ) -> (std::slice::ChunksExact<'o, usize>, &'o [usize]) {
        let batches = order.chunks_exact(self.batch_size);
        let left = batches.remainder();
        (batches, left)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use serde::Deserialize;

    use super::*;
    use Sampler::{GroupedByLength, GroupedByModality, Sequential, Shuffled};

    fn order(sampler: Sampler, len: usize, batch_size: usize) -> Order {
        // Lengths repeat, and every third sample is text alone.
        let size = |sample: usize| SampleSize {
            length: sample * 7 % 11,
            has_image: !sample.is_multiple_of(3),
        };
        Order {
            sampler,
            mix: Mix::new([(0..len, 1.0)]),
            sizes: (0..len).map(size).collect(),
            seed: 1,
            stage: "align".to_owned(),
            batch_size,
        }
    }

    #[test]
    fn sequential_is_as_the_data_lies() {
        assert_eq!(order(Sequential, 4, 3).epoch(3), [0, 1, 2, 3]);
    }

    #[test]
    fn every_other_order_is_another_one_for_each_seed_stage_and_epoch() {
        for sampler in [Shuffled, GroupedByLength, GroupedByModality] {
            let order = order(sampler, 50, 8);
            let first = order.epoch(0);
            assert_eq!(first, order.clone().epoch(0));
            assert_ne!(first, order.epoch(1));
            let other = Order {
                seed: 2,
                ..order.clone()
            };
            assert_ne!(first, other.epoch(0));
            let other = Order {
                stage: "tune".to_owned(),
                ..order
            };
            assert_ne!(first, other.epoch(0));
            let mut sorted = first;
            sorted.sort_unstable();
            assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn grouped_by_length_has_the_batches_of_shuffled_longest_first() {
        let grouped = order(GroupedByLength, 50, 8);
        let shuffled = order(Shuffled, 50, 8).epoch(2);
        for (batch, of_shuffled) in grouped.epoch(2).chunks(8).zip(shuffled.chunks(8)) {
            let (mut batch, mut of_shuffled) = (batch.to_vec(), of_shuffled.to_vec());
            let lengths = batch.iter().map(|&sample| grouped.sizes[sample].length);
            assert!(lengths.is_sorted_by(|a, b| a >= b), "{batch:?}");
            batch.sort_unstable();
            of_shuffled.sort_unstable();
            assert_eq!(batch, of_shuffled);
        }
    }

    #[test]
    fn grouped_by_modality_mixes_both_in_one_of_the_last_batches_alone() {
        for len in 40..60 {
            let order = order(GroupedByModality, len, 8);
            let epoch = order.epoch(0);
            let is_mixed = |batch: &&[usize]| {
                let kinds = batch.iter().map(|&sample| order.sizes[sample].has_image);
                kinds.collect::<BTreeSet<_>>().len() > 1
            };
            let mixed = epoch.chunks(8).filter(is_mixed).count();
            let mixed_last = epoch.chunks(8).rev().take(2).filter(is_mixed).count();
            assert!(mixed <= 1 && mixed == mixed_last, "{len}: {epoch:?}");
        }
    }

    #[derive(Deserialize)]
    struct Original {
        by: String,
        lengths: Vec<isize>,
        megabatch: usize,
        devices: usize,
        draws: Vec<Vec<usize>>,
        order: Vec<usize>,
    }

    impl Original {
        /// The same data here.
        fn order(&self, sampler: Sampler) -> Order {
            let size = |length: &isize| SampleSize {
                length: length.unsigned_abs(),
                has_image: *length > 0,
            };
            Order {
                sizes: self.lengths.iter().map(size).collect(),
                ..order(sampler, self.lengths.len(), self.megabatch)
            }
        }

        /// The samples as it drew them, those with images first where it drew both kinds apart.
        fn drawn(&self) -> Vec<usize> {
            let [of_images, of_texts, _] = &self.draws[..] else {
                return self.draws[0].clone();
            };
            let all = 0..self.lengths.len();
            let (images, texts): (Vec<usize>, Vec<usize>) =
                all.partition(|&sample| self.lengths[sample] > 0);
            let drawn_images = of_images.iter().map(|&place| images[place]);
            let drawn_texts = of_texts.iter().map(|&place| texts[place]);
            drawn_images.chain(drawn_texts).collect()
        }
    }

    /// Given the permutations that the original drew, megabatches hold what its hold, in its order
    /// where one device takes them whole. Their own order is another draw. (By modality, text
    /// without any image comes shortest first there: its lengths are negative.)
    #[test]
    fn groups_are_those_of_the_original() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/llava-order/order.json"
        );
        let cases: Vec<Original> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(cases.len(), 10);
        for case in cases {
            let by_modality = case.by == "modality";
            let sampler = if by_modality {
                GroupedByModality
            } else {
                GroupedByLength
            };
            let ours = case.order(sampler);
            let grouped = ours.group(case.drawn(), &mut Draw { seed: 0, stage: "" }.epoch(0));

            let images = ours.sizes.iter().filter(|size| size.has_image).count();
            let texts = ours.sizes.len() - images;
            let whole = |len: usize| len - len % case.megabatch;
            let whole = if by_modality {
                whole(images) + whole(texts)
            } else {
                ours.sizes.len()
            };
            let in_any_order = case.devices > 1 || (by_modality && images == 0);
            let megabatches = |order: &[usize]| -> BTreeSet<Vec<usize>> {
                let mut batches: Vec<_> = order.chunks(case.megabatch).map(<[_]>::to_vec).collect();
                for batch in batches.iter_mut().filter(|_| in_any_order) {
                    batch.sort_unstable();
                }
                batches.into_iter().collect()
            };
            let (theirs, theirs_left) = case.order.split_at(whole);
            let (ours, ours_left) = grouped.split_at(whole);
            assert_eq!(megabatches(ours), megabatches(theirs));
            let set = |left: &[usize]| left.iter().copied().collect::<BTreeSet<_>>();
            assert_eq!(set(ours_left), set(theirs_left));
        }
    }
}
