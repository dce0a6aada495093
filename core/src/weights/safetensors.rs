//! The header of a safetensors file: 8 bytes of length, JSON, then the tensors without a gap.

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::DType;
use safetensors::tensor::{Dtype, TensorInfo};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::entry::{MAX_TENSORS, Source, TensorEntry, Tensors};
use super::input::{Format, Input, Problem};

/// The longest header, in bytes. The format's own limit is 100 MB; `MAX_TENSORS` long names take a
/// fifth of it.
const MAX_HEADER: u64 = 32 << 20;

/// All tensors of the file.
pub(super) fn read<R: Read + Seek>(
    input: &mut Input<R>,
    file: &Arc<Path>,
) -> Result<Tensors, Problem> {
    let length = input.bytes(0, 8)?;
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    let file_len = input.len();
    if length > MAX_HEADER || length.saturating_add(8) > file_len {
        return Err(format!(
            "it announces a header of {length} bytes and is {file_len} bytes long; at most {MAX_HEADER} are read"
        )
        .into());
    }
    let header = input.bytes(8, usize::try_from(length).unwrap_or(usize::MAX))?;
    let header: Header =
        serde_json::from_slice(&header).map_err(|error| format!("its header: {error}"))?;
    let mut tensors = header.0;
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let data_start = 8 + length;
    let mut end = 0;
    let mut entries = Vec::with_capacity(tensors.len());
    for (name, info) in tensors {
        let (start, stop) = info.data_offsets;
        if start != end {
            return Err(format!(
                "`{name}` begins at byte {start} of the data, where the tensor before it ends at {end}: no tensors may overlap or leave a gap"
            )
            .into());
        }
        end = stop;
        let entry = entry(info, file, data_start, file_len)
            .map_err(|problem| format!("`{name}` {problem}"))?;
        entries.push((name, entry));
    }
    let data_end = data_start + end as u64;
    if data_end != file_len {
        return Err(
            format!("its tensors end at byte {data_end} and it is {file_len} bytes long").into(),
        );
    }
    Ok(entries)
}

fn entry(
    info: TensorInfo,
    file: &Arc<Path>,
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
        file: file.clone(),
        shape: info.shape,
        dtype: number(info.dtype),
        source: Source::Plain {
            start: data_start + start as u64,
            len: len.unwrap_or(0),
        },
        format: Format::Safetensors,
    })
}

fn number(dtype: Dtype) -> Result<DType, String> {
    match dtype {
        Dtype::I64 => Ok(DType::I64),
        Dtype::I32 => Ok(DType::I32),
        Dtype::I16 => Ok(DType::I16),
        Dtype::I8 => Ok(DType::I8),
        Dtype::U8 => Ok(DType::U8),
        Dtype::F64 => Ok(DType::F64),
        Dtype::F32 => Ok(DType::F32),
        Dtype::F16 => Ok(DType::F16),
        Dtype::BF16 => Ok(DType::BF16),
        other => Err(format!("{other:?}")),
    }
}

/// The header's tensors in the order of the text. A name that stands there twice is an error, which
/// a map would hide.
struct Header(Vec<(String, TensorInfo)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table of tensors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Header, M::Error> {
                let mut tensors = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else if tensors.len() == MAX_TENSORS {
                        return Err(M::Error::custom(format!("more than {MAX_TENSORS} tensors")));
                    } else {
                        tensors.push((name, map.next_value()?));
                    }
                }
                Ok(Header(tensors))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
