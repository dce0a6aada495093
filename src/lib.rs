//! A zoo of vision-language models on [Burn](burn): an image goes through an [`Encoder`], a
//! [`Projector`] and a [`Decoder`], each of them a plugin. A [`Recipe`] says which, and what learns
//! when.
//!
//! There are four roads from here.
//!
//! # Assemble a model
//!
//! A recipe is a file, a text, or the folder of a model that others trained
//! ([`Recipe::of_folder`]). [`Recipe::assemble`] builds the network and loads its weights;
//! [`Recipe::configure`] tells all sizes before that.
//!
//! ```no_run
//! use menagerie::Recipe;
//! use menagerie::burn::tensor::Device;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let recipe = Recipe::parse(
//!     r#"
//!     extends = "llava-1.5-7b"
//!     model = "/models/llava-1.5-7b-hf"
//!     dtype = "bf16"
//!     "#,
//! )?;
//! println!("{} tokens an image", recipe.configure()?.projector_spec.visual_tokens);
//! let model = recipe.assemble(&Device::flex())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Ask it
//!
//! A [`Model`] answers a [`Request`](model::Request), text by text, until someone breaks it off.
//! Share one among threads by [`Arc`](std::sync::Arc): it is `Send` and `Sync`, and an answer does not
//! depend on what is asked beside it.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use menagerie::model::Request;
//!
//! # fn ask(model: &menagerie::Model) -> Result<(), Box<dyn std::error::Error>> {
//! let request = Request::question("What is this?", vec![std::fs::read("photo.jpg")?]);
//! let mut config = model.generation().clone();
//! config.max_new_tokens = 64;
//! let answer = model.generate(&request, &config, |text| {
//!     print!("{text}");
//!     ControlFlow::Continue(()) // `Break` cancels
//! })?;
//! println!("\n{:?}", answer.finish);
//! # Ok(())
//! # }
//! ```
//!
//! # Train it
//!
//! With the feature `train`, [`train::train`] runs a recipe's stages into a folder that holds
//! everything: weights, scores, a report, and checkpoints to go on from. A flag stops it at the next
//! step.
//!
#![cfg_attr(
    feature = "train",
    doc = r#"```no_run
use std::path::Path;
use std::sync::atomic::AtomicBool;

use menagerie::Recipe;
use menagerie::burn::tensor::Device;
use menagerie::train::{RunFolder, Silent, train};

# fn main() -> Result<(), Box<dyn std::error::Error>> {
let recipe = Recipe::load("recipes/quickstart.toml")?;
let run = RunFolder::create(Path::new("runs/quickstart"))?;
let stop = AtomicBool::new(false); // set by another thread, or a signal
train(&recipe, &run, &Device::flex(), &mut Silent, &stop)?;
# Ok(())
# }
```"#
)]
//!
//! # Plug something in
//!
//! A part of your own is a config type, a module, and one line; `menagerie new` writes a whole crate
//! with one. Nothing else changes: its name in a recipe is enough.
//!
//! ```
//! use menagerie::burn::module::Module;
//! use menagerie::burn::tensor::{Device, Tensor};
//! use menagerie::nn::Linear;
//! use menagerie::schemars::{self, JsonSchema};
//! use menagerie::serde::{Deserialize, Serialize};
//! use menagerie::{BuildError, Checkpoint, DecoderSpec, EncoderSpec, TensorName, burn};
//! use menagerie::{Projector, ProjectorConfig, ProjectorSpec};
//!
//! /// One linear layer.
//! #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
//! #[serde(crate = "menagerie::serde", deny_unknown_fields)]
//! pub struct AcmeConfig {}
//!
//! #[derive(Module, Debug)]
//! pub struct Acme {
//!     linear: Linear,
//! }
//!
//! impl Projector for Acme {
//!     fn forward(&self, features: Tensor<3>) -> Tensor<3> {
//!         self.linear.forward(features)
//!     }
//! }
//!
//! impl ProjectorConfig for AcmeConfig {
//!     type Projector = Acme;
//!     const NAME: &'static str = "acme";
//!
//!     fn tiny() -> Self {
//!         Self {}
//!     }
//!
//!     fn spec(&self, vision: &EncoderSpec, _: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
//!         Ok(ProjectorSpec { visual_tokens: vision.tokens })
//!     }
//!
//!     fn init(
//!         &self,
//!         vision: &EncoderSpec,
//!         llm: &DecoderSpec,
//!         device: &Device,
//!     ) -> Result<Acme, BuildError> {
//!         let linear = Linear::fan_in(vision.feature_size, llm.hidden_size, device);
//!         Ok(Acme { linear })
//!     }
//!
//!     fn checkpoint(&self) -> Checkpoint {
//!         Checkpoint::with_prefixes(&[""], &TensorName::linear("linear", "linear"), &[])
//!     }
//! }
//!
//! menagerie::register_projector!(AcmeConfig);
//! # menagerie::testing::check_projector("acme");
//! ```
//!
//! An encoder, a decoder and a benchmark ([`eval::Benchmark`](benchmark::Benchmark)) are registered
//! alike; [`testing`] holds the checks that each must pass.
//!
//! # Features
//!
//! `cli`, the default, brings all below. Without it: `data` reads samples, `eval` scores, `bench`
//! runs benchmarks, `train` trains, `instruct` makes instruction data, `endpoint` asks models behind
//! endpoints, `hub` downloads weights; none of them is the model alone. `cuda` adds Burn's backend for
//! NVIDIA cards to any of them, `vulkan` that for cards of all makers; [`device`](device::device) names
//! them. What is public of Burn, serde, schemars, `serde_json`, `toml` and
//! inventory is that of the crates re-exported here.
//!
//! # Stability
//!
//! Errors, and types that are only read, are `#[non_exhaustive]`: they grow. What a caller or a
//! plugin builds by its fields is not: a new field there is a new version of this crate.

pub use menagerie_core::*;

#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(any(feature = "train", feature = "bench"))]
mod code;
#[cfg(feature = "data")]
pub mod data;
#[cfg(any(feature = "cli", feature = "bench"))]
mod date;
pub mod device;
#[cfg(feature = "endpoint")]
pub mod endpoint;
#[cfg(feature = "eval")]
pub mod eval;
#[cfg(feature = "data")]
#[cfg_attr(
    not(feature = "eval"),
    allow(dead_code, reason = "scores and training see images")
)]
pub mod features;
#[cfg(any(feature = "data", feature = "hub"))]
mod hash;
#[cfg(any(feature = "train", feature = "bench", feature = "instruct"))]
#[cfg_attr(
    not(feature = "train"),
    allow(dead_code, reason = "the page of a run shows the most")
)]
mod html;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "instruct")]
pub mod instruct;
#[cfg(any(feature = "bench", feature = "instruct"))]
mod journal;
#[cfg(any(feature = "train", feature = "bench", feature = "instruct"))]
mod json;
#[cfg(any(feature = "train", feature = "bench", feature = "instruct"))]
mod lock;
pub mod recipes;
#[cfg(any(feature = "train", feature = "bench"))]
#[cfg_attr(
    not(feature = "train"),
    allow(dead_code, reason = "the report of a sweep shows the most")
)]
mod report;
#[cfg(feature = "train")]
pub mod runs;
#[cfg(feature = "train")]
pub mod sweep;
#[cfg(feature = "train")]
pub mod train;

// A plugin crate that is not named is not linked, and its plugins would be missing.
use menagerie_llm as _;
use menagerie_projector as _;
use menagerie_vision as _;

/// The examples of the README and the book are compiled.
#[cfg(doctest)]
mod examples {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/src/library.md")]
    mod library {}
    #[doc = include_str!("../docs/src/plugin.md")]
    mod plugin {}
}
