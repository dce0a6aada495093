//! A training step of both stages at three sizes: forward, backward, clipping and update.
//!
//! ```sh
//! cargo bench --bench step
//! ```
//!
//! The scripts in `tests/peers/speed` run the same steps here and in PyTorch, in turns, and print the
//! ratios. They ask for them by name, `step time SIZE STAGE DTYPE STEPS`, for the sizes, `step size
//! SIZE`, and for the recipes, `step recipe SIZE STEPS`. SIZE may have a batch of its own, rows by
//! tokens of text: `small:16x112`.

mod noise;
mod sizes;

use std::time::Instant;

use divan::Bencher;
use menagerie::burn::tensor::Device;
use menagerie::image::{Layout, Squares};
use menagerie::network::{Images, Network};
use menagerie::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie::train::{AdamW, AdamWConfig, GradientSet, Pass, PassOptions, Rates, trainable};
use menagerie::{Model, Recipe, RecipeSource};
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
        ["time", name, stage, dtype, steps] => {
            let mut training = Training::new(&size(name), stage, dtype);
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

fn size(text: &str) -> Size {
    let (name, shape) = text.split_once(':').unwrap_or((text, ""));
    let found = SIZES.into_iter().find(|size| size.name == name);
    let size = found.expect("tiny, small or medium");
    match shape.split_once('x') {
        None => size,
        Some((batch, text)) => Size {
            batch: batch.parse().expect("rows"),
            text: text.parse().expect("tokens"),
            ..size
        },
    }
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
    let mut training = Training::new(&size(name), stage, "f32");
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
    images: Images,
    batch: usize,
}

impl Training {
    fn new(size: &Size, stage: &str, dtype: &str) -> Self {
        let device = Device::flex();
        let (_folder, path) = size.folder(1);
        let sets = [format!("dtype = {dtype:?}")];
        let recipe = Recipe::load_with(&RecipeSource::File(path), &sets).expect("a recipe");
        let model = recipe.assemble_to_train(&[], &device, &mut |_, _| {});
        let model = model.expect("a model");
        let table = &recipe.stage[stage];
        let mut ids = vec![7; 1 + size.text];
        ids[0] = IMAGE_TOKEN;
        let mut labels = ids.clone();
        labels[0] = IGNORE;
        let squares = Squares {
            pixels: noise::noise(size.batch * model.image_processor(None).values()),
            layouts: vec![Layout::Square; size.batch],
        };
        let config = AdamWConfig {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        };
        Self {
            network: trainable::for_stage(model.network().clone(), |path| table.learns(path)),
            images: model.images(squares).expect("an image"),
            model,
            optimizer: AdamW::new(config),
            ids,
            labels,
            batch: size.batch,
        }
    }

    fn step(&mut self) {
        let rows = vec![(self.ids.as_slice(), self.labels.as_slice()); self.batch];
        let pass = Pass::new(&self.model, &self.network, PassOptions::default());
        let done = pass.run(&rows, Some(self.images.clone()));
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
