//! Data as a user has it: JSON files, image folders and shards, whole and broken.
#![cfg(feature = "cli")]

#[path = "data/broken.rs"]
mod broken;
#[path = "data/check.rs"]
mod check;
#[path = "data/loading.rs"]
mod loading;
#[path = "data/order.rs"]
mod order;
#[path = "data/parquet.rs"]
mod parquet;
#[path = "data/scienceqa.rs"]
mod scienceqa;
#[path = "data/show.rs"]
mod show;
#[path = "data/skip.rs"]
mod skip;
mod tiny;

use std::error::Error;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use menagerie::data::{DataError, DataSource, Dataset};
use menagerie::tokens::Tokenizer;
use serde_json::{Value, json};
use tempfile::TempDir;

static LLAMA: LazyLock<Tokenizer> =
    LazyLock::new(|| Tokenizer::from_json(&llama_json()).expect("LLaMA's tokenizer"));

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn llama_json() -> Vec<u8> {
    let file = fs::File::open(fixture("tokens/tokenizer.json.gz")).expect("the fixture");
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut json)
        .expect("whole");
    json
}

fn image(name: &str) -> Vec<u8> {
    fs::read(fixture("images").join(name)).expect("the fixture")
}

/// A folder that is removed at the end of the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    /// Opens the file with this folder as the image folder.
    fn open(&self, name: &str) -> Result<Dataset, DataError> {
        Dataset::open(&DataSource {
            paths: vec![self.path().join(name)],
            images: Some(self.path().to_owned()),
            ..DataSource::default()
        })
    }

    /// Writes a JSON file, opens it and gives the error without the folder's path.
    fn refuse(&self, name: &str, text: &str) -> String {
        self.write(name, text);
        self.message(&self.open(name).expect_err("refused"))
    }

    /// An error and its causes, without the folder's path.
    fn message(&self, error: &DataError) -> String {
        let mut causes = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let path = format!("{}/", self.path().display());
        causes.join(": ").replace(&path, "")
    }
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, *bytes)
            .expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast())
        .read_to_end(&mut packed)
        .expect("in memory");
    packed
}

fn says(turns: &[&str]) -> Value {
    let speakers = ["human", "gpt"].into_iter().cycle();
    let turns = speakers
        .zip(turns)
        .map(|(from, value)| json!({"from": from, "value": value}));
    turns.collect()
}
