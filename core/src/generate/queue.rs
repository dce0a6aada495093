//! Where prompts come from and answers go.

use std::ops::ControlFlow;

use super::{Completion, Finish, GenerateError};
use crate::prompt::Prompt;

/// Prompts that wait to be answered, numbered from 0 as they come, and who hears the answers.
pub trait Queue {
    /// What can go wrong.
    type Error: From<GenerateError>;

    /// The next prompt, asked for when there is a row for it.
    ///
    /// # Errors
    /// As it likes. No more is answered then.
    fn next(&mut self) -> Result<Option<Prompt>, Self::Error>;

    /// More text of the answer to prompt `number`. To break off ends all answers that are under way
    /// ([`Finish::Cancelled`]); no other prompt is begun.
    fn text(&mut self, number: usize, text: &str) -> ControlFlow<()> {
        let _ = (number, text);
        ControlFlow::Continue(())
    }

    /// The answer to prompt `number`; answers come as they end. To break off leaves all others.
    ///
    /// # Errors
    /// As it likes. No more is answered then.
    fn answered(
        &mut self,
        number: usize,
        completion: Completion,
    ) -> Result<ControlFlow<()>, Self::Error>;
}

/// A list of prompts, and who hears the text.
pub(crate) struct Listed<'a> {
    prompts: std::vec::IntoIter<Prompt>,
    on_text: &'a mut dyn FnMut(usize, &str) -> ControlFlow<()>,
    answers: Vec<Option<Completion>>,
}

impl<'a> Listed<'a> {
    pub(crate) fn new(
        prompts: Vec<Prompt>,
        on_text: &'a mut dyn FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Self {
        Self {
            answers: vec![None; prompts.len()],
            prompts: prompts.into_iter(),
            on_text,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// The answers in the prompts' order. Those that were not begun when all was broken off are empty.
    pub(crate) fn into_answers(self) -> Vec<Completion> {
        let unbegun = || Completion {
            text: String::new(),
            ids: Vec::new(),
            end_token: None,
            finish: Finish::Cancelled,
        };
        let answers = self.answers.into_iter();
        answers
            .map(|answer| answer.unwrap_or_else(unbegun))
            .collect()
    }
}

impl Queue for Listed<'_> {
    type Error = GenerateError;

    fn next(&mut self) -> Result<Option<Prompt>, GenerateError> {
        Ok(self.prompts.next())
    }

    fn text(&mut self, number: usize, text: &str) -> ControlFlow<()> {
        (self.on_text)(number, text)
    }

    fn answered(
        &mut self,
        number: usize,
        completion: Completion,
    ) -> Result<ControlFlow<()>, GenerateError> {
        self.answers[number] = Some(completion);
        Ok(ControlFlow::Continue(()))
    }
}
