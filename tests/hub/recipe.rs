//! Hub ids in recipes, and the program on one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use menagerie::Recipe;

use super::fake::{FakeHub, Model};
use super::words::tokenizer;
use super::{at, fixture};

const RECIPE: &str = r#"
name = "from-the-hub"

[vision]
type = "clip"
weights = "acme/eye"
image_size = 28
patch_size = 7
hidden_size = 32
intermediate_size = 64
num_layers = 2
num_heads = 4

[projector]
type = "mlp"
weights = "acme/bridge@v1"

[llm]
type = "llama"
weights = "acme/mouth"
chat = "hf-llava"
vocab_size = 96
hidden_size = 48
intermediate_size = 80
num_layers = 2
num_heads = 6
num_kv_heads = 2
max_position_embeddings = 128
"#;

/// The three components of `fixtures/llava`, each a model of its own.
fn server() -> FakeHub {
    let read = |name: &str| fs::read(fixture(name)).expect("the fixture");
    let eye = read("llava/vision.safetensors");
    let bridge = read("llava/projector.safetensors");
    let mouth = read("llava/llm.safetensors");
    let words = tokenizer();
    let mut bridge = Model::new('b', &[("model.safetensors", &bridge)]);
    bridge.revisions = vec!["v1"];
    let mouth: &[(&str, &[u8])] = &[
        ("model.safetensors", &mouth),
        ("tokenizer.json", words.as_bytes()),
    ];
    FakeHub::new(&[
        ("acme/eye", Model::new('a', &[("model.safetensors", &eye)])),
        ("acme/bridge", bridge),
        ("acme/mouth", Model::new('c', mouth)),
    ])
}

struct Said {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// `menagerie ask` on `recipe`, with nothing of this machine's settings.
fn ask(recipe: &Path, variables: &[(&str, &str)]) -> Said {
    let image = fixture("images/rgb-square.png");
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    let unset = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy().to_uppercase();
        name.starts_with("HF_") || name.contains("HUGGING") || name.contains("PROXY")
    });
    for (name, _) in unset {
        command.env_remove(name);
    }
    let output = command
        .arg("ask")
        .arg(recipe)
        .args(["w3 w4 w5", "--max-new-tokens", "4", "--image"])
        .arg(image)
        .envs(variables.iter().copied())
        .output()
        .expect("the program starts");
    Said {
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
        code: output.status.code(),
    }
}

#[test]
fn the_program_answers_with_weights_from_the_hub_and_again_without_it() {
    let server = server();
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("hf");
    let home = home.to_str().expect("text");
    let recipe = folder.path().join("model.toml");
    fs::write(&recipe, RECIPE).expect("written");

    let endpoint = server.endpoint();
    let first = ask(&recipe, &[("HF_HOME", home), ("HF_ENDPOINT", &endpoint)]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(
        first
            .stderr
            .contains(&format!("acme/bridge@v1 is commit {}", "b".repeat(40)))
    );
    drop(server);
    let offline = [("HF_HOME", home), ("HF_HUB_OFFLINE", "1")];
    let second = ask(&recipe, &offline);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(first.stdout, second.stdout);

    fs::write(&recipe, RECIPE.replace("acme/mouth", "acme/tongue")).expect("written");
    let third = ask(&recipe, &offline);
    assert_eq!(third.code, Some(4), "{}", third.stderr);
    assert!(
        third.stderr.contains("model.toml:20:1: `acme/tongue@main`"),
        "{}",
        third.stderr
    );
}

#[test]
fn a_path_that_exists_wins_and_other_texts_are_left_alone() {
    let server = FakeHub::new(&[("acme/eye", Model::new('a', &[("model.safetensors", b"x")]))]);
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let hub = at(&server, &cache);
    let recipe = |vision: &str| {
        let path = folder.path().join("recipe.toml");
        let text = RECIPE
            .replace("acme/eye", vision)
            .replace("acme/bridge@v1", "bridge.bin");
        fs::write(&path, text.replace("acme/mouth", "./mouth")).expect("written");
        let mut recipe = Recipe::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let replaced = hub.localise(&mut recipe, &mut |_, _, _| ());
        (recipe, replaced.unwrap_or_else(|error| panic!("{error}")))
    };

    let (there, snapshots) = recipe("acme/eye");
    let weights = there.vision.weights.map(PathBuf::from).expect("weights");
    assert_eq!(weights, snapshots[0].folder);
    assert_eq!(snapshots.len(), 1);
    assert_eq!(there.projector.weights.as_deref(), Some("bridge.bin"));

    fs::create_dir_all(folder.path().join("acme/eye")).expect("made");
    server.asked();
    let (here, snapshots) = recipe("acme/eye");
    let weights = here.vision.weights.map(PathBuf::from).expect("weights");
    assert_eq!(weights, folder.path().join("acme/eye"));
    assert!(snapshots.is_empty() && server.asked().is_empty());
}
