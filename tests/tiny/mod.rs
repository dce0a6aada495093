//! A world small enough to learn in: coloured squares, what is said of them, and a model of a few
//! thousand numbers.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod state;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;

use menagerie::burn::tensor::Device;
use menagerie::train::{RunFolder, Silent, StepMetrics, TrainError};
use menagerie::{Component, Recipe};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const COLOURS: [(&str, [u8; 3]); 4] = [
    ("red", [230, 20, 20]),
    ("green", [20, 210, 40]),
    ("blue", [20, 30, 220]),
    ("yellow", [240, 220, 30]),
];

/// One stage, in which the projector learns.
const ALIGN: &str = r#"
name = "tiny"
seed = 1
max_tokens = 160
stages = ["align"]

[vision]
type = "clip"
image_size = 16
patch_size = 8
hidden_size = 16
intermediate_size = 24
num_layers = 2
num_heads = 2
layer = -1

[projector]
type = "mlp"

[llm]
type = "llama"
tokenizer = "tokenizer.json"
chat = "hf-llava"
vocab_size = 365
hidden_size = 24
intermediate_size = 32
num_layers = 2
num_heads = 2
max_position_embeddings = 256

[stage.align]
freeze = ["vision", "llm"]
data = { conversations = "data.json", images = "images", workers = 0 }
steps = 5
batch_size = 8
optimizer = { type = "adamw", learning_rate = 3e-3 }
schedule = { type = "cosine", warmup_ratio = 0.4 }
"#;

/// Another, in which half of the decoder learns too.
const TINY: &str = r#"
extends = "align.toml"
stages = ["align", "finetune"]

[stage.finetune]
freeze = ["vision", "llm.layers.0"]
data = { conversations = "data.json", images = "images", workers = 2 }
epochs = 2
batch_size = 8
optimizer = { type = "adamw", learning_rate = 3e-3, weight_decay = 0.1 }
"#;

/// A folder with images, data, a tokenizer, `align.toml` and `tiny.toml`; removed at the end of the test.
pub struct World(TempDir);

impl World {
    pub fn new() -> Self {
        let world = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(world.path("images")).expect("made");
        for (name, colour) in COLOURS {
            world.write(&format!("images/{name}.bmp"), square(colour));
        }
        world.write("data.json", samples().to_string());
        world.write("questions.json", questions().to_string());
        let tokenizer =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/quickstart/tokenizer.json");
        fs::copy(tokenizer, world.path("tokenizer.json")).expect("copied");
        world.write("align.toml", ALIGN);
        world.write("tiny.toml", TINY);
        world
    }

    /// Gives the images other proportions: a square, a landscape, a portrait, a strip.
    pub fn stretch(&self) {
        let sizes = [(16, 16), (48, 16), (9, 40), (200, 3)];
        for ((name, colour), (width, height)) in COLOURS.into_iter().zip(sizes) {
            self.write(
                &format!("images/{name}.bmp"),
                rectangle(colour, width, height),
            );
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    /// Writes `NAME.toml`: `tiny.toml`, or what it says it extends, with a difference.
    pub fn recipe(&self, name: &str, difference: &str) -> Recipe {
        let text = if difference.starts_with("extends") {
            difference.to_owned()
        } else {
            format!("extends = \"tiny.toml\"\n{difference}\n")
        };
        let path = self.write(&format!("{name}.toml"), text);
        Recipe::load(path).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Trains [`World::recipe`] into the folder of its name.
    pub fn train(&self, name: &str, difference: &str) -> Run {
        self.try_train(name, difference)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_train(&self, name: &str, difference: &str) -> Result<Run, TrainError> {
        let recipe = self.recipe(name, difference);
        let run = RunFolder::create(&self.path(name))?;
        let stop = AtomicBool::new(false);
        menagerie::train::train(&recipe, &run, &Device::flex(), &mut Silent, &stop)?;
        Ok(Run(self.path(name)))
    }

    /// Runs the program here.
    pub fn menagerie(&self, args: &[&str]) -> Said {
        self.menagerie_reading("", args)
    }

    /// Runs the program here, `input` at its stdin.
    pub fn menagerie_reading(&self, input: &str, args: &[&str]) -> Said {
        let file = self.write(".stdin", input);
        let program = Command::new(env!("CARGO_BIN_EXE_menagerie"))
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::from(fs::File::open(file).expect("opened")))
            .output();
        Said::from(program.expect("the program starts"))
    }
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
            code: output.status.code(),
        }
    }
}

/// A run folder.
#[derive(Debug)]
pub struct Run(pub PathBuf);

impl Run {
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).expect("text")
    }

    pub fn weights(&self, stage: &str, component: Component) -> Vec<u8> {
        self.bytes(&format!("weights/{stage}/{component}.safetensors"))
    }

    /// The components' files after `stage`.
    pub fn all_weights(&self, stage: &str) -> Vec<Vec<u8>> {
        Component::ALL
            .map(|component| self.weights(stage, component))
            .to_vec()
    }

    pub fn metrics(&self) -> Vec<StepMetrics> {
        let text = self.text("metrics.jsonl");
        let lines = text.lines().map(serde_json::from_str);
        lines.map(|line| line.expect("a step's metrics")).collect()
    }
}

/// Turns by human and assistant in alternation.
pub fn says(turns: &[&str]) -> Value {
    let speakers = ["human", "gpt"].into_iter().cycle();
    let turns = speakers
        .zip(turns)
        .map(|(from, value)| json!({ "from": from, "value": value }));
    turns.collect()
}

/// Every colour twice; and text alone, several turns, two images in one sample.
fn samples() -> Value {
    let mut samples = Vec::new();
    for (name, _) in COLOURS {
        let image = format!("{name}.bmp");
        let asked = says(&["<image>\nwhat color is the shape?", name]);
        samples.push(json!({ "id": name, "image": image, "conversations": asked }));
        let asked = says(&[
            "is this image red?\n<image>",
            if name == "red" { "yes" } else { "no" },
        ]);
        samples
            .push(json!({ "id": format!("{name}-red"), "image": image, "conversations": asked }));
    }
    let text = says(&["what is red?", "a color"]);
    samples.push(json!({ "id": "text", "conversations": text }));
    let turns = says(&[
        "<image>\nis it blue?",
        "yes",
        "is it red?",
        "no",
        "so what is it?",
        "blue",
    ]);
    samples.push(json!({ "id": "turns", "image": "blue.bmp", "conversations": turns }));
    let pair = says(&["<image>\nand\n<image>\nwhich colors?", "green and yellow"]);
    let images = ["green.bmp", "yellow.bmp"];
    samples.push(json!({ "id": "pair", "image": images, "conversations": pair }));
    samples.into()
}

fn questions() -> Value {
    let ask = |(name, _): (&str, _)| {
        let asked = says(&["<image>\nwhat color is the shape?", name]);
        json!({ "id": name, "image": format!("{name}.bmp"), "conversations": asked })
    };
    COLOURS.map(ask).to_vec().into()
}

/// A 16 x 16 image of one colour, as a BMP file.
pub fn square(colour: [u8; 3]) -> Vec<u8> {
    rectangle(colour, 16, 16)
}

/// An image of one colour, as a BMP file.
pub fn rectangle([red, green, blue]: [u8; 3], width: u32, height: u32) -> Vec<u8> {
    // A line's bytes come in fours.
    let line = (3 * width).next_multiple_of(4);
    let pixels = line * height;
    let mut bytes = b"BM".to_vec();
    for word in [
        54 + pixels,
        0,
        54,
        40,
        width,
        height,
        1 | 24 << 16,
        0,
        pixels,
        0,
        0,
        0,
        0,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    for _ in 0..height {
        let begin = bytes.len();
        (0..width).for_each(|_| bytes.extend([blue, green, red]));
        bytes.resize(begin + line as usize, 0);
    }
    bytes
}
