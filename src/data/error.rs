//! What can be wrong with data.

use std::error::Error;
use std::io::ErrorKind;
use std::path::PathBuf;

use menagerie_core::chat::TurnError;
use menagerie_core::image::ImageError;
use menagerie_core::tokens::EncodeError;
use serde::{Deserialize, Serialize};
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
    /// Neither JSON nor a shard nor Parquet.
    #[error(
        "{}: neither JSON nor a tar shard nor Parquet; the kinds are .json and .jsonl in LLaVA's format, .tar, .tar.gz and .tgz, .parquet, and folders of shards or Parquet files",
        .path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A folder without shards.
    #[error("{}: the folder holds no .tar, .tar.gz, .tgz or .parquet", .path.display())]
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
    /// The images of a compressed shard cannot be unpacked.
    #[error(
        "cannot unpack the images of {} into a temporary file; make room, name another folder in the environment's TMPDIR, or unpack the shard to a .tar, which is read where it lies",
        .path.display()
    )]
    Unpack {
        /// The shard.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A broken Parquet file, or one that is laid out in another way.
    #[error("{}: {place}{reason}", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// `column C, row N: `, as far as it is known; rows count from 0.
        place: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// Every sample is bad, where bad ones are to be skipped.
    #[error("none of the {samples} samples can be used; the first: {first}")]
    AllBad {
        /// How many there are.
        samples: usize,
        /// One of them, and what is wrong with it.
        first: String,
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
    /// A value of a Parquet file that says nothing.
    #[error("column `{column}`, row {row}: {reason}")]
    Cell {
        /// The column.
        column: String,
        /// The row of the file, from 0.
        row: usize,
        /// What is wrong and what is allowed.
        reason: String,
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
    /// Two questions of a benchmark with one id.
    #[error("another question has this id; ids tell answers apart, so each must be its own")]
    RepeatedId,
    /// A benchmark's question that ends with an answer.
    #[error("its last turn is no question; it must be the human's")]
    NoQuestion,
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
    /// An image of a Parquet file cannot be read.
    #[error("image {name}: {reason}")]
    ImageCell {
        /// Its path, or its row.
        name: String,
        /// Why.
        reason: String,
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

/// What is wrong with a bad sample, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// An image is not there.
    MissingImage,
    /// An image cannot be read or decoded.
    BrokenImage,
    /// The text cannot be used.
    Text,
    /// There is nothing to learn, or nothing is left after the cut to `max_tokens`.
    NothingToLearn,
    /// A whole file cannot be read.
    File,
}

impl Fault {
    /// Whether an image is wrong.
    pub(super) const fn is_of_image(self) -> bool {
        matches!(self, Self::MissingImage | Self::BrokenImage)
    }

    /// As it is written in JSON and said in a summary.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingImage => "missing-image",
            Self::BrokenImage => "broken-image",
            Self::Text => "text",
            Self::NothingToLearn => "nothing-to-learn",
            Self::File => "file",
        }
    }
}

impl SampleError {
    /// What is wrong with the sample; `None` if the fault lies in the recipe, as that of a template
    /// that does not fit the tokenizer does.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::NoImageFolder(_) => None,
            Self::ImageFile { source, .. } if source.kind() == ErrorKind::NotFound => {
                Some(Fault::MissingImage)
            }
            Self::ImageFile { .. } | Self::ImageCell { .. } | Self::Image { .. } => {
                Some(Fault::BrokenImage)
            }
            Self::NoText { .. }
            | Self::Cell { .. }
            | Self::NoJson(_)
            | Self::Turns(_)
            | Self::RepeatedId
            | Self::NoQuestion
            | Self::ImageCount { .. } => Some(Fault::Text),
            Self::NoAnswer => Some(Fault::NothingToLearn),
            Self::Encode(error) => match error {
                EncodeError::Unsupervised | EncodeError::CutAway { .. } => {
                    Some(Fault::NothingToLearn)
                }
                EncodeError::MissingControl { .. } | EncodeError::MissingWrap { .. } => None,
                _ => Some(Fault::Text),
            },
        }
    }
}

impl DataError {
    /// What is wrong with the sample that this error is about; `None` if it is about more than one.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Sample { source, .. } => source.fault(),
            _ => None,
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Many messages state their cause already.
        if !line.contains(&message) {
            line = format!("{line}: {message}");
        }
        cause = error.source();
    }
    line
}
