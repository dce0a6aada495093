//! The format of before PyTorch 1.6, still written with `_use_new_zipfile_serialization=False`.
//!
//! Five pickles (a magic number, a version, the system, the state dict, the storages' keys), then
//! each storage in the order of the keys: its elements as a u64, and its bytes
//! (`torch/serialization.py`, `_legacy_save`).

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use super::pickle::{self, Pickle, Value};
use super::state_dict::{self, StorageRef};
use super::zip::Span;
use super::{BIG_ENDIAN, entry};
use crate::weights::entry::Tensors;
use crate::weights::input::{Input, Problem};

/// 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

const VERSION: i64 = 1001;

/// All tensors of the file.
pub(in crate::weights) fn read<R: Read + Seek>(
    input: &mut Input<R>,
    file: &Arc<Path>,
) -> Result<Tensors, Problem> {
    let len = input.len().min(pickle::MAX_LEN as u64);
    let bytes = input.bytes(0, usize::try_from(len).unwrap_or(0))?;
    let mut at = 0;
    let mut next = || -> Result<Pickle<'_>, String> {
        let pickle = Pickle::read(&bytes[at..])?;
        at += pickle.len;
        Ok(pickle)
    };
    let magic = next()?;
    if !matches!(magic.get(magic.root), Value::Long(long) if *long == MAGIC) {
        return Err("it is a pickle, and not one that torch.save wrote".into());
    }
    let version = next()?;
    if !matches!(version.get(version.root), Value::Int(VERSION)) {
        return Err("its version is not 1001, the only one there was before zip archives".into());
    }
    if is_big_endian(&next()?) {
        return Err(BIG_ENDIAN.into());
    }
    let state = next()?;
    let keys = next()?;
    let spans = spans(input, &state, &keys, at as u64)?;
    let mut entries = Vec::new();
    for (name, tensor) in state_dict::tensors(&state)? {
        let key = tensor.storage.key;
        let span = spans.get(key).ok_or_else(|| {
            format!("`{name}` is to lie in the storage `{key}`, which is not there")
        })?;
        entries.push((name.to_owned(), entry(name, tensor, *span, file)?));
    }
    Ok(entries)
}

fn is_big_endian(system: &Pickle<'_>) -> bool {
    let Value::Dict(items) = system.get(system.root) else {
        return false;
    };
    items.iter().any(|&(key, value)| {
        matches!(system.get(key), Value::Text("little_endian"))
            && matches!(system.get(value), Value::Bool(false))
    })
}

/// Where each storage's bytes lie, from `at` on.
fn spans<'b, R: Read + Seek>(
    input: &mut Input<R>,
    state: &Pickle<'b>,
    keys: &Pickle<'b>,
    mut at: u64,
) -> Result<HashMap<&'b str, Span>, Problem> {
    let mut storages: HashMap<&str, StorageRef<'_>> = HashMap::new();
    for storage in state_dict::storages(state) {
        let storage = storage.map_err(|problem| format!("its state dict {problem}"))?;
        let first = storages.entry(storage.key).or_insert(storage);
        if first.len != storage.len {
            return Err(format!("its storage `{}` has two lengths", storage.key).into());
        }
    }
    let Value::List(order) = keys.get(keys.root) else {
        return Err("its list of storages is none".into());
    };
    let mut spans = HashMap::new();
    for &key in order {
        let &Value::Text(key) = keys.get(key) else {
            return Err("its list of storages holds what is no name".into());
        };
        let storage = storages
            .get(key)
            .ok_or_else(|| format!("its storage `{key}` belongs to no tensor"))?;
        let elements = input.bytes(at, 8)?;
        let elements = u64::from_le_bytes(elements.try_into().unwrap_or_default());
        if Some(storage.len) != elements.checked_mul(storage.width()) {
            return Err(format!(
                "its storage `{key}` has {elements} elements, which are not the {} bytes that its tensors say",
                storage.len
            )
            .into());
        }
        input.check(at + 8, storage.len)?;
        let span = Span {
            start: at + 8,
            len: storage.len,
        };
        at = span.start + span.len;
        if spans.insert(key, span).is_some() {
            return Err(format!("its list of storages has `{key}` twice").into());
        }
    }
    Ok(spans)
}
