//! `linear`: the projection matrix W of LLaVA (arXiv 2304.08485, equation 1).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::Linear;
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
    TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One linear map with a bias, LLaVA's W (arXiv 2304.08485, equation 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinearConfig {}

impl ProjectorConfig for LinearConfig {
    type Projector = LinearProjector;
    const NAME: &'static str = "linear";

    fn tiny() -> Self {
        Self {}
    }

    fn spec(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        Ok(ProjectorSpec {
            visual_tokens: vision.tokens,
        })
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<LinearProjector, BuildError> {
        Ok(LinearProjector {
            linear: Linear::fan_in(vision.feature_size, llm.hidden_size, device),
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::with_prefixes(
            &["", "mm_projector.", "model.mm_projector."],
            &TensorName::linear("linear", ""),
            &[],
        )
    }
}

menagerie_core::register_projector!(LinearConfig);

/// `y = x W + b` for every token.
#[derive(Module, Debug)]
pub struct LinearProjector {
    linear: Linear,
}

impl Projector for LinearProjector {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        self.linear.forward(features)
    }
}
