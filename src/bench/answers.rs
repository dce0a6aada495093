//! `answers.jsonl`: what the model says, batch by batch.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use menagerie_core::Model;
use serde::{Deserialize, Serialize};

use super::error::BenchError;
use super::exam::Exam;
use super::folder::BenchFolder;
use super::run::Watch;
use crate::eval::{Answered, Asker};
use crate::journal::Journal;

/// A line of `answers.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The question's place in the data, from 0.
    pub number: usize,
    pub id: String,
    pub question: String,
    pub truth: String,
    pub answer: String,
    /// The answer to the same question with grey images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
}

impl From<Answered> for Kept {
    fn from(answered: Answered) -> Self {
        Self {
            number: answered.sample,
            id: answered.id,
            question: answered.question,
            truth: answered.truth,
            answer: answered.answer,
            blind: answered.blind,
        }
    }
}

/// A line of `timings.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct Timing {
    questions: usize,
    seconds: f64,
}

/// All answers, those of an earlier process first; and the seconds they took.
///
/// An answer does not depend on what is answered beside it. So a batch that is not there to its end is answered again
/// as a whole, and the file ends as if nothing had happened.
pub(super) fn of_model(
    exam: &Exam,
    model: &Model,
    folder: &BenchFolder,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<(Vec<Kept>, f64), BenchError> {
    let path = folder.path().join("answers.jsonl");
    let (mut journal, mut kept) = Journal::whole::<Kept>(&path)?;
    let (mut clock, timings) = Journal::whole::<Timing>(&folder.path().join("timings.jsonl"))?;
    let mut seconds: f64 = timings.iter().map(|timing| timing.seconds).sum();
    let total = exam.count();
    for (place, answer) in kept.iter().enumerate() {
        let asked = exam.questions().get(place);
        if asked.is_none_or(|question| question.id != answer.id) {
            return Err(BenchError::Broken {
                path,
                line: place + 1,
                reason: format!("`{}` is not the question of this place", answer.id),
            });
        }
    }
    if kept.len() < total {
        let batch = exam.options.batch_size.max(1);
        kept.truncate(kept.len() / batch * batch);
        journal.keep(kept.len())?;
    }
    let asker = Asker {
        model,
        data: &exam.data,
        benchmark: &exam.benchmark,
        options: &exam.options,
    };
    let mut begun = Instant::now();
    asker.ask(kept.len(), &mut |batch| {
        let batch: Vec<Kept> = batch.into_iter().map(Kept::from).collect();
        journal.append(&batch)?;
        let took = begun.elapsed().as_secs_f64();
        begun = Instant::now();
        clock.append(&[Timing {
            questions: batch.len(),
            seconds: took,
        }])?;
        seconds += took;
        kept.extend(batch);
        watch.progress("answering", kept.len(), total);
        if stop.load(Ordering::Relaxed) && kept.len() < total {
            return Err(BenchError::Interrupted {
                done: kept.len(),
                total,
                what: "questions",
            });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((kept, seconds))
}
