//! Matrix products on the CPU with weights in f32, bf16 and below, and what lies between products, fused.
//!
//! ```text
//! y[row, output] = Σ x[row, input] · w[output, input]
//! ```
//!
//! [`Packed`] holds `w` in the order in which a product reads it, made once when a model is loaded:
//!
//! | format | weights | activations | bits a weight |
//! | --- | --- | --- | --- |
//! | [`Format::F32`] | f32 | f32 | 32 |
//! | [`Format::Bf16`] | bf16 | rounded to bf16 | 16 |
//! | [`Format::Q8`] | 8 bits, 32 share a scale: ggml's `q8_0` | 8 bits, 32 share a scale | 8.5 |
//! | [`Format::Q4`] | 4 bits, 32 share a scale: ggml's `q4_0` | the same | 4.5 |
//! | [`Format::Q4K`] | 4 bits, 32 share a scale and a minimum: ggml's `q4_K` | the same | 4.625 |
//! | [`Format::Q6K`] | 6 bits, 16 share a scale: ggml's `q6_K` | the same | 6.5625 |
//!
//! Sums are f32. [`product()`] multiplies two matrices that are both activations, in bf16, and [`product_f32`] does so in
//! f32: what a training step needs, forward and backward.
//!
//! # Between products
//! [`Norm`], [`Activation`], [`Rotary`], [`SoftCap`], [`CrossEntropy`], [`AdamWStep`] and [`add_bias`] do in one
//! pass over memory what takes a tensor library several, each into memory of its own; they come with their
//! gradients. All are f32, write what the caller gives them, in place where that saves memory, and allocate
//! nothing but sums that threads keep. [`thin_product`] multiplies few rows with f32 weights as they lie.
//!
//! [`Attention`] is all between the projections of queries, keys and values and that of its output, forward and
//! backward, without a matrix of all scores.
//!
//! # Instructions
//! [`Level`] says what there is; the best that the processor has is found at run time. One build runs
//! everywhere.
//!
//! # The same numbers
//! Each output is summed by one thread in one order, whatever the number of threads, the number of
//! rows, or the row's place among them: a row alone gives the bits that it gives in a batch. Only [`product_f32`] promises neither.
//! Quantised products are moreover the same to the bit at every [`Level`]: their integers are exact and
//! their f32 arithmetic is stated ([`Format`]). Products of f32 and bf16 differ between levels in the rounding of
//! sums. [`Attention`] says what its results depend on.
//!
//! # NaN and infinity
//! In f32 and bf16 they spread as IEEE 754 has it, in bf16 subnormal numbers may count as zero. A quantised row of
//! activations with a NaN or an infinity gives NaN for all its outputs. Weights that are quantised:
//! [`Packed::quantise`].
//!
//! # Unsafe code
//! Of all of Menagerie it is in this crate alone, for four reasons: vector instructions, threads that
//! write columns of one matrix, the inner loops' reads without checks of bounds, and memory that is seen as numbers.

#![allow(unsafe_code)]
// Vector registers are passed between functions that must disappear into their callers.
#![allow(clippy::inline_always)]

mod activate;
mod activation;
mod adamw;
mod attention;
mod bias;
mod cross_entropy;
mod curve;
mod error;
mod float;
mod format;
mod integer;
mod isa;
mod kept;
mod level;
mod line;
mod math;
mod matrix;
mod norm;
mod outputs;
mod packed;
mod pointwise;
mod product;
mod rotary;
mod schedule;
mod scratch;
mod sink;
mod soft_cap;
mod thin;
mod vectors;

pub use activate::{Activation, Function};
pub use adamw::{AdamWStep, sum_of_squares, sum_of_squares_at};
pub use attention::{Attention, AttentionGradients, Forwarded, Heads, Products, Seen, Segments};
pub use bias::{add_bias, add_bias_at, column_sums, column_sums_at};
pub use cross_entropy::CrossEntropy;
pub use error::PackError;
pub use half::{bf16, f16};
pub use level::Level;
pub use matrix::{Element, Matrix};
pub use norm::{Norm, NormGradients};
pub use packed::{Format, Packed};
pub use product::{product, product_at, product_f32};
pub use rotary::Rotary;
pub use sink::Addends;
pub use soft_cap::SoftCap;
pub use thin::{thin_product, thin_product_at};
