//! The Q-Former against transformers, layer by layer.

use menagerie_core::testing::assert_close;
use serde_json::json;

use super::*;
use crate::testing::{Fixture, clip, in_whole_model, load, refusal};

/// Off by 1.8e-6 here, with a norm's epsilon of 1e-5 by 2.0e-5.
const TOLERANCE: f64 = 6e-6;

fn config() -> QFormerConfig {
    QFormerConfig {
        num_queries: 5,
        hidden_size: 16,
        intermediate_size: 24,
        num_layers: 3,
        num_heads: 4,
        ..QFormerConfig::blip2()
    }
}

#[test]
fn every_layer_equals_transformers() {
    let fixture = Fixture::open(&config(), "qformer", [3, 3]);
    let features = fixture.expected("qformer", "features");
    let mut queries = fixture.module.queries(2);
    for (index, layer) in fixture.module.layers.iter().enumerate() {
        queries = layer.forward(queries, features.clone());
        let name = format!("layer.{index}");
        let expected = fixture.expected("qformer", &name);
        assert_close(&name, queries.clone(), expected, TOLERANCE);
    }
    fixture.check("qformer", TOLERANCE);
}

#[test]
fn heads_that_do_not_divide_are_an_error() {
    let odd = QFormerConfig {
        num_heads: 5,
        ..config()
    };
    let expected = "`hidden_size` of `qformer`: 16 is no multiple of num_heads = 5";
    assert_eq!(refusal(&odd, &clip()), expected);
}

#[test]
fn blip2s_config_is_read() {
    let read = |config: Value| QFormerConfig::from_hf(&config).map_err(|e| e.to_string());
    let stated = json!({
        "model_type": "blip-2",
        "num_query_tokens": 16,
        "qformer_config": { "num_hidden_layers": 6, "hidden_act": "gelu" },
    });
    let options = read(stated).expect("options").expect("a Q-Former");
    let config: QFormerConfig = toml::Value::Table(options).try_into().expect("a config");
    let expected = QFormerConfig {
        num_queries: 16,
        num_layers: 6,
        ..QFormerConfig::blip2()
    };
    assert_eq!(config, expected);
    assert_eq!(read(json!({ "model_type": "instructblip" })), Ok(None));
    let relu = json!({ "model_type": "blip-2", "qformer_config": { "hidden_act": "relu" } });
    let message = read(relu).expect_err("an error");
    assert!(message.contains("`hidden_act` = \"relu\""), "{message}");
}

#[test]
fn files_of_whole_models_are_read() {
    let others = ["vision_model.x", "language_model.x"];
    let file = in_whole_model("qformer", str::to_owned, &others);
    let module = load(&config(), file.path(), [3, 3]);
    Fixture::with(module).check("qformer", TOLERANCE);
}
