//! The published files -> questions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{Files, FilesError, Item, ItemImage, read_json_lines};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Edition;
use super::rule::{Rule, Rules};

/// COCO's own names of the images of 2014 have this before the number.
const COCO_2014: &str = "COCO_val2014_";

/// An id, which reviews repeat as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged, expecting = "an id must be a whole number or a text")]
enum Id {
    Number(i64),
    Text(String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl From<&Id> for Value {
    fn from(id: &Id) -> Self {
        match id {
            Id::Number(number) => (*number).into(),
            Id::Text(text) => text.as_str().into(),
        }
    }
}

/// A line of the questions.
#[derive(Deserialize)]
struct Asked {
    question_id: Id,
    image: String,
    text: String,
    category: String,
}

/// A line of GPT-4's answers.
#[derive(Deserialize)]
struct Reference {
    question_id: Id,
    text: String,
    answer_id: Option<Id>,
}

/// What a question's fields hold.
pub(super) struct Known<'a> {
    pub question_id: Value,
    /// The reference's id.
    pub answer1_id: Value,
    /// The question as it was published.
    pub text: &'a str,
    /// What the judge reads in place of the image.
    pub context: &'a str,
    pub category: &'a str,
    pub rule: &'a Rule,
    /// The name of the rules, if they are not the original's.
    pub other_rule: Option<&'a str>,
}

impl Known<'_> {
    pub fn fields(&self, edition: &Edition) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("question_id".into(), self.question_id.clone());
        fields.insert("answer1_id".into(), self.answer1_id.clone());
        let review_category = format!("{}{}", edition.prefix, self.category);
        let texts = [
            ("text", self.text),
            ("context", self.context),
            ("category", self.category),
            ("review_category", review_category.as_str()),
            ("role", &self.rule.role),
            ("rule", &self.rule.prompt),
        ];
        let other_rule = self.other_rule.map(|name| ("other_rule", name));
        for (name, text) in texts.into_iter().chain(other_rule) {
            fields.insert(name.into(), text.into());
        }
        fields
    }
}

/// All questions, in the order of their file.
pub(super) fn items(
    edition: &Edition,
    rule: Option<&Path>,
    files: &Files<'_>,
) -> Result<Vec<Item>, FilesError> {
    let rules = match rule {
        None => Rules::published(),
        Some(path) => {
            files.note(path);
            Rules::read(path)?
        }
    };
    let other_rule = rules.other(edition);
    let path = files.find(edition.questions)?;
    let references_path = files.find(edition.references)?;
    let contexts_path = files.find(edition.contexts)?;
    let references = references(&references_path)?;
    let contexts = (edition.read_contexts)(&contexts_path)?;
    let images = image_folder(edition, files, &path);

    let lines = read_json_lines::<Asked>(&path)?;
    let item = |(line, asked): (usize, Asked)| {
        let wrong = |reason: String| FilesError::content(&path, line, reason);
        let reference = references.get(&asked.question_id).ok_or_else(|| {
            let file = references_path.display();
            wrong(format!(
                "{file} has no answer to question {}",
                asked.question_id
            ))
        })?;
        let context = contexts.get(&asked.image).ok_or_else(|| {
            let file = contexts_path.display();
            wrong(format!(
                "{file} has no context of the image `{}`",
                asked.image
            ))
        })?;
        let rule = rules.get(edition, &asked.category).map_err(&wrong)?;
        let known = Known {
            question_id: (&asked.question_id).into(),
            answer1_id: reference
                .answer_id
                .as_ref()
                .unwrap_or(&asked.question_id)
                .into(),
            text: &asked.text,
            context,
            category: &asked.category,
            rule,
            other_rule: other_rule.as_deref(),
        };
        // `model_vqa.py` puts the image first.
        let question = format!("<image>\n{}", asked.text);
        let mut item = Item::new(asked.question_id.to_string(), question)
            .with_truth(&reference.text)
            .with_image(ItemImage::File(image(&images, &asked.image)));
        item.fields = known.fields(edition);
        Ok(item)
    };
    lines.into_iter().map(item).collect()
}

fn references(path: &Path) -> Result<HashMap<Id, Reference>, FilesError> {
    let mut references = HashMap::new();
    for (line, reference) in read_json_lines::<Reference>(path)? {
        let id = reference.question_id.clone();
        if references.insert(id.clone(), reference).is_some() {
            let reason = format!("a second answer to question {id}");
            return Err(FilesError::content(path, line, reason));
        }
    }
    Ok(references)
}

/// The folder that the user names, or one of the usual ones beside the questions, or theirs.
fn image_folder(edition: &Edition, files: &Files<'_>, questions: &Path) -> PathBuf {
    let beside = questions.parent().unwrap_or(Path::new(""));
    let mut usual = edition.images.iter().map(|name| beside.join(name));
    match files.images {
        Some(named) => named.to_owned(),
        None => usual
            .find(|folder| folder.is_dir())
            .unwrap_or_else(|| beside.to_owned()),
    }
}

/// An image's file: under the name that the questions have, or COCO's.
fn image(folder: &Path, name: &str) -> PathBuf {
    let coco = folder.join(format!("{COCO_2014}{name}"));
    if coco.exists() {
        coco
    } else {
        folder.join(name)
    }
}
