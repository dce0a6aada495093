//! The smallest plugins that have options, presets and sizes.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use crate::plugin::{DecoderPlugin, EncoderPlugin, ProjectorPlugin};
use crate::{
    BuildError, Checkpoint, Context, Decoder, DecoderConfig, DecoderSpec, Encoder, EncoderConfig,
    EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
};

/// An encoder without weights.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EyeConfig {
    /// Side of the input, in pixels.
    image_size: usize,
    /// Side of a patch, in pixels.
    patch_size: usize,
    /// Hidden state read, counted from the end.
    #[serde(default = "last_but_one")]
    layer: i32,
}

fn last_but_one() -> i32 {
    -2
}

#[derive(Debug, Module)]
struct Eye {
    tokens: usize,
}

impl Encoder for Eye {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let batch = pixels.dims()[0];
        pixels.reshape([batch, self.tokens, 0])
    }
}

impl EncoderConfig for EyeConfig {
    type Encoder = Eye;
    const NAME: &'static str = "toy-eye";

    fn tiny() -> Self {
        Self {
            image_size: 16,
            patch_size: 4,
            layer: last_but_one(),
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        let large = Self {
            image_size: 64,
            ..Self::tiny()
        };
        vec![("small", Self::tiny()), ("large", large)]
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        if !self.image_size.is_multiple_of(self.patch_size) {
            let message = format!("must divide `image_size`, which is {}", self.image_size);
            return Err(BuildError::invalid(Self::NAME, "patch_size", message));
        }
        let side = self.image_size / self.patch_size;
        Ok(EncoderSpec {
            image_size: self.image_size,
            tokens: side * side,
            grid: Some([side, side]),
            has_class_token: false,
            feature_size: 3 * self.patch_size * self.patch_size,
            mean: [0.5; 3],
            std: [0.5; 3],
        })
    }

    fn init(&self, _device: &Device) -> Result<Eye, BuildError> {
        let tokens = EncoderConfig::spec(self)?.tokens;
        Ok(Eye { tokens })
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::default()
    }

    fn from_hf(config: &Value) -> Result<Table, BuildError> {
        let fields = ["image_size", "patch_size"].into_iter();
        let found =
            fields.filter_map(|name| Some((name.to_owned(), config[name].as_i64()?.into())));
        Ok(found.collect())
    }
}

/// A projector without weights.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JointConfig {}

#[derive(Debug, Module)]
struct Joint {
    hidden_size: usize,
}

impl Projector for Joint {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        features.narrow(2, 0, self.hidden_size)
    }
}

impl ProjectorConfig for JointConfig {
    type Projector = Joint;
    const NAME: &'static str = "toy-joint";

    fn tiny() -> Self {
        Self {}
    }

    fn spec(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        let visual_tokens = vision.tokens;
        Ok(ProjectorSpec { visual_tokens })
    }

    fn init(
        &self,
        _vision: &EncoderSpec,
        llm: &DecoderSpec,
        _device: &Device,
    ) -> Result<Joint, BuildError> {
        let hidden_size = llm.hidden_size;
        Ok(Joint { hidden_size })
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::default()
    }
}

/// A decoder without weights.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TongueConfig {
    /// Width of the residual stream.
    hidden_size: usize,
}

#[derive(Debug, Module)]
struct Tongue {
    hidden_size: usize,
}

impl Decoder for Tongue {
    fn embed(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        ids.float()
            .unsqueeze_dim::<3>(2)
            .repeat_dim(2, self.hidden_size)
    }

    fn forward(&self, embeds: Tensor<3>, _context: &mut Context) -> Tensor<3> {
        embeds
    }

    fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        hidden
    }
}

impl DecoderConfig for TongueConfig {
    type Decoder = Tongue;
    const NAME: &'static str = "toy-tongue";

    fn tiny() -> Self {
        Self { hidden_size: 8 }
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        Ok(DecoderSpec {
            vocab_size: self.hidden_size,
            hidden_size: self.hidden_size,
            max_position_embeddings: 64,
            num_layers: 0,
            num_kv_heads: 1,
            head_dim: self.hidden_size,
        })
    }

    fn init(&self, _device: &Device) -> Result<Tongue, BuildError> {
        let hidden_size = self.hidden_size;
        Ok(Tongue { hidden_size })
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::default()
    }
}

inventory::submit!(EncoderPlugin::new::<EyeConfig>("toys", "0.1.0"));
inventory::submit!(ProjectorPlugin::new::<JointConfig>("toys", "0.1.0"));
inventory::submit!(DecoderPlugin::new::<TongueConfig>("toys", "0.1.0"));
crate::register_recipe!("toy", super::TOY);
