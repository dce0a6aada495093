//! The program's allocator.

use std::ffi::{c_int, c_long};

/// For `#[global_allocator]` of a program whose `main` is [`main`](super::main). Burn allocates every
/// tensor anew, and the next step asks for what this one frees.
pub use mimalloc::MiMalloc as Allocator;

/// For so many milliseconds [`Allocator`] keeps memory that is free: longer than a step, as its next
/// use would otherwise wait for the system to fill it with zeros.
const KEPT_FOR: c_long = 60_000;

/// `mi_option_purge_delay` in mimalloc's versions 2 and 3.
const PURGE_DELAY: c_int = 15;

#[expect(
    unsafe_code,
    reason = "declared by no crate; one stores a number, the other gives memory back"
)]
mod mimalloc_c {
    unsafe extern "C" {
        /// Sets an option that the environment does not set. Any option and number may be given.
        pub safe fn mi_option_set_default(option: super::c_int, value: super::c_long);
        /// Gives memory back that is free and belongs to no thread, and what this thread has over.
        pub safe fn mi_collect(force: bool);
    }
}

/// Has [`Allocator`] give back the memory that is free, and keep what will be for a minute, unless
/// `MIMALLOC_PURGE_DELAY` (milliseconds) says otherwise. For the moment when a model is loaded: what loading leaves does
/// not fit what computing asks for.
pub fn keep_free_memory() {
    mimalloc_c::mi_collect(true);
    mimalloc_c::mi_option_set_default(PURGE_DELAY, KEPT_FOR);
}
