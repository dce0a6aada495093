//! Models that others made, as they lie on people's disks: each gives the numbers of the code that
//! wrote it, and goes back out in the layout another tool expects.
#![cfg(feature = "cli")]

mod checkpoints {
    mod errors;
    mod export;
    mod files;
    mod gguf;
    mod next;
    mod packed;
    mod parity;
    mod spellings;
    mod training;
}
mod tiny;
