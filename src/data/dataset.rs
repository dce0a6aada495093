//! All samples of a data source.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use menagerie_core::chat::Turn;
use menagerie_core::recipe::OnBadSample;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use super::error::{DataError, SampleError};
use super::order::SampleSize;
use super::parquet::{ImagePages, PageCache};
use super::sample::{Conversation, ImageRef};
use super::skipped::Skipped;
use super::unpacked::Unpacked;
use crate::hash::sha256;

/// A file of a dataset, for the manifest of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DataFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl DataFile {
    /// A file as it is now. A folder has no hash.
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = path.metadata()?;
        let sha256 = if metadata.is_file() {
            sha256(path)?
        } else {
            String::new()
        };
        Ok(Self {
            path: path.to_owned(),
            sha256,
            bytes: metadata.len(),
        })
    }
}

/// All samples of one or more [`DataSource`](super::DataSource)s, in the order of their files. Texts
/// are held in memory; images stay on disk.
#[derive(Debug, Default)]
pub struct Dataset {
    pub(super) files: Vec<DataFile>,
    pub(super) samples: Vec<Conversation>,
    /// The samples of each source.
    pub(super) sets: Vec<Range<usize>>,
    pub(super) left_out: Vec<Skipped>,
    pub(super) on_bad_sample: OnBadSample,
    /// What the image names of each file are relative to.
    pub(super) folders: Vec<Option<PathBuf>>,
    /// The images of compressed shards, and of large Parquet pages.
    pub(super) unpacked: Unpacked,
    /// The images of each file that is Parquet and has some.
    pub(super) pages: Vec<Option<ImagePages>>,
    pub(super) cache: PageCache,
}

impl Dataset {
    /// The samples of each source.
    #[must_use]
    pub fn sets(&self) -> &[Range<usize>] {
        &self.sets
    }

    /// How long every sample is and whether it has images, each taking `visual_tokens`. Words
    /// are counted and not tokens: to tokenise a whole data set takes minutes, to count its words a
    /// second, and the original LLaVA groups by them too.
    #[must_use]
    pub fn sizes(&self, visual_tokens: usize) -> Vec<SampleSize> {
        let words = |turn: &Turn| turn.text.split_whitespace().count();
        let size = |sample: &Conversation| SampleSize {
            length: sample.turns.iter().map(words).sum::<usize>()
                + sample.images.len() * visual_tokens,
            has_image: !sample.images.is_empty(),
        };
        self.samples.par_iter().map(size).collect()
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample. An opened dataset has some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Sample `index`.
    ///
    /// # Panics
    /// `index` is [`len`](Self::len) or more.
    #[must_use]
    pub fn sample(&self, index: usize) -> &Conversation {
        &self.samples[index]
    }

    /// All samples.
    #[must_use]
    pub fn samples(&self) -> &[Conversation] {
        &self.samples
    }

    /// The data files. Images in a folder are not among them.
    #[must_use]
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// Samples that could not be used when the data was opened. They are none of
    /// [`samples`](Self::samples). Empty unless bad samples are skipped.
    #[must_use]
    pub fn left_out(&self) -> &[Skipped] {
        &self.left_out
    }

    /// What becomes of a sample that cannot be used.
    #[must_use]
    pub const fn on_bad_sample(&self) -> OnBadSample {
        self.on_bad_sample
    }

    /// Looks for every image file that a sample names, without opening it.
    ///
    /// # Errors
    /// The first that is missing.
    pub fn check_images(&self) -> Result<(), DataError> {
        self.samples.par_iter().try_for_each(|sample| {
            let mut images = sample.images.iter();
            let missing = images.find_map(|image| match image {
                ImageRef::File { name, file } => {
                    let found = self.image_path(name, *file).and_then(|path| {
                        let found = path.metadata();
                        found.map_err(|source| SampleError::ImageFile { path, source })
                    });
                    found.err()
                }
                _ => None,
            });
            missing.map_or(Ok(()), |error| Err(self.error(sample, error)))
        })
    }

    /// The bytes of an image file, as it is encoded.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    pub fn image(&self, image: &ImageRef) -> Result<Vec<u8>, SampleError> {
        let unreadable = |path: PathBuf| |source| SampleError::ImageFile { path, source };
        match image {
            ImageRef::File { name, file } => {
                let path = self.image_path(name, *file)?;
                std::fs::read(&path).map_err(unreadable(path))
            }
            ImageRef::Member {
                name,
                file,
                offset,
                len,
            } => {
                let shard = &self.files[*file].path;
                read_part(shard, *offset, *len).map_err(unreadable(shard.join(name)))
            }
            ImageRef::Unpacked { name, offset, len } => {
                let bytes = self.unpacked.read(*offset, *len);
                bytes.map_err(unreadable(name.into()))
            }
            ImageRef::Cell {
                name,
                is_path,
                file,
                group,
                place,
            } => {
                let broken = |reason: String| SampleError::ImageCell {
                    name: name.clone(),
                    reason,
                };
                let pages = self.pages.get(*file).and_then(Option::as_ref);
                let pages = pages.ok_or_else(|| broken("its file has no images".to_owned()))?;
                let found = pages.image(*file, *group, *place, &self.cache, &self.unpacked);
                match found.map_err(broken)? {
                    Some(bytes) => Ok(bytes),
                    None if *is_path => self.image(&ImageRef::File {
                        name: name.clone(),
                        file: *file,
                    }),
                    None => Err(broken("it has neither bytes nor a path".to_owned())),
                }
            }
        }
    }

    /// An image that file number `file` names.
    fn image_path(&self, name: &str, file: usize) -> Result<PathBuf, SampleError> {
        let folder = self.folders.get(file).and_then(Option::as_ref);
        let folder = folder.ok_or_else(|| SampleError::NoImageFolder(name.to_owned()))?;
        Ok(folder.join(name))
    }

    /// The file that sample `index` is from.
    pub(super) fn file_of(&self, index: usize) -> PathBuf {
        self.files[self.sample(index).file].path.clone()
    }

    /// What `error` says of sample `index`; the error itself where more than the sample is wrong.
    pub(super) fn fault(&self, index: usize, error: DataError) -> Result<Skipped, DataError> {
        Skipped::of(&error, self.file_of(index), &self.sample(index).id).ok_or(error)
    }

    /// What is wrong with a sample, with its file and id.
    pub(super) fn error(&self, sample: &Conversation, source: SampleError) -> DataError {
        DataError::Sample {
            path: self.files[sample.file].path.clone(),
            id: sample.id.clone(),
            source: Box::new(source),
        }
    }
}

/// `len` bytes of a file. It is opened anew: a dataset may have more shards than a process may hold
/// open, and threads need not wait for each other.
fn read_part(path: &Path, offset: u64, len: usize) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
