//! ScienceQA's files: `problems.json`, `pid_splits.json` and a folder of images.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{Files, FilesError, Item, ItemImage, read_json};
use menagerie_core::chat::IMAGE_MARK;
use serde::Deserialize;

use super::reading::Letter;
use super::{ScienceQa, Second, results};

/// The field of the number of options.
pub(super) const CHOICES: &str = "choices";
/// The field that says whether there is a hint.
pub(super) const HAS_TEXT: &str = "has text";
/// The field that says whether there is an image.
pub(super) const HAS_IMAGE: &str = "has image";
/// The field of the question without what is said to a model about how to answer.
pub(super) const ASKED: &str = "problem";
/// The field of the second model's answer.
pub(super) const SECOND: &str = "second";

/// A problem, as far as it is used.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Problem {
    pub question: String,
    pub choices: Vec<String>,
    /// The right choice, from 0.
    pub answer: usize,
    #[serde(default)]
    pub hint: String,
    /// The name of its image, in a folder of its own.
    pub image: Option<String>,
    #[serde(default)]
    pub grade: String,
    #[serde(default)]
    pub subject: String,
    #[serde(default)]
    pub topic: String,
    #[serde(default)]
    pub lecture: String,
    #[serde(default)]
    pub solution: String,
    /// `train`, `val` or `test`: the folder of its image.
    #[serde(default)]
    pub split: String,
}

/// Captions by problem.
#[derive(Debug, Default, Deserialize)]
struct Captions {
    captions: HashMap<String, String>,
}

/// The problems of a split, in its order.
pub(super) struct Problems {
    path: PathBuf,
    ids: Vec<String>,
    by_id: HashMap<String, Problem>,
}

impl Problems {
    /// # Errors
    /// A file is missing or in another form, or has no such split.
    pub(super) fn of(files: &Files<'_>, split: &str) -> Result<Self, FilesError> {
        let splits_path = files.find("pid_splits.json")?;
        let mut splits: BTreeMap<String, Vec<String>> = read_json(&splits_path)?;
        let ids = splits.remove(split).ok_or_else(|| {
            let names: Vec<_> = splits.into_keys().collect();
            let reason = format!("there is no such split; there are {}", names.join(", "));
            FilesError::content(&splits_path, split, reason)
        })?;
        let path = files.find("problems.json")?;
        let by_id = read_json(&path)?;
        Ok(Self { path, ids, by_id })
    }

    /// Each with its id and the letter of its right choice.
    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = Result<(&str, &Problem, Letter), FilesError>> {
        self.ids.iter().map(|id| {
            let problem = self.by_id.get(id);
            let problem = problem.ok_or_else(|| {
                FilesError::content(&self.path, id, "the split names it and it is not here")
            })?;
            let letter = Letter::at(problem.answer).filter(|_| {
                problem.answer < problem.choices.len()
                    && Letter::at(problem.choices.len() - 1).is_some()
            });
            let letter = letter.ok_or_else(|| {
                let (answer, count) = (problem.answer, problem.choices.len());
                let reason = format!(
                    "the answer is choice {answer} of {count}; a problem has up to five, numbered \
                     from 0"
                );
                FilesError::content(&self.path, id, reason)
            })?;
            Ok((id.as_str(), problem, letter))
        })
    }

    /// The file of a problem's image: below the folder that the user names, else beside the
    /// problems, where the data are published with a folder a split and where they are without.
    pub(super) fn image(
        &self,
        images: Option<&Path>,
        id: &str,
        problem: &Problem,
    ) -> Option<PathBuf> {
        let name = Path::new(id).join(problem.image.as_deref()?);
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let folders = match images {
            Some(folder) => vec![folder.to_owned()],
            None => vec![beside.join("images"), beside.to_owned()],
        };
        let places = folders
            .iter()
            .flat_map(|folder| [folder.join(&problem.split).join(&name), folder.join(&name)]);
        let mut places = places.peekable();
        let first = places.peek().cloned();
        places.find(|place| place.is_file()).or(first)
    }
}

pub(super) fn read(files: &Files<'_>, options: &ScienceQa) -> Result<Vec<Item>, FilesError> {
    let problems = Problems::of(files, &options.split)?;
    let captions = options.captions.as_deref().map(|path| {
        files.note(path);
        read_json::<Captions>(path)
    });
    let captions = captions.transpose()?.unwrap_or_default().captions;
    let second = match &options.second {
        None => None,
        Some(Second::Complement(path) | Second::Judge(path)) => {
            files.note(path);
            let answers = results::read(path)?.into_iter();
            let answers = answers.map(|answer| (answer.id, answer.answer));
            Some((path, answers.collect::<HashMap<_, _>>()))
        }
    };
    let mut items = Vec::new();
    for problem in problems.iter() {
        let (id, problem, letter) = problem?;
        let caption = captions.get(id).map(String::as_str);
        let asked = options.format.question(problem, caption);
        let image = problems.image(files.images, id, problem);
        let mark = image.as_ref().map(|_| format!("{IMAGE_MARK}\n"));
        let instruction = options.format.instruction();
        let instruction = instruction.map(|text| format!("\n{text}"));
        let turn = [mark, Some(asked.clone()), instruction];
        let mut item = Item::new(id, turn.into_iter().flatten().collect::<String>())
            .with_truth(letter.to_string())
            .with_field(CHOICES, problem.choices.len())
            .with_field(HAS_TEXT, !problem.hint.is_empty())
            .with_field(HAS_IMAGE, image.is_some())
            .with_field("subject", problem.subject.as_str())
            .with_field("topic", problem.topic.as_str())
            .with_field("grade", problem.grade.as_str())
            .with_field(ASKED, asked);
        if let Some(image) = image {
            item = item.with_image(ItemImage::File(image));
        }
        if let Some((path, answers)) = &second {
            let answer = answers.get(id).ok_or_else(|| {
                FilesError::content(path, id, "the second model gave no answer to this problem")
            })?;
            item = item.with_field(SECOND, answer.as_str());
        }
        items.push(item);
    }
    Ok(items)
}
