//! Who looks at whom, as a mask.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Range;

use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::{PADDING, as_u32};
use crate::cache::Row;
use crate::native::Sight;

/// What a row of a pass may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    /// The segments of all its tokens, those of the pass the last, without padding that a cache does not keep.
    segments: &'a [u32],
    /// How many of them were there before the pass.
    past: usize,
    /// Whether all are of segment 1.
    is_plain: bool,
}

impl<'a> Seen<'a> {
    /// A row without a cache.
    pub(super) fn whole(segments: &'a Vec<u32>) -> Self {
        Self {
            segments,
            past: 0,
            is_plain: segments.iter().all(|&segment| segment == 1),
        }
    }

    /// The first slot that each of the row's tokens sees, from `from` on.
    fn first_seen(&self, from: usize, window: Option<NonZeroUsize>) -> Vec<usize> {
        if self.is_plain {
            let window = window.map_or(usize::MAX, NonZeroUsize::get);
            let slots = from..self.segments.len();
            return slots.map(|own| (own + 1).saturating_sub(window)).collect();
        }
        first_seen(self.segments, window).split_off(from)
    }
}

impl<'a> From<(&'a Row, usize)> for Seen<'a> {
    /// A row of a cache.
    fn from((row, past): (&'a Row, usize)) -> Self {
        Self {
            segments: &row.segments,
            past,
            is_plain: row.is_plain,
        }
    }
}

/// How many rows stand for all: one, if all are plain and hold as much.
fn distinct(seen: &[Seen<'_>]) -> usize {
    let first = seen.first().filter(|row| row.is_plain);
    let alike = |first: &Seen<'_>| {
        let same = |row: &Seen<'_>| {
            row.is_plain && row.past == first.past && row.segments.len() == first.segments.len()
        };
        seen.iter().all(same)
    };
    if first.is_some_and(alike) {
        1
    } else {
        seen.len()
    }
}

fn width(seen: &[Seen<'_>]) -> usize {
    let lengths = seen.iter().map(|row| row.segments.len());
    lengths.max().unwrap_or(0)
}

/// `[batch or 1, token, key]`, `true` where a query must not look; `None` where all may look
/// everywhere.
pub(super) fn mask(
    queries: &[Vec<u32>],
    seen: &[Seen<'_>],
    window: Option<NonZeroUsize>,
    device: &Device,
) -> Option<Tensor<3, Bool>> {
    let tokens = queries.first().map_or(0, Vec::len);
    let width = width(seen);
    let batch = distinct(seen);
    if batch == 1 && seen[0].is_plain && tokens == 1 && window.is_none() {
        return None;
    }
    let mut hidden = Vec::with_capacity(batch * tokens * width);
    for (queries, row) in queries.iter().zip(seen).take(batch) {
        let first = row.first_seen(row.past, window);
        for (token, &segment) in queries.iter().enumerate() {
            let own = row.past + token;
            let first = first.get(token).copied().unwrap_or(0);
            // A padding token looks at everything: its output is never read, and a row with
            // nothing to look at would be NaN.
            hidden.extend((0..width).map(|slot| {
                let key = row.segments.get(slot).copied().unwrap_or(PADDING);
                segment != PADDING && (key != segment || slot > own || slot < first)
            }));
        }
    }
    let data = TensorData::new(hidden, [batch, tokens, width]);
    Some(Tensor::from_data(data, device))
}

/// What [`mask`] says, as spans. A token of padding sees nothing.
pub(super) fn sight(
    queries: &[Vec<u32>],
    seen: &[Seen<'_>],
    window: Option<NonZeroUsize>,
) -> Sight {
    let tokens = queries.first().map_or(0, Vec::len);
    let width = width(seen);
    let batch = distinct(seen);
    let mut spans = Vec::with_capacity(batch * tokens);
    let mut is_mixed = false;
    for row in seen.iter().take(batch) {
        let first = row.first_seen(row.past, window);
        let starts = if row.is_plain {
            Vec::new()
        } else {
            runs(row.segments)
        };
        spans.extend((0..tokens).map(|token| -> Range<u32> {
            let own = row.past + token;
            match first.get(token) {
                Some(&first) if row.segments[own] != PADDING => {
                    is_mixed |= starts.get(own).is_some_and(|&start| start > first);
                    as_u32(first)..as_u32(own + 1)
                }
                _ => 0..0,
            }
        }));
    }
    let segments = is_mixed.then(|| {
        let mut keys = Vec::with_capacity(seen.len() * width);
        for row in seen {
            keys.extend(row.segments);
            keys.resize(keys.len() + width - row.segments.len(), PADDING);
        }
        [queries.concat(), keys]
    });
    Sight { spans, segments }
}

/// For each slot the first of those before it that are all of its segment.
fn runs(segments: &[u32]) -> Vec<usize> {
    let mut start = 0;
    let each = segments.iter().enumerate().map(|(slot, segment)| {
        if slot > 0 && segments[slot - 1] != *segment {
            start = slot;
        }
        start
    });
    each.collect()
}

/// For each slot of a row the first slot that it sees through a window: so many slots of its own
/// segment, itself the last of them, or all of them without one. What lies between them of other segments
/// does not count.
fn first_seen(segments: &[u32], window: Option<NonZeroUsize>) -> Vec<usize> {
    let window = window.map_or(usize::MAX, NonZeroUsize::get);
    let mut slots: HashMap<u32, Vec<usize>> = HashMap::new();
    let each = segments.iter().enumerate().map(|(slot, &segment)| {
        let own = slots.entry(segment).or_default();
        own.push(slot);
        own[own.len().saturating_sub(window)]
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What queries that are the last of `keys` see, a line each.
    fn shown(
        queries: &[Vec<u32>],
        keys: &[Vec<u32>],
        window: Option<usize>,
    ) -> Option<Vec<String>> {
        let window = window.and_then(NonZeroUsize::new);
        let seen: Vec<Seen> = keys
            .iter()
            .zip(queries)
            .map(|(keys, queries)| Seen {
                past: keys.len() - queries.len(),
                ..Seen::whole(keys)
            })
            .collect();
        let mask = mask(queries, &seen, window, &Device::flex())?;
        let [_, _, width] = mask.dims();
        let hidden: Vec<bool> = mask.into_data().try_to_vec().expect("booleans");
        let rows = hidden.chunks(width);
        Some(
            rows.map(|row| row.iter().map(|&h| if h { '.' } else { 'x' }).collect())
                .collect(),
        )
    }

    fn seen(queries: &[Vec<u32>], keys: &[Vec<u32>]) -> Option<Vec<String>> {
        shown(queries, keys, None)
    }

    #[test]
    fn packed_samples_do_not_see_each_other_and_nobody_sees_padding() {
        let row = vec![vec![1, 1, 2, 2, 0]];
        let expected = ["x....", "xx...", "..x..", "..xx.", "xxxxx"];
        assert_eq!(seen(&row, &row).expect("a mask"), expected);
    }

    #[test]
    fn rows_without_padding_share_one_causal_mask() {
        let rows = vec![vec![1, 1, 1]; 4];
        assert_eq!(seen(&rows, &rows).expect("a mask"), ["x..", "xx.", "xxx"]);
    }

    #[test]
    fn a_step_of_generation_needs_a_mask_only_where_rows_are_padded() {
        assert_eq!(seen(&[vec![1]], &[vec![1, 1, 1]]), None);
        let padded = seen(&[vec![1], vec![1]], &[vec![0, 1, 1], vec![1, 1, 1]]);
        assert_eq!(padded.expect("a mask"), [".xx", "xxx"]);
    }

    #[test]
    fn a_window_holds_so_many_tokens_of_the_own_segment_whatever_lies_around_them() {
        let seen = |queries: &[Vec<u32>], keys: &[Vec<u32>]| {
            shown(queries, keys, Some(2)).expect("a mask")
        };
        let plain = vec![vec![1; 4]; 3];
        assert_eq!(seen(&plain, &plain), ["x...", "xx..", ".xx.", "..xx"]);
        let packed = vec![vec![1, 1, 1, 2, 2, 2, 0]];
        let expected = [
            "x......", "xx.....", ".xx....", "...x...", "...xx..", "....xx.", "xxxxxxx",
        ];
        assert_eq!(seen(&packed, &packed), expected);
        let left = vec![vec![0, 1, 1, 1]];
        assert_eq!(seen(&left, &left), ["xxxx", ".x..", ".xx.", "..xx"]);
        let right = vec![vec![1, 1, 1, 0]];
        assert_eq!(seen(&right, &right), ["x...", "xx..", ".xx.", "xxxx"]);
        // A step of generation, and one after a row that was padded on the right.
        assert_eq!(seen(&[vec![1]], &[vec![1; 4]]), ["..xx"]);
        assert_eq!(seen(&[vec![1]], &[vec![1, 1, 0, 1]]), [".x.x"]);
    }
    #[test]
    fn rows_of_a_cache_see_their_own_tokens_however_many_the_others_have() {
        let row = |segments: &'static [u32], past| Seen {
            segments,
            past,
            is_plain: true,
        };
        // Three tokens after two, and one, which is padded on the right, after none.
        let queries = [vec![1, 1, 1], vec![1, 0, 0]];
        let rows = [row(&[1; 5], 2), row(&[1], 0)];
        for (window, expected) in [
            (None, [0..3, 0..4, 0..5, 0..1, 0..0, 0..0]),
            (NonZeroUsize::new(2), [1..3, 2..4, 3..5, 0..1, 0..0, 0..0]),
        ] {
            let sight = sight(&queries, &rows, window);
            assert_eq!(
                (sight.spans.as_slice(), sight.segments),
                (&expected[..], None)
            );
            let mask = mask(&queries, &rows, window, &Device::flex()).expect("a mask");
            let hidden: Vec<bool> = mask.into_data().try_to_vec().expect("booleans");
            for (query, span) in hidden.chunks(5).zip(expected) {
                let spans = (0..5).map(|slot| !span.is_empty() && !span.contains(&slot));
                assert_eq!(query, spans.collect::<Vec<_>>());
            }
        }
        assert_eq!(
            sight(&[vec![1], vec![1]], &[row(&[1; 4], 3); 2], None).spans,
            std::slice::from_ref(&(0..4))
        );
    }
}
