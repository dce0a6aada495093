//! Images a second of the input pipeline: read, decoded, cropped to 336 pixels and normalised, with
//! their text tokenised, in batches of 16.
//!
//! ```sh
//! cargo bench --bench loader -- --photos DIR --workers 0,1,2,4 --images 512
//! ```
//!
//! Prints a JSON object for each number of workers. `DIR` holds JPEG photos, each used again and
//! again; without it they are the small ones of the tests, which say nothing of speed.
//! `tests/peers/speed/dataloader.py` runs this beside PyTorch.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use menagerie::chat::Template;
use menagerie::cli::{Allocator, keep_free_memory};
use menagerie::data::{DataSource, Dataset, Loader, SampleEncoder};
use menagerie::image::{ImageProcessor, Resize};
use menagerie::tokens::{ImagePosition, Tokenizer};
use serde_json::json;

/// That of the program.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const BATCH: usize = 16;
const TOKENIZER: &[u8] = include_bytes!("../recipes/quickstart/tokenizer.json");

struct Options {
    photos: PathBuf,
    workers: Vec<usize>,
    images: usize,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            photos: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images"),
            workers: vec![0, 1, 2, 4],
            images: 512,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                // What `cargo bench` adds.
                "--bench" => {}
                "--photos" => options.photos = value()?.into(),
                "--workers" => {
                    let counts = value()?;
                    let counts = counts.split(',').map(str::parse);
                    options.workers = counts.collect::<Result<_, _>>()?;
                }
                "--images" => options.images = value()?.parse()?,
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }
}

/// A data set in which each photo is a sample, opened from a file that is gone afterwards.
fn photos(folder: &Path) -> Result<Dataset, Box<dyn Error>> {
    let folder = std::path::absolute(folder)?;
    let mut names = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jpg") {
            names.extend(
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort_unstable();
    let sample = |name: &String| {
        json!({ "id": name, "image": name, "conversations": [
            { "from": "human", "value": "<image>\nwhat is in this picture?" },
            { "from": "gpt", "value": "a shape of some color" },
        ]})
    };
    let samples: Vec<_> = names.iter().map(sample).collect();
    let file = tempfile::Builder::new().suffix(".json").tempfile()?;
    std::fs::write(file.path(), json!(samples).to_string())?;
    Ok(Dataset::open(&DataSource {
        paths: vec![file.path().to_owned()],
        images: Some(folder),
        ..DataSource::default()
    })?)
}

fn main() -> Result<(), Box<dyn Error>> {
    keep_free_memory();
    let options = Options::read()?;
    let dataset = Arc::new(photos(&options.photos)?);
    let encoder = SampleEncoder {
        tokenizer: Tokenizer::from_json(TOKENIZER)?,
        template: Template::named("hf-llava")?,
        image_position: ImagePosition::AsData,
        seed: 0,
        images: 576.into(),
        max_tokens: 2048,
    };
    // CLIP's size; the statistics do not matter to the time.
    let processor = ImageProcessor::bicubic(336, Resize::Crop, [0.5; 3], [0.5; 3]);
    let batches = options.images.div_ceil(BATCH);
    let batch = |number: usize| {
        (0..BATCH)
            .map(|n| (number * BATCH + n) % dataset.len())
            .collect()
    };
    let batches: Vec<Vec<usize>> = (0..batches).map(batch).collect();
    for workers in options.workers {
        let begun = Instant::now();
        let loader = Loader::new(
            Arc::clone(&dataset),
            encoder.clone(),
            processor.clone(),
            batches.clone(),
            workers,
        );
        let mut images = 0;
        for batch in loader {
            images += batch?.samples.len();
        }
        let speed = images as f64 / begun.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({ "workers": workers, "images_per_second": speed })
        );
    }
    Ok(())
}
