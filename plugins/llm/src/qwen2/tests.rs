//! Qwen2 against values that transformers stored.

use menagerie_core::testing::check_decoder;
use serde_json::json;

use super::*;
use crate::testing::check_logits;

/// f32 sums in another order: the largest logit is 8.
const TOLERANCE: f64 = 1e-4;

#[test]
fn logits_equal_transformers() {
    check_logits::<Qwen2Config>("qwen2", TOLERANCE);
}

#[test]
fn a_tied_model_with_a_window_that_hides_nothing_equals_transformers() {
    check_logits::<Qwen2Config>("qwen2-tied", TOLERANCE);
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    for (name, config) in Qwen2Config::presets() {
        let module = DecoderConfig::init(&config, &Device::flex()).expect("a module");
        let expected = match name {
            "qwen2-0.5b" => 494_032_768,
            _ => 7_615_616_512,
        };
        assert_eq!(
            burn::module::Module::num_params(&module),
            expected,
            "{name}"
        );
    }
}

#[test]
fn keeps_the_contract() {
    check_decoder("qwen2");
}

#[test]
fn a_window_that_hides_tokens_is_an_error() {
    let config = json!({
        "max_position_embeddings": 32768,
        "sliding_window": 4096,
        "use_sliding_window": true,
        "max_window_layers": 20,
        "num_hidden_layers": 24,
    });
    let message = Qwen2Config::from_hf(&config)
        .expect_err("an error")
        .to_string();
    assert!(message.contains("`sliding_window` = 4096"), "{message}");
    assert!(message.contains("use_sliding_window = false"), "{message}");

    let changed = |field: &str, value: Value| {
        let mut config = config.clone();
        config[field] = value;
        Qwen2Config::from_hf(&config).is_ok()
    };
    assert!(changed("use_sliding_window", json!(false)));
    assert!(changed("max_window_layers", json!(24)));
    assert!(changed("sliding_window", json!(32768)));
    assert!(changed(
        "layer_types",
        json!(["full_attention", "full_attention"])
    ));
}
