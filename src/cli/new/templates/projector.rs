//! `new-plugin`: a projector of two linear layers with a GELU between them.

use menagerie::burn;
use menagerie::burn::module::Module;
use menagerie::burn::tensor::activation::gelu;
use menagerie::burn::tensor::{Device, Tensor};
use menagerie::nn::Linear;
use menagerie::schemars::JsonSchema;
use menagerie::serde::{Deserialize, Serialize};
use menagerie::{BuildError, Checkpoint, DecoderSpec, EncoderSpec, TensorName};
use menagerie::{Projector, ProjectorConfig, ProjectorSpec};

/// Two linear layers with a GELU between them, for every token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
#[schemars(crate = "menagerie::schemars")]
pub struct NewPluginProjectorConfig {
    /// Width between the layers, in multiples of the decoder's.
    #[serde(default = "default_expansion")]
    pub expansion: usize,
}

fn default_expansion() -> usize {
    2
}

impl ProjectorConfig for NewPluginProjectorConfig {
    type Projector = NewPluginProjector;
    const NAME: &'static str = "new-plugin";

    fn tiny() -> Self {
        Self { expansion: 1 }
    }

    // What goes in and what must come out is said by the neighbours.
    fn spec(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        BuildError::check_sizes(Self::NAME, [("expansion", self.expansion)])?;
        Ok(ProjectorSpec {
            visual_tokens: vision.tokens,
        })
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<NewPluginProjector, BuildError> {
        self.spec(vision, llm)?;
        let width = self.expansion * llm.hidden_size;
        Ok(NewPluginProjector {
            input: Linear::fan_in(vision.feature_size, width, device),
            output: Linear::fan_in(width, llm.hidden_size, device),
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let input = TensorName::linear("input", "input");
        let output = TensorName::linear("output", "output");
        Checkpoint::with_prefixes(&[""], &[input, output].concat(), &[])
    }
}

menagerie::register_projector!(NewPluginProjectorConfig);

/// `output(gelu(input(x)))` for every token.
#[derive(Module, Debug)]
pub struct NewPluginProjector {
    input: Linear,
    output: Linear,
}

impl Projector for NewPluginProjector {
    /// `[batch, token, feature]` -> `[batch, visual_token, hidden]`
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        self.output.forward(gelu(self.input.forward(features)))
    }
}
