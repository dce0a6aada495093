//! One component alone, as its own published folders are.

use serde_json::{Value, json};

use super::folder::write_json;
use super::hf::dtype_name;
use super::shards::write_shards;
use super::{Export, ExportError, ExportLayout};
use crate::component::Component;
use crate::image::Resize;
use crate::weights::write_pytorch;

impl Export<'_> {
    pub(super) fn component(
        &self,
        layout: ExportLayout,
        component: Component,
    ) -> Result<(), ExportError> {
        match (layout, component) {
            (ExportLayout::Original, Component::Projector) => self.mm_projector(),
            (ExportLayout::Hf, Component::Projector) => {
                let tensors = self.tensors(component, layout, true)?;
                write_shards(tensors, self.folder, self.options.max_shard_bytes)
            }
            (_, component) => write_component(self, component),
        }
    }

    /// `mm_projector.bin`, which the original lays over a base decoder.
    fn mm_projector(&self) -> Result<(), ExportError> {
        let layout = ExportLayout::Original;
        let tensors = self.tensors(Component::Projector, layout, true)?;
        // The projector goes over the decoder and beside the tower that it was made for.
        let tower = self.recipe.weights(Component::Vision).unwrap_or_default();
        let mut config = self.original_config(tower)?;
        if let Some(base) = self.recipe.weights(Component::Llm) {
            config.insert("_name_or_path".to_owned(), json!(base));
        }
        write_json(&self.folder.join("config.json"), &Value::Object(config))?;
        Ok(write_pytorch(
            &tensors,
            &self.folder.join("mm_projector.bin"),
        )?)
    }
}

/// The encoder's or the decoder's own folder, the same for both tools.
pub(super) fn write_component(
    export: &Export<'_>,
    component: Component,
) -> Result<(), ExportError> {
    let layout = ExportLayout::Hf;
    let mut config = export.parts(component, layout)?.config;
    config.insert("torch_dtype".to_owned(), json!(dtype_name(export.dtype())));
    write_json(&export.folder.join("config.json"), &Value::Object(config))?;
    let tensors = export.tensors(component, layout, false)?;
    write_shards(tensors, export.folder, export.options.max_shard_bytes)?;
    if component == Component::Vision {
        let own = export.model.configured().images.resize;
        // A tower alone takes one square, whatever the model cuts an image into.
        let resize = if own.is_several() { Resize::Crop } else { own };
        return export.write_image_processor(resize);
    }
    let tokenizer = export.model.tokenizer();
    export.write_text(tokenizer)?;
    export.write_generation_config(tokenizer)
}
