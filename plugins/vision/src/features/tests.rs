//! Features chosen by whole models' configs, against what transformers hands its projector.

use burn::tensor::{DType, Device};
use menagerie_core::plugin;
use menagerie_core::testing::{Reference, assert_close};
use menagerie_core::weights::{self, Shards};
use serde_json::{Map, Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");

#[test]
fn every_choice_of_layers_and_tokens_gives_what_transformers_projects() {
    let folder = format!("{FIXTURES}/llava-features");
    let text = std::fs::read_to_string(format!("{folder}/configs.json")).expect("configs");
    let configs: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
    let expected = Reference::open(format!("{folder}/expected.safetensors"));
    assert_eq!(configs.len(), 12);
    for (case, config) in configs {
        let name = case.split('.').next().expect("a tower");
        let tower = format!("{FIXTURES}/{name}");
        let plugin = plugin::encoder(name).expect("a plugin");
        let options = plugin.info.from_hf(&config).expect("options");
        let encoder = plugin.configure(options).expect("a config");
        let spec = encoder.spec().expect("sizes");
        let module = encoder.init(&Device::flex()).expect("a module");
        let shards = Shards::open(tower.as_ref()).expect("weights");
        let loaded = weights::load(module, name, &encoder.checkpoint(), &shards, DType::F32);
        let inputs = Reference::open(format!("{tower}/expected.safetensors"));
        let (module, _) = loaded.expect("all weights");
        let features = module.forward(inputs.tensor("pixel_values"));
        assert_eq!(
            features.dims(),
            [2, spec.tokens, spec.feature_size],
            "{case}"
        );
        // The largest value is 5 and more.
        assert_close(&case, features, expected.tensor(&case), 3e-5);
    }
}

#[test]
fn what_a_config_says_of_layers_and_tokens_is_an_option_or_an_error() {
    let read = |config: Value| plugin::encoder("clip").expect("clip").info.from_hf(&config);
    let hf = |field: &str, value: Value| {
        let mut config = json!({ "model_type": "llava", "vision_config": {} });
        config[field] = value;
        read(config)
    };
    let options = hf("vision_feature_layer", json!([-5, 3])).expect("options");
    assert_eq!(options["layer"].to_string(), "[-5, 3]");
    assert_eq!(options["select"].as_str(), Some("patch"));

    let original = json!({ "mm_vision_tower": "x", "mm_vision_select_feature": "cls_patch" });
    let options = read(original).expect("options");
    assert_eq!(options.to_string().trim(), "select = \"cls_patch\"");

    let own = read(json!({ "model_type": "clip_vision_model" })).expect("options");
    assert!(!own.contains_key("layer") && !own.contains_key("select"));

    let message = |field, value| hf(field, value).expect_err("an error").to_string();
    assert_eq!(
        message("vision_feature_select_strategy", json!("cls")),
        "`select` of `clip`: config.json has `vision_feature_select_strategy` = \"cls\", \
         which is not supported; it is \"default\" or \"full\""
    );
    assert_eq!(
        message("vision_feature_layer", json!("last")),
        "`layer` of `clip`: config.json has `vision_feature_layer` = \"last\", \
         which is not supported; a layer is a whole number"
    );
}
