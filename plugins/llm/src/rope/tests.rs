//! Every scaling against what transformers computed with it, and its way through a `config.json`.

use burn::tensor::Tensor;
use menagerie_core::DecoderConfig;
use menagerie_core::testing::{Reference, assert_close};
use serde_json::{Map, Value, json};

use super::*;
use crate::LlamaConfig;
use crate::testing::{config, folder, load, logits};

const STARTS: [(&str, u32); 3] = [("short", 0), ("across", 59), ("far", 10_000)];

fn cases() -> Map<String, Value> {
    let text = std::fs::read_to_string(format!("{}/configs.json", folder("llama-rope")));
    serde_json::from_str(&text.expect("configs.json")).expect("JSON")
}

fn reference() -> Reference {
    Reference::open(format!("{}/expected.safetensors", folder("llama-rope")))
}

#[test]
fn frequencies_are_those_of_transformers_to_the_last_bit_but_one() {
    let reference = reference();
    for (case, hf) in cases() {
        let rope = rope(&config(&hf));
        for (place, start) in STARTS {
            let (frequencies, amplitude) = rope.frequencies(u64::from(start) + 11);
            let what = format!("{case}.{place}.frequencies");
            let expected: Tensor<1> = reference.tensor(&what);
            let expected: Vec<f32> = expected.into_data().iter().collect();
            assert_eq!(frequencies.len(), expected.len());
            for (actual, expected) in frequencies.iter().zip(&expected) {
                let apart = actual.to_bits().abs_diff(expected.to_bits());
                assert!(apart <= 1, "{what}: {actual} for {expected}");
            }
            let expected: Tensor<1> = reference.tensor(&format!("{case}.amplitude"));
            let expected: f32 = expected.into_scalar();
            assert_eq!(single(amplitude), expected, "{case}");
        }
    }
}

#[test]
fn logits_equal_transformers_from_the_first_position_to_far_beyond_the_original_length() {
    let reference = reference();
    for (case, hf) in cases() {
        let module = load::<LlamaConfig>(&config(&hf), "llama-rope");
        for (place, start) in STARTS {
            let what = format!("{case}.{place}.logits");
            let actual = logits(&module, reference.integers("input_ids"), &[start]);
            let expected: Tensor<3> = reference.tensor(&what);
            let largest: f64 = expected.clone().abs().max().into_scalar();
            assert_close(&what, actual, expected, 1e-4 * largest);
        }
    }
}

fn rope(config: &LlamaConfig) -> Rope {
    Rope {
        dim: 16,
        theta: config.rope_theta,
        max_position_embeddings: config.max_position_embeddings,
        scaling: config.rope_scaling.clone(),
    }
}

#[test]
fn what_is_written_to_a_config_is_read_from_it() {
    for (case, hf) in cases() {
        let before: LlamaConfig = config(&hf);
        let parts = before.to_hf().expect("transformers has it");
        let after: LlamaConfig = config(&Value::Object(parts.config.clone()));
        assert_eq!(after, before, "{case}");
        let within: LlamaConfig = config(&parts.whole("text_config"));
        assert_eq!(within, before, "{case}");
    }
}

#[test]
fn the_factors_of_a_gguf_file_are_read_as_they_are() {
    let rope = json!({ "rope_type": "factors", "factors": [1.0, 8.0], "rope_theta": 500_000.0 });
    let options = LlamaConfig::from_hf(&json!({ "rope_parameters": rope })).expect("options");
    let expected = toml::toml! {
        type = "factors"
        factors = [1.0, 8.0]
    };
    assert_eq!(options["rope_scaling"], toml::Value::Table(expected));
    assert_eq!(options["rope_theta"], 500_000.0.into());
}

#[test]
fn a_scaling_that_is_not_computed_is_an_error() {
    let message = |rope: Value| {
        let read = LlamaConfig::from_hf(&json!({ "rope_parameters": rope }));
        read.expect_err("an error").to_string()
    };
    assert_eq!(
        message(json!({ "rope_type": "mrope" })),
        "`rope_scaling` of `llama`: config.json has `rope_parameters.rope_type` = \"mrope\", \
         which is not supported; it may be default, linear, dynamic, llama3, yarn, longrope or factors"
    );
    assert_eq!(
        message(json!({ "rope_type": "longrope", "short_factor": [1.0], "long_factor": [2.0] })),
        "`rope_scaling` of `llama`: config.json has \
         `rope_parameters.original_max_position_embeddings` = null, which is not supported; \
         it must be stated, in tokens"
    );
    assert_eq!(
        message(json!({ "type": "linear" })),
        "`rope_scaling` of `llama`: config.json has `rope_parameters.factor` = null, \
         which is not supported; it must be stated"
    );
    assert_eq!(
        message(json!({ "partial_rotary_factor": 0.5 })),
        "`rope_scaling` of `llama`: config.json has `partial_rotary_factor` = 0.5, \
         which is not supported; all features of a head must turn"
    );
}

#[test]
fn an_option_out_of_range_is_an_error() {
    let message = |options: toml::Table| {
        let mut config = LlamaConfig::tiny();
        config.rope_scaling = Some(toml::Value::Table(options).try_into().expect("a scaling"));
        config.spec().expect_err("an error").to_string()
    };
    let factors = toml::toml! {
        type = "factors"
        factors = [1.0, 2.0, 3.0]
    };
    assert_eq!(
        message(factors),
        "`rope_scaling` of `llama`: 3 in `factors`; 4 features of a head turn, which have 2 frequencies"
    );
    let linear = toml::toml! {
        type = "linear"
        factor = 0
    };
    assert_eq!(
        message(linear),
        "`rope_scaling` of `llama`: factor = 0 must be greater than 0"
    );
}
