//! A training step of both stages at three sizes: forward, backward, clipping and update.
//!
//! ```sh
//! cargo bench --bench step
//! ```
//!
//! The scripts in `tests/peers/speed` run the same steps here and in PyTorch, in turns, and print the
//! ratios. They ask for them by name, `step time SIZE STAGE DTYPE STEPS`, for the sizes, `step size
//! SIZE`, and for the recipes, `step recipe SIZE STEPS`. SIZE may have a batch of its own, rows by
//! tokens of text: `small:16x112`. `tests/gpu.sh` has a card compute them, `step --device cuda time …`, and
//! asks for the operations of a work, `step flops SIZE WORK`.

mod device;
mod noise;
mod sizes;
mod training;

use std::time::Instant;

use divan::Bencher;
use menagerie::burn::tensor::Device;
use menagerie::cli::{Allocator, keep_free_memory, on_computing_thread};
use serde_json::json;
use sizes::Size;
use training::Training;

/// The binary's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() {
    on_computing_thread(run);
}

fn run() {
    keep_free_memory();
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let device = device::take(&mut args);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["size", name] => println!("{}", Size::named(name).json()),
        ["flops", name, work] => println!("{}", Size::named(name).flops(work)),
        ["recipe", name, steps] => println!("{}", Size::named(name).recipe(number(steps))),
        ["time", name, stage, dtype, steps] => {
            let mut training = Training::new(&Size::named(name), stage, dtype, &device);
            let seconds: Vec<f64> = (0..number(steps))
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

fn number(text: &str) -> usize {
    text.parse().expect("a number")
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
