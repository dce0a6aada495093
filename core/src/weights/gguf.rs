//! GGUF, the files of llama.cpp: typed metadata and tensors, plain or quantised.

mod config;
mod header;
mod metadata;
mod value;

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use self::header::{Header, TensorInfo};
use super::entry::{Source, TensorEntry, Tensors, byte_len};
use super::ggml::{Blocks, Type};
use super::input::{Format, Input, Problem, check_overlap};
use super::kind::Kind;
use super::{Shards, WeightError, folder};

pub(crate) use self::metadata::decoder_metadata;
pub use self::value::{FromValue, Value};

/// `general.architecture` of a file whose tensors are called as the parameters here are, and that says
/// nothing of a model's sizes.
pub(crate) const OWN_ARCHITECTURE: &str = "menagerie";

/// Where tensors begin unless `general.alignment` says otherwise: at multiples of it, in bytes.
const DEFAULT_ALIGNMENT: i64 = 32;

/// A GGUF file: its metadata, and its tensors under ggml's names with their shapes in PyTorch's
/// order.
#[derive(Debug)]
pub struct Gguf {
    metadata: BTreeMap<String, Value>,
    shards: Shards,
}

impl Gguf {
    /// Opens a file.
    ///
    /// # Errors
    /// No such file, one that is not GGUF version 2 or 3, one part of several, or a tensor of a
    /// type that cannot be read.
    pub fn open(path: &Path) -> Result<Self, WeightError> {
        let mut input = Input::open(path)?;
        let file: Arc<Path> = path.into();
        let (metadata, tensors) =
            read(&mut input, &file).map_err(|problem| problem.at(path, Format::Gguf))?;
        let shards = Shards::from_tensors(path, Format::Gguf, tensors)?;
        Ok(Self { metadata, shards })
    }

    /// The GGUF file behind a path: the file itself, or the only one of a folder without other
    /// weights. Nothing if it is something else.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn find(path: &Path) -> Result<Option<Self>, WeightError> {
        let file = if path.is_dir() {
            match folder::model_file(path) {
                Ok(file) => file,
                Err(_) => return Ok(None),
            }
        } else {
            path.to_owned()
        };
        if !file.is_file() {
            return Ok(None);
        }
        let mut input = Input::open(&file)?;
        match Kind::of(&mut input) {
            Ok(Kind::Gguf) => Self::open(&file).map(Some),
            _ => Ok(None),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.shards.path()
    }

    /// Whether its tensors are called as the parameters here are, and its metadata says nothing of the
    /// model's sizes.
    pub(crate) fn is_own(&self) -> bool {
        let architecture = self.metadata.get("general.architecture");
        matches!(architecture, Some(Value::Text(name)) if name == OWN_ARCHITECTURE)
    }

    /// The tensors.
    pub fn tensors(&self) -> &Shards {
        &self.shards
    }

    /// The tensors alone.
    #[must_use]
    pub fn into_tensors(self) -> Shards {
        self.shards
    }

    /// All metadata, sorted by key.
    pub fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.metadata
    }

    /// The metadata under `key`; None if there is none.
    ///
    /// # Errors
    /// A value of another kind.
    pub fn get<'v, T: FromValue<'v>>(&'v self, key: &str) -> Result<Option<T>, WeightError> {
        let Some(value) = self.metadata.get(key) else {
            return Ok(None);
        };
        T::from_value(value)
            .map(Some)
            .ok_or_else(|| self.invalid(format!("`{key}` is not {}", T::KIND)))
    }

    /// The metadata under `key`.
    ///
    /// # Errors
    /// A key that is not there, or a value of another kind.
    pub fn require<'v, T: FromValue<'v>>(&'v self, key: &str) -> Result<T, WeightError> {
        self.get(key)?
            .ok_or_else(|| self.invalid(format!("its metadata has no `{key}`")))
    }

    fn invalid(&self, problem: impl Into<String>) -> WeightError {
        WeightError::Format {
            path: self.path().to_owned(),
            format: Format::Gguf,
            problem: problem.into(),
        }
    }
}

/// The metadata and all tensors.
pub(super) fn read<R: Read + Seek>(
    input: &mut Input<R>,
    file: &Arc<Path>,
) -> Result<(BTreeMap<String, Value>, Tensors), Problem> {
    let header = Header::read(input)?;
    if let Some(Value::Integer(parts @ 2..)) = header.metadata.get("split.count") {
        return Err(format!(
            "it is one of {parts} parts; join them with `llama-gguf-split --merge`"
        )
        .into());
    }
    let alignment = match header.metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(&Value::Integer(alignment)) => alignment,
        Some(_) => return Err("its `general.alignment` is no number".into()),
    };
    let alignment = u64::try_from(alignment)
        .ok()
        .filter(|alignment| alignment.is_power_of_two())
        .ok_or_else(|| format!("its `general.alignment` is {alignment}, no power of two"))?;
    let data = header.end.checked_next_multiple_of(alignment);
    let data = data.ok_or("its `general.alignment` is larger than any file")?;
    let mut tensors = Vec::with_capacity(header.tensors.len());
    let mut ranges = Vec::with_capacity(header.tensors.len());
    for info in header.tensors {
        let name = info.name.clone();
        let (entry, start, len) = entry(info, file, data, alignment, input.len())
            .map_err(|problem| format!("`{name}` {problem}"))?;
        ranges.push((start, start + len));
        tensors.push((name, entry));
    }
    check_overlap(
        ranges
            .iter()
            .zip(&tensors)
            .map(|(&(start, end), (name, _))| (start, end, name.as_str())),
    )?;
    Ok((header.metadata, tensors))
}

/// A tensor, where it begins in the file and how many bytes it has there.
fn entry(
    info: TensorInfo,
    file: &Arc<Path>,
    data: u64,
    alignment: u64,
    file_len: u64,
) -> Result<(TensorEntry, u64, u64), String> {
    let TensorInfo {
        shape,
        kind,
        offset,
        ..
    } = info;
    let too_large = || format!("has shape {shape:?}, larger than any file");
    if !offset.is_multiple_of(alignment) {
        return Err(format!(
            "begins at byte {offset} of the data, no multiple of {alignment}"
        ));
    }
    let start = data.checked_add(offset).ok_or_else(too_large)?;
    let (dtype, len, source) = match Type::numbered(kind)? {
        Type::Plain(dtype) => {
            let len = byte_len(&shape, dtype.size()).ok_or_else(too_large)?;
            (dtype, len, Source::Plain { start, len })
        }
        Type::Block(kind) => {
            let row = shape.last().copied().unwrap_or(1);
            if !row.is_multiple_of(kind.elements()) {
                return Err(format!(
                    "has rows of {row} numbers, which do not divide into blocks of {}",
                    kind.elements()
                ));
            }
            // Its values take more memory than its blocks take in the file.
            let values = byte_len(&shape, size_of::<f32>()).ok_or_else(too_large)?;
            let count = values / size_of::<f32>() / kind.elements();
            let len = byte_len(&[count], kind.bytes()).ok_or_else(too_large)?;
            let blocks = Blocks { kind, start, count };
            (burn::tensor::DType::F32, len, Source::Blocks(blocks))
        }
    };
    if start
        .checked_add(len as u64)
        .is_none_or(|end| end > file_len)
    {
        return Err(format!(
            "has {len} bytes at byte {start}, past the end of the file, which has {file_len}: it is truncated"
        ));
    }
    let entry = TensorEntry {
        file: file.clone(),
        shape,
        dtype: Ok(dtype),
        source,
        format: Format::Gguf,
    };
    Ok((entry, start, len as u64))
}
