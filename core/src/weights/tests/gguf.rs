//! What the `gguf` package wrote (`tests/fixtures/gguf/make.py`).

use burn::tensor::DType;
use serde_json::json;

use super::super::gguf::{Gguf, Value};
use super::*;

/// To the bit: each number is computed in the order of the reference.
#[test]
fn every_block_gives_the_numbers_of_the_gguf_package() {
    let (found, expected) = (
        open("gguf/blocks.gguf").unwrap(),
        open("gguf/blocks.safetensors").unwrap(),
    );
    assert_eq!(found.names().count(), 11);
    for name in expected.names() {
        let (found, expected) = (found.data(name).unwrap(), expected.data(name).unwrap());
        let plain = matches!(name, "f16" | "bf16");
        assert_eq!(found.dtype() == DType::F32, !plain, "{name}");
        let found = found.convert_dtype(DType::F32);
        assert_eq!(found.shape(), expected.shape(), "{name}");
        assert!(found.as_bytes() == expected.as_bytes(), "{name}");
    }
}

#[test]
fn metadata_of_every_type_is_asked_for_by_type() {
    let gguf = Gguf::open(&fixture("gguf/metadata.gguf")).unwrap();
    for (key, integer) in [
        ("uint8", 200),
        ("int8", -100),
        ("uint16", 60_000),
        ("int16", -30_000),
        ("uint32", 4_000_000_000),
        ("int32", -2_000_000_000),
        ("uint64", 1 << 62),
        ("int64", -(1 << 62)),
    ] {
        assert_eq!(
            gguf.require::<i64>(&format!("test.{key}")).unwrap(),
            integer
        );
    }
    assert_eq!(gguf.get("test.float32").unwrap(), Some(0.5));
    assert_eq!(gguf.get("test.float64").unwrap(), Some(0.1));
    assert_eq!(gguf.get("test.bool").unwrap(), Some(true));
    assert_eq!(gguf.get("test.string").unwrap(), Some("naïve"));
    assert_eq!(
        gguf.require::<&[String]>("test.texts").unwrap(),
        ["a", "", "ü"]
    );
    assert_eq!(gguf.require::<&[i64]>("test.integers").unwrap(), [1, -2, 3]);
    assert_eq!(gguf.require::<&[f64]>("test.floats").unwrap(), [0.5, -1.5]);
    let flags = gguf.metadata().get("test.flags");
    assert_eq!(flags, Some(&Value::Bools(vec![true, false])));

    assert_eq!(gguf.get::<usize>("test.absent").unwrap(), None);
    let error = gguf.get::<&str>("test.uint8").unwrap_err().to_string();
    assert!(error.contains("`test.uint8` is not text"), "{error}");

    let tensors = gguf.into_tensors();
    assert_eq!(tensors.get("b").unwrap().shape, [2, 3]);
    let integers = tensors.data("a").unwrap();
    assert_eq!(integers.try_to_vec::<i32>().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn metadata_of_llama_and_qwen2_becomes_a_config_json() {
    let config = |name: &str| Gguf::open(&fixture(name)).unwrap().hf_config().unwrap();
    assert_eq!(
        config("gguf/llama.gguf"),
        json!({
            "model_type": "llama",
            "vocab_size": 29,
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "intermediate_size": 80,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "head_dim": 10,
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": 131_072,
            "rope_parameters": {
                "rope_type": "factors", "factors": [1.0, 1.0, 2.5, 8.0, 8.0], "rope_theta": 500_000.0,
            },
            "tie_word_embeddings": true,
        })
    );
    assert_eq!(
        config("gguf/qwen2.gguf"),
        json!({
            "model_type": "qwen2",
            "vocab_size": 3,
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "intermediate_size": 96,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "head_dim": 16,
            "rms_norm_eps": 1e-6,
            "max_position_embeddings": 131_072,
            "rope_parameters": {
                "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768,
                "rope_theta": 1_000_000.0,
            },
            "tie_word_embeddings": false,
        })
    );
}

#[test]
fn a_type_or_an_architecture_that_is_not_known_is_named_with_those_that_are() {
    let error = refusal("gguf/q2_k.gguf");
    assert_eq!(
        error,
        "`FILE` is not a valid GGUF file: `weight` is q2_K; what can be read is f32, f16, q4_0, \
         q4_1, q5_0, q5_1, q8_0, q4_K, q5_K, q6_K, i8, i16, i32, i64, f64, bf16"
    );
    assert!(refusal("gguf/big-endian.gguf").contains("big-endian"));
    let gguf = Gguf::open(&fixture("gguf/other.gguf")).unwrap();
    let error = gguf.hf_config().unwrap_err().to_string();
    assert!(
        error.ends_with("its architecture is `gemma`; known are llama, qwen2"),
        "{error}"
    );
}
