//! What a forward and backward pass costs, in memory and time, at growing length: with all kept, with
//! logits in chunks, with blocks run again, and with both.
//!
//! ```sh
//! cargo bench --bench memory
//! ```
//!
//! prints the tables of the book's chapter on training. Each figure has a process of its own, and
//! the processes take turns. Linux only: the peak is what `/proc/self/status` says.

mod process;

use std::fs;
use std::process::Command;
use std::time::Instant;

use menagerie::burn::tensor::{Device, Distribution, Tensor};
use menagerie::cli::{Allocator, keep_free_memory};
use menagerie::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie::train::{Pass, PassOptions, trainable};
use menagerie::{Model, Recipe};

/// The binary's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// An encoder of 4 blocks and a decoder of 6: 39 million numbers, 25 million of them in the two tables
/// of a real vocabulary. An image has 144 tokens.
const MODEL: &str = r#"
name = "memory"
seed = 1
max_tokens = 4096

[vision]
type = "clip"
image_size = 168
patch_size = 14
hidden_size = 256
intermediate_size = 1024
num_layers = 4
num_heads = 4
layer = -1

[projector]
type = "mlp"

[llm]
type = "llama"
chat = "hf-llava"
vocab_size = 32000
hidden_size = 384
intermediate_size = 1024
num_layers = 6
num_heads = 6
max_position_embeddings = 4096
"#;
const VOCABULARY: i64 = 32000;

/// Samples of a pass, each with one image.
const BATCH: u32 = 2;
/// Tokens of a sample, the image's among them.
const LENGTHS: [usize; 4] = [256, 512, 1024, 2048];
/// Timed passes of a process, after one that is not; the least counts.
const PASSES: usize = 2;
/// Processes for each figure; the least counts.
const ROUNDS: usize = 2;

const WAYS: [Way; 4] = [
    Way {
        name: "all kept",
        checkpoint_blocks: false,
        all_logits: true,
    },
    Way {
        name: "logits in chunks",
        checkpoint_blocks: false,
        all_logits: false,
    },
    Way {
        name: "blocks run again",
        checkpoint_blocks: true,
        all_logits: true,
    },
    Way {
        name: "both",
        checkpoint_blocks: true,
        all_logits: false,
    },
];

/// What is saved by what.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    checkpoint_blocks: bool,
    all_logits: bool,
}

impl Way {
    fn options(&self) -> PassOptions {
        let options = PassOptions::default();
        PassOptions {
            checkpoint_blocks: self.checkpoint_blocks,
            logits_bytes: if self.all_logits {
                usize::MAX
            } else {
                options.logits_bytes
            },
            ..options
        }
    }
}

/// What [`measure`] gives. Peak: above what weights and program take. Processor seconds: of all
/// threads, in user code, which neighbours on the machine disturb least.
const FIGURES: [&str; 3] = ["peak, MiB", "seconds", "processor seconds"];
type Cost = [f64; FIGURES.len()];

fn main() {
    keep_free_memory();
    // cargo adds `--bench`.
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    match numbers[..] {
        [way, length] => {
            let cost = measure(&WAYS[way], length);
            println!("{}", cost.map(|figure| figure.to_string()).join(" "));
        }
        _ => tables(),
    }
}

fn tables() {
    let costs = LENGTHS.map(|length| {
        let mut costs = [[f64::INFINITY; FIGURES.len()]; WAYS.len()];
        for _ in 0..ROUNDS {
            for (way, cost) in costs.iter_mut().enumerate() {
                let round = apart(way, length);
                *cost = std::array::from_fn(|figure| cost[figure].min(round[figure]));
            }
        }
        costs
    });
    for (figure, title) in FIGURES.iter().enumerate() {
        let digits = if figure == 0 { 0 } else { 2 };
        println!("| {title} | {} |", WAYS.map(|way| way.name).join(" | "));
        println!("|{}", " --- |".repeat(WAYS.len() + 1));
        for (length, costs) in LENGTHS.iter().zip(&costs) {
            let cells = costs.map(|cost| format!("{:.digits$}", cost[figure]));
            println!("| {length} tokens | {} |", cells.join(" | "));
        }
        println!();
    }
}

/// [`measure`] in a process of its own.
fn apart(way: usize, length: usize) -> Cost {
    let program = std::env::current_exe().expect("a program");
    let output = Command::new(program)
        .args([way.to_string(), length.to_string()])
        .output();
    let output = output.expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("text");
    let figures: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    figures.try_into().expect("a number for each figure")
}

fn measure(way: &Way, length: usize) -> Cost {
    let model = model();
    let network = trainable::for_stage(model.network().clone(), |_| true);
    let samples: Vec<_> = (0..BATCH)
        .map(|row| sample(row, length - model.visual_tokens()))
        .collect();
    let rows: Vec<(&[i64], &[i64])> = samples
        .iter()
        .map(|(ids, labels)| (&ids[..], &labels[..]))
        .collect();
    let pixels: Tensor<4> = Tensor::random(
        [BATCH as usize, 3, 168, 168],
        Distribution::Normal(0.0, 1.0),
        &Device::flex(),
    );

    // Forgets the peak of building the model.
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
    let before = process::status("VmRSS");
    let (mut seconds, mut processor_seconds) = (f64::INFINITY, f64::INFINITY);
    for pass in 0..=PASSES {
        let (begun, worked) = (Instant::now(), processor());
        let done =
            Pass::new(&model, &network, way.options()).run(&rows, Some(pixels.clone().into()));
        assert!(done.loss_sum.is_finite());
        if pass > 0 {
            seconds = seconds.min(begun.elapsed().as_secs_f64());
            processor_seconds = processor_seconds.min(processor() - worked);
        }
    }
    let peak = process::status("VmHWM") - before;
    [peak as f64 / f64::from(1 << 20), seconds, processor_seconds]
}

fn model() -> Model {
    let folder = tempfile::tempdir().expect("a folder");
    let tokenizer = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/recipes/quickstart/tokenizer.json"
    );
    let path = folder.path().join("memory.toml");
    fs::write(&path, format!("{MODEL}tokenizer = {tokenizer:?}\n")).expect("written");
    let recipe = Recipe::load(&path).unwrap_or_else(|error| panic!("{error}"));
    recipe
        .assemble(&Device::flex())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// An image and `text` tokens, all of which are learned.
fn sample(row: u32, text: usize) -> (Vec<i64>, Vec<i64>) {
    let first = 131 * i64::from(row);
    let text: Vec<i64> = (first..)
        .map(|n| 7919 * n % VOCABULARY)
        .take(text)
        .collect();
    (
        [&[IMAGE_TOKEN], &text[..]].concat(),
        [&[IGNORE], &text[..]].concat(),
    )
}

/// Seconds that this process has worked in user code, by `/proc/self/stat`, in which Linux counts
/// hundredths of a second.
fn processor() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").expect("Linux");
    // The program's name, in parentheses, may hold spaces; the 12th field after it is `utime`.
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let ticks: f64 = fields
        .split_whitespace()
        .nth(11)
        .expect("a field")
        .parse()
        .expect("a number");
    ticks / 100.0
}
