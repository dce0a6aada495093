//! Vision encoders of Menagerie, registered at link time.

mod clip;
mod features;
mod siglip;
mod sizes;
mod vit;

pub use clip::{Clip, ClipConfig, Select};
pub use siglip::{Siglip, SiglipConfig, SiglipSelect};
pub use vit::Activation;
