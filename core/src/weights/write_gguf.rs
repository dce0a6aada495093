//! Writing GGUF, version 3 (`docs/gguf.md` of ggml).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::WeightError;
use super::atomic::write_whole;
use super::ggml::Type;
use super::gguf::Value;

/// Tensors begin at multiples of this, in bytes.
const ALIGNMENT: u64 = 32;

/// A tensor as a GGUF file will hold it.
pub(crate) struct GgufTensor {
    /// Its name in the file.
    pub(crate) name: String,
    /// Its shape in PyTorch's order.
    pub(crate) shape: Vec<usize>,
    /// How its numbers lie.
    pub(super) kind: Type,
    /// Its bytes, fetched when its turn to be written comes.
    pub(super) bytes: Box<dyn Fn() -> Vec<u8>>,
}

impl GgufTensor {
    /// One of f32.
    pub(crate) fn of_f32(name: &str, values: &[f32]) -> Self {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self {
            name: name.to_owned(),
            shape: vec![values.len()],
            kind: Type::Plain(burn::tensor::DType::F32),
            bytes: Box::new(move || bytes.clone()),
        }
    }

    fn len(&self) -> u64 {
        self.kind.bytes(self.shape.iter().product()) as u64
    }
}

/// Writes a GGUF file, whole or not at all. Whole numbers become what llama.cpp asks for: u32 alone and i32
/// in a list; floats are f32.
pub(crate) fn write_gguf(
    metadata: &BTreeMap<String, Value>,
    tensors: &[GgufTensor],
    path: &Path,
) -> Result<(), WeightError> {
    let header = header(metadata, tensors);
    write_whole(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        file.write_all(&header?)?;
        for tensor in tensors {
            let bytes = (tensor.bytes)();
            assert_eq!(bytes.len() as u64, tensor.len(), "{}", tensor.name);
            file.write_all(&bytes)?;
            pad(&mut file, tensor.len())?;
        }
        file.flush()
    })
    .map_err(|source| WeightError::Io {
        path: path.to_owned(),
        source,
    })
}

/// All that stands before the data, and zeros up to it.
fn header(metadata: &BTreeMap<String, Value>, tensors: &[GgufTensor]) -> io::Result<Vec<u8>> {
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        text(&mut out, key);
        put(&mut out, value)?;
    }
    let mut offset = 0_u64;
    for tensor in tensors {
        text(&mut out, &tensor.name);
        out.extend(
            u32::try_from(tensor.shape.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        for &size in tensor.shape.iter().rev() {
            out.extend((size as u64).to_le_bytes());
        }
        out.extend(tensor.kind.number().to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset = (offset + tensor.len()).next_multiple_of(ALIGNMENT);
    }
    let len = out.len() as u64;
    pad(&mut out, len)?;
    Ok(out)
}

/// Zeros after `len` bytes, up to where the next tensor begins.
fn pad(out: &mut impl Write, len: u64) -> io::Result<()> {
    for _ in len..len.next_multiple_of(ALIGNMENT) {
        out.write_all(&[0])?;
    }
    Ok(())
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A value behind the number of its type.
fn put(out: &mut Vec<u8>, value: &Value) -> io::Result<()> {
    let kind = |out: &mut Vec<u8>, kind: u32| out.extend(kind.to_le_bytes());
    let list = |out: &mut Vec<u8>, of: u32, len: usize| {
        kind(out, 9);
        kind(out, of);
        out.extend((len as u64).to_le_bytes());
    };
    let outside = |number: i64| {
        io::Error::other(format!(
            "{number} is no number that GGUF's readers here take"
        ))
    };
    match value {
        Value::Integer(number) => {
            kind(out, 4);
            out.extend(
                u32::try_from(*number)
                    .map_err(|_| outside(*number))?
                    .to_le_bytes(),
            );
        }
        Value::Float(number) => {
            kind(out, 6);
            out.extend(narrow(*number).to_le_bytes());
        }
        Value::Bool(flag) => {
            kind(out, 7);
            out.push(u8::from(*flag));
        }
        Value::Text(content) => {
            kind(out, 8);
            text(out, content);
        }
        Value::Integers(numbers) => {
            list(out, 5, numbers.len());
            for &number in numbers {
                out.extend(
                    i32::try_from(number)
                        .map_err(|_| outside(number))?
                        .to_le_bytes(),
                );
            }
        }
        Value::Floats(numbers) => {
            list(out, 6, numbers.len());
            out.extend(
                numbers
                    .iter()
                    .flat_map(|&number| narrow(number).to_le_bytes()),
            );
        }
        Value::Bools(flags) => {
            list(out, 7, flags.len());
            out.extend(flags.iter().map(|&flag| u8::from(flag)));
        }
        Value::Texts(texts) => {
            list(out, 8, texts.len());
            for content in texts {
                text(out, content);
            }
        }
        Value::Arrays(_) => return Err(io::Error::other("lists in lists are only read")),
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the file holds f32")]
fn narrow(number: f64) -> f32 {
    number as f32
}
