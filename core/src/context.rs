//! What a decoder's forward pass is told besides the embeddings: positions, who attends to whom,
//! and the key-value cache.

use std::any::Any;
use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::attention::attention;
use crate::cache::KvCache;

/// The segment of padding: nobody looks at it.
pub const PADDING: u32 = 0;

/// A batch of token rows of one length, each token with its position and its segment.
///
/// A token attends to the tokens of its own row and segment up to itself. So one segment a row is
/// plain causal attention, several are packed samples that do not see each other, and
/// [`PADDING`] is seen by nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Position of each token, for rotary or learned position embeddings.
    pub positions: Vec<Vec<u32>>,
    /// Segment of each token, from 1; [`PADDING`] is 0.
    pub segments: Vec<Vec<u32>>,
}

impl Rows {
    /// Rows of these lengths, padded on the right, as training lays them out.
    #[must_use]
    pub fn padded_right(lengths: &[usize]) -> Self {
        let width = lengths.iter().copied().max().unwrap_or(0);
        Self::build(
            lengths,
            |length, slot| (slot < length).then_some(slot),
            width,
        )
    }

    /// Rows of these lengths, padded on the left, so that all rows end at the same slot and
    /// generation appends to all of them at once.
    #[must_use]
    pub fn padded_left(lengths: &[usize]) -> Self {
        let width = lengths.iter().copied().max().unwrap_or(0);
        Self::build(
            lengths,
            |length, slot| slot.checked_sub(width - length),
            width,
        )
    }

    /// Rows that hold several samples of these lengths one after the other, each a segment of its
    /// own with positions from 0, padded on the right to `width`.
    #[must_use]
    pub fn packed(rows: &[Vec<usize>], width: usize) -> Self {
        let filled = |mut row: Vec<u32>| {
            row.resize(width, PADDING);
            row
        };
        let positions =
            |row: &Vec<usize>| row.iter().flat_map(|&length| 0..as_u32(length)).collect();
        let segments = |row: &Vec<usize>| {
            let numbered = row.iter().zip(1..);
            numbered
                .flat_map(|(&length, segment)| std::iter::repeat_n(segment, length))
                .collect()
        };
        Self {
            positions: rows.iter().map(positions).map(filled).collect(),
            segments: rows.iter().map(segments).map(filled).collect(),
        }
    }

    fn build(
        lengths: &[usize],
        position: impl Fn(usize, usize) -> Option<usize>,
        width: usize,
    ) -> Self {
        let place = |length: usize, slot: usize| position(length, slot);
        let rows = |value: &dyn Fn(Option<usize>) -> u32| -> Vec<Vec<u32>> {
            lengths
                .iter()
                .map(|&length| (0..width).map(|slot| value(place(length, slot))).collect())
                .collect()
        };
        Self {
            positions: rows(&|place| place.map_or(0, as_u32)),
            segments: rows(&|place| u32::from(place.is_some())),
        }
    }

    fn batch(&self) -> usize {
        self.segments.len()
    }

    fn width(&self) -> usize {
        self.segments.first().map_or(0, Vec::len)
    }
}

fn as_u32(value: usize) -> u32 {
    u32::try_from(value).expect("a sequence is shorter than 2^32 tokens")
}

/// What a decoder's forward pass is told besides the embeddings.
#[derive(Debug)]
pub struct Context {
    positions: Tensor<2, Int>,
    mask: Option<Tensor<3, Bool>>,
    cache: Option<KvCache>,
    shared: Option<Arc<dyn Any + Send + Sync>>,
}

impl Context {
    /// A pass over whole rows, without a cache: training and scoring.
    #[must_use]
    pub fn new(rows: &Rows, device: &Device) -> Self {
        Self {
            positions: positions(rows, device),
            mask: mask(&rows.segments, &rows.segments, device),
            cache: None,
            shared: None,
        }
    }

    /// A pass that continues what `cache` holds and adds its own keys and values to it.
    #[must_use]
    pub fn with_cache(rows: &Rows, mut cache: KvCache, device: &Device) -> Self {
        cache.extend_segments(&rows.segments);
        Self {
            positions: positions(rows, device),
            mask: mask(&rows.segments, cache.segments(), device),
            cache: Some(cache),
            shared: None,
        }
    }

    /// `[batch, token]`: each token's position.
    #[must_use]
    pub fn positions(&self) -> Tensor<2, Int> {
        self.positions.clone()
    }

    /// What the blocks of a pass share, such as the angles of rotary positions: made by the first
    /// block that asks, and kept for the others. There is one value for a pass; a decoder that
    /// shares more puts it into one type.
    pub fn shared<T: Send + Sync + 'static>(&mut self, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        let held = self.shared.clone().and_then(|held| held.downcast().ok());
        held.unwrap_or_else(|| {
            let value = Arc::new(make(self));
            self.shared = Some(Arc::clone(&value) as _);
            value
        })
    }

    /// Attention of block `layer`, cache and mask included; see [`attention`] for the shapes.
    /// `query`, `key` and `value` are those of this pass's tokens.
    pub fn attend(
        &mut self,
        layer: usize,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        scale: f64,
    ) -> Tensor<4> {
        let (key, value) = match &mut self.cache {
            Some(cache) => cache.append(layer, key, value),
            None => (key, value),
        };
        attention(query, key, value, self.mask.clone(), scale)
    }

    /// Gives the cache back, to continue with.
    #[must_use]
    pub fn into_cache(self) -> Option<KvCache> {
        self.cache
    }
}

fn positions(rows: &Rows, device: &Device) -> Tensor<2, Int> {
    let flat: Vec<i32> = rows
        .positions
        .iter()
        .flatten()
        .map(|&p| p.cast_signed())
        .collect();
    Tensor::from_data(TensorData::new(flat, [rows.batch(), rows.width()]), device)
}

/// `[batch or 1, token, key]`, `true` where a query must not look; `None` where all may look
/// everywhere. The queries are the last tokens of the keys.
fn mask(queries: &[Vec<u32>], keys: &[Vec<u32>], device: &Device) -> Option<Tensor<3, Bool>> {
    let tokens = queries.first().map_or(0, Vec::len);
    let width = keys.first().map_or(0, Vec::len);
    let past = width - tokens;
    let plain = keys.iter().flatten().all(|&segment| segment == 1);
    if plain && tokens == 1 {
        return None;
    }
    // Without padding or packing all rows look alike, and one mask serves them.
    let batch = if plain { 1 } else { keys.len() };
    let mut hidden = Vec::with_capacity(batch * tokens * width);
    for (queries, keys) in queries.iter().zip(keys).take(batch) {
        for (token, &segment) in queries.iter().enumerate() {
            // A padding token looks at everything: its output is never read, and a row with
            // nothing to look at would be NaN.
            hidden.extend(
                keys.iter().enumerate().map(|(slot, &key)| {
                    segment != PADDING && (key != segment || slot > past + token)
                }),
            );
        }
    }
    let data = TensorData::new(hidden, [batch, tokens, width]);
    Some(Tensor::from_data(data, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(queries: &[Vec<u32>], keys: &[Vec<u32>]) -> Option<Vec<String>> {
        let mask = mask(queries, keys, &Device::flex())?;
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
    fn left_padding_ends_all_rows_together() {
        let rows = Rows::padded_left(&[1, 3]);
        assert_eq!(rows.segments, [[0, 0, 1], [1, 1, 1]]);
        assert_eq!(rows.positions, [[0, 0, 0], [0, 1, 2]]);
        let rows = Rows::padded_right(&[1, 3]);
        assert_eq!(rows.segments, [[1, 0, 0], [1, 1, 1]]);
    }
}
