//! Widths that fit, and what is said of those that do not.

use burn::tensor::DType;
use menagerie_core::Component;
use menagerie_core::testing::{assert_close, normal};
use menagerie_core::weights::{self, Shards};

use super::*;
use crate::testing::{clip, in_whole_model, llm, refusal};

#[test]
fn features_pass_as_they_are() {
    let module = IdentityConfig {}.init(&clip(), &llm(1024), &Device::flex());
    let x = normal([1, 5, 1024]);
    assert_close(
        "identity",
        module.expect("a module").forward(x.clone()),
        x,
        0.0,
    );
}

#[test]
fn widths_that_differ_are_an_error_that_names_what_fits() {
    let begin = "`type` of `identity`: the encoder's features are 1024 wide, and the decoder takes \
                 4096; projectors that change the width are `linear`, `mlp`, `resampler`, `qformer`";
    let more = ", `pool`, `pixel_shuffle`, `ldp_v2`, `c_abstractor`";
    assert_eq!(
        refusal(&IdentityConfig {}, &clip()),
        format!("{begin}{more}")
    );
    let mut shapeless = clip();
    shapeless.grid = None;
    assert_eq!(refusal(&IdentityConfig {}, &shapeless), begin);
}

#[test]
fn a_whole_models_file_holds_nothing_of_it() {
    let others = ["model.vision_tower.x", "model.embed_tokens.weight"];
    let file = in_whole_model("pool", str::to_owned, &others);
    let config = IdentityConfig {};
    let module = config.init(&clip(), &llm(1024), &Device::flex());
    let shards = Shards::open(file.path()).expect("weights");
    let checkpoint = config.checkpoint().joined(Component::Projector);
    let loaded = weights::load(
        module.expect("a module"),
        "x",
        &checkpoint,
        &shards,
        DType::F32,
    );
    assert_eq!(loaded.expect("nothing to load").1.loaded, 0);
}
