//! Instruction data from captions and boxes, written by a language model that sees no image.

pub mod review;
