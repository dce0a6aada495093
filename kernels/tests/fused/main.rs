//! Fused operations against f64, at every level of this processor, on odd sizes and on ones that take threads.

#[path = "../common/mod.rs"]
mod common;

mod activation;
mod adamw;
mod bias;
mod cross_entropy;
mod norm;
mod rotary;
mod soft_cap;

use menagerie_kernels::Level;

/// Fails where a result is further from what is wanted than `share` of it and `least` together.
fn check_close(result: &[f32], wanted: &[f64], share: f64, least: f64, what: &str) {
    assert_eq!(result.len(), wanted.len(), "{what}");
    for (at, (result, wanted)) in result.iter().zip(wanted).enumerate() {
        let allowed = share * wanted.abs() + least;
        let error = (f64::from(*result) - wanted).abs();
        assert!(
            error <= allowed,
            "{what}: number {at} is {result} and not {wanted}, off by {error} where {allowed} is allowed"
        );
    }
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

/// Fails if the numbers that `run` makes depend on the number of threads.
fn check_threads(what: &str, run: impl Fn() -> Vec<f32> + Send + Sync) {
    let alone = in_pool(1, &run);
    for threads in [2, 3, 7] {
        let found = in_pool(threads, &run);
        common::check_bits(&found, &alone, &format!("{what}, {threads} threads"));
    }
}

fn in_pool<T: Send>(threads: usize, run: impl Fn() -> T + Send + Sync) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool")
        .install(run)
}

fn levels() -> impl Iterator<Item = Level> {
    // Those past it do the same.
    Level::available().filter(|level| *level <= Level::Avx512)
}
