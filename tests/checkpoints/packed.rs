//! Models with packed weights: read, used, written, and read again.

use std::fs;

use menagerie::burn::tensor::{Device, Int, Tensor, TensorData};
use menagerie::context::Rows;
use menagerie::export::{ExportLayout, ExportOptions, export};
use menagerie::folder::ModelPath;
use menagerie::recipe::Dtype;
use menagerie::tokens::Tokenizer;
use menagerie::weights::gguf::Gguf;
use menagerie::{Model, Recipe, packed};

use super::files::{
    TOLERANCE, Values, assert_same, difference, fixture, folder, ids, read, trace, trace_recipe,
};

const PACKED: [&str; 3] = ["bf16", "q8", "q4"];

/// Activations that meet packed weights are rounded to 8 bits, and the widened weights of the fixtures carry
/// that on.
const ROUNDING: f64 = 0.06;

fn dtype(name: &str) -> String {
    format!("dtype = '{name}'")
}

fn assembled(model: &ModelPath, sets: &[String]) -> (Recipe, Model) {
    let recipe = Recipe::of_folder(model, sets).unwrap_or_else(|error| panic!("{error}"));
    let model = recipe.assemble(&Device::flex());
    let model = model.unwrap_or_else(|error| panic!("{error}"));
    (recipe, model)
}

fn gguf_recipe(name: &str, plugin: &str, sets: &[String]) -> Recipe {
    let text = format!(
        "name = 'gguf'\n{}\n\
         [vision]\ntype = 'clip'\nweights = '{}'\n\
         [projector]\ntype = 'linear'\n\
         [llm]\ntype = '{plugin}'\nweights = '{}'\n",
        sets.concat(),
        fixture("clip-vision-model").display(),
        fixture(name).join("model.gguf").display(),
    );
    Recipe::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn logits(model: &Model, ids: Vec<i64>) -> TensorData {
    let count = ids.len();
    let rows = Rows::padded_right(&[count]);
    let data = TensorData::new(ids, [1, count]);
    let ids: Tensor<2, Int> = Tensor::from_data(data, &model.device());
    let network = model.network();
    let hidden = network.hidden(network.llm.embed(ids), &rows);
    network.llm.logits(hidden).into_data()
}

/// The products differ from those in f32 by what activations are rounded by, and by nothing else.
#[test]
fn logits_are_those_of_the_weights_that_the_packed_ones_stand_for() {
    for (name, plugin) in [("gguf-llama", "llama"), ("gguf-qwen2", "qwen2")] {
        let seen = ids(&read(&fixture(name).join("expected.safetensors"))["input_ids"]);
        for kind in PACKED {
            let recipe = gguf_recipe(name, plugin, &[dtype(kind)]);
            let model = recipe.assemble(&Device::flex());
            let model = model.unwrap_or_else(|error| panic!("{name}: {error}"));
            let found = logits(&model, seen.clone());
            let plain = model.map_network(packed::unpacked);
            assert!(packed::packed_paths(plain.network()).is_empty());
            let off = difference(&found, &logits(&plain, seen.clone()));
            assert!(off < ROUNDING, "{name} in {kind}: off by {off:e}");
        }
    }
}

#[test]
fn a_quantised_gguf_file_is_used_as_it_is_stored_unless_a_type_is_stated() {
    for (name, plugin) in [("gguf-llama", "llama"), ("gguf-qwen2", "qwen2")] {
        let open = gguf_recipe(name, plugin, &[]);
        let model = open.assemble(&Device::flex()).expect("assembled");
        assert_eq!(model.numbers().dtype(), Dtype::Q8, "{name}");
        let stated = gguf_recipe(name, plugin, &[dtype("q8")]);
        let stated = stated.assemble(&Device::flex()).expect("assembled");
        let seen = vec![5, 9, 300, 17];
        assert_eq!(
            logits(&model, seen.clone()),
            logits(&stated, seen),
            "{name}"
        );
        // Training reads what the blocks stand for, in f32 unless it states otherwise.
        let learns = open.assemble_to_train(&[], &Device::flex(), &mut |_, _| {});
        assert_eq!(learns.expect("assembled").numbers().dtype(), Dtype::F32);
        let f32 = gguf_recipe(name, plugin, &[dtype("f32")]);
        let f32 = f32.assemble(&Device::flex()).expect("assembled");
        assert_eq!(f32.numbers().dtype(), Dtype::F32, "{name}");
    }
    let (_, plain) = assembled(&folder(fixture("hf-clip-llama")), &[]);
    assert_eq!(plain.numbers().dtype(), Dtype::F32);
}

fn written(model: &ModelPath, sets: &[String], out: &std::path::Path) -> Recipe {
    let (recipe, model) = assembled(model, sets);
    let options = ExportOptions::default();
    let written = export(&recipe, &model, ExportLayout::Gguf, &options, out);
    written.unwrap_or_else(|error| panic!("{error}"));
    recipe
}

fn same(found: &Values, wanted: &Values, what: &str) {
    assert_eq!(
        ids(&found["input_ids"]),
        ids(&wanted["input_ids"]),
        "{what}"
    );
    assert!(found["logits"] == wanted["logits"], "{what}: logits differ");
    assert_eq!(
        ids(&found["generated"]),
        ids(&wanted["generated"]),
        "{what}"
    );
}

#[test]
fn a_model_in_gguf_loads_back_packed_to_the_bit() {
    let made = tempfile::tempdir().expect("a folder");
    for name in ["hf-clip-llama", "hf-siglip-qwen2", "original-linear"] {
        let place = fixture(name);
        for kind in ["f32", "bf16", "q8", "q4"] {
            let what = format!("{name} in {kind}");
            let out = made.path().join(&what);
            let before = written(&folder(&place), &[dtype(kind)], &out);
            let (after, model) = assembled(&folder(&out), &[]);
            assert_eq!(after.dtype.name(), kind, "{what}");
            assert_eq!(model.numbers().dtype().name(), kind, "{what}");
            let found = trace_recipe(&after, &place);
            same(&found, &trace_recipe(&before, &place), &what);
            if kind == "f32" {
                let expected = read(&place.join("expected.safetensors"));
                assert_same(&what, &found, &expected);
            }
        }
        // A model that was quantised may go on in another type, to train or to another tool.
        let q8 = made.path().join(format!("{name} in q8"));
        let wide = trace(&folder(&q8), &place, &["dtype = 'f32'"]);
        let packed = trace(&folder(&q8), &place, &[]);
        let off = difference(&packed["logits"], &wide["logits"]);
        assert!(off < ROUNDING, "{name}: off by {off:e}");
    }
}

/// A decoder that llama.cpp has is a file of its own making: metadata, names, order of rows, tokenizer.
#[test]
fn the_decoders_file_is_a_whole_decoder_by_itself() {
    let made = tempfile::tempdir().expect("a folder");
    for (name, plugin) in [("hf-clip-llama", "llama"), ("hf-clip-qwen2", "qwen2")] {
        let place = fixture(name);
        let out = made.path().join(name);
        let recipe = written(&folder(&place), &[dtype("f32")], &out);
        let file = out.join("llm.gguf");
        let gguf = Gguf::open(&file).expect("opened");
        assert_eq!(
            gguf.require::<&str>("general.architecture").expect("there"),
            plugin
        );
        assert!(gguf.tensors().get("blk.0.attn_q.weight").is_some());
        // Sizes come from its metadata, the tokenizer from its vocabulary.
        let text = format!(
            "name = 'alone'\ndtype = 'f32'\n[vision]\ntype = 'clip'\nweights = '{}'\n\
             [projector]\ntype = 'linear'\n[llm]\ntype = '{plugin}'\nweights = '{}'\n",
            fixture("clip-vision-model").display(),
            file.display(),
        );
        let alone = Recipe::parse(&text).expect("a recipe");
        let alone = alone
            .assemble(&Device::flex())
            .unwrap_or_else(|error| panic!("{error}"));
        let whole = recipe.assemble(&Device::flex()).expect("assembled");
        let seen = vec![3, 77, 140, 9, 9];
        let off = difference(&logits(&alone, seen.clone()), &logits(&whole, seen));
        assert!(off < TOLERANCE, "{name}: off by {off:e}");
        let tokenizer = Tokenizer::load(&file).expect("a tokenizer");
        for text in [
            "USER: What is there?",
            "naïve café 🦙",
            "  two  spaces\n\n",
            "678 plums",
        ] {
            let wanted = whole.tokenizer().encode_text(text).expect("ids");
            assert_eq!(
                tokenizer.encode_text(text).expect("ids"),
                wanted,
                "{name}: {text:?}"
            );
        }
        let specials = |of: &Tokenizer| (of.bos(), of.eos(), of.pad());
        assert_eq!(specials(&tokenizer), specials(whole.tokenizer()), "{name}");
    }
}

#[test]
fn files_of_other_components_and_foreign_ones_are_told_apart() {
    let made = tempfile::tempdir().expect("a folder");
    let out = made.path().join("model");
    let place = fixture("hf-clip-llama");
    written(&folder(&place), &[dtype("q8")], &out);
    let mut names: Vec<_> = fs::read_dir(&out).expect("a folder").collect();
    names.sort_by_key(|entry| entry.as_ref().expect("an entry").file_name());
    let names = names
        .into_iter()
        .map(|entry| entry.expect("an entry").file_name());
    let names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    for name in [
        "llm.gguf",
        "model.toml",
        "projector.gguf",
        "tokenizer.json",
        "vision.gguf",
    ] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    // The projector's file in the encoder's place.
    fs::copy(out.join("projector.gguf"), out.join("vision.gguf")).expect("copied");
    let recipe = Recipe::of_folder(&folder(&out), &[]).expect("a model");
    let error = recipe
        .assemble(&Device::flex())
        .expect_err("another component")
        .to_string();
    assert!(error.contains("vision.gguf`"), "{error}");
}
