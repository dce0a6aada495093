//! Language decoders of Menagerie, registered at link time.

mod attention;
mod gemma2;
mod hf;
mod hf_rope;
mod llama;
mod mistral;
mod mlp;
mod names;
mod phi;
mod phi3;
mod pre_norm;
mod qwen2;
mod qwen3;
mod rope;
mod rotary;
mod shape;
#[cfg(test)]
mod testing;
mod transformer;
mod window;

pub use gemma2::{Gemma2Config, SandwichBlock};
pub use llama::LlamaConfig;
pub use mistral::MistralConfig;
pub use phi::{ParallelBlock, PhiConfig};
pub use phi3::{FusedBlock, Phi3Config};
pub use pre_norm::PreNorm;
pub use qwen2::Qwen2Config;
pub use qwen3::Qwen3Config;
pub use rope::RopeScaling;
pub use transformer::{Block, Transformer};
pub use window::LayerType;
