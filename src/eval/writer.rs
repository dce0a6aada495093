//! Questions as the model reads them.

use std::sync::Arc;

use menagerie_core::benchmark::AnyBenchmark;
use menagerie_core::chat::{Template, Turn};
use menagerie_core::tokens::Tokenizer;

use super::error::EvalError;
use crate::data::Conversation;

/// Writes questions as the model reads them.
pub(crate) struct Writer {
    pub tokenizer: Tokenizer,
    pub template: Template,
    pub benchmark: Arc<dyn AnyBenchmark>,
    /// The benchmark's name.
    pub name: String,
}

impl Writer {
    /// What the benchmark asks.
    pub(crate) fn turns(&self, conversation: &Conversation) -> Result<Vec<Turn>, EvalError> {
        let question = conversation.question();
        let turns = self.benchmark.ask(&question);
        let (asked, images) = (turns.iter().map(Turn::images).sum(), question.images());
        if asked != images {
            return Err(EvalError::Images {
                benchmark: self.name.clone(),
                id: conversation.id.clone(),
                asked,
                images,
            });
        }
        Ok(turns)
    }

    /// The ids of its prompt.
    pub(crate) fn ids(&self, conversation: &Conversation) -> Result<Vec<i64>, EvalError> {
        let turns = self.turns(conversation)?;
        let ids = self.tokenizer.encode_prompt(&self.template, &turns);
        ids.map_err(|source| EvalError::Encode {
            id: conversation.id.clone(),
            source,
        })
    }
}
