//! Recipes linked into the binary, found by name.

use super::error::RecipeError;

/// A recipe that travels inside the binary. See [`register_recipe!`](crate::register_recipe).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedRecipe {
    /// The name it is found by.
    pub name: &'static str,
    /// Its TOML.
    pub text: &'static str,
}

inventory::collect!(EmbeddedRecipe);

/// Links a recipe into the binary: its name and its TOML.
///
/// ```ignore
/// menagerie_core::register_recipe!("llava-7b", include_str!("../recipes/llava-7b.toml"));
/// ```
#[macro_export]
macro_rules! register_recipe {
    ($name:expr, $text:expr) => {
        $crate::inventory::submit! {
            $crate::recipe::EmbeddedRecipe { name: $name, text: $text }
        }
    };
}

impl EmbeddedRecipe {
    /// All recipes linked in, sorted by name.
    ///
    /// # Errors
    /// Two of one name.
    pub fn list() -> Result<Vec<&'static Self>, RecipeError> {
        let mut all: Vec<&Self> = inventory::iter::<Self>.into_iter().collect();
        all.sort_unstable_by_key(|recipe| recipe.name);
        match all.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(RecipeError::DuplicateEmbedded {
                name: pair[0].name.to_owned(),
            }),
            None => Ok(all),
        }
    }

    /// The recipe of that exact name.
    ///
    /// # Errors
    /// Two of one name.
    pub fn find(name: &str) -> Result<Option<&'static Self>, RecipeError> {
        let all = Self::list()?;
        Ok(all.into_iter().find(|recipe| recipe.name == name))
    }
}
