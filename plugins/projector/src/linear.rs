//! `linear`: the projection matrix W of LLaVA (arXiv 2304.08485, equation 1).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::Linear;
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorFields,
    ProjectorSpec, TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

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

    /// The original LLaVA's projector where its config names none, and `linear`.
    fn from_hf(config: &Value) -> Result<Option<Table>, BuildError> {
        let original = config.get("mm_vision_tower").is_some();
        let named = config.get("mm_projector_type").and_then(Value::as_str);
        let is_linear = original && matches!(named, None | Some("linear"));
        Ok(is_linear.then(Table::new))
    }

    fn to_hf(&self) -> ProjectorFields {
        ProjectorFields {
            hf: None,
            original: Some("linear".to_owned()),
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::with_prefixes(&[""], &TensorName::linear("linear", ""), &[])
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
