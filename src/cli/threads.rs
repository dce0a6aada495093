//! The threads that compute.

use rayon::ThreadPoolBuilder;

/// Of each thread: as much as Linux gives the first one. Pages that nobody touches take no memory.
const STACK: usize = 8 << 20;

/// Does `work` on one of the threads that compute, one for each core (`RAYON_NUM_THREADS` says otherwise).
///
/// From any other thread, each product wakes them and waits to be woken: a token of an answer has a hundred products,
/// and takes a tenth longer, a step of training a small model in f32 some hundredths.
///
/// For a program that does one thing at a time: a thread that waits for its part of a product takes up whatever else
/// has been asked for, and finishes that first.
pub fn on_computing_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    // A program that has made its threads already keeps them.
    let _ = ThreadPoolBuilder::new().stack_size(STACK).build_global();
    rayon::scope(|_| work())
}
