//! LLaMA against values that transformers stored.

use burn::module::Module;
use burn::tensor::{DType, Tensor};
use menagerie_core::packed::{Format, pack};
use menagerie_core::testing::{assert_close, check_decoder, normal};
use menagerie_core::{Context, Decoder, KvCache, Rows};

use super::*;
use crate::testing::fixture;
use crate::transformer::Block;

/// f32 against f64 differs by 4e-6 here, a wrong epsilon by 6.5e-5.
const TOLERANCE: f64 = 3e-5;

#[test]
fn every_block_equals_transformers() {
    let (llama, reference) = fixture::<LlamaConfig>("llama");
    let expect = |what: &str, actual: Tensor<3>| {
        assert_close(what, actual, reference.tensor(what), TOLERANCE);
    };
    let mut context = Context::new(&Rows::padded_right(&[11, 11]), &Device::flex());
    let mut hidden = llama.embed(reference.integers("input_ids"));
    expect("embeds", hidden.clone());
    let rotary = llama.rope.rotary(&context, DType::F32);
    for (index, block) in llama.layers.iter().enumerate() {
        let at = |what: &str| format!("block.{index}.{what}");
        expect(&format!("hidden_states.{index}"), hidden.clone());
        let normed = block.input_layernorm.forward(hidden.clone());
        expect(&at("input_layernorm"), normed.clone());
        let (query, key) = block.attention.queries_and_keys(&normed, &rotary);
        assert_close(
            "queries",
            query,
            reference.tensor(&at("query_rotated")),
            TOLERANCE,
        );
        assert_close("keys", key, reference.tensor(&at("key_rotated")), TOLERANCE);
        let attended = block
            .attention
            .forward(normed, &rotary, index, &mut context);
        expect(&at("attention"), attended.clone());
        let middle = block
            .post_attention_layernorm
            .forward(hidden.clone() + attended);
        expect(&at("mlp"), block.mlp.forward(middle));
        hidden = block.forward(hidden, &rotary, index, &mut context);
    }
    expect("hidden_states.3", hidden.clone());
    let last = llama.norm.forward(hidden);
    expect("last_hidden", last.clone());
    expect("logits", llama.logits(last));
}

#[test]
fn rows_of_different_lengths_equal_transformers() {
    let (llama, reference) = fixture::<LlamaConfig>("llama");
    let mut context = Context::new(&Rows::padded_left(&[9, 5, 1]), &Device::flex());
    let embeds = llama.embed(reference.integers("padded.input_ids"));
    let logits = llama.logits(llama.forward(embeds, &mut context));
    let expected: Tensor<3> = reference.tensor("padded.logits");
    for (row, length) in [9, 5, 1].into_iter().enumerate() {
        let real = |all: Tensor<3>| all.narrow(0, row, 1).narrow(1, 9 - length, length);
        assert_close(
            "padded logits",
            real(logits.clone()),
            real(expected.clone()),
            TOLERANCE,
        );
    }
}

#[test]
fn a_tied_head_equals_transformers() {
    let (llama, reference) = fixture::<LlamaConfig>("llama-tied");
    let mut context = Context::new(&Rows::padded_right(&[11, 11]), &Device::flex());
    let hidden = llama.forward(llama.embed(reference.integers("input_ids")), &mut context);
    assert_close(
        "logits",
        llama.logits(hidden),
        reference.tensor("logits"),
        1e-4,
    );
}

#[test]
fn published_sizes_have_their_published_number_of_parameters() {
    for (name, config) in LlamaConfig::presets() {
        let module = DecoderConfig::init(&config, &Device::flex()).expect("a module");
        let expected = match name {
            "vicuna-7b" => 6_738_415_616,
            _ => 13_015_864_320,
        };
        assert_eq!(Module::num_params(&module), expected, "{name}");
    }
}

#[test]
fn keeps_the_contract() {
    check_decoder("llama");
}

#[test]
fn heads_that_do_not_divide_are_an_error() {
    let config = LlamaConfig {
        num_kv_heads: Some(5),
        ..LlamaConfig::tiny()
    };
    let message = DecoderConfig::spec(&config)
        .expect_err("an error")
        .to_string();
    assert_eq!(
        message,
        "`num_heads` of `llama`: 6 is no multiple of num_kv_heads = 5"
    );
}

#[test]
fn a_prompt_read_in_parts_gives_the_bits_of_the_whole() {
    let device = Device::flex();
    let config = LlamaConfig {
        max_position_embeddings: 600,
        ..LlamaConfig::tiny()
    };
    let spec = config.spec().expect("a size");
    let embeds = normal([1, 520, spec.hidden_size]);
    let rows = Rows::padded_right(&[520]);
    let parts = rows.parts(&device);
    let widths: Vec<usize> = parts.iter().map(|(tokens, _)| tokens.len()).collect();
    assert_eq!(widths, [173, 173, 174]);
    assert_eq!(Rows::padded_right(&[520, 3]).parts(&device).len(), 1);

    for (format, cached) in [
        (Format::F32, DType::F32),
        (Format::Bf16, DType::BF16),
        (Format::Q8, DType::BF16),
    ] {
        let llama = pack(config.init(&device).expect("a module"), format);
        let read = |parts: &[(std::ops::Range<usize>, Rows)]| {
            let mut cache = KvCache::of(cached, spec.num_layers, 521);
            let mut hidden = Vec::new();
            let one = Rows {
                positions: vec![vec![520]],
                segments: vec![vec![1]],
            };
            // A token of the answer reads what all parts have left in the cache.
            let last = (519..520, one);
            for (tokens, rows) in parts.iter().chain([&last]) {
                let embeds = embeds.clone().narrow(1, tokens.start, tokens.len());
                let mut context = Context::with_cache(rows, cache, &device);
                hidden.push(llama.forward(embeds, &mut context));
                cache = context.into_cache().expect("the cache that was given");
            }
            Tensor::cat(hidden, 1).into_data()
        };
        assert_eq!(read(&parts), read(&[(0..520, rows.clone())]), "{format}");
    }
}
