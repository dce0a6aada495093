//! `identity`: no projector at all, as the original LLaVA's `mm_projector_type = "identity"`.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorFields,
    ProjectorSpec,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use crate::grid::grid;

/// Features as they are, for an encoder whose features are as wide as the decoder: the `IdentityMap`
/// of LLaVA (arXiv 2310.03744). It has no weights, so a stage must train something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {}

impl ProjectorConfig for IdentityConfig {
    type Projector = Identity;
    const NAME: &'static str = "identity";

    fn tiny() -> Self {
        Self {}
    }

    fn spec(&self, vision: &EncoderSpec, llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        let (features, hidden) = (vision.feature_size, llm.hidden_size);
        if features != hidden {
            let more = match grid(Self::NAME, vision) {
                Ok(_) => ", `pool`, `pixel_shuffle`, `ldp_v2`, `c_abstractor`",
                Err(_) => "",
            };
            let message = format!(
                "the encoder's features are {features} wide, and the decoder takes {hidden}; \
                 projectors that change the width are `linear`, `mlp`, `resampler`, `qformer`{more}"
            );
            return Err(BuildError::invalid(Self::NAME, "type", message));
        }
        Ok(ProjectorSpec {
            visual_tokens: vision.tokens,
        })
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        _device: &Device,
    ) -> Result<Identity, BuildError> {
        self.spec(vision, llm)?;
        Ok(Identity)
    }

    fn from_hf(config: &Value) -> Result<Option<Table>, BuildError> {
        let named = config.get("mm_projector_type").and_then(Value::as_str);
        Ok((named == Some("identity")).then(Table::new))
    }

    fn to_hf(&self) -> ProjectorFields {
        ProjectorFields {
            hf: None,
            original: Some("identity".to_owned()),
        }
    }

    /// Whatever a file holds, none of it is this projector's.
    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::with_prefixes(&[""], &[], &["**"])
    }
}

menagerie_core::register_projector!(IdentityConfig);

/// `y = x`.
#[derive(Module, Debug)]
pub struct Identity;

impl Projector for Identity {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        features
    }
}

#[cfg(test)]
mod tests;
