//! From questions to a score: answers, reviews, marks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::about::{About, Candidate};
use super::answers::{self, Kept};
use super::error::BenchError;
use super::exam::Exam;
use super::files::write_whole;
use super::folder::BenchFolder;
use super::judge::{Judge, Reviews};
use super::predictions::{self, Fit};
use super::score::{Marks, SCORE, Score, Took};
use crate::json::json_line;

/// Hears how far a run is.
pub trait Watch {
    /// `done` of `total`, while it is `answering` or `judging`.
    fn progress(&mut self, what: &'static str, done: usize, total: usize);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn progress(&mut self, _what: &'static str, _done: usize, _total: usize) {}
}

/// Has the model answer all questions into `folder`, or those that it has not answered there, has the
/// judge review what is to be reviewed, and scores the answers. `None` if a judge is needed and none
/// is there: the answers wait for one.
///
/// # Errors
/// The folder is of another run or cannot be written; questions or images that cannot be used; a judge
/// who cannot be asked, or where none is needed; or `stop` was set, and the same call goes on.
pub fn run(
    exam: &Exam,
    candidate: &Candidate<'_>,
    judge: Option<&Judge>,
    folder: &BenchFolder,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<Option<Score>, BenchError> {
    check_judge(exam, judge)?;
    let judged_by = judge.map(|judge| judge.about(exam));
    let about = About::of_model(exam, candidate, judged_by)?;
    folder.begin(&about)?;
    let (answers, seconds) = answers::of_model(exam, candidate.model, folder, watch, stop)?;
    if exam.judged() && judge.is_none() {
        return Ok(None);
    }
    let answered = Answered {
        answers: &answers,
        reviews: BTreeMap::new(),
        fit: None,
        seconds,
    };
    finish(exam, about, answered, judge, folder, watch, stop).map(Some)
}

/// Scores answers that others made, into `folder`. Unless `partial`, every question must have one.
///
/// # Errors
/// As [`run`]; a file that cannot be read or does not fit the questions; or no judge where one is
/// needed and the file does not hold its reviews.
#[allow(clippy::too_many_arguments, reason = "each is a thing of its own")]
pub fn score(
    exam: &Exam,
    predictions: &Path,
    partial: bool,
    judge: Option<&Judge>,
    folder: &BenchFolder,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<Score, BenchError> {
    check_judge(exam, judge)?;
    let file = predictions::file(predictions)?;
    let read = predictions::read(exam, predictions, partial)?;
    let unreviewed = |kept: &&Kept| !read.reviews.contains_key(&kept.number);
    if exam.judged() && judge.is_none() && read.answers.iter().any(|kept| unreviewed(&kept)) {
        return Err(BenchError::NoJudge(exam.plugin.name.to_owned()));
    }
    let judged_by = judge.map(|judge| judge.about(exam));
    let about = About::of_predictions(exam, file, judged_by);
    folder.begin(&about)?;
    let lines: Vec<u8> = read.answers.iter().flat_map(json_line).collect();
    write_whole(&folder.path().join("answers.jsonl"), &lines)?;
    let answered = Answered {
        answers: &read.answers,
        reviews: read.reviews,
        fit: Some(read.fit),
        seconds: 0.0,
    };
    finish(exam, about, answered, judge, folder, watch, stop)
}

/// What is to be scored.
struct Answered<'a> {
    answers: &'a [Kept],
    /// Reviews that came with them, by the place of the question.
    reviews: BTreeMap<usize, String>,
    fit: Option<Fit>,
    seconds: f64,
}

fn check_judge(exam: &Exam, judge: Option<&Judge>) -> Result<(), BenchError> {
    if judge.is_some() && !exam.judged() {
        return Err(BenchError::NeedlessJudge(exam.plugin.name.to_owned()));
    }
    Ok(())
}

fn finish(
    exam: &Exam,
    about: About,
    answered: Answered<'_>,
    judge: Option<&Judge>,
    folder: &BenchFolder,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<Score, BenchError> {
    let begun = Instant::now();
    folder.forget_score()?;
    let (reviews, judged, first) = match judge {
        None => (answered.reviews, None, None),
        Some(judge) => {
            let given = answered.reviews;
            let found = judge.review(exam, folder, answered.answers, given, watch, stop)?;
            let Reviews {
                texts,
                judged,
                first,
            } = found;
            (texts, Some(judged), first)
        }
    };
    let took = Took {
        answering: answered.seconds,
        judging: judged.as_ref().map(|_| begun.elapsed().as_secs_f64()),
    };
    let marks = Marks::of(exam, answered.answers, &reviews)?;
    let score = Score {
        fit: answered.fit,
        judged,
        seconds: took,
        ..Score::new(exam, about, &marks)?
    };
    score.write(exam, &marks, folder.path())?;
    if let (Some(first), Some(judged)) = (first, &score.judged) {
        let failed = judged.missing.values().sum();
        return Err(BenchError::Unreviewed {
            failed,
            total: failed + judged.replies,
            first,
            score: folder.path().join(SCORE),
        });
    }
    Ok(score)
}
