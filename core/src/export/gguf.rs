//! GGUF: a file for each component, quantised weights in their blocks.

use std::collections::BTreeMap;

use super::text::copy_tokenizer;
use super::{Export, ExportError};
use crate::checkpoint::Spelling;
use crate::component::Component;
use crate::weights::gguf::{OWN_ARCHITECTURE, Value, decoder_metadata};
use crate::weights::{GgufTensor, gguf_tensors, write_gguf};

/// The version of the layouts of blocks, `GGML_QNT_VERSION` in `ggml.h`.
const BLOCKS_VERSION: i64 = 2;

impl Export<'_> {
    /// `llm.gguf`, `vision.gguf` and `projector.gguf`; for a whole model also `model.toml` and the
    /// tokenizer, so that the folder is a model.
    ///
    /// A decoder that llama.cpp has is written as llama.cpp reads it, its tokenizer inside. All else is written under
    /// the parameters' own paths.
    pub(super) fn gguf(&self, only: Option<Component>) -> Result<(), ExportError> {
        for component in Component::ALL {
            if only.is_none_or(|only| only == component) {
                self.gguf_file(component)?;
            }
        }
        if only.is_some() {
            return Ok(());
        }
        copy_tokenizer(self.recipe, self.model, self.folder)?;
        self.write_generation_config(self.model.tokenizer())?;
        let weights = |component| file(component);
        let generation = self.model.generation();
        let mut recipe = self.recipe.resolve()?.for_use(weights, ".", generation);
        recipe.dtype = self.model.numbers().dtype();
        super::folder::write(
            &self.folder.join("model.toml"),
            recipe.to_toml()?.as_bytes(),
        )
    }

    fn gguf_file(&self, component: Component) -> Result<(), ExportError> {
        let checkpoint = self.model.configured().checkpoint(component);
        let llama_cpp = checkpoint.gguf_spelling().zip(self.llama_cpp(component));
        let (mut metadata, tensors) = if let Some((spelling, (metadata, factors))) = llama_cpp {
            let mut tensors = self.gguf_tensors(component, spelling)?;
            tensors.extend(factors);
            (metadata, tensors)
        } else {
            let spelling = Spelling::paths(component);
            let architecture = Value::Text(OWN_ARCHITECTURE.to_owned());
            let metadata = [("general.architecture".to_owned(), architecture)];
            let tensors = self.gguf_tensors(component, &spelling)?;
            (metadata.into(), tensors)
        };
        let name = Value::Text(self.recipe.name.clone());
        metadata.insert("general.name".to_owned(), name);
        let version = Value::Integer(BLOCKS_VERSION);
        metadata.insert("general.quantization_version".to_owned(), version);
        Ok(write_gguf(
            &metadata,
            &tensors,
            &self.folder.join(file(component)),
        )?)
    }

    fn gguf_tensors(
        &self,
        component: Component,
        spelling: &Spelling,
    ) -> Result<Vec<GgufTensor>, ExportError> {
        let network = self.model.network();
        let name = component.name();
        let tensors = match component {
            Component::Vision => gguf_tensors(&network.vision, name, spelling),
            Component::Projector => gguf_tensors(&network.projector, name, spelling),
            Component::Llm => gguf_tensors(&network.llm, name, spelling),
        };
        Ok(tensors?)
    }

    /// What llama.cpp's file says of the decoder beside its weights, if it can say all of it.
    fn llama_cpp(&self, component: Component) -> Option<(Metadata, Option<GgufTensor>)> {
        let configured = self.model.configured();
        let config = match component {
            Component::Llm => configured.llm.to_hf()?.config,
            Component::Vision | Component::Projector => return None,
        };
        let decoder = decoder_metadata(&config)?;
        let mut metadata = decoder.metadata;
        let tokenizer = self.model.tokenizer();
        if let Some(tokens) = tokenizer.to_gguf(configured.llm_spec.vocab_size) {
            metadata.extend(tokens);
        } else {
            // llama.cpp then takes ids and gives ids.
            let none = Value::Text("none".to_owned());
            metadata.insert("tokenizer.ggml.model".to_owned(), none);
        }
        if let Some(template) = self.model.template().to_jinja() {
            let key = "tokenizer.chat_template".to_owned();
            metadata.insert(key, Value::Text(template));
        }
        let factors = decoder.factors;
        let factors = factors.map(|factors| GgufTensor::of_f32("rope_freqs.weight", &factors));
        Some((metadata, factors))
    }
}

type Metadata = BTreeMap<String, Value>;

fn file(component: Component) -> String {
    format!("{}.gguf", component.name())
}
