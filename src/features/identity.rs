//! What an encoder's features follow from, besides the image.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use menagerie_core::Model;
use menagerie_core::hex::hex;
use menagerie_core::image::ImageProcessor;
use menagerie_core::packed::unpacked;
use menagerie_core::parameters::{ParameterVisitor, visit_parameters};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::entry::Shape;

/// An encoder with its weights, and the program that runs it.
#[derive(Debug, Clone)]
pub struct EncoderIdentity {
    about: Value,
    shape: Shape,
    dtype: DType,
}

impl EncoderIdentity {
    /// Of the encoder of `model`: its plugin, its options, every bit of its weights, and its number
    /// type. `code` is what else a number may depend on: the program and its device.
    pub fn of(model: &Model, code: &Value) -> Self {
        let configured = model.configured();
        let info = configured.vision_info;
        let options = serde_json::to_value(configured.vision.options());
        let dtype = model.dtype();
        let about = json!({
            "code": code,
            "encoder": info.name,
            "crate": format!("{} {}", info.crate_name, info.crate_version),
            "options": options.unwrap_or_default(),
            "weights_sha256": weights(&model.network().vision),
            "dtype": model.numbers().name(),
        });
        let spec = &configured.vision_spec;
        Self {
            about,
            shape: Shape {
                squares: 1,
                tokens: spec.tokens,
                features: spec.feature_size,
                size: dtype.size(),
            },
            dtype,
        }
    }

    /// All of it as text, with how images are prepared.
    pub(super) fn with(&self, images: &ImageProcessor) -> String {
        let mut about = self.about.clone();
        about["images"] = format!("{images:?}").into();
        let text = serde_json::to_string_pretty(&about).expect("plain data serialises");
        text + "\n"
    }

    /// Of the features of one square.
    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }
}

/// SHA-256 over the path, the shape and the numbers of every parameter, in hexadecimal.
pub(crate) fn weights<M: Module>(module: &M) -> String {
    struct Reader(Sha256);

    impl ParameterVisitor for Reader {
        fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
            let data = param.val().without_autodiff().into_data();
            self.0.update(format!("{path} {:?}\n", data.shape()));
            self.0.update(data.as_bytes());
        }
    }

    let mut reader = Reader(Sha256::new());
    visit_parameters(&unpacked(module.clone()), &mut reader);
    hex(&reader.0.finalize())
}
