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
    // As transformers counts its `SiglipVisionModel(vision_use_head=False)` of these sizes.
    let expected = [
        ("base-patch16-224", 85_797_120),
        ("base-patch16-256", 85_843_200),
        ("base-patch16-384", 86_088_960),
        ("base-patch16-512", 86_433_024),
        ("base-patch32-256", 87_465_216),
        ("large-patch16-256", 303_361_024),
        ("large-patch16-384", 303_688_704),
        ("large-patch16-512", 304_147_456),
        ("so400m-patch14-224", 412_442_352),
        ("so400m-patch14-384", 412_987_248),
        ("so400m-patch16-256", 412_649_712),
        ("so400m-patch16-384", 413_018_352),
        ("so400m-patch16-512", 413_534_448),
        ("giant-opt-patch16-256", 1_134_838_272),
        ("giant-opt-patch16-384", 1_135_329_792),
    ];
    let found = SiglipConfig::presets().into_iter().map(|(name, config)| {
        let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
        (name, Module::num_params(&module))
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn published_ids_state_the_patch_and_image_of_their_preset() {
    let presets = SiglipConfig::presets();
    for (id, preset) in SiglipConfig::PUBLISHED {
        let found = presets.iter().find(|(name, _)| name == preset);
        let (_, config) = found.unwrap_or_else(|| panic!("{id}: no preset {preset}"));
        let ending = format!("-patch{}-{}", config.patch_size, config.image_size);
        assert!(id.contains(&ending) && preset.ends_with(&ending), "{id}");
    }
}

#[test]
fn siglip_2_of_a_fixed_size_is_a_siglip_and_of_any_size_is_another_model() {
    // What `config.json` of `google/siglip2-so400m-patch16-384` and of `…-patch16-naflex` state.
    let config = |model_type: &str, vision: serde_json::Value| json!({ "model_type": model_type, "vision_config": vision });
    let fixed = json!({
        "hidden_size": 1152,
        "image_size": 384,
        "intermediate_size": 4304,
        "model_type": "siglip_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "patch_size": 16,
    });
    let fixed = config("siglip", fixed);
    let info = &menagerie_core::plugin::encoder("siglip")
        .expect("siglip")
        .info;
    assert!(info.reads(&fixed));
    let mut options = info.from_hf(&fixed).expect("options");
    let preset = info.preset("so400m-patch16-384").expect("a preset");
    options.insert("layer".to_owned(), preset["layer"].clone());
    options.insert("select".to_owned(), preset["select"].clone());
    assert_eq!(options, preset);

    let any = config("siglip2", json!({ "model_type": "siglip2_vision_model" }));
    assert!(!info.reads(&any));
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
