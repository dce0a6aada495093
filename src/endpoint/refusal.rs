//! What a server says when it does not answer, in the forms that servers have.

use std::time::Duration;

use serde_json::Value;

use super::error::ChatError;
use super::key::ApiKey;

/// The longest word of a server that is passed on, in characters.
const LONGEST_SAID: usize = 300;
/// The longest wait that a server is granted.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// A server's error.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// `code` and `type`, where they are texts.
    names: Vec<String>,
    /// `code`, where it is a status.
    status: Option<u16>,
    said: String,
}

impl Refusal {
    /// Out of the body of a reply with an error's status.
    pub(super) fn read(body: &[u8]) -> Self {
        let value = serde_json::from_slice(body).unwrap_or_else(|_| {
            // A page, or a line of text.
            Value::String(String::from_utf8_lossy(body).into_owned())
        });
        Self::in_body(&value)
    }

    /// Out of the JSON of such a body: its `error`, or all of it.
    pub(super) fn in_body(body: &Value) -> Self {
        Self::within(body).unwrap_or_else(|| Self::of(body))
    }

    /// The `error` of a JSON object: OpenAI's and llama.cpp's is an object, others' a text.
    pub(super) fn within(value: &Value) -> Option<Self> {
        let error = value.get("error").filter(|error| !error.is_null())?;
        Some(Self::of(error))
    }

    /// Out of the error itself.
    pub(super) fn of(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let names = ["code", "type"].into_iter().filter_map(text);
        let code = value.get("code").and_then(Value::as_u64);
        let said = value.as_str().or_else(|| text("message"));
        let said = said.or_else(|| text("detail")).map(str::to_owned);
        Self {
            names: names.map(str::to_owned).collect(),
            status: code.and_then(|code| code.try_into().ok()),
            said: said.unwrap_or_else(|| match value {
                Value::Null => String::new(),
                value => value.to_string(),
            }),
        }
    }

    /// Without the key, should the server repeat it, and in a form that may go to a terminal.
    pub(super) fn hide(mut self, key: Option<&ApiKey>) -> Self {
        if let Some(key) = key {
            self.said = key.hide(&self.said);
        }
        let shown = self.said.trim().chars();
        let shown = shown.map(|c| if c.is_control() { ' ' } else { c });
        self.said = shown.take(LONGEST_SAID).collect();
        self
    }

    /// The status that the error itself states.
    pub(super) fn status(&self) -> Option<u16> {
        self.status.filter(|status| (400..600).contains(status))
    }

    /// What it means for a request of a batch that was never sent.
    pub(super) fn unanswered(self) -> ChatError {
        ChatError::Unanswered {
            code: self.names.into_iter().next().unwrap_or_default(),
            said: self.said,
        }
    }

    /// What it means for a request to `url` for `model`.
    pub(super) fn error(
        self,
        status: u16,
        after: Option<Duration>,
        url: &str,
        model: &str,
    ) -> ChatError {
        let named = |wanted: &[&str]| {
            self.names
                .iter()
                .any(|name| wanted.contains(&name.as_str()))
        };
        let no_credit = named(&["insufficient_quota", "billing_hard_limit_reached"]);
        let denied = named(&["invalid_api_key"]);
        let no_model = named(&["model_not_found"]);
        let parameter = named(&["unsupported_parameter", "unsupported_value"]);
        let filtered = named(&["content_filter", "content_policy_violation"]);
        // llama.cpp's name is the second; vLLM has none.
        let too_long = named(&["context_length_exceeded", "exceed_context_size_error"])
            || self.said.contains("maximum context length");
        let said = self.said;
        match status {
            402 => ChatError::NoCredit { said },
            400.. if no_credit => ChatError::NoCredit { said },
            401 | 403 => ChatError::Denied { status, said },
            408 | 409 | 425 | 429 | 500.. => match after {
                Some(after) if after > LONGEST_WAIT => ChatError::ComeBack { after, said },
                after => ChatError::Busy {
                    status,
                    after,
                    said,
                },
            },
            400.. if denied => ChatError::Denied { status, said },
            400.. if no_model || [404, 405].contains(&status) => ChatError::NotFound {
                status,
                url: url.to_owned(),
                model: model.to_owned(),
                said,
            },
            400.. if parameter => ChatError::Parameter { said },
            400.. if too_long => ChatError::TooLong { said },
            400.. if filtered => ChatError::Filtered { said },
            400.. => ChatError::Refused { status, said },
            _ => ChatError::Malformed {
                problem: format!("it has the status {status}"),
            },
        }
    }
}
