//! Writing the files of `torch.save`: an uncompressed zip with a pickle that names the storages.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use burn::tensor::DType;

use super::WeightError;
use super::atomic::write_whole;
use super::save::Stored;

/// The folder inside the zip; PyTorch takes the file's own name, and reads any.
const ROOT: &str = "archive";

/// Where a storage begins is a multiple of this, as PyTorch writes it.
const ALIGNMENT: u32 = 64;

/// Writes a dictionary of tensors as `torch.save` does, whole or not at all.
pub(crate) fn write_pytorch(tensors: &[Stored], path: &Path) -> Result<(), WeightError> {
    write_whole(path, |temporary| {
        let file = File::create(temporary)?;
        let mut zip = Zip::new(BufWriter::new(file));
        zip.add("data.pkl", &pickle(tensors))?;
        zip.add("byteorder", b"little")?;
        for (number, tensor) in tensors.iter().enumerate() {
            zip.add(&format!("data/{number}"), &(tensor.bytes)())?;
        }
        zip.add("version", b"3\n")?;
        zip.finish()
    })
    .map_err(|source| WeightError::Io {
        path: path.to_owned(),
        source,
    })
}

/// `{name: torch._utils._rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())}` in
/// pickle's protocol 2.
fn pickle(tensors: &[Stored]) -> Vec<u8> {
    let mut out = vec![0x80, 2, b'}', b'('];
    for (number, tensor) in tensors.iter().enumerate() {
        text(&mut out, &tensor.name);
        global(&mut out, "torch._utils", "_rebuild_tensor_v2");
        out.push(b'(');
        // The persistent id of a storage: ("storage", its type, its name, device, elements).
        out.push(b'(');
        text(&mut out, "storage");
        global(&mut out, "torch", storage_type(tensor.dtype));
        text(&mut out, &number.to_string());
        text(&mut out, "cpu");
        let elements: usize = tensor.shape.iter().product();
        integer(&mut out, elements);
        out.extend_from_slice(b"tQ");
        integer(&mut out, 0);
        tuple(&mut out, &tensor.shape);
        tuple(&mut out, &strides(&tensor.shape));
        out.push(0x89);
        global(&mut out, "collections", "OrderedDict");
        out.extend_from_slice(b")RtR");
    }
    out.extend_from_slice(b"u.");
    out
}

fn storage_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F64 => "DoubleStorage",
        DType::F16 => "HalfStorage",
        DType::BF16 => "BFloat16Storage",
        _ => "FloatStorage",
    }
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    let len = u32::try_from(text.len()).expect("names are short");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn global(out: &mut Vec<u8>, module: &str, name: &str) {
    out.extend_from_slice(format!("c{module}\n{name}\n").as_bytes());
}

fn tuple(out: &mut Vec<u8>, numbers: &[usize]) {
    out.push(b'(');
    for &number in numbers {
        integer(out, number);
    }
    out.push(b't');
}

/// A size: four bytes where it fits, or else a long of eight.
fn integer(out: &mut Vec<u8>, number: usize) {
    if let Ok(number) = i32::try_from(number) {
        out.push(b'J');
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        out.extend_from_slice(&[0x8a, 8]);
        out.extend_from_slice(&(number as u64).to_le_bytes());
    }
}

/// A zip of stored entries, for files below 4 GiB: a projector has some ten MB.
struct Zip<W> {
    out: W,
    at: u32,
    /// The central directory so far, and its entries.
    directory: Vec<u8>,
    count: u16,
}

impl<W: Write> Zip<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            at: 0,
            directory: Vec::new(),
            count: 0,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        let at = u32::try_from(bytes.len())
            .ok()
            .and_then(|len| self.at.checked_add(len));
        self.at = at.ok_or_else(|| io::Error::other("a .bin file is written up to 4 GiB"))?;
        Ok(())
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let name = format!("{ROOT}/{name}");
        let name_len = u16::try_from(name.len()).expect("names of records are short");
        let too_large = |_| io::Error::other("a .bin file is written up to 4 GiB");
        let len = u32::try_from(bytes.len()).map_err(too_large)?;
        let header = self.at;
        // Version 2.0, no flags, stored, midnight of 1 January 1980.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        for number in [crc32fast::hash(bytes), len, len] {
            common.extend_from_slice(&number.to_le_bytes());
        }
        common.extend_from_slice(&name_len.to_le_bytes());

        // An extra field of padding puts the bytes at a multiple of the alignment.
        let begin = header + 30 + u32::from(name_len) + 4;
        let padding = begin.next_multiple_of(ALIGNMENT) - begin;
        let padding = u16::try_from(padding).expect("less than the alignment");
        let mut local = b"PK\x03\x04".to_vec();
        local.extend_from_slice(&common);
        local.extend_from_slice(&(4 + padding).to_le_bytes());
        local.extend_from_slice(name.as_bytes());
        local.extend_from_slice(b"FB");
        local.extend_from_slice(&padding.to_le_bytes());
        local.resize(local.len() + usize::from(padding), b'Z');
        self.put(&local)?;
        self.put(bytes)?;

        self.directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        self.directory.extend_from_slice(&common);
        // No extra field, no comment, the first disk, no attributes.
        self.directory.extend_from_slice(&[0; 12]);
        self.directory.extend_from_slice(&header.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.count += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        let (start, directory) = (self.at, std::mem::take(&mut self.directory));
        self.put(&directory)?;
        let len = self.at - start;
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        end.extend_from_slice(&self.count.to_le_bytes());
        end.extend_from_slice(&self.count.to_le_bytes());
        end.extend_from_slice(&len.to_le_bytes());
        end.extend_from_slice(&start.to_le_bytes());
        end.extend_from_slice(&[0, 0]);
        self.put(&end)?;
        self.out.flush()
    }
}
