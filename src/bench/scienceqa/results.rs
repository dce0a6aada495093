//! Results as ScienceQA's and LLaVA's scripts write them.

use std::path::Path;

use menagerie_core::benchmark::{
    FilesError, Marked, Prediction, Submission, json_lines_predictions, mean, read_json,
};
use menagerie_core::serde_json::{Map, Value, json};
use serde::Deserialize;

use super::reading::Letter;

/// A file of results.
#[derive(Debug, Deserialize)]
struct Results {
    /// What was said, by problem.
    outputs: Option<Map<String, Value>>,
    /// The number of the option that was read, by problem.
    results: Option<Map<String, Value>>,
}

/// Answers: of a file of results what was said, or the options where it has nothing else; else of
/// JSON lines.
pub(super) fn read(path: &Path) -> Result<Vec<Prediction>, FilesError> {
    if path.extension().is_none_or(|ending| ending != "json") {
        return json_lines_predictions(path);
    }
    let file: Results = read_json(path)?;
    let answers = file.outputs.or(file.results).ok_or_else(|| {
        let reason = "a file of results has `outputs` or `results`, by problem; JSON lines are in a \
                      file that ends in .jsonl";
        FilesError::content(path, 1, reason)
    })?;
    let answers = answers.into_iter().map(|(id, said)| {
        let answer = match said {
            Value::String(text) => text,
            Value::Number(number) => {
                let place = number
                    .as_u64()
                    .and_then(|place| usize::try_from(place).ok());
                let letter = place.and_then(Letter::at);
                letter.map(|letter| letter.to_string()).unwrap_or_default()
            }
            _ => {
                let reason = "an answer is a text, or the number of an option";
                return Err(FilesError::content(path, id, reason));
            }
        };
        Ok(Prediction::new(id, answer))
    });
    answers.collect()
}

/// A file of results that ScienceQA's `evaluate_acc.py` takes; an answer that was not read is option
/// -1, which is wrong.
pub(super) fn write(
    answers: &[Marked<'_>],
    letter: impl Fn(&Marked<'_>) -> Option<Letter>,
) -> Submission {
    let mut results = Map::new();
    let mut outputs = Map::new();
    for answer in answers {
        let id = answer.question.id.to_owned();
        let place = letter(answer).map_or(json!(-1), |letter| json!(letter.place()));
        results.insert(id.clone(), place);
        outputs.insert(id, answer.answer.text.into());
    }
    let file = json!({
        "acc": 100.0 * mean(answers),
        "correct": answers.iter().filter(|answer| answer.mark == 1.0).count(),
        "count": answers.len(),
        "results": results,
        "outputs": outputs,
    });
    Submission::new("results.json", format!("{file:#}\n"))
}
