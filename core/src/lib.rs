//! The contracts and the assembled model of Menagerie, a plugin-based zoo of vision-language
//! models on [Burn](burn).
//!
//! An image goes through an [`Encoder`], a [`Projector`] and a [`Decoder`]. Each is a trait; each
//! implementation is a plugin registered at link time beside its config (see [`plugin`]). This
//! crate names no plugin and opens no socket.

pub mod attention;
pub mod benchmark;
pub mod blocks;
pub mod cache;
pub mod chat;
pub mod checkpoint;
pub mod component;
pub mod context;
pub mod decoder;
pub mod encoder;
pub mod error;
pub mod export;
pub mod folder;
pub mod generate;
pub mod hex;
pub mod hf;
pub mod image;
pub mod lora;
pub mod model;
pub mod native;
pub mod network;
mod newline;
pub mod nn;
pub mod numbers;
pub mod one_or_many;
pub mod options;
pub mod packed;
pub mod parameters;
pub mod plugin;
pub mod projector;
pub mod prompt;
pub mod recipe;
pub mod slot;
pub mod splice;
pub mod testing;
pub mod tokens;
pub mod trace;
pub mod visual;
pub mod weights;

pub use burn;
pub use inventory;
pub use schemars;
pub use serde;
pub use serde_json;
pub use toml;

pub use attention::Attend;
pub use blocks::{DecoderBlocks, EncoderBlocks};
pub use cache::KvCache;
pub use checkpoint::{Checkpoint, Joint, Publisher, Spelling, Storage, TensorName};
pub use component::Component;
pub use context::{Context, Rows};
pub use decoder::{Decoder, DecoderConfig, DecoderSpec};
pub use encoder::{Encoder, EncoderConfig, EncoderSpec};
pub use error::BuildError;
pub use generate::{Completion, Finish, GenerationConfig, Prompt, Queue, SeenImage};
pub use hf::HfParts;
pub use model::Model;
pub use network::{Features, Images, Network};
pub use numbers::Numbers;
pub use one_or_many::OneOrMany;
pub use projector::{Projector, ProjectorConfig, ProjectorFields, ProjectorSpec};
pub use recipe::{Configured, Recipe, RecipeError, RecipeSource, Stage};
pub use slot::Slot;
pub use visual::{ImageTokens, SquareTokens, VisualTokens};
