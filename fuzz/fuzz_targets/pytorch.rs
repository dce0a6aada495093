#![no_main]

use libfuzzer_sys::fuzz_target;
use menagerie_core::weights::InMemory;

fuzz_target!(|bytes: &[u8]| {
    let _ = InMemory::PyTorch.read(bytes);
});
