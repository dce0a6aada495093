//! The reference recipes, which travel inside the binary: `extends = "llava-7b"` and
//! `menagerie train llava-7b` need no file.

use menagerie_core::recipe::EmbeddedRecipe;
use menagerie_core::{RecipeError, register_recipe};

/// The recipe of that exact name.
///
/// # Errors
/// Two linked crates that embed recipes of one name.
pub fn find(name: &str) -> Result<Option<&'static EmbeddedRecipe>, RecipeError> {
    EmbeddedRecipe::find(name)
}

/// All recipes linked in, sorted by name.
///
/// # Errors
/// As [`find`].
pub fn list() -> Result<Vec<&'static EmbeddedRecipe>, RecipeError> {
    EmbeddedRecipe::list()
}

macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        $(register_recipe!($name, include_str!(concat!("../recipes/", $name, ".toml")));)*
    };
}

embed!(
    "quickstart",
    "llava-7b",
    "llava-13b",
    "llava-1.5-7b",
    "llava-1.5-13b",
    "llava-1.5-7b-lora",
    "finetune-own-data",
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use menagerie_core::burn::tensor::Device;
    use menagerie_core::parameters::{ParameterInfo, parameters};
    use menagerie_core::recipe::LoadOptions;
    use menagerie_core::{Component, Recipe, RecipeSource};

    use super::*;

    #[test]
    fn every_recipe_lies_in_recipes_under_the_name_it_states() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let all = list().unwrap();
        let names: BTreeSet<String> = all.iter().map(|recipe| recipe.name.to_owned()).collect();
        // A user may keep recipes of their own beside them.
        assert!(names.is_subset(&files), "{names:?} in {files:?}");
        for recipe in all {
            // A model that one of them takes is not on this machine.
            let options = LoadOptions {
                resolve: &|_| Ok(None),
                ..LoadOptions::default()
            };
            let loaded = Recipe::load_as(&RecipeSource::Embedded(recipe), &options).unwrap();
            assert_eq!(loaded.name, recipe.name);
            loaded.configure().unwrap();
        }
    }

    /// Of the original's script: all 224 linear layers of Vicuna 7B at rank 128, and the projector.
    #[test]
    fn the_lora_recipe_trains_the_originals_layers() {
        let source = RecipeSource::Embedded(find("llava-1.5-7b-lora").unwrap().unwrap());
        let recipe = Recipe::load_with(&source, &[]).unwrap();
        let configured = recipe.configure().unwrap();
        let parameters = parameters(&recipe.network(&configured, &Device::flex()).unwrap());
        recipe.check_stages(&configured, &parameters).unwrap();
        let factors = recipe.factors(&configured, &parameters);
        assert_eq!(factors.len(), 2 * 224);
        let (hidden, inner) = (4096, 11_008);
        let expected = 32 * 128 * (4 * 2 * hidden + 3 * (hidden + inner));
        assert_eq!(
            factors.iter().map(ParameterInfo::len).sum::<usize>(),
            expected
        );
        let stage = &recipe.stage["finetune"];
        let learns = |path: &str| stage.learns(path);
        assert!(learns("projector.layers.0.weight") && !learns("llm.lm_head.weight"));
    }

    /// CLIP, projector and decoder: of the published weights, by their shapes.
    #[test]
    fn parameter_counts_are_those_of_the_published_weights() {
        let clip_224 = 303_179_776;
        let clip_336 = 303_507_456;
        let (llm_7b, llm_13b) = (6_738_415_616, 13_015_864_320);
        for (name, visual_tokens, expected) in [
            ("llava-7b", 256, [clip_224, 4_198_400, llm_7b]),
            ("llava-13b", 256, [clip_224, 5_248_000, llm_13b]),
            ("llava-1.5-7b", 576, [clip_336, 20_979_712, llm_7b]),
            ("llava-1.5-13b", 576, [clip_336, 31_467_520, llm_13b]),
        ] {
            let source = RecipeSource::Embedded(find(name).unwrap().unwrap());
            let recipe = Recipe::load_with(&source, &[]).unwrap();
            let configured = recipe.configure().unwrap();
            assert_eq!(configured.projector_spec.visual_tokens, visual_tokens);
            let network = recipe.network(&configured, &Device::flex()).unwrap();
            let parameters = parameters(&network);
            let counts = Component::ALL.map(|component| {
                let prefix = format!("{component}.");
                let members = parameters.iter();
                let members = members.filter(|parameter| parameter.path.starts_with(&prefix));
                members.map(ParameterInfo::len).sum::<usize>()
            });
            assert_eq!(counts, expected, "{name}");
        }
    }
}
