//! Problems as conversations to learn from, as LLaVA's `convert_sqa_to_llava.py` makes them.

use menagerie_core::benchmark::{Files, FilesError};
use menagerie_core::chat::IMAGE_MARK;
use menagerie_core::serde_json::{Value, json};

use super::format::Format;
use super::problem::Problems;

/// LLaVA JSON of a split. An image is named below the folder of its split's images:
/// `1/image.png`.
///
/// # Errors
/// A file is missing or in another form, or has no such split.
pub fn conversations(
    files: &Files<'_>,
    split: &str,
    format: Format,
) -> Result<Vec<Value>, FilesError> {
    let problems = Problems::of(files, split)?;
    let samples = problems.iter().map(|problem| {
        let (id, problem, letter) = problem?;
        let question = format.question(problem, None);
        let answer = json!({ "from": "gpt", "value": format.answer(problem, letter) });
        let Some(image) = &problem.image else {
            let question = json!({ "from": "human", "value": question });
            return Ok(json!({ "id": id, "conversations": [question, answer] }));
        };
        let question = match format {
            Format::CqmA => format!("{IMAGE_MARK}\n{question}"),
            _ => format!("{question}\n{IMAGE_MARK}"),
        };
        let question = json!({ "from": "human", "value": question });
        let image = format!("{id}/{image}");
        Ok(json!({ "id": id, "image": image, "conversations": [question, answer] }))
    });
    samples.collect()
}
