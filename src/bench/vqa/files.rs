//! VQA's files, and LLaVA's files of the same questions.

use std::collections::HashMap;
use std::path::Path;

use menagerie_core::benchmark::{Files, FilesError, Item, read_json};
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

use crate::bench::short_answer::{
    ANSWERS, LlavaLine, file_name, find_any, image_folder, item, named,
};

/// The field with the kind of answer: `yes/no`, `number` or `other`.
pub(super) const ANSWER_TYPE: &str = "answer_type";

/// The field that says which split a question is of.
pub(super) const SPLIT: &str = "split";

/// A split of VQA v2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(crate = "menagerie_core::schemars")]
pub(super) enum Split {
    #[serde(rename = "train2014")]
    Train,
    #[default]
    #[serde(rename = "val2014")]
    Val,
    /// Its answers are not published.
    #[serde(rename = "test-dev2015")]
    TestDev,
    /// Its answers are not published; those of `test-dev2015` are among them.
    #[serde(rename = "test2015")]
    Test,
}

impl Split {
    const ALL: [Self; 4] = [Self::Train, Self::Val, Self::TestDev, Self::Test];

    const fn name(self) -> &'static str {
        match self {
            Self::Train => "train2014",
            Self::Val => "val2014",
            Self::TestDev => "test-dev2015",
            Self::Test => "test2015",
        }
    }

    /// The folder of the split's images, and a part of their names.
    const fn images(self) -> &'static str {
        match self {
            Self::TestDev => "test2015",
            other => other.name(),
        }
    }

    const fn has_annotations(self) -> bool {
        matches!(self, Self::Train | Self::Val)
    }

    fn questions(self) -> String {
        format!("v2_OpenEnded_mscoco_{}_questions.json", self.name())
    }

    fn annotations(self) -> String {
        format!("v2_mscoco_{}_annotations.json", self.name())
    }

    fn llava(self) -> String {
        format!("llava_vqav2_mscoco_{}.jsonl", self.name())
    }

    /// The split whose questions a file of this name has.
    fn of_file(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|split| name == split.questions() || name == split.llava())
    }
}

#[derive(Debug, Deserialize)]
struct Questions {
    questions: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    question_id: i64,
    image_id: u64,
    question: String,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    annotations: Vec<Annotation>,
}

#[derive(Debug, Deserialize)]
struct Annotation {
    question_id: i64,
    #[serde(default)]
    answer_type: String,
    multiple_choice_answer: String,
    answers: Vec<Person>,
}

#[derive(Debug, Deserialize)]
struct Person {
    answer: String,
}

/// The questions of the file that the user names, or of the split in a folder of theirs; with their
/// answers, where these are published.
pub(super) fn read(files: &Files<'_>, split: Split) -> Result<Vec<Item>, FilesError> {
    let own = named(files, |name| Split::of_file(name).is_some());
    let path = own.map_or_else(
        || find_any(files, &[&split.questions(), &split.llava()]),
        Ok,
    )?;
    let split = Split::of_file(file_name(&path)).unwrap_or(split);
    let images = image_folder(files, &path, &[split.images()]);
    let mut items = if file_name(&path) == split.llava() {
        of_llava(&path, &images)?
    } else {
        of_vqa(&path, &images, split)?
    };
    if split.has_annotations() {
        annotate(&mut items, &files.find(&split.annotations())?)?;
    }
    let with_split = |item: Item| item.with_field(SPLIT, split.name());
    Ok(items.into_iter().map(with_split).collect())
}

fn of_vqa(path: &Path, images: &Path, split: Split) -> Result<Vec<Item>, FilesError> {
    let Questions { questions } = read_json(path)?;
    let item = |line: Line| {
        let image = format!("COCO_{}_{:012}.jpg", split.images(), line.image_id);
        item(
            line.question_id.to_string(),
            &line.question,
            images.join(image),
        )
    };
    Ok(questions.into_iter().map(item).collect())
}

fn of_llava(path: &Path, images: &Path) -> Result<Vec<Item>, FilesError> {
    let lines = LlavaLine::read(path)?;
    let item = |(_, line): (usize, LlavaLine)| line.item(line.question_id.to_string(), images);
    Ok(lines.into_iter().map(item).collect())
}

/// Gives every question its answers.
fn annotate(items: &mut [Item], path: &Path) -> Result<(), FilesError> {
    let Annotations { annotations } = read_json(path)?;
    let mut by_id: HashMap<String, Annotation> = annotations
        .into_iter()
        .map(|annotation| (annotation.question_id.to_string(), annotation))
        .collect();
    for item in items {
        let Some(annotation) = by_id.remove(&item.id) else {
            let reason = "it has no annotation: the two files are not of one split";
            return Err(FilesError::content(
                path,
                format!("question {}", item.id),
                reason,
            ));
        };
        let people = annotation.answers.into_iter().map(|person| person.answer);
        item.truth = annotation.multiple_choice_answer;
        item.fields.insert(ANSWERS.to_owned(), people.collect());
        item.fields
            .insert(ANSWER_TYPE.to_owned(), annotation.answer_type.into());
    }
    Ok(())
}
