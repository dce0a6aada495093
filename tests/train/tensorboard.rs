//! Event files, read by a reader of the test's own: records, their checksums, and the protobuf in
//! them. What TensorBoard itself reads is in `tests/fixtures/tensorboard`.

use std::fs;
use std::path::Path;

use menagerie::train::{StepMetrics, StepTiming};

use crate::resume::go;
use crate::tiny::{Run, World};

/// Scores within a stage and at its end.
const SCORED: &str = "\
[eval]
data = { conversations = \"questions.json\", images = \"images\" }
every_steps = 3
max_new_tokens = 3";

/// CRC-32C a bit at a time, by long division.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc % 2;
            crc = (crc / 2) ^ (carry * 0x82f6_3b78);
        }
    }
    !crc
}

/// The stored checksum without its mask.
fn unmasked(stored: u32) -> u32 {
    stored.wrapping_sub(0xa282_ead8).rotate_left(15)
}

/// The records of a file, their checksums compared.
fn records(mut file: &[u8]) -> Vec<&[u8]> {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let mut records = Vec::new();
    while !file.is_empty() {
        let (head, rest) = file.split_at(12);
        assert_eq!(unmasked(word(&head[8..])), crc32c(&head[..8]));
        let length = u64::from_le_bytes(head[..8].try_into().expect("eight bytes"));
        let (record, rest) = rest.split_at(usize::try_from(length).expect("a small record"));
        let (sum, rest) = rest.split_at(4);
        assert_eq!(unmasked(word(sum)), crc32c(record));
        records.push(record);
        file = rest;
    }
    records
}

/// A protobuf's fields: number, and value or bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = message[0];
            *message = &message[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let (value, length) = match key & 7 {
            0 => (varint(&mut message), 0),
            1 => (0, 8),
            2 => (0, usize::try_from(varint(&mut message)).expect("short")),
            5 => (0, 4),
            other => panic!("wire type {other}"),
        };
        let (bytes, rest) = message.split_at(length);
        found.push((key >> 3, value, bytes));
        message = rest;
    }
    found
}

/// What an event says.
#[derive(Debug, PartialEq)]
enum Said {
    Version(String),
    Session(u64),
    Scalar(String, f32),
    Text(String),
}

/// Everything in the run's event files in the order of their names: step, and what was said there.
fn events(run: &Path) -> Vec<Vec<(u64, Said)>> {
    let entries = fs::read_dir(run.join("tensorboard")).expect("a folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort_unstable();
    let read = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).expect("the file");
        let events = records(&bytes).into_iter().flat_map(said);
        events.collect()
    };
    paths.iter().map(read).collect()
}

fn said(event: &[u8]) -> Vec<(u64, Said)> {
    let fields_of_event = fields(event);
    let step = fields_of_event.iter().find(|field| field.0 == 2);
    let step = step.map_or(0, |field| field.1);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let mut all = Vec::new();
    for (number, _, bytes) in fields_of_event {
        match number {
            3 => all.push((step, Said::Version(text(bytes)))),
            7 => all.push((step, Said::Session(fields(bytes)[0].1))),
            5 => {
                for (_, _, value) in fields(bytes) {
                    let value = fields(value);
                    let tag = text(value.iter().find(|field| field.0 == 1).expect("a tag").2);
                    let scalar = value.iter().find(|field| field.0 == 2);
                    all.push((
                        step,
                        match scalar {
                            Some((_, _, bytes)) => {
                                let bytes = (*bytes).try_into().expect("four bytes");
                                Said::Scalar(tag, f32::from_le_bytes(bytes))
                            }
                            None => Said::Text(tag),
                        },
                    ));
                }
            }
            _ => {}
        }
    }
    all
}

/// The points of a curve.
fn curve(events: &[(u64, Said)], name: &str) -> Vec<(u64, f32)> {
    let points = events.iter().filter_map(|(step, said)| match said {
        Said::Scalar(tag, value) if tag == name => Some((*step, *value)),
        _ => None,
    });
    points.collect()
}

fn timings(run: &Run) -> Vec<StepTiming> {
    let text = run.text("timings.jsonl");
    let lines = text.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
#[allow(
    clippy::cast_possible_truncation,
    reason = "curves are in single precision"
)]
fn the_events_of_a_run_are_its_lines() {
    let world = World::new();
    let run = world.train("run", SCORED);
    let files = events(&run.0);
    assert_eq!(files.len(), 1);
    let events = &files[0];
    assert_eq!(events[0], (0, Said::Version("brain.Event:2".to_owned())));
    assert_eq!(events[1], (0, Said::Session(1)));
    assert_eq!(events[2], (0, Said::Text("recipe".to_owned())));

    let (metrics, timings) = (run.metrics(), timings(&run));
    let expected = |value: &dyn Fn(&StepMetrics, &StepTiming) -> f64| {
        // `finetune` begins after the five steps of `align`.
        let offset = |stage: &str| if stage == "align" { 0 } else { 5 };
        let lines = metrics.iter().zip(&timings);
        let points = lines.map(|(line, timing)| {
            let step = (offset(&line.stage) + line.step) as u64;
            (step, value(line, timing) as f32)
        });
        points.collect::<Vec<_>>()
    };
    assert_eq!(curve(events, "train/loss"), expected(&|line, _| line.loss));
    assert_eq!(curve(events, "train/lr"), expected(&|line, _| line.lr));
    let norms = expected(&|line, _| line.grad_norm);
    assert_eq!(curve(events, "train/grad_norm"), norms);
    let speed = expected(&|line, timing| line.tokens as f64 / timing.seconds);
    assert_eq!(curve(events, "train/tokens_per_second"), speed);

    let scored = curve(events, "eval/score").into_iter().map(|point| point.0);
    // After three steps and at the end of each stage.
    assert_eq!(scored.collect::<Vec<_>>(), [3, 5, 8, 9]);
    let answers = (3, Said::Text("eval/answers".to_owned()));
    assert!(events.contains(&answers));
}

/// TensorBoard drops what lies before a start and says a later step.
#[test]
fn a_run_that_goes_on_says_from_where() {
    let world = World::new();
    let whole = world.train("whole", SCORED);
    let recipe = world.recipe("parts", SCORED);
    let run = Run(world.path("parts"));
    assert!(!go(&recipe, &run.0, 7).0);
    assert!(go(&recipe, &run.0, usize::MAX).0);
    let files = events(&run.0);
    assert_eq!(files.len(), 2);
    assert_eq!(files[1][1], (7, Said::Session(1)));
    for name in ["train/loss", "eval/score"] {
        let mut shown = curve(&files[0], name);
        shown.retain(|point| point.0 < 7);
        shown.extend(curve(&files[1], name));
        assert_eq!(shown, curve(&events(&whole.0)[0], name), "{name}");
    }
}
