//! One answer as it grows.

use std::ops::ControlFlow;

use super::sampling::Sampler;
use super::stop::StopScanner;
use super::{Completion, Finish, GenerateError, Generator};
use crate::tokens::StreamDecoder;

/// What an answer may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Of the prompt.
    pub number: usize,
    /// Tokens that it may have.
    pub room: usize,
    /// Slots of prompt and answer.
    pub reach: usize,
}

/// An answer as it grows.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub plan: Plan,
    sampler: Sampler<'a>,
    scanner: StopScanner<'a>,
    stream: StreamDecoder<'a>,
    /// Tokens drawn.
    ids: Vec<i64>,
    /// Taken off the beginning of the text; nothing once that has come.
    lead: &'a str,
    text: String,
    end_token: Option<i64>,
    pub finish: Option<Finish>,
}

impl<'a> Answer<'a> {
    /// To a prompt of these ids.
    pub(super) fn new(generator: &Generator<'a>, plan: Plan, ids: &[i64]) -> Self {
        Self {
            plan,
            sampler: Sampler::new(generator.config, plan.number as u64, ids),
            scanner: StopScanner::new(generator.stop),
            stream: StreamDecoder::new(generator.tokenizer),
            ids: Vec::new(),
            lead: generator.lead,
            text: String::new(),
            end_token: None,
            finish: None,
        }
    }

    /// Draws a token and passes on the text it brings.
    pub(super) fn take(
        &mut self,
        generator: &Generator<'_>,
        logits: &mut [f32],
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), GenerateError> {
        let id = self.sampler.next(logits);
        if generator.end_tokens.contains(&i64::from(id)) {
            self.end_token = Some(id.into());
            self.end(Finish::EndToken);
            return Ok(());
        }
        self.ids.push(id.into());
        let text = self.stream.push(id)?;
        let text = self.scanner.push(&text);
        self.pass_on(&text, on_text);
        if self.scanner.stopped() {
            self.end(Finish::StopString);
        } else if self.ids.len() == self.plan.room {
            self.end(Finish::Length);
        }
        Ok(())
    }

    fn pass_on(&mut self, text: &str, on_text: &mut dyn FnMut(&str) -> ControlFlow<()>) {
        if text.is_empty() {
            return;
        }
        let text = text
            .strip_prefix(std::mem::take(&mut self.lead))
            .unwrap_or(text);
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        if on_text(text).is_break() {
            self.end(Finish::Cancelled);
        }
    }

    pub(super) fn end(&mut self, finish: Finish) {
        self.finish.get_or_insert(finish);
    }

    /// What the next step continues from.
    pub(super) fn last(&self) -> i64 {
        *self.ids.last().expect("a token has been drawn")
    }

    pub(super) fn complete(
        mut self,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, GenerateError> {
        let finish = self.finish.unwrap_or(Finish::Length);
        if !self.scanner.stopped() {
            let rest = self.stream.finish()?;
            let mut held = self.scanner.push(&rest);
            held.push_str(&self.scanner.finish());
            self.pass_on(&held, on_text);
        }
        Ok(Completion {
            text: self.text,
            ids: self.ids,
            end_token: self.end_token,
            finish,
        })
    }
}
