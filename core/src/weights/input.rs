//! Reading parts of a file, each checked against the file's length before anything is allocated.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use rayon::prelude::*;

use super::WeightError;

/// A format that weights are read from, as errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Any of those that are known.
    Weights,
    /// A safetensors file.
    Safetensors,
    /// What `torch.save` writes.
    PyTorch,
    /// A GGUF file.
    Gguf,
    /// A burnpack file, Burn's own.
    Burnpack,
    /// The folder of a LoRA adapter.
    Adapter,
    /// `*.index.json`, which says which shard holds which tensor.
    Index,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Weights => "file of weights (safetensors, PyTorch, GGUF or burnpack)",
            Self::Safetensors => "safetensors file",
            Self::PyTorch => "PyTorch file",
            Self::Gguf => "GGUF file",
            Self::Burnpack => "burnpack file",
            Self::Adapter => "LoRA adapter as it is read here",
            Self::Index => "index of shards",
        })
    }
}

/// What is wrong with a file, before its path is told.
#[derive(Debug)]
pub(super) enum Problem {
    /// The system's word.
    Io(io::Error),
    /// It is not what it claims to be.
    Invalid(String),
}

impl Problem {
    pub(super) fn at(self, path: &Path, format: Format) -> WeightError {
        let path = path.to_owned();
        match self {
            Self::Io(source) => WeightError::Io { path, source },
            Self::Invalid(problem) => WeightError::Format {
                path,
                format,
                problem,
            },
        }
    }

    /// The problem of the thing called `name`.
    pub(super) fn of(self, name: &str) -> Self {
        match self {
            Self::Invalid(problem) => Self::Invalid(format!("`{name}` {problem}")),
            io @ Self::Io(_) => io,
        }
    }
}

impl From<String> for Problem {
    fn from(problem: String) -> Self {
        Self::Invalid(problem)
    }
}

impl From<&str> for Problem {
    fn from(problem: &str) -> Self {
        Self::Invalid(problem.to_owned())
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Invalid("it ends too early: it is truncated".to_owned());
        }
        Self::Io(error)
    }
}

/// A file, or bytes in memory, whose length is known.
#[derive(Debug)]
pub(super) struct Input<R> {
    reader: R,
    len: u64,
}

impl Input<File> {
    /// Opens a regular file, or a link to one. A pipe or a device would wait or never end.
    pub(super) fn open(path: &Path) -> Result<Self, WeightError> {
        let io_error = |source| WeightError::Io {
            path: path.to_owned(),
            source,
        };
        let kind = std::fs::metadata(path).map_err(io_error)?;
        if !kind.is_file() {
            let what = if kind.is_dir() {
                "it is a folder"
            } else {
                "it is a pipe, a device or a socket"
            };
            return Err(WeightError::NotFound {
                path: path.to_owned(),
                problem: format!("{what}, and weights are read from regular files"),
            });
        }
        File::open(path).and_then(Self::new).map_err(io_error)
    }
}

/// `len` bytes to be filled, in the memory of `spare` if that is large enough.
fn room(mut spare: Vec<u8>, len: usize) -> Vec<u8> {
    if spare.capacity() < len {
        return vec![0; len];
    }
    spare.resize(len, 0);
    spare
}

/// Bytes that a thread reads at a time.
const CHUNK: usize = 4 << 20;

impl Input<File> {
    /// The `len` bytes from `start` on, in the memory of `spare` if it serves, and the sum of what `count` says of their parts, each a whole number
    /// of `unit` bytes long. Threads read a part each and count in it while their caches have it.
    #[cfg(unix)]
    pub(super) fn bytes_counted(
        &self,
        (start, len): (u64, usize),
        unit: usize,
        spare: Vec<u8>,
        count: impl Fn(&[u8]) -> usize + Sync,
    ) -> Result<(Vec<u8>, usize), Problem> {
        self.check(start, len as u64)?;
        let mut bytes = room(spare, len);
        let chunk = CHUNK / unit * unit;
        let counts = bytes.par_chunks_mut(chunk).enumerate().map(|(at, part)| {
            let start = start + (at * chunk) as u64;
            self.read_at(start, part)?;
            Ok::<_, io::Error>(count(part))
        });
        let counts: io::Result<Vec<usize>> = counts.collect();
        Ok((bytes, counts?.into_iter().sum()))
    }

    /// Fills `bytes` with what lies from `start` on; several threads may at once.
    #[cfg(unix)]
    pub(super) fn read_at(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.reader, bytes, start)
    }

    /// As [`Input::bytes_counted`] elsewhere, where a file has one place at which it is read.
    #[cfg(not(unix))]
    pub(super) fn bytes_counted(
        &mut self,
        (start, len): (u64, usize),
        unit: usize,
        spare: Vec<u8>,
        count: impl Fn(&[u8]) -> usize + Sync,
    ) -> Result<(Vec<u8>, usize), Problem> {
        self.check(start, len as u64)?;
        let mut bytes = room(spare, len);
        self.read_into(start, &mut bytes)?;
        let parts = bytes.par_chunks(CHUNK / unit * unit);
        let counted = parts.map(count).sum();
        Ok((bytes, counted))
    }
}

impl<R: Read + Seek> Input<R> {
    pub(super) fn new(mut reader: R) -> io::Result<Self> {
        let len = reader.seek(SeekFrom::End(0))?;
        Ok(Self { reader, len })
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The `len` bytes from `start` on.
    pub(super) fn bytes(&mut self, start: u64, len: usize) -> Result<Vec<u8>, Problem> {
        self.check(start, len as u64)?;
        let mut bytes = vec![0; len];
        self.read_into(start, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes` with what lies from `start` on.
    pub(super) fn read_into(&mut self, start: u64, bytes: &mut [u8]) -> Result<(), Problem> {
        self.reader.seek(SeekFrom::Start(start))?;
        Ok(self.reader.read_exact(bytes)?)
    }

    /// A reader of what lies from `start` on.
    pub(super) fn reader_at(&mut self, start: u64) -> io::Result<&mut R> {
        self.reader.seek(SeekFrom::Start(start))?;
        Ok(&mut self.reader)
    }

    /// That the file has `len` bytes from `start` on.
    pub(super) fn check(&self, start: u64, len: u64) -> Result<(), Problem> {
        if start.checked_add(len).is_some_and(|end| end <= self.len) {
            return Ok(());
        }
        let have = self.len;
        Err(Problem::Invalid(format!(
            "{len} bytes are to lie at byte {start}, and it is {have} bytes long: it is truncated"
        )))
    }
}

/// That no two of the ranges of bytes `(start, end, name)` share a byte.
pub(super) fn check_overlap<'n>(
    ranges: impl IntoIterator<Item = (u64, u64, &'n str)>,
) -> Result<(), Problem> {
    let mut ranges: Vec<_> = ranges
        .into_iter()
        .filter(|(start, end, _)| start < end)
        .collect();
    ranges.sort_unstable();
    match ranges.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        None => Ok(()),
        Some(pair) => Err(Problem::Invalid(format!(
            "`{}` and `{}` lie on the same bytes",
            pair[0].2, pair[1].2
        ))),
    }
}
