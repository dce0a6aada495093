//! Models that go out again: nothing changes on the way, and other layouts give the same numbers.

use std::fs;
use std::path::{Path, PathBuf};

use menagerie::Recipe;
use menagerie::burn::tensor::{DType, Device, TensorData};
use menagerie::export::{ExportLayout, ExportOptions, export};
use menagerie::folder::ModelPath;
use serde_json::Value;

use super::files::{
    TOLERANCE, Values, assert_same, difference, fixture, floats, folder, ids, over, read, trace,
};

fn write(model: &ModelPath, layout: ExportLayout, out: &Path, options: &ExportOptions) {
    // As the program does: a model is loaded in the type of number it goes out in.
    let sets = options.dtype.map(|_| "dtype = 'f32'".to_owned());
    let sets: Vec<String> = sets.into_iter().collect();
    let recipe = Recipe::of_folder(model, &sets).unwrap_or_else(|error| panic!("{error}"));
    let loaded = recipe.assemble(&Device::flex());
    let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    export(&recipe, &loaded, layout, options, out).unwrap_or_else(|error| panic!("{error}"));
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

/// By what follows a prefix, so that spellings of one model can be compared.
fn without<'v>(values: &'v Values, prefixes: &[&str]) -> Vec<(&'v str, &'v TensorData)> {
    let strip = |key: &'v str| {
        let prefix = prefixes.iter().find(|prefix| key.starts_with(**prefix));
        prefix.map_or(key, |prefix| &key[prefix.len()..])
    };
    let mut all: Vec<_> = values
        .iter()
        .map(|(key, data)| (strip(key), data))
        .collect();
    all.sort_unstable_by_key(|(key, _)| *key);
    all
}

#[test]
fn hugging_faces_layout_round_trips_bit_for_bit() {
    let made = tempfile::tempdir().expect("a folder");
    for name in ["hf-clip-llama", "hf-clip-qwen2", "hf-dinov2-llama"] {
        let place = fixture(name);
        let out = made.path().join(name);
        write(
            &folder(&place),
            ExportLayout::Hf,
            &out,
            &ExportOptions::default(),
        );
        let (mut before, after) = (read(&place), read(&out));
        // What DINOv2's pretraining puts in the place of hidden patches is of no use.
        before.retain(|key, _| !key.ends_with("embeddings.mask_token"));
        // transformers 5 leaves `vision_model.` out; the export has it, as all published files do.
        let towers = ["vision_tower.vision_model.", "vision_tower."];
        assert_eq!(
            without(&before, &towers),
            without(&after, &towers),
            "{name}"
        );
        let again = trace(&folder(&out), &place, &["dtype = 'f32'"]);
        assert_same(name, &again, &read(&place.join("expected.safetensors")));
        for file in ["tokenizer.json", "generation_config.json"] {
            let (old, new) = (fs::read(place.join(file)), fs::read(out.join(file)));
            assert!(
                old.expect("old") == new.expect("new"),
                "{name}/{file} has changed"
            );
        }
    }
}

#[test]
fn shards_are_split_and_indexed_as_transformers_does() {
    let made = tempfile::tempdir().expect("a folder");
    let out = made.path().join("shards");
    let mut options = ExportOptions::default();
    options.max_shard_bytes = Some(60_000);
    let place = fixture("hf-clip-llama");
    write(&folder(&place), ExportLayout::Hf, &out, &options);
    let index = json(out.join("model.safetensors.index.json"));
    let files = index["weight_map"].as_object().expect("a map");
    let first = files
        .values()
        .next()
        .and_then(Value::as_str)
        .expect("a name");
    assert!(first.starts_with("model-00001-of-"), "{first}");
    for file in fs::read_dir(&out).expect("a folder") {
        let file = file.expect("an entry");
        let size = file.metadata().expect("a size").len();
        assert!(size < 70_000, "{:?} has {size} bytes", file.file_name());
    }
    let again = trace(&folder(&out), &place, &[]);
    assert_same("shards", &again, &read(&place.join("expected.safetensors")));
}

#[test]
fn every_layout_that_comes_in_goes_out_as_hugging_faces_with_the_same_numbers() {
    let made = tempfile::tempdir().expect("a folder");
    let base = fixture("base-llama");
    for (name, model) in [
        (
            "projector-only",
            over(fixture("projector-only"), &base, false),
        ),
        ("lora", folder(fixture("lora"))),
    ] {
        let place = fixture(name);
        let out = made.path().join(name);
        let mut options = ExportOptions::default();
        options.dtype = Some(DType::F32);
        write(&model, ExportLayout::Hf, &out, &options);
        // The vocabulary has grown by the image's token: its new rows come last.
        let config = json(out.join("config.json"));
        assert_eq!(config["image_token_index"], 448, "{name}");
        assert_eq!(config["text_config"]["vocab_size"], 512, "{name}");
        let chat = "llm.chat = 'v1'";
        let actual = trace(&folder(&out), &place, &["dtype = 'f32'", chat]);
        let expected = read(&place.join("expected.safetensors"));
        assert_eq!(
            ids(&actual["input_ids"]),
            ids(&expected["input_ids"]),
            "{name}"
        );
        let (wide, narrow) = (floats(&actual["logits"]), floats(&expected["logits"]));
        let logits: Vec<f32> = wide
            .chunks(512)
            .flat_map(|row| &row[..448])
            .copied()
            .collect();
        let logits = TensorData::new(logits, expected["logits"].shape().clone());
        let off = difference(&logits, &expected["logits"]);
        assert!(off <= TOLERANCE, "{name}: off by {off:e}");
        // No new token is ever the likeliest.
        for (wide, narrow) in wide.chunks(512).zip(narrow.chunks(448)) {
            let largest = narrow.iter().copied().fold(f32::MIN, f32::max);
            assert!(wide[448..].iter().all(|&new| new < largest), "{name}");
        }
        // Its own template came along, as Jinja.
        let own = trace(&folder(&out), &place, &["dtype = 'f32'"]);
        assert_eq!(
            ids(&own["input_ids"]),
            ids(&expected["input_ids"]),
            "{name}"
        );
    }
}

#[test]
fn the_originals_layout_round_trips_and_may_be_moved() {
    let made = tempfile::tempdir().expect("a folder");
    for name in ["original-mlp", "original-linear"] {
        let place = fixture(name);
        let out = made.path().join(name);
        write(
            &folder(&place),
            ExportLayout::Original,
            &out,
            &ExportOptions::default(),
        );
        let (before, after) = (read(&place), read(&out));
        for (key, data) in &after {
            assert_eq!(before.get(key), Some(data), "{name}: {key}");
        }
        let moved = made.path().join(format!("{name}-moved"));
        fs::rename(&out, &moved).expect("moved");
        let again = trace(&folder(&moved), &place, &["dtype = 'f32'"]);
        assert_same(name, &again, &read(&place.join("expected.safetensors")));
    }
}

#[test]
fn burnpack_takes_every_model_and_round_trips_bit_for_bit() {
    let made = tempfile::tempdir().expect("a folder");
    for name in ["hf-siglip-qwen2", "original-linear"] {
        let place = fixture(name);
        let out = made.path().join(name);
        write(
            &folder(&place),
            ExportLayout::Burnpack,
            &out,
            &ExportOptions::default(),
        );
        let again = trace(&folder(&out), &place, &["dtype = 'f32'"]);
        assert_same(name, &again, &read(&place.join("expected.safetensors")));
    }
}

#[test]
fn a_projector_goes_out_as_mm_projector_bin_over_the_same_base() {
    let made = tempfile::tempdir().expect("a folder");
    let (place, base) = (fixture("projector-only"), fixture("base-llama"));
    let out = made.path().join("projector");
    let mut options = ExportOptions::default();
    options.component = Some(menagerie::Component::Projector);
    options.tower = Some(fixture("original-tower").display().to_string());
    write(
        &over(&place, &base, false),
        ExportLayout::Original,
        &out,
        &options,
    );
    let names: Vec<_> = fs::read_dir(&out).expect("a folder").collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let again = trace(&over(&out, &base, false), &place, &["dtype = 'f32'"]);
    assert_same(
        "mm_projector.bin",
        &again,
        &read(&place.join("expected.safetensors")),
    );
}

#[test]
fn what_a_layout_cannot_state_is_an_error_and_leaves_nothing() {
    let made = tempfile::tempdir().expect("a folder");
    let out = made.path().join("out");
    let refused = |name: &str, layout| {
        let recipe = Recipe::of_folder(&folder(fixture(name)), &[]).expect("a model");
        let model = recipe.assemble(&Device::flex()).expect("loaded");
        let error = export(&recipe, &model, layout, &ExportOptions::default(), &out);
        error.expect_err("refused").to_string()
    };
    let linear = refused("original-linear", ExportLayout::Hf);
    assert!(
        linear.contains("no place for the projector plugin `linear`"),
        "{linear}"
    );
    let layers = refused("hf-siglip-qwen2", ExportLayout::Original);
    assert!(
        layers.contains("cannot state features of several hidden states"),
        "{layers}"
    );
    let dropped = refused("hf-siglip-llama", ExportLayout::Original);
    assert!(dropped.contains("drops a patch"), "{dropped}");
    let left: Vec<_> = fs::read_dir(made.path()).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");

    fs::create_dir(&out).expect("made");
    fs::write(out.join("mine.txt"), "keep me").expect("written");
    let taken = refused("original-linear", ExportLayout::Burnpack);
    assert!(taken.contains("exists already"), "{taken}");
    assert_eq!(
        fs::read_to_string(out.join("mine.txt")).expect("kept"),
        "keep me"
    );
}
