//! POPE's files, and LLaVA's file of the same questions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{Files, FilesError, Item, Prediction, Question, read_json_lines};
use serde::Deserialize;

use crate::bench::short_answer::{
    Id, LlavaLine, Record, file_name, find_any, image_folder, item, named, records,
};

/// The field that says which split a question is of.
pub(super) const SPLIT: &str = "split";

const SPLITS: [&str; 3] = ["random", "popular", "adversarial"];
const LLAVA: &str = "llava_pope_test.jsonl";
const IMAGES: [&str; 1] = ["val2014"];

/// A line of `coco_pope_random.json` and its kin.
#[derive(Debug, Deserialize)]
struct Line {
    question_id: Id,
    image: String,
    text: String,
    label: Label,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Label {
    Yes,
    No,
}

impl Label {
    const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

/// A file of one split.
struct Split {
    name: &'static str,
    path: PathBuf,
    lines: Vec<Line>,
}

impl Split {
    fn read(name: &'static str, path: PathBuf) -> Result<Self, FilesError> {
        let lines = read_json_lines(&path)?;
        let lines = lines.into_iter().map(|(_, line)| line).collect();
        Ok(Self { name, path, lines })
    }
}

/// The split of a question; empty if its data are not POPE's.
pub(super) fn split_of<'a>(question: &Question<'a>) -> &'a str {
    question.word(SPLIT)
}

/// The questions of all splits: as LLaVA asks them where its file is there, else as POPE has them.
pub(super) fn read(files: &Files<'_>) -> Result<Vec<Item>, FilesError> {
    let splits = splits(files)?;
    match files.find(LLAVA) {
        Ok(path) => of_llava(files, &path, &splits),
        Err(_) => Ok(of_pope(files, &splits)),
    }
}

/// All splits of a folder, or those whose files the user names.
fn splits(files: &Files<'_>) -> Result<Vec<Split>, FilesError> {
    let folder = files.paths.iter().any(|path| path.is_dir());
    let (mut splits, mut missing) = (Vec::new(), None);
    for name in SPLITS {
        let own = named(files, |file| split_in_name(file) == Some(name));
        let published = format!("coco_pope_{name}.json");
        let found = own.map_or_else(
            || find_any(files, &[&published, &format!("coco/{published}")]),
            Ok,
        );
        match found {
            Ok(path) => splits.push(Split::read(name, path)?),
            Err(error) if folder => return Err(error),
            Err(error) => missing = missing.or(Some(error)),
        }
    }
    match missing {
        Some(error) if splits.is_empty() => Err(error),
        _ => Ok(splits),
    }
}

/// `random` of `coco_pope_random.json`, and likewise of files that POPE's program built of other images.
fn split_in_name(file: &str) -> Option<&'static str> {
    let stem = file.strip_suffix(".json")?;
    let mut splits = SPLITS.into_iter();
    splits.find(|split| {
        let rest = stem.strip_suffix(split);
        rest.is_some_and(|rest| rest.ends_with('_') && rest.contains("pope"))
    })
}

fn of_pope(files: &Files<'_>, splits: &[Split]) -> Vec<Item> {
    let items = splits.iter().flat_map(|split| {
        let images = image_folder(files, &split.path, &IMAGES);
        split.lines.iter().map(move |line| {
            let id = format!("{}/{}", split.name, line.question_id);
            item(id, &line.text, images.join(&line.image))
                .with_truth(line.label.name())
                .with_field(SPLIT, split.name)
        })
    });
    items.collect()
}

/// LLaVA's file has no labels: the n-th question of a category has the n-th label of the split.
fn of_llava(files: &Files<'_>, path: &Path, splits: &[Split]) -> Result<Vec<Item>, FilesError> {
    let images = image_folder(files, path, &IMAGES);
    let mut next: HashMap<&str, usize> = HashMap::new();
    let mut items = Vec::new();
    for (number, line) in LlavaLine::read(path)? {
        let Some(split) = splits.iter().find(|split| split.name == line.category) else {
            if SPLITS.contains(&&*line.category) {
                // The user names the files of other splits.
                continue;
            }
            let reason = format!(
                "`category` is `{}`; it must be {}",
                line.category,
                SPLITS.join(" or ")
            );
            return Err(FilesError::content(path, number, reason));
        };
        let place = next.entry(split.name).or_default();
        let known = split.lines.get(*place);
        let known = known.filter(|known| {
            known.image == line.image && line.text.starts_with(known.text.as_str())
        });
        *place += 1;
        let known = known.ok_or_else(|| {
            let reason = format!(
                "this is not question {place} of {}: take that file at commit e3e3926 of \
                 github.com/RUCAIBox/POPE, as LLaVA did",
                split.path.display()
            );
            FilesError::content(path, number, reason)
        })?;
        let item = line.item(line.question_id.to_string(), &images);
        items.push(
            item.with_truth(known.label.name())
                .with_field(SPLIT, split.name),
        );
    }
    Ok(items)
}

/// Answers in LLaVA's form, or in POPE's: a line for each question of the split that the file's name
/// has in it, in their order and without ids.
pub(super) fn predictions(path: &Path) -> Result<Vec<Prediction>, FilesError> {
    let records = records(path)?;
    let split = SPLITS
        .into_iter()
        .find(|split| file_name(path).contains(split));
    let prediction = |(number, record): (usize, &Record)| {
        let id = match (record.id(path), split) {
            (Ok(id), _) => id,
            (Err(_), Some(split)) => format!("{split}/{number}"),
            (Err(no_id), None) => return Err(no_id),
        };
        Ok(Prediction::new(id, record.answer(path)?))
    };
    (1..).zip(&records).map(prediction).collect()
}
