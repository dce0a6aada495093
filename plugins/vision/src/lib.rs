//! Vision encoders of Menagerie, registered at link time.

mod clip;
mod vit;

pub use clip::{Activation, Clip, ClipConfig, Select};
