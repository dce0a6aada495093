//! Bad samples left out: which sample takes whose place.

use std::sync::Arc;

use menagerie::data::{
    Batch, DataError, DataSource, Dataset, Fault, Loader, OnBadSample, SampleEncoder,
};
use serde_json::{Value, json};

use super::broken::{encoder, processor};
use super::{Folder, gzip, image, says, tar};

fn sample(id: &str, image: &str, answer: &str) -> Value {
    json!({"id": id, "image": image, "conversations": says(&["<image>Why?", answer])})
}

/// Six usable texts, of which two have no usable image and one is too long; and three others.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("good.png", image("rgb-square.png"));
    let whole = image("rgb.jpg");
    folder.write("torn.jpg", &whole[..whole.len() / 2]);
    let long = "Why? ".repeat(40);
    let samples = json!([
        sample("a", "good.png", "So."),
        sample("torn", "torn.jpg", "So."),
        sample("ghost", "ghost.png", "So."),
        {"id": "mute", "conversations": says(&["Why?", ""])},
        {"id": "bot", "conversations": [{"from": "bot", "value": "So."}]},
        sample("b", "good.png", "So."),
        {"id": "two", "image": "good.png", "conversations": says(&["<image><image>Why?", "So."])},
        sample("c", "good.png", "So."),
        {"id": "long", "conversations": says(&[&long, "So."])},
    ]);
    folder.write(
        "a.json",
        serde_json::to_string_pretty(&samples).expect("JSON"),
    );
    folder
}

fn skipping(folder: &Folder, name: &str) -> Result<Dataset, DataError> {
    Dataset::open(&DataSource {
        paths: vec![folder.path().join(name)],
        images: Some(folder.path().to_owned()),
        on_bad_sample: OnBadSample::Skip,
        ..DataSource::default()
    })
}

fn short() -> SampleEncoder {
    SampleEncoder {
        max_tokens: 80,
        ..encoder()
    }
}

fn ids(batch: &Batch) -> Vec<&str> {
    batch
        .samples
        .iter()
        .map(|sample| sample.id.as_str())
        .collect()
}

#[test]
fn the_next_usable_sample_takes_the_place_of_a_bad_one() {
    let folder = folder();
    let dataset = skipping(&folder, "a.json").expect("some are good");
    let left_out: Vec<(&str, Fault)> = dataset
        .left_out()
        .iter()
        .map(|bad| (bad.id.as_str(), bad.fault))
        .collect();
    // What JSON does not say is not known: the fifth sample's id.
    let expected = [
        ("mute", Fault::NothingToLearn),
        ("4", Fault::Text),
        ("two", Fault::Text),
    ];
    assert_eq!(left_out, expected);
    assert!(
        dataset.left_out()[1]
            .reason
            .contains("unknown variant `bot`"),
        "{:?}",
        dataset.left_out()[1]
    );

    let batch = |indices: &[usize]| short().batch(&dataset, &processor(), indices);
    let whole = batch(&[0, 1, 2, 3, 4, 5]).expect("a batch");
    assert_eq!(ids(&whole), ["a", "b", "b", "b", "c", "a"]);
    assert_eq!(whole.images.pixels.len(), 6 * processor().values());
    let skipped: Vec<(&str, Fault)> = whole
        .skipped
        .iter()
        .map(|bad| (bad.id.as_str(), bad.fault))
        .collect();
    let (torn, ghost) = (("torn", Fault::BrokenImage), ("ghost", Fault::MissingImage));
    assert_eq!(
        skipped,
        [torn, ghost, ghost, ("long", Fault::NothingToLearn)]
    );

    // One by one, and by several threads, it is the same.
    for (place, id) in ids(&whole).into_iter().enumerate() {
        assert_eq!(ids(&batch(&[place]).expect("a batch")), [id]);
    }
    let dataset = Arc::new(skipping(&folder, "a.json").expect("some are good"));
    for workers in [0, 2] {
        let batches = vec![vec![0, 1, 2], vec![3, 4, 5]];
        let loader = Loader::new(Arc::clone(&dataset), short(), processor(), batches, workers);
        let made: Vec<Batch> = loader.map(|batch| batch.expect("a batch")).collect();
        let found: Vec<&str> = made.iter().flat_map(ids).collect();
        assert_eq!(found, ids(&whole), "{workers} workers");
    }
}

#[test]
fn the_first_bad_sample_is_an_error_unless_they_are_skipped() {
    let folder = folder();
    let error = folder.open("a.json").expect_err("bad");
    let message = folder.message(&error);
    assert!(
        message.starts_with("a.json: sample `mute`: no turn by `gpt`"),
        "{message}"
    );
}

#[test]
fn data_without_one_usable_sample_is_an_error() {
    let folder = folder();
    folder.write(
        "mute.jsonl",
        json!({"conversations": says(&["Why?"])}).to_string(),
    );
    let error = skipping(&folder, "mute.jsonl").expect_err("none is good");
    let message = folder.message(&error);
    assert!(
        message.starts_with(
            "none of the 1 samples can be used; the first: `0` of mute.jsonl: no turn"
        ),
        "{message}"
    );

    let ghosts = json!([
        sample("x", "none.png", "So."),
        sample("y", "none.png", "So.")
    ]);
    folder.write("ghosts.json", ghosts.to_string());
    let dataset = skipping(&folder, "ghosts.json").expect("the texts are good");
    let error = short()
        .batch(&dataset, &processor(), &[1])
        .expect_err("no image is there");
    let message = folder.message(&error);
    assert!(
        message
            .starts_with("none of the 2 samples can be used; the first: ghosts.json: sample `y`: "),
        "{message}"
    );
}

#[test]
fn a_file_that_breaks_off_is_an_error_in_any_case() {
    let folder = folder();
    let whole = std::fs::read(folder.path().join("a.json")).expect("written");
    folder.write("cut.json", &whole[..whole.len() / 2]);
    let error = skipping(&folder, "cut.json").expect_err("cut");
    let message = folder.message(&error);
    assert!(
        message.contains("the file ends inside a sample"),
        "{message}"
    );

    // What is no sample's fault is not skipped: here the image folder is not named.
    let dataset = Dataset::open(&DataSource {
        paths: vec![folder.path().join("a.json")],
        on_bad_sample: OnBadSample::Skip,
        ..DataSource::default()
    });
    let dataset = dataset.expect("the texts are good");
    let error = short()
        .batch(&dataset, &processor(), &[0])
        .expect_err("no folder");
    assert!(folder.message(&error).contains("lies in no folder"));
}

#[test]
fn in_a_shard_a_sample_without_its_text_is_left_out() {
    let folder = Folder::new();
    let good = json!({"conversations": says(&["<image>Why?", "So."])}).to_string();
    let picture = image("rgb-square.png");
    let shard = tar(&[
        ("1.png", &picture),
        ("2.json", good.as_bytes()),
        ("2.png", &picture),
        ("3.json", b"{"),
    ]);
    folder.write("a.tar", &shard);
    folder.write("a.tar.gz", gzip(&shard));
    for name in ["a.tar", "a.tar.gz"] {
        let dataset = skipping(&folder, name).expect("one is good");
        let left_out: Vec<&str> = dataset
            .left_out()
            .iter()
            .map(|bad| bad.id.as_str())
            .collect();
        assert_eq!(left_out, ["1", "3"], "{name}");
        assert_eq!(
            dataset.images(0).expect("read"),
            std::slice::from_ref(&picture)
        );
    }
}
