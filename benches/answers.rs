//! What a benchmark gains from shared beginnings, and answers from being drawn together.
//!
//! ```sh
//! cargo bench --bench answers
//! ```
//!
//! Of the model `small`. Six questions an image, as POPE asks: 40 tokens of a system prompt, 144 of the image, 14 of the question, and an
//! answer of two. Not shared are the same prompts with a first token of their own. The encoder's time is not in it. Then
//! answers of 32 tokens to prompts of 48, so many at a time. Rounds go through all variants one after the other; medians
//! are printed, and the median of the ratios within a round.

mod median;
mod sizes;

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use median::median;
use menagerie::burn::tensor::{Device, Distribution, Tensor};
use menagerie::cli::{Allocator, keep_free_memory, on_computing_thread};
use menagerie::generate::GenerateError;
use menagerie::tokens::IMAGE_TOKEN;
use menagerie::{
    Completion, GenerationConfig, Model, Prompt, Queue, Recipe, RecipeSource, SeenImage,
};
use sizes::SMALL;

/// That of the program.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const ROUNDS: usize = 5;
const IMAGES: usize = 4;
const QUESTIONS: usize = 6;
const TOGETHER: [usize; 4] = [1, 4, 8, 32];

/// Prompts from a list; the answers are dropped.
struct Listed(std::vec::IntoIter<Prompt>);

impl Queue for Listed {
    type Error = GenerateError;

    fn next(&mut self) -> Result<Option<Prompt>, GenerateError> {
        Ok(self.0.next())
    }

    fn answered(&mut self, _: usize, _: Completion) -> Result<ControlFlow<()>, GenerateError> {
        Ok(ControlFlow::Continue(()))
    }
}

/// Questions about images.
fn questions(device: &Device, shared: bool) -> Vec<Prompt> {
    let normal = Distribution::Normal(0.0, 1.0);
    let shape = [SMALL.visual_tokens(), SMALL.llm[0]];
    let image = |_| SeenImage::new(Tensor::random(shape, normal, device));
    let images: Vec<SeenImage> = (0..IMAGES).map(image).collect();
    let question = |number: i64| {
        let first = if shared { 1 } else { 900 + number };
        let asked = (0..14).map(|place| 100 + (7 * number + place) % 300);
        let text = [first].into_iter().chain(3..42).chain([IMAGE_TOKEN]);
        text.chain(asked).collect()
    };
    let prompt = |(number, image): (i64, &SeenImage)| Prompt {
        ids: question(number),
        images: vec![image.clone()],
    };
    let images = images.iter().flat_map(|image| [image; QUESTIONS]);
    (0..).zip(images).map(prompt).collect()
}

/// Prompts that have nothing in common.
fn texts(count: i64) -> Vec<Prompt> {
    let prompt = |number| Prompt {
        ids: (0..48)
            .map(|place| 3 + (31 * number + 17 * place) % 2000)
            .collect(),
        images: Vec::new(),
    };
    (0..count).map(prompt).collect()
}

/// Seconds of answering them with `tokens` tokens each.
fn seconds(
    model: &Model,
    prompts: Vec<Prompt>,
    most: usize,
    tokens: usize,
) -> Result<f64, GenerateError> {
    let config = GenerationConfig {
        max_new_tokens: tokens,
        ..GenerationConfig::default()
    };
    let begun = Instant::now();
    let mut queue = Listed(prompts.into_iter());
    model.session().answer(most, &config, &mut queue)?;
    Ok(begun.elapsed().as_secs_f64())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    on_computing_thread(run)
}

fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    keep_free_memory();
    let (_folder, recipe) = SMALL.folder(1);
    let recipe = RecipeSource::File(recipe);
    for dtype in ["f32", "bf16"] {
        let device = Device::flex();
        let sets = [format!("dtype = {dtype:?}")];
        let model = Recipe::load_with(&recipe, &sets)?.assemble(&device)?;
        let (mut questioned, mut drawn) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let ask = |most, shared| seconds(&model, questions(&device, shared), most, 2);
            questioned.push([ask(1, false)?, ask(8, false)?, ask(1, true)?, ask(8, true)?]);
            let draw = |most| seconds(&model, texts(32), most, 32);
            let [one, few, some, many] = TOGETHER;
            drawn.push([draw(one)?, draw(few)?, draw(some)?, draw(many)?]);
        }
        let count = (IMAGES * QUESTIONS) as f64;
        println!("| {dtype}: questions at a time | shared | questions/s | ratio |");
        println!("| --- | --- | --- | --- |");
        for (place, (most, shared)) in [(1, "no"), (8, "no"), (1, "yes"), (8, "yes")]
            .into_iter()
            .enumerate()
        {
            let speed = count / median(questioned.iter().map(|round| round[place]));
            let ratio = median(questioned.iter().map(|round| round[1] / round[place]));
            println!("| {most} | {shared} | {speed:.1} | {ratio:.2} |");
        }
        println!("\n| {dtype}: answers at a time | tokens/s | ratio |\n| --- | --- | --- |");
        for (place, most) in TOGETHER.into_iter().enumerate() {
            let speed = 32.0 * 32.0 / median(drawn.iter().map(|round| round[place]));
            let ratio = median(drawn.iter().map(|round| round[0] / round[place]));
            println!("| {most} | {speed:.0} | {ratio:.2} |");
        }
        println!();
    }
    Ok(())
}
