//! What a decoder's forward pass is told besides the embeddings: positions, who attends to whom,
//! and the key-value cache.

mod mask;

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::attention::{Attend, masked};
use crate::cache::KvCache;
use crate::native::{self, OnePass, Sight};
use mask::{mask, sight};

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
    reach: usize,
    /// Who sees whom over each window and without one, made by the first block that asks.
    sights: HashMap<Option<NonZeroUsize>, Arc<Sight>>,
    /// The same as masks, for devices whose attention wants one.
    masks: HashMap<Option<NonZeroUsize>, Option<Tensor<3, Bool>>>,
    /// The segments of this pass's tokens.
    segments: Vec<Vec<u32>>,
    cache: Option<KvCache>,
    shared: Option<Arc<dyn Any + Send + Sync>>,
}

impl Context {
    /// A pass over whole rows, without a cache: training and scoring.
    #[must_use]
    pub fn new(rows: &Rows, device: &Device) -> Self {
        Self {
            positions: positions(rows, device),
            reach: reach(rows),
            sights: HashMap::new(),
            masks: HashMap::new(),
            segments: rows.segments.clone(),
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
            reach: reach(rows).max(cache.capacity()),
            sights: HashMap::new(),
            masks: HashMap::new(),
            segments: rows.segments.clone(),
            cache: Some(cache),
            shared: None,
        }
    }

    /// `[batch, token]`: each token's position.
    #[must_use]
    pub fn positions(&self) -> Tensor<2, Int> {
        self.positions.clone()
    }

    /// How many positions this pass and those that continue it may reach over: one more than the
    /// greatest position, or as many as the cache has room for. It stays what it is from a prompt to
    /// the last token of its answer, so what depends on it is the same for all keys in a cache.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.reach
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

    /// Attention of block `layer`, cache and mask included; see
    /// [`attention`](crate::attention::attention) for the shapes. `query`, `key` and `value` are those
    /// of this pass's tokens. `attend` is the scale alone, or an [`Attend`] with a window or a cap.
    pub fn attend(
        &mut self,
        layer: usize,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        attend: impl Into<Attend>,
    ) -> Tensor<4> {
        let attend = attend.into();
        let (key, value) = match &mut self.cache {
            Some(cache) => cache.append(layer, key, value),
            None => (key, value),
        };
        let window = self.window(attend.window);
        let device = query.device();
        if native::is_cpu(&device) {
            let attending = attend.over(Some(self.sight(window)));
            let given = [query.clone(), key.clone(), value.clone()];
            if let Some(attended) = native::attention(given, &attending) {
                return attended;
            }
        }
        let mask = self.mask(window, &device.inner());
        native::one_pass(OnePass::Attention, query, |query| {
            masked(query, key, value, mask, attend)
        })
    }

    /// The segments of all tokens that are seen, those of this pass the last.
    fn keys(&self) -> &[Vec<u32>] {
        let own = &*self.segments;
        self.cache.as_ref().map_or(own, KvCache::segments)
    }

    /// `window`, if it hides anything.
    fn window(&self, window: Option<NonZeroUsize>) -> Option<NonZeroUsize> {
        let width = self.keys().first().map_or(0, Vec::len);
        window.filter(|window| window.get() < width)
    }

    fn sight(&mut self, window: Option<NonZeroUsize>) -> Arc<Sight> {
        if let Some(made) = self.sights.get(&window) {
            return Arc::clone(made);
        }
        let made = Arc::new(sight(&self.segments, self.keys(), window));
        self.sights.insert(window, Arc::clone(&made));
        made
    }

    fn mask(&mut self, window: Option<NonZeroUsize>, device: &Device) -> Option<Tensor<3, Bool>> {
        if let Some(made) = self.masks.get(&window) {
            return made.clone();
        }
        let made = mask(&self.segments, self.keys(), window, device);
        self.masks.insert(window, made.clone());
        made
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

fn reach(rows: &Rows) -> usize {
    let positions = rows.positions.iter().flatten();
    positions.max().map_or(0, |&last| last as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_padding_ends_all_rows_together() {
        let rows = Rows::padded_left(&[1, 3]);
        assert_eq!(rows.segments, [[0, 0, 1], [1, 1, 1]]);
        assert_eq!(rows.positions, [[0, 0, 0], [0, 1, 2]]);
        let rows = Rows::padded_right(&[1, 3]);
        assert_eq!(rows.segments, [[1, 0, 0], [1, 1, 1]]);
    }

    fn largest(x: Tensor<4>) -> f32 {
        x.abs().max().into_scalar()
    }

    /// On a CPU rows are attended to over spans, elsewhere under a mask. Padding is left out: nobody reads it.
    #[test]
    fn spans_and_masks_say_the_same_and_so_does_a_scale_alone() {
        let device = Device::flex();
        let draw = |heads| {
            let normal = burn::tensor::Distribution::Normal(0.0, 1.0);
            Tensor::<4>::random([2, heads, 7, 8], normal, &device)
        };
        let (query, key, value) = (draw(6), draw(2), draw(2));
        for rows in [
            Rows::padded_right(&[7, 7]),
            Rows::padded_right(&[7, 4]),
            Rows::padded_left(&[7, 4]),
            Rows::packed(&[vec![3, 4], vec![2, 2]], 7),
        ] {
            let real = rows.segments.concat();
            let real = real
                .iter()
                .map(|&segment| f32::from(u8::from(segment != PADDING)));
            let real = TensorData::new(real.collect::<Vec<_>>(), [2, 1, 7, 1]);
            let real: Tensor<4> = Tensor::from_data(real, &device);
            let attended = |attend: Attend| {
                let (q, k, v) = (query.clone(), key.clone(), value.clone());
                Context::new(&rows, &device).attend(0, q, k, v, attend) * real.clone()
            };
            let under_a_mask = |attend: Attend| {
                let (q, k, v) = (query.clone(), key.clone(), value.clone());
                let mask = mask(&rows.segments, &rows.segments, attend.window, &device);
                masked(q, k, v, mask, attend) * real.clone()
            };
            let plain = Attend::from(0.3);
            let narrow = plain.window(NonZeroUsize::new(2));
            let capped = plain.soft_cap(Some(1.0));
            for attend in [plain, narrow, capped, narrow.soft_cap(Some(1.0))] {
                let off = largest(attended(attend) - under_a_mask(attend));
                assert!(off < 1e-6, "{attend:?}: {off}");
            }
            assert!(largest(attended(plain) - attended(narrow)) > 0.01);
            let wide = attended(plain.window(NonZeroUsize::new(7)));
            assert_eq!(largest(attended(plain) - wide), 0.0);
        }
    }

    #[test]
    fn a_pass_reaches_over_its_positions_or_over_the_room_of_its_cache() {
        let rows = Rows::padded_left(&[2, 5]);
        assert_eq!(Context::new(&rows, &Device::flex()).reach(), 5);
        let cache = KvCache::new(1, 12);
        let context = Context::with_cache(&rows, cache, &Device::flex());
        assert_eq!(context.reach(), 12);
    }
}
