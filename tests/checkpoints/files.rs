//! The fixtures, what is computed of them, and how the two are compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use menagerie::Recipe;
use menagerie::burn::tensor::{DType, Device, TensorData};
use menagerie::folder::ModelPath;
use menagerie::model::Request;
use menagerie::weights::Shards;

/// Off by more than this share of the largest reference value is a mistake: in f32 the fixtures are
/// met to some 1e-6, and GELU's tanh form in place of the error function's costs 1.4e-4.
pub const TOLERANCE: f64 = 1e-4;

pub type Values = BTreeMap<String, TensorData>;

/// `tests/fixtures/models/NAME`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/models")
        .join(name)
}

/// A model's folder that needs nothing else.
pub fn folder(path: impl Into<PathBuf>) -> ModelPath {
    ModelPath {
        path: path.into(),
        ..ModelPath::default()
    }
}

/// The same over a base.
pub fn over(path: impl Into<PathBuf>, base: &Path, delta: bool) -> ModelPath {
    ModelPath {
        base: Some(base.display().to_string()),
        delta,
        ..folder(path)
    }
}

/// The trace of a fixture's question about its image, by the model of `path`.
pub fn trace(path: &ModelPath, fixture: &Path, sets: &[&str]) -> Values {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let recipe = Recipe::of_folder(path, &sets).unwrap_or_else(|error| panic!("{error}"));
    trace_recipe(&recipe, fixture)
}

pub fn trace_recipe(recipe: &Recipe, fixture: &Path) -> Values {
    let model = recipe.assemble(&Device::flex());
    let model = model.unwrap_or_else(|error| panic!("{error}"));
    let question = fs::read_to_string(fixture.join("prompt.txt")).expect("prompt.txt");
    let image = fs::read(fixture.join("image.png")).expect("image.png");
    let request = Request::question(question.trim_end_matches('\n'), vec![image]);
    let trace = model
        .trace(&request, Some(16))
        .unwrap_or_else(|error| panic!("{error}"));
    let named = trace.tensors.into_iter();
    named.map(|(name, data)| (name.to_owned(), data)).collect()
}

pub fn read(file: &Path) -> Values {
    let shards = Shards::open(file).unwrap_or_else(|error| panic!("{error}"));
    let values = shards.names().map(|name| {
        let data = shards.data(name).unwrap_or_else(|error| panic!("{error}"));
        (name.to_owned(), data)
    });
    values.collect()
}

/// Panics unless `actual` is what the reference of `fixture` says.
pub fn assert_same(what: &str, actual: &Values, expected: &Values) {
    assert_eq!(
        ids(&actual["input_ids"]),
        ids(&expected["input_ids"]),
        "{what}: input_ids"
    );
    for name in ["pixel_values", "features", "projected", "logits"] {
        let off = difference(&actual[name], &expected[name]);
        assert!(
            off <= TOLERANCE,
            "{what}: {name} is off by {off:e} of the largest value"
        );
    }
    // The references leave out an end token, a trace keeps it.
    let generated = ids(&actual["generated"]);
    let expected = ids(&expected["generated"]);
    assert!(
        generated.starts_with(&expected),
        "{what}: {generated:?}, not {expected:?}"
    );
    assert!(
        generated.len() - expected.len() <= 1,
        "{what}: {generated:?}, not {expected:?}"
    );
}

/// The largest difference as a share of the largest expected value.
pub fn difference(actual: &TensorData, expected: &TensorData) -> f64 {
    assert_eq!(actual.shape(), expected.shape());
    let (actual, expected) = (floats(actual), floats(expected));
    let largest = |values: &mut dyn Iterator<Item = f32>| {
        values.fold(0.0_f64, |largest, value| {
            largest.max(f64::from(value.abs()))
        })
    };
    let off = largest(&mut actual.iter().zip(&expected).map(|(a, b)| a - b));
    off / largest(&mut expected.iter().copied())
}

pub fn floats(data: &TensorData) -> Vec<f32> {
    data.clone()
        .convert_dtype(DType::F32)
        .try_to_vec()
        .expect("floats")
}

pub fn ids(data: &TensorData) -> Vec<i64> {
    data.clone()
        .convert_dtype(DType::I64)
        .try_to_vec()
        .expect("integers")
}

/// Copies a folder's files.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
}
