//! An encoder out of an ONNX file is one like any other: it keeps the contract, equals what onnxruntime
//! computes of the file, trains, and what training changed of it is kept.

use onnx_encoder as _;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use menagerie::burn::tensor::{Device, Tensor, TensorData};
use menagerie::plugin;
use menagerie::serde_json::{Value, from_slice};
use menagerie::testing::{assert_close, check_encoder};
use menagerie::toml::Table;

fn program(folder: &Path, args: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_menagerie-onnx"))
        .args(args)
        .current_dir(folder)
        .output();
    let output = program.expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output
}

#[test]
fn it_keeps_the_contract() {
    check_encoder("onnx");
}

/// The floats of a file beside the ONNX file.
fn stored(extension: &str) -> Vec<f32> {
    let path = Path::new(env!("ENCODER_FOLDER")).join(format!("encoder.{extension}.f32"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let numbers = bytes.chunks_exact(4);
    numbers
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect()
}

#[test]
fn it_computes_what_onnxruntime_computes() {
    let plugin = plugin::encoder("onnx").expect("it is linked");
    let config = plugin.configure(Table::new()).expect("it has no options");
    let spec = config.spec().expect("sizes");
    let device = Device::flex();
    let tensor = |extension: &str, shape: Vec<usize>| TensorData::new(stored(extension), shape);
    let side = spec.image_size;
    let pixels = Tensor::<4>::from_data(tensor("pixels", vec![2, 3, side, side]), &device);
    let shape = vec![2, spec.tokens, spec.feature_size];
    let expected = Tensor::<3>::from_data(tensor("features", shape), &device);
    let features = config.init(&device).expect("a module").forward(pixels);
    // 2.1e-7 of the largest is reached by the committed encoder.
    let largest: f32 = expected.clone().abs().max().into_scalar();
    assert_close("features", features, expected, 1e-6 * f64::from(largest));
}

const RECIPE: &str = r#"
name = "onnx"
max_tokens = 400
stages = ["align", "finetune"]

[vision]
type = "onnx"

[projector]
type = "mlp"

[llm]
type = "llama"
tokenizer = "tokenizer.json"
chat = "hf-llava"
vocab_size = 365
hidden_size = 16
intermediate_size = 24
num_layers = 1
num_heads = 2
max_position_embeddings = 512

[stage.align]
freeze = ["vision", "llm"]
data = { conversations = "data.json", images = "images" }
steps = 2
batch_size = 2
optimizer = { type = "adamw", learning_rate = 1e-3 }

[stage.finetune]
data = { conversations = "data.json", images = "images" }
steps = 2
batch_size = 2
optimizer = { type = "adamw", learning_rate = 1e-3 }
"#;

#[test]
fn it_trains_in_a_recipe_and_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    fs::copy(
        repository.join("recipes/quickstart/tokenizer.json"),
        at("tokenizer.json"),
    )
    .unwrap();
    fs::create_dir(at("images")).unwrap();
    for (name, value) in [("a.png", 40), ("b.png", 200)] {
        let image = menagerie::image::RgbImage::from_pixel(20, 12, [value, 90, 10].into());
        image.save(at("images").join(name)).unwrap();
    }
    let sample = |image: &str, color: &str| {
        format!(
            r#"{{ "id": "{image}", "image": "{image}", "conversations": [
                {{ "from": "human", "value": "<image>\nwhat color is it?" }},
                {{ "from": "gpt", "value": "{color}" }} ] }}"#
        )
    };
    let samples = [sample("a.png", "green"), sample("b.png", "red")].join(",\n");
    fs::write(at("data.json"), format!("[{samples}]")).unwrap();
    fs::write(at("onnx.toml"), RECIPE).unwrap();

    program(folder.path(), &["train", "onnx.toml", "--out", "run"]);
    let inspected = program(folder.path(), &["inspect", "run", "--json"]);
    let inspected: Value = from_slice(&inspected.stdout).expect("JSON");
    assert!(inspected.to_string().contains("\"onnx\""), "{inspected}");
    let ask = ["ask", "run", "--image", "images/a.png", "what color is it?"];
    program(folder.path(), &ask);

    // The encoder learned, so its weights are not the ONNX file's any more, and come from the run.
    let [aligned, finetuned] = ["align", "finetune"]
        .map(|stage| fs::read(at("run/weights").join(stage).join("vision.safetensors")).unwrap());
    assert_ne!(aligned, finetuned);
}
