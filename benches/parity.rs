//! Whether a device computes what the CPU computes in f32: a model drawn at random on the CPU, an image and a
//! prompt through it, an answer, and the losses of some training steps.
//!
//! ```sh
//! cargo bench --features cuda --bench parity -- --device cuda tiny
//! ```
//!
//! Prints a line a comparison and ends with 1 if one is too far off. `tests/gpu.sh` runs it on a card.

mod device;
mod noise;
mod sizes;
mod training;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use menagerie::burn::tensor::{DType, Device, Tensor};
use menagerie::generate::GenerationConfig;
use menagerie::image::{Layout, Squares};
use menagerie::splice::{Padding, Splice};
use menagerie::{Component, Model, Recipe, RecipeSource};
use noise::noise;
use sizes::Size;
use tempfile::TempDir;
use training::Training;

/// Steps whose losses are compared, and tokens of the answer.
const STEPS: usize = 5;
const TOKENS: usize = 16;

/// How far a type of number may be off: values by this share of their largest, losses by this of themselves.
///
/// A card may multiply f32 in TF32, with 11 bits of which the last is rounded: 0.0005 for each number. bf16 has
/// 8 bits, 0.004.
struct Limits {
    dtype: &'static str,
    values: f64,
    loss: f64,
}

const LIMITS: [Limits; 2] = [
    Limits {
        dtype: "f32",
        values: 5e-3,
        loss: 1e-3,
    },
    Limits {
        dtype: "bf16",
        values: 5e-2,
        loss: 2e-2,
    },
];

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let device = device::take(&mut args);
    let size = Size::named(args.first().map_or("tiny", String::as_str));
    println!("{}: {device:?} beside the CPU in f32", size.name);
    let drawn = Drawn::new(&size);
    let mut good = true;
    for limits in &LIMITS {
        let mut check = |what: &str, error: f64, limit: f64| {
            let kept = error <= limit;
            good &= kept;
            let verdict = if kept { "ok" } else { "FAILED" };
            println!(
                "{:<5} {what:<18} {error:>8.1e} of {limit:.0e}  {verdict}",
                limits.dtype
            );
        };
        let [ours, other] = ["f32", limits.dtype].map(|dtype| drawn.recipe(dtype));
        passes(&size, (&ours, &other), &device, limits, &mut check);
        for stage in ["align", "finetune"] {
            let losses = |recipe, device| {
                let mut training = Training::of(recipe, &size, stage, device);
                [(); STEPS].map(|()| training.step())
            };
            let (ours, other) = (losses(&ours, &Device::flex()), losses(&other, &device));
            let errors = ours
                .iter()
                .zip(other)
                .map(|(ours, other)| (other - ours).abs() / ours);
            check(&format!("losses, {stage}"), largest(errors), limits.loss);
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A model's weights in files: devices draw differently.
struct Drawn {
    recipe: PathBuf,
    sets: Vec<String>,
    _folder: TempDir,
}

impl Drawn {
    fn new(size: &Size) -> Self {
        let (folder, recipe) = size.folder(1);
        let model = Recipe::load(&recipe).expect("a recipe");
        let model = model.assemble_to_train(&[], &Device::flex(), &mut |_, _| {});
        let model = model.expect("a model");
        let sets = Component::ALL.map(|component| {
            let name = component.name();
            let path = folder.path().join(format!("{name}.safetensors"));
            model.save(component, &path).expect("written");
            format!("{name}.weights = {:?}", path.to_str().expect("UTF-8"))
        });
        Self {
            recipe,
            sets: sets.into(),
            _folder: folder,
        }
    }

    fn recipe(&self, dtype: &str) -> Recipe {
        let mut sets = self.sets.clone();
        sets.push(format!("dtype = {dtype:?}"));
        let recipe = Recipe::load_with(&RecipeSource::File(self.recipe.clone()), &sets);
        recipe.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// An image and a prompt, and the answer to them, of the CPU and of the other device.
fn passes(
    size: &Size,
    (ours, other): (&Recipe, &Recipe),
    device: &Device,
    limits: &Limits,
    check: &mut dyn FnMut(&str, f64, f64),
) {
    let prompt = size.prompt(size.visual_tokens() + 24);
    let cpu = ours
        .assemble(&Device::flex())
        .unwrap_or_else(|error| panic!("{error}"));
    let other = other
        .assemble(device)
        .unwrap_or_else(|error| panic!("{error}"));
    let expected = values(&cpu, &prompt);
    for ((what, ours), (_, theirs)) in expected.iter().zip(values(&other, &prompt)) {
        check(what, error(ours, &theirs), limits.values);
    }
    // Tokens may differ where two are as good, so each is looked up in what the CPU thinks of it.
    let answer = answer(&other, &prompt);
    let all: Vec<i64> = prompt.iter().chain(&answer).copied().collect();
    let [.., (_, logits)] = values(&cpu, &all);
    let vocabulary = size.vocab_size;
    let asked = size.visual_tokens() + prompt.len() - 2;
    let behind = answer
        .iter()
        .zip(logits.chunks_exact(vocabulary).skip(asked))
        .map(|(&token, logits)| {
            let token = usize::try_from(token).expect("a token");
            let best = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (best - logits[token]) / largest(logits.iter().map(|logit| logit.abs()))
        });
    check(
        &format!("answer, {} tokens", answer.len()),
        largest(behind),
        limits.values,
    );
}

/// `[1, 3, size, size]`
fn pixels(model: &Model) -> Tensor<4> {
    let squares = Squares {
        pixels: noise(model.image_processor(None).values()),
        layouts: vec![Layout::Square],
    };
    model.images(squares).expect("an image").pixels
}

/// What a model computes of a prompt, place by place.
fn values(model: &Model, prompt: &[i64]) -> [(&'static str, Vec<f64>); 3] {
    let network = model.network();
    let features = network.vision.forward(pixels(model));
    let projected = network.projector.forward(features.clone());
    let splice = Splice::new(&[prompt], model.visual_tokens(), Padding::Left);
    let embeds = network.embed(&splice, Some(projected.clone().into()));
    let logits = network.llm.logits(network.hidden(embeds, &splice.rows));
    [
        ("features", numbers(features)),
        ("projected", numbers(projected)),
        ("logits", numbers(logits)),
    ]
}

fn answer(model: &Model, prompt: &[i64]) -> Vec<i64> {
    let image = model.network().encode(pixels(model)).into();
    let config = GenerationConfig {
        max_new_tokens: TOKENS,
        ..GenerationConfig::default()
    };
    let mut ignore = |_: usize, _: &str| ControlFlow::Continue(());
    let answers = model.answer(&[prompt], Some(image), &config, &mut ignore);
    answers.expect("a short prompt").swap_remove(0).ids
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let data = tensor.cast(DType::F32).into_data();
    let numbers = data.try_to_vec::<f32>().expect("f32");
    numbers.into_iter().map(f64::from).collect()
}

/// The largest difference, as a share of the largest value.
fn error(expected: &[f64], found: &[f64]) -> f64 {
    let differences = expected
        .iter()
        .zip(found)
        .map(|(expected, found)| (expected - found).abs());
    largest(differences) / largest(expected.iter().map(|value| value.abs()))
}

/// NaN, if one is among them: it is no number that any limit allows.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |largest, value| {
        if value > largest || value.is_nan() {
            value
        } else {
            largest
        }
    })
}
