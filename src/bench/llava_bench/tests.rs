//! What the tests share.

mod files;
mod parity;
mod scores;

use std::fs;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{
    Answer, Benchmark, Figure, Files, FilesError, Item, Marked, Question,
};
use tempfile::TempDir;

/// The fixtures of one edition, or those of both.
fn fixtures(folder: &str) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/llava-bench");
    all.join(folder)
}

fn items(benchmark: &impl Benchmark, folder: &Path) -> Result<Vec<Item>, FilesError> {
    let paths = [folder.to_owned()];
    let read = benchmark.read(&Files::new(&paths, None));
    read.expect("it reads files of its own")
}

/// The given answers, one for each of the first items.
fn marked<'a>(
    benchmark: &impl Benchmark,
    items: &'a [Item],
    answers: &[Answer<'a>],
) -> Vec<Marked<'a>> {
    let pairs = items.iter().zip(answers);
    let mark = pairs.map(|(item, answer)| {
        let question = Question::new(&item.id, &item.turns, &item.truth).with_fields(&item.fields);
        let mark = benchmark.mark(&question, answer);
        Marked::new(question, *answer, mark, benchmark.fault(&question, answer))
    });
    mark.collect()
}

/// Items of which nothing but the category matters.
fn of_categories(names: &[&str]) -> Vec<Item> {
    let items = (0..).zip(names);
    let item = |(id, category): (u32, &&str)| {
        Item::new(id.to_string(), "What is it?").with_field("category", *category)
    };
    items.map(item).collect()
}

fn figure<'a>(figures: &'a [Figure], name: &str) -> &'a Figure {
    let found = figures.iter().find(|figure| figure.name == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {figures:?}"))
}

fn written(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file");
    (folder, path)
}
