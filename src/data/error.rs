//! What can be wrong with data.

use std::path::PathBuf;

use menagerie_core::chat::TurnError;
use menagerie_core::image::ImageError;
use menagerie_core::tokens::EncodeError;
use thiserror::Error;

/// A data file, or a sample of one, that cannot be used. Causes are in
/// [`source`](std::error::Error::source).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No path is given.
    #[error("no data file is given")]
    NoFile,
    /// Neither JSON nor a shard.
    #[error(
        "{}: neither JSON nor a tar shard; the kinds are .json and .jsonl in LLaVA's format, .tar, .tar.gz and .tgz, and folders of these shards",
        .path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A folder without shards.
    #[error("{}: the folder holds no .tar, .tar.gz or .tgz", .path.display())]
    NoShard {
        /// The folder.
        path: PathBuf,
    },
    /// Broken JSON, or JSON that is not in LLaVA's format.
    #[error("{}:{line}:{column}: {reason}", .path.display())]
    Json {
        /// The file; within a shard `shard.tar/member.json`.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A broken or shortened shard.
    #[error("{}: not a whole tar archive: {reason}; make or download it again", .path.display())]
    Shard {
        /// The shard.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file without samples.
    #[error("{}: holds no sample", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A sample that cannot be used.
    #[error("{}: sample `{id}`", .path.display())]
    Sample {
        /// The file.
        path: PathBuf,
        /// The sample's id.
        id: String,
        /// What is wrong.
        source: Box<SampleError>,
    },
}

/// What is wrong with a sample.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The text that the recipe asks for is missing.
    #[error(
        "it has no `{key}`; `text` in the recipe's data says which of `conversations` and `caption` is learned"
    )]
    NoText {
        /// The key.
        key: &'static str,
    },
    /// Images in a shard without text.
    #[error("the shard holds its images but no {0}.json")]
    NoJson(String),
    /// Nothing to learn from.
    #[error("no turn by `gpt` has text, so nothing is learned from it; answer it or leave it out")]
    NoAnswer,
    /// Turns that do not alternate.
    #[error(transparent)]
    Turns(#[from] TurnError),
    /// Markers and images do not match.
    #[error(
        "its text has {markers} `<image>`, but it has {images} images; there must be one for each"
    )]
    ImageCount {
        /// `<image>`s in the text.
        markers: usize,
        /// Images it names or brings.
        images: usize,
    },
    /// Images are named, but no folder is.
    #[error(
        "its image `{0}` lies in no folder; name it with `images` in the recipe's data, or with --images"
    )]
    NoImageFolder(String),
    /// An image file cannot be read.
    #[error("cannot read image {}", .path.display())]
    ImageFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An image cannot be decoded.
    #[error("image {name}")]
    Image {
        /// The file, or the member of the shard.
        name: String,
        /// Why.
        source: ImageError,
    },
    /// The text cannot be tokenised.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
