//! The C-Abstractor against timm's blocks, one by one.

use menagerie_core::testing::assert_close;
use serde_json::json;

use super::*;
use crate::testing::{Fixture, in_whole_model, load, refusal, vision};

/// Off by 3.6e-6 here, with a norm's epsilon of 1e-6 by 8.1e-4.
const TOLERANCE: f64 = 1e-5;

fn config() -> CAbstractorConfig {
    CAbstractorConfig {
        num_queries: 16,
        hidden_size: 8,
        depth: 2,
        mlp_depth: 2,
    }
}

#[test]
fn every_block_equals_timms() {
    let fixture = Fixture::open(&config(), "c_abstractor", [7, 6]);
    let module = &fixture.module;
    let mut x = fixture.expected("c_abstractor", "features") + module.position_embedding.val();
    let before = module.before.iter().map(|block| (block, [7, 6]));
    let after = module.after.iter().map(|block| (block, [4, 4]));
    for (index, (block, grid)) in before.chain(after).enumerate() {
        if index == 2 {
            x = module.average.forward(x);
        }
        x = block.forward(x, grid);
        let name = format!("layer.{index}");
        let expected = fixture.expected("c_abstractor", &name);
        assert_close(&name, x.clone(), expected, TOLERANCE);
    }
    fixture.check("c_abstractor", TOLERANCE);
}

#[test]
fn tokens_that_are_no_square_are_an_error() {
    let odd = CAbstractorConfig {
        num_queries: 150,
        ..config()
    };
    let expected = "`num_queries` of `c_abstractor`: 150 is no square number; the nearest are 144 \
                    and 169";
    assert_eq!(refusal(&odd, &vision([24, 24], 8)), expected);
}

#[test]
fn more_tokens_than_the_encoder_has_are_an_error() {
    let message = refusal(&CAbstractorConfig::honeybee(256), &vision([7, 7], 8));
    let expected = "`num_queries` of `c_abstractor`: a grid of 16 x 16 tokens cannot be made of the \
                    encoder's 7 x 7; a side is from 1 to 7";
    assert_eq!(message, expected);
}

#[test]
fn honeybees_config_is_read() {
    let read = |config: Value| CAbstractorConfig::from_hf(&config).map_err(|e| e.to_string());
    let stated = json!({ "projector_config": {
        "projector_type": "c-abs", "num_query_tokens": 256, "pos_emb": true, "prenorm": false,
    } });
    let options = read(stated).expect("options").expect("a C-Abstractor");
    let config: CAbstractorConfig = toml::Value::Table(options).try_into().expect("a config");
    assert_eq!(config, CAbstractorConfig::honeybee(256));
    let other = json!({ "projector_config": { "projector_type": "d-abs" } });
    assert_eq!(read(other), Ok(None));
    let normed = json!({ "projector_config": { "projector_type": "c-abs", "prenorm": true } });
    let message = read(normed).expect_err("an error");
    assert!(message.contains("`prenorm` = true"), "{message}");
}

#[test]
fn files_of_whole_models_are_read() {
    let others = ["vision_model.x", "language_model.x"];
    let file = in_whole_model("c_abstractor", |name| format!("abstractor.{name}"), &others);
    let module = load(&config(), file.path(), [7, 6]);
    Fixture::with(module).check("c_abstractor", TOLERANCE);
}
