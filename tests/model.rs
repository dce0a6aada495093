//! The assembled model as a library: equal to values that transformers stored, and asked in every
//! way that a caller may.
#![cfg(feature = "train")]

#[path = "model/answers.rs"]
mod answers;
#[path = "model/counted.rs"]
mod counted;
#[path = "model/module.rs"]
mod module;
#[path = "model/packing.rs"]
mod packing;
#[path = "model/parity.rs"]
mod parity;
#[path = "model/together.rs"]
mod together;
#[path = "tiny/words.rs"]
mod words;

use std::path::{Path, PathBuf};

use menagerie::burn::tensor::Device;
use menagerie::packed::unpacked;
use menagerie::{Model, Network, Recipe};
use tempfile::TempDir;

use words::tokenizer;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The tower and the decoder of `fixtures/llava` in a recipe with `projector`, and a difference
/// of the decoder's table.
fn load(projector: &str, llm: &str) -> Model {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer()).expect("written");
    let text = format!(
        r#"
name = "fixture"

[vision]
type = "clip"
weights = "{vision}"
image_size = 28
patch_size = 7
hidden_size = 32
intermediate_size = 64
num_layers = 2
num_heads = 4

[projector]
{projector}

[llm]
tokenizer = "{tokenizer}"
chat = "hf-llava"
{llm}
{kind}
"#,
        kind = if llm.contains("type = ") {
            ""
        } else {
            "type = \"llama\""
        },
        vision = fixture("llava/vision.safetensors").display(),
        tokenizer = folder.path().join("tokenizer.json").display(),
    );
    let recipe = Recipe::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    recipe
        .assemble(&Device::flex())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// `fixtures/llava`, or `fixtures/llava-linear`.
fn llava(name: &str, kind: &str) -> Model {
    let projector = fixture(name).join("projector.safetensors");
    load(
        &format!("type = \"{kind}\"\nweights = \"{}\"", projector.display()),
        &format!(
            "weights = \"{}\"\nvocab_size = 96\nhidden_size = 48\nintermediate_size = 80\n\
             num_layers = 2\nnum_heads = 6\nnum_kv_heads = 2\nmax_position_embeddings = 128",
            fixture("llava/llm.safetensors").display()
        ),
    )
}

/// The network of [`llava`], which may learn and be changed.
fn network(name: &str, kind: &str) -> Network {
    unpacked(llava(name, kind).network().clone())
}

/// The decoder of `fixtures/llama`, its sizes out of its own `config.json`.
fn llama() -> Model {
    let folder = fixture("llama");
    load(
        "type = \"linear\"",
        &format!("weights = \"{}\"", folder.display()),
    )
}
