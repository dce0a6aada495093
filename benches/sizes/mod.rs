//! Models of several sizes with data to train them on.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

mod flops;

use std::fs;
use std::path::PathBuf;

use menagerie::tokens::IMAGE_TOKEN;
use serde_json::json;
use tempfile::TempDir;

/// A model and the batch that it is trained on.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "a recipe's own keys")]
pub struct Size {
    pub name: &'static str,
    /// Pixels of an image's side; a patch has 14.
    pub image_size: usize,
    /// Width, blocks and heads of the encoder; its MLP is four times as wide.
    pub vision: [usize; 3],
    /// Width, blocks and heads of the decoder, and the width inside its MLP.
    pub llm: [usize; 4],
    pub vocab_size: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Tokens of text of a row; all but the first are learned.
    pub text: usize,
}

/// What a test could train: 0.5 million numbers.
pub const TINY: Size = Size {
    name: "tiny",
    image_size: 56,
    vision: [64, 3, 4],
    llm: [96, 2, 4, 256],
    vocab_size: 512,
    batch: 8,
    text: 48,
};

/// 17 million numbers, 144 visual tokens.
pub const SMALL: Size = Size {
    name: "small",
    image_size: 168,
    vision: [256, 4, 4],
    llm: [384, 6, 6, 1024],
    vocab_size: 4096,
    batch: 8,
    text: 112,
};

/// 65 million numbers.
pub const MEDIUM: Size = Size {
    name: "medium",
    image_size: 168,
    vision: [384, 8, 6],
    llm: [640, 8, 10, 1728],
    vocab_size: 8192,
    batch: 4,
    text: 112,
};

/// 218 million numbers.
pub const LARGE: Size = Size {
    name: "large",
    image_size: 224,
    vision: [768, 8, 12],
    llm: [1024, 10, 16, 2752],
    vocab_size: 16_000,
    batch: 2,
    text: 128,
};

/// 1.25 billion numbers: CLIP's ViT-L/14 at 336 pixels, and half of a 7 B decoder's width and depth.
pub const REFERENCE: Size = Size {
    name: "reference",
    image_size: 336,
    vision: [1024, 24, 16],
    llm: [2048, 16, 16, 5504],
    vocab_size: 32_064,
    batch: 8,
    text: 64,
};

pub const SIZES: [Size; 5] = [TINY, SMALL, MEDIUM, LARGE, REFERENCE];

impl Size {
    /// A size by its name, with a batch of its own if rows by tokens of text follow: `small:16x112`.
    ///
    /// # Panics
    /// There is none of this name.
    pub fn named(text: &str) -> Self {
        let (name, shape) = text.split_once(':').unwrap_or((text, ""));
        let size = SIZES.into_iter().find(|size| size.name == name);
        let size = size.unwrap_or_else(|| panic!("no size is called {name:?}"));
        match shape.split_once('x') {
            None => size,
            Some((batch, text)) => Self {
                batch: batch.parse().expect("rows"),
                text: text.parse().expect("tokens"),
                ..size
            },
        }
    }

    /// An image and words, so many tokens in all.
    pub fn prompt(&self, tokens: usize) -> Vec<i64> {
        let words =
            (1..=tokens - self.visual_tokens()).map(|n| n * 7919 % (self.vocab_size - 3) + 3);
        let words = words.map(|word| i64::try_from(word).expect("a small vocabulary"));
        std::iter::once(IMAGE_TOKEN).chain(words).collect()
    }

    pub fn visual_tokens(&self) -> usize {
        (self.image_size / 14) * (self.image_size / 14)
    }

    /// All of it, for another program.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "image_size": self.image_size,
            "vision": self.vision,
            "llm": self.llm,
            "vocab_size": self.vocab_size,
            "batch": self.batch,
            "visual_tokens": self.visual_tokens(),
            "text": self.text,
        })
    }

    /// Tokens of a row.
    pub fn width(&self) -> usize {
        self.visual_tokens() + self.text
    }

    /// The recipe of both stages, `align` and `finetune`, of so many steps each.
    pub fn recipe(&self, steps: usize) -> String {
        let Self {
            name,
            image_size,
            vision: [vision, blocks, heads],
            llm: [hidden, layers, llm_heads, intermediate],
            vocab_size,
            batch,
            ..
        } = *self;
        let mlp = 4 * vision;
        let tokens = self.width();
        let stage = |name: &str, freeze: &str| {
            format!(
                "[stage.{name}]\nfreeze = {freeze}\nsteps = {steps}\nbatch_size = {batch}\n\
                 data = {{ conversations = \"data.json\", images = \"images\", workers = 1 }}\n\
                 optimizer = {{ type = \"adamw\", learning_rate = 1e-4 }}\n\n"
            )
        };
        let align = stage("align", r#"["vision", "llm"]"#);
        let finetune = stage("finetune", r#"["vision"]"#);
        format!(
            r#"name = "{name}"
max_tokens = {tokens}
stages = ["align", "finetune"]

[vision]
type = "clip"
image_size = {image_size}
patch_size = 14
hidden_size = {vision}
intermediate_size = {mlp}
num_layers = {blocks}
num_heads = {heads}
layer = -2

[projector]
type = "mlp"

[llm]
type = "llama"
tokenizer = "tokenizer.json"
chat = "hf-llava"
vocab_size = {vocab_size}
hidden_size = {hidden}
intermediate_size = {intermediate}
num_layers = {layers}
num_heads = {llm_heads}
max_position_embeddings = {tokens}

{align}{finetune}"#
        )
    }

    /// A folder with the recipe, `NAME.toml`, and its data.
    pub fn folder(&self, steps: usize) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("images")).expect("made");
        fs::write(path("images/grey.bmp"), bitmap(self.image_size)).expect("written");
        // Longer than any row may be, so that all are cut to one length.
        let answer = "red and blue ".repeat(self.text);
        let samples: Vec<_> = (0..2 * self.batch)
            .map(|number| {
                json!({ "id": number.to_string(), "image": "grey.bmp", "conversations": [
                    { "from": "human", "value": "<image>" },
                    { "from": "gpt", "value": answer },
                ] })
            })
            .collect();
        fs::write(path("data.json"), json!(samples).to_string()).expect("written");
        // A program that is carried to another machine finds no clone there.
        let tokenizer = include_bytes!("../../recipes/quickstart/tokenizer.json");
        fs::write(path("tokenizer.json"), tokenizer).expect("written");
        let recipe = path(&format!("{}.toml", self.name));
        fs::write(&recipe, self.recipe(steps)).expect("written");
        (folder, recipe)
    }
}

/// A grey image with this side, as a BMP file of 24 bits.
fn bitmap(side: usize) -> Vec<u8> {
    let row = (3 * side).next_multiple_of(4);
    let total = u32::try_from(54 + row * side).expect("a small image");
    let side = u32::try_from(side).expect("a small image");
    let mut bytes = b"BM".to_vec();
    for number in [total, 0, 54, 40, side, side] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.resize(54, 0);
    bytes.resize(total as usize, 128);
    bytes
}
