//! Published benchmarks, and the folder in which a model's answers to one are kept, judged and scored.

pub mod bootstrap;
mod gqa;
mod llava_bench;
mod mmbench;
mod mme;
mod pope;
mod scienceqa;
mod textvqa;
mod vqa;
