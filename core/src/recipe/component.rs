//! The three component tables: core's own keys, and beside them the options of the plugin chosen.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::data::Resize;
use super::generation::GenerationConfig;
use super::images::ImagesTable;
use crate::component::Component;

/// The encoder: `[vision]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct VisionTable {
    /// The plugin.
    pub r#type: String,
    /// Named sizes of the plugin; options stated beside it come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Pretrained weights: a folder or file, relative to the recipe, or a hub id; the component's
    /// own or a whole model's. Without it the weights start at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// A LoRA adapter (PEFT) over the weights: its folder, relative to the recipe, or a hub id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// What the weights are differences to: a folder, relative to the recipe, or a hub id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// How an image becomes the encoder's square. Default: as the plugin's published weights want
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// How images are prepared otherwise, where it is not the encoder's usual way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImagesTable>,
    /// The plugin's options that are stated.
    #[serde(flatten, skip_deserializing)]
    #[schemars(skip)]
    pub options: Table,
}

/// The projector: `[projector]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProjectorTable {
    /// The plugin.
    pub r#type: String,
    /// Named options of the plugin; options stated beside it come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Trained weights: a folder or file, relative to the recipe, or a hub id; the component's own or
    /// a whole model's. Without it the weights start at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// A LoRA adapter (PEFT) over the weights: its folder, relative to the recipe, or a hub id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// What the weights are differences to: a folder, relative to the recipe, or a hub id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The plugin's options that are stated.
    #[serde(flatten, skip_deserializing)]
    #[schemars(skip)]
    pub options: Table,
}

/// The decoder: `[llm]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LlmTable {
    /// The plugin.
    pub r#type: String,
    /// Named sizes of the plugin; options stated beside it come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Pretrained weights: a folder or file, relative to the recipe, or a hub id; the component's
    /// own or a whole model's. Without it the weights start at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// A LoRA adapter (PEFT) over the weights: its folder, relative to the recipe, or a hub id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// What the weights are differences to: a folder, relative to the recipe, or a hub id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The tokenizer: a `tokenizer.json` or the folder that holds it, relative to the recipe.
    /// Default: the folder of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// Conversation template.
    #[serde(default = "default_chat")]
    pub chat: String,
    /// Tokens of the tokenizer written before and after every image, as the first LLaVA does
    /// (`<im_start>` and `<im_end>`). Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_wrap: Option<[String; 2]>,
    /// How answers are drawn. Default: the generation config beside the weights, or else greedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationConfig>,
    /// The plugin's options that are stated.
    #[serde(flatten, skip_deserializing)]
    #[schemars(skip)]
    pub options: Table,
}

fn default_chat() -> String {
    "v1".to_owned()
}

/// The keys of a component's table that are not the plugin's.
pub(super) const fn own_keys(component: Component) -> &'static [&'static str] {
    match component {
        Component::Vision => &[
            "type", "preset", "weights", "adapter", "base", "resize", "images",
        ],
        Component::Projector => &["type", "preset", "weights", "adapter", "base"],
        Component::Llm => &[
            "type",
            "preset",
            "weights",
            "adapter",
            "base",
            "tokenizer",
            "chat",
            "image_wrap",
            "generation",
        ],
    }
}
