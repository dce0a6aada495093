//! What the tests of the decoders share: fixtures, and their logits.

use burn::tensor::{DType, Device, Int, Tensor};
use menagerie_core::testing::{Reference, assert_close};
use menagerie_core::weights::{self, Shards};
use menagerie_core::{Context, Decoder, DecoderConfig, KvCache, Rows};
use serde_json::Value;

/// The path of a fixture.
pub(crate) fn folder(name: &str) -> String {
    format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A fixture's `config.json`.
pub(crate) fn hf(name: &str) -> Value {
    let text = std::fs::read_to_string(format!("{}/config.json", folder(name)));
    serde_json::from_str(&text.expect("config.json")).expect("JSON")
}

/// The options that a Hugging Face config states.
pub(crate) fn config<C: DecoderConfig>(hf: &Value) -> C {
    let options = C::from_hf(hf).expect("options");
    toml::Value::Table(options).try_into().expect("a config")
}

/// The decoder with the weights of a fixture.
pub(crate) fn load<C: DecoderConfig>(config: &C, name: &str) -> C::Decoder {
    let module = config.init(&Device::flex()).expect("a module");
    let shards = Shards::open(folder(name).as_ref()).expect("weights");
    let loaded = weights::load(module, C::NAME, &config.checkpoint(), &shards, DType::F32);
    loaded.expect("all weights").0
}

/// A fixture's config and weights, and its reference values.
pub(crate) fn fixture<C: DecoderConfig>(name: &str) -> (C::Decoder, Reference) {
    let reference = Reference::open(format!("{}/expected.safetensors", folder(name)));
    (load(&config::<C>(&hf(name)), name), reference)
}

/// Logits of rows of tokens, each row's positions counted from its start.
pub(crate) fn logits(module: &impl Decoder, ids: Tensor<2, Int>, starts: &[u32]) -> Tensor<3> {
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
pub(crate) fn check_logits<C: DecoderConfig>(name: &str, tolerance: f64) {
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

/// The logits of the fixture `decoders/NAME`: of whole rows; of a prompt and one token after another,
/// through the cache; and of rows padded on the left.
pub(crate) fn check_family<C: DecoderConfig>(name: &str, tolerance: f64) {
    let (module, reference) = fixture::<C>(&format!("decoders/{name}"));
    let ids: Tensor<2, Int> = reference.integers("input_ids");
    let expected: Tensor<3> = reference.tensor("logits");
    let whole = logits(&module, ids.clone(), &[0, 0]);
    assert_close(
        &format!("{name}: whole"),
        whole,
        expected.clone(),
        tolerance,
    );
    let what = format!("{name}: token after token");
    assert_close(&what, stepped(&module, &ids, 6), expected, tolerance);

    let lengths = [14, 9, 1];
    let ids: Tensor<2, Int> = reference.integers("padded.input_ids");
    let expected: Tensor<3> = reference.tensor("padded.logits");
    let mut context = Context::new(&Rows::padded_left(&lengths), &Device::flex());
    let padded = module.logits(module.forward(module.embed(ids), &mut context));
    for (row, length) in lengths.into_iter().enumerate() {
        let real = |all: &Tensor<3>| {
            let row = all.clone().narrow(0, row, 1);
            row.narrow(1, 14 - length, length)
        };
        let what = format!("{name}: a row of {length}");
        assert_close(&what, real(&padded), real(&expected), tolerance);
    }
}

/// Logits of rows of tokens: the first `prompt` in one pass, and then one after another.
fn stepped(module: &impl Decoder, ids: &Tensor<2, Int>, prompt: usize) -> Tensor<3> {
    let [batch, tokens] = ids.dims();
    let mut cache = KvCache::new(8, tokens);
    let mut logits = Vec::new();
    let ends = prompt..=tokens;
    for (start, end) in std::iter::once(0).chain(prompt..).zip(ends) {
        let positions = (start..end).map(|position| u32::try_from(position).expect("few tokens"));
        let rows = Rows {
            positions: vec![positions.collect(); batch],
            segments: vec![vec![1; end - start]; batch],
        };
        let mut context = Context::with_cache(&rows, cache, &Device::flex());
        let embeds = module.embed(ids.clone().narrow(1, start, end - start));
        logits.push(module.logits(module.forward(embeds, &mut context)));
        cache = context.into_cache().expect("the cache that was given");
    }
    Tensor::cat(logits, 1)
}

/// A fixture's config says the same after it was written.
pub(crate) fn check_config<C: DecoderConfig + PartialEq>(name: &str) {
    let before: C = config(&hf(&format!("decoders/{name}")));
    let parts = before.to_hf().expect("transformers has it");
    let after: C = config(&Value::Object(parts.config.clone()));
    assert_eq!(after, before, "{name}");
    let within: C = config(&parts.whole("text_config"));
    assert_eq!(within, before, "{name}");
}

/// The parameters that every preset of `C` has.
pub(crate) fn check_sizes<C: DecoderConfig>(expected: &[(&str, usize)]) {
    let count = |(name, config): (&'static str, C)| {
        let module = config.init(&Device::flex()).expect("a module");
        (name, burn::module::Module::num_params(&module))
    };
    let counted: Vec<_> = C::presets().into_iter().map(count).collect();
    assert_eq!(counted, expected);
}
