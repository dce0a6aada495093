//! Weights under the names of GGUF files.

use std::path::Path;

use burn::tensor::{DType, Device};
use menagerie_core::DecoderConfig;
use menagerie_core::testing::{Reference, assert_close};
use menagerie_core::weights::{self, Shards};
use serde_json::Value;

use crate::testing::{config, fixture, folder, hf, load, logits};
use crate::{LlamaConfig, Qwen2Config};

/// Saves `module` under its second spelling and loads it again.
fn through_gguf<C: DecoderConfig>(config: &C, module: &C::Decoder, file: &Path) -> C::Decoder {
    let checkpoint = config.checkpoint();
    let mut second = checkpoint.clone();
    second.spellings.remove(0);
    weights::save(module, C::NAME, &second, file).expect("it can be saved");
    let fresh = config.init(&Device::flex()).expect("a module");
    let shards = Shards::open(file).expect("it can be opened");
    let loaded = weights::load(fresh, C::NAME, &checkpoint, &shards, DType::F32);
    loaded.expect("all weights").0
}

fn values(path: &Path, key: &str) -> Vec<f32> {
    let shards = Shards::open(path).unwrap_or_else(|error| panic!("{error}"));
    let data = shards.data(key).unwrap_or_else(|error| panic!("{error}"));
    data.iter().collect()
}

#[test]
fn a_llamas_queries_and_keys_lie_interleaved_in_each_of_their_heads() {
    let name = "llama-rope";
    let text = std::fs::read_to_string(format!("{}/configs.json", folder(name)));
    let configs: Value = serde_json::from_str(&text.expect("configs.json")).expect("JSON");
    let config: LlamaConfig = config(&configs["default"]);
    let module = load(&config, name);
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let file = temporary.path().join("model.safetensors");
    let again = through_gguf(&config, &module, &file);

    let ids = Reference::open(format!("{}/expected.safetensors", folder(name)));
    let ids = ids.integers("input_ids");
    let expected = logits(&module, ids.clone(), &[0]);
    assert_close("logits", logits(&again, ids, &[0]), expected, 0.0);

    let original = folder(name);
    for (theirs, ours, heads) in [("attn_q", "q_proj", 2), ("attn_k", "k_proj", 1)] {
        let stored = values(&file, &format!("blk.1.{theirs}.bias"));
        let plain = values(
            original.as_ref(),
            &format!("model.layers.1.self_attn.{ours}.bias"),
        );
        assert_eq!(plain.len(), heads * 16);
        for (place, value) in stored.into_iter().enumerate() {
            // Pair `j` of a head is its features `j` and `j + 8`.
            let (head, pair, half) = (place / 16, place % 16 / 2, place % 2);
            assert_eq!(
                value,
                plain[head * 16 + half * 8 + pair],
                "{theirs} {place}"
            );
        }
    }
}

#[test]
fn a_qwens_queries_and_keys_lie_as_they_are() {
    let (module, _) = fixture::<Qwen2Config>("qwen2");
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let file = temporary.path().join("model.safetensors");
    through_gguf(&config::<Qwen2Config>(&hf("qwen2")), &module, &file);
    for (theirs, ours) in [("attn_q", "q_proj"), ("attn_k", "k_proj")] {
        for part in ["weight", "bias"] {
            let plain = format!("model.layers.0.self_attn.{ours}.{part}");
            assert_eq!(
                values(&file, &format!("blk.0.{theirs}.{part}")),
                values(folder("qwen2").as_ref(), &plain)
            );
        }
    }
}
