//! Language decoders of Menagerie, registered at link time.

mod llama;
mod norm;
mod rotary;

pub use llama::{Llama, LlamaConfig};
