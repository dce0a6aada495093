//! What two runs have in common: the stages that their recipes begin with.

use menagerie_core::{Component, Recipe, RecipeError};
use toml::{Table, Value};

/// All of a recipe, resolved, that the first `stages` of its stages follow from: their weights, their
/// logs and their scores. Two recipes of equal prefixes have these stages in common.
///
/// # Errors
/// As [`Recipe::configure`].
pub fn prefix(recipe: &Recipe, stages: usize) -> Result<Table, RecipeError> {
    let mut table: Table = recipe
        .to_toml()?
        .parse()
        .expect("a resolved recipe is TOML");
    // Whether an adapter that is stated stays apart depends on the stages to come.
    let adapts = recipe.stages().any(|(_, stage)| stage.lora.is_some());
    let is_adapted = Component::ALL
        .into_iter()
        .any(|component| recipe.adapter(component).is_some());
    let kept = if adapts && is_adapted {
        recipe.stages.as_slice()
    } else {
        &recipe.stages[..stages.min(recipe.stages.len())]
    };
    for key in ["name", "description", "checkpoint"] {
        table.remove(key);
    }
    table.insert("stages".to_owned(), kept.to_vec().into());
    if let Some(Value::Table(tables)) = table.get_mut("stage") {
        tables.retain(|name, _| kept.iter().any(|one| one == name));
        for (_, stage) in tables.iter_mut() {
            if let Some(data) = stage.get_mut("data").and_then(Value::as_table_mut) {
                data.remove("workers");
            }
        }
    }
    if let Some(eval) = table.get_mut("eval").and_then(Value::as_table_mut) {
        eval.remove("samples");
    }
    Ok(table)
}
