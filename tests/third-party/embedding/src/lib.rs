//! A program of Acme's around a model of Menagerie: assembled from a recipe in the program, with
//! Acme's own encoder, and asked from Acme's own threads.

pub mod encoder;
pub mod pool;

use std::error::Error;
use std::path::Path;

use menagerie::burn::tensor::Device;
use menagerie::{Model, Recipe, RecipeSource};

/// The quickstart's decoder behind Acme's encoder. Nothing is trained here.
const RECIPE: &str = r#"
extends = "quickstart"
name = "acme"
stages = []

[vision]
type = "colour-grid"
image_size = 64
side = 4
hidden_size = 64
"#;

/// Assembles the model. `folder` holds the decoder's weights and its tokenizer.
///
/// # Errors
/// A recipe that is wrong, or files that are missing.
pub fn model(folder: &Path) -> Result<Model, Box<dyn Error + Send + Sync>> {
    let at = |key: &str, name: &str| format!("{key} = '{}'", folder.join(name).display());
    let sets = [
        at("llm.weights", "llm.safetensors"),
        at("llm.tokenizer", "tokenizer.json"),
    ];
    let recipe = Recipe::load_with(&RecipeSource::Text(RECIPE.to_owned()), &sets)?;
    Ok(recipe.assemble(&Device::flex())?)
}
