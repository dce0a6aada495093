//! What the tests of the decoders share: fixtures, and their logits.

use burn::tensor::{DType, Device, Int, Tensor};
use menagerie_core::testing::{Reference, assert_close};
use menagerie_core::weights::{self, Shards};
use menagerie_core::{Context, Decoder, DecoderConfig, Rows};
use serde_json::Value;

use crate::Transformer;

/// The path of a fixture.
pub(crate) fn folder(name: &str) -> String {
    format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The options that a Hugging Face config states.
pub(crate) fn config<C: DecoderConfig>(hf: &Value) -> C {
    let options = C::from_hf(hf).expect("options");
    toml::Value::Table(options).try_into().expect("a config")
}

/// The decoder with the weights of a fixture.
pub(crate) fn load<C: DecoderConfig<Decoder = Transformer>>(config: &C, name: &str) -> Transformer {
    let module = config.init(&Device::flex()).expect("a module");
    let shards = Shards::open(folder(name).as_ref()).expect("weights");
    let loaded = weights::load(module, C::NAME, &config.checkpoint(), &shards, DType::F32);
    loaded.expect("all weights").0
}

/// A fixture's config and weights, and its reference values.
pub(crate) fn fixture<C: DecoderConfig<Decoder = Transformer>>(
    name: &str,
) -> (Transformer, Reference) {
    let text = std::fs::read_to_string(format!("{}/config.json", folder(name)));
    let hf = serde_json::from_str(&text.expect("config.json")).expect("JSON");
    let reference = Reference::open(format!("{}/expected.safetensors", folder(name)));
    (load(&config::<C>(&hf), name), reference)
}

/// Logits of rows of tokens, each row's positions counted from its start.
pub(crate) fn logits(module: &Transformer, ids: Tensor<2, Int>, starts: &[u32]) -> Tensor<3> {
    let [_, tokens] = ids.dims();
    let count = u32::try_from(tokens).expect("few tokens");
    let rows = Rows {
        positions: starts
            .iter()
            .map(|&start| (start..start + count).collect())
            .collect(),
        segments: vec![vec![1; tokens]; starts.len()],
    };
    let mut context = Context::new(&rows, &Device::flex());
    module.logits(module.forward(module.embed(ids), &mut context))
}

/// The logits of the fixture `name`, at its own positions.
pub(crate) fn check_logits<C: DecoderConfig<Decoder = Transformer>>(name: &str, tolerance: f64) {
    let (module, reference) = fixture::<C>(name);
    let positions: Tensor<2, Int> = reference.integers("position_ids");
    let starts: Vec<i64> = positions.narrow(1, 0, 1).into_data().iter().collect();
    let starts: Vec<u32> = starts
        .into_iter()
        .map(|start| u32::try_from(start).expect("a position"))
        .collect();
    let actual = logits(&module, reference.integers("input_ids"), &starts);
    assert_close(name, actual, reference.tensor("logits"), tolerance);
}
