//! How long things are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::by_type::ByType;
use crate::instruct::review::example::Kind;

/// The most bars of a histogram; what is longer is in the last one.
const BINS: usize = 24;

/// Lengths, all of them counted.
#[derive(Debug, Default)]
pub(super) struct LengthCounts(BTreeMap<usize, ByType>);

/// A few numbers about lengths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// The smallest length that at least half of them do not exceed.
    pub median: usize,
    /// The smallest length that at least nine in ten of them do not exceed.
    pub p90: usize,
    /// The longest.
    pub max: usize,
}

/// A bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Bin {
    /// The shortest length of it.
    pub from: usize,
    /// The longest length of it.
    pub to: usize,
    /// How many there are, by type.
    pub count: ByType,
}

/// How long things are: in numbers, by type, and as a histogram.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Lengths {
    /// Of all types.
    pub all: Summary,
    /// Of each type that there is.
    pub by_type: BTreeMap<Kind, Summary>,
    /// Bars of one width, ascending and without gaps. The last one holds all that is longer too, so its
    /// `to` is the longest of all.
    pub histogram: Vec<Bin>,
}

impl LengthCounts {
    pub(super) fn add(&mut self, kind: Kind, length: usize) {
        self.0.entry(length).or_default().add(kind);
    }

    pub(super) fn finish(&self) -> Lengths {
        let kinds = Kind::ALL.into_iter();
        let by_type = kinds.map(|kind| (kind, self.summary(|count| count.of(kind))));
        Lengths {
            all: self.summary(ByType::total),
            by_type: by_type.filter(|(_, summary)| summary.count > 0).collect(),
            histogram: self.histogram(),
        }
    }

    fn summary(&self, of: impl Fn(&ByType) -> usize) -> Summary {
        let counts = self.0.iter().map(|(length, count)| (*length, of(count)));
        let counts: Vec<(usize, usize)> = counts.filter(|(_, count)| *count > 0).collect();
        let count: usize = counts.iter().map(|(_, count)| count).sum();
        let Some(&(max, _)) = counts.last() else {
            return Summary::default();
        };
        let sum: usize = counts.iter().map(|(length, count)| length * count).sum();
        Summary {
            count,
            mean: sum as f64 / count as f64,
            median: reached(&counts, (count * 5).div_ceil(10)),
            p90: reached(&counts, (count * 9).div_ceil(10)),
            max,
        }
    }

    fn histogram(&self) -> Vec<Bin> {
        let (Some((&first, _)), Some((&longest, _))) =
            (self.0.first_key_value(), self.0.last_key_value())
        else {
            return Vec::new();
        };
        let counts: Vec<(usize, usize)> = self
            .0
            .iter()
            .map(|(length, count)| (*length, count.total()))
            .collect();
        let all: usize = counts.iter().map(|(_, count)| count).sum();
        // A few that are very long would leave the others a single bar.
        let usual = reached(&counts, (all * 99).div_ceil(100));
        let width = width((usual - first + 1).div_ceil(BINS));
        let begin = first / width * width;
        let bars = ((usual - begin) / width + 1).min(BINS);
        let mut bins: Vec<Bin> = (0..bars)
            .map(|number| Bin {
                from: begin + number * width,
                to: begin + (number + 1) * width - 1,
                count: ByType::default(),
            })
            .collect();
        for (length, count) in &self.0 {
            let number = ((length - begin) / width).min(bars - 1);
            bins[number].count.add_all(count);
        }
        let last = &mut bins[bars - 1];
        last.to = last.to.max(longest);
        bins
    }
}

/// The length at which that many, counted from the shortest, are reached.
fn reached(counts: &[(usize, usize)], rank: usize) -> usize {
    let mut passed = 0;
    let found = counts.iter().find(|(_, count)| {
        passed += count;
        passed >= rank
    });
    found.map_or(0, |(length, _)| *length)
}

/// The least round number that is no less than `least`.
fn width(least: usize) -> usize {
    let mut power = 1;
    loop {
        let round = [1, 2, 5].map(|factor| factor * power);
        if let Some(width) = round.into_iter().find(|width| *width >= least) {
            return width;
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(of: &[(usize, usize)]) -> Lengths {
        let mut counts = LengthCounts::default();
        for &(length, times) in of {
            (0..times).for_each(|_| counts.add(Kind::Detail, length));
        }
        counts.finish()
    }

    #[test]
    fn median_and_p90_are_lengths_that_occur() {
        let all = lengths(&[(1, 1), (2, 1), (3, 1), (10, 1)]).all;
        // The second of four; the fourth, as three are less than 3.6.
        assert_eq!((all.median, all.p90, all.max, all.mean), (2, 10, 10, 4.0));
        let all = lengths(&[(4, 9), (100, 1)]).all;
        assert_eq!((all.median, all.p90, all.max, all.mean), (4, 4, 100, 13.6));
        assert_eq!(lengths(&[]).all, Summary::default());
        assert_eq!(lengths(&[]).histogram, []);
    }

    #[test]
    fn bars_have_no_gaps_and_the_last_holds_what_is_far_off() {
        let lengths = lengths(&[(7, 30), (12, 60), (31, 59), (5000, 1)]);
        let bins: Vec<_> = lengths
            .histogram
            .iter()
            .map(|bin| (bin.from, bin.to, bin.count.total()))
            .collect();
        // 31 - 7 + 1 lengths in 24 bars: two a bar.
        assert_eq!(bins.first(), Some(&(6, 7, 30)));
        assert_eq!(bins.last(), Some(&(30, 5000, 60)));
        assert_eq!(bins[3], (12, 13, 60));
        assert!(bins.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
        assert_eq!(bins.iter().map(|bin| bin.2).sum::<usize>(), 150);
    }

    #[test]
    fn types_are_kept_apart() {
        let mut counts = LengthCounts::default();
        counts.add(Kind::Conversation, 3);
        counts.add(Kind::Reasoning, 9);
        let lengths = counts.finish();
        assert_eq!(lengths.all.count, 2);
        let of: Vec<_> = lengths
            .by_type
            .iter()
            .map(|(kind, of)| (*kind, of.max))
            .collect();
        assert_eq!(of, [(Kind::Conversation, 3), (Kind::Reasoning, 9)]);
    }
}
