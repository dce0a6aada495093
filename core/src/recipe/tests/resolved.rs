//! Presets, weights and defaults filled in.

use std::fs;

use super::super::{Recipe, RecipeSource};
use super::TOY;

#[test]
fn the_resolved_text_gives_the_same_recipe() {
    let text = TOY.replace("[llm]", "[llm.generation]\nstop = [\"\\n\"]\n\n[llm]")
        + "[eval]\ndata = { conversations = [\"a.tar\", \"b.tar\"] }\n";
    let recipe = Recipe::parse(&text).unwrap();
    let resolved = recipe.to_toml().unwrap();
    let again = Recipe::parse(&resolved).unwrap();
    assert_eq!(again, recipe.resolve().unwrap());
    assert_eq!(again.to_toml().unwrap(), resolved);
    for line in [
        "image_size = 16",
        "layer = -2",
        "epochs = 1.0",
        "warmup_ratio = 0.03",
    ] {
        assert!(resolved.contains(line), "{line} in {resolved}");
    }
}

#[test]
fn the_hash_is_of_the_meaning() {
    let hash = |from, to| {
        Recipe::parse(&TOY.replace(from, to))
            .unwrap()
            .hash()
            .unwrap()
    };
    let plain = hash("", "");
    assert_eq!(plain.len(), 64);
    assert_eq!(
        plain,
        hash(
            "batch_size = 4",
            "batch_size = 0x4 # four\nsampler = 'shuffled'"
        )
    );
    assert_ne!(plain, hash("batch_size = 4", "batch_size = 5"));
}

#[test]
fn stated_options_come_before_the_presets() {
    let recipe = TOY.replace("\"small\"", "\"small\"\npatch_size = 8");
    let configured = Recipe::parse(&recipe).unwrap().configure().unwrap();
    assert_eq!(configured.vision_spec.tokens, 4);
    assert_eq!(configured.projector_spec.visual_tokens, 4);
}

#[test]
fn weights_supply_sizes_and_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, r#"{ "image_size": 32, "patch_size": 4 }"#).unwrap();
    let weights = format!("weights = \"{}\"", folder.path().display());
    let configure = |vision: &str| {
        let recipe = Recipe::parse(&TOY.replace("preset = \"small\"", vision)).unwrap();
        let configured = recipe.configure().map_err(|error| error.to_string());
        configured.map(|configured| configured.vision_spec.tokens)
    };
    assert_eq!(configure(&weights), Ok(64));
    let path = path.display();
    assert_eq!(
        configure(&format!("{weights}\npreset = \"small\"")),
        Err(format!(
            "<recipe>:7:1: `vision.image_size` is 16 by preset `small`, but {path} says 32; \
             correct the recipe or choose other weights"
        ))
    );
    assert_eq!(
        configure(&format!("{weights}\npreset = \"large\"\nimage_size = 48")),
        Err(format!(
            "<recipe>:8:1: `vision.image_size` is 48, but {path} says 32; correct \
             the recipe or choose other weights"
        ))
    );
}

#[test]
fn an_argument_is_a_file_or_an_embedded_name() {
    let source = RecipeSource::find("toy").unwrap();
    assert_eq!(Recipe::load_with(&source, &[]).unwrap().name, "toy");
    assert_eq!(
        RecipeSource::find("tory").unwrap_err().to_string(),
        "there is no file `tory` and no embedded recipe of that name; embedded are: toy (did you \
         mean `toy`?)"
    );
}

#[test]
fn the_schema_holds_each_plugins_options() {
    let schema = Recipe::schema().unwrap().to_value();
    let vision = &schema["$defs"]["VisionTable"]["anyOf"][0];
    assert_eq!(vision["properties"]["type"]["const"], "toy-eye");
    assert_eq!(vision["properties"]["preset"]["enum"][1], "large");
    assert_eq!(vision["properties"]["layer"]["default"], -2);
    assert_eq!(vision["properties"]["resize"]["default"], "crop");
    assert_eq!(vision["additionalProperties"], false);
    assert_eq!(schema["properties"]["extends"]["type"], "string");
    assert_eq!(
        schema["$defs"]["Schedule"]["anyOf"][1]["properties"]["type"]["const"],
        "constant"
    );
}
