//! A stranger's encoder: it keeps the contract, is listed, loads its own published folder, trains
//! through a recipe and answers. Nothing in the repository knows of it.

use acme_encoder as _;

use std::path::Path;
use std::process::{Command, Output};

use menagerie::serde_json::{Value, from_slice, json};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};

fn acme(folder: &Path, args: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_acme"))
        .args(args)
        .current_dir(folder)
        .output();
    let output = program.expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn it_keeps_the_contract() {
    menagerie::testing::check_encoder("patchify");
}

#[test]
fn its_binary_lists_it_beside_the_default_plugins() {
    let output = acme(Path::new("."), &["plugins", "--json"]);
    let listed: Vec<Value> = from_slice(&output.stdout).expect("JSON");
    let names: Vec<_> = listed
        .iter()
        .map(|plugin| plugin["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "clip",
            "convnext",
            "dinov2",
            "fused",
            "patchify",
            "siglip",
            "c_abstractor",
            "identity",
            "ldp_v2",
            "linear",
            "mlp",
            "pixel_shuffle",
            "pool",
            "qformer",
            "resampler",
            "gemma2",
            "llama",
            "mistral",
            "phi",
            "phi3",
            "qwen2",
            "qwen3",
            "exact",
            "gqa",
            "llava-bench-coco",
            "llava-bench-wild",
            "mmbench",
            "mme",
            "pope",
            "scienceqa",
            "textvqa",
            "vqa",
        ]
    );
    assert_eq!(listed[4]["crate"], "acme-encoder");
    assert_eq!(listed[4]["version"], "0.3.0");
    assert_eq!(
        listed[4]["options"][1]["description"],
        "Side of a patch, in pixels."
    );
}

/// A folder as Hugging Face keeps it, with a sibling tower that is of no use here.
fn publish(folder: &Path) -> Vec<u8> {
    std::fs::create_dir_all(folder).unwrap();
    let vision = json!({ "image_size": 16, "patch_size": 8, "hidden_size": 10 });
    let config = json!({ "model_type": "acme_patchify", "vision_config": vision });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let floats = |count: i16| -> Vec<u8> {
        let values = (0..count).map(|n| f32::from(n % 31 - 15) / 100.0);
        values.flat_map(f32::to_le_bytes).collect()
    };
    let (weight, bias) = (floats(10 * 192), floats(10));
    let view = |shape: &[usize], bytes| TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
    let tensors = [
        (
            "vision_model.patch_projection.weight",
            view(&[10, 192], &weight),
        ),
        ("vision_model.patch_projection.bias", view(&[10], &bias)),
        ("text_model.embed.weight", view(&[10], &bias)),
    ];
    serialize_to_file(tensors, None, &folder.join("model.safetensors")).unwrap();
    weight
}

const RECIPE: &str = r#"
extends = "base.toml"

[vision]
type = "patchify"
weights = "acme-patchify-16"
"#;

const BASE: &str = r#"
name = "acme"
max_tokens = 96
stages = ["align"]

[vision]
type = "clip"
preset = "vit-l-14"

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
max_position_embeddings = 128

[stage.align]
freeze = ["vision", "llm"]
data = { conversations = "data.json", images = "images" }
steps = 3
batch_size = 2
optimizer = { type = "adamw", learning_rate = 1e-3 }
"#;

#[test]
fn it_trains_through_a_recipe_on_its_published_weights_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let published = publish(&at("acme-patchify-16"));
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::create_dir(at("images")).unwrap();
    for name in ["grey.png", "rgb-square.png"] {
        let image = repository.join("tests/fixtures/images").join(name);
        std::fs::copy(image, at("images").join(name)).unwrap();
    }
    let tokenizer = repository.join("recipes/quickstart/tokenizer.json");
    std::fs::copy(tokenizer, at("tokenizer.json")).unwrap();
    let sample = |image: &str, answer: &str| {
        json!({ "id": image, "image": image, "conversations": [
            { "from": "human", "value": "<image>\nis it grey?" },
            { "from": "gpt", "value": answer },
        ] })
    };
    let data = json!([sample("grey.png", "yes"), sample("rgb-square.png", "no")]);
    std::fs::write(at("data.json"), data.to_string()).unwrap();
    std::fs::write(at("base.toml"), BASE).unwrap();
    std::fs::write(at("acme.toml"), RECIPE).unwrap();

    acme(folder.path(), &["recipe", "check", "acme.toml"]);
    acme(folder.path(), &["train", "acme.toml", "--out", "run"]);
    let weights = std::fs::read(at("run/weights/align/vision.safetensors")).unwrap();
    let weights = SafeTensors::deserialize(&weights).unwrap();
    let kept = weights
        .tensor("vision_model.patch_projection.weight")
        .unwrap();
    assert!(
        kept.data() == published,
        "frozen, and written under its own name"
    );

    let image = ["--image", "images/grey.png", "--max-new-tokens", "2"];
    let args = [&["ask", "run", "--json", "is it grey?"], &image[..]].concat();
    let answer: Value = from_slice(&acme(folder.path(), &args).stdout).expect("JSON");
    assert_eq!(answer["ids"].as_array().map(Vec::len), Some(2), "{answer}");
    // Its layer is packed with the others.
    for dtype in ["bf16", "q8", "q4"] {
        let packed = acme(folder.path(), &[&args[..], &["--dtype", dtype]].concat());
        let answer: Value = from_slice(&packed.stdout).expect("JSON");
        assert_eq!(answer["ids"].as_array().map(Vec::len), Some(2), "{answer}");
    }
}
