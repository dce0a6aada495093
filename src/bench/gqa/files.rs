//! GQA's files, and LLaVA's file of the same questions.

use std::collections::HashMap;
use std::path::Path;

use menagerie_core::benchmark::{Files, FilesError, Item, read_json};
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::entries::Entries;
use super::field::{BALANCED, ENTAILED, GROUP, PLAUSIBLE, SEMANTIC, SPLIT, STRUCTURAL, VALID};
use crate::bench::short_answer::{LlavaLine, file_name, find_any, image_folder, item, named};

const LLAVA: &str = "llava_gqa_testdev_balanced.jsonl";
const IMAGES: [&str; 3] = ["images", "data/images", "../images"];

/// A file of GQA's questions, called as its file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(crate = "menagerie_core::schemars")]
pub(super) enum Split {
    #[default]
    TestdevBalanced,
    TestdevAll,
    ValBalanced,
    /// The one with which consistency can be told.
    ValAll,
    /// Its answers are not published.
    TestBalanced,
    /// What GQA's server takes; most of its answers are not published.
    SubmissionAll,
}

impl Split {
    const ALL: [Self; 6] = [
        Self::TestdevBalanced,
        Self::TestdevAll,
        Self::ValBalanced,
        Self::ValAll,
        Self::TestBalanced,
        Self::SubmissionAll,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::TestdevBalanced => "testdev_balanced",
            Self::TestdevAll => "testdev_all",
            Self::ValBalanced => "val_balanced",
            Self::ValAll => "val_all",
            Self::TestBalanced => "test_balanced",
            Self::SubmissionAll => "submission_all",
        }
    }

    fn questions(self) -> String {
        format!("{}_questions.json", self.name())
    }

    /// Which answers are valid and which plausible: a file that release 1.2 of GQA lacks.
    fn choices(self) -> String {
        let tier = self.name().split('_').next().unwrap_or_default();
        format!("{tier}_choices.json")
    }

    fn of_file(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|split| name == split.questions())
    }
}

/// A question as GQA writes it; its id is the key before it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    question: String,
    image_id: String,
    #[serde(default)]
    answer: Option<String>,
    #[serde(default)]
    is_balanced: Option<bool>,
    #[serde(default)]
    types: Types,
    #[serde(default)]
    groups: Groups,
    #[serde(default)]
    entailed: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Types {
    structural: Option<String>,
    semantic: Option<String>,
    detailed: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Groups {
    global: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Choices {
    valid: Vec<String>,
    plausible: Vec<String>,
}

/// The questions of the file that the user names, or of the split in a folder of theirs; as LLaVA asks
/// them where its file is there too.
pub(super) fn read(files: &Files<'_>, split: Split) -> Result<Vec<Item>, FilesError> {
    let own = named(files, |name| Split::of_file(name).is_some());
    let name = split.questions();
    let path = own.map_or_else(|| find_any(files, &[&name, &format!("data/{name}")]), Ok)?;
    let split = Split::of_file(file_name(&path)).unwrap_or(split);
    let Entries(written) = read_json::<Entries<Written>>(&path)?;
    let choices: HashMap<String, Choices> = match files.find(&split.choices()) {
        Ok(path) => read_json(&path)?,
        Err(_) => HashMap::new(),
    };
    let known = Known { split, choices };
    let llava = match split {
        Split::TestdevBalanced => files.find(LLAVA).ok(),
        _ => None,
    };
    if let Some(llava) = llava {
        return of_llava(files, &llava, &path, &written, &known);
    }
    let images = image_folder(files, &path, &IMAGES);
    let item = |(id, written): &(String, Written)| {
        let image = images.join(format!("{}.jpg", written.image_id));
        known.add(item(id, &written.question, image), id, written)
    };
    Ok(written.iter().map(item).collect())
}

fn of_llava(
    files: &Files<'_>,
    path: &Path,
    published: &Path,
    written: &[(String, Written)],
    known: &Known,
) -> Result<Vec<Item>, FilesError> {
    let images = image_folder(files, path, &IMAGES);
    let by_id: HashMap<&str, &Written> = written
        .iter()
        .map(|(id, written)| (id.as_str(), written))
        .collect();
    let item = |(number, line): (usize, LlavaLine)| {
        let id = line.question_id.to_string();
        let written = by_id.get(id.as_str()).ok_or_else(|| {
            let reason = format!("{} has no question `{id}`", published.display());
            FilesError::content(path, number, reason)
        })?;
        Ok(known.add(line.item(id.as_str(), &images), &id, written))
    };
    LlavaLine::read(path)?.into_iter().map(item).collect()
}

/// What the files know of questions.
struct Known {
    split: Split,
    choices: HashMap<String, Choices>,
}

impl Known {
    /// Writes into a question what is known of it.
    fn add(&self, mut item: Item, id: &str, written: &Written) -> Item {
        item.truth = written.answer.clone().unwrap_or_default();
        item = item.with_field(SPLIT, self.split.name());
        for (name, text) in [
            (STRUCTURAL, &written.types.structural),
            (SEMANTIC, &written.types.semantic),
            (GROUP, &written.groups.global),
        ] {
            if let Some(text) = text {
                item = item.with_field(name, text.as_str());
            }
        }
        if written.is_balanced == Some(false) {
            item = item.with_field(BALANCED, false);
        }
        let others = written.entailed.iter().filter(|other| *other != id);
        item = item.with_field(ENTAILED, others.map(String::as_str).collect::<Value>());
        if let Some(choices) = self.choices.get(id) {
            // As GQA's script has it: what things have in common is one of these.
            let common = written
                .types
                .detailed
                .as_ref()
                .is_some_and(|name| name.contains("Common"));
            let list = |own: &[String]| {
                if common {
                    return Value::from_iter(["color", "material", "shape"]);
                }
                own.iter().map(String::as_str).collect()
            };
            item = item.with_field(VALID, list(&choices.valid));
            item = item.with_field(PLAUSIBLE, list(&choices.plausible));
        }
        item
    }
}
