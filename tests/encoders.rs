//! The encoders that are not CLIP's kind of transformer, trained in a small world.

mod tiny;

use menagerie::burn::tensor::{Device, TensorData};
use menagerie::weights::Shards;
use menagerie::{Component, Recipe};
use tiny::{Run, World};

/// Positions for 3 × 3 patches, of which images have 2 × 2.
const DINOV2: &str = "[vision]\ntype = \"dinov2\"\nimage_size = 16\ntrained_image_size = 24\n\
    patch_size = 8\nhidden_size = 16\nnum_layers = 2\nnum_heads = 2\nnum_registers = 2\n\
    swiglu = true\nlayer = -1\n";

/// Maps of 4 × 4 and of 2 × 2 places.
const CONVNEXT: &str = "[vision]\ntype = \"convnext\"\nimage_size = 16\npatch_size = 4\n\
    hidden_sizes = [8, 12]\ndepths = [2, 1]\n";

const ENCODERS: [(&str, &str); 2] = [("dinov2", DINOV2), ("convnext", CONVNEXT)];

/// A run of stage `align` with these keys in its table.
fn run(world: &World, name: &str, vision: &str, stage: &str) -> Run {
    let difference = format!("extends = \"align.toml\"\n{vision}\n[stage.align]\n{stage}\n");
    world.train(name, &difference)
}

/// The encoder's weights after the run, by name.
fn weights(run: &Run) -> Vec<(String, TensorData)> {
    let file = run.0.join("weights/align/vision.safetensors");
    let shards = Shards::open(&file).unwrap_or_else(|error| panic!("{error}"));
    let read = |name: &str| shards.data(name).unwrap_or_else(|error| panic!("{error}"));
    shards
        .names()
        .map(|name| (name.to_owned(), read(name)))
        .collect()
}

fn difference(one: &TensorData, other: &TensorData) -> f64 {
    let values = |data: &TensorData| -> Vec<f32> { data.clone().try_to_vec().expect("f32") };
    let pairs = values(one).into_iter().zip(values(other));
    pairs.fold(0.0, |most, (one, other)| {
        f64::max(most, f64::from((one - other).abs()))
    })
}

/// Whether a weight changes what is read: the norm at the end lies behind it, and what a key's bias
/// adds to all scores, the softmax takes away.
fn counts(key: &str) -> bool {
    !key.starts_with("layernorm.") && !key.ends_with("key.bias")
}

#[test]
fn blocks_that_are_run_again_learn_the_same() {
    let world = World::new();
    for (name, vision) in ENCODERS {
        let stage = |blocks| format!("freeze = [\"llm\"]\ncheckpoint_blocks = {blocks}");
        let [plain, again] = [false, true].map(|blocks| {
            weights(&run(
                &world,
                &format!("{name}-{blocks}"),
                vision,
                &stage(blocks),
            ))
        });
        let frozen = weights(&run(&world, &format!("{name}-frozen"), vision, ""));
        for (((key, plain), (_, again)), (_, frozen)) in plain.iter().zip(&again).zip(&frozen) {
            let off = difference(plain, again);
            assert!(off <= 1e-6, "{name}, {key}: off by {off:e}");
            let has_moved = difference(plain, frozen) > 1e-4;
            assert_eq!(has_moved, counts(key), "{name}, {key}");
        }
    }
}

#[test]
fn parts_of_an_encoder_stay_as_they_are() {
    let world = World::new();
    for (name, vision, frozen) in [
        ("dinov2", DINOV2, "vision.layers.0"),
        ("convnext", CONVNEXT, "vision.stages.0"),
    ] {
        let stage = format!("freeze = [\"llm\", \"{frozen}\"]");
        let after = weights(&run(&world, &format!("{name}-part"), vision, &stage));
        let before = weights(&run(&world, &format!("{name}-whole"), vision, ""));
        for ((key, after), (_, before)) in after.iter().zip(&before) {
            let is_frozen = [".layer.0.", "stages.0."]
                .iter()
                .any(|part| key.contains(part));
            let has_moved = difference(after, before) > 1e-4;
            assert_eq!(has_moved, counts(key) && !is_frozen, "{name}, {key}");
        }
    }
}

#[test]
fn an_adapter_lies_on_the_linear_layers_of_blocks() {
    let world = World::new();
    for (name, vision) in ENCODERS {
        let stage = "freeze = [\"llm\"]\nlora = { rank = 2, alpha = 4, on = [\"vision\"] }";
        let run = run(&world, &format!("{name}-lora"), vision, stage);
        let trained = Recipe::load(run.0.join("model.toml")).expect("a recipe");
        assert!(trained.adapter(Component::Vision).is_some(), "{name}");
        let trained = trained.assemble(&Device::flex());
        trained.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
