//! What a score is of: which questions, put to which model, judged by whom, computed by what.

use std::path::{Path, PathBuf};

use menagerie_core::{GenerationConfig, Model, Recipe};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::BenchError;
use super::exam::Exam;
use crate::code::Code;
use crate::data::DataFile;
use crate::eval::Asker;
use crate::features;

/// Questions whose prompts are hashed.
const PROMPTS: usize = 64;

/// What a score is of; `run.json` holds it, and `score.json` repeats it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct About {
    /// The benchmark.
    pub benchmark: BenchmarkAbout,
    /// What is asked.
    pub questions: QuestionsAbout,
    /// The model that answers; absent where the answers come from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelAbout>,
    /// How it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationAbout>,
    /// The file of answers that others made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<DataFile>,
    /// Who judges the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeAbout>,
    /// What computes.
    code: Code,
}

/// A benchmark and its options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BenchmarkAbout {
    /// Its name.
    pub name: String,
    /// The options that were stated.
    pub options: Map<String, Value>,
    /// The crate that registers it.
    #[serde(rename = "crate")]
    pub crate_name: String,
    /// That crate's version.
    #[serde(rename = "version")]
    pub crate_version: String,
}

/// The questions that are asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuestionsAbout {
    /// How many.
    pub count: usize,
    /// The most that were to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// SHA-256 over ids, texts, truths, fields and the names of images.
    pub sha256: String,
    /// The files they were read from.
    pub files: Vec<DataFile>,
}

/// A model that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelAbout {
    /// As the user named it.
    pub path: PathBuf,
    /// SHA-256 over the path, shape and numbers of each parameter in memory.
    pub weights_sha256: String,
    /// The type of number that it computes in.
    pub dtype: String,
    /// How images are prepared.
    pub images: String,
    /// SHA-256 of the recipe, resolved.
    pub recipe_sha256: String,
    /// The recipe, resolved, as TOML.
    pub recipe: String,
}

/// How a model answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GenerationAbout {
    /// Questions answered together.
    pub batch_size: usize,
    /// Whether all were asked again with grey images.
    pub blind: bool,
    /// How answers are drawn.
    pub config: GenerationConfig,
    /// The conversation template.
    pub template: String,
    /// SHA-256 over the token ids of the first prompts.
    pub prompts_sha256: String,
    /// The first prompt.
    pub first_prompt: String,
}

/// Another model that judges the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JudgeAbout {
    /// Its name.
    pub model: String,
    /// Where it is.
    pub url: String,
    /// SHA-256 over what it is asked about each question, whatever the answer.
    pub prompts_sha256: String,
}

/// A model with the recipe that made it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its recipe.
    pub recipe: &'a Recipe,
    /// As the user names it.
    pub path: &'a Path,
}

impl About {
    pub(super) fn of_model(
        exam: &Exam,
        candidate: &Candidate<'_>,
        judge: Option<JudgeAbout>,
    ) -> Result<Self, BenchError> {
        let model = candidate.model;
        let asker = Asker {
            model,
            data: &exam.data,
            benchmark: &exam.benchmark,
            options: &exam.options,
        };
        let images = model.image_processor(exam.options.resize);
        let (benchmark, questions) = exam.about();
        Ok(Self {
            benchmark,
            questions,
            model: Some(ModelAbout {
                path: candidate.path.to_owned(),
                weights_sha256: features::weights(model.network()),
                dtype: model.numbers().name().to_owned(),
                images: format!("{images:?}"),
                recipe_sha256: candidate.recipe.hash()?,
                recipe: candidate.recipe.to_toml()?,
            }),
            generation: Some(GenerationAbout::of(exam, &asker)?),
            predictions: None,
            judge,
            code: Code::here(&model.device()),
        })
    }

    pub(super) fn of_predictions(
        exam: &Exam,
        predictions: DataFile,
        judge: Option<JudgeAbout>,
    ) -> Self {
        let (benchmark, questions) = exam.about();
        Self {
            benchmark,
            questions,
            model: None,
            generation: None,
            predictions: Some(predictions),
            judge,
            code: Code::here(&burn::tensor::Device::flex()),
        }
    }

    /// What is not as it was in `before`, in words: all that answers, reviews and scores follow from.
    /// A judge may come later.
    pub(super) fn differences(&self, before: &Self) -> Vec<String> {
        let mut before = before.essence();
        let now = self.essence();
        if before["judge"].is_null() {
            before["judge"] = now["judge"].clone();
        }
        let mut found = Vec::new();
        compare("", &before, &now, &mut found);
        let said = found.iter().map(|difference| {
            let [before, now] = difference.shown();
            format!("{} was {before} and is {now}", difference.key)
        });
        said.collect()
    }

    /// Why a score is not comparable with one of `other`, in words.
    pub(super) fn incomparable(&self, other: &Self) -> Vec<String> {
        let part = |about: &Self| {
            let mut essence = about.essence();
            let object = essence.as_object_mut().expect("it is an object");
            object.retain(|key, _| ["benchmark", "questions", "judge"].contains(&key.as_str()));
            essence
        };
        let mut found = Vec::new();
        compare("", &part(other), &part(self), &mut found);
        let longest = |about: &Self| Some(about.generation.as_ref()?.config.max_new_tokens);
        if let (Some(before), Some(now)) = (longest(other), longest(self))
            && before != now
        {
            found.push(Difference {
                key: "generation.config.max_new_tokens".to_owned(),
                before: before.into(),
                now: now.into(),
            });
        }
        let said = found.iter().map(|difference| {
            let [there, here] = difference.shown();
            format!("{} is {here} here and {there} there", difference.key)
        });
        said.collect()
    }

    /// What counts in a comparison: not where things lie, nor which build of a version computes.
    fn essence(&self) -> Value {
        let mut about = serde_json::to_value(self).expect("plain data serialises");
        for (table, keys) in [
            ("questions", &["files"][..]),
            ("model", &["path", "recipe", "recipe_sha256"]),
            ("generation", &["first_prompt"]),
            ("predictions", &["path", "bytes"]),
            ("judge", &["url"]),
            ("code", &["program"]),
        ] {
            if let Some(table) = about.get_mut(table).and_then(Value::as_object_mut) {
                for key in keys {
                    table.remove(*key);
                }
            }
        }
        about
    }
}

impl GenerationAbout {
    fn of(exam: &Exam, asker: &Asker<'_>) -> Result<Self, BenchError> {
        let writer = asker.writer();
        let mut hasher = Sha256::new();
        let mut first_prompt = String::new();
        for (number, question) in exam.questions().iter().take(PROMPTS).enumerate() {
            for id in writer.ids(question)? {
                hasher.update(id.to_le_bytes());
            }
            if number == 0 {
                let rendered = writer.template.render_prompt(&writer.turns(question)?);
                let rendered =
                    rendered.map_err(|error| BenchError::encode(&question.id, error.into()))?;
                first_prompt = rendered.text;
            }
        }
        Ok(Self {
            batch_size: exam.options.batch_size.max(1),
            blind: exam.options.blind,
            config: asker.generation(),
            template: writer.template.name().to_owned(),
            prompts_sha256: menagerie_core::hex::hex(&hasher.finalize()),
            first_prompt,
        })
    }
}

/// A key that has two values.
struct Difference {
    key: String,
    before: Value,
    now: Value,
}

impl Difference {
    fn shown(&self) -> [String; 2] {
        [shown(&self.before), shown(&self.now)]
    }
}

/// Notes each key that is not as before.
fn compare(key: &str, before: &Value, now: &Value, found: &mut Vec<Difference>) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            let added = now.keys().filter(|key| !before.contains_key(*key));
            for name in before.keys().chain(added) {
                let dot = if key.is_empty() { "" } else { "." };
                let side = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                compare(
                    &format!("{key}{dot}{name}"),
                    &side(before),
                    &side(now),
                    found,
                );
            }
        }
        _ if before == now => {}
        _ => found.push(Difference {
            key: key.to_owned(),
            before: before.clone(),
            now: now.clone(),
        }),
    }
}

fn shown(value: &Value) -> String {
    /// Digits of a hash that tell it from others.
    const DIGITS: usize = 12;
    match value {
        Value::Null => "not stated".to_owned(),
        Value::Object(_) => "stated".to_owned(),
        Value::String(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{}…", &text[..DIGITS])
        }
        other => other.to_string(),
    }
}
