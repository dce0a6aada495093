//! A checkpoint as a model that answers.

use std::path::Path;

use burn::tensor::Device;
use menagerie_core::lora::{self, Factors, Form, Passes};
use menagerie_core::parameters::parameters;
use menagerie_core::{Model, Recipe, RecipeSource};

use super::saved::Saved;
use super::{RECIPE, STANDING};
use crate::train::adapters::components;
use crate::train::error::TrainError;
use crate::train::files::read_error;
use crate::train::run::before_stage;

/// The model that a run had at one of its checkpoints, `RUN/checkpoints/STAGE-STEP`.
///
/// What learned in the stage is the checkpoint's; all else is in the files that the stage began with,
/// which must be what they were. The run need not be held: it may go on meanwhile.
#[derive(Debug)]
pub struct CheckpointModel {
    saved: Saved,
    recipe: Recipe,
}

impl CheckpointModel {
    /// Whether `folder` is that of a checkpoint.
    #[must_use]
    pub fn is_at(folder: &Path) -> bool {
        folder.join(STANDING).is_file()
    }

    /// Opens the checkpoint in `folder` and checks every byte of it and of what lies under it.
    /// `sets` are `key=value` over its recipe.
    ///
    /// # Errors
    /// A checkpoint that is damaged or lies in no run, or files of before its stage that are not
    /// what they were.
    pub fn open(folder: &Path, sets: &[String]) -> Result<Self, TrainError> {
        // `.` is a checkpoint too.
        let folder = folder
            .canonicalize()
            .map_err(|source| read_error(folder, source))?;
        let saved = Saved::open(&folder).map_err(|refusal| refusal.of(&folder))?;
        // RUN/checkpoints/STAGE-STEP
        let run = folder.ancestors().nth(2).unwrap_or(&folder);
        if let Some(file) = saved.changed_base(run, |_| true) {
            return Err(TrainError::ChangedBase {
                file: run.join(file.path()),
                checkpoint: folder,
            });
        }
        let source = RecipeSource::File(folder.join(RECIPE));
        let recipe = Recipe::load_with(&source, sets)?;
        let recipe = before_stage(&recipe, run, &saved.standing.stage)?;
        Ok(Self { saved, recipe })
    }

    /// The recipe of the model as its stage found it. Weights may be stated anew before
    /// [`CheckpointModel::assemble_to_train`].
    #[must_use]
    pub const fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// As [`CheckpointModel::recipe`], to be changed.
    pub const fn recipe_mut(&mut self) -> &mut Recipe {
        &mut self.recipe
    }

    /// Stage and step.
    #[must_use]
    pub fn place(&self) -> (&str, usize) {
        (&self.saved.standing.stage, self.saved.standing.step)
    }

    /// The paths of the parameters that are the checkpoint's; an adapter's factors have their own.
    pub fn learned(&self) -> impl Iterator<Item = &str> {
        self.saved.learned()
    }

    /// The model on `device` with plain weights (see [`Recipe::assemble_to_train`]), an adapter part of them. `progress` hears how many parameters of
    /// the stage's beginning are loaded of how many.
    ///
    /// # Errors
    /// As [`Recipe::assemble`], or parameters that are not the model's.
    pub fn assemble_to_train(
        &self,
        device: &Device,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Model, TrainError> {
        let recipe = &self.recipe;
        let stage = recipe.stage.get(&self.saved.standing.stage);
        let table = stage.and_then(|stage| stage.lora.as_ref());
        // At its beginning a stage has learned nothing, and its adapter changes nothing.
        let Some(table) = table.filter(|_| self.learned().next().is_some()) else {
            return self.restored(recipe.assemble_to_train(&[], device, progress)?);
        };
        let configured = recipe.configure()?;
        let own = parameters(&recipe.network(&configured, &Device::flex())?);
        let targets = table.targets(&configured, &own);
        // The checkpoint has the factors, those of before its stage went on in them.
        let model = recipe.assemble_to_train(&components(&targets), device, progress)?;
        let form = Form {
            table,
            quantize: None,
            dtype: model.dtype(),
            seed: recipe.seed,
            passes: Passes::default(),
        };
        let model =
            model.map_network(|network| lora::attach(network, &targets, &form, &Factors::new()));
        Ok(self.restored(model)?.map_network(lora::merge))
    }

    fn restored(&self, model: Model) -> Result<Model, TrainError> {
        let network = self.saved.restore(model.network().clone())?;
        Ok(model.map_network(|_| network))
    }
}
