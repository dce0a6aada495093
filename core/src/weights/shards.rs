//! Reading safetensors: one file, or the shards of a folder.
//!
//! A tensor's bytes are read when they are asked for, straight into the buffer that becomes the
//! parameter. Nothing is mapped, so saving over a file that is being read cannot pull it away.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::Value;

use super::WeightError;

/// The limit that safetensors sets to a header, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// The tensors of one safetensors file, or of all shards of a folder.
#[derive(Debug)]
pub struct Shards {
    path: PathBuf,
    tensors: BTreeMap<String, TensorEntry>,
}

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub struct TensorEntry {
    file: PathBuf,
    /// The shape that the file states.
    pub shape: Vec<usize>,
    dtype: Dtype,
    /// Offset of the first byte in the file.
    start: u64,
    len: usize,
}

impl Shards {
    /// Opens a `.safetensors` file, or a folder with `model.safetensors.index.json` or
    /// `model.safetensors`.
    ///
    /// # Errors
    /// No such file, or one that is not valid safetensors.
    pub fn open(path: &Path) -> Result<Self, WeightError> {
        let mut shards = Self {
            path: path.to_owned(),
            tensors: BTreeMap::new(),
        };
        for file in files(path)? {
            shards.add(&file)?;
        }
        Ok(shards)
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
            path: entry.file.clone(),
            key: name.to_owned(),
            dtype,
        })?;
        Ok(TensorData::from_bytes_vec(
            entry.read()?,
            entry.shape.clone(),
            dtype,
        ))
    }

    fn add(&mut self, file: &Path) -> Result<(), WeightError> {
        for (name, entry) in read_header(file)? {
            if let Some(first) = self.tensors.get(&name) {
                return Err(WeightError::Twice {
                    key: name,
                    first: first.file.clone(),
                    second: file.to_owned(),
                });
            }
            self.tensors.insert(name, entry);
        }
        Ok(())
    }
}

impl TensorEntry {
    /// The file that holds it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its type of number, or the name of one that tensors here do not have.
    pub(super) fn dtype(&self) -> Result<DType, String> {
        match self.dtype {
            Dtype::I64 => Ok(DType::I64),
            Dtype::I32 => Ok(DType::I32),
            Dtype::U8 => Ok(DType::U8),
            Dtype::F64 => Ok(DType::F64),
            Dtype::F32 => Ok(DType::F32),
            Dtype::F16 => Ok(DType::F16),
            Dtype::BF16 => Ok(DType::BF16),
            other => Err(format!("{other:?}")),
        }
    }

    /// Its bytes, little-endian, in row-major order.
    pub(super) fn read(&self) -> Result<Vec<u8>, WeightError> {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.file)?;
            file.seek(SeekFrom::Start(self.start))?;
            let mut bytes = vec![0; self.len];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|source| io_error(&self.file, source))
    }
}

fn io_error(path: &Path, source: std::io::Error) -> WeightError {
    WeightError::Io {
        path: path.to_owned(),
        source,
    }
}

/// The safetensors files behind a path.
fn files(path: &Path) -> Result<Vec<PathBuf>, WeightError> {
    let not_found = |problem: &str| WeightError::NotFound {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        return Err(not_found(
            "there is no such file or folder. If it is the name of a published model, download it, for example with `hf download`, and state its folder",
        ));
    }
    let index = path.join("model.safetensors.index.json");
    if index.is_file() {
        return indexed_files(&index);
    }
    let single = path.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    Err(not_found(
        "the folder has neither model.safetensors nor model.safetensors.index.json",
    ))
}

/// The shards that an index names; they must lie beside it.
fn indexed_files(index: &Path) -> Result<Vec<PathBuf>, WeightError> {
    let invalid = |problem: String| WeightError::Format {
        path: index.to_owned(),
        problem,
    };
    let text = std::fs::read_to_string(index).map_err(|source| io_error(index, source))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| invalid("it has no table `weight_map`".to_owned()))?;
    let folder = index.parent().unwrap_or(Path::new("."));
    let mut files = Vec::new();
    for value in map.values() {
        let name = value.as_str().unwrap_or_default();
        if name.is_empty() || Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(invalid(format!(
                "`{value}` is not the name of a file beside it"
            )));
        }
        files.push(folder.join(name));
    }
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

fn read_header(path: &Path) -> Result<Vec<(String, TensorEntry)>, WeightError> {
    let invalid = |problem: String| WeightError::Format {
        path: path.to_owned(),
        problem,
    };
    let mut file = File::open(path).map_err(|source| io_error(path, source))?;
    let file_len = file
        .metadata()
        .map_err(|source| io_error(path, source))?
        .len();
    let mut length = [0; 8];
    file.read_exact(&mut length)
        .map_err(|_| invalid("it is shorter than 8 bytes".to_owned()))?;
    let header_len = u64::from_le_bytes(length);
    if header_len > MAX_HEADER || header_len.saturating_add(8) > file_len {
        let problem =
            format!("it announces a header of {header_len} bytes and is {file_len} bytes long");
        return Err(invalid(problem));
    }
    let mut header = vec![0; usize::try_from(header_len).unwrap_or(usize::MAX)];
    file.read_exact(&mut header)
        .map_err(|source| io_error(path, source))?;
    let metadata: Metadata =
        serde_json::from_slice(&header).map_err(|error| invalid(format!("its header: {error}")))?;
    let data_start = 8 + header_len;
    let mut entries = Vec::new();
    for (name, info) in metadata.tensors() {
        let entry = entry(path, info, data_start, file_len)
            .map_err(|problem| invalid(format!("`{name}` {problem}")))?;
        entries.push((name, entry));
    }
    Ok(entries)
}

fn entry(
    path: &Path,
    info: &TensorInfo,
    data_start: u64,
    file_len: u64,
) -> Result<TensorEntry, String> {
    let (start, end) = info.data_offsets;
    let elements = info
        .shape
        .iter()
        .try_fold(1_usize, |all, &size| all.checked_mul(size));
    let bits = elements.and_then(|elements| elements.checked_mul(info.dtype.bitsize()));
    let len = end.checked_sub(start);
    if bits.is_none() || bits != len.and_then(|len| len.checked_mul(8)) {
        return Err(format!(
            "claims bytes {start} to {end} for shape {:?} of {:?}",
            info.shape, info.dtype
        ));
    }
    let past_end = data_start
        .checked_add(end as u64)
        .is_none_or(|end| end > file_len);
    if past_end {
        return Err(format!(
            "ends at byte {end} of the data, past the end of the file: it is truncated"
        ));
    }
    Ok(TensorEntry {
        file: path.to_owned(),
        shape: info.shape.clone(),
        dtype: info.dtype,
        start: data_start + start as u64,
        len: len.unwrap_or(0),
    })
}
