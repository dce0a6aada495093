//! What is asked.

use menagerie_core::chat::Message;
use serde_json::{Value, json};

use super::config::TokenLimit;

/// A conversation to go on with. What is `None` is left to the server.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// What was said so far, the last by the user.
    pub messages: Vec<Message>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// Draw from the likeliest tokens that together have this probability.
    pub top_p: Option<f64>,
    /// The longest reply, in tokens.
    pub max_tokens: Option<u32>,
    /// Seed of the draws, for servers that know it.
    pub seed: Option<u64>,
}

impl ChatRequest {
    /// A conversation with all else left to the server.
    #[must_use]
    pub const fn new(messages: Vec<Message>) -> Self {
        Self {
            messages,
            temperature: None,
            top_p: None,
            max_tokens: None,
            seed: None,
        }
    }

    /// The body of the request, as it is sent and as it stands in a batch's file.
    #[must_use]
    pub fn body(&self, model: &str, limit: TokenLimit) -> Value {
        let mut body = json!({ "model": model, "messages": self.messages });
        let optional = [
            ("temperature", self.temperature.map(Value::from)),
            ("top_p", self.top_p.map(Value::from)),
            (limit.name(), self.max_tokens.map(Value::from)),
            ("seed", self.seed.map(Value::from)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }
}
