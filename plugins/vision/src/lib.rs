//! Vision encoders of Menagerie, registered at link time.

mod clip;
mod convnext;
mod dinov2;
mod features;
mod fused;
mod pixels;
mod positions;
mod siglip;
mod sizes;
mod vit;

pub use clip::{Clip, ClipConfig};
pub use convnext::{ConvNext, ConvNextConfig, Statistics};
pub use dinov2::{Dinov2, Dinov2Config};
pub use features::Select;
pub use fused::{Fused, FusedConfig, FusedPart};
pub use siglip::{Siglip, SiglipConfig, SiglipSelect};
pub use vit::Activation;
