//! The header of a GGUF file: metadata, then one description a tensor
//! (`docs/gguf.md` of ggml, versions 2 and 3).

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek};

use super::Value;
use crate::weights::entry::MAX_TENSORS;
use crate::weights::input::{Input, Problem};

/// The longest header, in bytes; one with a vocabulary of 256,000 and its merges has about 15 MB.
const MAX_HEADER: u64 = 64 << 20;

/// Elements of all arrays together.
const MAX_ELEMENTS: u64 = 4_000_000;

/// Arrays in each other.
const MAX_DEPTH: usize = 4;

/// Axes of a tensor, as ggml has them.
const MAX_AXES: u32 = 4;

#[derive(Debug)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, Value>,
    pub(super) tensors: Vec<TensorInfo>,
    /// Offset of the byte after it.
    pub(super) end: u64,
}

#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    /// In PyTorch's order: the reverse of the file's.
    pub(super) shape: Vec<usize>,
    /// ggml's number of the type.
    pub(super) kind: u32,
    /// Offset from the start of the data.
    pub(super) offset: u64,
}

impl Header {
    pub(super) fn read<R: Read + Seek>(input: &mut Input<R>) -> Result<Self, Problem> {
        let len = input.len().min(MAX_HEADER);
        let truncated = input.len() <= MAX_HEADER;
        let mut reader = Reader {
            bytes: BufReader::new(input.reader_at(0)?),
            position: 0,
            len,
            elements: 0,
        };
        reader.header().map_err(|fault| match fault {
            Fault::TooLong if truncated => "its header ends too early: it is truncated".into(),
            Fault::TooLong => format!("its header is longer than {MAX_HEADER} bytes").into(),
            Fault::Problem(problem) => problem,
        })
    }
}

struct Reader<R> {
    bytes: BufReader<R>,
    position: u64,
    /// Bytes that there may be.
    len: u64,
    /// Elements of arrays so far.
    elements: u64,
}

enum Fault {
    /// It goes on past the bytes that there may be.
    TooLong,
    Problem(Problem),
}

fn fault(problem: impl Into<Problem>) -> Fault {
    Fault::Problem(problem.into())
}

impl<R: Read> Reader<R> {
    fn header(&mut self) -> Result<Header, Fault> {
        if self.array()? != *b"GGUF" {
            return Err(fault("it does not begin with `GGUF`"));
        }
        match self.u32()? {
            2 | 3 => {}
            version if version.swap_bytes() <= 3 => {
                return Err(fault(
                    "it is big-endian; convert it anew for little-endian machines",
                ));
            }
            version => {
                return Err(fault(format!(
                    "it has version {version}; 2 and 3 can be read"
                )));
            }
        }
        let tensor_count = self.u64()?;
        let key_count = self.u64()?;
        let mut metadata = BTreeMap::new();
        for _ in 0..key_count {
            let key = self.text()?;
            let kind = self.u32()?;
            let value = self.value(kind, 0).map_err(|fault| match fault {
                Fault::Problem(problem) => Fault::Problem(problem.of(&key)),
                Fault::TooLong => Fault::TooLong,
            })?;
            if metadata.contains_key(&key) {
                return Err(fault(format!("its metadata has `{key}` twice")));
            }
            metadata.insert(key, value);
        }
        if tensor_count > MAX_TENSORS as u64 {
            return Err(fault(format!(
                "it announces {tensor_count} tensors; at most {MAX_TENSORS} are read"
            )));
        }
        let mut tensors = Vec::new();
        for _ in 0..tensor_count {
            tensors.push(self.tensor()?);
        }
        Ok(Header {
            metadata,
            tensors,
            end: self.position,
        })
    }

    fn tensor(&mut self) -> Result<TensorInfo, Fault> {
        let name = self.text()?;
        let axes = self.u32()?;
        if axes > MAX_AXES {
            return Err(fault(format!(
                "`{name}` has {axes} axes; ggml has at most {MAX_AXES}"
            )));
        }
        let mut shape = Vec::new();
        for _ in 0..axes {
            let size = usize::try_from(self.u64()?);
            shape.push(size.map_err(|_| fault(format!("`{name}` is larger than any memory")))?);
        }
        shape.reverse();
        Ok(TensorInfo {
            name,
            shape,
            kind: self.u32()?,
            offset: self.u64()?,
        })
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, Fault> {
        Ok(match kind {
            6 | 12 => Value::Float(self.float(kind)?),
            7 => Value::Bool(self.flag()?),
            8 => Value::Text(self.text()?),
            9 => self.list(depth + 1)?,
            integer => Value::Integer(self.integer(integer)?),
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth > MAX_DEPTH {
            return Err(fault("has arrays in arrays too deep"));
        }
        let kind = self.u32()?;
        let count = self.u64()?;
        self.elements = self.elements.saturating_add(count);
        if self.elements > MAX_ELEMENTS {
            return Err(fault(format!(
                "has so many elements that all arrays have more than {MAX_ELEMENTS}"
            )));
        }
        Ok(match kind {
            6 | 12 => Value::Floats(self.many(count, |reader| reader.float(kind))?),
            7 => Value::Bools(self.many(count, Self::flag)?),
            8 => Value::Texts(self.many(count, Self::text)?),
            9 => Value::Arrays(self.many(count, |reader| reader.list(depth + 1))?),
            _ => Value::Integers(self.many(count, |reader| reader.integer(kind))?),
        })
    }

    fn many<T>(
        &mut self,
        count: u64,
        mut one: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        // Nothing is allocated for elements that are announced and not there.
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn integer(&mut self, kind: u32) -> Result<i64, Fault> {
        Ok(match kind {
            0 => u8::from_le_bytes(self.array()?).into(),
            1 => i8::from_le_bytes(self.array()?).into(),
            2 => u16::from_le_bytes(self.array()?).into(),
            3 => i16::from_le_bytes(self.array()?).into(),
            4 => self.u32()?.into(),
            5 => i32::from_le_bytes(self.array()?).into(),
            10 => i64::try_from(self.u64()?).map_err(|_| fault("is larger than 2^63 - 1"))?,
            11 => i64::from_le_bytes(self.array()?),
            other => return Err(fault(format!("has type {other}; there are 0 to 12"))),
        })
    }

    fn float(&mut self, kind: u32) -> Result<f64, Fault> {
        Ok(if kind == 6 {
            f32::from_le_bytes(self.array()?).into()
        } else {
            f64::from_le_bytes(self.array()?)
        })
    }

    fn flag(&mut self) -> Result<bool, Fault> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(fault(format!("is the flag {other}; there are 0 and 1"))),
        }
    }

    fn text(&mut self) -> Result<String, Fault> {
        let len = self.u64()?;
        self.pass(len)?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        self.bytes.read_exact(&mut bytes).map_err(fault)?;
        // A vocabulary may hold pieces of characters; llama.cpp compares bytes and never decodes.
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.pass(N as u64)?;
        let mut bytes = [0; N];
        self.bytes.read_exact(&mut bytes).map_err(fault)?;
        Ok(bytes)
    }

    /// Counts `len` bytes that are about to be read.
    fn pass(&mut self, len: u64) -> Result<(), Fault> {
        match self.position.checked_add(len) {
            Some(end) if end <= self.len => self.position = end,
            _ => return Err(Fault::TooLong),
        }
        Ok(())
    }
}
