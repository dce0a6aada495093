//! Parquet files as people have them, whole and broken.

use std::fs;
use std::path::PathBuf;

use menagerie::chat::Role;
use menagerie::data::{DataError, DataSource, DataText, Dataset, Fault, OnBadSample};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::loading::{IMAGES, batch, samples};
use super::{Folder, fixture, image, tar};

fn source(name: &str) -> DataSource {
    DataSource {
        paths: vec![fixture("parquet").join(name)],
        images: Some(fixture("images")),
        ..DataSource::default()
    }
}

fn open(name: &str) -> Dataset {
    Dataset::open(&source(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn refuse(source: &DataSource) -> String {
    let folder = Folder(tempfile::tempdir().expect("a folder"));
    let message = folder.message(&Dataset::open(source).expect_err("refused"));
    let folder = format!("{}/", fixture("parquet").display());
    message.replace(&folder, "")
}

#[test]
fn every_layout_gives_the_batches_of_json() {
    let folder = Folder::new();
    for name in IMAGES {
        folder.write(name, image(name));
    }
    folder.write("a.json", json!(samples()).to_string());
    let expected = batch(&folder.open("a.json").expect("good data"));
    for name in [
        "datasets.parquet",
        "messages-zstd.parquet",
        "lists-lz4.parquet",
        "names.parquet",
        "paths.parquet",
    ] {
        let dataset = open(name);
        dataset.check_images().expect("all are there");
        assert_eq!(batch(&dataset), expected, "{name}");
    }
}

#[test]
fn questions_with_their_answers_have_their_images_in_front() {
    let dataset = open("pairs-gzip.parquet");
    let texts: Vec<&str> = dataset
        .sample(1)
        .turns
        .iter()
        .map(|t| t.text.as_str())
        .collect();
    assert_eq!(texts, ["<image>\n<image>\nWhat?", "Two."]);
    assert_eq!(dataset.sample(0).turns[0].text, "<image>\nWhat?");
    assert_eq!(dataset.sample(0).id, "0", "the row's number");
    let images = dataset.images(1).expect("read");
    assert_eq!(images, [image("rgb.jpg"), image("grey.png")]);
}

#[test]
fn bytes_by_themselves_are_images_and_numbers_are_ids() {
    let dataset = Dataset::open(&DataSource {
        text: DataText::Caption,
        ..source("captions.parquet")
    });
    let dataset = dataset.expect("good data");
    let found: Vec<(&str, usize, &str)> = dataset
        .samples()
        .iter()
        .map(|s| (s.id.as_str(), s.images.len(), s.turns[1].text.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("7", 1, "A square."),
            ("8", 0, "No picture."),
            ("9", 1, "Grey.")
        ]
    );
    assert_eq!(dataset.images(2).expect("read"), [image("grey.png")]);
    assert_eq!(dataset.sample(2).images[0].name(), "row 2");
}

#[test]
fn an_image_without_bytes_is_the_file_of_its_path() {
    let dataset = open("nulls-snappy.parquet");
    let ids: Vec<&str> = dataset.samples().iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["bytes", "file", "nothing", "again", "4"]);
    for same in [0, 3] {
        assert_eq!(
            dataset.images(same).expect("read"),
            [image("rgb-square.png")]
        );
    }
    assert_eq!(dataset.images(1).expect("read"), [image("rgb.jpg")]);
    assert!(dataset.sample(4).images.is_empty());
    let error = dataset.images(2).expect_err("nothing").to_string();
    assert!(
        error.ends_with("nulls-snappy.parquet: sample `nothing`"),
        "{error}"
    );

    let elsewhere = DataSource {
        images: None,
        ..source("nulls-snappy.parquet")
    };
    let elsewhere = Dataset::open(&elsewhere).expect("good data");
    assert_eq!(
        elsewhere.images(0).expect("read"),
        [image("rgb-square.png")]
    );
    elsewhere.images(1).expect_err("in no folder");
}

#[test]
fn images_are_read_in_any_order_from_any_page_by_any_thread() {
    let dataset = open("many.parquet");
    assert_eq!(dataset.len(), 60);
    let mut order: Vec<usize> = (0..60).collect();
    order.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
    let dataset = &dataset;
    std::thread::scope(|threads| {
        for part in order.chunks(20) {
            threads.spawn(move || {
                for &row in part {
                    let images = dataset.images(row).expect("read");
                    let dots: Vec<usize> = images.iter().map(|file| file[54].into()).collect();
                    let expected: Vec<usize> = (0..row % 4).map(|i| 4 * row + i).collect();
                    assert_eq!(dots, expected, "row {row}");
                }
            });
        }
    });
}

#[test]
fn a_folder_holds_parquet_beside_shards() {
    let folder = Folder::new();
    fs::copy(
        fixture("parquet/names.parquet"),
        folder.path().join("b.parquet"),
    )
    .expect("copied");
    folder.write(
        "a.tar",
        tar(&[("1.json", samples()[2].to_string().as_bytes())]),
    );
    let dataset = Dataset::open(&DataSource {
        paths: vec![folder.path().to_owned()],
        images: Some(fixture("images")),
        ..DataSource::default()
    });
    let dataset = dataset.expect("good data");
    let ids: Vec<&str> = dataset.samples().iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["text", "one", "two", "text"]);
    assert_eq!(dataset.files()[1].bytes, 1656);
    assert_eq!(dataset.files()[1].sha256.len(), 64);
}

#[test]
fn another_layout_is_told_with_its_column_and_what_is_read() {
    let expected = [
        (
            "questions.parquet",
            "it has none of the columns conversations, messages, conversation, texts; it has question, answer",
        ),
        (
            "strings.parquet",
            "column `conversations`: it is no list of turns; each is a struct",
        ),
        (
            "numbers.parquet",
            "column `image`: it holds no images; an image is a struct of `bytes`",
        ),
        ("brotli.parquet", "column `conversations`, row 0: broken: "),
    ];
    for (name, message) in expected {
        let said = refuse(&source(name));
        assert!(said.starts_with(&format!("{name}: {message}")), "{said}");
    }
    assert_eq!(
        refuse(&source("system.parquet")),
        "system.parquet: sample `1`: column `messages`, row 1: turn 1 is by `system`; the roles are human, user, gpt and assistant"
    );
}

#[test]
fn rows_that_cannot_be_used_are_left_out_if_asked() {
    let dataset = Dataset::open(&DataSource {
        on_bad_sample: OnBadSample::Skip,
        ..source("system.parquet")
    });
    let dataset = dataset.expect("two are good");
    assert_eq!(dataset.len(), 2);
    let left_out: Vec<(&str, Fault)> = dataset
        .left_out()
        .iter()
        .map(|bad| (bad.id.as_str(), bad.fault))
        .collect();
    assert_eq!(left_out, [("1", Fault::Text), ("2", Fault::Text)]);
    assert_eq!(
        dataset.left_out()[1].reason,
        "column `messages`, row 2: turn 1 has no text"
    );
    assert_eq!(dataset.sample(1).turns[0].role, Role::Human);
}

/// Opens a file and reads all its images; what comes is not looked at.
fn use_up(path: PathBuf) -> Result<(), DataError> {
    let dataset = Dataset::open(&DataSource {
        paths: vec![path],
        images: Some(fixture("images")),
        ..DataSource::default()
    })?;
    (0..dataset.len()).try_for_each(|index| dataset.images(index).map(drop))
}

#[test]
fn a_file_cut_short_or_damaged_is_an_error_or_read_and_never_a_panic() {
    let folder = Folder::new();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut refused = 0;
    let names = [
        "datasets.parquet",
        "messages-zstd.parquet",
        "lists-lz4.parquet",
        "nulls-snappy.parquet",
        "many.parquet",
    ];
    for name in names {
        let whole = fs::read(fixture("parquet").join(name)).expect("the fixture");
        for _ in 0..12 {
            let length = random.random_range(0..whole.len());
            let path = folder.write(name, &whole[..length]);
            let error = use_up(path).expect_err("the footer is gone");
            let message = folder.message(&error);
            assert!(message.starts_with(&format!("{name}: broken")), "{message}");
        }
        // Most of what matters lies at the end: the schema and the places of all columns.
        for round in 0..ROUNDS {
            let mut bytes = whole.clone();
            let from = if round % 2 == 0 {
                0
            } else {
                bytes.len() - bytes.len() / 4
            };
            for _ in 0..=round % 3 {
                let place = random.random_range(from..bytes.len());
                bytes[place] ^= 1 << random.random_range(0..8);
            }
            let path = folder.write(name, &bytes);
            if let Err(error) = use_up(path) {
                let message = folder.message(&error);
                assert!(message.contains(name), "{message}");
                refused += 1;
            }
        }
    }
    assert!(refused > names.len() * ROUNDS / 4, "{refused}");
}

/// Damaged copies of each file.
const ROUNDS: usize = 60;
