//! `onnx`: a vision encoder out of any ONNX file, through [burn-onnx] at build time.
//!
//! `build.rs` turns the file into a Burn module with its weights inside the binary, so a recipe says
//! `type = "onnx"` and no more. What an ONNX file does not hold (the statistics that its pixels are
//! normalised with, whether the first token is a class token) stands in a TOML file beside it.
//!
//! [burn-onnx]: https://docs.rs/burn-onnx

use std::sync::LazyLock;

use menagerie::burn::module::Module;
use menagerie::burn::{self, tensor::Device, tensor::Tensor};
use menagerie::schemars::JsonSchema;
use menagerie::serde::{Deserialize, Serialize};
use menagerie::toml;
use menagerie::{BuildError, Checkpoint, Encoder, EncoderConfig, EncoderSpec};

/// What burn-onnx wrote.
#[allow(warnings, clippy::all, clippy::pedantic)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/model/encoder.rs"));
}

/// The facts beside the ONNX file.
#[derive(Deserialize)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
struct Facts {
    image_size: usize,
    tokens: usize,
    grid: Option<[usize; 2]>,
    has_class_token: bool,
    feature_size: usize,
    mean: [f32; 3],
    std: [f32; 3],
}

static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("OUT_DIR"), "/encoder.toml"));
    toml::from_str(text).unwrap_or_else(|error| panic!("the TOML file of the encoder: {error}"))
});

/// The encoder of the ONNX file. It has no options: the file states its sizes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", deny_unknown_fields)]
#[schemars(crate = "menagerie::schemars")]
pub struct OnnxConfig {}

impl EncoderConfig for OnnxConfig {
    type Encoder = Onnx;
    const NAME: &'static str = "onnx";

    fn tiny() -> Self {
        Self {}
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        let facts = &*FACTS;
        Ok(EncoderSpec {
            image_size: facts.image_size,
            tokens: facts.tokens,
            grid: facts.grid,
            has_class_token: facts.has_class_token,
            feature_size: facts.feature_size,
            mean: facts.mean,
            std: facts.std,
        })
    }

    /// With the weights of the ONNX file.
    fn init(&self, device: &Device) -> Result<Onnx, BuildError> {
        Ok(Onnx {
            model: generated::Model::from_embedded(device),
        })
    }

    /// Saved after training, the parameters lie under their paths in the generated module.
    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::paths()
    }
}

menagerie::register_encoder!(OnnxConfig);

/// The generated module as an encoder.
#[derive(Module, Debug)]
pub struct Onnx {
    model: generated::Model,
}

impl Encoder for Onnx {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        self.model.forward(pixels)
    }
}
