//! What a question costs: encoding an image, reading a prompt, and each token of the answer.
//!
//! ```sh
//! cargo bench --bench inference
//! ```
//!
//! times the model `small` in f32. Any other is asked for by name,
//!
//! ```sh
//! cargo bench --bench inference -- time MODEL DTYPE WORK…
//! ```
//!
//! where MODEL is a folder with weights, a recipe, or one of the sizes `tiny` to `reference`, drawn at
//! random; DTYPE is what a recipe's `dtype` may be; and each WORK one of those:
//!
//! - `encode`: an image through encoder and projector,
//! - `prefill:TOKENS`: a prompt of an image and text, so many tokens in all, up to the logits of its
//!   last; text alone where the image has no room,
//! - `decode:TOKENS` or `decode:TOKENSxROWS`: a token more for each of so many rows, after a prompt
//!   of so many tokens each.
//!
//! `--device DEVICE` before all of it is another than the CPU. It prints an object with each work's seconds, a
//! number a call or a step, their least and their median, and the most memory that the process held.
//! `tests/peers/speed/ratios.py` runs it beside other programs that print the same.

mod device;
mod noise;
mod process;
mod sizes;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use divan::Bencher;
use menagerie::burn::tensor::{Device, Int, Tensor, TensorData};
use menagerie::cli::{Allocator, keep_free_memory, on_computing_thread};
use menagerie::folder::ModelPath;
use menagerie::image::{Layout, Squares};
use menagerie::splice::{Padding, Splice};
use menagerie::tokens::IMAGE_TOKEN;
use menagerie::{Context, KvCache, Model, Recipe, RecipeSource, Rows, VisualTokens};
use serde_json::{Map, Value, json};
use sizes::{SIZES, SMALL};

/// The binary's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// A token of text.
const WORD: i64 = 7;
/// Steps of an answer that are timed, and before them those that are not.
const STEPS: usize = 64;
const WARM_UP: usize = 2;
/// Calls of anything else are repeated for so many seconds, twice at least.
const SECONDS: f64 = 4.0;

fn main() {
    on_computing_thread(run);
}

fn run() {
    // cargo adds `--bench`.
    let mut args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let device = device::take(&mut args);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["time", model, dtype, ref works @ ..] => {
            println!("{}", time(model, dtype, &device, works));
        }
        _ => divan::main(),
    }
}

fn time(model: &str, dtype: &str, device: &Device, works: &[&str]) -> Value {
    let inference = Inference::new(model, dtype, device);
    let timed = works.iter().map(|&work| {
        let mut seconds = inference.time(work);
        let given = json!(seconds);
        seconds.sort_by(f64::total_cmp);
        let figures =
            json!({ "seconds": given, "min": seconds[0], "median": seconds[seconds.len() / 2] });
        (work.to_owned(), figures)
    });
    let works: Map<String, Value> = timed.collect();
    let peak = process::status("VmHWM");
    json!({ "version": env!("CARGO_PKG_VERSION"), "works": works, "peak_bytes": peak })
}

/// The model of `cargo bench`, its image of 144 tokens.
fn small() -> Inference {
    Inference::new(SMALL.name, "f32", &Device::flex())
}

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let inference = small();
    bencher.bench_local(|| inference.encode());
}

#[divan::bench(args = [160, 256])]
fn prefill(bencher: Bencher<'_, '_>, tokens: usize) {
    let inference = small();
    bencher.bench_local(|| inference.prefill(tokens, 1));
}

#[divan::bench(args = [1, 8])]
fn decode(bencher: Bencher<'_, '_>, rows: usize) {
    let inference = small();
    bencher
        .with_inputs(|| inference.prefill(256, rows))
        .bench_local_refs(Answer::step);
}

/// A model and the image that it is asked about.
struct Inference {
    model: Model,
    pixels: Tensor<4>,
    image: VisualTokens,
}

impl Inference {
    fn new(model: &str, dtype: &str, device: &Device) -> Self {
        let sets = [format!("dtype = {dtype:?}")];
        let path = Path::new(model);
        let drawn = SIZES.into_iter().find(|size| size.name == model);
        let drawn = drawn.map(|size| size.folder(1));
        let recipe = match &drawn {
            Some((_, recipe)) => Recipe::load_with(&RecipeSource::File(recipe.clone()), &sets),
            None if path.is_file() => Recipe::load_with(&RecipeSource::File(path.into()), &sets),
            None => {
                let folder = ModelPath {
                    path: path.into(),
                    base: None,
                    delta: false,
                };
                Recipe::of_folder(&folder, &sets)
            }
        };
        let recipe = recipe.unwrap_or_else(|error| panic!("{error}"));
        let model = recipe.assemble(device);
        let model = model.unwrap_or_else(|error| panic!("{error}"));
        keep_free_memory();
        let squares = Squares {
            pixels: noise::noise(model.image_processor(None).values()),
            layouts: vec![Layout::Square],
        };
        let images = model.images(squares).expect("an image");
        let pixels = images.pixels;
        let image = model.network().encode(pixels.clone()).into();
        Self {
            model,
            pixels,
            image,
        }
    }

    /// The seconds of each call of a work, or of each step.
    fn time(&self, work: &str) -> Vec<f64> {
        match work.split_once(':') {
            None if work == "encode" => repeated(|| self.encode()),
            Some(("prefill", tokens)) => {
                let tokens = number(tokens);
                repeated(|| self.prefill(tokens, 1))
            }
            Some(("decode", place)) => {
                let (tokens, rows) = place.split_once('x').unwrap_or((place, "1"));
                let mut answer = self.prefill(number(tokens), number(rows));
                let mut seconds: Vec<f64> = (0..WARM_UP + STEPS)
                    .map(|_| timed(|| answer.step()))
                    .collect();
                seconds.split_off(WARM_UP)
            }
            _ => panic!("no work is called {work:?}"),
        }
    }

    /// The decoder's vectors of the image, `[1, visual_token, hidden]`.
    fn encode(&self) -> Tensor<3> {
        let tokens = self.model.network().encode(self.pixels.clone());
        // A backend may be at work still; a number that is read is computed.
        black_box(tokens.clone().narrow(1, 0, 1).into_data());
        tokens
    }

    /// Reads a prompt in each of `rows` rows.
    fn prefill(&self, tokens: usize, rows: usize) -> Answer<'_> {
        let visual = self.model.visual_tokens();
        let (prompt, images) = if tokens > visual {
            let mut prompt = vec![WORD; 1 + tokens - visual];
            prompt[0] = IMAGE_TOKEN;
            (prompt, Some(self.image.choose(&vec![0; rows])))
        } else {
            (vec![WORD; tokens], None)
        };
        let prompts = vec![prompt.as_slice(); rows];
        let splice = Splice::new(&prompts, visual, Padding::Left);
        let network = self.model.network();
        let layers = self.model.configured().llm_spec.num_layers;
        let numbers = self.model.numbers().cache();
        let mut answer = Answer {
            model: &self.model,
            cache: Some(KvCache::of(numbers, layers, tokens + WARM_UP + STEPS)),
            rows,
            position: u32::try_from(tokens).expect("a short prompt"),
        };
        let embeds = network.embed(&splice, images);
        let parts = splice.rows.parts(&self.model.device()).into_iter();
        let hidden = parts.map(|(tokens, rows)| {
            answer.pass(embeds.clone().narrow(1, tokens.start, tokens.len()), &rows)
        });
        let hidden = hidden.last().expect("there is a part");
        answer.logits(hidden);
        answer
    }
}

/// Answers, a row each, that grow token by token as in `menagerie::generate`.
struct Answer<'a> {
    model: &'a Model,
    /// Taken while a pass holds it.
    cache: Option<KvCache>,
    rows: usize,
    position: u32,
}

impl Answer<'_> {
    fn step(&mut self) {
        let rows = Rows {
            positions: vec![vec![self.position]; self.rows],
            segments: vec![vec![1]; self.rows],
        };
        self.position += 1;
        let ids = TensorData::new(vec![WORD; self.rows], [self.rows, 1]);
        let ids: Tensor<2, Int> = Tensor::from_data(ids, &self.model.device());
        let hidden = self.pass(self.model.network().llm.embed(ids), &rows);
        self.logits(hidden);
    }

    fn pass(&mut self, embeds: Tensor<3>, rows: &Rows) -> Tensor<3> {
        let cache = self.cache.take().expect("every pass gives the cache back");
        let mut context = Context::with_cache(rows, cache, &self.model.device());
        let hidden = self.model.network().llm.forward(embeds, &mut context);
        self.cache = context.into_cache();
        hidden
    }

    /// Those of each row's last token, as numbers.
    fn logits(&self, hidden: Tensor<3>) {
        let [_, tokens, _] = hidden.dims();
        let last = hidden.narrow(1, tokens - 1, 1);
        black_box(self.model.network().llm.logits(last).into_data());
    }
}

fn number(text: &str) -> usize {
    text.parse()
        .unwrap_or_else(|_| panic!("{text:?} is no number"))
}

/// Seconds of a call.
fn timed<T>(call: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    black_box(call());
    begun.elapsed().as_secs_f64()
}

/// Seconds of each of several calls, after one that does not count.
fn repeated<T>(mut call: impl FnMut() -> T) -> Vec<f64> {
    timed(&mut call);
    let mut seconds = Vec::new();
    while seconds.len() < 2 || seconds.iter().sum::<f64>() < SECONDS {
        seconds.push(timed(&mut call));
    }
    seconds
}
