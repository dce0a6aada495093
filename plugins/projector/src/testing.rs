//! Neighbours of a projector, and projectors with the weights of a fixture.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use menagerie_core::testing::{Reference, assert_close};
use menagerie_core::weights::{self, Shards};
use menagerie_core::{Component, DecoderSpec, EncoderSpec, Projector, ProjectorConfig};
use tempfile::NamedTempFile;

const FIXTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/projectors"
);
/// Width of the fixtures' features.
const FEATURES: usize = 10;
/// Width of the fixtures' decoders.
const HIDDEN: usize = 12;

/// An encoder with a grid of patches and nothing else.
pub(crate) fn vision(grid: [usize; 2], feature_size: usize) -> EncoderSpec {
    EncoderSpec {
        image_size: 336,
        tokens: grid.iter().product(),
        grid: Some(grid),
        has_class_token: false,
        feature_size,
        mean: [0.5; 3],
        std: [0.5; 3],
    }
}

/// The patches of CLIP ViT-L/14 at 336 px.
pub(crate) fn clip() -> EncoderSpec {
    vision([24, 24], 1024)
}

/// A decoder of that width.
pub(crate) fn llm(hidden_size: usize) -> DecoderSpec {
    DecoderSpec {
        vocab_size: 32_000,
        hidden_size,
        max_position_embeddings: 4096,
        num_layers: 32,
        num_kv_heads: 32,
        head_dim: hidden_size / 32,
    }
}

/// What `config` refuses an encoder with.
pub(crate) fn refusal(config: &impl ProjectorConfig, vision: &EncoderSpec) -> String {
    let error = config.spec(vision, &llm(4096)).expect_err("an error");
    let built = config.init(vision, &llm(4096), &Device::flex());
    let same = built.expect_err("the same error").to_string();
    assert_eq!(error.to_string(), same);
    same
}

/// The file of a fixture's weights.
pub(crate) fn file(weights: &str) -> PathBuf {
    PathBuf::from(format!("{FIXTURES}/{weights}.safetensors"))
}

/// `config` for features on `grid`, with the weights of `file`.
pub(crate) fn load<C: ProjectorConfig>(config: &C, file: &Path, grid: [usize; 2]) -> C::Projector {
    let module = config.init(&vision(grid, FEATURES), &llm(HIDDEN), &Device::flex());
    let loaded = weights::load(
        module.expect("a module"),
        C::NAME,
        &config.checkpoint().joined(Component::Projector),
        &Shards::open(file).expect("weights"),
        DType::F32,
    );
    loaded.expect("all weights").0
}

/// A projector with the weights of a fixture, and what PyTorch computed.
pub(crate) struct Fixture<P> {
    pub module: P,
    reference: Reference,
}

impl<P: Projector> Fixture<P> {
    /// `config` for features on `grid`, with the weights of the fixture called `weights`.
    pub(crate) fn open<C>(config: &C, weights: &str, grid: [usize; 2]) -> Self
    where
        C: ProjectorConfig<Projector = P>,
    {
        Self::with(load(config, &file(weights), grid))
    }

    /// `module` beside what PyTorch computed.
    pub(crate) fn with(module: P) -> Self {
        Self {
            module,
            reference: Reference::open(format!("{FIXTURES}/expected.safetensors")),
        }
    }

    /// What PyTorch has of `case` under that name.
    pub(crate) fn expected(&self, case: &str, name: &str) -> Tensor<3> {
        self.reference.tensor(&format!("{case}.{name}"))
    }

    /// The projector's output for the features of `case` is PyTorch's.
    pub(crate) fn check(&self, case: &str, tolerance: f64) {
        let projected = self.module.forward(self.expected(case, "features"));
        assert_close(case, projected, self.expected(case, "projected"), tolerance);
    }
}

/// The weights of a fixture in a whole model's file: `name` says what its names are there, and there
/// are `others`.
pub(crate) fn in_whole_model(
    weights: &str,
    name: impl Fn(&str) -> String,
    others: &[&str],
) -> NamedTempFile {
    let shards = Shards::open(&file(weights)).expect("weights");
    let own = shards.names().map(|own| {
        let data = shards.data(own).expect("a tensor");
        (name(own), data)
    });
    let other = TensorData::new(vec![0.0_f32; 2], [2]);
    let others = others
        .iter()
        .map(|name| ((*name).to_owned(), other.clone()));
    let tensors: Vec<(String, TensorData)> = own.chain(others).collect();
    let file = tempfile::Builder::new().suffix(".safetensors").tempfile();
    let file = file.expect("a temporary file");
    weights::save_data(&tensors, file.path()).expect("a file");
    file
}
