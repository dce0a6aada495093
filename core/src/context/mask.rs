//! Who looks at whom, as a mask.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::{PADDING, as_u32};
use crate::native::Sight;

/// `[batch or 1, token, key]`, `true` where a query must not look; `None` where all may look
/// everywhere. The queries are the last tokens of the keys.
pub(super) fn mask(
    queries: &[Vec<u32>],
    keys: &[Vec<u32>],
    window: Option<NonZeroUsize>,
    device: &Device,
) -> Option<Tensor<3, Bool>> {
    let tokens = queries.first().map_or(0, Vec::len);
    let width = keys.first().map_or(0, Vec::len);
    let past = width - tokens;
    let plain = keys.iter().flatten().all(|&segment| segment == 1);
    if plain && tokens == 1 && window.is_none() {
        return None;
    }
    // Without padding or packing all rows look alike, and one mask serves them.
    let batch = if plain { 1 } else { keys.len() };
    let mut hidden = Vec::with_capacity(batch * tokens * width);
    for (queries, keys) in queries.iter().zip(keys).take(batch) {
        let seen = window.map(|window| first_seen(keys, Some(window)));
        for (token, &segment) in queries.iter().enumerate() {
            let own = past + token;
            let first = seen.as_ref().map_or(0, |seen| seen[own]);
            // A padding token looks at everything: its output is never read, and a row with
            // nothing to look at would be NaN.
            hidden.extend(keys.iter().enumerate().map(|(slot, &key)| {
                segment != PADDING && (key != segment || slot > own || slot < first)
            }));
        }
    }
    let data = TensorData::new(hidden, [batch, tokens, width]);
    Some(Tensor::from_data(data, device))
}

/// What [`mask`] says, as spans; `None` where all may look everywhere. A token of padding sees nothing.
pub(super) fn sight(
    queries: &[Vec<u32>],
    keys: &[Vec<u32>],
    window: Option<NonZeroUsize>,
) -> Sight {
    let tokens = queries.first().map_or(0, Vec::len);
    let past = keys.first().map_or(0, Vec::len) - tokens;
    let plain = keys.iter().flatten().all(|&segment| segment == 1);
    let batch = if plain { 1 } else { keys.len() };
    let mut spans = Vec::with_capacity(batch * tokens);
    let mut is_mixed = false;
    for keys in keys.iter().take(batch) {
        let seen = first_seen(keys, window);
        let starts = runs(keys);
        spans.extend((past..past + tokens).map(|own| {
            if keys[own] == PADDING {
                return 0..0;
            }
            is_mixed |= starts[own] > seen[own];
            as_u32(seen[own])..as_u32(own + 1)
        }));
    }
    let flat = |rows: &[Vec<u32>]| rows.concat();
    Sight {
        spans,
        segments: is_mixed.then(|| [flat(queries), flat(keys)]),
    }
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

    fn seen(queries: &[Vec<u32>], keys: &[Vec<u32>]) -> Option<Vec<String>> {
        seen_over(queries, keys, None)
    }

    fn seen_over(
        queries: &[Vec<u32>],
        keys: &[Vec<u32>],
        window: Option<usize>,
    ) -> Option<Vec<String>> {
        let window = window.and_then(NonZeroUsize::new);
        let mask = mask(queries, keys, window, &Device::flex())?;
        let [_, _, width] = mask.dims();
        let hidden: Vec<bool> = mask.into_data().try_to_vec().expect("booleans");
        let rows = hidden.chunks(width);
        Some(
            rows.map(|row| row.iter().map(|&h| if h { '.' } else { 'x' }).collect())
                .collect(),
        )
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
            seen_over(queries, keys, Some(2)).expect("a mask")
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
}
