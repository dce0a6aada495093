//! A model whose encoder is two encoders.

mod tiny;

use menagerie::burn::tensor::{Device, Tensor};
use menagerie::testing::{Reference, assert_close};
use menagerie::{Component, Recipe};
use tiny::World;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// Two towers of the fixtures, each with weights of its own. Both see 4 × 4 patches of 31 pixels;
/// DINOv2's positions are for 5 × 5.
fn fused(difference: &str) -> String {
    format!(
        "extends = \"align.toml\"\n\
         [vision]\n\
         type = \"fused\"\n\
         [[vision.parts]]\n\
         type = \"dinov2\"\n\
         weights = \"{FIXTURES}/dinov2\"\n\
         image_size = 31\n\
         [[vision.parts]]\n\
         type = \"siglip\"\n\
         weights = \"{FIXTURES}/siglip\"\n\
         {difference}\n"
    )
}

fn siglip() -> Reference {
    Reference::open(format!("{FIXTURES}/siglip/expected.safetensors"))
}

/// SigLIP's pixels as the first encoder takes them.
fn pixels() -> Tensor<4> {
    let channels =
        |values: [f32; 3]| Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 3, 1, 1]);
    let raw = siglip().tensor::<4>("pixel_values") * 0.5 + 0.5;
    (raw - channels([0.485, 0.456, 0.406])) / channels([0.229, 0.224, 0.225])
}

#[test]
fn it_keeps_the_contract_of_an_encoder() {
    menagerie::testing::check_encoder("fused");
}

#[test]
fn each_encoder_loads_its_own_weights() {
    let world = World::new();
    let model = world.recipe("fused", &fused("")).assemble(&Device::flex());
    let model = model.unwrap_or_else(|error| panic!("{error}"));
    let sources: Vec<_> = model
        .loaded()
        .iter()
        .filter_map(|(component, report)| Some((*component, report.as_ref()?.path.clone())))
        .collect();
    let folder = |name| (Component::Vision, format!("{FIXTURES}/{name}").into());
    assert_eq!(sources, [folder("dinov2"), folder("siglip")]);

    let features = model.network().vision.forward(pixels());
    assert_eq!(features.dims(), [2, 16, 48]);
    let own = features.narrow(2, 24, 24);
    let expected = siglip().tensor("hidden_states.2");
    assert_close("the second encoder", own, expected, 1e-4);
}

#[test]
fn parts_of_encoders_learn_and_what_was_learned_is_loaded() {
    let world = World::new();
    let difference = "[stage.align]\n\
        freeze = [\"vision.parts.0\", \"vision.parts.1.layers.0..2\", \"llm\"]";
    let run = world.train("fused", &fused(difference));
    let text = run.text("model.toml");
    assert!(!text.contains("fixtures"), "{text}");
    let trained = Recipe::load(run.0.join("model.toml")).expect("a recipe");
    let trained = trained.assemble(&Device::flex()).expect("a model");
    let fresh = world.recipe("fresh", &fused("")).assemble(&Device::flex());
    let fresh = fresh.expect("a model");
    let [before, after] = [&fresh, &trained].map(|model| model.network().vision.forward(pixels()));
    let part = |features: &Tensor<3>, index: usize| features.clone().narrow(2, 24 * index, 24);
    assert_close("frozen", part(&after, 0), part(&before, 0), 0.0);
    let moved: f32 = (part(&after, 1) - part(&before, 1))
        .abs()
        .max()
        .into_scalar();
    assert!(moved > 1e-3, "{moved}");

    let said = world.menagerie(&["inspect", "fused"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = world.menagerie(&["export", "fused", "--layout", "hf", "exported"]);
    assert!(said.stderr.contains("fused"), "{said:?}");
}

#[test]
fn an_error_in_a_part_points_at_its_line() {
    let world = World::new();
    let error = |name: &str, difference: &str| {
        let recipe = world.recipe(name, &fused(difference));
        recipe.configure().expect_err("an error").to_string()
    };
    let unknown = error("unknown", "layers = -1");
    assert!(
        unknown.contains("unknown.toml:11:1: [vision.parts.1] has no key `layers`"),
        "{unknown}"
    );
    let size = error(
        "size",
        "[[vision.parts]]\ntype = \"clip\"\npreset = \"vit-l-14\"",
    );
    assert!(size.contains("size.toml:11:"), "{size}");
    assert!(size.contains("`clip` of 224"), "{size}");
    let other = error("other", "preset = \"large\"");
    assert!(
        other.contains("other.toml:11:1: `siglip` has no preset `large`"),
        "{other}"
    );
    let plugin = error("plugin", "[[vision.parts]]\ntype = \"dino\"");
    assert!(
        plugin.contains("plugin.toml:12:1: no vision plugin is called `dino`"),
        "{plugin}"
    );
    let twice = world.recipe("twice", &fused("")).clone();
    let mut twice = twice;
    twice.vision.weights = Some("all.safetensors".to_owned());
    let twice = twice.configure().expect_err("an error").to_string();
    assert!(twice.contains("twice.toml:6:1"), "{twice}");
}

#[test]
fn weights_of_parts_may_be_paths_beside_the_recipe_or_hub_ids() {
    let world = World::new();
    std::fs::create_dir(world.path("tower")).expect("made");
    let text = "extends = \"align.toml\"\n[vision]\ntype = \"fused\"\n\
        parts = [{ type = \"dinov2\", weights = \"tower\" }, { type = \"siglip\", weights = \"google/siglip-base-patch16-224\" }]";
    let mut recipe = world.recipe("places", text);
    let places: Vec<_> = recipe
        .weight_places()
        .into_iter()
        .map(|(key, place)| (key, place.clone()))
        .collect();
    let tower = world.path("tower").display().to_string();
    let id = "google/siglip-base-patch16-224".to_owned();
    assert_eq!(
        places,
        [
            ("vision.parts.0.weights".to_owned(), tower),
            ("vision.parts.1.weights".to_owned(), id),
        ]
    );
}
