//! Questions under way.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use menagerie_core::generate::GenerateError;
use menagerie_core::{Completion, Prompt, Queue};

use super::answer::Answered;
use super::batch::{Batch, Written};
use super::error::EvalError;
use super::shown::{Shown, Viewer};
use crate::data::Prefetch;

/// A queue of questions. Their answers are handed on in the questions' order, as many at a time as a batch has.
pub(super) struct Asked<'a, E> {
    pub batches: Prefetch<Range<usize>, Result<Batch, EvalError>>,
    pub viewer: Viewer<'a>,
    /// Questions whose answers have not been handed on.
    pub remaining: usize,
    /// Questions of a batch.
    pub size: usize,
    pub each: &'a mut dyn FnMut(Vec<Answered>) -> Result<ControlFlow<()>, E>,
    /// Prompts that the model has not taken; a question's grey one comes after its own.
    pub prompts: VecDeque<Prompt>,
    /// Questions that have been written and whose answers have not been handed on, in order.
    pub open: VecDeque<Open>,
    /// The number of the first of these.
    pub first: usize,
}

/// A question under way.
pub(super) struct Open {
    question: Written,
    answer: Option<String>,
    blind: Option<String>,
}

/// What the caller, or the model, cannot do.
pub(super) struct Failed<E>(pub E);

impl<E: From<EvalError>> From<GenerateError> for Failed<E> {
    fn from(error: GenerateError) -> Self {
        Self(EvalError::from(error).into())
    }
}

impl<E> Asked<'_, E> {
    fn write(&mut self, mut batch: Batch) {
        self.viewer.show(&mut batch);
        for question in batch.questions {
            let shown: Vec<&Shown> = question
                .images
                .iter()
                .map(|&image| &self.viewer.shown[image])
                .collect();
            let prompt = |images| Prompt {
                ids: question.ids.clone(),
                images,
            };
            let seen = shown.iter().map(|shown| shown.seen.clone());
            self.prompts.push_back(prompt(seen.collect()));
            if self.viewer.blind {
                let blank = shown.iter().filter_map(|shown| shown.blank.clone());
                self.prompts.push_back(prompt(blank.collect()));
            }
            self.open.push_back(Open {
                question,
                answer: None,
                blind: None,
            });
        }
    }

    /// The answers of the next batch, if they are all there.
    fn batch(&mut self) -> Option<Vec<Answered>> {
        let blind = self.viewer.blind;
        let is_closed = |open: &Open| open.answer.is_some() && (!blind || open.blind.is_some());
        let count = self.size.min(self.remaining);
        let closed = self.open.iter().take_while(|open| is_closed(open)).count();
        if count == 0 || closed < count {
            return None;
        }
        self.remaining -= count;
        self.first += count;
        let answered = |open: Open| Answered {
            id: open.question.id,
            question: open.question.question,
            truth: open.question.truth,
            answer: open.answer.unwrap_or_default(),
            blind: open.blind,
            sample: open.question.sample,
            ..Answered::default()
        };
        Some(self.open.drain(..count).map(answered).collect())
    }
}

impl<E: From<EvalError>> Queue for Asked<'_, E> {
    type Error = Failed<E>;

    fn next(&mut self) -> Result<Option<Prompt>, Failed<E>> {
        while self.prompts.is_empty() {
            let Some(batch) = self.batches.next() else {
                break;
            };
            let batch = batch.map_err(|error| Failed(error.into()))?;
            self.write(batch);
        }
        Ok(self.prompts.pop_front())
    }

    fn answered(
        &mut self,
        number: usize,
        completion: Completion,
    ) -> Result<ControlFlow<()>, Failed<E>> {
        let (question, is_blind) = if self.viewer.blind {
            (number / 2, number % 2 == 1)
        } else {
            (number, false)
        };
        let open = &mut self.open[question - self.first];
        let said = Some(completion.text.trim().to_owned());
        if is_blind {
            open.blind = said;
        } else {
            open.answer = said;
        }
        while let Some(batch) = self.batch() {
            if (self.each)(batch).map_err(Failed)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
