//! DINOv2 against values that transformers stored.

use burn::tensor::DType;
use menagerie_core::testing::{Reference, assert_close, check_encoder};
use menagerie_core::weights::{self, Shards};
use serde_json::json;

use super::*;

/// f32 against f64 differs by 1.2e-5 here, a wrong epsilon by 5.3e-5 and 1.9e-4.
const TOLERANCE: f64 = 3e-5;

const FIXTURES: [&str; 2] = ["dinov2", "dinov2-registers"];

fn folder(name: &str) -> String {
    let crate_folder = env!("CARGO_MANIFEST_DIR");
    format!("{crate_folder}/../../tests/fixtures/{name}")
}

fn options(name: &str) -> toml::Table {
    let text = std::fs::read_to_string(format!("{}/config.json", folder(name)));
    let hf = serde_json::from_str(&text.expect("config.json")).expect("JSON");
    Dinov2Config::from_hf(&hf).expect("options")
}

fn fixture(name: &str, changes: toml::Table) -> (Dinov2, Reference) {
    let mut options = options(name);
    options.extend(changes);
    let config: Dinov2Config = toml::Value::Table(options).try_into().expect("a config");
    let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
    let shards = Shards::open(folder(name).as_ref()).expect("weights");
    let checkpoint = EncoderConfig::checkpoint(&config);
    let loaded = weights::load(module, "dinov2", &checkpoint, &shards, DType::F32);
    let (module, report) = loaded.expect("all weights");
    assert_eq!(report.ignored, ["embeddings.mask_token"]);
    let reference = Reference::open(format!("{}/expected.safetensors", folder(name)));
    (module, reference)
}

#[test]
fn every_block_equals_transformers() {
    for name in FIXTURES {
        let (dinov2, reference) = fixture(name, toml::Table::new());
        let expect = |what: &str, actual: Tensor<3>| {
            let place = format!("{name}, {what}");
            assert_close(&place, actual, reference.tensor(what), TOLERANCE);
        };
        let mut hidden = dinov2.embed(reference.tensor("pixel_values"));
        for (index, block) in dinov2.layers.iter().enumerate() {
            expect(&format!("hidden_states.{index}"), hidden.clone());
            let normed = block.layer_norm1.forward(hidden.clone());
            let attended = block.attention.forward(normed);
            expect(&format!("block.{index}.attention"), attended.clone());
            let scaled = block.layer_scale1.forward(attended);
            expect(&format!("block.{index}.layer_scale1"), scaled.clone());
            let middle = block.layer_norm2.forward(hidden.clone() + scaled);
            expect(&format!("block.{index}.mlp"), block.mlp.forward(middle));
            hidden = block.forward(hidden);
        }
        expect("hidden_states.3", hidden.clone());
        expect("last_hidden_state", dinov2.layernorm.forward(hidden));
    }
}

#[test]
fn images_of_another_size_equal_transformers() {
    for name in FIXTURES {
        for size in [21_u32, 52] {
            let mut changes = toml::toml! { layer = [0, -1] select = "cls_patch" };
            changes.insert("image_size".to_owned(), size.into());
            let (dinov2, reference) = fixture(name, changes);
            let features = dinov2.forward(reference.tensor(&format!("{size}.pixel_values")));
            let state = |number| -> Tensor<3> {
                let state: Tensor<3> = reference.tensor(&format!("{size}.hidden_states.{number}"));
                let [_, tokens, _] = state.dims();
                let patches = (size as usize / 7).pow(2);
                let last = state.clone().narrow(1, tokens - patches, patches);
                Tensor::cat(vec![state.narrow(1, 0, 1), last], 1)
            };
            let expected = Tensor::cat(vec![state(0), state(3)], 2);
            let what = format!("{name}, {size} pixels");
            assert_close(&what, features, expected, TOLERANCE);
        }
    }
}

#[test]
fn neither_class_token_nor_registers_are_features() {
    for (name, others) in [("dinov2", 1), ("dinov2-registers", 3)] {
        let (dinov2, reference) = fixture(name, toml::toml! { layer = 2 });
        let features = dinov2.forward(reference.tensor("pixel_values"));
        let state: Tensor<3> = reference.tensor("hidden_states.2");
        assert_close(name, features, state.narrow(1, others, 25), TOLERANCE);
    }
}

#[test]
fn interpolated_positions_learn() {
    let device = Device::flex().autodiff();
    let config = Dinov2Config {
        image_size: 21,
        trained_image_size: Some(35),
        ..Dinov2Config::tiny()
    };
    let dinov2 = EncoderConfig::init(&config, &device).expect("a module");
    let sum = dinov2.positions().sum();
    let gradients = sum.backward();
    let gradient = dinov2.position_embedding.val().grad(&gradients);
    let gradient = gradient.expect("a gradient");
    // Each of 9 places is made of weights that sum to 1, and so is the class token's.
    let total: f32 = gradient.sum().into_scalar();
    assert!((total - 10.0 * 16.0).abs() < 1e-3, "{total}");
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    // As transformers counts its models of these sizes, without the mask token.
    let expected = [
        ("small", 22_056_192),
        ("base", 86_579_712),
        ("large", 304_367_616),
        ("giant", 1_136_479_232),
        ("small-registers", 22_057_728),
        ("base-registers", 86_582_784),
        ("large-registers", 304_371_712),
        ("giant-registers", 1_136_485_376),
    ];
    let found = Dinov2Config::presets().into_iter().map(|(name, config)| {
        let module = EncoderConfig::init(&config, &Device::flex()).expect("a module");
        (name, Module::num_params(&module))
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn keeps_the_contract() {
    check_encoder("dinov2");
}

#[test]
fn a_config_written_for_transformers_says_the_same() {
    for name in FIXTURES {
        let mut options = options(name);
        options.insert("image_size".to_owned(), 21.into());
        let config: Dinov2Config = toml::Value::Table(options.clone())
            .try_into()
            .expect("a config");
        let parts = EncoderConfig::to_hf(&config).expect("a config");
        let mut again = Dinov2Config::from_hf(&Value::Object(parts.config)).expect("options");
        // It states the size of the weights; that of the images is the processor's.
        assert_eq!(
            again.insert("image_size".to_owned(), 21.into()),
            Some(35.into())
        );
        assert_eq!(again, options);
        let is_whole = parts.outer.contains_key("vision_feature_layer");
        assert_eq!(is_whole, name == "dinov2");
    }
}

#[test]
fn a_whole_model_whose_registers_are_patches_is_an_error() {
    let config = json!({
        "model_type": "llava",
        "vision_config": { "model_type": "dinov2_with_registers" },
    });
    let message = Dinov2Config::from_hf(&config)
        .expect_err("an error")
        .to_string();
    assert!(message.contains("registers for patches"), "{message}");
}

#[test]
fn options_that_no_model_has_are_errors() {
    let error = |change: fn(&mut Dinov2Config)| {
        let mut config = Dinov2Config::tiny();
        change(&mut config);
        let error = EncoderConfig::spec(&config).expect_err("an error");
        error.key().map(str::to_owned)
    };
    let key = |key: &str| Some(key.to_owned());
    assert_eq!(error(|c| c.mlp_ratio = 0), key("mlp_ratio"));
    assert_eq!(error(|c| c.mlp_ratio = usize::MAX), key("mlp_ratio"));
    assert_eq!(error(|c| c.hidden_size = usize::MAX), key("hidden_size"));
    assert_eq!(
        error(|c| c.num_registers = usize::MAX),
        key("num_registers")
    );
    assert_eq!(error(|c| c.image_size = usize::MAX), key("image_size"));
    assert_eq!(error(|c| c.patch_size = 0), key("patch_size"));
    assert_eq!(
        error(|c| c.trained_image_size = Some(3)),
        key("trained_image_size")
    );
    assert_eq!(error(|c| c.num_layers = 100_000), key("num_layers"));
}
