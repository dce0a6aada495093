//! A training step of both stages at three sizes: forward, backward, clipping and update.
//!
//! ```sh
//! cargo bench --bench step
//! ```
//!
//! `tests/speed/step.py` runs the same steps here and in PyTorch, in turns, and prints the ratios. It
//! asks for them by name, `step time SIZE STAGE STEPS`, and for the sizes, `step size SIZE`.
//! `tests/speed/waiting.py` asks for the recipes, `step recipe SIZE STEPS`.

mod sizes;

use std::time::Instant;

use divan::Bencher;
use menagerie::Model;
use menagerie::Recipe;
use menagerie::burn::tensor::{Device, Distribution, Tensor};
use menagerie::network::Network;
use menagerie::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie::train::{AdamW, AdamWConfig, GradientSet, Pass, PassOptions, Rates, trainable};
use serde_json::json;
use sizes::{MEDIUM, SMALL, Size, TINY};

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [Size; 3] = [TINY, SMALL, MEDIUM];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["size", name] => println!("{}", size(name).json()),
        ["recipe", name, steps] => {
            println!("{}", size(name).recipe(steps.parse().expect("a number")));
        }
        ["time", name, stage, steps] => {
            let mut training = Training::new(&size(name), stage);
            let seconds: Vec<f64> = (0..steps.parse().expect("a number"))
                .map(|_| {
                    let begun = Instant::now();
                    training.step();
                    begun.elapsed().as_secs_f64()
                })
                .collect();
            println!("{}", json!(seconds));
        }
        _ => divan::main(),
    }
}

fn size(name: &str) -> Size {
    let found = SIZES.into_iter().find(|size| size.name == name);
    found.expect("tiny, small or medium")
}

#[divan::bench(args = ["tiny", "small", "medium"], sample_count = 10, sample_size = 1)]
fn align(bencher: Bencher<'_, '_>, name: &str) {
    bench(bencher, name, "align");
}

#[divan::bench(args = ["tiny", "small", "medium"], sample_count = 10, sample_size = 1)]
fn finetune(bencher: Bencher<'_, '_>, name: &str) {
    bench(bencher, name, "finetune");
}

fn bench(bencher: Bencher<'_, '_>, name: &str, stage: &str) {
    let mut training = Training::new(&size(name), stage);
    // The first makes the optimizer's state.
    training.step();
    bencher.bench_local(|| training.step());
}

/// A model that learns one batch over and over.
struct Training {
    model: Model,
    network: Network,
    optimizer: AdamW,
    ids: Vec<i64>,
    labels: Vec<i64>,
    pixels: Tensor<4>,
    batch: usize,
}

impl Training {
    fn new(size: &Size, stage: &str) -> Self {
        let device = Device::flex();
        let (_folder, path) = size.folder(1);
        let recipe = Recipe::load(path).expect("a recipe");
        let model = recipe.assemble(&device).expect("a model");
        let table = &recipe.stage[stage];
        let mut ids = vec![7; 1 + size.text];
        ids[0] = IMAGE_TOKEN;
        let mut labels = ids.clone();
        labels[0] = IGNORE;
        let pixels = size.image_size;
        let shape = [size.batch, 3, pixels, pixels];
        let config = AdamWConfig {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        };
        Self {
            network: trainable::for_stage(model.network().clone(), |path| table.learns(path)),
            model,
            optimizer: AdamW::new(config),
            ids,
            labels,
            pixels: Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device),
            batch: size.batch,
        }
    }

    fn step(&mut self) {
        let rows = vec![(self.ids.as_slice(), self.labels.as_slice()); self.batch];
        let pass = Pass::new(&self.model, &self.network, PassOptions::default());
        let done = pass.run(&rows, Some(self.pixels.clone().into()));
        drop(pass);
        let mut gradients = GradientSet::default();
        gradients.add(done.gradients);
        gradients.scale(1.0 / done.supervised_tokens as f64);
        let norm = gradients.norm();
        gradients.clip(norm, 1.0);
        let rates = |_: &str| Rates {
            learning_rate: 1e-4,
            weight_decay: 0.0,
        };
        // As in training, nobody else holds the weights that are written over.
        let initial = self.model.network().clone();
        let network = std::mem::replace(&mut self.network, initial);
        self.network = self.optimizer.step(network, &gradients, rates);
    }
}
