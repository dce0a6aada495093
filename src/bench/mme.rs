//! `mme`: fourteen tasks of perception and cognition, asked in pairs of yes and no.

mod figures;
mod folder;
mod key;
mod results;
mod task;

use std::path::Path;

use menagerie_core::benchmark::{
    Answer, Benchmark, Example, Figure, Files, FilesError, Item, Marked, Prediction, Question,
    Submission,
};
use menagerie_core::chat::Turn;
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

use task::Task;

/// MME (arXiv 2306.13394): fourteen tasks of perception and cognition, two questions an image, one of
/// which is to be answered yes and the other no. A task's score is its accuracy plus the share of
/// images with both answers right, in points from 0 to 200; perception is the sum of ten, cognition
/// of four.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct Mme {
    /// How the questions end. Default: `official`.
    pub ending: Ending,
    /// The tasks to ask. Default: all fourteen.
    pub tasks: Vec<Task>,
}

/// How MME's questions end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(crate = "menagerie_core::schemars")]
pub enum Ending {
    /// `Please answer yes or no.`, as the data have it.
    #[default]
    Official,
    /// `Answer the question using a single word or phrase.` on a line of its own instead, as LLaVA
    /// 1.5 was asked.
    Llava,
}

impl Benchmark for Mme {
    const NAME: &'static str = "mme";

    fn example() -> Example {
        let question = "<image>\nIs there a train in this image? Please answer yes or no.";
        Example::new(question, "Yes", "No")
            .with_field("task", Task::Existence.name())
            .with_field("image", "000000006040.jpg")
    }

    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        let tasks = if self.tasks.is_empty() {
            &Task::ALL[..]
        } else {
            &self.tasks
        };
        Some(folder::read(files, tasks))
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        let mut turns = question.turns.to_vec();
        if let (Ending::Llava, Some(last)) = (self.ending, turns.last_mut()) {
            let bare = last.text.replace(key::YES_OR_NO, "");
            last.text = format!("{}\n{}", bare.trim_end(), key::SINGLE_WORD);
        }
        turns
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        let said = yes_or_no(answer.text);
        let right = said.is_some() && said == yes_or_no(question.truth);
        f64::from(u8::from(right))
    }

    fn fault(&self, _question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        if answer.text.trim().is_empty() {
            return Some("empty");
        }
        yes_or_no(answer.text)
            .is_none()
            .then_some("neither yes nor no")
    }

    /// The share of all points that there are.
    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        figures::share(answers)
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        figures::all(answers)
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        results::write(answers)
    }

    /// A folder in the form of the official `eval_tool`'s `Your_Results`, or JSON lines as LLaVA's
    /// `model_vqa_loader.py` writes them.
    fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
        if path.is_dir() {
            return results::read_folder(path);
        }
        results::read_lines(path)
    }
}

menagerie_core::register_benchmark!(Mme);

/// Whether an answer says yes, by what its first four letters contain, as the official
/// `calculation.py` reads it.
fn yes_or_no(answer: &str) -> Option<bool> {
    let start: String = answer.to_lowercase().chars().take(4).collect();
    if start.contains("yes") {
        return Some(true);
    }
    start.contains("no").then_some(false)
}

#[cfg(test)]
mod tests;
