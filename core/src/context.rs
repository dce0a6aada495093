//! What a decoder's forward pass is told besides the embeddings: positions, who attends to whom,
//! and the key-value cache.

mod mask;
mod reach;

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::attention::{Attend, masked};
use crate::cache::KvCache;
use crate::native::{self, OnePass, Sight};
use mask::{Seen, mask, sight};
pub(crate) use reach::Reaches;

/// Tokens of a part of a row, at most.
const PART: usize = 256;

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
    /// Parts of a row that are read into a cache one after the other: so a prompt gives the keys, the values and the
    /// last hidden state that it gives whole, and what a pass holds does not grow with it. Each part comes with the place
    /// of its tokens.
    ///
    /// On a CPU they have up to 256 tokens: products with so many take the time of their arithmetic, and not that of
    /// reading the weights. Several rows, and one on another device, are a single part.
    #[must_use]
    pub fn parts(&self, device: &Device) -> Vec<(Range<usize>, Self)> {
        let width = self.width();
        let count = match self.batch() {
            1 if native::is_cpu(device) => width.div_ceil(PART).max(1),
            _ => 1,
        };
        let cut = |part| part * width / count;
        let part = |part| {
            let tokens = cut(part)..cut(part + 1);
            let of = |row: &Vec<u32>| row[tokens.clone()].to_vec();
            let rows = Self {
                positions: self.positions.iter().map(of).collect(),
                segments: self.segments.iter().map(of).collect(),
            };
            (tokens, rows)
        };
        (0..count).map(part).collect()
    }

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
    /// What was asked of how far the pass reaches.
    asked: Mutex<Reaches>,
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
            asked: Mutex::default(),
            shared: None,
        }
    }

    /// A pass that continues what `cache` holds and adds its own keys and values to it; but for those of padding at
    /// the end of a row.
    #[must_use]
    pub fn with_cache(rows: &Rows, cache: KvCache, device: &Device) -> Self {
        let reach = reach(rows).max(cache.capacity());
        Self::over(0, rows, reach, cache, device)
    }

    /// The same over some rows of `cache`, from `first` on. This pass and those that continue it may reach over
    /// `reach` positions.
    pub(crate) fn over(
        first: usize,
        rows: &Rows,
        reach: usize,
        mut cache: KvCache,
        device: &Device,
    ) -> Self {
        cache.begin(first, &rows.segments);
        Self {
            reach,
            cache: Some(cache),
            ..Self::new(rows, device)
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
    ///
    /// Prompts are answered together, and share what they have in common, only if all that a decoder asked of it is
    /// the same for them. So ask [`Context::reaches_past`] where that is enough.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.asked().exactly();
        self.reach
    }

    /// Whether [`Context::reach`] is above `tokens`.
    #[must_use]
    pub fn reaches_past(&self, tokens: usize) -> bool {
        self.asked().past(tokens);
        self.reach > tokens
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Reaches> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// What the rows of this pass hold, its own tokens the last.
    fn seen(&self) -> Vec<Seen<'_>> {
        match &self.cache {
            Some(cache) => cache.seen().map(Seen::from).collect(),
            None => self.segments.iter().map(Seen::whole).collect(),
        }
    }

    /// `window`, if it hides anything.
    fn window(&self, window: Option<NonZeroUsize>) -> Option<NonZeroUsize> {
        let longest = match &self.cache {
            Some(cache) => cache.seen().map(|(row, _)| row.segments.len()).max(),
            None => self.segments.first().map(Vec::len),
        };
        window.filter(|window| Some(window.get()) < longest)
    }

    fn sight(&mut self, window: Option<NonZeroUsize>) -> Arc<Sight> {
        if let Some(made) = self.sights.get(&window) {
            return Arc::clone(made);
        }
        let made = Arc::new(sight(&self.segments, &self.seen(), window));
        self.sights.insert(window, Arc::clone(&made));
        made
    }

    fn mask(&mut self, window: Option<NonZeroUsize>, device: &Device) -> Option<Tensor<3, Bool>> {
        if let Some(made) = self.masks.get(&window) {
            return made.clone();
        }
        let made = mask(&self.segments, &self.seen(), window, device);
        self.masks.insert(window, made.clone());
        made
    }

    /// Gives the cache back, to continue with.
    #[must_use]
    pub fn into_cache(self) -> Option<KvCache> {
        self.cache
    }

    /// The cache, and what was asked of how far the pass reaches.
    pub(crate) fn into_parts(self) -> (Option<KvCache>, Reaches) {
        let asked = self.asked.into_inner();
        (self.cache, asked.unwrap_or_else(PoisonError::into_inner))
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
    use burn::tensor::DType;

    use super::*;
    use crate::testing::normal;

    #[test]
    fn left_padding_ends_all_rows_together() {
        let rows = Rows::padded_left(&[1, 3]);
        assert_eq!(rows.segments, [[0, 0, 1], [1, 1, 1]]);
        assert_eq!(rows.positions, [[0, 0, 0], [0, 1, 2]]);
        let rows = Rows::padded_right(&[1, 3]);
        assert_eq!(rows.segments, [[1, 0, 0], [1, 1, 1]]);
    }

    fn values(x: &Tensor<4>) -> Vec<f32> {
        x.clone().into_data().iter().collect()
    }

    fn largest(x: Tensor<4>) -> f32 {
        x.abs().max().into_scalar()
    }

    /// On a CPU rows are attended to over spans, elsewhere under a mask. Padding is left out: nobody reads it.
    #[test]
    fn spans_and_masks_say_the_same_and_so_does_a_scale_alone() {
        let device = Device::flex();
        let draw = |heads| normal([2, heads, 7, 8]);
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
                let seen: Vec<Seen> = rows.segments.iter().map(Seen::whole).collect();
                let mask = mask(&rows.segments, &seen, attend.window, &device);
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

    #[test]
    fn keys_and_values_of_rows_of_a_cache_are_those_of_these_rows_alone() {
        let device = Device::flex();
        let draw = |tokens: usize, heads| normal([3, heads, tokens, 8]);
        let (query, key, value) = (draw(9, 4), draw(9, 2), draw(9, 2));
        let lengths = [9, 4, 7];
        for attend in [0.3.into(), Attend::from(0.3).window(NonZeroUsize::new(3))] {
            let part = |of: &Tensor<4>, row: usize, tokens: std::ops::Range<usize>| {
                let row = of.clone().narrow(0, row, 1);
                row.narrow(2, tokens.start, tokens.len())
            };
            // Two passes over the last two rows, of 3 and 1 tokens and of the rest, padded on the right.
            let mut cache = KvCache::of(DType::F32, 1, 9).with_rows(3);
            let mut passes = Vec::new();
            for spans in [[0..3, 0..1], [3..4, 1..7]] {
                let tokens = spans.each_ref().map(std::ops::Range::len);
                let width = tokens[0].max(tokens[1]);
                let rows = Rows::padded_right(&tokens);
                let given = [&query, &key, &value].map(|of| {
                    let row = |(row, span): (usize, &std::ops::Range<usize>)| {
                        let [_, heads, _, _] = of.dims();
                        let rest = Tensor::ones([1, heads, width - span.len(), 8], &device);
                        let own = part(of, row + 1, span.clone());
                        if span.len() == width {
                            own
                        } else {
                            Tensor::cat(vec![own, rest], 2)
                        }
                    };
                    Tensor::cat(spans.iter().enumerate().map(row).collect(), 0)
                });
                let [q, k, v] = given;
                let mut context = Context::over(1, &rows, 9, cache, &device);
                passes.push(context.attend(0, q, k, v, attend));
                cache = context.into_cache().expect("the cache that was given");
            }
            assert_eq!([0, 1, 2].map(|row| cache.len_of(row)), [0, 4, 7]);
            let last = passes.pop().expect("two passes");
            for (row, tokens) in [(1, 1), (2, 6)] {
                let len = lengths[row];
                let all = Rows::padded_right(&[len]);
                let [q, k, v] = [&query, &key, &value].map(|of| part(of, row, 0..len));
                let alone = Context::new(&all, &device).attend(0, q, k, v, attend);
                let own = last.clone().narrow(0, row - 1, 1).narrow(2, 0, tokens);
                assert_eq!(values(&own), values(&alone.narrow(2, len - tokens, tokens)));
            }
        }
    }

    #[test]
    fn rows_are_copied_cut_and_moved_to_a_larger_cache_as_they_are() {
        let device = Device::flex();
        let numbered = |from: f32, tokens: usize| {
            let count = 2 * tokens * 4;
            let values: Vec<f32> = (0..count).map(|n| from + n as f32).collect();
            Tensor::<4>::from_data(TensorData::new(values, [1, 2, tokens, 4]), &device)
        };
        let add = |cache: KvCache, row: usize, tokens: usize, from: f32| {
            let rows = Rows::padded_right(&[tokens]);
            let mut context = Context::over(row, &rows, 8, cache, &device);
            let cache = context.cache.as_mut().expect("a cache");
            let held = cache.append(0, numbered(from, tokens), numbered(-from, tokens));
            // Copies: the cache is written over where it lies.
            let held = [held.0, held.1].map(|held| Tensor::from_data(held.into_data(), &device));
            (context.into_cache().expect("a cache"), held)
        };
        let (cache, first) = add(KvCache::of(DType::F32, 1, 6).with_rows(2), 0, 5, 100.0);
        let (mut cache, _) = add(cache, 1, 2, 900.0);
        cache.copy(0, 1, 3);
        cache.grow(3, 8);
        cache.copy(1, 2, 3);
        cache.keep(0, 4);
        for row in [0, 2] {
            let kept = cache.len_of(row);
            let (next, held) = add(cache, row, 2, 500.0);
            cache = next;
            for (held, (first, new)) in [
                (&held[0], (&first[0], numbered(500.0, 2))),
                (&held[1], (&first[1], numbered(-500.0, 2))),
            ] {
                let expected = Tensor::cat(vec![first.clone().narrow(2, 0, kept), new], 2);
                assert_eq!(values(held), values(&expected), "row {row}");
            }
        }
        assert_eq!([0, 1, 2].map(|row| cache.len_of(row)), [6, 3, 5]);
    }
}
