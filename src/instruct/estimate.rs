//! What a project will cost, before anybody is asked.

use serde::Serialize;

use super::amounts::PerType;
use super::error::InstructError;
use super::project::Project;
use crate::endpoint::Usage;

/// Bytes of English text that a token stands for, about; most tokenizers are within a fifth of it.
const BYTES_A_TOKEN: u64 = 4;
/// Tokens around each message, about.
const AROUND_A_MESSAGE: u64 = 4;

/// What a project will cost, each request answered once: what is rejected and asked again comes on
/// top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// Requests of each type.
    pub requests: PerType<u64>,
    /// Tokens, about: those of requests by their length, those of replies as if they were as long as
    /// the examples.
    pub usage: Usage,
}

impl Project {
    /// Tells what it will cost.
    ///
    /// # Errors
    /// A template asks for something that a context does not have.
    pub fn estimate(&self) -> Result<Estimate, InstructError> {
        let mut usage = Usage::default();
        for (place, task) in self.plan().tasks().iter().enumerate() {
            for message in self.request(place, 1)?.messages {
                usage.prompt_tokens += AROUND_A_MESSAGE + tokens(message.content.len());
            }
            let replies = self.prompts().replies(task.kind);
            let bytes: usize = replies.iter().map(String::len).sum();
            usage.completion_tokens += tokens(bytes / replies.len().max(1));
        }
        Ok(Estimate {
            requests: self.counts(),
            usage,
        })
    }
}

const fn tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_A_TOKEN)
}
