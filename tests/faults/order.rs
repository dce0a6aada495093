//! The same samples in the same order, and the same sums, whoever prepares and adds them.

use std::fs;
use std::path::Path;

use crate::place::{CHECKED, Place, WIDE, each, said, spread};
use crate::shim::{Calls, Fault, with};

/// Checkpoints and scores, and in both stages so many workers and passes of 3 samples.
fn recipe(workers: usize) -> String {
    let stage = |name: &str| {
        format!(
            "[stage.{name}]\nmicro_batch_size = 3\ndata = {{ conversations = \"data.json\", images = \"images\", workers = {workers} }}\n"
        )
    };
    format!("{}{}{SAVED}", stage("align"), stage("finetune"))
}

const SAVED: &str = "\
[checkpoint]
every_steps = 2
[eval]
data = { conversations = \"questions.json\", images = \"images\" }
every_steps = 3
max_new_tokens = 3";

/// What decides which samples a step takes, in which passes, and what else is drawn from the seed.
const SHAPES: [&str; 6] = [
    "sampler = \"sequential\"\nmicro_batch_size = 5",
    "sampler = \"grouped-by-length\"\nmicro_batch_size = 3",
    "sampler = \"grouped-by-modality\"\nmicro_batch_size = 2\nepochs = 1.5",
    "packing = true",
    "batch_size = 5\ncheckpoint_blocks = true\n[stage.finetune.data]\nconversations = \"mixed.json\"\n\
     on_bad_sample = \"skip\"\nimage_position = \"random\"\nturns = \"separate\"",
    "freeze = [\"vision\"]\nlora = { rank = 2, alpha = 4, dropout = 0.2 }",
];

/// The bytes of the weights after a stage and of the lines of metrics.
fn outcome(run: &Path, stage: &str) -> Vec<Vec<u8>> {
    let parts = ["vision", "projector", "llm"];
    let files = parts.map(|part| format!("weights/{stage}/{part}.safetensors"));
    let names = files.iter().map(String::as_str).chain(["metrics.jsonl"]);
    names
        .map(|name| fs::read(run.join(name)).unwrap())
        .collect()
}

#[test]
fn any_number_of_workers_gives_the_same_samples_also_when_resumed_twice() {
    let places = [0, 1, 4].map(|workers| Place::with(&recipe(workers)));
    let first = outcome(&places[0].whole, "finetune");
    for place in &places {
        assert!(outcome(&place.whole, "finetune") == first);
        killed_twice(place, 4);
    }
}

/// Runs that are killed before any two of their lines of metrics end equal.
fn killed_twice(place: &Place, by_default: usize) {
    let found = place.survey("metrics.jsonl");
    let lines = found.into_iter().filter(|call| call.name == "write");
    let steps: Vec<usize> = lines.map(|call| call.number).collect();
    assert!(steps.len() > 6, "{}", steps.len());
    let pairs = steps
        .iter()
        .flat_map(|one| steps.iter().map(move |two| (*one, *two)));
    each(&spread(pairs.collect(), by_default), |&(one, two)| {
        let run = place.run();
        for at in [one, two] {
            let command = place.go(&run);
            let log = run.join("metrics.jsonl");
            said(with(command, &log, Calls::Writing, at, Fault::Kill));
        }
        place.ends_equal(&run, &format!("killed before lines {one} and {two}"));
    });
}

#[test]
fn whatever_shapes_the_batches_a_resumed_run_takes_the_same_ones() {
    for shape in SHAPES {
        let place = Place::with(&format!("[stage.finetune]\n{shape}\n{SAVED}"));
        killed_twice(&place, 3);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for (difference, stage) in [(CHECKED, "finetune"), (WIDE, "align")] {
        let place = Place::with(difference);
        for threads in ["1", "3", "4"] {
            let run = place.run();
            let mut command = place.go(&run);
            command.env("RAYON_NUM_THREADS", threads);
            assert_eq!(said(command).code, Some(0));
            let same = outcome(&run, stage) == outcome(&place.whole, stage);
            assert!(same, "{threads} threads, {stage}");
        }
    }
}
