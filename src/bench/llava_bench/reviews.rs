//! Answers and reviews in files of the original's form.

use std::path::Path;

use menagerie_core::benchmark::{
    FilesError, Marked, Prediction, Submission, json_lines_predictions, read_json_lines,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::review;
use super::{Edition, WILD};
use crate::json::json_line;

/// What the original gives both answers if it cannot read a reply.
const UNREAD: [f64; 2] = [-1.0, -1.0];

/// A line of the answers, as `model_vqa.py` writes it.
#[derive(Serialize)]
struct AnswerLine<'a> {
    question_id: Option<&'a Value>,
    prompt: &'a str,
    text: &'a str,
    answer_id: &'a str,
    metadata: Map<String, Value>,
}

/// A line of the reviews, as `eval_gpt_review_visual.py` and `eval_gpt_review_bench.py` write it.
#[derive(Serialize)]
struct ReviewLine<'a> {
    /// The question's place, from 1.
    id: usize,
    question_id: Option<&'a Value>,
    answer1_id: Option<&'a Value>,
    answer2_id: &'a str,
    category: &'a str,
    content: &'a str,
    /// The numbers of the content's first line.
    tuple: Value,
}

/// What is read of a line of the reviews.
#[derive(Deserialize)]
struct Reviewed {
    question_id: Value,
    content: String,
    tuple: Option<[f64; 2]>,
    category: Option<String>,
}

/// The model's answers, unless they are unknown, and the judge's reviews.
pub(super) fn submission(answers: &[Marked<'_>]) -> Vec<Submission> {
    let mut files = Vec::new();
    if answers.iter().any(|marked| !marked.answer.text.is_empty()) {
        let lines = answers.iter().flat_map(answer_line);
        files.push(Submission::new("answers.jsonl", lines.collect::<Vec<u8>>()));
    }
    let lines = (1..).zip(answers);
    let lines = lines.filter_map(|(id, marked)| review_line(id, marked));
    let reviews = lines.flatten().collect::<Vec<u8>>();
    files.push(Submission::new("reviews.jsonl", reviews));
    files
}

fn answer_line(marked: &Marked<'_>) -> Vec<u8> {
    let question = &marked.question;
    json_line(&AnswerLine {
        question_id: question.field("question_id"),
        prompt: question.word("text"),
        text: marked.answer.text,
        answer_id: question.id,
        metadata: Map::new(),
    })
}

fn review_line(id: usize, marked: &Marked<'_>) -> Option<Vec<u8>> {
    let question = &marked.question;
    let content = marked.answer.review?;
    let read =
        review::first_line(content).filter(|pair| pair.iter().all(|score| score.is_finite()));
    let tuple = read.map_or_else(|| json!([-1, -1]), |pair| json!(pair));
    Some(json_line(&ReviewLine {
        id,
        question_id: question.field("question_id"),
        answer1_id: question.field("answer1_id"),
        answer2_id: question.id,
        category: question.word("review_category"),
        content,
        tuple,
    }))
}

/// Answers or reviews that others made: whichever the file holds.
pub(super) fn predictions(edition: &Edition, path: &Path) -> Result<Vec<Prediction>, FilesError> {
    let lines = read_json_lines::<Map<String, Value>>(path)?;
    if !lines.iter().any(|(_, line)| line.contains_key("content")) {
        return json_lines_predictions(path);
    }
    let prediction = |(line, record)| {
        let wrong = |reason: String| FilesError::content(path, line, reason);
        let reviewed: Reviewed = serde_json::from_value(Value::Object(record))
            .map_err(|error| wrong(format!("this is no review: {error}")))?;
        let id = match &reviewed.question_id {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            other => {
                return Err(wrong(format!(
                    "`question_id` is {other}, and no number or text"
                )));
            }
        };
        if let Some(category) = &reviewed.category {
            let of_wild = category.starts_with(WILD.prefix);
            if of_wild == edition.prefix.is_empty() {
                let reason = format!("`{category}` is no category of {}", edition.name);
                return Err(wrong(reason));
            }
        }
        Ok(Prediction::new(id, "").reviewed(text(reviewed)))
    };
    lines.into_iter().map(prediction).collect()
}

/// The judge's reply. Where the file's scores are others than the reply's first line says, whoever
/// made the file read it by eye: then their scores, which the original's summary counts, come first.
fn text(Reviewed { content, tuple, .. }: Reviewed) -> String {
    match tuple {
        Some([reference, model])
            if [reference, model] != review::first_line(&content).unwrap_or(UNREAD) =>
        {
            format!("{reference} {model}\n{content}")
        }
        _ => content,
    }
}
