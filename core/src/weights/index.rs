//! `*.index.json`: which shard holds which tensor.

use std::io::{Read, Seek};
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::input::{Input, Problem};

/// The longest index, in bytes; 200,000 tensors take about as much.
const MAX_LEN: u64 = 16 << 20;

/// Names of tensors, each with the name of its shard, in the order of the text.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    weight_map: WeightMap,
}

#[derive(Debug)]
struct WeightMap(Vec<(String, String)>);

impl Index {
    pub(super) fn read<R: Read + Seek>(input: &mut Input<R>) -> Result<Self, Problem> {
        let len = input.len();
        if len > MAX_LEN {
            return Err(format!("it has {len} bytes; at most {MAX_LEN} are read").into());
        }
        let text = input.bytes(0, usize::try_from(len).unwrap_or(usize::MAX))?;
        Ok(serde_json::from_slice(&text).map_err(|error| error.to_string())?)
    }

    /// Names of tensors, each with the name of its shard.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&str, &str)> {
        let WeightMap(tensors) = &self.weight_map;
        tensors
            .iter()
            .map(|(name, shard)| (name.as_str(), shard.as_str()))
    }

    /// The shards' names, sorted, each once.
    pub(super) fn shards(&self) -> Vec<&str> {
        let mut shards: Vec<&str> = self.tensors().map(|(_, shard)| shard).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }
}

/// Whether it is the name of a file in the index's own folder and no path to anywhere else.
fn is_beside(shard: &str) -> bool {
    !shard.contains(['\\', ':']) && Path::new(shard).file_name() == Some(shard.as_ref())
}

impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = WeightMap;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table of tensors and shards")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<WeightMap, M::Error> {
                let mut tensors = Vec::new();
                while let Some((name, shard)) = map.next_entry::<String, String>()? {
                    if !is_beside(&shard) {
                        return Err(M::Error::custom(format!(
                            "`{shard}` is not the name of a file beside it"
                        )));
                    }
                    tensors.push((name, shard));
                }
                Ok(WeightMap(tensors))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
