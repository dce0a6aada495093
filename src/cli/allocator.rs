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

#[expect(unsafe_code, reason = "declared by no crate; it stores a number")]
mod mimalloc_options {
    unsafe extern "C" {
        /// Sets an option that the environment does not set. Any option and number may be given.
        pub safe fn mi_option_set_default(option: super::c_int, value: super::c_long);
    }
}

/// Has [`Allocator`] keep free memory for a minute, unless `MIMALLOC_PURGE_DELAY` (milliseconds) says
/// otherwise. [`main`](super::main) begins with it.
pub fn keep_free_memory() {
    mimalloc_options::mi_option_set_default(PURGE_DELAY, KEPT_FOR);
}
