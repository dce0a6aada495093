//! `pool`: patches averaged with their neighbours, then linear layers, as in DeCo
//! (arXiv 2405.20985).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Activation, Linear};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grid::Average;
use crate::limits;
use crate::linears::{chain, linears, names};

/// Averages of neighbouring patches, then `depth` linear maps with GELU between them, as DeCo does
/// (arXiv 2405.20985): fewer visual tokens without a weight more than `mlp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolConfig {
    /// Which patches are averaged.
    #[serde(default)]
    pub pool: Pool,
    /// Linear layers, at least 1.
    #[serde(default = "default_depth")]
    pub depth: usize,
}

/// Which patches are averaged, by its `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pool {
    /// Square windows side by side, which must fill the encoder's grid.
    Average {
        /// Patches along a side of a window.
        window: usize,
    },
    /// A grid of any size made of the encoder's, as PyTorch's `AdaptiveAvgPool2d` does it: windows
    /// overlap where the one's side is no multiple of the other's.
    Adaptive {
        /// Tokens along a side of the grid that is left.
        side: usize,
    },
}

impl Default for Pool {
    /// A quarter of the tokens: 144 of the 576 of CLIP ViT-L/14 at 336 px.
    fn default() -> Self {
        Self::Average { window: 2 }
    }
}

fn default_depth() -> usize {
    2
}

impl PoolConfig {
    /// Checks the options.
    fn average(&self, vision: &EncoderSpec) -> Result<Average, BuildError> {
        BuildError::check_size(Self::NAME, "depth", self.depth, limits::LAYERS)?;
        match self.pool {
            Pool::Average { window } => Average::windows(Self::NAME, "pool", window, vision),
            Pool::Adaptive { side } => Average::square(Self::NAME, "pool", side, vision),
        }
    }
}

impl ProjectorConfig for PoolConfig {
    type Projector = PoolProjector;
    const NAME: &'static str = "pool";

    fn tiny() -> Self {
        Self {
            pool: Pool::Adaptive { side: 3 },
            depth: 2,
        }
    }

    fn spec(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        Ok(ProjectorSpec {
            visual_tokens: self.average(vision)?.tokens(),
        })
    }

    fn grid(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Option<[usize; 2]> {
        self.average(vision).ok().map(Average::to)
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<PoolProjector, BuildError> {
        Ok(PoolProjector {
            average: self.average(vision)?,
            layers: linears(vision.feature_size, llm.hidden_size, self.depth, device),
        })
    }

    /// The names of `mlp` in the original LLaVA, so that its weights may be read.
    fn checkpoint(&self) -> Checkpoint {
        // An `nn.Sequential` counts the GELUs too.
        let names = names("layers", self.depth, |n| (2 * n).to_string());
        Checkpoint::with_prefixes(&[""], &names, &[])
    }
}

menagerie_core::register_projector!(PoolConfig);

/// `linear(gelu(linear(average(x))))`
#[derive(Module, Debug)]
pub struct PoolProjector {
    #[module(skip)]
    average: Average,
    layers: Vec<Linear>,
}

impl Projector for PoolProjector {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        // [batch, rows · columns, feature] -> [batch, visual_token, feature]
        let pooled = self.average.forward(features);
        chain(&self.layers, pooled, Activation::Gelu)
    }
}

#[cfg(test)]
mod tests;
