//! The features of images, where the recipe says that they are kept.

use std::sync::Arc;

use menagerie_core::Model;
use menagerie_core::image::Resize;

use super::Session;
use crate::features::{Asked, EncoderIdentity, FeatureCache};
use crate::train::error::TrainError;
use crate::train::files::write_error;
use crate::train::stage::StageRun;

/// The features that a stage or a score asks for, with its own count; none if the recipe keeps none.
#[derive(Debug, Default)]
pub(super) struct StageFeatures {
    cache: Option<Arc<FeatureCache>>,
    /// Those asked for before the step in hand.
    before: Asked,
}

impl StageFeatures {
    pub(super) fn cache(&self) -> Option<&FeatureCache> {
        self.cache.as_deref()
    }

    pub(super) fn shared(&self) -> Option<Arc<FeatureCache>> {
        self.cache.clone()
    }

    /// How many images were asked for since the last step, now that another one is done.
    pub(super) fn step(&mut self) -> Option<Asked> {
        let now = self.cache.as_ref()?.asked();
        let asked = now.since(self.before);
        self.before = now;
        Some(asked)
    }
}

impl Session<'_> {
    /// The features of images that are made square as `resize` says or, without it, as the recipe
    /// does. No stage changes the encoder, so `model` may be that of any.
    pub(super) fn features_of(
        &mut self,
        model: &Model,
        resize: Option<Resize>,
    ) -> Result<StageFeatures, TrainError> {
        if !self.recipe.cache_features {
            return Ok(StageFeatures::default());
        }
        let encoder = self.encoder.get_or_insert_with(|| {
            let code = serde_json::to_value(&self.manifest.code).unwrap_or_default();
            EncoderIdentity::of(model, &code)
        });
        let folder = self.run.features();
        let cache = FeatureCache::open(folder, encoder, model.image_processor(resize));
        let cache = cache.map_err(|source| write_error(folder, source))?;
        Ok(StageFeatures {
            cache: Some(Arc::new(cache)),
            before: Asked::default(),
        })
    }

    /// Tells what a stage found and what it did not, and what could not be kept.
    pub(super) fn tell_of(&mut self, features: &StageFeatures, stage: &StageRun<'_>) {
        let Some(cache) = features.cache() else {
            return;
        };
        let asked = cache.asked();
        self.observer.note(&format!(
            "stage {} found the features of {} images in {}, and computed those of {}",
            stage.name,
            asked.found,
            cache.folder().display(),
            asked.computed
        ));
        if let Some(trouble) = cache.trouble() {
            self.observer.note(&format!(
                "some features are not kept and will be computed again: {trouble}"
            ));
        }
    }
}
