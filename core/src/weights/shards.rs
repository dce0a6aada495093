//! The tensors behind a path: one file, or the shards of a folder, in any format.
//!
//! A tensor's bytes are read when they are asked for, straight into the buffer that becomes the
//! parameter. Nothing is mapped, so saving over a file that is being read cannot pull it away.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use burn::tensor::TensorData;

use super::entry::Tensors;
use super::index::Index;
use super::input::{Format, Input, Problem};
use super::kind::Kind;
use super::sum::Sum;
use super::{TensorEntry, WeightError, folder};
use crate::checkpoint::{owner, respell};
use crate::component::Component;

/// The tensors of one file, or of all shards of a folder.
#[derive(Debug)]
pub struct Shards {
    path: PathBuf,
    tensors: BTreeMap<String, TensorEntry>,
    /// The files as they were when they were opened.
    stamps: BTreeMap<PathBuf, Stamp>,
}

/// What changes when a file is written anew: its length, when it was written, and, where files have
/// one, its number on the disk.
type Stamp = (u64, Option<SystemTime>, u64);

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok(), number(&metadata)))
}

#[cfg(unix)]
fn number(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_metadata: &std::fs::Metadata) -> u64 {
    0
}

impl Shards {
    /// Opens a file of weights, an index of shards, or a folder.
    ///
    /// What a file is, is read from its content: safetensors, what `torch.save` writes (both its
    /// formats, as data: no code in it runs), GGUF, or an index. Of a folder it opens the first of
    /// `model.safetensors`, `pytorch_model.bin` and `open_clip`'s names for them that is there, by its
    /// index (`model.safetensors.index.json`) if it has one; or else its only `*.gguf`.
    ///
    /// # Errors
    /// No such file, one that is damaged or of no known format, an index that names a file outside
    /// its folder or a tensor that its shard lacks.
    pub fn open(path: &Path) -> Result<Self, WeightError> {
        if path.is_dir() {
            return Self::open_file(path, &folder::model_file(path)?);
        }
        if !path.exists() {
            return Err(WeightError::NotFound {
                path: path.to_owned(),
                problem: "there is no such file or folder. If it is the name of a published model, download it, for example with `hf download`, and state its folder".to_owned(),
            });
        }
        Self::open_file(path, path)
    }

    /// Opens the first of `names` that `folder` has, by its index if it has one: for example
    /// `["adapter_model.safetensors", "adapter_model.bin"]`.
    ///
    /// # Errors
    /// A folder that has none of them, or as for [`open`](Self::open).
    pub fn open_named(folder: &Path, names: &[&str]) -> Result<Self, WeightError> {
        let file = folder::named_file(folder, names).ok_or_else(|| WeightError::NotFound {
            path: folder.to_owned(),
            problem: format!("the folder has no {}", names.join(" and no ")),
        })?;
        Self::open_file(folder, &file)
    }

    /// The file or folder opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&TensorEntry> {
        self.tensors.get(name)
    }

    /// All names and tensors, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &TensorEntry)> {
        let tensors = self.tensors.iter();
        tensors.map(|(name, entry)| (name.as_str(), entry))
    }

    /// Whether the files are still those that were opened. A file that was written anew meanwhile
    /// holds other bytes where the tensors were.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) fn check_unchanged(&self) -> Result<(), WeightError> {
        let mut files = self.stamps.iter();
        match files.find(|(file, before)| stamp(file).as_ref() != Some(before)) {
            None => Ok(()),
            Some((file, _)) => Err(WeightError::Changed(file.clone())),
        }
    }

    /// Counts the files of `other` as its own too.
    pub(super) fn draw_on(&mut self, other: &Self) {
        self.stamps.extend(other.stamps.clone());
    }

    /// Puts a tensor in place of the one of that name, or beside the others.
    pub(super) fn put(&mut self, name: String, entry: TensorEntry) {
        self.tensors.insert(name, entry);
    }

    /// These tensors as differences to those of `base`: of both that have a name the sum, computed
    /// in f32 when it is read; a projector and a tower, which a base does not have, as they are.
    ///
    /// # Errors
    /// A tensor of the decoder that `base` lacks, or one of `base` that is larger than the difference to it.
    pub fn over(mut self, base: &Self) -> Result<Self, WeightError> {
        self.draw_on(base);
        for (name, entry) in &mut self.tensors {
            let spelling = respell(name, |name| base.get(name).is_some());
            let Some(under) = spelling.and_then(|spelling| base.get(&spelling)) else {
                // A projector and a tower come with the difference; a base decoder has neither.
                let comes_whole =
                    matches!(owner(name), Some(Component::Vision | Component::Projector));
                if comes_whole || name.ends_with("rotary_emb.inv_freq") {
                    continue;
                }
                return Err(WeightError::AdapterMisses {
                    path: self.path.clone(),
                    base: base.path.clone(),
                    key: name.clone(),
                });
            };
            *entry = Sum::delta(entry, under).ok_or_else(|| WeightError::Shape {
                component: "the difference".to_owned(),
                path: base.path.clone(),
                key: name.clone(),
                expected: entry.shape.clone(),
                found: under.shape.clone(),
            })?;
        }
        Ok(self)
    }

    /// The tensor of that name with its values, floats or integers.
    ///
    /// # Errors
    /// No such tensor, one of another kind of number, or a file that cannot be read.
    pub fn data(&self, name: &str) -> Result<TensorData, WeightError> {
        let entry = self.get(name).ok_or_else(|| WeightError::NotFound {
            path: self.path.clone(),
            problem: format!("the file holds no tensor `{name}`"),
        })?;
        let dtype = entry.dtype().map_err(|dtype| WeightError::Dtype {
            path: entry.file().to_owned(),
            key: name.to_owned(),
            dtype,
        })?;
        Ok(TensorData::from_bytes_vec(
            entry.read()?,
            entry.shape.clone(),
            dtype,
        ))
    }

    /// The tensors of one file that is read already.
    pub(super) fn from_tensors(
        path: &Path,
        format: Format,
        tensors: Tensors,
    ) -> Result<Self, WeightError> {
        let mut shards = Self {
            path: path.to_owned(),
            tensors: BTreeMap::new(),
            stamps: BTreeMap::new(),
        };
        shards.add(path, format, tensors)?;
        Ok(shards)
    }

    /// Opens `file` for the user's `path`.
    fn open_file(path: &Path, file: &Path) -> Result<Self, WeightError> {
        let mut shards = Self {
            path: path.to_owned(),
            tensors: BTreeMap::new(),
            stamps: BTreeMap::new(),
        };
        let mut input = Input::open(file)?;
        let kind = Kind::of(&mut input).map_err(|problem| problem.at(file, Format::Weights))?;
        if let Kind::Index = kind {
            shards.add_indexed(file, &mut input)?;
        } else {
            shards.add_file(file, kind, &mut input)?;
        }
        Ok(shards)
    }

    /// Adds all shards that an index names, which must lie beside it.
    fn add_indexed<R: Read + Seek>(
        &mut self,
        index_file: &Path,
        input: &mut Input<R>,
    ) -> Result<(), WeightError> {
        let invalid = |problem: Problem| problem.at(index_file, Format::Index);
        let index = Index::read(input).map_err(invalid)?;
        let folder = index_file.parent().unwrap_or(Path::new(""));
        for shard in index.shards() {
            let file = folder.join(shard);
            if !file.exists() {
                return Err(WeightError::NotFound {
                    path: file,
                    problem: format!(
                        "`{}` names this file, and it is not there; the download may be incomplete",
                        index_file.display()
                    ),
                });
            }
            let mut input = Input::open(&file)?;
            match Kind::of(&mut input).map_err(|problem| problem.at(&file, Format::Weights))? {
                Kind::Index => {
                    let problem = format!("`{shard}`, which it names as a shard, is an index too");
                    return Err(invalid(problem.into()));
                }
                kind => self.add_file(&file, kind, &mut input)?,
            }
        }
        for (name, shard) in index.tensors() {
            if self
                .get(name)
                .is_none_or(|entry| entry.file() != folder.join(shard))
            {
                let problem =
                    format!("it says that `{name}` is in `{shard}`, which does not hold it");
                return Err(invalid(problem.into()));
            }
        }
        Ok(())
    }

    fn add_file<R: Read + Seek>(
        &mut self,
        path: &Path,
        kind: Kind,
        input: &mut Input<R>,
    ) -> Result<(), WeightError> {
        let format = kind.format();
        self.stamps
            .extend(stamp(path).map(|stamp| (path.to_owned(), stamp)));
        let tensors = kind
            .read(input, &path.into())
            .map_err(|problem| problem.at(path, format))?;
        self.add(path, format, tensors)
    }

    fn add(&mut self, path: &Path, format: Format, tensors: Tensors) -> Result<(), WeightError> {
        for (name, entry) in tensors {
            match self.tensors.get(&name) {
                None => {}
                Some(first) if first.file() == path => {
                    let problem = format!("it holds the tensor `{name}` twice");
                    return Err(Problem::Invalid(problem).at(path, format));
                }
                Some(first) => {
                    return Err(WeightError::Twice {
                        key: name,
                        first: first.file().to_owned(),
                        second: path.to_owned(),
                    });
                }
            }
            self.tensors.insert(name, entry);
        }
        Ok(())
    }
}
