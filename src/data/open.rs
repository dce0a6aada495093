//! From files to samples.

use std::path::{Path, PathBuf};

use menagerie_core::recipe::{DataSource, OnBadSample};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::dataset::{DataFile, Dataset};
use super::error::DataError;
use super::json;
use super::parquet::{ImagePages, is_parquet, read_parquet};
use super::record::{Found, conversations};
use super::sample::{Conversation, ImageRef};
use super::shard::{is_shard, read_shard};
use super::skipped::Skipped;
use super::unpacked::Unpacked;
use crate::hash::sha256;

/// What was found in a file.
#[derive(Debug, Default)]
struct Loaded {
    samples: Vec<Conversation>,
    left_out: Vec<Skipped>,
    pages: Option<ImagePages>,
}

impl Dataset {
    /// Reads and checks the text of all samples. Opens no image; see
    /// [`check_images`](Self::check_images).
    ///
    /// With [`OnBadSample::Skip`] a sample that cannot be used is left out; see
    /// [`left_out`](Self::left_out).
    ///
    /// # Errors
    /// A file that is missing, broken, empty or of an unknown kind, or a sample without text or
    /// answer, with turns that do not alternate, or with more or fewer `<image>`s than images.
    pub fn open(source: &DataSource) -> Result<Self, DataError> {
        Self::open_all(std::slice::from_ref(source))
    }

    /// As [`open`](Self::open), several sources one after the other. What becomes of bad samples is
    /// the same for all: what the first says.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_all(sources: &[DataSource]) -> Result<Self, DataError> {
        let on_bad_sample = sources.first().map(|source| source.on_bad_sample);
        let skip = on_bad_sample == Some(OnBadSample::Skip);
        let (mut dataset, faults) = Self::gather(sources, skip)?;
        if let Some((_, error)) = faults.into_iter().next() {
            return Err(error);
        }
        if let (true, Some(first)) = (dataset.is_empty(), dataset.left_out.first()) {
            return Err(DataError::AllBad {
                samples: dataset.left_out.len(),
                first: format!(
                    "`{}` of {}: {}",
                    first.id,
                    first.file.display(),
                    first.reason
                ),
            });
        }
        let hashes: Result<Vec<String>, DataError> = dataset
            .files
            .par_iter()
            .map(|file| sha256(&file.path).map_err(|source| unreadable(&file.path, source)))
            .collect();
        for (file, hash) in dataset.files.iter_mut().zip(hashes?) {
            file.sha256 = hash;
        }
        Ok(dataset)
    }

    /// The usable samples of all usable files, whose hashes are not taken; with the others, each
    /// file with its error. Unless bad samples are left out, one makes its file unusable.
    pub(super) fn gather(
        sources: &[DataSource],
        leave_out: bool,
    ) -> Result<(Self, Vec<(PathBuf, DataError)>), DataError> {
        let mut paths = Vec::new();
        for source in sources {
            paths.extend(files(&source.paths)?.into_iter().map(|path| (source, path)));
        }
        let unpacked = Unpacked::default();
        let loaded: Vec<Result<Loaded, DataError>> = paths
            .par_iter()
            .enumerate()
            .map(|(number, (source, path))| {
                File {
                    path,
                    number,
                    source,
                    leave_out,
                }
                .load(&unpacked)
            })
            .collect();
        let mut dataset = Self {
            on_bad_sample: sources
                .first()
                .map(|source| source.on_bad_sample)
                .unwrap_or_default(),
            unpacked,
            sets: vec![0..0; sources.len()],
            ..Self::default()
        };
        let mut faults = Vec::new();
        let mut ends = vec![0; sources.len()];
        for ((source, path), loaded) in paths.into_iter().zip(loaded) {
            let loaded = loaded.unwrap_or_else(|error| {
                faults.push((path.clone(), error));
                Loaded::default()
            });
            dataset.files.push(DataFile {
                bytes: path.metadata().map_or(0, |metadata| metadata.len()),
                sha256: String::new(),
                path,
            });
            dataset.folders.push(source.images.clone());
            dataset.samples.extend(loaded.samples);
            dataset.left_out.extend(loaded.left_out);
            dataset.pages.push(loaded.pages);
            let set = sources.iter().position(|other| std::ptr::eq(other, source));
            ends[set.unwrap_or(0)] = dataset.samples.len();
        }
        let mut first = 0;
        for (set, end) in dataset.sets.iter_mut().zip(ends) {
            *set = first..end.max(first);
            first = set.end;
        }
        dataset.samples.shrink_to_fit();
        Ok((dataset, faults))
    }
}

/// The paths with each folder replaced by the shards and Parquet files in it, sorted.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = path.read_dir().map_err(|source| unreadable(path, source))?;
        let mut shards = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(path, source))?.path();
            if is_shard(&entry) || is_parquet(&entry) {
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

fn unreadable(path: &Path, source: std::io::Error) -> DataError {
    DataError::Read {
        path: path.to_owned(),
        source,
    }
}

/// A file that is to be read.
struct File<'s> {
    path: &'s Path,
    number: usize,
    source: &'s DataSource,
    leave_out: bool,
}

impl File<'_> {
    fn load(&self, unpacked: &Unpacked) -> Result<Loaded, DataError> {
        let (path, number) = (self.path, self.number);
        let mut loaded = Loaded::default();
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        if is_shard(path) {
            for (key, found) in read_shard(path, number, unpacked)? {
                self.take(&mut loaded, key, found)?;
            }
        } else if is_parquet(path) {
            let mut take = |key, found| self.take(&mut loaded, key, found);
            let pages = read_parquet(path, number, self.source.text, &mut take)?;
            loaded.pages = pages;
        } else if ["json", "jsonl", "ndjson"]
            .iter()
            .any(|known| extension == *known)
        {
            for (place, record) in json::records(path)?.enumerate() {
                let found = record?.map(|mut record| {
                    let names = std::mem::take(&mut record.images).into_iter();
                    let images = names
                        .map(|name| ImageRef::File { name, file: number })
                        .collect();
                    (record, images)
                });
                self.take(&mut loaded, place.to_string(), found)?;
            }
        } else {
            return Err(DataError::Kind {
                path: path.to_owned(),
            });
        }
        if loaded.samples.is_empty() && loaded.left_out.is_empty() {
            return Err(DataError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(loaded)
    }

    /// Adds the samples of a record, whose place in its file is `key`, or notes why it has none.
    fn take(&self, loaded: &mut Loaded, key: String, found: Found) -> Result<(), DataError> {
        let mut id = key;
        let made = found.and_then(|(mut record, images)| {
            id = record.id.take().unwrap_or_else(|| std::mem::take(&mut id));
            let (text, turns) = (self.source.text, self.source.turns);
            conversations(&id, record, images, self.number, text, turns).map_err(|source| {
                DataError::Sample {
                    path: self.path.to_owned(),
                    id: id.clone(),
                    source: Box::new(source),
                }
            })
        });
        match made {
            Ok(samples) => loaded.samples.extend(samples),
            Err(error) => {
                let skipped = Skipped::of(&error, self.path.to_owned(), &id);
                match skipped.filter(|_| self.leave_out) {
                    Some(skipped) => loaded.left_out.push(skipped),
                    None => return Err(error),
                }
            }
        }
        Ok(())
    }
}
