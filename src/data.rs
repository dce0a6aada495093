//! Files on disk to samples, samples to batches.
//!
//! A [`Dataset`] reads LLaVA JSON with an image folder, or tar shards that hold both. A
//! [`SampleEncoder`] makes token ids and labels of a sample, a [`Loader`] whole batches, in worker
//! threads ahead of the step.
//! Which samples a stage's passes take follows from an [`Order`] and its [`Mix`] alone, by [`Passes`].

mod batch;
mod dataset;
mod draw;
mod error;
mod images;
mod json;
mod loader;
mod mix;
mod order;
mod passes;
mod prefetch;
mod sample;
mod shard;

pub use batch::{Batch, Encoded, SampleEncoder};
pub use dataset::{DataFile, Dataset};
pub use error::{DataError, SampleError};
pub use loader::Loader;
pub use menagerie_core::recipe::{DataSource, DataText, Sampler, Turns};
pub use mix::Mix;
pub use order::{Order, SampleSize};
pub use passes::{PassIter, Passes};
pub use prefetch::Prefetch;
pub use sample::{Conversation, ImageRef};
