//! Training as a user has it: a recipe in, a run folder out; what is in it, what moved and what
//! did not, and what is said when something is wrong.
#![cfg(feature = "cli")]

#[path = "train/blocks.rs"]
mod blocks;
#[path = "train/checkpoint_model.rs"]
mod checkpoint_model;
#[path = "train/decoders.rs"]
mod decoders;
#[path = "train/errors.rs"]
mod errors;
#[path = "train/features.rs"]
mod features;
#[path = "train/folder.rs"]
mod folder;
#[path = "train/layouts.rs"]
mod layouts;
#[path = "train/learning.rs"]
mod learning;
#[path = "train/lora.rs"]
mod lora;
#[path = "train/parity.rs"]
mod parity;
#[path = "train/precision.rs"]
mod precision;
#[path = "train/resume.rs"]
mod resume;
#[path = "train/skipping.rs"]
mod skipping;
#[path = "train/tensorboard.rs"]
mod tensorboard;
mod tiny;
