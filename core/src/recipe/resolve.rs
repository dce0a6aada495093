//! The resolved recipe: every default and every plugin option filled in.

use sha2::{Digest, Sha256};
use toml::Table;

use super::Recipe;
use super::error::RecipeError;
use crate::hex::hex;
use crate::image::Resize;

impl Recipe {
    /// The recipe with every plugin option filled in, from presets, weights and defaults.
    ///
    /// # Errors
    /// As [`Recipe::configure`].
    pub fn resolve(&self) -> Result<Self, RecipeError> {
        let configured = self.configure()?;
        let mut resolved = self.clone();
        resolved.vision.options = configured.vision.options();
        let resize = resolved.vision.resize;
        let resize = *resolved
            .vision
            .resize
            .insert(resize.unwrap_or(configured.vision_info.resize));
        if let Some(images) = resolved
            .vision
            .images
            .as_mut()
            .filter(|_| resize != Resize::AnyRes)
        {
            images.pinpoints = None;
        }
        resolved.projector.options = configured.projector.options();
        resolved.llm.options = configured.llm.options();
        for stage in resolved.stage.values_mut() {
            if stage.steps.is_none() {
                stage.epochs.get_or_insert(1.0);
            }
            stage.micro_batch_size.get_or_insert(stage.batch_size);
        }
        if !resolved.stages.is_empty() {
            resolved.checkpoint.get_or_insert_default();
        }
        Ok(resolved)
    }

    /// The resolved recipe as TOML that stands alone. Reading it gives [`Recipe::resolve`]'s
    /// recipe.
    ///
    /// # Errors
    /// As [`Recipe::configure`].
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        let resolved = self.resolve()?;
        let table = Table::try_from(&resolved).expect("a recipe serialises to a TOML table");
        Ok(toml::to_string(&table).expect("a TOML table has a text"))
    }

    /// SHA-256 of the resolved recipe, in hexadecimal: the same for two recipes that mean the
    /// same, however they are written.
    ///
    /// # Errors
    /// As [`Recipe::configure`].
    pub fn hash(&self) -> Result<String, RecipeError> {
        Ok(hex(&Sha256::digest(self.to_toml()?)))
    }
}
