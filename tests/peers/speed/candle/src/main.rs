//! What a question costs in candle. `candle-speed MODEL DTYPE WORK…` understands the works of
//! `cargo bench --bench inference` and prints the same object; MODEL is a folder that `model.py` made.

mod quantised;
mod unquantised;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Result, Tensor};
use serde_json::{Map, Value, json};

use quantised::Quantised;
use unquantised::Unquantised;

/// As for ours.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// As in benches/inference.rs.
const WORD: u32 = 7;
const STEPS: usize = 64;
const WARM_UP: usize = 2;
const SECONDS: f64 = 4.0;

/// A model of candle's.
trait Inference {
    /// An image through encoder and projector.
    fn encode(&self) -> Result<()>;

    /// Reads so many tokens in each row, up to the logits of the last.
    fn prefill(&mut self, tokens: usize, rows: usize) -> Result<Tensor>;

    /// One more token a row, after so many.
    fn step(&mut self, position: usize, rows: usize) -> Result<Tensor>;
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, dtype, works @ ..] = &args[..] else {
        return Err("candle-speed MODEL DTYPE WORK…".into());
    };
    let folder = Path::new(folder);
    let mut model: Box<dyn Inference> = match dtype.as_str() {
        "f32" => Box::new(Unquantised::load(folder, DType::F32)?),
        "bf16" => Box::new(Unquantised::load(folder, DType::BF16)?),
        _ => Box::new(Quantised::load(&folder.join(format!("{dtype}.gguf")))?),
    };
    let mut measured = Map::new();
    for work in works {
        let seconds = measure(model.as_mut(), work)?;
        measured.insert(work.clone(), json!({ "seconds": seconds }));
    }
    let peak = peak_bytes()?;
    println!(
        "{}",
        json!({ "version": "candle 0.11.1", "works": measured, "peak_bytes": peak })
    );
    Ok(())
}

fn measure(model: &mut dyn Inference, work: &str) -> std::result::Result<Vec<f64>, Box<dyn Error>> {
    match work.split_once(':') {
        None if work == "encode" => Ok(repeated(|| model.encode())?),
        Some(("prefill", tokens)) => {
            let tokens = tokens.parse()?;
            Ok(repeated(|| model.prefill(tokens, 1))?)
        }
        Some(("decode", place)) => {
            let (tokens, rows) = place.split_once('x').unwrap_or((place, "1"));
            let (tokens, rows) = (tokens.parse()?, rows.parse()?);
            model.prefill(tokens, rows)?;
            let mut seconds = Vec::new();
            for step in 0..WARM_UP + STEPS {
                seconds.push(timed(|| model.step(tokens + step, rows))?);
            }
            Ok(seconds.split_off(WARM_UP))
        }
        _ => Err(format!("no work is called {work:?}").into()),
    }
}

fn timed<T>(call: impl FnOnce() -> Result<T>) -> Result<f64> {
    let begun = Instant::now();
    black_box(call()?);
    Ok(begun.elapsed().as_secs_f64())
}

/// After one call that does not count.
fn repeated<T>(mut call: impl FnMut() -> Result<T>) -> Result<Vec<f64>> {
    call()?;
    let mut seconds = Vec::new();
    while seconds.len() < 2 || seconds.iter().sum::<f64>() < SECONDS {
        seconds.push(timed(&mut call)?);
    }
    Ok(seconds)
}

/// The most memory that this process held.
fn peak_bytes() -> std::result::Result<Value, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.ok_or("Linux")?.parse()?;
    Ok(json!(1024 * kibibytes))
}
