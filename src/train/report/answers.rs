//! A few held-out questions with image and truth, and what was answered as training went on.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::tables::place;
use crate::data::{DataError, Dataset};
use crate::eval::{Answered, spread};
use crate::html::escape;
use crate::train::error::TrainError;
use crate::train::history::History;
use crate::train::timeline::Timeline;

/// The answers to the shown questions at one score.
struct Asked {
    /// When, in words.
    place: String,
    answers: Vec<Answered>,
}

/// `count` questions spread evenly over the set, with their answers at every score.
pub(super) fn section(
    run: &Path,
    history: &History,
    timeline: &Timeline,
    questions: &Dataset,
    count: usize,
) -> Result<String, TrainError> {
    let mut asked = Vec::new();
    for score in &history.scores {
        // One file at a time: a long run has many, each with all questions.
        let Some(mut answers) = history.answers(run, score)? else {
            continue;
        };
        let shown: Vec<Answered> = spread(answers.len(), count)
            .map(|index| std::mem::take(&mut answers[index]))
            .collect();
        asked.push(Asked {
            place: place(timeline, &score.stage, score.step),
            answers: shown,
        });
    }
    let shown = asked.iter().map(|asked| asked.answers.len()).min();
    let cards = (0..shown.unwrap_or(0))
        .map(|number| card(&asked, questions, number))
        .collect::<Result<String, DataError>>()?;
    if cards.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        "<h2>Questions it has never seen</h2>\n<div class=\"answers\">\n{cards}</div>\n\
         <p class=\"note\">An answer stays until the next one that is listed.</p>\n"
    ))
}

fn card(asked: &[Asked], questions: &Dataset, number: usize) -> Result<String, DataError> {
    let question = &asked[0].answers[number];
    let mut images = String::new();
    for file in questions.images(question.sample)? {
        let kind = image_type(&file);
        let data = STANDARD.encode(&file);
        images.push_str(&format!(
            "<img alt=\"\" src=\"data:image/{kind};base64,{data}\">"
        ));
    }
    Ok(format!(
        "<article>{images}<p>{}</p><dl>{}<dt>truth</dt><dd>{}</dd></dl></article>\n",
        escape(&question.question),
        rows(asked, number),
        escape(&question.truth),
    ))
}

/// A row for each time that the answer became another one.
fn rows(asked: &[Asked], number: usize) -> String {
    let same = |a: &Asked, b: &Asked| a.answers[number].answer == b.answers[number].answer;
    let rows = asked
        .chunk_by(same)
        .map(|chunk| row(&escape(&chunk[0].place), &chunk[0].answers[number]));
    rows.collect()
}

fn row(when: &str, answered: &Answered) -> String {
    let (class, mark) = if answered.correct {
        ("right", "✓")
    } else {
        ("wrong", "✗")
    };
    format!(
        "<dt>{when}</dt><dd class=\"{class}\">{mark} {}</dd>",
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
