//! Ids of questions: the same from the data, from LLaVA's answers and from an `eval_tool` folder,
//! whichever way a question ends there.

use std::collections::HashMap;

use super::task::Task;

/// How the data's questions end.
pub(super) const YES_OR_NO: &str = "Please answer yes or no.";
/// How LLaVA's do.
pub(super) const SINGLE_WORD: &str = "Answer the question using a single word or phrase.";

/// Gives ids, and never the same twice.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, usize>);

impl Keys {
    /// The id of a question about an image: `existence/000000006040: Is there a train in this
    /// image?`, and a number after it if the same was asked before.
    pub(super) fn next(&mut self, task: Task, image: &str, question: &str) -> String {
        let question = question.replace(YES_OR_NO, "").replace(SINGLE_WORD, "");
        let words: Vec<&str> = question.split_whitespace().collect();
        let key = format!("{}/{}: {}", task.name(), stem(image), words.join(" "));
        let count = self.0.entry(key.clone()).or_default();
        *count += 1;
        match *count {
            1 => key,
            count => format!("{key} ({count})"),
        }
    }
}

/// A file's name without what follows its last dot.
pub(super) fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}
