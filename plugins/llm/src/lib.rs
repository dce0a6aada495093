//! Language decoders of Menagerie, registered at link time.

mod hf;
mod hf_rope;
mod llama;
mod names;
mod norm;
mod qwen2;
mod rope;
mod rotary;
mod shape;
#[cfg(test)]
mod testing;
mod transformer;

pub use llama::LlamaConfig;
pub use qwen2::Qwen2Config;
pub use rope::RopeScaling;
pub use transformer::Transformer;
