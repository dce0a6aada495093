//! Writing a model in the layout that another tool expects.
//!
//! A folder appears whole or not at all: it is written under another name beside its place, synced
//! and renamed.

mod adapter;
mod burnpack;
mod component;
mod error;
mod folder;
mod gguf;
mod hf;
mod original;
mod shards;
mod text;

use std::path::Path;

use burn::tensor::DType;

pub use error::ExportError;

use crate::checkpoint::{Publisher, Spelling};
use crate::component::Component;
use crate::hf::HfParts;
use crate::model::Model;
use crate::recipe::Recipe;
use crate::weights::{Stored, stored};
use folder::NewFolder;

/// Where a whole model's config says which hidden state of its encoder is read.
const VISION_LAYER: &str = "vision_feature_layer";

/// What is written.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExportOptions {
    /// The type of number of the weights. Default: the model's; in [`ExportLayout::Gguf`] it always is.
    pub dtype: Option<DType>,
    /// One component alone. Default: the whole model.
    pub component: Option<Component>,
    /// What the original LLaVA's `mm_vision_tower` names. Default: the tower's folder in the export.
    pub tower: Option<String>,
    /// The most bytes of one shard. Default: 5 GB, as transformers does.
    pub max_shard_bytes: Option<usize>,
}

/// The layout of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportLayout {
    /// Hugging Face's `LlavaForConditionalGeneration`, or the component's own folder.
    Hf,
    /// The original LLaVA's.
    Original,
    /// The decoder's LoRA adapter alone, as the original LLaVA leaves it; for a model that has one.
    Adapter,
    /// Burn's own file format with the module's parameter paths, and a `model.toml` beside it.
    Burnpack,
    /// GGUF, one file a component, with a `model.toml`. The decoder is as llama.cpp reads it, if it has such a
    /// one. Weights that are packed keep their blocks.
    Gguf,
}

impl ExportLayout {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hf => "hf",
            Self::Original => "original",
            Self::Adapter => "adapter",
            Self::Burnpack => "burnpack",
            Self::Gguf => "gguf",
        }
    }

    const fn publisher(self) -> Publisher {
        match self {
            Self::Hf => Publisher::HuggingFace,
            Self::Original | Self::Adapter => Publisher::Original,
            Self::Burnpack => Publisher::Burn,
            Self::Gguf => Publisher::Gguf,
        }
    }
}

/// Writes `model`, which `recipe` was assembled to, as the new folder `out`.
///
/// # Errors
/// The layout has no place for one of the model's parts, `out` exists, or a file cannot be written.
pub fn export(
    recipe: &Recipe,
    model: &Model,
    layout: ExportLayout,
    options: &ExportOptions,
    out: &Path,
) -> Result<(), ExportError> {
    let folder = NewFolder::create(out)?;
    let export = Export {
        recipe,
        model,
        options,
        folder: folder.path(),
    };
    match (layout, options.component) {
        (ExportLayout::Burnpack, component) => export.burnpack(component)?,
        (ExportLayout::Gguf, component) => export.gguf(component)?,
        (ExportLayout::Adapter, None | Some(Component::Llm)) => export.adapter(out)?,
        (layout, Some(component)) => export.component(layout, component)?,
        (ExportLayout::Hf, None) => export.hf()?,
        (ExportLayout::Original, None) => export.original(out)?,
    }
    folder.commit()
}

/// An export under way.
#[derive(Clone, Copy)]
struct Export<'a> {
    recipe: &'a Recipe,
    model: &'a Model,
    options: &'a ExportOptions,
    folder: &'a Path,
}

impl Export<'_> {
    /// The component's tensors as `layout` spells them, joined to a whole model or alone.
    fn tensors(
        &self,
        component: Component,
        layout: ExportLayout,
        is_joined: bool,
    ) -> Result<Vec<Stored>, ExportError> {
        let checkpoint = self.model.configured().checkpoint(component);
        let spelling = checkpoint.spelling_of(component, layout.publisher(), is_joined);
        let spelling = spelling.ok_or_else(|| self.unknown(component, layout))?;
        self.stored(component, &spelling)
    }

    /// What a `config.json` says of the encoder or the decoder.
    fn parts(&self, component: Component, layout: ExportLayout) -> Result<HfParts, ExportError> {
        let configured = self.model.configured();
        let parts = match component {
            Component::Vision => configured.vision.to_hf(),
            Component::Projector => None,
            Component::Llm => configured.llm.to_hf(),
        };
        parts.ok_or_else(|| self.unknown(component, layout))
    }

    /// As [`Export::parts`] of the encoder, if a whole model can hold it.
    fn whole_parts(&self, layout: ExportLayout) -> Result<HfParts, ExportError> {
        let parts = self.parts(Component::Vision, layout)?;
        if parts.outer.contains_key(VISION_LAYER) {
            Ok(parts)
        } else {
            Err(self.unknown(Component::Vision, layout))
        }
    }

    fn stored(
        &self,
        component: Component,
        spelling: &Spelling,
    ) -> Result<Vec<Stored>, ExportError> {
        let network = self.model.network();
        let (name, dtype) = (component.name(), Some(self.dtype()));
        let tensors = match component {
            Component::Vision => stored(&network.vision, name, spelling, dtype),
            Component::Projector => stored(&network.projector, name, spelling, dtype),
            Component::Llm => stored(&network.llm, name, spelling, dtype),
        };
        Ok(tensors?)
    }

    fn dtype(&self) -> DType {
        self.options.dtype.unwrap_or(self.model.numbers().weights)
    }

    /// The layout has no place for the component's plugin.
    fn unknown(&self, component: Component, layout: ExportLayout) -> ExportError {
        let configured = self.model.configured();
        let plugin = match component {
            Component::Vision => configured.vision_info,
            Component::Projector => configured.projector_info,
            Component::Llm => configured.llm_info,
        };
        ExportError::Unknown {
            component,
            plugin: plugin.name,
            layout: layout.name(),
        }
    }
}
