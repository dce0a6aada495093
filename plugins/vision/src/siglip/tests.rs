//! SigLIP against values that transformers stored.

use burn::tensor::DType;
use menagerie_core::testing::{Reference, assert_close, check_encoder};
use menagerie_core::weights::{self, Shards};
use serde_json::json;

use super::*;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/siglip");
/// f32 against f64 differs by 6e-6 here, a wrong epsilon by 5e-5, the error function's GELU by 2e-3.
const TOLERANCE: f64 = 3e-5;

fn fixture(layer: i64, select: &str) -> (Siglip, Reference) {
    let text = std::fs::read_to_string(format!("{FIXTURE}/config.json")).expect("config.json");
    let hf = serde_json::from_str(&text).expect("JSON");
    let mut options = SiglipConfig::from_hf(&hf).expect("options");
    options.insert("layer".to_owned(), layer.into());
    options.insert("select".to_owned(), select.into());
    let config: SiglipConfig = toml::Value::Table(options).try_into().expect("a config");
    let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
    let shards = Shards::open(FIXTURE.as_ref()).expect("weights");
    let checkpoint = EncoderConfig::checkpoint(&config);
    let loaded = weights::load(module, "siglip", &checkpoint, &shards, DType::F32);
    let reference = Reference::open(format!("{FIXTURE}/expected.safetensors"));
    let (module, report) = loaded.expect("all weights");
    let heads = |key: &String| key.starts_with("vision_model.head.");
    assert!(!report.ignored.is_empty() && report.ignored.iter().all(heads));
    (module, reference)
}

#[test]
fn every_block_equals_transformers() {
    let (siglip, reference) = fixture(-1, "full");
    let expect = |what: &str, actual: Tensor<3>| {
        assert_close(what, actual, reference.tensor(what), TOLERANCE);
    };
    let mut hidden = siglip.embed(reference.tensor("pixel_values"));
    for (index, block) in siglip.layers.iter().enumerate() {
        expect(&format!("hidden_states.{index}"), hidden.clone());
        let normed = block.layer_norm1.forward(hidden.clone());
        let attended = block.attention.forward(normed);
        expect(&format!("block.{index}.attention"), attended.clone());
        let middle = block.layer_norm2.forward(hidden.clone() + attended);
        expect(&format!("block.{index}.mlp"), block.mlp.forward(middle));
        hidden = block.forward(hidden);
    }
    expect("hidden_states.3", hidden.clone());
    expect("last_hidden_state", siglip.post_layernorm.forward(hidden));
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    for (name, config) in SiglipConfig::presets() {
        let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
        // As transformers counts its `SiglipVisionModel(vision_use_head=False)` of these sizes.
        let expected = match name {
            "base-patch16-224" => 85_797_120,
            _ => 412_987_248,
        };
        assert_eq!(Module::num_params(&module), expected, "{name}");
    }
}

#[test]
fn keeps_the_contract() {
    check_encoder("siglip");
}

#[test]
fn the_originals_configs_keep_every_token_and_state_no_sizes() {
    let config = json!({
        "model_type": "llava_llama",
        "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
    });
    let options = SiglipConfig::from_hf(&config).expect("options");
    let expected = toml::toml! {
        layer = -2
        select = "full"
    };
    assert_eq!(options, expected);
}

#[test]
fn a_whole_config_that_leaves_its_choices_out_means_what_transformers_assumes() {
    let config = json!({ "model_type": "llava", "vision_config": { "image_size": 32 } });
    let options = SiglipConfig::from_hf(&config).expect("options");
    assert_eq!(options["layer"], (-2).into());
    assert_eq!(options["select"], "drop_first".into());
    assert_eq!(options["image_size"], 32.into());
}
