//! CLIP against values that transformers stored.

use burn::tensor::DType;
use menagerie_core::testing::{Reference, assert_close, check_encoder};
use menagerie_core::weights::{self, Shards};

use super::*;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/clip");
/// f32 against f64 differs by 9e-6 here, a wrong epsilon by 6.7e-5.
const TOLERANCE: f64 = 3e-5;

fn fixture(layer: i64, select: &str) -> (Clip, Reference) {
    let text = std::fs::read_to_string(format!("{FIXTURE}/config.json")).expect("config.json");
    let hf = serde_json::from_str(&text).expect("JSON");
    let mut options = ClipConfig::from_hf(&hf).expect("options");
    options.insert("layer".to_owned(), layer.into());
    options.insert("select".to_owned(), select.into());
    let config: ClipConfig = toml::Value::Table(options).try_into().expect("a config");
    let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
    let shards = Shards::open(FIXTURE.as_ref()).expect("weights");
    let checkpoint = EncoderConfig::checkpoint(&config);
    let loaded = weights::load(module, "clip", &checkpoint, &shards, DType::F32);
    let reference = Reference::open(format!("{FIXTURE}/expected.safetensors"));
    (loaded.expect("all weights").0, reference)
}

#[test]
fn every_block_equals_transformers() {
    let (clip, reference) = fixture(-1, "cls_patch");
    let expect = |what: &str, actual: Tensor<3>| {
        assert_close(what, actual, reference.tensor(what), TOLERANCE);
    };
    let embedded = clip.embeddings(reference.tensor("pixel_values"));
    expect("embeddings", embedded.clone());
    let mut hidden = clip.pre_layernorm.forward(embedded);
    expect("pre_layernorm", hidden.clone());
    for (index, block) in clip.layers.iter().enumerate() {
        expect(&format!("hidden_states.{index}"), hidden.clone());
        let normed = block.layer_norm1.forward(hidden.clone());
        expect(&format!("block.{index}.layer_norm1"), normed.clone());
        let attended = block.attention.forward(normed);
        expect(&format!("block.{index}.attention"), attended.clone());
        let middle = block.layer_norm2.forward(hidden.clone() + attended);
        expect(&format!("block.{index}.mlp"), block.mlp.forward(middle));
        hidden = block.forward(hidden);
    }
    expect("hidden_states.3", hidden);
}

#[test]
fn the_hidden_state_and_tokens_asked_for_are_read() {
    for (layer, state) in [(-1, 3), (-2, 2), (0, 0), (1, 1), (-4, 0)] {
        for (select, first) in [("cls_patch", 0), ("patch", 1)] {
            let (clip, reference) = fixture(layer, select);
            let expected: Tensor<3> = reference.tensor(&format!("hidden_states.{state}"));
            let features = clip.forward(reference.tensor("pixel_values"));
            let what = format!("layer {layer}, {select}");
            assert_close(
                &what,
                features,
                expected.narrow(1, first, 17 - first),
                TOLERANCE,
            );
        }
    }
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    for (name, config) in ClipConfig::presets() {
        let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
        let expected = match name {
            "vit-l-14" => 303_179_776,
            _ => 303_507_456,
        };
        assert_eq!(Module::num_params(&module), expected, "{name}");
    }
}

#[test]
fn keeps_the_contract() {
    check_encoder("clip");
}

#[test]
fn a_hidden_state_that_does_not_exist_is_an_error() {
    let config = ClipConfig {
        layer: OneOrMany::one(-26),
        ..ClipConfig::large(224)
    };
    let message = EncoderConfig::spec(&config)
        .expect_err("an error")
        .to_string();
    assert_eq!(
        message,
        "`layer` of `clip`: there is no hidden state -26; it goes from -25 to 24"
    );
}
