//! A few held-out questions with image, answers and truth.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::escape;
use crate::data::{DataError, Dataset};
use crate::eval::{Answered, Evaluation};
use crate::train::metrics::Score;

/// `count` questions spread evenly over the set, answered after each stage.
pub(super) fn section(
    scores: &[(Score, Evaluation)],
    questions: &Dataset,
    count: usize,
) -> Result<String, DataError> {
    let Some((_, first)) = scores.first() else {
        return Ok(String::new());
    };
    let total = first.answers.len();
    let count = count.min(total);
    let mut cards = String::new();
    for number in 0..count {
        // The middle of each of `count` equal parts.
        let index = (2 * number + 1) * total / (2 * count);
        cards.push_str(&card(scores, questions, index)?);
    }
    Ok(format!(
        "<h2>Questions it has never seen</h2>\n<div class=\"answers\">\n{cards}</div>\n"
    ))
}

fn card(
    scores: &[(Score, Evaluation)],
    questions: &Dataset,
    index: usize,
) -> Result<String, DataError> {
    let asked = &scores[0].1.answers[index];
    let mut images = String::new();
    for file in questions.images(asked.sample)? {
        let kind = image_type(&file);
        let data = STANDARD.encode(&file);
        images.push_str(&format!(
            "<img alt=\"\" src=\"data:image/{kind};base64,{data}\">"
        ));
    }
    let answers = scores.iter().map(|(score, evaluation)| {
        let answered = &evaluation.answers[index];
        row(&format!("after {}", score.stage), answered)
    });
    Ok(format!(
        "<article>{images}<p>{}</p><dl>{}<dt>truth</dt><dd>{}</dd></dl></article>\n",
        escape(&asked.question),
        answers.collect::<String>(),
        escape(&asked.truth),
    ))
}

fn row(name: &str, answered: &Answered) -> String {
    let (class, mark) = if answered.correct {
        ("right", "✓")
    } else {
        ("wrong", "✗")
    };
    format!(
        "<dt>{}</dt><dd class=\"{class}\">{mark} {}</dd>",
        escape(name),
        escape(&answered.answer)
    )
}

/// The subtype of the file's MIME type, by its first bytes.
fn image_type(file: &[u8]) -> &'static str {
    match file {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'G', b'I', b'F', ..] => "gif",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [b'B', b'M', ..] => "bmp",
        _ => "jpeg",
    }
}
