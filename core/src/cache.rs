//! The key-value cache, whose rows have lengths of their own.

mod write;

use std::ops::Range;

use burn::tensor::{DType, Tensor};

use crate::context::PADDING;
use write::Place;

/// Keys and values of the tokens a decoder has seen, for every block.
///
/// Each block's buffers are allocated at its first [`KvCache::append`] for the whole capacity, and later tokens are
/// written into them in place. A row holds its own tokens one after another from its first slot, however many the
/// other rows hold; padding at the end of a pass is not kept.
#[derive(Debug, Clone)]
pub struct KvCache {
    capacity: usize,
    /// None: that of the first keys.
    dtype: Option<DType>,
    layers: Vec<Option<Layer>>,
    rows: Vec<Row>,
    pass: Pass,
}

#[derive(Debug, Clone)]
struct Layer {
    /// `[row, kv_heads, capacity, head_dim]`
    key: Tensor<4>,
    value: Tensor<4>,
}

/// What a row holds.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Of every token.
    pub segments: Vec<u32>,
    /// Whether all tokens are of segment 1.
    pub is_plain: bool,
}

impl Row {
    fn new(capacity: usize) -> Self {
        Self {
            // So that no step of an answer allocates.
            segments: Vec::with_capacity(capacity),
            is_plain: true,
        }
    }

    fn len(&self) -> usize {
        self.segments.len()
    }

    /// Adds the tokens of a pass but the padding at its end, and tells where.
    fn extend(&mut self, segments: &[u32]) -> Range<usize> {
        let start = self.len();
        let last = segments.iter().rposition(|&segment| segment != PADDING);
        let kept = &segments[..last.map_or(0, |last| last + 1)];
        self.segments.extend(kept);
        self.is_plain &= kept.iter().all(|&segment| segment == 1);
        start..self.len()
    }
}

/// Where the tokens of the pass at hand go.
#[derive(Debug, Clone, Default)]
struct Pass {
    /// The first of its rows.
    first: usize,
    /// The slots of each of its rows.
    slots: Vec<Range<usize>>,
}

impl Pass {
    fn rows(&self) -> Range<usize> {
        self.first..self.first + self.slots.len()
    }
}

impl KvCache {
    /// An empty cache for `num_layers` blocks and at most `capacity` tokens a row.
    #[must_use]
    pub fn new(num_layers: usize, capacity: usize) -> Self {
        Self {
            capacity,
            dtype: None,
            layers: vec![None; num_layers],
            rows: Vec::new(),
            pass: Pass::default(),
        }
    }

    /// The same, with keys and values kept in `dtype` whatever they are computed in.
    #[must_use]
    pub fn of(dtype: DType, num_layers: usize, capacity: usize) -> Self {
        Self {
            dtype: Some(dtype),
            ..Self::new(num_layers, capacity)
        }
    }

    /// The same with so many rows. A cache that is not told has as many as its first pass.
    pub(crate) fn with_rows(self, rows: usize) -> Self {
        Self {
            rows: vec![Row::new(self.capacity); rows],
            ..self
        }
    }

    /// The most tokens a row that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens of the row that holds most.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.iter().map(Row::len).max().unwrap_or(0)
    }

    /// Whether no token is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of a row.
    pub(crate) fn len_of(&self, row: usize) -> usize {
        self.rows[row].len()
    }

    /// How many rows there are.
    pub(crate) fn batch(&self) -> usize {
        self.rows.len()
    }

    /// The rows of the pass at hand, and how many tokens each held before it.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (&Row, usize)> {
        let starts = self.pass.slots.iter().map(|slots| slots.start);
        self.rows[self.pass.rows()].iter().zip(starts)
    }

    /// Begins a pass over as many rows as `segments` has, from `first` on.
    pub(crate) fn begin(&mut self, first: usize, segments: &[Vec<u32>]) {
        let count = segments.len();
        if self.rows.is_empty() {
            self.rows = vec![Row::new(self.capacity); count];
        }
        assert!(
            first + count <= self.rows.len(),
            "a pass over rows {first} to {} of a cache of {}",
            first + count,
            self.rows.len()
        );
        let rows = self.rows[first..].iter_mut().zip(segments);
        let slots: Vec<Range<usize>> = rows.map(|(row, segments)| row.extend(segments)).collect();
        self.pass = Pass { first, slots };
        let len = self.len();
        assert!(
            len <= self.capacity,
            "{len} tokens in a cache of {}",
            self.capacity
        );
    }

    /// Adds `[batch, kv_heads, token, head_dim]` to block `layer` and gives all keys and values of these rows,
    /// `[batch, kv_heads, slot, head_dim]`: as many slots as the longest row has tokens, and in a shorter one
    /// what is behind its tokens means nothing.
    ///
    /// # Panics
    /// If the tokens exceed the capacity: [`Context::with_cache`](crate::Context::with_cache)
    /// checks it first.
    pub fn append(
        &mut self,
        layer: usize,
        key: Tensor<4>,
        value: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [_, heads, _, head_dim] = key.dims();
        let shape = [self.rows.len(), heads, self.capacity, head_dim];
        let dtype = self.dtype.unwrap_or(key.dtype());
        let layer = self.layers[layer].get_or_insert_with(|| Layer {
            key: Tensor::zeros(shape, (&key.device(), dtype)),
            value: Tensor::zeros(shape, (&value.device(), dtype)),
        });
        let rows = self.pass.rows();
        let width = self.rows[rows.clone()].iter().map(Row::len).max();
        let width = width.unwrap_or(0);
        let place = Place {
            first: rows.start,
            slots: &self.pass.slots,
        };
        [(&mut layer.key, key), (&mut layer.value, value)]
            .map(|(all, new)| {
                place.write(all, new);
                let all = all.clone();
                let own = if rows.len() == shape[0] {
                    all
                } else {
                    all.narrow(0, rows.start, rows.len())
                };
                own.narrow(2, 0, width)
            })
            .into()
    }

    /// Forgets what `row` holds beyond its first `tokens`.
    pub(crate) fn keep(&mut self, row: usize, tokens: usize) {
        self.rows[row].segments.truncate(tokens);
    }

    /// Makes row `to` hold the first `tokens` of row `from`.
    pub(crate) fn copy(&mut self, from: usize, to: usize, tokens: usize) {
        let source = self.rows[from].clone();
        let row = &mut self.rows[to];
        row.segments.clear();
        row.segments.extend(&source.segments[..tokens]);
        row.is_plain = source.is_plain;
        for layer in self.layers.iter_mut().flatten() {
            for all in [&mut layer.key, &mut layer.value] {
                write::copy(all, from, to, tokens);
            }
        }
    }

    /// Makes room for `rows` rows of `capacity` tokens; what is held stays.
    pub(crate) fn grow(&mut self, rows: usize, capacity: usize) {
        let (rows, capacity) = (rows.max(self.batch()), capacity.max(self.capacity));
        if (rows, capacity) == (self.batch(), self.capacity) {
            return;
        }
        let (batch, width) = (self.batch(), self.len());
        for layer in self.layers.iter_mut().flatten() {
            for all in [&mut layer.key, &mut layer.value] {
                let [_, heads, _, head_dim] = all.dims();
                let held = all.clone().narrow(2, 0, width);
                let options = (&all.device(), all.dtype());
                let larger = Tensor::zeros([rows, heads, capacity, head_dim], options);
                let place = [0..batch, 0..heads, 0..width, 0..head_dim];
                *all = larger.slice_assign(place, held);
            }
        }
        self.capacity = capacity;
        self.rows.resize_with(rows, || Row::new(capacity));
        for row in &mut self.rows {
            row.segments.reserve(capacity - row.segments.len());
        }
    }
}
