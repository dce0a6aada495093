//! Projectors of Menagerie, registered at link time.

mod c_abstractor;
mod convolution;
mod grid;
mod identity;
mod ldp_v2;
mod limits;
mod linear;
mod linears;
mod mlp;
mod pixel_shuffle;
mod pool;
mod qformer;
mod resampler;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use c_abstractor::{CAbstractor, CAbstractorConfig};
pub use identity::{Identity, IdentityConfig};
pub use ldp_v2::{LdpV2, LdpV2Config};
pub use linear::{LinearConfig, LinearProjector};
pub use mlp::{MlpConfig, MlpProjector};
pub use pixel_shuffle::{Head, PixelShuffle, PixelShuffleConfig};
pub use pool::{Pool, PoolConfig, PoolProjector};
pub use qformer::{QFormer, QFormerConfig};
pub use resampler::{Resampler, ResamplerConfig};
