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

#[test]
fn figures_under_another_rule_are_called_otherwise() {
    let published = include_str!("rule.json");
    let names = |rule: &str| {
        let (_folder, path) = written("rule.json", rule);
        let benchmark = LlavaBenchCoco { rule: Some(path) };
        let items = items(&benchmark, &fixtures("coco")).expect("fixtures");
        let answers = [Answer::new("It is.").reviewed(Some("8 7"))];
        let figures = benchmark.figures(&marked(&benchmark, &items, &answers));
        figures
            .into_iter()
            .map(|figure| figure.name)
            .collect::<Vec<_>>()
    };
    let same = [
        "overall",
        "conv",
        "overall, reference",
        "overall, model",
        "conv, reference",
        "conv, model",
    ];
    assert_eq!(names(published), same);
    let value: Value = serde_json::from_str(published).expect("JSON");
    assert_eq!(
        names(&value.to_string()),
        same,
        "the file's spacing does not matter"
    );
    let of_wild = published.replace("a few sentences", "some sentences");
    assert_eq!(
        names(&of_wild),
        same,
        "COCO's judge reads no rule of the other's"
    );

    let stricter = names(&published.replace("1 to 10", "one to ten"));
    let (_, hash) = stricter[0].split_once("overall (rule ").expect("a note");
    assert_eq!(hash.len(), "0123abcd)".len());
    assert_eq!(stricter[3], format!("overall, model (rule {hash}"));
    let other = names(&published.replace("\"Assistant\"", "\"Model\""));
    assert_ne!(stricter[0], other[0]);
}
