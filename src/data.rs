//! Files on disk to samples, samples to batches.
//!
//! A [`Dataset`] reads LLaVA JSON with an image folder, or tar shards or Parquet files that hold
//! both. A
//! [`SampleEncoder`] makes token ids and labels of a sample, a [`Loader`] whole batches, in worker
//! threads ahead of the step.
//! Which samples a stage's passes take follows from an [`Order`] and its [`Mix`] alone, by [`Passes`].

mod batch;
mod check;
mod dataset;
mod draw;
mod elements;
mod error;
mod images;
mod items;
pub(crate) mod json;
mod loader;
mod mix;
mod open;
mod order;
mod parquet;
mod passes;
mod prefetch;
mod record;
mod sample;
mod shard;
mod skipped;
mod unpacked;

pub use batch::{Batch, Encoded, SampleEncoder};
pub use check::{CheckProgress, Checked, Overlong, check, check_questions};
pub use dataset::{DataFile, Dataset};
#[cfg(any(feature = "train", feature = "bench"))]
pub(crate) use error::chain;
pub use error::{DataError, Fault, SampleError};
pub use loader::Loader;
pub use menagerie_core::recipe::{DataSource, DataText, OnBadSample, Sampler, Turns};
pub use mix::Mix;
pub use order::{Order, SampleSize};
pub use passes::{PassIter, Passes};
pub use prefetch::Prefetch;
pub use sample::{Conversation, ImageRef};
#[cfg(feature = "instruct")]
pub(crate) use shard::is_shard_image;
pub use skipped::Skipped;
