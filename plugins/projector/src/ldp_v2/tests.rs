//! LDPv2 against PyTorch's convolutions and averages.

use serde_json::json;

use super::*;
use crate::testing::{Fixture, in_whole_model, load, refusal, vision};

/// Off by 4.8e-7 here.
const TOLERANCE: f64 = 2e-6;

#[test]
fn it_equals_the_reference() {
    Fixture::open(&LdpV2Config { side: 3 }, "ldp_v2", [7, 7]).check("ldp_v2", TOLERANCE);
}

#[test]
fn a_grid_that_is_too_small_is_an_error() {
    let message = refusal(&LdpV2Config { side: 12 }, &vision([7, 7], 8));
    let expected = "`side` of `ldp_v2`: a grid of 12 x 12 tokens cannot be made of the encoder's \
                    7 x 7; a side is from 1 to 7";
    assert_eq!(message, expected);
}

#[test]
fn mobilevlms_config_names_it() {
    let read = |named: &str| {
        let config = json!({ "mm_projector_type": named });
        LdpV2Config::from_hf(&config).expect("options").is_some()
    };
    assert!(read("ldpnetv2"));
    assert!(!read("ldpnet") && !read("mlp2x_gelu"));
}

#[test]
fn files_of_whole_models_are_read() {
    let others = ["model.vision_tower.x", "model.embed_tokens.weight"];
    let name = |name: &str| format!("model.mm_projector.{name}");
    let file = in_whole_model("ldp_v2", name, &others);
    let module = load(&LdpV2Config { side: 3 }, file.path(), [7, 7]);
    Fixture::with(module).check("ldp_v2", TOLERANCE);
}
