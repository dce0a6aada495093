//! Files of `torch.save`, read as data: no code in them ever runs.
//!
//! Two formats. Since PyTorch 1.6 a file is a zip archive with a pickle of the tensors' shapes and
//! a record for each storage. Before that it is a row of pickles and then the storages.

mod legacy;
mod pickle;
mod state_dict;
mod zip;

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use self::pickle::Pickle;
use self::state_dict::TensorRef;
use self::zip::{Archive, Span};
use super::entry::{Source, TensorEntry, Tensors, byte_len};
use super::input::{Format, Input, Problem, check_overlap};
use super::strided::Strided;

pub(super) use self::legacy::read as read_legacy;

/// All tensors of a zip archive.
pub(super) fn read_zip<R: Read + Seek>(
    input: &mut Input<R>,
    file: &Arc<Path>,
) -> Result<Tensors, Problem> {
    let archive = Archive::read(input)?;
    let mut pickles = archive.names().filter_map(|name| {
        let folder = name.strip_suffix("data.pkl")?;
        (folder.is_empty() || folder.ends_with('/')).then_some(folder)
    });
    let folder = match (pickles.next(), pickles.next()) {
        (Some(folder), None) => folder,
        (None, _) => {
            return Err("its zip archive has no `data.pkl`, so torch.save did not write it".into());
        }
        (Some(_), Some(_)) => return Err("its zip archive has more than one `data.pkl`".into()),
    };
    if let Some(span) = archive.find(input, &format!("{folder}byteorder"))?
        && span.len == 3
        && input.bytes(span.start, 3)? == b"big"
    {
        return Err(BIG_ENDIAN.into());
    }
    let name = format!("{folder}data.pkl");
    let span = archive
        .find(input, &name)?
        .ok_or("its `data.pkl` is gone")?;
    if span.len > pickle::MAX_LEN as u64 {
        return Err(format!(
            "its `data.pkl` has {} bytes; at most {} are read",
            span.len,
            pickle::MAX_LEN
        )
        .into());
    }
    let bytes = input.bytes(span.start, usize::try_from(span.len).unwrap_or(0))?;
    let pickle = Pickle::read(&bytes)?;

    let mut spans = BTreeMap::from([(name, span)]);
    let mut entries = Vec::new();
    for (name, tensor) in state_dict::tensors(&pickle)? {
        let record = format!("{folder}data/{}", tensor.storage.key);
        let span = if let Some(span) = spans.get(&record) {
            *span
        } else {
            let span = archive.find(input, &record)?.ok_or_else(|| {
                format!("`{name}` is to lie in the record `{record}`, which is not there")
            })?;
            spans.insert(record, span);
            span
        };
        entries.push((name.to_owned(), entry(name, tensor, span, file)?));
    }
    check_overlap(
        spans
            .iter()
            .map(|(name, span)| (span.start, span.start + span.len, name.as_str())),
    )?;
    Ok(entries)
}

const BIG_ENDIAN: &str =
    "its numbers are big-endian; load and save it with PyTorch on a little-endian machine";

/// A tensor whose storage lies at `span`.
fn entry(
    name: &str,
    tensor: TensorRef<'_>,
    span: Span,
    file: &Arc<Path>,
) -> Result<TensorEntry, Problem> {
    let source = source(&tensor, span).map_err(|problem| problem.of(name))?;
    Ok(TensorEntry {
        file: file.clone(),
        dtype: tensor.element.dtype(),
        shape: tensor.shape,
        source,
        format: Format::PyTorch,
    })
}

/// How the tensor is read, if it lies within its storage and that within the file.
fn source(tensor: &TensorRef<'_>, span: Span) -> Result<Source, Problem> {
    let TensorRef {
        storage,
        element,
        offset,
        shape,
        strides,
    } = tensor;
    if storage.len > span.len {
        return Err(format!(
            "has a storage of {} bytes, of which the file holds {}",
            storage.len, span.len
        )
        .into());
    }
    let width = element.width;
    let len = byte_len(shape, width).ok_or("is larger than any memory")?;
    if len == 0 {
        return Ok(Source::Plain {
            start: span.start,
            len,
        });
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |last, (size, stride)| {
            last.checked_add((size - 1).checked_mul(*stride)?)
        });
    let end = last.and_then(|last| last.checked_add(1)?.checked_mul(width));
    if end.is_none_or(|end| end as u64 > storage.len) {
        return Err(format!(
            "has shape {shape:?}, strides {strides:?} and offset {offset}, past the end of its storage of {} bytes",
            storage.len
        )
        .into());
    }
    let start = span.start + (offset * width) as u64;
    if is_row_major(shape, strides) {
        return Ok(Source::Plain { start, len });
    }
    Ok(Source::Strided(Strided::new(start, width, shape, strides)?))
}

/// Whether the elements lie one after the other. An axis of one element has any stride.
fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut dense = 1;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == dense;
        dense *= size;
        fits
    })
}

/// The number of tensors that a pickle alone speaks of.
pub(super) fn read_pickle(bytes: &[u8]) -> Result<usize, String> {
    let pickle = Pickle::read(bytes)?;
    Ok(state_dict::tensors(&pickle)?.len())
}
