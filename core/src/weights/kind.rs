//! What a file is, from its first bytes.

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use super::entry::Tensors;
use super::input::{Format, Input, Problem};
use super::{burnpack, gguf, pytorch, safetensors};

/// What a file of weights may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Safetensors,
    /// `torch.save` since PyTorch 1.6.
    Zip,
    /// `torch.save` before.
    Pickles,
    Gguf,
    Burnpack,
    /// The index of shards.
    Index,
}

impl Kind {
    /// # Errors
    /// A file that is none of them: what it seems to be, if that is known.
    pub(super) fn of<R: Read + Seek>(input: &mut Input<R>) -> Result<Self, Problem> {
        let len = input.len().min(64);
        let head = input.bytes(0, usize::try_from(len).unwrap_or(0))?;
        // A header's length comes first, and it is far below 2^32; any of its bytes may look like
        // another format's first.
        if head.get(4..9) == Some(b"\0\0\0\0{") {
            return Ok(Self::Safetensors);
        }
        let known = match head.as_slice() {
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            [b'G', b'G', b'U', b'F', ..] => Some(Self::Gguf),
            head if head.starts_with(&burnpack::MAGIC) => Some(Self::Burnpack),
            [0x80, 2..=5, ..] => Some(Self::Pickles),
            _ if head.trim_ascii_start().starts_with(b"{") => Some(Self::Index),
            _ if head.get(8) == Some(&b'{') => Some(Self::Safetensors),
            _ => None,
        };
        known.ok_or_else(|| {
            let seems = if head.starts_with(b"version https://git-lfs") {
                "it is a pointer of Git LFS to the weights and not the weights; fetch them with `git lfs pull`"
            } else if head.trim_ascii_start().starts_with(b"<") {
                "it is a web page or XML, so its download went wrong"
            } else if head.is_empty() {
                "it is empty"
            } else {
                "its first bytes are those of no format that can be read"
            };
            Problem::Invalid(seems.to_owned())
        })
    }

    pub(super) fn format(self) -> Format {
        match self {
            Self::Safetensors => Format::Safetensors,
            Self::Zip | Self::Pickles => Format::PyTorch,
            Self::Gguf => Format::Gguf,
            Self::Burnpack => Format::Burnpack,
            Self::Index => Format::Index,
        }
    }

    /// The tensors of a file of this kind; an index has none of its own.
    pub(super) fn read<R: Read + Seek>(
        self,
        input: &mut Input<R>,
        file: &Arc<Path>,
    ) -> Result<Tensors, Problem> {
        match self {
            Self::Safetensors => safetensors::read(input, file),
            Self::Zip => pytorch::read_zip(input, file),
            Self::Pickles => pytorch::read_legacy(input, file),
            Self::Gguf => gguf::read(input, file).map(|(_, tensors)| tensors),
            Self::Burnpack => burnpack::read(file),
            Self::Index => Ok(Vec::new()),
        }
    }
}
