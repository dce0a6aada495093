//! `mmbench`: multiple choice, each question asked with its options in every order of a circle.

mod figures;
mod reading;
mod row;
mod sheet;
mod submission;
mod table;

use std::path::Path;

use menagerie_core::benchmark::{
    Answer, Benchmark, Example, Figure, Files, FilesError, Item, Marked, Prediction, Question,
    Submission, read_json_lines,
};
use menagerie_core::chat::Turn;
use menagerie_core::schemars::JsonSchema;
use menagerie_core::serde_json::json;
use serde::Deserialize;

use super::id::Id;
use super::llava_line::Line;
use reading::Options;

/// MMBench (arXiv 2307.06281): multiple choice over twenty abilities. In the circular evaluation a
/// question with N options is asked N times with its options shifted, and it is right if all N
/// answers are. The score is the share of right questions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct Mmbench {
    /// Whether a question is asked with its options in every shift, and right only if all answers
    /// are. Default: true.
    pub circular: bool,
    /// Take only the rows whose `split` is this, such as `dev`. Default: all.
    pub split: Option<String>,
    /// The language of the sentence that asks for a letter. Default: `en`.
    pub language: Language,
}

/// The language of MMBench's questions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(crate = "menagerie_core::schemars")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Cn,
}

impl Language {
    /// What LLaVA's evaluation says after the options.
    const fn instruction(self) -> &'static str {
        match self {
            Self::En => "Answer with the option's letter from the given choices directly.",
            Self::Cn => "请直接回答选项字母。",
        }
    }
}

impl Default for Mmbench {
    fn default() -> Self {
        Self {
            circular: true,
            split: None,
            language: Language::default(),
        }
    }
}

impl Benchmark for Mmbench {
    const NAME: &'static str = "mmbench";

    fn example() -> Example {
        let question =
            "<image>\nWhich category does this image belong to?\nA. Oil Painting\nB. Sketch";
        Example::new(question, "B", "A")
            .with_field(row::GROUP, "1")
            .with_field(row::SHIFT, 0)
            .with_field(row::OPTIONS, json!({ "A": "Oil Painting", "B": "Sketch" }))
            .with_field("l2-category", "coarse_perception")
            .with_field("category", "image_style")
    }

    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        Some(row::read(files, self))
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        let mut turns = question.turns.to_vec();
        if let Some(last) = turns.last_mut() {
            last.text = format!("{}\n{}", last.text, self.language.instruction());
        }
        turns
    }

    /// Enough for an option in full.
    fn max_new_tokens(&self) -> usize {
        64
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        let said = Options::of(question).read(answer.text).ok();
        let right = said.is_some() && said == question.truth.chars().next();
        f64::from(u8::from(right))
    }

    fn fault(&self, question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        Options::of(question).read(answer.text).err()
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        figures::share(&figures::asked(answers))
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        figures::all(answers, self.circular)
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        vec![submission::write(answers)]
    }

    /// JSON lines as LLaVA's `model_vqa_mmbench.py` writes them: the row's `index` is the id.
    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        let lines = read_json_lines::<Line>(path)?;
        let read = lines.into_iter().map(|(number, line)| {
            let id = match line.question_id {
                Id::Number(index) if line.round_id > 0 => {
                    let shift = row::shift_of_round(line.round_id, line.options.len());
                    let shift = shift.ok_or_else(|| {
                        let reason = "a line with a `round_id` has more `options` than that";
                        FilesError::content(path, number, reason)
                    })?;
                    // No question has the id that a number out of all bounds ends at.
                    let shift = shift.saturating_mul(row::SHIFTED);
                    index.saturating_add(shift).to_string()
                }
                id => id.to_string(),
            };
            Ok(Prediction::new(id, line.text))
        });
        read.collect()
    }
}

menagerie_core::register_benchmark!(Mmbench);

#[cfg(test)]
mod tests;
