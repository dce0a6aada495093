//! A training step of both stages at three sizes: forward, backward, clipping and update.
//!
//! ```sh
//! cargo bench --bench step
//! ```
//!
//! `tests/speed/step.py` runs the same steps here and in PyTorch, in turns, and prints the ratios. It
//! asks for them by name, `step time SIZE STAGE STEPS`, and for the sizes, `step size SIZE`.
//! `tests/speed/waiting.py` asks for the recipes, `step recipe SIZE STEPS`. `tests/gpu.sh` asks for steps on
//! a card, `step --device DEVICE time SIZE STAGE STEPS DTYPE`, and for operations, `step flops SIZE WORK`.

mod device;
mod sizes;
mod training;

use std::time::Instant;

use divan::Bencher;
use menagerie::burn::tensor::Device;
use serde_json::json;
use sizes::Size;
use training::Training;

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let device = device::take(&mut args);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["size", name] => println!("{}", Size::named(name).json()),
        ["flops", name, work] => println!("{}", Size::named(name).flops(work)),
        ["recipe", name, steps] => println!("{}", Size::named(name).recipe(number(steps))),
        ["time", name, stage, steps] => time(name, stage, steps, "f32", &device),
        ["time", name, stage, steps, dtype] => time(name, stage, steps, dtype, &device),
        _ => divan::main(),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

/// Prints the seconds of each step.
fn time(name: &str, stage: &str, steps: &str, dtype: &str, device: &Device) {
    let mut training = Training::new(&Size::named(name), stage, dtype, device);
    let seconds: Vec<f64> = (0..number(steps))
        .map(|_| {
            let begun = Instant::now();
            training.step();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    println!("{}", json!(seconds));
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
    let mut training = Training::new(&Size::named(name), stage, "f32", &Device::flex());
    // The first makes the optimizer's state.
    training.step();
    bencher.bench_local(|| training.step());
}
