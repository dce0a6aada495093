//! `ldp_v2`: the lightweight downsample projector of MobileVLM V2 (arXiv 2402.03766).

use burn::module::{Initializer, Module};
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Activation, Linear};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use crate::convolution::{self, Depthwise};
use crate::grid::Average;
use crate::linears::{chain, linears, names};

/// Linear layers of the reference.
const DEPTH: usize = 2;

/// Two linear maps with GELU between them, averages over a smaller grid, and a convolution of each
/// feature that tells tokens where they are: LDPv2 of MobileVLM V2 (arXiv 2402.03766).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LdpV2Config {
    /// Tokens along a side of the grid that is left.
    #[serde(default = "default_side")]
    pub side: usize,
}

fn default_side() -> usize {
    12
}

impl LdpV2Config {
    fn average(&self, vision: &EncoderSpec) -> Result<Average, BuildError> {
        Average::square(Self::NAME, "side", self.side, vision)
    }
}

impl ProjectorConfig for LdpV2Config {
    type Projector = LdpV2;
    const NAME: &'static str = "ldp_v2";

    fn tiny() -> Self {
        Self { side: 2 }
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
    ) -> Result<LdpV2, BuildError> {
        // PyTorch's own for a kernel that sums nine numbers: evenly from ±1/√9.
        let ninth = Initializer::Uniform {
            min: -1.0 / 3.0,
            max: 1.0 / 3.0,
        };
        Ok(LdpV2 {
            layers: linears(vision.feature_size, llm.hidden_size, DEPTH, device),
            average: self.average(vision)?,
            position: Depthwise::new(llm.hidden_size, true, &ninth, device),
        })
    }

    /// `mm_projector_type = "ldpnetv2"` of MobileVLM, whose layout is the original LLaVA's.
    fn from_hf(config: &Value) -> Result<Option<Table>, BuildError> {
        let named = config.get("mm_projector_type").and_then(Value::as_str);
        let is_ldp_v2 = named.is_some_and(|named| named.starts_with("ldpnetv2"));
        Ok(is_ldp_v2.then(Table::new))
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut tensors = names("layers", DEPTH, |n| format!("mlp.mlp.{}", 2 * n));
        tensors.extend(convolution::names("position", "peg.peg.0"));
        Checkpoint::with_prefixes(&[""], &tensors, &[])
    }
}

menagerie_core::register_projector!(LdpV2Config);

/// `x + depthwise(x)` with `x = average(linear(gelu(linear(…))))`
#[derive(Module, Debug)]
pub struct LdpV2 {
    layers: Vec<Linear>,
    #[module(skip)]
    average: Average,
    position: Depthwise,
}

impl Projector for LdpV2 {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        // [batch, rows · columns, feature] -> [batch, rows · columns, hidden]
        let mapped = chain(&self.layers, features, Activation::Gelu);
        // -> [batch, visual_token, hidden]
        let x = self.average.forward(mapped);
        x.clone() + self.position.forward(x, self.average.to())
    }
}

#[cfg(test)]
mod tests;
