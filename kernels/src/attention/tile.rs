//! A tile of queries that work on the same keys.

use std::ops::{Range, RangeInclusive};

use super::seen::Seen;
use super::softmax::Mask;
use crate::isa::LANES;

/// Panels of a tile: 64 queries fill the registers of AVX-512, and their scores of a block of keys the first-level
/// cache.
pub(crate) const PANELS: usize = 4;

/// The sizes of attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) batch: usize,
    /// Heads of queries, and heads of keys: each of these serves `heads / kv_heads` of those.
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    pub(crate) features: usize,
}

impl Shape {
    pub(crate) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Tiles of a head of keys: its queries are those of its heads, token after token.
    pub(crate) fn tiles(&self) -> usize {
        self.panels().div_ceil(PANELS)
    }

    fn panels(&self) -> usize {
        (self.queries * self.group()).div_ceil(LANES)
    }

    /// The queries of a tile; all have about as many.
    pub(crate) fn tile(&self, tile: usize) -> Range<usize> {
        let (panels, tiles) = (self.panels(), self.tiles());
        let from = |tile: usize| tile * panels / tiles * LANES;
        from(tile)..from(tile + 1).min(self.queries * self.group())
    }
}

/// What the queries of a tile see. Lanes of no query see nothing.
pub(crate) struct Sight<'a> {
    first: [[u32; LANES]; PANELS],
    past: [[u32; LANES]; PANELS],
    numbers: [[u32; LANES]; PANELS],
    /// The segments of all keys of the row.
    segments: Option<&'a [u32]>,
    /// Those of the queries that see anything.
    known: RangeInclusive<u32>,
    /// Keys that any of them sees.
    keys: Range<usize>,
    /// Keys that all of them see, segments aside.
    common: Range<usize>,
}

impl<'a> Sight<'a> {
    pub(crate) fn new(seen: Seen<'a>, shape: &Shape, batch: usize, rows: Range<usize>) -> Self {
        let segments = seen.segments(batch, shape.queries, shape.keys);
        let mut sight = Self {
            first: [[0; LANES]; PANELS],
            past: [[0; LANES]; PANELS],
            numbers: [[0; LANES]; PANELS],
            segments: segments.map(|(_, keys)| keys),
            known: 0..=0,
            keys: 0..0,
            common: 0..shape.keys,
        };
        let span = |query| {
            let [first, past] = seen.span((batch, query), shape.queries, shape.keys);
            first as usize..past as usize
        };
        let mut own = Union::default();
        for (at, row) in rows.enumerate() {
            let query = row / shape.group();
            let (panel, lane) = (at / LANES, at % LANES);
            let span = span(query);
            [sight.first[panel][lane], sight.past[panel][lane]] =
                seen.span((batch, query), shape.queries, shape.keys);
            sight.common = sight.common.start.max(span.start)..sight.common.end.min(span.end);
            if let Some((queries, _)) = segments {
                sight.numbers[panel][lane] = queries[query];
            }
            own.add(span, segments.map_or(0, |(queries, _)| queries[query]));
        }
        let mut all = Union::default();
        for query in 0..shape.queries {
            all.add(
                span(query),
                segments.map_or(0, |(queries, _)| queries[query]),
            );
        }
        let begin = all.begin(sight.segments);
        // Keys are worked on in pairs, counted from the first that any query of the row sees, wherever the padding of
        // a batch has moved it.
        let start = own.begin(sight.segments).max(begin);
        sight.keys = start - (start - begin) % 2..own.keys.end;
        sight.known = own.segments;
        sight
    }

    /// Blocks of at most `most` keys, an even number, that hold all that any query sees; blocks that surely none sees
    /// are left out.
    pub(crate) fn blocks(&self, most: usize) -> impl Iterator<Item = Range<usize>> {
        let keys = self.keys.clone();
        keys.clone().step_by(most).filter_map(move |start| {
            let block = start..(start + most).min(keys.end);
            let Some(segments) = self.segments else {
                return Some(block);
            };
            segments[block.clone()]
                .iter()
                .any(|segment| self.known.contains(segment))
                .then_some(block)
        })
    }

    /// Who sees which of these keys; `None` where all see all.
    pub(crate) fn mask(&self, keys: &Range<usize>, panels: usize) -> Option<Mask<'_>> {
        let inside = self.common.start <= keys.start && keys.end <= self.common.end;
        let segments = self.segments.map(|segments| &segments[keys.clone()]);
        let alike = segments.is_none_or(|segments| {
            self.known.start() == self.known.end()
                && segments.iter().all(|segment| segment == self.known.start())
        });
        (!inside || !alike).then(|| Mask {
            start: keys.start,
            first: &self.first[..panels],
            past: &self.past[..panels],
            segments: segments
                .filter(|_| !alike)
                .map(|segments| (&self.numbers[..panels], segments)),
        })
    }
}

/// What some queries see together.
struct Union {
    keys: Range<usize>,
    segments: RangeInclusive<u32>,
}

impl Default for Union {
    fn default() -> Self {
        Self {
            keys: 0..0,
            segments: RangeInclusive::new(u32::MAX, 0),
        }
    }
}

impl Union {
    fn add(&mut self, keys: Range<usize>, segment: u32) {
        if keys.is_empty() {
            return;
        }
        self.segments = segment.min(*self.segments.start())..=segment.max(*self.segments.end());
        self.keys = if self.keys.is_empty() {
            keys
        } else {
            self.keys.start.min(keys.start)..self.keys.end.max(keys.end)
        };
    }

    /// The first key that may be seen.
    fn begin(&self, segments: Option<&[u32]>) -> usize {
        let Some(segments) = segments else {
            return self.keys.start;
        };
        let other = |segment: &&u32| !self.segments.contains(segment);
        let hidden = segments[self.keys.clone()].iter().take_while(other).count();
        self.keys.start + hidden
    }
}
