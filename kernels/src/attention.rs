//! Attention on the CPU, a tile of scores at a time.

mod backward;
mod chunk;
mod decode;
mod forward;
mod pack;
mod product;
mod seen;
mod slope;
mod softmax;
mod terms;
mod tile;
mod view;

use backward::Backward;
pub use backward::{AttentionGradients, Forwarded};
use forward::Forward;
pub use seen::{Seen, Segments};
use terms::{Single, Terms};
use tile::Shape;
pub use view::Heads;
use view::Values;

use crate::level::Level;
use crate::matrix::Element;
use crate::sink::Sink;

/// What the products of attention are made of; their sums are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Products {
    /// f32.
    F32,
    /// bf16: queries, keys, values and weights are rounded, as are gradients in the backward pass. Keys and values
    /// that are bf16 are always multiplied so.
    Bf16,
}

/// `softmax(scale · q · kᵀ) · v`: scaled dot-product attention, without a matrix of all scores.
///
/// ```text
/// score[query, key] = scale · Σ q[query, feature] · k[key, feature]
/// weight[query, ·]  = softmax(cap · tanh(score / cap)) over the keys that the query sees
/// out[query, feature] = Σ weight[query, key] · v[key, feature]
/// ```
///
/// Head `h` of the queries reads head `h / (heads / kv_heads)` of the keys (grouped queries, arXiv 2305.13245).
/// Scores of 64 queries and 96 keys are held at a time, with what their softmax needs of all keys before
/// (arXiv 2205.14135); blocks of keys that none of these queries sees cost nothing.
///
/// Keys that a query does not see have no part in its result, unless their values are infinite or NaN. A query
/// that sees nothing gives zeros. A score that is infinite or NaN makes its query NaN.
///
/// # The same numbers
/// Not the number of threads, nor other rows of the batch, nor other queries change the bits of a query's result.
/// Only one query of each row, a step of generation, is computed otherwise than several are.
/// - Several queries: with products in f32 the bits depend on nothing but what the query sees. In bf16 keys are added
///   in pairs, counted from the first that any query of the row sees, so padding before it changes nothing either.
/// - One query: keys are added in chunks, counted from the first of its span. A span that begins with the first real
///   key gives what the row gives alone.
///
/// # Example
/// A step of generation that reads a cache with room for more:
/// ```
/// use menagerie_kernels::{Attention, Heads, Products, Seen, bf16};
///
/// let [batch, heads, kv_heads, length, room, head_dim] = [2, 4, 2, 10, 64, 32];
/// let queries = vec![0.5; batch * heads * head_dim];
/// let cache = vec![bf16::ONE; batch * kv_heads * room * head_dim];
/// let filled = Heads::new(
///     &cache,
///     [batch, kv_heads, length, head_dim],
///     [kv_heads * room * head_dim, room * head_dim, head_dim],
/// );
/// // The second row has three tokens of padding in front.
/// let spans = [0..10, 3..10];
/// let attention = Attention {
///     scale: 1.0 / f32::sqrt(32.0),
///     cap: None,
///     seen: Seen::Spans { spans: &spans, segments: None },
///     products: Products::Bf16,
/// };
/// let mut out = vec![0.0; batch * heads * head_dim];
/// let queries = Heads::by_token(&queries, [batch, heads, 1, head_dim]);
/// attention.forward(queries, filled, filled, &mut out, None);
/// // Weights are rounded to bf16.
/// assert!(out.iter().all(|value| (value - 1.0).abs() < 0.01));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Attention<'a> {
    /// What products of queries and keys are multiplied with, most often `1 / √head_dim`.
    pub scale: f32,
    /// Above 0; scores are squeezed into ± this (Gemma 2, arXiv 2408.00118, §2.2: 50).
    pub cap: Option<f32>,
    /// Who sees what.
    pub seen: Seen<'a>,
    /// What is multiplied.
    pub products: Products,
}

impl Attention<'_> {
    /// Attention of `queries` `[batch, heads, query, head_dim]` to `keys` and `values` `[batch, kv_heads, key,
    /// head_dim]`, written to `out` `[batch, query, heads, head_dim]`; and the logarithm of the sum of the
    /// exponentials of each query's scores to `log_sums` `[batch, heads, query]`, −∞ where it sees nothing.
    ///
    /// Runs in rayon's current pool if that is worth it, and gives the same bits with any number of threads.
    ///
    /// # Panics
    /// If sizes do not fit each other.
    pub fn forward<E: Element>(
        &self,
        queries: Heads<f32>,
        keys: Heads<E>,
        values: Heads<E>,
        out: &mut [f32],
        log_sums: Option<&mut [f32]>,
    ) {
        self.forward_at(Level::best(), queries, keys, values, out, log_sums);
    }

    /// The same with the instructions of a given level.
    ///
    /// # Panics
    /// As [`Attention::forward`], and if the processor does not have the level.
    pub fn forward_at<E: Element>(
        &self,
        level: Level,
        queries: Heads<f32>,
        keys: Heads<E>,
        values: Heads<E>,
        out: &mut [f32],
        log_sums: Option<&mut [f32]>,
    ) {
        let shape = shape(queries.shape(), keys.shape(), values.shape());
        self.seen.check(shape.batch, shape.queries, shape.keys);
        let rows = shape.batch * shape.queries * shape.heads;
        let out = Sink::new(out, rows, shape.features);
        let log_sums = log_sums.map(|log_sums| Sink::new(log_sums, rows, 1));
        let (keys, values) = (keys.any(), values.any());
        let rounded = self.products == Products::Bf16 || matches!(keys.values, Values::Bf16(_));
        let forward = Forward {
            shape,
            scale: self.scale,
            cap: self.cap,
            seen: self.seen,
            queries,
            keys,
            values,
            out,
            log_sums,
        };
        if rows > 0 && shape.features > 0 {
            on(level, rounded, &forward);
        }
    }

    /// The gradients of queries, keys and values from that of `out`, `[batch, query, heads, head_dim]`.
    ///
    /// Scores and weights are computed anew, a block at a time. Heads of keys are worked on in rayon's current pool;
    /// results have the same bits with any number of threads. A thread keeps memory for the gradients of a head's
    /// keys and values.
    ///
    /// # Panics
    /// If sizes do not fit each other.
    pub fn backward(&self, forwarded: Forwarded, gradient: &[f32], gradients: AttentionGradients) {
        self.backward_at(Level::best(), forwarded, gradient, gradients);
    }

    /// The same with the instructions of a given level.
    ///
    /// # Panics
    /// As [`Attention::backward`], and if the processor does not have the level.
    pub fn backward_at(
        &self,
        level: Level,
        forwarded: Forwarded,
        gradient: &[f32],
        gradients: AttentionGradients,
    ) {
        let Forwarded {
            queries,
            keys,
            values,
            out,
            log_sums,
        } = forwarded;
        let AttentionGradients {
            queries: d_queries,
            keys: d_keys,
            values: d_values,
        } = gradients;
        let shape = shape(queries.shape(), keys.shape(), values.shape());
        self.seen.check(shape.batch, shape.queries, shape.keys);
        let rows = shape.batch * shape.queries * shape.heads;
        let kv_rows = shape.batch * shape.keys * shape.kv_heads;
        assert_eq!(out.len(), rows * shape.features, "numbers of the output");
        assert_eq!(log_sums.len(), rows, "logarithms of sums");
        let sizes = [shape.batch, shape.heads, shape.queries, shape.features];
        let backward = Backward {
            shape,
            scale: self.scale,
            cap: self.cap,
            seen: self.seen,
            forwarded,
            keys: keys.any(),
            values: values.any(),
            gradient: Heads::by_token(gradient, sizes),
            d_queries: Sink::new(d_queries, rows, shape.features),
            d_keys: Sink::new(d_keys, kv_rows, shape.features),
            d_values: Sink::new(d_values, kv_rows, shape.features),
        };
        if shape.kv_heads > 0 && shape.features > 0 {
            on(level, self.products == Products::Bf16, &backward);
        }
    }
}

/// What is compiled for each way to make products.
trait Work {
    fn run<T: Terms>(&self, terms: T);
}

impl Work for Forward<'_> {
    fn run<T: Terms>(&self, terms: T) {
        self.forward(terms);
    }
}

impl Work for Backward<'_> {
    fn run<T: Terms>(&self, terms: T) {
        self.backward(terms);
    }
}

/// The sizes, if they fit each other.
fn shape(queries: [usize; 4], keys: [usize; 4], values: [usize; 4]) -> Shape {
    let [batch, heads, tokens, features] = queries;
    let [_, kv_heads, slots, _] = keys;
    assert!(
        keys == values && keys[0] == batch && keys[3] == features,
        "queries {queries:?}, keys {keys:?} and values {values:?}"
    );
    assert!(
        heads == 0 || (kv_heads > 0 && heads.is_multiple_of(kv_heads)),
        "{heads} heads of queries and {kv_heads} of keys"
    );
    Shape {
        batch,
        heads,
        kv_heads,
        queries: tokens,
        keys: slots,
        features,
    }
}

/// Runs with the instructions of a level.
fn on(level: Level, rounded: bool, work: &impl Work) {
    assert!(level.is_available(), "this processor has no {level}");
    #[cfg(target_arch = "x86_64")]
    {
        use crate::isa::avx2::Avx2;
        use crate::isa::avx512::{Avx512, Bf16};
        if level >= Level::Avx512Bf16
            && rounded
            && let Some(isa) = Bf16::new()
        {
            return work.run(terms::Double(isa));
        }
        if level >= Level::Avx512
            && let Some(isa) = Avx512::new()
        {
            return work.run(Single { isa, rounded });
        }
        if level >= Level::Avx2
            && let Some(isa) = Avx2::new()
        {
            return work.run(Single { isa, rounded });
        }
    }
    let isa = crate::isa::portable::Portable;
    work.run(Single { isa, rounded });
}
