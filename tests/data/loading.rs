//! Good data: the same samples from JSON and from shards, in batches, in order.

use menagerie::chat::{Template, Turn};
use menagerie::data::{Batch, DataSource, DataText, Dataset, SampleEncoder, Turns};
use menagerie::image::{ImageProcessor, Resize};
use menagerie::tokens::{IMAGE_TOKEN, ImagePosition};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Folder, LLAMA, gzip, image, says, tar};

pub(super) const IMAGES: [&str; 3] = ["rgb-square.png", "rgb.jpg", "grey.png"];

/// One image, two images over several turns, and text alone.
pub(super) fn samples() -> [Value; 3] {
    [
        json!({
            "id": "one", "image": IMAGES[0], "caption": "A square.",
            "conversations": says(&["<image>\nWhat?", "A square.", "Why?", "So."]),
        }),
        json!({
            "id": "two", "image": [IMAGES[1], IMAGES[2]],
            "conversations": says(&["<image>\nWhat?", "A picture.", "And <image>?", "A grey one.", "Why?", "So."]),
        }),
        json!({"id": "text", "conversations": says(&["Why?", "So."])}),
    ]
}

/// The samples as JSON, as JSON lines, as a shard and as a compressed one.
pub(crate) fn forms(folder: &Folder) -> [Dataset; 4] {
    for name in IMAGES {
        folder.write(name, image(name));
    }
    let samples = samples();
    folder.write("a.json", json!(samples).to_string());
    let lines: Vec<String> = samples.iter().map(Value::to_string).collect();
    folder.write("a.jsonl", lines.join("\n"));
    let [square, jpg, grey] = IMAGES.map(image);
    let shard = tar(&[
        ("x/1.json", lines[0].as_bytes()),
        ("x/1.png", &square),
        ("x/2.1.png", &grey),
        ("x/2.0.JPG", &jpg),
        ("x/2.json", lines[1].as_bytes()),
        ("x/2.txt", b"not ours"),
        ("x/3.json", lines[2].as_bytes()),
    ]);
    folder.write("a.tar", &shard);
    folder.write("a.tar.gz", gzip(&shard));
    ["a.json", "a.jsonl", "a.tar", "a.tar.gz"].map(|name| folder.open(name).expect("good data"))
}

pub(crate) fn encoder(template: &str) -> SampleEncoder {
    SampleEncoder {
        tokenizer: LLAMA.clone(),
        template: Template::named(template).expect("a template"),
        image_position: ImagePosition::AsData,
        seed: 0,
        images: 16.into(),
        max_tokens: 2048,
    }
}

pub(crate) fn processor() -> ImageProcessor {
    ImageProcessor::bicubic(8, Resize::Pad, [0.5; 3], [0.5; 3])
}

pub(super) fn batch(dataset: &Dataset) -> Batch {
    let all: Vec<usize> = (0..dataset.len()).collect();
    encoder("v1")
        .batch(dataset, &processor(), &all)
        .expect("a batch")
}

#[test]
fn json_and_shards_give_the_same_batches() {
    let folder = Folder::new();
    let datasets = forms(&folder);
    let first = batch(&datasets[0]);
    let ids: Vec<&str> = first
        .samples
        .iter()
        .map(|sample| sample.id.as_str())
        .collect();
    assert_eq!(ids, ["one", "two", "text"]);
    let images: Vec<usize> = first
        .samples
        .iter()
        .map(|sample| sample.images.len())
        .collect();
    assert_eq!(images, [1, 2, 0]);
    assert_eq!(first.images.pixels.len(), 3 * processor().values());
    for dataset in &datasets[1..] {
        dataset.check_images().expect("all are there");
        assert_eq!(batch(dataset), first);
    }

    let pixels = IMAGES.map(|name| processor().process(&image(name)).expect("an image").pixels);
    assert_eq!(
        first.images.pixels,
        pixels.concat(),
        "each image in its place"
    );
}

#[test]
fn files_are_known_by_their_hash() {
    let folder = Folder::new();
    folder.write("lone.jsonl", samples()[2].to_string());
    let dataset = folder.open("lone.jsonl").expect("good data");
    let [_, _, shard, packed] = forms(&folder);
    for file in [&dataset, &shard, &packed].map(|dataset| &dataset.files()[0]) {
        let bytes = std::fs::read(&file.path).expect("the file");
        assert_eq!(file.bytes, bytes.len() as u64);
        let pairs = file.sha256.as_bytes().chunks(2);
        let pairs = pairs.map(|pair| std::str::from_utf8(pair).expect("digits"));
        let hash: Vec<u8> = pairs
            .map(|pair| u8::from_str_radix(pair, 16).expect("digits"))
            .collect();
        assert_eq!(hash, Sha256::digest(&bytes).to_vec());
    }
}

#[test]
fn a_folder_stands_for_its_shards_and_several_paths_follow_each_other() {
    let folder = Folder::new();
    let member = |id: &str| {
        let sample = json!({"id": id, "conversations": says(&["Why?", "So."])});
        tar(&[("1.json", sample.to_string().as_bytes())])
    };
    folder.write("b.tar", member("second"));
    folder.write("a.tar.gz", gzip(&member("first")));
    folder.write("README", "not ours");
    let lone = folder.write("c.json", json!([samples()[2]]).to_string());
    let dataset = Dataset::open(&DataSource {
        paths: vec![folder.path().to_owned(), lone],
        ..DataSource::default()
    });
    let dataset = dataset.expect("good data");
    let ids: Vec<&str> = dataset.samples().iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["first", "second", "text"]);
}

#[test]
fn questions_by_themselves_bring_the_images_seen_so_far() {
    let folder = Folder::new();
    folder.write("a.json", json!(samples()).to_string());
    let dataset = Dataset::open(&DataSource {
        paths: vec![folder.path().join("a.json")],
        turns: Turns::Separate,
        ..DataSource::default()
    });
    let dataset = dataset.expect("good data");
    let questions: Vec<(&str, &str, usize)> = dataset
        .samples()
        .iter()
        .map(|s| (s.id.as_str(), s.turns[0].text.as_str(), s.images.len()))
        .collect();
    let expected = [
        ("one#0", "<image>\nWhat?", 1),
        ("one#1", "<image>\nWhy?", 1),
        ("two#0", "<image>\nWhat?", 1),
        ("two#1", "<image>\nAnd <image>?", 2),
        ("two#2", "<image>\n<image>\nWhy?", 2),
        ("text#0", "Why?", 0),
    ];
    assert_eq!(questions, expected);
}

#[test]
fn captions_answer_their_image() {
    let folder = Folder::new();
    folder.write("a.json", json!([samples()[0]]).to_string());
    let dataset = Dataset::open(&DataSource {
        paths: vec![folder.path().join("a.json")],
        text: DataText::Caption,
        ..DataSource::default()
    });
    let dataset = dataset.expect("good data");
    let turns = [Turn::human("<image>"), Turn::assistant("A square.")];
    assert_eq!(dataset.sample(0).turns, turns);
    let sample = encoder("plain").encode(&dataset, 0).expect("a sample");
    assert_eq!(sample.input_ids[..2], [1, IMAGE_TOKEN]);
}

#[test]
fn unasked_answers_and_unanswered_questions_at_the_ends_are_left_out() {
    let folder = Folder::new();
    let mut turns = says(&["", "Hello.", "Why?", "So.", "And?"]);
    turns.as_array_mut().expect("turns").remove(0);
    folder.write(
        "a.json",
        json!([{"id": "a", "conversations": turns}]).to_string(),
    );
    let dataset = folder.open("a.json").expect("good data");
    let turns = [Turn::human("Why?"), Turn::assistant("So.")];
    assert_eq!(dataset.sample(0).turns, turns);
}

#[test]
fn images_beyond_the_cut_are_left_out() {
    let folder = Folder::new();
    let [json, ..] = forms(&folder);
    let short = SampleEncoder {
        max_tokens: 80,
        ..encoder("v1")
    };
    let whole = encoder("v1")
        .batch(&json, &processor(), &[1])
        .expect("a batch");
    assert_eq!(whole.samples[0].images.len(), 2);
    let cut = short.batch(&json, &processor(), &[1]).expect("a batch");
    assert_eq!(cut.samples[0].images.len(), 1);
    assert_eq!(
        cut.images.pixels,
        whole.images.pixels[..processor().values()]
    );
}
