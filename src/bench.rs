//! Published benchmarks, and the folder in which a model's answers to one are kept, judged and scored.

mod gqa;
mod llava_bench;
mod mmbench;
mod mme;
mod pope;
mod scienceqa;
mod short_answer;
#[cfg(test)]
mod testing;
mod textvqa;
mod vqa;

pub use gqa::Gqa;
pub use pope::Pope;
pub use textvqa::TextVqa;
pub use vqa::Vqa;
