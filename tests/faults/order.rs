//! The same samples in the same order, and the same sums, whoever prepares and adds them.

use std::fs;
use std::path::Path;

use crate::place::{CHECKED, Place, WIDE, each, said, spread};
use crate::shim::{Calls, Fault, with};

/// `CHECKED` with so many workers in both stages, and smaller passes.
fn recipe(workers: usize, micro: usize) -> String {
    let stage = |name: &str| {
        format!(
            "[stage.{name}]\nmicro_batch_size = {micro}\ndata = {{ conversations = \"data.json\", images = \"images\", workers = {workers} }}"
        )
    };
    format!("{CHECKED}\n{}\n{}", stage("align"), stage("finetune"))
}

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
    let places = [0, 1, 4].map(|workers| Place::with(&recipe(workers, 3)));
    let first = outcome(&places[0].whole, "finetune");
    for place in &places {
        assert!(outcome(&place.whole, "finetune") == first);
        let found = place.survey("metrics.jsonl");
        let lines = found.into_iter().filter(|call| call.name == "write");
        let steps: Vec<usize> = lines.map(|call| call.number).collect();
        assert_eq!(steps.len(), 9);
        // Killed before any two of its lines.
        let pairs = steps
            .iter()
            .flat_map(|one| steps.iter().map(move |two| (*one, *two)));
        each(&spread(pairs.collect(), 4), |&(one, two)| {
            let run = place.run();
            for at in [one, two] {
                let command = place.go(&run);
                said(with(
                    command,
                    &run.join("metrics.jsonl"),
                    Calls::Writing,
                    at,
                    Fault::Kill,
                ));
            }
            place.ends_equal(&run, &format!("killed before lines {one} and {two}"));
        });
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
