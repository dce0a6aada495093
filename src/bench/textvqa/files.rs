//! `TextVQA`'s file, and LLaVA's file of the same questions.

use std::collections::HashMap;
use std::path::Path;

use menagerie_core::benchmark::{Files, FilesError, Item, Prediction, read_json};
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

use crate::bench::short_answer::{
    ANSWERS, LlavaLine, Record, file_name, image_folder, item, named, records,
};

/// The field with `TextVQA`'s number of a question, where its id is another.
pub(super) const QUESTION_ID: &str = "question_id";

/// The field that says which split a question is of.
pub(super) const SPLIT: &str = "split";

const LLAVA: &str = "llava_textvqa_val_v051_ocr.jsonl";

/// A split of `TextVQA` 0.5.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "menagerie_core::schemars")]
pub(super) enum Split {
    Train,
    #[default]
    Val,
    /// Its answers are not published.
    Test,
}

impl Split {
    const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    fn file(self) -> String {
        format!("TextVQA_0.5.1_{}.json", self.name())
    }

    fn of_file(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|split| name == split.file())
    }

    /// Its images' folder as published: those of `val` are among those of `train`.
    const fn images(self) -> &'static str {
        match self {
            Self::Train | Self::Val => "train_images",
            Self::Test => "test_images",
        }
    }
}

#[derive(Debug, Deserialize)]
struct Published {
    data: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    question_id: i64,
    image_id: String,
    question: String,
    #[serde(default)]
    answers: Option<Vec<String>>,
}

impl Entry {
    /// What is known of the answer, written into a question.
    fn annotate(&self, mut item: Item, split: Split) -> Item {
        if let Some(answers) = &self.answers {
            most_frequent(answers).clone_into(&mut item.truth);
            item = item.with_field(ANSWERS, answers.clone());
        }
        item.with_field(SPLIT, split.name())
    }
}

/// The answer that most people gave, the first of those that as many gave.
fn most_frequent(answers: &[String]) -> &str {
    let count = |said: &String| answers.iter().filter(|answer| *answer == said).count();
    let most = answers.iter().rev().max_by_key(|answer| count(answer));
    most.map_or("", String::as_str)
}

/// The questions of the file that the user names, or of the split in a folder of theirs; as LLaVA asks
/// them where its file is there too.
pub(super) fn read(files: &Files<'_>, split: Split) -> Result<Vec<Item>, FilesError> {
    let own = named(files, |name| Split::of_file(name).is_some());
    let path = own.map_or_else(|| files.find(&split.file()), Ok)?;
    let split = Split::of_file(file_name(&path)).unwrap_or(split);
    let Published { data } = read_json(&path)?;
    let llava = match split {
        Split::Val => files.find(LLAVA).ok(),
        Split::Train | Split::Test => None,
    };
    if let Some(llava) = llava {
        return of_llava(files, &llava, &path, &data);
    }
    let images = image_folder(files, &path, &[split.images()]);
    let item = |entry: &Entry| {
        let image = images.join(format!("{}.jpg", entry.image_id));
        entry.annotate(
            item(entry.question_id.to_string(), &entry.question, image),
            split,
        )
    };
    Ok(data.iter().map(item).collect())
}

/// LLaVA's questions have their image's id: the question itself tells which of the image's it is.
fn of_llava(
    files: &Files<'_>,
    path: &Path,
    published: &Path,
    data: &[Entry],
) -> Result<Vec<Item>, FilesError> {
    let images = image_folder(files, path, &[Split::Val.images()]);
    let by_key: HashMap<String, &Entry> = data
        .iter()
        .map(|entry| (key(&entry.image_id, &entry.question), entry))
        .collect();
    let item = |(number, line): (usize, LlavaLine)| {
        let question = question_of(&line.text).ok_or_else(|| {
            FilesError::content(path, number, "`text` is in none of LLaVA's forms")
        })?;
        let id = key(&line.question_id.to_string(), question);
        let entry = by_key.get(&id).ok_or_else(|| {
            let reason = format!("{} has no such question of this image", published.display());
            FilesError::content(path, number, reason)
        })?;
        let item = line.item(id, &images);
        let item = item.with_field(QUESTION_ID, entry.question_id.to_string());
        Ok(entry.annotate(item, Split::Val))
    };
    LlavaLine::read(path)?.into_iter().map(item).collect()
}

/// The id of a question that LLaVA asks.
fn key(image: &str, question: &str) -> String {
    format!("{image} {}", question.to_lowercase())
}

/// The question in a text that LLaVA asks: alone, with the words of an OCR on a line before or behind
/// it, or as `InstructBLIP` is asked (`prompt_processor` of `eval_textvqa.py`).
fn question_of(prompt: &str) -> Option<&str> {
    if prompt.starts_with("OCR tokens: ") {
        let (_, rest) = prompt.split_once("Question: ")?;
        return Some(rest.split_once(" Short answer:")?.0);
    }
    let lines: Vec<&str> = prompt.split('\n').collect();
    match lines[..] {
        [first, second, _] if prompt.contains("Reference OCR token: ") => {
            let ocr_first = first.starts_with("Reference OCR token:");
            Some(if ocr_first { second } else { first })
        }
        [question, _] => Some(question),
        _ => None,
    }
}

/// Answers as `TextVQA`'s server takes them, or in LLaVA's form, where the id is the image's and the
/// prompt has the question.
pub(super) fn predictions(path: &Path) -> Result<Vec<Prediction>, FilesError> {
    let records = records(path)?;
    let prediction = |record: &Record| {
        let mut id = record.id(path)?;
        if let Some(question) = record.word(&["prompt"]).as_deref().and_then(question_of) {
            id = key(&id, question);
        }
        Ok(Prediction::new(id, record.answer(path)?))
    };
    records.iter().map(prediction).collect()
}
