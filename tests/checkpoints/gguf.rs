//! Decoders in GGUF files of llama.cpp's own converter: dequantised, q and k put back, with the
//! tokenizer inside.

use std::fs;
use std::path::Path;

use menagerie::burn::tensor::{Device, Int, Tensor};
use menagerie::tokens::Tokenizer;
use menagerie::{Recipe, context::Rows};
use serde_json::Value;

use super::files::{TOLERANCE, difference, fixture, ids, read};

fn recipe(name: &str, plugin: &str, weights: &str) -> Recipe {
    let text = format!(
        "name = 'gguf'\ndtype = 'f32'\n\
         [vision]\ntype = 'clip'\nweights = '{}'\n\
         [projector]\ntype = 'linear'\n\
         [llm]\ntype = '{plugin}'\nweights = '{}'\n",
        fixture("clip-vision-model").display(),
        fixture(name).join(weights).display(),
    );
    Recipe::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn logits_and_greedy_tokens_equal_transformers_on_the_dequantised_weights() {
    for (name, plugin) in [("gguf-llama", "llama"), ("gguf-qwen2", "qwen2")] {
        let expected = read(&fixture(name).join("expected.safetensors"));
        // The file, or a folder that holds nothing else to load.
        let model = recipe(name, plugin, "model.gguf").assemble(&Device::flex());
        let model = model.unwrap_or_else(|error| panic!("{name}: {error}"));
        let llm = &model.network().llm;
        let run = |ids: Vec<i64>| {
            let rows = Rows::padded_right(&[ids.len()]);
            let data = menagerie::burn::tensor::TensorData::new(ids.clone(), [1, ids.len()]);
            let ids: Tensor<2, Int> = Tensor::from_data(data, &model.device());
            llm.logits(model.network().hidden(llm.embed(ids), &rows))
        };
        let mut seen = ids(&expected["input_ids"]);
        let off = difference(&run(seen.clone()).into_data(), &expected["logits"]);
        assert!(off <= TOLERANCE, "{name}: logits off by {off:e}");
        for due in ids(&expected["generated"]) {
            let logits = run(seen.clone());
            let [_, tokens, _] = logits.dims();
            let next = logits
                .narrow(1, tokens - 1, 1)
                .argmax(2)
                .into_scalar::<i64>();
            assert_eq!(next, due, "{name} after {seen:?}");
            seen.push(next);
        }
    }
}

#[test]
fn the_tokenizer_inside_gives_the_same_ids() {
    for name in ["gguf-llama", "gguf-qwen2"] {
        let tokenizer = Tokenizer::load(fixture(name).join("model.gguf"));
        let tokenizer = tokenizer.unwrap_or_else(|error| panic!("{name}: {error}"));
        let copy = copied(&fixture(name).join("model.gguf"));
        let specials = |of: &Tokenizer| (of.bos(), of.eos(), of.pad(), of.vocab_size());
        assert_eq!(specials(&copy), specials(&tokenizer), "{name}");
        let text = fs::read_to_string(fixture(name).join("tokens.json")).expect("tokens.json");
        let cases: Value = serde_json::from_str(&text).expect("JSON");
        for case in cases.as_array().expect("a list") {
            let text = case["text"].as_str().expect("a text");
            let expected: Vec<u32> = case["ids"]
                .as_array()
                .expect("ids")
                .iter()
                .map(|id| u32::try_from(id.as_u64().expect("an id")).expect("an id"))
                .collect();
            // The references have BOS in front where their tokenizer puts it there.
            let bos = tokenizer.bos().filter(|_| name == "gguf-llama");
            let mut ids: Vec<u32> = bos.into_iter().collect();
            ids.extend(tokenizer.encode_text(text).expect("tokenised"));
            assert_eq!(ids, expected, "{name}: {text:?}");
            let again = copy.encode_text(text).expect("tokenised");
            assert!(ids.ends_with(&again), "{name}: {text:?}");
        }
    }
}

/// The tokenizer as a run folder holds it.
fn copied(path: &Path) -> Tokenizer {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in Tokenizer::copies(path).expect("reads") {
        fs::write(folder.path().join(name), bytes).expect("written");
    }
    let main = folder.path().join(Tokenizer::copied_name(path));
    Tokenizer::load(main).expect("loads")
}
