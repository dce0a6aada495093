//! What `packing` and the samplers that group save: padding, and time of a step of instruction tuning.
//!
//! ```sh
//! cargo bench --bench packing
//! ```
//!
//! The padding is that of samples whose lengths are distributed about like those of LLaVA-1.5's
//! instruction data, 576 visual tokens an image and 2,048 tokens at most. The time is that of a
//! small model at a quarter of the length: forward of a frozen encoder, forward and backward of the
//! decoder. Rounds go through all variants one after the other; medians are printed, and the median of
//! how many times the padded rows' time of the same round a packed step takes.

mod median;

use std::error::Error;
use std::time::Instant;

use median::median;
use menagerie::burn::module::Module;
use menagerie::burn::tensor::{Device, Distribution, Tensor};
use menagerie::cli::{Allocator, keep_free_memory, on_computing_thread};
use menagerie::data::{Mix, Order, Passes, SampleSize, Sampler};
use menagerie::network::Network;
use menagerie::splice::{Padding, Splice};
use menagerie::tokens::IMAGE_TOKEN;
use menagerie::train::{GradientSet, loss_sum};
use menagerie::{Model, Recipe};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// That of the program.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const BATCH: usize = 32;
const MICRO_BATCH: usize = 8;
const ROUNDS: usize = 7;
const VISUAL_TOKENS: usize = 576;
const MAX_TOKENS: usize = 2048;
/// The model's lengths are those of the data divided by this.
const SHRINK: usize = 4;

/// LLaVA-1.5's instruction data: samples in thousands (arXiv 2310.03744, table 7), whether they
/// have an image, and our estimate of the median number of text tokens.
const PARTS: [(usize, bool, f64); 11] = [
    (58, true, 300.0),  // conversations
    (23, true, 150.0),  // descriptions
    (77, true, 250.0),  // reasoning
    (40, false, 900.0), // ShareGPT
    (83, true, 150.0),  // VQAv2, several questions an image
    (72, true, 150.0),  // GQA, likewise
    (9, true, 80.0),    // OKVQA
    (80, true, 120.0),  // OCR-VQA
    (88, true, 120.0),  // A-OKVQA and TextCaps
    (48, true, 250.0),  // RefCOCO
    (86, true, 350.0),  // Visual Genome
];

/// A sample's length, its image included, is log-normal in its text with this deviation.
const DEVIATION: f64 = 0.6;

const SAMPLERS: [Sampler; 3] = [
    Sampler::Shuffled,
    Sampler::GroupedByLength,
    Sampler::GroupedByModality,
];
const PADDINGS: [Padding; 2] = [Padding::Right, Padding::Packed];

const RECIPE: &str = r#"
name = "packing"

[vision]
type = "clip"
image_size = 336
patch_size = 28
hidden_size = 256
intermediate_size = 1024
num_layers = 4
num_heads = 4

[projector]
type = "mlp"

[llm]
type = "llama"
tokenizer = "TOKENIZER"
chat = "hf-llava"
vocab_size = 2048
hidden_size = 384
intermediate_size = 1024
num_layers = 6
num_heads = 6
max_position_embeddings = 512
"#;

/// Draws the lengths of `count` samples.
fn sizes(count: usize) -> Vec<SampleSize> {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let thousands: usize = PARTS.iter().map(|(samples, ..)| samples).sum();
    let draw = |_| {
        let mut place = generator.random_range(0..thousands);
        let part = PARTS.iter().find(|(samples, ..)| {
            let found = place < *samples;
            place = place.saturating_sub(*samples);
            found
        });
        let &(_, has_image, median) = part.expect("the parts are all there is");
        // The sum of twelve is normal, nearly.
        let normal: f64 = (0..12).map(|_| generator.random::<f64>()).sum::<f64>() - 6.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let text = (median * (DEVIATION * normal).exp()) as usize;
        SampleSize {
            length: (text.max(16) + if has_image { VISUAL_TOKENS } else { 0 }).min(MAX_TOKENS),
            has_image,
        }
    };
    (0..count).map(draw).collect()
}

fn passes(sizes: &[SampleSize], sampler: Sampler) -> Passes {
    let order = Order {
        sampler,
        mix: Mix::new([(0..sizes.len(), 1.0)]),
        sizes: sizes.to_vec(),
        seed: 1,
        stage: "finetune".to_owned(),
        batch_size: BATCH,
    };
    Passes::new(order, MICRO_BATCH, sizes.len().div_ceil(BATCH))
}

/// Token ids of a sample.
fn ids(size: SampleSize, visual_tokens: usize, shrink: usize) -> Vec<i64> {
    let images = usize::from(size.has_image);
    let text = (size.length / shrink)
        .saturating_sub(images * visual_tokens)
        .max(2);
    let text = (3..300).cycle().take(text);
    [IMAGE_TOKEN].into_iter().take(images).chain(text).collect()
}

/// Share of the slots that are padding.
fn padding_share(sizes: &[SampleSize], sampler: Sampler, padding: Padding) -> f64 {
    let (mut slots, mut filled) = (0, 0);
    for pass in passes(sizes, sampler).from_step(0) {
        let prompts: Vec<Vec<i64>> = pass
            .iter()
            .map(|&n| ids(sizes[n], VISUAL_TOKENS, 1))
            .collect();
        let prompts: Vec<&[i64]> = prompts.iter().map(Vec::as_slice).collect();
        let splice = Splice::new(&prompts, VISUAL_TOKENS, padding);
        slots += splice.batch() * splice.width();
        filled += splice
            .rows
            .segments
            .iter()
            .flatten()
            .filter(|&&segment| segment > 0)
            .count();
    }
    1.0 - filled as f64 / slots as f64
}

/// Seconds of an optimizer step, the update left out, over an epoch of `sizes`.
fn step_seconds(
    model: &Model,
    network: &Network,
    sizes: &[SampleSize],
    sampler: Sampler,
    padding: Padding,
) -> f64 {
    let visual_tokens = model.visual_tokens();
    let begun = Instant::now();
    for pass in passes(sizes, sampler).from_step(0) {
        let prompts: Vec<Vec<i64>> = pass
            .iter()
            .map(|&n| ids(sizes[n], visual_tokens, SHRINK))
            .collect();
        // All text is learned.
        let rows: Vec<(&[i64], &[i64])> = prompts.iter().map(|ids| (&ids[..], &ids[..])).collect();
        let images = pass.iter().filter(|&&n| sizes[n].has_image).count();
        let images = (images > 0).then(|| {
            let pixels = Tensor::<4>::random(
                [images, 3, 336, 336],
                Distribution::Default,
                &model.device(),
            );
            model.network().encode(pixels).autodiff().into()
        });
        let (loss, _) = loss_sum(network, &rows, images, padding);
        let gradients = GradientSet::collect(network, &loss.backward());
        std::hint::black_box(gradients.norm());
    }
    begun.elapsed().as_secs_f64() / sizes.len().div_ceil(BATCH) as f64
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    on_computing_thread(run)
}

fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    keep_free_memory();
    let tokenizer = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/recipes/quickstart/tokenizer.json"
    );
    let model = Recipe::parse(&RECIPE.replace("TOKENIZER", tokenizer))?.assemble(&Device::flex())?;
    let network = model.network().clone().train();
    let few = sizes(2 * BATCH);
    let mut rounds = SAMPLERS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (sampler, rounds) in SAMPLERS.into_iter().zip(&mut rounds) {
            let of = |padding| step_seconds(&model, &network, &few, sampler, padding);
            rounds.push(PADDINGS.map(of));
        }
    }
    let many = sizes(40_000);
    println!("| sampler | padding | packed | step, s | packed, s | ratio |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (sampler, rounds) in SAMPLERS.into_iter().zip(&rounds) {
        let share = |padding| 100.0 * padding_share(&many, sampler, padding);
        let [padding, packed] = PADDINGS.map(share);
        println!(
            "| {sampler:?} | {padding:.0}% | {packed:.0}% | {:.2} | {:.2} | {:.2} |",
            median(rounds.iter().map(|[padded, _]| *padded)),
            median(rounds.iter().map(|[_, packed]| *packed)),
            median(rounds.iter().map(|[padded, packed]| packed / padded)),
        );
    }
    Ok(())
}
