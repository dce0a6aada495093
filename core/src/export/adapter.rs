//! The adapter alone, as the original LLaVA leaves it: PEFT's files for the decoder, and what was
//! trained beside them.

use std::path::Path;

use serde_json::{Value, json};

use super::folder::write_json;
use super::{Export, ExportError, ExportLayout};
use crate::component::Component;
use crate::folder::read_json;
use crate::weights::{Adapter, Stored, stored_where, write, write_pytorch};

impl Export<'_> {
    /// The base is not among it: the folder names the decoder's weights as the recipe does.
    pub(super) fn adapter(&self, out: &Path) -> Result<(), ExportError> {
        let layout = ExportLayout::Adapter;
        let place = self.recipe.adapter(Component::Llm);
        let place = Path::new(place.ok_or(ExportError::NoAdapter)?);
        let no_way = |what: &str| ExportError::NoWay {
            layout: layout.name(),
            what: what.to_owned(),
        };
        if self.recipe.adapter(Component::Vision).is_some() {
            return Err(no_way("an adapter over the encoder"));
        }
        let base = self.recipe.weights(Component::Llm);
        let base = base.filter(|_| self.recipe.base(Component::Llm).is_none());
        let base = base.ok_or_else(|| no_way("an adapter over a difference to other weights"))?;

        let adapter = Adapter::open(place)?;
        let modules = self.linear_modules();
        write(
            adapter.stored(&modules)?,
            &self.folder.join("adapter_model.safetensors"),
        )?;
        let mut config = read_json(&place.join("adapter_config.json"))?;
        config["base_model_name_or_path"] = json!(base);
        config["target_modules"] = modules
            .into_iter()
            .filter(|module| adapter.lies_on(module))
            .collect();
        write_json(&self.folder.join("adapter_config.json"), &config)?;

        let mut beside = self.brought(&adapter)?;
        beside.extend(self.tensors(Component::Projector, layout, true)?);
        let beside: Vec<Stored> = beside
            .into_iter()
            .map(|tensor| Stored {
                name: format!("base_model.model.{}", tensor.name),
                ..tensor
            })
            .collect();
        write_pytorch(&beside, &self.folder.join("non_lora_trainables.bin"))?;
        let tower = self.write_tower(out)?;
        let config = Value::Object(self.original_config(&tower)?);
        write_json(&self.folder.join("config.json"), &config)?;
        let tokenizer = self.model.tokenizer();
        self.write_text(tokenizer)?;
        self.write_generation_config(tokenizer)
    }

    /// The decoder's linear layers, by the original's names.
    fn linear_modules(&self) -> Vec<String> {
        let component = Component::Llm;
        let checkpoint = self.model.configured().checkpoint(component);
        let parameters = self.model.parameters();
        let own = parameters
            .iter()
            .filter_map(|info| info.path.strip_prefix("llm."));
        own.filter_map(|path| checkpoint.linear_module(component, path))
            .collect()
    }

    /// The decoder's parameters that the adapter brings whole.
    fn brought(&self, adapter: &Adapter) -> Result<Vec<Stored>, ExportError> {
        let (component, layout) = (Component::Llm, ExportLayout::Adapter);
        let checkpoint = self.model.configured().checkpoint(component);
        let spelling = checkpoint.spelling_of(component, layout.publisher(), true);
        let spelling = spelling.ok_or_else(|| self.unknown(component, layout))?;
        let is_brought = |path: &str| {
            let key = spelling.key(path);
            key.is_some_and(|(key, _)| adapter.brings(&key))
        };
        let llm = &self.model.network().llm;
        let dtype = Some(self.dtype());
        Ok(stored_where(
            llm,
            component.name(),
            &spelling,
            dtype,
            &is_brought,
        )?)
    }
}
