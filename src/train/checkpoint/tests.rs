//! Checkpoints as they lie on the disk, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Checkpoints, FORMAT, Snapshot, Standing};
use crate::code::Code;

/// A checkpoint with some weights.
fn snapshot(step: usize) -> Snapshot {
    let device = Device::flex();
    let tensors = |names: &[&str]| {
        let named = names.iter().map(|name| {
            let values: Vec<f32> = (0..24u16).map(f32::from).collect();
            let tensor = Tensor::from_floats(values.as_slice(), &device);
            ((*name).to_owned(), vec![4, 6], tensor)
        });
        named.collect()
    };
    Snapshot {
        standing: Standing {
            format: FORMAT,
            stage: "align".to_owned(),
            step,
            steps: 9,
            seed: 1,
            smoothed_loss: Some(5.25),
            scored: true,
            best: [].into(),
            seconds: 1.5,
            logs: [("metrics.jsonl".to_owned(), 120)].into(),
            optimizer_steps: [("projector.weight".to_owned(), 2)].into(),
            base: Vec::new(),
            data: [("align".to_owned(), vec!["00".repeat(32)])].into(),
            tensors: Vec::new(),
            code: Code {
                menagerie: "0.1.0".to_owned(),
                burn: "0".to_owned(),
                program: None,
                device: "flex".to_owned(),
            },
        },
        recipe: "name = \"tiny\"\nseed = 1\n".to_owned(),
        weights: tensors(&["projector.weight", "projector.bias"]),
        optimizer: tensors(&["first.projector.weight", "second.projector.weight"]),
    }
}

/// The step of the checkpoint that a resume takes, and how many it passes over.
fn taken(checkpoints: &Checkpoints) -> (Option<usize>, usize) {
    let mut refused = 0;
    let saved = checkpoints.newest(|_| Ok(()), |_, _| refused += 1);
    let saved = saved.expect("readable");
    (saved.map(|saved| saved.standing.step), refused)
}

#[test]
fn ten_thousand_damages_are_all_seen_and_the_checkpoint_before_is_taken() {
    let run = tempfile::tempdir().expect("a folder");
    let checkpoints = Checkpoints::new(run.path(), &["align".to_owned()]);
    checkpoints.write(snapshot(2)).expect("written");
    let newest = checkpoints.write(snapshot(4)).expect("written");
    assert_eq!(taken(&checkpoints), (Some(4), 0));

    let entries = fs::read_dir(newest).expect("a folder");
    let files: Vec<PathBuf> = entries.map(|entry| entry.expect("read").path()).collect();
    assert_eq!(files.len(), 5);
    let whole = files.iter().map(|file| fs::read(file).expect("read"));
    let whole: Vec<Vec<u8>> = whole.collect();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for number in 0..10_000 {
        let (file, bytes) = (&files[number % 5], &whole[number % 5]);
        let what = damage(file, bytes, &mut random);
        assert_eq!(taken(&checkpoints), (Some(2), 1), "{what}");
        put(file, bytes);
    }
    assert_eq!(taken(&checkpoints), (Some(4), 0));
}

/// One to three bits are flipped, or bytes are lost at the end; says which.
fn damage(file: &Path, whole: &[u8], random: &mut ChaCha8Rng) -> String {
    let mut bytes = whole.to_vec();
    let mut what = file.display().to_string();
    if random.random_bool(0.8) {
        // Another byte each time, so that no flip undoes another.
        let first = random.random_range(0..bytes.len());
        for step in 0..random.random_range(1..=3) {
            let (byte, bit) = ((first + step) % bytes.len(), random.random_range(0..8));
            bytes[byte] ^= 1 << bit;
            what += &format!(", bit {bit} of byte {byte}");
        }
    } else {
        bytes.truncate(random.random_range(0..bytes.len()));
        what += &format!(", {} bytes left", bytes.len());
    }
    put(file, &bytes);
    what
}

#[test]
fn a_flip_of_any_bit_of_a_checkpoint_is_seen() {
    let run = tempfile::tempdir().expect("a folder");
    let checkpoints = Checkpoints::new(run.path(), &["align".to_owned()]);
    let folder = checkpoints.write(snapshot(4)).expect("written");
    for entry in fs::read_dir(folder).expect("a folder") {
        let file = entry.expect("read").path();
        let whole = fs::read(&file).expect("read");
        for byte in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << (byte % 8);
            put(&file, &bytes);
            assert_eq!(taken(&checkpoints), (None, 1), "{} {byte}", file.display());
        }
        put(&file, &whole);
    }
    assert_eq!(taken(&checkpoints), (Some(4), 0));
}

/// Puts a new file in place, as some file systems write one that is cut to nothing to the disk at once.
fn put(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).expect("removed");
    fs::write(file, bytes).expect("written");
}
