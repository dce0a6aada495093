//! Qwen2 against values that transformers stored.

use menagerie_core::testing::check_decoder;
use serde_json::json;

use super::*;
use crate::testing::{check_config, check_family, check_logits};

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
fn a_window_in_the_last_block_equals_transformers() {
    // Reached is 5.5e-6.
    check_family::<Qwen2Config>("qwen2", 1e-5);
    check_config::<Qwen2Config>("qwen2");
}

#[test]
fn a_window_lies_where_the_config_says_and_nowhere_if_it_is_switched_off() {
    let config = json!({
        "sliding_window": 4096,
        "use_sliding_window": true,
        "max_window_layers": 2,
        "num_hidden_layers": 3,
    });
    let read = |field: &str, value: Value| {
        let mut config = config.clone();
        config[field] = value;
        let options = Qwen2Config::from_hf(&config).expect("options");
        let types = options.get("layer_types");
        let slides = types.is_some_and(|types| types.to_string().contains("sliding"));
        assert_eq!(options.contains_key("sliding_window"), slides);
        types.map(ToString::to_string)
    };
    let full = "\"full_attention\"";
    let sliding = "\"sliding_attention\"";
    let expected = format!("[{full}, {full}, {sliding}]");
    assert_eq!(read("max_window_layers", json!(2)), Some(expected));
    let types = json!(["sliding_attention", "full_attention", "full_attention"]);
    let expected = format!("[{sliding}, {full}, {full}]");
    assert_eq!(read("layer_types", types), Some(expected));
    assert_eq!(read("use_sliding_window", json!(false)), None);
    assert_eq!(read("max_window_layers", json!(3)), None);
    assert_eq!(read("sliding_window", json!(null)), None);
    let types = json!(["full_attention", "full_attention", "full_attention"]);
    let expected = format!("[{full}, {full}, {full}]");
    assert_eq!(read("layer_types", types), Some(expected));
}

#[test]
fn a_list_of_blocks_that_does_not_fit_is_an_error() {
    let message = |config: Qwen2Config| config.spec().expect_err("an error").to_string();
    let types = Some(vec![LayerType::SlidingAttention]);
    let config = Qwen2Config {
        layer_types: types.clone(),
        ..Qwen2Config::tiny()
    };
    assert_eq!(
        message(config),
        "`layer_types` of `qwen2`: it names 1 blocks, and num_layers is 2"
    );
    let config = Qwen2Config {
        num_layers: 1,
        layer_types: types,
        sliding_window: None,
        ..Qwen2Config::tiny()
    };
    assert_eq!(
        message(config),
        "`layer_types` of `qwen2`: sliding_attention needs a `sliding_window`, in tokens"
    );
    let config = Qwen2Config {
        layer_types: None,
        ..Qwen2Config::tiny()
    };
    assert_eq!(
        message(config),
        "`sliding_window` of `qwen2`: no block has it; `layer_types` names those with sliding_attention"
    );
}

#[test]
fn a_window_of_nothing_is_an_error() {
    let mut options = toml::Table::try_from(Qwen2Config::tiny()).expect("options");
    options.insert("sliding_window".to_owned(), 0.into());
    let read: Result<Qwen2Config, _> = options.try_into();
    let message = read.expect_err("an error").to_string();
    assert!(message.contains("expected a nonzero"), "{message}");
}
