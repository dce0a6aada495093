//! The original LLaVA's layout: the decoder's folder with `mm_*` keys, and the tower beside it.

use std::fs;

use serde_json::{Map, Value, json};

use super::component::write_component;
use super::folder::write_json;
use super::hf::dtype_name;
use super::shards::write_shards;
use super::text::write_old_merges;
use super::{Export, ExportError, ExportLayout, VISION_LAYER};
use crate::component::Component;
use crate::folder::TOWER;
use crate::image::Resize;

impl Export<'_> {
    /// The original reads the tower from the folder that `mm_vision_tower` names: the export brings
    /// it, and names where it will lie, unless another name is given.
    pub(super) fn original(&self, place: &std::path::Path) -> Result<(), ExportError> {
        let layout = ExportLayout::Original;
        let tower = self.write_tower(place)?;
        let config = self.original_config(&tower)?;
        write_json(&self.folder.join("config.json"), &config.into())?;
        let mut tensors = self.tensors(Component::Llm, layout, true)?;
        tensors.extend(self.tensors(Component::Projector, layout, true)?);
        write_shards(tensors, self.folder, self.options.max_shard_bytes)?;

        let tokenizer = self.model.tokenizer();
        self.write_text(tokenizer)?;
        write_old_merges(self.folder)?;
        self.write_generation_config(tokenizer)
    }

    /// Writes the tower beside the decoder, unless `mm_vision_tower` names another, and gives where
    /// it will lie once the export is in its `place`.
    pub(super) fn write_tower(&self, place: &std::path::Path) -> Result<String, ExportError> {
        if self.options.tower.is_none() {
            let tower = self.folder.join(TOWER);
            fs::create_dir(&tower).map_err(|source| ExportError::Io {
                path: tower.clone(),
                source,
            })?;
            let inside = Export {
                folder: &tower,
                ..*self
            };
            write_component(&inside, Component::Vision)?;
        }
        let place = std::path::absolute(place).unwrap_or_else(|_| place.to_owned());
        Ok(place.join(TOWER).display().to_string())
    }

    /// The decoder's config with what the original adds (`llava/model/llava_arch.py`). `own_tower` is where the tower lies, unless another name is given.
    pub(super) fn original_config(
        &self,
        own_tower: &str,
    ) -> Result<Map<String, Value>, ExportError> {
        let layout = ExportLayout::Original;
        let configured = self.model.configured();
        let vision = self.whole_parts(layout)?;
        let llm = self.parts(Component::Llm, layout)?;
        let projector = configured.projector.to_hf().original;
        let projector = projector.ok_or_else(|| self.unknown(Component::Projector, layout))?;
        let tower = self.options.tower.as_deref().unwrap_or(own_tower);
        let no_way = |what: String| ExportError::NoWay {
            layout: layout.name(),
            what,
        };
        let layer = vision.outer.get(VISION_LAYER);
        let layer = layer
            .and_then(Value::as_i64)
            .ok_or_else(|| no_way("features of several hidden states at once".to_owned()))?;
        // The original never drops a patch of a tower that has no class token.
        if configured.vision_spec.grid.is_none() {
            return Err(no_way("a selection that drops a patch".to_owned()));
        }
        let whole = vision.outer.get("vision_feature_select_strategy") == Some(&json!("full"));
        let select = match (whole, configured.vision_spec.has_class_token) {
            (true, true) => "cls_patch",
            _ => "patch",
        };
        let images = &configured.images;
        let aspect_ratio = match images.resize {
            Resize::Pad => json!("pad"),
            Resize::AnyRes => json!("anyres"),
            Resize::Tiles => return Err(no_way("images of several tiles".to_owned())),
            // The tower's own processor does it.
            Resize::Crop | Resize::Naive => Value::Null,
        };
        let mut config = llm.config;
        let decoder = config
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or("llama");
        let (model_type, architecture) = match decoder {
            "llama" => ("llava_llama".to_owned(), "LlavaLlamaForCausalLM".to_owned()),
            "qwen2" => ("llava_qwen2".to_owned(), "LlavaQwen2ForCausalLM".to_owned()),
            other => return Err(no_way(format!("a decoder of type `{other}`"))),
        };
        let wrapped = self.recipe.llm.image_wrap.is_some();
        let own = json!({
            "architectures": [architecture],
            "model_type": model_type,
            "mm_vision_tower": tower,
            "mm_hidden_size": configured.vision_spec.feature_size,
            "mm_projector_type": projector,
            "mm_vision_select_layer": layer,
            "mm_vision_select_feature": select,
            "mm_use_im_start_end": wrapped,
            "mm_use_im_patch_token": false,
            "image_aspect_ratio": aspect_ratio,
            "use_mm_proj": true,
            "unfreeze_mm_vision_tower": false,
            "torch_dtype": dtype_name(self.dtype()),
        });
        if let Value::Object(own) = own {
            config.extend(own);
        }
        if images.resize == Resize::AnyRes {
            let pinpoints = images.pinpoints.iter();
            let turned: Vec<_> = pinpoints.map(|&[height, width]| [width, height]).collect();
            config.insert("mm_patch_merge_type".to_owned(), json!("spatial_unpad"));
            config.insert("image_grid_pinpoints".to_owned(), json!(turned));
        }
        Ok(config)
    }
}
