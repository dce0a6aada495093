//! Weights as transformers splits them: `model.safetensors`, or numbered shards and an index.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::ExportError;
use super::folder::write_json;
use crate::weights::{Stored, write};

/// transformers' default until its fifth version.
const MAX_SHARD_BYTES: usize = 5_000_000_000;

/// Writes `tensors` into `folder`, in their order, a shard at most `max_bytes` unless one tensor
/// is larger.
pub(super) fn write_shards(
    tensors: Vec<Stored>,
    folder: &Path,
    max_bytes: Option<usize>,
) -> Result<(), ExportError> {
    let total: usize = tensors.iter().map(Stored::len).sum();
    let mut shards = split(tensors, max_bytes.unwrap_or(MAX_SHARD_BYTES));
    if shards.len() <= 1 {
        let only = shards.pop().unwrap_or_default();
        return Ok(write(only, &folder.join("model.safetensors"))?);
    }
    let count = shards.len();
    let mut places = Map::new();
    for (number, shard) in (1..).zip(shards) {
        let file = format!("model-{number:05}-of-{count:05}.safetensors");
        for tensor in &shard {
            places.insert(tensor.name.clone(), Value::String(file.clone()));
        }
        write(shard, &folder.join(file))?;
    }
    let index = json!({ "metadata": { "total_size": total }, "weight_map": places });
    write_json(&folder.join("model.safetensors.index.json"), &index)
}

fn split(tensors: Vec<Stored>, max_bytes: usize) -> Vec<Vec<Stored>> {
    let mut shards: Vec<Vec<Stored>> = Vec::new();
    let mut room = 0;
    for tensor in tensors {
        if tensor.len() > room || shards.is_empty() {
            shards.push(Vec::new());
            room = max_bytes;
        }
        room = room.saturating_sub(tensor.len());
        shards.last_mut().expect("one was just begun").push(tensor);
    }
    shards
}
