//! All samples of a data source.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use menagerie_core::chat::Turn;
use menagerie_core::hex::hex;
use menagerie_core::recipe::DataSource;
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{DataError, SampleError};
use super::json::{Record, read_records};
use super::order::SampleSize;
use super::sample::{Conversation, ImageRef, conversations};
use super::shard::read_shard;

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

/// All samples of one or more [`DataSource`]s, in the order of their files. Texts are held in memory;
/// images stay on disk, but for those of compressed shards.
#[derive(Debug)]
pub struct Dataset {
    files: Vec<DataFile>,
    samples: Vec<Conversation>,
    /// The samples of each source.
    sets: Vec<Range<usize>>,
}

struct Loaded {
    file: DataFile,
    samples: Vec<Conversation>,
}

impl Dataset {
    /// Reads and checks the text of all samples. Opens no image; see
    /// [`check_images`](Self::check_images).
    ///
    /// # Errors
    /// A file that is missing, broken, empty or of an unknown kind, or a sample without text or
    /// answer, with turns that do not alternate, or with more or fewer `<image>`s than images.
    pub fn open(source: &DataSource) -> Result<Self, DataError> {
        Self::open_all(std::slice::from_ref(source))
    }

    /// As [`open`](Self::open), several sources one after the other.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_all(sources: &[DataSource]) -> Result<Self, DataError> {
        let mut paths = Vec::new();
        for (set, source) in sources.iter().enumerate() {
            let files = files(&source.paths)?.into_iter();
            paths.extend(files.map(|path| (set, path)));
        }
        let loaded = paths
            .par_iter()
            .enumerate()
            .map(|(file, (set, path))| Ok((*set, load(path, file, &sources[*set])?)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut dataset = Self {
            files: Vec::new(),
            samples: Vec::new(),
            sets: Vec::new(),
        };
        let mut loaded = loaded.into_iter().peekable();
        for set in 0..sources.len() {
            let first = dataset.samples.len();
            while let Some((_, loaded)) = loaded.next_if(|(of, _)| *of == set) {
                dataset.files.push(loaded.file);
                dataset.samples.extend(loaded.samples);
            }
            dataset.sets.push(first..dataset.samples.len());
        }
        Ok(dataset)
    }

    /// The samples of each source.
    #[must_use]
    pub fn sets(&self) -> &[Range<usize>] {
        &self.sets
    }

    /// How long every sample is and whether it has images, an image taking `visual_tokens`. Words
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

    /// Looks for every image file that a sample names, without opening it.
    ///
    /// # Errors
    /// The first that is missing.
    pub fn check_images(&self) -> Result<(), DataError> {
        self.samples.par_iter().try_for_each(|sample| {
            let missing = sample.images.iter().find_map(|image| match image {
                ImageRef::File { name, path: None } => {
                    Some(SampleError::NoImageFolder(name.clone()))
                }
                ImageRef::File {
                    path: Some(path), ..
                } => path.metadata().err().map(|source| SampleError::ImageFile {
                    path: path.clone(),
                    source,
                }),
                _ => None,
            });
            missing.map_or(Ok(()), |error| Err(self.error(sample, error)))
        })
    }

    /// The bytes of an image file, as it is encoded.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    pub fn image<'a>(&self, image: &'a ImageRef) -> Result<Cow<'a, [u8]>, SampleError> {
        let unreadable = |path: PathBuf| |source| SampleError::ImageFile { path, source };
        match image {
            ImageRef::Bytes { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            ImageRef::File { name, path: None } => Err(SampleError::NoImageFolder(name.clone())),
            ImageRef::File {
                path: Some(path), ..
            } => std::fs::read(path)
                .map(Cow::Owned)
                .map_err(unreadable(path.clone())),
            ImageRef::Member {
                name,
                file,
                offset,
                len,
            } => {
                let shard = &self.files[*file].path;
                read_part(shard, *offset, *len)
                    .map(Cow::Owned)
                    .map_err(unreadable(shard.join(name)))
            }
        }
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

fn is_shard(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    [".tar", ".tar.gz", ".tgz"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// The paths with each folder replaced by the shards in it, sorted.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |source| DataError::Read {
            path: path.clone(),
            source,
        };
        let entries = path.read_dir().map_err(unreadable)?;
        let mut shards = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unreadable)?.path();
            if is_shard(&entry) {
                shards.push(entry);
            }
        }
        if shards.is_empty() {
            return Err(DataError::NoShard { path: path.clone() });
        }
        shards.sort_unstable();
        files.extend(shards);
    }
    if files.is_empty() {
        return Err(DataError::NoFile);
    }
    Ok(files)
}

fn load(path: &Path, file: usize, source: &DataSource) -> Result<Loaded, DataError> {
    let unreadable = |source| DataError::Read {
        path: path.to_owned(),
        source,
    };
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let (records, data_file) = if is_shard(path) {
        let found = read_shard(path, file)?;
        let data_file = DataFile {
            path: path.to_owned(),
            sha256: found.sha256,
            bytes: found.bytes,
        };
        (found.samples, data_file)
    } else if ["json", "jsonl", "ndjson"]
        .iter()
        .any(|known| extension == *known)
    {
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let data_file = DataFile {
            path: path.to_owned(),
            sha256: hex(&Sha256::digest(&bytes)),
            bytes: bytes.len() as u64,
        };
        let records = read_records(path, &bytes)?;
        let records = records.into_iter().enumerate();
        let records = records.map(|(number, record)| {
            let images = named_images(&record, source.images.as_deref());
            (number.to_string(), record, images)
        });
        (records.collect(), data_file)
    } else {
        return Err(DataError::Kind {
            path: path.to_owned(),
        });
    };
    let mut samples = Vec::new();
    for (key, record, images) in records {
        let id = record.id().unwrap_or(key);
        let made = conversations(&id, record, images, file, source.text, source.turns);
        samples.extend(made.map_err(|source| DataError::Sample {
            path: path.to_owned(),
            id,
            source: Box::new(source),
        })?);
    }
    if samples.is_empty() {
        return Err(DataError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(Loaded {
        file: data_file,
        samples,
    })
}

fn named_images(record: &Record, folder: Option<&Path>) -> Vec<ImageRef> {
    let names = record.images().into_iter();
    names
        .map(|name| ImageRef::File {
            path: folder.map(|folder| folder.join(&name)),
            name,
        })
        .collect()
}
