//! The readers on bytes in memory, for fuzzing and for tests.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use super::index::Index;
use super::input::{Input, Problem};
use super::kind::Kind;
use super::pytorch;

/// How many tensors are read: several may share their bytes, and all of them together could take
/// much longer than the file is long.
const MAX_READ: usize = 16;

/// What a file's bytes are taken for.
#[derive(Debug, Clone, Copy)]
pub enum InMemory {
    /// What they look like.
    Any,
    /// A safetensors file.
    Safetensors,
    /// A file of `torch.save`, in either format.
    PyTorch,
    /// A pickle alone.
    Pickle,
    /// A GGUF file.
    Gguf,
    /// The index of shards.
    Index,
}

impl InMemory {
    /// Reads everything, and gives the number of tensors found.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn read(self, bytes: &[u8]) -> Result<usize, String> {
        self.try_read(bytes).map_err(|problem| match problem {
            Problem::Invalid(problem) => problem,
            Problem::Io(error) => error.to_string(),
        })
    }

    fn try_read(self, bytes: &[u8]) -> Result<usize, Problem> {
        let mut input = Input::new(Cursor::new(bytes))?;
        let kind = match self {
            Self::Any => Kind::of(&mut input)?,
            Self::Safetensors => Kind::Safetensors,
            Self::PyTorch if bytes.starts_with(b"PK") => Kind::Zip,
            Self::PyTorch => Kind::Pickles,
            Self::Pickle => return Ok(pytorch::read_pickle(bytes)?),
            Self::Gguf => Kind::Gguf,
            Self::Index => Kind::Index,
        };
        if kind == Kind::Index {
            return Ok(Index::read(&mut input)?.tensors().count());
        }
        let file: Arc<Path> = Path::new("in memory").into();
        let tensors = kind.read(&mut input, &file)?;
        for (name, entry) in tensors.iter().take(MAX_READ) {
            entry
                .read_from(&mut input)
                .map_err(|problem| problem.of(name))?;
        }
        Ok(tensors.len())
    }
}
