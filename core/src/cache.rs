//! The key-value cache, allocated once.

use burn::tensor::{DType, Tensor};

/// Keys and values of the tokens a decoder has seen, for every block.
///
/// Each block's buffers are allocated at its first [`KvCache::append`] for the whole capacity, and
/// later tokens are written into them in place.
#[derive(Debug, Clone)]
pub struct KvCache {
    capacity: usize,
    /// None: that of the first keys.
    dtype: Option<DType>,
    layers: Vec<Option<Layer>>,
    segments: Vec<Vec<u32>>,
}

#[derive(Debug, Clone)]
struct Layer {
    /// `[batch, kv_heads, capacity, head_dim]`
    key: Tensor<4>,
    value: Tensor<4>,
    len: usize,
}

impl KvCache {
    /// An empty cache for `num_layers` blocks and at most `capacity` tokens a row.
    #[must_use]
    pub fn new(num_layers: usize, capacity: usize) -> Self {
        Self {
            capacity,
            dtype: None,
            layers: vec![None; num_layers],
            segments: Vec::new(),
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

    /// The most tokens a row that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.first().map_or(0, Vec::len)
    }

    /// Whether no token has been seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The segment of every token held, a row each.
    #[must_use]
    pub fn segments(&self) -> &[Vec<u32>] {
        &self.segments
    }

    pub(crate) fn extend_segments(&mut self, segments: &[Vec<u32>]) {
        if self.segments.is_empty() {
            self.segments = vec![Vec::new(); segments.len()];
        }
        assert_eq!(
            self.segments.len(),
            segments.len(),
            "a cache continues with the rows it began with"
        );
        for (row, new) in self.segments.iter_mut().zip(segments) {
            row.extend(new);
        }
        assert!(
            self.len() <= self.capacity,
            "{} tokens in a cache of {}",
            self.len(),
            self.capacity
        );
    }

    /// Adds `[batch, kv_heads, token, head_dim]` to block `layer` and gives all keys and values.
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
        let [batch, heads, tokens, head_dim] = key.dims();
        let shape = [batch, heads, self.capacity, head_dim];
        let [key, value] = [key, value].map(|new| match self.dtype {
            Some(dtype) if dtype != new.dtype() => new.cast(dtype),
            _ => new,
        });
        let layer = self.layers[layer].get_or_insert_with(|| Layer {
            key: Tensor::zeros(shape, (&key.device(), key.dtype())),
            value: Tensor::zeros(shape, (&value.device(), value.dtype())),
            len: 0,
        });
        let (start, end) = (layer.len, layer.len + tokens);
        let place = [0..batch, 0..heads, start..end, 0..head_dim];
        layer
            .key
            .inplace(|all| all.slice_assign(place.clone(), key));
        layer.value.inplace(|all| all.slice_assign(place, value));
        layer.len = end;
        (
            layer.key.clone().narrow(2, 0, end),
            layer.value.clone().narrow(2, 0, end),
        )
    }
}
