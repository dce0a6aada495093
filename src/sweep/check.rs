//! Whether every point of a sweep can be trained, told before any is.

use burn::tensor::Device;
use menagerie_core::parameters::parameters;
use menagerie_core::recipe::Sweep;
use menagerie_core::{Recipe, RecipeError};

/// Checks the plugins, options, sizes and stages of every point, without weights or data.
///
/// # Errors
/// The first point that is wrong, with its name.
pub fn check(sweep: &Sweep) -> Result<(), RecipeError> {
    for point in &sweep.points {
        check_one(&point.recipe).map_err(|error| RecipeError::Point {
            point: point.name.clone(),
            error: Box::new(error),
        })?;
    }
    Ok(())
}

fn check_one(recipe: &Recipe) -> Result<(), RecipeError> {
    if recipe.stages.is_empty() {
        return Err(RecipeError::Invalid {
            origin: recipe.origin("stages"),
            key: "stages".to_owned(),
            message: "lists no stage, so there is nothing to train".to_owned(),
        });
    }
    check_recipe(recipe)
}

/// Checks a recipe's plugins, options, sizes and stages, without weights or data.
///
/// # Errors
/// What is wrong, with its place.
pub fn check_recipe(recipe: &Recipe) -> Result<(), RecipeError> {
    recipe.check_dtype()?;
    let configured = recipe.configure()?;
    let network = recipe.network(&configured, &Device::flex())?;
    recipe.check_stages(&configured, &parameters(&network))
}
